/* Jobs on a real host: at most once, exact status, and no guess where it cannot be known. */
#include "host/job.h"

#include "server.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/eventfd.h>

static struct server *server;
static struct arena arena;
static struct host *host;
static const char *user, *folder; /* who runs the jobs, and the run's folder */
static const char *run;           /* one per program: jobs lie in a real home */
static int jobs;

static int setup(void **state)
{
    (void)state;
    server = server_start("");
    host = host_new(&server->settings, -1);
    user = server->settings.postgres.os_user;
    run = arena_printf(&server->arena, "unit-job.%d", (int)getpid());
    assert_no_error(&arena, run_folder(host, &arena, run, user, true, within(10), &folder));
    folder = arena_strdup(&server->arena, folder);
    assert_int_equal(chmod(server_path(server, "home"), 0777), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_no_error(&arena, run_folder_remove(host, &arena, run, user, within(10)));
    assert_int_not_equal(access(folder, F_OK), 0);
    host_free(host);
    server_free(server);
    arena_release(&arena);
    return 0;
}

/* A new job for SCRIPT. In it, $home is a folder that everybody may write to. */
static struct job_request job(const char *script)
{
    static struct shell_environment environment[] = {{"home", NULL}};

    environment[0].value = server_path(server, "home");
    return (struct job_request){.run = run,
                                .id = arena_printf(&arena, "%064x", ++jobs),
                                .user = user,
                                .script = script,
                                .environment = environment,
                                .environment_count = 1,
                                .deadline_ms = within(20)};
}

static const char *job_path(const struct job_request *request, const char *name)
{
    return arena_printf(&arena, "%s/%s/%s", folder, request->id, name);
}

static void assert_job(struct job_request request, int status, const char *out, const char *err)
{
    struct job_result result = {0};

    assert_no_error(&arena, job_run(host, &arena, &request, NULL, NULL, &result));
    assert_int_equal(result.state, JOB_DONE);
    assert_string_equal(text_string(&result.out), out);
    assert_string_equal(text_string(&result.err), err);
    assert_int_equal(result.status, status);
    job_result_release(&result);
}

static enum job_state look(const struct job_request *request, const char **why)
{
    struct job_result result = {0};

    assert_no_error(&arena, job_look(host, &arena, run, request->id, user, within(10), &result));
    *why = result.why;
    job_result_release(&result);
    return result.state;
}

/* How many times "once" was appended by a script. */
static int times(const char *name)
{
    const char *path = server_path(server, arena_printf(&arena, "home/%s", name));
    struct stat info;

    return stat(path, &info) == 0 ? (int)info.st_size : 0;
}

static void wait_for(const char *path)
{
    for (int tries = 0; access(path, F_OK) != 0; tries++) {
        assert_true(tries < 500);
        poll(NULL, 0, 10);
    }
}

/* Starts it and lets go. */
static void start(struct job_request request)
{
    struct job_result result = {0};

    request.deadline_ms = clock_ms() + 200;
    assert_non_null(job_run(host, &arena, &request, NULL, NULL, &result));
    job_result_release(&result);
    wait_for(job_path(&request, "started"));
}

static void output_errors_and_status_come_back(void **state)
{
    struct job_request request = job("printf a; printf b >&2; exit 7");

    (void)state;
    assert_job(request, 7, "a", "b");
    assert_job(request, 7, "a", "b");
    assert_job(job("kill -TERM $$"), 143, "", "");
    assert_job(job(":"), 0, "", "");
    assert_job(job("false; echo never"), 1, "", "");
    assert_job(job("id -un"), 0, arena_printf(&arena, "%s\n", user), "");
}

static void values_input_and_interpreter_reach_the_job(void **state)
{
    char every[255];
    struct shell_environment environment[] = {{"value", every}, {"PATH", "/nowhere"}};
    struct job_request request = job("printf '%s' \"$value\"");

    (void)state;
    for (int at = 0; at < 254; at++)
        every[at] = (char)(at + 1);
    every[254] = '\0';
    request.environment = environment;
    request.environment_count = 2;
    assert_job(request, 0, every, "");

    request = job("a=(1 2); false | echo ${#a[@]}; cat");
    request.interpreter = "bash";
    assert_job(request, 1, "2\n", "");

    request = job("cat; echo end");
    request.input = "it's %d \\n";
    request.input_length = 10;
    assert_job(request, 0, "it's %d \\nend\n", "");
    assert_job(job("cat; echo end"), 0, "end\n", "");
}

static void a_second_launch_never_starts_it_again(void **state)
{
    struct job_request request = job("printf x >>$home/second; echo first");

    (void)state;
    assert_job(request, 0, "first\n", "");
    request.script = "printf x >>$home/second; echo second";
    assert_job(request, 0, "first\n", "");
    assert_int_equal(times("second"), 1);
}

struct racer {
    const struct job_request *request;
    bool is_right;
};

static void *race_main(void *context)
{
    struct racer *racer = context;
    struct arena own = {0};
    struct host *mine = host_new(&server->settings, -1);
    struct job_result result = {0};
    struct error *error = job_run(mine, &own, racer->request, NULL, NULL, &result);

    racer->is_right = error == NULL && result.state == JOB_DONE && result.status == 5 &&
                      strcmp(text_string(&result.out), "done\n") == 0;
    if (!racer->is_right)
        print_error("%s\n", error == NULL ? "wrong result" : error_text(&own, error));
    job_result_release(&result);
    host_free(mine);
    arena_release(&own);
    return NULL;
}

static void of_four_that_race_one_starts_it_and_all_see_its_end(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct job_request request = job("printf x >>$home/race; sleep 0.05; echo done; exit 5");
        struct racer racers[4];
        pthread_t threads[4];

        for (size_t at = 0; at < ARRAY_COUNT(threads); at++) {
            racers[at] = (struct racer){.request = &request};
            pthread_create(&threads[at], NULL, race_main, &racers[at]);
        }
        for (size_t at = 0; at < ARRAY_COUNT(threads); at++)
            pthread_join(threads[at], NULL);
        for (size_t at = 0; at < ARRAY_COUNT(threads); at++)
            assert_true(racers[at].is_right);
        assert_int_equal(times("race"), round + 1);
    }
}

static void a_killed_client_finds_its_job_again(void **state)
{
    int not_started = 0, running = 0, done = 0;

    (void)state;
    host_close(host); // the children must not share our session
    for (int round = 0; round < 24; round++) {
        struct job_request request = job("printf x >>$home/killed; sleep 0.03; echo done; exit 5");
        pid_t pid = fork();
        const char *why;
        int status;

        if (pid == 0) {
            struct host *mine = host_new(&server->settings, -1);
            struct job_result result;

            (void)job_run(mine, &arena, &request, NULL, NULL, &result);
            _exit(0);
        }
        // Logging in takes 20 to 60 ms, the launch 10.
        poll(NULL, 0, 20 + round * 4);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);

        enum job_state before = look(&request, &why);

        not_started += before == JOB_NOT_STARTED;
        running += before == JOB_RUNNING;
        done += before == JOB_DONE;
        assert_int_not_equal(before, JOB_IN_DOUBT);
        assert_job(request, 5, "done\n", "");
        assert_int_equal(times("killed"), round + 1);
    }
    print_message("after the kill: %d not started, %d running, %d done\n", not_started, running,
                  done);
}

static void a_deadline_leaves_it_running_and_the_next_client_sees_all_output(void **state)
{
    struct job_request request = job("echo early; sleep 0.6; echo late; exit 4");
    struct job_result result = {0};

    (void)state;
    request.deadline_ms = clock_ms() + 300;
    assert_error(&arena, job_run(host, &arena, &request, NULL, NULL, &result), ERROR_TIMEOUT,
                 "the job took longer than allowed on host \"pg1\" (127.0.0.1)", NULL);
    assert_int_equal(result.state, JOB_RUNNING);
    job_result_release(&result);
    request.deadline_ms = within(10);
    assert_job(request, 4, "early\nlate\n", "");
}

static void a_stop_leaves_it_running(void **state)
{
    int stop = eventfd(0, EFD_CLOEXEC);
    struct host *stopped = host_new(&server->settings, stop);
    struct job_request request = job("printf x >$home/begun; sleep 0.3; echo end");
    struct job_result result = {0};
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        wait_for(server_path(server, "home/begun"));
        eventfd_write(stop, 1);
        _exit(0);
    }

    struct error *error = job_run(stopped, &arena, &request, NULL, NULL, &result);
    int status;

    waitpid(pid, &status, 0);
    assert_non_null(error);
    assert_int_equal(error->kind, ERROR_STOPPED);
    assert_int_equal(result.state, JOB_RUNNING);
    job_result_release(&result);
    host_free(stopped);
    close(stop);
    assert_job(request, 0, "end\n", "");
}

static void collect(void *context, const char *bytes, size_t length)
{
    text_append_bytes(context, bytes, length);
}

static void output_is_shown_while_it_runs_each_byte_once(void **state)
{
    struct job_request request = job("for i in 1 2 3 4; do echo $i; sleep 0.25; done; echo e >&2");
    struct text seen CLEANUP(text_release) = {0};
    struct job_result result = {0};

    (void)state;
    assert_no_error(&arena, job_run(host, &arena, &request, collect, &seen, &result));
    assert_string_equal(text_string(&seen), "1\n2\n3\n4\ne\n");
    assert_string_equal(text_string(&result.out), "1\n2\n3\n4\n");
    job_result_release(&result);
}

static void a_daemon_that_it_leaves_holds_neither_lock_nor_end(void **state)
{
    struct job_request request = job("sleep 30 & echo $! >$home/daemon; echo started");
    int64_t began_ms = clock_ms();

    (void)state;
    assert_job(request, 0, "started\n", "");
    assert_true(clock_ms() - began_ms < 5000);

    int pid = (int)strtol(server_read(server, "home/daemon"), NULL, 10);
    char link[64], target[256];

    assert_true(process_is_alive(pid));
    for (int fd = 3; fd < 20; fd++) {
        snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
        if (readlink(link, target, sizeof target) > 0)
            fail_msg("the daemon holds descriptor %d", fd);
    }
    kill(pid, SIGKILL);
}

static int runner_of(const struct job_request *request)
{
    char *bytes;
    size_t length;
    int pid = 0;

    assert_null(file_read(&arena, job_path(request, "started"), 1000, &bytes, &length));
    assert_int_equal(sscanf(bytes, "%*s %d", &pid), 1);
    return pid;
}

static void a_killed_runner_leaves_it_in_doubt_but_only_when_the_script_has_ended(void **state)
{
    struct job_request request = job("sleep 1; printf x >$home/ended");
    struct job_result result = {0};
    const char *why;

    (void)state;
    start(request);
    kill(runner_of(&request), SIGKILL);
    assert_int_equal(look(&request, &why), JOB_RUNNING);
    assert_string_equal(why, "without its runner");
    assert_no_error(&arena, job_run(host, &arena, &request, NULL, NULL, &result));
    assert_int_equal(result.state, JOB_IN_DOUBT);
    assert_string_equal(result.why, "its runner died");
    job_result_release(&result);
    assert_int_equal(times("ended"), 1);
}

static void a_reboot_leaves_it_in_doubt_whoever_has_its_pid_now(void **state)
{
    struct job_request request = job(":");
    const char *why,
        *started = arena_printf(&arena, "11111111-2222-3333-4444-555555555555 %d\n", (int)getpid());

    (void)state;
    assert_job(request, 0, "", "");
    unlink(job_path(&request, "rc"));
    assert_null(file_write(&arena, job_path(&request, "started"), started, strlen(started), 0644));
    assert_int_equal(look(&request, &why), JOB_IN_DOUBT);
    assert_string_equal(why, "the host was started anew meanwhile");
}

static void a_pid_that_was_given_to_another_process_is_not_the_runner(void **state)
{
    struct job_request request = job(":");
    char boot[64] = "";
    const char *why;
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");

    (void)state;
    assert_non_null(fgets(boot, sizeof boot, file));
    fclose(file);
    assert_job(request, 0, "", "");
    unlink(job_path(&request, "rc"));

    const char *started =
        arena_printf(&arena, "%.*s %d\n", (int)strcspn(boot, "\n"), boot, (int)getpid());

    assert_null(file_write(&arena, job_path(&request, "started"), started, strlen(started), 0644));
    assert_int_equal(look(&request, &why), JOB_IN_DOUBT);
    assert_string_equal(why, "its runner died");
}

static void a_torn_status_is_no_status(void **state)
{
    static const char *const torn[] = {"", "exit", "exit 1", "exit \n", "exit x\n", "\0\0\0\0"};

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(torn); at++) {
        struct job_request request = job(":");
        const char *why;

        assert_job(request, 0, "", "");
        assert_null(file_write(&arena, job_path(&request, "rc"), torn[at], strlen(torn[at]), 0644));
        assert_int_equal(look(&request, &why), JOB_IN_DOUBT);
    }
}

static void a_transfer_that_arrived_otherwise_does_not_start(void **state)
{
    struct job_request request = job("printf x >>$home/damaged");
    const char *why;

    (void)state;
    if (getuid() != 0)
        skip();
    mkdir(server_path(server, "bin"), 0755);
    server_write(server, "bin/sha256sum", "#!/bin/sh\necho 0123\n", 0755);
    server_stop(server);
    server_run(server, arena_printf(&arena, "SetEnv HOME=%s/home PATH=%s/bin:/usr/bin:/bin",
                                    server->folder, server->folder));
    host_close(host);
    request.user = NULL;

    struct job_result result = {0};

    assert_error(
        &arena, job_run(host, &arena, &request, NULL, NULL, &result), ERROR_FAILED,
        "could not start the job on host \"pg1\" (127.0.0.1): what arrived is not what was "
        "sent",
        NULL);
    assert_int_equal(look(&request, &why), JOB_NOT_STARTED);
    assert_int_equal(times("damaged"), 0);
    assert_no_error(&arena, run_folder_remove(host, &arena, run, NULL, within(10)));
    server_stop(server);
    server_run(server, "");
    host_close(host);
}

/* Whether TEXT stands in any file below the run's folder, or in a process's arguments or values. */
static void assert_nowhere(const char *text)
{
    const char *command =
        arena_printf(&arena,
                     "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | "
                     "grep -v grep | grep -c -- '%s'; grep -r -- '%s' %s",
                     text, text, folder);
    char line[256] = "";
    FILE *pipe = popen(command, "r");

    assert_non_null(fgets(line, sizeof line, pipe));
    // The command that searches holds it in its own arguments, in two processes at most.
    assert_true(strtol(line, NULL, 10) <= 2);
    assert_null(fgets(line, sizeof line, pipe));
    pclose(pipe);
}

static void a_secret_on_its_input_is_in_no_file_and_no_argument(void **state)
{
    struct job_request request = job("sleep 0.8; wc -c");
    struct job_result result = {0};

    (void)state;
    request.input = "CanaryOfTheJobTest";
    request.input_length = strlen(request.input);
    request.deadline_ms = clock_ms() + 300;
    assert_non_null(job_run(host, &arena, &request, NULL, NULL, &result));
    job_result_release(&result);
    assert_nowhere("CanaryOfTheJob[T]est");
    request.deadline_ms = within(10);
    assert_job(request, 0, "18\n", "");
}

static void output_has_a_limit(void **state)
{
    struct job_request request = job("head -c 17000000 /dev/zero; echo e >&2");
    struct job_result result = {0};

    (void)state;
    assert_no_error(&arena, job_run(host, &arena, &request, NULL, NULL, &result));
    assert_int_equal(result.out.length, TEXT_LIMIT);
    assert_true(result.out.truncated);
    assert_string_equal(text_string(&result.err), "e\n");
    job_result_release(&result);
}

static void a_folder_that_is_a_link_is_refused(void **state)
{
    struct job_request request = job("printf x >>$home/linked");
    const char *path = arena_printf(&arena, "%s/%s", folder, request.id);
    struct job_result result = {0};

    (void)state;
    assert_int_equal(symlink(server_path(server, "home"), path), 0);
    assert_error(&arena, job_run(host, &arena, &request, NULL, NULL, &result), ERROR_FAILED,
                 arena_printf(&arena,
                              "could not start the job on host \"pg1\" (127.0.0.1): the folder "
                              "\"%s\" is a symbolic link",
                              path),
                 NULL);
    assert_int_equal(times("linked"), 0);
    unlink(path);
}

static void a_run_folder_that_others_may_enter_is_refused(void **state)
{
    const char *path;

    (void)state;
    assert_int_equal(chmod(folder, 0755), 0);
    assert_error(&arena, run_folder(host, &arena, run, user, true, within(10), &path), ERROR_FAILED,
                 arena_printf(&arena,
                              "could not make the run's folder on host \"pg1\" (127.0.0.1): others "
                              "may enter \"%s\"",
                              folder),
                 NULL);
    assert_int_equal(chmod(folder, 0700), 0);
}

static void a_run_folder_is_not_removed_under_a_running_job(void **state)
{
    struct job_request request = job("sleep 1");

    (void)state;
    start(request);
    assert_error(
        &arena, run_folder_remove(host, &arena, run, user, within(10)), ERROR_FAILED,
        arena_printf(&arena,
                     "could not remove the run's folder on host \"pg1\" (127.0.0.1): the job "
                     "\"%s\" still runs",
                     request.id),
        NULL);
    assert_job(request, 0, "", "");
}

static void names_that_mean_something_in_a_path_are_refused(void **state)
{
    struct job_request request = job(":");
    struct job_result result = {0};

    (void)state;
    request.run = "../x";
    assert_error(&arena, job_run(host, &arena, &request, NULL, NULL, &result), ERROR_INPUT,
                 "\"../x\" cannot be the name of a run", NULL);
    request.run = "..";
    assert_non_null(job_run(host, &arena, &request, NULL, NULL, &result));
    request = job(":");
    request.id = "abc";
    assert_error(&arena, job_run(host, &arena, &request, NULL, NULL, &result), ERROR_INPUT,
                 "\"abc\" cannot be the id of a job", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_errors_and_status_come_back),
        cmocka_unit_test(values_input_and_interpreter_reach_the_job),
        cmocka_unit_test(a_second_launch_never_starts_it_again),
        cmocka_unit_test(of_four_that_race_one_starts_it_and_all_see_its_end),
        cmocka_unit_test(a_killed_client_finds_its_job_again),
        cmocka_unit_test(a_deadline_leaves_it_running_and_the_next_client_sees_all_output),
        cmocka_unit_test(a_stop_leaves_it_running),
        cmocka_unit_test(output_is_shown_while_it_runs_each_byte_once),
        cmocka_unit_test(a_daemon_that_it_leaves_holds_neither_lock_nor_end),
        cmocka_unit_test(a_killed_runner_leaves_it_in_doubt_but_only_when_the_script_has_ended),
        cmocka_unit_test(a_reboot_leaves_it_in_doubt_whoever_has_its_pid_now),
        cmocka_unit_test(a_pid_that_was_given_to_another_process_is_not_the_runner),
        cmocka_unit_test(a_torn_status_is_no_status),
        cmocka_unit_test(a_transfer_that_arrived_otherwise_does_not_start),
        cmocka_unit_test(a_secret_on_its_input_is_in_no_file_and_no_argument),
        cmocka_unit_test(output_has_a_limit),
        cmocka_unit_test(a_folder_that_is_a_link_is_refused),
        cmocka_unit_test(a_run_folder_that_others_may_enter_is_refused),
        cmocka_unit_test(a_run_folder_is_not_removed_under_a_running_job),
        cmocka_unit_test(names_that_mean_something_in_a_path_are_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
