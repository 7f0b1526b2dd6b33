/* sql: what became of an interrupted try, and taking the markers away. */
#include "sql.h"

enum {
    POLL_MS = 20,
    TRIES = 4,
    PAUSE_MS = 250,
    PATIENCE_MS = 10000, /* a terminated backend that rolls back much may take its time */
};

struct error *sql_fence(struct work *work, struct postgres *postgres)
{
    // Which try it was does not matter: all have the same name, and none may go on beside us.
    const char *statement =
        arena_printf(work->arena,
                     "SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(pid)) "
                     "FROM pg_catalog.pg_stat_activity "
                     "WHERE application_name = %s AND pid <> pg_catalog.pg_backend_pid()",
                     sql_literal(work->arena, work_application(work)));
    int64_t patience_ms = clock_ms() + PATIENCE_MS;
    for (;;) {
        struct postgres_result result;
        struct error *error =
            postgres_execute(postgres, work->arena, statement, work->deadline_ms, &result, NULL);
        if (error != NULL)
            return error;
        if (equal(result.values[0], "0"))
            return NULL;
        work->watch(work, "ends the session of an earlier try");
        if (clock_ms() > patience_ms)
            return error_new(work->arena, ERROR_FAILED,
                             "the session of an earlier try does not end");
        error = work_pause(work, POLL_MS);
        if (error != NULL)
            return error;
    }
}

static void close_connection(struct postgres **postgres)
{
    postgres_close(*postgres);
}

static enum settle in_doubt(struct work *work, struct error *cause, struct error **error)
{
    const char *hint = "Look in the server's log and data for what it was to do.";
    *error = cause == NULL
                 ? error_new(work->arena, ERROR_IN_DOUBT,
                             "it was interrupted, and nothing in the database tells its end")
                 : error_because(work->arena, cause, "could not find out what became of it");
    // Whoever could not ask asks again: a server that is down now tells it later.
    if (cause != NULL && (cause->kind != ERROR_FAILED || work_server_is_down(cause)))
        return SETTLE_UNREACHABLE;
    error_hint(work->arena, *error, "%s", hint);
    return SETTLE_IN_DOUBT;
}

/* With the lock nobody is between the work and its marker, so the answer is final. */
static struct error *settle_by_marker(struct work *work, struct postgres *postgres, bool *found,
                                      bool *is_standby)
{
    struct postgres_result result;
    struct error *error =
        postgres_execute(postgres, work->arena, "SELECT pg_catalog.pg_is_in_recovery()",
                         work->deadline_ms, &result, NULL);
    if (error != NULL)
        return error;
    *is_standby = postgres_is_true(&result);
    error =
        postgres_execute(postgres, work->arena,
                         *is_standby ? "BEGIN" : "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
                         work->deadline_ms, &result, NULL);
    if (error == NULL)
        error =
            postgres_execute(postgres, work->arena, marker_lock(work, postgres_version(postgres)),
                             work->deadline_ms, &result, NULL);
    if (error == NULL)
        error = marker_find(work, postgres, found);
    if (error != NULL)
        return error;
    if (*found && !*is_standby)
        error = marker_confirm(work, postgres);
    if (!*found && !*is_standby && work->was_taken_over)
        error = marker_fence(work, postgres);
    return error;
}

/* Ends what an earlier try goes on with, and asks for the marker of a transaction, or for what
 * statements without one have left invalid. */
static struct error *ask(struct work *work, bool *is_there, bool *is_standby, const char **left)
{
    struct postgres_request request;
    CLEANUP(close_connection) struct postgres *postgres = NULL;

    work_forget_connection(work);
    struct error *error = work_request(work, work->step->params, false, &request);
    request.role = NULL;
    request.settings = NULL;
    request.setting_count = 0;
    if (error == NULL)
        error = postgres_open(work->host, work->arena, &request, &postgres);
    if (error == NULL)
        error = sql_fence(work, postgres);
    if (error == NULL && sql_is_one_transaction(work->step))
        error = settle_by_marker(work, postgres, is_there, is_standby);
    else if (error == NULL)
        *left = sql_left(work, postgres);
    return error;
}

enum settle sql_settle(struct work *work, struct error **error)
{
    if (sql_is_query(work->step))
        return SETTLE_NOT_DONE;
    const struct node *params = work->step->params;
    bool is_there = false, is_standby = false, has_unless = node_find(params, "unless") != NULL;
    const char *left = NULL;
    struct error *cause = ask(work, &is_there, &is_standby, &left);

    // A server that goes down breaks the connection first: the next try says that it is down.
    for (int tries = 1; tries < TRIES && cause != NULL && cause->kind == ERROR_FAILED &&
                        !work_server_is_down(cause) && work_pause(work, PAUSE_MS) == NULL;
         tries++)
        cause = ask(work, &is_there, &is_standby, &left);
    if (cause != NULL)
        return in_doubt(work, cause, error);
    if (is_there)
        return SETTLE_DONE;
    if (has_unless) {
        cause = sql_unless(work, &is_there);
        if (cause != NULL)
            return in_doubt(work, cause, error);
        if (is_there || sql_is_one_transaction(work->step))
            return is_there ? SETTLE_DONE : SETTLE_NOT_DONE;
        *error = error_new(work->arena, ERROR_FAILED,
                           "it was interrupted, and its effect is not there; %s%s",
                           left == NULL ? "it may have left something" : "left invalid: ",
                           left == NULL ? "" : left);
        return SETTLE_BROKEN;
    }
    if (!sql_is_one_transaction(work->step))
        return in_doubt(work, NULL, error);
    if (is_standby)
        return in_doubt(work,
                        error_new(work->arena, ERROR_FAILED,
                                  "the server is a standby now and may not have it yet"),
                        error);
    return SETTLE_NOT_DONE;
}

struct error *sql_clean(struct work *work)
{
    struct postgres_request request;
    struct postgres_result result;
    if (sql_is_query(work->step) || !sql_is_one_transaction(work->step))
        return NULL;
    struct error *error = work_request(work, work->step->params, false, &request);
    if (error != NULL)
        return error;
    // One name for all steps, so that one connection serves them all.
    request.application = arena_printf(work->arena, "holdback %.50s", work->run);
    request.role = NULL;
    request.settings = NULL;
    request.setting_count = 0;
    const char *statement = arena_printf(
        work->arena,
        "DO $holdback$ BEGIN"
        " IF pg_catalog.pg_is_in_recovery() OR"
        "    pg_catalog.to_regclass('holdback.marker') IS NULL THEN RETURN; END IF;"
        " PERFORM pg_catalog.pg_advisory_xact_lock("
        "     pg_catalog.hashtext('holdback.marker')::bigint);"
        " DELETE FROM holdback.marker WHERE run = %s;"
        " IF EXISTS (SELECT FROM holdback.marker) THEN RETURN; END IF;"
        " DROP TABLE holdback.marker;"
        " BEGIN DROP SCHEMA holdback; EXCEPTION WHEN dependent_objects_still_exist THEN END;"
        " END $holdback$",
        sql_literal(work->arena, work->run));
    return work_ask(work, &request, statement, &result, NULL);
}
