/* Which guards are in force, and looking at them at once. */
#include "run/guard.h"
#include "run/work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool step_is_over(const struct run *run, const struct step *step)
{
    size_t count;
    const struct host_settings *const *hosts;
    const struct step_status *alone = ledger_status(&run->ledger, step->id, NULL);

    if (alone != NULL && step_state_is_complete(alone->state))
        return true;
    if (step->steps != NULL) {
        for (const struct step *child = step->steps; child != NULL; child = child->next) {
            if (!step_is_over(run, child))
                return false;
        }
        return true;
    }
    hosts = step_hosts(run, step, &count);
    for (size_t at = 0; at < count; at++) {
        const struct step_status *status = ledger_status(&run->ledger, step->id, hosts[at]->name);

        if (status == NULL || !step_state_is_complete(status->state))
            return false;
    }
    return count > 0;
}

static bool is_waived(const struct run *run, const char *id)
{
    return ledger_find(run->ledger.waived, id) != NULL;
}

bool guard_is_in_force(const struct run *run, const struct guard *guard, enum phase phase,
                       const struct step *next)
{
    const struct step *from = guard->from == NULL ? NULL : plan_find_step(run->plan, guard->from);
    const struct step *until =
        guard->until == NULL ? NULL : plan_find_step(run->plan, guard->until);
    bool holds = false;

    if (run->ledger.summary.state == RUN_ROLLING_BACK)
        return false;
    // Who waived a lost hold may keep the deployment, but not go back to a mark that is gone.
    if (is_waived(run, guard->step.id) && phase != PHASE_ROLLBACK)
        return false;
    if (until == NULL && phase != PHASE_DEPLOY)
        return false;
    if (from != NULL && !step_is_over(run, from))
        return false;
    if (until != NULL &&
        (step_has_begun(run, until) || (next != NULL && (next == until || next->group == until))))
        return false;
    return when_holds(run, guard->step.when, guard->step.when_count, &guard->step, &holds, NULL) ==
               NULL &&
           holds;
}

static const char *guard_words(const struct task *task, const struct error *error,
                               struct arena *arena)
{
    if (error != NULL)
        return error_text(arena, error);
    return task->words == NULL ? "" : task->words;
}

struct error *guard_error(struct arena *arena, const struct guard *guard,
                          const struct host_settings *host, const char *words)
{
    const char *about = guard->step.about;

    return error_new(arena, ERROR_GUARD, "guard \"%s\" failed on \"%s\"%s%s%s%s", guard->step.id,
                     host->name,
                     about == NULL ? "" : ": no longer so: ", about == NULL ? "" : about,
                     *words == '\0' ? "" : ": ", words);
}

static double number_of(const char *value)
{
    char *end = NULL;
    double number = value == NULL ? NAN : strtod(value, &end);

    return end == value || (end != NULL && *end != '\0') ? NAN : number;
}

bool guard_holds(struct run *run, const struct guard *guard, const struct host_settings *target,
                 struct host *host, struct sight *out)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct task task = {.step = &guard->step, .kind = TASK_LOOK, .try = 1};
    struct worker worker = {
        .run = run, .target = target, .host = host, .context = &task, .lock = &lock};

    task_worker(&worker);

    const char *said = guard_words(&task, worker.error, &worker.arena);

    *out = (struct sight){.value = number_of(task.value), .bound = task.bound};
    memccpy(out->words, said, '\0', sizeof out->words - 1);
    text_release(&task.shown);
    arena_release(&worker.arena);
    return task.look == LOOK_ALREADY;
}

struct error *guards_look(struct run *run, enum phase phase)
{
    CLEANUP(text_release) struct text waivers = {0};
    struct error *first = NULL;

    for (const struct guard *guard = run->plan->guards; guard != NULL; guard = guard->next) {
        size_t count;
        const struct host_settings *const *hosts = step_hosts(run, &guard->step, &count);
        bool failed = false;

        if (guard->show_only || !guard_is_in_force(run, guard, phase, NULL))
            continue;
        for (size_t at = 0; at < count && !failed; at++) {
            struct sight sight;

            failed = !guard_holds(run, guard, hosts[at], run->hosts[run_host_index(run, hosts[at])],
                                  &sight);
            if (failed && first == NULL)
                first = guard_error(run->arena, guard, hosts[at], sight.words);
        }
        if (failed)
            text_append_format(&waivers, " --without-guard %s", guard->step.id);
    }
    if (first != NULL)
        run->failed_guards = text_copy(&waivers, run->arena);
    return first;
}
