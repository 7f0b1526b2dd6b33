/* A host: its session, opened when needed, and the one wait that serves everything on it. */
#include "host/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    CONNECT_TRIES = 8,
    CONNECT_PAUSE_MS = 40, /* before the second try; doubled each time, with jitter */
    CONNECT_PAUSE_MOST_MS = 1000,
    POLLS_MOST = 128,
};

struct host *host_new(const struct host_settings *settings, int stop_fd)
{
    struct host *host = calloc(1, sizeof *host);

    if (host == NULL)
        out_of_memory();
    host->settings = settings;
    host->stop_fd = stop_fd;
    return host;
}

void host_keep(struct host *host, void *thing, void (*release)(void *thing))
{
    void *old = host->kept;
    void (*old_release)(void *thing) = host->kept_release;

    host->kept = thing;
    host->kept_release = release;
    if (old != NULL && old_release != NULL)
        old_release(old);
}

void *host_kept(const struct host *host)
{
    return host->kept;
}

void host_free(struct host *host)
{
    if (host == NULL)
        return;
    host_keep(host, NULL, NULL);
    host_close(host);
    free(host->claim);
    free(host);
}

int host_set_stop(struct host *host, int stop_fd)
{
    int former = host->stop_fd;

    host->stop_fd = stop_fd;
    return former;
}

void host_leave_when_stopped(struct host *host)
{
    host->leaves_when_stopped = true;
}

bool host_leaves_when_stopped(const struct host *host)
{
    return host->leaves_when_stopped;
}

const struct host_settings *host_settings(const struct host *host)
{
    return host->settings;
}

const char *host_what(const struct host *host, struct arena *arena)
{
    return arena_printf(arena, "host \"%s\" (%s)", host->settings->name, host->settings->address);
}

void nonce_make(char out[NONCE_SIZE])
{
    unsigned char bytes[(NONCE_SIZE - 1) / 2];
    static const char digits[] = "0123456789abcdef";

    for (size_t got = 0; got < sizeof bytes;) {
        ssize_t more = getrandom(bytes + got, sizeof bytes - got, 0);

        got += more > 0 ? (size_t)more : 0;
    }
    for (size_t at = 0; at < sizeof bytes; at++) {
        out[2 * at] = digits[bytes[at] >> 4];
        out[2 * at + 1] = digits[bytes[at] & 15];
    }
    out[NONCE_SIZE - 1] = '\0';
}

/* sshd drops connections at random while many log in at once (MaxStartups). */
static struct error *pause_before_retry(struct host *host, struct arena *arena, int try,
                                        int64_t deadline_ms)
{
    struct pollfd polls[1];
    int64_t pause_ms = (int64_t)CONNECT_PAUSE_MS << try;
    unsigned char random = 0;

    if (pause_ms > CONNECT_PAUSE_MOST_MS)
        pause_ms = CONNECT_PAUSE_MOST_MS;
    (void)!getrandom(&random, 1, 0);
    pause_ms = pause_ms / 2 + pause_ms * random / 255;

    int64_t until_ms = clock_ms() + pause_ms;

    if (until_ms > deadline_ms)
        return error_new(arena, ERROR_TIMEOUT, "timed out");

    struct error *error = wait_poll(arena, polls, 0, host->stop_fd, until_ms);

    return error->kind == ERROR_TIMEOUT ? NULL : error;
}

static struct error *session_lost(struct host *host, struct arena *arena)
{
    struct error *error = error_new(arena, ERROR_UNREACHABLE, "the connection to %s broke: %s",
                                    host_what(host, arena), session_problem(host->session));

    host_close(host);
    return error;
}

struct error *host_open(struct host *host, struct arena *arena, int64_t deadline_ms)
{
    struct route route;
    bool is_busy;

    // Whoever could not use a stream may ask here whether it is the session that broke.
    if (host->session != NULL)
        return session_fd(host->session) < 0 ? session_lost(host, arena) : NULL;

    struct error *error =
        route_find(&host->arena, host->settings, host->stop_fd, deadline_ms, &route);

    if (error != NULL) {
        error = error_copy(arena, error);
        host_close(host);
        return error;
    }
    host->login = route.user;
    host->received = 0;
    for (int try = 0;; try++) {
        error = session_open(arena, &route, host->stop_fd, deadline_ms, &is_busy, &host->session);
        if (error == NULL || !is_busy || try + 1 == CONNECT_TRIES)
            break;

        struct error *pause = pause_before_retry(host, arena, try, deadline_ms);

        if (pause == NULL)
            continue;
        if (pause->kind == ERROR_STOPPED)
            error = pause;
        break;
    }
    if (error == NULL)
        return NULL;
    host_close(host);
    // Nothing was asked of the host yet: silence is the same to the caller as a refusal.
    if (error->kind == ERROR_TIMEOUT)
        error->kind = ERROR_UNREACHABLE;
    return error;
}

void host_close(struct host *host)
{
    shells_close(host);
    tunnels_close(host);
    session_close(host->session);
    host->session = NULL;
    arena_release(&host->arena);
}

/*
 * Any call on a stream may take in what belongs to another one, and poll() then knows nothing of
 * it. So before waiting, everything is looked at again until nothing new has come.
 */
static bool has_news(struct host *host)
{
    if (host->session == NULL)
        return false;

    uint64_t received = session_received(host->session);
    bool has = received != host->received;

    host->received = received;
    return has;
}

static struct error *wait_once(struct host *host, struct arena *arena, struct pollfd *extra,
                               size_t count, int64_t deadline_ms)
{
    struct pollfd polls[POLLS_MOST + 1];
    size_t used = 1;

    // A negative descriptor is skipped by poll: a host that is reached directly has no session.
    polls[0] = (struct pollfd){.fd = -1};
    if (host->session != NULL) {
        polls[0].fd = session_fd(host->session);
        if (polls[0].fd < 0)
            return session_lost(host, arena);
        polls[0].events = session_events(host->session);
    }
    if (count > POLLS_MOST - 1)
        return error_new(arena, ERROR_FAILED, "cannot wait for so many descriptors");
    for (size_t at = 0; at < count; at++)
        polls[used++] = (struct pollfd){.fd = extra[at].fd, .events = extra[at].events};
    used += tunnels_prepare(host, polls + used, POLLS_MOST - used);

    struct error *error = wait_poll(arena, polls, used, host->stop_fd, deadline_ms);

    if (error != NULL)
        return error;
    for (size_t at = 0; at < count; at++)
        extra[at].revents = polls[1 + at].revents;
    if (polls[0].revents != 0 && !session_serve(host->session))
        return session_lost(host, arena);
    return NULL;
}

static bool any_ready(const struct pollfd *extra, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        if (extra[at].revents != 0)
            return true;
    }
    return false;
}

struct error *host_wait(struct host *host, struct arena *arena, struct pollfd *extra, size_t count,
                        int64_t deadline_ms)
{
    for (size_t at = 0; at < count; at++)
        extra[at].revents = 0;
    if (count == 0 && has_news(host))
        return NULL; // the caller has not seen that yet
    for (;;) {
        tunnels_move(host);
        if (has_news(host)) {
            if (count == 0)
                return NULL;
            continue;
        }

        struct error *error = wait_once(host, arena, extra, count, deadline_ms);

        if (error != NULL) {
            if (error->kind == ERROR_TIMEOUT)
                error->message =
                    arena_printf(arena, "timed out waiting for %s", host_what(host, arena));
            return error;
        }
        tunnels_move(host);
        if (count == 0 || any_ready(extra, count))
            return NULL;
    }
}
