#include "scripted.h"

/* A run that was killed between the intent of a step and its outcome. */
#define AFTER STEP("after", "leader", "")

static enum step_state state_of(const char *step, const char *host)
{
    return ledger_status(&scene.run.ledger, step, host)->state;
}

static bool went_on(void)
{
    return strstr(text_string(&scene.log), "apply after@pg1") != NULL;
}

static void a_try_that_was_done_is_not_done_again(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") AFTER);
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "done");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_journal("intent a #1 pg1\na@pg1 done\nintent after #1 pg1\nafter@pg1 done\n");
    assert_log("settle a@pg1\nlook after@pg1\napply after@pg1\nlook after@pg1\n");
}

static void what_a_settled_try_saved_is_known(void **state)
{
    (void)state;
    begin("deploy:\n"
          "  - {id: a, hosts: leader, sql: {run: SELECT 1 AS xid, save: [xid]}}\n");
    saves("a", "xid", "740");
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "done");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_string_equal(scope_find(scene.run.scope, "pg3", "xid")->text, "740");
    die_and_begin_again();
    assert_string_equal(scope_find(scene.run.scope, "pg3", "xid")->text, "740");
}

static void a_try_that_was_not_done_is_done_now_with_an_intent_of_its_own(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ""));
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "not-done");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("settle a@pg1\nlook a@pg1\napply a@pg1 #2\nlook a@pg1\n");
    assert_journal("intent a #1 pg1\na@pg1 failed-left-nothing\nintent a #2 pg1\na@pg1 done\n");
}

static void a_try_that_goes_on_is_attached_to_without_a_look_or_another_intent(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") AFTER);
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "running");
    script("apply", "a", "done");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_true(
        starts_with(text_string(&scene.log), "settle a@pg1\napply a@pg1\nlook after@pg1\n"));
    assert_true(starts_with(journal_on_disk(&scene.arena), "intent a #1 pg1\na@pg1 done\n"));
}

static void a_try_that_goes_on_beyond_its_timeout_stops_the_run_again(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") AFTER);
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "running");
    script("apply", "a", "running/timeout");

    assert_string_equal(go(PHASE_DEPLOY),
                        "step \"a\" did not come to its end on leader (pg1): apply said timeout");
    assert_int_equal(state_of("a", "pg1"), STEP_RUNNING);
    assert_false(went_on());
}

static void a_try_in_doubt_asks_a_person_and_applies_nothing(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") AFTER);
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "in-doubt");

    struct error *error = phase_run(&scene.run, PHASE_DEPLOY);

    assert_int_equal(error->kind, ERROR_IN_DOUBT);
    assert_string_equal(error_text(&scene.arena, error),
                        "step \"a\" is in doubt on leader (pg1): settle said in-doubt");
    assert_string_equal(error->hint, "Find out, then say so: holdback resolve "
                                     "r1 a@pg1 --as done|not-done --why TEXT");
    assert_log("settle a@pg1\n");
    assert_int_equal(state_of("a", "pg1"), STEP_IN_DOUBT);
}

static void a_try_in_doubt_is_not_settled_again_by_another_resume_and_says_why(void **state)
{
    (void)state;
    static const char why[] = "step \"a\" is in doubt on leader (pg1): settle said in-doubt";
    begin("deploy:\n" STEP("a", "leader", ""));
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "in-doubt");
    assert_string_equal(go(PHASE_DEPLOY), why);
    die_and_begin_again();

    assert_string_equal(go(PHASE_DEPLOY), why);
    assert_log("");
}

static void what_a_person_says_was_done_is_not_done_again(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") AFTER);
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "in-doubt");
    assert_string_not_equal(go(PHASE_DEPLOY), "");
    run_record(&scene.run, "resolve",
               "\"step\":\"a\",\"host\":\"pg1\",\"result\":\"resolved-done\"");
    assert_null(run_sync(&scene.run));
    die_and_begin_again();

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_null(strstr(text_string(&scene.log), "a@pg1\nlook a"));
    assert_true(starts_with(text_string(&scene.log), "look after@pg1\n"));
}

static void what_a_person_says_was_not_done_is_done_now(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ""));
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "in-doubt");
    assert_string_not_equal(go(PHASE_DEPLOY), "");
    run_record(&scene.run, "resolve",
               "\"step\":\"a\",\"host\":\"pg1\",\"result\":\"resolved-not-done\"");
    assert_null(run_sync(&scene.run));
    die_and_begin_again();

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look a@pg1\napply a@pg1 #2\nlook a@pg1\n");
}

static void a_try_in_doubt_is_done_again_where_the_plan_says_repeat(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", if-interrupted: repeat"));
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "in-doubt");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_journal("intent a #1 pg1\na@pg1 failed: settle said in-doubt\nintent a #2 pg1\n"
                   "a@pg1 done\n");
    assert_log("settle a@pg1\nlook a@pg1\napply a@pg1 #2\nlook a@pg1\n");
}

static void a_try_that_failed_while_nobody_looked_is_told_and_then_done_again(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") AFTER);
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "failed");

    assert_string_equal(go(PHASE_DEPLOY), "step \"a\" failed on leader (pg1): settle said failed");
    assert_log("settle a@pg1\n");
    assert_journal("intent a #1 pg1\na@pg1 failed: settle said failed\n");
    die_and_begin_again();
    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_true(starts_with(text_string(&scene.log), "look a@pg1\napply a@pg1 #2\n"));
}

static void a_host_that_is_gone_leaves_its_try_open(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") AFTER);
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "unreachable");

    struct error *error = phase_run(&scene.run, PHASE_DEPLOY);

    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_string_equal(
        error_text(&scene.arena, error),
        "step \"a\" did not come to its end on leader (pg1): settle said unreachable");
    assert_journal("intent a #1 pg1\n");
    assert_int_equal(state_of("a", "pg1"), STEP_RUNNING);
    die_and_begin_again();
    script("settle", "a", "done");
    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_true(went_on());
}

static void
a_host_that_is_gone_in_the_middle_of_its_try_is_asked_about_where_the_plan_says_so(void **state)
{
    (void)state;
    begin("deploy: []\nrollback:\n" STEP("a", "leader", ", if-unreachable: ask"));
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "unreachable");

    struct error *error = phase_run(&scene.run, PHASE_ROLLBACK);

    assert_int_equal(error->kind, ERROR_IN_DOUBT);
    assert_non_null(strstr(error->hint, "holdback resolve r1 a@pg1 "));
}

static void each_host_of_a_step_is_settled_by_itself(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "[pg1, pg2, pg3]", ""));
    interrupted_try("a", "\"pg1\",\"pg2\",\"pg3\"");
    script("settle", "a@pg1", "done");
    script("settle", "a@pg2", "not-done");
    script("settle", "a@pg3", "running");
    script("apply", "a@pg3", "done");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_journal("intent a #1 pg1 pg2 pg3\na@pg1 done\na@pg2 failed-left-nothing\na@pg3 done\n"
                   "intent a #2 pg2\na@pg2 done\n");
}

static void an_action_that_can_look_is_settled_by_looking(void **state)
{
    (void)state;
    begin("deploy:\n  - {id: a, hosts: leader, edit-conf: {file: /x, content: y}}\n");
    interrupted_try("a", "\"pg1\"");
    script("look", "a", "already");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look a@pg1\n");
    assert_journal("intent a #1 pg1\na@pg1 done\n");
}

static void a_wait_that_was_interrupted_waits_again(void **state)
{
    (void)state;
    begin("deploy:\n  - {id: a, hosts: leader, wait-until: {port: 1}}\n");
    interrupted_try("a", "\"pg1\"");
    script("look", "a", "would already");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look a@pg1\nlook a@pg1\n");
}

static void a_step_that_was_lost_with_the_tail_of_the_journal_is_looked_at_anew(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") STEP("b", "leader", ""));
    assert_null(phase_run(&scene.run, PHASE_DEPLOY));
    // b's outcome was not yet on disk.
    die_and_begin_again();
    assert_int_equal(state_of("b", "pg1"), STEP_RUNNING);
    script("settle", "b", "done");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("settle b@pg1\n");
}

static void rollback_learns_first_how_far_the_deployment_came(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") STEP("b", "leader", ""));
    interrupted_try("a", "\"pg1\"");
    script("settle", "a", "not-done");

    assert_null(settle_all(&scene.run, PHASE_DEPLOY));
    assert_log("settle a@pg1\n");
    assert_journal("intent a #1 pg1\na@pg1 failed-left-nothing\n");
    assert_false(ledger_may_have_happened(&scene.run.ledger, plan_find_step(scene.run.plan, "a")));
}

static void a_try_that_nobody_can_tell_of_may_have_happened(void **state)
{
    static const char *const words[] = {"in-doubt", "unreachable", "running", "failed", "done"};

    for (size_t at = 0; at < ARRAY_COUNT(words); at++) {
        begin("deploy:\n" STEP("a", "leader", ""));
        interrupted_try("a", "\"pg1\"");
        script("settle", "a", words[at]);
        assert_null(settle_all(&scene.run, PHASE_DEPLOY));
        assert_true(
            ledger_may_have_happened(&scene.run.ledger, plan_find_step(scene.run.plan, "a")));
        (void)tear_down(state);
        (void)set_up(state);
    }
    begin("deploy: []\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_try_that_was_done_is_not_done_again),
        SCENE_TEST(what_a_settled_try_saved_is_known),
        SCENE_TEST(a_try_that_was_not_done_is_done_now_with_an_intent_of_its_own),
        SCENE_TEST(a_try_that_goes_on_is_attached_to_without_a_look_or_another_intent),
        SCENE_TEST(a_try_that_goes_on_beyond_its_timeout_stops_the_run_again),
        SCENE_TEST(a_try_in_doubt_asks_a_person_and_applies_nothing),
        SCENE_TEST(a_try_in_doubt_is_not_settled_again_by_another_resume_and_says_why),
        SCENE_TEST(what_a_person_says_was_done_is_not_done_again),
        SCENE_TEST(what_a_person_says_was_not_done_is_done_now),
        SCENE_TEST(a_try_in_doubt_is_done_again_where_the_plan_says_repeat),
        SCENE_TEST(a_try_that_failed_while_nobody_looked_is_told_and_then_done_again),
        SCENE_TEST(a_host_that_is_gone_leaves_its_try_open),
        SCENE_TEST(
            a_host_that_is_gone_in_the_middle_of_its_try_is_asked_about_where_the_plan_says_so),
        SCENE_TEST(each_host_of_a_step_is_settled_by_itself),
        SCENE_TEST(an_action_that_can_look_is_settled_by_looking),
        SCENE_TEST(a_wait_that_was_interrupted_waits_again),
        SCENE_TEST(a_step_that_was_lost_with_the_tail_of_the_journal_is_looked_at_anew),
        SCENE_TEST(rollback_learns_first_how_far_the_deployment_came),
        SCENE_TEST(a_try_that_nobody_can_tell_of_may_have_happened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
