/* sql: applying. One transaction with its marker row, or statements one after the other. */
#include "sql.h"

#include "plan/sqltext.h"

#include <string.h>

/* A try in progress. */
struct attempt {
    struct work *work;
    struct postgres *postgres;
    const char *transaction; /* txid_current() of the transaction, as text */
    bool is_remote_apply;    /* the session's own synchronous_commit waits for a standby's replay */
    bool is_standby;         /* read only: no marker can be written, `unless` decides */
    bool is_committed;
};

static struct error *execute(struct attempt *attempt, const char *text,
                             struct postgres_result *result, struct postgres_failure *failure)
{
    struct postgres_result ignored;
    return postgres_execute(attempt->postgres, attempt->work->arena, text,
                            attempt->work->deadline_ms, result == NULL ? &ignored : result,
                            failure);
}

const char sql_commit_waits[] =
    "SELECT pg_catalog.set_config('synchronous_commit', 'on', true) "
    "WHERE pg_catalog.current_setting('synchronous_commit') <> 'remote_apply'";

struct error *sql_commit(struct work *work, struct postgres *postgres,
                         struct postgres_result *result, struct postgres_failure *failure)
{
    struct error *error =
        postgres_execute(postgres, work->arena, "COMMIT", work->deadline_ms, result, failure);
    // A connection on which a statement had to be cancelled is closed, even where it was too late.
    if (error != NULL || postgres_backend_pid(postgres) != 0)
        return error;
    if (failure != NULL)
        failure->connection_lost = true;
    error = work_pause(work, 0);
    return error_new(work->arena, error == NULL ? ERROR_UNREACHABLE : error->kind,
                     "COMMIT was not waited for: perhaps no synchronous standby has it");
}

const char *sql_left(struct work *work, struct postgres *postgres)
{
    struct postgres_result result;
    struct error *error = postgres_execute(
        postgres, work->arena,
        "SELECT pg_catalog.string_agg('index \"' || indexrelid::pg_catalog.regclass || '\"', ', ') "
        "FROM pg_catalog.pg_index WHERE NOT indisvalid",
        work->deadline_ms, &result, NULL);
    return error != NULL ? NULL : result.values[0];
}

static void attempt_close(struct attempt *attempt)
{
    postgres_close(attempt->postgres);
}

/* Statement by statement where a result must be seen; else as a whole, exactly as written. */
static struct error *execute_text(struct attempt *attempt, const char *text, bool is_split,
                                  struct postgres_failure *failure, bool *was_sent)
{
    struct work *work = attempt->work;
    struct postgres_result result;
    if (!is_split) {
        *was_sent = true;
        return execute(attempt, text, &result, failure);
    }
    const struct sql_statement *statements;
    size_t count;
    struct error *error = sql_split(work->arena, text, &statements, &count);
    for (size_t i = 0; error == NULL && i < count; i++) {
        const char *statement = arena_copy(work->arena, statements[i].text, statements[i].length);
        *was_sent = true;
        error = execute(attempt, statement, &result, failure);
        if (error == NULL)
            sql_save(work, &result);
        else if (count > 1)
            error = error_because(work->arena, error, "statement in line %d", statements[i].line);
    }
    return error;
}

static struct error *execute_texts(struct attempt *attempt, bool is_split,
                                   struct postgres_failure *failure, bool *was_sent)
{
    struct work *work = attempt->work;
    const char *key = node_find(work->step->params, "file") != NULL ? "file" : "run";
    const char *const *texts;
    size_t count;
    struct error *error = sql_texts(work, key, postgres_version(attempt->postgres), &texts, &count);
    for (size_t i = 0; error == NULL && i < count; i++)
        error = execute_text(attempt, texts[i], is_split, failure, was_sent);
    return error;
}

/* Before every further try: what a failed one may have left is ended and removed. */
static struct error *clean_up(struct attempt *attempt)
{
    struct work *work = attempt->work;
    if (work->try <= 1 && work->previous == NULL)
        return NULL;
    struct error *error = sql_fence(work, attempt->postgres);
    if (error != NULL || node_find(work->step->params, "clean-up") == NULL)
        return error;
    const char *const *texts;
    size_t count;
    bool was_sent;
    error = sql_texts(work, "clean-up", postgres_version(attempt->postgres), &texts, &count);
    for (size_t i = 0; error == NULL && i < count; i++)
        error = execute_text(attempt, texts[i], true, NULL, &was_sent);
    work->saved = NULL;
    return error == NULL ? NULL : error_because(work->arena, error, "could not clean up");
}

static struct error *attempt_open(struct attempt *attempt, const struct postgres_request *request)
{
    struct work *work = attempt->work;
    struct postgres_result result;
    work_forget_connection(work);
    struct error *error = postgres_open(work->host, work->arena, request, &attempt->postgres);
    if (error == NULL)
        error = clean_up(attempt);
    if (error == NULL)
        error = execute(attempt,
                        "SELECT pg_catalog.pg_is_in_recovery(), "
                        "pg_catalog.current_setting('synchronous_commit')",
                        &result, NULL);
    if (error != NULL)
        return error;
    attempt->is_standby = equal(result.values[0], "t");
    attempt->is_remote_apply = equal(result.values[1], "remote_apply");
    return NULL;
}

/* The step's settings and role, until the transaction ends. */
static struct error *set_local(struct attempt *attempt, const struct postgres_request *request)
{
    struct arena *arena = attempt->work->arena;
    struct error *error = NULL;
    for (size_t i = 0; error == NULL && i < request->setting_count; i++)
        error = execute(attempt,
                        arena_printf(arena, "SELECT pg_catalog.set_config(%s, %s, true)",
                                     sql_literal(arena, request->settings[i].name),
                                     sql_literal(arena, request->settings[i].value)),
                        NULL, NULL);
    if (error == NULL && request->role != NULL)
        error = execute(attempt,
                        arena_printf(arena, "SELECT pg_catalog.set_config('role', %s, true)",
                                     sql_literal(arena, request->role)),
                        NULL, NULL);
    return error;
}

/* BEGIN and the step's lock; *FOUND: an earlier try has done the work. */
static struct error *begin(struct attempt *attempt, bool *found)
{
    struct work *work = attempt->work;
    struct postgres_result result;
    *found = false;
    if (attempt->is_standby)
        return execute(attempt, "BEGIN", NULL, NULL);
    // Read committed: the marker must be seen that another session commits while we wait.
    struct error *error =
        execute(attempt, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", NULL, NULL);
    if (error == NULL)
        error =
            execute(attempt, marker_lock(work, postgres_version(attempt->postgres)), NULL, NULL);
    if (error == NULL)
        error = marker_find(work, attempt->postgres, found);
    if (error == NULL && *found)
        error = marker_confirm(work, attempt->postgres);
    if (error != NULL || *found)
        return error;
    error = marker_prepare(work, attempt->postgres);
    if (error == NULL)
        error = execute(attempt, "SELECT pg_catalog.txid_current()", &result, NULL);
    if (error == NULL)
        attempt->transaction = result.values[0];
    return error;
}

static struct error *left_transaction(struct attempt *attempt)
{
    attempt->is_committed = true;
    return error_hint(attempt->work->arena,
                      error_new(attempt->work->arena, ERROR_FAILED,
                                "the SQL text ended the transaction of its step"),
                      "What it did before that is committed; look at it, then take COMMIT and "
                      "ROLLBACK out of the text.");
}

/* After an error inside: a transaction of ours refuses everything but its end (25P02). */
static struct error *after_failure(struct attempt *attempt, struct error *cause,
                                   const struct postgres_failure *failure)
{
    struct postgres_failure probe = {0};
    if (failure->connection_lost || failure->sqlstate[0] == '\0')
        return cause;
    if (execute(attempt, "SELECT 1", NULL, &probe) == NULL)
        return error_because(attempt->work->arena, cause, "%s", left_transaction(attempt)->message);
    return cause;
}

/* Everything between BEGIN and COMMIT. */
static struct error *transaction_body(struct attempt *attempt,
                                      const struct postgres_request *request)
{
    struct work *work = attempt->work;
    struct postgres_failure failure = {0};
    bool is_same = true, was_sent = false;
    bool is_split = node_find(work->step->params, "save") != NULL;
    struct error *error = set_local(attempt, request);
    if (error != NULL)
        return error;
    error = execute_texts(attempt, is_split, &failure, &was_sent);
    if (error != NULL)
        return after_failure(attempt, error, &failure);
    error = sql_unsaved(work);
    if (error != NULL || attempt->is_standby)
        return error;

    // The text may run as a role that knows nothing of markers; deferred triggers need it again.
    error = execute(attempt, "SET LOCAL SESSION AUTHORIZATION DEFAULT", NULL, &failure);
    if (error == NULL)
        error = marker_insert(work, attempt->postgres, attempt->transaction, &is_same);
    if (error == NULL && !is_same)
        return left_transaction(attempt);
    if (error == NULL && request->role != NULL)
        error = execute(attempt,
                        arena_printf(work->arena, "SELECT pg_catalog.set_config('role', %s, true)",
                                     sql_literal(work->arena, request->role)),
                        NULL, NULL);
    if (error == NULL)
        error = execute(attempt,
                        attempt->is_remote_apply ? "SET LOCAL synchronous_commit = remote_apply"
                                                 : sql_commit_waits,
                        NULL, NULL);
    return error;
}

/*
 * An error of COMMIT in words means that it was rolled back (a deferred constraint), unless the
 * server was about to end the session: then nobody has said what became of it.
 */
static bool says_rolled_back(const struct postgres_failure *failure)
{
    return !failure->connection_lost && failure->sqlstate[0] != '\0' &&
           !starts_with(failure->sqlstate, "57") && !starts_with(failure->sqlstate, "08") &&
           !starts_with(failure->sqlstate, "58") && !starts_with(failure->sqlstate, "XX");
}

/* Who does not know the end lets resume settle it, which of a step that failed it does not. */
static enum apply end_unknown(struct error *cause, struct error **error)
{
    if (cause->kind == ERROR_FAILED)
        cause->kind = ERROR_UNREACHABLE;
    *error = cause;
    return APPLY_MAYBE;
}

static enum apply commit(struct attempt *attempt, struct error **error)
{
    struct work *work = attempt->work;
    struct postgres_result result;
    struct postgres_failure failure = {0};
    struct error *cause = sql_commit(work, attempt->postgres, &result, &failure);
    if (cause == NULL && !equal(result.command, "COMMIT")) {
        *error = error_new(work->arena, ERROR_FAILED, "the transaction was rolled back at COMMIT");
        return APPLY_NOTHING;
    }
    if (cause == NULL)
        return node_find(work->step->params, "unless") != NULL ? APPLY_LOOK : APPLY_DONE;
    *error = cause;
    if (says_rolled_back(&failure))
        return APPLY_NOTHING;
    if (cause->kind != ERROR_FAILED || attempt->is_standby)
        return end_unknown(cause, error);

    // The answer is lost, not the fact: the marker says at once what became of it.
    struct error *ignored = NULL;
    enum settle settle = sql_settle(work, &ignored);
    if (settle == SETTLE_NOT_DONE)
        return APPLY_NOTHING;
    if (settle != SETTLE_DONE)
        return end_unknown(cause, error);
    *error = NULL;
    return APPLY_DONE;
}

static enum apply apply_one(struct work *work, struct error **error)
{
    struct postgres_request request;
    *error = work_request(work, work->step->params, false, &request);
    if (*error != NULL)
        return APPLY_NOTHING;
    // The session stays our own: markers are written with its rights and without the settings.
    struct postgres_request session = request;
    session.role = NULL;
    session.settings = NULL;
    session.setting_count = 0;

    CLEANUP(attempt_close) struct attempt attempt = {.work = work};
    bool has_unless = node_find(work->step->params, "unless") != NULL, found = false;
    *error = attempt_open(&attempt, &session);
    if (*error == NULL && attempt.is_standby && !has_unless)
        *error = error_hint(work->arena,
                            error_new(work->arena, ERROR_FAILED,
                                      "the server is a standby, and cannot prove a transaction"),
                            "Run the step on the leader, or give it \"unless\".");
    if (*error == NULL)
        *error = begin(&attempt, &found);
    if (*error != NULL)
        return found ? end_unknown(*error, error) : APPLY_NOTHING;
    if (found)
        return has_unless ? APPLY_LOOK : APPLY_DONE;
    *error = transaction_body(&attempt, &request);
    if (*error != NULL)
        return attempt.is_committed ? APPLY_MAYBE : APPLY_NOTHING;
    return commit(&attempt, error);
}

static enum apply apply_none(struct work *work, struct error **error)
{
    struct postgres_request request;
    *error = work_request(work, work->step->params, false, &request);
    if (*error != NULL)
        return APPLY_NOTHING;
    CLEANUP(attempt_close) struct attempt attempt = {.work = work};
    *error = attempt_open(&attempt, &request);
    if (*error != NULL)
        return APPLY_NOTHING;
    bool was_sent = false;
    struct postgres_failure failure = {0};
    *error = execute_texts(&attempt, true, &failure, &was_sent);
    if (*error == NULL)
        *error = sql_unsaved(work);
    if (*error == NULL)
        return node_find(work->step->params, "unless") != NULL ? APPLY_LOOK : APPLY_DONE;
    if (!was_sent)
        return APPLY_NOTHING;
    if (failure.connection_lost)
        return end_unknown(*error, error);
    const char *left = sql_left(work, attempt.postgres);
    if (left != NULL)
        *error = error_because(work->arena, *error, "left invalid: %s", left);
    return APPLY_MAYBE;
}

enum apply sql_apply(struct work *work, struct error **error)
{
    enum apply apply =
        sql_is_one_transaction(work->step) ? apply_one(work, error) : apply_none(work, error);
    // What a try saved that did not come to its end is nobody's value.
    if (apply == APPLY_NOTHING || apply == APPLY_MAYBE)
        work->saved = NULL;
    return apply;
}
