/* That it does not matter how a step is spelt: the hazards see what it does. */
#include "planned.h"

#include "plan/hazard.h"

#define PAUSED                                                                                     \
    "  - {id: pause, hosts: held, if-interrupted: repeat, sql: {run: SELECT "                      \
    "pg_wal_replay_pause()}}\n"                                                                    \
    "  - {id: go-on, hosts: held, if-interrupted: repeat, sql: {run: SELECT "                      \
    "pg_wal_replay_resume()}}\n"

/* What a plan is told in which SHELL runs on the held host before replay is paused there. */
static const char *told_before_pause(struct planned *planned, const char *shell)
{
    CLEANUP(text_release) struct text text = {.limit = 0};

    text_append(&text, HEAD ROLES "allow: {HB004: no, HB017: no, HB038: no, HB002: no}\ndeploy:\n"
                                  "  - id: before\n    hosts: held\n    if-interrupted: repeat\n"
                                  "    timeout: 1m\n    remote-shell:\n      run: |\n");
    for (const char *line = shell; *line != '\0'; line += strcspn(line, "\n")) {
        line += *line == '\n';
        text_append(&text, "        ");
        text_append_bytes(&text, line, strcspn(line, "\n"));
        text_append(&text, "\n");
    }
    text_append(&text, PAUSED);
    planned_begin(planned);
    return planned_read(planned, text_string(&text));
}

static void maintenance_mode_and_a_stopped_service_are_seen_in_shell_texts(void **state)
{
    static const char *const seen[] = {
        "systemctl stop patroni",
        "sudo systemctl stop patroni.service",
        "systemctl stop \"$patroni_service\"",
        "service patroni stop",
        "systemctl disable --now patroni",
        "if true; then systemctl stop patroni; fi",
        "ssh localhost 'systemctl stop patroni'",
        "su - root -c \"systemctl stop patroni\"",
        "x=$(systemctl stop patroni)",
        "patronictl -c /etc/patroni.yml pause --wait shop",
        "curl -sX PATCH -d '{\"pause\": true}' localhost:8008/config",
        "curl -sX PATCH -d \"{\\\"pause\\\":true}\" localhost:8008/config",
    };
    static const char *const unseen[] = {
        "systemctl status patroni",     "echo systemctl stop patroni",
        "# systemctl stop patroni",     "systemctl stop nginx",
        "grep -r 'patronictl pause' .", "patronictl resume",
        "systemctl restart patroni",    "systemctl stop patroni\nsystemctl start patroni",
    };

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(seen); at++) {
        CLEANUP(planned_end) struct planned planned;

        assert_string_equal(told_before_pause(&planned, seen[at]), "");
    }
    for (size_t at = 0; at < ARRAY_COUNT(unseen); at++) {
        CLEANUP(planned_end) struct planned planned;

        assert_non_null(strstr(told_before_pause(&planned, unseen[at]),
                               "step \"pause\" pauses replay, and Patroni resumes it by itself "
                               "[HB008]"));
    }
}

static void a_pause_of_replay_is_seen_in_shell_texts(void **state)
{
    static const char *const seen[] = {
        "psql -c 'SELECT pg_wal_replay_pause()'",
        "psql <<E\nSELECT pg_wal_replay_pause();\nE",
        "echo 'SELECT pg_wal_replay_pause()' | psql",
    };

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(seen); at++) {
        CLEANUP(planned_end) struct planned planned;

        assert_non_null(strstr(told_before_pause(&planned, seen[at]),
                               "step \"before\" pauses replay, and Patroni resumes it by itself "
                               "[HB008]"));
    }
}

/* What a rollback is told that removes what SHELL says, on the leader. */
static const char *told_of_removal(struct planned *planned, const char *shell)
{
    planned_begin(planned);
    return planned_read(planned,
                        arena_printf(&planned->arena,
                                     HEAD ROLES "allow: {HB002: no}\ndeploy:\n"
                                                "  - id: wipe\n    hosts: leader\n    timeout: 1m\n"
                                                "    if-interrupted: repeat\n    remote-shell:\n"
                                                "      run: |\n        %s\n",
                                     shell));
}

static void the_removal_of_a_whole_data_directory_is_seen(void **state)
{
    static const char *const seen[] = {
        "rm -rf \"$postgres_data_directory\"",         "rm -rf \"$postgres_data_directory\"/*",
        "rm -rf -- \"${postgres_data_directory:?}\"/", "sudo rm -fr $PGDATA/*",
        "rm -r /var/lib/postgresql/15/main",           "find \"$PGDATA\" -mindepth 1 -delete",
    };
    static const char *const unseen[] = {
        "rm -rf \"${postgres_data_directory:?}.${run_id:?}\"",
        "rm -rf \"$postgres_data_directory\"-old",
        "rm -rf \"$postgres_data_directory/pg_stat_tmp\"",
        "rm -f \"$postgres_data_directory\"/*",
        "rm -rf /var/lib/postgresql/15/main.old",
        "ls \"$postgres_data_directory\"",
        "mv -T \"$postgres_data_directory\" \"$postgres_data_directory.old\"",
    };

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(seen); at++) {
        CLEANUP(planned_end) struct planned planned;

        assert_non_null(strstr(told_of_removal(&planned, seen[at]),
                               "step \"wipe\" removes a data directory before another node is "
                               "proven to lead [HB035]"));
    }
    for (size_t at = 0; at < ARRAY_COUNT(unseen); at++) {
        CLEANUP(planned_end) struct planned planned;

        assert_null(strstr(told_of_removal(&planned, unseen[at]), "HB035"));
    }
}

static void a_dcs_that_may_have_a_writer_is_not_cleared_in_silence(void **state)
{
    static const struct {
        const char *roles, *stopped, *who;
    } rows[] = {
        {"leader: {patroni: leader}, held: {patroni: replica, one: true}", "held", "the leader"},
        {"leader: {patroni: leader}, held: {patroni: replica, one: true}", "[held, leader]",
         "a replica"},
        {"leader: {patroni: leader}, others: {patroni: replica}", "[others, leader]", NULL},
        {"leader: {patroni: leader}, held: {patroni: replica, one: true}, others: {patroni: "
         "replica, except: [held]}",
         "[held, others, leader]", NULL},
        {"leader: {patroni: leader}, held: {patroni: replica, one: true}, others: {patroni: "
         "replica, except: [held]}",
         "[others, leader]", "a replica"},
        {"all: {patroni: member}", "all", NULL},
        {"leader: {patroni: leader}, rest: {patroni: member, except: [leader]}", "rest",
         "the leader"},
        {"leader: {patroni: leader}, rest: {patroni: member, except: [leader]}", "[rest, leader]",
         NULL},
        {"leader: {patroni: leader}", "[pg1, pg2]", NULL},
    };

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(rows); at++) {
        CLEANUP(planned_end) struct planned planned;

        planned_begin(&planned);

        const char *told = planned_read(
            &planned, arena_printf(&planned.arena,
                                   HEAD "roles: {%s}\ndeploy:\n"
                                        "  - {id: stop, hosts: %s, patroni: {service: stopped}}\n"
                                        "  - {id: clear, hosts: leader, patroni: {cluster: "
                                        "absent}}\n",
                                   rows[at].roles, rows[at].stopped));

        if (rows[at].who == NULL)
            assert_null(strstr(told, "HB033"));
        else
            assert_non_null(strstr(told, arena_printf(&planned.arena,
                                                      "step \"clear\" clears the DCS while Patroni "
                                                      "may run on %s [HB033]",
                                                      rows[at].who)));
    }
}

static void a_secret_is_told_and_a_reference_is_not(void **state)
{
    static const char *const seen[] = {
        "PGPASSWORD=hunter2 psql",
        "psql 'host=pg1 password=hunter2'",
        "psql \"postgresql://app:hunter2@pg1/shop\"",
        "psql -c \"ALTER ROLE app PASSWORD 'hunter2'\"",
        "curl -u patroni:hunter2 localhost:8008/config",
        "curl -H 'Authorization: Basic aHVudGVyMg==' localhost",
        "echo '{\"password\": \"hunter2\"}'",
        "echo '-----BEGIN PRIVATE KEY-----'",
    };
    static const char *const unseen[] = {
        "PGPASSWORD=$HOME psql",
        "psql 'host=pg1 passfile=/x'",
        "psql \"postgresql://app@pg1:5432/shop\"",
        "psql \"postgresql://app:$HOME@pg1/shop\"",
        "psql -c \"SELECT password_encryption FROM a WHERE password = b\"",
        "psql -c \"ALTER ROLE app PASSWORD NULL\"",
        "curl -u \"patroni:$HOME\" localhost:8008/config",
        "echo \"what is the password?\"",
        "grep -q 'password:' /etc/patroni.yml",
        "curl http://localhost:8008/config",
    };

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(seen); at++) {
        CLEANUP(planned_end) struct planned planned;
        const char *told = told_of_removal(&planned, seen[at]);

        assert_non_null(strstr(told, "step \"wipe\" holds a secret as it is [HB040]"));
        assert_null(strstr(told, "hunter2"));
        assert_true(planned.findings.items[0].error->place.is_secret);
    }
    for (size_t at = 0; at < ARRAY_COUNT(unseen); at++) {
        CLEANUP(planned_end) struct planned planned;

        assert_string_equal(told_of_removal(&planned, unseen[at]), "");
    }
}

static void the_readme_lists_every_hazard_as_it_is_explained(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    char *readme;
    size_t length;

    (void)state;
    assert_null(file_read(&arena, SOURCE_DIR "/README.md", 1 << 20, &readme, &length));
    for (size_t at = 0; at < hazard_count; at++) {
        const struct hazard *hazard = &hazard_table[at];

        assert_string_equal(hazard->id, arena_printf(&arena, "HB%03zu", at + 1));
        assert_non_null(
            strstr(readme, arena_printf(&arena, "\n| %s | %s |\n", hazard->id, hazard->sentence)));
        assert_true(*hazard->why != '\0' && *hazard->instead != '\0' && *hazard->reference != '\0');
        assert_true(
            access(arena_printf(&arena, SOURCE_DIR "/tests/cases/hazards/%s.yml", hazard->id),
                   R_OK) == 0);
        assert_true(
            access(arena_printf(&arena, SOURCE_DIR "/tests/cases/hazards/%s-not.yml", hazard->id),
                   R_OK) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maintenance_mode_and_a_stopped_service_are_seen_in_shell_texts),
        cmocka_unit_test(a_pause_of_replay_is_seen_in_shell_texts),
        cmocka_unit_test(the_removal_of_a_whole_data_directory_is_seen),
        cmocka_unit_test(a_dcs_that_may_have_a_writer_is_not_cleared_in_silence),
        cmocka_unit_test(a_secret_is_told_and_a_reference_is_not),
        cmocka_unit_test(the_readme_lists_every_hazard_as_it_is_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
