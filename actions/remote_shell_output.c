/* The action remote-shell: what a job that has ended means, is saved and is shown. */
#include "remote_shell.h"

#include <stdlib.h>
#include <string.h>

enum {
    SAVED_MOST = 64 * 1024,
    SHOWN_MOST = 32 * 1024, /* of each stream, its end */
    TOLD_LINES = 20,        /* of standard error, in the message of a failure */
    TOLD_MOST = 4096,
};

static bool status_is_success(const struct node *params, int status)
{
    const struct node *list = node_find(params, "succeed-on");

    NODE_EACH(item, list)
    {
        if (strtol(item->text, NULL, 10) == status)
            return true;
    }
    return list == NULL && status == 0;
}

/* The last lines of a stream, at most COUNT of them and MOST bytes, without blank space behind. */
static const char *last_lines(struct arena *arena, const struct text *stream, int count,
                              size_t most)
{
    CLEANUP(text_release) struct text visible = {0};
    const char *bytes = text_string(stream);
    size_t end = stream->length, start;

    while (end > 0 && (bytes[end - 1] == '\n' || bytes[end - 1] == ' '))
        end--;
    for (start = end; start > 0 && end - start < most; start--) {
        if (bytes[start - 1] == '\n' && --count == 0)
            break;
    }
    text_append_visible(&visible, bytes + start, end - start);
    return text_copy(&visible, arena);
}

static void show_stream(struct work *work, const struct text *stream)
{
    size_t start = stream->length > SHOWN_MOST ? stream->length - SHOWN_MOST : 0;
    const char *bytes = text_string(stream);

    while (start > 0 && start < stream->length && bytes[start - 1] != '\n')
        start++;
    if (start > 0)
        text_append_format(&work->shown, "... %zu bytes before this are not shown\n", start);
    text_append_visible(&work->shown, bytes + start, stream->length - start);
    if (stream->length > start && bytes[stream->length - 1] != '\n')
        text_append(&work->shown, "\n");
}

static struct error *save_refused(struct work *work, const char *why)
{
    return error_new(work->arena, ERROR_FAILED, "its output cannot be saved: %s", why);
}

/* One name: the whole output without its last newlines. Several: one line each. */
static struct error *save_output(struct work *work, const struct text *stream)
{
    const struct node *names = node_find(work->step->params, "save");
    const char *bytes = text_string(stream);
    size_t length = stream->length;

    if (names == NULL)
        return NULL;
    while (length > 0 && bytes[length - 1] == '\n')
        length--;
    if (length > SAVED_MOST)
        return save_refused(work, "it is more than 64 KiB");
    for (size_t at = 0, size; at < length; at += size) {
        size = utf8_length(bytes + at, length - at, NULL);
        if (size == 0)
            return save_refused(work, "it is not UTF-8 text");
        if (bytes[at] == '\0')
            return save_refused(work, "it holds a NUL");
    }

    char *text = arena_copy(work->arena, bytes, length);
    uint32_t lines = 1;

    for (size_t at = 0; at < length; at++)
        lines += text[at] == '\n';
    if (names->count == 1) {
        work_save(work, names->child->text, text);
        return NULL;
    }
    if (lines != names->count)
        return save_refused(work,
                            arena_printf(work->arena, "it has %u lines, and there are %u names",
                                         length == 0 ? 0 : lines, names->count));
    NODE_EACH(name, names)
    {
        char *line = strsep(&text, "\n");

        work_save(work, name->text, line);
    }
    return NULL;
}

static struct error *status_error(struct work *work, const struct job_result *result)
{
    const char *told = last_lines(work->arena, &result->err, TOLD_LINES, TOLD_MOST);

    return error_new(work->arena, ERROR_FAILED, "exit status %d%s%s", result->status,
                     *told == '\0' ? "" : (strchr(told, '\n') == NULL ? ": " : ":\n"), told);
}

struct error *remote_shell_finish(struct work *work, const struct secret *secret,
                                  struct job_result *result)
{
    bool is_hidden = remote_shell_hide(work, secret, &result->out);

    (void)remote_shell_hide(work, secret, &result->err);
    show_stream(work, &result->out);
    show_stream(work, &result->err);
    if (!status_is_success(work->step->params, result->status))
        return status_error(work, result);
    if (is_hidden && node_find(work->step->params, "save") != NULL)
        return save_refused(work, "it holds the secret that the job read");
    return save_output(work, &result->out);
}
