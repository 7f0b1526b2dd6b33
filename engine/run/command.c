/* The commands that go on with a run: resume, commit, rollback. */
#include "run/command.h"
#include "run/guard.h"

#include <sys/eventfd.h>

static struct error *say_done(struct run *run, const char *words)
{
    run_event(run, NULL, NULL, run_state_names[run->ledger.summary.state], words);
    return NULL;
}

static struct error *commit_go(struct run *run)
{
    struct error *error = phase_run(run, PHASE_COMMIT);

    return error != NULL ? stop_record(run, error) : finish(run, EVENT_COMMIT_ENDED);
}

static bool may_have_begun_irreversible(const struct run *run, const char **id)
{
    for (const struct step *step = NULL;
         (step = plan_next_step(run->plan, PHASE_COMMIT, step)) != NULL;) {
        const char *reason = step->irreversible != NULL ? step->irreversible
                             : step->group != NULL      ? step->group->irreversible
                                                        : NULL;

        if (reason != NULL && ledger_may_have_happened(&run->ledger, step)) {
            *id = step->id;
            return true;
        }
    }
    return false;
}

/*
 * True if a part of the rollback would run that goes back to the mark. Where all that remains is to
 * undo what led up to a step that did not happen, a lost hold is no reason to refuse.
 */
static bool rollback_needs_mark(const struct run *run)
{
    bool is_let_go = false, is_unconditional = false;

    for (const struct step *step = run->plan->phases[PHASE_ROLLBACK]; step != NULL;
         step = step->next) {
        bool holds = false, lets_go = false;

        for (size_t at = 0; at < step->when_count; at++)
            lets_go |= step->when[at].kind == WHEN_DID_NOT_HAPPEN;
        if (when_holds(run, step->when, step->when_count, step, &holds, NULL) != NULL || !holds)
            continue;
        if (lets_go)
            is_let_go = true;
        else if (step->when_count > 0)
            return true;
        else
            is_unconditional = true;
    }
    // What runs in any case is part of a letting go too.
    return is_unconditional && !is_let_go;
}

struct error *rollback_go(struct run *run)
{
    struct error *error = NULL;
    eventfd_t drained;

    (void)eventfd_read(run->stop_fd, &drained);
    if (run->ledger.summary.state != RUN_ROLLING_BACK) {
        error = settle_all(run, PHASE_DEPLOY);
        if (error == NULL && rollback_needs_mark(run))
            error = guards_look(run, PHASE_ROLLBACK);
        if (error != NULL && error->kind == ERROR_GUARD)
            error = error_hint(run->arena,
                               error_because(run->arena, error, "cannot roll back to the mark"),
                               "The held state is gone. Keep the deployment (holdback commit "
                               "--without-guard), or restore from a backup and close the run.");
        // Whoever says no here has not begun to roll back, and may still commit.
        if (error == NULL)
            error = phase_pass_first_gate(run, PHASE_ROLLBACK);
        if (error != NULL)
            return stop_record(run, error);
        state_record(run, transition_find(run->ledger.summary.state, EVENT_ROLLBACK));
        error = run_sync(run);
    }
    if (error == NULL)
        error = phase_run(run, PHASE_ROLLBACK);
    return error != NULL ? stop_record(run, error) : finish(run, EVENT_ROLLBACK_ENDED);
}

static struct error *resume_go(struct run *run)
{
    struct error *error;

    switch (run->ledger.summary.state) {
    case RUN_PREFLIGHT:
        return deploy_go(run);
    case RUN_DEPLOYING:
        error = run_verify(run);
        return error != NULL ? stop_record(run, error) : deploy_to_end(run);
    case RUN_COMMITTING:
        error = run_verify(run);
        return error != NULL ? stop_record(run, error) : commit_go(run);
    default:
        error = run_verify(run);
        return error != NULL ? stop_record(run, error) : rollback_go(run);
    }
}

static struct error *commit_command(struct run *run)
{
    enum run_state state = run->ledger.summary.state;
    struct error *error;

    if (state == RUN_COMMITTED || state == RUN_DONE)
        return say_done(run, "committed already");
    if (state != RUN_DEPLOYED && state != RUN_COMMITTING)
        return error_hint(run->arena,
                          error_new(run->arena, ERROR_INPUT, "cannot commit: run \"%s\" is %s",
                                    run->id, run_state_names[state]),
                          state == RUN_DEPLOYING ? "Finish the deployment first: holdback resume %s"
                                                 : "See: holdback status %s",
                          run->id);
    error = run_reconnect(run, "commit");
    if (error == NULL)
        error = run_verify(run);
    if (error == NULL && state == RUN_DEPLOYED)
        error = guards_look(run, PHASE_COMMIT);
    if (error != NULL)
        return stop_record(run, error);
    if (state == RUN_DEPLOYED)
        state_record(run, transition_find(state, EVENT_COMMIT));
    return commit_go(run);
}

static struct error *rollback_command(struct run *run)
{
    enum run_state state = run->ledger.summary.state;
    const char *step = NULL;
    struct error *error;

    if (state == RUN_ROLLED_BACK)
        return say_done(run, "rolled back already");
    if (state != RUN_ROLLING_BACK && transition_find(state, EVENT_ROLLBACK) == NULL)
        return error_hint(run->arena,
                          error_new(run->arena, ERROR_INPUT, "cannot roll back: run \"%s\" is %s",
                                    run->id, run_state_names[state]),
                          "See: holdback status %s", run->id);
    error = run_reconnect(run, "rollback");
    if (error == NULL && !run->plan->has_phase[PHASE_ROLLBACK])
        error = error_new(run->arena, ERROR_INPUT, "plan \"%s\" has no rollback", run->plan->name);
    if (error == NULL && state == RUN_COMMITTING && may_have_begun_irreversible(run, &step))
        error = error_hint(run->arena,
                           error_new(run->arena, ERROR_INPUT,
                                     "cannot roll back: step \"%s\" of the commit cannot be undone",
                                     step),
                           "Finish the commit: holdback resume %s", run->id);
    if (error == NULL)
        error = run_verify(run);
    return error != NULL ? stop_record(run, error) : rollback_go(run);
}

static struct error *resume_command(struct run *run)
{
    enum run_state state = run->ledger.summary.state;
    struct error *error;

    if (!run_state_is_open(state))
        return say_done(run, "nothing to resume: the run is closed");
    // Killed between its own record and that of the new state, a rollback has begun nevertheless.
    if (equal(run->ledger.command, "rollback") && state != RUN_ROLLING_BACK)
        return rollback_command(run);
    if (equal(run->ledger.command, "commit") && state == RUN_DEPLOYED)
        return commit_command(run);
    if (state == RUN_DEPLOYED)
        return say_done(run, "nothing to resume: commit or roll back");
    error = state == RUN_PREFLIGHT ? check_home(run) : NULL;
    if (error == NULL)
        error = run_reconnect(run, "resume");
    return error != NULL ? error : resume_go(run);
}

static struct error *with_run(struct arena *arena, const struct run_options *options,
                              struct findings *findings, struct run_summary *summary,
                              struct error *(*command)(struct run *))
{
    struct run run;

    run_begin(&run, arena, options, findings);

    struct error *error = run_choose(&run);

    if (error == NULL)
        error = options->take_over ? run_take_over(&run) : run_open_journal(&run);
    if (error == NULL)
        error = command(&run);
    return run_end(&run, error, summary);
}

struct error *run_resume(struct arena *arena, const struct run_options *options,
                         struct findings *findings, struct run_summary *summary)
{
    return with_run(arena, options, findings, summary, resume_command);
}

struct error *run_commit(struct arena *arena, const struct run_options *options,
                         struct findings *findings, struct run_summary *summary)
{
    return with_run(arena, options, findings, summary, commit_command);
}

struct error *run_rollback(struct arena *arena, const struct run_options *options,
                           struct findings *findings, struct run_summary *summary)
{
    return with_run(arena, options, findings, summary, rollback_command);
}
