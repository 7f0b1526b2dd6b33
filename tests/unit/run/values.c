/* What steps save, and who can read it. */
#include "scripted.h"

static void a_value_of_a_step_on_one_host_can_be_read_everywhere(void **state)
{
    (void)state;
    begin("deploy:\n"
          "  - {id: a, hosts: leader, sql: {run: SELECT 1 AS xid, save: [xid]}}\n");
    saves("a", "xid", "740");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_string_equal(scope_find(scene.run.scope, "pg3", "xid")->text, "740");
    assert_null(run_sync(&scene.run));
    die_and_begin_again();
    assert_string_equal(scope_find(scene.run.scope, "pg2", "xid")->text, "740");
}

static void a_value_of_a_step_on_several_hosts_is_each_hosts_own(void **state)
{
    (void)state;
    begin("deploy:\n"
          "  - {id: a, hosts: replicas, sql: {query: SELECT 1 AS lag, save: [lag]}}\n");
    script("look", "a", "already");
    saves("a@pg2", "lag", "2");
    saves("a@pg3", "lag", "3");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_string_equal(scope_find(scene.run.scope, "pg2", "lag")->text, "2");
    assert_string_equal(scope_find(scene.run.scope, "pg3", "lag")->text, "3");
    assert_null(scope_find(scene.run.scope, "pg1", "lag"));
    assert_null(run_sync(&scene.run));
    die_and_begin_again();
    assert_string_equal(scope_find(scene.run.scope, "pg3", "lag")->text, "3");
    assert_null(scope_find(scene.run.scope, "pg1", "lag"));
}

static void a_value_that_is_saved_twice_in_a_try_is_the_newest(void **state)
{
    (void)state;
    begin("deploy:\n"
          "  - {id: a, hosts: leader, sql: {run: SELECT 1 AS xid, save: [xid]}}\n");
    saves("a", "xid", "1");
    saves("a", "xid", "2");

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_string_equal(scope_find(scene.run.scope, NULL, "xid")->text, "2");
    assert_null(run_sync(&scene.run));
    die_and_begin_again();
    assert_string_equal(scope_find(scene.run.scope, NULL, "xid")->text, "2");
}

static void note_reference(struct scene *of, const struct work *work)
{
    of->seen = work->reference == NULL ? "none" : arena_strdup(&of->theirs, work->reference);
}

static void restore_without_a_reference_is_told_so(void **state)
{
    (void)state;
    begin("deploy:\n"
          "  - {id: a, hosts: replicas, edit-conf: {file: /x, content: y}}\n"
          "rollback:\n"
          "  - {id: b, hosts: held, edit-conf: {restore: a}}\n");
    scene.on_apply = note_reference;

    assert_string_equal(go(PHASE_ROLLBACK), "");
    assert_string_equal(scene.seen, "none");
}

static void note_reference_of_b(struct scene *of, const struct work *work)
{
    if (equal(work->step->id, "b"))
        note_reference(of, work);
}

static void restore_is_given_what_its_step_saved_on_this_host(void **state)
{
    (void)state;
    begin("deploy:\n"
          "  - {id: a, hosts: replicas, edit-conf: {file: /x, content: y}}\n"
          "rollback:\n"
          "  - {id: b, hosts: held, edit-conf: {restore: a}}\n");
    saves("a@pg2", "before", "backup on pg2");
    saves("a@pg3", "before", "backup on pg3");
    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_null(run_sync(&scene.run));
    die_and_begin_again();

    scene.on_apply = note_reference_of_b;
    assert_string_equal(go(PHASE_ROLLBACK), "");
    assert_string_equal(scene.seen, "backup on pg3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_value_of_a_step_on_one_host_can_be_read_everywhere),
        SCENE_TEST(a_value_of_a_step_on_several_hosts_is_each_hosts_own),
        SCENE_TEST(a_value_that_is_saved_twice_in_a_try_is_the_newest),
        SCENE_TEST(restore_without_a_reference_is_told_so),
        SCENE_TEST(restore_is_given_what_its_step_saved_on_this_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
