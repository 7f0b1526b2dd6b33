/*
 * What a cluster is in while the facts of a plan are followed, one after the other. Internal to
 * this folder.
 */
#ifndef PLAN_SITUATION_H
#define PLAN_SITUATION_H

#include "plan/facts.h"
#include "plan/standing.h"

struct situation {
    const struct checker *checker;
    bool in_maintenance;
    struct standing services, servers; /* that this plan has stopped */
    const struct fact *pause;          /* of replay; NULL: it goes on */
    bool pause_is_proven;
    const struct fact *target; /* that a server starts with, or was started with; NULL: none */
    bool is_promoted;          /* since the target was set */
    bool is_unknown;           /* after a script: nothing is concluded from what is not there */
};

void situation_follow(struct situation *situation, const struct fact *fact);

/* hazards_hold.c, hazards_back.c: what follows from the order of the steps. */
void hold_check(struct checker *checker);
void back_check(struct checker *checker);

/* hazards_target.c: what a recovery target says. HAS_DELAY: the plan delays replay before. */
void target_check(struct checker *checker, const struct fact *target, bool has_delay);
bool target_promotes(struct checker *checker, const struct fact *target);

/* What it then does, for a message; NULL: it does not. */
const char *target_shuts_down(struct checker *checker, const struct fact *target);

/* hazards_lasting.c: what is set and never unset. hazards_secret.c: what should not be there. */
void lasting_check(struct checker *checker);
void secrets_check(struct checker *checker);

#endif
