/*
 * A run: one execution of a plan on one cluster. It has an id, a directory and a journal;
 * everything that is known about it is read from the journal, so the same code serves a fresh run,
 * a resumed one and a person who only asks.
 */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "action.h"
#include "run/journal.h"

enum run_state {
    RUN_PREFLIGHT, /* preflight not finished */
    RUN_DEPLOYING,
    RUN_DEPLOYED,
    RUN_COMMITTING,
    RUN_ROLLING_BACK,
    RUN_REFUSED, /* from here on: closed */
    RUN_COMMITTED,
    RUN_ROLLED_BACK,
    RUN_DONE, /* a plan without commit, after deploy */
    RUN_CLOSED,
};
extern const char *const run_state_names[]; /* "preflight", "deploying", ... */
bool run_state_is_open(enum run_state state);

/* What became of a step on a host (or of a group as a whole: host NULL). */
enum step_state {
    STEP_NOT_STARTED,
    STEP_RUNNING, /* intent without outcome */
    STEP_ALREADY,
    STEP_DONE,
    STEP_SKIPPED, /* its `when` was not true */
    STEP_FAILED,  /* may have left something */
    STEP_NOTHING, /* failed, and left nothing: did not happen */
    STEP_IN_DOUBT,
    STEP_UNREACHABLE,
    STEP_RESOLVED_DONE,
    STEP_RESOLVED_NOT_DONE,
};
extern const char *const step_state_names[];

struct step_status {
    const char *step, *host; /* host NULL: a step without hosts, or one that was skipped */
    enum step_state state;
    bool may_have_happened; /* by this or an earlier try */
    int try;
    const char *message; /* error or words of the last outcome, or NULL */
    const char *hint;
    const char *began, *ended; /* timestamps, or NULL */
    int64_t duration_ms;
};

/* A run as its journal tells it. Strings live in the arena that it was loaded into. */
struct run_summary {
    const char *id, *folder, *cluster, *plan_name, *plan_file, *cluster_file;
    enum run_state state;
    bool is_stopped;                     /* the last command ended before its phase did */
    const char *stop_reason, *stop_hint; /* of the last stop, or NULL */
    int stop_exit;
    const char *stop_guards; /* " --without-guard ID ...": what would let commit go on; or NULL */
    const char *began, *ended;
    const char *by, *from; /* user, host of who started it */
    const char
        *holder; /* "alice on ops1, pid 4711, since ...", if a living process has it, else NULL */
    const char *current_step; /* of the last intent, or NULL */
    enum phase phase;
    bool has_left; /* something of the run is left on a host that did not answer */
    const struct step_status *statuses;
    size_t status_count;
    const struct record *records;
};

struct run_place {
    const char *journal; /* folder that holds the clusters */
    const char *origin;  /* "--journal", "$HOLDBACK_JOURNAL", "the cluster file", "the default" */
};

/* The open ones only: what is closed is told by the end of its journal, however many there are. */
struct error *run_list_open(struct arena *arena, const struct run_place *place, const char *cluster,
                            const struct run_summary **out, size_t *count);

/* *out: the folder of run ID (of CLUSTER, if not NULL), of the newest run if ID is NULL; or NULL.
 */
struct error *run_find_folder(struct arena *arena, const struct run_place *place,
                              const char *cluster, const char *id, const char **out);

struct error *run_load_summary(struct arena *arena, const char *folder, struct run_summary *out);

/* All runs below PLACE (of CLUSTER, if not NULL), newest first. */
struct error *run_list(struct arena *arena, const struct run_place *place, const char *cluster,
                       const struct run_summary **out, size_t *count);

struct patroni_cluster;
struct run_view;

/* How a person, or nobody, is asked; and what is shown while a run goes on. All may be called from
 * the main thread only. */
struct run_observer {
    void *context;
    /* A gate. True: go on. */
    bool (*confirm)(void *context, const struct step *step, const char *question);
    /* One line of progress: the step (NULL: the run), the host as people know it ("leader (pg1)";
     * NULL: all), what happened. */
    void (*event)(void *context, const struct step *step, const char *host, const char *event,
                  const char *words);
    /* Called about ten times a second while a step runs. */
    void (*tick)(void *context, const struct run_view *view);
    /* Rows, output. */
    void (*show)(void *context, const struct step *step, const char *host, const struct text *text);
};

struct run_view_host {
    const char *host, *words; /* words: what is waited for, or the state */
    bool is_finished;
};

struct run_view_guard {
    const struct guard *guard;
    const char *host;
    const char *words; /* last value */
    bool is_true, is_known;
    double seconds; /* until its limit, by its trend; INFINITY: not near; NAN: not known */
};

/* What a progress display can draw. Valid during the call of tick. */
struct run_view {
    const char *run, *plan;
    enum phase phase;
    const struct step *step;
    int64_t elapsed_ms;
    int index, count; /* of the step in its phase */
    const struct run_view_host *hosts;
    size_t host_count;
    const struct run_view_guard *guards; /* those in force */
    size_t guard_count;
    const struct node *roles; /* role -> hosts, as pinned; NULL: not yet */
};

struct run_options {
    struct run_place place;
    const char *run;          /* id, or NULL */
    const char *cluster_file; /* -c, or NULL */
    const char *plan_file;
    const char *const *settings;
    size_t setting_count;
    const char *settings_folder;
    bool yes;
    const char *const *confirmed; /* --confirm STEP */
    size_t confirmed_count;
    const char *const *without_guards; /* --without-guard ID */
    size_t without_guard_count;
    const char *why;
    struct inputs *inputs; /* deploy: what was read already, the expected preview too; or NULL */
    bool wants_facts;      /* preview: see struct live */
    bool rollback_on_failure;
    bool take_over; /* from whoever has the run, wherever */
    const struct run_observer *observer;
    int stop_fd;               /* readable at the second Ctrl-C */
    volatile int *interrupted; /* signal number of the first SIGINT, SIGTERM or SIGHUP, or 0 */
};

/*
 * The commands. Each returns NULL when its work is done (or was done already) or the error that the
 * program's exit status comes from (error_kind; ERROR_STOPPED: 128 + the signal). FINDINGS are
 * filled when the plan or cluster file is wrong. *summary is the run as it is afterwards, if there
 * is one.
 */
struct error *run_deploy(struct arena *arena, const struct run_options *options,
                         struct findings *findings, struct run_summary *summary);
struct error *run_resume(struct arena *arena, const struct run_options *options,
                         struct findings *findings, struct run_summary *summary);
struct error *run_commit(struct arena *arena, const struct run_options *options,
                         struct findings *findings, struct run_summary *summary);
struct error *run_rollback(struct arena *arena, const struct run_options *options,
                           struct findings *findings, struct run_summary *summary);
struct error *run_resolve(struct arena *arena, const struct run_options *options, const char *step,
                          const char *host, bool done, struct run_summary *summary);
struct error *run_close(struct arena *arena, const struct run_options *options,
                        struct run_summary *summary);

extern const char *const look_names[]; /* "already", "would-change", "unknown", "failed" */

/* What looking at a step found on one host. */
struct preview_item {
    const struct step *step;
    const char *host;  /* NULL: whole step (skipped, or its hosts are not known) */
    const char *label; /* the host as people know it: "leader (pg1)" */
    enum look look;
    const char *words, *change, *shown; /* NULL: none; shown: rows that a query read */
    const char *file, *digest;          /* of the file that it would edit: see struct work */
    const struct preview_item *next;
};

/* A live preview, and with wants_facts what it rests on. */
struct live {
    const struct plan *plan;
    const struct preview_item *items;
    bool would_change;                     /* as for --detailed-exitcode */
    const struct error *lost;              /* the first host that did not answer a look, or NULL */
    const struct patroni_cluster *members; /* NULL: there are no facts */
    const char *system_identifier;         /* NULL: no host told it */
    const struct node *versions, *roles;   /* as in the journal's "identity" and "resolved" */
};

/* Looks at every step of the phases in MASK (bit per phase). What was found before an error is in
 * *out. */
struct error *run_preview_live(struct arena *arena, const struct run_options *options,
                               unsigned phase_mask, struct findings *findings, struct live *out);

/* ---- differences.c ---- */

/* "a, b and c", cut where there are many. */
const char *names_words(struct arena *arena, const struct words *names);

/* What is not as a preview says, a line each; no more than 20 are kept. */
struct differences {
    struct arena *arena;
    struct text lines;
    size_t count;
};
void differs(struct differences *differences, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "\n  a\n  b\n  and 3 more", or NULL where nothing differs. Releases the lines. */
const char *differences_words(struct differences *differences);

/* The facts as JSON, for a saved preview; "null" where there are none. In facts.c. */
void live_append_json(struct text *out, const struct live *live);

/* What a person would type now: "holdback resume RUN", "holdback rollback RUN", ... */
struct next_command {
    const char *command, *what;
};
size_t run_next_commands(struct arena *arena, const struct run_summary *summary,
                         struct next_command out[4]);

/* The guard that will reach its limit first, or NULL: none of them is on its way there. */
const struct run_view_guard *view_budget(const struct run_view *view);

/*
 * Looks LOOKS times at the guards of an open run, for somebody who asks; of one that is deployed,
 * at those of the deployment, because what they watch goes on. TRENDS are what they found before
 * and find now. Calls show at the end.
 */
struct trends;
struct error *run_sample(struct arena *arena, const struct run_options *options, int looks,
                         struct trends *trends, struct run_summary *summary,
                         void (*show)(void *context, const struct run_view *view), void *context);

#endif
