#include "run/trend.h"

#include <math.h>
#include <string.h>

enum {
    WINDOW_MS = 60000,
    SPAN_LEAST_MS = 200, /* a pace that is seen in less is no pace */
    LATEST_S = 30 * 24 * 3600,
};

struct trend_of {
    const char *guard, *host;
    struct trend trend;
    struct trend_of *next;
};

void trend_add(struct trend *trend, int64_t at_ms, const struct bound *bound)
{
    size_t old = trend->count == TREND_SAMPLES ? 1 : 0;

    if (bound->kind == BOUND_NONE)
        return;
    while (old < trend->count && trend->samples[old].at_ms < at_ms - WINDOW_MS)
        old++;
    trend->count -= old;
    (void)memmove(trend->samples, trend->samples + old, trend->count * sizeof *trend->samples);
    trend->samples[trend->count++] =
        (struct trend_sample){at_ms, bound->kind == BOUND_ABOVE ? bound->value - bound->limit
                                                                : bound->limit - bound->value};
}

/* What goes a second, by the samples from FIRST on; NAN: they are too few, or of one moment. */
static double pace(const struct trend *trend, size_t first)
{
    const size_t count = trend->count - first;
    const struct trend_sample *newest =
        trend->count == 0 ? NULL : &trend->samples[trend->count - 1];
    double times = 0, lefts = 0, squares = 0, products = 0;

    if (count < 2 || newest->at_ms - trend->samples[first].at_ms < SPAN_LEAST_MS)
        return NAN;
    for (size_t at = first; at < trend->count; at++) {
        // From the newest one: large numbers that differ by little would lose what matters.
        double time = (double)(trend->samples[at].at_ms - newest->at_ms) / 1000;
        double left = trend->samples[at].left - newest->left;

        times += time;
        lefts += left;
        squares += time * time;
        products += time * left;
    }
    return -((double)count * products - times * lefts) / ((double)count * squares - times * times);
}

static double seconds_at(const struct trend *trend, double pace, int64_t now_ms)
{
    if (trend->count == 0)
        return NAN;

    const struct trend_sample *newest = &trend->samples[trend->count - 1];

    if (newest->left <= 0)
        return 0;
    if (isnan(pace))
        return NAN;
    if (pace <= 0 || newest->left / pace > LATEST_S)
        return INFINITY;

    double seconds = newest->left / pace - (double)(now_ms - newest->at_ms) / 1000;

    return seconds < 0 ? 0 : seconds;
}

double trend_seconds(const struct trend *trend, int64_t now_ms)
{
    return seconds_at(trend, pace(trend, 0), now_ms);
}

double trend_soonest(const struct trend *trend, int64_t now_ms)
{
    size_t first = trend->count;

    while (first > 0 &&
           (first == trend->count ||
            trend->samples[trend->count - 1].at_ms - trend->samples[first].at_ms < SPAN_LEAST_MS))
        first--;
    return seconds_at(trend, pace(trend, first), now_ms);
}

void trends_release(struct trends *trends)
{
    arena_release(&trends->arena);
    trends->first = NULL;
}

struct trend *trends_find(struct trends *trends, const char *guard, const char *host)
{
    struct trend_of **at = &trends->first;

    while (*at != NULL && !(equal((*at)->guard, guard) && equal((*at)->host, host)))
        at = &(*at)->next;
    if (*at == NULL) {
        *at = arena_alloc(&trends->arena, sizeof **at);
        (*at)->guard = arena_strdup(&trends->arena, guard);
        (*at)->host = arena_strdup(&trends->arena, host);
    }
    return &(*at)->trend;
}
