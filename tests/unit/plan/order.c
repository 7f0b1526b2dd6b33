#include "planned.h"

#define SAVE(id, hosts)                                                                            \
    "  - {id: " id ", hosts: " hosts ", sql: {query: SELECT 1 AS x, save: [x]}}\n"
#define USE(id) "  - {id: " id ", hosts: leader, sql: {query: \"SELECT ${x}\"}}\n"

static void a_value_is_known_to_later_steps_of_its_phase_and_of_the_next(void **state)
{
    (void)state;
    assert_tells(HEAD ROLES "deploy:\n" SAVE("a", "leader") USE("b") "commit:\n" USE("c"), "");
    assert_tells(HEAD ROLES "preflight:\n" SAVE("a", "leader") "deploy:\n" USE("b") "commit:\n" USE(
                     "c") "rollback:\n" USE("d"),
                 "");
    assert_tells(
        HEAD ROLES "deploy:\n" USE("u") "rollback:\n" SAVE("a", "leader") USE("b"),
        "5:49 value \"x\" is used before it is saved | Step \"a\" saves it (rollback, line "
        "7), which comes later.\n");
}

static void a_value_is_not_known_before_it_is_saved(void **state)
{
    (void)state;
    assert_tells(HEAD ROLES "deploy:\n" USE("b") SAVE("a", "leader"),
                 "5:49 value \"x\" is used before it is saved | Step \"a\" saves it (deploy, line "
                 "6), which comes later.\n");
    assert_tells(HEAD ROLES "deploy:\n" USE("b") "commit:\n" SAVE("a", "leader"),
                 "5:49 value \"x\" is used before it is saved | Step \"a\" saves it (commit, line "
                 "7), which comes later.\n");
    assert_tells(HEAD ROLES
                 "deploy:\n"
                 "  - {id: a, hosts: leader, sql: {query: \"SELECT ${x}\", save: [x]}}\n",
                 "5:49 value \"x\" is used before it is saved | Step \"a\" saves it (deploy, line "
                 "5): this step itself, at its end.\n");
}

static void shell_texts_paths_and_conditions_use_values_too(void **state)
{
    (void)state;
    assert_tells(
        HEAD ROLES "deploy:\n"
                   "  - {id: b, hosts: leader, wait-until: {shell: 'test \"$x\"'}}\n"
                   "  - {id: c, hosts: leader, wait-until: {shell: 'x=1; test \"$x\"'}}\n"
                   "  - {id: d, hosts: leader, when: {value: x, is: 1}, wait-until: {port: 1}}\n"
                   "  - {id: e, hosts: leader, edit-conf: {file: \"/${x}\", content: a}}\n" SAVE(
                       "a", "leader"),
        "5:56 value \"x\" is used before it is saved | Step \"a\" saves it (deploy, line 9), which "
        "comes later.\n"
        "7:42 value \"x\" is used before it is saved | Step \"a\" saves it (deploy, line 9), which "
        "comes later.\n"
        "8:48 value \"x\" is used before it is saved | Step \"a\" saves it (deploy, line 9), which "
        "comes later.\n");
}

static void rollback_knows_what_deploy_saved_before_a_step_that_may_have_happened(void **state)
{
    static const char deploy[] =
        HEAD ROLES "deploy:\n"
                   "  - id: group\n"
                   "    hosts: leader\n"
                   "    steps:\n"
                   "      - {id: a, sql: {query: SELECT 1 AS x, save: [x]}}\n"
                   "      - {id: b, wait-until: {port: 1}}\n"
                   "  - {id: c, hosts: leader, wait-until: {port: 1}}\n"
                   "commit:\n"
                   "  - {id: d, hosts: leader, wait-until: {port: 1}}\n"
                   "rollback:\n";
    static const struct {
        const char *condition;
        bool is_known;
    } cases[] = {
        {"when: {may-have-happened: b}, ", true},
        {"when: {may-have-happened: c}, ", true},
        {"when: {may-have-happened: d}, ", true},
        {"when: [{postgres: \">=12\"}, {may-have-happened: c}], ", true},
        {"when: {may-have-happened: a}, ", false},
        {"when: {may-have-happened: group}, ", false},
        {"when: {did-not-happen: c}, ", false},
        {"", false},
    };
    static const char told[] =
        "value \"x\" is used before it is saved | Step \"a\" saves it (deploy, line 8), and deploy "
        "may have stopped before: use it under \"when: {may-have-happened: STEP}\" of a step that "
        "comes after.\n";

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(cases); at++) {
        CLEANUP(planned_end) struct planned planned;

        planned_begin(&planned);

        const char *text = arena_printf(
            &planned.arena,
            "%s  - {id: u, hosts: leader, %swait-until: {\n    sql: \"SELECT ${x}\"}}\n", deploy,
            cases[at].condition);

        assert_string_equal(planned_read(&planned, text),
                            cases[at].is_known ? ""
                                               : arena_printf(&planned.arena, "15:18 %s", told));
    }
}

static void the_condition_of_a_group_holds_for_its_steps(void **state)
{
    (void)state;
    assert_tells(HEAD ROLES "deploy:\n" SAVE(
                     "a", "leader") "  - {id: c, hosts: leader, wait-until: {port: 1}}\n"
                                    "rollback:\n"
                                    "  - id: way-back\n"
                                    "    when: {may-have-happened: c}\n"
                                    "    confirm: \"Back to ${x}?\"\n"
                                    "    hosts: leader\n"
                                    "    steps:\n"
                                    "      - {id: u, sql: {query: \"SELECT ${x}\"}}\n",
                 "");
}

static void a_value_of_another_branch_is_not_known(void **state)
{
    (void)state;
    assert_tells(HEAD ROLES
                 "variables: {mode: {type: [fast, slow], default: fast}}\n"
                 "deploy:\n"
                 "  - {id: a, hosts: leader, when: {variable: mode, is: fast}, sql: {query: SELECT "
                 "1 AS x, save: [x]}}\n"
                 "  - {id: b, hosts: leader, when: {variable: mode, is: fast}, wait-until: {sql: "
                 "\"SELECT ${x}\"}}\n"
                 "  - {id: c, hosts: leader, when: {variable: mode, is: slow}, wait-until: {sql: "
                 "\"SELECT ${x}\"}}\n"
                 "  - {id: d, hosts: leader, wait-until: {sql: \"SELECT ${x}\"}}\n",
                 "8:88 value \"x\" is used before it is saved | Step \"a\" saves it (deploy, line "
                 "6) under a condition that does not hold whenever this one runs.\n"
                 "9:54 value \"x\" is used before it is saved | Step \"a\" saves it (deploy, line "
                 "6) under a condition that does not hold whenever this one runs.\n");
}

static void alternatives_together_save_a_value(void **state)
{
    (void)state;
    assert_tells(HEAD ROLES
                 "deploy:\n"
                 "  - {id: a, hosts: leader, when: {postgres: \">=14\"}, sql: {query: SELECT 1 AS "
                 "x, save: [x]}}\n"
                 "  - {id: b, hosts: leader, when: {postgres: \"<14\"}, sql: {query: SELECT 2 AS "
                 "x, save: [x]}}\n" USE("c"),
                 "");
}

static void a_guard_knows_what_was_saved_when_it_begins(void **state)
{
    (void)state;
    assert_tells(HEAD ROLES
                 "guards:\n"
                 "  - {id: g1, hosts: leader, from: a, sql: \"SELECT ${x}\"}\n"
                 "  - {id: g2, hosts: leader, from: b, sql: \"SELECT ${x}\"}\n"
                 "  - {id: g3, hosts: leader, from: z, sql: \"SELECT ${x}\"}\n"
                 "  - {id: g4, hosts: leader, sql: \"SELECT ${x}\"}\n"
                 "deploy:\n"
                 "  - {id: z, hosts: leader, wait-until: {port: 1}}\n" SAVE("a", "leader") USE("b"),
                 "7:51 value \"x\" is used before it is saved | Step \"a\" saves it (deploy, line "
                 "11): let the guard begin with \"from\" after it.\n"
                 "8:42 value \"x\" is used before it is saved | Step \"a\" saves it (deploy, line "
                 "11): let the guard begin with \"from\" after it.\n");
}

static void a_value_of_several_hosts_is_each_ones_own(void **state)
{
    (void)state;
    assert_tells(HEAD "roles: {leader: {patroni: leader}, a: {patroni: replica, one: true}, b: "
                      "{patroni: replica, one: true, except: [a]}}\n"
                      "deploy:\n" SAVE("s", "[a, b]") USE("u"),
                 "6:49 value \"x\" is not saved on \"leader\" | Step \"s\" saves it on several "
                 "hosts, each its own.\n");
    assert_tells(HEAD ROLES "deploy:\n" SAVE("s", "[leader, held]") USE("u"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_known_to_later_steps_of_its_phase_and_of_the_next),
        cmocka_unit_test(a_value_is_not_known_before_it_is_saved),
        cmocka_unit_test(shell_texts_paths_and_conditions_use_values_too),
        cmocka_unit_test(rollback_knows_what_deploy_saved_before_a_step_that_may_have_happened),
        cmocka_unit_test(the_condition_of_a_group_holds_for_its_steps),
        cmocka_unit_test(a_value_of_another_branch_is_not_known),
        cmocka_unit_test(alternatives_together_save_a_value),
        cmocka_unit_test(a_guard_knows_what_was_saved_when_it_begins),
        cmocka_unit_test(a_value_of_several_hosts_is_each_ones_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
