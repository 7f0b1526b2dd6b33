/*
 * One connection to a host's PostgreSQL (libpq, asynchronous calls only), by socket, tcp or direct
 * as the cluster file says. Session settings on every connection: application_name, UTF8, ISO
 * dates, standard_conforming_strings, search_path as the server has it, TCP keepalives and
 * idle_in_transaction_session_timeout (1 min); statement_timeout is what is left of the deadline
 * and a little more, in case nobody is left to cancel.
 *
 * The password is the cluster file's, else the one of ~/.pgpass ($PGPASSFILE) for the host's real
 * address (then its name) and port, else $PGPASSWORD; no other variable of libpq counts. A direct
 * connection without sslmode is made as with verify-full; through SSH, tcp tries TLS (prefer) and
 * socket has none.
 */
#ifndef HOST_POSTGRES_H
#define HOST_POSTGRES_H

#include "host/host.h"

struct postgres;

struct postgres_request {
    const char *application; /* application_name: "holdback RUN STEP" */
    const char *database;    /* NULL: the cluster file's */
    const char *role;        /* SET ROLE, or NULL */
    const char *reach;       /* NULL: the cluster file's; "socket" forces the local socket */
    bool read_only;          /* default_transaction_read_only, for looks */
    const struct shell_environment *settings; /* SET name = value; count below */
    size_t setting_count;
    int64_t deadline_ms;
};

/*
 * Opens, in at most 20 s. ERROR_UNREACHABLE: the host does not answer, or the password, user or
 * certificate was refused; ERROR_FAILED with
 * "the server is not running" in its text: nobody listens there, or it is starting up or shutting
 * down. The connection outlives ARENA (which only receives the error): close it before its host.
 */
struct error *postgres_open(struct host *host, struct arena *arena,
                            const struct postgres_request *request, struct postgres **out);
void postgres_close(struct postgres *postgres); /* NULL is fine */

int postgres_version(const struct postgres *postgres); /* server_version_num: 150018 */
int postgres_backend_pid(const struct postgres *postgres);

struct postgres_result {
    size_t rows, columns;
    const char *const *names;  /* columns */
    const char *const *values; /* rows * columns, row by row; NULL is SQL NULL */
    const char *command;       /* "INSERT 0 1" */
};

/* What a failed statement means. */
struct postgres_failure {
    char sqlstate[6];     /* "" if the server did not answer */
    bool connection_lost; /* the statement may have been executed, or may still run */
};

/*
 * Executes TEXT (one statement, or several in one implicit transaction block; the last result is
 * returned, in ARENA). At most 16 MiB of result; COPY from or to the client is refused. On
 * ERROR_TIMEOUT and ERROR_STOPPED the statement was cancelled by pg_cancel_backend over a second
 * connection (in at most 10 s more), and this one is then closed; if it had ended before the
 * cancellation came, that is success. FAILURE may be NULL; it is set only if an error is returned.
 * Server errors keep PostgreSQL's primary message; detail, hint, context and line are in the hint.
 */
struct error *postgres_execute(struct postgres *postgres, struct arena *arena, const char *text,
                               int64_t deadline_ms, struct postgres_result *out,
                               struct postgres_failure *failure);

/* For one question: open, execute, close. */
struct error *postgres_ask(struct host *host, struct arena *arena,
                           const struct postgres_request *request, const char *text,
                           struct postgres_result *out);

/* 't' and 'true' in the only row and column. No row and NULL are false. */
bool postgres_is_true(const struct postgres_result *result);

/* The version of libpq that is loaded: 150018. */
int postgres_library(void);

#endif
