/*
 * YAML: the tree that libyaml reads says what is where, the edit itself is made on lines, and the
 * result is read again: it must be the old tree with this one change, or nothing is returned.
 */
#include "edit_yaml.h"

#include "edit.h"

#include <string.h>

/* The way to the edit's entry, as far as it exists. */
struct way {
    const struct node *map;   /* that holds the deepest component found, or NULL */
    const struct node *node;  /* the deepest component's value; the root at depth 0 */
    size_t depth;             /* components found */
    struct yaml_entry entry;  /* of the deepest component, where depth > 0 */
    struct yaml_entry parent; /* of the one above it, where depth > 1 */
    int limit;                /* the line behind the deepest component */
};

static bool is_empty(const struct node *node)
{
    return node == NULL || yaml_is_null(node) || (node->kind == NODE_MAP && node->count == 0);
}

static struct error *way_find(const struct yaml_document *document, const struct edit *edit,
                              struct way *out)
{
    struct way way = {.node = document->root, .limit = document->count + 1};

    while (way.depth < edit->depth && !is_empty(way.node)) {
        const char *key = edit->path[way.depth];
        const struct node *child = node_find(way.node, key);
        struct error *error;

        if (way.node->kind != NODE_MAP)
            return error_new(document->arena, ERROR_FAILED, "line %d: \"%s\" is a %s, not a map",
                             way.node->line, way.depth == 0 ? "/" : edit->path[way.depth - 1],
                             node_kind_name(way.node->kind));
        if (way.depth > 0 && way.entry.value_end > way.entry.value &&
            document->bytes[way.entry.value] == '{')
            return error_new(document->arena, ERROR_FAILED,
                             "line %d: \"%s\" is written in flow style ({...}), which cannot be "
                             "edited",
                             way.entry.first, edit->path[way.depth - 1]);
        if (child == NULL)
            break;
        way.map = way.node;
        way.node = child;
        way.parent = way.entry;
        way.limit = child->next == NULL ? way.limit : child->next->key_line;
        error = yaml_entry_find(document, child, way.limit, &way.entry);
        if (error != NULL)
            return error;
        way.depth++;
    }
    *out = way;
    return NULL;
}

static void append_rest(const struct yaml_document *document, size_t from, struct text *out)
{
    text_append_bytes(out, document->bytes + from, document->length - from);
}

static void replace(const struct yaml_document *document, const struct way *way,
                    const struct edit *edit, struct text *out)
{
    const struct yaml_entry *entry = &way->entry;

    if (entry->first == entry->last && (edit->value->kind != NODE_MAP || edit->value->count == 0)) {
        text_append_bytes(out, document->bytes, entry->value);
        if (entry->value == entry->colon)
            text_append(out, " ");
        yaml_append_value(out, edit->value);
        append_rest(document, entry->value_end, out);
        return;
    }
    text_append_bytes(out, document->bytes, document->lines[entry->first - 1]);
    yaml_append_entry(out, edit->path[edit->depth - 1], edit->value, entry->indent,
                      document->ending);
    append_rest(document, document->lines[entry->last], out);
}

/* An empty map is written as one: Patroni takes `tags:` with nothing behind it for an error. */
static void cut(const struct yaml_document *document, const struct way *way, struct text *out)
{
    size_t start = 0, first = document->lines[way->entry.first - 1];

    if (way->depth > 1 && way->map->count == 1) {
        start = way->parent.colon;
        text_append_bytes(out, document->bytes, start);
        text_append(out, " {}");
    }
    text_append_bytes(out, document->bytes + start, first - start);
    append_rest(document, document->lines[way->entry.last], out);
}

/* The edit's value inside maps for the components of its path that do not exist yet. */
static const struct node *wrap(struct arena *arena, const struct edit *edit, size_t depth)
{
    const struct node *value = edit->value;

    for (size_t at = edit->depth - 1; at > depth; at--) {
        struct node *child = arena_alloc(arena, sizeof *child);
        struct node *map = arena_alloc(arena, sizeof *map);

        *child = *value;
        child->key = edit->path[at];
        child->next = NULL;
        *map = (struct node){.kind = NODE_MAP, .count = 1, .child = child};
        value = map;
    }
    return value;
}

static struct error *insert(const struct yaml_document *document, const struct way *way,
                            const struct edit *edit, struct text *out)
{
    const struct node *value = wrap(document->arena, edit, way->depth), *last = NULL;
    struct yaml_entry entry = way->entry;
    size_t indent = 0, at = document->length, start = 0;

    if (!is_empty(way->node)) {
        NODE_EACH(child, way->node)
        {
            last = child;
        }
        struct error *error = yaml_entry_find(document, last, way->limit, &entry);

        if (error != NULL)
            return error;
        indent = entry.indent;
        at = document->lines[entry.last];
    } else if (way->depth > 0) {
        // What stands for an empty map ({}, null) makes room for its first entry.
        text_append_bytes(out, document->bytes, entry.colon);
        start = entry.value_end;
        indent = entry.indent + 2;
        at = document->lines[entry.first];
    }
    text_append_bytes(out, document->bytes + start, at - start);
    if (at > 0 && document->bytes[at - 1] != '\n')
        text_append(out, document->ending);
    yaml_append_entry(out, edit->path[way->depth], value, indent, document->ending);
    append_rest(document, at, out);
    return NULL;
}

static const struct node *after_key(const struct node *child, const char *key)
{
    return child != NULL && equal(child->key, key) ? child->next : child;
}

/* Whether AFTER is BEFORE with the edit made at PATH, and nothing else: the order is kept too. */
static bool is_edited(const struct node *before, const struct node *after, const struct edit *edit,
                      size_t depth)
{
    const char *key = edit->path[depth];
    const struct node *was = is_empty(before) ? NULL : before->child;
    const struct node *is = is_empty(after) ? NULL : after->child;
    const struct node *old = is_empty(before) ? NULL : node_find(before, key);
    const struct node *new = is_empty(after) ? NULL : node_find(after, key);

    for (was = after_key(was, key), is = after_key(is, key); was != NULL && is != NULL;
         was = after_key(was->next, key), is = after_key(is->next, key)) {
        if (!equal(was->key, is->key) || !yaml_is_same(was, is))
            return false;
    }
    if (was != is)
        return false;
    if (depth + 1 < edit->depth)
        return is_edited(old, new, edit, depth + 1);
    return edit->kind == EDIT_UNSET ? new == NULL : new != NULL &&yaml_is_same(new, edit->value);
}

struct error *edit_yaml(struct arena *arena, const char *bytes, size_t length,
                        const struct edit *edit, struct text *out)
{
    struct yaml_document document = {0}, edited = {0};
    struct way way = {0};
    struct error *error = yaml_document_open(arena, bytes, length, &document);

    if (error == NULL)
        error = way_find(&document, edit, &way);
    if (error != NULL)
        return error;
    if (edit->kind != EDIT_SET && edit->kind != EDIT_UNSET)
        return error_new(arena, ERROR_FAILED, "yaml files have no entries to comment out");
    if (edit->kind == EDIT_UNSET
            ? way.depth < edit->depth
            : way.depth == edit->depth && yaml_is_same(way.node, edit->value)) {
        append_rest(&document, 0, out);
        return NULL;
    }
    if (edit->kind == EDIT_UNSET)
        cut(&document, &way, out);
    else if (way.depth == edit->depth)
        replace(&document, &way, edit, out);
    else
        error = insert(&document, &way, edit, out);
    if (error == NULL)
        error = yaml_document_open(arena, text_string(out), out->length, &edited);
    if (error == NULL && !is_edited(document.root, edited.root, edit, 0))
        error = error_new(arena, ERROR_FAILED,
                          "\"%s\" cannot be edited without changing something else",
                          edit_path_text(arena, edit));
    return error;
}
