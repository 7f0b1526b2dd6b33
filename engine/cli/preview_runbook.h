/* What the parts of the runbook share. Internal to preview_runbook*.c. */
#ifndef CLI_PREVIEW_RUNBOOK_H
#define CLI_PREVIEW_RUNBOOK_H

#include "by_hand.h"
#include "cli/preview.h"
#include "run/ledger.h"

struct runbook {
    struct preview *preview;
    struct pinned_role *roles;
    const char *run; /* id, or a placeholder, as a word of a shell */
    struct text *out;
};

/* Gives every name a value in the scope: the open run's, or a placeholder. Sets roles and run. */
void runbook_resolve(struct runbook *runbook);

/* Is "<NAME>" a placeholder? Of by_hand's own too; "<b>" in an SQL text is none. */
bool runbook_is_placeholder(const struct preview *preview, const char *name);

#endif
