/*
 * Where a byte of a scalar's text stands in the file. A node knows where its value begins; what is
 * wrong inside a long SQL or shell text has a place of its own, which is found again by reading
 * the file beside the text.
 */
#ifndef PLAN_SOURCE_H
#define PLAN_SOURCE_H

#include "base/node.h"

struct source {
    const char *file, *bytes;
    size_t length;
    const uint32_t *lines; /* where each begins; made when first needed */
    size_t line_count;

    /* The last place that was asked for: whoever asks in order reads the file only once. */
    const struct node *node;
    size_t offset, at;
    size_t line, column_at; /* a byte of that line ... */
    int column;             /* ... and its column */
};

/* OFFSET counts in node->text; LENGTH is what to underline. */
struct place source_place(struct source *source, struct arena *arena, const struct node *node,
                          size_t offset, size_t length);

/* The place of a byte of the file itself. */
struct place source_place_at(struct source *source, struct arena *arena, size_t at, size_t length);

#endif
