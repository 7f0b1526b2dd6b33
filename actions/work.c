/* What several actions share: texts of a step, words for a person, fixed scripts. */
#include "work.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

void work_save(struct work *work, const char *name, const char *text)
{
    for (struct saved *known = work->saved; known != NULL; known = known->next)
        if (equal(known->name, name)) {
            known->text = arena_strdup(work->arena, text);
            return;
        }
    struct saved *saved = arena_alloc(work->arena, sizeof(*saved));
    saved->name = arena_strdup(work->arena, name);
    saved->text = arena_strdup(work->arena, text);
    struct saved **end = &work->saved;
    while (*end != NULL)
        end = &(*end)->next;
    *end = saved;
}

void description_add(struct description *description, const char *title, const char *language,
                     const char *text)
{
    struct description_part *part = arena_alloc(description->arena, sizeof(*part));
    part->title = title;
    part->language = language;
    part->text = text;
    if (description->last == NULL)
        description->parts = part;
    else
        description->last->next = part;
    description->last = part;
}

const char *work_application(const struct work *work)
{
    enum { LONGEST = 63, DIGEST = 8 }; /* NAMEDATALEN - 1 */
    const char *name = arena_printf(work->arena, "holdback %s %s", work->run, work->step->id);
    size_t length = strlen(name);
    if (length <= LONGEST)
        return name;
    char digest[DIGEST_SIZE];
    sha256_hex(name, length, digest);
    return arena_printf(work->arena, "%.*s~%.*s", LONGEST - DIGEST - 1, name, DIGEST, digest);
}

struct place work_place(const struct work *work, const struct node *node)
{
    return node_place(work->step->place.file, node);
}

struct error *work_text(struct work *work, const struct node *node, const char **out)
{
    return expand_text(work->arena, work->scope, work->target->name, work_place(work, node),
                       node->text, out);
}

struct error *work_param(struct work *work, const char *key, const char **out)
{
    const struct node *node = node_find(work->step->params, key);
    if (node == NULL) {
        *out = NULL;
        return NULL;
    }
    return work_text(work, node, out);
}

struct error *work_expanded(struct work *work, const struct node *node, struct node **out)
{
    struct node *copy = arena_alloc(work->arena, sizeof(*copy));
    *copy = *node;
    copy->child = copy->next = NULL;
    if (node->kind == NODE_TEXT && strstr(node->text, "${") != NULL) {
        struct error *error = work_text(work, node, &copy->text);
        if (error != NULL)
            return error;
        // A value is data: the text "null" in it must not become a null.
        copy->is_plain = false;
        copy->length = strlen(copy->text);
    }
    struct node *last = NULL;
    NODE_EACH(child, node)
    {
        struct node *expanded;
        struct error *error = work_expanded(work, child, &expanded);
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

static bool says(const struct error *error, const char *words)
{
    for (; error != NULL; error = error->cause)
        if (strstr(error->message, words) != NULL)
            return true;
    return false;
}

enum look work_look_failed(struct work *work, struct error *cause, struct error **error)
{
    *error = cause;
    // An earlier step of a run saves the value; a preview has not run it.
    if (work->is_preview && says(cause, "is not known yet")) {
        work_words(work, "%s", error_text(work->arena, cause));
        return LOOK_UNKNOWN;
    }
    if (work_server_is_down(cause)) {
        work_words(work, "the server is not running");
        return LOOK_UNKNOWN;
    }
    return LOOK_FAILED;
}

bool work_server_is_down(const struct error *error)
{
    // A server that crashes or ends accepts one connection more.
    return says(error, "the server is not running") ||
           says(error, "closed the connection unexpectedly");
}

void work_change(struct work *work, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_append(&work->change, arena_vprintf(work->arena, format, arguments));
    va_end(arguments);
    text_append(&work->change, "\n");
}

void work_words(struct work *work, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    work->words = arena_vprintf(work->arena, format, arguments);
    va_end(arguments);
}

const struct host_settings *const *work_role(const struct work *work, const char *name,
                                             size_t *count)
{
    for (size_t i = 0; i < work->role_count; i++)
        if (equal(work->roles[i].name, name)) {
            *count = work->roles[i].count;
            return work->roles[i].hosts;
        }
    const struct host_settings *host = cluster_find_host(work->cluster, name);
    *count = host == NULL ? 0 : 1;
    const struct host_settings **hosts = arena_alloc(work->arena, sizeof(const void *));
    hosts[0] = host;
    return hosts;
}

struct error *work_pause(struct work *work, int milliseconds)
{
    struct pollfd stop = {.fd = work->stop_fd, .events = POLLIN};
    if (clock_ms() >= work->deadline_ms)
        return error_new(work->arena, ERROR_TIMEOUT, "timeout reached");
    if (poll(&stop, 1, milliseconds) > 0)
        return error_new(work->arena, ERROR_STOPPED, "stopped");
    return NULL;
}

static struct shell_request script_request(const struct work *work, const char *user,
                                           const char *script, const char *const *arguments)
{
    return (struct shell_request){
        .user = user,
        .script = script,
        .arguments = arguments,
        .output_limit = (size_t)1024 * 1024,
        .deadline_ms = work->deadline_ms,
    };
}

struct error *work_script(struct work *work, const char *user, const char *script,
                          const char *const *arguments, struct shell_result *out)
{
    const struct shell_request request = script_request(work, user, script, arguments);
    return host_shell(work->host, work->arena, &request, out);
}

struct error *work_change_script(struct work *work, const char *user, const char *script,
                                 const char *const *arguments, struct shell_result *out)
{
    const struct shell_request request = script_request(work, user, script, arguments);
    return host_change(work->host, work->arena, &request, out);
}

const char *work_status_text(struct work *work, const struct shell_result *result)
{
    const char *said = text_string(result->err.length > 0 ? &result->err : &result->out);
    size_t length = strlen(said);
    while (length > 0 && (said[length - 1] == '\n' || said[length - 1] == ' '))
        length--;
    // The last lines are where a program says what went wrong.
    enum { MOST = 400 };
    if (length > MOST) {
        said += length - MOST;
        length = MOST;
    }
    if (length == 0)
        return arena_printf(work->arena, "exit status %d", result->status);
    CLEANUP(text_release) struct text visible = {0};
    text_append_visible(&visible, said, length);
    return arena_printf(work->arena, "exit status %d: %s", result->status, text_string(&visible));
}
