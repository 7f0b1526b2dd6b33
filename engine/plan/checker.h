/*
 * What the parts of plan_read share while a plan is built and checked. Internal to this folder.
 */
#ifndef PLAN_CHECKER_H
#define PLAN_CHECKER_H

#include "base/table.h"
#include "plan/plan.h"
#include "plan/schema.h"
#include "plan/source.h"
#include "plan/sqltext.h"

/* What the schema says that a scalar is: see schema.h. */
enum text_format {
    FORMAT_NONE,
    FORMAT_TEXT,
    FORMAT_SQL,
    FORMAT_SHELL,
    FORMAT_STEP,
    FORMAT_ROLE,
    FORMAT_HOSTS,
    FORMAT_SQL_PATH,
    FORMAT_SHELL_PATH,
    FORMAT_VERSION_MAP,
};

/* The format of each node that has one. */
struct formats {
    struct arena *arena;
    struct format_slot *slots;
    size_t count, capacity;
};

void formats_add(struct formats *formats, const struct node *node, enum text_format format);
enum text_format formats_find(const struct formats *formats, const struct node *node);

/* A step that saves a value. */
struct saver {
    const struct step *step;
    const struct node *node;  /* the name in `save:` */
    const struct saver *next; /* of the same name, later in the plan */
};

/* What a name in a text may stand for. */
enum name_kind {
    NAME_VARIABLE,
    NAME_SAVED,
    NAME_BUILT_IN, /* the same everywhere: run.id, cluster */
    NAME_HOST,     /* each host's own: host.name, postgres.port, run.folder */
    NAME_ROLE,     /* ROLE.member, ROLE.address, ROLE.count */
};

struct name {
    const char *name, *shell;
    enum name_kind kind;
    const struct variable *variable;
    const struct role *role;
    const struct saver *savers; /* in the order of the plan */
    struct saver *last_saver;
};

enum {
    CONDITIONS_MOST = 50, /* of one step */
};

struct checker {
    struct arena *arena;
    struct plan *plan;
    const struct node *root;
    const struct plan_options *options;
    struct scope *scope;
    struct findings *findings;
    struct source source;
    struct formats formats;

    struct table *steps; /* id -> struct step, guards too */
    struct table names;  /* name -> struct name */
    struct table shells; /* the name as a shell spells it -> struct name */
    struct table files;  /* path of an SQL file -> how it was checked */

    struct facts *facts; /* of all steps, while the hazards are looked for */

    struct words ids, roles, name_words, shell_words; /* for "did you mean" */
};

/* build.c */
void plan_build(struct checker *checker);

/* variables.c: the plan's variables, and their values into the scope. */
void variables_build(struct checker *checker);
void variables_resolve(struct checker *checker);

/* Reads TEXT as a value that VARIABLE may have; else false, and a sentence that says what may. */
bool variable_accepts(struct arena *arena, const struct variable *variable, const char *text,
                      struct value *out, const char **hint);

/* roles.c: sorted so that a role comes after those it leaves out. */
void roles_build(struct checker *checker);
bool role_is_one_host(const struct role *role);
bool roles_are_apart(const struct role *a, const struct role *b); /* surely without a common host */

/* names.c: everything that a text may name. */
void names_build(struct checker *checker);
bool name_is_reserved_by_shell(const char *name);

/* The guard that STEP is the step of, or NULL. */
const struct guard *guard_of(const struct step *step);

/* True if A runs, or begins to run, before B. */
bool step_precedes(const struct step *a, const struct step *b);

/* order.c: surely never both run in one run: their conditions say so. */
bool steps_exclude(const struct step *a, const struct step *b);

/* Calls VISIT with every guard and step, groups before their steps. */
typedef void step_visitor(struct checker *checker, const struct step *step);
void steps_each(struct checker *checker, step_visitor *visit);

/* The place of LENGTH bytes at OFFSET in the text of NODE. */
struct place text_place(struct checker *checker, const struct node *node, size_t offset,
                        size_t length);

/* references.c: every role, host, step and file that the plan names. */
void references_check(struct checker *checker);

/* conditions.c: the `when` of a step or guard. */
void conditions_check(struct checker *checker, const struct step *step);

/* texts.c: the values that one text of a step (NULL: of the plan's defaults) names. */
void text_check(struct checker *checker, const struct step *step, const struct node *node,
                enum text_format format);

/* One use of a name, as found in a text. */
struct use {
    const struct step *step;
    const struct node *node; /* with offset and length in its text; NULL: see place */
    size_t offset, length;
    struct place place;
    enum text_format format;
    bool is_identifier, is_whole; /* whole: nothing else stands in the text */
};
struct place use_place(struct checker *checker, const struct use *use);
void name_check(struct checker *checker, const struct use *use, const struct name *name);

/* shellcheck.c */
void shell_check(struct checker *checker, const struct step *step, const struct node *node);

/* order.c: is the saved value known where the step uses it? */
void order_check(struct checker *checker, const struct use *use, const struct name *name);

/* idempotence.c and sqlcheck.c: what could run twice, or leave its transaction. */
void idempotence_check(struct checker *checker);
void sql_check(struct checker *checker);

/* hazards.c. A hazard that the plan allows is not added. */
void hazards_check(struct checker *checker);
void hazard_add(struct checker *checker, const char *id, struct place place, const char *hint,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
