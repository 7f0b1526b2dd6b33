#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    SAME_MS = 250, /* timeout(1) and others signal a process and, at once, its whole group */
};

static volatile int first_signal;
static int64_t first_at_ms;
static int stop_fd = -1;

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Any thread may run this, and two may run it at once. */
static void note_signal(int number)
{
    int expected = 0, problem = errno;
    int64_t at_ms = now_ms(), never = 0;

    (void)__atomic_compare_exchange_n(&first_at_ms, &never, at_ms, 0, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST);
    if (!__atomic_compare_exchange_n(&first_signal, &expected, number, 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST) &&
        at_ms - __atomic_load_n(&first_at_ms, __ATOMIC_SEQ_CST) >= SAME_MS) {
        uint64_t one = 1;
        ssize_t put = write(stop_fd, &one, sizeof one);

        (void)put; // It fails only when it is readable already.
    }
    errno = problem;
}

static void catch_one(int number)
{
    struct sigaction old, action = {.sa_handler = note_signal, .sa_flags = SA_RESTART};

    if (sigaction(number, NULL, &old) != 0 || old.sa_handler == SIG_IGN)
        return;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

void signals_ignore_pipe(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    (void)sigaction(SIGPIPE, &ignore, NULL);
}

bool signals_catch(void)
{
    if (stop_fd >= 0)
        return true;
    stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop_fd < 0)
        return false;
    catch_one(SIGINT);
    catch_one(SIGTERM);
    catch_one(SIGHUP);
    return true;
}

volatile int *signals_first(void)
{
    return &first_signal;
}

int signals_stop_fd(void)
{
    return stop_fd;
}
