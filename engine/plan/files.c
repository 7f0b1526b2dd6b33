/* The local files that a plan names, and the SQL of a step as it is sent. */
#include "base/file.h"
#include "plan/checker.h"
#include "plan/reference.h"

#include <string.h>

/* A path variable is joined already; what begins with one is not joined again. */
static bool begins_joined(const struct scope *scope, const char *host, const char *text)
{
    struct reference reference;

    if (!starts_with(text, "${") || !reference_read(text, &reference))
        return false;

    char name[NAME_LONGEST + 1];

    memcpy(name, reference.name, reference.name_length);
    name[reference.name_length] = '\0';

    const struct value *value = scope_find(scope, host, name);

    return value != NULL && value->type == VALUE_PATH;
}

static struct error *path_of(struct arena *arena, const struct plan *plan,
                             const struct scope *scope, const char *host, const struct node *node,
                             const char **out)
{
    const char *path;
    struct error *error =
        expand_text(arena, scope, host, node_place(plan->file, node), node->text, &path);

    if (error != NULL)
        return error;
    *out = begins_joined(scope, host, node->text)
               ? path
               : path_join(arena, path_folder(arena, plan->file), path);
    return NULL;
}

bool plan_path(struct arena *arena, const struct plan *plan, const struct scope *scope,
               const char *host, const struct node *node, const char **out)
{
    return node->text != NULL && path_of(arena, plan, scope, host, node, out) == NULL;
}

struct error *plan_file(struct arena *arena, const struct plan *plan, const struct scope *scope,
                        const char *host, const struct node *node, const struct input **out)
{
    const struct input *input;
    const char *path;
    struct error *error = path_of(arena, plan, scope, host, node, &path);

    if (error == NULL)
        error = inputs_read(plan->inputs, "file", path, TEXT_LIMIT, &input);
    if (error != NULL)
        return error;
    if (memchr(input->bytes, '\0', input->length) != NULL)
        return error_new(arena, ERROR_INPUT, "file \"%s\" holds a NUL byte", path);
    *out = input;
    return NULL;
}

static struct error *version_text(struct arena *arena, const struct plan *plan,
                                  const struct node *map, int version, const struct node **out)
{
    if (version == 0)
        return error_at(arena, node_place(plan->file, map), "the server's version is not known");
    NODE_EACH(text, map)
    {
        if (version_matches(text->key, version)) {
            *out = text;
            return NULL;
        }
    }
    return error_at(arena, node_place(plan->file, map), "there is no text for version %d", version);
}

struct error *plan_sql_text(struct arena *arena, const struct plan *plan, const struct scope *scope,
                            const char *host, const struct node *node, int version,
                            const char **out)
{
    const struct node *file = node_find(node, "file");

    if (file != NULL) {
        const struct input *input = NULL;
        struct error *error = plan_file(arena, plan, scope, host, file, &input);

        if (input != NULL)
            *out = input->bytes;
        return error;
    }
    if (node->kind == NODE_MAP) {
        struct error *error = version_text(arena, plan, node, version, &node);

        if (error != NULL)
            return error;
    }
    return expand_sql(arena, scope, host, node_place(plan->file, node), node->text, out);
}
