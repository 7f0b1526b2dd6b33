/* The two pieces between libpq and a server's Unix socket: the relay there, the bridge here. */
#include "host/relay.h"
#include "host/bridge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 10000 };

/* Reads exactly LENGTH bytes; fewer only at the end. */
static size_t read_all(int fd, char *bytes, size_t length)
{
    size_t have = 0;

    while (have < length) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);

        ssize_t got = read(fd, bytes + have, length - have);

        if (got <= 0)
            break;
        have += (size_t)got;
    }
    return have;
}

static pid_t relay_start(const char *path, int *fd)
{
    struct arena arena = {0};
    const char *command = relay_command(&arena, "", path, 0);
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);

    pid_t pid = fork();

    if (pid == 0) {
        (void)dup2(ends[1], STDIN_FILENO);
        (void)dup2(ends[1], STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(99);
    }
    (void)close(ends[1]);
    arena_release(&arena);
    *fd = ends[0];
    return pid;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void the_relay_carries_both_directions_to_their_ends(void **state)
{
    char folder[] = "/tmp/holdback-relay-XXXXXX", path[64], bytes[8];
    int fd, status;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/it's here", folder);

    int listener = listen_at(path);
    pid_t pid = relay_start(path, &fd);
    int server = accept(listener, NULL, NULL);

    assert_int_equal(read_all(fd, bytes, 2), 2);
    assert_memory_equal(bytes, "0\n", 2);
    assert_int_equal(write(fd, "ask", 3), 3);
    assert_int_equal(read_all(server, bytes, 3), 3);
    assert_memory_equal(bytes, "ask", 3);
    assert_int_equal(write(server, "answer", 6), 6);
    assert_int_equal(read_all(fd, bytes, 6), 6);
    assert_memory_equal(bytes, "answer", 6);

    // Our end first, as when the program dies: the server learns of it, then all is gone.
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(read_all(server, bytes, 1), 0);
    assert_int_equal(close(server), 0);
    assert_int_equal(read_all(fd, bytes, 1), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(fd);
    (void)close(listener);
    (void)unlink(path);
    (void)rmdir(folder);
}

static void the_relay_says_why_it_could_not_connect(void **state)
{
    char folder[] = "/tmp/holdback-relay-XXXXXX", path[64], bytes[16] = "", expected[16];
    int fd;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);

    pid_t missing = relay_start(path, &fd);

    (void)snprintf(expected, sizeof expected, "%d\n", ENOENT);
    assert_int_equal(read_all(fd, bytes, sizeof bytes - 1), strlen(expected));
    assert_string_equal(bytes, expected);
    assert_int_equal(waitpid(missing, NULL, 0), missing);
    (void)close(fd);

    (void)close(listen_at(path));
    memset(bytes, 0, sizeof bytes);

    pid_t dead = relay_start(path, &fd);

    (void)snprintf(expected, sizeof expected, "%d\n", ECONNREFUSED);
    assert_int_equal(read_all(fd, bytes, sizeof bytes - 1), strlen(expected));
    assert_string_equal(bytes, expected);
    assert_int_equal(waitpid(dead, NULL, 0), dead);
    (void)close(fd);
    (void)unlink(path);
    (void)rmdir(folder);
}

struct crossing {
    struct arena arena;
    struct bridge *bridge;
    int far, library; /* the tunnel's other end; the library's socket */
};

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void bridge_make(struct crossing *crossing)
{
    int ends[2];

    *crossing = (struct crossing){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_null(bridge_open(&crossing->arena, ends[0], &crossing->bridge));
    crossing->far = ends[1];
}

static void bridge_drop(struct crossing *crossing)
{
    bridge_close(crossing->bridge);
    (void)close(crossing->far);
    (void)close(crossing->library);
    arena_release(&crossing->arena);
}

/* Moves until FD can be read. */
static void move_until(struct crossing *crossing, int fd)
{
    for (;;) {
        struct pollfd polls[1 + BRIDGE_POLLS] = {{.fd = fd, .events = POLLIN}};

        bridge_prepare(crossing->bridge, polls + 1);
        assert_true(poll(polls, ARRAY_COUNT(polls), PATIENCE_MS) > 0);
        bridge_move(crossing->bridge, crossing->library);
        if (polls[0].revents != 0)
            return;
    }
}

static void the_bridge_carries_both_directions_to_their_ends(void **state)
{
    struct crossing crossing;
    char bytes[8];

    (void)state;
    bridge_make(&crossing);
    crossing.library = connect_to(bridge_port(crossing.bridge));

    assert_int_equal(write(crossing.library, "ask", 3), 3);
    move_until(&crossing, crossing.far);
    assert_int_equal(read_all(crossing.far, bytes, 3), 3);
    assert_int_equal(write(crossing.far, "answer", 6), 6);
    move_until(&crossing, crossing.library);
    assert_int_equal(read_all(crossing.library, bytes, 6), 6);
    assert_memory_equal(bytes, "answer", 6);

    assert_int_equal(close(crossing.far), 0);
    crossing.far = -1;
    move_until(&crossing, crossing.library);
    assert_int_equal(read_all(crossing.library, bytes, 1), 0);
    bridge_drop(&crossing);
}

static void a_stranger_on_the_bridges_port_is_not_heard(void **state)
{
    struct crossing crossing;
    char bytes[8];

    (void)state;
    bridge_make(&crossing);

    int stranger = connect_to(bridge_port(crossing.bridge));

    assert_int_equal(write(stranger, "evil", 4), 4);
    crossing.library = connect_to(bridge_port(crossing.bridge));
    assert_int_equal(write(crossing.library, "ask", 3), 3);
    move_until(&crossing, crossing.far);

    assert_int_equal(read_all(crossing.far, bytes, 3), 3);
    assert_memory_equal(bytes, "ask", 3);
    assert_int_equal(read(stranger, bytes, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    (void)close(stranger);
    bridge_drop(&crossing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_relay_carries_both_directions_to_their_ends),
        cmocka_unit_test(the_relay_says_why_it_could_not_connect),
        cmocka_unit_test(the_bridge_carries_both_directions_to_their_ends),
        cmocka_unit_test(a_stranger_on_the_bridges_port_is_not_heard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
