/* The parts of the action edit-conf. */
#ifndef ACTIONS_EDIT_CONF_H
#define ACTIONS_EDIT_CONF_H

#include "edit.h"
#include "host/file.h"
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

/* What a restore writes: what was kept, or the file as it is without the step's own keys. */
struct edit_undo {
    bool is_whole;
    const char *bytes; /* not is_whole */
    size_t length;
};

/*
 * Whether the file at PATH is still as STEP left it; if not, what takes STEP's edits back and
 * leaves alone what somebody else has changed since. ERROR_FAILED where that cannot be told apart.
 */
struct error *edit_conf_undo(struct work *work, const struct step *step, const char *path,
                             const struct host_file *before, const struct host_file *now,
                             struct edit_undo *out);

void edit_conf_validate(const struct outline *outline);
void edit_conf_describe(const struct outline *outline, struct description *out);

#endif
