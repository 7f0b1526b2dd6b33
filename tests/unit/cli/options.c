#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    WORDS_MOST = 12,
};

/* Reads LINE, split at spaces, as the words behind "holdback NAME". */
static struct error *read_line(struct arena *arena, unsigned command, const char *name,
                               const char *line, struct options *out)
{
    char *words[WORDS_MOST], *rest, *copy = arena_strdup(arena, line);
    int count = 0;

    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    return options_read(arena, command, name, count, words, out);
}

static void expect_error(unsigned command, const char *name, const char *line, const char *message,
                         const char *hint)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct options options = {.why = "untouched"};
    struct error *error = read_line(&arena, command, name, line, &options);

    assert_non_null(error);
    assert_int_equal(error->kind, ERROR_INPUT);
    assert_string_equal(error->message, message);
    assert_true(equal(error->hint, hint));
    assert_string_equal(options.why, "untouched");
}

static void options_and_arguments_may_be_mixed(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct options options;

    (void)state;
    assert_null(read_line(&arena, FOR_CHECK, "check",
                          "a.yml --set x=1 -c c.yml b.yml --set=y=2=3 --strict", &options));
    assert_int_equal(options.arguments.count, 2);
    assert_string_equal(options.arguments.values[1], "b.yml");
    assert_int_equal(options.settings.count, 2);
    assert_string_equal(options.settings.values[0], "x=1");
    assert_string_equal(options.settings.values[1], "y=2=3");
    assert_string_equal(options.cluster, "c.yml");
    assert_true(options.strict);
    assert_null(options.journal);
}

static void all_values_of_a_repeated_option_are_kept(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct options options;

    (void)state;
    assert_null(read_line(&arena, FOR_RESUME, "resume",
                          "--confirm a --confirm b --confirm c --confirm d --confirm=e", &options));
    assert_int_equal(options.confirmed.count, 5);
    for (size_t at = 0; at < 5; at++)
        assert_int_equal(options.confirmed.values[at][0], 'a' + (int)at);
}

static void a_letter_may_have_its_value_behind_it(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct options options;

    (void)state;
    assert_null(read_line(&arena, FOR_DEPLOY, "deploy", "-cc.yml -y p.yml", &options));
    assert_string_equal(options.cluster, "c.yml");
    assert_true(options.yes);
}

static void after_two_hyphens_all_words_are_arguments(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct options options;

    (void)state;
    assert_null(read_line(&arena, FOR_CHECK, "check", "-- --strict -", &options));
    assert_int_equal(options.arguments.count, 2);
    assert_false(options.strict);
}

static void an_unknown_option_is_told_with_the_likely_one(void **state)
{
    (void)state;
    expect_error(FOR_STATUS, "status", "--wach", "command \"status\" has no option \"--wach\"",
                 "did you mean \"--watch\"?");
    expect_error(FOR_STATUS, "status", "--live=1", "command \"status\" has no option \"--live\"",
                 "Run \"holdback status --help\" for its options.");
    expect_error(FOR_STATUS, "status", "-x", "command \"status\" has no option \"-x\"",
                 "Run \"holdback status --help\" for its options.");
}

static void a_value_that_is_missing_or_wrong_is_told(void **state)
{
    (void)state;
    expect_error(FOR_CHECK, "check", "p.yml --set", "option \"--set\" needs a value: NAME=VALUE",
                 NULL);
    expect_error(FOR_CHECK, "check", "p.yml --set =x",
                 "option \"--set\" needs NAME=VALUE, not \"=x\"", NULL);
    expect_error(FOR_LOG, "log", "--format markdown",
                 "option \"--format\" cannot be \"markdown\": text|json", NULL);
    expect_error(FOR_DEPLOY, "deploy", "--on-failure roll",
                 "option \"--on-failure\" cannot be \"roll\": stop|rollback", NULL);
    expect_error(FOR_CHECK, "check", "-c a -c b", "option \"--cluster\" is given twice", NULL);
    expect_error(FOR_CHECK, "check", "--strict=yes", "option \"--strict\" takes no value", NULL);
}

static void help_lists_what_the_command_takes_and_nothing_else(void **state)
{
    CLEANUP(text_release) struct text text = {0};

    (void)state;
    options_append_help(&text, FOR_CHECK);
    assert_string_equal(
        text_string(&text),
        "  -c, --cluster CLUSTER       the cluster file\n"
        "      --set NAME=VALUE        the value of a variable of the plan; may be "
        "repeated\n"
        "      --strict                hazards are errors\n"
        "      --explain ID            what a hazard is, why, and what to write instead\n"
        "      --format text|github    how to write it; github: annotations (default: text)\n"
        "      --color auto|always|never\n"
        "                              colours (default: auto)\n"
        "  -h, --help                  show this\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_may_be_mixed),
        cmocka_unit_test(all_values_of_a_repeated_option_are_kept),
        cmocka_unit_test(a_letter_may_have_its_value_behind_it),
        cmocka_unit_test(after_two_hyphens_all_words_are_arguments),
        cmocka_unit_test(an_unknown_option_is_told_with_the_likely_one),
        cmocka_unit_test(a_value_that_is_missing_or_wrong_is_told),
        cmocka_unit_test(help_lists_what_the_command_takes_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
