/* Tunnels through a real sshd, to a small server of this program and to commands. */
#include "server.h"

#include <pthread.h>

static struct server *server;
static struct arena arena;
static struct host *host;

static int setup(void **state)
{
    (void)state;
    server = server_start("");
    host = host_new(&server->settings, -1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    host_free(host);
    server_free(server);
    arena_release(&arena);
    return 0;
}

/* A listening socket on a free port. */
static int listening(int backlog, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(fd, backlog), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Sends back what it gets until the end, then "bye". */
static void *echo_main(void *context)
{
    int fd = accept(*(int *)context, NULL, NULL);
    char bytes[65536];
    ssize_t got;

    while ((got = read(fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t sent = 0; sent < got;)
            sent += write(fd, bytes + sent, (size_t)(got - sent));
    }
    (void)!write(fd, "bye", 3);
    close(fd);
    return NULL;
}

/* Writes LENGTH bytes and reads until the end, all inside host_wait. */
static void exchange_on(struct host *with, int fd, const char *bytes, size_t length,
                        struct text *back)
{
    size_t sent = 0;
    bool is_shut = false;

    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        char piece[10000];

        if (!is_shut)
            wait.events |= POLLOUT;
        assert_no_error(&arena, host_wait(with, &arena, &wait, 1, within(20)));
        if (!is_shut && (wait.revents & POLLOUT) != 0) {
            ssize_t more = write(fd, bytes + sent, length - sent);

            sent += more > 0 ? (size_t)more : 0;
            if (sent == length)
                is_shut = shutdown(fd, SHUT_WR) == 0;
        }

        ssize_t got = read(fd, piece, sizeof piece);

        if (got == 0)
            return;
        if (got > 0)
            text_append_bytes(back, piece, (size_t)got);
    }
}

static void exchange(int fd, const char *bytes, size_t length, struct text *back)
{
    exchange_on(host, fd, bytes, length, back);
}

static void bytes_go_both_ways_and_both_ends_close_in_order(void **state)
{
    size_t length = 5000000;
    char *bytes = arena_alloc(&arena, length);
    struct text back CLEANUP(text_release) = {0};
    int port, listener = listening(1, &port), fd;
    pthread_t thread;

    (void)state;
    for (size_t at = 0; at < length; at++)
        bytes[at] = (char)(at * 7 + at / 1000);
    pthread_create(&thread, NULL, echo_main, &listener);
    assert_no_error(&arena, host_tunnel_tcp(host, &arena, "127.0.0.1", port, within(10), &fd));
    exchange(fd, bytes, length, &back);
    close(fd);
    pthread_join(thread, NULL);
    close(listener);
    assert_int_equal(back.length, length + 3);
    assert_memory_equal(back.bytes, bytes, length);
    assert_string_equal(back.bytes + length, "bye");
}

static void a_shell_answers_while_a_tunnel_waits_to_be_read(void **state)
{
    int fd;

    (void)state;
    assert_no_error(&arena, host_tunnel_command(host, &arena, NULL,
                                                "exec head -c 9000000 /dev/zero", within(10), &fd));
    for (int times = 0; times < 30; times++) {
        struct shell_request request = {.script = "echo still", .deadline_ms = within(5)};
        struct shell_result result;

        assert_no_error(&arena, host_shell(host, &arena, &request, &result));
        assert_string_equal(text_string(&result.out), "still\n");
        shell_result_release(&result);
    }

    struct text back CLEANUP(text_release) = {0};

    exchange(fd, "", 0, &back);
    assert_int_equal(back.length, 9000000);
    close(fd);
}

static void a_port_where_nobody_listens_is_refused_and_the_session_goes_on(void **state)
{
    int port = free_port(), fd;

    (void)state;
    assert_error(
        &arena, host_tunnel_tcp(host, &arena, "127.0.0.1", port, within(10), &fd), ERROR_FAILED,
        arena_printf(&arena,
                     "could not connect to 127.0.0.1 port %d from host \"pg1\" (127.0.0.1): "
                     "Connection refused",
                     port),
        NULL);
    assert_no_error(&arena,
                    host_tunnel_tcp(host, &arena, "127.0.0.1", server->port, within(10), &fd));
    close(fd);
}

static void a_port_that_does_not_answer_is_a_timeout(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int port, listener = listening(0, &port), waiting[4], fd;
    int64_t began_ms = clock_ms();

    (void)state;
    // A full queue: further connections get no answer.
    address.sin_port = htons((uint16_t)port);
    for (size_t at = 0; at < ARRAY_COUNT(waiting); at++) {
        waiting[at] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(waiting[at], (struct sockaddr *)&address, sizeof address);
    }

    struct error *error = host_tunnel_tcp(host, &arena, "127.0.0.1", port, clock_ms() + 300, &fd);

    assert_error(&arena, error, ERROR_TIMEOUT, "timed out waiting for host \"pg1\" (127.0.0.1)",
                 NULL);
    assert_true(clock_ms() - began_ms < 1500);
    for (size_t at = 0; at < ARRAY_COUNT(waiting); at++)
        close(waiting[at]);
    close(listener);
}

static void a_server_that_forbids_forwarding_is_told(void **state)
{
    struct server *strict = server_start("AllowTcpForwarding no");
    struct host *closed = host_new(&strict->settings, -1);
    int fd;

    (void)state;
    assert_error(
        &arena, host_tunnel_tcp(closed, &arena, "127.0.0.1", 5432, within(10), &fd),
        ERROR_UNREACHABLE,
        "host \"pg1\" (127.0.0.1) does not let us forward connections to 127.0.0.1 port 5432",
        arena_printf(&arena,
                     "Its sshd needs \"AllowTcpForwarding local\" (and PermitOpen, where "
                     "used) for \"%s\".",
                     strict->user));
    host_free(closed);
    server_free(strict);
}

static void a_command_runs_as_another_user_behind_the_noise_of_a_login(void **state)
{
    struct text back CLEANUP(text_release) = {0};
    int fd;

    (void)state;
    if (getuid() == 0)
        server_write(server, "home/.bashrc", "echo noise\n", 0644);
    assert_no_error(&arena, host_tunnel_command(host, &arena, server->settings.postgres.os_user,
                                                "id -un; exec cat", within(10), &fd));
    exchange(fd, "it's\n", 5, &back);
    close(fd);
    assert_string_equal(text_string(&back),
                        arena_printf(&arena, "%s\nit's\n", server->settings.postgres.os_user));
}

static void a_user_that_cannot_be_reached_is_told_at_once(void **state)
{
    int fd;

    (void)state;
    if (getuid() != 0)
        skip();

    struct error *error = host_tunnel_command(host, &arena, "nobody-here", "cat", within(10), &fd);

    assert_non_null(error);
    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_text_contains(
        error_text(&arena, error),
        "could not become \"nobody-here\" on host \"pg1\" (127.0.0.1) as \"root\": "
        "sudo: ");
}

static void closing_the_descriptor_ends_the_command(void **state)
{
    const char *path = server_path(server, "pid");
    int fd, pid;

    (void)state;
    assert_no_error(&arena, host_tunnel_command(host, &arena, NULL,
                                                arena_printf(&arena, "echo $$ >%s; exec cat", path),
                                                within(10), &fd));
    for (int tries = 0; access(path, F_OK) != 0 || *server_read(server, "pid") == '\0'; tries++) {
        assert_true(tries < 200);
        poll(NULL, 0, 10);
    }
    pid = (int)strtol(server_read(server, "pid"), NULL, 10);
    assert_true(process_is_alive(pid));
    close(fd);
    for (int tries = 0; process_is_alive(pid); tries++) {
        assert_true(tries < 200);
        (void)host_wait(host, &arena, NULL, 0, clock_ms() + 10);
    }
}

/* sshd lets a connection have 10 sessions at once, and counts one until both sides have closed it.
 */
static void commands_that_end_by_themselves_do_not_use_up_the_sessions(void **state)
{
    (void)state;
    for (int tries = 0; tries < 25; tries++) {
        struct pollfd wait = {.events = POLLIN};
        char byte;

        assert_no_error(&arena,
                        host_tunnel_command(host, &arena, NULL, "exit 0", within(10), &wait.fd));
        assert_no_error(&arena, host_wait(host, &arena, &wait, 1, within(10)));
        assert_int_equal(read(wait.fd, &byte, 1), 0);
        close(wait.fd);
    }
}

static void a_tunnel_ends_when_the_session_breaks(void **state)
{
    struct host *broken = host_new(&server->settings, -1);
    struct pollfd wait = {.events = POLLIN};
    struct error *error = NULL;
    char byte;

    (void)state;
    // The command ends its own sshd.
    assert_no_error(&arena,
                    host_tunnel_command(broken, &arena, NULL, "sleep 0.1; kill -9 $PPID; exec cat",
                                        within(10), &wait.fd));
    error = host_wait(broken, &arena, &wait, 1, within(10));
    assert_non_null(error);
    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_int_equal(read(wait.fd, &byte, 1), 0);
    close(wait.fd);
    host_free(broken);
}

/* The server's end is gone when the stream is opened: that is no answer of the port. */
static void a_session_that_is_found_broken_is_told_and_opened_anew(void **state)
{
    struct host *broken = host_new(&server->settings, -1);
    struct text said CLEANUP(text_release) = {0};
    int fd;

    (void)state;
    assert_no_error(&arena,
                    host_tunnel_command(broken, &arena, NULL, "echo $PPID", within(10), &fd));
    exchange_on(broken, fd, "", 0, &said);
    close(fd);

    pid_t session = (pid_t)strtol(text_string(&said), NULL, 10);

    assert_true(session > 1);
    // What it has not read makes the kernel refuse our next packet as soon as it is dead.
    assert_int_equal(kill(session, SIGSTOP), 0);
    assert_int_equal(
        host_tunnel_tcp(broken, &arena, "127.0.0.1", server->port, clock_ms() + 50, &fd)->kind,
        ERROR_TIMEOUT);
    assert_int_equal(kill(session, SIGKILL), 0);
    while (process_is_alive(session))
        poll(NULL, 0, 10);

    struct error *error =
        host_tunnel_tcp(broken, &arena, "127.0.0.1", server->port, within(10), &fd);

    assert_non_null(error);
    assert_text_contains(error_text(&arena, error),
                         "the connection to host \"pg1\" (127.0.0.1) broke: ");
    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_no_error(&arena,
                    host_tunnel_tcp(broken, &arena, "127.0.0.1", server->port, within(10), &fd));
    close(fd);
    host_free(broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways_and_both_ends_close_in_order),
        cmocka_unit_test(a_shell_answers_while_a_tunnel_waits_to_be_read),
        cmocka_unit_test(a_port_where_nobody_listens_is_refused_and_the_session_goes_on),
        cmocka_unit_test(a_port_that_does_not_answer_is_a_timeout),
        cmocka_unit_test(a_server_that_forbids_forwarding_is_told),
        cmocka_unit_test(a_command_runs_as_another_user_behind_the_noise_of_a_login),
        cmocka_unit_test(a_user_that_cannot_be_reached_is_told_at_once),
        cmocka_unit_test(closing_the_descriptor_ends_the_command),
        cmocka_unit_test(commands_that_end_by_themselves_do_not_use_up_the_sessions),
        cmocka_unit_test(a_tunnel_ends_when_the_session_breaks),
        cmocka_unit_test(a_session_that_is_found_broken_is_told_and_opened_anew),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
