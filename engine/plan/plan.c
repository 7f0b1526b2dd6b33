#include "plan/checker.h"
#include "plan/yaml.h"

#include <string.h>

struct plan_names {
    struct table steps, roles;
};

static enum text_format format_of(const char *format)
{
    static const struct {
        const char *name;
        enum text_format format;
    } formats[] = {
        {"text", FORMAT_TEXT},
        {"sql", FORMAT_SQL},
        {"shell", FORMAT_SHELL},
        {"step", FORMAT_STEP},
        {"role", FORMAT_ROLE},
        {"hosts", FORMAT_HOSTS},
        {"sql-path", FORMAT_SQL_PATH},
        {"shell-path", FORMAT_SHELL_PATH},
        {"version-map", FORMAT_VERSION_MAP},
    };

    for (size_t at = 0; at < ARRAY_COUNT(formats); at++) {
        if (equal(format, formats[at].name))
            return formats[at].format;
    }
    return FORMAT_NONE;
}

static void visit(void *context, const struct node *node, const char *format)
{
    struct checker *checker = context;
    enum text_format known = format_of(format);

    if (known != FORMAT_NONE)
        formats_add(&checker->formats, node, known);
    else if (equal(format, "versions") && !version_is_valid(node->text))
        findings_add(checker->findings, node_place(checker->plan->file, node), NULL,
                     "%s is not a range of server versions",
                     findings_quote(checker->findings, node->text));
}

const struct guard *guard_of(const struct step *step)
{
    // Only a guard is its own parameters: it is a step's map and a condition in one.
    return step->params != NULL && step->params == step->node ? (const struct guard *)step : NULL;
}

const struct step *plan_find_step(const struct plan *plan, const char *id)
{
    return table_find(&plan->names->steps, id);
}

const struct role *plan_find_role(const struct plan *plan, const char *name)
{
    return name == NULL ? NULL : table_find(&plan->names->roles, name);
}

const struct variable *plan_find_variable(const struct plan *plan, const char *name)
{
    for (size_t at = 0; at < plan->variable_count; at++) {
        if (equal(plan->variables[at].name, name))
            return &plan->variables[at];
    }
    return NULL;
}

bool when_is(const struct when *when, const char *text)
{
    return when->is == NULL ? equal(text, "true") : node_has(when->is, text);
}

const struct step *plan_find_decider(const struct plan *plan, const struct scope *scope,
                                     const char *variable)
{
    const struct value *value = scope_find(scope, NULL, variable);

    if (value == NULL || !equal(value->text, "auto") || plan_find_variable(plan, variable) == NULL)
        return NULL;
    for (const struct step *step = NULL;
         (step = plan_next_step(plan, PHASE_PREFLIGHT, step)) != NULL;) {
        if (node_has(node_find(step->params, "save"), variable))
            return step;
    }
    return NULL;
}

const struct step *plan_next_step(const struct plan *plan, enum phase phase,
                                  const struct step *step)
{
    if (step == NULL)
        return plan->phases[phase];
    if (step->steps != NULL)
        return step->steps;
    if (step->next == NULL && step->group != NULL)
        step = step->group;
    return step->next;
}

void steps_each(struct checker *checker, step_visitor *visit_step)
{
    const struct plan *plan = checker->plan;

    for (const struct guard *guard = plan->guards; guard != NULL; guard = guard->next)
        visit_step(checker, &guard->step);
    for (enum phase phase = 0; phase < PHASE_COUNT; phase++) {
        const struct step *step = NULL;

        while ((step = plan_next_step(plan, phase, step)) != NULL)
            visit_step(checker, step);
    }
}

static void build(struct checker *checker, struct plan_names *names)
{
    struct plan *plan = checker->plan;

    table_init(&names->steps, checker->arena);
    table_init(&names->roles, checker->arena);
    plan->names = names;
    checker->steps = &names->steps;
    plan_build(checker);
    roles_build(checker);
    for (size_t at = 0; at < plan->role_count; at++)
        *table_place(&names->roles, plan->roles[at].name) = (void *)&plan->roles[at];
    variables_build(checker);
}

static void check(struct checker *checker)
{
    if (checker->options->cluster != NULL)
        cluster_fill_scope(checker->options->cluster, checker->scope);
    variables_resolve(checker);
    names_build(checker);
    references_check(checker);
    sql_check(checker);
    idempotence_check(checker);
    hazards_check(checker);
}

/* The document, checked against the schema; NULL if there is nothing to go on with. */
static const struct node *document_read(struct checker *checker, const char *path)
{
    const struct input *input;
    struct error *error = inputs_read(checker->plan->inputs, "plan", path, YAML_LARGEST, &input);

    if (error == NULL)
        error = schema_load(checker->arena, "plan.schema.json", &checker->plan->schema);
    if (error != NULL) {
        findings_add(checker->findings, (struct place){.file = path}, error->hint, "%s",
                     error_text(checker->arena, error));
        return NULL;
    }
    checker->source = (struct source){.file = path, .bytes = input->bytes, .length = input->length};

    const struct node *root =
        yaml_parse(checker->arena, path, input->bytes, input->length, checker->findings);
    struct schema_visitor visitor = {.scalar = visit, .context = checker};

    if (root != NULL)
        schema_check(checker->plan->schema, path, root, checker->findings, &visitor);
    return root == NULL || root->kind != NODE_MAP ? NULL : root;
}

const struct plan *plan_read(struct arena *arena, struct inputs *inputs, const char *path,
                             const struct plan_options *options, struct scope *scope,
                             struct findings *findings)
{
    CLEANUP(arena_release) struct arena scratch = {0};
    struct plan *plan = arena_alloc(arena, sizeof *plan);
    struct checker checker = {
        .arena = arena,
        .plan = plan,
        .options = options,
        .scope = scope,
        .findings = findings,
        .formats = {.arena = &scratch},
    };
    size_t errors_before = findings->error_count;

    plan->file = arena_strdup(arena, path);
    plan->inputs = inputs;
    plan->root = checker.root = document_read(&checker, plan->file);
    if (checker.root != NULL) {
        build(&checker, arena_alloc(arena, sizeof(struct plan_names)));
        check(&checker);
    }
    findings_sort(findings);
    return checker.root == NULL || findings->error_count > errors_before ? NULL : plan;
}
