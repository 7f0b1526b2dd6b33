/*
 * The command line. One table of options serves all commands: which of them a command takes, what
 * the parser accepts and what --help says come from the same rows.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/error.h"
#include "base/text.h"

enum {
    FOR_CHECK = 1 << 0,
    FOR_PREVIEW = 1 << 1,
    FOR_DEPLOY = 1 << 2,
    FOR_RESUME = 1 << 3,
    FOR_COMMIT = 1 << 4,
    FOR_ROLLBACK = 1 << 5,
    FOR_STATUS = 1 << 6,
    FOR_RUNS = 1 << 7,
    FOR_LOG = 1 << 8,
    FOR_RESOLVE = 1 << 9,
    FOR_CLOSE = 1 << 10,
    FOR_LOSS = 1 << 13,
    FOR_VERIFY = 1 << 14,
    FOR_INIT = 1 << 15,
    FOR_RUNNING = FOR_DEPLOY | FOR_RESUME | FOR_COMMIT | FOR_ROLLBACK,
    FOR_JOURNAL = FOR_RUNNING | FOR_STATUS | FOR_RUNS | FOR_LOG | FOR_RESOLVE | FOR_CLOSE |
                  FOR_LOSS | FOR_VERIFY,
    FOR_ALL = (1 << 16) - 1,
};

/* An option that may be given several times, in the order given. */
struct option_list {
    const char **values;
    size_t count;
};

/* NULL, false or empty: not given. Strings are the command line's own. */
struct options {
    struct option_list arguments;
    struct option_list settings, confirmed, without_guards, ssh;
    const char *cluster, *journal, *plan, *why, *as, *expect, *max_age;
    const char *on_failure, *phase, *format, *save, *color, *explain, *service;
    bool yes, live, detailed_exitcode, strict, take_over, watch, help;
};

/* Reads what stands behind the command's name. COMMAND is one of the bits above. */
struct error *options_read(struct arena *arena, unsigned command, const char *name, int count,
                           char **words, struct options *out);

/* The lines of --help for the options that COMMAND takes. */
void options_append_help(struct text *text, unsigned command);

#endif
