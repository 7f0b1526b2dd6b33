/* What a patroni step found before it changed something, kept for `restore: STEP`. */
#include "host/job.h"
#include "patroni.h"

#include <string.h>

const char *json_text_of(struct work *work, const struct node *node)
{
    CLEANUP(text_release) struct text text = {0};
    node_append_json(&text, node);
    return text_copy(&text, work->arena);
}

struct error *before_path(struct work *work, const char *name, bool make, const char **out)
{
    const char *folder = NULL;
    struct error *error =
        run_folder(work->host, work->arena, work->run, work->target->postgres.os_user, make,
                   work->deadline_ms, &folder);
    *out =
        error != NULL || folder == NULL ? NULL : arena_printf(work->arena, "%s/%s", folder, name);
    return error;
}

static struct error *before_read(struct work *work, const char *step, const char **out)
{
    static const char script[] = "if [ -e \"$1\" ]; then cat -- \"$1\"; fi\n";
    const char *path;
    *out = NULL;
    struct error *error =
        before_path(work, arena_printf(work->arena, "%s.before", step), false, &path);
    if (error != NULL || path == NULL)
        return error;
    struct shell_result result = {0};
    const char *arguments[] = {path, NULL};
    error = work_script(work, work->target->postgres.os_user, script, arguments, &result);
    if (error != NULL)
        return error;
    if (result.status != 0)
        error = error_new(work->arena, ERROR_FAILED, "could not read \"%s\": %s", path,
                          work_status_text(work, &result));
    else if (result.out.length > 0)
        *out = text_copy(&result.out, work->arena);
    shell_result_release(&result);
    return error;
}

struct error *before_keep(struct work *work, const char *json)
{
    static const char script[] = "umask 077\n"
                                 "if [ ! -e \"$1\" ]; then\n"
                                 "    cat >\"$1.new\"\n"
                                 "    sync \"$1.new\"\n"
                                 "    mv -T \"$1.new\" \"$1\"\n"
                                 "    sync \"${1%/*}\"\n"
                                 "fi\n";
    const char *path;
    struct error *error =
        before_path(work, arena_printf(work->arena, "%s.before", work->step->id), true, &path);
    if (error != NULL)
        return error;
    struct shell_result result = {0};
    // An argument list is seen by everybody on the host, and the old values may hold a secret.
    const struct shell_request request = {
        .user = work->target->postgres.os_user,
        .script = script,
        .arguments = (const char *const[]){path, NULL},
        .input = json,
        .input_length = strlen(json),
        .deadline_ms = work->deadline_ms,
    };
    error = host_change(work->host, work->arena, &request, &result);
    if (error != NULL)
        return error;
    if (result.status != 0)
        error = error_new(work->arena, ERROR_FAILED, "could not keep the old values in \"%s\": %s",
                          path, work_status_text(work, &result));
    shell_result_release(&result);
    return error == NULL ? before_save(work) : error;
}

struct error *before_save(struct work *work)
{
    const struct node *params = work->step->params;
    const char *kept = NULL;
    if (node_find(params, "config") == NULL && node_find(params, "tags") == NULL)
        return NULL;
    struct error *error = before_read(work, work->step->id, &kept);
    if (error == NULL && kept != NULL)
        work_save(work, "before", kept);
    return error;
}

struct error *before_find(struct work *work, const char *step, const struct node **out)
{
    const char *kept = work->reference;
    struct error *error = kept != NULL ? NULL : before_read(work, step, &kept);
    *out = NULL;
    if (error != NULL || kept == NULL)
        return error;
    return json_parse(work->arena, "what was kept for restore", kept, strlen(kept), out);
}
