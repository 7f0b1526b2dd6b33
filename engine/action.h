/*
 * The contract between the engine and the actions: all that an author of an action must read.
 *
 * An action says what a step does. It is a name, a schema and five functions. Looking is separate
 * from doing: `look` only reads, and answers alike "what would happen?" (preview), "is it needed?"
 * (before), "did it work?" (after) and "had it happened?" (resume). Actions know neither the
 * journal nor the screen; they return closed results and errors, and they wait only in host_* calls
 * with work->deadline_ms.
 *
 * A step's life on one host: look; where that says LOOK_WOULD_CHANGE, apply; then look again until
 * LOOK_ALREADY or the step's timeout. After a crash between intent and outcome: settle.
 */
#ifndef ACTION_H
#define ACTION_H

#include "host/host.h"
#include "plan/plan.h"

enum look {
    LOOK_ALREADY,      /* the step's effect is there: nothing to do */
    LOOK_WOULD_CHANGE, /* it is not; work->change says what apply would do */
    LOOK_UNKNOWN,      /* cannot be known before an earlier step has run, or the server is down */
    LOOK_FAILED,       /* could not look; *error says why (ERROR_UNREACHABLE: the host is lost) */
};

enum apply {
    APPLY_DONE,    /* complete and proven: no second look is needed */
    APPLY_LOOK,    /* asked for; looking tells when it is complete */
    APPLY_NOTHING, /* failed, and left nothing behind; *error says why */
    APPLY_MAYBE,   /* failed, and may have left something; *error says why */
    APPLY_RUNNING, /* deadline or stop: it goes on without us (a job); *error says which */
};

enum settle {
    SETTLE_DONE,
    SETTLE_NOT_DONE, /* as if it had not begun */
    SETTLE_BROKEN,   /* not done, and it may have left something: to be done again; *error: why */
    SETTLE_RUNNING,  /* apply will attach to it */
    SETTLE_IN_DOUBT, /* *error says what is not known, and what a person can look at */
    SETTLE_FAILED,   /* it ran and failed: *error */
    SETTLE_UNREACHABLE,
};

/* A value that a step has saved. */
struct saved {
    const char *name, *text;
    struct saved *next;
};

/* A host that a role stands for. */
struct pinned_role {
    const char *name;
    const struct host_settings *const *hosts;
    size_t count;
};

/* A number and the limit that it must stay above or below, in one unit: bytes, seconds, ... */
struct bound {
    enum { BOUND_NONE, BOUND_ABOVE, BOUND_BELOW } kind;
    double value, limit;
};

/* One step on one host, one try. Everything returned lives in `arena`. */
struct work {
    struct arena *arena;
    const struct plan *plan;
    const struct cluster *cluster;
    const struct step *step;
    const struct scope *scope;
    const struct host_settings *target;
    struct host *host;
    const char *as; /* expanded; NULL: the ssh user */

    const char *run;       /* run id */
    const char *operation; /* id of this try: 64 hex digits; of the first try in a look */
    const char *previous;  /* operation id of the try before, which failed; or NULL */
    int try;               /* from 1 */
    int64_t number;        /* of the run's claim: see claim.h */
    bool was_taken_over;   /* whoever had the run before may wake up in the middle of this step */
    const char *reference; /* `restore: STEP`: what that step saved as "STEP.before", or NULL */
    const struct pinned_role *roles;
    size_t role_count;

    bool is_preview; /* only look, with READ ONLY transactions and nothing made on the host */
    bool is_repeat;  /* a look of a loop: the connection may be kept, the words kept short */
    int64_t deadline_ms;
    int stop_fd; /* second Ctrl-C, or a guard that failed */

    /* Results, beside the function's own. */
    struct text change;  /* look: what apply would do, for a person: a diff, an SQL text */
    struct text shown;   /* rows or output for the person */
    struct saved *saved; /* by apply, or by look of what only reads; also "before" for restore */
    const char *words;   /* one short phrase: "lag 12 MB", "maintenance mode is on"; or NULL */
    const char *file;    /* look: the file on the host that the step edits; or NULL */
    const char *digest;  /* SHA-256 of that file; NULL: it is not there */
    const char *value;   /* look at a condition: what was found, as it came; or NULL */
    struct bound bound;  /* look at a condition: where it has a limit, and a number was found */

    /* Tells the progress display what is being waited for. Never NULL; any thread. */
    void (*watch)(struct work *work, const char *words);
    void *watch_context;
};

void work_save(struct work *work, const char *name, const char *text);

/* Offline description of what a step would do: titled texts, exactly as they would run. */
struct description_part {
    const char *title;    /* "SQL (>=14)", "shell, as postgres", "file /etc/x", ... */
    const char *language; /* "sql", "sh", "diff", "text" */
    const char *text;
    struct description_part *next;
};
struct description {
    struct arena *arena;
    const char *summary; /* one line: "turn maintenance mode on" */
    struct description_part *parts, *last;
};
void description_add(struct description *description, const char *title, const char *language,
                     const char *text);

/* For `validate` and `describe`: values may be missing; then texts keep their ${name}. */
struct outline {
    struct arena *arena;
    const struct plan *plan;
    const struct cluster *cluster; /* NULL: not given */
    const struct scope *scope;
    const struct step *step;
    struct findings *findings; /* validate only */
};

struct action {
    const char *name;   /* the key in a step */
    const char *schema; /* "sql.schema.json" */
    bool has_effect;    /* false: only looks; settle and apply are never called */
    bool needs_unless;  /* cannot look by itself: see plan_read on idempotence */

    /* What the schema cannot say. Adds findings. May be NULL. */
    void (*validate)(const struct outline *outline);
    void (*describe)(const struct outline *outline, struct description *out);
    enum look (*look)(struct work *work, struct error **error);
    enum apply (*apply)(struct work *work, struct error **error);
    /* work->operation is the interrupted try's. NULL: looking again settles it. */
    enum settle (*settle)(struct work *work, struct error **error);
    /* After the run is closed: removes what the action keeps on a host (markers). May be NULL. */
    struct error *(*clean)(struct work *work);
};

extern const struct action *const all_actions[]; /* ends with NULL */

/* Sets step->action everywhere in the plan. */
void actions_bind(const struct plan *plan);

/* Runs every step's validate. */
void actions_validate(struct arena *arena, const struct plan *plan, const struct cluster *cluster,
                      const struct scope *scope, struct findings *findings);

#endif
