/*
 * Every step that changes something can be looked at, or happens in one transaction, or says itself
 * what a second time would mean. A plan's defaults do not count: they were not written with this
 * step in mind.
 */
#include "plan/checker.h"

#include <string.h>

static bool is_on_leader(const struct checker *checker, const struct step *step)
{
    const struct node *hosts = step->hosts;

    if (hosts != NULL && hosts->kind == NODE_LIST && hosts->count == 1)
        hosts = hosts->child;

    const struct role *role =
        hosts == NULL || hosts->text == NULL ? NULL : plan_find_role(checker->plan, hosts->text);

    return role != NULL && equal(role->patroni, "leader");
}

static bool has(const struct step *step, const char *key)
{
    return node_find(step->params, key) != NULL;
}

static const char *why_repeatable(const struct checker *checker, const struct step *step)
{
    if (equal(step->action_name, "sql")) {
        bool is_one = !equal(node_text(step->params, "transaction"), "none");

        if (has(step, "query") || has(step, "unless") || (is_one && is_on_leader(checker, step)))
            return NULL;
        return is_one
                   ? "Outside of the leader there is no transaction to rely on. Write \"unless\", "
                     "or in this step \"if-interrupted: repeat\" or \"ask\"."
                   : "Without a transaction, write \"unless\", or in this step "
                     "\"if-interrupted: repeat\" or \"ask\".";
    }
    if (equal(step->action_name, "remote-shell")) {
        if (has(step, "unless") || has(step, "creates") || has(step, "removes"))
            return NULL;
        return "Write \"unless\", \"creates\" or \"removes\", or in this step \"if-interrupted: "
               "repeat\" or \"ask\".";
    }
    return NULL;
}

static void step_check(struct checker *checker, const struct step *step)
{
    if (step->phase == PHASE_PREFLIGHT || guard_of(step) != NULL || step->params == NULL ||
        step->params->kind != NODE_MAP || node_find(step->node, "if-interrupted") != NULL)
        return;

    const char *why = why_repeatable(checker, step);

    if (why != NULL)
        findings_add(checker->findings, node_key_place(checker->plan->file, step->params), why,
                     "step \"%s\" could run twice", step->id);
}

void idempotence_check(struct checker *checker)
{
    steps_each(checker, step_check);
}
