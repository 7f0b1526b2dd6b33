/* Edits of configuration files: what is common to all formats. */
#include "edit.h"

#include <string.h>

enum {
    EDITED_LARGEST = 4 * 1024 * 1024,
    PATH_DEEPEST = 32,
};

const char *const edit_format_names[EDIT_FORMAT_COUNT] = {
    [EDIT_POSTGRESQL] = "postgresql",
    [EDIT_INI] = "ini",
    [EDIT_ENV] = "env",
    [EDIT_YAML] = "yaml",
    [EDIT_JSON] = "json",
};

static edit_function *const editors[EDIT_FORMAT_COUNT] = {
    [EDIT_POSTGRESQL] = edit_postgresql,
    [EDIT_INI] = edit_ini,
    [EDIT_ENV] = edit_env,
    [EDIT_YAML] = edit_yaml,
    [EDIT_JSON] = edit_json,
};

struct error *edit_bytes(struct arena *arena, enum edit_format format, const char *bytes,
                         size_t length, const struct edit *edits, size_t count, const char **out,
                         size_t *out_length)
{
    CLEANUP(text_release) struct text one = {.limit = EDITED_LARGEST};
    CLEANUP(text_release) struct text other = {.limit = EDITED_LARGEST};
    struct text *from = &one, *to = &other;

    text_append_bytes(from, bytes, length);
    for (size_t at = 0; at < count; at++) {
        struct text *swapped = from;
        struct error *error;

        text_clear(to);
        error = editors[format](arena, text_string(from), from->length, &edits[at], to);
        if (error != NULL)
            return error;
        if (to->truncated)
            return error_new(arena, ERROR_FAILED, "the file would be larger than %d MiB",
                             EDITED_LARGEST / 1024 / 1024);
        from = to;
        to = swapped;
    }
    *out = arena_copy(arena, text_string(from), from->length);
    *out_length = from->length;
    return NULL;
}

/* One component from *TEXT on: up to a dot, or in double quotes. NULL: there is none. */
static const char *path_component(struct arena *arena, const char **text)
{
    const char *start = *text;
    size_t length;

    if (*start == '"') {
        start++;
        length = strcspn(start, "\"");
        *text = start + length + (start[length] == '"');
        if (start[length] != '"' || (**text != '\0' && **text != '.'))
            return NULL;
    } else {
        length = strcspn(start, ".");
        *text = start + length;
    }
    return length == 0 ? NULL : arena_copy(arena, start, length);
}

struct error *edit_path(struct arena *arena, enum edit_format format, const char *text,
                        const char *const **path, size_t *depth)
{
    size_t most = format == EDIT_INI ? 2 : PATH_DEEPEST;
    const char **components = arena_alloc(arena, PATH_DEEPEST * sizeof *components);
    const char *rest = text;
    size_t count = 0;

    if (format == EDIT_POSTGRESQL || format == EDIT_ENV)
        most = 1;
    do {
        if (count > 0)
            rest++;
        if (count + 1 == most && *rest != '"') {
            components[count] = *rest == '\0' ? NULL : arena_strdup(arena, rest);
            rest = "";
        } else {
            components[count] = path_component(arena, &rest);
        }
        if (components[count++] == NULL)
            return error_new(arena, ERROR_INPUT, "\"%s\" is not a path of keys", text);
    } while (*rest != '\0' && count < most);
    if (*rest != '\0')
        return error_new(arena, ERROR_INPUT, "\"%s\" is not a path of keys", text);
    *path = components;
    *depth = count;
    return NULL;
}

const char *edit_path_text(struct arena *arena, const struct edit *edit)
{
    CLEANUP(text_release) struct text text = {0};

    for (size_t at = 0; at < edit->depth; at++) {
        bool has_dot = edit->depth > 1 && strchr(edit->path[at], '.') != NULL;

        text_append_format(&text, "%s%s%s%s", at > 0 ? "." : "", has_dot ? "\"" : "",
                           edit->path[at], has_dot ? "\"" : "");
    }
    return text_copy(&text, arena);
}
