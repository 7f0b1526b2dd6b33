#include "scripted.h"

#include <signal.h>

static void interrupt_here(struct scene *of, const struct work *work)
{
    (void)work;
    __atomic_store_n(&of->interrupted, SIGINT, __ATOMIC_SEQ_CST);
}

static void
the_first_interrupt_lets_what_is_atomic_finish_and_stops_before_the_next_step(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") STEP("b", "leader", ""));
    script("apply", "a", "done");
    scene.on_apply = interrupt_here;

    struct error *error = phase_run(&scene.run, PHASE_DEPLOY);

    assert_int_equal(error->kind, ERROR_STOPPED);
    assert_string_equal(error->message, "interrupted");
    assert_log("look a@pg1\napply a@pg1\n");
    assert_int_equal(ledger_status(&scene.run.ledger, "a", "pg1")->state, STEP_DONE);
}

static void the_first_interrupt_stops_between_the_batches_of_a_step(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "replicas", ", serial: 1"));
    script("apply", "a", "done");
    scene.on_apply = interrupt_here;

    assert_string_equal(go(PHASE_DEPLOY), "interrupted");
    assert_log("look a@pg2\napply a@pg2\n");
}

static void the_first_interrupt_stops_between_the_steps_of_a_group(void **state)
{
    (void)state;
    begin("deploy:\n  - id: g\n    hosts: leader\n    steps:\n"
          "      - {id: a, remote-shell: {run: x, creates: /x}}\n"
          "      - {id: b, remote-shell: {run: x, creates: /x}}\n");
    script("apply", "a", "done");
    scene.on_apply = interrupt_here;

    assert_string_equal(go(PHASE_DEPLOY), "interrupted");
    assert_log("look a@pg1\napply a@pg1\n");
}

static void the_first_interrupt_after_the_last_step_still_stops_the_command(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ""));
    script("apply", "a", "done");
    scene.on_apply = interrupt_here;

    assert_string_equal(go(PHASE_DEPLOY), "interrupted");
    die_and_begin_again();
    scene.interrupted = 0;
    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("");
}

static void an_interrupt_before_the_first_step_begins_nothing(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ""));
    scene.interrupted = SIGTERM;

    assert_string_equal(go(PHASE_DEPLOY), "interrupted");
    assert_log("");
    assert_journal("");
}

/* A step whose look was asked for, when the interrupt comes. */
static struct error *run_interrupted_step(const char *id)
{
    const struct host_settings *const hosts[] = {&scene.run.cluster->hosts[0]};

    scene.interrupted = SIGINT;
    return step_run(&scene.run, plan_find_step(scene.run.plan, id), hosts, 1);
}

static void the_first_interrupt_ends_a_wait(void **state)
{
    (void)state;
    begin("deploy:\n  - {id: a, hosts: leader, timeout: 5s, wait-until: {port: 1}}\n");
    script("look", "a", "would");

    struct error *error = run_interrupted_step("a");

    assert_int_equal(error->kind, ERROR_STOPPED);
    assert_string_equal(error_text(&scene.arena, error),
                        "step \"a\" was interrupted on leader (pg1): stopped while waiting");
    assert_log("look a@pg1\n");
}

static void an_effect_that_is_still_waited_for_is_looked_at_again_by_resume(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", timeout: 5s"));
    script("look", "a", "would");

    assert_int_equal(run_interrupted_step("a")->kind, ERROR_STOPPED);
    assert_log("look a@pg1\napply a@pg1\nlook a@pg1\n");
    assert_int_equal(ledger_status(&scene.run.ledger, "a", "pg1")->state, STEP_RUNNING);
    assert_null(run_sync(&scene.run));
    die_and_begin_again();
    scene.interrupted = 0;
    script("settle", "a", "done");
    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("settle a@pg1\n");
}

static void nothing_is_tried_again_after_the_first_interrupt(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", retry: {times: 3, delay: 5s}"));
    script("look", "a", "would");
    script("apply", "a", "maybe");
    scene.on_apply = interrupt_here;

    assert_string_equal(go(PHASE_DEPLOY), "step \"a\" failed on leader (pg1): apply said maybe");
    assert_log("look a@pg1\napply a@pg1\n");
}

static void stop_for_good(struct scene *of, const struct work *work)
{
    interrupt_here(of, work);
    (void)eventfd_write(of->second_stop, 1);
}

static void the_second_interrupt_stops_what_is_running(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "[pg1, pg2, pg3]", ", timeout: 5s") STEP("b", "leader", ""));
    script("apply", "a", "blocks");
    script("look", "a", "would");
    scene.on_apply = stop_for_good;

    int64_t began_ms = clock_ms();
    struct error *error = phase_run(&scene.run, PHASE_DEPLOY);

    assert_true(clock_ms() - began_ms < 2000);
    assert_int_equal(error->kind, ERROR_STOPPED);
    assert_string_equal(error_text(&scene.arena, error),
                        "step \"a\" was interrupted on pg1: stopped");
    assert_null(strstr(text_string(&scene.log), "b@"));
}

static void the_second_interrupt_ends_the_wait_for_another_try(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", retry: {times: 3, delay: 5s}"));
    script("look", "a", "would");
    script("apply", "a", "maybe");
    (void)eventfd_write(scene.second_stop, 1);

    int64_t began_ms = clock_ms();

    assert_string_equal(go(PHASE_DEPLOY), "step \"a\" failed on leader (pg1): apply said maybe");
    assert_true(clock_ms() - began_ms < 2000);
}

static void ignore(int number)
{
    (void)number;
}

static void signal_the_host(void *context, const struct run_view *view)
{
    (void)context;
    (void)view;
    (void)pthread_kill(scene.run.workers[0].thread, SIGUSR1);
}

static void another_signal_stops_nothing(void **state)
{
    struct sigaction old, action = {.sa_handler = ignore, .sa_flags = SA_RESTART};

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    begin("deploy:\n" STEP("a", "leader", ", timeout: 5s"));
    script("look", "a", "would would would would would would would would already");
    scene.observer.tick = signal_the_host;

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(the_first_interrupt_lets_what_is_atomic_finish_and_stops_before_the_next_step),
        SCENE_TEST(the_first_interrupt_stops_between_the_batches_of_a_step),
        SCENE_TEST(the_first_interrupt_stops_between_the_steps_of_a_group),
        SCENE_TEST(the_first_interrupt_after_the_last_step_still_stops_the_command),
        SCENE_TEST(an_interrupt_before_the_first_step_begins_nothing),
        SCENE_TEST(the_first_interrupt_ends_a_wait),
        SCENE_TEST(an_effect_that_is_still_waited_for_is_looked_at_again_by_resume),
        SCENE_TEST(nothing_is_tried_again_after_the_first_interrupt),
        SCENE_TEST(the_second_interrupt_stops_what_is_running),
        SCENE_TEST(the_second_interrupt_ends_the_wait_for_another_try),
        SCENE_TEST(another_signal_stops_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
