#include "cli/display.h"

#include <stdio.h>
#include <string.h>

enum {
    HOST_COLUMNS = 16,
    NAME_COLUMNS = 18,
    WORD_COLUMNS = 9,
    LINE_COLUMNS = 11 + NAME_COLUMNS + 1 + HOST_COLUMNS + 1 + WORD_COLUMNS + 1 + 7 + 2,
    INDENT = 13,
    WORDS_MOST = 2000, /* where there is no terminal */
};

void display_init(struct display *display, struct cli *cli)
{
    *display = (struct display){.arena = cli->arena, .err = &cli->err, .out = &cli->out};
}

struct run_observer display_observer(struct display *display)
{
    return (struct run_observer){
        .context = display,
        .confirm = observe_confirm,
        .event = observe_event,
        .tick = observe_tick,
        .show = observe_show,
    };
}

void display_clear(struct display *display)
{
    CLEANUP(text_release) struct text text = {0};

    if (display->drawn == 0)
        return;
    text_append_format(&text, "\x1b[%dA\r\x1b[J", display->drawn);
    terminal_show(display->err, &text, 1000);
    display->drawn = 0;
    display->drawn_ms = 0;
}

/* What colour a word about a step has; most have none. */
static void append_word(struct text *text, const struct terminal *terminal, const char *word,
                        int columns)
{
    static const struct {
        const char *word;
        enum style style;
    } styles[] = {
        {"done", STYLE_GOOD},      {"already", STYLE_GOOD},      {"failed", STYLE_ERROR},
        {"in-doubt", STYLE_ERROR}, {"unreachable", STYLE_ERROR}, {"finding", STYLE_ERROR},
        {"NOT TRUE", STYLE_ERROR}, {"retries", STYLE_WARNING},   {"waits", STYLE_WARNING},
        {"left", STYLE_WARNING},   {"skipped", STYLE_FAINT},
    };

    for (size_t at = 0; at < ARRAY_COUNT(styles); at++) {
        if (starts_with(word, styles[at].word)) {
            text_append_styled(text, terminal, styles[at].style, word);
            text_append_format(text, "%*s",
                               columns - string_width(word) < 0 ? 0 : columns - string_width(word),
                               "");
            return;
        }
    }
    text_append_padded(text, word, columns);
}

static int overhang(const char *string, int columns)
{
    int width = string_width(string);

    return width > columns ? width - columns : 0;
}

/* On a terminal, what went well is cut to the line and what did not has lines of its own. */
static void append_words(struct text *line, const struct terminal *terminal, const char *what,
                         const char *words, int at)
{
    bool is_good = equal(what, "done") || equal(what, "already");
    int room = terminal->width == 0 ? WORDS_MOST : terminal->width - 1 - at;

    if (room >= string_width(words) || (is_good && room >= 8)) {
        text_append(line, "  ");
        text_append_cut(line, words, room);
    } else {
        text_append_format(line, "\n%*s", INDENT, "");
        text_append_wrapped(line, words, INDENT, INDENT, terminal->width);
    }
}

void display_line(struct text *text, const struct terminal *terminal, const char *at,
                  const char *step, const char *host, const char *what, int64_t duration_ms,
                  const char *words)
{
    CLEANUP(text_release) struct text line = {0};
    char duration[DURATION_SIZE] = "";

    if (duration_ms >= 0)
        (void)duration_words(duration_ms, duration);
    // "2026-11-22T17:22:47.874Z": the day is in the run's name.
    text_append_format(&line, "%.8sZ  ", strlen(at) > 11 ? at + 11 : "--------");
    text_append_padded(&line, step, NAME_COLUMNS);
    text_append(&line, " ");
    text_append_padded(&line, host, HOST_COLUMNS);
    text_append(&line, " ");
    append_word(&line, terminal, what, WORD_COLUMNS);
    text_append_format(&line, " %7s", duration);
    // PostgreSQL's "true" says nothing that "done" does not.
    if (words != NULL && *words != '\0' && !equal(words, "t"))
        append_words(&line, terminal, what, words,
                     LINE_COLUMNS + overhang(step, NAME_COLUMNS) + overhang(host, HOST_COLUMNS) +
                         overhang(what, WORD_COLUMNS));
    while (line.length > 0 && line.bytes[line.length - 1] == ' ')
        line.length--;
    text_append_bytes(text, text_string(&line), line.length);
    text_append(text, "\n");
}

struct frame {
    struct text *text;
    const struct terminal *terminal;
    int width, lines, most;
};

static bool frame_is_full(const struct frame *frame)
{
    return frame->lines >= frame->most;
}

/* Ends a line whose plain part before WORDS took AT columns. */
static void frame_end(struct frame *frame, int at, const char *words)
{
    if (words != NULL && at + 4 < frame->width)
        text_append_cut(frame->text, words, frame->width - 1 - at);
    text_append(frame->text, "\n");
    frame->lines++;
}

static void frame_head(struct frame *frame, const struct run_view *view)
{
    CLEANUP(text_release) struct text left = {0};
    char elapsed[DURATION_SIZE];
    int room = frame->width - 1;

    (void)duration_words(view->elapsed_ms - view->elapsed_ms % 1000, elapsed);
    if (view->elapsed_ms < 10000)
        (void)snprintf(elapsed, sizeof elapsed, "%d s", (int)(view->elapsed_ms / 1000));
    text_append_format(&left, "%s  step %d of %d  %s", phase_names[view->phase], view->index,
                       view->count, view->step == NULL ? "" : view->step->id);
    if (view->step != NULL && view->step->about != NULL)
        text_append_format(&left, "  %s", view->step->about);
    if (frame->terminal->has_color)
        text_append(frame->text, "\x1b[1m");

    size_t before = frame->text->length;

    text_append_cut(frame->text, text_string(&left), room - (int)strlen(elapsed) - 2);

    int used = string_width(text_string(frame->text) + before);

    text_append_format(frame->text, "%*s", room - used, elapsed);
    if (frame->terminal->has_color)
        text_append(frame->text, "\x1b[0m");
    frame_end(frame, frame->width, NULL);
}

static void frame_hosts(struct frame *frame, struct arena *arena, const struct run_view *view)
{
    for (size_t at = 0; at < view->host_count && !frame_is_full(frame); at++) {
        const struct run_view_host *host = &view->hosts[at];
        const char *title = host_title(arena, view->roles,
                                       view->step == NULL ? NULL : view->step->hosts, host->host);
        int used = string_width(title) < HOST_COLUMNS ? HOST_COLUMNS : string_width(title);
        const char *words = host->words;

        if (frame->lines + 1 == frame->most && at + 1 < view->host_count) {
            text_append_format(frame->text, "  ... and %zu more hosts", view->host_count - at);
            frame_end(frame, frame->width, NULL);
            return;
        }
        if (words == NULL || *words == '\0')
            words = host->is_finished ? "finished" : "at work";
        text_append(frame->text, "  ");
        text_append_padded(frame->text, title, HOST_COLUMNS);
        text_append(frame->text, "  ");
        frame_end(frame, used + 4, words);
    }
}

static const char *guard_limit(struct arena *arena, const struct guard *guard)
{
    const struct node *map = guard->step.params;
    const char *above = node_text(map, "above"), *below = node_text(map, "below");

    // A limit that is a variable is shown by its name, which is what a person set.
    if (below != NULL)
        return arena_printf(arena, "below %s", below);
    return above == NULL ? NULL : arena_printf(arena, "above %s", above);
}

static void frame_guards(struct frame *frame, struct arena *arena, const struct run_view *view)
{
    for (size_t at = 0; at < view->guard_count && !frame_is_full(frame); at++) {
        const struct run_view_guard *guard = &view->guards[at];
        const char *limit = guard_limit(arena, guard->guard);
        const char *title = host_title(arena, view->roles, guard->guard->step.hosts, guard->host);
        const char *state = !guard->is_known          ? "?"
                            : guard->is_true          ? "true"
                            : guard->guard->show_only ? "shown"
                                                      : "NOT TRUE";
        const char *words = limit;
        int used = 9 + NAME_COLUMNS + 1 + HOST_COLUMNS + 1 + 8 + 1 +
                   overhang(guard->guard->step.id, NAME_COLUMNS) + overhang(title, HOST_COLUMNS);

        if (guard->words != NULL && *guard->words != '\0' && !equal(guard->words, "t"))
            words =
                limit == NULL ? guard->words : arena_printf(arena, "%s (%s)", guard->words, limit);
        text_append(frame->text, at == 0 ? "  guard  " : "         ");
        text_append_padded(frame->text, guard->guard->step.id, NAME_COLUMNS);
        text_append(frame->text, " ");
        text_append_padded(frame->text, title, HOST_COLUMNS);
        text_append(frame->text, " ");
        append_word(frame->text, frame->terminal, state, 8);
        text_append(frame->text, " ");
        frame_end(frame, used, words);
    }
}

static void frame_budget(struct frame *frame, struct arena *arena, const struct run_view *view)
{
    const char *words = frame_is_full(frame) ? NULL : budget_words(arena, view);

    if (words == NULL)
        return;
    text_append(frame->text, "  budget ");
    frame_end(frame, 9, words);
}

int display_frame(struct text *text, const struct terminal *terminal, struct arena *arena,
                  const struct run_view *view, int width, int height)
{
    struct frame frame = {text, terminal, width, 0, height};

    frame_head(&frame, view);
    frame_hosts(&frame, arena, view);
    frame_budget(&frame, arena, view);
    frame_guards(&frame, arena, view);
    return frame.lines;
}
