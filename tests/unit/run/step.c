#include "scripted.h"

#include <malloc.h>

static void what_is_already_so_is_not_applied(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ""));
    script("look", "a", "already");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look a@pg1\n");
    assert_journal("intent a #1 pg1\na@pg1 already\n");
}

static void what_was_applied_is_looked_at_until_it_is_so(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ""));
    script("look", "a", "would unknown would already");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look a@pg1\napply a@pg1\nlook a@pg1\nlook a@pg1\nlook a@pg1\n");
    assert_int_equal(ledger_status(&scene.run.ledger, "a", "pg1")->state, STEP_DONE);
}

static void what_is_complete_and_proven_is_not_looked_at_again(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ""));
    script("apply", "a", "done");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look a@pg1\napply a@pg1\n");
}

static void what_does_not_become_so_fails_at_the_timeout_and_may_have_happened(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", timeout: 60ms"));
    script("look", "a", "would");

    const char *error = go(PHASE_DEPLOY);

    assert_true(starts_with(error, "step \"a\" failed on leader (pg1): not so after 0 s"));
    assert_int_equal(ledger_status(&scene.run.ledger, "a", "pg1")->state, STEP_FAILED);
    assert_true(ledger_may_have_happened(&scene.run.ledger, plan_find_step(scene.run.plan, "a")));
}

static void who_cannot_look_applies_nothing(void **state)
{
    static const char *const words[] = {"failed", "unknown", "failed/timeout"};
    static const char *const errors[] = {
        "step \"a\" failed on leader (pg1): look said failed",
        "step \"a\" failed on leader (pg1): could not look",
        "step \"a\" failed on leader (pg1): look said timeout",
    };

    for (size_t at = 0; at < ARRAY_COUNT(words); at++) {
        begin("deploy:\n" STEP("a", "leader", ""));
        script("look", "a", words[at]);

        assert_string_equal(go(PHASE_DEPLOY), errors[at]);
        assert_log("look a@pg1\n");
        assert_int_equal(ledger_status(&scene.run.ledger, "a", "pg1")->state, STEP_NOTHING);
        assert_false(
            ledger_may_have_happened(&scene.run.ledger, plan_find_step(scene.run.plan, "a")));
        (void)tear_down(state);
        (void)set_up(state);
    }
    begin("deploy: []\n");
}

static void a_host_that_cannot_be_reached_ends_the_step_and_nothing_more_begins(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") STEP("b", "leader", ""));
    script("look", "a", "failed/unreachable");

    struct error *error = phase_run(&scene.run, PHASE_DEPLOY);

    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_journal("intent a #1 pg1\n");
    assert_null(run_sync(&scene.run));
    assert_journal("intent a #1 pg1\na@pg1 unreachable: look said unreachable\n");
    // A session that has been idle for long is found broken only by the first look.
    assert_log("look a@pg1\nlook a@pg1\n");
}

static void unreachable_with_ask_is_in_doubt_for_the_command_and_names_resolve(void **state)
{
    (void)state;
    begin("rollback:\n" STEP("a", "leader", ", if-unreachable: ask") "deploy: []\n");
    script("look", "a", "failed/unreachable");

    struct error *error = phase_run(&scene.run, PHASE_ROLLBACK);

    assert_int_equal(error->kind, ERROR_IN_DOUBT);
    assert_string_equal(error_text(&scene.arena, error),
                        "step \"a\" failed on leader (pg1): look said unreachable");
    assert_string_equal(error->hint, "Find out, then say so: holdback resolve r1 a@pg1 --as "
                                     "done|not-done --why TEXT");
    assert_int_equal(ledger_status(&scene.run.ledger, "a", "pg1")->state, STEP_UNREACHABLE);
}

static void a_failure_is_told_before_another_hosts_being_stopped(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "[leader, held]", ""));
    script("apply", "a@pg1", "nothing/stopped");
    script("apply", "a@pg3", "maybe");

    assert_string_equal(go(PHASE_DEPLOY), "step \"a\" failed on held (pg3): apply said maybe");
}

static const char *operations[3], *previous[3];

static void note_operation(struct scene *of, const struct work *work)
{
    if (work->try <= 3) {
        operations[work->try - 1] = arena_strdup(&of->theirs, work->operation);
        previous[work->try - 1] =
            work->previous == NULL ? NULL : arena_strdup(&of->theirs, work->previous);
    }
}

static void a_retry_is_a_new_try_with_an_operation_of_its_own(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", retry: {times: 2, delay: 1ms}"));
    script("look", "a", "would");
    script("apply", "a", "maybe nothing done");
    scene.on_apply = note_operation;

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look a@pg1\napply a@pg1\nlook a@pg1\napply a@pg1 #2\nlook a@pg1\napply a@pg1 #3\n");
    assert_null(run_sync(&scene.run));
    assert_journal("intent a #1 pg1\na@pg1 failed: apply said maybe\n"
                   "intent a #2 pg1\na@pg1 failed-left-nothing: apply said nothing\n"
                   "intent a #3 pg1\na@pg1 done\n");
    assert_string_not_equal(operations[0], operations[1]);
    assert_null(previous[0]);
    assert_string_equal(previous[1], operations[0]);
    assert_string_equal(previous[2], operations[1]);
}

static void tries_end_after_as_many_as_the_plan_says(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", retry: {times: 1, delay: 1ms}"));
    script("look", "a", "would");
    script("apply", "a", "maybe");

    assert_string_equal(go(PHASE_DEPLOY), "step \"a\" failed on leader (pg1): apply said maybe");
    assert_log("look a@pg1\napply a@pg1\nlook a@pg1\napply a@pg1 #2\n");
}

static void a_retry_is_for_the_hosts_that_failed_only(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "[leader, held]", ", retry: {times: 1, delay: 1ms}"));
    script("apply", "a@pg3", "nothing look");
    script("look", "a@pg3", "would would already");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_null(run_sync(&scene.run));

    const char *journal = journal_on_disk(&scene.arena);

    assert_true(starts_with(journal, "intent a #1 pg1 pg3\n"));
    assert_non_null(strstr(journal, "\nintent a #2 pg3\na@pg3 done\n"));
}

static void a_job_that_goes_on_without_us_is_no_success_of_a_retry(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", retry: {times: 3, delay: 1ms}")
              STEP("b", "leader", ""));
    script("apply", "a", "running/timeout");

    assert_string_equal(go(PHASE_DEPLOY),
                        "step \"a\" did not come to its end on leader (pg1): apply said timeout");
    assert_log("look a@pg1\napply a@pg1\n");
    assert_int_equal(ledger_status(&scene.run.ledger, "a", "pg1")->state, STEP_RUNNING);
}

static void a_host_that_was_lost_in_its_try_is_no_success_of_another_hosts_retry(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "[leader, held]", ", retry: {times: 3, delay: 1ms}")
              STEP("b", "leader", ""));
    script("apply", "a@pg1", "maybe done");
    script("look", "a@pg1", "would");
    script("apply", "a@pg3", "maybe/unreachable");

    assert_string_not_equal(go(PHASE_DEPLOY), "");
    assert_null(strstr(text_string(&scene.log), "b@"));
    assert_int_equal(ledger_status(&scene.run.ledger, "a", "pg3")->state, STEP_RUNNING);
}

static void nothing_is_tried_again_once_somebody_wants_to_stop(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", retry: {times: 3, delay: 5s}"));
    script("look", "a", "would");
    script("apply", "a", "maybe");
    (void)eventfd_write(scene.run.stop_fd, 1);

    assert_string_equal(go(PHASE_DEPLOY), "step \"a\" failed on leader (pg1): apply said maybe");
    assert_log("look a@pg1\napply a@pg1\n");
}

static void a_wait_looks_until_it_is_true_and_applies_nothing(void **state)
{
    (void)state;
    begin("deploy:\n  - {id: a, hosts: leader, wait-until: {port: 1}}\n");
    script("look", "a", "would unknown already");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look a@pg1\nlook a@pg1\nlook a@pg1\n");
}

static void a_host_that_does_not_answer_is_not_yet_in_a_wait(void **state)
{
    (void)state;
    begin("deploy:\n  - {id: a, hosts: leader, timeout: 5s, wait-until: {port: 1}}\n");
    script("look", "a", "failed/unreachable would already");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_journal("intent a #1 pg1\na@pg1 done\n");
}

static void a_wait_must_be_true_without_a_break_for_as_long_as_the_plan_says(void **state)
{
    (void)state;
    begin("deploy:\n"
          "  - {id: a, hosts: leader, timeout: 5s, wait-until: {port: 1, every: 1ms, stable-for: "
          "60ms}}\n");
    script("look", "a", "already would already");

    int64_t began_ms = clock_ms();

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_true(clock_ms() - began_ms >= 60);
    assert_true(starts_with(text_string(&scene.log), "look a@pg1\nlook a@pg1\nlook a@pg1\n"));
}

static _Atomic size_t least_used = SIZE_MAX, most_used;

static void use_a_megabyte(struct scene *of, const struct work *work)
{
    struct mallinfo2 used = mallinfo2();
    size_t bytes = used.uordblks + used.hblkhd;

    (void)of;
    (void)arena_alloc(work->arena, (size_t)1024 * 1024);
    least_used = bytes < least_used ? bytes : least_used;
    most_used = bytes > most_used ? bytes : most_used;
}

static void a_long_wait_needs_no_more_memory_than_a_short_one(void **state)
{
    (void)state;
    begin(
        "deploy:\n  - {id: a, hosts: leader, timeout: 200ms, wait-until: {port: 1, every: 1ms}}\n");
    script("look", "a", "would");
    scene.on_look = use_a_megabyte;

    (void)go(PHASE_DEPLOY);
    assert_true(text_string(&scene.log)[200] != '\0');
    assert_true(most_used - least_used < (size_t)8 * 1024 * 1024);
}

static void a_step_on_a_role_without_hosts_does_nothing(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "nobody", "") STEP("b", "leader", ""));

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look b@pg1\napply b@pg1\nlook b@pg1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_is_already_so_is_not_applied),
        SCENE_TEST(what_was_applied_is_looked_at_until_it_is_so),
        SCENE_TEST(what_is_complete_and_proven_is_not_looked_at_again),
        SCENE_TEST(what_does_not_become_so_fails_at_the_timeout_and_may_have_happened),
        SCENE_TEST(who_cannot_look_applies_nothing),
        SCENE_TEST(a_host_that_cannot_be_reached_ends_the_step_and_nothing_more_begins),
        SCENE_TEST(unreachable_with_ask_is_in_doubt_for_the_command_and_names_resolve),
        SCENE_TEST(a_failure_is_told_before_another_hosts_being_stopped),
        SCENE_TEST(a_retry_is_a_new_try_with_an_operation_of_its_own),
        SCENE_TEST(tries_end_after_as_many_as_the_plan_says),
        SCENE_TEST(a_retry_is_for_the_hosts_that_failed_only),
        SCENE_TEST(a_job_that_goes_on_without_us_is_no_success_of_a_retry),
        SCENE_TEST(a_host_that_was_lost_in_its_try_is_no_success_of_another_hosts_retry),
        SCENE_TEST(nothing_is_tried_again_once_somebody_wants_to_stop),
        SCENE_TEST(a_wait_looks_until_it_is_true_and_applies_nothing),
        SCENE_TEST(a_host_that_does_not_answer_is_not_yet_in_a_wait),
        SCENE_TEST(a_wait_must_be_true_without_a_break_for_as_long_as_the_plan_says),
        SCENE_TEST(a_long_wait_needs_no_more_memory_than_a_short_one),
        SCENE_TEST(a_step_on_a_role_without_hosts_does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
