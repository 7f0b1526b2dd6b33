/* What Patroni tells of a cluster and of its members is read. */
#include "rest.h"

static void the_cluster_is_read_whole(void **state)
{
    static const char answer[] = HEAD
        "{\"members\": [{\"name\": \"pg1\", \"role\": \"leader\", \"state\": \"running\", "
        "\"api_url\": \"http://10.0.0.11:8008/patroni\", \"host\": \"10.0.0.11\", \"port\": 5432, "
        "\"timeline\": 3, \"pending_restart\": true}, {\"name\": \"pg2\", \"role\": "
        "\"sync_standby\", \"state\": \"streaming\", \"timeline\": 3, \"lag\": 16, \"tags\": "
        "{\"nofailover\": true}}, {\"name\": \"pg3\", \"role\": \"replica\", \"state\": "
        "\"stopped\", \"lag\": \"unknown\"}], \"pause\": true, \"scheduled_switchover\": {\"at\": "
        "\"2026-11-22T20:00:00+00:00\", \"from\": \"pg1\"}}";
    struct fixture *fixture = *state;
    struct patroni_cluster cluster;
    struct error *error;

    WHILE_SERVED(fixture, answer,
                 error = patroni_read_cluster(fixture->host, &fixture->arena, NULL,
                                              clock_ms() + 5000, NULL, &cluster));

    assert_null(error);
    assert_int_equal(cluster.count, 3);
    assert_string_equal(cluster.leader->name, "pg1");
    assert_string_equal(cluster.leader->address, "10.0.0.11");
    assert_string_equal(cluster.leader->api_url, "http://10.0.0.11:8008/patroni");
    assert_int_equal(cluster.leader->port, 5432);
    assert_int_equal(cluster.leader->timeline, 3);
    assert_int_equal(cluster.leader->lag_bytes, -1);
    assert_true(cluster.leader->has_pending_restart);
    assert_string_equal(cluster.members[1].role, "sync_standby");
    assert_int_equal(cluster.members[1].lag_bytes, 16);
    assert_true(node_bool(cluster.members[1].tags, "nofailover", false));
    assert_false(cluster.members[1].is_leader);
    assert_ptr_equal(patroni_find_member(&cluster, "pg3"), &cluster.members[2]);
    assert_int_equal(cluster.members[2].lag_bytes, -1);
    assert_int_equal(cluster.members[2].timeline, 0);
    assert_null(patroni_find_member(&cluster, "pg4"));
    assert_true(cluster.is_maintenance);
    assert_string_equal(node_text(cluster.scheduled_switchover, "from"), "pg1");
}

static void a_cluster_without_leader_has_none(void **state)
{
    struct fixture *fixture = *state;
    struct patroni_cluster cluster;

    WHILE_SERVED(fixture, HEAD "{\"members\": []}",
                 assert_null(patroni_read_cluster(fixture->host, &fixture->arena, NULL,
                                                  clock_ms() + 5000, NULL, &cluster)));
    assert_int_equal(cluster.count, 0);
    assert_null(cluster.leader);
    assert_false(cluster.is_maintenance);
    assert_null(cluster.scheduled_switchover);
}

static void a_status_that_is_not_usable_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    enum patroni_reach reach = PATRONI_SILENT;
    struct patroni_cluster cluster;
    struct error *error;

    WHILE_SERVED(fixture, "HTTP/1.0 502 Bad Gateway\r\n\r\n",
                 error = patroni_read_cluster(fixture->host, &fixture->arena, NULL,
                                              clock_ms() + 5000, &reach, &cluster));
    assert_int_equal(reach, PATRONI_ANSWERED);
    assert_string_equal(error->message,
                        "Patroni on host \"pg1\" answered GET /cluster with HTTP status 502");

    (void)close(fixture->listener);
    fixture->listener = -1;
    error = patroni_read_cluster(fixture->host, &fixture->arena, NULL, clock_ms() + 5000, &reach,
                                 &cluster);
    assert_int_equal(reach, PATRONI_REFUSED);
    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(error->message,
                        "Patroni is not running on host \"pg1\": Connection refused");
}

static void a_members_own_words_are_normalised(void **state)
{
    struct fixture *fixture = *state;
    struct patroni_status status;

    WHILE_SERVED(fixture,
                 HEAD "{\"state\": \"running\", \"role\": \"master\", \"server_version\": 150018, "
                      "\"timeline\": 2, \"pause\": true, \"database_system_identifier\": "
                      "\"7312093846239412\", \"patroni\": {\"version\": \"3.0.2\"}}",
                 assert_null(patroni_read_status(fixture->host, &fixture->arena, NULL,
                                                 clock_ms() + 5000, NULL, &status)));

    assert_string_equal(status.role, "leader");
    assert_string_equal(status.state, "running");
    assert_string_equal(status.version, "3.0.2");
    assert_string_equal(status.system_identifier, "7312093846239412");
    assert_int_equal(status.server_version, 150018);
    assert_int_equal(status.timeline, 2);
    assert_true(status.is_maintenance);
    assert_false(status.has_pending_restart);
    assert_string_equal(patroni_role("primary"), "leader");
    assert_string_equal(patroni_role("replica"), "replica");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_cluster_is_read_whole),
        TEST(a_cluster_without_leader_has_none),
        TEST(a_status_that_is_not_usable_is_an_error),
        TEST(a_members_own_words_are_normalised),
    };

    environment_make();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
