/* Waiting with a deadline and a stop descriptor, and connecting that way. */
#include "host/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DEAD_PEER_MS = 10000, /* unacknowledged for so long: the peer is gone */
    KEEPALIVE_S = 5,
};

struct error *wait_poll(struct arena *arena, struct pollfd *polls, size_t count, int stop_fd,
                        int64_t deadline_ms)
{
    for (;;) {
        int64_t left_ms = deadline_ms - clock_ms();

        polls[count] = (struct pollfd){.fd = stop_fd, .events = POLLIN};
        if (left_ms < 0)
            left_ms = 0;

        int ready = poll(polls, count + 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);

        if (ready < 0 && errno != EINTR)
            return error_new(arena, ERROR_FAILED, "could not wait: %s", errno_text(arena, errno));
        if (ready > 0 && polls[count].revents != 0)
            return error_new(arena, ERROR_STOPPED, "stopped");
        if (ready > 0)
            return NULL;
        if (deadline_ms <= clock_ms())
            return error_new(arena, ERROR_TIMEOUT, "timed out");
    }
}

/* The resolver has no deadline, so it runs in a thread that may outlive our patience. */
struct lookup {
    char *address;
    char port[12];
    int result;
    struct addrinfo *found;
    int pipe[2];
    pthread_mutex_t mutex;
    int users;
};

static void lookup_release(struct lookup *lookup)
{
    (void)pthread_mutex_lock(&lookup->mutex);
    bool is_last = --lookup->users == 0;
    (void)pthread_mutex_unlock(&lookup->mutex);
    if (!is_last)
        return;
    if (lookup->found != NULL)
        freeaddrinfo(lookup->found);
    (void)close(lookup->pipe[0]);
    (void)close(lookup->pipe[1]);
    (void)pthread_mutex_destroy(&lookup->mutex);
    free(lookup->address);
    free(lookup);
}

static void lookup_ask(struct lookup *lookup, int flags)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};

    lookup->result = getaddrinfo(lookup->address, lookup->port, &hints, &lookup->found);
}

static void *lookup_main(void *argument)
{
    struct lookup *lookup = argument;

    lookup_ask(lookup, AI_ADDRCONFIG);
    (void)!write(lookup->pipe[1], "", 1);
    lookup_release(lookup);
    return NULL;
}

static struct lookup *lookup_new(const char *address, int port)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);

    if (lookup == NULL || (lookup->address = strdup(address)) == NULL)
        out_of_memory();
    (void)snprintf(lookup->port, sizeof lookup->port, "%d", port);
    (void)pthread_mutex_init(&lookup->mutex, NULL);
    lookup->users = 1;
    lookup->pipe[0] = lookup->pipe[1] = -1;
    return lookup;
}

static struct error *lookup_wait(struct arena *arena, struct lookup *lookup, int stop_fd,
                                 int64_t deadline_ms)
{
    pthread_t thread;
    char done;

    lookup_ask(lookup, AI_NUMERICHOST);
    if (lookup->result == 0)
        return NULL;
    if (pipe2(lookup->pipe, O_CLOEXEC) != 0)
        return error_new(arena, ERROR_FAILED, "could not make a pipe: %s",
                         errno_text(arena, errno));
    lookup->users = 2;
    if (pthread_create(&thread, NULL, lookup_main, lookup) != 0) {
        lookup->users = 1;
        return error_new(arena, ERROR_FAILED, "could not start a thread");
    }
    (void)pthread_detach(thread);

    struct pollfd polls[2] = {{.fd = lookup->pipe[0], .events = POLLIN}};
    struct error *error = wait_poll(arena, polls, 1, stop_fd, deadline_ms);

    if (error != NULL)
        return error_because(arena, error, "could not resolve \"%s\"", lookup->address);
    (void)!read(lookup->pipe[0], &done, 1);
    if (lookup->result != 0)
        return error_new(arena, ERROR_UNREACHABLE, "could not resolve \"%s\": %s", lookup->address,
                         gai_strerror(lookup->result));
    return NULL;
}

static void socket_tune(int fd)
{
    const int on = 1, dead_ms = DEAD_PEER_MS, keepalive_s = KEEPALIVE_S, count = 2;

    // Without NODELAY each exchange waits 40 ms for a delayed acknowledgement. Without the others
    // a peer that vanished is never noticed.
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s, sizeof keepalive_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &keepalive_s, sizeof keepalive_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static struct error *dial_one(struct arena *arena, const struct addrinfo *to, int stop_fd,
                              int64_t deadline_ms, int *out)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int problem = 0;
    socklen_t size = sizeof problem;
    struct error *error = NULL;

    if (fd < 0)
        return error_new(arena, ERROR_UNREACHABLE, "%s", errno_text(arena, errno));
    socket_tune(fd);
    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0) {
        struct pollfd polls[2] = {{.fd = fd, .events = POLLOUT}};

        problem = errno;
        if (problem == EINPROGRESS) {
            error = wait_poll(arena, polls, 1, stop_fd, deadline_ms);
            if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0)
                problem = errno;
        }
    }
    if (error == NULL && problem != 0)
        error = error_new(arena, ERROR_UNREACHABLE, "%s", errno_text(arena, problem));
    if (error != NULL) {
        (void)close(fd);
        return error;
    }
    *out = fd;
    return NULL;
}

/* A name may have several addresses: one that is silent must leave time for the others. */
static int64_t share_of(const struct addrinfo *to, int64_t deadline_ms)
{
    int64_t now_ms = clock_ms(), addresses = 0;

    for (; to != NULL; to = to->ai_next)
        addresses++;
    return deadline_ms <= now_ms ? deadline_ms : now_ms + (deadline_ms - now_ms) / addresses;
}

struct error *dial(struct arena *arena, const char *address, int port, int stop_fd,
                   int64_t deadline_ms, int *fd)
{
    struct lookup *lookup = lookup_new(address, port);
    struct error *error = lookup_wait(arena, lookup, stop_fd, deadline_ms);

    if (error == NULL) {
        for (const struct addrinfo *to = lookup->found; to != NULL; to = to->ai_next) {
            error = dial_one(arena, to, stop_fd, share_of(to, deadline_ms), fd);
            if (error == NULL || error->kind == ERROR_STOPPED)
                break;
        }
    }
    lookup_release(lookup);
    return error;
}
