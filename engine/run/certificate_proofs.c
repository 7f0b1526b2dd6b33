/* What the members' answers add up to, each as a sentence that is proven or not. */
#include "run/certificate_inside.h"
#include "run/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void prove(struct certificate *certificate, const char *id, const char *about,
           enum proof_result result, const char *words)
{
    if (certificate->proof_count < PROOFS_MOST)
        certificate->proofs[certificate->proof_count++] =
            (struct proof){.id = id, .about = about, .result = result, .words = words};
}

const char *certificate_saved(const struct certificate *certificate, const char *name)
{
    const struct ledger_value *value = ledger_find(certificate->run->ledger.saved, name);

    return value == NULL ? NULL : value->text;
}

const char *who_says_what(const struct certificate *certificate, const char *name)
{
    CLEANUP(text_release) struct text text = {0};

    for (size_t at = 0; at < certificate->count; at++) {
        const struct fact *fact = fact_find(&certificate->members[at], name);

        text_append_format(&text, "%s%s: ", at == 0 ? "" : ", ",
                           certificate->members[at].host->name);
        if (fact != NULL && fact->value != NULL)
            text_append(&text, fact->value);
        else
            text_append_format(&text, "could not be asked (%s)",
                               fact == NULL ? "it did not come to that" : fact->why);
    }
    return text_copy(&text, certificate->run->arena);
}

/* PROOF_OPEN: those who could be asked agree, but one could not. */
static enum proof_result agree(const struct certificate *certificate, const char *name,
                               const char **value)
{
    enum proof_result result = PROOF_PROVEN;

    *value = NULL;
    for (size_t at = 0; at < certificate->count; at++) {
        const char *other = fact_value(&certificate->members[at], name);

        if (other == NULL)
            result = PROOF_OPEN;
        else if (*value != NULL && !equal(*value, other))
            return PROOF_FAILED;
        else
            *value = other;
    }
    return result;
}

enum proof_result facts_agree(const struct certificate *certificate, const char *name,
                              const char **words)
{
    const char *value;
    enum proof_result result = agree(certificate, name, &value);

    *words = result == PROOF_PROVEN ? arena_printf(certificate->run->arena, "%s on all %zu members",
                                                   value, certificate->count)
                                    : who_says_what(certificate, name);
    return result;
}

enum proof_result all_say(const struct certificate *certificate, const char *name,
                          const char *wanted)
{
    enum proof_result result = PROOF_PROVEN;

    for (size_t at = 0; at < certificate->count; at++) {
        const char *value = fact_value(&certificate->members[at], name);

        if (value == NULL)
            result = result == PROOF_PROVEN ? PROOF_OPEN : result;
        else if (!equal(value, wanted))
            result = PROOF_FAILED;
    }
    return result;
}

bool lsn_read(const char *text, uint64_t *out)
{
    unsigned high, low;

    if (text == NULL || sscanf(text, "%8X/%8X", &high, &low) != 2) // NOLINT(cert-err34-c)
        return false;
    *out = (uint64_t)high << 32 | low;
    return true;
}

/* ---- the cluster is one ---- */

static void prove_leader(struct certificate *certificate)
{
    size_t leaders = 0, unknown = 0;

    for (size_t at = 0; at < certificate->count; at++) {
        const char *role = fact_value(&certificate->members[at], "server_role");

        leaders += equal(role, "leader");
        unknown += role == NULL;
    }
    prove(certificate, "one-leader", "exactly one server accepts writes",
          leaders > 1 || (leaders == 0 && unknown == 0) ? PROOF_FAILED
          : leaders == 1 && unknown == 0                ? PROOF_PROVEN
                                                        : PROOF_OPEN,
          who_says_what(certificate, "server_role"));
}

static void prove_system(struct certificate *certificate)
{
    const char *words, *known = node_text(certificate->run->ledger.identity, "system_identifier");
    enum proof_result result = facts_agree(certificate, "system_identifier", &words);

    if (result != PROOF_FAILED && known != NULL &&
        all_say(certificate, "system_identifier", known) == PROOF_FAILED) {
        result = PROOF_FAILED;
        words = arena_printf(certificate->run->arena, "%s, but the run began on %s", words, known);
    }
    prove(certificate, "one-system", "all members are the cluster that the run began on", result,
          words);
}

static void prove_timeline(struct certificate *certificate)
{
    const char *words, *history;
    enum proof_result result = facts_agree(certificate, "timeline", &words);
    enum proof_result branch = facts_agree(certificate, "history", &history);

    if (result == PROOF_PROVEN && branch == PROOF_FAILED) {
        result = branch;
        words = arena_printf(certificate->run->arena, "their histories differ: %s", history);
    }
    prove(certificate, "one-timeline", "all members are on one timeline, with one history", result,
          words);
}

/* ---- where the timeline comes from ---- */

/*
 * The end of timeline PARENT in a history file, whose lines are "1\t0/5000148\tat restore point".
 * NULL: the history does not have it.
 */
static const char *history_end(struct arena *arena, const char *history, const char *parent)
{
    for (const char *line = history; line != NULL && *line != '\0';
         line = strchr(line, '\n') == NULL ? NULL : strchr(line, '\n') + 1) {
        size_t digits = strspn(line, "0123456789"), blanks = strspn(line + digits, " \t");
        const char *lsn = line + digits + blanks;

        if (digits == strlen(parent) && strncmp(line, parent, digits) == 0 && blanks > 0)
            return arena_copy(arena, lsn, strcspn(lsn, " \t\r\n"));
    }
    return NULL;
}

/* Did a step of the deployment behind the mark happen, or may it have? */
static bool was_deployed(const struct run *run)
{
    bool is_marked = false;

    for (const struct step *step = NULL;
         (step = plan_next_step(run->plan, PHASE_DEPLOY, step)) != NULL;) {
        if (step->steps != NULL)
            continue;
        if (is_marked && step_has_effect(step) && ledger_may_have_happened(&run->ledger, step))
            return true;
        is_marked |= node_has(node_find(step->params, "save"), "point_lsn");
    }
    return false;
}

static enum proof_result came_back(const struct certificate *certificate, const char *mark,
                                   const char *end, const char **words)
{
    struct arena *arena = certificate->run->arena;
    const char *timeline = certificate_saved(certificate, "timeline");

    if (end != NULL && equal(end, mark)) {
        *words = arena_printf(arena, "timeline %s ends at %s, which is the mark", timeline, end);
        return PROOF_PROVEN;
    }
    if (!was_deployed(certificate->run)) {
        *words = "nothing had been deployed: only the hold was undone, and nothing was lost";
        return PROOF_NOT_MEANT;
    }
    *words = end == NULL
                 ? arena_printf(arena, "timeline %s goes on behind the mark %s", timeline, mark)
                 : arena_printf(arena, "timeline %s ends at %s, and the mark is %s", timeline, end,
                                mark);
    return PROOF_FAILED;
}

static enum proof_result went_on(const struct certificate *certificate, const char *mark,
                                 const char *end, const char **words)
{
    struct arena *arena = certificate->run->arena;
    const char *timeline = certificate_saved(certificate, "timeline");
    uint64_t mark_lsn, end_lsn;

    if (equal(fact_value(certificate->leader, "timeline"), timeline)) {
        *words = arena_printf(arena, "the cluster is on timeline %s, as at the mark", timeline);
        return PROOF_PROVEN;
    }
    if (!lsn_read(mark, &mark_lsn) || !lsn_read(end, &end_lsn)) {
        *words = arena_printf(arena, "timeline %s of the mark is not in the history", timeline);
        return PROOF_FAILED;
    }
    *words =
        arena_printf(arena, "timeline %s went on to %s, and the mark is %s", timeline, end, mark);
    return end_lsn >= mark_lsn ? PROOF_PROVEN : PROOF_FAILED;
}

static void prove_mark(struct certificate *certificate)
{
    const bool is_back = certificate->run->ledger.summary.state == RUN_ROLLED_BACK;
    const char *about = is_back ? "the cluster's history leads to exactly the mark"
                                : "the cluster's history has the mark and what came after it";
    const char *mark = certificate_saved(certificate, "point_lsn");
    const char *timeline = certificate_saved(certificate, "timeline");
    const struct member *leader = certificate->leader;
    const char *words = "the server that accepts writes did not tell its history";
    enum proof_result result = PROOF_OPEN;

    if (mark == NULL || timeline == NULL) {
        result = is_back && was_deployed(certificate->run) ? PROOF_OPEN : PROOF_NOT_MEANT;
        words = "the run saved no point_lsn and timeline";
    } else if (leader != NULL && leader->history != NULL) {
        const char *end = history_end(certificate->run->arena, leader->history, timeline);

        result = is_back ? came_back(certificate, mark, end, &words)
                         : went_on(certificate, mark, end, &words);
    }
    prove(certificate, "mark", about, result, words);
}

/* ---- all have the same ---- */

static void prove_replicas(struct certificate *certificate)
{
    const char *words = arena_printf(certificate->run->arena, "%s on all %zu members",
                                     certificate->lsn, certificate->count);
    enum proof_result result = PROOF_PROVEN;

    for (size_t at = 0; at < certificate->count; at++) {
        if (fact_value(&certificate->members[at], "has_replayed") == NULL)
            result = PROOF_OPEN;
    }
    if (result != PROOF_PROVEN)
        words = who_says_what(certificate, "has_replayed");
    if (all_say(certificate, "server_role", "leader") != PROOF_PROVEN)
        prove(certificate, "replicas", "all members have replayed what the leader had written",
              result, words);
}

/* All facts whose names begin with PREFIX. What was written to between two looks differs without
 * being wrong. */
static void prove_digests(struct certificate *certificate, const char *prefix, const char *id,
                          const char *about, enum proof_result when_different)
{
    CLEANUP(text_release) struct text differing = {0}, written = {0};
    struct arena *arena = certificate->run->arena;
    const struct member *leader = certificate->leader;
    enum proof_result worst = leader == NULL ? PROOF_OPEN : PROOF_PROVEN;
    size_t count = 0, equal_count = 0;

    for (const struct fact *fact = leader == NULL ? NULL : leader->facts; fact != NULL;
         fact = fact->next) {
        const char *words;

        if (!starts_with(fact->name, prefix))
            continue;
        count++;

        enum proof_result result = facts_agree(certificate, fact->name, &words);

        equal_count += result == PROOF_PROVEN;
        if (result == PROOF_PROVEN)
            continue;
        if (result == PROOF_FAILED && when_different == PROOF_OPEN && fact->has_changed) {
            text_append_format(&written, "%s%s", written.length == 0 ? "" : "; ", fact->name);
            continue;
        }
        if (result == PROOF_FAILED)
            worst = when_different;
        else if (worst == PROOF_PROVEN)
            worst = PROOF_OPEN;
        text_append_format(&differing, "%s%s (%s)", differing.length == 0 ? "" : "; ", fact->name,
                           words);
    }
    if (equal_count == 0 && worst == PROOF_PROVEN)
        worst = PROOF_OPEN;

    const char *words = "there is not one leader to be compared with";

    if (worst == PROOF_PROVEN)
        words = arena_printf(arena, "%zu digest%s, equal on all %zu members", equal_count,
                             equal_count == 1 ? "" : "s", certificate->count);
    else if (differing.length > 0)
        words = arena_printf(arena, "%zu of %zu equal on all members, but not %s", equal_count,
                             count, text_string(&differing));
    else if (count > 0)
        words = "none could be compared";
    if (written.length > 0)
        words = arena_printf(arena, "%s; written to while they were looked at: %s", words,
                             text_string(&written));
    prove(certificate, id, about, worst, words);
}

/* ---- nothing is left ---- */

static void prove_fact(struct certificate *certificate, const char *id, const char *about,
                       const char *name, const char *wanted)
{
    enum proof_result result = all_say(certificate, name, wanted);

    prove(certificate, id, about, result,
          result == PROOF_PROVEN ? arena_printf(certificate->run->arena, "%s on all %zu members",
                                                wanted, certificate->count)
                                 : who_says_what(certificate, name));
}

static void prove_replay_runs(struct certificate *certificate)
{
    enum proof_result result = PROOF_PROVEN;

    for (size_t at = 0; at < certificate->count; at++) {
        const char *paused = fact_value(&certificate->members[at], "replay_paused");

        if (paused == NULL)
            result = result == PROOF_PROVEN ? PROOF_OPEN : result;
        else if (equal(paused, "true"))
            result = PROOF_FAILED;
    }
    prove(certificate, "no-hold", "replay is paused nowhere", result,
          result == PROOF_PROVEN ? "on no member" : who_says_what(certificate, "replay_paused"));
}

/* A run that has begun since has markers of its own. */
static void prove_markers(struct certificate *certificate)
{
    const char *about = "the schema \"holdback\" is gone";
    bool is_another = false;

    for (size_t at = 0; at < certificate->count; at++) {
        const char *markers = fact_value(&certificate->members[at], "markers");

        if (equal(markers, "none") || markers == NULL)
            continue;
        if (!ends_with(markers, ", of another run")) {
            prove_fact(certificate, "markers", about, "markers", "none");
            return;
        }
        is_another = true;
    }
    if (is_another)
        prove(certificate, "markers", about, PROOF_NOT_MEANT,
              who_says_what(certificate, "markers"));
    else
        prove_fact(certificate, "markers", about, "markers", "none");
}

static void prove_cluster(struct certificate *certificate)
{
    prove_leader(certificate);
    prove_system(certificate);
    prove_timeline(certificate);
    prove_mark(certificate);
    prove_replicas(certificate);
    prove_digests(certificate, "catalog of ", "catalogs",
                  "the catalog of every database is the same on all members", PROOF_FAILED);
    prove_digests(certificate, "globals", "globals",
                  "roles, databases and their settings are the same on all members", PROOF_FAILED);
    prove_digests(certificate, "sample of ", "samples",
                  "sampled rows of the largest tables are the same on all members", PROOF_OPEN);
    prove_markers(certificate);
    prove_fact(certificate, "folders", "the run's folders on the hosts are gone", "run_folder",
               "gone");
    prove_fact(certificate, "recovery-files", "no file of a recovery is left", "recovery_files",
               "none");
    prove_fact(certificate, "maintenance", "maintenance mode is off", "maintenance", "off");
    prove_replay_runs(certificate);
}

void certificate_prove(struct certificate *certificate)
{
    certificate->proof_count = 0;
    prove_cluster(certificate);
    prove_service(certificate);
}
