/* The relay's text, and the beginning of its talk. */
#include "host/relay.h"
#include "host/wrapper.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Two processes, one for each direction, so that neither side can block the other. Python because
 * every Patroni host has it; _socket where it will do, because loading the module around it takes
 * another 8 ms. One constant text: only the arguments vary: path, port, and the claim's file.
 */
static const char program[] =
    "import os, sys\n"
    "path, port, claim = sys.argv[1:4]\n"
    "def copy(a, b):\n"
    "    for d in iter(lambda: os.read(a, 65536), b''):\n"
    "        while d:\n"
    "            d = d[os.write(b, d):]\n"
    "def seen():\n"
    "    try:\n"
    "        return os.stat(claim).st_ino\n"
    "    except OSError:\n"
    "        return 0\n"
    "def watch(first):\n"
    "    while seen() == first:\n"
    "        time.sleep(0.05)\n"
    "    os.kill(0, 9)\n"
    "if claim:\n"
    "    import fcntl, time, _thread\n"
    "    users = os.open(claim + '.users', os.O_CREAT | os.O_RDWR, 0o600)\n"
    "    fcntl.flock(users, fcntl.LOCK_SH)\n"
    "    claim = os.path.join(os.path.dirname(claim), os.path.basename(claim)[1:])\n"
    "    _thread.start_new_thread(watch, (seen(),))\n"
    "    os.close(8)\n"
    "try:\n"
    "    if port:\n"
    "        import socket\n"
    "        s = socket.create_connection((path, port), 10)\n"
    "        s.settimeout(None)\n"
    "        s.setsockopt(6, 1, 1)\n"
    "    else:\n"
    "        import _socket\n"
    "        s = _socket.socket(_socket.AF_UNIX)\n"
    "        s.connect(path)\n"
    "except OSError as e:\n"
    "    os.write(1, ('%d\\n' % (e.errno or 110)).encode())\n"
    "    os._exit(0)\n"
    "os.write(1, b'0\\n')\n"
    "pid = os.fork()\n"
    "try:\n"
    "    if pid:\n"
    "        copy(s.fileno(), 1)\n"
    "    else:\n"
    "        os.close(1)\n"
    "        copy(0, s.fileno())\n"
    "        s.shutdown(1)\n"
    "except OSError:\n"
    "    pass\n"
    "if pid:\n"
    "    os.kill(pid, 9)\n"
    "os._exit(0)\n";

/* The users' file is named after the claim's hidden one, so that releasing the claim finds it. */
const char *relay_command(struct arena *arena, const char *claim, const char *path, int port)
{
    struct text command CLEANUP(text_release) = {0};

    if (*claim != '\0') {
        text_append(&command, "claim=");
        text_append_shell(&command, claim, strlen(claim));
        text_append_format(&command,
                           "\n%sclaimed\nfile=\n"
                           "[ ! -d \"$HOME/.holdback\" ] || file=$HOME/.holdback/.%.*s\n",
                           wrapper_common, (int)strcspn(claim, " "), claim);
    }
    text_append(&command, "exec python3 -I -S -c ");
    text_append_shell(&command, program, sizeof program - 1);
    text_append(&command, " ");
    text_append_shell(&command, path, strlen(path));
    text_append_format(&command, port > 0 ? " %d" : " ''", port);
    text_append(&command, *claim != '\0' ? " \"$file\"" : " ''");
    return text_copy(&command, arena);
}

/* The relay's first line. The server never speaks first. */
static struct error *line_read(struct host *host, struct arena *arena, int fd, int64_t deadline_ms,
                               char *line, size_t size)
{
    size_t length = 0;

    while (length + 1 < size) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        struct error *error = host_wait(host, arena, &wait, 1, deadline_ms);

        if (error != NULL)
            return error;

        // No further than the line: what follows is the server's.
        ssize_t got = read(fd, line + length, 1);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            break;
        if (line[length] == '\n') {
            line[length] = '\0';
            return NULL;
        }
        length++;
    }
    return error_hint(arena, error_new(arena, ERROR_UNREACHABLE, "the socket relay did not start"),
                      "It needs python3 on the host.");
}

static struct error *status_read(struct host *host, struct arena *arena, int fd, int port,
                                 int64_t deadline_ms)
{
    char line[300] = "";
    struct error *error = line_read(host, arena, fd, deadline_ms, line, sizeof line);

    if (error != NULL)
        return error;
    if (starts_with(line, "lost "))
        return claim_lost(host, arena, line + 5);
    if (starts_with(line, "error "))
        return error_new(arena, ERROR_FAILED, "could not compare the claim on %s: %s",
                         host_what(host, arena), line + 6);

    int status = (int)strtol(line, NULL, 10);
    bool is_nobody = status == ECONNREFUSED || status == ENOENT || port > 0;

    return status == 0 ? NULL
                       : error_new(arena, is_nobody ? ERROR_FAILED : ERROR_UNREACHABLE, "%s",
                                   errno_text(arena, status));
}

struct error *relay_open(struct host *host, struct arena *arena, const char *user, const char *path,
                         int port, bool is_change, int64_t deadline_ms, int *fd)
{
    const char *claim = is_change && host->claim != NULL ? host->claim : "";
    int tunnel;
    struct error *error = host_tunnel_command(
        host, arena, user, relay_command(arena, claim, path, port), deadline_ms, &tunnel);

    if (error != NULL)
        return error;
    error = status_read(host, arena, tunnel, port, deadline_ms);
    if (error != NULL) {
        (void)close(tunnel);
        return error;
    }
    *fd = tunnel;
    return NULL;
}
