/*
 * A shell on the host that is kept open for each user. Each request is one group, `{ … }`, which
 * the shell begins to execute only when it has read its end: a text that was cut off on the way
 * never runs. Answers stand between two lines with a nonce, on both streams, because login scripts
 * may write there before.
 */
#include "host/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_CHUNK = 32 * 1024,
    NOISE_LARGEST = 4096,
};

struct shell {
    struct shell *next;
    char *user; /* NULL: the login user */
    bool is_spare;
    bool is_greeted; /* it has answered at least once, so it is really there */
    char *checked_run;
    struct stream *stream;
};

static void shell_free(struct shell *shell)
{
    stream_close(shell->stream);
    free(shell->user);
    free(shell->checked_run);
    free(shell);
}

void shells_close(struct host *host)
{
    while (host->shells != NULL) {
        struct shell *shell = host->shells;

        host->shells = shell->next;
        shell_free(shell);
    }
}

/* A shell that is hung or in the middle of something is of no use any more. */
static void shell_drop(struct host *host, struct shell *shell)
{
    for (struct shell **at = &host->shells; *at != NULL; at = &(*at)->next) {
        if (*at == shell) {
            *at = shell->next;
            shell_free(shell);
            return;
        }
    }
}

/* NULL, "" and the login user's name are the same user. */
static const char *other_user(const struct host *host, const char *user)
{
    return user == NULL || equal(user, host->login) ? NULL : user;
}

static struct shell *shell_find(struct host *host, const char *user, bool is_spare)
{
    struct shell *shell = host->shells;

    user = other_user(host, user);
    while (shell != NULL && (!equal(shell->user, user) || shell->is_spare != is_spare))
        shell = shell->next;
    return shell;
}

const char *shell_checked_run(struct host *host, const char *user)
{
    const struct shell *shell = shell_find(host, user, false);

    return shell == NULL ? NULL : shell->checked_run;
}

void shell_remember_run(struct host *host, const char *user, const char *run)
{
    struct shell *shell = shell_find(host, user, false);

    if (shell == NULL)
        return;
    free(shell->checked_run);
    shell->checked_run = strdup(run);
}

static struct error *shell_open(struct host *host, struct arena *arena, const char *user,
                                bool is_spare, struct shell **out)
{
    struct shell *shell = shell_find(host, user, is_spare);
    const char *command;

    if (shell == NULL) {
        struct error *error = become_command(host, arena, user, "", &command);

        if (error != NULL)
            return error;
        shell = calloc(1, sizeof *shell);
        user = other_user(host, user);
        if (shell == NULL || (user != NULL && (shell->user = strdup(user)) == NULL))
            out_of_memory();
        shell->is_spare = is_spare;
        shell->stream = stream_command(host->session, command);
        shell->next = host->shells;
        host->shells = shell;
    }
    *out = shell;
    return NULL;
}

/* One of the two streams of an answer, taken apart as it comes, in constant memory. */
struct frame {
    const char *begin, *end; /* "<NONCE\n", "\n>NONCE " */
    struct text window;      /* what may be part of a mark */
    struct text *out;
    struct text noise; /* before the begin */
    bool has_begun, has_ended;
    int status;
};

/* Takes LENGTH bytes away; they go to TO (NULL: nowhere). */
static void window_drop(struct frame *frame, size_t length, struct text *to)
{
    if (length == 0)
        return;
    if (to != NULL)
        text_append_bytes(to, frame->window.bytes, length);
    frame->window.length -= length;
    memmove(frame->window.bytes, frame->window.bytes + length, frame->window.length + 1);
}

/* Looks for MARK; what lies before it, or cannot be part of it any more, goes to TO. */
static bool window_find(struct frame *frame, const char *mark, struct text *to)
{
    size_t length = strlen(mark);
    const char *found = frame->window.length == 0
                            ? NULL
                            : memmem(frame->window.bytes, frame->window.length, mark, length);

    if (found != NULL)
        window_drop(frame, (size_t)(found - frame->window.bytes), to);
    else if (frame->window.length >= length)
        window_drop(frame, frame->window.length - length + 1, to);
    return found != NULL;
}

static void frame_feed(struct frame *frame, const char *bytes, size_t length)
{
    if (frame->has_ended)
        return;
    text_append_bytes(&frame->window, bytes, length);
    if (!frame->has_begun) {
        if (!window_find(frame, frame->begin, &frame->noise))
            return;
        window_drop(frame, strlen(frame->begin), NULL);
        frame->has_begun = true;
    }
    if (!window_find(frame, frame->end, frame->out) ||
        memchr(frame->window.bytes + strlen(frame->end), '\n',
               frame->window.length - strlen(frame->end)) == NULL)
        return;
    frame->status = (int)strtol(frame->window.bytes + strlen(frame->end), NULL, 10) & 0xff;
    frame->has_ended = true;
}

/* An exchange under way. */
struct exchange {
    struct host *host;
    struct arena *arena;
    struct shell_call *call;
    struct shell *shell;
    struct text request;
    size_t sent;
    struct frame frames[2];
    bool is_over; /* the shell itself has ended */
    bool is_wanted;
};

static void exchange_send(struct exchange *exchange)
{
    while (exchange->sent < exchange->request.length) {
        size_t taken =
            stream_write(exchange->shell->stream, exchange->request.bytes + exchange->sent,
                         exchange->request.length - exchange->sent);

        if (taken == 0)
            return;
        exchange->sent += taken;
    }
    exchange->call->was_sent = true;
}

static void exchange_receive(struct exchange *exchange)
{
    char bytes[READ_CHUNK];
    ssize_t got = 0, ends = 0;

    for (int at = 0; at < 2; at++) {
        while ((got = stream_read(exchange->shell->stream, at == 1, bytes, sizeof bytes)) > 0)
            frame_feed(&exchange->frames[at], bytes, (size_t)got);
        if (got < 0)
            ends++;
    }
    exchange->is_over = ends == 2;
    exchange->shell->is_greeted |= exchange->frames[0].has_begun;
}

/* The shell is gone in the middle of an exchange. */
static struct error *exchange_broken(struct exchange *exchange)
{
    // Is it the connection that broke, and not only this shell?
    struct error *error = host_open(exchange->host, exchange->arena, exchange->call->deadline_ms);

    if (error != NULL)
        return error;

    const char *problem = stream_problem(exchange->shell->stream);
    struct frame *words = &exchange->frames[1];

    if (!exchange->shell->is_greeted) {
        if (problem != NULL)
            return error_new(exchange->arena, ERROR_UNREACHABLE,
                             "could not start a shell on %s: %s",
                             host_what(exchange->host, exchange->arena), problem);
        // The end of what it said may still be taken for the beginning of a mark.
        window_drop(words, words->window.length, &words->noise);
        return become_refused(exchange->host, exchange->arena, exchange->call->user,
                              stream_status(exchange->shell->stream), text_string(&words->noise));
    }
    return error_new(exchange->arena, ERROR_UNREACHABLE,
                     "the shell on %s ended before it had answered",
                     host_what(exchange->host, exchange->arena));
}

static struct error *exchange_run(struct exchange *exchange)
{
    struct shell_call *call = exchange->call;
    int64_t idle_at_ms = call->idle == NULL ? INT64_MAX : clock_ms() + call->idle_ms;

    for (;;) {
        exchange_send(exchange);
        exchange_receive(exchange);
        if (exchange->frames[0].has_ended && exchange->frames[1].has_ended)
            return NULL;
        if (exchange->is_over)
            return exchange_broken(exchange);

        int64_t until_ms = idle_at_ms < call->deadline_ms ? idle_at_ms : call->deadline_ms;
        struct error *error = host_wait(exchange->host, exchange->arena, NULL, 0, until_ms);

        if (error != NULL && error->kind == ERROR_TIMEOUT && until_ms < call->deadline_ms) {
            error = call->idle(call->context);
            idle_at_ms = clock_ms() + call->idle_ms;
        }
        if (error != NULL)
            return error;
    }
}

/*
 * The request as it is sent. Descriptor 3 is the real standard error: the shell's own words about a
 * killed child are nobody's output.
 */
void request_write(struct text *request, const struct shell_call *call, const char *nonce,
                   bool is_first)
{
    if (is_first)
        text_append(request, "exec 3>&2 2>/dev/null; cd || cd /\n");
    text_append_format(request, "{ echo '<%s'; echo '<%s' >&3\n", nonce, nonce);
    text_append_bytes(request, call->body, call->body_length);
    text_append_format(request,
                       " </dev/null 2>&3 3>&-\n"
                       "printf '\\n>%s %%d\\n' $?; printf '\\n>%s 0\\n' >&3; }\n",
                       nonce, nonce);
}

struct error *shell_call(struct host *host, struct arena *arena, struct shell_call *call,
                         struct shell_result *out)
{
    struct exchange exchange = {.host = host, .arena = arena, .call = call};
    struct shell_result result = {.out.limit = call->output_limit, .err.limit = call->output_limit};
    char nonce[NONCE_SIZE];

    call->was_sent = false;
    nonce_make(nonce);
    for (int at = 0; at < 2; at++)
        exchange.frames[at] = (struct frame){.begin = arena_printf(arena, "<%s\n", nonce),
                                             .end = arena_printf(arena, "\n>%s ", nonce),
                                             .out = at == 0 ? &result.out : &result.err,
                                             .noise.limit = NOISE_LARGEST};

    struct error *error = host_open(host, arena, call->deadline_ms);

    if (error == NULL)
        error = shell_open(host, arena, call->user, call->is_spare, &exchange.shell);
    if (error == NULL) {
        exchange.request.limit = 4 * TEXT_LIMIT;
        request_write(&exchange.request, call, nonce, !exchange.shell->is_greeted);
        error = exchange_run(&exchange);
        // When the connection broke, host_wait has closed the shells already.
        if (error != NULL && host->session != NULL)
            shell_drop(host, exchange.shell);
    }
    text_release(&exchange.request);
    for (int at = 0; at < 2; at++) {
        text_release(&exchange.frames[at].window);
        text_release(&exchange.frames[at].noise);
    }
    if (error != NULL) {
        shell_result_release(&result);
        return error;
    }
    result.status = exchange.frames[0].status;
    *out = result;
    return NULL;
}

struct error *host_shell_begin(struct host *host, struct arena *arena, const char *user,
                               int64_t deadline_ms)
{
    struct shell *shell;
    struct error *error = host_open(host, arena, deadline_ms);

    return error != NULL ? error : shell_open(host, arena, user, false, &shell);
}

void shell_result_release(struct shell_result *result)
{
    text_release(&result->out);
    text_release(&result->err);
}

struct error *host_shell(struct host *host, struct arena *arena,
                         const struct shell_request *request, struct shell_result *out)
{
    struct text body CLEANUP(text_release) = {.limit = 4 * TEXT_LIMIT};
    struct shell_result result;
    struct error *error = host_open(host, arena, request->deadline_ms);

    if (error == NULL)
        error = request_body(arena, request, &body);
    if (error != NULL)
        return error;

    struct shell_call call = {.user = request->user,
                              .body = body.bytes,
                              .body_length = body.length,
                              .output_limit = request->output_limit,
                              .deadline_ms = request->deadline_ms + SHELL_GRACE_MS};

    error = shell_call(host, arena, &call, &result);
    if (error == NULL && result.status == 137 && request->deadline_ms <= clock_ms()) {
        shell_result_release(&result);
        error = error_new(arena, ERROR_TIMEOUT, "timed out");
    }
    if (error == NULL) {
        *out = result;
        return NULL;
    }
    if (error->kind == ERROR_TIMEOUT)
        error->message =
            arena_printf(arena, "the command on %s was killed: it took longer than allowed",
                         host_what(host, arena));
    return error;
}
