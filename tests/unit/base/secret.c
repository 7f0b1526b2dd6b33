#include "base/secret.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>
#include <string.h>

static struct arena arena;

static int release_arena(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static const char *hidden(const char *bytes, const char *printed)
{
    CLEANUP(text_release) struct text text = {0};
    char *copy = arena_strdup(&arena, bytes);
    struct secret secret = {.bytes = copy, .length = strlen(copy)};
    const char *before;
    bool is_hidden;

    text_append(&text, printed);
    before = text_copy(&text, &arena);
    is_hidden = secret_hide(&secret, &text);
    assert_int_equal(is_hidden, strcmp(before, text_string(&text)) != 0);
    return text_copy(&text, &arena);
}

static void a_secret_is_hidden_as_it_is_and_as_languages_quote_it(void **state)
{
    (void)state;
    assert_string_equal(hidden("it's \"a\\b", "<it's \"a\\b> <it's \"a\\b>"), "<***> <***>");
    assert_string_equal(hidden("it's \"a\\b", "'it''s \"a\\b'"), "'***'");
    assert_string_equal(hidden("it's \"a\\b", "'it'\\''s \"a\\b'"), "'***'");
    assert_string_equal(hidden("it's \"a\\b", "\"it's \\\"a\\\\b\""), "\"***\"");
    assert_string_equal(hidden("it's \"a\\b", "'it\\'s \"a\\\\b'"), "'***'");
    assert_string_equal(hidden("it's \"a\\b", "'it''s \"a\\\\b'"), "'***'");
    assert_string_equal(hidden("it's /a", "x=it%27s%20%2Fa&y=it%27s%20/a"), "x=***&y=***");
}

static void a_secret_is_hidden_in_base64_wherever_it_begins(void **state)
{
    (void)state;
    // base64 of "correct horse", "-correct horse-" and "--correct horse--"
    assert_string_equal(hidden("correct horse", "Y29ycmVjdCBob3JzZQ=="), "***Q==");
    assert_string_equal(hidden("correct horse", "LWNvcnJlY3QgaG9yc2Ut"), "LW***Ut");
    assert_string_equal(hidden("correct horse", "LS1jb3JyZWN0IGhvcnNlLS0="), "LS1***LS0=");
}

static void each_line_of_a_secret_is_hidden(void **state)
{
    (void)state;
    assert_string_equal(hidden("first line\nsecond line\n", "second line, then first line\n"),
                        "***, then ***\n");
}

static void what_is_too_short_or_not_there_stays(void **state)
{
    (void)state;
    assert_string_equal(hidden("abc", "abc"), "abc");
    assert_string_equal(hidden("correct horse", "correct horst"), "correct horst");
    assert_string_equal(hidden("correct horse", ""), "");
}

static bool has(char *const *list, const char *entry)
{
    for (; *list != NULL; list++) {
        if (equal(*list, entry))
            return true;
    }
    return false;
}

static void programs_that_we_start_are_not_given_the_variables_of_secrets(void **state)
{
    (void)state;
    assert_int_equal(setenv("HB_SECRET", "a", 1), 0);   // NOLINT(concurrency-mt-unsafe)
    assert_int_equal(setenv("HB_SECRET_2", "b", 1), 0); // NOLINT(concurrency-mt-unsafe)
    assert_int_equal(setenv("PGPASSWORD", "c", 1), 0);  // NOLINT(concurrency-mt-unsafe)
    assert_true(has(secret_environment(&arena), "HB_SECRET=a"));
    secret_variable_add("HB_SECRET");
    secret_variable_add("HB_SECRET");
    assert_false(has(secret_environment(&arena), "HB_SECRET=a"));
    assert_true(has(secret_environment(&arena), "HB_SECRET_2=b"));
    assert_false(has(secret_environment(&arena), "PGPASSWORD=c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_hidden_as_it_is_and_as_languages_quote_it),
        cmocka_unit_test(a_secret_is_hidden_in_base64_wherever_it_begins),
        cmocka_unit_test(each_line_of_a_secret_is_hidden),
        cmocka_unit_test(what_is_too_short_or_not_there_stays),
        cmocka_unit_test(programs_that_we_start_are_not_given_the_variables_of_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, release_arena);
}
