/*
 * How errors and findings look: like a compiler's where they lie in a file, like PostgreSQL's
 * programs' elsewhere. Everything is appended to a text, and whatever came from outside is made
 * visible first, so that no plan and no host can drive a terminal.
 *
 *     plans/blue-green.yml:14:7: error: unknown key "quer" in action "sql"
 *        14 |       quer: SELECT pg_wal_replay_pause()
 *           |       ^~~~ did you mean "query"?
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/terminal.h"
#include "plan/findings.h"
#include "plan/inputs.h"

/* Keeps the place that was last looked up: findings come in order, files can be large. */
struct report {
    struct arena *arena;
    const struct terminal *terminal;
    const struct inputs *inputs; /* where the lines come from; NULL: from the files themselves */
    bool is_strict;              /* hazards are errors */
    struct {
        const char *file, *bytes; /* bytes NULL: cannot be shown */
        size_t length;
        int line, column;             /* characters, from 1 */
        size_t line_start, character; /* offsets of both */
    } source;
};

/* The program's exit status; SIGNAL is the one that stopped it, or 0. */
int error_exit(const struct error *error, int signal);

/* The error, its causes and its hints. */
void report_error(struct text *text, struct report *report, const struct error *error);

/* All findings, sorted before. */
void report_findings(struct text *text, struct report *report, const struct findings *findings);

/* The same as annotations of a GitHub workflow run: errors first. */
void report_github(struct text *text, struct report *report, const struct findings *findings);

/* How many there are beyond those that are kept. */
void report_rest(struct text *text, const struct findings *findings);

/* "2 errors, 1 warning", or "" if there are none. */
void report_count(struct text *text, const struct report *report, const struct findings *findings);

/* FILE as a person would type it: without the current folder in front. */
const char *short_path(struct arena *arena, const char *file);

#endif
