#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void what_was_adopted_lives_as_long_as_the_arena_that_has_it(void **state)
{
    struct arena arena = {0}, from = {0};
    const char *texts[1000];

    (void)state;
    for (int at = 0; at < 1000; at++)
        texts[at] = arena_printf(at % 2 == 0 ? &arena : &from, "%d %0*d", at, at, 0);
    arena_adopt(&arena, &from);
    arena_release(&from);
    for (int at = 0; at < 1000; at++) {
        char expected[1100];

        (void)snprintf(expected, sizeof expected, "%d %0*d", at, at, 0);
        assert_string_equal(texts[at], expected);
    }
    assert_string_equal(arena_strdup(&arena, "and on"), "and on");
    assert_string_equal(arena_strdup(&from, "usable"), "usable");
    arena_release(&from);
    arena_release(&arena);
}

static void an_empty_arena_is_adopted_without_effect(void **state)
{
    struct arena arena = {0}, from = {0};
    const char *text = arena_strdup(&arena, "kept");

    (void)state;
    arena_adopt(&arena, &from);
    assert_string_equal(text, "kept");
    arena_release(&arena);
    arena_adopt(&arena, &from);
    assert_null(arena.blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_adopted_lives_as_long_as_the_arena_that_has_it),
        cmocka_unit_test(an_empty_arena_is_adopted_without_effect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
