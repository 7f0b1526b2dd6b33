/* The parts of the action edit-conf. */
#ifndef ACTIONS_EDIT_CONF_H
#define ACTIONS_EDIT_CONF_H

#include "edit.h"
#include "work.h"

/* The lists of keys, in the order that they are applied, with `set` last. */
extern const char *const edit_conf_verbs[EDIT_UNCOMMENT + 1]; /* by enum edit_kind */
extern const enum edit_kind edit_conf_order[EDIT_UNCOMMENT + 1];

/* The format that PARAMS names; false: none, or "text". */
bool edit_conf_format(const struct node *params, enum edit_format *out);

/* The edits of a step on one host. */
struct edit_list {
    enum edit_format format;
    struct edit *items;
    size_t count, capacity;
};

/* Empty where the step has no format, or no keys to edit. */
struct error *edit_conf_edits(struct work *work, struct edit_list *out);

/* Whether the format's files have a key and a value on each line. */
bool edit_format_has_lines(enum edit_format format);

void edit_conf_validate(const struct outline *outline);
void edit_conf_describe(const struct outline *outline, struct description *out);

#endif
