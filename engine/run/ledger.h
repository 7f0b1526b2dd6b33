/*
 * What a run's records add up to. The program that executes a run and the one that only asks read
 * the same records with the same function, so there is one truth: nothing is known that is not
 * journalled.
 */
#ifndef RUN_LEDGER_H
#define RUN_LEDGER_H

#include "run/run.h"

/* A value, role or fact that was journalled. Strings live in the ledger's arena. */
struct ledger_value {
    const char *name, *host; /* host NULL: the same everywhere */
    const char *text;
    const struct ledger_value *next;
};

struct ledger {
    struct arena *arena;
    struct run_summary summary;
    struct step_status *statuses; /* what summary.statuses shows */
    size_t status_capacity;
    uint32_t *buckets; /* index + 1 of the first status of a hash chain */
    uint32_t *chains;
    const struct ledger_value *saved;     /* newest first */
    const struct ledger_value *waived;    /* guards that a person waived: name */
    const struct ledger_value *gates;     /* gates that were answered: name */
    const struct node *run;               /* the first record */
    const struct node *identity;          /* system identifier, versions; NULL: not yet known */
    const struct node *variables, *roles; /* NULL: not yet resolved */
    const char *plan_folder; /* of the plan that a person replaced the first by, or NULL */
    const char *command; /* the last one that has not ended: what resume goes on with; or NULL */
    const char *intent, *intent_step; /* hash and step of the last intent; NULL: there is none */
    int64_t number; /* of the claim: every command that goes on with the run raises it */
    bool rolls_back_on_failure; /* deploy --on-failure rollback: whoever resumes it, too */
    bool was_taken_over;        /* whoever had the run may be asleep, with connections of its own */
    const struct record *last;
};

void ledger_init(struct ledger *ledger, struct arena *arena);
void ledger_apply(struct ledger *ledger, const struct record *record);
void ledger_read(struct ledger *ledger, const struct record *first); /* with all that follow */

/* Is there an intent with that hash? */
bool ledger_has_intent(const struct ledger *ledger, const char *hash);

/* HOST NULL: of a step that has no host (a skipped one). NULL: nothing is known. */
const struct step_status *ledger_status(const struct ledger *ledger, const char *step,
                                        const char *host);

/* Did STEP (or any step of the group STEP) happen, or may it have? Asked by `when`. */
bool ledger_may_have_happened(const struct ledger *ledger, const struct step *step);

bool step_state_is_complete(enum step_state state); /* nothing more is to be done */

const struct ledger_value *ledger_find(const struct ledger_value *list, const char *name);

#endif
