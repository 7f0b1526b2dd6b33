/* Bytes between a library's socket and a tunnel. */
#include "host/bridge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What was read from one side and is not yet written to the other. */
struct flow {
    size_t from, to;
    bool has_ended;
    char bytes[64 * 1024];
};

struct bridge {
    int port;
    int listener; /* -1 once the library has connected */
    int library;  /* our end of its connection; -1 before */
    int tunnel;
    struct flow up, down; /* to the tunnel, from the tunnel */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void bridge_close(struct bridge *bridge)
{
    if (bridge == NULL)
        return;
    close_fd(&bridge->listener);
    close_fd(&bridge->library);
    close_fd(&bridge->tunnel);
    free(bridge);
}

int bridge_port(const struct bridge *bridge)
{
    return bridge->port;
}

static bool bridge_listen(struct bridge *bridge)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    bridge->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bridge->listener < 0 ||
        bind(bridge->listener, (const struct sockaddr *)&address, length) != 0 ||
        listen(bridge->listener, SOMAXCONN) != 0 ||
        getsockname(bridge->listener, (struct sockaddr *)&address, &length) != 0)
        return false;
    bridge->port = ntohs(address.sin_port);
    return fcntl(bridge->tunnel, F_SETFL, O_NONBLOCK) == 0;
}

struct error *bridge_open(struct arena *arena, int tunnel, struct bridge **out)
{
    struct bridge *bridge = calloc(1, sizeof *bridge);

    if (bridge == NULL)
        out_of_memory();
    bridge->listener = bridge->library = -1;
    bridge->tunnel = tunnel;
    if (!bridge_listen(bridge)) {
        struct error *error = error_new(arena, ERROR_FAILED, "could not listen on 127.0.0.1: %s",
                                        errno_text(arena, errno));

        bridge_close(bridge);
        return error;
    }
    *out = bridge;
    return NULL;
}

/* Any local user may connect to the port; only the library's own socket is let in. */
static bool is_other_end(int accepted, int socket)
{
    struct sockaddr_in theirs = {0}, own = {0};
    socklen_t theirs_length = sizeof theirs, own_length = sizeof own;

    return getpeername(accepted, (struct sockaddr *)&theirs, &theirs_length) == 0 &&
           getsockname(socket, (struct sockaddr *)&own, &own_length) == 0 &&
           theirs.sin_family == AF_INET && own.sin_family == AF_INET &&
           theirs.sin_addr.s_addr == own.sin_addr.s_addr && theirs.sin_port == own.sin_port;
}

static void bridge_accept(struct bridge *bridge, int socket)
{
    int accepted;

    while ((accepted = accept4(bridge->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        if (is_other_end(accepted, socket)) {
            int on = 1;

            (void)setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            bridge->library = accepted;
            close_fd(&bridge->listener);
            return;
        }
        (void)close(accepted);
    }
}

static void flow_move(struct flow *flow, int from, int to)
{
    for (;;) {
        if (flow->from == flow->to && !flow->has_ended) {
            ssize_t got = read(from, flow->bytes, sizeof flow->bytes);

            if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return;
            flow->from = 0;
            flow->to = got > 0 ? (size_t)got : 0;
            if (got <= 0) {
                flow->has_ended = true;
                (void)shutdown(to, SHUT_WR);
            }
        }
        if (flow->from == flow->to)
            return;

        ssize_t sent = send(to, flow->bytes + flow->from, flow->to - flow->from, MSG_NOSIGNAL);

        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (sent < 0) {
            // Nobody reads any more: end the side that writes too, so that it learns of it.
            flow->from = flow->to;
            flow->has_ended = true;
            (void)shutdown(from, SHUT_RD);
            return;
        }
        flow->from += (size_t)sent;
    }
}

void bridge_move(struct bridge *bridge, int socket)
{
    if (bridge->library < 0)
        bridge_accept(bridge, socket);
    if (bridge->library < 0)
        return;
    flow_move(&bridge->up, bridge->library, bridge->tunnel);
    flow_move(&bridge->down, bridge->tunnel, bridge->library);
}

/* A descriptor without events is left out: its hang-up would be told again and again. */
static void poll_set(struct pollfd *poll, int fd, const struct flow *in, const struct flow *out)
{
    short events = 0;

    if (in->from == in->to && !in->has_ended)
        events |= POLLIN;
    if (out->from < out->to)
        events |= POLLOUT;
    *poll = (struct pollfd){.fd = events != 0 ? fd : -1, .events = events};
}

void bridge_prepare(const struct bridge *bridge, struct pollfd *polls)
{
    if (bridge->library < 0) {
        polls[0] = (struct pollfd){.fd = bridge->listener, .events = POLLIN};
        polls[1] = (struct pollfd){.fd = -1};
        return;
    }
    poll_set(&polls[0], bridge->library, &bridge->up, &bridge->down);
    poll_set(&polls[1], bridge->tunnel, &bridge->down, &bridge->up);
}
