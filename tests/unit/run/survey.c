/* What a host says of its Patroni services, as survey.py prints it. */
#include "run/survey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTER                                                                                    \
    "\"cluster\":{\"members\":["                                                                   \
    "{\"name\":\"pg1\",\"role\":\"master\",\"api_url\":\"http://10.0.0.11:8008/patroni\","         \
    "\"port\":5432},"                                                                              \
    "{\"name\":\"pg2\",\"role\":\"replica\",\"api_url\":\"https://[fd00::2]:8009/patroni\","       \
    "\"port\":6432}]}"
#define SHOP                                                                                       \
    "{\"service\":\"patroni\",\"user\":\"postgres\",\"config\":\"/etc/patroni/config.yml\","       \
    "\"scope\":\"shop\",\"name\":\"pg1\",\"scheme\":\"https\",\"ca\":\"/etc/ca.crt\","             \
    "\"needs_certificate\":true,\"rest_user\":\"patroni\",\"data\":\"/data\",\"bin\":\"/bin\","    \
    "\"port\":\"5433\",\"sockets\":\"/run/postgresql\",\"superuser\":\"admin\","                   \
    "\"restores\":true," CLUSTER ",\"status\":{\"server_version\":150020,"                         \
    "\"database_system_identifier\":\"7312093846239412\",\"patroni\":{\"version\":\"3.0.2\"}}}"
#define OTHER                                                                                      \
    "{\"service\":\"patroni@other\",\"user\":\"postgres\",\"scope\":\"other\"," CLUSTER "}"

static const struct survey_question only = {.host = "db1"};

static struct error *read_json(struct arena *arena, const struct survey_question *question,
                               const char *json, struct survey_host *out)
{
    return survey_read(arena, question, json, strlen(json), out);
}

static void expect_error(const struct survey_question *question, const char *json,
                         enum error_kind kind, const char *message, const char *hint)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct survey_host host = {.scope = "untouched"};
    struct error *error = read_json(&arena, question, json, &host);

    assert_non_null(error);
    assert_int_equal(error->kind, kind);
    assert_string_equal(error->message, message);
    assert_true(equal(error->hint, hint));
    assert_string_equal(host.scope, "untouched");
}

static void a_service_tells_all_that_a_cluster_file_needs(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct survey_host host;

    (void)state;
    assert_null(read_json(&arena, &only, "[" SHOP "]", &host));
    assert_string_equal(host.scope, "shop");
    assert_string_equal(host.config, "/etc/patroni/config.yml");
    assert_string_equal(host.rest_user, "patroni");
    assert_string_equal(host.superuser, "admin");
    assert_string_equal(host.system_identifier, "7312093846239412");
    assert_int_equal(host.server_version, 150020);
    assert_int_equal(host.postgres_port, 5433);
    assert_true(host.needs_certificate && host.has_restore_command);
    assert_int_equal(host.member_count, 2);
    assert_string_equal(host.members[0].role, "leader");
    assert_string_equal(host.members[0].address, "10.0.0.11");
    assert_string_equal(host.members[1].address, "fd00::2");
    assert_int_equal(host.members[1].rest_port, 8009);
    assert_int_equal(host.members[1].postgres_port, 6432);
}

static void one_of_several_services_is_named_or_known_by_its_scope(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    const struct survey_question named = {.host = "db1", .service = "patroni@other"};
    const struct survey_question scoped = {.host = "db1", .scope = "shop"};
    struct survey_host host;

    (void)state;
    assert_null(read_json(&arena, &named, "[" SHOP "," OTHER "]", &host));
    assert_string_equal(host.scope, "other");
    assert_null(read_json(&arena, &scoped, "[" OTHER "," SHOP "]", &host));
    assert_string_equal(host.service, "patroni");
}

static void none_or_several_are_refused(void **state)
{
    const struct survey_question named = {.host = "db1", .service = "patronis"};
    const struct survey_question scoped = {.host = "db1", .scope = "bank"};

    (void)state;
    expect_error(&only, "[]", ERROR_INPUT, "no Patroni runs on host \"db1\"",
                 "Name a host of the cluster whose Patroni is up. It must be a service of "
                 "systemd.");
    expect_error(&only, "[" SHOP "," OTHER "]", ERROR_INPUT,
                 "2 Patroni services run on host \"db1\": \"patroni\" (scope \"shop\"), "
                 "\"patroni@other\" (scope \"other\")",
                 "Say which one with --service NAME.");
    expect_error(&named, "[" OTHER "]", ERROR_INPUT,
                 "host \"db1\" has no Patroni service \"patronis\", only \"patroni@other\" (scope "
                 "\"other\")",
                 NULL);
    expect_error(&scoped, "[" OTHER "]", ERROR_INPUT,
                 "host \"db1\" has no Patroni of scope \"bank\", only \"patroni@other\" (scope "
                 "\"other\")",
                 NULL);
}

static void a_patroni_that_does_not_know_its_cluster_is_an_error_of_now(void **state)
{
    const struct survey_question scoped = {.host = "db1", .scope = "shop"};

    (void)state;
    expect_error(&only,
                 "[{\"service\":\"patroni\",\"scope\":\"shop\",\"config\":\"/etc/p.yml\","
                 "\"cluster\":null,\"cluster_problem\":\"HTTP status 503\"}]",
                 ERROR_FAILED,
                 "Patroni on host \"db1\" does not tell the members of cluster \"shop\": HTTP "
                 "status 503",
                 "Its DCS may be down. Try again when this answers there: patronictl -c "
                 "/etc/p.yml list");
    expect_error(&only, "[{\"service\":\"patroni\",\"problem\":\"No module named 'yaml'\"}]",
                 ERROR_FAILED,
                 "could not read the configuration of service \"patroni\" on host \"db1\": No "
                 "module named 'yaml'",
                 NULL);
    expect_error(&scoped, "[{\"service\":\"patroni\",\"problem\":\"ParserError\"}]", ERROR_FAILED,
                 "could not read the configuration of service \"patroni\" on host \"db1\": "
                 "ParserError",
                 NULL);
    expect_error(&only, "[{\"service\":\"patroni\"}]", ERROR_FAILED,
                 "the configuration of service \"patroni\" on host \"db1\" names no scope", NULL);
}

static void a_text_that_could_end_a_line_or_drive_a_terminal_is_not_known(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct survey_host host;

    (void)state;
    assert_null(read_json(&arena, &only,
                          "[{\"service\":\"patroni\",\"scope\":\"shop\",\"data\":\"/a\\nroot: x\","
                          "\"bin\":\"/b\\u001b[2J\",\"superuser\":\"\",\"port\":\"99999\"," CLUSTER
                          "}]",
                          &host));
    assert_null(host.data_directory);
    assert_null(host.bin_directory);
    assert_null(host.superuser);
    assert_int_equal(host.postgres_port, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_tells_all_that_a_cluster_file_needs),
        cmocka_unit_test(one_of_several_services_is_named_or_known_by_its_scope),
        cmocka_unit_test(none_or_several_are_refused),
        cmocka_unit_test(a_patroni_that_does_not_know_its_cluster_is_an_error_of_now),
        cmocka_unit_test(a_text_that_could_end_a_line_or_drive_a_terminal_is_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
