/* The list of all actions. */
#include "actions.h"

const struct action *const all_actions[] = {
    &sql_action, &patroni_action, &edit_conf_action, &remote_shell_action, &wait_until_action, NULL,
};

static const struct action *find(const char *name)
{
    for (size_t i = 0; all_actions[i] != NULL; i++)
        if (equal(all_actions[i]->name, name))
            return all_actions[i];
    return NULL;
}

static void bind(const struct step *step)
{
    // A plan is immutable once it is read, but only who knows the actions can finish reading it.
    if (step->action_name != NULL)
        ((struct step *)step)->action = find(step->action_name);
}

void actions_bind(const struct plan *plan)
{
    for (enum phase phase = 0; phase < PHASE_COUNT; phase++)
        for (const struct step *step = plan_next_step(plan, phase, NULL); step != NULL;
             step = plan_next_step(plan, phase, step))
            bind(step);
    for (const struct guard *guard = plan->guards; guard != NULL; guard = guard->next)
        bind(&guard->step);
}

void actions_validate(struct arena *arena, const struct plan *plan, const struct cluster *cluster,
                      const struct scope *scope, struct findings *findings)
{
    struct outline outline = {
        .arena = arena,
        .plan = plan,
        .cluster = cluster,
        .scope = scope,
        .findings = findings,
    };
    for (enum phase phase = 0; phase < PHASE_COUNT; phase++)
        for (const struct step *step = plan_next_step(plan, phase, NULL); step != NULL;
             step = plan_next_step(plan, phase, step)) {
            outline.step = step;
            if (step->action != NULL && step->action->validate != NULL)
                step->action->validate(&outline);
        }
    for (const struct guard *guard = plan->guards; guard != NULL; guard = guard->next) {
        outline.step = &guard->step;
        if (guard->step.action != NULL && guard->step.action->validate != NULL)
            guard->step.action->validate(&outline);
    }
}
