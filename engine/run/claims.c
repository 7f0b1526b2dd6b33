/* The run's claim on its hosts: taken before the first step, and taken over from elsewhere. */
#include "host/patroni.h"
#include "run/command.h"
#include "run/folder.h"

#include <stdlib.h>
#include <string.h>

enum {
    CLAIM_TIMEOUT_MS = 20000, /* to connect, log in and answer one question */
};

void users_add(struct users *users, const char *name)
{
    for (size_t at = 0; at < users->count; at++) {
        if (equal(users->names[at], name))
            return;
    }
    if (users->count < ARRAY_COUNT(users->names))
        users->names[users->count++] = name;
}

/* Services, Patroni's own configuration and the DCS are root's, whoever the step acts as. */
static bool needs_root(const struct step *step)
{
    return equal(step->action_name, "patroni") &&
           (node_find(step->params, "service") != NULL ||
            node_find(step->params, "cluster") != NULL || node_find(step->params, "tags") != NULL);
}

/* The database's user and the ssh user among them: connections are made as these. */
struct users users_of(struct arena *arena, const struct run *run, const char *host)
{
    struct users users = {0};

    users_add(&users, cluster_find_host(run->cluster, host)->postgres.os_user);
    users_add(&users, NULL);
    for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(run->plan, (enum phase)phase, step)) != NULL;) {
            const char *as = step->as;

            if (step->steps == NULL &&
                (as == NULL || expand_text(arena, run->scope, host, step->place, as, &as) == NULL))
                users_add(&users, as);
            if (needs_root(step))
                users_add(&users, "root");
        }
    }
    return users;
}

const char *run_folder_real(struct arena *arena, const struct run *run)
{
    char *path = realpath(run->folder, NULL);
    const char *folder = arena_strdup(arena, path == NULL ? run->folder : path);

    free(path);
    return folder;
}

/*
 * A run that has not begun may have no claim that would keep its first holder from beginning it
 * when somebody else has finished it.
 */
struct error *check_home(const struct run *run)
{
    const char *from = node_text(run->ledger.run, "from");
    const char *folder = node_text(run->ledger.run, "folder");

    if (equal(from, machine_name(run->arena)) && equal(folder, run_folder_real(run->arena, run)))
        return NULL;
    return error_hint(run->arena,
                      error_new(run->arena, ERROR_INPUT,
                                "cannot resume run \"%s\" from here: it has not begun, and "
                                "belongs to %s (journal \"%s\")",
                                run->id, from, folder),
                      "Nothing was changed. Close it there, or deploy again.");
}

struct claim claim_of(struct arena *arena, const struct run *run)
{
    return (struct claim){
        .cluster = run->cluster->name,
        .run = run->id,
        .who = run->as_user,
        .from = machine_name(arena),
        .journal = run_folder_real(arena, run),
        .since = run->ledger.summary.began,
        .number = run->ledger.number,
        .takes_over = run->journal == NULL, /* whose it is to become is asked for first */
    };
}

/* A copy that is older than what was done would do it again. */
static struct error *check_intent(struct worker *worker, const struct claim_found *found)
{
    struct run *run = worker->run;

    if (!equal(found->run, run->id) || *found->intent == '\0' ||
        ledger_has_intent(&run->ledger, found->intent))
        return NULL;
    return error_hint(
        &worker->arena,
        error_new(&worker->arena, ERROR_FAILED,
                  "this journal of run \"%s\" is older than what was done: host \"%s\" was "
                  "changed for step \"%s\" by an intent that it does not have",
                  run->id, worker->target->name, found->step),
        "Go on from the newest journal; \"%s\" on %s had the run last. If that is lost, finish by "
        "hand, then close the run.",
        found->journal, found->from);
}

static struct error *take_for_users(struct worker *worker, const struct claim *claim)
{
    const int64_t deadline_ms = clock_ms() + CLAIM_TIMEOUT_MS;
    struct users users = users_of(&worker->arena, worker->run, worker->target->name);
    struct error *error = NULL;

    host_set_claim(worker->host, NULL);
    for (size_t at = 0; error == NULL && at < users.count; at++) {
        struct claim_found found;

        error =
            claim_take(worker->host, &worker->arena, claim, users.names[at], deadline_ms, &found);
        if (error == NULL)
            error = check_intent(worker, &found);
    }
    return error;
}

static void claim_worker(struct worker *worker)
{
    worker->error = take_for_users(worker, worker->context);
}

struct error *worker_claim(struct worker *worker)
{
    struct run *run = worker->run;
    bool *is_lost = &run->is_lost[run_host_index(run, worker->target)];

    if (!*is_lost || run->journal == NULL)
        return NULL;

    const struct claim claim = claim_of(&worker->arena, run);
    struct error *error = take_for_users(worker, &claim);

    *is_lost = error != NULL;
    return error;
}

/* Asks before it takes: a journal that is too old must not lock out the one that is not. */
static void look_worker(struct worker *worker)
{
    struct run *run = worker->run;
    const int64_t deadline_ms = clock_ms() + CLAIM_TIMEOUT_MS;
    struct users users = users_of(&worker->arena, run, worker->target->name);
    struct claim_found *last = arena_alloc(&worker->arena, sizeof *last);

    worker->context = last;
    for (size_t at = 0; worker->error == NULL && at < users.count; at++) {
        struct claim_found found;

        worker->error = claim_look(worker->host, &worker->arena, run->cluster->name,
                                   users.names[at], deadline_ms, &found);
        if (worker->error == NULL)
            worker->error = check_intent(worker, &found);
        if (worker->error == NULL && equal(found.run, run->id) && found.number > last->number)
            *last = found;
    }
}

static struct error *claims_take(struct run *run, const struct host_settings **hosts, size_t count)
{
    const struct claim claim = claim_of(run->arena, run);
    struct worker *workers = workers_new(run, hosts, count, claim_worker);

    for (size_t at = 0; at < count; at++)
        workers[at].context = (void *)&claim;
    workers_run(run, workers, count);

    struct error *error = workers_gather(run, workers, count);

    workers_release(workers, count);
    return error;
}

/* Of two that come at once the first host decides: else each could get some, and both be refused.
 */
struct error *prepare_claims(struct run *run)
{
    size_t count, first = 0;
    const struct host_settings **hosts = hosts_alive(run, &count);
    struct error *error = NULL;

    run->may_have_claims = true;
    while (error == NULL && first < count &&
           (first == 0 || run->is_lost[run_host_index(run, hosts[first - 1])]))
        error = claims_take(run, &hosts[first++], 1);
    return error == NULL && first < count ? claims_take(run, hosts + first, count - first) : error;
}

/* The claim with the greatest number of this run on its hosts. */
static struct error *claims_look(struct run *run, struct claim_found *last)
{
    size_t count;
    const struct host_settings **hosts = hosts_alive(run, &count);
    struct worker *workers = workers_new(run, hosts, count, look_worker);

    workers_run(run, workers, count);

    struct error *error = workers_gather(run, workers, count);

    for (size_t at = 0; error == NULL && at < count; at++) {
        const struct claim_found *found = workers[at].context;

        if (workers[at].error == NULL && found->number > last->number)
            *last = (struct claim_found){.number = found->number,
                                         .who = arena_strdup(run->arena, found->who),
                                         .from = arena_strdup(run->arena, found->from),
                                         .journal = arena_strdup(run->arena, found->journal)};
    }
    workers_release(workers, count);
    return error;
}

static struct error *confirm(struct run *run, const struct claim_found *last)
{
    static const struct step step = {.id = "take-over"};
    const struct run_observer *observer = run->options->observer;
    const char *living = run_lock_holder(run->arena, run->folder);
    const char *question = arena_printf(
        run->arena,
        "Take run %s over%s%s%s%s%s%s%s? Whoever had it before will change nothing any more.",
        run->id, last->number == 0 ? "" : " from \"", last->number == 0 ? "" : last->who,
        last->number == 0 ? "" : "\" on ", last->number == 0 ? "" : last->from,
        living == NULL ? "" : " (", living == NULL ? "" : living, living == NULL ? "" : ")");

    for (size_t at = 0; at < run->options->confirmed_count; at++) {
        if (equal(run->options->confirmed[at], step.id))
            return NULL;
    }
    if (observer != NULL && observer->confirm != NULL &&
        observer->confirm(observer->context, &step, question))
        return NULL;
    if (run_interrupted(run) != 0)
        return run_interrupted_error(run);
    return error_hint(run->arena, error_new(run->arena, ERROR_GATE, "%s", question),
                      "Nothing was changed. Answer with --confirm take-over.");
}

/*
 * One host after the other: of two who take over at once, the first host decides. An unreachable
 * one is told, because there the former holder is not kept from anything.
 */
static struct error *claims_raise(struct run *run)
{
    size_t count;
    const struct host_settings **hosts = hosts_alive(run, &count);
    struct error *error = NULL;

    for (size_t at = 0; error == NULL && at < count; at++)
        error = claims_take(run, &hosts[at], 1);
    for (size_t at = 0; error == NULL && at < run->cluster->host_count; at++) {
        if (run->is_lost[at])
            run_event(run, NULL, run->cluster->hosts[at].name, "left",
                      "does not answer: whoever had the run before may still change it");
    }
    return error;
}

/* With the journal as it is now, which its former holder may still be writing. */
static struct error *take_over_hosts(struct run *run, int64_t *number)
{
    const struct record *record;
    struct claim_found last = {0};
    struct error *error = run_choose(run);

    if (error == NULL)
        error = journal_read(run->arena, arena_printf(run->arena, "%s/journal.jsonl", run->folder),
                             &record);
    if (error != NULL)
        return error;
    ledger_read(&run->ledger, record);
    if (!run_state_is_open(run->ledger.summary.state))
        return NULL;
    // Without a claim nothing would keep whoever began it from going on, when all is done.
    if (run->ledger.summary.state == RUN_PREFLIGHT)
        return error_hint(run->arena,
                          error_new(run->arena, ERROR_INPUT,
                                    "cannot take over run \"%s\": it has not begun", run->id),
                          "Nothing was changed. End the program that began it, or close the run; "
                          "then deploy again.");
    error = run_load_files(run);
    if (error == NULL)
        error = prepare_hosts(run);
    if (error == NULL)
        error = prepare_identity(run);
    if (error == NULL)
        error = claims_look(run, &last);
    if (error == NULL)
        error = confirm(run, &last);
    if (error != NULL)
        return error;
    run->ledger.number = 1 + (last.number > run->ledger.number ? last.number : run->ledger.number);
    error = claims_raise(run);
    if (error == NULL)
        *number = run->ledger.number;
    return error;
}

/*
 * The former holder may be asleep with both files open: what it writes when it wakes up must not
 * end in the journal that goes on.
 */
struct error *run_take_over(struct run *run)
{
    struct run former;
    int64_t number = 0;

    run_begin(&former, run->arena, run->options, run->findings);

    struct error *error = take_over_hosts(&former, &number);

    run_release(&former);
    if (error == NULL && number > 0)
        error = run_lock_renew(run->arena, run->folder);
    if (error == NULL && number > 0)
        error =
            journal_renew(run->arena, arena_printf(run->arena, "%s/journal.jsonl", run->folder));
    if (error == NULL)
        error = run_open_journal(run);
    if (error != NULL || number == 0)
        return error;
    run_record(run, "take-over", "\"number\":%lld,\"by\":%s,\"from\":%s", (long long)number,
               json_text(run->arena, run->as_user),
               json_text(run->arena, machine_name(run->arena)));
    return run_sync(run);
}
