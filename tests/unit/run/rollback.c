/* Before commit and rollback: is the held state still there? */
#include "scripted.h"

#define GUARD(id, hosts, more) "  - {id: " id ", hosts: " hosts ", every: 5ms, port: 1" more "}\n"

/* A deployment whose step "migrate" may have happened, with a hold that is guarded. */
#define HELD(rollback)                                                                             \
    "guards:\n" GUARD("hold", "held", ", until: release, about: replay is paused")                 \
        GUARD("leads", "leader", "") "deploy:\n" STEP("migrate", "leader", "") "commit:\n" STEP(   \
            "release", "held", "") "rollback:\n" rollback
#define LET_GO STEP("let-go", "held", ", when: {did-not-happen: migrate}")
#define WAY_BACK STEP("way-back", "held", ", when: {may-have-happened: migrate}")
#define ALWAYS STEP("always", "held", "")

/* What a rollback says that is refused; one that begins goes as far as its first step. */
static const char *rolls_back(const char *plan, const char *migrate, const char *hold)
{
    begin(plan);
    happened("migrate", "pg1", migrate);
    script("look", "hold", hold);
    script("look", "leads", "would");
    script("apply", "let-go", "nothing");
    script("apply", "way-back", "nothing");
    script("apply", "always", "nothing");

    struct error *error = rollback_go(&scene.run);

    return scene.run.ledger.summary.state == RUN_ROLLING_BACK ? "begun"
                                                              : error_text(&scene.arena, error);
}

#define LOST                                                                                       \
    "cannot roll back to the mark: guard \"hold\" failed on \"pg3\": no longer so: replay is "     \
    "paused"

static void a_rollback_to_a_mark_that_is_lost_is_refused(void **state)
{
    (void)state;
    assert_string_equal(rolls_back(HELD(LET_GO WAY_BACK), "done", "would"), LOST);
    assert_int_equal(scene.run.ledger.summary.state, RUN_DEPLOYING);
    assert_int_equal(scene.run.ledger.summary.stop_exit, ERROR_GUARD);
    assert_string_equal(scene.run.ledger.summary.stop_hint,
                        "The held state is gone. Keep the deployment (holdback commit "
                        "--without-guard), or restore from a backup and close the run.");
}

static void a_rollback_to_a_mark_that_is_there_begins(void **state)
{
    (void)state;
    assert_string_equal(rolls_back(HELD(LET_GO WAY_BACK), "done", "already"), "begun");
    assert_int_equal(scene.run.ledger.summary.state, RUN_ROLLING_BACK);
}

static void what_only_lets_go_needs_no_mark(void **state)
{
    (void)state;
    assert_string_equal(rolls_back(HELD(LET_GO WAY_BACK), "failed-left-nothing", "would"), "begun");
    assert_false(is_logged("look hold"));
}

static void what_lets_go_and_then_does_more_in_any_case_needs_no_mark(void **state)
{
    (void)state;
    assert_string_equal(rolls_back(HELD(LET_GO WAY_BACK ALWAYS), "failed-left-nothing", "would"),
                        "begun");
}

static void a_rollback_without_conditions_needs_the_mark(void **state)
{
    (void)state;
    assert_string_equal(rolls_back(HELD(ALWAYS), "done", "would"), LOST);
}

static void a_rollback_is_refused_although_a_person_waived_the_guard(void **state)
{
    (void)state;
    begin(HELD(LET_GO WAY_BACK));
    happened("migrate", "pg1", "done");
    run_record(&scene.run, "waive", "\"guard\":\"hold\",\"why\":\"we keep it\"");
    script("look", "hold", "would");

    assert_int_equal(rollback_go(&scene.run)->kind, ERROR_GUARD);
}

static void a_rollback_that_has_begun_is_not_asked_for_the_mark_again(void **state)
{
    (void)state;
    begin(HELD(LET_GO WAY_BACK));
    happened("migrate", "pg1", "done");
    run_record(&scene.run, "state", "\"state\":\"rolling-back\"");

    script("apply", "way-back", "nothing");

    assert_int_equal(rollback_go(&scene.run)->kind, ERROR_FAILED);
    assert_true(is_logged("apply way-back"));
    assert_false(is_logged("look hold"));
}

static void who_says_no_to_the_first_gate_has_not_begun_to_roll_back(void **state)
{
    (void)state;
    begin(HELD(LET_GO STEP("ask", "held", ", confirm: Go on?")));
    happened("migrate", "pg1", "done");
    script("look", "hold", "already");

    struct error *error = rollback_go(&scene.run);

    assert_int_equal(error->kind, ERROR_GATE);
    assert_string_equal(error_text(&scene.arena, error), "step \"ask\" waits for a person: Go on?");
    assert_int_equal(scene.run.ledger.summary.state, RUN_DEPLOYING);
    assert_log("look hold@pg3\n");
}

static void before_commit_only_guards_with_until_are_looked_at(void **state)
{
    (void)state;
    begin(HELD(ALWAYS));
    script("look", "hold", "already");
    script("look", "leads", "would");
    assert_null(guards_look(&scene.run, PHASE_COMMIT));
    scene.scripts[0].words = "would";
    assert_int_equal(guards_look(&scene.run, PHASE_COMMIT)->kind, ERROR_GUARD);
    assert_log("look hold@pg3\nlook hold@pg3\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_rollback_to_a_mark_that_is_lost_is_refused),
        SCENE_TEST(a_rollback_to_a_mark_that_is_there_begins),
        SCENE_TEST(what_only_lets_go_needs_no_mark),
        SCENE_TEST(what_lets_go_and_then_does_more_in_any_case_needs_no_mark),
        SCENE_TEST(a_rollback_without_conditions_needs_the_mark),
        SCENE_TEST(a_rollback_is_refused_although_a_person_waived_the_guard),
        SCENE_TEST(a_rollback_that_has_begun_is_not_asked_for_the_mark_again),
        SCENE_TEST(who_says_no_to_the_first_gate_has_not_begun_to_roll_back),
        SCENE_TEST(before_commit_only_guards_with_until_are_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
