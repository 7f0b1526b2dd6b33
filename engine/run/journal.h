/*
 * The journal of a run: one JSON object per line, append-only; each line ends with the SHA-256 of
 * itself ("hash") and carries that of the line before ("prev"). The rules that make it trustworthy:
 *
 *  1. Intent is on disk before the first byte goes to a host; outcomes are on disk before the next
 *     step begins: journal_append puts a record into memory, journal_sync makes one durable write
 * of all that were appended. One sync per barrier.
 *  2. Every record says how many records were on disk when it was made ("durable"). When a journal
 *     is opened, a torn or damaged tail is cut off, unless a later record says that it had been on
 *     disk: what was never acknowledged may be lost in a power loss, what was acknowledged may not.
 *     Such damage, an unknown version and another owner are refused.
 *  3. After a failed write or sync every further call fails with the same error.
 *
 * Only one thread writes. See schemas/journal.schema.json for the records.
 */
#ifndef RUN_JOURNAL_H
#define RUN_JOURNAL_H

#include "base/node.h"
#include "base/text.h"

struct journal;

/*
 * A copy of PATH takes its place, so that a process that has the former one open adds nothing to
 * it. All or nothing: until the new one is complete on disk, the former one stays.
 */
struct error *journal_renew(struct arena *arena, const char *path);

/* Does a line (without its newline) carry the hash of what stands in it? */
bool journal_line_is_whole(const char *line, size_t length);

/* One record as read: its node (a map with "type") and place in the file. */
struct record {
    const struct node *node;
    const char *type;
    const char *at; /* timestamp */
    size_t number;  /* from 1 */
    const struct record *next;
};

/* Makes PATH, which must not exist, with mode 0600. */
struct error *journal_create(struct arena *arena, const char *path, struct journal **out);

/*
 * Opens PATH to append, and cuts a torn tail off; *first is the first of its records, in ARENA.
 */
struct error *journal_open(struct arena *arena, const char *path, struct journal **out,
                           const struct record **first);

/* Reads only: for status and log. A torn tail is left out, nothing is changed. */
struct error *journal_read(struct arena *arena, const char *path, const struct record **first);

void journal_close(struct journal *journal);

/*
 * Appends a record: FIELDS is what stands behind the common fields, as JSON members without braces
 * (`"step":"mark","host":"pg1"`), or "". It is in memory until journal_sync. Returns the record as
 * a reader will find it, in ARENA.
 */
const struct record *journal_append(struct journal *journal, struct arena *arena, const char *type,
                                    const char *fields);

/* Writes and syncs what was appended; nothing to write is success. */
struct error *journal_sync(struct journal *journal, struct arena *arena);

/* The hash of the last record: what an intent is known by on a host. */
const char *journal_hash(const struct journal *journal);

#endif
