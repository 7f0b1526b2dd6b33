/* The hazards that `check` warns of: what --explain prints, and README.md lists. */
#ifndef PLAN_HAZARD_H
#define PLAN_HAZARD_H

#include <stddef.h>

struct hazard {
    const char *id;        /* "HB007" */
    const char *sentence;  /* what it is: one line, without a full stop */
    const char *why;       /* whole sentences */
    const char *instead;   /* whole sentences: what to write */
    const char *reference; /* a section of a manual by its title, or an issue by its number */
};

extern const struct hazard hazard_table[]; /* in the order of their ids */
extern const size_t hazard_count;

const struct hazard *hazard_find(const char *id); /* NULL: there is none */

#endif
