/*
 * The steps and guards of a preview for a pull request. Each is one line that is always visible,
 * and its texts, which are folded.
 */
#include "cli/preview_markdown.h"

enum {
    SMALLEST = 200, /* less than this is left: nothing more is tried */
};

struct entries {
    struct preview *preview;
    struct markdown_entry *items;
    size_t count, left, bodies_left_out;
};

/* Sections of the document in its order, and that in which they get their share of lines. */
enum {
    PART_GUARDS = PHASE_COUNT,
    PART_COUNT,
};
static const int parts_in_order[PART_COUNT] = {PHASE_DEPLOY, PHASE_COMMIT, PHASE_ROLLBACK,
                                               PART_GUARDS, PHASE_PREFLIGHT};

static int part_of(const struct markdown_entry *entry)
{
    return entry->guard != NULL ? (int)PART_GUARDS : (int)entry->step->phase;
}

/* What a person is asked, or loses, first; then what changes something. */
static int rank_of(const struct markdown_entry *entry)
{
    const struct step *step = entry->step;
    static const int changing[PHASE_COUNT] = {6, 1, 3, 2};

    if (step->confirm != NULL || step->irreversible != NULL)
        return 0;
    if (entry->guard != NULL)
        return 4;
    if (step->phase == PHASE_PREFLIGHT)
        return 6;
    return step_only_looks(step) ? 5 : changing[step->phase];
}

enum {
    RANK_COUNT = 7,
};

static size_t count_all(const struct preview *preview)
{
    size_t count = 0;

    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(preview->plan, (enum phase)phase, step)) != NULL;)
            count++;
    }
    for (const struct guard *guard = preview->plan->guards; guard != NULL; guard = guard->next)
        count++;
    return count;
}

static void collect(struct entries *entries)
{
    struct preview *preview = entries->preview;

    entries->items =
        arena_alloc(preview->arena, (count_all(preview) + 1) * sizeof(struct markdown_entry));
    for (int at = 0; at < PART_COUNT; at++) {
        struct preview_cursor cursor = {0};
        int part = parts_in_order[at];

        for (const struct guard *guard = preview->plan->guards;
             part == PART_GUARDS && guard != NULL; guard = guard->next) {
            if (skip_words(preview, &guard->step) == NULL)
                entries->items[entries->count++] =
                    (struct markdown_entry){.step = &guard->step, .guard = guard, .number = ""};
        }
        if (part == PART_GUARDS || (preview->phase_mask >> part & 1) == 0)
            continue;
        while (preview_next(preview, (enum phase)part, &cursor) != NULL) {
            if (skip_words(preview, cursor.step) == NULL)
                entries->items[entries->count++] = (struct markdown_entry){
                    .step = cursor.step, .number = arena_strdup(preview->arena, cursor.number)};
        }
    }
}

enum {
    LINE_FRAME = 16, /* bytes around a line that is not folded */
};

/* Writes the lines that ROOM is enough for, and tells how much they need together. */
static size_t write_lines(struct entries *entries, int part, size_t room)
{
    size_t needed = 0;

    for (size_t at = 0; at < entries->count && needed < room; at++) {
        struct markdown_entry *entry = &entries->items[at];

        if (part_of(entry) != part)
            continue;
        markdown_line(entries->preview, entry);
        needed += entry->line.length + LINE_FRAME;
    }
    return needed;
}

static void keep_lines(struct entries *entries, int part, size_t share)
{
    for (size_t at = 0; at < entries->count; at++) {
        struct markdown_entry *entry = &entries->items[at];
        size_t length = entry->line.length + LINE_FRAME;

        if (part_of(entry) != part || entry->line.length == 0)
            continue;
        if (length > share)
            return;
        entry->has_line = true;
        share -= length;
        entries->left -= length;
    }
}

/* A part that needs little gets it; the others share what is left. */
static void fit_lines(struct entries *entries, size_t room)
{
    size_t needed[PART_COUNT];
    bool is_fitted[PART_COUNT] = {false};

    for (int part = 0; part < PART_COUNT; part++)
        needed[part] = write_lines(entries, part, room);
    for (size_t left = PART_COUNT; left > 0; left--) {
        int least = -1;
        size_t share;

        for (int part = 0; part < PART_COUNT; part++) {
            if (!is_fitted[part] && (least < 0 || needed[part] < needed[least]))
                least = part;
        }
        is_fitted[least] = true;
        share = needed[least] < room / left ? needed[least] : room / left;
        keep_lines(entries, least, share);
        room -= share;
    }
}

static void fit_body(struct entries *entries, struct markdown_entry *entry)
{
    static const size_t frame = sizeof "<details><summary></summary>\n\n\n</details>\n";

    if (entries->left >= SMALLEST) {
        markdown_body(entries->preview, entry);
        // Nothing is missing of a group that says nothing more.
        if (entry->body.length == 0)
            return;
    }
    entry->has_body = entry->body.length > 0 && entry->body.length + frame <= entries->left;
    if (entry->has_body)
        entries->left -= entry->body.length + frame;
    else
        entries->bodies_left_out++;
}

static void fit_bodies(struct entries *entries)
{
    for (int rank = 0; rank < RANK_COUNT; rank++) {
        for (size_t at = 0; at < entries->count; at++) {
            struct markdown_entry *entry = &entries->items[at];

            if (entry->has_line && rank_of(entry) == rank)
                fit_body(entries, entry);
        }
    }
}

static void append_entry(const struct markdown_entry *entry, struct text *out)
{
    if (entry->has_body) {
        text_append(out, "<details><summary>");
        text_append_bytes(out, text_string(&entry->line), entry->line.length);
        text_append(out, "</summary>\n\n");
        text_append_bytes(out, text_string(&entry->body), entry->body.length);
        text_append(out, "</details>\n");
    } else {
        text_append(out, "<p>");
        text_append_bytes(out, text_string(&entry->line), entry->line.length);
        text_append(out, "</p>\n");
    }
}

static void append_part(const struct entries *entries, int part, struct text *out)
{
    static const char *const headings[PART_COUNT] = {
        [PHASE_PREFLIGHT] = "Preflight: looks only, and refuses the deployment",
        [PHASE_DEPLOY] = "Deploy",
        [PHASE_COMMIT] = "Commit: keeps the deployment",
        [PHASE_ROLLBACK] = "Rollback: goes back",
        [PART_GUARDS] = "Guards: looked at all the time; one that fails stops the run",
    };
    size_t missing = 0, count = 0;
    const char *hidden = part == PART_GUARDS
                             ? hidden_guards_words(entries->preview)
                             : hidden_steps_words(entries->preview, (enum phase)part);

    for (size_t at = 0; at < entries->count; at++)
        count += part_of(&entries->items[at]) == part;
    if (count == 0)
        return;
    text_append_format(out, "## %s\n\n", headings[part]);
    if (part < (int)PHASE_COUNT && phase_time_words(entries->preview, (enum phase)part) != NULL)
        text_append_format(out, "It takes %s.\n\n",
                           phase_time_words(entries->preview, (enum phase)part));
    for (size_t at = 0; at < entries->count; at++) {
        if (part_of(&entries->items[at]) != part)
            continue;
        if (entries->items[at].has_line)
            append_entry(&entries->items[at], out);
        else
            missing++;
    }
    text_append(out, "\n");
    if (hidden != NULL)
        markup_paragraph(out, hidden);
    if (missing > 0)
        text_append_format(out, "... and %zu more of %zu, left out for want of room.\n\n", missing,
                           count);
}

struct markdown_steps markdown_steps(struct preview *preview, size_t room, struct text *out)
{
    struct entries entries = {.preview = preview, .left = room};
    struct markdown_steps result;

    collect(&entries);
    fit_lines(&entries, room / 2);
    fit_bodies(&entries);
    for (int at = 0; at < PART_COUNT; at++)
        append_part(&entries, parts_in_order[at], out);
    result = (struct markdown_steps){.all = entries.count, .folded = entries.bodies_left_out};
    for (size_t at = 0; at < entries.count; at++) {
        result.missing += !entries.items[at].has_line;
        text_release(&entries.items[at].line);
        text_release(&entries.items[at].body);
    }
    return result;
}
