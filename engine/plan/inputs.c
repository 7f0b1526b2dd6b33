#include "plan/inputs.h"

#include "base/file.h"

#include <string.h>

#define MANIFEST "manifest"
#define LAST_LINE "# complete\n" /* whatever the manifest has lost, it has lost this too */

enum {
    MANIFEST_LARGEST = 1024 * 1024,
    COPY_LARGEST = 64 * 1024 * 1024, /* what was frozen had its own, smaller limit */
    NAME_MOST = 64,                  /* bytes of the original's name that a copy keeps */
};

struct inputs {
    struct arena *arena;
    bool is_frozen;
    struct input *first, *last;
};

struct inputs *inputs_live(struct arena *arena)
{
    struct inputs *inputs = arena_alloc(arena, sizeof *inputs);

    inputs->arena = arena;
    return inputs;
}

const struct input *inputs_first(const struct inputs *inputs)
{
    return inputs->first;
}

const struct input *inputs_of_role(const struct inputs *inputs, const char *role)
{
    const struct input *input = inputs->first;

    while (input != NULL && !equal(input->role, role))
        input = input->next;
    return input;
}

static const struct input *find(const struct inputs *inputs, const char *path)
{
    for (const struct input *input = inputs->first; input != NULL; input = input->next) {
        if (strcmp(input->path, path) == 0)
            return input;
    }
    return NULL;
}

static struct error *read_file(struct inputs *inputs, const char *role, const char *path,
                               const char *from, size_t limit, struct input **out)
{
    struct input *input = arena_alloc(inputs->arena, sizeof *input);
    char *bytes;
    struct error *error = file_read(inputs->arena, from, limit, &bytes, &input->length);

    if (error != NULL)
        return error;
    input->role = arena_strdup(inputs->arena, role);
    input->path = arena_strdup(inputs->arena, path);
    input->bytes = bytes;
    sha256_hex(bytes, input->length, input->digest);
    *out = input;
    return NULL;
}

static void append(struct inputs *inputs, struct input *input)
{
    if (inputs->last == NULL)
        inputs->first = input;
    else
        inputs->last->next = input;
    inputs->last = input;
}

struct error *inputs_read(struct inputs *inputs, const char *role, const char *path, size_t limit,
                          const struct input **out)
{
    const struct input *known = find(inputs, path);

    if (known != NULL && known->length > limit)
        return error_new(inputs->arena, ERROR_INPUT, "file \"%s\" is larger than %zu bytes", path,
                         limit);
    if (known != NULL) {
        *out = known;
        return NULL;
    }
    if (inputs->is_frozen)
        return error_new(inputs->arena, ERROR_INPUT,
                         "file \"%s\" is not among those that the run has copied", path);

    struct input *input;
    struct error *error = read_file(inputs, role, path, path, limit, &input);

    if (error != NULL)
        return error;
    append(inputs, input);
    *out = input;
    return NULL;
}

void inputs_put(struct inputs *inputs, const char *role, const char *path, const char *bytes,
                size_t length)
{
    struct input *input = arena_alloc(inputs->arena, sizeof *input);

    *input = (struct input){.role = role, .path = path, .bytes = bytes, .length = length};
    sha256_hex(bytes, length, input->digest);
    append(inputs, input);
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/* "02-cluster.yml": tells a person what it is, and can lead nowhere but into the folder. */
static const char *copy_name(struct arena *arena, int number, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name =
        arena_printf(arena, "%02d-%.*s", number, NAME_MOST, slash == NULL ? path : slash + 1);

    for (char *at = name; *at != '\0'; at++) {
        if (!is_name_character(*at))
            *at = '_';
    }
    return name;
}

static bool copy_name_is_safe(const char *name)
{
    if (*name < '0' || *name > '9')
        return false;
    for (const char *at = name; *at != '\0'; at++) {
        if (!is_name_character(*at))
            return false;
    }
    return true;
}

/*
 * The manifest has two lines for each copy: a remark with role and original path, and a line that
 * sha256sum --check understands. It is written last: with it, the copies are complete.
 */
struct error *inputs_freeze(struct arena *arena, const struct inputs *inputs, const char *folder)
{
    CLEANUP(text_release) struct text manifest = {.limit = MANIFEST_LARGEST};
    struct error *error = folder_make(arena, folder, 0700);
    int number = 0;

    for (const struct input *input = inputs->first; input != NULL && error == NULL;
         input = input->next) {
        const char *name = copy_name(arena, ++number, input->path);

        if (strchr(input->path, '\n') != NULL)
            return error_new(arena, ERROR_INPUT, "cannot copy \"%s\": its name has a line break",
                             input->path);
        text_append_format(&manifest, "# %s %s\n%s  %s\n", input->role, input->path, input->digest,
                           name);
        error =
            file_write(arena, path_join(arena, folder, name), input->bytes, input->length, 0600);
    }
    if (error != NULL)
        return error;
    text_append(&manifest, LAST_LINE);
    if (manifest.truncated)
        return error_new(arena, ERROR_INPUT, "cannot copy %d files: they are too many", number);
    return file_write(arena, path_join(arena, folder, MANIFEST), text_string(&manifest),
                      manifest.length, 0600);
}

/* Cuts LINE at its newline and returns the next one; NULL if there is no newline. */
static char *line_end(char *line)
{
    char *newline = strchr(line, '\n');

    if (newline == NULL)
        return NULL;
    *newline = '\0';
    return newline + 1;
}

/* One copy, from its two lines in the manifest. */
static struct error *thaw(struct inputs *inputs, const char *folder, char *remark, const char *line)
{
    char *path = starts_with(remark, "# ") ? strchr(remark + 2, ' ') : NULL;
    const char *name = line + DIGEST_SIZE + 1;
    struct input *input;

    if (path == NULL || strlen(line) <= DIGEST_SIZE + 1 ||
        strncmp(line + DIGEST_SIZE - 1, "  ", 2) != 0 || !copy_name_is_safe(name))
        return error_new(inputs->arena, ERROR_INPUT, "\"%s/" MANIFEST "\" is damaged", folder);
    *path++ = '\0';

    const char *from = path_join(inputs->arena, folder, name);
    struct error *error = read_file(inputs, remark + 2, path, from, COPY_LARGEST, &input);

    if (error != NULL)
        return error;
    if (strncmp(input->digest, line, DIGEST_SIZE - 1) != 0)
        return error_new(inputs->arena, ERROR_INPUT,
                         "\"%s\" is not what the run has copied: its digest differs", from);
    append(inputs, input);
    return NULL;
}

struct error *inputs_frozen(struct arena *arena, const char *folder, struct inputs **out)
{
    struct inputs *inputs = inputs_live(arena);
    char *line;
    size_t length;
    struct error *error =
        file_read(arena, path_join(arena, folder, MANIFEST), MANIFEST_LARGEST, &line, &length);

    while (error == NULL && strcmp(line, LAST_LINE) != 0) {
        char *second = line_end(line);
        char *next = second == NULL ? NULL : line_end(second);

        if (next == NULL)
            return error_new(arena, ERROR_INPUT, "\"%s/" MANIFEST "\" is damaged", folder);
        error = thaw(inputs, folder, line, second);
        line = next;
    }
    if (error != NULL)
        return error;
    inputs->is_frozen = true;
    *out = inputs;
    return NULL;
}
