/* What is tried behind the fence is tried in a child: it is killed. */
#include "cli/offline.h"
#include "base/text.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int open_socket, output;

static void try_connect(void)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)connect(open_socket, (const struct sockaddr *)&address, sizeof address);
}

static void try_socket(void)
{
    (void)socket(AF_UNIX, SOCK_STREAM, 0);
}

static void try_program(void)
{
    static char word[] = "true";
    char *const words[] = {word, NULL};

    (void)execv("/bin/true", words);
}

static void try_fork(void)
{
    if (fork() == 0)
        _exit(0);
}

static void try_raw_fork(void)
{
    // What fork() of the C library does not use.
    if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0)
        _exit(0);
}

static void try_write(void)
{
    (void)open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void try_create(void)
{
    (void)open("/tmp/holdback-must-not-exist", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
}

static void try_openat2(void)
{
    uint64_t how[3] = {O_RDWR, 0, 0};

    (void)syscall(437, AT_FDCWD, "/dev/null", how, sizeof how);
}

static void try_what_a_preview_does(void)
{
    int fd = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
    void *volatile memory = malloc(1 << 20);
    bool is_well = fd >= 0 && close(fd) == 0 && memory != NULL && write(output, "x", 1) == 1;

    free(memory);
    _exit(is_well ? 7 : 8);
}

/* The signal that ended a child which tried it, or 256 + its exit status. */
static int end_of(void (*try)(void))
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        CLEANUP(arena_release) struct arena arena = {0};

        if (offline_enter(&arena) != NULL)
            _exit(9);
        try();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 256 + WEXITSTATUS(status);
}

static void a_connection_is_killed(void **state)
{
    (void)state;
    assert_int_equal(end_of(try_connect), SIGSYS);
    assert_int_equal(end_of(try_socket), SIGSYS);
}

static void a_program_is_killed(void **state)
{
    (void)state;
    assert_int_equal(end_of(try_program), SIGSYS);
}

static void a_new_process_is_killed(void **state)
{
    (void)state;
    assert_int_equal(end_of(try_fork), SIGSYS);
    assert_int_equal(end_of(try_raw_fork), SIGSYS);
}

static void opening_for_writing_is_killed(void **state)
{
    (void)state;
    assert_int_equal(end_of(try_write), SIGSYS);
    assert_int_equal(end_of(try_create), SIGSYS);
    assert_int_equal(end_of(try_openat2), SIGSYS);
    assert_int_equal(access("/tmp/holdback-must-not-exist", F_OK), -1);
}

static void reading_memory_and_what_is_open_are_not(void **state)
{
    (void)state;
    assert_int_equal(end_of(try_what_a_preview_does), 256 + 7);
}

static void *run_late(void *context)
{
    char byte;

    if (read(*(int *)context, &byte, 1) == 1)
        try_write();
    _exit(8);
}

/* As a library's may be; it takes the whole process with it. */
static void a_thread_that_was_there_before_is_fenced_too(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        CLEANUP(arena_release) struct arena arena = {0};
        pthread_t thread;
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) != 0 || pthread_create(&thread, NULL, run_late, &ends[0]) != 0)
            _exit(9);
        if (offline_enter(&arena) != NULL || write(ends[1], "x", 1) != 1)
            _exit(9);
        (void)pause();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_killed),
        cmocka_unit_test(a_program_is_killed),
        cmocka_unit_test(a_new_process_is_killed),
        cmocka_unit_test(opening_for_writing_is_killed),
        cmocka_unit_test(reading_memory_and_what_is_open_are_not),
        cmocka_unit_test(a_thread_that_was_there_before_is_fenced_too),
    };

    open_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    output = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
