/* Streams of the session, each pumped to and from one end of a socketpair inside host_wait. */
#include "host/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TUNNEL_CHUNK = 32 * 1024,
    GREETING_LARGEST = 64 * 1024, /* a login script may print before the command does */
    WORDS_LARGEST = 4096,         /* of a command's standard error */
};

struct tunnel {
    struct tunnel *next;
    struct stream *stream;
    int fd; /* our end */
    char pending[TUNNEL_CHUNK];
    size_t pending_start, pending_length; /* from the stream, not yet taken by the other end */
    bool is_local_ended, is_remote_ended, is_dead;
};

static void tunnel_free(struct tunnel *tunnel)
{
    stream_close(tunnel->stream);
    if (tunnel->fd >= 0)
        (void)close(tunnel->fd);
    free(tunnel);
}

void tunnels_close(struct host *host)
{
    while (host->tunnels != NULL) {
        struct tunnel *tunnel = host->tunnels;

        host->tunnels = tunnel->next;
        tunnel_free(tunnel);
    }
}

size_t tunnels_prepare(struct host *host, struct pollfd *polls, size_t room)
{
    size_t used = 0;

    for (struct tunnel *tunnel = host->tunnels; tunnel != NULL && used < room;
         tunnel = tunnel->next) {
        int events = tunnel->pending_length > 0 ? POLLOUT : 0;

        if (!tunnel->is_local_ended && stream_room(tunnel->stream) > 0)
            events |= POLLIN;
        // Without a wish, a hang-up would wake us again and again for nothing.
        polls[used++] =
            (struct pollfd){.fd = events != 0 ? tunnel->fd : -1, .events = (short)events};
    }
    return used;
}

static void move_in(struct tunnel *tunnel)
{
    while (!tunnel->is_dead) {
        if (tunnel->pending_length == 0 && !tunnel->is_remote_ended) {
            ssize_t got = stream_read(tunnel->stream, false, tunnel->pending, TUNNEL_CHUNK);

            tunnel->pending_start = 0;
            tunnel->pending_length = got > 0 ? (size_t)got : 0;
            if (got < 0) {
                tunnel->is_remote_ended = true;
                (void)shutdown(tunnel->fd, SHUT_WR);
            }
        }
        if (tunnel->pending_length == 0)
            return;

        ssize_t sent = send(tunnel->fd, tunnel->pending + tunnel->pending_start,
                            tunnel->pending_length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno != EINTR) {
            tunnel->is_dead = errno != EAGAIN;
            return;
        }
        if (sent > 0) {
            tunnel->pending_start += (size_t)sent;
            tunnel->pending_length -= (size_t)sent;
        }
    }
}

static void move_out(struct tunnel *tunnel)
{
    char bytes[TUNNEL_CHUNK];

    while (!tunnel->is_dead && !tunnel->is_local_ended) {
        size_t room = stream_room(tunnel->stream);

        if (room == 0)
            return;

        // Peeked first: what the stream does not take stays in the socket.
        ssize_t got = recv(tunnel->fd, bytes, room < sizeof bytes ? room : sizeof bytes,
                           MSG_DONTWAIT | MSG_PEEK);

        if (got < 0) {
            tunnel->is_dead = errno != EAGAIN && errno != EINTR;
            return;
        }
        if (got == 0) {
            tunnel->is_local_ended = true;
            stream_end(tunnel->stream);
            return;
        }

        size_t taken = stream_write(tunnel->stream, bytes, (size_t)got);

        if (taken == 0)
            return;
        (void)!recv(tunnel->fd, bytes, taken, MSG_DONTWAIT);
    }
}

/* True when the other end was closed and not only shut for writing: nobody will read any more. */
static bool is_abandoned(const struct tunnel *tunnel)
{
    struct pollfd poller = {.fd = tunnel->fd};

    // A stream that the server has closed takes nothing more, so the local end is never read again.
    return (tunnel->is_local_ended || tunnel->is_remote_ended) && poll(&poller, 1, 0) > 0 &&
           (poller.revents & POLLHUP) != 0;
}

void tunnels_move(struct host *host)
{
    for (struct tunnel **at = &host->tunnels; *at != NULL;) {
        struct tunnel *tunnel = *at;

        move_out(tunnel);
        move_in(tunnel);
        if (tunnel->is_dead || is_abandoned(tunnel) ||
            (tunnel->is_remote_ended && tunnel->pending_length == 0 && tunnel->is_local_ended)) {
            *at = tunnel->next;
            tunnel_free(tunnel);
        } else {
            at = &tunnel->next;
        }
    }
}

/* Waits until the stream is open or refused; true: open. */
static struct error *stream_await(struct host *host, struct arena *arena, struct stream *stream,
                                  int64_t deadline_ms, bool *is_open)
{
    while (stream_state(stream) == STREAM_OPENING) {
        struct error *error = host_wait(host, arena, NULL, 0, deadline_ms);

        if (error != NULL)
            return error;
    }
    *is_open = stream_state(stream) == STREAM_OPEN;
    return NULL;
}

/* After ERROR_UNREACHABLE the session is gone, but its streams are still ours to free. */
static struct error *stream_fail(struct stream *stream, struct error *error)
{
    stream_close(stream);
    return error;
}

/* Hands the stream, and FIRST bytes that it already gave, to the pump. */
static struct error *tunnel_start(struct host *host, struct arena *arena, struct stream *stream,
                                  const char *first, size_t length, int *fd)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return stream_fail(stream,
                           error_new(arena, ERROR_FAILED, "could not make a socket pair: %s",
                                     errno_text(arena, errno)));

    struct tunnel *tunnel = calloc(1, sizeof *tunnel);

    if (tunnel == NULL)
        out_of_memory();
    tunnel->stream = stream;
    tunnel->fd = ends[0];
    memcpy(tunnel->pending, first, length);
    tunnel->pending_length = length;
    tunnel->next = host->tunnels;
    host->tunnels = tunnel;
    *fd = ends[1];
    return NULL;
}

struct error *host_tunnel_tcp(struct host *host, struct arena *arena, const char *address, int port,
                              int64_t deadline_ms, int *fd)
{
    struct error *error = host_open(host, arena, deadline_ms);
    bool is_open = false;

    if (error != NULL)
        return error;

    struct stream *stream = stream_tcp(host->session, address, port);

    error = stream_await(host, arena, stream, deadline_ms, &is_open);
    if (error != NULL)
        return stream_fail(stream, error);
    if (is_open)
        return tunnel_start(host, arena, stream, "", 0, fd);

    const char *problem = arena_strdup(arena, stream_problem(stream));

    error = host_open(host, arena, deadline_ms);
    if (error != NULL)
        return stream_fail(stream, error);
    // RFC 4254, section 5.1: 1 is "administratively prohibited", 2 is "connect failed".
    if (strstr(problem, "(1)") != NULL)
        error = error_hint(
            arena,
            error_new(arena, ERROR_UNREACHABLE,
                      "%s does not let us forward connections to %s port %d",
                      host_what(host, arena), address, port),
            "Its sshd needs \"AllowTcpForwarding local\" (and PermitOpen, where used) for \"%s\".",
            host->login);
    else
        error = error_new(arena, ERROR_FAILED, "could not connect to %s port %d from %s: %s",
                          address, port, host_what(host, arena),
                          strstr(problem, "(2) ") != NULL ? strstr(problem, "(2) ") + 4 : problem);
    return stream_fail(stream, error);
}

/*
 * Reads up to and with the greeting; what follows it in the same piece is left in BYTES. Without a
 * greeting the command was not started: sudo, doas or the login shell said why.
 */
static struct error *greeting_await(struct host *host, struct arena *arena, struct stream *stream,
                                    const char *user, const char *greeting, int64_t deadline_ms,
                                    struct text *bytes)
{
    struct text words CLEANUP(text_release) = {.limit = WORDS_LARGEST};
    char chunk[4096];

    for (;;) {
        ssize_t got, more;

        while ((more = stream_read(stream, true, chunk, sizeof chunk)) > 0)
            text_append_bytes(&words, chunk, (size_t)more);
        got = stream_read(stream, false, chunk, sizeof chunk);
        if (got > 0) {
            text_append_bytes(bytes, chunk, (size_t)got);

            char *found = memmem(bytes->bytes, bytes->length, greeting, strlen(greeting));

            if (found != NULL) {
                found += strlen(greeting);
                bytes->length -= (size_t)(found - bytes->bytes);
                memmove(bytes->bytes, found, bytes->length);
                return NULL;
            }
            if (!bytes->truncated)
                continue;
        }
        if (stream_state(stream) == STREAM_REFUSED) {
            struct error *error = host_open(host, arena, deadline_ms);

            return error != NULL
                       ? error
                       : error_new(arena, ERROR_UNREACHABLE, "%s did not start a command: %s",
                                   host_what(host, arena), stream_problem(stream));
        }
        if (bytes->truncated || (got < 0 && more < 0))
            return become_refused(host, arena, user, stream_status(stream), text_string(&words));

        struct error *error = host_wait(host, arena, NULL, 0, deadline_ms);

        if (error != NULL)
            return error;
    }
}

struct error *host_tunnel_command(struct host *host, struct arena *arena, const char *user,
                                  const char *command, int64_t deadline_ms, int *fd)
{
    struct text script CLEANUP(text_release) = {0}, arguments CLEANUP(text_release) = {0};
    struct text bytes CLEANUP(text_release) = {.limit = GREETING_LARGEST};
    struct error *error = host_open(host, arena, deadline_ms);
    char nonce[NONCE_SIZE];
    const char *line;

    if (error != NULL)
        return error;
    nonce_make(nonce);
    text_append_format(&script, "echo %s; %s", nonce, command);
    text_append(&arguments, " -c ");
    text_append_shell(&arguments, script.bytes, script.length);
    error = become_command(host, arena, user, text_string(&arguments), &line);
    if (error != NULL)
        return error;

    struct stream *stream = stream_command(host->session, line);

    error = greeting_await(host, arena, stream, user, arena_printf(arena, "%s\n", nonce),
                           deadline_ms, &bytes);
    if (error != NULL)
        return stream_fail(stream, error);
    if (bytes.length > TUNNEL_CHUNK)
        return stream_fail(stream, error_new(arena, ERROR_FAILED, "the command said too much"));
    return tunnel_start(host, arena, stream, text_string(&bytes), bytes.length, fd);
}
