#include "cli/display.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A display that writes into a pipe, as where there is no terminal. */
struct fixture {
    struct arena arena;
    struct cli cli;
    struct display display;
    struct node hosts;
    struct step step;
    int ends[2];
};

static int begin(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    assert_int_equal(pipe2(fixture->ends, O_NONBLOCK), 0);
    fixture->cli.arena = &fixture->arena;
    terminal_init(&fixture->cli.err, fixture->ends[1], "never");
    terminal_init(&fixture->cli.out, fixture->ends[1], "never");
    display_init(&fixture->display, &fixture->cli);
    fixture->hosts = (struct node){.kind = NODE_TEXT, .text = "held"};
    fixture->step =
        (struct step){.id = "mark-proven", .hosts = &fixture->hosts, .phase = PHASE_DEPLOY};
    *state = fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;

    (void)close(fixture->ends[0]);
    (void)close(fixture->ends[1]);
    arena_release(&fixture->arena);
    free(fixture);
    return 0;
}

/* What was written, with dashes for the time and the duration of each line. */
static const char *written(struct fixture *fixture)
{
    char *bytes = arena_alloc(&fixture->arena, 65536);
    ssize_t got = read(fixture->ends[0], bytes, 65535);

    if (got < 0)
        return "";
    bytes[got] = '\0';
    for (char *line = bytes; line != NULL && *line != '\0';) {
        if (strlen(line) > 8 && line[2] == ':' && line[8] == 'Z')
            memcpy(line, "--:--:--", 8);
        if (strlen(line) > 64 && memcmp(line + 61, " ms", 3) == 0)
            memcpy(line + 57, "----", 4);
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return bytes;
}

static void a_step_has_a_line_when_it_begins_and_when_it_ends(void **state)
{
    struct fixture *fixture = *state;

    observe_event(&fixture->display, &fixture->step, "pg3", "begins", NULL);
    observe_event(&fixture->display, &fixture->step, "pg3", "done", "lsn 0/4212900");
    assert_string_equal(
        written(fixture),
        "--:--:--Z  mark-proven        held (pg3)       begins\n"
        "--:--:--Z  mark-proven        held (pg3)       done      ---- ms  lsn 0/4212900\n");
}

static void a_wait_is_told_every_half_minute(void **state)
{
    struct fixture *fixture = *state;
    const struct run_view_host hosts[] = {{"pg3", "lag 12 MB", false}, {"pg2", "", true}};
    struct run_view view = {
        .step = &fixture->step, .elapsed_ms = 29000, .hosts = hosts, .host_count = 2};

    observe_event(&fixture->display, &fixture->step, "pg3", "begins", NULL);
    (void)written(fixture);
    observe_tick(&fixture->display, &view);
    assert_string_equal(written(fixture), "");
    view.elapsed_ms = 30100;
    observe_tick(&fixture->display, &view);
    view.elapsed_ms = 31000;
    observe_tick(&fixture->display, &view);
    assert_string_equal(
        written(fixture),
        "--:--:--Z  mark-proven        held (pg3)       waits        30 s  still waiting: "
        "lag 12 MB\n");
}

static void a_failure_that_the_error_tells_is_not_told_twice(void **state)
{
    struct fixture *fixture = *state;
    struct error *error = error_new(&fixture->arena, ERROR_FAILED,
                                    "step \"mark-proven\" failed on held (pg3): no such record");

    observe_event(&fixture->display, &fixture->step, "pg3", "failed", "no such record");
    observe_event(&fixture->display, &fixture->step, "pg2", "failed", "disk is full");
    display_finish(&fixture->display, error);
    assert_string_equal(written(fixture), "--:--:--Z  mark-proven        held (pg3)       failed\n"
                                          "--:--:--Z  mark-proven        held (pg2)       failed\n"
                                          "           held (pg2): disk is full\n");
}

static void findings_of_the_preflight_are_told_at_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct error *error = error_new(&fixture->arena, ERROR_REFUSED, "the preflight found 2 things");

    observe_event(&fixture->display, &fixture->step, "pg3", "failed", "not true");
    observe_event(&fixture->display, &fixture->step, NULL, "finding", "step \"a\": not true");
    observe_event(&fixture->display, &fixture->step, NULL, "finding", "step \"b\": no");
    (void)written(fixture);
    display_finish(&fixture->display, error);
    assert_string_equal(written(fixture), "           step \"a\": not true\n"
                                          "           step \"b\": no\n");
}

static void what_a_host_said_cannot_drive_the_terminal(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(text_release) struct text rows = {0};

    text_append(&rows, "\x1b]0;x\x07");
    observe_event(&fixture->display, &fixture->step, "pg3", "done", "\x1b[2J\r\n\xe2\x80\x8f");
    observe_show(&fixture->display, &fixture->step, "pg3", &rows);
    assert_string_equal(
        written(fixture),
        "--:--:--Z  mark-proven        held (pg3)       done               \\x1b[2J\\x0d \\u200f\n"
        "mark-proven on held (pg3):\n"
        "\\x1b]0;x\\x07\n");
}

static void a_gate_is_not_answered_where_there_is_no_terminal(void **state)
{
    struct fixture *fixture = *state;

    assert_false(observe_confirm(&fixture->display, &fixture->step, "Roll back?"));
    assert_string_equal(written(fixture), "");
}

static void the_frame_shows_step_hosts_and_guards_within_its_size(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(text_release) struct text text = {0};
    const struct node below = {.kind = NODE_TEXT, .key = "below", .text = "20GB"};
    const struct node map = {.kind = NODE_MAP, .child = &below, .count = 1};
    const struct node leader = {.kind = NODE_TEXT, .text = "leader"};
    const struct guard behind = {.step = {.id = "held-behind", .hosts = &leader, .params = &map}};
    const struct guard held = {.step = {.id = "still-held", .hosts = &fixture->hosts}};
    const struct run_view_guard guards[] = {{&behind, "pg1", "12 MB", true, true, NAN},
                                            {&held, "pg3", "replay goes on", false, true, NAN}};
    const struct run_view_host hosts[] = {{"pg3", "exit status 1", false}};
    const struct run_view view = {.phase = PHASE_DEPLOY,
                                  .step = &fixture->step,
                                  .elapsed_ms = 83000,
                                  .index = 4,
                                  .count = 6,
                                  .hosts = hosts,
                                  .host_count = 1,
                                  .guards = guards,
                                  .guard_count = 2};

    fixture->step.about = "the restore point is in the held node's WAL, and nowhere else";
    assert_int_equal(display_frame(&text, &fixture->cli.err, &fixture->arena, &view, 80, 22), 4);
    assert_string_equal(
        text_string(&text),
        "deploy  step 4 of 6  mark-proven  the restore point is in the held nod...  1:23\n"
        "  held (pg3)        exit status 1\n"
        "  guard  held-behind        leader (pg1)     true     12 MB (below 20GB)\n"
        "         still-held         held (pg3)       NOT TRUE replay goes on\n");
    text_clear(&text);
    assert_int_equal(display_frame(&text, &fixture->cli.err, &fixture->arena, &view, 80, 2), 2);
}

static void the_budget_is_the_limit_that_is_reached_first(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(text_release) struct text text = {0};
    const struct guard disk = {.step = {.id = "disk", .hosts = &fixture->hosts}};
    const struct guard behind = {.step = {.id = "held-behind"}};
    struct run_view_guard guards[] = {{&behind, "pg1", "", true, true, 90000},
                                      {&disk, "pg3", "", true, true, 11405},
                                      {&disk, "pg1", "", true, true, INFINITY},
                                      {&disk, "pg2", "", true, false, NAN}};
    const struct run_view view = {.step = &fixture->step, .guards = guards, .guard_count = 4};
    const char *words = budget_words(&fixture->arena, &view);

    assert_true(starts_with(words, "can be held 3 h 10 min, until "));
    assert_true(ends_with(words, " UTC; limit: disk on held (pg3)"));
    (void)display_frame(&text, &fixture->cli.err, &fixture->arena, &view, 80, 22);
    assert_non_null(strstr(text_string(&text), "\n  budget can be held 3 h 10 min, until "));

    guards[1].seconds = 0;
    assert_string_equal(budget_words(&fixture->arena, &view),
                        "cannot be held any longer; limit: disk on held (pg3)");
    guards[0].seconds = guards[1].seconds = INFINITY;
    assert_null(budget_words(&fixture->arena, &view));
}

static void what_lasts_is_told_as_less_rather_than_as_more(void **state)
{
    struct fixture *fixture = *state;

    assert_string_equal(lasting_words(&fixture->arena, 119.9), "119 s");
    assert_string_equal(lasting_words(&fixture->arena, 3599), "59 min");
    assert_string_equal(lasting_words(&fixture->arena, 7199), "1 h 59 min");
    assert_string_equal(lasting_words(&fixture->arena, 3600 * 49), "2 d 1 h");
}

static void durations_are_short(void **state)
{
    char words[DURATION_SIZE];

    (void)state;
    assert_string_equal(duration_words(31, words), "31 ms");
    assert_string_equal(duration_words(1449, words), "1.4 s");
    assert_string_equal(duration_words(59999, words), "59 s");
    assert_string_equal(duration_words(192000, words), "3:12");
    assert_string_equal(duration_words(3792000, words), "1:03:12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_step_has_a_line_when_it_begins_and_when_it_ends, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_wait_is_told_every_half_minute, begin, end),
        cmocka_unit_test_setup_teardown(a_failure_that_the_error_tells_is_not_told_twice, begin,
                                        end),
        cmocka_unit_test_setup_teardown(findings_of_the_preflight_are_told_at_the_end, begin, end),
        cmocka_unit_test_setup_teardown(what_a_host_said_cannot_drive_the_terminal, begin, end),
        cmocka_unit_test_setup_teardown(a_gate_is_not_answered_where_there_is_no_terminal, begin,
                                        end),
        cmocka_unit_test_setup_teardown(the_frame_shows_step_hosts_and_guards_within_its_size,
                                        begin, end),
        cmocka_unit_test_setup_teardown(the_budget_is_the_limit_that_is_reached_first, begin, end),
        cmocka_unit_test_setup_teardown(what_lasts_is_told_as_less_rather_than_as_more, begin, end),
        cmocka_unit_test(durations_are_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
