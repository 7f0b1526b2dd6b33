/* What a run's journal and its plan tell for the certificate. */
#include "base/json.h"
#include "run/certificate_inside.h"
#include "run/work.h"

static void list_end(struct text *out)
{
    text_append(out, ends_with(text_string(out), "[") ? "]" : "\n  ]");
}

static const struct record *records_of(const struct certificate *certificate)
{
    return certificate->run->ledger.summary.records;
}

/* ---- stages ---- */

static void stage(struct text *out, const char *name, const char *at, const char *words)
{
    json_open_line(out, 4, NULL, "{");
    json_text_field(out, "stage", name);
    json_text_field(out, "at", at);
    json_text_field(out, "words", words);
    text_append(out, "}");
}

/* States, commands and gates, as they came. */
static void stages_of_records(const struct certificate *certificate, struct text *out)
{
    struct arena *arena = certificate->run->arena;

    for (const struct record *record = records_of(certificate); record != NULL;
         record = record->next) {
        const struct node *node = record->node;

        if (equal(record->type, "run"))
            stage(out, "began", record->at, NULL);
        else if (equal(record->type, "command"))
            stage(
                out, node_text(node, "command"), record->at,
                arena_printf(arena, "by %s on %s", node_text(node, "by"), node_text(node, "from")));
        else if (equal(record->type, "state"))
            stage(out, node_text(node, "state"), record->at, NULL);
        else if (equal(record->type, "gate"))
            stage(out, arena_printf(arena, "gate %s", node_text(node, "step")), record->at,
                  arena_printf(arena, "%s answered: %s", node_text(node, "by"),
                               node_text(node, "question")));
        else if (equal(record->type, "stop"))
            stage(out, "stopped", record->at, node_text(node, "reason"));
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
static void stage_of_steps(const struct certificate *certificate, struct text *out,
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
            stage(out, known->stage, known->is_beginning ? began : ended,
                  arena_printf(certificate->run->arena, "step %s %s", step->id,
                               known->is_beginning ? "began" : "ended"));
            return;
        }
        missing = step->id;
    }
    if (missing != NULL)
        stage(out, known->stage, NULL,
              arena_printf(certificate->run->arena, "step %s was not part of this run", missing));
}

/* ---- the plan's own proof ---- */

static void append_proof_steps(const struct certificate *certificate, struct text *out)
{
    const struct run *run = certificate->run;

    json_open_line(out, 2, "proof_steps", "[");
    for (size_t at = 0; at < run->ledger.summary.status_count; at++) {
        const struct step_status *status = &run->ledger.statuses[at];
        const struct step *step = plan_find_step(run->plan, status->step);

        if (step == NULL || step->phase != last_phase(certificate) ||
            !equal(step->action_name, "wait-until") || status->state == STEP_SKIPPED)
            continue;
        json_open_line(out, 4, NULL, "{");
        json_text_field(out, "step", step->id);
        json_text_field(out, "about", step->about);
        json_text_field(out, "host", status->host);
        json_text_field(out, "result", step_state_names[status->state]);
        json_text_field(out, "at", status->ended);
        json_number_field(out, "ms", status->duration_ms);
        json_text_field(out, "words", status->message);
        text_append(out, "}");
    }
    list_end(out);
}

/* ---- guards and people ---- */

static void append_guards(const struct certificate *certificate, struct text *out)
{
    static const char *const keys[] = {"guard", "host", "unit", "lowest", "highest", "last"};

    json_open_line(out, 2, "guards", "[");
    for (const struct record *record = records_of(certificate); record != NULL;
         record = record->next) {
        NODE_EACH(extreme, node_find(record->node, "extremes"))
        {
            const struct step *step =
                plan_find_step(certificate->run->plan, node_text(extreme, "guard"));

            json_open_line(out, 4, NULL, "{");
            for (size_t at = 0; at < ARRAY_COUNT(keys); at++)
                json_text_field(out, keys[at], node_text(extreme, keys[at]));
            json_number_field(out, "looks", node_integer(extreme, "looks", 0));
            json_number_field(out, "untrue", node_integer(extreme, "untrue", 0));
            json_text_field(out, "phase", node_text(record->node, "phase"));
            json_text_field(out, "until", record->at);
            json_text_field(out, "about", step == NULL ? NULL : step->about);
            text_append(out, "}");
        }
    }
    list_end(out);
}

/* What a person decided instead of the program. */
static void append_decisions(const struct certificate *certificate, struct text *out)
{
    struct arena *arena = certificate->run->arena;

    json_open_line(out, 2, "decisions", "[");
    for (const struct record *record = records_of(certificate); record != NULL;
         record = record->next) {
        const struct node *node = record->node;
        const char *what =
            equal(record->type, "waive")
                ? arena_printf(arena, "went on without guard %s", node_text(node, "guard"))
            : equal(record->type, "resolve")
                ? arena_printf(arena, "said that step %s on %s is %s", node_text(node, "step"),
                               node_text(node, "host"), node_text(node, "result"))
            : equal(record->type, "plan")
                ? arena_printf(arena, "went on with another plan: %s", node_text(node, "plan_file"))
            : equal(record->type, "take-over") ? "took the run over"
                                               : NULL;
        const char *why = node_text(node, "why");

        if (what == NULL)
            continue;
        json_open_line(out, 4, NULL, "{");
        json_text_field(out, "at", record->at);
        json_text_field(out, "by", node_text(node, "by"));
        json_text_field(out, "what", what);
        json_text_field(out, "why", why == NULL ? node_text(node, "words") : why);
        text_append(out, "}");
    }
    list_end(out);
}

/* ---- what it rests on ---- */

static struct error *append_folder(const struct certificate *certificate, struct text *out,
                                   const char *folder)
{
    struct inputs *inputs;
    struct error *error = inputs_frozen(
        certificate->run->arena,
        arena_printf(certificate->run->arena, "%s/%s", certificate->run->folder, folder), &inputs);

    if (error != NULL)
        return error;
    for (const struct input *input = inputs_first(inputs); input != NULL; input = input->next) {
        json_open_line(out, 4, NULL, "{");
        json_text_field(out, "role", input->role);
        json_text_field(out, "path", input->path);
        json_text_field(out, "sha256", input->digest);
        text_append(out, "}");
    }
    return NULL;
}

struct error *certificate_append_inputs(const struct certificate *certificate, struct text *out)
{
    const char *replaced = certificate->run->ledger.plan_folder;

    json_open_line(out, 2, "inputs", "[");

    struct error *error = append_folder(certificate, out, "plan");

    if (error == NULL && replaced != NULL)
        error = append_folder(certificate, out, replaced);
    list_end(out);
    return error;
}

void certificate_append_journal(const struct certificate *certificate, struct text *out)
{
    const struct record *last = certificate->run->ledger.last;

    json_open_line(out, 2, "stages", "[");
    stages_of_records(certificate, out);
    for (size_t at = 0; at < ARRAY_COUNT(known_stages); at++)
        stage_of_steps(certificate, out, &known_stages[at]);
    list_end(out);
    append_proof_steps(certificate, out);
    append_guards(certificate, out);
    append_decisions(certificate, out);
    json_open_line(out, 2, "journal", "{");
    json_number_field(out, "records", (int64_t)last->number);
    json_text_field(out, "head", node_text(last->node, "hash"));
    text_append(out, "}");
}
