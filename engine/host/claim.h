/*
 * The claim of a run: one file per cluster on every host, in the ~/.holdback/ of each user that the
 * run's steps act as there, so that nobody has to be let into another's home. It is changed under
 * flock of its folder. It says who has the cluster; its number only grows; and it keeps the hash of
 * the intent that the host was last changed for.
 *
 * What changes a host compares the claim first, on the host and under that lock: jobs, replaced
 * files, scripts (host_change), and connections to servers, which go through a relay on the host
 * that ends when the claim changes. Whoever raises the number waits for all of these to end, and
 * then knows that the former holder changes nothing any more, however late it wakes up.
 */
#ifndef HOST_CLAIM_H
#define HOST_CLAIM_H

#include "host/host.h"

struct claim {
    const char *cluster, *run;
    const char *who, *since; /* "alice", a timestamp */
    const char *from;        /* the machine, */
    const char *journal;     /* and the run's folder there: together whose claim it is */
    int64_t number;
    bool takes_over; /* also what another machine or journal has */
};

/* What a claim file says. Texts are "" where it says nothing, and fit for a message. */
struct claim_found {
    const char *run, *who, *from, *journal, *since;
    const char *intent, *step; /* what the host was last changed for */
    int64_t number;            /* 0: there is no claim */
};

/*
 * USER: as in shell_request; NULL is the ssh user. Taking succeeds where there is no claim, and
 * where it is of our run with no greater number, from this machine and journal (or it takes over):
 * whoever had a smaller one has no connection left then. Else ERROR_LOCKED says who has it. *FOUND,
 * which may be NULL, is what was there.
 */
struct error *claim_take(struct host *host, struct arena *arena, const struct claim *claim,
                         const char *user, int64_t deadline_ms, struct claim_found *found);
struct error *claim_look(struct host *host, struct arena *arena, const char *cluster,
                         const char *user, int64_t deadline_ms, struct claim_found *found);
struct error *claim_release(struct host *host, struct arena *arena, const struct claim *claim,
                            const char *user, int64_t deadline_ms);

/*
 * What host_set_claim takes: changes are made for step STEP and the intent with this hash. STEP
 * NULL: for tidying up, which needs no claim of ours, but none of our run with another number.
 */
const char *claim_reference(struct arena *arena, const struct claim *claim, const char *intent,
                            const char *step);

/*
 * From now on changes on HOST are made in the name of this claim (copied); NULL: of nobody, and
 * nothing is compared. A change whose claim is lost fails with ERROR_LOCKED and has done nothing.
 */
void host_set_claim(struct host *host, const char *reference);
bool host_has_claim(const struct host *host);

/* Compares the claim of USER now: for changes that do not go through the host. */
struct error *claim_check(struct host *host, struct arena *arena, const char *user,
                          int64_t deadline_ms);

/* host_shell for a script that changes something; the claim is compared and kept locked for it. */
struct error *host_change(struct host *host, struct arena *arena,
                          const struct shell_request *request, struct shell_result *out);

#endif
