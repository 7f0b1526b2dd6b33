/* Previews of whole plans, as they are written in files. */
#include "cli/offline.h"
#include "cli/preview.h"
#include "plan/schema.h"
#include "run/journal.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena;
static char folder[] = "/tmp/holdback-preview-XXXXXX";
static const char *const formats[] = {"text", "markdown", "json", "runbook"};

static const char two_hosts[] = "cluster: c\n"
                                "hosts: {pg1: {address: 10.0.0.1}, pg2: {address: 10.0.0.2}}\n"
                                "ssh: {user: ops}\n"
                                "postgres: {data-directory: /d, bin-directory: /b}\n";

static const char *file_of(const char *name, const char *content)
{
    const char *path = arena_printf(&arena, "%s/%s", folder, name);

    assert_null(file_write(&arena, path, content, strlen(content), 0600));
    return path;
}

/* SETTING: "name=value", or NULL. */
static void read_files(const char *plan, const char *cluster, const char *const *settings,
                       size_t setting_count, struct preview *out)
{
    static const struct terminal plain = {.fd = -1};
    struct findings findings = {.arena = &arena};
    struct options options = {
        .cluster = cluster,
        .arguments = {.values = &plan, .count = 1},
        .settings = {.values = (const char **)settings, .count = setting_count}};
    struct cli cli = {.arena = &arena, .options = &options};

    if (!preview_read(&cli, &findings, out))
        fail_msg("%s", error_text(&arena, findings.items[0].error));
    // What is told of the files is not what is tested.
    out->findings = arena_alloc(&arena, sizeof findings);
    out->terminal = &plain;
}

static void read_texts(const char *plan, struct preview *out)
{
    read_files(file_of("plan.yml", arena_printf(&arena, "holdback: 1\nplan: p\n%s", plan)),
               file_of("cluster.yml", two_hosts), NULL, 0, out);
}

static void read_shipped(struct preview *out)
{
    const char *migration = file_of("m.sql", "ALTER TABLE orders ADD note text;\n");
    const char *settings[] = {arena_printf(&arena, "migration=%s", migration), "hold=detached"};

    read_files(SOURCE_DIR "/plans/blue-green.yml", SOURCE_DIR "/plans/clusters/example.yml",
               settings, ARRAY_COUNT(settings), out);
}

static const char *written(struct preview *preview, const char *format)
{
    CLEANUP(text_release) struct text out = {0};
    static const struct terminal plain = {.fd = -1};

    preview_write(preview, &plain, format, &out);
    return text_copy(&out, &arena);
}

static const char *preview_of(const char *plan, const char *format)
{
    struct preview preview;

    read_texts(plan, &preview);
    return written(&preview, format);
}

/* The lines of TEXT from that which holds FROM on, and before that which holds TO. */
static const char *between(const char *text, const char *from, const char *to)
{
    const char *start = strstr(text, from), *end;

    assert_non_null(start);
    while (start > text && start[-1] != '\n')
        start--;
    end = strstr(start + 1, to);
    assert_non_null(end);
    while (end > text && end[-1] != '\n')
        end--;
    return arena_copy(&arena, start, (size_t)(end - start));
}

/* Behind the fence, in a child: a format that needed more than writing would be killed. */
static void no_format_does_what_the_fence_forbids(void **state)
{
    struct preview preview;
    pid_t child;
    int status;

    (void)state;
    read_shipped(&preview);
    preview_read_runs(&preview, "/var/lib/holdback");
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (offline_enter(&arena) != NULL)
            _exit(9);
        for (size_t at = 0; at < ARRAY_COUNT(formats); at++)
            (void)written(&preview, formats[at]);
        _exit(7);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void assert_schema_accepts(const char *json)
{
    struct findings findings = {.arena = &arena};
    const struct schema *schema;
    const struct node *node;

    assert_null(json_parse(&arena, "a preview", json, strlen(json), &node));
    assert_null(schema_load(&arena, "preview.schema.json", &schema));
    schema_check(schema, "", node, &findings, NULL);
    if (findings.count > 0)
        fail_msg("%s", findings.items[0].error->message);
}

static void the_json_form_is_as_its_schema_says(void **state)
{
    struct preview preview;

    (void)state;
    read_shipped(&preview);
    assert_schema_accepts(written(&preview, "json"));
    assert_schema_accepts(
        preview_of("roles: {all: {patroni: member}}\n"
                   "guards: [{id: g, hosts: all, port: 1}]\n"
                   "deploy: [{id: a, hosts: pg1, sql: {query: SELECT 1}, irreversible: why}]\n",
                   "json"));
}

static void what_a_variable_leaves_out_is_only_counted(void **state)
{
    static const char plan[] =
        "variables: {kind: {type: [sql, shell], default: sql}}\n"
        "deploy:\n"
        "  - {id: a, hosts: pg1, when: {variable: kind, is: shell}, "
        "remote-shell: {run: rm /x, removes: /x}}\n"
        "  - id: b\n"
        "    when: {variable: kind, is: shell}\n"
        "    steps: [{id: c, hosts: pg1, wait-until: {file: /x}}]\n"
        "  - {id: d, hosts: pg1, when: {variable: kind, is: sql}, sql: {query: SELECT 1}}\n";
    static const char words[] = "not shown: 3 steps: kind is sql";

    (void)state;
    assert_string_equal(between(preview_of(plan, "text"), "    3  d", "may change"),
                        arena_printf(&arena,
                                     "    3  d  on pg1  (sql)\n"
                                     "       read with SQL\n"
                                     "       when: only if \"kind\" is sql (it is)\n"
                                     "       SQL, read only\n"
                                     "           SELECT 1\n"
                                     "\n"
                                     "  %s\n"
                                     "\n",
                                     words));
    assert_null(strstr(preview_of(plan, "text"), "rm /x"));
    assert_non_null(strstr(preview_of(plan, "markdown"), words));
    assert_null(strstr(preview_of(plan, "markdown"), "<code>a</code>"));
    assert_null(strstr(preview_of(plan, "runbook"), "rm /x"));
}

static void a_guard_tells_its_threshold_as_a_value(void **state)
{
    (void)state;
    assert_string_equal(
        between(preview_of("variables: {most: {type: size, default: 5GB}}\n"
                           "guards:\n"
                           "  - {id: lag, about: WAL, hosts: pg1, sql: SELECT 1, unit: bytes, "
                           "below: \"${most}\"}\n"
                           "  - {id: age, hosts: pg1, sql: SELECT 2, unit: seconds, show-only: "
                           "true, every: 5s}\n"
                           "deploy: [{id: a, hosts: pg1, sql: {query: SELECT 1}}]\n",
                           "text"),
                "  lag", "Deploy"),
        "  lag  on pg1\n"
        "      WAL\n"
        "      every 1 s, from the beginning of deploy to the end of deploy\n"
        "      must be below 5GB\n"
        "      SQL\n"
        "          SELECT 1\n"
        "\n"
        "  age  on pg1\n"
        "      every 5 s, from the beginning of deploy to the end of deploy; never stops\n"
        "      the run\n"
        "      shown in seconds, whatever it is\n"
        "      SQL\n"
        "          SELECT 2\n"
        "\n");
}

static void the_one_way_doors_of_each_phase_are_told(void **state)
{
    (void)state;
    assert_string_equal(
        between(
            preview_of("deploy: [{id: a, hosts: pg1, sql: {query: SELECT 1}, irreversible: x}]\n"
                       "commit: [{id: b, hosts: pg1, sql: {query: SELECT 1}, irreversible: y}]\n"
                       "rollback: [{id: c, hosts: pg1, sql: {query: SELECT 1}, irreversible: "
                       "z}]\n",
                       "text"),
            "  deploy a", "\nDeploy"),
        "  deploy a            a rollback does not undo it: x\n"
        "  commit b            once it has begun there is no rollback any more: y\n"
        "  rollback c          once it has begun the deployment cannot be kept any more:\n"
        "                      z\n"
        "  the run             once a rollback has begun, the run can only be rolled\n"
        "                      back to its end, not committed\n");
}

/* The name that a shell text gives to something of its own is not the plan's. */
static void only_what_a_text_takes_from_the_plan_is_told(void **state)
{
    const char *text =
        preview_of("deploy:\n"
                   "  - {id: a, hosts: pg1, sql: {query: SELECT 1 AS x, save: [x]}}\n"
                   "  - {id: b, hosts: pg1, sql: {query: SELECT 1 AS y, save: [y]}}\n"
                   "  - {id: d, hosts: pg1, remote-shell: {run: \"for x in 1; do echo $x $y "
                   "$postgres_port; done\", creates: /x}}\n",
                   "text");

    (void)state;
    assert_string_equal(between(text, "    3  d", "may change"),
                        "    3  d  on pg1  (remote-shell)\n"
                        "       run a shell text\n"
                        "       timeout: 1 min (default)\n"
                        "       creates\n"
                        "           /x\n"
                        "       shell\n"
                        "           for x in 1; do echo $x $y $postgres_port; done\n"
                        "       y: known after step \"b\"\n"
                        "\n"
                        "Names in the texts\n"
                        "  postgres_port       \"5432\"\n"
                        "\n");
}

static void the_picture_follows_the_steps(void **state)
{
    const char *text = preview_of("roles: {boss: {patroni: leader, one: true}, "
                                  "spare: {patroni: replica, one: true}}\n"
                                  "deploy:\n"
                                  "  - {id: change, hosts: boss, sql: {run: CREATE TABLE t ()}}\n"
                                  "  - {id: over, hosts: boss, patroni: {leader: spare}}\n"
                                  "commit: []\n",
                                  "markdown");

    (void)state;
    assert_string_equal(between(text, "```mermaid", "  classDef before"),
                        "```mermaid\n"
                        "flowchart LR\n"
                        "  subgraph s0 [\"before\"]\n"
                        "    direction TB\n"
                        "    s0n0[\"boss<br/>leads<br/>as before the deployment\"]:::before\n"
                        "    s0n1[\"spare<br/>follows<br/>as before the deployment\"]:::before\n"
                        "    s0n0 --> s0n1\n"
                        "  end\n"
                        "  subgraph s1 [\"deployed\"]\n"
                        "    direction TB\n"
                        "    s1n0[\"boss<br/>follows<br/>with the deployment\"]:::deployed\n"
                        "    s1n1[\"spare<br/>leads<br/>with the deployment\"]:::deployed\n"
                        "    s1n1 --> s1n0\n"
                        "  end\n"
                        "  s0 ==>|deploy| s1\n"
                        "  subgraph s2 [\"committed\"]\n"
                        "    direction TB\n"
                        "    s2n0[\"boss<br/>follows<br/>with the deployment\"]:::deployed\n"
                        "    s2n1[\"spare<br/>leads<br/>with the deployment\"]:::deployed\n"
                        "    s2n1 --> s2n0\n"
                        "  end\n"
                        "  s1 ==>|commit| s2\n");
}

static void a_held_standby_that_is_promoted_leads_with_the_old_data(void **state)
{
    struct preview preview;
    const char *text;

    (void)state;
    read_shipped(&preview);
    text = written(&preview, "markdown");
    assert_non_null(strstr(text, "    s1n1[\"held<br/>replay is paused<br/>as before the "
                                 "deployment\"]:::before\n"));
    assert_string_equal(between(text, "  subgraph s3", "  s1 ==>|rollback| s3"),
                        "  subgraph s3 [\"rolled back\"]\n"
                        "    direction TB\n"
                        "    s3n0[\"leader<br/>follows<br/>as before the deployment\"]:::before\n"
                        "    s3n1[\"held<br/>leads<br/>as before the deployment\"]:::before\n"
                        "    s3n2[\"replicas<br/>follows<br/>as before the deployment\"]:::before\n"
                        "    s3n1 --> s3n0\n"
                        "    s3n1 --> s3n2\n"
                        "  end\n");
}

/* Long texts of every kind, full of what is written longer than it is. */
static const char *immense_plan(void)
{
    CLEANUP(text_release) struct text plan = {0};
    const char *noise = "<&@#|`\\u0301*_~$[]";

    text_append(&plan, "roles: {leader: {patroni: leader, one: true}}\nvariables:\n");
    for (int at = 0; at < 200; at++) {
        text_append_format(&plan, "  v%d: {type: text, default: \"", at);
        for (int times = 0; times < 30; times++)
            text_append(&plan, noise);
        text_append(&plan, "\"}\n");
    }
    text_append(&plan, "deploy:\n");
    for (int at = 0; at < 2000; at++) {
        text_append_format(&plan, "  - {id: s%d, about: \"", at);
        for (int times = 0; times < 30; times++)
            text_append(&plan, noise);
        text_append_format(&plan,
                           "\", hosts: leader, confirm: \"%s\", irreversible: x, "
                           "sql: {run: \"CREATE TABLE t%d () -- ````` %s\"}}\n",
                           noise, at, noise);
    }
    return text_copy(&plan, &arena);
}

static void a_pull_request_takes_the_preview_of_any_plan(void **state)
{
    const char *text = preview_of(immense_plan(), "markdown");

    (void)state;
    assert_in_range(strlen(text), 30000, 65536);
    assert_non_null(strstr(text, "\n**Not all of it fits into a pull request.** Of 2000 steps and "
                                 "guards, "));
    assert_non_null(strstr(text, " of 2000, left out for want of room.\n"));
    assert_non_null(strstr(text, "\n## Files\n"));
}

static void what_fits_is_not_left_out(void **state)
{
    struct preview preview;
    const char *text;

    (void)state;
    read_shipped(&preview);
    text = written(&preview, "markdown");
    assert_null(strstr(text, "Not all of it fits"));
    assert_null(strstr(text, "left out for want of room"));
    assert_null(strstr(text, "\n... and "));
}

/* A run of plan p in which step a took MS on its slowest host. */
static void write_run(const char *id, const char *plan, int ms, const char *state)
{
    const char *path = arena_printf(&arena, "%s/c/%s", folder, id);
    struct journal *journal;

    assert_null(folder_make(&arena, path, 0700));
    path = arena_printf(&arena, "%s/journal.jsonl", path);
    assert_null(journal_create(&arena, path, &journal));
    (void)journal_append(
        journal, &arena, "run",
        arena_printf(&arena, "\"holdback\":1,\"run\":\"%s\",\"plan\":\"%s\"", id, plan));
    (void)journal_append(journal, &arena, "resolved",
                         "\"roles\":{\"leader\":[\"pg2\"]},\"variables\":{}");
    (void)journal_append(journal, &arena, "intent", "\"step\":\"a\",\"try\":1,\"hosts\":[\"pg2\"]");
    (void)journal_append(journal, &arena, "outcome",
                         arena_printf(&arena,
                                      "\"step\":\"a\",\"host\":\"pg2\",\"result\":\"done\","
                                      "\"ms\":%d,\"shared\":true,\"saved\":{\"x\":\"it's\"}",
                                      ms));
    (void)journal_append(journal, &arena, "intent", "\"step\":\"a\",\"try\":1,\"hosts\":[\"pg1\"]");
    (void)journal_append(journal, &arena, "outcome",
                         "\"step\":\"a\",\"host\":\"pg1\",\"result\":\"already\",\"ms\":9000");
    (void)journal_append(journal, &arena, "state", arena_printf(&arena, "\"state\":\"%s\"", state));
    assert_null(journal_sync(journal, &arena));
    journal_close(journal);
}

static const char runs_plan[] =
    "roles: {leader: {patroni: leader, one: true}}\n"
    "deploy:\n"
    "  - {id: a, hosts: leader, sql: {query: SELECT 1 AS x, save: [x]}}\n"
    "  - {id: b, hosts: leader, sql: {run: \"SELECT ${x}, now()\", transaction: none}, "
    "if-interrupted: repeat}\n"
    "commit: []\n"
    "rollback: []\n";

static void earlier_runs_tell_how_long_a_step_took(void **state)
{
    struct preview preview;

    (void)state;
    write_run("20260101-000000-0001", "p", 1000, "committed");
    write_run("20260102-000000-0002", "p", 3000, "committed");
    write_run("20260103-000000-0003", "other", 60000, "committed");
    write_run("20260104-000000-0004", "p", 8000, "committed");
    read_texts(runs_plan, &preview);
    preview_read_runs(&preview, folder);
    assert_string_equal(between(written(&preview, "text"), "Deploy", "    2  b"),
                        "Deploy\n"
                        "  about 3.0 s, as the medians of earlier runs add up\n"
                        "\n"
                        "    1  a  on leader  (sql)\n"
                        "       read with SQL\n"
                        "       saves: x\n"
                        "       took: 8.0 s last time; 3.0 s is the median of 3 runs\n"
                        "       SQL, read only\n"
                        "           SELECT 1 AS x\n"
                        "\n");
    assert_schema_accepts(written(&preview, "json"));
}

static void the_runbook_survives_pasting(void **state)
{
    struct preview preview;

    (void)state;
    read_texts(runs_plan, &preview);
    assert_string_equal(
        between(written(&preview, "runbook"), "### deploy 2", "## Commit"),
        "### deploy 2 `b`\n\n"
        "execute SQL, statement by statement\n\n"
        "On **leader**:\n\n"
        "Execute:\n\n"
        "**First replace** `<address of leader>`, `<x>`.\n\n"
        "```sh\n"
        "ssh 'ops@<address of leader>' sudo -n -u postgres /bin/sh -eu <<'SH'\n"
        "/b/psql -X -v ON_ERROR_STOP=1 -h /var/run/postgresql -p 5432 -U postgres -d postgres "
        "<<'SQL'\n"
        "SELECT '<x>', now();\n"
        "SQL\n"
        "SH\n"
        "```\n\n"
        "```sh\n"
        "holdback resolve '<run>' b --as done --why 'done by hand'\n"
        "```\n\n");
}

static void the_runbook_of_an_open_run_has_its_hosts_and_values(void **state)
{
    struct preview preview;

    (void)state;
    write_run("20260105-000000-0005", "p", 1000, "deploying");
    read_texts(runs_plan, &preview);
    preview_read_runs(&preview, folder);
    assert_string_equal(
        between(written(&preview, "runbook"), "### deploy 1", "## Commit"),
        "### deploy 1 `a`\n\n"
        "read with SQL\n\n"
        "On **leader (pg2)**: done already by this run.\n\n"
        "### deploy 2 `b`\n\n"
        "execute SQL, statement by statement\n\n"
        "On **leader (pg2)**:\n\n"
        "Execute:\n\n"
        "```sh\n"
        "ssh ops@10.0.0.2 sudo -n -u postgres /bin/sh -eu <<'SH'\n"
        "/b/psql -X -v ON_ERROR_STOP=1 -h /var/run/postgresql -p 5432 -U postgres -d postgres "
        "<<'SQL'\n"
        "SELECT 'it''s', now();\n"
        "SQL\n"
        "SH\n"
        "```\n\n"
        "```sh\n"
        "holdback resolve 20260105-000000-0005 b --as done --why 'done by hand'\n"
        "```\n\n");
}

/* The commands of every shipped step are read by a shell, which finds nothing open in them. */
static void every_command_of_the_runbook_is_whole(void **state)
{
    struct preview preview;
    CLEANUP(text_release) struct text script = {0};
    const char *text, *path;

    (void)state;
    read_shipped(&preview);
    text = written(&preview, "runbook");
    for (const char *at = text; (at = strstr(at, "\n```sh\n")) != NULL;) {
        const char *end = strstr(at + 7, "\n```\n");

        assert_non_null(end);
        text_append_bytes(&script, at + 7, (size_t)(end + 1 - at - 7));
        at = end;
    }
    path = file_of("script.sh", text_string(&script));
    // NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe): it reads, and executes nothing.
    assert_int_equal(system(arena_printf(&arena, "/bin/sh -n %s", path)), 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    // NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe)
    int status = system(arena_printf(&arena, "rm -r %s", folder));

    arena_release(&arena);
    return status;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_format_does_what_the_fence_forbids),
        cmocka_unit_test(the_json_form_is_as_its_schema_says),
        cmocka_unit_test(what_a_variable_leaves_out_is_only_counted),
        cmocka_unit_test(a_guard_tells_its_threshold_as_a_value),
        cmocka_unit_test(the_one_way_doors_of_each_phase_are_told),
        cmocka_unit_test(only_what_a_text_takes_from_the_plan_is_told),
        cmocka_unit_test(the_picture_follows_the_steps),
        cmocka_unit_test(a_held_standby_that_is_promoted_leads_with_the_old_data),
        cmocka_unit_test(a_pull_request_takes_the_preview_of_any_plan),
        cmocka_unit_test(what_fits_is_not_left_out),
        cmocka_unit_test(earlier_runs_tell_how_long_a_step_took),
        cmocka_unit_test(the_runbook_survives_pasting),
        cmocka_unit_test(the_runbook_of_an_open_run_has_its_hosts_and_values),
        cmocka_unit_test(every_command_of_the_runbook_is_whole),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
