/* What all members must have alike, asked of a server that has replayed as much as the leader. */
#include "run/certificate_inside.h"

#include <poll.h>
#include <string.h>

enum {
    ASK_MS = 10000,
    CATALOG_MS = 60000,
    REPLAY_MS = 30000,
    REPLAY_EVERY_MS = 50,
};

static struct error *ask(struct worker *worker, struct postgres *server, const char *sql,
                         int64_t timeout_ms, struct postgres_result *out)
{
    *out = (struct postgres_result){0};

    struct error *error =
        postgres_execute(server, &worker->arena, sql, clock_ms() + timeout_ms, out, NULL);

    return error == NULL && out->rows != 1
               ? error_new(&worker->arena, ERROR_FAILED, "the server told no row")
               : error;
}

void member_ask_lsn(struct worker *worker)
{
    struct member *member = worker->context;
    struct postgres_result result;
    struct postgres *server = NULL;
    struct error *error = member_connect(worker, NULL, ASK_MS, &server);

    if (error == NULL)
        error = ask(worker, server, "SELECT pg_current_wal_lsn()::text", ASK_MS, &result);
    postgres_close(server);
    member->wanted_lsn = error == NULL ? result.values[0] : NULL;
}

/* True: a stop was asked for. */
static bool rest(const struct worker *worker)
{
    struct pollfd stop = {.fd = worker->run->stop_fd, .events = POLLIN};

    return poll(&stop, 1, REPLAY_EVERY_MS) > 0 || run_interrupted(worker->run) != 0;
}

static struct error *wait_for_replay(struct worker *worker, struct postgres *server)
{
    const struct member *member = worker->context;
    const int64_t deadline_ms = clock_ms() + REPLAY_MS;
    const char *sql = arena_printf(&worker->arena,
                                   "SELECT NOT pg_is_in_recovery() OR "
                                   "pg_last_wal_replay_lsn() >= '%s'::pg_lsn",
                                   member->wanted_lsn);

    for (;;) {
        struct postgres_result result;
        struct error *error = ask(worker, server, sql, ASK_MS, &result);

        if (error != NULL || postgres_is_true(&result))
            return error;
        if (clock_ms() >= deadline_ms)
            return error_new(&worker->arena, ERROR_TIMEOUT, "it had not replayed %s after %d s",
                             member->wanted_lsn, REPLAY_MS / 1000);
        if (rest(worker))
            return error_new(&worker->arena, ERROR_STOPPED, "interrupted");
    }
}

/* The digest, and of how much. */
static void fact_of(struct worker *worker, const char *name, const struct postgres_result *result,
                    const char *of, const struct error *error)
{
    struct arena *arena = &worker->arena;

    if (error != NULL)
        fact_miss(arena, worker->context, name, error_text(arena, error));
    else
        fact_set(arena, worker->context, name,
                 arena_printf(arena, "%s (%s %s)", result->values[0], result->values[1], of));
}

/* Whose the schema "holdback" is, where there is one: another run may have begun since. */
static void note_marker(struct worker *worker, struct postgres *server, const char *database,
                        const struct postgres_result *catalog, struct text *markers)
{
    const struct member *member = worker->context;
    struct postgres_result result;
    bool is_ours = true;

    if (equal(catalog->values[2], "0"))
        return;
    if (equal(catalog->values[3], "true") &&
        ask(worker, server,
            arena_printf(&worker->arena,
                         "SELECT count(*) = 0 AND (SELECT count(*) > 0 FROM holdback.marker) "
                         "FROM holdback.marker WHERE run = '%s'",
                         member->run),
            ASK_MS, &result) == NULL)
        is_ours = !postgres_is_true(&result);
    text_append_format(markers, "%sin database %s%s", markers->length == 0 ? "" : ", ", database,
                       is_ours ? "" : ", of another run");
}

/* A fact for each table, so that one that is written to spoils no other. */
static void ask_samples(struct worker *worker, struct postgres *server, const char *database,
                        struct error *error)
{
    struct arena *arena = &worker->arena;
    const char *name = arena_printf(arena, "sample of %s", database);
    struct postgres_result result = {0};

    if (error == NULL)
        error = postgres_execute(server, arena, certificate_sample_sql, clock_ms() + CATALOG_MS,
                                 &result, NULL);
    if (error != NULL)
        fact_miss(arena, worker->context, name, error_text(arena, error));
    else if (result.rows == 0)
        fact_set(arena, worker->context, name, "none: there is no table");
    for (size_t at = 0; error == NULL && at < result.rows; at++) {
        const char *const *row = result.values + at * result.columns;

        fact_set(arena, worker->context, arena_printf(arena, "%s, %s", name, row[0]),
                 arena_printf(arena, "%s (%s rows)", row[1], row[2]));
    }
}

static void ask_database(struct worker *worker, const char *database, struct text *markers,
                         struct error **unasked)
{
    struct arena *arena = &worker->arena;
    struct postgres *server = NULL;
    struct postgres_result result;
    struct error *error = member_connect(worker, database, ASK_MS, &server);

    if (error == NULL)
        error = ask(worker, server, certificate_catalog_sql, CATALOG_MS, &result);
    fact_of(worker, arena_printf(arena, "catalog of %s", database), &result, "definitions", error);
    if (error == NULL)
        note_marker(worker, server, database, &result, markers);
    else
        *unasked = error;
    ask_samples(worker, server, database, error);
    postgres_close(server);
}

void member_ask_catalogs(struct worker *worker)
{
    CLEANUP(text_release) struct text markers = {0};
    struct arena *arena = &worker->arena;
    struct member *member = worker->context;
    struct postgres *server = NULL;
    struct postgres_result result;
    struct error *error = member_connect(worker, NULL, REPLAY_MS + ASK_MS, &server);

    if (error == NULL)
        error = wait_for_replay(worker, server);
    if (error == NULL)
        fact_set(arena, member, "has_replayed", member->wanted_lsn);
    else
        fact_miss(arena, member, "has_replayed", error_text(arena, error));
    if (error == NULL)
        error = ask(worker, server, certificate_globals_sql, CATALOG_MS, &result);
    fact_of(worker, "globals", &result, "definitions", error);
    postgres_close(server);
    // Where the server does not answer, each database would only say so once more.
    for (size_t at = 0; at < member->database_count && error == NULL; at++) {
        struct error *unasked = NULL;

        ask_database(worker, member->databases[at], &markers, &unasked);
        error = unasked;
    }
    if (error != NULL)
        fact_miss(arena, member, "markers", error_text(arena, error));
    else
        fact_set(arena, member, "markers", text_string(&markers));
}
