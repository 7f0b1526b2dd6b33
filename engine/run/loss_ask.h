/* Putting the loss report together: from a run's hosts. Inside of this folder. */
#ifndef RUN_LOSS_ASK_H
#define RUN_LOSS_ASK_H

#include "host/postgres.h"
#include "run/engine.h"
#include "run/loss.h"

/* What a host says of itself, and what is asked of it. */
struct side {
    const struct host_settings *host;
    const struct loss *loss;
    int64_t deadline_ms;
    bool answers, leads;
    const char *end, *timeline, *data, *bin, *segment, *replayed;
    const struct error *error;

    const struct loss_object *objects; /* of loss_databases() */
    bool are_objects_known;
    struct loss_slot *slots;
    bool are_slots_known;
    int64_t open; /* transactions that are open now */
};

/*
 * Asks the hosts, which are connected to already, and reads the WAL on one of them until about
 * DEADLINE_MS. What cannot be found out is told in the report's notes: an error is returned only
 * if the run has no mark.
 */
struct error *loss_ask(struct run *run, int64_t deadline_ms, struct loss *out);

/*
 * For the first gate of a rollback: what would be undone, in lines; NULL where the gate is another.
 * IS_ASKED: a person waits for it. It goes into the journal and to the observer in one line.
 */
const char *loss_at_gate(struct run *run, const struct step *step, bool is_asked);

/* ---- loss_ask_names.c ---- */

/* For a worker whose context is a struct side: reads, until its deadline. */
struct error *loss_query(struct worker *worker, const char *database, const char *sql,
                         struct postgres_result *out);

/* A copy that lives as long as the worker's arena; "" for NULL. */
const char *loss_cell(struct arena *arena, const struct postgres_result *result, size_t row,
                      size_t column);

/* The objects; of a leader the slots too. */
void loss_names_worker(struct worker *worker);

#endif
