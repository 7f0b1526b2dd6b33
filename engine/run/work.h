/*
 * One step on one host, from the first look to the last: what the thread of a host does. The
 * results are told to the main thread, which alone writes the journal.
 */
#ifndef RUN_WORK_H
#define RUN_WORK_H

#include "run/engine.h"

enum task_kind {
    TASK_RUN,    /* look, apply, look again */
    TASK_ATTACH, /* apply an operation that goes on by itself: no look before */
    TASK_SETTLE, /* what became of it? */
    TASK_LOOK,   /* look once */
    TASK_CLEAN,  /* remove what the action keeps on the host */
};

struct task {
    const struct step *step;
    enum task_kind kind;
    int try;

    /* Results. */
    enum look look;        /* of TASK_LOOK */
    enum settle settle;    /* of TASK_SETTLE */
    enum step_state state; /* STEP_RUNNING: no outcome: it goes on, or nobody knows */
    const struct saved *saved;
    const char *words, *change, *value;
    const char *file, *digest; /* see struct work */
    struct bound bound;
    struct text shown;
    bool is_interrupted;
};

/* False for a step that only looks: a wait-until or a query. */
bool step_has_effect(const struct step *step);

/* For worker->function; worker->context is the host's struct task. */
void task_worker(struct worker *worker);

/* The id of a try: what markers, job folders and application names are made from. */
const char *operation_id(struct arena *arena, const char *run, const char *step, const char *host,
                         int try);

#endif
