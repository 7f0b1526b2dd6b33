#include "scripted.h"

#define LONG(id)                                                                                   \
    "  - {id: " id ", hosts: leader, timeout: 5s, wait-until: {port: 1, every: 1ms, stable-for: "  \
    "60ms}}\n"
#define GUARD(id, hosts, more) "  - {id: " id ", hosts: " hosts ", every: 5ms, port: 1" more "}\n"

/* Deploys as the command does; "" or what it says. */
static const char *deploys(enum error_kind *kind)
{
    struct error *error = deploy_phase(&scene.run);

    *kind = error == NULL ? 0 : error->kind;
    return error == NULL ? "" : error_text(&scene.arena, error);
}

/* ---- which guards are in force ---- */

static bool is_in_force(const char *id, enum phase phase, const char *next)
{
    for (const struct guard *guard = scene.run.plan->guards; guard != NULL; guard = guard->next) {
        if (equal(guard->step.id, id))
            return guard_is_in_force(&scene.run, guard, phase,
                                     next == NULL ? NULL : plan_find_step(scene.run.plan, next));
    }
    return false;
}

static void without_from_and_until_a_guard_is_in_force_during_deploy_only(void **state)
{
    (void)state;
    begin("guards:\n" GUARD("g", "leader", "") "deploy:\n" STEP("a", "leader", "") "commit:\n" STEP(
        "b", "leader", ""));

    assert_true(is_in_force("g", PHASE_DEPLOY, "a"));
    assert_true(is_in_force("g", PHASE_DEPLOY, NULL));
    assert_false(is_in_force("g", PHASE_COMMIT, "b"));
    assert_false(is_in_force("g", PHASE_COMMIT, NULL));
    assert_false(is_in_force("g", PHASE_ROLLBACK, NULL));
}

static void from_means_the_end_of_the_step_on_all_its_hosts(void **state)
{
    static const char *const over[] = {"done", "already", "resolved-done"};
    static const char *const not_over[] = {"failed", "failed-left-nothing", "in-doubt",
                                           "unreachable", "resolved-not-done"};

    (void)state;
    begin("guards:\n" GUARD("g", "leader", ", from: a") "deploy:\n" STEP("a", "replicas", ""));

    assert_false(is_in_force("g", PHASE_DEPLOY, "a"));
    happened("a", "pg2", "done");
    assert_false(is_in_force("g", PHASE_DEPLOY, NULL));
    for (size_t at = 0; at < ARRAY_COUNT(not_over); at++) {
        happened("a", "pg3", not_over[at]);
        assert_false(is_in_force("g", PHASE_DEPLOY, NULL));
    }
    for (size_t at = 0; at < ARRAY_COUNT(over); at++) {
        happened("a", "pg3", over[at]);
        assert_true(is_in_force("g", PHASE_DEPLOY, NULL));
    }
    run_record(&scene.run, "intent", "\"step\":\"a\",\"try\":2,\"hosts\":[\"pg3\"]");
    assert_false(is_in_force("g", PHASE_DEPLOY, NULL));
}

static void from_a_group_means_the_end_of_all_its_steps(void **state)
{
    (void)state;
    begin("guards:\n" GUARD("g", "leader",
                            ", from: both") "deploy:\n"
                                            "  - id: both\n    hosts: leader\n    steps:\n"
                                            "      - {id: a, wait-until: {port: 1}}\n      - {id: "
                                            "b, wait-until: {port: 1}}\n");

    happened("a", "pg1", "done");
    assert_false(is_in_force("g", PHASE_DEPLOY, NULL));
    happened("b", NULL, "skipped");
    assert_true(is_in_force("g", PHASE_DEPLOY, NULL));
}

static void until_means_the_beginning_of_the_step_or_of_rollback(void **state)
{
    (void)state;
    begin("guards:\n" GUARD("g", "leader", ", until: b") "deploy:\n" STEP("a", "leader", "")
              STEP("b", "leader", "") STEP("c", "leader", ""));

    assert_true(is_in_force("g", PHASE_DEPLOY, "a"));
    assert_false(is_in_force("g", PHASE_DEPLOY, "b"));
    happened("b", "pg1", "failed");
    assert_false(is_in_force("g", PHASE_DEPLOY, "b"));
    assert_false(is_in_force("g", PHASE_DEPLOY, "c"));
    assert_false(is_in_force("g", PHASE_ROLLBACK, NULL));
}

static void with_until_in_commit_a_guard_stays_in_force_while_deployed(void **state)
{
    (void)state;
    begin("guards:\n" GUARD("g", "leader", ", until: both") "deploy: []\ncommit:\n" STEP(
        "a", "leader",
        "") "  - id: both\n    hosts: leader\n    steps:\n"
            "      - {id: b, wait-until: {port: 1}}\n      - {id: c, wait-until: {port: 1}}\n");

    assert_true(is_in_force("g", PHASE_DEPLOY, NULL));
    assert_true(is_in_force("g", PHASE_COMMIT, "a"));
    assert_true(is_in_force("g", PHASE_ROLLBACK, NULL));
    assert_false(is_in_force("g", PHASE_COMMIT, "b"));
    happened("b", "pg1", "already");
    assert_false(is_in_force("g", PHASE_COMMIT, NULL));
    assert_false(is_in_force("g", PHASE_ROLLBACK, NULL));
}

static void no_guard_is_in_force_once_the_rollback_has_begun(void **state)
{
    (void)state;
    begin("guards:\n" GUARD("g", "leader", ", until: b") "deploy: []\ncommit:\n" STEP("b", "leader",
                                                                                      ""));
    run_record(&scene.run, "state", "\"state\":\"rolling-back\"");

    assert_false(is_in_force("g", PHASE_ROLLBACK, NULL));
}

static void a_guard_that_a_person_waived_is_in_force_for_a_rollback_only(void **state)
{
    (void)state;
    begin("guards:\n" GUARD("g", "leader", ", until: b")
              GUARD("h", "leader", "") "deploy: []\ncommit:\n" STEP("b", "leader", ""));
    run_record(&scene.run, "waive", "\"guard\":\"g\",\"why\":\"we keep it\"");

    assert_false(is_in_force("g", PHASE_DEPLOY, NULL));
    assert_false(is_in_force("g", PHASE_COMMIT, NULL));
    assert_true(is_in_force("g", PHASE_ROLLBACK, NULL));
    assert_true(is_in_force("h", PHASE_DEPLOY, NULL));
}

static void a_guard_is_in_force_only_when_its_conditions_are_true(void **state)
{
    (void)state;
    begin("guards:\n" GUARD("g", "leader", ", when: {postgres: \"<12\"}")
              GUARD("h", "leader", ", when: {postgres: \">=12\"}") "deploy: []\n");

    assert_false(is_in_force("g", PHASE_DEPLOY, NULL));
    assert_true(is_in_force("h", PHASE_DEPLOY, NULL));
}

/* ---- what they do ---- */

static void a_guard_that_fails_stops_what_is_running(void **state)
{
    enum error_kind kind;

    (void)state;
    begin("guards:\n" GUARD("g", "held", ", about: the hold is there") "deploy:\n" STEP(
        "a", "leader", ", timeout: 5s") STEP("b", "leader", ""));
    script("look", "g", "already already would");
    script("look", "a", "would");
    script("apply", "a", "blocks");

    int64_t began_ms = clock_ms();

    assert_string_equal(deploys(&kind),
                        "guard \"g\" failed on \"pg3\": no longer so: the hold is there");
    assert_int_equal(kind, ERROR_GUARD);
    assert_true(clock_ms() - began_ms < 2000);
    assert_true(is_logged("apply a@pg1"));
    assert_false(is_logged("b@pg1"));
    assert_int_equal(scene.run.ledger.summary.stop_exit, ERROR_GUARD);
}

static void nothing_is_tried_again_after_a_guard_has_failed(void **state)
{
    enum error_kind kind;

    (void)state;
    begin("guards:\n" GUARD("g", "held", "") "deploy:\n" STEP(
        "a", "leader", ", timeout: 5s, retry: {times: 5, delay: 100ms}"));
    script("look", "g", "already would");
    script("look", "a", "would");
    script("apply", "a", "maybe");

    (void)deploys(&kind);
    assert_int_equal(kind, ERROR_GUARD);
    assert_false(is_logged("apply a@pg1 #2"));
}

static void a_guard_that_is_not_true_keeps_the_next_step_from_beginning(void **state)
{
    enum error_kind kind;

    (void)state;
    begin("guards:\n" GUARD("g", "held", ", from: a") "deploy:\n" STEP("a", "leader", "")
              STEP("b", "leader", "") "commit: []\n");
    script("look", "g", "would");

    assert_string_equal(deploys(&kind), "guard \"g\" failed on \"pg3\"");
    assert_int_equal(kind, ERROR_GUARD);
    assert_true(is_logged("apply a@pg1"));
    assert_false(is_logged("b@pg1"));
    assert_journal("intent a #1 pg1\na@pg1 done\n");
}

static void
a_guard_that_comes_into_force_with_the_last_step_is_looked_at_before_the_end(void **state)
{
    enum error_kind kind;

    (void)state;
    begin("guards:\n" GUARD("g", "held", ", from: a") "deploy:\n" STEP("a", "leader",
                                                                       "") "commit: []\n");
    script("look", "g", "would");

    (void)deploys(&kind);
    assert_int_equal(kind, ERROR_GUARD);
    assert_null(strstr(journal_on_disk(&scene.arena), "deployed"));
}

static void a_guard_that_cannot_be_looked_at_is_not_true(void **state)
{
    static const char *const words[] = {"failed", "failed/unreachable", "unknown"};
    static const char *const errors[] = {
        "guard \"g\" failed on \"pg3\": look said failed",
        "guard \"g\" failed on \"pg3\": look said unreachable",
        "guard \"g\" failed on \"pg3\"",
    };

    for (size_t at = 0; at < ARRAY_COUNT(words); at++) {
        enum error_kind kind;

        begin("guards:\n" GUARD("g", "held", "") "deploy:\n" STEP("a", "leader", ""));
        script("look", "g", words[at]);
        assert_string_equal(deploys(&kind), errors[at]);
        assert_int_equal(kind, ERROR_GUARD);
        assert_false(is_logged("a@pg1"));
        (void)tear_down(state);
        (void)set_up(state);
    }
    begin("deploy: []\n");
}

static void a_guard_that_is_not_in_force_is_not_looked_at(void **state)
{
    enum error_kind kind;

    (void)state;
    begin("guards:\n" GUARD("g", "held", ", from: b") "deploy:\n" STEP(
        "a", "leader", "") "  - {id: b, hosts: leader, wait-until: {port: 1}}\ncommit: []\n");
    script("look", "b", "already");
    script("look", "g", "already");

    assert_string_equal(deploys(&kind), "");

    const char *log = text_string(&scene.log);

    assert_true(starts_with(log, "look a@pg1\napply a@pg1\nlook a@pg1\nlook b@pg1\nlook g@pg3\n"));
    assert_int_equal(scene.run.ledger.summary.state, RUN_DEPLOYED);
}

static _Atomic int guard_looks;
static _Atomic bool has_begun;

static void note_begin(struct scene *of, const struct work *work)
{
    (void)of;
    has_begun = has_begun || equal(work->step->id, "b");
}

/* The guard's second look begins before step b does, and finds the hold lost afterwards. */
static void look_while_b_begins(struct scene *of, const struct work *work)
{
    if (!equal(work->step->id, "g") || ++guard_looks != 2)
        return;
    for (int waited_ms = 0; !has_begun && waited_ms < 2000; waited_ms++)
        (void)poll(NULL, 0, 1);
    (void)pthread_mutex_lock(&of->lock);
    of->scripts[0].words = "would";
    (void)pthread_mutex_unlock(&of->lock);
}

static void a_guard_stops_nothing_once_its_until_has_begun(void **state)
{
    enum error_kind kind;

    (void)state;
    begin("guards:\n" GUARD("g", "held", ", until: b") "deploy:\n" LONG("a") STEP("b", "leader", "")
              LONG("c") "commit: []\n");
    script("look", "g", "already");
    script("look", "a", "already");
    script("look", "c", "already");
    guard_looks = 0;
    has_begun = false;
    scene.on_apply = note_begin;
    scene.on_look = look_while_b_begins;

    assert_string_equal(deploys(&kind), "");
    assert_int_equal(guard_looks, 2);
}

static void a_guard_that_is_only_shown_never_stops(void **state)
{
    enum error_kind kind;

    (void)state;
    begin("guards:\n" GUARD("g", "held", ", show-only: true") "deploy:\n" STEP("a", "leader",
                                                                               "") "commit: []\n");
    script("look", "g", "failed");

    assert_string_equal(deploys(&kind), "");
    assert_int_equal(scene.run.ledger.summary.state, RUN_DEPLOYED);
}

static void a_guard_that_a_person_waived_stops_nothing(void **state)
{
    enum error_kind kind;

    (void)state;
    begin("guards:\n" GUARD("g", "held", "") "deploy:\n" STEP("a", "leader", "") "commit: []\n");
    run_record(&scene.run, "waive", "\"guard\":\"g\",\"why\":\"we keep it\"");
    script("look", "g", "would");

    assert_string_equal(deploys(&kind), "");
    assert_false(is_logged("g@pg3"));
}

/* What is free on a disk, 100 MB less at every look. */
static void look_at_a_disk_that_fills(struct scene *of, const struct work *work)
{
    const struct bound bound = {BOUND_ABOVE, 2e9 - 1e8 * ++guard_looks, 1e9};

    (void)of;
    if (equal(work->step->id, "g"))
        (void)memcpy((void *)&work->bound, &bound, sizeof bound);
}

static void what_is_counted_in_bytes_fails_before_it_is_too_late(void **state)
{
    enum error_kind kind;
    const char *error;

    (void)state;
    begin("guards:\n  - {id: g, hosts: held, every: 1s, port: 1, unit: bytes}\ndeploy:\n" STEP(
        "a", "leader", ", timeout: 5s") "commit: []\n");
    script("look", "g", "already");
    script("look", "a", "would");
    script("apply", "a", "blocks");
    guard_looks = 0;
    scene.on_look = look_at_a_disk_that_fills;

    error = deploys(&kind);
    assert_int_equal(kind, ERROR_GUARD);
    assert_non_null(strstr(error, ", at this pace at its limit in "));
    // 100 MB in a quarter of a second, and 1 GB until the limit.
    assert_in_range(guard_looks, 3, 9);
}

static void what_is_not_counted_in_bytes_fails_at_its_limit_only(void **state)
{
    enum error_kind kind;

    (void)state;
    begin("guards:\n  - {id: g, hosts: held, every: 50ms, port: 1, unit: "
          "connections}\ndeploy:\n" LONG("a") "commit: []\n");
    script("look", "g", "already");
    script("look", "a", "already");
    guard_looks = 0;
    scene.on_look = look_at_a_disk_that_fills;

    assert_string_equal(deploys(&kind), "");
}

static void a_guard_reads_values_that_a_step_saves_while_it_looks(void **state)
{
    enum error_kind kind;

    (void)state;
    begin("guards:\n" GUARD("g", "[pg1, pg2, pg3]",
                            ", as: \"${rebuild}\"") "deploy:\n"
                                                    "  - {id: a, hosts: leader, sql: {run: SELECT "
                                                    "1 AS xid, save: [xid]}}\n"
                                                    "  - {id: b, hosts: replicas, sql: {run: "
                                                    "SELECT 1 AS lag, save: [lag], unless: SELECT "
                                                    "true}}\n"
                                                    "  - {id: c, hosts: leader, timeout: 5s, "
                                                    "wait-until: {port: 1, every: 1ms, stable-for: "
                                                    "30ms}}\ncommit: []\n");
    script("look", "g", "already");
    script("look", "c", "already");
    saves("a", "xid", "1");
    saves("b", "lag", "2");

    assert_string_equal(deploys(&kind), "");
    assert_string_equal(scope_find(scene.run.scope, "pg2", "lag")->text, "2");
}

static void look_at_lag(struct scene *told, const struct work *work)
{
    static const char *const values[] = {"12", "7.5", "", "many", "30"};
    static size_t looks;

    (void)told;
    if (equal(work->step->id, "lag"))
        ((struct work *)(uintptr_t)work)->value = values[looks++ % ARRAY_COUNT(values)];
}

static void the_extremes_of_guards_are_journalled_when_the_phase_is_over(void **state)
{
    const struct record *record = NULL;
    const struct node *extremes = NULL;
    enum error_kind kind;

    (void)state;
    begin("guards:\n" GUARD("lag", "leader", ", unit: bytes")
              GUARD("shown", "pg2", ", show-only: true") "deploy:\n" LONG("a") "commit: []\n");
    script("look", "lag", "already");
    script("look", "shown", "would");
    script("look", "a", "already");
    scene.on_look = look_at_lag;

    assert_string_equal(deploys(&kind), "");
    assert_null(journal_read(&scene.arena, scene.journal_path, &record));
    for (; record != NULL; record = record->next) {
        if (equal(record->type, "guards")) {
            assert_null(extremes);
            extremes = node_find(record->node, "extremes");
            assert_string_equal(node_text(record->node, "phase"), "deploy");
        }
    }
    assert_non_null(extremes);
    assert_int_equal(extremes->count, 2);
    assert_string_equal(node_text(extremes->child, "lowest"), "7.5");
    assert_string_equal(node_text(extremes->child, "highest"), "30");
    assert_string_equal(node_text(extremes->child, "unit"), "bytes");
    assert_string_equal(node_text(extremes->child, "untrue"), "0");
    // What is only shown has nothing to be true.
    assert_string_equal(node_text(extremes->child->next, "untrue"), "0");
    assert_null(node_text(extremes->child->next, "lowest"));
    assert_true(node_integer(extremes->child->next, "looks", 0) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(without_from_and_until_a_guard_is_in_force_during_deploy_only),
        SCENE_TEST(from_means_the_end_of_the_step_on_all_its_hosts),
        SCENE_TEST(from_a_group_means_the_end_of_all_its_steps),
        SCENE_TEST(until_means_the_beginning_of_the_step_or_of_rollback),
        SCENE_TEST(with_until_in_commit_a_guard_stays_in_force_while_deployed),
        SCENE_TEST(no_guard_is_in_force_once_the_rollback_has_begun),
        SCENE_TEST(a_guard_that_a_person_waived_is_in_force_for_a_rollback_only),
        SCENE_TEST(a_guard_is_in_force_only_when_its_conditions_are_true),
        SCENE_TEST(a_guard_that_fails_stops_what_is_running),
        SCENE_TEST(nothing_is_tried_again_after_a_guard_has_failed),
        SCENE_TEST(a_guard_that_is_not_true_keeps_the_next_step_from_beginning),
        SCENE_TEST(a_guard_that_comes_into_force_with_the_last_step_is_looked_at_before_the_end),
        SCENE_TEST(a_guard_that_cannot_be_looked_at_is_not_true),
        SCENE_TEST(a_guard_that_is_not_in_force_is_not_looked_at),
        SCENE_TEST(a_guard_stops_nothing_once_its_until_has_begun),
        SCENE_TEST(a_guard_that_is_only_shown_never_stops),
        SCENE_TEST(a_guard_that_a_person_waived_stops_nothing),
        SCENE_TEST(what_is_counted_in_bytes_fails_before_it_is_too_late),
        SCENE_TEST(what_is_not_counted_in_bytes_fails_at_its_limit_only),
        SCENE_TEST(a_guard_reads_values_that_a_step_saves_while_it_looks),
        SCENE_TEST(the_extremes_of_guards_are_journalled_when_the_phase_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
