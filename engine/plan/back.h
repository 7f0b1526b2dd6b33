/*
 * A phase while it is followed, for the hazards of ways back. Internal to hazards_back.c, which
 * knows the order of steps, and hazards_end.c, which knows what is left at the end.
 */
#ifndef PLAN_BACK_H
#define PLAN_BACK_H

#include "plan/situation.h"

enum {
    STOPS_MOST = 16, /* of services that are looked at again at the end of the phase */
};

/* A service that a step of this phase stopped. */
struct stop {
    const struct fact *fact;
    bool in_maintenance, is_needed; /* something later relies on the server to be down */
};

struct back {
    struct checker *checker;
    enum phase phase;
    struct situation now;
    struct standing fenced, stopped_servers, held; /* at any time of this phase */
    struct stop stops[STOPS_MOST];
    size_t stop_count;
    const struct fact *cleared, *started, *first_target;
    bool has_target;    /* in this phase */
    bool is_remembered; /* the cached configuration still says maintenance mode */
    bool is_lone_told, has_looked_in_wal;
    const struct fact *delay; /* of replay, by a step of deploy; NULL: none */
    bool has_signal, has_no_standby_signal;
    bool has_started_service, is_led; /* since then it was seen that somebody leads */
    const struct step *target_step;   /* that was looked at last */
    const struct fact *left_behind;   /* settings of the recovery that were not taken back */
};

/* "step "x" DOES". */
void back_tell(struct back *back, const char *id, const struct fact *fact, const char *hint,
               const char *does);

void back_end_check(struct back *back);

#endif
