#include "scripted.h"

#define CHILD(id, more) "      - {id: " id more ", remote-shell: {run: x, creates: /x}}\n"

static void steps_run_in_the_order_written(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") "  - id: g\n    hosts: held\n    steps:\n" CHILD(
        "b", "") CHILD("c", "") STEP("d", "leader", ""));
    script("apply", "a", "done");
    script("apply", "b", "done");
    script("apply", "c", "done");
    script("apply", "d", "done");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look a@pg1\napply a@pg1\nlook b@pg3\napply b@pg3\n"
               "look c@pg3\napply c@pg3\nlook d@pg1\napply d@pg1\n");
}

static void a_group_with_serial_takes_one_host_through_all_of_it_then_the_next(void **state)
{
    (void)state;
    begin("deploy:\n  - id: g\n    hosts: [held, leader, pg2]\n    serial: 1\n    steps:\n" CHILD(
        "a", "") CHILD("b", ""));
    script("apply", "a", "done");
    script("apply", "b", "done");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look a@pg3\napply a@pg3\nlook b@pg3\napply b@pg3\n"
               "look a@pg1\napply a@pg1\nlook b@pg1\napply b@pg1\n"
               "look a@pg2\napply a@pg2\nlook b@pg2\napply b@pg2\n");
}

static void a_group_without_serial_takes_all_hosts_through_each_step(void **state)
{
    (void)state;
    begin("deploy:\n  - id: g\n    hosts: replicas\n    steps:\n" CHILD("a", "") CHILD("b", ""));

    assert_string_equal(go(PHASE_DEPLOY), "");

    const char *journal = journal_on_disk(&scene.arena);

    assert_true(starts_with(journal, "intent a #1 pg2 pg3\n"));
    assert_non_null(strstr(journal, "intent b #1 pg2 pg3\n"));
    assert_true(strstr(journal, "a@pg3 done") < strstr(journal, "intent b"));
}

static void a_serial_group_that_fails_on_a_host_does_not_begin_on_the_next(void **state)
{
    (void)state;
    begin("deploy:\n  - id: g\n    hosts: replicas\n    serial: 1\n    steps:\n" CHILD("a", "")
              CHILD("b", ""));
    script("apply", "a", "done");
    script("apply", "b", "nothing");

    assert_string_equal(go(PHASE_DEPLOY),
                        "step \"b\" failed on replicas (pg2): apply said nothing");
    assert_log("look a@pg2\napply a@pg2\nlook b@pg2\napply b@pg2\n");
}

static void a_serial_group_is_resumed_where_it_stopped(void **state)
{
    (void)state;
    begin("deploy:\n  - id: g\n    hosts: replicas\n    serial: 1\n    steps:\n" CHILD("a", "")
              CHILD("b", ""));
    script("apply", "a", "done");
    script("apply", "b", "nothing");
    assert_string_not_equal(go(PHASE_DEPLOY), "");
    die_and_begin_again();
    scene.applied_count = 0;
    script("apply", "a", "done");
    script("apply", "b", "done");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look b@pg2\napply b@pg2 #2\nlook a@pg3\napply a@pg3\nlook b@pg3\napply b@pg3\n");
}

static void a_serial_step_of_a_group_runs_on_a_batch_at_a_time(void **state)
{
    (void)state;
    begin("deploy:\n  - id: g\n    hosts: [pg1, pg2, pg3]\n    steps:\n" CHILD("a", ", serial: 2"));

    assert_string_equal(go(PHASE_DEPLOY), "");

    const char *journal = journal_on_disk(&scene.arena);

    assert_true(starts_with(journal, "intent a #1 pg1 pg2\n"));
    assert_non_null(strstr(journal, "intent a #1 pg3\na@pg3 done\n"));
}

static void what_the_cluster_does_not_need_is_skipped_and_the_journal_says_why(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", when: {postgres: \"<12\"}") STEP(
        "b", "leader", "") "  - id: g\n    hosts: held\n    when: {variable: rebuild, is: wipe}\n"
                           "    steps:\n" CHILD("c", ""));

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look b@pg1\napply b@pg1\nlook b@pg1\n");
    assert_journal("a skipped: PostgreSQL is not <12\nintent b #1 pg1\nb@pg1 done\n"
                   "g skipped: rebuild is rewind\n");
    assert_string_equal(text_string(&scene.events),
                        "a skipped: PostgreSQL is not <12\nb@leader (pg1) begins\n"
                        "b@leader (pg1) done\n"
                        "g skipped: rebuild is rewind\n");
}

static void what_was_skipped_stays_skipped_at_resume(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") "rollback:\n" STEP(
        "b", "leader", ", when: {may-have-happened: a}") STEP("c", "leader", ""));
    script("apply", "c", "nothing");
    assert_string_not_equal(go(PHASE_ROLLBACK), "");
    run_record(&scene.run, "resolve",
               "\"step\":\"a\",\"host\":\"pg1\",\"result\":\"resolved-done\"");
    assert_null(run_sync(&scene.run));
    die_and_begin_again();

    assert_string_equal(go(PHASE_ROLLBACK), "");
    assert_null(strstr(text_string(&scene.log), "b@"));
}

static void a_group_that_began_is_not_asked_again_whether_it_shall(void **state)
{
    (void)state;
    begin("deploy:\n" STEP(
        "a", "leader", "") "rollback:\n  - id: g\n    hosts: held\n    when: {did-not-happen: a}\n"
                           "    steps:\n" CHILD("b", "") CHILD("c", ""));
    script("apply", "c", "nothing");
    assert_string_not_equal(go(PHASE_ROLLBACK), "");
    // Were it asked again, the group would be left half-way.
    run_record(&scene.run, "resolve",
               "\"step\":\"a\",\"host\":\"pg1\",\"result\":\"resolved-done\"");
    assert_null(run_sync(&scene.run));
    die_and_begin_again();

    assert_string_equal(go(PHASE_ROLLBACK), "");
    assert_non_null(strstr(text_string(&scene.log), "c@pg3"));
}

static void a_gate_without_an_answer_stops_before_anything_begins(void **state)
{
    (void)state;
    begin("deploy:\n" STEP(
        "a", "leader",
        "") "  - id: g\n    hosts: held\n    confirm: Lose ${rebuild}?\n    steps:\n" CHILD("b",
                                                                                            ""));

    struct error *error = phase_run(&scene.run, PHASE_DEPLOY);

    assert_int_equal(error->kind, ERROR_GATE);
    assert_string_equal(error_text(&scene.arena, error),
                        "step \"g\" waits for a person: Lose rewind?");
    assert_string_equal(error->hint, "Nothing of this step was started. Answer with --confirm g.");
    assert_log("look a@pg1\napply a@pg1\nlook a@pg1\n");
    assert_journal("intent a #1 pg1\na@pg1 done\n");
}

static void a_gate_that_was_answered_is_not_asked_again_at_resume(void **state)
{
    static const char *const answers[] = {"a", NULL};

    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", confirm: Go on?"));
    scene.answers = answers;
    script("apply", "a", "nothing");
    assert_string_not_equal(go(PHASE_DEPLOY), "");
    assert_journal("gate a\nintent a #1 pg1\n"
                   "a@pg1 failed-left-nothing: apply said nothing\n");
    scene.answers = NULL;
    die_and_begin_again();

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_null(strstr(text_string(&scene.events), "asked"));
}

static void a_gate_is_answered_by_confirm_for_its_step_only(void **state)
{
    static const char *const confirmed[] = {"a"};

    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", confirm: A?") STEP("b", "leader", ", confirm: B?"));
    scene.options.confirmed = confirmed;
    scene.options.confirmed_count = 1;

    assert_string_equal(go(PHASE_DEPLOY), "step \"b\" waits for a person: B?");
    assert_null(strstr(text_string(&scene.events), "asked a"));
    scene.options.yes = true;
    assert_string_equal(go(PHASE_DEPLOY), "");
}

static void a_gate_of_what_is_skipped_is_not_asked(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ", when: {postgres: \"<12\"}, confirm: Go on?"));

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_null(strstr(text_string(&scene.events), "asked"));
}

#define LOOK(id) "  - {id: " id ", hosts: leader, wait-until: {port: 1}}\n"

static void the_preflight_tries_all_and_tells_all(void **state)
{
    (void)state;
    begin("preflight:\n" LOOK("a") LOOK("b") LOOK("c") "deploy: []\n");
    script("look", "a", "would");
    script("look", "b", "failed");
    script("look", "c", "already");

    struct error *error = preflight_run(&scene.run);

    assert_int_equal(error->kind, ERROR_REFUSED);
    assert_string_equal(error_text(&scene.arena, error),
                        "the preflight found 2 things that are not as they must be");
    assert_string_equal(error->hint, "Nothing was changed.");
    assert_log("look a@pg1\nlook b@pg1\nlook c@pg1\n");
    assert_non_null(strstr(text_string(&scene.events),
                           "a finding: step \"a\" failed on leader (pg1): not so\n"));
    assert_non_null(strstr(text_string(&scene.events),
                           "b finding: step \"b\" failed on leader (pg1): look said failed\n"));
}

static void a_single_finding_of_the_preflight_is_told_itself(void **state)
{
    (void)state;
    begin("preflight:\n" LOOK("a") LOOK("b") "deploy: []\n");
    script("look", "a", "already");
    script("look", "b", "would");

    struct error *error = preflight_run(&scene.run);

    assert_int_equal(error->kind, ERROR_REFUSED);
    assert_string_equal(error_text(&scene.arena, error),
                        "step \"b\" failed on leader (pg1): not so");
}

static void a_preflight_without_findings_is_passed(void **state)
{
    (void)state;
    begin("preflight:\n" LOOK("a") "deploy: []\n");
    script("look", "a", "already");

    assert_null(preflight_run(&scene.run));
}

static void a_preflight_step_with_a_timeout_looks_until_then(void **state)
{
    (void)state;
    begin("preflight:\n  - {id: a, hosts: leader, timeout: 5s, wait-until: {port: 1}}\n"
          "deploy: []\n");
    script("look", "a", "would would already");

    assert_null(preflight_run(&scene.run));
    assert_log("look a@pg1\nlook a@pg1\nlook a@pg1\n");
}

static void a_host_that_the_preflight_cannot_reach_ends_it(void **state)
{
    (void)state;
    begin("preflight:\n" LOOK("a") LOOK("b") "deploy: []\n");
    script("look", "a", "failed/unreachable");

    assert_int_equal(preflight_run(&scene.run)->kind, ERROR_UNREACHABLE);
    assert_log("look a@pg1\nlook a@pg1\n");
}

#define DECIDED                                                                                    \
    "preflight:\n"                                                                                 \
    "  - {id: choose, hosts: leader, when: {variable: hold, is: auto}, sql: {query: SELECT 1 AS "  \
    "hold, save: [hold]}}\n"                                                                       \
    "deploy:\n" STEP("a", "held", ", when: {variable: hold, is: paused}")                          \
        STEP("b", "held", ", when: {variable: hold, is: delayed}")

static void what_a_step_decides_takes_the_place_of_auto(void **state)
{
    (void)state;
    begin(DECIDED);
    script("look", "choose", "already");
    saves("choose", "hold", "delayed");

    assert_string_equal(go(PHASE_PREFLIGHT), "");
    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_log("look choose@pg1\nlook b@pg3\napply b@pg3\nlook b@pg3\n");
}

static void a_decision_that_is_no_choice_fails_the_step(void **state)
{
    (void)state;
    begin(DECIDED);
    script("look", "choose", "already");
    saves("choose", "hold", "auto");

    assert_string_equal(
        go(PHASE_PREFLIGHT),
        "step \"choose\" failed on leader (pg1): variable \"hold\" cannot be \"auto\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(steps_run_in_the_order_written),
        SCENE_TEST(a_group_with_serial_takes_one_host_through_all_of_it_then_the_next),
        SCENE_TEST(a_group_without_serial_takes_all_hosts_through_each_step),
        SCENE_TEST(a_serial_group_that_fails_on_a_host_does_not_begin_on_the_next),
        SCENE_TEST(a_serial_group_is_resumed_where_it_stopped),
        SCENE_TEST(a_serial_step_of_a_group_runs_on_a_batch_at_a_time),
        SCENE_TEST(what_the_cluster_does_not_need_is_skipped_and_the_journal_says_why),
        SCENE_TEST(what_was_skipped_stays_skipped_at_resume),
        SCENE_TEST(a_group_that_began_is_not_asked_again_whether_it_shall),
        SCENE_TEST(a_gate_without_an_answer_stops_before_anything_begins),
        SCENE_TEST(a_gate_that_was_answered_is_not_asked_again_at_resume),
        SCENE_TEST(a_gate_is_answered_by_confirm_for_its_step_only),
        SCENE_TEST(a_gate_of_what_is_skipped_is_not_asked),
        SCENE_TEST(the_preflight_tries_all_and_tells_all),
        SCENE_TEST(a_single_finding_of_the_preflight_is_told_itself),
        SCENE_TEST(a_preflight_without_findings_is_passed),
        SCENE_TEST(a_preflight_step_with_a_timeout_looks_until_then),
        SCENE_TEST(a_host_that_the_preflight_cannot_reach_ends_it),
        SCENE_TEST(what_a_step_decides_takes_the_place_of_auto),
        SCENE_TEST(a_decision_that_is_no_choice_fails_the_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
