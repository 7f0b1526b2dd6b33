#include "base/text.h"
#include "plan/sqltext.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OLDEST = 90400,  /* 9.4 */
    AFTER_9 = 90700, /* there never was a 9.7 */
    TEN = 100000,
    VERSION_DIGITS = 4,
};

/* All versions from LOW to HIGH, both included, as server_version_num. */
struct interval {
    int low, high;
};

static bool read_number(const char **text, int *out)
{
    size_t length = strspn(*text, "0123456789");

    if (length == 0 || length > VERSION_DIGITS || (**text == '0' && length > 1))
        return false;
    *out = (int)strtol(*text, NULL, 10);
    *text += length;
    return true;
}

/* "14", "14.3", "9.6" or "9.6.5": what server_version_num it may be. */
static bool read_version(const char **text, struct interval *out)
{
    int parts[3] = {0};
    int count = 0;

    for (;;) {
        if (count == 3 || !read_number(text, &parts[count]))
            return false;
        count++;
        if (**text != '.')
            break;
        (*text)++;
    }

    bool is_old = parts[0] < 10;
    int number =
        is_old ? parts[0] * 10000 + parts[1] * 100 + parts[2] : parts[0] * 10000 + parts[1];
    static const int old_widths[] = {10000, 100, 1}, new_widths[] = {10000, 1};

    if (count > (is_old ? 3 : 2) || parts[0] == 0 || parts[0] > 999 || (is_old && parts[1] > 99) ||
        (is_old && parts[2] > 99))
        return false;

    int width = is_old ? old_widths[count - 1] : new_widths[count - 1];

    *out = (struct interval){number, number + width - 1};
    return true;
}

int version_number(const char *text)
{
    struct interval version;

    return read_version(&text, &version) ? version.low : 0;
}

/* One condition narrows the interval. */
static bool read_condition(const char **text, struct interval *interval)
{
    static const char *const operators[] = {">=", "<=", ">", "<", "="};
    const char *sign = "=";
    struct interval version;

    for (size_t at = 0; at < ARRAY_COUNT(operators); at++) {
        if (starts_with(*text, operators[at])) {
            sign = operators[at];
            *text += strlen(sign);
            break;
        }
    }
    if (!read_version(text, &version))
        return false;
    if (*sign == '>') {
        version.low = equal(sign, ">") ? version.high + 1 : version.low;
        version.high = INT_MAX;
    } else if (*sign == '<') {
        version.high = equal(sign, "<") ? version.low - 1 : version.high;
        version.low = 0;
    }
    if (version.low > interval->low)
        interval->low = version.low;
    if (version.high < interval->high)
        interval->high = version.high;
    return true;
}

static bool read_range(const char *range, struct interval *out)
{
    struct interval interval = {0, INT_MAX};

    do {
        range += strspn(range, " ");
        if (!read_condition(&range, &interval))
            return false;
    } while (*range == ' ');
    if (*range != '\0')
        return false;
    *out = interval;
    return true;
}

bool version_is_valid(const char *range)
{
    struct interval interval;

    return read_range(range, &interval);
}

bool version_matches(const char *range, int version)
{
    struct interval interval;

    return read_range(range, &interval) && version >= interval.low && version <= interval.high;
}

static int compare(const void *a, const void *b)
{
    const struct interval *left = a, *right = b;

    return left->low < right->low ? -1 : left->low > right->low;
}

static const char *version_name(struct arena *arena, int version)
{
    if (version >= TEN)
        return version % 10000 == 0
                   ? arena_printf(arena, "%d", version / 10000)
                   : arena_printf(arena, "%d.%d", version / 10000, version % 10000);
    return version % 100 == 0 ? arena_printf(arena, "%d.%d", version / 10000, version / 100 % 100)
                              : arena_printf(arena, "%d.%d.%d", version / 10000,
                                             version / 100 % 100, version % 100);
}

const char *version_gap(struct arena *arena, const char *const *ranges, size_t count)
{
    struct interval *intervals = arena_alloc(arena, (count + 1) * sizeof *intervals);
    size_t valid = 0;
    int next = OLDEST;

    for (size_t at = 0; at < count; at++) {
        if (read_range(ranges[at], &intervals[valid]))
            valid++;
    }
    qsort(intervals, valid, sizeof *intervals, compare);
    for (size_t at = 0; at < valid && intervals[at].low <= next; at++) {
        if (intervals[at].high == INT_MAX)
            return NULL;
        if (intervals[at].high >= next)
            next = intervals[at].high + 1;
        if (next >= AFTER_9 && next < TEN)
            next = TEN;
    }
    return arena_printf(arena, "there is no text for version %s", version_name(arena, next));
}
