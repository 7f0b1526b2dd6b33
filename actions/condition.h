/*
 * Conditions: what is true or not yet true. One source (sql, patroni, shell, file with contains,
 * port) and at most one of is, above, below. Used by wait-until, guards and the preflight, and in
 * parts by `unless`.
 *
 * No row, no connection, no value: not true. An SQL error and an exit status other than 0 and 1 are
 * errors: it could not be looked.
 */
#ifndef ACTIONS_CONDITION_H
#define ACTIONS_CONDITION_H

#include "work.h"

struct condition_result {
    bool is_true;
    const char *value; /* what was found, for a person ("12 MB"); NULL: nothing */
    const char *words; /* why it is not true, or what is */
};

/*
 * Evaluates the condition whose keys are in MAP (of a wait-until, a guard, or a fail-when). An
 * error: see above, or the host cannot be reached, or a value in it is not known.
 */
struct error *condition_evaluate(struct work *work, const struct node *map,
                                 struct condition_result *out);

/*
 * A shell text of the plan that only looks, run as the step's user with the variables that it
 * names: exit status 0 is true, 1 is false, anything else an error. OUTPUT (may be NULL): its
 * standard output without the last newlines.
 */
struct error *condition_shell(struct work *work, const struct node *text, const char *interpreter,
                              bool *is_true, const char **output);

/* A map of `patroni:` conditions; all must be true. In condition_patroni.c. */
struct error *condition_patroni(struct work *work, const struct node *map,
                                struct condition_result *out);

/* TEXT as a number: an integer, a fraction, a size (bytes) or a duration (seconds). */
bool condition_number(struct arena *arena, const char *text, double *out);

/* "12 MB" for 12582912 and unit "bytes", "3 min" for "seconds", else the value and its unit. */
const char *condition_words(struct arena *arena, const char *value, const char *unit);

#endif
