/*
 * For `validate` and `describe`: a step's texts without a host. A value that is not known yet keeps
 * its ${name}.
 */
#ifndef ACTIONS_OUTLINE_H
#define ACTIONS_OUTLINE_H

#include "action.h"

/* NODE's text with the values that are known, or as written. */
const char *outline_text(const struct outline *outline, const struct node *node);

/* "maintenance mode is off, leader leads the cluster": a `patroni` condition. */
const char *outline_patroni(const struct outline *outline, const struct node *map);

/* The SQL of NODE (a text, a version map, {file: PATH}, or a list of these), a part for each. */
void outline_sql(const struct outline *outline, struct description *out, const char *title,
                 const struct node *node);

/* The bytes of a local file that the step names, or NULL. */
const char *outline_file(const struct outline *outline, const struct node *node);

/* Calls VISIT with every SQL text that NODE may stand for, and the range it is for (or NULL). */
struct outline_sql_visitor {
    void (*visit)(const struct outline *outline, void *context, const struct node *node,
                  const char *range, const char *text, bool is_file);
    void *context;
};
void outline_each_sql(const struct outline *outline, const struct node *node,
                      const struct outline_sql_visitor *visitor);

/* The parts of a condition, as they would be looked at. TITLE "until"; NULL: of a guard. */
void outline_condition(const struct outline *outline, struct description *out, const char *title,
                       const struct node *map);

#endif
