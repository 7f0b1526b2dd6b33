#include "run/certificate.h"
#include "base/file.h"
#include "base/json.h"
#include "run/certificate_inside.h"
#include "run/folder.h"

#include <string.h>

enum {
    ROUNDS = 3, /* what is changed between two looks may differ once */
    LARGEST = 64 * 1024 * 1024,
};

static const char *const result_names[] = {
    [PROOF_PROVEN] = "proven",
    [PROOF_FAILED] = "failed",
    [PROOF_OPEN] = "not-proven",
    [PROOF_NOT_MEANT] = "does-not-apply",
};

/* What the digests say and what they do not. */
static const char *const covers[] = {
    "\"catalog of DATABASE\" is the MD5 of the sorted definitions of all schemas, tables, columns, "
    "defaults, constraints, indexes, triggers, rules, views, functions, types, sequences, "
    "policies, "
    "extensions, event triggers and publications, with owners and privileges, the system's own "
    "too. "
    "It covers no oids, file numbers, statistics, comments, security labels, large objects, "
    "subscriptions, dictionaries, foreign servers, values of sequences, or rows.",
    "\"globals\" is the MD5 of roles (without passwords), memberships, databases, tablespaces and "
    "settings of roles and databases.",
    "\"sample of DATABASE, TABLE\" is the MD5 of the rows in about 64 blocks of each of the ten "
    "permanent tables that are the largest by the planner's statistics, the same blocks on every "
    "member. It says nothing of other blocks, of other tables or of indexes; a table that "
    "is written to meanwhile is named and not compared.",
    "Positions (receive_lsn, replay_lsn, write_lsn) are those of the first question; "
    "\"has_replayed\" "
    "is what every member had replayed before its digests were taken.",
    "That all members have all rows alike is not read but follows: one system identifier, one "
    "timeline with one history, and each has replayed the WAL up to the same position. What a disk "
    "has lost since it was replayed is not seen; checksums and pg_amcheck look for that.",
    "\"auto_conf\" (postgresql.auto.conf) and \"patroni_config\" (Patroni's own file) are the "
    "SHA-256 "
    "of the whole file and may differ between members. \"dcs_config\" is the SHA-256 of Patroni's "
    "configuration in the DCS, with sorted keys. \"history\" is the SHA-256 of the timeline's "
    "history file.",
};

/* ---- asking ---- */

static void on_members(struct certificate *certificate, struct member *const *members, size_t count,
                       void (*function)(struct worker *))
{
    struct run *run = certificate->run;
    const struct host_settings **hosts =
        arena_alloc(run->arena, sizeof(struct host_settings *) * (count + 1));

    for (size_t at = 0; at < count; at++)
        hosts[at] = members[at]->host;

    struct worker *workers = workers_new(run, hosts, count, function);

    for (size_t at = 0; at < count; at++)
        workers[at].context = members[at];
    workers_run(run, workers, count);
    for (size_t at = 0; at < count; at++)
        arena_adopt(run->arena, &workers[at].arena);
    workers_release(workers, count);
}

static bool differ(const struct certificate *certificate, const char *prefix)
{
    for (const struct fact *fact = certificate->leader->facts; fact != NULL; fact = fact->next) {
        const char *words;

        if (starts_with(fact->name, prefix) &&
            facts_agree(certificate, fact->name, &words) == PROOF_FAILED)
            return true;
    }
    return false;
}

/* A table that is written to all the time would differ in each round. */
static bool another_round(const struct certificate *certificate, int round)
{
    return differ(certificate, "catalog of ") || differ(certificate, "globals") ||
           (round == 0 && differ(certificate, "sample of "));
}

static void find_leader(struct certificate *certificate)
{
    size_t leaders = 0;

    for (size_t at = 0; at < certificate->count; at++) {
        if (!equal(fact_value(&certificate->members[at], "server_role"), "leader"))
            continue;
        certificate->leader = &certificate->members[at];
        leaders++;
    }
    if (leaders != 1)
        certificate->leader = NULL;
}

/* At one position of the WAL, which all wait for. */
static void compare(struct certificate *certificate, struct member *const *members, size_t count)
{
    find_leader(certificate);
    for (int round = 0; certificate->leader != NULL && round < ROUNDS; round++) {
        on_members(certificate, &certificate->leader, 1, member_ask_lsn);
        certificate->lsn = certificate->leader->wanted_lsn;
        if (certificate->lsn == NULL)
            return;
        for (size_t at = 0; at < count; at++) {
            members[at]->wanted_lsn = certificate->lsn;
            members[at]->databases = certificate->leader->databases;
            members[at]->database_count = certificate->leader->database_count;
        }
        on_members(certificate, members, count, member_ask_catalogs);
        if (!another_round(certificate, round) || run_interrupted(certificate->run) != 0)
            return;
    }
}

/* What one member told, and another was not asked, is said of the other. */
static void complete(struct certificate *certificate)
{
    struct arena *arena = certificate->run->arena;

    for (size_t at = 0; at < certificate->count; at++) {
        for (size_t other = 0; other < certificate->count; other++) {
            struct member *member = &certificate->members[other];
            const struct fact *role = fact_find(member, "server_role");

            for (const struct fact *fact = certificate->members[at].facts; fact != NULL;
                 fact = fact->next) {
                if (fact_find(member, fact->name) == NULL)
                    fact_miss(arena, member, fact->name,
                              role != NULL && role->why != NULL ? role->why
                              : certificate->leader == NULL
                                  ? "there is not one leader to be compared with"
                                  : "it did not come to that");
            }
        }
    }
}

static void ask_all(struct certificate *certificate)
{
    static const char *const compared[] = {"has_replayed", "globals", "markers"};
    struct run *run = certificate->run;
    struct arena *arena = run->arena;
    struct member **members;
    size_t count = 0;

    certificate->count = run->cluster->host_count;
    certificate->members = arena_alloc(arena, certificate->count * sizeof *certificate->members);
    members = arena_alloc(arena, (certificate->count + 1) * sizeof(struct member *));
    for (size_t at = 0; at < certificate->count; at++) {
        certificate->members[at] =
            (struct member){.host = &run->cluster->hosts[at], .run = run->id};
        members[at] = &certificate->members[at];
    }
    on_members(certificate, members, certificate->count, member_ask);
    for (size_t at = 0; at < certificate->count; at++) {
        if (!certificate->members[at].is_lost)
            members[count++] = &certificate->members[at];
    }
    compare(certificate, members, count);
    for (size_t at = 0; at < ARRAY_COUNT(compared); at++) {
        if (fact_find(&certificate->members[0], compared[at]) == NULL)
            fact_miss(arena, &certificate->members[0], compared[at],
                      "there is not one leader to be compared with");
    }
    complete(certificate);
}

/* ---- writing ---- */

static void append_head(const struct certificate *certificate, struct text *out)
{
    static const char *const mark[] = {"point",    "point_lsn", "insert_lsn",
                                       "timeline", "xid",       "segment"};
    const struct run *run = certificate->run;
    const struct run_summary *summary = &run->ledger.summary;
    const struct member *leader = certificate->leader;
    char now[TIMESTAMP_SIZE];

    timestamp_utc(now);
    text_append(out, "{\"certificate\":1");
    json_text_field(out, "outcome", run_state_names[summary->state]);
    json_text_field(out, "run", run->id);
    json_text_field(out, "cluster", summary->cluster);
    json_text_field(out, "plan", summary->plan_name);
    json_text_field(out, "by", summary->by);
    json_text_field(out, "from", summary->from);
    json_text_field(out, "began", summary->began);
    json_text_field(out, "ended", summary->ended);
    json_text_field(out, "asked", now);
    json_text_field(out, "asked_by", run->as_user);
    json_text_field(out, "version", HOLDBACK_VERSION);
    json_text_field(out, "lsn", certificate->lsn);
    json_open_line(out, 2, "mark", "{");
    for (size_t at = 0; at < ARRAY_COUNT(mark); at++)
        json_text_field(out, mark[at], certificate_saved(certificate, mark[at]));
    text_append(out, "}");
    json_open_line(out, 2, "timelines", "{");
    json_text_field(out, "before", certificate_saved(certificate, "timeline"));
    json_text_field(out, "after", leader == NULL ? NULL : fact_value(leader, "timeline"));
    json_text_field(out, "history", leader == NULL ? NULL : leader->history);
    text_append(out, "}");
}

/* What a step chose and saved under a variable's name says more than the variable. */
static void append_variables(const struct certificate *certificate, struct text *out)
{
    json_open_line(out, 2, "variables", "{");
    NODE_EACH(variable, certificate->run->ledger.variables)
    {
        const char *chosen = certificate_saved(certificate, variable->key);

        json_text_field(out, variable->key, chosen == NULL ? variable->text : chosen);
    }
    text_append(out, "}");
}

static void append_proofs(const struct certificate *certificate, struct text *out)
{
    json_open_line(out, 2, "proofs", "[");
    for (size_t at = 0; at < certificate->proof_count; at++) {
        const struct proof *proof = &certificate->proofs[at];

        json_open_line(out, 4, NULL, "{");
        json_text_field(out, "id", proof->id);
        json_text_field(out, "about", proof->about);
        json_text_field(out, "result", result_names[proof->result]);
        json_text_field(out, "words", proof->words);
        text_append(out, "}");
    }
    text_append(out, "\n  ]");
}

static const char *roles_of(const struct run *run, const char *host)
{
    CLEANUP(text_release) struct text text = {0};

    NODE_EACH(role, run->ledger.roles)
    {
        if (node_has(role, host))
            text_append_format(&text, "%s%s", text.length == 0 ? "" : ", ", role->key);
    }
    return text_copy(&text, run->arena);
}

static void append_members(const struct certificate *certificate, struct text *out)
{
    json_open_line(out, 2, "members", "[");
    for (size_t at = 0; at < certificate->count; at++) {
        const struct member *member = &certificate->members[at];

        json_open_line(out, 4, NULL, "{");
        json_text_field(out, "host", member->host->name);
        json_text_field(out, "member", member->host->member);
        json_text_field(out, "role_in_plan", roles_of(certificate->run, member->host->name));
        json_open(out, "facts", "{");
        for (const struct fact *fact = member->facts; fact != NULL; fact = fact->next) {
            json_open_line(out, 6, fact->name, "{");
            if (fact->value != NULL)
                json_text_field(out, "value", fact->value);
            else
                json_text_field(out, "not_asked", fact->why);
            text_append(out, "}");
        }
        text_append(out, "}}");
    }
    text_append(out, "\n  ]");
    json_open_line(out, 2, "covers", "[");
    for (size_t at = 0; at < ARRAY_COUNT(covers); at++) {
        json_line(out, 4);
        json_text_field(out, NULL, covers[at]);
    }
    text_append(out, "\n  ]");
}

/* What was altered proves nothing; the exit status is that of a proof that failed. */
static struct error *not_trusted(struct error *error)
{
    if (error != NULL && error->kind == ERROR_INPUT)
        error->kind = ERROR_FAILED;
    return error;
}

static struct error *write_down(const struct certificate *certificate, const char **json,
                                const struct node **out)
{
    CLEANUP(text_release) struct text text = {.limit = LARGEST};
    struct arena *arena = certificate->run->arena;

    append_head(certificate, &text);
    append_variables(certificate, &text);
    append_proofs(certificate, &text);
    append_members(certificate, &text);
    certificate_append_journal(certificate, &text);

    struct error *error = not_trusted(certificate_append_inputs(certificate, &text));

    if (error != NULL)
        return error;
    text_append(&text, "}\n");
    if (text.truncated)
        return error_new(arena, ERROR_FAILED, "the certificate is too long");
    *json = text_copy(&text, arena);
    return json_parse(arena, "the certificate", *json, strlen(*json), out);
}

/* ---- the command ---- */

/* A journal that was cut off still is one: the certificate knows that there was more of it. */
static struct error *not_over(struct run *run)
{
    const struct ledger *ledger = &run->ledger;
    const struct node *was = NULL;

    if (certificate_read(run->arena, run->folder, &was) == NULL)
        return error_new(run->arena, ERROR_FAILED,
                         "the journal has %zu records, and had %s when the certificate was written",
                         ledger->last == NULL ? 0 : ledger->last->number,
                         node_text(node_find(was, "journal"), "records"));
    return error_hint(run->arena,
                      error_new(run->arena, ERROR_INPUT,
                                "run \"%s\" is %s: only what was committed or rolled back can be "
                                "verified",
                                run->id, run_state_names[ledger->summary.state]),
                      "See: holdback status %s", run->id);
}

static struct error *certify(struct run *run, const char **json, const struct node **out)
{
    struct certificate certificate = {.run = run};
    const struct record *record = NULL;
    struct error *error = run_choose(run);

    if (error != NULL)
        return error;
    error = not_trusted(journal_read(
        run->arena, arena_printf(run->arena, "%s/journal.jsonl", run->folder), &record));
    for (; record != NULL; record = record->next)
        ledger_apply(&run->ledger, record);
    if (error != NULL)
        return error;
    if (run->ledger.summary.state != RUN_COMMITTED && run->ledger.summary.state != RUN_ROLLED_BACK)
        return not_over(run);
    error = not_trusted(run_load_files(run));
    if (error == NULL)
        error = prepare_hosts(run);
    if (error != NULL)
        return error;
    prepare_scope(run);
    ask_all(&certificate);
    if (run_interrupted(run) != 0)
        return run_interrupted_error(run);
    certificate_prove(&certificate);
    return write_down(&certificate, json, out);
}

struct error *run_certify(struct arena *arena, const struct run_options *options,
                          struct run_summary *summary, const char **json, const struct node **out)
{
    struct run run;

    run_begin(&run, arena, options, NULL);
    run.is_preview = true; // no claim is taken, and nothing is journalled
    return run_end(&run, certify(&run, json, out), summary);
}

struct error *certificate_read(struct arena *arena, const char *folder, const struct node **out)
{
    char *bytes;
    size_t length;
    const char *path = arena_printf(arena, "%s/%s", folder, CERTIFICATE_JSON);
    struct error *error = file_read(arena, path, LARGEST, &bytes, &length);

    *out = NULL;
    return error != NULL ? error : json_parse(arena, path, bytes, length, out);
}
