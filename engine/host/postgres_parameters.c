/* How a server is reached, and as whom. */
#include "host/postgres_parameters.h"
#include "host/claim.h"
#include "host/pgpass.h"
#include "host/postgres_error.h"
#include "host/relay.h"
#include "host/tls.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * libpq takes what it is not told from the environment, and an empty value counts as not told. Only
 * PGPASSWORD stays, for a server that asks for a password where nothing else gives one. Before
 * main, because the environment must not be changed beside other threads. Source of the names:
 * PostgreSQL's documentation, "Environment Variables" of libpq.
 */
__attribute__((constructor)) static void environment_forget(void)
{
    static const char *const names[] = {"PGSERVICE",
                                        "PGSERVICEFILE",
                                        "PGSYSCONFDIR",
                                        "PGHOST",
                                        "PGHOSTADDR",
                                        "PGPORT",
                                        "PGDATABASE",
                                        "PGUSER",
                                        "PGOPTIONS",
                                        "PGAPPNAME",
                                        "PGCLIENTENCODING",
                                        "PGTZ",
                                        "PGDATESTYLE",
                                        "PGGEQO",
                                        "PGREQUIREPEER",
                                        "PGREQUIREAUTH",
                                        "PGSSLMODE",
                                        "PGREQUIRESSL",
                                        "PGSSLNEGOTIATION",
                                        "PGSSLCOMPRESSION",
                                        "PGSSLCERT",
                                        "PGSSLKEY",
                                        "PGSSLCERTMODE",
                                        "PGSSLROOTCERT",
                                        "PGSSLCRL",
                                        "PGSSLCRLDIR",
                                        "PGSSLSNI",
                                        "PGSSLMINPROTOCOLVERSION",
                                        "PGGSSENCMODE",
                                        "PGGSSDELEGATION",
                                        "PGSSLMAXPROTOCOLVERSION",
                                        "PGCHANNELBINDING",
                                        "PGKRBSRVNAME",
                                        "PGGSSLIB",
                                        "PGTARGETSESSIONATTRS",
                                        "PGLOADBALANCEHOSTS",
                                        "PGMINPROTOCOLVERSION",
                                        "PGMAXPROTOCOLVERSION",
                                        "PGCONNECT_TIMEOUT"};

    for (size_t at = 0; at < ARRAY_COUNT(names); at++)
        (void)unsetenv(names[at]); // NOLINT(concurrency-mt-unsafe)
}

void postgres_parameters_release(struct postgres_parameters *parameters)
{
    secret_release(&parameters->password);
}

/* Session settings that every connection starts with; no round trip of their own. */
static const char *options_text(struct arena *arena, const struct postgres_request *request,
                                int64_t statement_timeout_ms)
{
    return arena_printf(arena,
                        "-c standard_conforming_strings=on -c DateStyle=ISO"
                        " -c statement_timeout=%" PRId64
                        " -c idle_in_transaction_session_timeout=60000 -c tcp_keepalives_idle=30"
                        " -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3%s",
                        statement_timeout_ms,
                        request->read_only ? " -c default_transaction_read_only=on" : "");
}

static void parameter_add(struct postgres_parameters *parameters, const char *name,
                          const char *value)
{
    parameters->names[parameters->count] = name;
    parameters->values[parameters->count++] = value;
}

static struct error *password_find(struct arena *arena, const struct host_settings *settings,
                                   const char *database, struct postgres_parameters *parameters)
{
    const char *hosts[] = {settings->address, settings->name};

    if (settings->postgres.password.source != SECRET_NONE)
        return secret_fetch(arena, &settings->postgres.password, &parameters->password);

    // A bad password file only matters if the server asks for a password.
    for (size_t at = 0; at < ARRAY_COUNT(hosts) && parameters->password.bytes == NULL &&
                        parameters->password_problem == NULL;
         at++) {
        const struct pgpass_key key = {.host = hosts[at],
                                       .port = settings->postgres.port,
                                       .database = database,
                                       .user = settings->postgres.user};

        parameters->password_problem = pgpass_find(arena, &key, &parameters->password);
    }
    return NULL;
}

/* Without sslmode, a direct connection proves the server; through SSH that is done already. */
static const char *sslmode_choose(const struct host_settings *settings, const char *reach)
{
    if (equal(reach, "socket"))
        return "disable";
    if (settings->postgres.sslmode != NULL)
        return settings->postgres.sslmode;
    return equal(reach, "direct") ? "verify-full" : "prefer";
}

static void session_add(struct arena *arena, const struct postgres_request *request,
                        int64_t statement_timeout_ms, struct postgres_parameters *parameters)
{
    // A name that cannot exist: the password file was looked up already, by the real port.
    parameter_add(parameters, "passfile", "/dev/null/none");
    parameter_add(parameters, "gssencmode", "disable");
    parameter_add(parameters, "tcp_user_timeout", "20000");
    parameter_add(parameters, "keepalives_idle", "10");
    parameter_add(parameters, "keepalives_interval", "5");
    parameter_add(parameters, "keepalives_count", "3");
    parameter_add(parameters, "client_encoding", "UTF8");
    parameter_add(parameters, "application_name",
                  request->application != NULL ? request->application : "holdback");
    parameter_add(parameters, "options", options_text(arena, request, statement_timeout_ms));
}

struct error *postgres_parameters_fill(struct arena *arena, const struct host_settings *settings,
                                       const struct postgres_request *request,
                                       const struct bridge *bridge, int64_t statement_timeout_ms,
                                       struct postgres_parameters *out)
{
    const char *sslmode = sslmode_choose(settings, request->reach);
    struct tls_settings tls = {0};
    struct error *error = NULL;

    if (!equal(sslmode, "disable"))
        error = tls_prepare(arena, &settings->postgres.tls, &tls);
    if (error == NULL)
        error = password_find(arena, settings, request->database, out);
    if (error != NULL)
        return error;

    // The host's name beside the bridge's address is what the server's certificate must prove.
    parameter_add(out, "host", settings->address);
    parameter_add(out, "hostaddr", bridge != NULL ? "127.0.0.1" : NULL);
    parameter_add(
        out, "port",
        arena_printf(arena, "%d", bridge != NULL ? bridge_port(bridge) : settings->postgres.port));
    parameter_add(out, "dbname", request->database);
    parameter_add(out, "user", settings->postgres.user);
    parameter_add(out, "password", out->password.bytes);
    parameter_add(out, "sslmode", sslmode);
    parameter_add(out, "ssl_min_protocol_version", "TLSv1.2");
    parameter_add(out, "sslrootcert", tls.ca);
    parameter_add(out, "sslcert", tls.certificate);
    parameter_add(out, "sslkey", tls.key);
    session_add(arena, request, statement_timeout_ms, out);
    return NULL;
}

static struct error *tunnel_open(struct host *host, struct arena *arena, const char *reach,
                                 bool is_change, int64_t deadline_ms, int *fd)
{
    const struct host_settings *settings = host_settings(host);
    bool is_socket = equal(reach, "socket");
    struct error *error;

    if (is_socket) {
        const char *path = arena_printf(
            arena, "%s/.s.PGSQL.%d", settings->postgres.socket_directory, settings->postgres.port);

        error = relay_open(host, arena, settings->postgres.os_user, path, 0, is_change, deadline_ms,
                           fd);
    } else if (is_change && host_has_claim(host)) {
        error = relay_open(host, arena, settings->postgres.os_user, settings->address,
                           settings->postgres.port, true, deadline_ms, fd);
    } else {
        error = host_tunnel_tcp(host, arena, settings->address, settings->postgres.port,
                                deadline_ms, fd);
    }
    if (error == NULL)
        return NULL;

    const char *text = error_text(arena, error);

    if (error->kind == ERROR_LOCKED)
        return error;
    if (error->kind == ERROR_FAILED && (is_socket || strstr(text, "refused") != NULL))
        return postgres_not_running(arena, settings, is_socket ? text : "Connection refused");
    if (error->kind == ERROR_FAILED)
        error->kind = ERROR_UNREACHABLE;
    return postgres_not_connected(arena, settings, error);
}

struct error *postgres_bridge_open(struct host *host, struct arena *arena,
                                   const struct postgres_request *request, int64_t deadline_ms,
                                   struct bridge **out)
{
    int tunnel = -1;
    struct error *error =
        tunnel_open(host, arena, request->reach, !request->read_only, deadline_ms, &tunnel);

    return error != NULL ? error : bridge_open(arena, tunnel, out);
}
