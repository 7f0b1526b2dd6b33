/*
 * What can be known about an SQL text without a server: where its statements end, and which of them
 * would end or escape the one transaction that a step runs in. The lexer knows PostgreSQL's quotes,
 * E'' strings, dollar quotes, nested comments and identifiers (src/backend/parser/scan.l).
 */
#ifndef PLAN_SQLTEXT_H
#define PLAN_SQLTEXT_H

#include "plan/findings.h"

struct sql_statement {
    const char *text; /* into the text that was split: not NUL-terminated */
    size_t length;    /* without the semicolon and the white space around it */
    int line;         /* of its first byte, from 1 */
};

/*
 * The statements of TEXT, as psql would send them; empty ones are left out. An unterminated quote
 * or comment is an error whose place has a line and column of TEXT, and no file.
 */
struct error *sql_split(struct arena *arena, const char *text, const struct sql_statement **out,
                        size_t *count);

/*
 * The first word or psql command in TEXT that must not stand in a one-transaction step (BEGIN,
 * COMMIT, ROLLBACK, PREPARE TRANSACTION, \connect, ...; statements that PostgreSQL refuses in a
 * transaction block, such as CREATE INDEX CONCURRENTLY and VACUUM), its byte offset and a sentence
 * why; NULL: there is none. SAVEPOINT and ROLLBACK TO are allowed.
 */
const char *sql_forbidden(const char *text, size_t *offset, const char **why);

/* The same for any text that is sent to a server: psql commands, and COPY from or to the client. */
const char *sql_unsendable(const char *text, size_t *offset, const char **why);

/*
 * Server-version ranges: ">=14", "<10", ">=10 <12", "14", several joined by a space must all hold.
 * VERSION is server_version_num (150018).
 */
bool version_matches(const char *range, int version);

/* "15.18 (Debian ...)" or "9.6.24" as server_version_num; 0 if TEXT begins with no version. */
int version_number(const char *text);

/* NULL if RANGES together cover every version from 9.4 on; else a sentence naming the first gap. */
const char *version_gap(struct arena *arena, const char *const *ranges, size_t count);
bool version_is_valid(const char *range);

#endif
