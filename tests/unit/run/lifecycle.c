#include "run/lifecycle.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { STATES = RUN_CLOSED + 1, EVENTS = EVENT_CLOSE + 1, NOTHING = -1 };

/* What every event makes of every state; all that is not written here cannot happen. */
static const int expected[STATES][EVENTS] = {
    /* passed, refused, deployed, done, commit, committed, rollback, rolled back, close */
    [RUN_PREFLIGHT] = {RUN_DEPLOYING, RUN_REFUSED, -1, -1, -1, -1, -1, -1, RUN_CLOSED},
    [RUN_DEPLOYING] = {-1, -1, RUN_DEPLOYED, RUN_DONE, -1, -1, RUN_ROLLING_BACK, -1, RUN_CLOSED},
    [RUN_DEPLOYED] = {-1, -1, -1, -1, RUN_COMMITTING, -1, RUN_ROLLING_BACK, -1, RUN_CLOSED},
    [RUN_COMMITTING] = {-1, -1, -1, -1, -1, RUN_COMMITTED, RUN_ROLLING_BACK, -1, RUN_CLOSED},
    [RUN_ROLLING_BACK] = {-1, -1, -1, -1, -1, -1, -1, RUN_ROLLED_BACK, RUN_CLOSED},
    [RUN_REFUSED] = {-1, -1, -1, -1, -1, -1, -1, -1, -1},
    [RUN_COMMITTED] = {-1, -1, -1, -1, -1, -1, -1, -1, -1},
    [RUN_ROLLED_BACK] = {-1, -1, -1, -1, -1, -1, -1, -1, -1},
    [RUN_DONE] = {-1, -1, -1, -1, -1, -1, -1, -1, -1},
    [RUN_CLOSED] = {-1, -1, -1, -1, -1, -1, -1, -1, -1},
};

static void every_event_leads_from_every_state_where_the_design_says(void **state)
{
    (void)state;
    for (int from = 0; from < STATES; from++) {
        for (int event = 0; event < EVENTS; event++) {
            const struct transition *found =
                transition_find((enum run_state)from, (enum run_event)event);

            if ((found == NULL ? NOTHING : (int)found->to) != expected[from][event])
                fail_msg("state %s, event %d", run_state_names[from], event);
        }
    }
}

static void every_transition_has_words_for_the_operator(void **state)
{
    (void)state;
    for (int from = 0; from < STATES; from++) {
        for (int event = 0; event < EVENTS; event++) {
            const struct transition *found =
                transition_find((enum run_state)from, (enum run_event)event);

            assert_true(found == NULL || (found->says != NULL && *found->says != '\0'));
        }
    }
}

static void a_state_is_open_while_something_can_still_happen_to_it(void **state)
{
    (void)state;
    for (int from = 0; from < STATES; from++) {
        bool can_change = false;

        for (int event = 0; event < EVENTS; event++)
            can_change |= expected[from][event] != NOTHING;
        assert_int_equal(run_state_is_open((enum run_state)from), can_change);
    }
}

static void states_are_journalled_by_names_that_do_not_change(void **state)
{
    static const char *const runs[STATES] = {
        "preflight", "deploying", "deployed",    "committing", "rolling-back",
        "refused",   "committed", "rolled-back", "done",       "closed",
    };
    static const char *const steps[] = {
        "not-started",
        "running",
        "already",
        "done",
        "skipped",
        "failed",
        "failed-left-nothing",
        "in-doubt",
        "unreachable",
        "resolved-done",
        "resolved-not-done",
    };

    (void)state;
    for (int at = 0; at < STATES; at++)
        assert_string_equal(run_state_names[at], runs[at]);
    for (size_t at = 0; at < ARRAY_COUNT(steps); at++)
        assert_string_equal(step_state_names[at], steps[at]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_leads_from_every_state_where_the_design_says),
        cmocka_unit_test(every_transition_has_words_for_the_operator),
        cmocka_unit_test(a_state_is_open_while_something_can_still_happen_to_it),
        cmocka_unit_test(states_are_journalled_by_names_that_do_not_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
