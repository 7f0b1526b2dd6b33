/* Statements: sent, read, and cancelled. */
#include "host/libpq.h"
#include "host/postgres_error.h"
#include "host/postgres_rows.h"
#include "host/postgres_session.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    // A host that is silent keeps nobody waiting: neither who stops, nor past the deadline.
    CANCEL_TIMEOUT_MS = 10000,
    CANCEL_SEND_MS = 2000,    /* of it until the cancellation is answered */
    CANCEL_OVERTIME_MS = 700, /* of it after the statement's deadline */
};

/* One execution. */
struct reading {
    struct postgres *postgres;
    struct arena *arena;
    const char *statement;
    struct postgres_rows rows;
    bool is_inside;        /* in the middle of a result's rows */
    struct error *failure; /* what the server, or libpq, said */
    char sqlstate[6];
    bool is_draining; /* what still arrives is dropped */
};

static void rows_take(struct reading *reading, PGresult *result)
{
    struct postgres_rows *rows = &reading->rows;
    int columns = PQnfields(result);

    if (!reading->is_inside) {
        postgres_rows_clear(rows);
        rows->columns = (size_t)columns;
        for (int column = 0; column < columns; column++)
            postgres_rows_append(rows, PQfname(result, column));
    }
    reading->is_inside = PQresultStatus(result) == PGRES_SINGLE_TUPLE;
    for (int row = 0; row < PQntuples(result); row++)
        for (int column = 0; column < columns; column++)
            postgres_rows_append(
                rows, PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column));
    (void)snprintf(rows->command, sizeof rows->command, "%s", PQcmdStatus(result));
}

static void failure_take(struct reading *reading, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const struct postgres_message message = {
        .primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
        .detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL),
        .hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT),
        .context = PQresultErrorField(result, PG_DIAG_CONTEXT),
        .position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION),
    };

    // The first failure is the reason; what follows it only says that the connection is gone.
    if (reading->failure != NULL)
        return;
    (void)snprintf(reading->sqlstate, sizeof reading->sqlstate, "%s",
                   sqlstate != NULL ? sqlstate : "");
    if (message.primary != NULL)
        reading->failure = postgres_statement_error(reading->arena, reading->statement, &message);
    else
        reading->failure = postgres_lost(reading->arena, host_settings(reading->postgres->host),
                                         PQresultErrorMessage(result));
}

static struct error *copy_drain(struct reading *reading, int64_t deadline_ms)
{
    PGconn *conn = reading->postgres->conn;
    struct error *error = NULL;
    char *row = NULL;
    int got;

    while (error == NULL && (got = PQgetCopyData(conn, &row, 1)) >= 0) {
        PQfreemem(row);
        row = NULL;
        if (got == 0)
            error = socket_wait(reading->postgres, reading->arena, POLLIN, deadline_ms);
        if (got == 0 && error == NULL)
            (void)PQconsumeInput(conn);
    }
    return error;
}

/* What must be cancelled is returned as an error; what the server says goes into the reading. */
static struct error *result_take(struct reading *reading, PGresult *result, int64_t deadline_ms)
{
    PGconn *conn = reading->postgres->conn;

    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
        if (!reading->is_draining)
            rows_take(reading, result);
        if (!reading->is_draining && postgres_rows_are_too_many(&reading->rows))
            return error_new(reading->arena, ERROR_FAILED, "the result is larger than %d MiB",
                             (int)(TEXT_LIMIT >> 20));
        return NULL;
    case PGRES_COPY_IN:
        (void)PQputCopyEnd(conn, "holdback gives no data to COPY FROM STDIN");
        return NULL;
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        if (reading->is_draining)
            return copy_drain(reading, deadline_ms);
        return error_new(reading->arena, ERROR_FAILED, "COPY TO STDOUT is not supported");
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE:
        failure_take(reading, result);
        return NULL;
    default:
        postgres_rows_clear(&reading->rows);
        (void)snprintf(reading->rows.command, sizeof reading->rows.command, "%s",
                       PQcmdStatus(result));
        return NULL;
    }
}

/* While something is written, the server's answers are taken in too, or both sides would block. */
static struct error *answer_wait(struct reading *reading, int64_t deadline_ms)
{
    PGconn *conn = reading->postgres->conn;

    for (;;) {
        int unsent = PQflush(conn);

        if (unsent <= 0 && PQisBusy(conn) == 0)
            return NULL;

        struct error *error = socket_wait(reading->postgres, reading->arena,
                                          unsent > 0 ? POLLIN | POLLOUT : POLLIN, deadline_ms);

        if (error != NULL)
            return error;
        // A failure here is told by the next result.
        if (PQconsumeInput(conn) == 0)
            return NULL;
    }
}

/* Reads until the server is ready for the next statement. */
static struct error *results_read(struct reading *reading, int64_t deadline_ms)
{
    for (;;) {
        struct error *error = answer_wait(reading, deadline_ms);

        if (error != NULL)
            return error;

        PGresult *result = PQgetResult(reading->postgres->conn);

        if (result == NULL)
            return NULL;
        error = result_take(reading, result, deadline_ms);
        PQclear(result);
        if (error != NULL)
            return error;
    }
}

struct error *statement_send(struct postgres *postgres, struct arena *arena, const char *text,
                             int64_t deadline_ms)
{
    struct reading reading = {.postgres = postgres, .arena = arena, .statement = ""};

    if (PQsendQuery(postgres->conn, text) == 0)
        return postgres_lost(arena, host_settings(postgres->host), PQerrorMessage(postgres->conn));

    struct error *error = results_read(&reading, deadline_ms);

    postgres_rows_release(&reading.rows);
    return error != NULL ? error : reading.failure;
}

/* Over a second connection: PQcancel would block, and without TLS. */
static struct error *cancel_send(struct postgres *postgres, struct arena *arena,
                                 int64_t deadline_ms)
{
    const struct postgres_request request = {.application = "holdback cancel",
                                             .database = postgres->database,
                                             .reach = postgres->reach,
                                             .read_only = true, /* it ends only what is ours */
                                             .deadline_ms = deadline_ms};
    const char *text = arena_printf(arena, "SELECT pg_catalog.pg_cancel_backend(%d)",
                                    PQbackendPID(postgres->conn));
    struct postgres *second = NULL;
    struct error *error = postgres_open(postgres->host, arena, &request, &second);

    if (error == NULL)
        error = statement_send(second, arena, text, deadline_ms);
    postgres_close(second);
    return error;
}

/*
 * WHY the statement must not go on. NULL if it turns out that it had ended before the cancellation
 * came, and nothing else was wrong with it.
 */
static struct error *statement_cancel(struct reading *reading, struct error *why,
                                      int64_t deadline_ms, bool *is_lost)
{
    struct postgres *postgres = reading->postgres;
    int64_t now_ms = clock_ms();
    int64_t end_ms = (deadline_ms < now_ms ? now_ms : deadline_ms) + CANCEL_OVERTIME_MS;
    int64_t send_ms = now_ms + CANCEL_SEND_MS;
    int stop_fd = host_set_stop(postgres->host, -1);
    struct error *error;

    if (end_ms > now_ms + CANCEL_TIMEOUT_MS)
        end_ms = now_ms + CANCEL_TIMEOUT_MS;
    reading->is_draining = why->kind == ERROR_FAILED;
    error = cancel_send(postgres, reading->arena, send_ms < end_ms ? send_ms : end_ms);
    if (error == NULL)
        error = results_read(reading, end_ms);
    (void)host_set_stop(postgres->host, stop_fd);

    if (error == NULL && reading->failure == NULL && !reading->is_draining)
        return NULL;
    *is_lost = error != NULL || reading->sqlstate[0] == '\0';
    if (*is_lost)
        (void)error_hint(reading->arena, why,
                         "The statement may have been executed, or may still be running as process "
                         "%d of the server on host \"%s\"%s%s.",
                         PQbackendPID(postgres->conn), host_settings(postgres->host)->name,
                         error == NULL ? "" : ", where it could not be cancelled: ",
                         error == NULL ? "" : error_text(reading->arena, error));
    return why;
}

/* The server's own deadline, for when nobody is left to cancel; only where it is too short. */
static struct error *timeout_extend(struct postgres *postgres, struct arena *arena,
                                    int64_t deadline_ms)
{
    int64_t timeout_ms = postgres_timeout_ms(deadline_ms);

    if (postgres->has_own_timeout || timeout_ms <= postgres->timeout_ms)
        return NULL;
    postgres->timeout_ms = timeout_ms;

    struct error *error = statement_send(
        postgres, arena, arena_printf(arena, "SET statement_timeout = %" PRId64, timeout_ms),
        deadline_ms);

    // In a failed transaction it is refused, and the statement will be too.
    if (error == NULL || error->kind == ERROR_FAILED)
        return NULL;
    connection_close(postgres);
    return error;
}

static struct error *statement_run(struct reading *reading, int64_t deadline_ms, bool *is_lost)
{
    struct postgres *postgres = reading->postgres;

    if (PQsendQuery(postgres->conn, reading->statement) == 0)
        return postgres_lost(reading->arena, host_settings(postgres->host),
                             PQerrorMessage(postgres->conn));
    (void)PQsetSingleRowMode(postgres->conn);

    struct error *error = results_read(reading, deadline_ms);

    if (error != NULL && error->kind == ERROR_UNREACHABLE) {
        *is_lost = true;
        return error;
    }
    if (error == NULL) {
        *is_lost = PQstatus(postgres->conn) != CONNECTION_OK;
        return reading->failure;
    }
    if (error->kind == ERROR_TIMEOUT)
        error = error_new(reading->arena, ERROR_TIMEOUT, "the statement did not end in time");
    else if (error->kind == ERROR_STOPPED)
        error = error_new(reading->arena, ERROR_STOPPED, "the statement was cancelled");
    if (error->kind == ERROR_STOPPED && host_leaves_when_stopped(postgres->host))
        *is_lost = true;
    else
        error = statement_cancel(reading, error, deadline_ms, is_lost);
    connection_close(postgres);
    return error;
}

/*
 * A kept connection may have ended long ago. What is noticed before anything is sent leaves no
 * doubt about the statement.
 */
static struct error *connection_check(struct postgres *postgres, struct arena *arena)
{
    const char *name = host_settings(postgres->host)->name;
    struct error *error = NULL;

    if (postgres->conn == NULL)
        return error_new(arena, ERROR_FAILED,
                         "the connection to PostgreSQL on host \"%s\" is closed", name);
    while (error == NULL) {
        error = socket_wait(postgres, arena, POLLIN, clock_ms());
        if (error == NULL && PQconsumeInput(postgres->conn) == 0)
            return error_new(
                arena, ERROR_FAILED,
                "the connection to PostgreSQL on host \"%s\" broke before the statement "
                "was sent",
                name);
    }
    return error->kind == ERROR_TIMEOUT ? NULL : error;
}

struct error *postgres_execute(struct postgres *postgres, struct arena *arena, const char *text,
                               int64_t deadline_ms, struct postgres_result *out,
                               struct postgres_failure *failure)
{
    struct reading reading = {.postgres = postgres, .arena = arena, .statement = text};
    bool is_lost = false;
    struct error *error = connection_check(postgres, arena);

    if (error == NULL)
        error = timeout_extend(postgres, arena, deadline_ms);
    if (error == NULL)
        error = statement_run(&reading, deadline_ms, &is_lost);
    if (error == NULL)
        postgres_rows_copy(&reading.rows, arena, out);
    else if (failure != NULL) {
        memcpy(failure->sqlstate, reading.sqlstate, sizeof failure->sqlstate);
        failure->connection_lost = is_lost;
    }
    postgres_rows_release(&reading.rows);
    return error;
}
