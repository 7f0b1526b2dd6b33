/*
 * A real sshd on 127.0.0.1 for tests, on a port of its own, with keys of its own, ended by its
 * process id. It serves whoever runs the test; as root, sudo to "postgres" works as well.
 */
#ifndef TEST_SERVER_H
#define TEST_SERVER_H

#include "base/file.h"
#include "host/host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

struct server {
    struct arena arena;
    char folder[32];
    const char *user;
    int port;
    pid_t pid;
    struct host_settings settings; /* complete, ready for host_new */
};

/* Runs a program to its end; its status. */
static inline int run_program(const char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    int status = -1;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    assert_int_equal(
        posix_spawnp(&pid, arguments[0], &actions, NULL, (char *const *)arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline const char *server_path(struct server *server, const char *name)
{
    return arena_printf(&server->arena, "%s/%s", server->folder, name);
}

static inline void server_write(struct server *server, const char *name, const char *text,
                                mode_t mode)
{
    assert_null(file_write(&server->arena, server_path(server, name), text, strlen(text), mode));
}

static inline char *server_read(struct server *server, const char *name)
{
    char *bytes;
    size_t length;

    assert_null(file_read(&server->arena, server_path(server, name), TEXT_LIMIT, &bytes, &length));
    return bytes;
}

/* Makes a key pair NAME, NAME.pub. */
static inline void server_key(struct server *server, const char *name, const char *type,
                              const char *passphrase)
{
    assert_int_equal(
        run_program((const char *const[]){"ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C",
                                          "test", "-f", server_path(server, name), NULL}),
        0);
}

/* A line for known_hosts with the public key NAME; MARKER is "" or "@revoked ". */
static inline const char *server_known(struct server *server, const char *marker, const char *name)
{
    return arena_printf(&server->arena, "%s[127.0.0.1]:%d %s", marker, server->port,
                        server_read(server, name));
}

static inline int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static inline bool port_answers(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

    close(fd);
    return answers;
}

/* Starts sshd with the keys that server_start made. Of two values, sshd takes the first: MORE's. */
static inline void server_run(struct server *server, const char *more)
{
    // As root, a home of its own keeps the machine's login scripts and folders out of the tests.
    const char *home =
        getuid() == 0 ? arena_printf(&server->arena, "SetEnv HOME=%s/home\n", server->folder) : "";
    const char *config = arena_printf(
        &server->arena,
        "%s\nListenAddress 127.0.0.1\nPort %d\nHostKey %s/host_ed25519\nPidFile none\nUsePAM no\n"
        "AuthorizedKeysFile %s/authorized_keys\nStrictModes no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPermitRootLogin yes\nLogLevel VERBOSE\n%s",
        more, server->port, server->folder, server->folder, home);

    server_write(server, "sshd_config", config, 0600);

    // It must not outlive a test that crashes.
    const char *arguments[] = {"setpriv",
                               "--pdeathsig",
                               "TERM",
                               "/usr/sbin/sshd",
                               "-D",
                               "-f",
                               server_path(server, "sshd_config"),
                               "-E",
                               server_path(server, "log"),
                               NULL};

    assert_int_equal(
        posix_spawnp(&server->pid, arguments[0], NULL, NULL, (char *const *)arguments, environ), 0);
    for (int tries = 0; !port_answers(server->port); tries++) {
        assert_true(tries < 500);
        poll(NULL, 0, 10);
    }
}

static inline void server_stop(struct server *server)
{
    int status;

    if (server->pid <= 0)
        return;
    kill(server->pid, SIGTERM);
    waitpid(server->pid, &status, 0);
    server->pid = 0;
}

static inline struct server *server_start(const char *more)
{
    struct server *server = calloc(1, sizeof *server);
    const struct passwd *self = getpwuid(getuid());

    assert_non_null(server);
    strcpy(server->folder, "/tmp/holdback-sshd.XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    assert_int_equal(chmod(server->folder, 0755), 0);
    assert_int_equal(mkdir(server_path(server, "home"), 0755), 0);
    if (getuid() == 0)
        mkdir("/run/sshd", 0755); // sshd insists on it; a package's sshd would have made it
    server->user = arena_strdup(&server->arena, self->pw_name);
    server->port = free_port();
    server_key(server, "host_ed25519", "ed25519", "");
    server_key(server, "user_key", "ed25519", "");
    server_write(server, "authorized_keys", server_read(server, "user_key.pub"), 0644);
    server_write(server, "known_hosts", server_known(server, "", "host_ed25519.pub"), 0600);
    server_run(server, more);

    struct host_settings *settings = &server->settings;

    settings->name = settings->member = "pg1";
    settings->address = "127.0.0.1";
    settings->ssh.user = server->user;
    settings->ssh.port = server->port;
    settings->ssh.identity = server_path(server, "user_key");
    settings->ssh.known_hosts = server_path(server, "known_hosts");
    settings->ssh.become = "sudo";
    settings->postgres.os_user = getuid() == 0 ? "postgres" : server->user;
    return server;
}

static inline void server_free(struct server *server)
{
    server_stop(server);
    run_program((const char *const[]){"rm", "-rf", server->folder, NULL});
    arena_release(&server->arena);
    free(server);
}

static inline bool process_is_alive(pid_t pid)
{
    char path[64], line[512], state = 'Z';

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);

    FILE *file = fopen(path, "r");

    if (file == NULL)
        return false;
    if (fgets(line, sizeof line, file) != NULL && strrchr(line, ')') != NULL)
        state = strrchr(line, ')')[2];
    fclose(file);
    return state != 'Z';
}

#define assert_text_contains(text, part)                                                           \
    do {                                                                                           \
        if (strstr(text, part) == NULL)                                                            \
            fail_msg("\"%s\" is not in \"%s\"", part, text);                                       \
    } while (0)

/* The whole message and its hint (NULL: none), without what differs from run to run. */
static inline void assert_error(struct arena *arena, const struct error *error,
                                enum error_kind kind, const char *message, const char *hint)
{
    assert_non_null(error);
    assert_string_equal(error_text(arena, error), message);
    assert_int_equal(error->kind, kind);
    if (hint == NULL)
        assert_null(error->hint);
    else
        assert_string_equal(error->hint, hint);
}

static inline void assert_no_error(struct arena *arena, const struct error *error)
{
    if (error != NULL)
        fail_msg("%s", error_text(arena, error));
}

static inline int64_t within(int seconds)
{
    return clock_ms() + seconds * INT64_C(1000);
}

#endif
