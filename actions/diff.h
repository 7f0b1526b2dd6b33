/*
 * What an edit would change, for a person: a unified diff with three lines of context. Linear
 * memory and bounded work: where the texts differ too much to be compared line by line, all of the
 * old lines are shown as removed. Passwords are not shown, nor anything that could drive a
 * terminal.
 */
#ifndef ACTIONS_DIFF_H
#define ACTIONS_DIFF_H

#include "base/text.h"

/* One version of a file; bytes NULL: it is absent. */
struct diff_side {
    const char *bytes;
    size_t length;
};

/* Appends nothing if the two are equal. NAME is the file's path. */
void diff_append(struct text *out, const char *name, struct diff_side old, struct diff_side new);

/*
 * One line (without its end) as it may be shown: the value of what is called a password, a token or
 * a secret is "***", also inside a connection string; where its end is not certain, all that stands
 * behind it is.
 */
void redact_append(struct text *out, const char *line, size_t length);

/*
 * The lines after such a one may belong to its value (a block of YAML, a continuation): those that
 * are indented by at least so many characters, which is 0 if LINE has no such value.
 */
size_t redact_indentation(const char *line, size_t length);

#endif
