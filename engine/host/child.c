/* Programs of this machine that we start (ssh -W, ssh -G): no shell, an end, and a deadline. */
#include "base/secret.h"
#include "host/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHILD_OUTPUT_LARGEST = 256 * 1024,
    CHILD_ENDING_MS = 1000,
};

/* Starts it in a session of its own, so that a Ctrl-C at our terminal is ours alone. */
static struct error *child_start(struct arena *arena, const char *const *arguments, int input,
                                 int output, int errors, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;

    (void)sigemptyset(&none);
    if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawnattr_init(&attributes) != 0)
        out_of_memory();
    (void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);

    int problem = posix_spawnp(child, arguments[0], &actions, &attributes, (char *const *)arguments,
                               secret_environment(arena));

    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    if (problem != 0) {
        *child = 0;
        return error_new(arena, ERROR_UNREACHABLE, "could not run \"%s\": %s", arguments[0],
                         errno_text(arena, problem));
    }
    return NULL;
}

/* The exit status, or -1 if it was killed or did not end in time. */
static int child_wait(pid_t child, int64_t deadline_ms)
{
    int status;

    for (;;) {
        pid_t ended = waitpid(child, &status, WNOHANG);

        if (ended == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if ((ended < 0 && errno != EINTR) || deadline_ms <= clock_ms())
            return -1;
        (void)poll(NULL, 0, 2);
    }
}

void child_end(pid_t child)
{
    if (child <= 0)
        return;
    (void)kill(child, SIGTERM);
    if (child_wait(child, clock_ms() + CHILD_ENDING_MS) == -1 && kill(child, 0) == 0) {
        (void)kill(child, SIGKILL);
        (void)child_wait(child, clock_ms() + CHILD_ENDING_MS);
    }
}

struct error *child_read(struct arena *arena, const char *const *arguments, int stop_fd,
                         int64_t deadline_ms, const char **out)
{
    struct text output CLEANUP(text_release) = {.limit = CHILD_OUTPUT_LARGEST};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), ends[2];
    struct error *error = NULL;
    char bytes[4096];
    pid_t child;

    if (null < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        (void)close(null);
        return error_new(arena, ERROR_FAILED, "could not make a pipe: %s",
                         errno_text(arena, errno));
    }
    error = child_start(arena, arguments, null, ends[1], ends[1], &child);
    (void)close(null);
    (void)close(ends[1]);
    while (error == NULL) {
        struct pollfd polls[2] = {{.fd = ends[0], .events = POLLIN}};
        ssize_t got;

        error = wait_poll(arena, polls, 1, stop_fd, deadline_ms);
        if (error != NULL || (got = read(ends[0], bytes, sizeof bytes)) == 0)
            break;
        if (got > 0)
            text_append_bytes(&output, bytes, (size_t)got);
    }
    (void)close(ends[0]);
    if (error == NULL && child_wait(child, deadline_ms) != 0) {
        while (output.length > 0 && strchr("\r\n", output.bytes[output.length - 1]) != NULL)
            output.bytes[--output.length] = '\0';
        error =
            error_new(arena, ERROR_INPUT, "\"%s\" failed: %s", arguments[0], text_string(&output));
    } else if (error != NULL) {
        child_end(child);
    }
    if (error == NULL)
        *out = text_copy(&output, arena);
    return error;
}

/* Splits "[user@]host[:port]"; the port stays NULL where there is none. */
static void jump_split(struct arena *arena, const char *jump, const char **destination,
                       const char **port)
{
    const char *colon = strrchr(jump, ':'), *bracket = strrchr(jump, ']');
    bool is_bare_ipv6 = bracket == NULL && colon != NULL && strchr(jump, ':') != colon;

    *destination = jump;
    *port = NULL;
    if (colon != NULL && colon > bracket && !is_bare_ipv6) {
        *destination = arena_copy(arena, jump, (size_t)(colon - jump));
        *port = colon + 1;
    }
    // ssh wants an address without its brackets.
    const char *open = strchr(*destination, '[');

    if (open != NULL && ends_with(*destination, "]"))
        *destination = arena_printf(arena, "%.*s%.*s", (int)(open - *destination), *destination,
                                    (int)strlen(open + 1) - 1, open + 1);
}

struct error *jump_open(struct arena *arena, const struct route *route, pid_t *child, int *fd,
                        int *errors)
{
    const char *arguments[40], *destination, *port;
    size_t count = 0;
    int ends[2], words[2];

    jump_split(arena, route->jump, &destination, &port);
    arguments[count++] = "ssh";
    arguments[count++] = "-F";
    arguments[count++] = route->config != NULL ? route->config : "none";
    arguments[count++] = "-oBatchMode=yes";
    arguments[count++] = "-oStrictHostKeyChecking=yes";
    arguments[count++] = "-oClearAllForwardings=yes";
    arguments[count++] = "-oForwardAgent=no";
    arguments[count++] = "-oControlMaster=no";
    arguments[count++] = "-oControlPath=none";
    arguments[count++] = "-oServerAliveInterval=5";
    arguments[count++] = "-oServerAliveCountMax=2";
    arguments[count++] = arena_printf(arena, "-oUserKnownHostsFile=\"%s\"", route->known_hosts);
    arguments[count++] =
        arena_printf(arena, "-oGlobalKnownHostsFile=\"%s\"", route->global_known_hosts);
    if (route->is_identity_named) {
        arguments[count++] = "-i";
        arguments[count++] = route->identities[0];
    }
    if (port != NULL) {
        arguments[count++] = "-p";
        arguments[count++] = port;
    }
    arguments[count++] = "-W";
    arguments[count++] = arena_printf(arena, "[%s]:%d", route->address, route->port);
    arguments[count++] = "--";
    arguments[count++] = destination;
    arguments[count] = NULL;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return error_new(arena, ERROR_FAILED, "could not make a socket pair: %s",
                         errno_text(arena, errno));
    if (pipe2(words, O_CLOEXEC) != 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return error_new(arena, ERROR_FAILED, "could not make a pipe: %s",
                         errno_text(arena, errno));
    }
    (void)fcntl(ends[0], F_SETFL, O_RDWR | O_NONBLOCK);
    (void)fcntl(words[0], F_SETFL, O_RDONLY | O_NONBLOCK);

    struct error *error = child_start(arena, arguments, ends[1], ends[1], words[1], child);

    (void)close(ends[1]);
    (void)close(words[1]);
    if (error != NULL) {
        (void)close(ends[0]);
        (void)close(words[0]);
        return error;
    }
    *fd = ends[0];
    *errors = words[0];
    return NULL;
}
