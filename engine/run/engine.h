/*
 * The inside of a run while a command executes it, shared by the files of this folder. Start
 * reading in command.c (what each command does), then phase.c (the steps of a phase, in order),
 * then step.c (one step on its hosts).
 */
#ifndef RUN_ENGINE_H
#define RUN_ENGINE_H

#include "host/claim.h"
#include "host/job.h"
#include "host/patroni.h"
#include "run/ledger.h"

#include <pthread.h>
#include <time.h>

struct run {
    struct arena *arena;
    const struct run_options *options;
    struct findings *findings;
    struct run_place place;
    const char *id, *folder;
    const char *as_user; /* who runs holdback */
    int lock_fd;

    const struct cluster *cluster;
    const struct plan *plan;
    struct scope *scope;
    struct ledger ledger;
    struct journal *journal; /* NULL in a preview: nothing is written */

    struct host **hosts;  /* one connection for each of cluster->hosts */
    bool may_have_claims; /* they were asked for: hosts that were lost since may have them */
    bool *is_lost;        /* for each: could not be reached in this command */
    int stop_fd;          /* eventfd: readable when whatever runs shall stop now */
    const struct pinned_role *roles;
    size_t role_count;

    struct guards *guards;     /* guard.h; NULL: none are in force */
    const char *failed_guards; /* "--without-guard A ...": those that guards_look found; or NULL */
    bool is_preview;

    /* For the progress display. */
    const struct step *step;
    int64_t step_began_ms;
    struct worker *workers;
    size_t worker_count;
};

/* Appends a record and applies it; on disk after the next run_sync. FIELDS: see journal_append. */
void run_record(struct run *run, const char *type, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));
struct error *run_sync(struct run *run);

/* Tells the observer, if there is one: see run_observer.event. */
void run_event(const struct run *run, const struct step *step, const char *host, const char *what,
               const char *words);

/* JSON string with quotes, in the run's arena; NULL becomes null. */
const char *json_text(struct arena *arena, const char *text);

/* The signal that asked us to stop after what is atomic, or 0. */
int run_interrupted(const struct run *run);
struct error *run_interrupted_error(const struct run *run);

/* ---- worker.c: one thread per host ---- */

struct worker {
    struct run *run;
    const struct host_settings *target;
    struct host *host;
    struct arena arena; /* the thread's own; released by workers_release */
    void (*function)(struct worker *worker);
    void *context;
    struct error *error; /* in `arena` */
    int64_t began_ms, ended_ms;

    pthread_t thread;
    pthread_mutex_t *lock; /* of words and is_finished */
    char words[160];
    bool is_finished;
};

/*
 * Runs FUNCTION for each of COUNT hosts, a thread each, and returns when all have ended. Meanwhile
 * the observer ticks, a second interrupt stops them, and so does a guard that fails.
 */
void workers_run(struct run *run, struct worker *workers, size_t count);
struct worker *workers_new(struct run *run, const struct host_settings *const *hosts, size_t count,
                           void (*function)(struct worker *));
void workers_release(struct worker *workers, size_t count);
void worker_watch(struct worker *worker, const char *words);

/* For pthread_cond_clockwait: a clock that is set back must not let a guard or a stop wait. */
struct timespec time_after(int64_t wait_ms);

size_t run_host_index(const struct run *run, const struct host_settings *host);

/* ---- prepare.c: what must be known before the first step ---- */

/* The plan's own inputs may be others than the cluster file's: see resume --plan. */
struct error *prepare_files(struct run *run, struct inputs *cluster_inputs,
                            struct inputs *plan_inputs, const char *plan_file,
                            const char *cluster_file);
struct error *prepare_hosts(struct run *run);
void prepare_scope(struct run *run); /* from the ledger: roles, run.*, saved values */
void run_release(struct run *run);

/* The hosts that this command has not found unreachable. */
const struct host_settings **hosts_alive(const struct run *run, size_t *count);

/*
 * A host that cannot be reached is an error while nothing has begun; afterwards commands go on
 * without it, and only the steps on it fail or ask.
 */
struct error *workers_gather(struct run *run, struct worker *workers, size_t count);

/* ---- claims.c ---- */

/* The users that changes are made as on a host; NULL among them is the ssh user. */
struct users {
    const char *names[16];
    size_t count;
};
struct users users_of(struct arena *arena, const struct run *run, const char *host);
void users_add(struct users *users, const char *name);

/* The run's claim on the hosts. */
struct claim claim_of(struct arena *arena, const struct run *run);

/* The run's folder without symbolic links: with the machine's name it says whose the run is. */
const char *run_folder_real(struct arena *arena, const struct run *run);

/* An error where a run that has not begun was made on another machine or in another journal. */
struct error *check_home(const struct run *run);

/* Takes it for every user of every host, or ERROR_LOCKED. A journal that lacks an intent for which
 * a host was changed is refused. */
struct error *prepare_claims(struct run *run);

/* In a host's thread: takes the claim of a host that did not answer when it was to be taken. */
struct error *worker_claim(struct worker *worker);

/* ---- identity.c ---- */

/* Asks every host whose it is, and journals it the first time. Another cluster's host is an error.
 */
struct error *prepare_identity(struct run *run);

/* ---- roles.c ---- */

struct error *prepare_roles(struct run *run);
struct error *members_read(struct run *run, struct patroni_cluster *out);
void roles_into_scope(struct run *run);

/* "leader (pg1)" where STEP (may be NULL) names a role that HOST has; else "pg1". */
const char *host_label(const struct run *run, const struct step *step,
                       const struct host_settings *host);

/* The hosts of a step, each once, in the order written. */
const struct host_settings *const *step_hosts(const struct run *run, const struct step *step,
                                              size_t *count);

/* ---- when.c ---- */

/* Are all of STEP's own conditions true? *why says which is not, in words. */
struct error *when_holds(const struct run *run, const struct when *when, size_t count,
                         const struct step *step, bool *holds, const char **why);

/* ---- phase.c ---- */

/* True of a group if any of its steps has an intent or an outcome. */
bool step_has_begun(const struct run *run, const struct step *step);

struct error *phase_run(struct run *run, enum phase phase);

/* The gate of the first step that will run: asked before the run's state changes for it. */
struct error *phase_pass_first_gate(struct run *run, enum phase phase);

/* All are tried; what they find is told together. */
struct error *preflight_run(struct run *run);

/* ---- step.c: one step on a batch of hosts ---- */

struct error *step_run(struct run *run, const struct step *step,
                       const struct host_settings *const *hosts, size_t count);

/* Finds out what became of tries that were interrupted. Steps in doubt are only recorded. */
struct error *settle_all(struct run *run, enum phase phase);

/* ---- live.c, facts.c, expect.c ---- */

/* Of what a step would change on a host; NULL: nothing. */
const char *live_change_digest(const struct preview_item *item, char out[DIGEST_SIZE]);

int64_t live_timeline(const struct patroni_cluster *members);   /* the leader's, or 0 */
const char *live_leader(const struct patroni_cluster *members); /* or NULL */

/* Looks as a live preview does, with the connections and roles of a run that has begun. */
struct error *live_again(struct run *run, unsigned phase_mask, struct live *out);

/* Where the run was begun with a preview that is expected: an error (ERROR_REFUSED) if what it
 * rests on is not so any more. Its file is the input "preview". */
struct error *expect_check(struct run *run);

/* The same, where NOW has been looked at already; FACTS: "facts" of the PREVIEW. */
struct error *expect_compare(struct run *run, const char *preview, const struct node *facts,
                             const struct live *now);

/* ---- finish.c ---- */

/* Takes markers, folders and claims away from the hosts; hosts that do not answer are told. */
void run_clean(struct run *run);

#endif
