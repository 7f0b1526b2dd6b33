/* What a run's journal and its plan tell for the certificate. */
#include "run/certificate_inside.h"
#include "run/work.h"

#include <inttypes.h>

struct list {
    struct text *out;
    struct arena *arena;
    size_t count;
};

static void item_begin(struct list *list)
{
    text_append(list->out, list->count++ == 0 ? "\n    {" : ",\n    {");
}

static void key_text(struct list *list, const char *key, const char *text, bool is_last)
{
    text_append_format(list->out, "\"%s\":%s%s", key, json_text(list->arena, text),
                       is_last ? "}" : ",");
}

static struct list list_begin(const struct certificate *certificate, struct text *out,
                              const char *name)
{
    text_append_format(out, ",\n  \"%s\":[", name);
    return (struct list){.out = out, .arena = certificate->run->arena};
}

static void list_end(const struct list *list)
{
    text_append(list->out, list->count == 0 ? "]" : "\n  ]");
}

static const struct record *records_of(const struct certificate *certificate)
{
    return certificate->run->ledger.summary.records;
}

/* ---- stages ---- */

static void stage(struct list *list, const char *name, const char *at, const char *words)
{
    item_begin(list);
    key_text(list, "stage", name, false);
    key_text(list, "at", at, false);
    key_text(list, "words", words, true);
}

/* States, commands and gates, as they came. */
static void stages_of_records(const struct certificate *certificate, struct list *list)
{
    for (const struct record *record = records_of(certificate); record != NULL;
         record = record->next) {
        const struct node *node = record->node;

        if (equal(record->type, "run"))
            stage(list, "began", record->at, NULL);
        else if (equal(record->type, "command"))
            stage(list, node_text(node, "command"), record->at,
                  arena_printf(list->arena, "by %s on %s", node_text(node, "by"),
                               node_text(node, "from")));
        else if (equal(record->type, "state"))
            stage(list, node_text(node, "state"), record->at, NULL);
        else if (equal(record->type, "gate"))
            stage(list, arena_printf(list->arena, "gate %s", node_text(node, "step")), record->at,
                  arena_printf(list->arena, "%s answered: %s", node_text(node, "by"),
                               node_text(node, "question")));
        else if (equal(record->type, "stop"))
            stage(list, "stopped", record->at, node_text(node, "reason"));
    }
}

/* Of all hosts of STEP the first try's beginning and the last outcome; NULL: it did not happen. */
static void step_times(const struct run *run, const char *step, const char **began,
                       const char **ended)
{
    *began = *ended = NULL;
    for (const struct record *record = run->ledger.summary.records; record != NULL;
         record = record->next) {
        if (!equal(node_text(record->node, "step"), step))
            continue;
        if (equal(record->type, "intent") && *began == NULL)
            *began = record->at;
        else if ((equal(record->type, "outcome") || equal(record->type, "resolve")) &&
                 !equal(node_text(record->node, "result"), "skipped"))
            *ended = record->at;
    }
}

static enum phase last_phase(const struct certificate *certificate)
{
    return certificate->run->ledger.summary.state == RUN_COMMITTED ? PHASE_COMMIT : PHASE_ROLLBACK;
}

/* A plan whose steps have one of these ids has their times told by name. */
static const struct known_stage {
    const char *stage, *steps[3];
    bool is_beginning; /* of the step, not its end */
} known_stages[] = {
    {"marked", {"mark"}, false},
    {"writes stopped", {"stop-leader", "fence-leader", "fence-others"}, true},
    {"writes accepted", {"writes"}, false},
    {"redundancy is back", {"rejoined"}, false},
    {"held standby has caught up", {"caught-up"}, false},
};

/* The first of the stage's steps that happened tells it. */
static void stage_of_steps(const struct certificate *certificate, struct list *list,
                           const struct known_stage *known)
{
    const char *missing = NULL;

    for (size_t at = 0; at < ARRAY_COUNT(known->steps) && known->steps[at] != NULL; at++) {
        const struct step *step = plan_find_step(certificate->run->plan, known->steps[at]);
        const char *began, *ended;

        if (step == NULL || (step->phase != PHASE_DEPLOY && step->phase != last_phase(certificate)))
            continue;
        step_times(certificate->run, step->id, &began, &ended);
        if (began != NULL || ended != NULL) {
            stage(list, known->stage, known->is_beginning ? began : ended,
                  arena_printf(list->arena, "step %s %s", step->id,
                               known->is_beginning ? "began" : "ended"));
            return;
        }
        missing = step->id;
    }
    if (missing != NULL)
        stage(list, known->stage, NULL,
              arena_printf(list->arena, "step %s was not part of this run", missing));
}

/* ---- the plan's own proof ---- */

static void append_proof_steps(const struct certificate *certificate, struct text *out)
{
    const struct run *run = certificate->run;
    struct list list = list_begin(certificate, out, "proof_steps");

    for (size_t at = 0; at < run->ledger.summary.status_count; at++) {
        const struct step_status *status = &run->ledger.statuses[at];
        const struct step *step = plan_find_step(run->plan, status->step);

        if (step == NULL || step->phase != last_phase(certificate) ||
            !equal(step->action_name, "wait-until") || status->state == STEP_SKIPPED)
            continue;
        item_begin(&list);
        key_text(&list, "step", step->id, false);
        key_text(&list, "about", step->about, false);
        key_text(&list, "host", status->host, false);
        key_text(&list, "result", step_state_names[status->state], false);
        key_text(&list, "at", status->ended, false);
        text_append_format(out, "\"ms\":%" PRId64 ",", status->duration_ms);
        key_text(&list, "words", status->message, true);
    }
    list_end(&list);
}

/* ---- guards and people ---- */

static void append_guards(const struct certificate *certificate, struct text *out)
{
    static const char *const keys[] = {"guard", "host", "unit", "lowest", "highest", "last"};
    struct list list = list_begin(certificate, out, "guards");

    for (const struct record *record = records_of(certificate); record != NULL;
         record = record->next) {
        NODE_EACH(extreme, node_find(record->node, "extremes"))
        {
            const struct step *step =
                plan_find_step(certificate->run->plan, node_text(extreme, "guard"));

            item_begin(&list);
            for (size_t at = 0; at < ARRAY_COUNT(keys); at++)
                key_text(&list, keys[at], node_text(extreme, keys[at]), false);
            text_append_format(out, "\"looks\":%" PRId64 ",\"untrue\":%" PRId64 ",",
                               node_integer(extreme, "looks", 0),
                               node_integer(extreme, "untrue", 0));
            key_text(&list, "phase", node_text(record->node, "phase"), false);
            key_text(&list, "until", record->at, false);
            key_text(&list, "about", step == NULL ? NULL : step->about, true);
        }
    }
    list_end(&list);
}

/* What a person decided instead of the program. */
static void append_decisions(const struct certificate *certificate, struct text *out)
{
    struct list list = list_begin(certificate, out, "decisions");

    for (const struct record *record = records_of(certificate); record != NULL;
         record = record->next) {
        const struct node *node = record->node;
        const char *what =
            equal(record->type, "waive")
                ? arena_printf(list.arena, "went on without guard %s", node_text(node, "guard"))
            : equal(record->type, "resolve")
                ? arena_printf(list.arena, "said that step %s on %s is %s", node_text(node, "step"),
                               node_text(node, "host"), node_text(node, "result"))
            : equal(record->type, "plan")
                ? arena_printf(list.arena, "went on with another plan: %s",
                               node_text(node, "plan_file"))
            : equal(record->type, "take-over") ? "took the run over"
                                               : NULL;
        const char *why = node_text(node, "why");

        if (what == NULL)
            continue;
        item_begin(&list);
        key_text(&list, "at", record->at, false);
        key_text(&list, "by", node_text(node, "by"), false);
        key_text(&list, "what", what, false);
        key_text(&list, "why", why == NULL ? node_text(node, "words") : why, true);
    }
    list_end(&list);
}

/* ---- what it rests on ---- */

static struct error *append_folder(const struct certificate *certificate, struct list *list,
                                   const char *folder)
{
    struct inputs *inputs;
    struct error *error = inputs_frozen(
        list->arena, arena_printf(list->arena, "%s/%s", certificate->run->folder, folder), &inputs);

    if (error != NULL)
        return error;
    for (const struct input *input = inputs_first(inputs); input != NULL; input = input->next) {
        item_begin(list);
        key_text(list, "role", input->role, false);
        key_text(list, "path", input->path, false);
        key_text(list, "sha256", input->digest, true);
    }
    return NULL;
}

struct error *certificate_append_inputs(const struct certificate *certificate, struct text *out)
{
    const char *replaced = certificate->run->ledger.plan_folder;
    struct list list = list_begin(certificate, out, "inputs");
    struct error *error = append_folder(certificate, &list, "plan");

    if (error == NULL && replaced != NULL)
        error = append_folder(certificate, &list, replaced);
    list_end(&list);
    return error;
}

void certificate_append_journal(const struct certificate *certificate, struct text *out)
{
    const struct record *last = certificate->run->ledger.last;
    struct list list = list_begin(certificate, out, "stages");

    stages_of_records(certificate, &list);
    for (size_t at = 0; at < ARRAY_COUNT(known_stages); at++)
        stage_of_steps(certificate, &list, &known_stages[at]);
    list_end(&list);
    append_proof_steps(certificate, out);
    append_guards(certificate, out);
    append_decisions(certificate, out);
    text_append_format(out, ",\n  \"journal\":{\"records\":%zu,\"head\":%s}", last->number,
                       json_text(certificate->run->arena, node_text(last->node, "hash")));
}
