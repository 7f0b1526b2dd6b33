#include "run/ledger.h"

#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS = 4096,
};

void ledger_init(struct ledger *ledger, struct arena *arena)
{
    *ledger = (struct ledger){.arena = arena};
    ledger->buckets = arena_alloc(arena, BUCKETS * sizeof *ledger->buckets);
}

static uint32_t bucket_of(const char *step, const char *host)
{
    uint32_t hash = 2166136261u;

    for (const char *at = step; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    for (const char *at = host; at != NULL && *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return hash % BUCKETS;
}

static struct step_status *status_find(const struct ledger *ledger, const char *step,
                                       const char *host)
{
    for (uint32_t at = ledger->buckets[bucket_of(step, host)]; at != 0; at = ledger->chains[at]) {
        struct step_status *status = &ledger->statuses[at - 1];

        if (equal(status->step, step) && equal(status->host, host))
            return status;
    }
    return NULL;
}

const struct step_status *ledger_status(const struct ledger *ledger, const char *step,
                                        const char *host)
{
    return status_find(ledger, step, host);
}

static void statuses_grow(struct ledger *ledger)
{
    size_t count = ledger->summary.status_count, capacity = count == 0 ? 64 : count * 2;
    struct step_status *statuses = arena_alloc(ledger->arena, capacity * sizeof *statuses);
    uint32_t *chains = arena_alloc(ledger->arena, (capacity + 1) * sizeof *chains);

    if (count > 0) {
        memcpy(statuses, ledger->statuses, count * sizeof *statuses);
        memcpy(chains, ledger->chains, (count + 1) * sizeof *chains);
    }
    ledger->statuses = statuses;
    ledger->chains = chains;
    ledger->summary.statuses = statuses;
    ledger->status_capacity = capacity;
}

static struct step_status *status_get(struct ledger *ledger, const char *step, const char *host)
{
    struct step_status *status = status_find(ledger, step, host);
    struct run_summary *summary = &ledger->summary;

    if (status != NULL)
        return status;
    if (summary->status_count == ledger->status_capacity)
        statuses_grow(ledger);
    status = &ledger->statuses[summary->status_count++];
    *status = (struct step_status){.step = step, .host = host};

    uint32_t bucket = bucket_of(step, host);

    ledger->chains[summary->status_count] = ledger->buckets[bucket];
    ledger->buckets[bucket] = (uint32_t)summary->status_count;
    return status;
}

static void value_push(struct ledger *ledger, const struct ledger_value **list, const char *name,
                       const char *host, const char *text)
{
    struct ledger_value *value = arena_alloc(ledger->arena, sizeof *value);

    *value = (struct ledger_value){name, host, text, *list};
    *list = value;
}

const struct ledger_value *ledger_find(const struct ledger_value *list, const char *name)
{
    while (list != NULL && !equal(list->name, name))
        list = list->next;
    return list;
}

static void apply_run(struct ledger *ledger, const struct record *record)
{
    struct run_summary *summary = &ledger->summary;

    ledger->run = record->node;
    ledger->rolls_back_on_failure = node_bool(record->node, "rollback_on_failure", false);
    summary->id = node_text(record->node, "run");
    summary->cluster = node_text(record->node, "cluster");
    summary->plan_name = node_text(record->node, "plan");
    summary->plan_file = node_text(record->node, "plan_file");
    summary->cluster_file = node_text(record->node, "cluster_file");
    summary->by = node_text(record->node, "by");
    summary->from = node_text(record->node, "from");
    summary->began = record->at;
}

static void apply_command(struct ledger *ledger, const struct record *record)
{
    const char *command = node_text(record->node, "command");

    ledger->number = node_integer(record->node, "number", ledger->number);
    // Resume goes on with the command that died, and is none itself.
    if (!equal(command, "resume"))
        ledger->command = command;
    ledger->summary.is_stopped = false;
    ledger->summary.stop_reason = ledger->summary.stop_hint = NULL;
    ledger->summary.stop_exit = 0;
    ledger->summary.stop_guards = NULL;
}

static void apply_identity(struct ledger *ledger, const struct record *record)
{
    ledger->identity = record->node;
}

static void apply_resolved(struct ledger *ledger, const struct record *record)
{
    ledger->variables = node_find(record->node, "variables");
    ledger->roles = node_find(record->node, "roles");
}

static void apply_state(struct ledger *ledger, const struct record *record)
{
    static const enum phase phases[] = {
        [RUN_DEPLOYING] = PHASE_DEPLOY,      [RUN_DEPLOYED] = PHASE_DEPLOY,
        [RUN_COMMITTING] = PHASE_COMMIT,     [RUN_COMMITTED] = PHASE_COMMIT,
        [RUN_ROLLING_BACK] = PHASE_ROLLBACK, [RUN_ROLLED_BACK] = PHASE_ROLLBACK,
        [RUN_DONE] = PHASE_DEPLOY,
    };
    const char *name = node_text(record->node, "state");

    for (size_t state = 0; state <= RUN_CLOSED; state++) {
        if (!equal(run_state_names[state], name))
            continue;
        ledger->summary.state = (enum run_state)state;
        if (state < ARRAY_COUNT(phases) && phases[state] != PHASE_PREFLIGHT)
            ledger->summary.phase = phases[state];
        if (!run_state_is_open((enum run_state)state))
            ledger->summary.ended = record->at;
    }
}

static void apply_intent(struct ledger *ledger, const struct record *record)
{
    const char *step = node_text(record->node, "step");

    ledger->summary.current_step = ledger->intent_step = step;
    ledger->intent = node_text(record->node, "hash");
    NODE_EACH(host, node_find(record->node, "hosts"))
    {
        struct step_status *status = status_get(ledger, step, host->text);

        *status = (struct step_status){
            .step = step,
            .host = status->host,
            .state = STEP_RUNNING,
            .try = (int)node_integer(record->node, "try", 1),
            .may_have_happened = status->may_have_happened,
            .began = record->at,
        };
    }
}

static void apply_outcome(struct ledger *ledger, const struct record *record)
{
    const char *host = node_text(record->node, "host");
    struct step_status *status = status_get(ledger, node_text(record->node, "step"), host);
    const char *result = node_text(record->node, "result");

    for (size_t state = 0; state <= STEP_RESOLVED_NOT_DONE; state++) {
        if (equal(step_state_names[state], result))
            status->state = (enum step_state)state;
    }
    // A try that left nothing does not undo what an earlier one may have left.
    if (status->state == STEP_RESOLVED_NOT_DONE)
        status->may_have_happened = false;
    else if (step_state_is_complete(status->state) || status->state == STEP_FAILED ||
             status->state == STEP_IN_DOUBT)
        status->may_have_happened = status->state != STEP_SKIPPED;
    status->message = node_text(record->node, "words");
    status->hint = node_text(record->node, "hint");
    status->ended = record->at;
    status->duration_ms = node_integer(record->node, "ms", 0);
    NODE_EACH(saved, node_find(record->node, "saved"))
    value_push(ledger, &ledger->saved, saved->key,
               node_bool(record->node, "shared", true) ? NULL : host, saved->text);
}

static void apply_gate(struct ledger *ledger, const struct record *record)
{
    value_push(ledger, &ledger->gates, node_text(record->node, "step"), NULL, "yes");
}

static void apply_waive(struct ledger *ledger, const struct record *record)
{
    value_push(ledger, &ledger->waived, node_text(record->node, "guard"), NULL,
               node_text(record->node, "why"));
}

static void apply_stop(struct ledger *ledger, const struct record *record)
{
    struct run_summary *summary = &ledger->summary;

    ledger->command = NULL;
    summary->is_stopped = true;
    summary->stop_reason = node_text(record->node, "reason");
    summary->stop_hint = node_text(record->node, "hint");
    summary->stop_exit = (int)node_integer(record->node, "exit", 1);
    summary->stop_guards = node_text(record->node, "guards");
}

static void apply_plan(struct ledger *ledger, const struct record *record)
{
    ledger->plan_folder = node_text(record->node, "folder");
    ledger->summary.plan_file = node_text(record->node, "plan_file");
}

static void apply_take_over(struct ledger *ledger, const struct record *record)
{
    ledger->number = node_integer(record->node, "number", ledger->number);
    ledger->was_taken_over = true;
}

static void apply_left(struct ledger *ledger, const struct record *record)
{
    (void)record;
    ledger->summary.has_left = true;
}

static void apply_cleaning(struct ledger *ledger, const struct record *record)
{
    (void)record;
    ledger->summary.has_left = false;
}

static const struct {
    const char *type;
    void (*apply)(struct ledger *, const struct record *);
} record_types[] = {
    {"run", apply_run},           {"command", apply_command},   {"identity", apply_identity},
    {"resolved", apply_resolved}, {"state", apply_state},       {"intent", apply_intent},
    {"outcome", apply_outcome},   {"resolve", apply_outcome},   {"gate", apply_gate},
    {"waive", apply_waive},       {"stop", apply_stop},         {"left", apply_left},
    {"plan", apply_plan},         {"cleaning", apply_cleaning}, {"take-over", apply_take_over},
};

void ledger_apply(struct ledger *ledger, const struct record *record)
{
    if (ledger->summary.records == NULL)
        ledger->summary.records = record;
    else if (ledger->last->next == NULL && ledger->last != record)
        ((struct record *)ledger->last)->next = record;
    ledger->last = record;
    for (size_t at = 0; at < ARRAY_COUNT(record_types); at++) {
        if (equal(record_types[at].type, record->type))
            record_types[at].apply(ledger, record);
    }
}

void ledger_read(struct ledger *ledger, const struct record *first)
{
    for (const struct record *record = first, *next; record != NULL; record = next) {
        // Applying links the record to the one before, which it already is.
        next = record->next;
        ledger_apply(ledger, record);
    }
}

bool ledger_has_intent(const struct ledger *ledger, const char *hash)
{
    for (const struct record *record = ledger->summary.records; record != NULL;
         record = record->next) {
        if (equal(record->type, "intent") && equal(node_text(record->node, "hash"), hash))
            return true;
    }
    return false;
}

bool step_state_is_complete(enum step_state state)
{
    return state == STEP_ALREADY || state == STEP_DONE || state == STEP_SKIPPED ||
           state == STEP_RESOLVED_DONE;
}

bool ledger_may_have_happened(const struct ledger *ledger, const struct step *step)
{
    if (step->steps != NULL) {
        for (const struct step *child = step->steps; child != NULL; child = child->next) {
            if (ledger_may_have_happened(ledger, child))
                return true;
        }
        return false;
    }
    for (size_t at = 0; at < ledger->summary.status_count; at++) {
        const struct step_status *status = &ledger->statuses[at];

        if (equal(status->step, step->id) &&
            (status->may_have_happened || status->state == STEP_RUNNING))
            return true;
    }
    return false;
}
