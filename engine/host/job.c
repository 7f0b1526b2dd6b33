/* Jobs: staged, started at most once, and followed to their end. */
#include "host/job.h"

#include "host/wrapper.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCRIPT_LARGEST = 1024 * 1024,
    IDLE_MS = 300,             /* how often new output is asked for while a job runs */
    AGAIN_MS = 20,             /* another starter is at it */
    LOOK_MS = 10000,           /* for one question about the output */
    NEWS_LARGEST = 256 * 1024, /* of each stream at a time, while it runs */
    OUTPUT_LARGEST = 16 * 1024 * 1024 + 1,
};

void job_result_release(struct job_result *result)
{
    text_release(&result->out);
    text_release(&result->err);
}

/* One job_run. */
struct follow {
    struct host *host;
    struct arena *arena;
    const struct job_request *request;
    void (*on_output)(void *context, const char *bytes, size_t length);
    void *context;
    struct job_result result;    /* output so far */
    size_t shown_out, shown_err; /* already given to on_output */
};

static bool is_word(const char *text, const char *letters, size_t least, size_t most)
{
    size_t length = strlen(text);

    return length >= least && length <= most && strspn(text, letters) == length && *text != '.';
}

struct error *job_names_check(struct arena *arena, const char *run, const char *id)
{
    if (!is_word(run, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.", 1, 100))
        return error_new(arena, ERROR_INPUT, "\"%s\" cannot be the name of a run", run);
    if (id != NULL && !is_word(id, "0123456789abcdef", 64, 64))
        return error_new(arena, ERROR_INPUT, "\"%s\" cannot be the id of a job", id);
    return NULL;
}

/*
 * Puts output behind what TO has; what is above the limit is dropped and marked. Where there is
 * nothing yet it is moved: two streams of the largest size, each held twice, would be too much.
 */
static void output_take(struct text *to, struct text *from)
{
    if (to->length == 0) {
        text_release(to);
        *to = *from;
        *from = (struct text){0};
        to->limit = TEXT_LIMIT;
        if (to->length > TEXT_LIMIT) {
            to->bytes[to->length = TEXT_LIMIT] = '\0';
            to->truncated = true;
        }
        return;
    }
    text_append_bytes(to, text_string(from), from->length);
    to->truncated |= from->truncated;
}

static struct error *result_take(struct arena *arena, const char *word, const char *rest,
                                 struct job_result *out)
{
    if (equal(word, "none"))
        out->state = JOB_NOT_STARTED;
    else if (equal(word, "running"))
        out->state = JOB_RUNNING;
    else if (equal(word, "done"))
        out->state = JOB_DONE;
    else if (equal(word, "doubt"))
        out->state = JOB_IN_DOUBT;
    else
        return error_new(arena, ERROR_FAILED, "the job wrapper said \"%s\"", word);
    out->status = out->state == JOB_DONE ? (int)strtol(rest, NULL, 10) : 0;
    out->why = *rest == '\0' || out->state == JOB_DONE ? NULL : rest;
    return NULL;
}

/* Output from the offsets OUT and ERR on, appended to what RESULT has. */
static struct error *look_on(struct host *host, struct arena *arena, const char *run,
                             const char *id, const char *user, bool is_spare, int64_t deadline_ms,
                             size_t out, size_t err, struct job_result *result)
{
    const char *arguments[] = {run,
                               id,
                               arena_printf(arena, "%zu", out),
                               arena_printf(arena, "%zu", err),
                               arena_printf(arena, "%d", is_spare ? NEWS_LARGEST : OUTPUT_LARGEST),
                               NULL};
    struct wrapper_call call = {
        .what = "could not look at the job",
        .arguments = arguments,
        .texts = (const char *const[]){wrapper_job,
                                       "d=$HOME/.holdback/$1/$2\n"
                                       "[ ! -h \"$d\" ] || fail 'its folder is a symbolic link'\n"
                                       "job_report \"$3\" \"$4\" \"$5\"",
                                       NULL},
        .shell = {.user = user,
                  .is_spare = is_spare,
                  .output_limit = TEXT_LIMIT + 4096,
                  .deadline_ms = deadline_ms}};
    struct shell_result answer;
    const char *word, *rest;
    struct error *error = job_names_check(arena, run, id);

    if (error == NULL)
        error = wrapper_call(host, arena, &call, &answer, &word, &rest);
    if (error != NULL)
        return error;
    error = result_take(arena, word, rest, result);
    output_take(&result->out, &answer.out);
    output_take(&result->err, &answer.err);
    shell_result_release(&answer);
    return error;
}

struct error *job_look(struct host *host, struct arena *arena, const char *run, const char *id,
                       const char *user, int64_t deadline_ms, struct job_result *out)
{
    struct job_result result = {0};
    struct error *error = look_on(host, arena, run, id, user, false, deadline_ms, 0, 0, &result);

    if (error != NULL) {
        job_result_release(&result);
        return error;
    }
    *out = result;
    return NULL;
}

static void show_one(struct follow *follow, const struct text *text, size_t *shown)
{
    if (text->length > *shown && follow->on_output != NULL)
        follow->on_output(follow->context, text->bytes + *shown, text->length - *shown);
    if (text->length > *shown)
        *shown = text->length;
}

static void output_show(struct follow *follow)
{
    show_one(follow, &follow->result.out, &follow->shown_out);
    show_one(follow, &follow->result.err, &follow->shown_err);
}

static void show_news(struct follow *follow, const struct text *news, size_t *shown)
{
    if (news->length > 0 && follow->on_output != NULL)
        follow->on_output(follow->context, news->bytes, news->length);
    *shown += news->length;
}

/*
 * Called while the starting exchange is silent: what has the job written meanwhile? It is shown and
 * not kept: all of it comes once more with the end.
 */
static struct error *follow_idle(void *context)
{
    struct follow *follow = context;
    const struct job_request *request = follow->request;
    struct job_result news = {0};
    int64_t until_ms = clock_ms() + LOOK_MS;
    struct error *error =
        look_on(follow->host, follow->arena, request->run, request->id, request->user, true,
                until_ms < request->deadline_ms ? until_ms : request->deadline_ms,
                follow->shown_out, follow->shown_err, &news);

    // Output that could not be read now is read at the end.
    if (error == NULL || (error->kind != ERROR_STOPPED && error->kind != ERROR_UNREACHABLE)) {
        show_news(follow, &news.out, &follow->shown_out);
        show_news(follow, &news.err, &follow->shown_err);
        error = NULL;
    }
    job_result_release(&news);
    return error;
}

/* The part of the body that stages and starts. Everything in it is data, behind printf. */
static struct error *stage_write(struct arena *arena, const struct job_request *request,
                                 const char *nonce, struct text *text)
{
    struct text environment CLEANUP(text_release) = {.limit = 4 * TEXT_LIMIT};
    size_t length = strlen(request->script);
    char digest[DIGEST_SIZE];
    struct error *error =
        append_environment(arena, &environment, request->environment, request->environment_count);

    if (error != NULL)
        return error;
    if (length > SCRIPT_LARGEST)
        return error_new(arena, ERROR_INPUT, "the script is too long (%zu bytes; %d are allowed)",
                         length, SCRIPT_LARGEST);
    // Whoever starts it compares the claim again: this lock must not last as long as the job.
    text_append(text, "exec 8<&-\njob_prepare \"$@\"\nif [ ! -e \"$d/started\" ]; then\n");
    sha256_hex(request->script, length, digest);
    text_append_format(text, "e=\"%s  $d/script.%s\"\n", digest, nonce);
    append_printf(text, request->script, length);
    text_append_format(text, " >\"$d/script.%s\" || fail 'could not stage it'\n", nonce);
    if (environment.length > 0) {
        sha256_hex(environment.bytes, environment.length, digest);
        text_append_format(text, "e=\"$e\n%s  $d/environment.%s\"\n", digest, nonce);
        append_printf(text, environment.bytes, environment.length);
        text_append_format(text, " >\"$d/environment.%s\" || fail 'could not stage it'\n", nonce);
    }
    text_append_format(text,
                       "[ \"$(sha256sum \"$d/script.%s\"%s%s%s)\" = \"$e\" ] || "
                       "fail 'what arrived is not what was sent'\n",
                       nonce, environment.length > 0 ? " \"$d/environment." : "",
                       environment.length > 0 ? nonce : "", environment.length > 0 ? "\"" : "");
    text_append(text, "runner=");
    text_append_shell(text, wrapper_common, strlen(wrapper_common));
    text_append_shell(text, wrapper_runner, strlen(wrapper_runner));
    text_append(text, "\n");
    if (request->input != NULL) {
        text_append(text, "{ ");
        append_printf(text, request->input, request->input_length);
        text_append(text, "; } 2>/dev/null | ");
    }
    text_append_format(text, "job_launch %s %s%s || exit\n", nonce,
                       equal(request->interpreter, "bash") ? "bash" : "sh",
                       request->input == NULL ? " </dev/null" : "");
    text_append(text, "fi\njob_report 0 0 16777217");
    return NULL;
}

/* One try to start it. The answer is its end, or that it had been started before, or "again". */
static struct error *launch(struct follow *follow, bool *was_sent, bool *is_again)
{
    const struct job_request *request = follow->request;
    struct text stage CLEANUP(text_release) = {.limit = 4 * TEXT_LIMIT};
    const char *arguments[] = {request->run, request->id, NULL}, *word, *rest;
    struct wrapper_call call = {.what = "could not start the job",
                                .arguments = arguments,
                                .is_change = true,
                                .shell = {.user = request->user,
                                          .output_limit = TEXT_LIMIT + 4096,
                                          .deadline_ms = request->deadline_ms,
                                          .idle = follow_idle,
                                          .idle_ms = IDLE_MS,
                                          .context = follow}};
    struct shell_result answer;
    char nonce[NONCE_SIZE];

    nonce_make(nonce);

    struct error *error = stage_write(follow->arena, request, nonce, &stage);

    if (error != NULL)
        return error;
    call.texts = (const char *const[]){wrapper_job, stage.bytes, NULL};
    error = wrapper_call(follow->host, follow->arena, &call, &answer, &word, &rest);
    *was_sent = call.shell.was_sent;
    if (error != NULL)
        return error;
    *is_again = equal(word, "again");
    if (!*is_again) {
        error = result_take(follow->arena, word, rest, &follow->result);
        text_clear(&follow->result.out);
        text_clear(&follow->result.err);
        output_take(&follow->result.out, &answer.out);
        output_take(&follow->result.err, &answer.err);
        output_show(follow);
    }
    shell_result_release(&answer);
    return error;
}

/* Serves the session for a while. */
static struct error *pause_for(struct follow *follow, int64_t pause_ms)
{
    int64_t until_ms = clock_ms() + pause_ms;

    while (clock_ms() < until_ms) {
        int64_t deadline_ms =
            until_ms < follow->request->deadline_ms ? until_ms : follow->request->deadline_ms;
        struct error *error = host_wait(follow->host, follow->arena, NULL, 0, deadline_ms);

        if (error != NULL && (error->kind != ERROR_TIMEOUT || deadline_ms < until_ms))
            return error;
    }
    return NULL;
}

static struct error *follow_run(struct follow *follow, bool *was_sent)
{
    const struct job_request *request = follow->request;
    bool is_again;
    struct error *error;

    for (;;) {
        error = launch(follow, was_sent, &is_again);
        if (error != NULL || !is_again)
            break;
        error = pause_for(follow, AGAIN_MS);
        if (error != NULL)
            return error;
    }
    // It was started by somebody else: by us before a crash, as a rule.
    for (int64_t pause_ms = AGAIN_MS; error == NULL && follow->result.state == JOB_RUNNING;
         pause_ms = pause_ms * 2 > IDLE_MS ? IDLE_MS : pause_ms * 2) {
        error = pause_for(follow, pause_ms);
        if (error == NULL)
            error = look_on(follow->host, follow->arena, request->run, request->id, request->user,
                            false, request->deadline_ms, follow->result.out.length,
                            follow->result.err.length, &follow->result);
        output_show(follow);
    }
    return error;
}

static struct error *folder_ready(struct host *host, struct arena *arena,
                                  const struct job_request *request)
{
    const char *path;

    // Asked once for each shell that is opened: it is one more round trip.
    if (equal(shell_checked_run(host, request->user), request->run))
        return NULL;

    struct error *error =
        run_folder(host, arena, request->run, request->user, true, request->deadline_ms, &path);

    if (error == NULL)
        shell_remember_run(host, request->user, request->run);
    return error;
}

struct error *job_run(struct host *host, struct arena *arena, const struct job_request *request,
                      void (*on_output)(void *context, const char *bytes, size_t length),
                      void *context, struct job_result *out)
{
    struct follow follow = {.host = host,
                            .arena = arena,
                            .request = request,
                            .on_output = on_output,
                            .context = context};
    bool was_sent = false;
    struct error *error = job_names_check(arena, request->run, request->id);

    if (error == NULL)
        error = folder_ready(host, arena, request);
    if (error == NULL)
        error = follow_run(&follow, &was_sent);
    if (error != NULL && error->kind != ERROR_TIMEOUT && error->kind != ERROR_STOPPED) {
        job_result_release(&follow.result);
        return error;
    }
    if (error != NULL) {
        follow.result.state = was_sent ? JOB_RUNNING : JOB_NOT_STARTED;
        error->message =
            arena_printf(arena, "%s on %s",
                         error->kind == ERROR_TIMEOUT ? "the job took longer than allowed"
                                                      : "stopped waiting for the job",
                         host_what(host, arena));
    }
    *out = follow.result;
    return error;
}
