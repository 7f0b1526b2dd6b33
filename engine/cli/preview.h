/*
 * A preview: everything that a plan would do, for people who decide. It is put together from the
 * plan and the actions' own descriptions, and written in several forms. The JSON form has the
 * digests of all that it rests on, so that a saved one can be compared (deploy --expect).
 */
#ifndef CLI_PREVIEW_H
#define CLI_PREVIEW_H

#include "base/table.h"
#include "cli/command.h"

/* How long a step took in this cluster's earlier runs of the same plan. */
struct step_time {
    const char *run; /* the newest that did it */
    int64_t last_ms, median_ms;
    size_t count; /* runs */
};

/* What a name stands for in every step: told once, not in each. */
struct constant {
    const char *name, *words;
    struct constant *next;
};

struct preview {
    struct arena *arena;
    const struct plan *plan;
    const struct cluster *cluster;
    struct scope *scope;
    const struct findings *findings; /* hazards */
    unsigned phase_mask;             /* a bit for each phase */
    const char *made;                /* when, in UTC */
    bool is_live;
    struct live live;                /* what looking found */
    const struct terminal *terminal; /* colour and width of the text form */
    struct table savers;             /* name of a saved value -> struct step */
    struct table times;              /* step id -> struct step_time; empty: none is known */
    struct table constant_names;     /* name -> struct constant */
    struct constant *constants, *last_constant; /* of the steps that were written so far */
    const struct ledger *run;                   /* the runbook's: the run that is open, or NULL */
};

/* Once, before it is written: fills `savers`. */
void preview_prepare(struct preview *preview);

/* The plan and cluster of the command line, offline. False: FINDINGS have errors. */
bool preview_read(struct cli *cli, struct findings *findings, struct preview *out);

/*
 * Reads the newest runs of this plan on this cluster below the folder JOURNAL: the times of steps,
 * and the run that is open. What cannot be read is left out.
 */
void preview_read_runs(struct preview *preview, const char *journal);

/* In FORMAT: "text" (also NULL), "markdown", "json" or "runbook". */
void preview_write(struct preview *preview, const struct terminal *terminal, const char *format,
                   struct text *out);

void preview_text(struct preview *preview, struct text *out);
void preview_json(struct preview *preview, struct text *out); /* schemas/preview.schema.json */

/*
 * For a pull request: at most 65,536 bytes, whatever the plan's size. Texts of steps that do not
 * fit are left out, the least important first, and their number is said.
 */
void preview_markdown(struct preview *preview, struct text *out);

/* The cluster before and after each phase, in Markdown; nothing where no step tells of a change. */
void preview_picture(const struct preview *preview, struct text *out);

/* A procedure by hand, in Markdown. */
void preview_runbook(struct preview *preview, struct text *out);

/* ---- preview_words.c: what the forms say alike ---- */

/* The next step of the phases in the mask; NUMBER is "3" or "3.1". NULL starts and ends. */
struct preview_cursor {
    enum phase phase;
    const struct step *step;
    int major, minor;
    char number[24];
};
const struct step *preview_next(const struct preview *preview, enum phase phase,
                                struct preview_cursor *cursor);

struct description preview_describe(const struct preview *preview, const struct step *step);

/* "leader", "pg3, pg2". */
const char *hosts_words(struct arena *arena, const struct node *hosts);

/* "only if \"migrate\" may have happened", with what is known already: "... (it is: skipped)". */
const char *when_words(const struct preview *preview, const struct when *when);

/* "must be below 20GB", "must be true". */
const char *limit_words(const struct preview *preview, const struct guard *guard);

/* "every 1 s, from the end of \"hold-replay\" to the beginning of \"release\"". */
const char *guard_words(const struct preview *preview, const struct guard *guard);

/* Its value, or NULL; a secret's is where it comes from. */
const char *variable_words(const struct preview *preview, const struct variable *variable);

/* "exactly one replica; pg3, then pg2". */
const char *role_words(const struct preview *preview, const struct role *role);

/* TEXT with its ${name} inserted, or as it is where one is not known, or not alike on all hosts. */
const char *known_text(const struct preview *preview, const char *text);

/* "90 s", "12 h": exact, unlike duration_words. */
const char *period_words(struct arena *arena, int64_t period_ms);

/* The summary, or NULL where the step's `about` has said it already. */
const char *summary_words(const struct step *step, const struct description *description);

/* A label and a sentence about a step: what it needs, risks and keeps. */
struct fact {
    const char *label, *words;
    enum style style; /* STYLE_FAINT: nothing special */
    const struct fact *next;
};
const struct fact *preview_facts(const struct preview *preview, const struct step *step);

/*
 * A value that the texts of a step name and that is not inserted: what it is, or when it will be
 * known. What is a constant is added to preview->constants as well.
 */
struct later {
    const char *name, *known;
    bool is_constant;
    const struct later *next;
};
const struct later *preview_later(struct preview *preview, const struct step *step,
                                  const struct description *description);

/* The results of looking at STEP, one after the other; NULL starts and ends. */
const struct preview_item *preview_live_next(const struct preview *preview, const struct step *step,
                                             const struct preview_item *before);
const char *look_words(const struct step *step, const struct preview_item *item);

bool look_has_words(const struct preview_item *item);

/* Steps that cannot change anything: conditions and queries. */
bool step_only_looks(const struct step *step);

/*
 * Why a step or guard is left out whatever happens: a variable that its `when` (or its group's)
 * asks for is another; NULL: it is not. "rebuild is rewind".
 */
const char *skip_words(const struct preview *preview, const struct step *step);

/* How many of them are left out and why, or NULL: they are not shown one by one. */
const char *hidden_steps_words(const struct preview *preview, enum phase phase);
const char *hidden_guards_words(const struct preview *preview);

/* What cannot be taken back, and how: one sentence each. */
struct door {
    const struct step *step; /* NULL: of the plan as a whole */
    const char *words;
    const struct door *next;
};
const struct door *preview_doors(const struct preview *preview);

/* "12 s last time; 10 s is the median of 4 runs", or NULL. */
const char *time_words(const struct preview *preview, const struct step *step);

/* "about 40 s, as the medians of earlier runs add up", or NULL. */
const char *phase_time_words(const struct preview *preview, enum phase phase);

/* "5 steps may change something, 1 gate, 1 irreversible step" */
void preview_append_summary(struct text *text, const struct preview *preview);

#endif
