#include "cli/signals.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int stop_is_asked_for(void)
{
    struct pollfd stop = {.fd = signals_stop_fd(), .events = POLLIN};

    return poll(&stop, 1, 0);
}

static void the_first_signal_is_kept_and_only_a_later_one_stops_at_once(void **state)
{
    (void)state;
    signals_catch();
    signals_catch();
    assert_int_equal(*signals_first(), 0);

    // What timeout(1) does: the process, and then its group.
    (void)raise(SIGTERM);
    (void)raise(SIGINT);
    assert_int_equal(*signals_first(), SIGTERM);
    assert_int_equal(stop_is_asked_for(), 0);

    (void)poll(NULL, 0, 260);
    (void)raise(SIGINT);
    assert_int_equal(*signals_first(), SIGTERM);
    assert_int_equal(stop_is_asked_for(), 1);
}

static void what_nohup_ignores_stays_ignored(void **state)
{
    struct sigaction action;

    (void)state;
    assert_int_equal(sigaction(SIGHUP, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_IGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_signal_is_kept_and_only_a_later_one_stops_at_once),
        cmocka_unit_test(what_nohup_ignores_stays_ignored),
    };

    (void)signal(SIGHUP, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
