/*
 * `resume --plan FILE`: a corrected plan for the rest of a run. Only steps that have not begun may
 * differ; what has begun, the roles and the variables stay what they were. Files are read anew.
 */
#include "run/command.h"

#include <unistd.h>

static const char *node_json(struct arena *arena, const struct node *node)
{
    CLEANUP(text_release) struct text json = {0};

    if (node != NULL)
        node_append_json(&json, node);
    return text_copy(&json, arena);
}

static bool same_text(struct arena *arena, const struct node *a, const struct node *b)
{
    return equal(node_json(arena, a), node_json(arena, b));
}

/* What a step is without its children: of a group that has begun, later children may differ. */
static bool same_step(struct arena *arena, const struct step *a, const struct step *b)
{
    if (a->steps == NULL && b->steps == NULL)
        return same_text(arena, a->node, b->node);
    if (a->steps == NULL || b->steps == NULL)
        return false;
    NODE_EACH(key, a->node)
    {
        if (!equal(key->key, "steps") && !same_text(arena, key, node_find(b->node, key->key)))
            return false;
    }
    return a->node->count == b->node->count;
}

/* A step whose tries provably left nothing has not begun: it is the one that most wants correcting.
 */
static bool has_begun(const struct run *run, const struct step *step)
{
    for (const struct step *child = step->steps; child != NULL; child = child->next) {
        if (has_begun(run, child))
            return true;
    }
    for (size_t at = 0; at < run->ledger.summary.status_count; at++) {
        const struct step_status *status = &run->ledger.statuses[at];

        if (equal(status->step, step->id) &&
            (status->may_have_happened || status->state == STEP_RUNNING ||
             step_state_is_complete(status->state)))
            return true;
    }
    return false;
}

static struct error *refuse(struct run *run, const struct step *step, const char *why)
{
    return error_hint(run->arena,
                      error_at(run->arena, step->place, "step \"%s\" %s", step->id, why),
                      "Only steps that have not begun may differ from the plan that the run began "
                      "with.");
}

/* The steps that have begun must come first in the new plan, in the same order, and be the same. */
static struct error *compare_phase(struct run *run, const struct plan *fresh, enum phase phase)
{
    const struct step *now = plan_next_step(fresh, phase, NULL);
    const struct step *last = NULL;

    for (const struct step *step = NULL; (step = plan_next_step(run->plan, phase, step)) != NULL;) {
        if (has_begun(run, step))
            last = step;
    }
    for (const struct step *step = NULL;
         last != NULL && (step = plan_next_step(run->plan, phase, step)) != NULL;
         now = plan_next_step(fresh, phase, now)) {
        if (now == NULL)
            return refuse(run, step, "has begun and is missing");
        if (!equal(step->id, now->id))
            return refuse(run, now, "stands before one that has begun");
        if (!same_step(run->arena, step, now))
            return refuse(run, now, "has begun and differs");
        if (step == last)
            break;
    }
    return NULL;
}

static struct error *compare_plans(struct run *run, const struct plan *fresh)
{
    static const char *const fixed[] = {"holdback", "plan", "variables", "roles"};
    const struct node *before = run->plan->root, *after = fresh->root;

    for (size_t at = 0; at < ARRAY_COUNT(fixed); at++) {
        if (!same_text(run->arena, node_find(before, fixed[at]), node_find(after, fixed[at])))
            return error_new(run->arena, ERROR_INPUT,
                             "\"%s\" in \"%s\" differs from the plan that the run began with",
                             fixed[at], fresh->file);
    }
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        struct error *error = compare_phase(run, fresh, (enum phase)phase);

        if (error != NULL)
            return error;
    }
    return NULL;
}

static void show_differences(struct run *run, const struct plan *before, const struct plan *after)
{
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(after, (enum phase)phase, step)) != NULL;) {
            const struct step *old = plan_find_step(before, step->id);
            const char *what = old == NULL                                    ? "is new"
                               : same_text(run->arena, old->node, step->node) ? NULL
                                                                              : "differs";

            if (what != NULL)
                run_event(run, step, NULL, "plan", what);
        }
    }
}

static const char *next_folder(struct run *run)
{
    for (int number = 2;; number++) {
        const char *name = arena_printf(run->arena, "plan-%d", number);

        if (access(arena_printf(run->arena, "%s/%s", run->folder, name), F_OK) != 0)
            return name;
    }
}

struct error *run_replan(struct run *run, const char *plan_file)
{
    struct run fresh = *run;
    struct inputs *frozen;
    struct error *error =
        inputs_frozen(run->arena, arena_printf(run->arena, "%s/plan", run->folder), &frozen);

    if (error == NULL)
        error = prepare_files(&fresh, frozen, inputs_live(run->arena), plan_file,
                              node_text(run->ledger.run, "cluster_file"));
    if (error == NULL)
        error = compare_plans(run, fresh.plan);
    if (error != NULL)
        return error;

    const char *folder = next_folder(run);

    error = inputs_freeze(run->arena, fresh.plan->inputs,
                          arena_printf(run->arena, "%s/%s", run->folder, folder));
    if (error != NULL)
        return error;
    show_differences(run, run->plan, fresh.plan);
    run_record(run, "plan", "\"folder\":%s,\"plan_file\":%s,\"digest\":\"%s\"",
               json_text(run->arena, folder), json_text(run->arena, plan_file),
               inputs_first(fresh.plan->inputs)->digest);
    run->plan = fresh.plan;
    run->cluster = fresh.cluster;
    run->scope = fresh.scope;
    return run_sync(run);
}
