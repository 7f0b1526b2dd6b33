/* The inputs of a deployment against those of a saved preview. */
#include "cli/expect.h"
#include "cli/preview.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena;
static char folder[] = "/tmp/holdback-expect-XXXXXX";
static const char *plan, *cluster, *sql, *saved;
static const char *settings[2];
static struct options options;

static const char plan_text[] =
    "holdback: 1\nplan: p\n"
    "roles: {leader: {patroni: leader}}\n"
    "variables: {file: {type: path}, size: {type: integer}}\n"
    "deploy:\n"
    "  - {id: a, hosts: leader, timeout: 5s, sql: {file: \"${file}\"}}\n"
    "  - {id: b, hosts: leader, timeout: 5s, sql: {run: 'SELECT "
    "${size}'}}\n"
    "  - {id: c, hosts: leader, timeout: 5s, sql: {run: SELECT 3}}\n";
static const char cluster_text[] = "cluster: c\nhosts: {pg1: {address: 10.0.0.1}}\n";

static void write_file(const char *path, const char *content)
{
    assert_null(file_write(&arena, path, content, strlen(content), 0600));
}

static struct cli cli_new(void)
{
    options = (struct options){.cluster = cluster,
                               .expect = saved,
                               .arguments = {.values = &plan, .count = 1},
                               .settings = {.values = settings, .count = 2}};
    return (struct cli){.arena = &arena, .options = &options};
}

static void save(void)
{
    CLEANUP(text_release) struct text out = {0};
    struct findings findings = {.arena = &arena};
    static const struct terminal plain = {.fd = -1};
    struct cli cli = cli_new();
    struct preview preview;

    if (!preview_read(&cli, &findings, &preview))
        fail_msg("%s", error_text(&arena, findings.items[0].error));
    preview_write(&preview, &plain, "json", &out);
    write_file(saved, text_string(&out));
}

/* A plan, its files, and a preview of them that was saved. */
static int set_up(void **state)
{
    (void)state;
    (void)strcpy(folder, "/tmp/holdback-expect-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    plan = arena_printf(&arena, "%s/plan.yml", folder);
    cluster = arena_printf(&arena, "%s/cluster.yml", folder);
    sql = arena_printf(&arena, "%s/a.sql", folder);
    saved = arena_printf(&arena, "%s/saved.json", folder);
    settings[0] = arena_printf(&arena, "file=%s", sql);
    settings[1] = "size=3";
    write_file(plan, plan_text);
    write_file(cluster, cluster_text);
    write_file(sql, "SELECT 1;\n");
    save();
    return 0;
}

static int tear_down(void **state)
{
    const char *const paths[] = {plan, cluster, sql, saved};

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(paths); at++)
        (void)unlink(paths[at]);
    (void)rmdir(folder);
    arena_release(&arena);
    return 0;
}

/* "" or the message; FOLDER in it is written "@", the preview's time "NOW". */
static const char *verdict_with(const char *max_age, struct inputs **inputs)
{
    CLEANUP(text_release) struct text text = {0};
    struct findings findings = {.arena = &arena};
    struct cli cli = cli_new();

    options.max_age = max_age;

    const struct error *error = expect_inputs(&cli, &findings, inputs);

    assert_int_equal(findings.error_count, 0);
    if (error == NULL)
        return "";
    assert_int_equal(error->kind, ERROR_INPUT);
    for (const char *at = error_text(&arena, error); *at != '\0'; at++) {
        if (starts_with(at, folder)) {
            text_append(&text, "@");
            at += strlen(folder) - 1;
        } else if (starts_with(at, "this preview of 20")) {
            text_append(&text, "this preview of NOW");
            at += strlen("this preview of ") + TIMESTAMP_SIZE - 2;
        } else {
            text_append_bytes(&text, at, 1);
        }
    }
    return text_copy(&text, &arena);
}

static const char *verdict(void)
{
    struct inputs *inputs = NULL;

    return verdict_with(NULL, &inputs);
}

#define DIFFERS "the deployment is not what this preview of NOW shows:\n  "

static void the_same_inputs_are_expected(void **state)
{
    struct inputs *inputs = NULL;

    (void)state;
    assert_string_equal(verdict_with("1h", &inputs), "");
    assert_string_equal(inputs_of_role(inputs, "preview")->path, saved);
}

/* Whoever writes to a file after it was compared changes nothing of the run. */
static void what_was_compared_is_what_runs(void **state)
{
    struct inputs *inputs = NULL;
    const struct input *input;

    (void)state;
    assert_string_equal(verdict_with(NULL, &inputs), "");
    write_file(sql, "DROP TABLE orders;\n");
    assert_null(inputs_read(inputs, "file", sql, 1000, &input));
    assert_string_equal(input->bytes, "SELECT 1;\n");
}

static void a_file_that_changed_names_its_steps(void **state)
{
    (void)state;
    write_file(sql, "SELECT 2;\n");
    assert_string_equal(verdict(), DIFFERS "@/a.sql changed since the preview (a)");
}

static void a_variable_names_its_steps(void **state)
{
    (void)state;
    settings[1] = "size=4";
    assert_string_equal(verdict(), DIFFERS "variable \"size\" is 4, was 3 (b)");
}

static void a_plan_that_changed_says_what_became_of_its_steps(void **state)
{
    (void)state;
    write_file(plan, "holdback: 1\nplan: p\n"
                     "roles: {leader: {patroni: leader}}\n"
                     "variables: {file: {type: path}, size: {type: integer}}\n"
                     "deploy:\n"
                     "  - {id: a, hosts: leader, timeout: 5s, sql: {file: \"${file}\"}}\n"
                     "  - {id: b, hosts: leader, timeout: 6s, sql: {run: 'SELECT ${size}'}}\n"
                     "  - {id: d, hosts: leader, timeout: 5s, sql: {run: SELECT 3}}\n"
                     "  - {id: e, hosts: leader, timeout: 5s, sql: {run: SELECT 4}}\n");
    assert_string_equal(verdict(), DIFFERS "@/plan.yml changed since the preview\n"
                                           "  steps d and e are new\n"
                                           "  step c is gone\n"
                                           "  step b differs");
}

static void a_comment_in_the_cluster_file_is_a_difference_too(void **state)
{
    (void)state;
    write_file(cluster, arena_printf(&arena, "%s# reviewed\n", cluster_text));
    assert_string_equal(verdict(), DIFFERS "@/cluster.yml changed since the preview");
}

static void another_program_is_told(void **state)
{
    char *bytes, *at;
    size_t length;

    (void)state;
    assert_null(file_read(&arena, saved, TEXT_LIMIT, &bytes, &length));
    at = strstr(bytes, "\"version\":\"");
    assert_non_null(at);
    at[strlen("\"version\":\"")] = '9';
    write_file(saved, bytes);
    assert_true(starts_with(verdict(),
                            DIFFERS "this is holdback " HOLDBACK_VERSION ", the preview is of 9."));
}

static void made_at(const char *timestamp)
{
    char *bytes, *at;
    size_t length;

    assert_null(file_read(&arena, saved, TEXT_LIMIT, &bytes, &length));
    at = strstr(bytes, "\"made\":\"");
    assert_non_null(at);
    memcpy(at + strlen("\"made\":\""), timestamp, TIMESTAMP_SIZE - 1);
    write_file(saved, bytes);
}

static void an_old_preview_is_refused_if_asked(void **state)
{
    struct inputs *inputs = NULL;

    (void)state;
    made_at("2020-01-01T00:00:00.000Z");
    assert_string_equal(verdict(), "");
    assert_non_null(strstr(verdict_with("7d", &inputs), " old, and at most 7d are allowed"));
    made_at("2999-01-01T00:00:00.000Z");
    assert_string_equal(verdict_with("7d", &inputs), "the preview was made at "
                                                     "2999-01-01T00:00:00.000Z, which is yet to "
                                                     "come");
    assert_string_equal(verdict_with("soon", &inputs), "option \"--max-age\" cannot be \"soon\"");
}

static void what_is_no_saved_preview_is_refused(void **state)
{
    (void)state;
    write_file(saved, "# Preview of plan p\n");
    assert_string_equal(verdict(), "this is no preview that was saved");
    write_file(saved, "{\"preview\":1}");
    assert_string_equal(verdict(), "this is no preview that was saved: preview has no \"version\"");
    write_file(saved, "{\"preview\":");
    assert_true(starts_with(verdict(), "could not read the preview as JSON: "));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_inputs_are_expected),
        TEST(what_was_compared_is_what_runs),
        TEST(a_file_that_changed_names_its_steps),
        TEST(a_variable_names_its_steps),
        TEST(a_plan_that_changed_says_what_became_of_its_steps),
        TEST(a_comment_in_the_cluster_file_is_a_difference_too),
        TEST(another_program_is_told),
        TEST(an_old_preview_is_refused_if_asked),
        TEST(what_is_no_saved_preview_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
