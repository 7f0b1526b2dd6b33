/* The marker row: what makes a step in one transaction happen exactly once. */
#include "sql.h"

#include "base/node.h"

#include <string.h>

/*
 * Two locks: one for each step, so that nobody looks for its marker while another is between work
 * and marker; and one for making the table, because CREATE ... IF NOT EXISTS alone can still fail
 * when two do it at once.
 */
static const char create_lock[] = "holdback.marker";

/* "WHERE run = ... AND step = ... AND host = ..." */
static const char *of_this_step(struct work *work)
{
    return arena_printf(work->arena, "WHERE run = %s AND step = %s AND host = %s",
                        sql_literal(work->arena, work->run),
                        sql_literal(work->arena, work->step->id),
                        sql_literal(work->arena, work->target->name));
}

static struct error *take_saved(struct work *work, const char *json)
{
    const struct node *map;
    struct error *error = json_parse(work->arena, "holdback.marker", json, strlen(json), &map);
    if (error != NULL)
        return error;
    NODE_EACH(item, map)
    work_save(work, item->key, item->text == NULL ? "" : item->text);
    return NULL;
}

static const char exists_query[] = "SELECT pg_catalog.to_regclass('holdback.marker') IS NOT NULL";

static struct error *take_row(struct work *work, const struct postgres_result *result, bool *found)
{
    *found = result->rows == 1;
    if (!*found || result->values[0] == NULL)
        return NULL;
    return take_saved(work, result->values[0]);
}

struct error *marker_look(struct work *work, const struct postgres_request *request, bool *found)
{
    struct postgres_result result;
    *found = false;
    struct error *error = work_ask(work, request, exists_query, &result, NULL);
    if (error != NULL || !postgres_is_true(&result))
        return error;
    const char *query =
        arena_printf(work->arena, "SELECT saved FROM holdback.marker %s", of_this_step(work));
    error = work_ask(work, request, query, &result, NULL);
    return error != NULL ? error : take_row(work, &result, found);
}

const char *marker_lock(struct work *work, int version)
{
    const char *key =
        arena_printf(work->arena, "%s/%s/%s", work->run, work->step->id, work->target->name);
    enum { EXTENDED_SINCE = 110000 }; /* hashtextextended */
    if (version >= EXTENDED_SINCE)
        return arena_printf(
            work->arena,
            "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(%s, 0))",
            sql_literal(work->arena, key));
    return arena_printf(work->arena,
                        "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext(%s), "
                        "pg_catalog.hashtext(%s))",
                        sql_literal(work->arena, create_lock), sql_literal(work->arena, key));
}

static struct error *execute(struct work *work, struct postgres *postgres, const char *text,
                             struct postgres_result *result)
{
    return postgres_execute(postgres, work->arena, text, work->deadline_ms, result, NULL);
}

/* Whoever took the run over has left a greater number than ours. */
static struct error *compare_number(struct work *work, struct postgres *postgres)
{
    struct postgres_result result;
    const char *query = arena_printf(
        work->arena,
        "SELECT pg_catalog.max(number) FROM holdback.marker WHERE run = %s AND number > %lld",
        sql_literal(work->arena, work->run), (long long)work->number);
    struct error *error = execute(work, postgres, query, &result);
    if (error != NULL || result.values[0] == NULL)
        return error;
    return error_new(
        work->arena, ERROR_LOCKED,
        "run \"%s\" was taken over: its number in \"holdback.marker\" is %s, ours %lld", work->run,
        result.values[0], (long long)work->number);
}

struct error *marker_find(struct work *work, struct postgres *postgres, bool *found)
{
    struct postgres_result result;
    *found = false;
    struct error *error = execute(work, postgres, exists_query, &result);
    if (error == NULL && postgres_is_true(&result))
        error = compare_number(work, postgres);
    else
        return error;
    const char *query =
        arena_printf(work->arena, "SELECT saved FROM holdback.marker %s", of_this_step(work));
    if (error == NULL)
        error = execute(work, postgres, query, &result);
    return error != NULL ? error : take_row(work, &result, found);
}

struct error *marker_confirm(struct work *work, struct postgres *postgres)
{
    struct postgres_result result;
    // Only what writes is waited for.
    struct error *error = execute(
        work, postgres,
        arena_printf(work->arena, "UPDATE holdback.marker SET at = at %s", of_this_step(work)),
        &result);
    if (error == NULL)
        error = execute(work, postgres, sql_commit_waits, &result);
    return error != NULL ? error : sql_commit(work, postgres, &result, NULL);
}

struct error *marker_fence(struct work *work, struct postgres *postgres)
{
    struct postgres_result result;
    struct error *error = marker_prepare(work, postgres);
    if (error == NULL)
        error = execute(work, postgres,
                        arena_printf(work->arena,
                                     "INSERT INTO holdback.marker AS m (run, step, host, try, "
                                     "operation, saved, number) "
                                     "VALUES (%s, '', '', 0, '', '{}', %lld) "
                                     "ON CONFLICT (run, step, host) DO UPDATE "
                                     "SET number = greatest(m.number, excluded.number)",
                                     sql_literal(work->arena, work->run), (long long)work->number),
                        &result);
    return error != NULL ? error : execute(work, postgres, "COMMIT", &result);
}

struct error *marker_prepare(struct work *work, struct postgres *postgres)
{
    struct postgres_result result;
    struct error *error = execute(work, postgres, exists_query, &result);
    if (error != NULL || postgres_is_true(&result))
        return error;
    const char *const statements[] = {
        arena_printf(work->arena,
                     "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext(%s)::bigint)",
                     sql_literal(work->arena, create_lock)),
        "CREATE SCHEMA IF NOT EXISTS holdback",
        "CREATE TABLE IF NOT EXISTS holdback.marker (run text NOT NULL, step text NOT NULL, "
        "host text NOT NULL, try integer NOT NULL, operation text NOT NULL, saved text NOT NULL, "
        "number bigint NOT NULL, "
        "at timestamptz NOT NULL DEFAULT pg_catalog.now(), PRIMARY KEY (run, step, host))",
    };
    for (size_t i = 0; i < ARRAY_COUNT(statements); i++) {
        error = execute(work, postgres, statements[i], &result);
        if (error != NULL)
            return error_hint(
                work->arena,
                error_because(work->arena, error, "could not make the table \"holdback.marker\""),
                "A step in one transaction is proven by a row there: the user needs the right to "
                "create the schema \"holdback\" in this database, or an administrator creates it "
                "for them.");
    }
    return NULL;
}

struct error *marker_insert(struct work *work, struct postgres *postgres, const char *transaction,
                            bool *is_same)
{
    CLEANUP(text_release) struct text saved = {0};
    for (const struct saved *item = work->saved; item != NULL; item = item->next) {
        text_append(&saved, saved.length == 0 ? "{" : ",");
        text_append_json(&saved, item->name, strlen(item->name));
        text_append(&saved, ":");
        text_append_json(&saved, item->text, strlen(item->text));
    }
    text_append(&saved, saved.length == 0 ? "{}" : "}");

    // Without the comparison a text that ended its transaction would get its marker all the same.
    const char *statement = arena_printf(
        work->arena,
        "INSERT INTO holdback.marker (run, step, host, try, operation, saved, number) "
        "SELECT %s, %s, %s, %d, %s, %s, %lld WHERE pg_catalog.txid_current()::text = %s",
        sql_literal(work->arena, work->run), sql_literal(work->arena, work->step->id),
        sql_literal(work->arena, work->target->name), work->try,
        sql_literal(work->arena, work->operation), sql_literal(work->arena, text_string(&saved)),
        (long long)work->number, sql_literal(work->arena, transaction));
    struct postgres_result result;
    struct error *error = execute(work, postgres, statement, &result);
    if (error == NULL)
        *is_same = equal(result.command, "INSERT 0 1");
    return error;
}
