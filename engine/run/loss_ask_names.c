/* What a host's catalogs and slots say, for the loss report. */
#include "run/loss_ask.h"

#include <stdlib.h>

enum {
    DATABASES_MOST = 50,
};

struct error *loss_query(struct worker *worker, const char *database, const char *sql,
                         struct postgres_result *out)
{
    const struct side *side = worker->context;
    const struct postgres_request request = {
        .application = arena_printf(&worker->arena, "holdback %s loss", worker->run->id),
        .database = database,
        .read_only = true,
        .deadline_ms = side->deadline_ms,
    };

    return postgres_ask(worker->host, &worker->arena, &request, sql, out);
}

const char *loss_cell(struct arena *arena, const struct postgres_result *result, size_t row,
                      size_t column)
{
    const char *value =
        column < result->columns ? result->values[row * result->columns + column] : NULL;

    return arena_strdup(arena, value == NULL ? "" : value);
}

static struct error *ask_objects(struct worker *worker, struct side *side, const char *database,
                                 const char *name, bool is_first)
{
    struct arena *arena = &worker->arena;
    struct postgres_result result;
    struct error *error =
        loss_query(worker, name,
                   arena_printf(arena, "WITH RECURSIVE wanted(is_first) AS (SELECT %s), %s",
                                is_first ? "true" : "false", loss_catalog_query),
                   &result);

    for (size_t row = 0; error == NULL && row < result.rows; row++) {
        struct loss_object *object = arena_alloc(arena, sizeof *object);

        object->database = database;
        object->database_name = name;
        object->type = loss_cell(arena, &result, row, 0);
        object->name = loss_cell(arena, &result, row, 1);
        object->oid = loss_cell(arena, &result, row, 2);
        object->file = loss_cell(arena, &result, row, 3);
        object->parent = loss_cell(arena, &result, row, 4);
        object->version = loss_cell(arena, &result, row, 5);
        object->rows = loss_cell(arena, &result, row, 6);
        object->next = side->objects;
        side->objects = object;
    }
    return error;
}

/* The databases that the WAL tells of, if there still are such, and the one that all steps use. */
static struct error *ask_names(struct worker *worker, struct side *side)
{
    struct arena *arena = &worker->arena;
    const char *const *changed = loss_databases(side->loss);
    struct postgres_result result;
    struct error *error =
        loss_query(worker, NULL,
                   "SELECT oid, datname, datname = current_database() FROM pg_database "
                   "WHERE datallowconn ORDER BY 3 DESC, oid",
                   &result);

    for (size_t row = 0; error == NULL && row < result.rows && row < DATABASES_MOST; row++) {
        bool is_changed = row == 0;

        for (size_t at = 0; changed[at] != NULL; at++)
            is_changed |= equal(changed[at], loss_cell(arena, &result, row, 0));
        if (is_changed)
            error = ask_objects(worker, side, loss_cell(arena, &result, row, 0),
                                loss_cell(arena, &result, row, 1), row == 0);
    }
    return error;
}

static struct error *ask_slots(struct worker *worker, struct side *side)
{
    struct arena *arena = &worker->arena;
    struct postgres_result result;
    struct error *error = loss_query(
        worker, NULL,
        arena_printf(arena,
                     "SELECT s.slot_name, s.database, s.plugin, s.confirmed_flush_lsn, "
                     "s.confirmed_flush_lsn > '%s'::pg_lsn, "
                     "concat_ws(' at ', nullif(r.application_name, ''), host(r.client_addr)), "
                     "(SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL) "
                     "FROM (SELECT 1) one LEFT JOIN pg_replication_slots s ON "
                     "s.slot_type = 'logical' LEFT JOIN pg_stat_replication r ON "
                     "r.pid = s.active_pid ORDER BY 1 DESC",
                     side->loss->mark),
        &result);

    for (size_t row = 0; error == NULL && row < result.rows; row++) {
        struct loss_slot *slot = arena_alloc(arena, sizeof *slot);

        side->open = strtoll(loss_cell(arena, &result, row, 6), NULL, 10);
        if (*loss_cell(arena, &result, row, 0) == '\0')
            continue;
        *slot = (struct loss_slot){.name = loss_cell(arena, &result, row, 0),
                                   .database = loss_cell(arena, &result, row, 1),
                                   .plugin = loss_cell(arena, &result, row, 2),
                                   .confirmed = loss_cell(arena, &result, row, 3),
                                   .is_ahead = equal(loss_cell(arena, &result, row, 4), "t"),
                                   .subscriber = loss_cell(arena, &result, row, 5),
                                   .next = side->slots};
        side->slots = slot;
    }
    return error;
}

void loss_names_worker(struct worker *worker)
{
    struct side *side = worker->context;

    side->error = ask_names(worker, side);
    side->are_objects_known = side->error == NULL;
    if (side->leads)
        side->are_slots_known = ask_slots(worker, side) == NULL;
}
