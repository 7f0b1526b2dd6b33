/*
 * A plan, as the engine sees it: roles, variables, guards, and the ordered steps of its phases. The
 * keys of an action stay nodes, already checked against the action's schema; the action reads them.
 * A plan is immutable after plan_read. See schemas/plan.schema.json.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "plan/cluster.h"

enum phase {
    PHASE_PREFLIGHT,
    PHASE_DEPLOY,
    PHASE_COMMIT,
    PHASE_ROLLBACK,
    PHASE_COUNT,
};
extern const char *const phase_names[PHASE_COUNT];

struct variable {
    const char *name, *about; /* about: NULL if not said */
    enum value_type type;
    const struct node *choices; /* a list of texts: one of these; else NULL */
    const char *fallback;       /* `default:` as written, or NULL: a value must be given */
    struct place place;
};

struct role {
    const char *name;
    const char *patroni; /* "leader", "replica", "sync-standby", "member": which members match */
    const struct node *except; /* list of role names whose hosts are left out, or NULL */
    bool one;                  /* exactly one host, the cluster file's preference first */
    bool may_be_empty;
    struct place place;
};

enum when_kind {
    WHEN_POSTGRES,          /* subject: a version range; asked on the step's host */
    WHEN_VARIABLE,          /* subject: its name */
    WHEN_VALUE,             /* subject: the name of a saved value */
    WHEN_ROLE_IS_EMPTY,     /* subject: a role */
    WHEN_MAY_HAVE_HAPPENED, /* subject: a step */
    WHEN_DID_NOT_HAPPEN,
};

struct when {
    enum when_kind kind;
    const char *subject;
    const struct node *is; /* of variable and value: a scalar or a list of scalars; else NULL */
    struct place place;
};

/* Is the value TEXT one that a condition on a variable or a saved value asks for? */
bool when_is(const struct when *when, const char *text);

struct action; /* action.h; bound by actions_bind */

struct step {
    const char *id, *about;   /* about: NULL if not said */
    struct place place;       /* of the id's value */
    enum phase phase;         /* of a guard: PHASE_DEPLOY */
    const struct step *group; /* the group it belongs to, or NULL */
    const struct step *steps; /* of a group: its first step; NULL: the step has an action */
    const struct step *next;  /* in the phase, or in the group */
    const struct node *node;  /* the whole map as written */

    /* Below, what the step does not say is the group's, then the plan's default, then the schema's.
     */
    const struct node *hosts; /* a scalar or a list of roles and host names */
    const char *as;           /* the user on the host, not expanded; NULL: the ssh user */
    int64_t timeout_ms;
    bool timeout_is_written; /* by the step or its group */
    int serial;              /* hosts at a time; 0: all */
    int retry_times;         /* further tries after the first */
    int64_t retry_delay_ms;
    bool repeat_if_interrupted; /* if-interrupted: repeat */
    bool ask_if_unreachable;    /* if-unreachable: ask */

    /* Its own only: a group's are asked once, at the group. */
    const struct when *when;
    size_t when_count;
    const char *confirm;      /* the gate's text, not expanded, or NULL */
    const char *irreversible; /* the reason, or NULL */

    const char *action_name; /* NULL in a group */
    const struct action *action;
    const struct node *params; /* the value of the action's key, or the guard's whole map */
};

struct guard {
    struct step step; /* action wait-until, params: the guard's own map (source, is/above/below) */
    const char *from, *until; /* step ids, or NULL */
    int64_t every_ms;
    const char *unit; /* "bytes", "seconds", ... for the screen, or NULL */
    bool show_only;
    const struct guard *next;
};

struct plan {
    const char *file;
    const char *name, *about;
    const struct variable *variables;
    size_t variable_count;
    const struct role *roles;
    size_t role_count;
    const struct guard *guards;             /* in the order written */
    const struct step *phases[PHASE_COUNT]; /* the first step of each, or NULL */
    bool has_phase[PHASE_COUNT];            /* `commit: []` is a phase without steps */
    struct inputs *inputs;
    const struct node *root;        /* the whole document */
    const struct plan_names *names; /* for plan_find_step and plan_find_role */
    const struct schema *schema;    /* plan.schema.json, for defaults of actions (schema_default) */
};

struct plan_options {
    const struct cluster *cluster; /* NULL: not given; then hosts and values are not asked for */
    const char *const *settings;   /* --set NAME=VALUE, count below */
    size_t setting_count;
    const char *settings_folder; /* what a --set path is relative to */
};

/*
 * Reads and checks a plan: grammar, types, references, order of values, idempotence, hazards. All
 * findings are told; NULL if there is an error among them. SCOPE receives the variables' values.
 */
const struct plan *plan_read(struct arena *arena, struct inputs *inputs, const char *path,
                             const struct plan_options *options, struct scope *scope,
                             struct findings *findings);

const struct step *plan_find_step(const struct plan *plan, const char *id); /* guards too */
const struct role *plan_find_role(const struct plan *plan, const char *name);

/*
 * The step of the preflight that will decide VARIABLE, which says "auto" in SCOPE, or NULL: it
 * saves a value of that name, which takes the variable's place from then on.
 */
const struct step *plan_find_decider(const struct plan *plan, const struct scope *scope,
                                     const char *variable);
const struct variable *plan_find_variable(const struct plan *plan, const char *name);

/* All steps of a phase in the order they run, groups before their steps: NULL starts, NULL ends. */
const struct step *plan_next_step(const struct plan *plan, enum phase phase,
                                  const struct step *step);

/* An SQL text of a step: a text, a version map, or {file: PATH}. VERSION 0: unknown, maps fail. */
struct error *plan_sql_text(struct arena *arena, const struct plan *plan, const struct scope *scope,
                            const char *host, const struct node *node, int version,
                            const char **out);

/* files.c: the path of a local file that NODE names; false if it has a value that is not known. */
bool plan_path(struct arena *arena, const struct plan *plan, const struct scope *scope,
               const char *host, const struct node *node, const char **out);

/* The bytes of a file that the plan names (`file: ${migration}`), read when the plan was. */
struct error *plan_file(struct arena *arena, const struct plan *plan, const struct scope *scope,
                        const char *host, const struct node *node, const struct input **out);

#endif
