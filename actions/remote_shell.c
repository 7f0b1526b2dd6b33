/*
 * The action remote-shell: a shell text that runs on the host as a job, detached from us, and at
 * most once in each try. Whether its effect is there is what `unless`, `creates` and `removes` say;
 * without them only the job itself knows.
 */
#include "remote_shell.h"

#include "actions.h"
#include "condition.h"
#include "outline.h"

#include <string.h>

enum {
    WATCHED_MOST = 120, /* bytes of a line of output, while it runs */
};

/* --- looking --- */

static bool can_look(const struct node *params)
{
    return node_find(params, "unless") != NULL || node_find(params, "creates") != NULL ||
           node_find(params, "removes") != NULL;
}

/* Whether the path under KEY exists, as WANTED; without the key it is as wanted. */
static struct error *path_is(struct work *work, const char *key, bool wanted, bool *is_so)
{
    static const char script[] =
        "if [ -e \"$1\" ] || [ -L \"$1\" ]; then exit 0; else exit 1; fi\n";
    const char *path;
    struct shell_result result;
    struct error *error = work_param(work, key, &path);

    *is_so = true;
    if (error != NULL || path == NULL)
        return error;

    const char *arguments[] = {path, NULL};

    error = work_script(work, work->as, script, arguments, &result);
    if (error != NULL)
        return error;
    if (result.status > 1)
        error = error_new(work->arena, ERROR_FAILED, "could not look for \"%s\": %s", path,
                          work_status_text(work, &result));
    *is_so = (result.status == 0) == wanted;
    shell_result_release(&result);
    return error;
}

/* Whether all that the step says about its effect is so. */
static struct error *effect_is_there(struct work *work, bool *is_there)
{
    const struct node *params = work->step->params;
    const struct node *unless = node_find(params, "unless");
    bool is_made, is_gone, is_true = true;
    struct error *error = NULL;

    if (unless != NULL)
        error = condition_shell(work, unless, node_text(params, "shell"), &is_true, NULL);
    if (error == NULL)
        error = path_is(work, "creates", true, &is_made);
    if (error == NULL)
        error = path_is(work, "removes", false, &is_gone);
    if (error == NULL)
        *is_there = is_true && is_made && is_gone;
    return error;
}

/* The text that runs, byte for byte as it was written. */
static struct error *script_find(struct work *work, const char **out)
{
    const struct node *file = node_find(work->step->params, "file");
    const struct input *input;

    if (file == NULL) {
        *out = node_text(work->step->params, "run");
        return NULL;
    }

    struct error *error =
        plan_file(work->arena, work->plan, work->scope, work->target->name, file, &input);

    if (error == NULL && memchr(input->bytes, '\0', input->length) != NULL)
        error = error_new(work->arena, ERROR_FAILED, "file \"%s\" holds a NUL", input->path);
    if (error == NULL)
        *out = input->bytes;
    return error;
}

static enum look look(struct work *work, struct error **error)
{
    bool is_there = false;
    const char *script;
    struct error *failed = script_find(work, &script);

    if (failed == NULL && can_look(work->step->params))
        failed = effect_is_there(work, &is_there);
    if (failed != NULL)
        return work_look_failed(work, failed, error);
    if (is_there)
        return LOOK_ALREADY;
    if (!work->is_repeat) {
        text_append(&work->change, script);
        if (!ends_with(script, "\n"))
            text_append(&work->change, "\n");
    }
    return LOOK_WOULD_CHANGE;
}

/* --- what the job is given --- */

static struct error *environment_find(struct work *work, const char *script,
                                      struct job_request *request)
{
    const struct shell_variable *variables;
    size_t count;
    struct error *error =
        shell_variables(work->arena, work->scope, work->target->name, script, &variables, &count);

    if (error != NULL)
        return error;

    struct shell_environment *environment =
        arena_alloc(work->arena, (count + 1) * sizeof *environment);

    for (size_t at = 0; at < count; at++)
        environment[at] = (struct shell_environment){variables[at].name, variables[at].value};
    request->environment = environment;
    request->environment_count = count;
    return NULL;
}

/* Where a person finds what a job wrote. */
static struct error *with_folder(struct work *work, struct error *error)
{
    return error_hint(
        work->arena, error, "What it wrote is in ~%s/.holdback/%s/%.8s* on host \"%s\".",
        work->as == NULL ? "" : work->as, work->run, work->operation, work->target->name);
}

static struct error *in_doubt(struct work *work, const char *why)
{
    return with_folder(work, error_new(work->arena, ERROR_IN_DOUBT,
                                       "what became of the job is not known: %s", why));
}

/* The job itself does not know: the step's own words about its effect decide, if it has any. */
static enum settle settle_by_effect(struct work *work, const char *why, struct error **error)
{
    struct error *cause = NULL;
    bool is_there;

    if (can_look(work->step->params)) {
        cause = effect_is_there(work, &is_there);
        if (cause == NULL && !is_there)
            *error =
                error_new(work->arena, ERROR_FAILED, "the job did not come to its end: %s", why);
        if (cause == NULL)
            return is_there ? SETTLE_DONE : SETTLE_BROKEN;
        if (cause->kind == ERROR_UNREACHABLE || cause->kind == ERROR_STOPPED) {
            *error = cause;
            return SETTLE_UNREACHABLE;
        }
    }
    *error = in_doubt(work, why);
    (*error)->cause = cause;
    return SETTLE_IN_DOUBT;
}

/* --- doing --- */

struct watched {
    struct work *work;
    const struct secret *secret;
    struct text line;
};

/* The last line of output is what a person wants to see of a job. */
static void on_output(void *context, const char *bytes, size_t length)
{
    struct watched *watched = context;

    for (size_t at = 0; at < length; at++) {
        if (bytes[at] != '\n') {
            text_append_bytes(&watched->line, bytes + at, 1);
        } else if (watched->line.length > 0) {
            CLEANUP(text_release) struct text visible = {0};

            (void)remote_shell_hide(watched->work, watched->secret, &watched->line);
            text_append_visible(&visible, text_string(&watched->line), watched->line.length);
            watched->work->watch(watched->work, text_string(&visible));
            text_clear(&watched->line);
            watched->line.truncated = false;
        }
    }
}

static enum apply finished(struct work *work, const struct secret *secret,
                           struct job_result *result, struct error **error)
{
    // Its status was lost under our eyes: as after a crash, its effect decides.
    if (result->state == JOB_IN_DOUBT)
        return settle_by_effect(work, result->why, error) == SETTLE_DONE ? APPLY_DONE : APPLY_MAYBE;
    *error = remote_shell_finish(work, secret, result);
    if (*error != NULL)
        return APPLY_MAYBE;
    return can_look(work->step->params) ? APPLY_LOOK : APPLY_DONE;
}

/*
 * The job was to be started and an error came back. Only the job's own record may say that it was
 * not: a lost connection says nothing about it.
 */
static enum apply not_finished(struct work *work, enum job_state state, struct error *failed,
                               struct error **error)
{
    CLEANUP(job_result_release) struct job_result result = {.state = state};
    const bool is_cut = failed->kind == ERROR_TIMEOUT || failed->kind == ERROR_STOPPED;

    *error = failed;
    // What was not sent now may have been started by the process before us.
    if (failed->kind == ERROR_UNREACHABLE || (is_cut && state == JOB_NOT_STARTED))
        return APPLY_RUNNING;
    // Whoever has the claim now may have started a job of the same id.
    if (failed->kind == ERROR_LOCKED)
        return APPLY_NOTHING;
    if (!is_cut && job_look(work->host, work->arena, work->run, work->operation, work->as,
                            work->deadline_ms, &result) != NULL)
        result.state = JOB_IN_DOUBT;
    if (result.state == JOB_NOT_STARTED)
        return APPLY_NOTHING;
    *error = with_folder(work, error_because(work->arena, failed, "the job goes on without us"));
    return APPLY_RUNNING;
}

static enum apply run_job(struct work *work, const struct secret *secret,
                          const struct job_request *request, struct error **error)
{
    CLEANUP(job_result_release) struct job_result result = {0};
    struct watched watched = {.work = work, .secret = secret, .line = {.limit = WATCHED_MOST}};
    struct error *failed = job_run(work->host, work->arena, request, on_output, &watched, &result);

    text_release(&watched.line);
    return failed == NULL ? finished(work, secret, &result, error)
                          : not_finished(work, result.state, failed, error);
}

/* A job that was started before has its input, and needs none to be attached to. */
static enum apply without_input(struct work *work, const struct job_request *request,
                                struct error *failed, struct error **error)
{
    CLEANUP(job_result_release) struct job_result result = {0};
    struct error *unknown = job_look(work->host, work->arena, work->run, work->operation, work->as,
                                     work->deadline_ms, &result);

    if (unknown == NULL && result.state != JOB_NOT_STARTED)
        return run_job(work, &(const struct secret){0}, request, error);
    *error = failed;
    return unknown == NULL ? APPLY_NOTHING : APPLY_RUNNING;
}

static enum apply apply(struct work *work, struct error **error)
{
    CLEANUP(secret_release) struct secret secret = {0};
    struct job_request request = {
        .run = work->run,
        .id = work->operation,
        .user = work->as,
        .interpreter = node_text(work->step->params, "shell"),
        .deadline_ms = work->deadline_ms,
    };

    *error = script_find(work, &request.script);
    if (*error == NULL)
        *error = environment_find(work, request.script, &request);
    if (*error != NULL)
        return APPLY_NOTHING;

    struct error *failed = remote_shell_input(work, &secret, &request);

    return failed != NULL ? without_input(work, &request, failed, error)
                          : run_job(work, &secret, &request, error);
}

/* --- after a crash --- */

static enum settle settle(struct work *work, struct error **error)
{
    CLEANUP(job_result_release) struct job_result result = {0};
    CLEANUP(secret_release) struct secret secret = {0};
    bool is_there = true;

    *error = job_look(work->host, work->arena, work->run, work->operation, work->as,
                      work->deadline_ms, &result);
    // Who was stopped, or got no answer, may ask again.
    if (*error != NULL)
        return (*error)->kind == ERROR_FAILED ? SETTLE_IN_DOUBT : SETTLE_UNREACHABLE;
    switch (result.state) {
    case JOB_NOT_STARTED:
        return SETTLE_NOT_DONE;
    case JOB_RUNNING:
        return SETTLE_RUNNING;
    case JOB_IN_DOUBT:
        return settle_by_effect(work, result.why, error);
    case JOB_DONE:
        break;
    }
    // Its effect may still be to come: apply waits for it, as it would have without the crash.
    if (can_look(work->step->params) && (effect_is_there(work, &is_there) != NULL || !is_there))
        return SETTLE_RUNNING;
    // Without it, nothing of the output is shown.
    (void)remote_shell_secret(work, &secret);
    *error = remote_shell_finish(work, &secret, &result);
    return *error == NULL ? SETTLE_DONE : SETTLE_FAILED;
}

/* --- for the reader of a preview --- */

static void describe(const struct outline *outline, struct description *out)
{
    const struct step *step = outline->step;
    const struct node *file = node_find(step->params, "file");
    const struct node *unless = node_find(step->params, "unless");
    const struct node *input = node_find(step->params, "stdin");
    const char *shell = node_text(step->params, "shell");
    const char *as = step->as == NULL ? "" : arena_printf(outline->arena, ", as %s", step->as);
    const char *path = file == NULL ? NULL : outline_text(outline, file);
    const char *script =
        file == NULL ? node_text(step->params, "run") : outline_file(outline, file);

    shell = shell == NULL ? "sh" : shell;
    out->summary = path == NULL ? "run a shell text"
                                : arena_printf(outline->arena, "run the shell file %s", path);
    // What is asked first stands first, as with SQL.
    if (unless != NULL)
        description_add(out, arena_printf(outline->arena, "unless%s", as), "sh", unless->text);

    static const char *const keys[] = {"creates", "removes"};

    for (size_t at = 0; at < ARRAY_COUNT(keys); at++) {
        const struct node *node = node_find(step->params, keys[at]);

        if (node != NULL)
            description_add(out, keys[at], "text", outline_text(outline, node));
    }
    if (script != NULL)
        description_add(out,
                        arena_printf(outline->arena, "%s%s%s%s",
                                     equal(shell, "sh") ? "shell" : shell, as,
                                     path == NULL ? "" : ", from ", path == NULL ? "" : path),
                        "sh", script);
    if (input != NULL)
        description_add(out, "standard input", "text", outline_text(outline, input));
}

const struct action remote_shell_action = {
    .name = "remote-shell",
    .schema = "remote-shell.schema.json",
    .has_effect = true,
    .needs_unless = true,
    .describe = describe,
    .look = look,
    .apply = apply,
    .settle = settle,
};
