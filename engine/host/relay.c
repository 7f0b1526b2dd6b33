/* The relay's text, and the beginning of its talk. */
#include "host/relay.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Two processes, one for each direction, so that neither side can block the other. Python because
 * every Patroni host has it; _socket because loading the module around it takes another 8 ms. One
 * constant text: only the argument varies.
 */
static const char program[] = "import os, sys, _socket\n"
                              "def copy(a, b):\n"
                              "    for d in iter(lambda: os.read(a, 65536), b''):\n"
                              "        while d:\n"
                              "            d = d[os.write(b, d):]\n"
                              "s = _socket.socket(_socket.AF_UNIX)\n"
                              "e = s.connect_ex(sys.argv[1])\n"
                              "os.write(1, ('%d\\n' % e).encode())\n"
                              "if e:\n"
                              "    os._exit(0)\n"
                              "pid = os.fork()\n"
                              "try:\n"
                              "    if pid:\n"
                              "        copy(s.fileno(), 1)\n"
                              "    else:\n"
                              "        os.close(1)\n"
                              "        copy(0, s.fileno())\n"
                              "        s.shutdown(_socket.SHUT_WR)\n"
                              "except OSError:\n"
                              "    pass\n"
                              "if pid:\n"
                              "    os.kill(pid, 9)\n"
                              "os._exit(0)\n";

const char *relay_command(struct arena *arena, const char *path)
{
    struct text command CLEANUP(text_release) = {0};

    text_append(&command, "exec python3 -I -S -c ");
    text_append_shell(&command, program, sizeof program - 1);
    text_append(&command, " ");
    text_append_shell(&command, path, strlen(path));
    return text_copy(&command, arena);
}

/* The relay's first line: the errno of its connect. The server never speaks first. */
static struct error *status_read(struct host *host, struct arena *arena, int fd,
                                 int64_t deadline_ms, int *status)
{
    char line[16] = "";
    size_t length = 0;

    while (length + 1 < sizeof line) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        struct error *error = host_wait(host, arena, &wait, 1, deadline_ms);

        if (error != NULL)
            return error;

        ssize_t got = read(fd, line + length, sizeof line - 1 - length);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
        if (line[length - 1] == '\n') {
            *status = (int)strtol(line, NULL, 10);
            return NULL;
        }
    }
    return error_hint(arena, error_new(arena, ERROR_UNREACHABLE, "the socket relay did not start"),
                      "It needs python3 on the host.");
}

struct error *relay_open(struct host *host, struct arena *arena, const char *user, const char *path,
                         int64_t deadline_ms, int *fd)
{
    int tunnel, status = 0;
    struct error *error =
        host_tunnel_command(host, arena, user, relay_command(arena, path), deadline_ms, &tunnel);

    if (error != NULL)
        return error;
    error = status_read(host, arena, tunnel, deadline_ms, &status);
    if (error == NULL && status != 0)
        error = error_new(
            arena, status == ECONNREFUSED || status == ENOENT ? ERROR_FAILED : ERROR_UNREACHABLE,
            "%s", errno_text(arena, status));
    if (error != NULL) {
        (void)close(tunnel);
        return error;
    }
    *fd = tunnel;
    return NULL;
}
