/*
 * The inside of the action "sql", shared by sql.c (look, describe, validate), sql_run.c (apply),
 * sql_settle.c (settle, clean) and sql_marker.c (the marker row).
 */
#ifndef ACTIONS_SQL_H
#define ACTIONS_SQL_H

#include "work.h"

bool sql_is_query(const struct step *step);
bool sql_is_one_transaction(const struct step *step);

/* The texts of `run`, `file` or KEY ("clean-up"), expanded, in order. VERSION: the server's. */
struct error *sql_texts(struct work *work, const char *key, int version, const char *const **out,
                        size_t *count);

/* Is the step's `unless` true? The step must have one. */
struct error *sql_unless(struct work *work, bool *is_true);

/* TEXT as an SQL literal; standard_conforming_strings is on. */
const char *sql_literal(struct arena *arena, const char *text);

/*
 * Saves the `save` names that RESULT has, if it has exactly one row; NULL becomes "". sql_unsaved
 * is the error of the first name that no result had, or NULL.
 */
void sql_save(struct work *work, const struct postgres_result *result);
struct error *sql_unsaved(struct work *work);

/*
 * The marker row of (run, step, host) in holdback.marker commits with the work of a step and proves
 * that it happened; it travels with the data through failover and PITR.
 */

/* For looks; never makes anything. *FOUND: it is there, and its saved values are in work->saved. */
struct error *marker_look(struct work *work, const struct postgres_request *request, bool *found);

/* The statement that takes the step's advisory lock until the transaction ends. */
const char *marker_lock(struct work *work, int version);

/*
 * The same question inside a transaction of POSTGRES that has the lock: nobody else can be between
 * the work and its marker. ERROR_LOCKED: the run was taken over.
 */
struct error *marker_find(struct work *work, struct postgres *postgres, bool *found);

/*
 * After marker_find has found it, in the same transaction, which it commits: the marker is visible
 * as soon as this server has it, also where the COMMIT that brought it was cut off while it waited
 * for a synchronous standby. NULL: now the standbys have it too.
 */
struct error *marker_confirm(struct work *work, struct postgres *postgres);

/* With the lock, in a transaction that it commits: no former holder's transaction gets past
 * marker_find any more. For one who took the run over. */
struct error *marker_fence(struct work *work, struct postgres *postgres);

/* Makes the schema and the table where they are missing, in the open transaction. */
struct error *marker_prepare(struct work *work, struct postgres *postgres);

/*
 * Inserts the row with work->saved, provided that the transaction is still TRANSACTION (a text of
 * its own); *IS_SAME says so.
 */
struct error *marker_insert(struct work *work, struct postgres *postgres, const char *transaction,
                            bool *is_same);

/*
 * COMMIT. It is an error, too, if it had to be cancelled: then it has happened, but perhaps on this
 * server alone, which waited for a synchronous standby.
 */
struct error *sql_commit(struct work *work, struct postgres *postgres,
                         struct postgres_result *result, struct postgres_failure *failure);

/* The statement after which COMMIT waits for the disk and for synchronous standbys. */
extern const char sql_commit_waits[];

/*
 * What CREATE INDEX CONCURRENTLY and REINDEX CONCURRENTLY leave when they do not come to their end:
 * `index "a", index "b"`, or NULL.
 */
const char *sql_left(struct work *work, struct postgres *postgres);

/* Ends whatever backend an earlier try of this step has left, and waits until it is gone. */
struct error *sql_fence(struct work *work, struct postgres *postgres);

enum apply sql_apply(struct work *work, struct error **error);
enum settle sql_settle(struct work *work, struct error **error);
struct error *sql_clean(struct work *work);

#endif
