#include "scripted.h"

static void record(const char *type, const char *fields)
{
    run_record(&scene.run, type, "%s", fields);
}

static const struct step_status *status_of(const char *step, const char *host)
{
    return ledger_status(&scene.run.ledger, step, host);
}

static void begin_steps(void)
{
    begin("deploy:\n"
          "  - {id: a, hosts: replicas, wait-until: {port: 1}}\n"
          "  - id: g\n    hosts: leader\n    steps:\n"
          "      - {id: b, wait-until: {port: 1}}\n"
          "      - {id: c, wait-until: {port: 1}}\n");
}

static bool may_have_happened(const char *step)
{
    return ledger_may_have_happened(&scene.run.ledger, plan_find_step(scene.run.plan, step));
}

static void an_outcome(const char *step, const char *host, const char *result)
{
    record("outcome",
           arena_printf(&scene.arena, "\"step\":\"%s\",\"host\":\"%s\",\"result\":\"%s\"", step,
                        host, result));
}

static void an_intent(const char *step, const char *host, int try)
{
    record("intent", arena_printf(&scene.arena, "\"step\":\"%s\",\"try\":%d,\"hosts\":[\"%s\"]",
                                  step, try, host));
}

static void of_a_step_that_has_not_begun_nothing_is_known(void **state)
{
    (void)state;
    begin_steps();

    assert_null(status_of("a", "pg2"));
    assert_false(may_have_happened("a"));
    assert_false(may_have_happened("g"));
}

static void an_intent_without_an_outcome_runs_on_each_of_its_hosts(void **state)
{
    (void)state;
    begin_steps();
    record("intent", "\"step\":\"a\",\"try\":3,\"hosts\":[\"pg2\",\"pg3\"]");

    assert_int_equal(status_of("a", "pg2")->state, STEP_RUNNING);
    assert_int_equal(status_of("a", "pg3")->state, STEP_RUNNING);
    assert_int_equal(status_of("a", "pg3")->try, 3);
    assert_null(status_of("a", "pg1"));
    assert_string_equal(scene.run.ledger.summary.current_step, "a");
    assert_true(may_have_happened("a"));
}

static void an_outcome_ends_the_try_on_its_host_only(void **state)
{
    (void)state;
    begin_steps();
    record("intent", "\"step\":\"a\",\"try\":1,\"hosts\":[\"pg2\",\"pg3\"]");
    record("outcome", "\"step\":\"a\",\"host\":\"pg2\",\"result\":\"failed\",\"words\":\"no "
                      "space\",\"hint\":\"Make room.\",\"ms\":1200");

    const struct step_status *status = status_of("a", "pg2");

    assert_int_equal(status->state, STEP_FAILED);
    assert_string_equal(status->message, "no space");
    assert_string_equal(status->hint, "Make room.");
    assert_int_equal(status->duration_ms, 1200);
    assert_non_null(status->began);
    assert_non_null(status->ended);
    assert_int_equal(status_of("a", "pg3")->state, STEP_RUNNING);
}

static void a_new_try_forgets_what_the_one_before_said(void **state)
{
    (void)state;
    begin_steps();
    an_intent("b", "pg1", 1);
    record("outcome", "\"step\":\"b\",\"host\":\"pg1\",\"result\":\"failed\",\"words\":\"no\"");
    an_intent("b", "pg1", 2);

    assert_int_equal(status_of("b", "pg1")->state, STEP_RUNNING);
    assert_int_equal(status_of("b", "pg1")->try, 2);
    assert_null(status_of("b", "pg1")->message);
    assert_null(status_of("b", "pg1")->ended);
}

static void only_what_left_nothing_did_not_happen(void **state)
{
    static const struct {
        const char *result;
        bool may_have_happened, is_complete;
    } rows[] = {
        {"already", true, true},       {"done", true, true},
        {"failed", true, false},       {"in-doubt", true, false},
        {"resolved-done", true, true}, {"failed-left-nothing", false, false},
        {"unreachable", false, false}, {"resolved-not-done", false, false},
        {"skipped", false, true},
    };

    for (size_t at = 0; at < ARRAY_COUNT(rows); at++) {
        begin_steps();
        an_intent("b", "pg1", 1);
        an_outcome("b", "pg1", rows[at].result);
        if (may_have_happened("b") != rows[at].may_have_happened ||
            may_have_happened("g") != rows[at].may_have_happened ||
            step_state_is_complete(status_of("b", "pg1")->state) != rows[at].is_complete)
            fail_msg("%s", rows[at].result);
        (void)tear_down(state);
        (void)set_up(state);
    }
    begin_steps();
}

static void a_try_that_left_nothing_does_not_undo_what_an_earlier_one_may_have_left(void **state)
{
    static const char *const later[] = {"failed-left-nothing", "unreachable"};

    for (size_t at = 0; at < ARRAY_COUNT(later); at++) {
        begin_steps();
        an_intent("b", "pg1", 1);
        an_outcome("b", "pg1", "failed");
        an_intent("b", "pg1", 2);
        an_outcome("b", "pg1", later[at]);
        assert_true(may_have_happened("b"));
        (void)tear_down(state);
        (void)set_up(state);
    }
    begin_steps();
}

static void a_person_who_says_that_it_did_not_happen_means_all_tries(void **state)
{
    (void)state;
    begin_steps();
    an_intent("b", "pg1", 1);
    an_outcome("b", "pg1", "failed");
    record("resolve", "\"step\":\"b\",\"host\":\"pg1\",\"result\":\"resolved-not-done\","
                      "\"words\":\"I looked\"");

    assert_false(may_have_happened("b"));
    assert_string_equal(status_of("b", "pg1")->message, "I looked");
}

static void a_step_may_have_happened_if_it_may_have_on_one_of_its_hosts(void **state)
{
    (void)state;
    begin_steps();
    an_outcome("a", "pg2", "failed-left-nothing");
    assert_false(may_have_happened("a"));
    an_outcome("a", "pg3", "done");
    assert_true(may_have_happened("a"));
}

static void a_group_may_have_happened_if_one_of_its_steps_may_have(void **state)
{
    (void)state;
    begin_steps();
    an_outcome("b", "pg1", "failed-left-nothing");
    assert_false(may_have_happened("g"));
    an_outcome("c", "pg1", "done");
    assert_true(may_have_happened("g"));
}

static void a_skipped_group_did_not_happen(void **state)
{
    (void)state;
    begin_steps();
    record("outcome", "\"step\":\"g\",\"result\":\"skipped\",\"words\":\"x\"");

    assert_false(may_have_happened("g"));
    assert_int_equal(status_of("g", NULL)->state, STEP_SKIPPED);
}

static void what_a_step_saved_is_its_hosts_own_unless_it_is_shared(void **state)
{
    const struct ledger_value *value;

    (void)state;
    begin_steps();
    record("outcome", "\"step\":\"b\",\"host\":\"pg1\",\"result\":\"done\",\"shared\":true,"
                      "\"saved\":{\"xid\":\"740\"}");
    record("outcome", "\"step\":\"a\",\"host\":\"pg2\",\"result\":\"done\",\"shared\":false,"
                      "\"saved\":{\"lag\":\"7\"}");
    value = ledger_find(scene.run.ledger.saved, "xid");
    assert_string_equal(value->text, "740");
    assert_null(value->host);
    value = ledger_find(scene.run.ledger.saved, "lag");
    assert_string_equal(value->host, "pg2");
    record("outcome", "\"step\":\"b\",\"host\":\"pg1\",\"result\":\"done\",\"shared\":true,"
                      "\"saved\":{\"xid\":\"741\"}");
    assert_string_equal(ledger_find(scene.run.ledger.saved, "xid")->text, "741");
}

static void the_last_command_is_what_resume_goes_on_with(void **state)
{
    (void)state;
    begin_steps();
    record("command", "\"command\":\"deploy\"");
    assert_string_equal(scene.run.ledger.command, "deploy");
    record("command", "\"command\":\"rollback\"");
    record("command", "\"command\":\"resume\"");
    assert_string_equal(scene.run.ledger.command, "rollback");
}

static void a_command_that_stopped_is_gone_and_says_why(void **state)
{
    const struct run_summary *summary = &scene.run.ledger.summary;

    (void)state;
    begin_steps();
    record("command", "\"command\":\"rollback\"");
    record("stop", "\"exit\":4,\"reason\":\"in doubt\",\"hint\":\"Resolve it.\"");
    assert_null(scene.run.ledger.command);
    assert_true(summary->is_stopped);
    assert_int_equal(summary->stop_exit, 4);
    assert_string_equal(summary->stop_reason, "in doubt");
    assert_string_equal(summary->stop_hint, "Resolve it.");
    record("command", "\"command\":\"resume\"");
    assert_false(summary->is_stopped);
    assert_null(summary->stop_reason);
    assert_null(scene.run.ledger.command);
}

static void a_state_says_its_phase_and_a_closed_one_when_it_ended(void **state)
{
    static const struct {
        const char *name;
        enum phase phase;
        bool is_ended;
    } rows[] = {
        {"deploying", PHASE_DEPLOY, false},
        {"deployed", PHASE_DEPLOY, false},
        {"committing", PHASE_COMMIT, false},
        {"committed", PHASE_COMMIT, true},
        {"rolling-back", PHASE_ROLLBACK, false},
        {"rolled-back", PHASE_ROLLBACK, true},
        {"done", PHASE_DEPLOY, true},
    };

    for (size_t at = 0; at < ARRAY_COUNT(rows); at++) {
        begin_steps();
        run_record(&scene.run, "state", "\"state\":\"%s\"", rows[at].name);
        assert_string_equal(run_state_names[scene.run.ledger.summary.state], rows[at].name);
        assert_int_equal(scene.run.ledger.summary.phase, rows[at].phase);
        assert_int_equal(scene.run.ledger.summary.ended != NULL, rows[at].is_ended);
        (void)tear_down(state);
        (void)set_up(state);
    }
    begin_steps();
}

static void what_was_left_on_a_host_is_known_until_it_is_cleaned_again(void **state)
{
    (void)state;
    begin_steps();
    assert_false(scene.run.ledger.summary.has_left);
    record("cleaning", "");
    record("left", "\"host\":\"pg2\",\"words\":\"our claim\"");
    assert_true(scene.run.ledger.summary.has_left);
    record("cleaning", "");
    assert_false(scene.run.ledger.summary.has_left);
}

static void many_steps_are_kept_apart(void **state)
{
    (void)state;
    begin_steps();
    for (int step = 0; step < 5000; step++)
        run_record(&scene.run, "outcome", "\"step\":\"s%d\",\"host\":\"h%d\",\"result\":\"%s\"",
                   step, step % 7, step % 2 == 0 ? "done" : "failed");

    assert_int_equal(scene.run.ledger.summary.status_count, 5000);
    for (int step = 0; step < 5000; step++) {
        const struct step_status *status = status_of(arena_printf(&scene.arena, "s%d", step),
                                                     arena_printf(&scene.arena, "h%d", step % 7));

        assert_non_null(status);
        assert_int_equal(status->state, step % 2 == 0 ? STEP_DONE : STEP_FAILED);
    }
    assert_null(status_of("s1", "h2"));
}

static void who_only_reads_learns_the_same(void **state)
{
    (void)state;
    begin_steps();
    an_intent("b", "pg1", 1);
    an_outcome("b", "pg1", "failed");
    record("gate", "\"step\":\"c\",\"question\":\"?\"");
    record("waive", "\"guard\":\"h\",\"why\":\"x\"");
    assert_null(run_sync(&scene.run));

    size_t records = 0;

    for (const struct record *at = scene.run.ledger.summary.records; at != NULL; at = at->next)
        records++;
    die_and_begin_again();
    for (const struct record *at = scene.run.ledger.summary.records; at != NULL; at = at->next)
        records--;
    assert_int_equal(records, 0);
    assert_int_equal(status_of("b", "pg1")->state, STEP_FAILED);
    assert_non_null(ledger_find(scene.run.ledger.gates, "c"));
    assert_non_null(ledger_find(scene.run.ledger.waived, "h"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(of_a_step_that_has_not_begun_nothing_is_known),
        SCENE_TEST(an_intent_without_an_outcome_runs_on_each_of_its_hosts),
        SCENE_TEST(an_outcome_ends_the_try_on_its_host_only),
        SCENE_TEST(a_new_try_forgets_what_the_one_before_said),
        SCENE_TEST(only_what_left_nothing_did_not_happen),
        SCENE_TEST(a_try_that_left_nothing_does_not_undo_what_an_earlier_one_may_have_left),
        SCENE_TEST(a_person_who_says_that_it_did_not_happen_means_all_tries),
        SCENE_TEST(a_step_may_have_happened_if_it_may_have_on_one_of_its_hosts),
        SCENE_TEST(a_group_may_have_happened_if_one_of_its_steps_may_have),
        SCENE_TEST(a_skipped_group_did_not_happen),
        SCENE_TEST(what_a_step_saved_is_its_hosts_own_unless_it_is_shared),
        SCENE_TEST(the_last_command_is_what_resume_goes_on_with),
        SCENE_TEST(a_command_that_stopped_is_gone_and_says_why),
        SCENE_TEST(a_state_says_its_phase_and_a_closed_one_when_it_ended),
        SCENE_TEST(what_was_left_on_a_host_is_known_until_it_is_cleaned_again),
        SCENE_TEST(many_steps_are_kept_apart),
        SCENE_TEST(who_only_reads_learns_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
