/* When a guard's value will reach its limit. */
#include "run/trend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct bound above(double value, double limit)
{
    return (struct bound){BOUND_ABOVE, value, limit};
}

static void add(struct trend *trend, int64_t at_ms, struct bound bound)
{
    trend_add(trend, at_ms, &bound);
}

static void assert_near(double got, double wanted)
{
    assert_true(fabs(got - wanted) <= 0.01 * fabs(wanted));
}

static void a_steady_value_reaches_its_limit_when_its_pace_says(void **state)
{
    struct trend trend = {0};

    (void)state;
    for (int second = 0; second <= 10; second++)
        add(&trend, second * 1000, above(1e9 - second * 1e6, 5e8));
    assert_near(trend_seconds(&trend, 10000), 490);
    assert_near(trend_seconds(&trend, 12000), 488);
    assert_near(trend_soonest(&trend, 10000), 490);
}

static void a_value_that_must_stay_below_rises_to_its_limit(void **state)
{
    struct trend trend = {0};

    (void)state;
    for (int second = 0; second <= 4; second++)
        add(&trend, second * 1000, (struct bound){BOUND_BELOW, second * 10, 100});
    assert_near(trend_seconds(&trend, 4000), 6);
}

static void steps_of_a_segment_do_not_matter_in_the_long_run(void **state)
{
    struct trend trend = {0};

    (void)state;
    // 2 MB a second, in steps of 16 MB.
    for (int second = 0; second <= 60; second++)
        add(&trend, second * 1000, above(2e9 - second / 8 * 16e6, 0));
    assert_true(fabs(trend_seconds(&trend, 60000) / 940 - 1) < 0.1);
}

static void what_is_older_than_a_minute_is_forgotten(void **state)
{
    struct trend trend = {0};

    (void)state;
    for (int second = 0; second <= 100; second++)
        add(&trend, second * 1000, above(second < 40 ? 1000 : 1000 - (second - 40), 0));
    assert_near(trend_seconds(&trend, 100000), 940);
}

static void a_value_that_does_not_come_nearer_has_no_end(void **state)
{
    struct trend trend = {0};

    (void)state;
    for (int second = 0; second <= 4; second++)
        add(&trend, second * 1000, above(100, 10));
    assert_true(isinf(trend_seconds(&trend, 4000)));
    for (int second = 5; second <= 8; second++)
        add(&trend, second * 1000, above(100 + second, 10));
    assert_true(isinf(trend_seconds(&trend, 8000)));
}

static void less_than_two_values_and_those_of_one_moment_tell_nothing(void **state)
{
    struct trend trend = {0};

    (void)state;
    assert_true(isnan(trend_seconds(&trend, 0)));
    assert_true(isnan(trend_soonest(&trend, 0)));
    add(&trend, 1000, above(100, 10));
    assert_true(isnan(trend_seconds(&trend, 1000)));
    add(&trend, 1100, above(90, 10));
    assert_true(isnan(trend_seconds(&trend, 1100)));
    add(&trend, 1200, (struct bound){BOUND_NONE, 5, 5});
    assert_int_equal(trend.count, 2);
}

static void a_value_that_has_passed_its_limit_has_no_time_left(void **state)
{
    struct trend trend = {0};

    (void)state;
    add(&trend, 1000, above(5, 10));
    assert_true(trend_seconds(&trend, 1000) == 0);
}

static void a_sudden_pace_is_seen_at_once_by_who_must_not_be_late(void **state)
{
    struct trend trend = {0};

    (void)state;
    for (int second = 0; second <= 30; second++)
        add(&trend, second * 1000, above(1e9, 0));
    add(&trend, 30500, above(8e8, 0));
    assert_near(trend_soonest(&trend, 30500), 2);
    assert_true(trend_seconds(&trend, 30500) > 10);
}

static void the_newest_are_kept_when_there_are_too_many(void **state)
{
    struct trend trend = {0};

    (void)state;
    for (int at = 0; at < 3 * TREND_SAMPLES; at++)
        add(&trend, (int64_t)at * 100, above(1e6 - at, 0));
    assert_int_equal(trend.count, TREND_SAMPLES);
    assert_true(trend.samples[TREND_SAMPLES - 1].left == 1e6 - (3 * TREND_SAMPLES - 1));
    assert_near(trend_seconds(&trend, (3 * TREND_SAMPLES - 1) * 100), 1e5);
}

static void each_guard_has_its_trend_on_each_host(void **state)
{
    CLEANUP(trends_release) struct trends trends = {0};
    struct trend *first = trends_find(&trends, "disk", "pg1");

    (void)state;
    assert_ptr_not_equal(first, trends_find(&trends, "disk", "pg2"));
    assert_ptr_not_equal(first, trends_find(&trends, "held-behind", "pg1"));
    assert_ptr_equal(first, trends_find(&trends, "disk", "pg1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_value_reaches_its_limit_when_its_pace_says),
        cmocka_unit_test(a_value_that_must_stay_below_rises_to_its_limit),
        cmocka_unit_test(steps_of_a_segment_do_not_matter_in_the_long_run),
        cmocka_unit_test(what_is_older_than_a_minute_is_forgotten),
        cmocka_unit_test(a_value_that_does_not_come_nearer_has_no_end),
        cmocka_unit_test(less_than_two_values_and_those_of_one_moment_tell_nothing),
        cmocka_unit_test(a_value_that_has_passed_its_limit_has_no_time_left),
        cmocka_unit_test(a_sudden_pace_is_seen_at_once_by_who_must_not_be_late),
        cmocka_unit_test(the_newest_are_kept_when_there_are_too_many),
        cmocka_unit_test(each_guard_has_its_trend_on_each_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
