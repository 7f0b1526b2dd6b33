/*
 * When a guard's value will reach its limit, as far as its last minute tells: a line through the
 * values of that time (least squares). Pure arithmetic; the caller has the clock (clock_ms) and the
 * lock.
 */
#ifndef RUN_TREND_H
#define RUN_TREND_H

#include "action.h"

enum { TREND_SAMPLES = 128 };

/* What is left until the limit, in the guard's own unit, at some times: the newest last. */
struct trend {
    struct trend_sample {
        int64_t at_ms;
        double left;
    } samples[TREND_SAMPLES];
    size_t count;
};

/* Of one look; what has no bound is passed over. Looks come in the order of time. */
void trend_add(struct trend *trend, int64_t at_ms, const struct bound *bound);

/*
 * Seconds until the limit, counted from NOW_MS, never less than 0. INFINITY: it does not come
 * nearer, or will not be reached in a month. NAN: there are too few values to tell.
 */
double trend_seconds(const struct trend *trend, int64_t now_ms);

/* The same, by the pace between the last two values alone: for who must not be late. */
double trend_soonest(const struct trend *trend, int64_t now_ms);

/* The trends of guards that are looked at by one short command after the other. */
struct trends {
    struct arena arena;
    struct trend_of *first;
};
void trends_release(struct trends *trends);

/* That of GUARD on HOST; made where there is none. */
struct trend *trends_find(struct trends *trends, const char *guard, const char *host);

#endif
