/*
 * JSON, edited in place: what stands before and behind the member stays byte for byte, and a new
 * member is written like its neighbours. The file is parsed first, so the scanner here only ever
 * sees valid JSON.
 */
#include "edit.h"

#include <string.h>

struct member {
    size_t key, key_end; /* with quotes */
    size_t value, value_end;
    size_t behind; /* the comma or the closing brace */
};

static size_t skip_space(const char *bytes, size_t at)
{
    return at + strspn(bytes + at, " \t\r\n");
}

static size_t string_end(const char *bytes, size_t at)
{
    for (at++; bytes[at] != '"'; at++) {
        if (bytes[at] == '\\')
            at++;
    }
    return at + 1;
}

/* Behind the value at AT. */
static size_t value_end(const char *bytes, size_t at)
{
    int depth = 0;

    do {
        if (bytes[at] == '"') {
            at = string_end(bytes, at);
            continue;
        }
        depth += (bytes[at] == '[' || bytes[at] == '{') - (bytes[at] == ']' || bytes[at] == '}');
        at++;
        if (depth == 0 && strchr("]}", bytes[at - 1]) == NULL)
            at += strcspn(bytes + at, ",]} \t\r\n");
    } while (depth > 0);
    return at;
}

/* The first member behind AT, which is an opening brace or a comma; false: there is none. */
static bool next_member(const char *bytes, size_t at, struct member *out)
{
    out->key = skip_space(bytes, at + 1);
    if (bytes[at] == '}' || bytes[out->key] == '}')
        return false;
    out->key_end = string_end(bytes, out->key);
    out->value = skip_space(bytes, skip_space(bytes, out->key_end) + 1);
    out->value_end = value_end(bytes, out->value);
    out->behind = skip_space(bytes, out->value_end);
    return true;
}

static bool key_is(struct arena *arena, const char *bytes, const struct member *member,
                   const char *key)
{
    size_t length = member->key_end - member->key - 2;
    const char *raw = bytes + member->key + 1;
    const struct node *list;

    if (memchr(raw, '\\', length) == NULL)
        return strlen(key) == length && memcmp(raw, key, length) == 0;

    const char *text = arena_printf(arena, "[\"%.*s\"]", (int)length, raw);

    return json_parse(arena, "key", text, strlen(text), &list) == NULL &&
           equal(list->child->text, key);
}

/* Finds KEY in the map at OPEN; *last is the last member, where HAS_ANY. */
static bool find_member(struct arena *arena, const char *bytes, size_t open, const char *key,
                        struct member *out, struct member *last, bool *has_any)
{
    size_t at = open;

    *has_any = false;
    while (next_member(bytes, at, out)) {
        *has_any = true;
        *last = *out;
        if (key_is(arena, bytes, out, key))
            return true;
        at = out->behind;
    }
    return false;
}

static bool is_number(const char *text)
{
    const char *start = text + (*text == '-');
    size_t digits = strspn(start, "0123456789");

    if (digits == 0 || (start[0] == '0' && digits > 1))
        return false;
    if (start[digits] == '.') {
        size_t fraction = strspn(start + digits + 1, "0123456789");

        if (fraction == 0)
            return false;
        digits += fraction + 1;
    }
    return start[digits] == '\0';
}

static void append_value(struct text *out, const struct node *value)
{
    // node_append_json knows integers only; a fraction of a YAML file is a number here too.
    if (value->kind == NODE_TEXT && value->is_plain && is_number(value->text)) {
        text_append(out, value->text);
        return;
    }
    if (value->kind != NODE_LIST && value->kind != NODE_MAP) {
        node_append_json(out, value);
        return;
    }
    text_append(out, value->kind == NODE_LIST ? "[" : "{");
    NODE_EACH(child, value)
    {
        if (child != value->child)
            text_append(out, ", ");
        if (child->key != NULL) {
            text_append_json(out, child->key, strlen(child->key));
            text_append(out, ": ");
        }
        append_value(out, child);
    }
    text_append(out, value->kind == NODE_LIST ? "]" : "}");
}

/* The value, inside maps for the components of the path behind DEPTH. */
static void append_wrapped(struct text *out, const struct edit *edit, size_t depth)
{
    for (size_t at = depth + 1; at < edit->depth; at++) {
        text_append(out, "{");
        text_append_json(out, edit->path[at], strlen(edit->path[at]));
        text_append(out, ": ");
    }
    append_value(out, edit->value);
    for (size_t at = depth + 1; at < edit->depth; at++)
        text_append(out, "}");
}

/* White space before the first member of an empty map at OPEN, by what the file does elsewhere. */
static void append_layout(struct text *out, const char *bytes, size_t open, size_t root,
                          struct text *closing)
{
    size_t first = skip_space(bytes, root + 1), line = open;
    const char *newline = memchr(bytes + root, '\n', first - root);

    if (newline == NULL)
        return;
    while (line > 0 && bytes[line - 1] != '\n')
        line--;

    size_t indent = strspn(bytes + line, " \t");
    size_t unit = bytes[first] == '"' ? (size_t)(bytes + first - newline - 1) : 2;

    text_append(closing, newline > bytes && newline[-1] == '\r' ? "\r\n" : "\n");
    text_append_bytes(closing, bytes + line, indent);
    text_append(out, text_string(closing));
    text_append_format(out, "%*s", (int)unit, "");
}

static void insert(const char *bytes, size_t length, const struct edit *edit, size_t depth,
                   size_t open, size_t root, const struct member *last, struct text *out)
{
    CLEANUP(text_release) struct text closing = {0};
    size_t rest = last != NULL ? last->value_end : value_end(bytes, open) - 1;

    text_append_bytes(out, bytes, last != NULL ? last->value_end : open + 1);
    if (last != NULL) {
        size_t before = last->key;

        while (strchr(" \t\r\n", bytes[before - 1]) != NULL)
            before--;
        text_append(out, ",");
        text_append_bytes(out, bytes + before, last->key - before);
        if (before == last->key && bytes[before - 1] == '{' && bytes[last->value - 1] == ' ')
            text_append(out, " ");
    } else {
        append_layout(out, bytes, open, root, &closing);
    }
    text_append_json(out, edit->path[depth], strlen(edit->path[depth]));
    if (last != NULL)
        text_append_bytes(out, bytes + last->key_end, last->value - last->key_end);
    else
        text_append(out, ": ");
    append_wrapped(out, edit, depth);
    text_append(out, text_string(&closing));
    text_append_bytes(out, bytes + rest, length - rest);
}

/* Without the member, and without one of the commas beside it. */
static void cut(const char *bytes, size_t length, size_t open, const struct member *member,
                struct text *out)
{
    size_t start = member->key, end = member->value_end;

    while (strchr(" \t\r\n", bytes[start - 1]) != NULL)
        start--;
    if (bytes[start - 1] == ',') {
        start--;
    } else if (bytes[member->behind] == ',') {
        start = member->key;
        end = skip_space(bytes, member->behind + 1);
    } else {
        start = open + 1;
        end = member->behind;
    }
    text_append_bytes(out, bytes, start);
    text_append_bytes(out, bytes + end, length - end);
}

static bool is_same_value(const char *bytes, const struct node *value, const struct member *member,
                          struct arena *arena)
{
    CLEANUP(text_release) struct text old = {0}, wanted = {0}, new = {0};
    const struct node *list;

    // Both go through the same parser and printer, so that only the meaning is compared.
    text_append_format(&wanted, "[");
    append_value(&wanted, value);
    text_append(&wanted, "]");
    text_append_format(&old, "[%.*s]", (int)(member->value_end - member->value),
                       bytes + member->value);
    if (json_parse(arena, "value", text_string(&old), old.length, &list) != NULL)
        return false;
    text_clear(&old);
    node_append_json(&old, list);
    if (json_parse(arena, "value", text_string(&wanted), wanted.length, &list) != NULL)
        return false;
    node_append_json(&new, list);
    return equal(text_string(&old), text_string(&new));
}

struct error *edit_json(struct arena *arena, const char *bytes, size_t length,
                        const struct edit *edit, struct text *out)
{
    const struct node *tree;
    struct member member = {0}, last = {0};
    bool has_any = false, is_found = false;
    struct error *error;
    size_t root = 0, open;

    if (skip_space(bytes, 0) == length && edit->kind == EDIT_SET) {
        bytes = "{}\n";
        length = strlen(bytes);
    }
    if (skip_space(bytes, 0) == length) {
        text_append_bytes(out, bytes, length);
        return NULL;
    }
    error = json_parse(arena, "the file", bytes, length, &tree);
    if (error != NULL)
        return error;
    if (edit->kind != EDIT_SET && edit->kind != EDIT_UNSET)
        return error_new(arena, ERROR_FAILED, "json files have no entries to comment out");
    open = root = skip_space(bytes, 0);

    size_t depth = 0;

    for (; depth < edit->depth; depth++) {
        if (bytes[open] != '{')
            return error_new(arena, ERROR_FAILED, "\"%s\" is not a map",
                             depth == 0 ? "/" : edit->path[depth - 1]);
        is_found = find_member(arena, bytes, open, edit->path[depth], &member, &last, &has_any);
        if (!is_found || depth + 1 == edit->depth)
            break;
        open = member.value;
    }
    if (is_found ? edit->kind == EDIT_SET && is_same_value(bytes, edit->value, &member, arena)
                 : edit->kind == EDIT_UNSET) {
        text_append_bytes(out, bytes, length);
    } else if (edit->kind == EDIT_UNSET) {
        cut(bytes, length, open, &member, out);
    } else if (is_found) {
        text_append_bytes(out, bytes, member.value);
        append_value(out, edit->value);
        text_append_bytes(out, bytes + member.value_end, length - member.value_end);
    } else {
        insert(bytes, length, edit, depth, open, root, has_any ? &last : NULL, out);
    }
    return NULL;
}
