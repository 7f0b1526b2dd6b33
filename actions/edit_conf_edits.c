/* The action edit-conf: from the step's keys to the edits of a file on one host. */
#include "edit_conf.h"

#include <string.h>

const char *const edit_conf_verbs[EDIT_UNCOMMENT + 1] = {
    [EDIT_SET] = "set",
    [EDIT_UNSET] = "unset",
    [EDIT_COMMENT_OUT] = "comment-out",
    [EDIT_UNCOMMENT] = "uncomment",
};
const enum edit_kind edit_conf_order[EDIT_UNCOMMENT + 1] = {EDIT_UNCOMMENT, EDIT_COMMENT_OUT,
                                                            EDIT_UNSET, EDIT_SET};

bool edit_conf_format(const struct node *params, enum edit_format *out)
{
    const char *name = node_text(params, "format");

    for (enum edit_format format = 0; format < EDIT_FORMAT_COUNT; format++) {
        if (equal(name, edit_format_names[format])) {
            *out = format;
            return true;
        }
    }
    return false;
}

bool edit_format_has_lines(enum edit_format format)
{
    return format == EDIT_POSTGRESQL || format == EDIT_INI || format == EDIT_ENV;
}

/*
 * A value with ${name} inserted is a text, whatever it looks like, unless it is one integer or
 * boolean variable and nothing else.
 */
static struct error *expand_value(struct work *work, const struct node *node, struct node *out)
{
    const char *host = work->target->name;
    struct error *error = work_text(work, node, &out->text);
    size_t length = node->length;

    if (error != NULL)
        return error;
    out->length = strlen(out->text);
    out->is_plain = false;
    if (node->is_plain && starts_with(node->text, "${") && node->text[length - 1] == '}') {
        const char *name = arena_copy(work->arena, node->text + 2, length - 3);
        const struct value *value = scope_find(work->scope, host, name);

        out->is_plain =
            value != NULL && (value->type == VALUE_INTEGER || value->type == VALUE_BOOLEAN);
    }
    return NULL;
}

static struct error *expand_tree(struct work *work, const struct node *node, struct node **out)
{
    struct node *copy = arena_alloc(work->arena, sizeof *copy), *last = NULL;

    *copy = *node;
    copy->child = copy->next = NULL;
    if (node->kind == NODE_TEXT && strstr(node->text, "${") != NULL) {
        struct error *error = expand_value(work, node, copy);

        if (error != NULL)
            return error;
    }
    NODE_EACH(child, node)
    {
        struct node *expanded;
        struct error *error = expand_tree(work, child, &expanded);

        if (error != NULL)
            return error;
        if (last == NULL)
            copy->child = expanded;
        else
            last->next = expanded;
        last = expanded;
    }
    *out = copy;
    return NULL;
}

static void list_add(struct arena *arena, struct edit_list *list, struct edit edit)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        struct edit *items = arena_alloc(arena, capacity * sizeof *items);

        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = edit;
}

/* A map as a value leads further down, so that the keys beside it stay; its keys are not split. */
static void list_add_value(struct arena *arena, struct edit_list *list, struct edit edit)
{
    if (edit.value->kind != NODE_MAP || edit.value->count == 0) {
        list_add(arena, list, edit);
        return;
    }
    NODE_EACH(child, edit.value)
    {
        const char **path = arena_alloc(arena, (edit.depth + 1) * sizeof *path);

        memcpy(path, edit.path, edit.depth * sizeof *path);
        path[edit.depth] = child->key;
        list_add_value(arena, list,
                       (struct edit){.path = path, .depth = edit.depth + 1, .value = child});
    }
}

static struct error *list_add_key(struct work *work, struct edit_list *list, enum edit_kind kind,
                                  const struct node *node)
{
    struct edit edit = {.kind = kind};
    const char *key = node->key;
    struct node *value;
    struct error *error = NULL;

    if (kind != EDIT_SET)
        error = work_text(work, node, &key);
    if (error == NULL)
        error = edit_path(work->arena, list->format, key, &edit.path, &edit.depth);
    if (error == NULL && kind == EDIT_SET)
        error = expand_tree(work, node, &value);
    if (error != NULL)
        return error;
    if (kind == EDIT_SET) {
        edit.value = value;
        list_add_value(work->arena, list, edit);
    } else {
        list_add(work->arena, list, edit);
    }
    return NULL;
}

struct error *edit_conf_edits(struct work *work, struct edit_list *out)
{
    *out = (struct edit_list){0};
    if (!edit_conf_format(work->step->params, &out->format))
        return NULL;
    for (size_t at = 0; at < ARRAY_COUNT(edit_conf_order); at++) {
        enum edit_kind kind = edit_conf_order[at];

        NODE_EACH(node, node_find(work->step->params, edit_conf_verbs[kind]))
        {
            struct error *error = list_add_key(work, out, kind, node);

            if (error != NULL)
                return error;
        }
    }
    return NULL;
}
