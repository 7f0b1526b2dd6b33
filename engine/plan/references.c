#include "plan/checker.h"

#include <string.h>

bool step_precedes(const struct step *a, const struct step *b)
{
    const struct node *left = a->node, *right = b->node;

    if (a->phase != b->phase)
        return a->phase < b->phase;
    // A phase is one list: what is written before runs before.
    return left->line != right->line ? left->line < right->line : left->column < right->column;
}

static void role_check(struct checker *checker, const struct node *node)
{
    if (plan_find_role(checker->plan, node->text) == NULL)
        findings_add(checker->findings, node_place(checker->plan->file, node),
                     words_suggest(checker->findings, &checker->roles, node->text),
                     "there is no role %s", findings_quote(checker->findings, node->text));
}

static void host_check(struct checker *checker, const struct node *node)
{
    const struct cluster *cluster = checker->options->cluster;
    struct place place = node_place(checker->plan->file, node);

    if (plan_find_role(checker->plan, node->text) != NULL)
        return;
    if (cluster == NULL) {
        // Only a cluster file knows the hosts. What looks like a role misspelt is told even so.
        const char *suggestion = words_suggest(checker->findings, &checker->roles, node->text);

        if (suggestion != NULL)
            hazard_add(checker, "HB007", place, suggestion,
                       "\"%s\" is no role of this plan, so it must be a host", node->text);
        return;
    }
    if (cluster_find_host(cluster, node->text) != NULL)
        return;

    struct words words = {0};

    for (size_t at = 0; at < checker->roles.count; at++)
        words_add(checker->arena, &words, checker->roles.items[at]);
    for (size_t at = 0; at < cluster->host_count; at++)
        words_add(checker->arena, &words, cluster->hosts[at].name);
    findings_add(checker->findings, place, words_suggest(checker->findings, &words, node->text),
                 "%s is neither a role nor a host of the cluster",
                 findings_quote(checker->findings, node->text));
}

/* `from:` and `until:` of a guard. */
static void bound_check(struct checker *checker, const struct guard *guard, const struct node *node,
                        const struct step *bound)
{
    struct place place = node_place(checker->plan->file, node);
    const struct step *from = guard->from == NULL ? NULL : table_find(checker->steps, guard->from);

    if (equal(node->key, "from")) {
        if (bound->phase != PHASE_DEPLOY)
            findings_add(checker->findings, place, "A guard is in force from a step of deploy on.",
                         "step \"%s\" is in %s", bound->id, phase_names[bound->phase]);
        return;
    }
    if (bound->phase != PHASE_DEPLOY && bound->phase != PHASE_COMMIT)
        findings_add(checker->findings, place,
                     "A guard ends at a step of deploy or commit, and with every rollback.",
                     "step \"%s\" is in %s", bound->id, phase_names[bound->phase]);
    else if (from != NULL && !step_precedes(from, bound))
        findings_add(checker->findings, place, NULL, "step \"%s\" does not come after \"%s\"",
                     bound->id, from->id);
}

static void restore_check(struct checker *checker, const struct step *step, const struct node *node,
                          const struct step *target)
{
    if (!equal(step->action_name, target->action_name))
        findings_add(checker->findings, node_place(checker->plan->file, node),
                     arena_printf(checker->arena,
                                  "Only what an earlier %s step changed can be put "
                                  "back here.",
                                  step->action_name),
                     "step \"%s\" is not a step with \"%s\"", target->id, step->action_name);
}

static void step_check(struct checker *checker, const struct step *step, const struct node *node)
{
    const struct step *target = table_find(checker->steps, node->text);
    const struct guard *guard = step == NULL ? NULL : guard_of(step);
    struct place place = node_place(checker->plan->file, node);

    if (target == NULL) {
        findings_add(checker->findings, place,
                     words_suggest(checker->findings, &checker->ids, node->text),
                     "there is no step %s", findings_quote(checker->findings, node->text));
        return;
    }
    if (guard_of(target) != NULL) {
        findings_add(checker->findings, place, NULL, "\"%s\" is a guard, not a step", target->id);
        return;
    }
    if (guard != NULL && (equal(node->key, "from") || equal(node->key, "until"))) {
        bound_check(checker, guard, node, target);
        return;
    }
    if (guard == NULL && step != NULL && !step_precedes(target, step)) {
        findings_add(checker->findings, place, NULL,
                     target == step ? "step \"%s\" cannot refer to itself"
                                    : "step \"%s\" comes later",
                     target->id);
        return;
    }
    if (step != NULL && equal(node->key, "restore"))
        restore_check(checker, step, node, target);
}

/* The ranges of a version map leave no version out. */
static void versions_check(struct checker *checker, const struct node *map)
{
    const char **ranges = arena_alloc(checker->arena, (map->count + 1) * sizeof *ranges);
    size_t count = 0;

    NODE_EACH(text, map)
    ranges[count++] = text->key;

    const char *gap = version_gap(checker->arena, ranges, count);

    if (gap != NULL)
        findings_add(checker->findings, node_key_place(checker->plan->file, map),
                     "Versions from 9.4 on must have a text each, so that it is known today what "
                     "would run.",
                     "%s", gap);
}

static void path_check(struct checker *checker, const struct node *node)
{
    const struct input *input;
    const char *path;

    // A value that only the cluster file or --set can give may be missing in a check.
    if (!plan_path(checker->arena, checker->plan, checker->scope, NULL, node, &path))
        return;

    struct error *error =
        plan_file(checker->arena, checker->plan, checker->scope, NULL, node, &input);

    if (error != NULL)
        findings_add(checker->findings, node_place(checker->plan->file, node), error->hint, "%s",
                     error_text(checker->arena, error));
}

static void node_check(struct checker *checker, const struct step *step, const struct node *node)
{
    enum text_format format = formats_find(&checker->formats, node);

    switch (format) {
    case FORMAT_NONE:
        break;
    case FORMAT_TEXT:
    case FORMAT_SQL:
    case FORMAT_SHELL:
        text_check(checker, step, node, format);
        break;
    case FORMAT_SQL_PATH:
    case FORMAT_SHELL_PATH:
        text_check(checker, step, node, format);
        path_check(checker, node);
        break;
    case FORMAT_STEP:
        step_check(checker, step, node);
        break;
    case FORMAT_ROLE:
        role_check(checker, node);
        break;
    case FORMAT_HOSTS:
        host_check(checker, node);
        break;
    case FORMAT_VERSION_MAP:
        versions_check(checker, node);
        break;
    }
    NODE_EACH(child, node)
    node_check(checker, step, child);
}

static void references_of(struct checker *checker, const struct step *step)
{
    if (step->hosts == NULL && step->steps == NULL)
        findings_add(checker->findings, step->place, "Say \"hosts\" in the step or in its group.",
                     "step \"%s\" has no hosts", step->id);
    conditions_check(checker, step);
    NODE_EACH(child, step->node)
    {
        if (step->steps == NULL || !equal(child->key, "steps"))
            node_check(checker, step, child);
    }
}

void references_check(struct checker *checker)
{
    const struct node *roles = node_find(checker->root, "roles");
    const struct node *defaults = node_find(checker->root, "defaults");

    if (roles != NULL)
        node_check(checker, NULL, roles);
    if (defaults != NULL)
        node_check(checker, NULL, defaults);
    steps_each(checker, references_of);
}
