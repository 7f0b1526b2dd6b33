#include "plan/cluster.h"

#include "base/file.h"
#include "told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder with fleet.yml and a/cluster.yml; paths in expectations are relative to it. */
struct place_to_work {
    struct arena arena;
    char folder[32];
    struct findings findings;
};

static int set_up(void **state)
{
    struct place_to_work *work = calloc(1, sizeof *work);

    strcpy(work->folder, "/tmp/holdback.XXXXXX");
    work->findings.arena = &work->arena;
    *state = work;
    if (mkdtemp(work->folder) == NULL)
        return -1;
    return mkdir(arena_printf(&work->arena, "%s/a", work->folder), 0700);
}

static int tear_down(void **state)
{
    struct place_to_work *work = *state;

    (void)unlink(arena_printf(&work->arena, "%s/a/cluster.yml", work->folder));
    (void)unlink(arena_printf(&work->arena, "%s/fleet.yml", work->folder));
    (void)rmdir(arena_printf(&work->arena, "%s/a", work->folder));
    (void)rmdir(work->folder);
    arena_release(&work->arena);
    free(work);
    return 0;
}

static const char *write_file(struct place_to_work *work, const char *name, const char *text)
{
    const char *to = arena_printf(&work->arena, "%s/%s", work->folder, name);

    assert_null(file_write(&work->arena, to, text, strlen(text), 0600));
    return to;
}

static const struct cluster *read_cluster(struct place_to_work *work, const char *text)
{
    return cluster_read(&work->arena, inputs_live(&work->arena),
                        write_file(work, "a/cluster.yml", text), &work->findings);
}

static void assert_refused(struct place_to_work *work, const char *text, const char *expected)
{
    work->findings = (struct findings){.arena = &work->arena};
    assert_null(read_cluster(work, text));
    assert_string_equal(told(&work->findings), expected);
}

/* PATH without the folder of the test. */
static const char *relative(const struct place_to_work *work, const char *path)
{
    assert_non_null(path);
    assert_true(starts_with(path, work->folder));
    return path + strlen(work->folder) + 1;
}

static void what_is_not_said_is_the_schemas_default(void **state)
{
    struct place_to_work *work = *state;
    const struct cluster *cluster = read_cluster(work, "cluster: c\nhosts: {pg1: {address: h}}\n");
    const struct host_settings *host;

    assert_string_equal(told(&work->findings), "");
    assert_non_null(cluster);
    assert_int_equal(cluster->host_count, 1);
    host = cluster_find_host(cluster, "pg1");
    assert_string_equal(host->name, "pg1");
    assert_string_equal(host->address, "h");
    assert_string_equal(host->member, "pg1");
    assert_null(host->ssh.user);
    assert_int_equal(host->ssh.port, 22);
    assert_null(host->ssh.identity);
    assert_string_equal(host->ssh.become, "sudo");
    assert_string_equal(host->postgres.reach, "socket");
    assert_string_equal(host->postgres.os_user, "postgres");
    assert_string_equal(host->postgres.socket_directory, "/var/run/postgresql");
    assert_int_equal(host->postgres.port, 5432);
    assert_string_equal(host->postgres.user, "postgres");
    assert_string_equal(host->postgres.database, "postgres");
    assert_int_equal(host->postgres.password.source, SECRET_NONE);
    assert_null(host->postgres.sslmode);
    assert_null(host->postgres.data_directory);
    assert_string_equal(host->patroni.reach, "ssh");
    assert_string_equal(host->patroni.scheme, "http");
    assert_int_equal(host->patroni.port, 8008);
    assert_string_equal(host->patroni.service, "patroni");
    assert_null(cluster->roles);
    assert_null(cluster->journal);
    assert_null(cluster_find_host(cluster, "pg2"));
}

static void a_host_overrides_the_cluster_which_overrides_the_defaults(void **state)
{
    struct place_to_work *work = *state;
    const struct cluster *cluster;
    const struct host_settings *hosts;

    write_file(work, "fleet.yml",
               "ssh: {user: fleet, port: 2022, identity: keys/fleet, jump: bastion}\n"
               "postgres: {port: 1, user: fleet, password: {file: secret}}\n"
               "variables: {one: fleet, two: fleet}\n"
               "roles: {held: [pg1]}\n"
               "journal: runs\n");
    cluster = read_cluster(work, "cluster: c\n"
                                 "defaults: ../fleet.yml\n"
                                 "hosts:\n"
                                 "  pg1: {address: h1}\n"
                                 "  pg2: {address: h2, member: m2, postgres: {port: 3}}\n"
                                 "ssh: {user: ops, known-hosts: known}\n"
                                 "postgres: {port: 2}\n"
                                 "roles: {held: [pg2, pg1]}\n"
                                 "variables: {two: own, three: own}\n");

    assert_string_equal(told(&work->findings), "");
    hosts = cluster->hosts;
    assert_string_equal(hosts[0].ssh.user, "ops");
    assert_string_equal(hosts[0].ssh.jump, "bastion");
    assert_int_equal(hosts[0].ssh.port, 2022);
    assert_int_equal(hosts[0].postgres.port, 2);
    assert_string_equal(hosts[0].postgres.user, "fleet");
    assert_int_equal(hosts[1].postgres.port, 3);
    assert_string_equal(hosts[1].member, "m2");
    assert_int_equal(node_find(cluster->roles, "held")->count, 2);
    assert_int_equal(cluster->variables->count, 3);
    assert_string_equal(node_text(cluster->variables, "one"), "fleet");
    assert_string_equal(node_text(cluster->variables, "two"), "own");
}

static void a_path_is_relative_to_the_file_that_it_stands_in(void **state)
{
    struct place_to_work *work = *state;
    const struct cluster *cluster;
    const struct host_settings *host;

    write_file(work, "fleet.yml",
               "ssh: {identity: key, config: /etc/ssh/own}\n"
               "postgres: {password: {file: secret}, ca: ca.pem}\n"
               "variables: {migration: m.sql}\n"
               "journal: runs\n");
    cluster = read_cluster(work, "cluster: c\n"
                                 "defaults: ../fleet.yml\n"
                                 "hosts: {pg1: {address: h, ssh: {known-hosts: known}}}\n"
                                 "postgres: {ca: ca.pem}\n"
                                 "patroni: {password: {env: X}}\n"
                                 "variables: {other: o.sql}\n");

    assert_string_equal(told(&work->findings), "");
    host = cluster->hosts;
    assert_string_equal(relative(work, host->ssh.identity), "a/../key");
    assert_string_equal(host->ssh.config, "/etc/ssh/own");
    assert_string_equal(relative(work, host->ssh.known_hosts), "a/known");
    assert_string_equal(relative(work, host->postgres.tls.ca), "a/ca.pem");
    assert_int_equal(host->postgres.password.source, SECRET_FILE);
    assert_string_equal(relative(work, host->postgres.password.argument), "a/../secret");
    assert_int_equal(host->patroni.password.source, SECRET_ENV);
    assert_string_equal(host->patroni.password.argument, "X");
    assert_string_equal(relative(work, cluster->journal), "a/../runs");
    assert_string_equal(
        relative(work, cluster_file_of(cluster, node_find(cluster->variables, "migration"))),
        "a/../fleet.yml");
    assert_string_equal(
        relative(work, cluster_file_of(cluster, node_find(cluster->variables, "other"))),
        "a/cluster.yml");
}

static void a_home_folder_stays_one(void **state)
{
    struct place_to_work *work = *state;
    const struct cluster *cluster;

    assert_int_equal(setenv("HOME", "/home/x", 1), 0);
    cluster = read_cluster(work, "cluster: c\nhosts: {pg1: {address: h}}\n"
                                 "ssh: {identity: ~/.ssh/id}\n");

    assert_string_equal(cluster->hosts[0].ssh.identity, "/home/x/.ssh/id");
}

static void sslmode_is_for_direct_connections_and_then_strict(void **state)
{
    struct place_to_work *work = *state;
    const struct cluster *cluster =
        read_cluster(work, "cluster: c\n"
                           "hosts: {pg1: {address: h}, pg2: {address: i, "
                           "postgres: {reach: direct}}}\n"
                           "postgres: {reach: tcp}\n");

    assert_null(cluster->hosts[0].postgres.sslmode);
    assert_string_equal(cluster->hosts[1].postgres.sslmode, "verify-full");
}

static void a_secret_itself_is_refused(void **state)
{
    assert_refused(*state,
                   "cluster: c\nhosts: {pg1: {address: h}}\n"
                   "postgres: {password: hunter2}\nvariables: {x: {fil: y}}\n",
                   "3:22 \"password\" must be a reference to a secret: {file: PATH}, {env: NAME} "
                   "or {command: TEXT} | A secret itself must not stand in a file.\n"
                   "4:17 unknown key \"fil\" in a reference to a secret: {file: PATH}, {env: "
                   "NAME} or {command: TEXT} | did you mean \"file\"?\n");
}

static void what_contradicts_itself_is_refused(void **state)
{
    assert_refused(*state,
                   "cluster: c\nhosts: {pg1: {address: h}, pg2: {address: i, member: pg1}}\n"
                   "roles: {held: [pg2, gp1]}\n",
                   "2:28 hosts \"pg1\" and \"pg2\" are the same Patroni member \"pg1\"\n"
                   "3:21 cluster has no host \"gp1\" | did you mean \"pg1\"?\n");
    assert_refused(*state,
                   "cluster: c\nhosts: {pg1: {address: h}, pg2: {address: i}}\n"
                   "patroni: {reach: direct}\n",
                   "3:18 Patroni cannot be reached directly over plain http | Write scheme: "
                   "https, or reach Patroni through SSH.\n");
}

static void errors_of_both_files_are_told(void **state)
{
    struct place_to_work *work = *state;

    write_file(work, "fleet.yml", "hosts: {}\nssh: {port: x}\n");
    assert_refused(work, "cluster: c\ndefaults: ../fleet.yml\n",
                   "1:1 unknown key \"hosts\" in defaults file\n"
                   "2:13 \"port\" must be an integer from 1 to 65535\n"
                   "1:1 cluster file has no \"hosts\"\n");
    assert_refused(work, "cluster: c\nhosts: {pg1: {address: h}}\ndefaults: none.yml\n",
                   arena_printf(&work->arena,
                                "3:11 could not open \"%s/a/none.yml\": No such file or "
                                "directory\n",
                                work->folder));
}

static void plans_read_the_keys_as_they_are_spelt_but_no_secret(void **state)
{
    struct place_to_work *work = *state;
    struct scope *scope = scope_new(&work->arena);
    const struct cluster *cluster =
        read_cluster(work, "cluster: c\n"
                           "system-identifier: \"7312093846239412\"\n"
                           "hosts: {pg1: {address: h1}, pg2: {address: h2, member: m2}}\n"
                           "postgres: {data-directory: /data, password: {env: SECRET}}\n");

    cluster_fill_scope(cluster, scope);

    assert_string_equal(scope_find(scope, NULL, "cluster")->text, "c");
    assert_string_equal(scope_find(scope, "pg2", "host.name")->text, "pg2");
    assert_string_equal(scope_find(scope, "pg2", "host.address")->text, "h2");
    assert_string_equal(scope_find(scope, "pg2", "host.member")->text, "m2");
    assert_string_equal(scope_find(scope, "pg1", "postgres.data-directory")->text, "/data");
    assert_string_equal(scope_find(scope, "pg1", "patroni.service")->text, "patroni");
    assert_int_equal(scope_find(scope, "pg1", "postgres.port")->type, VALUE_INTEGER);
    assert_int_equal(scope_find(scope, "pg1", "postgres.port")->number, 5432);
    assert_null(scope_find(scope, "pg1", "postgres.password"));
    assert_null(scope_find(scope, "pg1", "postgres.bin-directory"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_said_is_the_schemas_default),
        TEST(a_host_overrides_the_cluster_which_overrides_the_defaults),
        TEST(a_path_is_relative_to_the_file_that_it_stands_in),
        TEST(a_home_folder_stays_one),
        TEST(sslmode_is_for_direct_connections_and_then_strict),
        TEST(a_secret_itself_is_refused),
        TEST(what_contradicts_itself_is_refused),
        TEST(errors_of_both_files_are_told),
        TEST(plans_read_the_keys_as_they_are_spelt_but_no_secret),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
