/*
 * The rows of one result while they arrive, bounded: a step's output. Values are kept one behind
 * the other with a NUL behind each; the names of the columns come first.
 */
#ifndef HOST_POSTGRES_ROWS_H
#define HOST_POSTGRES_ROWS_H

#include "base/text.h"
#include "host/postgres.h"

struct postgres_rows {
    size_t columns;
    struct text bytes;
    struct text cells; /* a size_t for each: 1 + its place in bytes, or 0 for SQL NULL */
    char command[64];
};

void postgres_rows_release(struct postgres_rows *rows);
void postgres_rows_clear(struct postgres_rows *rows);

/* VALUE is NULL for SQL NULL. */
void postgres_rows_append(struct postgres_rows *rows, const char *value);

bool postgres_rows_are_too_many(const struct postgres_rows *rows);

/* The result in ARENA. */
void postgres_rows_copy(const struct postgres_rows *rows, struct arena *arena,
                        struct postgres_result *out);

#endif
