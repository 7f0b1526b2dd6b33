#include "planned.h"

static const char cluster[] = "cluster: c\n"
                              "hosts: {pg1: {address: 10.0.0.1}, pg2: {address: 10.0.0.2}}\n"
                              "postgres: {data-directory: /pg}\n"
                              "variables: {migration: sql/m.sql, another_plans: x}\n";

static void a_step_gets_what_its_group_and_the_plan_say(void **state)
{
    CLEANUP(planned_end) struct planned planned;

    (void)state;
    planned_begin(&planned);
    assert_string_equal(
        planned_read(&planned, HEAD ROLES
                     "defaults: {timeout: 90s, as: postgres, if-interrupted: repeat, retry: "
                     "{times: 2}}\n"
                     "deploy:\n"
                     "  - id: group\n"
                     "    hosts: held\n"
                     "    timeout: 5m\n"
                     "    serial: 1\n"
                     "    when: {postgres: \">=12\"}\n"
                     "    confirm: Go on?\n"
                     "    steps:\n"
                     "      - {id: first, wait-until: {port: 5432}}\n"
                     "      - {id: second, hosts: [leader, held], as: root, timeout: 1s, "
                     "if-unreachable: ask, wait-until: {port: 5432}}\n"
                     "  - {id: alone, hosts: leader, wait-until: {port: 5432}}\n"),
        "");

    const struct plan *plan = planned.plan;
    const struct step *group = plan_next_step(plan, PHASE_DEPLOY, NULL);
    const struct step *first = plan_next_step(plan, PHASE_DEPLOY, group);
    const struct step *second = plan_next_step(plan, PHASE_DEPLOY, first);
    const struct step *alone = plan_next_step(plan, PHASE_DEPLOY, second);

    assert_string_equal(group->id, "group");
    assert_null(group->action_name);
    assert_string_equal(group->confirm, "Go on?");
    assert_int_equal(group->when_count, 1);
    assert_ptr_equal(first->group, group);
    assert_string_equal(first->hosts->text, "held");
    assert_string_equal(first->as, "postgres");
    assert_int_equal(first->timeout_ms, 300000);
    assert_true(first->timeout_is_written);
    assert_int_equal(first->serial, 1);
    assert_null(first->confirm);
    assert_int_equal(first->when_count, 0);
    assert_string_equal(first->action_name, "wait-until");
    assert_string_equal(node_text(first->params, "port"), "5432");
    assert_int_equal(second->hosts->count, 2);
    assert_string_equal(second->as, "root");
    assert_int_equal(second->timeout_ms, 1000);
    assert_true(second->ask_if_unreachable);
    assert_int_equal(alone->timeout_ms, 90000);
    assert_false(alone->timeout_is_written);
    assert_int_equal(alone->serial, 0);
    assert_int_equal(alone->retry_times, 2);
    assert_int_equal(alone->retry_delay_ms, 5000);
    assert_true(alone->repeat_if_interrupted);
    assert_false(alone->ask_if_unreachable);
    assert_null(plan_next_step(plan, PHASE_DEPLOY, alone));
    assert_ptr_equal(plan_find_step(plan, "second"), second);
    assert_null(plan_find_step(plan, "third"));
    assert_false(plan->has_phase[PHASE_COMMIT]);
}

static void a_guard_is_a_step_with_a_condition(void **state)
{
    CLEANUP(planned_end) struct planned planned;

    (void)state;
    planned_begin(&planned);
    assert_string_equal(
        planned_read(&planned, HEAD ROLES
                     "guards:\n"
                     "  - {id: lag, hosts: leader, from: a, until: b, sql: SELECT 1, unit: bytes, "
                     "below: 1MB, show-only: true}\n"
                     "  - {id: leads, hosts: leader, every: 5s, patroni: {leader: leader}}\n"
                     "deploy:\n"
                     "  - {id: a, hosts: held, wait-until: {port: 1}}\n"
                     "  - {id: b, hosts: held, wait-until: {port: 1}}\n"
                     "commit: []\n"),
        "");

    const struct guard *guard = planned.plan->guards;

    assert_string_equal(guard->step.id, "lag");
    assert_string_equal(guard->step.action_name, "wait-until");
    assert_string_equal(node_text(guard->step.params, "below"), "1MB");
    assert_string_equal(guard->from, "a");
    assert_string_equal(guard->until, "b");
    assert_string_equal(guard->unit, "bytes");
    assert_int_equal(guard->every_ms, 1000);
    assert_true(guard->show_only);
    assert_int_equal(guard->next->every_ms, 5000);
    assert_false(guard->next->show_only);
    assert_ptr_equal(plan_find_step(planned.plan, "lag"), &guard->step);
    assert_true(planned.plan->has_phase[PHASE_COMMIT]);
}

static void a_role_comes_after_those_that_it_leaves_out(void **state)
{
    CLEANUP(planned_end) struct planned planned;

    (void)state;
    planned_begin(&planned);
    assert_string_equal(planned_read(&planned,
                                     HEAD "roles: {others: {patroni: member, except: [held, "
                                          "leader]}, leader: {patroni: leader}, held: {patroni: "
                                          "replica, one: true, except: [leader]}}\n"
                                          "deploy: []\n"),
                        "");
    assert_string_equal(planned.plan->roles[0].name, "leader");
    assert_string_equal(planned.plan->roles[1].name, "held");
    assert_string_equal(planned.plan->roles[2].name, "others");
    assert_ptr_equal(plan_find_role(planned.plan, "held"), &planned.plan->roles[1]);
}

static void roles_that_leave_each_other_out_are_refused(void **state)
{
    (void)state;
    assert_tells(HEAD "roles: {a: {patroni: member, except: [b]}, b: {patroni: member, except: "
                      "[a]}}\ndeploy: []\n",
                 "3:74 role \"b\" leaves out \"a\", which leaves out \"b\"\n");
}

static void a_setting_is_stronger_than_the_cluster_file_and_that_than_the_default(void **state)
{
    CLEANUP(planned_end) struct planned planned;

    (void)state;
    planned_begin(&planned);
    planned_write(&planned, "cluster.yml",
                  "cluster: c\nhosts: {pg1: {address: a}}\nvariables: {two: 2MB, three: 3MB}\n",
                  strlen("cluster: c\nhosts: {pg1: {address: a}}\nvariables: {two: 2MB, three: "
                         "3MB}\n"));
    planned.settings[0] = "three=30MB";
    assert_string_equal(planned_read(&planned, HEAD
                                     "variables: {one: {type: size, default: 1MB}, two: {type: "
                                     "size, default: 1MB}, three: {type: size}}\ndeploy: []\n"),
                        "");
    assert_int_equal(scope_find(planned.scope, NULL, "one")->number, 1 << 20);
    assert_int_equal(scope_find(planned.scope, NULL, "two")->number, 2 << 20);
    assert_int_equal(scope_find(planned.scope, NULL, "three")->number, 30 << 20);
}

static void a_path_is_relative_to_where_it_was_written(void **state)
{
    CLEANUP(planned_end) struct planned planned;

    (void)state;
    planned_begin(&planned);
    planned_write(&planned, "cluster.yml", cluster, strlen(cluster));
    planned.settings[0] = "from_setting=c.sql";
    assert_string_equal(planned_read(&planned,
                                     HEAD "variables: {from_plan: {type: path, default: a.sql}, "
                                          "migration: {type: path}, from_setting: {type: path}, "
                                          "pw: {type: secret, default: {file: secret}}}\n"
                                          "deploy: []\n"),
                        "");
    assert_string_equal(scope_find(planned.scope, NULL, "from_plan")->text,
                        planned_path(&planned, "a.sql"));
    assert_string_equal(scope_find(planned.scope, NULL, "migration")->text,
                        planned_path(&planned, "sql/m.sql"));
    assert_string_equal(scope_find(planned.scope, NULL, "from_setting")->text, "/settings/c.sql");
    assert_string_equal(scope_find(planned.scope, NULL, "pw")->text,
                        arena_printf(&planned.arena, "file:%s", planned_path(&planned, "secret")));
}

static void a_variable_must_have_a_value_of_its_type(void **state)
{
    CLEANUP(planned_end) struct planned planned;

    (void)state;
    planned_begin(&planned);
    planned.settings[0] = "wal=64mb";
    planned.settings[1] = "walz=1";
    planned.settings[2] = "novalue";
    planned.settings[3] = "rebuild=wpie";
    assert_string_equal(
        planned_read(&planned, HEAD "variables:\n"
                                    "  wal: {type: size}\n"
                                    "  count: {type: integer, default: many}\n"
                                    "  pw: {type: secret, default: hunter2}\n"
                                    "  rebuild: {type: [rewind, wipe], default: rewind}\n"
                                    "  size: {type: size, default: {file: a}}\n"
                                    "deploy: []\n"),
        "-:0:0 \"64mb\" does not fit variable \"wal\" of type size | A size is digits and B, kB, "
        "MB, GB or TB, such as 64MB.\n"
        "-:0:0 \"wpie\" is not one of the choices of variable \"rebuild\" | It must be rewind or "
        "wipe.\n"
        "-:0:0 the plan has no variable \"walz\" | did you mean \"wal\"?\n"
        "-:0:0 \"novalue\" is not NAME=VALUE | Write --set NAME=VALUE.\n"
        "5:35 \"many\" does not fit variable \"count\" of type integer | An integer is decimal "
        "digits, such as 8 or -1.\n"
        "6:31 variable \"pw\" is a secret, and this is no reference to one | A secret is a "
        "reference: file:PATH, env:NAME or command:COMMAND.\n"
        "8:31 variable \"size\" is of type size, not secret | Only a secret is given by "
        "reference.\n");
    assert_null(planned.plan);
}

static void a_value_is_asked_for_only_with_a_cluster_file(void **state)
{
    static const char text[] =
        HEAD "variables: {migration: {type: path}, wal: {type: size}}\n" ROLES "deploy:\n"
             "  - {id: migrate, hosts: leader, timeout: 4h, sql: {file: "
             "\"${migration}\"}}\n";
    static const char hosts[] = "cluster: c\nhosts: {pg1: {address: a}}\n";
    CLEANUP(planned_end) struct planned planned;

    (void)state;
    assert_tells(text, "");
    planned_begin(&planned);
    planned_write(&planned, "cluster.yml", hosts, strlen(hosts));
    planned.settings[0] = "migration=/nowhere/m.sql";
    assert_string_equal(
        planned_read(&planned, text),
        "3:38 variable \"wal\" has no value | Give one with --set wal=VALUE, or under "
        "\"variables\" in the cluster file.\n"
        "6:59 could not open \"/nowhere/m.sql\": No such file or directory\n");
}

static void a_name_is_used_for_one_thing(void **state)
{
    (void)state;
    assert_tells(HEAD "variables: {xid: {}, run_id: {}, cluster: {}, PATH: {}, held_member: {}}\n"
                      "roles: {held: {patroni: replica, one: true}, postgres: {patroni: member}}\n"
                      "guards:\n"
                      "  - {id: a, hosts: held, port: 1}\n"
                      "deploy:\n"
                      "  - {id: a, hosts: held, sql: {query: SELECT 1 AS xid, save: [xid]}}\n"
                      "  - {id: b, hosts: held, sql: {query: SELECT 1 AS y, save: [y]}}\n"
                      "  - {id: c, hosts: held, sql: {query: SELECT 2 AS y, save: [y]}}\n",
                 "3:22 \"run_id\" would be mistaken for \"run.id\" in a shell text | In a shell "
                 "text dots and hyphens become underscores.\n"
                 "3:34 \"cluster\" is the name of a built-in value already\n"
                 "3:47 \"PATH\" is a variable of every shell | Names of our own are best in lower "
                 "case.\n"
                 "3:57 \"held_member\" would be mistaken for \"held.member\" in a shell text | In "
                 "a shell text dots and hyphens become underscores.\n"
                 "4:46 a role cannot have the name of the built-in values \"postgres\"\n"
                 "8:10 the id \"a\" is used twice | It is used first in line 6.\n"
                 "8:63 \"xid\" is the name of a variable already\n");
}

static void unknown_names_are_told_with_what_was_probably_meant(void **state)
{
    (void)state;
    assert_tells(
        HEAD
        "variables: {max_wal: {type: size, default: 1GB}, mode: {type: [fast, slow], default: "
        "fast}}\n" ROLES "guards:\n"
        "  - {id: g, hosts: leader, from: frist, sql: SELECT 1, below: \"${max_wall}\"}\n"
        "deploy:\n"
        "  - {id: first, hosts: leader, when: {variable: mood, is: fast}, wait-until: {sql: "
        "\"SELECT ${held.membr}\"}}\n"
        "  - {id: second, hosts: leader, when: [{variable: mode, is: [fast, slwo]}, "
        "{role-is-empty: replica}], wait-until: {shell: 'test \"$postgres_data_directry\"'}}\n"
        "  - {id: third, hosts: leader, patroni: {leader: hold}}\n"
        "  - {id: fourth, wait-until: {port: 1}}\n"
        "  - {id: fifth, hosts: leader, when: {value: max_wal, is: a}, wait-until: {port: 1}}\n",
        "6:34 there is no step \"frist\" | did you mean \"first\"?\n"
        "6:64 there is no value \"max_wall\" | did you mean \"max_wal\"?\n"
        "8:49 there is no variable \"mood\" | did you mean \"mode\"?\n"
        "8:92 there is no value \"held.membr\" | did you mean \"held.member\"?\n"
        "9:68 variable \"mode\" is never \"slwo\" | did you mean \"slow\"?\n"
        "9:92 there is no role \"replica\" | did you mean \"replicas\"?\n"
        "9:131 \"$postgres_data_directry\" is neither a value of this plan nor assigned in the "
        "text [HB002] | did you mean \"postgres_data_directory\"?\n"
        "10:50 there is no role \"hold\" | did you mean \"held\"?\n"
        "11:10 step \"fourth\" has no hosts | Say \"hosts\" in the step or in its group.\n"
        "12:46 \"max_wal\" is not a saved value | For a variable write {variable: NAME, is: "
        "...}.\n");
}

static void hosts_are_asked_of_the_cluster_file(void **state)
{
    static const char text[] = HEAD ROLES
        "deploy:\n"
        "  - {id: a, hosts: [pg1, pg4, leeder], wait-until: {port: 1}}\n"
        "  - {id: b, hosts: pg1, edit-conf: {file: \"${postgres.data-directory}/x\", content: "
        "\"${postgres.bin-directory} ${replicas.member} ${replicas.count} ${run.folder}\"}}\n";
    static const char hosts[] = "cluster: c\nhosts: {pg1: {address: a}, replicas: {address: b}}\n"
                                "postgres: {data-directory: /pg}\n";
    CLEANUP(planned_end) struct planned planned;

    (void)state;
    assert_tells(text, "5:31 \"leeder\" is no role of this plan, so it must be a host [HB007] | "
                       "did you mean \"leader\"?\n"
                       "6:111 \"replicas.member\" has no value: role \"replicas\" may be several "
                       "hosts | Only a role with \"one: true\", or the leader, is one host.\n");
    planned_begin(&planned);
    planned_write(&planned, "cluster.yml", hosts, strlen(hosts));
    assert_string_equal(
        planned_read(&planned, text),
        "3:73 role \"replicas\" has the name of a host in the cluster file\n"
        "5:26 \"pg4\" is neither a role nor a host of the cluster | did you mean \"pg1\"?\n"
        "5:31 \"leeder\" is neither a role nor a host of the cluster | did you mean \"leader\"?\n"
        "6:85 the cluster file does not say \"postgres.bin-directory\"\n"
        "6:111 \"replicas.member\" has no value: role \"replicas\" may be several hosts | Only a "
        "role with \"one: true\", or the leader, is one host.\n");
}

static void a_reference_is_told_at_its_own_place_in_a_long_text(void **state)
{
    (void)state;
    assert_tells(HEAD ROLES
                 "deploy:\n"
                 "  - id: a\n"
                 "    hosts: leader\n"
                 "    sql:\n"
                 "      query: |\n"
                 "        SELECT 'é',\n"
                 "\n"
                 "          ${one}, 'é${two}'\n"
                 "  - id: b\n"
                 "    hosts: leader\n"
                 "    sql:\n"
                 "      query: SELECT 1,\n"
                 "        ${three}\n"
                 "  - {id: c, hosts: leader, sql: {query: \"SELECT \\\"a\\\", ${four}\"}}\n"
                 "  - {id: d, hosts: leader, sql: {query: 'SELECT ''a'', ${five}, ${'}}\n",
                 "11:11 there is no value \"one\"\n"
                 "11:21 \"${two}\" cannot stand in a quoted string | A value becomes one whole "
                 "literal: join it outside the quotes with ||, or write $${ for the characters "
                 "themselves.\n"
                 "16:9 there is no value \"three\"\n"
                 "17:56 there is no value \"four\"\n"
                 "18:56 there is no value \"five\"\n"
                 "18:65 \"${\" does not begin a reference | Write ${name} for a value, $${ for the "
                 "characters themselves.\n");
}

static void a_secret_goes_to_standard_input_and_nowhere_else(void **state)
{
    static const char hint[] =
        " | Only the standard input of a remote-shell step takes one, whole: "
        "stdin: ${pw}.\n";
    CLEANUP(planned_end) struct planned planned;

    (void)state;
    planned_begin(&planned);
    assert_string_equal(
        planned_read(&planned, HEAD
                     "variables: {pw: {type: secret, default: {env: PW}}}\n" ROLES "deploy:\n"
                     "  - {id: a, hosts: leader, timeout: 1s, remote-shell: {creates: /x, "
                     "run: cat, stdin: \"${pw}\"}}\n"
                     "  - {id: b, hosts: leader, timeout: 1s, remote-shell: {creates: /x, "
                     "run: echo $pw, stdin: \"a ${pw}\"}}\n"
                     "  - {id: c, hosts: leader, sql: {query: \"SELECT ${pw}\"}}\n"
                     "  - {id: d, hosts: leader, confirm: \"${pw}\", wait-until: {port: 1}}\n"),
        arena_printf(&planned.arena,
                     "7:80 secret \"pw\" cannot stand here%s7:94 secret \"pw\" cannot stand "
                     "here%s8:49 secret \"pw\" cannot stand here%s9:38 secret \"pw\" cannot stand "
                     "here%s",
                     hint, hint, hint, hint));
}

static void types_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    assert_tells(
        HEAD
        "variables: {wal: {type: size, default: 1MB}, yes: {type: boolean, default: true}}\n" ROLES
        "deploy:\n"
        "  - {id: a, hosts: leader, wait-until: {sql: \"SELECT ${wal}\", below: \"${wal}\"}}\n"
        "  - {id: b, hosts: leader, wait-until: {sql: \"TABLE ${wal:identifier}\", above: "
        "\"${yes}\"}}\n"
        "  - {id: c, hosts: leader, confirm: \"${wal:identifier} ${host.name}\", timeout: 1s, "
        "sql: {file: \"${host.name}.sql\"}}\n",
        "7:53 \"wal\" of type size cannot be an identifier\n"
        "7:81 \"yes\" of type boolean cannot be above or below anything | What is compared is "
        "an integer, a size or a duration.\n"
        "8:38 \":identifier\" cannot stand here | Only in SQL a value can be an identifier.\n"
        "8:56 \"host.name\" is each host's own, and has no value in \"confirm\" | A person is "
        "asked "
        "once, before the step begins on any host.\n"
        "8:97 \"host.name\" cannot be part of a local file's name | A local file is read before "
        "the run begins: use a variable.\n");
}

static void steps_that_are_named_must_be_in_their_place(void **state)
{
    (void)state;
    assert_tells(
        HEAD ROLES
        "guards:\n"
        "  - {id: g1, hosts: leader, from: b, until: a, port: 1}\n"
        "  - {id: g2, hosts: leader, from: c, until: d, port: 1}\n"
        "  - {id: g3, hosts: leader, from: g1, port: 1}\n"
        "deploy:\n"
        "  - {id: a, hosts: leader, when: {did-not-happen: b}, patroni: {maintenance: false}}\n"
        "  - {id: b, hosts: leader, when: {may-have-happened: b}, edit-conf: {restore: a}}\n"
        "commit: [{id: c, hosts: leader, wait-until: {port: 1}}]\n"
        "rollback: [{id: d, hosts: leader, when: {may-have-happened: b}, patroni: {restore: a}}]\n",
        "5:45 step \"a\" does not come after \"b\"\n"
        "6:35 step \"c\" is in commit | A guard is in force from a step of deploy on.\n"
        "6:45 step \"d\" is in rollback | A guard ends at a step of deploy or commit, and with "
        "every rollback.\n"
        "7:35 \"g1\" is a guard, not a step\n"
        "9:51 step \"b\" comes later\n"
        "10:54 step \"b\" cannot refer to itself\n"
        "10:79 step \"a\" is not a step with \"edit-conf\" | Only what an earlier edit-conf step "
        "changed can be put back here.\n");
}

static void a_version_map_leaves_no_version_out(void **state)
{
    (void)state;
    assert_tells(
        HEAD ROLES
        "deploy:\n"
        "  - {id: a, hosts: leader, wait-until: {sql: {\">=14\": SELECT 1, \"<13\": SELECT "
        "2}}}\n"
        "  - {id: b, hosts: leader, when: {postgres: \">=14.1 <0\"}, wait-until: {port: "
        "1}}\n",
        "5:41 there is no text for version 13 | Versions from 9.4 on must have a text "
        "each, so that it is known today what would run.\n"
        "6:45 \">=14.1 <0\" is not a range of server versions\n");
}

static void a_step_that_could_run_twice_is_refused(void **state)
{
    (void)state;
    assert_tells(
        HEAD ROLES
        "defaults: {if-interrupted: repeat}\n"
        "deploy:\n"
        "  - {id: one, hosts: leader, sql: {run: INSERT INTO t VALUES (1)}}\n"
        "  - {id: two, hosts: [leader], sql: {run: INSERT INTO t VALUES (1)}}\n"
        "  - {id: three, hosts: held, sql: {run: SELECT f(), unless: SELECT true}}\n"
        "  - {id: four, hosts: held, if-interrupted: ask, sql: {run: SELECT f()}}\n"
        "  - {id: five, hosts: held, sql: {run: SELECT f()}}\n"
        "  - {id: six, hosts: leader, sql: {transaction: none, run: SELECT f()}}\n"
        "  - {id: seven, hosts: leader, timeout: 1s, remote-shell: {run: x}}\n"
        "  - {id: eight, hosts: leader, timeout: 1s, remote-shell: {run: x, removes: /x}}\n",
        "10:29 step \"five\" could run twice | Outside of the leader there is no transaction to "
        "rely on. Write \"unless\", or in this step \"if-interrupted: repeat\" or \"ask\".\n"
        "11:30 step \"six\" could run twice | Without a transaction, write \"unless\", or in this "
        "step \"if-interrupted: repeat\" or \"ask\".\n"
        "12:45 step \"seven\" could run twice | Write \"unless\", \"creates\" or \"removes\", or "
        "in "
        "this step \"if-interrupted: repeat\" or \"ask\".\n");
}

static void transaction_control_is_told_where_it_stands(void **state)
{
    static const char file[] = "CREATE TABLE t (a int);\n\n  commit;\n";
    CLEANUP(planned_end) struct planned planned;

    (void)state;
    planned_begin(&planned);
    planned_write(&planned, "m.sql", file, strlen(file));
    planned_write(&planned, "open.sql", "SELECT 1;\nSELECT 'a\n", 20);
    assert_string_equal(
        planned_read(
            &planned, HEAD ROLES
            "deploy:\n"
            "  - {id: a, hosts: leader, timeout: 1s, sql: {file: m.sql}}\n"
            "  - {id: b, hosts: leader, timeout: 1s, sql: {file: m.sql}}\n"
            "  - {id: c, hosts: leader, timeout: 1s, sql: {run: [SELECT 1, {file: "
            "open.sql}]}}\n"
            "  - {id: d, hosts: leader, sql: {run: CREATE INDEX CONCURRENTLY ON t (a)}}\n"
            "  - {id: e, hosts: leader, if-interrupted: ask, sql: {transaction: none, run: "
            "[VACUUM, \"\\\\q\"]}}\n"
            "  - {id: f, hosts: leader, sql: {run: SELECT 1, unless: SELECT 1; DROP TABLE "
            "t}}\n"
            "  - {id: g, hosts: leader, wait-until: {sql: COMMIT}}\n"),
        "m.sql:3:3 COMMIT cannot stand in a step's one transaction | The step itself is one "
        "transaction: leave BEGIN and COMMIT to it, or write \"transaction: none\".\n"
        "open.sql:2:8 quoted string has no end | It begins here.\n"
        "8:39 CREATE INDEX CONCURRENTLY cannot stand in a step's one transaction | PostgreSQL "
        "refuses it inside a transaction. Write \"transaction: none\".\n"
        "9:89 a psql command cannot be sent to a server | The text is sent to the server as it is, "
        "and psql's own commands are not SQL.\n"
        "10:67 a second statement cannot stand here | What only reads is one statement, in a "
        "transaction that is READ ONLY.\n"
        "11:46 COMMIT cannot stand in a text that only reads | The text runs READ ONLY, and must "
        "only read.\n");
}

static void the_sql_of_a_step_is_its_text_its_versions_or_its_file(void **state)
{
    static const char file[] = "SELECT '${xid}';\n";
    CLEANUP(planned_end) struct planned planned;
    const char *text;

    (void)state;
    planned_begin(&planned);
    planned_write(&planned, "m.sql", file, strlen(file));
    planned.settings[0] = "name=O'Hara";
    assert_string_equal(
        planned_read(&planned,
                     HEAD "variables: {name: {}, dir: {type: path, default: .}}\n" ROLES "deploy:\n"
                          "  - {id: a, hosts: leader, sql: {query: \"SELECT ${name}\"}}\n"
                          "  - {id: b, hosts: leader, sql: {query: {\">=14\": SELECT 14, \"<14\": "
                          "\"SELECT ${name}\"}}}\n"
                          "  - {id: c, hosts: leader, sql: {query: {file: \"${dir}/m.sql\"}}}\n"),
        "");

    const struct plan *plan = planned.plan;
    struct arena *arena = &planned.arena;
    const struct node *a = node_find(plan_find_step(plan, "a")->params, "query");
    const struct node *b = node_find(plan_find_step(plan, "b")->params, "query");
    const struct node *c = node_find(plan_find_step(plan, "c")->params, "query");

    assert_null(plan_sql_text(arena, plan, planned.scope, NULL, a, 0, &text));
    assert_string_equal(text, "SELECT 'O''Hara'");
    assert_null(plan_sql_text(arena, plan, planned.scope, NULL, b, 130001, &text));
    assert_string_equal(text, "SELECT 'O''Hara'");
    assert_null(plan_sql_text(arena, plan, planned.scope, NULL, b, 140000, &text));
    assert_string_equal(text, "SELECT 14");
    assert_string_equal(plan_sql_text(arena, plan, planned.scope, NULL, b, 0, &text)->message,
                        "the server's version is not known");
    assert_null(plan_sql_text(arena, plan, planned.scope, NULL, c, 0, &text));
    assert_string_equal(text, file);
}

static void a_file_with_a_nul_byte_is_refused(void **state)
{
    CLEANUP(planned_end) struct planned planned;

    (void)state;
    planned_begin(&planned);
    planned_write(&planned, "m.sql", "SELECT 1\0; DROP TABLE t", 23);
    assert_string_equal(
        planned_read(&planned, HEAD ROLES
                     "deploy: [{id: a, hosts: leader, timeout: 1s, sql: {file: m.sql}}]\n"),
        arena_printf(&planned.arena, "4:58 file \"%s\" holds a NUL byte\n",
                     planned_path(&planned, "m.sql")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_gets_what_its_group_and_the_plan_say),
        cmocka_unit_test(a_guard_is_a_step_with_a_condition),
        cmocka_unit_test(a_role_comes_after_those_that_it_leaves_out),
        cmocka_unit_test(roles_that_leave_each_other_out_are_refused),
        cmocka_unit_test(a_setting_is_stronger_than_the_cluster_file_and_that_than_the_default),
        cmocka_unit_test(a_path_is_relative_to_where_it_was_written),
        cmocka_unit_test(a_variable_must_have_a_value_of_its_type),
        cmocka_unit_test(a_value_is_asked_for_only_with_a_cluster_file),
        cmocka_unit_test(a_name_is_used_for_one_thing),
        cmocka_unit_test(unknown_names_are_told_with_what_was_probably_meant),
        cmocka_unit_test(hosts_are_asked_of_the_cluster_file),
        cmocka_unit_test(a_reference_is_told_at_its_own_place_in_a_long_text),
        cmocka_unit_test(a_secret_goes_to_standard_input_and_nowhere_else),
        cmocka_unit_test(types_that_do_not_fit_are_refused),
        cmocka_unit_test(steps_that_are_named_must_be_in_their_place),
        cmocka_unit_test(a_version_map_leaves_no_version_out),
        cmocka_unit_test(a_step_that_could_run_twice_is_refused),
        cmocka_unit_test(transaction_control_is_told_where_it_stands),
        cmocka_unit_test(the_sql_of_a_step_is_its_text_its_versions_or_its_file),
        cmocka_unit_test(a_file_with_a_nul_byte_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
