/*
 * Myers' algorithm in linear space ("An O(ND) Difference Algorithm and Its Variations", 1986): find
 * the middle of a shortest edit script, then do the same on both sides of it.
 */
#include "diff.h"

#include <stdlib.h>
#include <string.h>

enum {
    CONTEXT = 3,
    COST_MOST = 400,        /* differences that are searched for in one stretch */
    COMPARED_MOST = 200000, /* lines; more are not compared one by one */
    SHOWN_MOST = 1000,      /* lines of output */
    NOWHERE = -1,           /* a path that left the texts */
};

struct line {
    const char *bytes;
    size_t length; /* without the newline */
    bool is_open;  /* the file's last, without a newline */
    bool is_changed;
    bool is_secret; /* all of it */
};

struct side {
    struct line *lines;
    int count;
};

struct diff {
    struct side old, new;
    int *forward, *backward; /* furthest x on diagonal k, at [k + COST_MOST + 1] */
    int shown;
};

/* A stretch of both sides: lines from .. to - 1. */
struct stretch {
    int old_from, old_to, new_from, new_to;
};

static size_t indentation(const struct line *line)
{
    size_t length = 0;

    while (length < line->length && (line->bytes[length] == ' ' || line->bytes[length] == '\t'))
        length++;
    return length;
}

/* The lines that go on with the secret of a line before them. */
static void mark_secrets(struct side *side)
{
    size_t least = 0;

    for (int at = 0; at < side->count; at++) {
        struct line *line = &side->lines[at];
        size_t indented = indentation(line);

        line->is_secret = least > 0 && indented >= least;
        if (!line->is_secret && indented < line->length)
            least = redact_indentation(line->bytes, line->length);
    }
}

static struct side split(struct diff_side text)
{
    struct side side = {0};
    const char *at = text.bytes, *end = text.bytes + text.length;
    size_t count = 1;

    for (size_t byte = 0; byte < text.length; byte++)
        count += text.bytes[byte] == '\n';
    side.lines = calloc(count, sizeof *side.lines);
    if (side.lines == NULL)
        out_of_memory();
    while (text.length > 0 && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline == NULL ? end : newline;

        side.lines[side.count++] =
            (struct line){.bytes = at, .length = (size_t)(stop - at), .is_open = newline == NULL};
        at = stop + 1;
    }
    mark_secrets(&side);
    return side;
}

static bool is_same(const struct diff *diff, int old, int new)
{
    const struct line *a = &diff->old.lines[old], *b = &diff->new.lines[new];

    return a->length == b->length && a->is_open == b->is_open &&
           memcmp(a->bytes, b->bytes, a->length) == 0;
}

static void mark(struct side *side, int from, int to)
{
    for (; from < to; from++)
        side->lines[from].is_changed = true;
}

/* The furthest x on diagonal K after one more difference, before any equal lines. */
static int step(const int *reached, int k, int cost, int width, int height)
{
    int down = k < cost ? reached[k + 1] : NOWHERE;
    int right = k > -cost && reached[k - 1] != NOWHERE ? reached[k - 1] + 1 : NOWHERE;
    int x = cost == 0 ? 0 : (down > right ? down : right);

    return x > width || x - k > height || x < k ? NOWHERE : x;
}

/*
 * One round from one end: false until the paths of both ends meet; then *split is a point on a
 * shortest path.
 */
static bool advance(const struct diff *diff, const struct stretch *in, int cost, bool is_backward,
                    struct stretch *split)
{
    int width = in->old_to - in->old_from, height = in->new_to - in->new_from;
    int delta = width - height;
    int *mine = (is_backward ? diff->backward : diff->forward) + COST_MOST + 1;
    const int *other = (is_backward ? diff->forward : diff->backward) + COST_MOST + 1;
    int reach = is_backward ? cost : cost - 1; /* of the other end's paths so far */

    for (int k = -cost; k <= cost; k += 2) {
        int x = step(mine, k, cost, width, height);

        if (x != NOWHERE && is_backward)
            while (x < width && x - k < height &&
                   is_same(diff, in->old_to - 1 - x, in->new_to - 1 - (x - k)))
                x++;
        else if (x != NOWHERE)
            while (x < width && x - k < height &&
                   is_same(diff, in->old_from + x, in->new_from + x - k))
                x++;
        mine[k] = x;

        int facing = delta - k;
        bool can_meet = facing >= -reach && facing <= reach && (facing + reach) % 2 == 0;

        if (x == NOWHERE || !can_meet || other[facing] == NOWHERE || x + other[facing] < width)
            continue;
        split->old_from = is_backward ? in->old_to - x : in->old_from + x;
        split->new_from = is_backward ? in->new_to - (x - k) : in->new_from + x - k;
        return true;
    }
    return false;
}

static void compare(struct diff *diff, struct stretch in)
{
    struct stretch split = in;
    bool is_met = false;

    while (in.old_from < in.old_to && in.new_from < in.new_to &&
           is_same(diff, in.old_from, in.new_from)) {
        in.old_from++;
        in.new_from++;
    }
    while (in.old_from < in.old_to && in.new_from < in.new_to &&
           is_same(diff, in.old_to - 1, in.new_to - 1)) {
        in.old_to--;
        in.new_to--;
    }
    if (in.old_from < in.old_to && in.new_from < in.new_to &&
        in.old_to - in.old_from + in.new_to - in.new_from <= COMPARED_MOST) {
        for (int cost = 0; cost <= COST_MOST && !is_met; cost++)
            is_met =
                advance(diff, &in, cost, false, &split) || advance(diff, &in, cost, true, &split);
    }
    if (!is_met) {
        mark(&diff->old, in.old_from, in.old_to);
        mark(&diff->new, in.new_from, in.new_to);
        return;
    }
    compare(diff, (struct stretch){in.old_from, split.old_from, in.new_from, split.new_from});
    compare(diff, (struct stretch){split.old_from, in.old_to, split.new_from, in.new_to});
}

static void print_line(struct diff *diff, struct text *out, char sign, const struct line *line)
{
    if (diff->shown++ >= SHOWN_MOST) {
        if (diff->shown == SHOWN_MOST + 1)
            text_append(out, "... more lines differ, which are not shown\n");
        return;
    }
    text_append_bytes(out, &sign, 1);
    if (line->is_secret)
        text_append(out, "***");
    else
        redact_append(out, line->bytes, line->length);
    text_append(out, line->is_open ? "\n\\ No newline at end of file\n" : "\n");
}

/* The next stretch with its context, from *AT on; false: nothing differs any more. */
static bool next_hunk(const struct diff *diff, const struct stretch *at, struct stretch *out)
{
    int old = at->old_from, new = at->new_from, equal_lines = 0;

    while (old < diff->old.count && new < diff->new.count && !diff->old.lines[old].is_changed &&
           !diff->new.lines[new].is_changed) {
        old++;
        new ++;
    }
    if (old == diff->old.count && new == diff->new.count)
        return false;

    int before = old - at->old_from < CONTEXT ? old - at->old_from : CONTEXT;

    *out = (struct stretch){.old_from = old - before, .new_from = new - before};
    while (equal_lines <= 2 * CONTEXT && (old < diff->old.count || new < diff->new.count)) {
        bool is_old = old < diff->old.count && diff->old.lines[old].is_changed;
        bool is_new = new < diff->new.count && diff->new.lines[new].is_changed;

        equal_lines = is_old || is_new ? 0 : equal_lines + 1;
        old += is_old || !is_new;
        new += is_new || !is_old;
    }

    int behind = equal_lines > CONTEXT ? equal_lines - CONTEXT : 0;

    out->old_to = old - behind;
    out->new_to = new - behind;
    return true;
}

static void print_hunk(struct diff *diff, struct text *out, const struct stretch *hunk)
{
    int old = hunk->old_from, new = hunk->new_from;
    int old_count = hunk->old_to - old, new_count = hunk->new_to - new;

    if (diff->shown >= SHOWN_MOST) {
        print_line(diff, out, ' ', &(struct line){.bytes = ""});
        return;
    }
    text_append_format(out, "@@ -%d,%d +%d,%d @@\n", old + (old_count > 0), old_count,
                       new + (new_count > 0), new_count);
    while (old < hunk->old_to || new < hunk->new_to) {
        if (old < hunk->old_to && diff->old.lines[old].is_changed) {
            print_line(diff, out, '-', &diff->old.lines[old++]);
        } else if (new < hunk->new_to && diff->new.lines[new].is_changed) {
            print_line(diff, out, '+', &diff->new.lines[new ++]);
        } else {
            print_line(diff, out, ' ', &diff->old.lines[old++]);
            new ++;
        }
    }
}

static bool is_equal(struct diff_side old, struct diff_side new)
{
    if (old.bytes == NULL || new.bytes == NULL)
        return old.bytes == new.bytes;
    return old.length == new.length &&memcmp(old.bytes, new.bytes, old.length) == 0;
}

void diff_append(struct text *out, const char *name, struct diff_side old, struct diff_side new)
{
    struct diff diff = {.old = split(old), .new = split(new)};
    struct stretch at = {0}, hunk;
    size_t size = 2 * ((size_t)COST_MOST + 2);

    if (!is_equal(old, new)) {
        diff.forward = calloc(2 * size, sizeof *diff.forward);
        if (diff.forward == NULL)
            out_of_memory();
        diff.backward = diff.forward + size;
        compare(&diff, (struct stretch){0, diff.old.count, 0, diff.new.count});
        text_append_format(out, "--- %s\n+++ %s\n", old.bytes == NULL ? "/dev/null" : name,
                           new.bytes == NULL ? "/dev/null" : name);
        while (next_hunk(&diff, &at, &hunk)) {
            print_hunk(&diff, out, &hunk);
            at = (struct stretch){.old_from = hunk.old_to, .new_from = hunk.new_to};
        }
        free(diff.forward);
    }
    free(diff.old.lines);
    free(diff.new.lines);
}
