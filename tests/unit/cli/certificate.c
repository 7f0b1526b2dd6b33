/*
 * The certificate as people read it. The golden files are in certificate/; with HOLDBACK_GOLDEN set
 * the Markdown is written anew, to be read before it is committed.
 */
#include "cli/certificate.h"
#include "base/file.h"
#include "plan/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define GOLDEN SOURCE_DIR "/tests/unit/cli/certificate/certificate"

static struct arena arena;

static const char *read_golden(const char *ending)
{
    char *bytes;
    size_t length;

    assert_null(file_read(&arena, arena_printf(&arena, "%s%s", GOLDEN, ending), TEXT_LIMIT, &bytes,
                          &length));
    return bytes;
}

static const struct node *parsed(const char *json)
{
    const struct node *node = NULL;

    assert_null(json_parse(&arena, "a certificate", json, strlen(json), &node));
    return node;
}

static void the_markdown_says_what_the_json_says(void **state)
{
    CLEANUP(text_release) struct text text = {0};

    (void)state;
    certificate_markdown(&arena, parsed(read_golden(".json")), &text);
    if (getenv("HOLDBACK_GOLDEN") != NULL) // NOLINT(concurrency-mt-unsafe)
        assert_null(file_write(&arena, GOLDEN ".md", text_string(&text), text.length, 0644));
    assert_string_equal(text_string(&text), read_golden(".md"));
}

/* The checker reads YAML, where nothing is never a value; here these may be null. */
static bool is_null_allowed(const char *message)
{
    static const char *const nullable[] = {"segment", "words",   "at",   "unit",
                                           "lowest",  "highest", "about"};

    for (size_t at = 0; at < ARRAY_COUNT(nullable); at++) {
        if (equal(message, arena_printf(&arena, "\"%s\" has no value", nullable[at])))
            return true;
    }
    return false;
}

static const char *complaint(const char *json)
{
    struct findings findings = {.arena = &arena};
    const struct schema *schema;

    assert_null(schema_load(&arena, "certificate.schema.json", &schema));
    schema_check(schema, "", parsed(json), &findings, NULL);
    for (size_t at = 0; at < findings.count; at++) {
        if (!is_null_allowed(findings.items[at].error->message))
            return findings.items[at].error->message;
    }
    return "";
}

/* JSON with the first WAS replaced. */
static const char *altered(const char *json, const char *was, const char *is)
{
    const char *at = strstr(json, was);

    assert_non_null(at);
    return arena_printf(&arena, "%.*s%s%s", (int)(at - json), json, is, at + strlen(was));
}

static void the_json_is_as_its_schema_says(void **state)
{
    const char *json = read_golden(".json");

    (void)state;
    assert_string_equal(complaint(json), "");
    assert_string_equal(complaint(altered(json, "\"lsn\":\"0/8001740\",", "")),
                        "certificate has no \"lsn\"");
    assert_string_equal(complaint(altered(json, "{\"value\":\"2\"}", "{\"value\":\"2\",\"x\":1}")),
                        "unknown key \"x\" in a value");
}

static void a_count_names_what_there_is_and_whether_any_failed(void **state)
{
    bool has_failed = false;

    (void)state;
    assert_string_equal(certificate_count(&arena, parsed(read_golden(".json")), &has_failed),
                        "1 proven, 1 failed, 1 not proven, 1 not applicable");
    assert_true(has_failed);
    assert_string_equal(
        certificate_count(&arena, parsed("{\"proofs\":[{\"result\":\"proven\"}]}"), &has_failed),
        "1 proven");
    assert_false(has_failed);
}

static void both_files_are_written_and_only_their_owner_may_read_them(void **state)
{
    char folder[] = "/tmp/holdback-certificate-XXXXXX";
    const char *json = read_golden(".json"), *path = NULL;
    const struct node *read = NULL;
    struct stat status;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_null(certificate_path(&arena, folder));
    assert_null(certificate_write(&arena, folder, json, parsed(json), &path));
    assert_string_equal(certificate_path(&arena, folder), path);
    assert_null(certificate_read(&arena, folder, &read));
    assert_string_equal(node_text(read, "run"), "20261123-021751-b1d57e59");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    (void)unlink(path);
    (void)unlink(arena_printf(&arena, "%s/%s", folder, CERTIFICATE_JSON));
    assert_int_equal(rmdir(folder), 0);
    assert_non_null(certificate_write(&arena, folder, json, parsed(json), &path));
}

static int release(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_markdown_says_what_the_json_says, release),
        cmocka_unit_test_teardown(the_json_is_as_its_schema_says, release),
        cmocka_unit_test_teardown(a_count_names_what_there_is_and_whether_any_failed, release),
        cmocka_unit_test_teardown(both_files_are_written_and_only_their_owner_may_read_them,
                                  release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
