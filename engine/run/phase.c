/* The steps of a phase, strictly in order: conditions, gates, groups, batches of hosts. */
#include "run/engine.h"
#include "run/guard.h"
#include "run/loss_ask.h"

/* A step or group that has begun is not asked again whether it shall. */
bool step_has_begun(const struct run *run, const struct step *step)
{
    if (step->steps != NULL) {
        for (const struct step *child = step->steps; child != NULL; child = child->next) {
            if (step_has_begun(run, child))
                return true;
        }
        return false;
    }
    for (size_t at = 0; at < run->ledger.summary.status_count; at++) {
        // What a person resolved without a try of ours has not begun: its `when` still counts.
        if (equal(run->ledger.statuses[at].step, step->id) && run->ledger.statuses[at].try > 0)
            return true;
    }
    return false;
}

static bool was_skipped(const struct run *run, const struct step *step)
{
    const struct step_status *status = ledger_status(&run->ledger, step->id, NULL);

    return status != NULL && status->state == STEP_SKIPPED;
}

static struct error *decide_when(struct run *run, const struct step *step, bool *goes)
{
    const char *why = NULL;

    *goes = !was_skipped(run, step);
    if (!*goes || step->when_count == 0 || step_has_begun(run, step))
        return NULL;

    struct error *error = when_holds(run, step->when, step->when_count, step, goes, &why);

    if (error == NULL && !*goes) {
        run_record(run, "outcome", "\"step\":%s,\"result\":\"skipped\",\"words\":%s",
                   json_text(run->arena, step->id), json_text(run->arena, why));
        run_event(run, step, NULL, "skipped", why);
    }
    return error;
}

static bool is_confirmed(const struct run *run, const char *step)
{
    for (size_t at = 0; at < run->options->confirmed_count; at++) {
        if (equal(run->options->confirmed[at], step))
            return true;
    }
    return run->options->yes;
}

static struct error *pass_gate(struct run *run, const struct step *step)
{
    const struct run_observer *observer = run->options->observer;
    const char *question;

    if (step->confirm == NULL || ledger_find(run->ledger.gates, step->id) != NULL)
        return NULL;

    struct error *error =
        expand_text(run->arena, run->scope, NULL, step->place, step->confirm, &question);

    if (error != NULL)
        return error;

    const bool is_answered = is_confirmed(run, step->id);
    const char *loss = loss_at_gate(run, step, !is_answered);
    const char *asked =
        loss == NULL ? question : arena_printf(run->arena, "%s\n%s", loss, question);

    // What came before the question must be on disk before a person is kept waiting.
    error = run_sync(run);
    if (error != NULL)
        return error;
    if (run_interrupted(run) != 0)
        return run_interrupted_error(run);
    if (!is_answered && (observer == NULL || observer->confirm == NULL ||
                         !observer->confirm(observer->context, step, asked))) {
        if (run_interrupted(run) != 0)
            return run_interrupted_error(run);
        return error_hint(run->arena,
                          error_new(run->arena, ERROR_GATE, "step \"%s\" waits for a person: %s",
                                    step->id, question),
                          "Nothing of this step was started. Answer with --confirm %s.", step->id);
    }
    run_record(run, "gate", "\"step\":%s,\"question\":%s,\"by\":%s",
               json_text(run->arena, step->id), json_text(run->arena, question),
               json_text(run->arena, run->as_user));
    return NULL;
}

struct error *phase_pass_first_gate(struct run *run, enum phase phase)
{
    for (const struct step *step = run->plan->phases[phase]; step != NULL; step = step->next) {
        bool holds;
        struct error *error = when_holds(run, step->when, step->when_count, step, &holds, NULL);

        if (error != NULL || holds)
            return error != NULL ? error : pass_gate(run, step);
    }
    return NULL;
}

/* What stops a run between two batches. */
static struct error *check_stop(struct run *run)
{
    const struct error *guard = run->guards == NULL ? NULL : guards_verdict(run->guards);

    if (guard != NULL)
        return error_copy(run->arena, guard);
    return run_interrupted(run) != 0 ? run_interrupted_error(run) : NULL;
}

static struct error *run_on(struct run *run, const struct step *step,
                            const struct host_settings *const *hosts, size_t count)
{
    size_t batch = step->serial > 0 ? (size_t)step->serial : count;

    for (size_t at = 0; at < count; at += batch) {
        size_t size = count - at < batch ? count - at : batch;
        struct error *error = check_stop(run);

        if (error == NULL)
            error = step_run(run, step, hosts + at, size);
        if (error != NULL)
            return error;
    }
    return NULL;
}

static struct error *run_step(struct run *run, const struct step *step,
                              const struct host_settings *const *only, size_t only_count);

/* Those of the step's hosts that the group's batch has; ONLY NULL: all. */
static const struct host_settings *const *hosts_among(const struct run *run,
                                                      const struct step *step,
                                                      const struct host_settings *const *only,
                                                      size_t only_count, size_t *count)
{
    const struct host_settings *const *hosts = step_hosts(run, step, count);
    const struct host_settings **among;
    size_t kept = 0;

    if (only == NULL)
        return hosts;
    among = arena_alloc(run->arena, sizeof(struct host_settings *) * (*count + 1));
    for (size_t at = 0; at < *count; at++) {
        for (size_t other = 0; other < only_count; other++) {
            if (hosts[at] == only[other])
                among[kept++] = hosts[at];
        }
    }
    *count = kept;
    return among;
}

static struct error *run_group(struct run *run, const struct step *group)
{
    size_t count;
    const struct host_settings *const *hosts = step_hosts(run, group, &count);
    size_t batch = group->serial > 0 ? (size_t)group->serial : count;
    struct error *error = NULL;

    for (size_t at = 0; error == NULL && (at < count || (at == 0 && count == 0));
         at += batch == 0 ? 1 : batch) {
        size_t size = batch > 0 && count - at >= batch ? batch : count - at;
        const struct host_settings *const *only = group->serial > 0 ? hosts + at : NULL;

        for (const struct step *child = group->steps; child != NULL && error == NULL;
             child = child->next)
            error = run_step(run, child, only, size);
    }
    return error;
}

static struct error *run_step(struct run *run, const struct step *step,
                              const struct host_settings *const *only, size_t only_count)
{
    bool goes;
    struct error *error = check_stop(run);

    if (error == NULL)
        error = decide_when(run, step, &goes);
    if (error != NULL || !goes)
        return error;
    error = pass_gate(run, step);
    if (error != NULL)
        return error;
    if (step->steps != NULL)
        return run_group(run, step);

    size_t count;
    const struct host_settings *const *hosts = hosts_among(run, step, only, only_count, &count);

    error = guards_update(run, step->phase, step);
    if (error == NULL)
        error = run_on(run, step, hosts, count);
    return error;
}

struct error *phase_run(struct run *run, enum phase phase)
{
    struct error *error = NULL;

    for (const struct step *step = run->plan->phases[phase]; step != NULL && error == NULL;
         step = step->next)
        error = run_step(run, step, NULL, 0);
    // The last step's `from:` may have put a guard in force that must hold at the phase's end.
    if (error == NULL)
        error = guards_update(run, phase, NULL);
    if (error == NULL)
        error = check_stop(run);
    return error;
}

/* What a preflight step found; an error only where going on makes no sense. */
static struct error *preflight_step(struct run *run, const struct step *step, struct error **first,
                                    size_t *found)
{
    struct error *error = run_step(run, step, NULL, 0);

    if (error == NULL)
        return NULL;
    if (error->kind == ERROR_STOPPED || error->kind == ERROR_UNREACHABLE ||
        error->kind == ERROR_INPUT)
        return error;
    run_event(run, step, NULL, "finding", error_text(run->arena, error));
    *first = *first == NULL ? error : *first;
    (*found)++;
    return NULL;
}

struct error *preflight_run(struct run *run)
{
    struct error *first = NULL, *error = NULL;
    size_t found = 0;

    for (const struct step *step = run->plan->phases[PHASE_PREFLIGHT];
         step != NULL && error == NULL; step = step->next) {
        bool goes = true;

        if (step->steps == NULL)
            error = preflight_step(run, step, &first, &found);
        else
            error = decide_when(run, step, &goes);
        for (const struct step *child = goes ? step->steps : NULL; child != NULL && error == NULL;
             child = child->next)
            error = preflight_step(run, child, &first, &found);
    }
    if (error != NULL || found == 0)
        return error;
    error = found == 1
                ? error_new(run->arena, ERROR_REFUSED, "%s", error_text(run->arena, first))
                : error_new(run->arena, ERROR_REFUSED,
                            "the preflight found %zu things that are not as they must be", found);
    return error_hint(run->arena, error, "Nothing was changed.");
}
