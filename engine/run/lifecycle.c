#include "run/lifecycle.h"

const char *const run_state_names[] = {
    [RUN_PREFLIGHT] = "preflight",
    [RUN_DEPLOYING] = "deploying",
    [RUN_DEPLOYED] = "deployed",
    [RUN_COMMITTING] = "committing",
    [RUN_ROLLING_BACK] = "rolling-back",
    [RUN_REFUSED] = "refused",
    [RUN_COMMITTED] = "committed",
    [RUN_ROLLED_BACK] = "rolled-back",
    [RUN_DONE] = "done",
    [RUN_CLOSED] = "closed",
};

const char *const step_state_names[] = {
    [STEP_NOT_STARTED] = "not-started",
    [STEP_RUNNING] = "running",
    [STEP_ALREADY] = "already",
    [STEP_DONE] = "done",
    [STEP_SKIPPED] = "skipped",
    [STEP_FAILED] = "failed",
    [STEP_NOTHING] = "failed-left-nothing",
    [STEP_IN_DOUBT] = "in-doubt",
    [STEP_UNREACHABLE] = "unreachable",
    [STEP_RESOLVED_DONE] = "resolved-done",
    [STEP_RESOLVED_NOT_DONE] = "resolved-not-done",
};

static const struct transition transitions[] = {
    {RUN_PREFLIGHT, EVENT_PREFLIGHT_PASSED, RUN_DEPLOYING, "the preflight found nothing"},
    {RUN_PREFLIGHT, EVENT_PREFLIGHT_FAILED, RUN_REFUSED, "refused; nothing was changed"},
    {RUN_PREFLIGHT, EVENT_CLOSE, RUN_CLOSED, "closed by a person"},
    {RUN_DEPLOYING, EVENT_DEPLOY_ENDED, RUN_DEPLOYED, "deployed; commit or roll back"},
    {RUN_DEPLOYING, EVENT_DEPLOY_ENDED_FOR_GOOD, RUN_DONE, "done"},
    {RUN_DEPLOYING, EVENT_ROLLBACK, RUN_ROLLING_BACK, "rolling back a deployment that stopped"},
    {RUN_DEPLOYING, EVENT_CLOSE, RUN_CLOSED, "closed by a person"},
    {RUN_DEPLOYED, EVENT_COMMIT, RUN_COMMITTING, "committing"},
    {RUN_DEPLOYED, EVENT_ROLLBACK, RUN_ROLLING_BACK, "rolling back"},
    {RUN_DEPLOYED, EVENT_CLOSE, RUN_CLOSED, "closed by a person"},
    {RUN_COMMITTING, EVENT_COMMIT_ENDED, RUN_COMMITTED, "committed"},
    {RUN_COMMITTING, EVENT_ROLLBACK, RUN_ROLLING_BACK, "rolling back a commit that stopped"},
    {RUN_COMMITTING, EVENT_CLOSE, RUN_CLOSED, "closed by a person"},
    {RUN_ROLLING_BACK, EVENT_ROLLBACK_ENDED, RUN_ROLLED_BACK, "rolled back"},
    {RUN_ROLLING_BACK, EVENT_CLOSE, RUN_CLOSED, "closed by a person"},
};

const struct transition *transition_find(enum run_state from, enum run_event event)
{
    for (size_t at = 0; at < ARRAY_COUNT(transitions); at++) {
        if (transitions[at].from == from && transitions[at].event == event)
            return &transitions[at];
    }
    return NULL;
}

bool run_state_is_open(enum run_state state)
{
    return state < RUN_REFUSED;
}
