#include "planned.h"

#include "plan/shelltext.h"

static void a_file_or_job_without_a_timeout_of_its_own_is_a_hazard(void **state)
{
    (void)state;
    assert_tells(
        HEAD ROLES
        "variables: {m: {type: path}}\n"
        "defaults: {timeout: 4h}\n"
        "deploy:\n"
        "  - {id: a, hosts: leader, sql: {file: \"${m}\"}}\n"
        "  - {id: b, hosts: leader, remote-shell: {run: x, creates: /x}}\n"
        "  - {id: c, hosts: leader, timeout: 1h, sql: {file: \"${m}\"}}\n"
        "  - {id: d, timeout: 1h, hosts: leader, steps: [{id: e, remote-shell: {run: x, creates: "
        "/x}}]}\n"
        "  - {id: f, hosts: leader, sql: {run: SELECT 1}}\n",
        "7:28 the SQL file of step \"a\" has only the general timeout [HB001] | Say in the step, "
        "or "
        "in its group, how long it may take.\n"
        "8:28 the job of step \"b\" has only the general timeout [HB001] | Say in the step, or in "
        "its group, how long it may take.\n");
}

static void an_allowed_hazard_is_not_told(void **state)
{
    (void)state;
    assert_tells(HEAD ROLES "allow: {HB001: they are short, HB099: what}\n"
                            "deploy:\n"
                            "  - {id: b, hosts: leader, remote-shell: {run: x, creates: /x}}\n",
                 "4:32 there is no hazard \"HB099\" | did you mean \"HB009\"?\n");
}

/* What a shell text that a step waits for is told. */
static const char *shell_told(struct planned *planned, const char *text)
{
    CLEANUP(text_release) struct text plan = {.limit = 0};

    planned_begin(planned);
    text_append(&plan, HEAD ROLES "variables: {mode: {default: fast}, dir: {type: path}}\n"
                                  "deploy:\n  - {id: a, hosts: leader, wait-until: {shell: ");
    text_append_json(&plan, text, strlen(text));
    text_append(&plan, "}}\n");
    return planned_read(planned, text_string(&plan));
}

static void a_name_that_nobody_sets_is_a_hazard(void **state)
{
    static const char *const wrong[] = {
        "echo $mod",
        "echo \"${mod}\"",
        "echo \"$(cat \"$mod\")\"",
        "cat <<E\n$mod\nE",
        "echo `echo $mod`",
        "echo $((1 + $mod))",
        "echo ${x:-$mod}",
        "echo ${#mod}",
        "echo ${mod%/*}",
        "echo ${mod?}",
        "echo \"'$mod'\"",
        "mode=$mod",
        "case $mod in a) x;; esac",
        "(echo $mod)",
        "echo a#$mod",
        "echo \\\\$mod",
    };

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(wrong); at++) {
        CLEANUP(planned_end) struct planned planned;
        const char *told = shell_told(&planned, wrong[at]);

        assert_non_null(strstr(told, "\"$mod\" is neither a value of this plan nor assigned in the "
                                     "text [HB002] | did you mean \"mode\"?\n"));
        assert_int_equal(planned.findings.count, 1);
    }
}

static void names_that_somebody_sets_are_no_hazard(void **state)
{
    static const char *const right[] = {
        "echo $mode $dir $run_id $held_member $leader_count $postgres_data_directory",
        "echo $HOME $PATH $PGDATA $1 $# $? $$ $! $@ $* $- ${1} ${#} ${10}",
        "x=1; echo $x",
        "x=$(date) && echo ${x}",
        "for x in 1 2; do echo $x; done",
        "for x\nin 1 2; do echo $x; done",
        "while read -r x y; do echo $x $y; done",
        "ls | while IFS=: read -r x; do echo $x; done",
        "export x; echo $x",
        "f() { local x y=2; echo $x $y; }",
        "while getopts ab: x; do echo $x; done",
        "echo ${x:-1} ${x-} ${x:+2}",
        ": ${x:=1}; echo $x",
        "awk '{print $x}'",
        "echo \\$x \"\\$x\"",
        "# $x\necho a # $x",
        "cat <<'E'\n$x\nE\n",
        "cat <<-\"E\" | sort\n\t$x\n\tE\necho $mode",
        "cat <<\\E\n$x\nE",
        ". ./env; echo $x",
        "a=$(eval echo b); echo \"$a\"",
        "x[1]=2; echo ${x[1]}",
        "x+=a; echo $x",
        "echo $((x + 1))",
        "echo \"${mode:-it's}\" '$x'",
        "echo $'it\\'s $x'",
    };

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(right); at++) {
        CLEANUP(planned_end) struct planned planned;

        assert_string_equal(shell_told(&planned, right[at]), "");
    }
}

static void a_recursive_rm_of_what_may_be_empty_is_a_hazard(void **state)
{
    static const char *const wrong[] = {
        "rm -rf \"$mode\"/*",        "rm -r -f $mode",           "sudo rm -Rf /a/\"${mode}\"",
        "/bin/rm --recursive $mode", "a && rm -rf \"/a/$mode\"",
    };
    static const char *const right[] = {
        "rm -rf \"${mode:?}\"",
        "rm -f \"$mode\"",
        "rm -rf \"$postgres_data_directory/x\"",
        "rm -rf /a; ls $mode",
        "rm --force --one-file-system $mode",
        "rm -rf \"$dir\"",
        "d=$(mktemp -d); rm -rf \"$d\"",
    };

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(wrong); at++) {
        CLEANUP(planned_end) struct planned planned;

        assert_non_null(strstr(shell_told(&planned, wrong[at]),
                               "rm -r takes \"$mode\", which may be empty [HB003] | An empty value "
                               "would remove something else. Write ${mode:?}.\n"));
    }
    for (size_t at = 0; at < ARRAY_COUNT(right); at++) {
        CLEANUP(planned_end) struct planned planned;

        assert_string_equal(shell_told(&planned, right[at]), "");
    }
}

static void maintenance_mode_that_nobody_ends_is_a_hazard(void **state)
{
    static const char on[] =
        HEAD ROLES "deploy:\n  - {id: on, hosts: leader, patroni: {maintenance: "
                   "true}}\n";
    static const char off[] = "{id: off, hosts: leader, patroni: {maintenance: false}}";
    static const char success[] =
        "5:29 step \"on\" turns maintenance mode on, and nothing ends it when the deployment has "
        "succeeded [HB004] | Let a %s end it.\n";
    static const char rollback[] = "5:29 step \"on\" turns maintenance mode on, and nothing in "
                                   "rollback ends it [HB004] | Let a step of rollback end it.\n";
    CLEANUP(arena_release) struct arena arena = {NULL};
    const char *of_commit = arena_printf(&arena, success, "step of commit");

    (void)state;
    assert_tells(on, arena_printf(&arena, success, "later step of deploy"));
    assert_tells(arena_printf(&arena, "%scommit: []\n", on), of_commit);
    assert_tells(arena_printf(&arena, "%scommit: []\nrollback: []\n", on),
                 arena_printf(&arena, "%s%s", of_commit, rollback));
    assert_tells(arena_printf(&arena, "%scommit: [%s]\nrollback: []\n", on, off), rollback);
    assert_tells(arena_printf(&arena, "%scommit: [%s]\n", on, off), "");
    assert_tells(arena_printf(&arena, "%s  - %s\nrollback: []\n", on, off), "");
    assert_tells(arena_printf(&arena,
                              "%scommit: [%s]\nrollback: [{id: x, hosts: leader, patroni: "
                              "{cluster: absent}}]\nallow: {HB033: not asked here}\n",
                              on, off),
                 "");
    assert_tells(arena_printf(&arena,
                              "%scommit: [%s]\nrollback: [{id: x, hosts: leader, patroni: "
                              "{restore: on}}]\n",
                              on, off),
                 "");
}

static void a_pause_of_replay_that_nobody_ends_is_a_hazard(void **state)
{
    static const char on[] = HEAD ROLES
        "deploy:\n  - {id: on, hosts: held, if-interrupted: repeat, sql: {run: {\">=10\": "
        "SELECT PG_WAL_REPLAY_PAUSE(), \"<10\": SELECT pg_xlog_replay_pause()}}}\n"
        "allow: {HB008: not asked here}\n";
    static const char off[] = "{id: off, hosts: held, if-interrupted: repeat, sql: {run: SELECT "
                              "pg_wal_replay_resume()}}";
    CLEANUP(arena_release) struct arena arena = {NULL};

    (void)state;
    assert_tells(arena_printf(&arena, "%scommit: []\nrollback: []\n", on),
                 "5:78 step \"on\" pauses replay, and nothing ends it when the deployment has "
                 "succeeded [HB005] | Let a step of commit end it.\n"
                 "5:78 step \"on\" pauses replay, and nothing in rollback ends it [HB005] | Let a "
                 "step of rollback end it.\n");
    assert_tells(arena_printf(&arena, "%scommit: [%s]\n", on, off), "");
    assert_tells(arena_printf(&arena,
                              "%scommit: [%s]\nrollback: [{id: x, hosts: held, patroni: "
                              "{service: stopped, postgres: stopped}}]\n",
                              on, off),
                 "");
    assert_tells(HEAD ROLES "deploy:\n  - {id: on, hosts: held, if-interrupted: repeat, sql: {run: "
                            "\"SELECT 'pg_wal_replay_pause()' -- pg_wal_replay_pause()\"}}\n",
                 "");
}

static void a_fence_that_nobody_takes_away_is_a_hazard(void **state)
{
    static const char fence[] =
        HEAD "roles: {leader: {patroni: leader}, held: {patroni: replica, one: true}, others: "
             "{patroni: member, except: [held]}}\n"
             "deploy: []\nrollback:\n"
             "  - {id: fence, hosts: leader, patroni: {service: fenced, postgres: stopped}}\n";
    static const char told[] =
        "6:32 step \"fence\" fences Patroni, and no later step of rollback starts it there [HB006] "
        "| "
        "A fenced node stays out of the cluster, also when it boots: start its service in a later "
        "step.\n";
    CLEANUP(arena_release) struct arena arena = {NULL};

    (void)state;
    assert_tells(fence, told);
    assert_tells(
        arena_printf(&arena, "%s  - {id: s, hosts: held, patroni: {service: started}}\n", fence),
        told);
    assert_tells(
        arena_printf(&arena, "%s  - {id: s, hosts: others, patroni: {service: started}}\n", fence),
        "");
    assert_tells(arena_printf(&arena,
                              "%s  - {id: s, hosts: [held, leader], patroni: {service: started}}\n",
                              fence),
                 "");
}

static void a_shell_text_that_is_nested_without_end_is_no_trouble(void **state)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    char *text = arena_alloc(&arena, 100001);
    static const char *const pieces[] = {"$(",    "\"", "`", "${x", "$((",
                                         "<<E\n", "'",  "(", "\\",  "$"};
    struct shell_visitor visitor = {0};

    (void)state;
    for (size_t piece = 0; piece < ARRAY_COUNT(pieces); piece++) {
        size_t length = strlen(pieces[piece]);

        memset(text, 0, 100001);
        for (size_t at = 0; at + length <= 100000; at += length)
            memcpy(text + at, pieces[piece], length);
        (void)shell_scan(text, &visitor);
    }
    assert_false(shell_scan(". ./env", &visitor));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_or_job_without_a_timeout_of_its_own_is_a_hazard),
        cmocka_unit_test(an_allowed_hazard_is_not_told),
        cmocka_unit_test(a_name_that_nobody_sets_is_a_hazard),
        cmocka_unit_test(names_that_somebody_sets_are_no_hazard),
        cmocka_unit_test(a_recursive_rm_of_what_may_be_empty_is_a_hazard),
        cmocka_unit_test(maintenance_mode_that_nobody_ends_is_a_hazard),
        cmocka_unit_test(a_pause_of_replay_that_nobody_ends_is_a_hazard),
        cmocka_unit_test(a_fence_that_nobody_takes_away_is_a_hazard),
        cmocka_unit_test(a_shell_text_that_is_nested_without_end_is_no_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
