/* What journal.c, which writes, and journal_read.c share. */
#ifndef RUN_JOURNAL_INSIDE_H
#define RUN_JOURNAL_INSIDE_H

#include "run/journal.h"

enum {
    JOURNAL_LARGEST = 256 * 1024 * 1024,
};

extern const char journal_no_hash[DIGEST_SIZE]; /* of the record before the first */

/* What reading found: the good records, and where they end. */
struct reading {
    char *bytes;
    const struct record *first, *last;
    size_t count; /* of the good records */
    size_t end;   /* offset behind the last good record */
    bool is_torn; /* something lies behind it */
    char hash[DIGEST_SIZE];
};

/* NULL if the line is not a whole, undamaged record. */
struct record *journal_record(struct arena *arena, const char *line, size_t length,
                              char hash[DIGEST_SIZE]);

/* The good records of BYTES; an error if a damaged one had been on disk. PATH is for messages. */
struct error *journal_records(struct arena *arena, const char *path, const char *bytes,
                              size_t length, struct reading *out);

/* The same of a file, which must be ours and have a first record. */
struct error *journal_load(struct arena *arena, const char *path, struct reading *out);

#endif
