#include "base/node.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const struct node *node_find(const struct node *map, const char *key)
{
    if (map == NULL || map->kind != NODE_MAP)
        return NULL;
    NODE_EACH(child, map)
    {
        if (strcmp(child->key, key) == 0)
            return child;
    }
    return NULL;
}

const char *node_text(const struct node *map, const char *key)
{
    const struct node *child = node_find(map, key);

    return child == NULL ? NULL : child->text;
}

bool node_bool(const struct node *map, const char *key, bool otherwise)
{
    const char *text = node_text(map, key);

    if (equal(text, "true"))
        return true;
    return equal(text, "false") ? false : otherwise;
}

int64_t node_integer(const struct node *map, const char *key, int64_t otherwise)
{
    const char *text = node_text(map, key);
    char *end;

    if (text == NULL || *text == '\0')
        return otherwise;
    errno = 0;

    long long number = strtoll(text, &end, 10);

    return errno != 0 || *end != '\0' ? otherwise : number;
}

bool node_has(const struct node *node, const char *text)
{
    if (node != NULL && node->kind != NODE_LIST)
        return equal(node->text, text);
    NODE_EACH(item, node)
    {
        if (equal(item->text, text))
            return true;
    }
    return false;
}

const char *node_kind_name(enum node_kind kind)
{
    static const char *const names[] = {
        [NODE_NULL] = "nothing",  [NODE_BOOLEAN] = "true or false",
        [NODE_NUMBER] = "number", [NODE_TEXT] = "text",
        [NODE_LIST] = "list",     [NODE_MAP] = "map",
    };

    return names[kind];
}

static bool is_json_integer(const char *text)
{
    if (*text == '-')
        text++;
    if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    return strspn(text, "0123456789") == strlen(text);
}

static bool is_json_word(const char *text)
{
    return equal(text, "true") || equal(text, "false") || equal(text, "null") ||
           is_json_integer(text);
}

static void scalar_append_json(struct text *text, const struct node *node)
{
    if (node->kind == NODE_NULL)
        text_append(text, "null");
    else if (node->kind != NODE_TEXT || (node->is_plain && is_json_word(node->text)))
        text_append(text, node->text);
    else
        text_append_json(text, node->text, node->length);
}

void node_append_json(struct text *text, const struct node *node)
{
    if (node->kind != NODE_LIST && node->kind != NODE_MAP) {
        scalar_append_json(text, node);
        return;
    }
    text_append(text, node->kind == NODE_LIST ? "[" : "{");
    NODE_EACH(child, node)
    {
        if (child != node->child)
            text_append(text, ",");
        if (child->key != NULL) {
            text_append_json(text, child->key, strlen(child->key));
            text_append(text, ":");
        }
        node_append_json(text, child);
    }
    text_append(text, node->kind == NODE_LIST ? "]" : "}");
}

static struct node *node_from_json(struct arena *arena, json_t *json);

static void node_add_child(struct node *parent, const struct node **last, struct node *child)
{
    if (*last == NULL)
        parent->child = child;
    else
        ((struct node *)*last)->next = child;
    *last = child;
    parent->count++;
}

static void children_from_json(struct arena *arena, struct node *node, json_t *json)
{
    const struct node *last = NULL;

    if (json_is_array(json)) {
        for (size_t at = 0; at < json_array_size(json); at++)
            node_add_child(node, &last, node_from_json(arena, json_array_get(json, at)));
        return;
    }

    const char *key;
    json_t *value;

    json_object_foreach(json, key, value)
    {
        struct node *child = node_from_json(arena, value);

        child->key = arena_strdup(arena, key);
        node_add_child(node, &last, child);
    }
}

static struct node *node_from_json(struct arena *arena, json_t *json)
{
    struct node *node = arena_alloc(arena, sizeof *node);

    switch (json_typeof(json)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        node->kind = json_is_array(json) ? NODE_LIST : NODE_MAP;
        children_from_json(arena, node, json);
        return node;
    case JSON_STRING:
        node->kind = NODE_TEXT;
        node->text = arena_copy(arena, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        node->kind = NODE_NUMBER;
        node->text = arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        break;
    case JSON_REAL:
        node->kind = NODE_NUMBER;
        node->text = arena_printf(arena, "%.17g", json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        node->kind = NODE_BOOLEAN;
        node->text = json_is_true(json) ? "true" : "false";
        break;
    case JSON_NULL:
        node->kind = NODE_NULL;
        return node;
    }
    node->length = strlen(node->text);
    return node;
}

struct error *json_parse(struct arena *arena, const char *what, const char *bytes, size_t length,
                         const struct node **out)
{
    json_error_t problem;
    json_t *json = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);

    if (json == NULL)
        return error_new(arena, ERROR_FAILED, "could not read %s as JSON: %s, line %d", what,
                         problem.text, problem.line);
    *out = node_from_json(arena, json);
    json_decref(json);
    return NULL;
}

const char *json_library(void)
{
    return jansson_version_str();
}
