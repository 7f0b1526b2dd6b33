#include "cli/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder that is the current one, a file in it, and a report on it. */
struct fixture {
    struct arena arena;
    struct terminal terminal;
    struct report report;
    struct text text;
    char folder[32];
};

static int begin(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    (void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/holdback-report-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_int_equal(chdir(fixture->folder), 0);
    fixture->terminal = (struct terminal){.fd = -1, .width = 80};
    fixture->report = (struct report){.arena = &fixture->arena, .terminal = &fixture->terminal};
    *state = fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;

    (void)unlink("plan.yml");
    assert_int_equal(chdir("/"), 0);
    (void)rmdir(fixture->folder);
    text_release(&fixture->text);
    arena_release(&fixture->arena);
    free(fixture);
    return 0;
}

static void write_plan(const char *content)
{
    FILE *file = fopen("plan.yml", "w");

    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct error *error_in_plan(struct fixture *fixture, int line, int column, int length,
                                   const char *message)
{
    const struct place place = {"plan.yml", line, column, length, false};

    return error_at(&fixture->arena, place, "%s", message);
}

static void expect(struct fixture *fixture, const struct error *error, const char *text)
{
    report_error(&fixture->text, &fixture->report, error);
    assert_string_equal(text_string(&fixture->text), text);
}

static void an_error_in_a_file_looks_like_a_compilers(void **state)
{
    struct fixture *fixture = *state;

    write_plan("deploy:\n  - sql:\n      quer: SELECT pg_wal_replay_pause()\n");

    struct error *error = error_in_plan(fixture, 3, 7, 4, "unknown key \"quer\" in action \"sql\"");

    expect(fixture, error_hint(&fixture->arena, error, "did you mean \"query\"?"),
           "plan.yml:3:7: error: unknown key \"quer\" in action \"sql\"\n"
           "    3 |       quer: SELECT pg_wal_replay_pause()\n"
           "      |       ^~~~ did you mean \"query\"?\n");
}

static void a_hint_that_does_not_fit_beside_the_caret_has_its_own_lines(void **state)
{
    struct fixture *fixture = *state;

    write_plan("about: a plan\n");

    struct error *error = error_in_plan(fixture, 1, 8, 6, "too short");

    expect(fixture,
           error_hint(&fixture->arena, error,
                      "A sentence that is so long that it cannot stand beside the caret on a "
                      "terminal of eighty columns."),
           "plan.yml:1:8: error: too short\n"
           "    1 | about: a plan\n"
           "      |        ^~~~~~\n"
           "      = A sentence that is so long that it cannot stand beside the caret on a\n"
           "        terminal of eighty columns.\n");
}

static void the_caret_stands_below_wide_characters_and_tabs(void **state)
{
    struct fixture *fixture = *state;

    write_plan("日本\té: x\n");
    expect(fixture, error_in_plan(fixture, 1, 4, 2, "wrong"),
           "plan.yml:1:4: error: wrong\n"
           "    1 | 日本    é: x\n"
           "      |         ^\n");
}

static void of_a_long_line_only_what_is_around_the_place_is_shown(void **state)
{
    struct fixture *fixture = *state;
    char line[4000];

    memset(line, 'x', sizeof line);
    memcpy(line + 2000, "here", 4);
    line[sizeof line - 1] = '\0';
    write_plan(line);
    expect(fixture, error_in_plan(fixture, 1, 2001, 4, "wrong"),
           "plan.yml:1:2001: error: wrong\n"
           "    1 | ...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxherexxxxxxxxxxxxxxxxxxxxxxxxxx...\n"
           "      |                                        ^~~~\n");
}

static void a_place_without_a_line_names_the_file_alone(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, error_in_plan(fixture, 0, 0, 0, "could not open it"),
           "plan.yml: error: could not open it\n");
}

static void an_error_tells_its_causes_and_their_hints_once(void **state)
{
    struct fixture *fixture = *state;
    struct arena *arena = &fixture->arena;
    struct error *cause = error_new(arena, ERROR_UNREACHABLE, "Connection refused");

    cause = error_hint(arena, cause, "Check that sshd is running.");
    expect(fixture, error_because(arena, cause, "could not connect to host \"pg1\""),
           "holdback: error: could not connect to host \"pg1\": Connection refused\n"
           "holdback: hint: Check that sshd is running.\n");
}

static void what_a_host_said_cannot_drive_the_terminal(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture,
           error_new(&fixture->arena, ERROR_FAILED,
                     "it said \"\x1b[2Jx\r\xe2\x80\x8f\xff\"\nDETAIL: y"),
           "holdback: error: it said \"\\x1b[2Jx\\x0d\\u200f\\xff\"\n    DETAIL: y\n");
}

static void a_line_of_a_file_cannot_drive_the_terminal(void **state)
{
    struct fixture *fixture = *state;

    write_plan("a\x1b[2Jb: \xe2\x80\x8f"
               "c\n");
    expect(fixture, error_in_plan(fixture, 1, 6, 1, "wrong"),
           "plan.yml:1:6: error: wrong\n"
           "    1 | a\\x1b[2Jb: \\u200fc\n"
           "      |         ^\n");
}

static void hazards_are_warnings_with_an_id_unless_strict(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings = {.arena = &fixture->arena};
    const struct place place = {"plan.yml", 1, 1, 5, false};

    write_plan("steps: 1\n");
    findings_add_hazard(&findings, "HB007", place, NULL, "no timeout");
    report_findings(&fixture->text, &fixture->report, &findings);
    fixture->report.is_strict = true;
    report_findings(&fixture->text, &fixture->report, &findings);
    assert_string_equal(text_string(&fixture->text), "plan.yml:1:1: warning: no timeout [HB007]\n"
                                                     "    1 | steps: 1\n"
                                                     "      | ^~~~~\n"
                                                     "plan.yml:1:1: error: no timeout [HB007]\n"
                                                     "    1 | steps: 1\n"
                                                     "      | ^~~~~\n");
}

static void findings_are_counted_in_words(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings = {.arena = &fixture->arena, .error_count = 2, .hazard_count = 1};

    report_count(&fixture->text, &fixture->report, &findings);
    text_append(&fixture->text, "; ");
    fixture->report.is_strict = true;
    report_count(&fixture->text, &fixture->report, &findings);
    assert_string_equal(text_string(&fixture->text), "2 errors, 1 warning; 3 errors");
}

static void many_findings_in_one_long_file_are_told_at_once(void **state)
{
    enum { LINES = 400000 };
    struct fixture *fixture = *state;
    struct findings findings = {.arena = &fixture->arena};
    FILE *file = fopen("plan.yml", "w");
    int64_t began_ms = clock_ms();

    assert_non_null(file);
    for (int line = 0; line < LINES; line++)
        assert_true(fputs("key: value\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    for (int at = 0; at < 200; at++)
        findings_add(&findings, (struct place){"plan.yml", LINES - 200 + at, 1, 3, false}, NULL,
                     "wrong");
    report_findings(&fixture->text, &fixture->report, &findings);
    assert_true(clock_ms() - began_ms < 1000);
    assert_non_null(strstr(text_string(&fixture->text), "plan.yml:399999:1: error: wrong\n"));
}

static void a_path_in_the_current_folder_is_told_as_it_would_be_typed(void **state)
{
    struct fixture *fixture = *state;
    const char *path = arena_printf(&fixture->arena, "%s/a/plan.yml", fixture->folder);

    assert_string_equal(short_path(&fixture->arena, path), "a/plan.yml");
    assert_string_equal(short_path(&fixture->arena, "/etc/x"), "/etc/x");
}

static void every_kind_of_error_has_its_exit_status(void **state)
{
    static const struct {
        enum error_kind kind;
        int status;
    } kinds[] = {
        {ERROR_FAILED, 1},       {ERROR_INPUT, 3},   {ERROR_IN_DOUBT, 4},  {ERROR_LOCKED, 5},
        {ERROR_UNREACHABLE, 6},  {ERROR_GUARD, 7},   {ERROR_GATE, 8},      {ERROR_REFUSED, 9},
        {ERROR_ROLLED_BACK, 10}, {ERROR_TIMEOUT, 1}, {ERROR_STOPPED, 143},
    };
    struct fixture *fixture = *state;

    assert_int_equal(error_exit(NULL, 0), 0);
    for (size_t at = 0; at < ARRAY_COUNT(kinds); at++)
        assert_int_equal(error_exit(error_new(&fixture->arena, kinds[at].kind, "x"), 15),
                         kinds[at].status);
}

static void colour_is_around_the_word_error_alone(void **state)
{
    struct fixture *fixture = *state;

    fixture->terminal.has_color = true;
    expect(fixture, error_new(&fixture->arena, ERROR_FAILED, "x"),
           "holdback: \x1b[1;31merror:\x1b[0m x\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_error_in_a_file_looks_like_a_compilers, begin, end),
        cmocka_unit_test_setup_teardown(a_hint_that_does_not_fit_beside_the_caret_has_its_own_lines,
                                        begin, end),
        cmocka_unit_test_setup_teardown(the_caret_stands_below_wide_characters_and_tabs, begin,
                                        end),
        cmocka_unit_test_setup_teardown(of_a_long_line_only_what_is_around_the_place_is_shown,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_place_without_a_line_names_the_file_alone, begin, end),
        cmocka_unit_test_setup_teardown(an_error_tells_its_causes_and_their_hints_once, begin, end),
        cmocka_unit_test_setup_teardown(what_a_host_said_cannot_drive_the_terminal, begin, end),
        cmocka_unit_test_setup_teardown(a_line_of_a_file_cannot_drive_the_terminal, begin, end),
        cmocka_unit_test_setup_teardown(hazards_are_warnings_with_an_id_unless_strict, begin, end),
        cmocka_unit_test_setup_teardown(findings_are_counted_in_words, begin, end),
        cmocka_unit_test_setup_teardown(many_findings_in_one_long_file_are_told_at_once, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_path_in_the_current_folder_is_told_as_it_would_be_typed,
                                        begin, end),
        cmocka_unit_test_setup_teardown(every_kind_of_error_has_its_exit_status, begin, end),
        cmocka_unit_test_setup_teardown(colour_is_around_the_word_error_alone, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
