/* The hosts' part of the loss report: whose WAL, whose catalogs, and the slots. */
#include "run/loss_ask.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    REST_MS = 1500, /* kept back for the program's end, when the time for the WAL is over */
    PRINTED_MOST = 4 * 1024 * 1024,
};

struct asking {
    struct run *run;
    struct loss *loss;
    struct side *sides;
    size_t count;
    int64_t deadline_ms;
    const char *skip, *first_after;
};

static const char *saved(const struct run *run, const char *name)
{
    const struct ledger_value *value = ledger_find(run->ledger.saved, name);

    return value == NULL ? NULL : value->text;
}

static void ask_side(struct worker *worker)
{
    struct side *side = worker->context;
    struct arena *arena = &worker->arena;
    struct postgres_result result;
    struct error *error = loss_query(
        worker, NULL,
        "SELECT NOT pg_is_in_recovery(), "
        "CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), "
        "pg_last_wal_replay_lsn())::text ELSE pg_current_wal_flush_lsn()::text END, "
        "CASE WHEN pg_is_in_recovery() THEN coalesce((SELECT received_tli FROM "
        "pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()))::text ELSE "
        "('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int::text END, "
        "current_setting('data_directory'), "
        "(SELECT setting FROM pg_config WHERE name = 'BINDIR'), "
        "(SELECT setting::bigint * CASE unit WHEN '8kB' THEN 8192 ELSE 1 END FROM pg_settings "
        "WHERE name = 'wal_segment_size'), "
        "pg_last_wal_replay_lsn()",
        &result);

    if (error != NULL || result.rows != 1) {
        side->error = error;
        return;
    }
    side->answers = true;
    side->leads = equal(loss_cell(arena, &result, 0, 0), "t");
    side->end = loss_cell(arena, &result, 0, 1);
    side->timeline = loss_cell(arena, &result, 0, 2);
    side->data = side->host->postgres.data_directory != NULL ? side->host->postgres.data_directory
                                                             : loss_cell(arena, &result, 0, 3);
    side->bin = side->host->postgres.bin_directory != NULL ? side->host->postgres.bin_directory
                                                           : loss_cell(arena, &result, 0, 4);
    side->segment = loss_cell(arena, &result, 0, 5);
    side->replayed = loss_cell(arena, &result, 0, 6);
}

/* Runs FUNCTION for the sides that ONLY is true of; what they find lives as long as the report. */
static void sides_run(struct asking *asking, void (*function)(struct worker *),
                      bool (*only)(const struct asking *, const struct side *))
{
    struct run *run = asking->run;
    const struct host_settings **hosts =
        arena_alloc(run->arena, sizeof(struct host_settings *) * (asking->count + 1));
    struct side **chosen = arena_alloc(run->arena, sizeof(struct side *) * (asking->count + 1));
    size_t count = 0;

    for (size_t at = 0; at < asking->count; at++) {
        if (only(asking, &asking->sides[at])) {
            chosen[count] = &asking->sides[at];
            hosts[count++] = asking->sides[at].host;
        }
    }

    struct worker *workers = workers_new(run, hosts, count, function);

    for (size_t at = 0; at < count; at++)
        workers[at].context = chosen[at];
    workers_run(run, workers, count);
    for (size_t at = 0; at < count; at++)
        arena_adopt(run->arena, &workers[at].arena);
}

/* This command has not found it silent. */
static bool is_reached(const struct asking *asking, const struct side *side)
{
    return !asking->run->is_lost[run_host_index(asking->run, side->host)];
}

static bool has_role(const struct asking *asking, const struct side *side, const char *role)
{
    return node_has(node_find(asking->run->ledger.roles, role), side->host->name);
}

static bool is_held(const struct asking *asking, const struct side *side)
{
    return has_role(asking, side, "held");
}

static const char *label_of(const struct asking *asking, const struct side *side)
{
    const char *role = is_held(asking, side) ? "held" : side->leads ? "leader" : NULL;

    return role == NULL ? side->host->name
                        : arena_printf(asking->run->arena, "%s (%s)", role, side->host->name);
}

/* The leader; then whoever follows it; then the held standby, which has received all it could. */
static const struct side *side_at(const struct asking *asking, size_t place)
{
    for (int pass = 0; pass < 3; pass++) {
        for (size_t at = 0; at < asking->count; at++) {
            const struct side *side = &asking->sides[at];
            int rank = side->leads ? 0 : is_held(asking, side) ? 2 : 1;

            if (side->answers && rank == pass && place-- == 0)
                return side;
        }
    }
    return NULL;
}

/* ---- WAL ---- */

static struct error *read_wal(struct asking *asking, const struct side *side, bool anyway,
                              bool *is_there)
{
    CLEANUP(shell_result_release) struct shell_result result = {0};
    struct run *run = asking->run;
    int64_t left_ms = asking->deadline_ms - REST_MS - clock_ms();
    const struct shell_environment program = {"program", loss_program};
    const char *arguments[] = {
        side->bin,
        side->data,
        asking->loss->timeline,
        asking->loss->mark,
        side->timeline,
        side->end,
        arena_printf(run->arena, "%" PRId64, left_ms < 1000 ? 1 : left_ms / 1000),
        side->segment,
        anyway ? "yes" : "no",
        asking->skip,
        asking->first_after,
        NULL,
    };
    const struct shell_request request = {
        .user = side->host->postgres.os_user,
        .script = loss_script,
        .arguments = arguments,
        .environment = &program,
        .environment_count = 1,
        .output_limit = PRINTED_MOST,
        .deadline_ms = asking->deadline_ms + REST_MS,
    };
    struct error *error =
        host_shell(run->hosts[run_host_index(run, side->host)], run->arena, &request, &result);

    if (error != NULL)
        return error;
    *is_there = result.status != 7;
    if (result.status != 0 && *is_there)
        return error_new(run->arena, ERROR_FAILED, "exit status %d: %s", result.status,
                         text_string(&result.err));
    if (*is_there) {
        loss_read(asking->loss, text_string(&result.out));
        asking->loss->source = label_of(asking, side);
    }
    return NULL;
}

/* In a thread of its own, so that the display goes on and a second Ctrl-C is heard. */
static void wal_worker(struct worker *worker)
{
    struct asking *asking = worker->context;
    bool is_there = false;

    for (int anyway = 0; anyway < 2 && !is_there; anyway++) {
        const struct side *side;

        for (size_t at = 0; !is_there && (side = side_at(asking, at)) != NULL; at++) {
            struct error *error = read_wal(asking, side, anyway == 1, &is_there);

            if (error != NULL) {
                is_there = false;
                loss_note(asking->loss, "The WAL on %s could not be read: %s.",
                          label_of(asking, side), error_text(asking->run->arena, error));
            }
            if (clock_ms() >= asking->deadline_ms)
                return;
        }
    }
    if (!is_there)
        loss_note(asking->loss, "No host that answers has WAL of the time after the mark.");
}

static void find_wal(struct asking *asking)
{
    struct run *run = asking->run;
    const struct side *first = side_at(asking, 0);

    if (first == NULL)
        return;

    struct worker *worker = workers_new(run, &first->host, 1, wal_worker);

    worker->context = asking;
    workers_run(run, worker, 1);
    arena_adopt(run->arena, &worker->arena);
}

/* ---- catalogs ---- */

static bool is_for_names(const struct asking *asking, const struct side *side)
{
    return side->answers && (side == side_at(asking, 0) || is_held(asking, side));
}

static void take_names(struct asking *asking)
{
    struct loss *loss = asking->loss;
    const struct side *first = side_at(asking, 0);

    for (size_t at = 0; at < asking->count; at++) {
        struct side *side = &asking->sides[at];

        if (!is_for_names(asking, side))
            continue;
        if (!side->are_objects_known) {
            loss_note(loss, "The names of tables on %s could not be read: %s.",
                      label_of(asking, side), error_text(loss->arena, side->error));
            continue;
        }
        if (is_held(asking, side)) {
            loss->then = side->objects;
            loss->is_then_known = true;
        } else if (side == first) {
            loss->now = side->objects;
            loss->is_now_known = true;
        }
    }
    if (first != NULL && first->leads) {
        loss->slots = first->slots;
        loss->are_slots_known = first->are_slots_known;
        if (first->open > 0)
            loss_note(loss,
                      first->open == 1 ? "%" PRId64 " transaction is open on the leader; it will "
                                         "not be able to commit."
                                       : "%" PRId64 " transactions are open on the leader; they "
                                         "will not be able to commit.",
                      first->open);
    }
}

/* What the report lacks, and why. */
static void note_gaps(struct asking *asking)
{
    struct loss *loss = asking->loss;
    const struct side *first = side_at(asking, 0);

    for (size_t at = 0; at < asking->count; at++) {
        const struct side *side = &asking->sides[at];

        if (!side->answers)
            loss_note(loss, "%s does not answer: %s.", side->host->name,
                      side->error == NULL ? "no reason is known"
                                          : error_text(loss->arena, side->error));
    }
    if (first == NULL)
        return;
    if (!first->leads) {
        loss->is_at_least = true;
        loss_note(loss, "There is no leader to ask: what it wrote and nobody received is not "
                        "known, nor are logical slots and open transactions.");
    } else if (!loss->are_slots_known) {
        loss_note(loss, "Logical slots could not be read.");
    }
    if (!loss->is_then_known)
        loss_note(loss, "The held standby could not be asked: dropped and changed objects are not "
                        "known.");
    else if (!loss->is_now_known)
        loss_note(loss, "Names are those of the mark: objects that were made since have none, and "
                        "what was changed about objects is not known.");
}

static struct error *loss_begin(struct run *run, struct loss *out)
{
    const char *mark = saved(run, "point_lsn"), *timeline = saved(run, "timeline");

    *out = (struct loss){.arena = run->arena,
                         .database = run->cluster->hosts[0].postgres.database,
                         .run = run->id,
                         .mark = mark,
                         .timeline = timeline,
                         .first = "",
                         .last = ""};
    if (mark == NULL || timeline == NULL)
        return error_hint(run->arena,
                          error_new(run->arena, ERROR_INPUT,
                                    "run \"%s\" has no mark: no step of it has saved \"%s\"",
                                    run->id, mark == NULL ? "point_lsn" : "timeline"),
                          "A rollback to a mark needs a step that saves point_lsn and timeline; "
                          "so does this report.");
    for (const struct record *record = run->ledger.summary.records; record != NULL;
         record = record->next) {
        const char *lsn = node_text(node_find(record->node, "saved"), "point_lsn");

        if (equal(lsn, mark))
            out->marked_at = record->at;
    }
    return NULL;
}

struct error *loss_ask(struct run *run, int64_t deadline_ms, struct loss *out)
{
    struct error *error = loss_begin(run, out);
    struct asking asking = {.run = run, .loss = out, .deadline_ms = deadline_ms};
    int64_t left_ms = deadline_ms - clock_ms();

    if (error != NULL)
        return error;

    // The mark's own transaction commits behind the point that it makes.
    const char *point = saved(run, "point"), *xid = saved(run, "xid");
    const char *dot = point == NULL ? NULL : strrchr(point, '.');

    asking.skip =
        arena_printf(run->arena, "%s %s", dot == NULL ? "" : dot + 1, xid == NULL ? "" : xid);
    asking.first_after = xid == NULL ? "" : xid;
    asking.count = run->cluster->host_count;
    asking.sides = arena_alloc(run->arena, sizeof *asking.sides * (asking.count + 1));
    for (size_t at = 0; at < asking.count; at++) {
        asking.sides[at].host = &run->cluster->hosts[at];
        asking.sides[at].loss = out;
        asking.sides[at].deadline_ms = clock_ms() + left_ms / 4;
    }
    // A quarter of the time for who answers, a half for the WAL, the rest for the names.
    sides_run(&asking, ask_side, is_reached);
    asking.deadline_ms = deadline_ms - left_ms / 4;
    find_wal(&asking);
    for (size_t at = 0; at < asking.count; at++)
        asking.sides[at].deadline_ms = deadline_ms;
    sides_run(&asking, loss_names_worker, is_for_names);
    take_names(&asking);
    note_gaps(&asking);
    loss_add_up(out);
    return NULL;
}
