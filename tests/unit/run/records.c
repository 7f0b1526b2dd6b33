/*
 * The records of a journal are as schemas/journal.schema.json says. With journals as arguments the
 * program checks those instead, and tells what is wrong in them.
 */
#include "scripted.h"

#include "plan/schema.h"

#include <ftw.h>

static void complain(struct text *text, const struct schema *schema, const struct node *record)
{
    struct findings findings = {.arena = &scene.arena};

    schema_check(schema, "", record, &findings, NULL);
    for (size_t at = 0; at < findings.count; at++) {
        text_append_format(text, "%s %s: %s\n", node_text(record, "n"), node_text(record, "type"),
                           findings.items[at].error->message);
    }
}

static const struct schema *records_schema(void)
{
    const struct schema *schema;

    assert_null(schema_load(&scene.arena, "journal.schema.json", &schema));
    return schema;
}

/* What the schema says against the records of the journal PATH, from record FIRST on. */
static const char *complaints(const char *path, size_t first)
{
    CLEANUP(text_release) struct text text = {0};
    const struct schema *schema = records_schema();
    const struct record *record = NULL;

    if (journal_read(&scene.arena, path, &record) != NULL)
        return "unreadable\n";
    for (; record != NULL; record = record->next) {
        if (record->number >= first)
            complain(&text, schema, record->node);
    }
    return text_copy(&text, &scene.arena);
}

static void assert_refused(const char *json, const char *expected)
{
    CLEANUP(text_release) struct text text = {0};
    const struct node *record;

    assert_null(json_parse(&scene.arena, "a record", json, strlen(json), &record));
    complain(&text, records_schema(), record);
    assert_string_equal(text_string(&text), expected);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define FRAME(type)                                                                                \
    "{\"n\":7,\"at\":\"2026-11-22T20:30:33.882Z\",\"durable\":6,\"prev\":\"" ZEROS                 \
    "\",\"hash\":\"" ZEROS "\",\"type\":\"" type "\""

static void the_schema_refuses_what_is_not_a_record(void **state)
{
    (void)state;
    assert_refused(FRAME("gate") ",\"step\":\"a\",\"question\":\"?\",\"by\":\"me\"}", "");
    assert_refused(FRAME("gate") ",\"step\":\"a\",\"question\":\"?\",\"by\":\"me\",\"more\":1}",
                   "7 gate: unknown key \"more\" in record \"gate\"\n");
    assert_refused(FRAME("gate") ",\"step\":\"a\",\"question\":\"?\"}",
                   "7 gate: record \"gate\" has no \"by\"\n");
    assert_refused(FRAME("cleaning") "}", "");
    assert_refused(FRAME("guards") ",\"phase\":\"deploy\",\"extremes\":[{\"guard\":\"g\","
                                   "\"host\":\"pg1\",\"unit\":\"bytes\",\"looks\":9,"
                                   "\"untrue\":0,\"lowest\":\"1\",\"highest\":\"2.5\","
                                   "\"last\":\"2 bytes\"}]}",
                   "");
}

/* Steps that were skipped, failed, saved something and waited for a person. */
static void the_records_of_steps_are_as_the_schema_says(void **state)
{
    static const char *const yes[] = {"c", NULL};

    (void)state;
    begin("deploy:\n"
          "  - {id: a, hosts: leader, remote-shell: {run: x, creates: /x, save: [got]}}\n"
          "  - {id: b, hosts: leader, when: {variable: rebuild, is: wipe}, "
          "remote-shell: {run: x, creates: /x}}\n"
          "  - {id: c, hosts: replicas, confirm: \"Go on?\", remote-shell: {run: x, creates: "
          "/x}}\n");
    saves("a", "got", "a \"value\"\n");
    script("apply", "c@pg3", "nothing");
    scene.answers = yes;

    assert_string_equal(go(PHASE_DEPLOY),
                        "step \"c\" failed on replicas (pg3): apply said nothing");
    assert_journal("intent a #1 pg1\n"
                   "a@pg1 done\n"
                   "b skipped: rebuild is rewind\n"
                   "gate c\n"
                   "intent c #1 pg2 pg3\n"
                   "c@pg2 done\n"
                   "c@pg3 failed-left-nothing: apply said nothing\n");
    assert_string_equal(complaints(scene.journal_path, 4), "");
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* A whole command: nobody listens on port 1. */
static void the_records_of_a_refused_deployment_are_as_the_schema_says(void **state)
{
    static const char plan[] = "holdback: 1\nplan: p\npreflight:\n"
                               "  - {id: a, hosts: pg1, wait-until: {file: /x}}\n";
    static const char cluster[] =
        "cluster: c\nhosts: {pg1: {address: 127.0.0.1}}\nssh: {port: 1}\n";
    struct run_summary summary = {0};
    struct run_options options = {.plan_file = path_join(&scene.arena, scene.folder, "plan.yml"),
                                  .cluster_file =
                                      path_join(&scene.arena, scene.folder, "cluster.yml"),
                                  .settings_folder = "/",
                                  .stop_fd = scene.second_stop};

    (void)state;
    options.place = (struct run_place){path_join(&scene.arena, scene.folder, "runs"), "the test"};
    scene.findings = (struct findings){.arena = &scene.arena};
    assert_null(file_write(&scene.arena, options.plan_file, plan, sizeof plan - 1, 0600));
    assert_null(file_write(&scene.arena, options.cluster_file, cluster, sizeof cluster - 1, 0600));

    struct error *error = run_deploy(&scene.arena, &options, &scene.findings, &summary);

    assert_non_null(error);
    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_int_equal(summary.state, RUN_REFUSED);

    const char *path = path_join(&scene.arena, summary.folder, "journal.jsonl");

    assert_string_equal(complaints(path, 1), "");
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is left.
    assert_int_equal(nftw(options.place.journal, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static int check_files(int count, char **paths)
{
    int status = 0;

    for (int at = 0; at < count; at++) {
        const char *text = complaints(paths[at], 1);

        (void)printf("%s: %s%s", paths[at], *text == '\0' ? "ok\n" : "\n", text);
        status |= *text != '\0';
    }
    arena_release(&scene.arena);
    return status;
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(the_schema_refuses_what_is_not_a_record),
        SCENE_TEST(the_records_of_steps_are_as_the_schema_says),
        SCENE_TEST(the_records_of_a_refused_deployment_are_as_the_schema_says),
    };

    if (count > 1)
        return check_files(count - 1, words + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
