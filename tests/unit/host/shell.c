/* The kept shells: what runs, what comes back, and what never runs. */
#include "server.h"

#include "host/inside.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

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

/* The user that a test becomes; without root there is only ourselves. */
static const char *other(void)
{
    return server->settings.postgres.os_user;
}

static struct shell_result run(struct shell_request request)
{
    struct shell_result result = {0};

    if (request.deadline_ms == 0)
        request.deadline_ms = within(20);
    assert_no_error(&arena, host_shell(host, &arena, &request, &result));
    return result;
}

static void assert_run(struct shell_request request, int status, const char *out, const char *err)
{
    struct shell_result result = run(request);

    assert_string_equal(text_string(&result.out), out);
    assert_string_equal(text_string(&result.err), err);
    assert_int_equal(result.status, status);
    shell_result_release(&result);
}

static void output_errors_and_status_come_back(void **state)
{
    (void)state;
    assert_run((struct shell_request){.script = "printf a; printf b >&2; exit 7"}, 7, "a", "b");
    assert_run((struct shell_request){.script = ":"}, 0, "", "");
    assert_run((struct shell_request){.script = "kill -9 $$"}, 137, "", "");
}

static void a_script_runs_under_sh_eu(void **state)
{
    (void)state;
    assert_run((struct shell_request){.script = "false; echo never"}, 1, "", "");
    assert_run((struct shell_request){.script = "echo \"$nobody_set_this\""}, 2, "",
               "sh: 1: nobody_set_this: parameter not set\n");
    assert_run((struct shell_request){.script = "echo one; fi"}, 2, "",
               "sh: 1: Syntax error: \"fi\" unexpected\n");
}

static void bash_runs_with_pipefail(void **state)
{
    (void)state;
    assert_run((struct shell_request){.script = "false | true; echo never", .interpreter = "bash"},
               1, "", "");
    assert_run((struct shell_request){.script = "a=(1 2); echo ${#a[@]}", .interpreter = "bash"}, 0,
               "2\n", "");
}

static void another_user_is_reached_in_its_home(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    assert_run((struct shell_request){.script = "id -un; pwd; echo $HOME", .user = "postgres"}, 0,
               "postgres\n/var/lib/postgresql\n/var/lib/postgresql\n", "");
}

static void arguments_and_values_arrive_byte_for_byte(void **state)
{
    char every[256], quotes[] = "it's \"$HOME\" `id` \\ $(id)\n\n";
    const char *arguments[] = {"-n", quotes, "", every, NULL};

    (void)state;
    for (int at = 0; at < 255; at++)
        every[at] = (char)(at + 1);
    every[255] = '\0';

    const struct shell_environment environment[] = {
        {"quotes", quotes}, {"dash", "-e"}, {"every", every}, {"empty", ""}};
    struct shell_request request = {
        .script = "printf '%s|' \"$@\" \"$quotes\" \"$dash\" \"$every\" \"$empty\"; env | grep -c "
                  "'^dash=-e$' >&2",
        .user = other(),
        .arguments = arguments,
        .environment = environment,
        .environment_count = ARRAY_COUNT(environment)};
    const char *expected =
        arena_printf(&arena, "-n|%s||%s|%s|-e|%s||", quotes, every, quotes, every);

    assert_run(request, 0, expected, "1\n");
    request.interpreter = "bash";
    assert_run(request, 0, expected, "1\n");
    // Set for that text only.
    assert_run((struct shell_request){.script = "echo ${dash-unset}", .user = other()}, 0,
               "unset\n", "");
}

static void a_long_value_arrives_and_a_too_long_one_is_refused(void **state)
{
    size_t length = 128 * 1024 - sizeof "long=";
    char *value = arena_alloc(&arena, length + 2);
    const struct shell_environment environment[] = {{"long", value}};
    struct shell_request request = {.script = "echo ${#long}",
                                    .environment = environment,
                                    .environment_count = 1,
                                    .deadline_ms = within(10)};
    struct shell_result result;

    (void)state;
    memset(value, 'x', length);
    assert_run(request, 0, "131066\n", "");
    value[length] = 'x';
    assert_error(&arena, host_shell(host, &arena, &request, &result), ERROR_INPUT,
                 "the value of \"long\" is too long for a shell's environment (131067 bytes)",
                 NULL);
}

static void a_name_that_is_no_variable_is_refused(void **state)
{
    const struct shell_environment environment[] = {{"a;reboot", "x"}};
    struct shell_request request = {.script = ":",
                                    .environment = environment,
                                    .environment_count = 1,
                                    .deadline_ms = within(10)};
    struct shell_result result;

    (void)state;
    assert_error(&arena, host_shell(host, &arena, &request, &result), ERROR_INPUT,
                 "\"a;reboot\" cannot be the name of a shell variable", NULL);
}

static void standard_input_is_empty_or_what_is_given(void **state)
{
    char every[256];

    (void)state;
    for (int at = 0; at < 256; at++)
        every[at] = (char)at;
    assert_run((struct shell_request){.script = "cat; echo end"}, 0, "end\n", "");

    struct shell_result result =
        run((struct shell_request){.script = "cat", .input = every, .input_length = sizeof every});

    assert_int_equal(result.out.length, sizeof every);
    assert_memory_equal(result.out.bytes, every, sizeof every);
    shell_result_release(&result);
    assert_run((struct shell_request){.script = "cat", .input = "-n %d", .input_length = 5}, 0,
               "-n %d", "");
    // What a script does not read goes nowhere, above all not to the shell.
    assert_run(
        (struct shell_request){.script = "exit 3", .input = "touch /tmp/x\n", .input_length = 13},
        3, "", "");
    assert_run((struct shell_request){.script = "echo next"}, 0, "next\n", "");
}

static void a_script_of_one_mebibyte_runs(void **state)
{
    static const char begin[] = "echo $1; cat\n# '", middle[] = "it's a $comment \\\n# '",
                      end[] = "\necho last";
    struct text script CLEANUP(text_release) = {0};
    struct shell_request request = {.deadline_ms = within(5)};
    struct shell_result result;

    (void)state;
    text_append(&script, begin);
    while (script.length + sizeof middle + sizeof end < 1024 * 1024)
        text_append(&script, middle);
    while (script.length + sizeof end - 1 < 1024 * 1024)
        text_append(&script, ".");
    text_append(&script, end);
    assert_run((struct shell_request){.script = script.bytes,
                                      .arguments = (const char *const[]){"first", NULL},
                                      .input = "in\n",
                                      .input_length = 3},
               0, "first\nin\nlast\n", "");
    text_append(&script, "s");
    request.script = script.bytes;
    assert_error(&arena, host_shell(host, &arena, &request, &result), ERROR_INPUT,
                 "the script is too long (1048577 bytes; 1048576 are allowed)", NULL);
}

static void too_much_output_is_drained_and_marked(void **state)
{
    struct shell_result result = run(
        (struct shell_request){.script = "head -c 10000000 /dev/zero; head -c 3000 /dev/zero >&2",
                               .output_limit = 100000});

    (void)state;
    assert_int_equal(result.out.length, 100000);
    assert_true(result.out.truncated);
    assert_int_equal(result.err.length, 3000);
    assert_false(result.err.truncated);
    shell_result_release(&result);
    result = run((struct shell_request){.script = "head -c 10000000 /dev/zero | tr '\\0' x"});
    assert_int_equal(result.out.length, 10000000);
    assert_false(result.out.truncated);
    shell_result_release(&result);
}

static void noise_of_login_scripts_is_no_output(void **state)
{
    struct host *noisy;
    struct shell_request request = {.script = "echo real; echo too >&2", .deadline_ms = within(10)};
    struct shell_result result;

    (void)state;
    if (getuid() != 0)
        skip();
    server_write(server, "home/.bashrc",
                 "echo noise; echo more noise >&2; head -c 100000 /dev/zero\n", 0644);
    noisy = host_new(&server->settings, -1);
    assert_no_error(&arena, host_shell(noisy, &arena, &request, &result));
    assert_string_equal(text_string(&result.out), "real\n");
    assert_string_equal(text_string(&result.err), "too\n");
    shell_result_release(&result);
    host_free(noisy);
    unlink(server_path(server, "home/.bashrc"));
}

static void a_command_is_killed_at_its_deadline_with_all_its_processes(void **state)
{
    const char *pids = server_path(server, "pids");
    struct shell_request request = {
        .script = "trap '' TERM; sleep 60 & echo $$ $! >\"$1\"; wait; sleep 60",
        .arguments = (const char *const[]){pids, NULL}};
    struct shell_result result;
    int64_t began_ms = clock_ms();
    int shell, child;

    (void)state;
    request.deadline_ms = began_ms + 400;
    assert_error(&arena, host_shell(host, &arena, &request, &result), ERROR_TIMEOUT,
                 "the command on host \"pg1\" (127.0.0.1) was killed: it took longer than allowed",
                 NULL);
    assert_true(clock_ms() - began_ms < 1300);
    assert_int_equal(sscanf(server_read(server, "pids"), "%d %d", &shell, &child), 2);
    for (int tries = 0; process_is_alive(shell) || process_is_alive(child); tries++) {
        assert_true(tries < 100);
        poll(NULL, 0, 10);
    }
    assert_run((struct shell_request){.script = "echo goes on"}, 0, "goes on\n", "");
}

static void a_shell_that_hangs_or_dies_is_replaced(void **state)
{
    static const char resident[] = "read -r _ _ _ resident _ </proc/$PPID/stat; "
                                   "echo $resident >%s; kill -%s $resident";
    char file[] = "/tmp/holdback-resident.XXXXXX";
    int fd = mkstemp(file);
    struct shell_request request = {.script = arena_printf(&arena, resident, file, "STOP")};
    struct shell_result result;
    char digits[16] = "";

    (void)state;
    assert_true(fd >= 0);
    request.deadline_ms = clock_ms() + 500;
    assert_non_null(host_shell(host, &arena, &request, &result));
    // A stopped process hears of no lost connection: it would stay for ever.
    assert_true(read(fd, digits, sizeof digits - 1) > 1);
    assert_int_equal(kill((pid_t)strtol(digits, NULL, 10), SIGKILL), 0);
    (void)close(fd);
    (void)unlink(file);
    assert_run((struct shell_request){.script = "echo goes on"}, 0, "goes on\n", "");
    request.script = arena_printf(&arena, resident, "/dev/null", "KILL");
    request.deadline_ms = within(10);
    assert_error(&arena, host_shell(host, &arena, &request, &result), ERROR_UNREACHABLE,
                 "the shell on host \"pg1\" (127.0.0.1) ended before it had answered", NULL);
    assert_run((struct shell_request){.script = "echo goes on"}, 0, "goes on\n", "");
}

static void a_broken_connection_is_told_and_made_anew(void **state)
{
    // Shell, timeout, kept shell, sshd of this session.
    static const char hang_up[] =
        "p=$PPID; for i in 1 2; do read -r _ _ _ p _ </proc/$p/stat; done; "
        "kill -9 $p; sleep 5";
    struct shell_request request = {.script = hang_up, .deadline_ms = within(10)};
    struct shell_result result;
    struct error *error = host_shell(host, &arena, &request, &result);

    (void)state;
    assert_non_null(error);
    assert_text_contains(error_text(&arena, error),
                         "the connection to host \"pg1\" (127.0.0.1) broke: ");
    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_run((struct shell_request){.script = "echo again"}, 0, "again\n", "");
}

static void sudo_that_wants_a_password_is_unreachable_with_the_line_to_add(void **state)
{
    struct host_settings settings = server->settings;
    struct shell_request request = {.script = ":", .user = "root", .deadline_ms = within(10)};
    struct shell_result result;

    (void)state;
    if (getuid() != 0)
        skip();
    // Without PAM, sshd lets nobody in whose password is locked.
    server_stop(server);
    server_run(server, "UsePAM yes");
    settings.ssh.user = "postgres";

    struct host *unprivileged = host_new(&settings, -1);

    assert_error(&arena, host_shell(unprivileged, &arena, &request, &result), ERROR_UNREACHABLE,
                 "could not become \"root\" on host \"pg1\" (127.0.0.1) as \"postgres\": sudo: a "
                 "password is required",
                 "It needs this line in /etc/sudoers on the host: postgres ALL=(root) NOPASSWD: "
                 "/bin/sh");
    host_free(unprivileged);
    server_stop(server);
    server_run(server, "");
}

static void become_none_reaches_nobody_else(void **state)
{
    struct host_settings settings = server->settings;
    struct shell_request request = {.script = ":", .user = "nobody", .deadline_ms = within(10)};
    struct shell_result result;

    (void)state;
    settings.ssh.become = "none";

    struct host *plain = host_new(&settings, -1);

    assert_error(&arena, host_shell(plain, &arena, &request, &result), ERROR_UNREACHABLE,
                 "cannot become \"nobody\" on host \"pg1\" (127.0.0.1): \"become\" is \"none\"",
                 "Log in as that user, or say \"become: sudo\" in the cluster file.");
    host_free(plain);
}

/* Feeds TEXT to a local shell, as a connection that breaks off would. */
static void feed(const char *text, size_t length)
{
    int ends[2], status;

    assert_int_equal(pipe(ends), 0);

    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(ends[0], 0);
        dup2(null, 1);
        dup2(null, 2);
        close(ends[0]);
        close(ends[1]);
        execl("/bin/sh", "sh", (char *)NULL);
        _exit(127);
    }
    close(ends[0]);
    assert_int_equal(write(ends[1], text, length), (ssize_t)length);
    close(ends[1]);
    waitpid(pid, &status, 0);
}

static void a_request_that_was_cut_off_anywhere_never_runs(void **state)
{
    const char *marker = server_path(server, "marker");
    struct text body CLEANUP(text_release) = {0}, request CLEANUP(text_release) = {0};
    const struct shell_request what = {.script = arena_printf(&arena, "touch %s", marker),
                                       .arguments = (const char *const[]){"a'b", "}", NULL},
                                       .input = "x\n}\n",
                                       .input_length = 4,
                                       .deadline_ms = within(60)};

    (void)state;
    assert_no_error(&arena, request_body(&arena, &what, &body));

    struct shell_call call = {.body = body.bytes, .body_length = body.length};

    request_write(&request, &call, "0123456789abcdef0123456789abcdef", true);
    for (size_t length = 1; length + 1 < request.length; length += 3) {
        feed(request.bytes, length);
        assert_int_not_equal(access(marker, F_OK), 0);
    }
    feed(request.bytes, request.length);
    assert_int_equal(access(marker, F_OK), 0);
}

static void *thread_main(void *context)
{
    struct arena own = {0};
    struct host *mine = host_new(&server->settings, -1);
    bool is_right = true;

    for (int at = 0; is_right && at < 20; at++) {
        char number[32];
        struct shell_result result = {0};

        snprintf(number, sizeof number, "%p %d", context, at);

        struct shell_request request = {.user = at % 2 == 0 ? NULL : other(),
                                        .script = "echo \"$1\"; head -c 100000 /dev/zero >&2",
                                        .arguments = (const char *const[]){number, NULL},
                                        .deadline_ms = within(20)};

        is_right = host_shell(mine, &own, &request, &result) == NULL &&
                   strncmp(text_string(&result.out), number, strlen(number)) == 0 &&
                   result.err.length == 100000;
        shell_result_release(&result);
    }
    *(bool *)context = is_right;
    host_free(mine);
    arena_release(&own);
    return NULL;
}

static void eight_threads_do_not_disturb_each_other(void **state)
{
    pthread_t threads[8];
    bool is_right[8] = {false};

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(threads); at++)
        pthread_create(&threads[at], NULL, thread_main, &is_right[at]);
    for (size_t at = 0; at < ARRAY_COUNT(threads); at++)
        pthread_join(threads[at], NULL);
    for (size_t at = 0; at < ARRAY_COUNT(threads); at++)
        assert_true(is_right[at]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_errors_and_status_come_back),
        cmocka_unit_test(a_script_runs_under_sh_eu),
        cmocka_unit_test(bash_runs_with_pipefail),
        cmocka_unit_test(another_user_is_reached_in_its_home),
        cmocka_unit_test(arguments_and_values_arrive_byte_for_byte),
        cmocka_unit_test(a_long_value_arrives_and_a_too_long_one_is_refused),
        cmocka_unit_test(a_name_that_is_no_variable_is_refused),
        cmocka_unit_test(standard_input_is_empty_or_what_is_given),
        cmocka_unit_test(a_script_of_one_mebibyte_runs),
        cmocka_unit_test(too_much_output_is_drained_and_marked),
        cmocka_unit_test(noise_of_login_scripts_is_no_output),
        cmocka_unit_test(a_command_is_killed_at_its_deadline_with_all_its_processes),
        cmocka_unit_test(a_shell_that_hangs_or_dies_is_replaced),
        cmocka_unit_test(a_broken_connection_is_told_and_made_anew),
        cmocka_unit_test(sudo_that_wants_a_password_is_unreachable_with_the_line_to_add),
        cmocka_unit_test(become_none_reaches_nobody_else),
        cmocka_unit_test(a_request_that_was_cut_off_anywhere_never_runs),
        cmocka_unit_test(eight_threads_do_not_disturb_each_other),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
