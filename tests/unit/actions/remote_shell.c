#include "action_test.h"

#include <sys/eventfd.h>

static enum apply apply(struct work *work, struct error **error)
{
    return work->step->action->apply(work, error);
}

static enum look look(struct work *work, struct error **error)
{
    return work->step->action->look(work, error);
}

static enum settle settle(struct work *work, struct error **error)
{
    return work->step->action->settle(work, error);
}

/* The first step, with RUN as the keys of its action. */
static struct work a_step(const char *keys)
{
    const struct plan *plan = a_plan(arena_printf(
        &arena, "  - {id: s, hosts: one, timeout: 5s, if-interrupted: ask, remote-shell: {%s}}\n",
        keys));

    return a_work(plan, "s");
}

static void what_a_job_prints_is_shown_and_saved(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step("run: 'echo out; echo err >&2; echo; echo', save: [answer]");

    assert_int_equal(look(&work, &error), LOOK_WOULD_CHANGE);
    assert_string_equal(text_string(&work.change), "echo out; echo err >&2; echo; echo\n");
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(saved(&work, "answer"), "out");
    assert_string_equal(text_string(&work.shown), "out\n\n\nerr\n");
    work_end(&work);
}

static void several_names_take_one_line_each(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step("run: 'echo 1; echo; echo 3', save: [a, b, c]");

    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(saved(&work, "a"), "1");
    assert_string_equal(saved(&work, "b"), "");
    assert_string_equal(saved(&work, "c"), "3");
    work_end(&work);

    work = a_step("run: 'echo 1', save: [a, b]");
    assert_int_equal(apply(&work, &error), APPLY_MAYBE);
    assert_string_equal(error->message,
                        "its output cannot be saved: it has 1 lines, and there are 2 names");
    work_end(&work);
}

static void a_failed_job_tells_its_status_and_last_words(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step("run: 'echo no such thing >&2; exit 3'");

    assert_int_equal(apply(&work, &error), APPLY_MAYBE);
    assert_string_equal(error->message, "exit status 3: no such thing");
    assert_int_equal(error->kind, ERROR_FAILED);
    assert_int_equal(settle(&work, &error), SETTLE_FAILED);
    work_end(&work);
}

static void an_exit_status_that_is_listed_is_success(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step("run: exit 3, succeed-on: [0, 3]");

    assert_int_equal(apply(&work, &error), APPLY_DONE);
    work_end(&work);
}

static void values_reach_the_text_as_variables_and_never_as_text(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step("run: 'printf %s \"$word\"', save: [answer]");

    scope_set_text(scope, NULL, "word", "'; rm -rf / \"$(x)\"\n#");
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(saved(&work, "answer"), "'; rm -rf / \"$(x)\"\n#");
    work_end(&work);
}

static void unless_decides_before_and_after(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step(
        arena_printf(&arena, "unless: 'test -e %s', run: 'touch %s'", a_file("u"), a_file("u")));

    assert_int_equal(look(&work, &error), LOOK_WOULD_CHANGE);
    assert_int_equal(apply(&work, &error), APPLY_LOOK);
    assert_int_equal(look(&work, &error), LOOK_ALREADY);
    work_end(&work);

    work = a_step("unless: 'echo broken >&2; exit 4', run: 'true'");
    assert_int_equal(look(&work, &error), LOOK_FAILED);
    assert_string_equal(error->message, "could not look: exit status 4: broken");
    work_end(&work);
}

static void creates_and_removes_are_paths_that_come_and_go(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work =
        a_step(arena_printf(&arena, "creates: %s, removes: %s, run: 'mv %s %s'", a_file("new"),
                            a_file("old"), a_file("old"), a_file("new")));

    server_write(server, "old", "", 0600);
    assert_int_equal(look(&work, &error), LOOK_WOULD_CHANGE);
    assert_int_equal(apply(&work, &error), APPLY_LOOK);
    assert_int_equal(look(&work, &error), LOOK_ALREADY);
    work_end(&work);
}

static void standard_input_is_given_and_a_secret_stays_one(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step("run: cat, stdin: 'a ${word}', save: [answer]");

    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(saved(&work, "answer"), "a w");
    work_end(&work);

    server_write(server, "secret", "hunter2\n", 0600);
    work = a_step("run: 'wc -c', stdin: '${word}', save: [answer]");
    scope_set(scope, NULL, "word",
              (struct value){.type = VALUE_SECRET,
                             .text = arena_printf(&arena, "file:%s", a_file("secret"))});
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(saved(&work, "answer"), "7");
    work_end(&work);
}

static void a_job_is_never_run_twice(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step(
        arena_printf(&arena, "run: 'echo x >>%s; echo done', save: [answer]", a_file("count")));

    assert_int_equal(settle(&work, &error), SETTLE_NOT_DONE);
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    work.saved = NULL;
    assert_int_equal(settle(&work, &error), SETTLE_DONE);
    assert_string_equal(saved(&work, "answer"), "done");
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(server_read(server, "count"), "x\n");
    work_end(&work);
}

static void a_job_that_takes_too_long_is_left_named_and_attached_to(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step(arena_printf(
        &arena, "run: 'echo waiting; while [ ! -e %s ]; do sleep 0.05; done; echo end', save: [a]",
        a_file("go")));

    work.deadline_ms = clock_ms() + 700;
    assert_int_equal(apply(&work, &error), APPLY_RUNNING);
    assert_string_equal(error->message, "the job goes on without us");
    assert_string_equal(error->hint,
                        arena_printf(&arena,
                                     "What it wrote is in ~/.holdback/action-test/%.8s* on host "
                                     "\"pg1\".",
                                     operation));
    assert_string_equal(watched, "waiting");
    work.deadline_ms = within(5);
    assert_int_equal(settle(&work, &error), SETTLE_RUNNING);
    server_write(server, "go", "", 0600);
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(saved(&work, "a"), "waiting\nend");
    work_end(&work);
}

static void output_that_is_no_text_is_not_saved(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step("run: 'printf \"\\\\377\"', save: [a]");

    assert_int_equal(apply(&work, &error), APPLY_MAYBE);
    assert_string_equal(error->message, "its output cannot be saved: it is not UTF-8 text");
    work_end(&work);
}

/* A job that waits for the file "go". */
static struct work a_waiting_job(const char *keys)
{
    (void)unlink(a_file("go"));
    (void)unlink(a_file("runs"));
    return a_step(arena_printf(&arena,
                               "run: 'echo x >>%s; while [ ! -e %s ]; do sleep 0.05; done', %s",
                               a_file("runs"), a_file("go"), keys));
}

/* Starts it and lets go. */
static void let_run(struct work *work)
{
    struct error *error = NULL;

    work->deadline_ms = clock_ms() + 700;
    assert_int_equal(apply(work, &error), APPLY_RUNNING);
    work->deadline_ms = within(5);
}

static void a_job_that_runs_is_attached_to_without_its_secret(void **state)
{
    (void)state;
    struct error *error = NULL;
    const struct value secret = {.type = VALUE_SECRET,
                                 .text = arena_printf(&arena, "file:%s", a_file("secret"))};
    struct work work = a_waiting_job("stdin: '${word}'");

    server_write(server, "secret", "hunter2", 0600);
    scope_set(scope, NULL, "word", secret);
    let_run(&work);
    (void)unlink(a_file("secret"));
    server_write(server, "go", "", 0600);
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(server_read(server, "runs"), "x\n");
    work_end(&work);

    work = a_step("run: cat, stdin: '${word}'");
    scope_set(scope, NULL, "word", secret);
    assert_int_equal(apply(&work, &error), APPLY_NOTHING);
    work_end(&work);
}

static void who_is_stopped_says_nothing_about_a_job_that_was_started_before(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_waiting_job("creates: /nowhere");

    let_run(&work);

    int stop = eventfd(1, EFD_CLOEXEC), before = host_set_stop(work.host, stop);

    assert_int_equal(apply(&work, &error), APPLY_RUNNING);
    assert_int_equal(error->kind, ERROR_STOPPED);
    assert_int_equal(settle(&work, &error), SETTLE_UNREACHABLE);
    assert_int_equal(error->kind, ERROR_STOPPED);
    (void)host_set_stop(work.host, before);
    (void)close(stop);
    server_write(server, "go", "", 0600);
    assert_int_equal(apply(&work, &error), APPLY_LOOK);
    assert_string_equal(server_read(server, "runs"), "x\n");
    work_end(&work);
}

static void an_effect_that_is_still_to_come_is_waited_for_after_a_crash(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step(arena_printf(&arena, "run: 'true', creates: %s", a_file("late")));

    assert_int_equal(apply(&work, &error), APPLY_LOOK);
    assert_int_equal(settle(&work, &error), SETTLE_RUNNING);
    server_write(server, "late", "", 0600);
    assert_int_equal(settle(&work, &error), SETTLE_DONE);
    work_end(&work);
}

/* Starts it and ends its runner, which is all that could tell its status. */
static void lose(struct work *work)
{
    const char *path;
    char *bytes;
    size_t length;
    int pid = 0;

    let_run(work);
    assert_null(
        run_folder(work->host, &arena, work->run, work->as, false, work->deadline_ms, &path));
    path = arena_printf(&arena, "%s/%s/started", path, work->operation);
    assert_null(file_read(&arena, path, 1000, &bytes, &length));
    assert_int_equal(sscanf(bytes, "%*s %d", &pid), 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    server_write(server, "go", "", 0600);
}

static void a_job_whose_status_is_lost_is_settled_by_its_effect_at_once(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_waiting_job(arena_printf(&arena, "creates: %s", a_file("runs")));

    lose(&work);
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_null(error);
    work_end(&work);

    work = a_waiting_job("creates: /nowhere");
    lose(&work);
    assert_int_equal(apply(&work, &error), APPLY_MAYBE);
    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(error->message, "the job did not come to its end: its runner died");
    work_end(&work);

    work = a_waiting_job("shell: sh");
    lose(&work);
    assert_int_equal(apply(&work, &error), APPLY_MAYBE);
    assert_int_equal(error->kind, ERROR_IN_DOUBT);
    assert_string_equal(error->message, "what became of the job is not known: its runner died");
    work_end(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_job_prints_is_shown_and_saved),
        cmocka_unit_test(several_names_take_one_line_each),
        cmocka_unit_test(a_failed_job_tells_its_status_and_last_words),
        cmocka_unit_test(an_exit_status_that_is_listed_is_success),
        cmocka_unit_test(values_reach_the_text_as_variables_and_never_as_text),
        cmocka_unit_test(unless_decides_before_and_after),
        cmocka_unit_test(creates_and_removes_are_paths_that_come_and_go),
        cmocka_unit_test(standard_input_is_given_and_a_secret_stays_one),
        cmocka_unit_test(a_job_is_never_run_twice),
        cmocka_unit_test(a_job_that_takes_too_long_is_left_named_and_attached_to),
        cmocka_unit_test(output_that_is_no_text_is_not_saved),
        cmocka_unit_test(a_job_that_runs_is_attached_to_without_its_secret),
        cmocka_unit_test(who_is_stopped_says_nothing_about_a_job_that_was_started_before),
        cmocka_unit_test(an_effect_that_is_still_to_come_is_waited_for_after_a_crash),
        cmocka_unit_test(a_job_whose_status_is_lost_is_settled_by_its_effect_at_once),
    };

    return cmocka_run_group_tests(tests, open_server, close_server);
}
