/*
 * The line of a file that an error lies in, and a caret below it, aligned in terminal columns: wide
 * characters count as two, tabs are spaces, and of a long line only what is around the place.
 */
#ifndef CLI_EXCERPT_H
#define CLI_EXCERPT_H

#include "cli/report.h"

/* False: there is no such line to show. HINT (may be NULL) is then not shown either. */
bool excerpt_append(struct text *text, struct report *report, const struct place *place,
                    const char *hint);

#endif
