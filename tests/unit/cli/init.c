/* The cluster file that init writes, whole. */
#include "cli/init.h"
#include "plan/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct survey_member members[] = {
    {"pg1", "10.0.0.11", "leader", 8008, 5432},
    {"pg2", "10.0.0.12", "replica", 8009, 6432},
    {"db 3:x", "fd00::3", "replica", 8008, 5432},
};

static struct survey_host known(void)
{
    return (struct survey_host){
        .service = "patroni",
        .os_user = "postgres",
        .config = "/etc/patroni/config.yml",
        .scope = "shop",
        .member = "pg1",
        .scheme = "http",
        .data_directory = "/var/lib/postgresql/15/main",
        .bin_directory = "/usr/lib/postgresql/15/bin",
        .socket_directory = "/run/postgresql",
        .superuser = "postgres",
        .system_identifier = "7312093846239412",
        .postgres_port = 5432,
        .has_restore_command = true,
        .members = members,
        .member_count = 2,
    };
}

static struct init asked(struct arena *arena, struct survey_host found)
{
    struct init init = {.asked = "db1", .ssh = {"ops", NULL, NULL, NULL, NULL, NULL, "sudo"}};

    init.found = found;
    assert_null(init_take_members(arena, &init));
    for (size_t at = 0; at < init.host_count; at++) {
        init.hosts[at].probe.found = found;
        init.hosts[at].probe.postgres_user = found.superuser;
    }
    return init;
}

/* Of the cluster file the text before "ssh:", the one behind "reach:", and what is told. */
static void expect(struct arena *arena, const struct init *init, const char *hosts,
                   const char *settings, const char *wanted_notes)
{
    static const char begin[] =
        "# yaml-language-server: $schema=../schemas/cluster.schema.json\n"
        "# Written by \"holdback init\" from what host \"db1\" told; from now on it is yours.\n"
        "cluster: shop\n";
    static const char ssh[] = "ssh:\n"
                              "  user: ops\n"
                              "  become: sudo\n"
                              "postgres:\n"
                              "  reach: socket\n";
    static const char end[] =
        "# roles: {held: [HOST, HOST]}        which standby plans hold, best first\n"
        "# variables: {max_held_wal: 5GB}     values of plans for this cluster\n";
    CLEANUP(text_release) struct text text = {0};
    CLEANUP(text_release) struct text notes = {0};
    struct inputs *inputs = inputs_live(arena);
    struct findings findings = {.arena = arena};

    init_append_cluster(&text, &notes, arena, init);
    assert_string_equal(text_string(&text),
                        arena_printf(arena, "%s%s%s%s%s", begin, hosts, ssh, settings, end));
    assert_string_equal(text_string(&notes), wanted_notes);
    inputs_put(inputs, "cluster", "shop.yml", text_string(&text), text.length);
    assert_non_null(cluster_read(arena, inputs, "shop.yml", &findings));
    assert_int_equal(findings.count, 0);
}

static void a_cluster_that_told_everything_has_nothing_left_to_be_looked_at(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct init init = asked(&arena, known());

    (void)state;
    init.hosts[1].probe.found.postgres_port = 5433;
    init.hosts[1].probe.found.data_directory = "/data";
    expect(&arena, &init,
           "system-identifier: \"7312093846239412\"\n"
           "hosts:\n"
           "  pg1: {address: 10.0.0.11}\n"
           "  pg2: {address: 10.0.0.12, postgres: {port: 5433, data-directory: /data}, "
           "patroni: {port: 8009}}\n",
           "  os-user: postgres\n"
           "  socket-directory: /run/postgresql\n"
           "  port: 5432\n"
           "  user: postgres\n"
           "  data-directory: /var/lib/postgresql/15/main\n"
           "  bin-directory: /usr/lib/postgresql/15/bin\n"
           "  # restore-command: plans take the servers' own; write it here only to change "
           "that\n"
           "patroni:\n"
           "  scheme: http\n"
           "  port: 8008\n"
           "  config: /etc/patroni/config.yml\n"
           "  service: patroni\n",
           "");
}

static void what_is_not_known_is_a_comment_and_told(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct init init = asked(
        &arena, (struct survey_host){
                    .scope = "shop", .scheme = "http", .members = members, .member_count = 1});

    (void)state;
    expect(&arena, &init,
           "hosts:\n"
           "  pg1: {address: 10.0.0.11}\n",
           "  # os-user: postgres (the default)\n"
           "  # socket-directory: /var/run/postgresql (the default)\n"
           "  # port: 5432 (the default)\n"
           "  # user: postgres (the default)\n"
           "  # data-directory: plans need it\n"
           "  # bin-directory: plans need it\n"
           "  # restore-command: cp /archive/%f %p    none was found\n"
           "patroni:\n"
           "  scheme: http\n"
           "  port: 8008\n"
           "  # config: plans need it\n"
           "  # service: patroni (the default)\n",
           "postgres.os-user was not found out: postgres (the default)\n"
           "postgres.socket-directory was not found out: /var/run/postgresql (the default)\n"
           "postgres.port was not found out: 5432 (the default)\n"
           "postgres.user was not found out: postgres (the default)\n"
           "postgres.data-directory was not found out: plans need it\n"
           "postgres.bin-directory was not found out: plans need it\n"
           "no restore_command was found: without one a rollback depends on the WAL that the held "
           "standby keeps (postgres.restore-command)\n"
           "patroni.config was not found out: plans need it\n"
           "patroni.service was not found out: patroni (the default)\n");
}

static void passwords_certificates_and_lost_hosts_are_comments_that_say_what_to_type(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct survey_host found = known();
    struct init init;

    (void)state;
    found.scheme = "https";
    found.ca = "/etc/patroni/ca.crt";
    found.needs_certificate = true;
    found.rest_user = "patroni";
    init = asked(&arena, found);
    init.hosts[0].probe.postgres_lost =
        error_new(&arena, ERROR_UNREACHABLE, "no password\nwas given");
    init.hosts[0].probe.patroni_lost = error_new(&arena, ERROR_UNREACHABLE, "who are you?");
    init.hosts[1].probe =
        (struct survey_probe){.lost = error_new(&arena, ERROR_UNREACHABLE, "no route")};
    expect(&arena, &init,
           "system-identifier: \"7312093846239412\"\n"
           "hosts:\n"
           "  pg1: {address: 10.0.0.11}\n"
           "  # Not asked, taken to be like the others: no route\n"
           "  pg2: {address: 10.0.0.12, postgres: {port: 6432}, patroni: {port: 8009}}\n",
           "  os-user: postgres\n"
           "  socket-directory: /run/postgresql\n"
           "  port: 5432\n"
           "  user: postgres\n"
           "  # It could not be asked everywhere: no password was given\n"
           "  # password: {file: ~/.holdback/shop-postgres}    or {env: NAME} or {command: "
           "TEXT}; never the password itself\n"
           "  data-directory: /var/lib/postgresql/15/main\n"
           "  bin-directory: /usr/lib/postgresql/15/bin\n"
           "  # restore-command: plans take the servers' own; write it here only to change that\n"
           "patroni:\n"
           "  scheme: https\n"
           "  port: 8008\n"
           "  # It could not be asked everywhere: who are you?\n"
           "  # ca: shop-ca.crt    the certificates that vouch for Patroni's; on the host: "
           "/etc/patroni/ca.crt\n"
           "  # certificate: FILE    Patroni asks its clients for one\n"
           "  # key: FILE\n"
           "  # Before it changes anything Patroni asks \"patroni\" for a password: take both "
           "\"#\" away.\n"
           "  # user: patroni\n"
           "  # password: {file: ~/.holdback/shop-patroni}    or {env: NAME} or {command: TEXT}; "
           "never the password itself\n"
           "  config: /etc/patroni/config.yml\n"
           "  service: patroni\n",
           "pg2 was not asked and is taken to be like the others: no route\n"
           "this must work without a question:\n  ssh -l ops 10.0.0.12 sudo -n /bin/sh -c true\n"
           "no password was given\n"
           "who are you?\n"
           "patroni.ca must name the certificates that vouch for Patroni's; copy them, after the "
           "cd below:\n"
           "  echo sed -n /BEGIN.CERT/,/END.CERT/p /etc/patroni/ca.crt | ssh -l ops 10.0.0.11 sudo "
           "-n /bin/sh >>clusters/shop-ca.crt\n"
           "Patroni asks \"patroni\" for a password before it changes anything: give it as "
           "patroni.user and patroni.password before you deploy\n");
}

static void a_text_stays_a_text_whatever_it_looks_like(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct survey_host found = known();
    struct init init;

    (void)state;
    found.superuser = "o'brien: # {x}";
    found.os_user = "yes";
    found.data_directory = "/a b/${c}";
    found.service = "1234";
    found.members = &members[0];
    found.member_count = 1;
    init = asked(&arena, found);
    expect(&arena, &init,
           "system-identifier: \"7312093846239412\"\n"
           "hosts:\n"
           "  pg1: {address: 10.0.0.11}\n",
           "  os-user: 'yes'\n"
           "  socket-directory: /run/postgresql\n"
           "  port: 5432\n"
           "  user: 'o''brien: # {x}'\n"
           "  data-directory: '/a b/${c}'\n"
           "  bin-directory: /usr/lib/postgresql/15/bin\n"
           "  # restore-command: plans take the servers' own; write it here only to change "
           "that\n"
           "patroni:\n"
           "  scheme: http\n"
           "  port: 8008\n"
           "  config: /etc/patroni/config.yml\n"
           "  service: '1234'\n",
           "");
}

static void a_members_name_becomes_one_that_a_host_may_have(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct survey_host found = known();
    struct init init;

    (void)state;
    found.member_count = 3;
    init = asked(&arena, found);
    assert_string_equal(init.hosts[2].name, "db-3-x");
    assert_string_equal(init.hosts[2].address, "fd00::3");
}

static void the_command_to_try_has_every_ssh_setting(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    const struct init plain = {0};
    const struct init init = {
        .ssh = {"ops", "2222", "~/.ssh/my key", "/k", "bastion", "/c", "doas"}};

    (void)state;
    assert_string_equal(init_ssh_command(&arena, &plain, "db1", " -c true"),
                        "ssh db1 /bin/sh -c true");
    assert_string_equal(init_ssh_command(&arena, &init, "db1", " -c true"),
                        "ssh -l ops -p 2222 -i ~/'.ssh/my key' -o UserKnownHostsFile=/k -J bastion "
                        "-F /c db1 doas -n /bin/sh -c true");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_that_told_everything_has_nothing_left_to_be_looked_at),
        cmocka_unit_test(what_is_not_known_is_a_comment_and_told),
        cmocka_unit_test(passwords_certificates_and_lost_hosts_are_comments_that_say_what_to_type),
        cmocka_unit_test(a_text_stays_a_text_whatever_it_looks_like),
        cmocka_unit_test(a_members_name_becomes_one_that_a_host_may_have),
        cmocka_unit_test(the_command_to_try_has_every_ssh_setting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
