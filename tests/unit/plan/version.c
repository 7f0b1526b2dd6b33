#include "base/text.h"
#include "plan/sqltext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_range_holds_the_versions_that_it_says(void **state)
{
    (void)state;
    assert_true(version_matches(">=14", 140000));
    assert_true(version_matches(">=14", 150018));
    assert_false(version_matches(">=14", 139999));
    assert_true(version_matches("<10", 90624));
    assert_false(version_matches("<10", 100000));
    assert_true(version_matches(">=10 <12", 110022));
    assert_false(version_matches(">=10 <12", 120000));
    assert_true(version_matches("14", 140011));
    assert_true(version_matches("=14", 140011));
    assert_false(version_matches("14", 150000));
    assert_true(version_matches("<=14", 140011));
    assert_false(version_matches(">14", 140011));
    assert_true(version_matches(">14", 150000));
    assert_true(version_matches("9.6", 90624));
    assert_false(version_matches("9.6", 90523));
    assert_true(version_matches(">=15.3", 150003));
    assert_false(version_matches(">=15.3", 150002));
}

static void a_version_that_a_program_says_is_a_number(void **state)
{
    (void)state;
    assert_int_equal(version_number("15.18 (Debian 15.18-0+deb12u1)\n"), 150018);
    assert_int_equal(version_number("10.23\n"), 100023);
    assert_int_equal(version_number("9.6.24\n"), 90624);
    assert_int_equal(version_number("18beta1\n"), 180000);
    assert_int_equal(version_number(""), 0);
    assert_int_equal(version_number("not found"), 0);
}

static void what_is_no_range_is_refused_and_matches_nothing(void **state)
{
    static const char *const wrong[] = {"",  ">",     "14 ",   "=>14",   "14.1.2",  "9.6.1.1",
                                        "a", ">= 14", "014",   "14,15",  ">=14<15", "99999",
                                        "0", "14.",   "14..1", "9.6.123"};

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(wrong); at++) {
        assert_false(version_is_valid(wrong[at]));
        assert_false(version_matches(wrong[at], 140000));
    }
    assert_true(version_is_valid(">=9.6 <14"));
}

static const char *gap(struct arena *arena, const char *a, const char *b, const char *c)
{
    const char *const ranges[] = {a, b, c};

    return version_gap(arena, ranges, c != NULL ? 3 : b != NULL ? 2 : 1);
}

static void ranges_that_cover_every_version_have_no_gap(void **state)
{
    CLEANUP(arena_release) struct arena arena = {NULL};

    (void)state;
    assert_null(gap(&arena, ">=14", "<14", NULL));
    assert_null(gap(&arena, "<10", ">=10 <12", ">=12"));
    assert_null(gap(&arena, ">=10", "<=9.6", NULL));
    assert_null(gap(&arena, "<=14", ">14", NULL));
    assert_null(gap(&arena, ">=9.4", NULL, NULL));
    assert_null(gap(&arena, "<14", ">=12", NULL));
}

static void the_first_gap_is_named(void **state)
{
    CLEANUP(arena_release) struct arena arena = {NULL};

    (void)state;
    assert_string_equal(gap(&arena, ">=14", NULL, NULL), "there is no text for version 9.4");
    assert_string_equal(gap(&arena, ">=14", "<13", NULL), "there is no text for version 13");
    assert_string_equal(gap(&arena, "<=9.5", ">=10", NULL), "there is no text for version 9.6");
    assert_string_equal(gap(&arena, "<14", NULL, NULL), "there is no text for version 14");
    assert_string_equal(gap(&arena, "<=15.3", ">=16", NULL), "there is no text for version 15.4");
    assert_string_equal(gap(&arena, "<9.6.3", ">=10", NULL), "there is no text for version 9.6.3");
    assert_string_equal(gap(&arena, "9.4", "9.6", ">=10"), "there is no text for version 9.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_holds_the_versions_that_it_says),
        cmocka_unit_test(a_version_that_a_program_says_is_a_number),
        cmocka_unit_test(what_is_no_range_is_refused_and_matches_nothing),
        cmocka_unit_test(ranges_that_cover_every_version_have_no_gap),
        cmocka_unit_test(the_first_gap_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
