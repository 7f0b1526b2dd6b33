#include "scripted.h"

/* Whether the step "x" of a plan that begins with STEPS goes, when WHEN says so; "" or why not. */
static const char *why_not(const char *when)
{
    const char *why = "";
    bool holds;

    begin(arena_printf(&scene.arena,
                       "deploy:\n"
                       "  - {id: a, hosts: leader, sql: {run: SELECT 1 AS xid, save: [xid]}}\n"
                       "  - {id: b, hosts: replicas, sql: {query: SELECT 1 AS lag, save: [lag]}}\n"
                       "  - {id: c, hosts: leader, wait-until: {port: 1}}\n"
                       "  - {id: x, hosts: held, when: %s, wait-until: {port: 1}}\n",
                       when));
    scope_set_text(scene.run.scope, NULL, "xid", "740");
    scope_set_text(scene.run.scope, "pg2", "lag", "2");
    scope_set_text(scene.run.scope, "pg3", "lag", "3");
    run_record(&scene.run, "outcome", "\"step\":\"a\",\"host\":\"pg1\",\"result\":\"done\"");
    run_record(&scene.run, "outcome",
               "\"step\":\"c\",\"host\":\"pg1\",\"result\":\"failed-left-nothing\"");

    const struct step *step = plan_find_step(scene.run.plan, "x");
    struct error *error = when_holds(&scene.run, step->when, step->when_count, step, &holds, &why);

    if (error != NULL)
        return error_text(&scene.arena, error);
    return holds ? "" : why;
}

struct row {
    const char *when, *why_not;
};

static void check_rows(void **state, const struct row *rows, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        assert_string_equal(why_not(rows[at].when), rows[at].why_not);
        (void)tear_down(state);
        (void)set_up(state);
    }
    begin("deploy: []\n");
}

static void the_servers_version_is_compared_with_a_range(void **state)
{
    static const struct row rows[] = {
        {"{postgres: '>=12'}", ""},
        {"{postgres: '<16'}", ""},
        {"{postgres: '<15'}", "PostgreSQL is not <15"},
        {"{postgres: '>=16'}", "PostgreSQL is not >=16"},
    };

    check_rows(state, rows, ARRAY_COUNT(rows));
}

static void a_variable_is_compared_with_a_value_or_a_list(void **state)
{
    static const struct row rows[] = {
        {"{variable: rebuild, is: rewind}", ""},
        {"{variable: rebuild, is: [wipe, rewind]}", ""},
        {"{variable: rebuild, is: wipe}", "rebuild is rewind"},
        {"{variable: rebuild, is: [wipe, none]}", "rebuild is rewind"},
    };

    check_rows(state, rows, ARRAY_COUNT(rows));
}

static void a_saved_value_is_the_one_of_the_steps_own_host(void **state)
{
    static const struct row rows[] = {
        {"{value: xid, is: '740'}", ""},
        {"{value: xid, is: ['1', '2']}", "xid is 740"},
        {"{value: lag, is: '3'}", ""},
        {"{value: lag, is: '2'}", "lag is 3"},
    };

    check_rows(state, rows, ARRAY_COUNT(rows));
}

static void a_role_is_empty_if_no_host_has_it(void **state)
{
    static const struct row rows[] = {
        {"{role-is-empty: nobody}", ""},
        {"{role-is-empty: replicas}", "role \"replicas\" is not empty"},
    };

    check_rows(state, rows, ARRAY_COUNT(rows));
}

static void the_journal_says_what_may_have_happened(void **state)
{
    static const struct row rows[] = {
        {"{may-have-happened: a}", ""}, {"{did-not-happen: a}", "step \"a\" may have happened"},
        {"{did-not-happen: b}", ""},    {"{may-have-happened: b}", "step \"b\" did not happen"},
        {"{did-not-happen: c}", ""},    {"{may-have-happened: c}", "step \"c\" did not happen"},
    };

    check_rows(state, rows, ARRAY_COUNT(rows));
}

static void of_several_conditions_all_must_be_true(void **state)
{
    static const struct row rows[] = {
        {"[{postgres: '>=12'}, {role-is-empty: nobody}]", ""},
        {"[{postgres: '>=12'}, {variable: rebuild, is: wipe}, {postgres: '<12'}]",
         "rebuild is rewind"},
    };

    check_rows(state, rows, ARRAY_COUNT(rows));
}

static void a_host_that_did_not_tell_its_version_has_that_of_the_others(void **state)
{
    bool holds = false;

    (void)state;
    begin("deploy:\n  - {id: x, hosts: held, when: {postgres: '>=15'}, wait-until: {port: 1}}\n");

    const struct step *step = plan_find_step(scene.run.plan, "x");

    assert_null(when_holds(&scene.run, step->when, 1, step, &holds, NULL));
    assert_true(holds);
}

static void a_version_that_nobody_told_is_an_error(void **state)
{
    bool holds = false;

    (void)state;
    begin("deploy:\n  - {id: x, hosts: held, when: {postgres: '>=15'}, wait-until: {port: 1}}\n");
    run_record(&scene.run, "identity", "\"system_identifier\":\"1\",\"versions\":{}");

    const struct step *step = plan_find_step(scene.run.plan, "x");
    struct error *error = when_holds(&scene.run, step->when, 1, step, &holds, NULL);

    assert_string_equal(error->message, "the PostgreSQL version is not known");
    assert_int_equal(error->kind, ERROR_INPUT);
}

static void a_value_that_was_not_saved_is_an_error(void **state)
{
    bool holds = false;

    (void)state;
    begin("deploy:\n"
          "  - {id: a, hosts: leader, sql: {run: SELECT 1 AS xid, save: [xid]}}\n"
          "  - {id: x, hosts: held, when: {value: xid, is: '1'}, wait-until: {port: 1}}\n");

    const struct step *step = plan_find_step(scene.run.plan, "x");
    struct error *error = when_holds(&scene.run, step->when, 1, step, &holds, NULL);

    assert_string_equal(error->message, "value \"xid\" is not known yet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(the_servers_version_is_compared_with_a_range),
        SCENE_TEST(a_variable_is_compared_with_a_value_or_a_list),
        SCENE_TEST(a_saved_value_is_the_one_of_the_steps_own_host),
        SCENE_TEST(a_role_is_empty_if_no_host_has_it),
        SCENE_TEST(the_journal_says_what_may_have_happened),
        SCENE_TEST(of_several_conditions_all_must_be_true),
        SCENE_TEST(a_host_that_did_not_tell_its_version_has_that_of_the_others),
        SCENE_TEST(a_version_that_nobody_told_is_an_error),
        SCENE_TEST(a_value_that_was_not_saved_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
