/*
 * A preview: everything that a plan would do, for people who decide. It is put together from the
 * plan and the actions' own descriptions, and written in three forms. The same input gives the same
 * bytes: a saved preview can be compared (deploy --expect).
 */
#ifndef CLI_PREVIEW_H
#define CLI_PREVIEW_H

#include "base/table.h"
#include "cli/command.h"

struct preview {
    struct arena *arena;
    const struct plan *plan;
    const struct cluster *cluster;
    const struct scope *scope;
    const struct findings *findings; /* hazards */
    unsigned phase_mask;             /* a bit for each phase */
    bool is_live;
    const struct preview_item *live; /* what looking found */
    const struct terminal *terminal; /* colour of the text form */
    struct table savers;             /* name of a saved value -> struct step */
};

/* Once, before it is written: fills `savers`. */
void preview_find_savers(struct preview *preview);

/* The plan and cluster of the command line, offline. False: FINDINGS have errors. */
bool preview_read(struct cli *cli, struct findings *findings, struct preview *out);

/* In FORMAT: "text" (also NULL), "markdown" or "json". */
void preview_write(struct preview *preview, const struct terminal *terminal, const char *format,
                   struct text *out);

void preview_text(const struct preview *preview, struct text *out);
void preview_markdown(const struct preview *preview, struct text *out);

/*
 * {"preview": 1, "live": BOOL,
 *  "plan": {"name", "about", "files": [{"role", "path", "sha256"}]},
 *  "cluster": {"name", "system_identifier", "hosts": [{"name", "address", "member"}]},
 *  "roles": [{"name", "is", "prefers": [HOST]}],
 *  "variables": [{"name", "type", "value", "about"}],
 *  "hazards": [{"id", "file", "line", "column", "message"}],
 *  "guards": [{"id", "about", "hosts": [..], "every_ms", "from", "until", "show_only", "when":
 * [..], "must": WORDS, "parts": [PART]}], "phases": [{"phase", "steps": [STEP]}]}
 *
 * STEP: {"number", "id", "about", "group", "hosts": [..], "as", "action", "summary", "when":
 * [WORDS], "confirm", "irreversible", "timeout_ms", "timeout_is_default", "serial", "retry_times",
 *  "retry_delay_ms", "if_interrupted", "if_unreachable", "saves": [NAME], "parts": [PART],
 *  "values": [{"name", "known": WORDS}], "live": [{"host", "look", "words", "change", "rows"}]}
 * PART: {"title", "language", "text"}. What is not said is null. "look" is one of "already",
 * "would-change", "unknown" and "failed", or null where the step would be left out.
 */
void preview_json(const struct preview *preview, struct text *out);

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

/* "from the end of \"hold-replay\" to the beginning of \"release\"". */
const char *guard_words(const struct preview *preview, const struct guard *guard);

/* "exactly one replica; pg3, then pg2". */
const char *role_words(const struct preview *preview, const struct role *role);

/*
 * TEXT with its ${name} inserted, or as it is where a value is not known yet, or not the same on
 * all hosts.
 */
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

/* A value that the texts of a step name and that is not inserted: what it is, or when it will be
 * known. */
struct later {
    const char *name, *known;
    const struct later *next;
};
const struct later *preview_later(const struct preview *preview, const struct step *step,
                                  const struct description *description);

/* The results of looking at STEP, one after the other; NULL starts and ends. */
const struct preview_item *preview_live_next(const struct preview *preview, const struct step *step,
                                             const struct preview_item *before);
extern const char *const look_names[];
const char *look_words(const struct step *step, const struct preview_item *item);

bool look_has_words(const struct preview_item *item);

/* Steps that cannot change anything: conditions and queries. */
bool step_only_looks(const struct step *step);

/* "5 steps may change something, 1 gate, 1 irreversible step" */
void preview_append_summary(struct text *text, const struct preview *preview);

#endif
