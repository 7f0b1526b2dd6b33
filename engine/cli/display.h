/*
 * What is seen while a run goes on. On a terminal a few lines at the bottom are redrawn in place:
 * the step, its hosts and what they wait for, the guards with their values. Above them, and alone
 * where there is no terminal, one line for everything that happened. All goes to standard error;
 * only the rows that a step reads go to standard output.
 */
#ifndef CLI_DISPLAY_H
#define CLI_DISPLAY_H

#include "cli/command.h"

struct display_note;
struct display_begin;

struct display {
    struct arena *arena;
    struct terminal *err, *out;
    const volatile int *interrupted;
    int drawn;        /* lines at the bottom that will be drawn over */
    int64_t drawn_ms; /* when, for at most ten times a second */

    const struct node *roles;           /* as pinned; NULL: not seen yet */
    const struct step *step;            /* of the last event */
    const struct display_begin *begins; /* its hosts, and when they began */
    int64_t waited_ms;                  /* up to where "still waiting" was told */
    struct display_note *failures; /* of the last step, not told yet: the error may tell them */
    struct display_note *findings; /* of the preflight, told at the end */
};

void display_init(struct display *display, struct cli *cli);

/* For run_options; it points to DISPLAY. */
struct run_observer display_observer(struct display *display);

/* Takes the drawn lines off the screen, so that something else can be written. */
void display_clear(struct display *display);

/* At the end: tells what ERROR (NULL: none) does not tell already. */
void display_finish(struct display *display, const struct error *error);

/* The lines that are drawn, at most HEIGHT of them and each shorter than WIDTH. */
int display_frame(struct text *text, const struct terminal *terminal, struct arena *arena,
                  const struct run_view *view, int width, int height);

/* ---- budget.c ---- */

/* "95 s", "3 h 10 min", "5 d 3 h": never more than it is. */
const char *lasting_words(struct arena *arena, double seconds);

/*
 * "can be held 3 h 10 min, until 17:40 UTC; limit: disk on held (pg3)"; NULL: no guard of VIEW is
 * on its way to its limit.
 */
const char *budget_words(struct arena *arena, const struct run_view *view);

/* One line about a step: the time, the step, the host, what happened, how long, words. */
void display_line(struct text *text, const struct terminal *terminal, const char *at,
                  const char *step, const char *host, const char *what, int64_t duration_ms,
                  const char *words);

/* ---- observer.c ---- */

void observe_event(void *context, const struct step *step, const char *host, const char *event,
                   const char *words);
void observe_tick(void *context, const struct run_view *view);
void observe_show(void *context, const struct step *step, const char *host,
                  const struct text *text);
bool observe_confirm(void *context, const struct step *step, const char *question);

#endif
