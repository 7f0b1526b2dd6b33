/* What a run tells, as it happens: lines, drawn frames, rows, and the question at a gate. */
#include "cli/display.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
    REDRAW_MS = 100,
    WAITS_MS = 30000,  /* between two "still waiting" lines */
    STALL_MS = 1000,   /* for a reader that does not read progress */
    RESULT_MS = 10000, /* for one that does not read results */
};

struct display_begin {
    const char *host;
    int64_t at_ms;
    const struct display_begin *next;
};

/* Something that may still be told by the error that ends the command. */
struct display_note {
    const char *words, *where;
    struct display_note *next;
};

static void note_add(struct display *display, struct display_note **list, const char *where,
                     const char *words)
{
    struct display_note *note = arena_alloc(display->arena, sizeof *note);

    *note = (struct display_note){arena_strdup(display->arena, words), where, NULL};
    while (*list != NULL)
        list = &(*list)->next;
    *list = note;
}

/* Tells what TOLD (may be NULL) does not contain, and forgets all. */
static void notes_tell(struct display *display, struct display_note **list, const char *told)
{
    for (const struct display_note *note = *list; note != NULL; note = note->next) {
        CLEANUP(text_release) struct text text = {0};

        if (told != NULL && strstr(told, note->words) != NULL)
            continue;
        text_append_format(&text, "           %s%s", note->where, *note->where == '\0' ? "" : ": ");
        text_append_wrapped(&text, note->words, 13 + string_width(note->where), 13,
                            display->err->width);
        text_append(&text, "\n");
        terminal_show(display->err, &text, STALL_MS);
    }
    *list = NULL;
}

static bool is_failure(const char *event)
{
    return starts_with(event, "failed") || equal(event, "in-doubt") || equal(event, "unreachable");
}

/* -1: it is not known when the step began on HOST. */
static int64_t time_since_begin(const struct display *display, const char *host)
{
    for (const struct display_begin *begin = display->begins; begin != NULL; begin = begin->next) {
        if (equal(begin->host, host))
            return clock_ms() - begin->at_ms;
    }
    return -1;
}

static void note_begin(struct display *display, const struct step *step, const char *host)
{
    struct display_begin *begin = arena_alloc(display->arena, sizeof *begin);

    if (step != display->step) {
        display->step = step;
        display->begins = NULL;
        display->waited_ms = 0;
    }
    *begin = (struct display_begin){host == NULL ? NULL : arena_strdup(display->arena, host),
                                    clock_ms(), display->begins};
    display->begins = begin;
}

static void tell_line(struct display *display, const struct step *step, const char *host,
                      const char *what, int64_t duration_ms, const char *words)
{
    CLEANUP(text_release) struct text text = {0};
    char at[TIMESTAMP_SIZE];

    timestamp_utc(at);
    display_line(
        &text, display->err, at, step == NULL ? "" : step->id,
        host_title(display->arena, display->roles, step == NULL ? NULL : step->hosts, host), what,
        duration_ms, words);
    display_clear(display);
    terminal_show(display->err, &text, STALL_MS);
}

/* What happened to the run as a whole: "deploying: the preflight found nothing". */
static void tell_run(struct display *display, const char *event, const char *words)
{
    CLEANUP(text_release) struct text text = {0};
    char at[TIMESTAMP_SIZE];
    char *spaced = arena_strdup(display->arena, event);

    for (char *hyphen = spaced; (hyphen = strchr(hyphen, '-')) != NULL;)
        *hyphen = ' ';

    bool is_said = words != NULL && starts_with(words, spaced);

    timestamp_utc(at);
    text_append_format(&text, "%.8sZ  ", at + 11);
    if (equal(event, "left"))
        text_append_styled(&text, display->err, STYLE_WARNING, "left behind: ");
    else
        text_append_styled(&text, display->err, STYLE_STRONG, is_said ? words : event);
    if (words != NULL && !is_said) {
        text_append(&text, equal(event, "left") ? "" : ": ");
        text_append_visible(&text, words, strlen(words));
    }
    text_append(&text, "\n");
    display_clear(display);
    terminal_show(display->err, &text, STALL_MS);
}

void observe_event(void *context, const struct step *step, const char *host, const char *event,
                   const char *words)
{
    struct display *display = context;

    if (equal(event, "finding")) {
        // It tells more than the outcomes before it did.
        display->failures = NULL;
        note_add(display, &display->findings, "", words == NULL ? event : words);
        return;
    }
    if (!is_failure(event))
        notes_tell(display, &display->failures, words);
    if (step == NULL) {
        tell_run(display, event, words);
        return;
    }
    if (equal(event, "begins")) {
        note_begin(display, step, host);
        if (!display->err->is_terminal)
            tell_line(display, step, host, event, -1, words);
        return;
    }
    if (!is_failure(event)) {
        tell_line(display, step, host, event, time_since_begin(display, host), words);
        return;
    }
    tell_line(display, step, host, event, time_since_begin(display, host), NULL);
    if (words != NULL)
        note_add(
            display, &display->failures,
            host_title(display->arena, display->roles, step == NULL ? NULL : step->hosts, host),
            words);
}

static void tell_waiting(struct display *display, const struct run_view *view)
{
    if (view->elapsed_ms < display->waited_ms)
        display->waited_ms = 0;
    if (view->elapsed_ms - display->waited_ms < WAITS_MS)
        return;
    display->waited_ms = view->elapsed_ms;
    for (size_t at = 0; at < view->host_count; at++) {
        CLEANUP(text_release) struct text words = {0};

        if (view->hosts[at].is_finished)
            continue;
        text_append(&words, "still waiting");
        if (view->hosts[at].words != NULL && *view->hosts[at].words != '\0')
            text_append_format(&words, ": %s", view->hosts[at].words);
        tell_line(display, view->step, view->hosts[at].host, "waits", view->elapsed_ms,
                  text_string(&words));
    }
}

/* Each line is cleared to its end, and what was longer before is cleared below. */
static void draw(struct display *display, const struct text *frame, int lines)
{
    CLEANUP(text_release) struct text text = {0};

    if (display->drawn > 0)
        text_append_format(&text, "\x1b[%dA\r", display->drawn);
    for (const char *at = text_string(frame); *at != '\0';) {
        size_t length = strcspn(at, "\n");

        text_append_bytes(&text, at, length);
        text_append(&text, "\x1b[K\n");
        at += length + (at[length] == '\n');
    }
    text_append(&text, "\x1b[J");
    terminal_show(display->err, &text, REDRAW_MS);
    display->drawn = display->err->is_stalled ? 0 : lines;
}

void observe_tick(void *context, const struct run_view *view)
{
    struct display *display = context;
    CLEANUP(text_release) struct text frame = {0};
    CLEANUP(arena_release) struct arena scratch = {0};

    display->roles = view->roles;
    if (!display->err->is_terminal) {
        tell_waiting(display, view);
        return;
    }
    if (clock_ms() - display->drawn_ms < REDRAW_MS - 5)
        return;
    terminal_measure(display->err);

    int lines = display_frame(&frame, display->err, &scratch, view, display->err->width,
                              display->err->height - 2);

    if (display->interrupted != NULL && *display->interrupted != 0) {
        text_append_styled(&frame, display->err, STYLE_WARNING,
                           "  ends after what is under way; once more: stops now");
        text_append(&frame, "\n");
        lines++;
    }
    draw(display, &frame, lines);
    display->drawn_ms = clock_ms();
}

void observe_show(void *context, const struct step *step, const char *host, const struct text *text)
{
    struct display *display = context;
    CLEANUP(text_release) struct text out = {0};

    display_clear(display);
    text_append_visible(&out, step->id, strlen(step->id));
    if (host != NULL) {
        const char *title = host_title(display->arena, display->roles, step->hosts, host);

        text_append(&out, " on ");
        text_append_visible(&out, title, strlen(title));
    }
    text_append(&out, ":\n");
    text_append_visible(&out, text_string(text), text->length);
    if (text->length > 0 && text->bytes[text->length - 1] != '\n')
        text_append(&out, "\n");
    terminal_show(display->out, &out, RESULT_MS);
}

/* One line from the terminal, or "" when there is none or a signal came. */
static void read_answer(const struct display *display, char *answer, size_t size)
{
    size_t length = 0;

    while (length + 1 < size && (length == 0 || answer[length - 1] != '\n')) {
        struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
        int count = poll(&ready, 1, 200);

        // The signal may have been delivered to another thread, which does not wake this one.
        if (display->interrupted != NULL && *display->interrupted != 0)
            break;
        if (count <= 0 && (count == 0 || errno == EINTR))
            continue;

        ssize_t got = read(STDIN_FILENO, answer + length, 1);

        if (got <= 0)
            break;
        length++;
    }
    answer[length] = '\0';
    if (display->interrupted != NULL && *display->interrupted != 0)
        *answer = '\0';
}

bool observe_confirm(void *context, const struct step *step, const char *question)
{
    struct display *display = context;
    CLEANUP(text_release) struct text text = {0};
    char answer[16];

    if (isatty(STDIN_FILENO) != 1 || isatty(display->err->fd) != 1)
        return false;
    display_clear(display);
    notes_tell(display, &display->failures, NULL);
    text_append(&text, "\n");
    text_append_styled(&text, display->err, STYLE_WARNING, "gate");
    text_append(&text, " ");
    text_append_visible(&text, step->id, strlen(step->id));
    text_append(&text, "\n  ");
    text_append_wrapped(&text, question, 2, 2, display->err->width);
    text_append(&text, "\n  y goes on, anything else stops here [y/N] ");
    // What was typed before the question was asked does not answer it.
    (void)tcflush(STDIN_FILENO, TCIFLUSH);
    terminal_show(display->err, &text, RESULT_MS);
    read_answer(display, answer, sizeof answer);
    if (*answer == '\0') {
        text_clear(&text);
        text_append(&text, "\n");
        terminal_show(display->err, &text, STALL_MS);
    }
    return equal(answer, "y\n") || equal(answer, "Y\n") || equal(answer, "yes\n");
}

void display_finish(struct display *display, const struct error *error)
{
    const char *told = error == NULL ? NULL : error_text(display->arena, error);

    display_clear(display);
    notes_tell(display, &display->failures, told);
    notes_tell(display, &display->findings, told);
}
