/*
 * What a checker has to say about input files: errors and hazards (warnings with an id), in the
 * order of file, line and column. Collected, so that a person sees all of them and not only the
 * first; after FINDINGS_MOST errors the rest is only counted.
 */
#ifndef PLAN_FINDINGS_H
#define PLAN_FINDINGS_H

#include "base/error.h"
#include "base/node.h"
#include "base/text.h"

enum {
    FINDINGS_MOST = 200,
    SUGGESTIONS_MOST = 50, /* "did you mean" is looked for in the first ones only: it takes time */
};

struct finding {
    const struct error *error; /* message, place, hint */
    const char *hazard;        /* "HB007", or NULL: an error */
};

struct findings {
    struct arena *arena;
    struct finding *items;
    size_t count, capacity;
    size_t error_count, hazard_count; /* errors may be more than there are items */
};

void findings_add(struct findings *findings, struct place place, const char *hint,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
void findings_add_hazard(struct findings *findings, const char *id, struct place place,
                         const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/*
 * WORD as messages show it, in quotes and cut short where it is long: what stands in a file may be
 * megabytes. NULL once no more findings are kept: then no message needs it.
 */
const char *findings_quote(const struct findings *findings, const char *word);

/* "did you mean \"x\"?" for the nearest of the candidates, or NULL. */
const char *findings_suggest(const struct findings *findings, const char *word,
                             const char *const *candidates, size_t count);
const char *words_suggest(const struct findings *findings, const struct words *words,
                          const char *word);

/* Sorts by file, line and column; equal places keep their order. */
void findings_sort(struct findings *findings);

/* The place of a node's value, or of its key, in FILE. */
struct place node_place(const char *file, const struct node *node);
struct place node_key_place(const char *file, const struct node *node);

#endif
