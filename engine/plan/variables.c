#include "base/file.h"
#include "plan/checker.h"

#include <string.h>

static enum value_type type_of(const struct node *node)
{
    for (enum value_type type = VALUE_TEXT; type <= VALUE_SECRET; type++) {
        if (node != NULL && equal(node->text, value_type_name(type)))
            return type;
    }
    return VALUE_TEXT;
}

/* A secret's reference is a map of one key in a file, and file:PATH as a text. */
static const char *written_text(struct arena *arena, const struct node *node)
{
    if (node == NULL)
        return NULL;
    if (node->kind == NODE_MAP && node->child != NULL && node->child->text != NULL)
        return arena_printf(arena, "%s:%s", node->child->key, node->child->text);
    return node->text;
}

void variables_build(struct checker *checker)
{
    const struct node *map = node_find(checker->root, "variables");
    size_t count = map == NULL || map->kind != NODE_MAP ? 0 : map->count;
    struct variable *variables = arena_alloc(checker->arena, (count + 1) * sizeof *variables);
    size_t index = 0;

    for (const struct node *node = count == 0 ? NULL : map->child; node != NULL;
         node = node->next) {
        const struct node *type = node_find(node, "type");

        variables[index++] = (struct variable){
            .name = node->key,
            .about = node_text(node, "about"),
            .type = type_of(type),
            .choices = type != NULL && type->kind == NODE_LIST ? type : NULL,
            .fallback = written_text(checker->arena, node_find(node, "default")),
            .place = node_key_place(checker->plan->file, node),
        };
    }
    checker->plan->variables = variables;
    checker->plan->variable_count = count;
}

/* A value before it is accepted: where it comes from, and what its paths are relative to. */
struct given {
    const char *text;
    bool is_reference; /* {file: PATH} and the like */
    const char *folder;
    struct place place; /* of the value; file NULL: --set */
};

static const char *choices_text(struct arena *arena, const struct node *choices)
{
    CLEANUP(text_release) struct text text = {.limit = 1000};

    NODE_EACH(choice, choices)
    {
        text_append(&text, choice == choices->child ? "" : choice->next == NULL ? " or " : ", ");
        text_append(&text, choice->text == NULL ? "" : choice->text);
    }
    return text_copy(&text, arena);
}

bool variable_accepts(struct arena *arena, const struct variable *variable, const char *text,
                      struct value *out, const char **hint)
{
    if (variable->choices != NULL) {
        if (node_has(variable->choices, text))
            return value_read(arena, VALUE_TEXT, text, out);
        *hint = arena_printf(arena, "It must be %s.", choices_text(arena, variable->choices));
        return false;
    }
    *hint = value_type_hint(variable->type);
    return value_read(arena, variable->type, text, out);
}

/* A path, also that of a secret's file, is relative to where it was written. */
static struct value value_joined(struct arena *arena, struct value value, const char *folder)
{
    if (value.type == VALUE_PATH)
        value.text = path_join(arena, folder, value.text);
    else if (value.type == VALUE_SECRET && starts_with(value.text, "file:"))
        value.text =
            arena_printf(arena, "file:%s", path_join(arena, folder, value.text + strlen("file:")));
    return value;
}

static void variable_set(struct checker *checker, const struct variable *variable,
                         const struct given *given)
{
    struct value value;
    const char *hint = NULL;

    if (given->text == NULL)
        return;
    if (given->is_reference && variable->type != VALUE_SECRET) {
        findings_add(checker->findings, given->place, "Only a secret is given by reference.",
                     "variable \"%s\" is of type %s, not secret", variable->name,
                     value_type_name(variable->type));
        return;
    }
    if (variable_accepts(checker->arena, variable, given->text, &value, &hint)) {
        scope_set(checker->scope, NULL, variable->name,
                  value_joined(checker->arena, value, given->folder));
        return;
    }

    // What somebody wrote in place of a secret's reference may be the secret itself.
    if (variable->type == VALUE_SECRET) {
        findings_add(checker->findings, given->place, hint,
                     "variable \"%s\" is a secret, and this is no reference to one",
                     variable->name);
        return;
    }

    const char *quoted = findings_quote(checker->findings, given->text);

    if (variable->choices != NULL)
        findings_add(checker->findings, given->place, hint,
                     "%s is not one of the choices of variable \"%s\"", quoted, variable->name);
    else
        findings_add(checker->findings, given->place, hint,
                     "%s does not fit variable \"%s\" of type %s", quoted, variable->name,
                     value_type_name(variable->type));
}

/* The cluster file's variables by name. */
static struct table cluster_variables(const struct checker *checker)
{
    const struct cluster *cluster = checker->options->cluster;
    struct table variables;

    table_init(&variables, checker->arena);
    if (cluster != NULL) {
        NODE_EACH(node, cluster->variables)
        *table_place(&variables, node->key) = (void *)node;
    }
    return variables;
}

/* The text behind "NAME=" of the last --set of that name, or NULL. */
static const char *setting_value(const struct checker *checker, const char *name)
{
    const struct plan_options *options = checker->options;
    size_t length = strlen(name);

    for (size_t at = options->setting_count; at > 0; at--) {
        const char *setting = options->settings[at - 1];

        if (strncmp(setting, name, length) == 0 && setting[length] == '=')
            return setting + length + 1;
    }
    return NULL;
}

static void variable_resolve(struct checker *checker, const struct variable *variable,
                             const struct node *node, const struct node *in_cluster)
{
    const struct node *fallback = node_find(node, "default");
    const char *setting = setting_value(checker, variable->name);
    const char *file = checker->plan->file;
    struct arena *arena = checker->arena;
    struct given given = {0};

    // What a plan falls back to is checked even where something else is stronger.
    if (variable->fallback != NULL) {
        given = (struct given){variable->fallback, fallback->kind == NODE_MAP,
                               path_folder(arena, file), node_place(file, fallback)};
        variable_set(checker, variable, &given);
    }
    if (in_cluster != NULL && setting == NULL) {
        file = cluster_file_of(checker->options->cluster, in_cluster);
        given = (struct given){written_text(arena, in_cluster), in_cluster->kind == NODE_MAP,
                               path_folder(arena, file), node_place(file, in_cluster)};
        variable_set(checker, variable, &given);
    }
    if (setting != NULL) {
        const char *folder = checker->options->settings_folder;

        given = (struct given){setting, false, folder == NULL ? "." : folder, {0}};
        variable_set(checker, variable, &given);
    }
    if (given.text == NULL && checker->options->cluster != NULL)
        findings_add(checker->findings, variable->place,
                     arena_printf(arena,
                                  "Give one with --set %s=VALUE, or under \"variables\" in the "
                                  "cluster file.",
                                  variable->name),
                     "variable \"%s\" has no value", variable->name);
}

static void setting_check(struct checker *checker, const char *setting, const struct table *known,
                          const char *const *names)
{
    const char *equals = strchr(setting, '=');
    const char *name =
        arena_copy(checker->arena, setting, equals == NULL ? 0 : (size_t)(equals - setting));

    if (equals == NULL)
        findings_add(checker->findings, (struct place){0}, "Write --set NAME=VALUE.",
                     "%s is not NAME=VALUE", findings_quote(checker->findings, setting));
    else if (table_find(known, name) == NULL)
        findings_add(
            checker->findings, (struct place){0},
            findings_suggest(checker->findings, name, names, checker->plan->variable_count),
            "the plan has no variable %s", findings_quote(checker->findings, name));
}

void variables_resolve(struct checker *checker)
{
    const struct plan *plan = checker->plan;
    const struct node *map = node_find(checker->root, "variables");
    const struct node *node = map == NULL ? NULL : map->child;
    const char **names = arena_alloc(checker->arena, (plan->variable_count + 1) * sizeof *names);
    struct table known, in_cluster = cluster_variables(checker);

    table_init(&known, checker->arena);
    for (size_t at = 0; at < plan->variable_count; at++, node = node->next) {
        names[at] = plan->variables[at].name;
        *table_place(&known, names[at]) = (void *)&plan->variables[at];
        variable_resolve(checker, &plan->variables[at], node, table_find(&in_cluster, names[at]));
    }
    for (size_t at = 0; at < checker->options->setting_count; at++)
        setting_check(checker, checker->options->settings[at], &known, names);
}
