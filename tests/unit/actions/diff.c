#include "diff.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct arena arena;

static int release_arena(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct diff_side side(const char *text)
{
    return (struct diff_side){.bytes = text, .length = text == NULL ? 0 : strlen(text)};
}

static const char *diff(const char *old, const char *new)
{
    CLEANUP(text_release) struct text out = {0};

    diff_append(&out, "/etc/x", side(old), side(new));
    return text_copy(&out, &arena);
}

static const char *redacted(const char *line)
{
    CLEANUP(text_release) struct text out = {0};

    redact_append(&out, line, strlen(line));
    return text_copy(&out, &arena);
}

static void a_changed_line_stands_between_three_lines_of_context(void **state)
{
    (void)state;
    assert_string_equal(diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
                        "--- /etc/x\n"
                        "+++ /etc/x\n"
                        "@@ -2,7 +2,7 @@\n"
                        " 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

static void equal_texts_have_no_diff(void **state)
{
    (void)state;
    assert_string_equal(diff("a\n", "a\n"), "");
    assert_string_equal(diff(NULL, NULL), "");
}

static void a_file_that_appears_or_goes_is_dev_null_on_the_other_side(void **state)
{
    (void)state;
    assert_string_equal(diff(NULL, "a\n"), "--- /dev/null\n+++ /etc/x\n@@ -0,0 +1,1 @@\n+a\n");
    assert_string_equal(diff("a\n", NULL), "--- /etc/x\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n");
    assert_string_equal(diff(NULL, ""), "--- /dev/null\n+++ /etc/x\n");
}

static void a_missing_last_newline_is_told(void **state)
{
    (void)state;
    assert_string_equal(diff("a\nb", "a\nb\n"), "--- /etc/x\n"
                                                "+++ /etc/x\n"
                                                "@@ -1,2 +1,2 @@\n"
                                                " a\n"
                                                "-b\n"
                                                "\\ No newline at end of file\n"
                                                "+b\n");
}

static void changes_far_apart_have_hunks_of_their_own(void **state)
{
    (void)state;
    assert_string_equal(diff("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n"),
                        "--- /etc/x\n"
                        "+++ /etc/x\n"
                        "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n"
                        "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
}

/* Applies the diff with patch(1), which is the one that says what a unified diff means. */
static void assert_patches(const char *old, const char *new)
{
    char folder[] = "/tmp/holdback-diff-XXXXXX";
    const char *files[] = {"old", "new", "diff"};
    const char *texts[] = {old, new, diff(old, new)};

    assert_non_null(mkdtemp(folder));
    for (size_t at = 0; at < ARRAY_COUNT(files); at++) {
        FILE *file = fopen(arena_printf(&arena, "%s/%s", folder, files[at]), "w");

        assert_non_null(file);
        fputs(texts[at], file);
        assert_int_equal(fclose(file), 0);
    }

    const char *command =
        arena_printf(&arena, "cd %s && patch -s old diff && cmp old new && rm -r ../$(basename %s)",
                     folder, folder);

    assert_int_equal(system(command), 0); // NOLINT
}

static void what_patch_makes_of_it_is_the_new_text(void **state)
{
    (void)state;
    unsigned random = 7;

    for (int round = 0; round < 40; round++) {
        CLEANUP(text_release) struct text old = {0}, new = {0};

        for (int line = 0; line < 60; line++) {
            random = random * 1103515245U + 12345U;
            if (random >> 16 & 7)
                text_append_format(&old, "%u\n", random >> 20 & 15);
            if (random >> 24 & 7)
                text_append_format(&new, "%u\n", random >> 20 & 15);
        }
        if (!equal(text_string(&old), text_string(&new)))
            assert_patches(text_string(&old), text_string(&new));
    }
}

static void the_diff_is_a_shortest_one(void **state)
{
    (void)state;
    const char *out = diff("a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n");
    int differences = 0;

    // The example of Myers' paper: five differences.
    for (const char *line = strchr(out, '@'); line != NULL; line = strchr(line + 1, '\n'))
        differences += line[0] == '\n' && (line[1] == '-' || line[1] == '+');
    assert_int_equal(differences, 5);
}

static void texts_with_nothing_in_common_are_soon_done(void **state)
{
    (void)state;
    CLEANUP(text_release) struct text old = {0}, new = {0};
    int64_t start = clock_ms();

    for (int line = 0; line < 50000; line++) {
        text_append_format(&old, "%d\n", line % 7);
        text_append_format(&new, "%d\n", line % 5 + 1);
    }

    const char *out = diff(text_string(&old), text_string(&new));

    assert_true(ends_with(out, "\n... more lines differ, which are not shown\n"));
    assert_in_range(clock_ms() - start, 0, 2000);
}

static void passwords_are_not_shown(void **state)
{
    (void)state;
    assert_string_equal(redacted("  password: hunter2"), "  password: ***");
    assert_string_equal(redacted("PGPASSWORD=two words"), "PGPASSWORD=***");
    assert_string_equal(redacted("\"password\": \"a\","), "\"password\": ***");
    assert_string_equal(redacted("primary_conninfo = 'host=x password=abc user=y'"),
                        "primary_conninfo = 'host=x password=*** user=y'");
    assert_string_equal(redacted("primary_conninfo = 'password=''a b'' user=y'"),
                        "primary_conninfo = 'password=*** user=y'");
    assert_string_equal(redacted("{username: a, password: b, x: c}"),
                        "{username: a, password: ***, x: c}");
    assert_string_equal(redacted("url = postgresql://me:abc@host/db"),
                        "url = postgresql://me:***@host/db");
    assert_string_equal(redacted("password_encryption = scram-sha-256"),
                        "password_encryption = scram-sha-256");
    assert_string_equal(redacted("passfile=/x"), "passfile=/x");
}

static void what_may_still_be_of_a_password_is_not_shown(void **state)
{
    (void)state;
    assert_string_equal(redacted("primary_conninfo = 'password=''it\\\\'' is'' user=x'"),
                        "primary_conninfo = 'password=***");
    assert_string_equal(redacted("{user: a, password: \"a\\\" b\", x: c}"),
                        "{user: a, password: ***, x: c}");
    assert_string_equal(redacted("{user: a, password: 'it''s', x: c}"), "{user: a, password: ***");
    assert_string_equal(redacted("{user: a, password: two words, x: c}"),
                        "{user: a, password: ***, x: c}");
    assert_string_equal(redacted("password: a{b c"), "password: ***");
    assert_string_equal(redacted("Environment=\"A_PASSWORD=two words\""),
                        "Environment=\"A_PASSWORD=***");
    assert_string_equal(redacted("restore_command = 'fetch --password ''a b'' %f'"),
                        "restore_command = 'fetch --password *** %f'");
    assert_string_equal(redacted("archive_command = 'curl -u me:it''s a b'"),
                        "archive_command = 'curl -u me:***");
    assert_string_equal(redacted("url = postgresql://me:a@b@host/db"),
                        "url = postgresql://me:***@host/db");
    assert_string_equal(redacted("api_token: x"), "api_token: ***");
}

static void the_lines_of_a_secret_are_not_shown(void **state)
{
    (void)state;
    assert_string_equal(diff("a: 1\nb:\n  password: |-\n    x\n\n    y\n  c: 2\n",
                             "a: 2\nb:\n  password: |-\n    x\n\n    y\n  c: 3\n"),
                        "--- /etc/x\n+++ /etc/x\n@@ -1,7 +1,7 @@\n-a: 1\n+a: 2\n b:\n"
                        "   password: ***\n ***\n \n ***\n-  c: 2\n+  c: 3\n");
    assert_string_equal(diff("- password: x\n  c: 2\n", "- password: x\n  c: 3\n"),
                        "--- /etc/x\n+++ /etc/x\n@@ -1,2 +1,2 @@\n - password: ***\n"
                        "-  c: 2\n+  c: 3\n");
}

static void a_line_cannot_drive_a_terminal(void **state)
{
    (void)state;
    assert_string_equal(redacted("a\x1b[2J"), "a\\x1b[2J");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changed_line_stands_between_three_lines_of_context),
        cmocka_unit_test(equal_texts_have_no_diff),
        cmocka_unit_test(a_file_that_appears_or_goes_is_dev_null_on_the_other_side),
        cmocka_unit_test(a_missing_last_newline_is_told),
        cmocka_unit_test(changes_far_apart_have_hunks_of_their_own),
        cmocka_unit_test(what_patch_makes_of_it_is_the_new_text),
        cmocka_unit_test(the_diff_is_a_shortest_one),
        cmocka_unit_test(texts_with_nothing_in_common_are_soon_done),
        cmocka_unit_test(passwords_are_not_shown),
        cmocka_unit_test(what_may_still_be_of_a_password_is_not_shown),
        cmocka_unit_test(the_lines_of_a_secret_are_not_shown),
        cmocka_unit_test(a_line_cannot_drive_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, release_arena);
}
