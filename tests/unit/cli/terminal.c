#include "cli/terminal.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* VALUE NULL: not set. */
static void set(const char *name, const char *value)
{
    if (value == NULL)
        assert_int_equal(unsetenv(name), 0); // NOLINT(concurrency-mt-unsafe)
    else
        assert_int_equal(setenv(name, value, 1), 0); // NOLINT(concurrency-mt-unsafe)
}

static void forget_environment(void)
{
    set("NO_COLOR", NULL);
    set("CLICOLOR_FORCE", NULL);
    set("FORCE_COLOR", NULL);
    set("TERM", "xterm");
}

/* Is there colour on a pipe? */
static bool has_color(const char *option)
{
    struct terminal terminal;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    terminal_init(&terminal, ends[1], option);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_false(terminal.is_terminal);
    assert_int_equal(terminal.width, 0);
    return terminal.has_color;
}

static void the_option_decides_colour_before_the_environment(void **state)
{
    (void)state;
    forget_environment();
    assert_false(has_color(NULL));
    assert_true(has_color("always"));
    set("CLICOLOR_FORCE", "1");
    assert_true(has_color("auto"));
    assert_false(has_color("never"));
    set("NO_COLOR", "1");
    assert_false(has_color(NULL));
    assert_true(has_color("always"));
    set("NO_COLOR", "");
    assert_true(has_color(NULL));
    set("CLICOLOR_FORCE", "0");
    assert_false(has_color(NULL));
    forget_environment();
}

static void width_is_counted_in_columns_of_what_is_visible(void **state)
{
    (void)state;
    assert_int_equal(string_width("abc"), 3);
    assert_int_equal(string_width("日本"), 4);
    assert_int_equal(string_width("e\u0301"), 1);
    assert_int_equal(string_width("\x1b"), 4);
    assert_int_equal(string_width("\xe2\x80\x8f"), 6);
    assert_int_equal(string_width("\xff"), 4);
}

static void expect_cut(const char *string, int columns, const char *expected)
{
    CLEANUP(text_release) struct text text = {0};

    text_append_cut(&text, string, columns);
    assert_string_equal(text_string(&text), expected);
    assert_true(string_width(text_string(&text)) <= columns);
}

static void what_is_too_long_ends_in_three_dots(void **state)
{
    (void)state;
    expect_cut("abcdef", 6, "abcdef");
    expect_cut("abcdefg", 6, "abc...");
    expect_cut("日本語です", 8, "日本...");
    expect_cut("a\nb\tc", 5, "a b c");
    expect_cut("ab\x1b[31m", 12, "ab\\x1b[31m");
    expect_cut("ab\x1b[31m", 8, "ab...");
    expect_cut("abcdef", 2, "");
}

static void expect_wrapped(const char *string, int at, int indent, int width, const char *expected)
{
    CLEANUP(text_release) struct text text = {0};

    text_append_wrapped(&text, string, at, indent, width);
    assert_string_equal(text_string(&text), expected);
}

static void sentences_break_at_spaces(void **state)
{
    (void)state;
    expect_wrapped("one two three four", 0, 2, 10, "one two\n  three\n  four");
    expect_wrapped("one two three four", 4, 4, 0, "one two three four");
    expect_wrapped("averyveryverylongword x", 0, 0, 10, "averyveryverylongword\nx");
    expect_wrapped("one\ntwo", 0, 3, 80, "one\n   two");
    expect_wrapped("a \x1b[0m", 0, 0, 80, "a \\x1b[0m");
}

static void a_reader_that_does_not_read_loses_what_is_shown_and_stops_nothing(void **state)
{
    CLEANUP(text_release) struct text text = {0};
    struct terminal terminal;
    int ends[2];
    int64_t began_ms = clock_ms();

    (void)state;
    assert_int_equal(pipe(ends), 0);
    terminal_init(&terminal, ends[1], NULL);
    for (int at = 0; at < 100000; at++)
        text_append(&text, "0123456789");
    terminal_show(&terminal, &text, 20);
    assert_true(terminal.is_stalled);
    terminal_show(&terminal, &text, 5000);
    assert_true(clock_ms() - began_ms < 2000);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_reader_that_is_gone_stops_nothing(void **state)
{
    CLEANUP(text_release) struct text text = {0};
    struct terminal terminal;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    terminal_init(&terminal, ends[1], NULL);
    (void)close(ends[0]);
    text_append(&text, "x");
    terminal_show(&terminal, &text, 100);
    assert_false(terminal_write(&terminal, &text));
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_option_decides_colour_before_the_environment),
        cmocka_unit_test(width_is_counted_in_columns_of_what_is_visible),
        cmocka_unit_test(what_is_too_long_ends_in_three_dots),
        cmocka_unit_test(sentences_break_at_spaces),
        cmocka_unit_test(a_reader_that_does_not_read_loses_what_is_shown_and_stops_nothing),
        cmocka_unit_test(a_reader_that_is_gone_stops_nothing),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
