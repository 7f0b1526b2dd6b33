/* Opening and closing connections to PostgreSQL. */
#include "host/claim.h"
#include "host/libpq.h"
#include "host/postgres_error.h"
#include "host/postgres_parameters.h"
#include "host/postgres_session.h"

#include <poll.h>
#include <stdlib.h>

enum { CONNECT_TIMEOUT_MS = 20000 };

static void notice_drop(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

void connection_close(struct postgres *postgres)
{
    PQfinish(postgres->conn);
    postgres->conn = NULL;
    bridge_close(postgres->bridge);
    postgres->bridge = NULL;
}

void postgres_close(struct postgres *postgres)
{
    if (postgres == NULL)
        return;
    connection_close(postgres);
    arena_release(&postgres->arena);
    free(postgres);
}

int postgres_version(const struct postgres *postgres)
{
    return PQserverVersion(postgres->conn);
}

int postgres_backend_pid(const struct postgres *postgres)
{
    return PQbackendPID(postgres->conn);
}

struct error *socket_wait(struct postgres *postgres, struct arena *arena, short events,
                          int64_t deadline_ms)
{
    size_t count = postgres->bridge == NULL ? 1 : 1 + BRIDGE_POLLS;

    for (;;) {
        int socket = PQsocket(postgres->conn);
        struct pollfd polls[1 + BRIDGE_POLLS] = {{.fd = socket, .events = events}};

        if (postgres->bridge != NULL)
            bridge_prepare(postgres->bridge, polls + 1);

        struct error *error = host_wait(postgres->host, arena, polls, count, deadline_ms);

        if (error != NULL)
            return error;
        if (postgres->bridge != NULL)
            bridge_move(postgres->bridge, socket);
        if (polls[0].revents != 0)
            return NULL;
    }
}

static struct error *connection_finish(struct postgres *postgres, struct arena *arena,
                                       const struct error *password_problem, int64_t deadline_ms)
{
    const struct host_settings *settings = host_settings(postgres->host);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;

    if (PQstatus(postgres->conn) == CONNECTION_BAD)
        return postgres_refused(arena, settings, PQerrorMessage(postgres->conn), password_problem);
    (void)PQsetErrorVerbosity(postgres->conn, PQERRORS_VERBOSE);
    (void)PQsetNoticeReceiver(postgres->conn, notice_drop, NULL);
    while (next != PGRES_POLLING_OK) {
        short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        struct error *error = socket_wait(postgres, arena, events, deadline_ms);

        if (error != NULL && error->kind == ERROR_TIMEOUT)
            error = error_new(arena, ERROR_UNREACHABLE, "no answer");
        if (error != NULL)
            return postgres_not_connected(arena, settings, error);
        next = PQconnectPoll(postgres->conn);
        if (next == PGRES_POLLING_FAILED)
            return postgres_refused(arena, settings, PQerrorMessage(postgres->conn),
                                    password_problem);
    }
    return NULL;
}

static struct error *connection_open(struct postgres *postgres, struct arena *arena,
                                     const struct postgres_request *request, int64_t deadline_ms)
{
    struct postgres_parameters parameters CLEANUP(postgres_parameters_release) = {0};
    const struct host_settings *settings = host_settings(postgres->host);
    struct error *error = NULL;

    if (!equal(request->reach, "direct"))
        error =
            postgres_bridge_open(postgres->host, arena, request, deadline_ms, &postgres->bridge);
    else if (!request->read_only)
        error = claim_check(postgres->host, arena, settings->postgres.os_user, deadline_ms);
    if (error != NULL)
        return error;
    error = postgres_parameters_fill(arena, settings, request, postgres->bridge,
                                     postgres->timeout_ms, &parameters);
    if (error != NULL)
        return postgres_not_connected(arena, settings, error);
    postgres->conn = PQconnectStartParams(parameters.names, parameters.values, 0);
    if (postgres->conn == NULL)
        out_of_memory();
    return connection_finish(postgres, arena, parameters.password_problem, deadline_ms);
}

static struct error *settings_apply(struct postgres *postgres, struct arena *arena,
                                    const struct postgres_request *request)
{
    const char *text = postgres_settings_text(arena, request);
    struct error *error =
        text == NULL ? NULL : statement_send(postgres, arena, text, request->deadline_ms);

    postgres->has_own_timeout = postgres_settings_have_timeout(request);
    return error == NULL ? NULL : error_because(arena, error, "could not set up the session");
}

struct error *postgres_open(struct host *host, struct arena *arena,
                            const struct postgres_request *request, struct postgres **out)
{
    const struct host_settings *settings = host_settings(host);
    struct postgres *postgres = calloc(1, sizeof *postgres);
    struct postgres_request complete = *request;
    int64_t deadline_ms = clock_ms() + CONNECT_TIMEOUT_MS;

    if (postgres == NULL)
        out_of_memory();
    if (deadline_ms > request->deadline_ms)
        deadline_ms = request->deadline_ms;
    if (request->reach == NULL)
        complete.reach = settings->postgres.reach;
    if (request->database == NULL)
        complete.database = settings->postgres.database;
    postgres->host = host;
    postgres->reach = arena_strdup(&postgres->arena, complete.reach);
    postgres->database = arena_strdup(&postgres->arena, complete.database);
    postgres->timeout_ms = postgres_timeout_ms(request->deadline_ms);

    struct error *error = connection_open(postgres, arena, &complete, deadline_ms);

    if (error == NULL)
        error = settings_apply(postgres, arena, request);
    if (error != NULL) {
        postgres_close(postgres);
        return error;
    }
    *out = postgres;
    return NULL;
}

int postgres_library(void)
{
    return PQlibVersion();
}
