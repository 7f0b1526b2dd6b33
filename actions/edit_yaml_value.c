/* How a value looks in a YAML file; see edit_yaml.h. */
#include "edit_yaml.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool yaml_is_null(const struct node *node)
{
    if (node == NULL || node->kind == NODE_NULL)
        return true;
    return node->kind == NODE_TEXT && node->is_plain &&
           (node->length == 0 || equal(node->text, "~") || strcasecmp(node->text, "null") == 0);
}

/* Whether some YAML reader takes the plain TEXT for anything but a text. */
static bool looks_typed(const char *text)
{
    static const char *const words[] = {
        "",    "~", "null", "true", "false", "yes",  "no",   "on",
        "off", "y", "n",    "=",    "<<",    ".inf", ".nan", "-.inf",
    };
    const char *start = text + (*text == '-' || *text == '+');
    const char *dot;

    for (size_t at = 0; at < ARRAY_COUNT(words); at++) {
        if (strcasecmp(text, words[at]) == 0)
            return true;
    }
    if (start[0] == '0' && strchr("xXoObB", start[1]) != NULL)
        return true;
    if (!isdigit((unsigned char)start[*start == '.']) ||
        strspn(start, "0123456789_.:eE+-TZ ") != strlen(start))
        return false;

    // Numbers, dates and sexagesimals have one dot at most; an address has three.
    dot = strchr(start, '.');
    return dot == NULL || strchr(dot + 1, '.') == NULL;
}

static bool is_typed(const struct node *node)
{
    if (node->kind != NODE_TEXT)
        return true;
    return node->is_plain && looks_typed(node->text);
}

static bool scalars_are_same(const struct node *a, const struct node *b)
{
    if (yaml_is_null(a) || yaml_is_null(b))
        return yaml_is_null(a) && yaml_is_null(b);
    return is_typed(a) == is_typed(b) && a->length == b->length &&
           memcmp(a->text, b->text, a->length) == 0;
}

static bool is_collection(const struct node *node)
{
    return node != NULL && (node->kind == NODE_LIST || node->kind == NODE_MAP);
}

bool yaml_is_same(const struct node *a, const struct node *b)
{
    if (!is_collection(a) && !is_collection(b))
        return scalars_are_same(a, b);
    if (a == NULL || b == NULL || a->kind != b->kind || a->count != b->count)
        return false;

    const struct node *other = b->child;

    NODE_EACH(child, a)
    {
        const struct node *match = equal(child->key, other->key) ? other : node_find(b, child->key);

        if (match == NULL || !yaml_is_same(child, match))
            return false;
        other = other->next;
    }
    return true;
}

static bool can_be_plain(const char *text, size_t length)
{
    if (length == 0 || (!isalnum((unsigned char)text[0]) && strchr("/_.-+", text[0]) == NULL))
        return false;
    if (strchr("-+.", text[0]) != NULL && !isalnum((unsigned char)text[1]))
        return false;
    for (size_t at = 0; at < length; at++) {
        bool is_special = text[at] == ':' || text[at] == ' ';

        if (!isalnum((unsigned char)text[at]) && strchr("_./-+@%=~$^*();<>|:& ", text[at]) == NULL)
            return false;
        if (text[at] == '\0' || (is_special && (at + 1 == length || text[at + 1] == ' ')))
            return false;
    }
    return true;
}

static void append_text(struct text *out, const char *text, size_t length, bool is_plain)
{
    bool has_control = false;

    if (can_be_plain(text, length) && (is_plain || !looks_typed(text))) {
        text_append_bytes(out, text, length);
        return;
    }
    for (size_t at = 0; at < length; at++)
        has_control = has_control || iscntrl((unsigned char)text[at]);
    if (has_control) {
        text_append_json(out, text, length);
        return;
    }
    text_append(out, "'");
    for (size_t at = 0; at < length; at++)
        text_append_bytes(out, text[at] == '\'' ? "''" : text + at, text[at] == '\'' ? 2 : 1);
    text_append(out, "'");
}

static void append_key(struct text *out, const char *key)
{
    append_text(out, key, strlen(key), false);
}

void yaml_append_value(struct text *out, const struct node *value)
{
    if (yaml_is_null(value)) {
        text_append(out, "null");
        return;
    }
    if (!is_collection(value)) {
        append_text(out, value->text, value->length, is_typed(value) || value->is_plain);
        return;
    }
    text_append(out, value->kind == NODE_LIST ? "[" : "{");
    NODE_EACH(child, value)
    {
        if (child != value->child)
            text_append(out, ", ");
        if (child->key != NULL) {
            append_key(out, child->key);
            text_append(out, ": ");
        }
        yaml_append_value(out, child);
    }
    text_append(out, value->kind == NODE_LIST ? "]" : "}");
}

void yaml_append_entry(struct text *out, const char *key, const struct node *value, size_t indent,
                       const char *ending)
{
    text_append_format(out, "%*s", (int)indent, "");
    append_key(out, key);
    text_append(out, ":");
    if (value->kind == NODE_MAP && value->count > 0) {
        text_append(out, ending);
        NODE_EACH(child, value)
        {
            yaml_append_entry(out, child->key, child, indent + 2, ending);
        }
        return;
    }
    text_append(out, " ");
    yaml_append_value(out, value);
    text_append(out, ending);
}
