/* Proofs that the cluster works again: it is written to, archived, configured as before. */
#include "run/certificate_inside.h"
#include "run/work.h"

#include <stdlib.h>
#include <string.h>

/* ---- configuration ---- */

static int by_key(const void *left, const void *right)
{
    const struct node *const *a = left, *const *b = right;

    return strcmp((*a)->key, (*b)->key);
}

static void append_in_order(struct arena *arena, struct text *out, const struct node *node)
{
    const struct node **children;
    size_t count = 0;

    if (node->kind != NODE_MAP && node->kind != NODE_LIST) {
        node_append_json(out, node);
        return;
    }
    children = arena_alloc(arena, (node->count + 1) * sizeof(struct node *));
    NODE_EACH(child, node)
    children[count++] = child;
    if (node->kind == NODE_MAP)
        qsort(children, count, sizeof(struct node *), by_key);
    text_append(out, node->kind == NODE_MAP ? "{" : "[");
    for (size_t at = 0; at < count; at++) {
        text_append(out, at == 0 ? "" : ",");
        if (node->kind == NODE_MAP)
            text_append_format(out, "%s:", json_text(arena, children[at]->key));
        append_in_order(arena, out, children[at]);
    }
    text_append(out, node->kind == NODE_MAP ? "}" : "]");
}

const char *config_digest(struct arena *arena, const struct node *node)
{
    CLEANUP(text_release) struct text text = {0};
    char digest[DIGEST_SIZE];

    append_in_order(arena, &text, node);
    sha256_hex(text_string(&text), text.length, digest);
    return arena_strdup(arena, digest);
}

/* "dcs_config" is what a plan calls the configuration that it found. */
static void prove_config(struct certificate *certificate)
{
    const char *about = "Patroni's configuration is what the plan found at its beginning";
    const char *before = certificate_saved(certificate, "dcs_config"), *words;
    struct arena *arena = certificate->run->arena;
    const struct node *node = NULL;
    enum proof_result result = facts_agree(certificate, "dcs_config", &words);

    if (before == NULL || json_parse(arena, "dcs_config", before, strlen(before), &node) != NULL) {
        prove(certificate, "config", about, PROOF_NOT_MEANT, "the plan saved no dcs_config");
        return;
    }

    const char *digest = config_digest(arena, node);

    if (all_say(certificate, "dcs_config", digest) == PROOF_FAILED) {
        result = PROOF_FAILED;
        words = arena_printf(arena, "%s; before: %s", words, digest);
    }
    prove(certificate, "config", about, result, words);
}

/* ---- writes ---- */

/* Has every member WAL up to LSN, as replayed or written? */
static enum proof_result has_arrived(const struct certificate *certificate, const char *lsn)
{
    enum proof_result result = PROOF_PROVEN;
    uint64_t wanted, has;

    if (!lsn_read(lsn, &wanted))
        return PROOF_OPEN;
    for (size_t at = 0; at < certificate->count; at++) {
        const struct member *member = &certificate->members[at];
        const char *found = equal(fact_value(member, "server_role"), "leader")
                                ? fact_value(member, "write_lsn")
                                : fact_value(member, "replay_lsn");

        if (!lsn_read(found, &has))
            result = result == PROOF_PROVEN ? PROOF_OPEN : result;
        else if (has < wanted)
            result = PROOF_FAILED;
    }
    return result;
}

/* Did a step commit its work together with a marker? */
static bool had_marker(const struct run *run)
{
    for (size_t at = 0; at < run->ledger.summary.status_count; at++) {
        const struct step_status *status = &run->ledger.statuses[at];
        const struct step *step = plan_find_step(run->plan, status->step);

        if (status->state == STEP_DONE && step != NULL && equal(step->action_name, "sql") &&
            step_has_effect(step) && !equal(node_text(step->params, "transaction"), "none"))
            return true;
    }
    return false;
}

static void prove_writes(struct certificate *certificate)
{
    const char *about = "writes are accepted, and arrive on all members";
    const struct run *run = certificate->run;
    const char *proof = certificate_saved(certificate, "proof_lsn");

    if (proof != NULL)
        prove(certificate, "writes", about, has_arrived(certificate, proof),
              arena_printf(run->arena, "the plan wrote up to %s to prove it: %s", proof,
                           who_says_what(certificate, "has_replayed")));
    else if (certificate->run->ledger.summary.state == RUN_COMMITTED && had_marker(run))
        prove(certificate, "writes", about,
              run->ledger.summary.has_left ? PROOF_OPEN : all_say(certificate, "markers", "none"),
              "the last write of the run dropped its schema \"holdback\" on the leader, and it is "
              "gone everywhere");
    else
        prove(certificate, "writes", about, PROOF_OPEN,
              "the plan wrote nothing to prove it, and neither did the certificate");
}

/* ---- archive ---- */

static void prove_archiving(struct certificate *certificate)
{
    const char *about = "the archive takes the WAL of the current timeline";
    struct arena *arena = certificate->run->arena;
    const struct member *leader = certificate->leader;
    const char *mode = leader == NULL ? NULL : fact_value(leader, "archive_mode");
    const char *last = leader == NULL ? NULL : fact_value(leader, "last_archived_wal");
    const char *fails = leader == NULL ? NULL : fact_value(leader, "archiver_fails");
    const char *timeline = leader == NULL ? NULL : fact_value(leader, "timeline");
    enum proof_result result = PROOF_OPEN;
    const char *words;

    if (mode == NULL || last == NULL || fails == NULL || timeline == NULL) {
        words = "the leader could not be asked";
    } else if (equal(mode, "off")) {
        result = PROOF_NOT_MEANT;
        words = "archive_mode is off";
    } else {
        const char *prefix = arena_printf(arena, "%08lX", strtoul(timeline, NULL, 10));

        words = arena_printf(arena, "last archived: %s, timeline now: %s, failing: %s", last,
                             timeline, fails);
        result = !equal(fails, "no")         ? PROOF_FAILED
                 : starts_with(last, prefix) ? PROOF_PROVEN
                                             : PROOF_OPEN;
    }
    prove(certificate, "archiving", about, result, words);
}

/* ---- what was not taken away ---- */

static void prove_nothing_left(struct certificate *certificate)
{
    CLEANUP(text_release) struct text left = {0};
    const struct ledger *ledger = &certificate->run->ledger;

    for (const struct record *record = ledger->summary.records; record != NULL;
         record = record->next) {
        if (equal(record->type, "cleaning"))
            text_clear(&left);
        else if (equal(record->type, "left"))
            text_append_format(&left, "%s%s: %s", left.length == 0 ? "" : "; ",
                               node_text(record->node, "host"), node_text(record->node, "words"));
    }
    prove(certificate, "cleaned", "the run took everything of its own back from the hosts",
          left.length > 0 ? PROOF_OPEN : PROOF_PROVEN,
          left.length > 0 ? text_copy(&left, certificate->run->arena)
                          : "the journal names nothing that was left");
}

void prove_service(struct certificate *certificate)
{
    prove_config(certificate);
    prove_writes(certificate);
    prove_archiving(certificate);
    prove_nothing_left(certificate);
}
