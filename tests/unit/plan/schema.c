#include "plan/schema.h"

#include "base/file.h"
#include "plan/yaml.h"
#include "told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define HEAD "holdback: 1\nplan: p\n"

static struct arena schema_arena;
static const struct schema *plan_schema;

static int load(void **state)
{
    const struct error *error = schema_load(&schema_arena, "plan.schema.json", &plan_schema);

    (void)state;
    if (error != NULL)
        print_error("%s\n", error_text(&schema_arena, error));
    return error == NULL ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    arena_release(&schema_arena);
    return 0;
}

static const char *check(struct arena *arena, const char *text,
                         const struct schema_visitor *visitor)
{
    struct findings findings = {.arena = arena};
    const struct node *root = yaml_parse(arena, "f.yml", text, strlen(text), &findings);

    if (root != NULL)
        schema_check(plan_schema, "f.yml", root, &findings, visitor);
    return told(&findings);
}

static void assert_tells(const char *text, const char *expected)
{
    CLEANUP(arena_release) struct arena arena = {NULL};

    assert_string_equal(check(&arena, text, NULL), expected);
}

/* One step in deploy, without its closing brace. */
static void assert_step_tells(const char *step, const char *expected)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    const char *text = arena_printf(&arena, HEAD "deploy:\n  - {%s}\n", step);

    assert_string_equal(check(&arena, text, NULL), expected);
}

static void every_keyword_in_the_schema_files_is_implemented(void **state)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    size_t count = 0;

    (void)state;
    for (const struct embedded_file *file = schema_files; file->name != NULL; file++) {
        const struct schema *schema;
        const struct error *error = schema_load(&arena, file->name, &schema);

        assert_string_equal(error == NULL ? "" : error_text(&arena, error), "");
        count++;
    }
    assert_true(count >= 9);
}

static void a_file_is_embedded_byte_for_byte(void **state)
{
    (void)state;
    for (const struct embedded_file *file = schema_files; file->name != NULL; file++) {
        CLEANUP(arena_release) struct arena arena = {NULL};
        const char *path = arena_printf(&arena, "%s/schemas/%s", SOURCE_DIR, file->name);
        char *bytes;
        size_t length;

        assert_null(file_read(&arena, path, 262144, &bytes, &length));
        assert_string_equal(file->bytes, bytes);
    }
}

static void an_unknown_key_is_told_with_what_was_meant(void **state)
{
    (void)state;
    assert_step_tells("id: a, sql: {quer: SELECT 1}",
                      "4:19 unknown key \"quer\" in action \"sql\" | did you mean \"query\"?\n");
    assert_step_tells("id: a, tiemout: 5m, sql: {query: SELECT 1}",
                      "4:13 unknown key \"tiemout\" in step \"a\" | did you mean \"timeout\"?\n");
    assert_step_tells("id: a, sqll: SELECT 1",
                      "4:13 unknown key \"sqll\" in step \"a\" | did you mean \"sql\"?\n");
    assert_step_tells("id: a, sql: {query: SELECT a, b FROM t}",
                      "4:36 unknown key \"b FROM t\" in action \"sql\" | A text with a comma must "
                      "be quoted inside {…}.\n");
    assert_tells(HEAD "deploi: []\npreflight: []\n",
                 "3:1 unknown key \"deploi\" in plan | did you mean \"deploy\"?\n");
}

static void a_step_has_exactly_one_action(void **state)
{
    (void)state;
    assert_step_tells("id: a, hosts: b",
                      "4:5 step \"a\" has no action | Write one of \"sql\", \"patroni\", "
                      "\"edit-conf\", \"remote-shell\" or \"wait-until\".\n");
    assert_step_tells("id: a, patroni: {reload: true}, sql: {query: x}",
                      "4:38 step \"a\" has more than one action: \"patroni\" and \"sql\"\n");
    assert_step_tells("id: a, sql: {query: x}, steps: [{id: b, sql: {query: x}}]",
                      "4:13 \"sql\" cannot stand beside \"steps\"\n");
    assert_step_tells("sql: {query: x}", "4:5 step has no \"id\"\n");
    assert_step_tells("id: a, steps: [{id: b, steps: []}]",
                      "4:29 unknown key \"steps\" in step \"b\"\n");
}

static void a_value_of_the_wrong_kind_is_told_in_words_of_the_plan(void **state)
{
    (void)state;
    assert_step_tells("id: a, timeout: 10, sql: {query: x}",
                      "4:22 \"timeout\" must be a duration such as 10s, 5m or 4h\n");
    assert_step_tells("id: a, timeout: , sql: {query: x}", "4:13 \"timeout\" has no value\n");
    assert_step_tells("id: a, timeout: [1s], sql: {query: x}",
                      "4:22 \"timeout\" must be a duration such as 10s, 5m or 4h, not a list\n");
    assert_step_tells("id: a, serial: \"1\", sql: {query: x}",
                      "4:21 \"serial\" must be an integer of at least 1 | Write it without "
                      "quotes.\n");
    assert_step_tells("id: a, serial: 01, sql: {query: x}",
                      "4:21 \"serial\" must be an integer of at least 1\n");
    assert_step_tells("id: a, patroni: {maintenance: yes}",
                      "4:36 \"maintenance\" must be true or false | did you mean true?\n");
    assert_step_tells("id: a, retry: 3, sql: {query: x}",
                      "4:20 \"retry\" must be a map | Its keys are \"times\" and \"delay\".\n");
    assert_step_tells("id: a, if-interrupted: aks, sql: {query: x}",
                      "4:29 \"if-interrupted\" must be repeat or ask | did you mean \"ask\"?\n");
    assert_step_tells("id: a, sql: {query: \"\"}", "4:26 \"query\" must not be empty\n");
    assert_step_tells("id: a, sql: {query: x, save: xid}",
                      "4:35 \"save\" must be a list of names | Write it as a list: [xid].\n");
    assert_step_tells("id: a b, sql: {query: x}",
                      "4:10 \"id\" must be a name of letters, digits, \"_\" and \"-\"\n");
    assert_step_tells("id: a, hosts: [b, \"c d\"], sql: {query: x}",
                      "4:24 each item of \"hosts\" must be a role or the name of a host\n");
    assert_tells(HEAD "commit:\ndeploy: []\n",
                 "3:1 \"commit\" has no value | Write [] for an empty list.\n");
    assert_tells("- a\n", "1:1 the file must be a map, not a list\n");
}

static void keys_that_do_not_go_together_are_told(void **state)
{
    (void)state;
    assert_step_tells("id: a, sql: {query: x, unless: y}",
                      "4:29 \"unless\" cannot stand beside \"query\"\n");
    assert_step_tells("id: a, sql: {save: [x]}",
                      "4:18 action \"sql\" has none of \"query\", \"run\" and \"file\"\n");
    assert_step_tells("id: a, patroni: {reload: true, save: [x]}",
                      "4:37 \"save\" needs \"query\" beside it\n");
    assert_step_tells("id: a, wait-until: {sql: x, shell: y}",
                      "4:34 action \"wait-until\" has more than one source: \"sql\" and "
                      "\"shell\"\n");
    assert_step_tells("id: a, wait-until: {sql: x, below: 1, above: 2}",
                      "4:44 \"below\" and \"above\" cannot stand together in action "
                      "\"wait-until\"\n");
    assert_step_tells("id: a, wait-until: {port: 80, reach: socket}",
                      "4:36 \"reach\" needs \"sql\" beside it\n");
    assert_step_tells("id: a, edit-conf: {file: /x}",
                      "4:24 action \"edit-conf\" has none of \"set\", \"unset\", "
                      "\"comment-out\", \"uncomment\", \"content\", \"state\", \"owner\" and "
                      "\"mode\"\n");
    assert_step_tells("id: a, when: {postgres: \">=12\", is: 1}, sql: {query: x}",
                      "4:38 \"is\" cannot stand beside \"postgres\"\n");
    assert_tells(HEAD, "1:1 plan has none of \"deploy\" and \"preflight\"\n");
    assert_tells(HEAD "preflight: []\nrollback: []\n",
                 "4:1 \"rollback\" needs \"deploy\" beside it\n");
}

static void a_preflight_step_only_looks(void **state)
{
    (void)state;
    assert_tells(HEAD "preflight:\n  - {id: a, sql: {run: DROP TABLE x}}\n",
                 "4:18 action \"sql\" has no \"query\"\n"
                 "4:19 unknown key \"run\" in action \"sql\" | Its keys are \"query\", \"save\", "
                 "\"role\", \"database\", \"settings\" and \"reach\".\n");
    assert_tells(HEAD "preflight:\n  - {id: a, remote-shell: {run: x}}\n",
                 "4:13 unknown key \"remote-shell\" in preflight step \"a\" | Its keys are \"id\", "
                 "\"about\", \"hosts\", \"as\", \"when\", \"timeout\", \"sql\", \"patroni\" and "
                 "\"wait-until\".\n");
}

static void a_number_may_be_a_value_where_the_schema_says_so(void **state)
{
    (void)state;
    assert_step_tells("id: a, wait-until: {port: \"${port}\"}", "");
    assert_step_tells("id: a, wait-until: {port: 65535}", "");
    assert_step_tells("id: a, wait-until: {port: 65536}",
                      "4:32 \"port\" must be an integer from 1 to 65535, or a ${value}\n");
}

static void a_tilde_is_not_sent_where_a_reader_sees_nothing(void **state)
{
    (void)state;
    assert_step_tells("id: a, patroni: {config: {x: ~, y: null, z: [1, {w: no}]}}",
                      "4:35 \"x\" must be a value, a list or a map | Write null to remove a key, "
                      "or \"~\" in quotes for the text.\n");
}

static void note(void *context, const struct node *node, const char *format)
{
    text_append_format(context, "%d:%d %s %s\n", node->line, node->column, format,
                       node->text == NULL ? "-" : node->text);
}

static void the_visitor_sees_each_text_with_its_format_in_order(void **state)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    CLEANUP(text_release) struct text seen = {.limit = 0};
    struct schema_visitor visitor = {.scalar = note, .context = &seen};
    const char *text = HEAD "deploy:\n"
                            "  - id: a\n"
                            "    about: no ${format}\n"
                            "    hosts: [x, y]\n"
                            "    when: {may-have-happened: z}\n"
                            "    sql:\n"
                            "      unless: {\">=14\": one, <14: two}\n"
                            "      run: [three, {file: four}]\n"
                            "      settings: {lock_timeout: 5}\n"
                            "  - {id: b, patroni: {config: {c: [d]}, leader: e}}\n";

    (void)state;
    assert_string_equal(check(&arena, text, &visitor), "");
    assert_string_equal(text_string(&seen), "6:13 hosts x\n"
                                            "6:16 hosts y\n"
                                            "7:31 step z\n"
                                            "9:15 version-map -\n"
                                            "9:16 versions >=14\n"
                                            "9:24 sql one\n"
                                            "9:29 versions <14\n"
                                            "9:34 sql two\n"
                                            "10:13 sql three\n"
                                            "10:27 sql-path four\n"
                                            "11:32 text 5\n"
                                            "12:36 text d\n"
                                            "12:49 role e\n");
}

static void a_default_is_found_through_references_and_files(void **state)
{
    (void)state;
    assert_string_equal(schema_default(plan_schema, "#/definitions/step/properties/timeout"),
                        "60s");
    assert_string_equal(schema_default(plan_schema, "#/definitions/guard/properties/every"), "1s");
    assert_string_equal(
        schema_default(plan_schema, "#/definitions/step/properties/retry/properties/delay"), "5s");
    assert_string_equal(
        schema_default(plan_schema, "sql.schema.json#/definitions/run/properties/transaction"),
        "one");
    assert_string_equal(
        schema_default(plan_schema, "cluster.schema.json#/definitions/ssh/properties/port"), "22");
    assert_null(schema_default(plan_schema, "#/definitions/step/properties/hosts"));
    assert_null(schema_default(plan_schema, "#/no/such/thing"));
    assert_null(schema_default(plan_schema, "no-such.json#/properties/every"));
}

/* HEAD, then COUNT pieces with a running number in them, at most 4 MiB, and how many errors. */
static void assert_counts_at_once(const char *head, const char *piece, int count, const char *tail,
                                  size_t errors)
{
    CLEANUP(text_release) struct text text = {.limit = YAML_LARGEST};
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct findings findings = {.arena = &arena};
    const struct node *root;
    clock_t start;

    text_append(&text, head);
    for (int at = 0; at < count; at++) {
        const char *number = strchr(piece, '#');

        if (number == NULL)
            text_append(&text, piece);
        else
            text_append_format(&text, "%.*s%d%s", (int)(number - piece), piece, at, number + 1);
    }
    text_append(&text, tail);
    assert_false(text.truncated);

    start = clock();
    root = yaml_parse(&arena, "f.yml", text_string(&text), text.length, &findings);
    if (root != NULL)
        schema_check(plan_schema, "f.yml", root, &findings, NULL);

    assert_true(clock() - start < SECONDS_MOST * CLOCKS_PER_SEC);
    assert_int_equal(findings.error_count, errors);
}

static void no_input_makes_it_slow(void **state)
{
    (void)state;
    assert_counts_at_once(HEAD "deploy:\n",
                          "  - id: step-#\n"
                          "    about: Step of a large plan\n"
                          "    hosts: leader\n"
                          "    sql: {unless: SELECT true, run: SELECT 1}\n"
                          "    timeout: 10s\n",
                          10000, "", 0);
    assert_counts_at_once(HEAD "deploy: []\n", "unknown#: 1\n", 200000, "", 200000);
    assert_counts_at_once(HEAD "deploy: []\nvariables:\n", "  v#: {}\n", 200000, "", 0);
    assert_counts_at_once(HEAD "deploy: []\nvariables:\n", "  1#: 1\n", 200000, "", 400000);
    assert_counts_at_once(HEAD "deploy: [", "{},", 900000, "]", 1800000);
    assert_counts_at_once(HEAD "deploy: [{id: a, when: [", "{x: y},", 400000,
                          "], sql: {query: x}}]", 400000);
    assert_counts_at_once(HEAD "deploy:\n  - id: a\n    sql:\n      query:\n", "        '>#': x\n",
                          200000, "", 0);
    assert_counts_at_once(HEAD "deploy: [{id: ", "x", 4000000, ", sql: {query: x}}]", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_keyword_in_the_schema_files_is_implemented),
        cmocka_unit_test(a_file_is_embedded_byte_for_byte),
        cmocka_unit_test(an_unknown_key_is_told_with_what_was_meant),
        cmocka_unit_test(a_step_has_exactly_one_action),
        cmocka_unit_test(a_value_of_the_wrong_kind_is_told_in_words_of_the_plan),
        cmocka_unit_test(keys_that_do_not_go_together_are_told),
        cmocka_unit_test(a_preflight_step_only_looks),
        cmocka_unit_test(a_number_may_be_a_value_where_the_schema_says_so),
        cmocka_unit_test(a_tilde_is_not_sent_where_a_reader_sees_nothing),
        cmocka_unit_test(the_visitor_sees_each_text_with_its_format_in_order),
        cmocka_unit_test(a_default_is_found_through_references_and_files),
        cmocka_unit_test(no_input_makes_it_slow),
    };

    return cmocka_run_group_tests(tests, load, release);
}
