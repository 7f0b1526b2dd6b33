/* One SSH session: connects, proves the host, logs in, and is then served without ever waiting. */
#include "host/libssh.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

short session_events(const struct session *session)
{
    return (short)(POLLIN |
                   ((ssh_get_poll_flags(session->ssh) & SSH_WRITE_PENDING) != 0 ? POLLOUT : 0));
}

/* Once libssh has closed it, its number may soon be somebody else's: -1, the session is over. */
int session_fd(const struct session *session)
{
    return ssh_is_connected(session->ssh) ? ssh_get_fd(session->ssh) : -1;
}

/*
 * The kernel forgets QUICKACK by itself, and without it the server's next small packet waits 40 ms
 * for our acknowledgement. libssh makes the descriptor blocking when it takes it over; a blocking
 * send to a dead peer would outlast every deadline.
 */
static void socket_refresh(const struct session *session)
{
    const int on = 1;

    (void)setsockopt(session->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    (void)fcntl(session->fd, F_SETFL, O_RDWR | O_NONBLOCK);
}

struct error *session_wait(struct arena *arena, struct session *session, int stop_fd,
                           int64_t deadline_ms)
{
    struct pollfd polls[2] = {{.fd = session->fd, .events = session_events(session)}};

    // libssh closes the descriptor by itself when the server says goodbye.
    if (ssh_get_fd(session->ssh) == SSH_INVALID_SOCKET)
        return error_new(arena, ERROR_UNREACHABLE, "%s", session_problem(session));
    socket_refresh(session);
    return wait_poll(arena, polls, 1, stop_fd, deadline_ms);
}

static bool options_set(struct session *session, const struct route *route)
{
    const int off = 0, on = 1, quiet = SSH_LOG_NOLOG;
    ssh_session ssh = session->ssh;
    const unsigned port = (unsigned)route->port;

    return ssh_options_set(ssh, SSH_OPTIONS_PROCESS_CONFIG, &off) == 0 &&
           ssh_options_set(ssh, SSH_OPTIONS_LOG_VERBOSITY, &quiet) == 0 &&
           ssh_options_set(ssh, SSH_OPTIONS_HOST, route->address) == 0 &&
           ssh_options_set(ssh, SSH_OPTIONS_PORT, &port) == 0 &&
           ssh_options_set(ssh, SSH_OPTIONS_USER, route->user) == 0 &&
           ssh_options_set(ssh, SSH_OPTIONS_NODELAY, &on) == 0 &&
           ssh_options_set(ssh, SSH_OPTIONS_KNOWNHOSTS, route->known_hosts) == 0 &&
           ssh_options_set(ssh, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, route->global_known_hosts) == 0 &&
           ssh_options_set(ssh, SSH_OPTIONS_FD, &session->fd) == 0;
}

/* What ssh -W said on its standard error, or "". */
static const char *child_words(struct arena *arena, const struct session *session)
{
    char bytes[2048];
    ssize_t got = session->child == 0 ? 0 : read(session->child_errors, bytes, sizeof bytes - 1);

    while (got > 0 && strchr("\r\n", bytes[got - 1]) != NULL)
        got--;
    return arena_copy(arena, bytes, got > 0 ? (size_t)got : 0);
}

/* Key exchange. *IS_BUSY: the other side hung up in the middle of it. */
static struct error *handshake(struct arena *arena, struct session *session, int stop_fd,
                               int64_t deadline_ms, bool *is_busy)
{
    int result;

    session->is_connected = true;
    while ((result = ssh_connect(session->ssh)) == SSH_AGAIN) {
        struct error *error = session_wait(arena, session, stop_fd, deadline_ms);

        if (error != NULL)
            return error;
    }
    if (result == SSH_OK)
        return NULL;

    const char *words = child_words(arena, session);

    *is_busy = *words == '\0' && strstr(session_problem(session), "ocket error") != NULL;
    return error_new(arena, ERROR_UNREACHABLE, "%s",
                     *words != '\0' ? words : session_problem(session));
}

static struct error *prepare(struct arena *arena, struct session *session,
                             const struct route *route, int stop_fd, int64_t deadline_ms)
{
    if (route->jump != NULL) {
        struct error *error =
            jump_open(arena, route, &session->child, &session->fd, &session->child_errors);

        if (error != NULL)
            return error;
    } else {
        struct error *error =
            dial(arena, route->address, route->port, stop_fd, deadline_ms, &session->fd);

        if (error != NULL)
            return error;
    }
    session->ssh = ssh_new();
    if (session->ssh == NULL)
        out_of_memory();
    if (!options_set(session, route))
        return error_new(arena, ERROR_INPUT, "%s", ssh_get_error(session->ssh));
    ssh_set_blocking(session->ssh, 0);
    (void)ssh_set_counters(session->ssh, &session->counter, NULL);
    return NULL;
}

static struct error *establish(struct arena *arena, struct session *session,
                               const struct route *route, int stop_fd, int64_t deadline_ms,
                               bool *is_busy)
{
    struct error *error = prepare(arena, session, route, stop_fd, deadline_ms);

    if (error == NULL)
        error = handshake(arena, session, stop_fd, deadline_ms, is_busy);
    if (error != NULL)
        return error_because(arena, error, "could not connect to %s", route->what);
    error = hostkey_check(arena, session->ssh, route);
    if (error == NULL)
        error = session_login(arena, session, route, stop_fd, deadline_ms);
    if (error != NULL)
        return error;
    session->event = ssh_event_new();
    if (session->event == NULL || ssh_event_add_session(session->event, session->ssh) != SSH_OK)
        out_of_memory();
    socket_refresh(session);
    return NULL;
}

struct error *session_open(struct arena *arena, const struct route *route, int stop_fd,
                           int64_t deadline_ms, bool *is_busy, struct session **out)
{
    struct session *session = calloc(1, sizeof *session);

    if (session == NULL)
        out_of_memory();
    session->fd = session->child_errors = -1;
    *is_busy = false;

    struct error *error = establish(arena, session, route, stop_fd, deadline_ms, is_busy);

    if (error != NULL) {
        session_close(session);
        return error;
    }
    *out = session;
    return NULL;
}

void session_close(struct session *session)
{
    if (session == NULL)
        return;
    streams_detach(session);
    if (session->event != NULL) {
        (void)ssh_event_remove_session(session->event, session->ssh);
        ssh_event_free(session->event);
    }
    if (session->ssh != NULL) {
        // ssh_disconnect leaves a descriptor that it was given open, unless an error closed it.
        if (session->is_connected)
            session->fd = ssh_get_fd(session->ssh);
        ssh_disconnect(session->ssh);
        ssh_free(session->ssh);
    }
    if (session->fd >= 0)
        (void)close(session->fd);
    if (session->child_errors >= 0)
        (void)close(session->child_errors);
    child_end(session->child);
    free(session);
}

bool session_serve(struct session *session)
{
    int result = ssh_event_dopoll(session->event, 0);

    if (result == SSH_ERROR || !ssh_is_connected(session->ssh) ||
        (ssh_get_status(session->ssh) & (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0)
        return false;
    streams_step(session);
    socket_refresh(session);
    return true;
}

const char *session_problem(struct session *session)
{
    const char *problem = ssh_get_error(session->ssh);

    // It says so of a socket that the other side has closed.
    return *problem == '\0' || ends_with(problem, "Success") ? "the connection was closed"
                                                             : problem;
}

uint64_t session_received(const struct session *session)
{
    return session->counter.in_bytes;
}

const char *ssh_library(void)
{
    return ssh_version(0);
}
