/* The action edit-conf: taking an edit back where somebody else has changed the file since. */
#include "edit_conf.h"

#include <string.h>

static bool equal_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
    return a_length == b_length && memcmp(a, b, a_length) == 0;
}

static struct error *is_absent(struct work *work, enum edit_format format,
                               const struct host_file *file, const struct edit *edit, bool *out)
{
    const char *bytes;
    size_t length;
    struct error *error =
        edit_bytes(work->arena, format, file->bytes, file->length, edit, 1, &bytes, &length);

    if (error == NULL)
        *out = equal_bytes(bytes, length, file->bytes, file->length);
    return error;
}

/*
 * The edit that takes EDIT back: what was not there before goes, with the maps that were made for
 * it. An older value is not known well enough to be written into a stranger's text.
 */
static struct error *inverse_of(struct work *work, enum edit_format format, const struct edit *edit,
                                const struct host_file *before, struct edit *out, bool *is_known)
{
    *is_known = false;
    if (edit->kind != EDIT_SET)
        return NULL;
    for (size_t depth = 1; depth <= edit->depth; depth++) {
        struct error *error;

        *out = (struct edit){.kind = EDIT_UNSET, .path = edit->path, .depth = depth};
        error = is_absent(work, format, before, out, is_known);
        if (error != NULL || *is_known)
            return error;
    }
    return NULL;
}

static struct error *changed(struct work *work, const struct step *step, const char *path)
{
    return error_hint(
        work->arena,
        error_new(work->arena, ERROR_FAILED,
                  "\"%s\" was changed by somebody else since step \"%s\"", path, step->id),
        "Take back in it by hand what that step did, resolve this step as done, and resume.");
}

struct error *edit_conf_undo(struct work *work, const struct step *step, const char *path,
                             const struct host_file *before, const struct host_file *now,
                             struct edit_undo *out)
{
    struct work edited = *work;
    struct edit_list edits;
    const char *after;
    size_t after_length;

    *out = (struct edit_undo){.is_whole = true};
    edited.step = step;

    struct error *error = edit_conf_edits(&edited, &edits);

    // A file that was made, written whole or removed has nothing of anybody else that could stay.
    if (error != NULL || edits.count == 0 || !before->exists)
        return error;
    error = edit_bytes(work->arena, edits.format, before->bytes, before->length, edits.items,
                       edits.count, &after, &after_length);
    if (error != NULL || !now->exists)
        return error != NULL ? error : changed(work, step, path);
    if (equal_bytes(now->bytes, now->length, after, after_length) ||
        equal_bytes(now->bytes, now->length, before->bytes, before->length))
        return NULL;

    struct edit *inverse = arena_alloc(work->arena, edits.count * sizeof *inverse);

    for (size_t at = 0; at < edits.count; at++) {
        bool is_known;

        error = inverse_of(work, edits.format, &edits.items[at], before, &inverse[at], &is_known);
        if (error != NULL || !is_known)
            return error != NULL ? error : changed(work, step, path);
    }
    out->is_whole = false;
    return edit_bytes(work->arena, edits.format, now->bytes, now->length, inverse, edits.count,
                      &out->bytes, &out->length);
}
