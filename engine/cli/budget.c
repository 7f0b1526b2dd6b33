/* How long a hold can last, in words. */
#include "cli/display.h"

#include <stdio.h>
#include <time.h>

const char *lasting_words(struct arena *arena, double seconds)
{
    const long minutes = (long)(seconds / 60);

    if (seconds < 120)
        return arena_printf(arena, "%ld s", (long)seconds);
    if (minutes < 60)
        return arena_printf(arena, "%ld min", minutes);
    if (minutes < 48L * 60)
        return arena_printf(arena, "%ld h %ld min", minutes / 60, minutes % 60);
    return arena_printf(arena, "%ld d %ld h", minutes / 60 / 24, minutes / 60 % 24);
}

static const char *time_words(struct arena *arena, double seconds)
{
    const time_t now = time(NULL), then = now + (time_t)seconds;
    struct tm today, day;

    (void)gmtime_r(&now, &today);
    (void)gmtime_r(&then, &day);
    if (seconds < 120)
        return arena_printf(arena, "%02d:%02d:%02d UTC", day.tm_hour, day.tm_min, day.tm_sec);
    if (today.tm_yday == day.tm_yday)
        return arena_printf(arena, "%02d:%02d UTC", day.tm_hour, day.tm_min);
    return arena_printf(arena, "%04d-%02d-%02d %02d:%02d UTC", day.tm_year + 1900, day.tm_mon + 1,
                        day.tm_mday, day.tm_hour, day.tm_min);
}

const char *budget_words(struct arena *arena, const struct run_view *view)
{
    const struct run_view_guard *first = view_budget(view);

    if (first == NULL)
        return NULL;

    const char *host = host_title(arena, view->roles, first->guard->step.hosts, first->host);

    if (first->seconds < 1)
        return arena_printf(arena, "cannot be held any longer; limit: %s on %s",
                            first->guard->step.id, host);
    return arena_printf(arena, "can be held %s, until %s; limit: %s on %s",
                        lasting_words(arena, first->seconds), time_words(arena, first->seconds),
                        first->guard->step.id, host);
}
