/*
 * Guards: conditions that must stay true. While a phase runs, one thread per guarded host looks at
 * the guards in force there, each at its own interval, over a connection of its own. The first that
 * is not true stops the run; the engine asks guards_failed between steps and while one runs.
 */
#ifndef RUN_GUARD_H
#define RUN_GUARD_H

#include "run/engine.h"
#include "run/trend.h"

struct guards;

/* Is GUARD in force when NEXT of PHASE is about to begin (NULL: at the end of PHASE)? */
bool guard_is_in_force(const struct run *run, const struct guard *guard, enum phase phase,
                       const struct step *next);

/* What a look found: words for a person, a number (NAN: none), and that with its limit. */
struct sight {
    char words[160];
    double value;
    struct bound bound;
};

/* Looks at GUARD on one host, in the calling thread. True: as it must be. */
bool guard_holds(struct run *run, const struct guard *guard, const struct host_settings *target,
                 struct host *host, struct sight *out);

/* What a person is told when it does not hold. */
struct error *guard_error(struct arena *arena, const struct guard *guard,
                          const struct host_settings *host, const char *words);

/* Starts threads for the plan's guards; each watches only while it is in force. */
struct guards *guards_start(struct run *run);

/*
 * Called between steps: decides which guards are in force before NEXT (NULL: at the end of PHASE),
 * and waits for the first look of those that are new. An error if one of them is not true.
 */
struct error *guards_update(struct run *run, enum phase phase, const struct step *next);

/*
 * Looks at all guards in force at once, and waits for the answers: before a step that follows a
 * change of what is in force, before commit and rollback, at resume.
 */
struct error *guards_look(struct run *run, enum phase phase);

/* The error of the first guard that failed, or NULL. Any thread. */
const struct error *guards_failed(struct guards *guards);

/* Looks LOOKS times at all guards in force, all hosts at once, and puts them into VIEW. */
void guards_sample(struct run *run, enum phase phase, int looks, struct trends *trends,
                   struct run_view *view);

/*
 * Why the run is stopped, or NULL: a guard that tells that the hold is lost (one with `until`) says
 * more than the one that noticed first, and is waited for a moment.
 */
const struct error *guards_verdict(struct guards *guards);

/* Journals how often each guard was looked at, and its extremes: once, when its phase is over. */
void guards_record(struct guards *guards, enum phase phase);

void guards_view(struct guards *guards, struct arena *arena, struct run_view *view);
void guards_stop(struct guards *guards); /* joins; NULL is fine */

#endif
