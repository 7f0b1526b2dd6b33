/* From nodes to structs. The schema has told what is wrong with a node; here it is passed over. */
#include "plan/checker.h"

#include <stdlib.h>

#define STEP_DEFAULT(key) "plan.schema.json#/definitions/step/properties/" key

const char *const phase_names[PHASE_COUNT] = {"preflight", "deploy", "commit", "rollback"};

static int64_t read_duration(const struct checker *checker, const char *text, int64_t otherwise)
{
    struct value value;

    if (text == NULL || !value_read(checker->arena, VALUE_DURATION, text, &value))
        return otherwise;
    return value.number;
}

static int64_t schema_duration(const struct checker *checker, const char *pointer)
{
    return read_duration(checker, schema_default(checker->plan->schema, pointer), 0);
}

static struct place value_place(const struct checker *checker, const struct node *node)
{
    return node_place(checker->plan->file, node);
}

/* False if the map is no condition. */
static bool when_read(const struct checker *checker, const struct node *node, struct when *out)
{
    static const struct {
        const char *key;
        enum when_kind kind;
    } kinds[] = {
        {"postgres", WHEN_POSTGRES},
        {"variable", WHEN_VARIABLE},
        {"value", WHEN_VALUE},
        {"role-is-empty", WHEN_ROLE_IS_EMPTY},
        {"may-have-happened", WHEN_MAY_HAVE_HAPPENED},
        {"did-not-happen", WHEN_DID_NOT_HAPPEN},
    };

    for (size_t at = 0; at < ARRAY_COUNT(kinds); at++) {
        const struct node *subject = node_find(node, kinds[at].key);

        if (subject == NULL || subject->text == NULL)
            continue;
        *out = (struct when){.kind = kinds[at].kind,
                             .subject = subject->text,
                             .is = node_find(node, "is"),
                             .place = value_place(checker, subject)};
        return true;
    }
    return false;
}

static void when_build(const struct checker *checker, struct step *step, const struct node *node)
{
    if (node->count > CONDITIONS_MOST) {
        findings_add(checker->findings, node_key_place(checker->plan->file, node), NULL,
                     "\"when\" has more than %d conditions", CONDITIONS_MOST);
        return;
    }

    struct when *conditions = arena_alloc(
        checker->arena, (node->kind == NODE_LIST ? node->count + 1 : 1) * sizeof *conditions);

    step->when = conditions;
    if (node->kind == NODE_MAP && when_read(checker, node, conditions))
        step->when_count = 1;
    if (node->kind == NODE_LIST) {
        NODE_EACH(item, node)
        step->when_count += when_read(checker, item, &conditions[step->when_count]);
    }
}

static void retry_build(const struct checker *checker, struct step *step, const struct node *node)
{
    step->retry_times = (int)node_integer(node, "times", 0);
    step->retry_delay_ms =
        read_duration(checker, node_text(node, "delay"),
                      schema_duration(checker, STEP_DEFAULT("retry/properties/delay")));
}

/* The keys that a plan's defaults have too. False: it is none of them. */
static bool inherited_key(const struct checker *checker, struct step *step, const struct node *node)
{
    const char *key = node->key;

    if (equal(key, "timeout"))
        step->timeout_ms = read_duration(checker, node->text, step->timeout_ms);
    else if (equal(key, "as"))
        step->as = node->text;
    else if (equal(key, "serial"))
        step->serial = node->text == NULL ? 0 : (int)strtol(node->text, NULL, 10);
    else if (equal(key, "retry"))
        retry_build(checker, step, node);
    else if (equal(key, "if-interrupted"))
        step->repeat_if_interrupted = equal(node->text, "repeat");
    else if (equal(key, "if-unreachable"))
        step->ask_if_unreachable = equal(node->text, "ask");
    else
        return false;
    return true;
}

/* False: the key is none of a step's own, so it is an action's name, or a guard's. */
static bool step_key(const struct checker *checker, struct step *step, const struct node *node)
{
    const char *key = node->key;

    if (equal(key, "id")) {
        step->id = node->text == NULL ? "" : node->text;
        step->place = value_place(checker, node);
    } else if (equal(key, "about")) {
        step->about = node->text;
    } else if (equal(key, "hosts")) {
        step->hosts = node;
    } else if (equal(key, "when")) {
        when_build(checker, step, node);
    } else if (equal(key, "confirm")) {
        step->confirm = node->text;
    } else if (equal(key, "irreversible")) {
        step->irreversible = node->text;
    } else {
        step->timeout_is_written |= equal(key, "timeout");
        return inherited_key(checker, step, node);
    }
    return true;
}

static void id_add(struct checker *checker, const struct step *step)
{
    if (*step->id == '\0')
        return;

    void **known = table_place(checker->steps, step->id);

    if (*known != NULL) {
        const struct step *first = *known;

        findings_add(
            checker->findings, step->place,
            arena_printf(checker->arena, "It is used first in line %d.", first->place.line),
            "the id \"%s\" is used twice", step->id);
        return;
    }
    *known = (void *)step;
    words_add(checker->arena, &checker->ids, step->id);
}

/* A new step with what its group, or the plan, gives to it. */
static struct step *step_new(const struct checker *checker, const struct step *base,
                             const struct node *node)
{
    struct step *step = arena_alloc(checker->arena, sizeof *step);

    *step = *base;
    step->id = "";
    step->place = value_place(checker, node);
    step->node = node;
    return step;
}

static const struct step *steps_build(struct checker *checker, const struct step *base,
                                      const struct node *list);

static void group_build(struct checker *checker, struct step *group, const struct node *list)
{
    struct step base = {
        .phase = group->phase,
        .group = group,
        .hosts = group->hosts,
        .as = group->as,
        .timeout_ms = group->timeout_ms,
        .timeout_is_written = group->timeout_is_written,
        .serial = group->serial,
        .retry_times = group->retry_times,
        .retry_delay_ms = group->retry_delay_ms,
        .repeat_if_interrupted = group->repeat_if_interrupted,
        .ask_if_unreachable = group->ask_if_unreachable,
    };

    group->steps = steps_build(checker, &base, list);
}

static struct step *step_build(struct checker *checker, const struct step *base,
                               const struct node *node)
{
    struct step *step = step_new(checker, base, node);
    const struct node *steps = NULL;

    NODE_EACH(child, node)
    {
        if (equal(child->key, "steps")) {
            steps = child;
        } else if (!step_key(checker, step, child)) {
            step->action_name = child->key;
            step->params = child;
        }
    }
    id_add(checker, step);
    // Groups are one level deep: the schema refuses a group in a group.
    if (steps != NULL && base->group == NULL) {
        step->action_name = NULL;
        step->params = NULL;
        group_build(checker, step, steps);
    }
    return step;
}

static const struct step *steps_build(struct checker *checker, const struct step *base,
                                      const struct node *list)
{
    const struct step *first = NULL;
    const struct step **link = &first;

    if (list->kind != NODE_LIST)
        return NULL;
    NODE_EACH(node, list)
    {
        if (node->kind != NODE_MAP)
            continue;

        struct step *step = step_build(checker, base, node);

        *link = step;
        link = &step->next;
    }
    return first;
}

static struct guard *guard_build(struct checker *checker, const struct step *base,
                                 const struct node *node)
{
    struct guard *guard = arena_alloc(checker->arena, sizeof *guard);
    struct step *step = &guard->step;

    *step = *base;
    step->id = "";
    step->place = value_place(checker, node);
    step->node = step->params = node;
    step->phase = PHASE_DEPLOY;
    step->action_name = "wait-until";
    guard->every_ms =
        schema_duration(checker, "plan.schema.json#/definitions/guard/properties/every");
    NODE_EACH(child, node)
    {
        if (equal(child->key, "from"))
            guard->from = child->text;
        else if (equal(child->key, "until"))
            guard->until = child->text;
        else if (equal(child->key, "every"))
            guard->every_ms = read_duration(checker, child->text, guard->every_ms);
        else if (equal(child->key, "unit"))
            guard->unit = child->text;
        else
            (void)step_key(checker, step, child);
    }
    guard->show_only = node_bool(node, "show-only", false);
    id_add(checker, step);
    return guard;
}

static struct step base_build(const struct checker *checker)
{
    const struct schema *schema = checker->plan->schema;
    struct step base = {
        .timeout_ms = schema_duration(checker, STEP_DEFAULT("timeout")),
        .repeat_if_interrupted =
            equal(schema_default(schema, STEP_DEFAULT("if-interrupted")), "repeat"),
        .ask_if_unreachable = equal(schema_default(schema, STEP_DEFAULT("if-unreachable")), "ask"),
    };
    const struct node *defaults = node_find(checker->root, "defaults");

    if (defaults != NULL && defaults->kind == NODE_MAP) {
        NODE_EACH(child, defaults)
        (void)inherited_key(checker, &base, child);
    }
    return base;
}

void plan_build(struct checker *checker)
{
    struct plan *plan = checker->plan;
    struct step base = base_build(checker);
    const struct guard **link = &plan->guards;
    const struct node *guards = node_find(checker->root, "guards");

    plan->name = node_text(checker->root, "plan");
    plan->about = node_text(checker->root, "about");
    if (guards != NULL && guards->kind == NODE_LIST) {
        NODE_EACH(node, guards)
        {
            if (node->kind != NODE_MAP)
                continue;

            struct guard *guard = guard_build(checker, &base, node);

            *link = guard;
            link = &guard->next;
        }
    }
    for (enum phase phase = 0; phase < PHASE_COUNT; phase++) {
        const struct node *list = node_find(checker->root, phase_names[phase]);

        base.phase = phase;
        plan->has_phase[phase] = list != NULL;
        plan->phases[phase] = list == NULL ? NULL : steps_build(checker, &base, list);
    }
}
