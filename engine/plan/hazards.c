/*
 * Warnings: what is allowed, and has cost somebody a cluster. Each has a row in hazard_table.c;
 * what they conclude from are the facts of facts.h.
 */
#include "plan/hazard.h"
#include "plan/situation.h"

#include <string.h>

static const struct node *allowed(const struct checker *checker)
{
    return node_find(checker->root, "allow");
}

void hazard_add(struct checker *checker, const char *id, struct place place, const char *hint,
                const char *format, ...)
{
    va_list arguments;

    if (node_find(allowed(checker), id) != NULL)
        return;
    if (checker->findings->hazard_count >= FINDINGS_MOST) {
        findings_add_hazard(checker->findings, id, place, NULL, "one of too many");
        return;
    }
    va_start(arguments, format);

    const char *message = arena_vprintf(checker->arena, format, arguments);

    va_end(arguments);
    findings_add_hazard(checker->findings, id, place, hint, "%s", message);
}

/* A wait for replay, which takes as long as what was written meanwhile. */
static bool waits_for_replay(const struct checker *checker, size_t at)
{
    enum { LONG_MS = 300 * 1000 };
    const struct fact *fact = &checker->facts->items[at];
    const struct step *step = fact->step;

    return fact->effect == EFFECT_REPLAY_AWAITED && equal(step->action_name, "wait-until") &&
           (step->phase == PHASE_COMMIT || step->phase == PHASE_ROLLBACK) &&
           step->timeout_ms < LONG_MS;
}

static void no_timeout(struct checker *checker, const struct step *step, const char *what)
{
    if (!step->timeout_is_written)
        hazard_add(checker, "HB001", node_key_place(checker->plan->file, step->params),
                   "Say in the step, or in its group, how long it may take.",
                   "%s of step \"%s\" has only the general timeout", what, step->id);
}

static void missing_timeout(struct checker *checker)
{
    for (enum phase phase = PHASE_DEPLOY; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(checker->plan, phase, step)) != NULL;) {
            bool is_file = equal(step->action_name, "sql") &&
                           (node_find(step->params, "file") != NULL ||
                            node_find(node_find(step->params, "run"), "file") != NULL);

            if (is_file || equal(step->action_name, "remote-shell"))
                no_timeout(checker, step, is_file ? "the SQL file" : "the job");
        }
    }
    for (size_t at = 0; at < checker->facts->count; at++) {
        if (waits_for_replay(checker, at) && guard_of(checker->facts->items[at].step) == NULL)
            no_timeout(checker, checker->facts->items[at].step, "the wait for replay");
    }
}

/* Facts that are a danger wherever they stand. */
static void facts_check(struct checker *checker)
{
    static const struct {
        enum effect effect;
        const char *id, *does, *hint;
    } rows[] = {
        {EFFECT_TARGET_ARGUMENT, "HB022", "sets a recovery target on a command line",
         "Set it in postgresql.auto.conf, which is read last."},
        {EFFECT_REWRITTEN_FILE, "HB023", "edits postgresql.conf, which Patroni rewrites",
         "For a lone start write to postgresql.auto.conf, else to Patroni's configuration."},
        {EFFECT_RECOVERY_CONF, "HB024",
         "writes recovery.conf, with which PostgreSQL 12 and later do not start",
         "Set recovery targets in postgresql.auto.conf, and make recovery.signal."},
        {EFFECT_WAITED, "HB039", "waits inside a text that only looks",
         "It is asked again and again until its timeout; let it answer at once."},
        {EFFECT_OLD_NAME, "HB041", "uses a name that PostgreSQL 10 and later do not have",
         "Write a map of versions: {\">=10\": ..., \"<10\": ...}."},
        {EFFECT_LOG_IN_DATA, "HB042", "lets a lone server log into its data directory",
         "Log to ${run.folder}."},
    };
    const struct facts *facts = checker->facts;

    for (size_t at = 0; at < facts->count; at++) {
        const struct fact *fact = &facts->items[at];

        for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
            if (fact->effect != rows[row].effect ||
                (fact->effect == EFFECT_RECOVERY_CONF && !step_is_for(fact->step, NULL, 12)))
                continue;

            hazard_add(checker, rows[row].id, fact_place(checker, fact), rows[row].hint,
                       "%s \"%s\" %s", guard_of(fact->step) != NULL ? "guard" : "step",
                       fact->step->id, rows[row].does);
        }
    }
}

static void allowed_check(struct checker *checker)
{
    struct words ids = {0};
    const struct node *map = allowed(checker);

    for (size_t at = 0; at < hazard_count; at++)
        words_add(checker->arena, &ids, hazard_table[at].id);
    NODE_EACH(node, map)
    {
        if (node->key != NULL && hazard_find(node->key) == NULL)
            findings_add(checker->findings, node_key_place(checker->plan->file, node),
                         words_suggest(checker->findings, &ids, node->key), "there is no hazard %s",
                         findings_quote(checker->findings, node->key));
    }
}

void hazards_check(struct checker *checker)
{
    struct facts facts;

    allowed_check(checker);
    facts_collect(&facts, checker);
    missing_timeout(checker);
    facts_check(checker);
    hold_check(checker);
    back_check(checker);
    lasting_check(checker);
    secrets_check(checker);
    checker->facts = NULL;
}
