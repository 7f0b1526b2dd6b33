/*
 * The life of a run, as a table: which command may move it from which state to which, and the words
 * for the operator. Everything that asks "may I?" asks here.
 */
#ifndef RUN_LIFECYCLE_H
#define RUN_LIFECYCLE_H

#include "run/run.h"

enum run_event {
    EVENT_PREFLIGHT_PASSED,
    EVENT_PREFLIGHT_FAILED,
    EVENT_DEPLOY_ENDED,
    EVENT_DEPLOY_ENDED_FOR_GOOD, /* the plan has no commit phase */
    EVENT_COMMIT,
    EVENT_COMMIT_ENDED,
    EVENT_ROLLBACK,
    EVENT_ROLLBACK_ENDED,
    EVENT_CLOSE,
};

struct transition {
    enum run_state from;
    enum run_event event;
    enum run_state to;
    const char *says;
};

/* NULL: the event cannot happen in this state. */
const struct transition *transition_find(enum run_state from, enum run_event event);

#endif
