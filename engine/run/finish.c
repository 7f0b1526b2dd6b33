/* What a closed run leaves behind on the hosts: nothing. */
#include "run/work.h"

enum {
    CLEAN_TIMEOUT_MS = 30000,
    CLEAN_LOST_MS = 5000, /* of a host that did not answer a moment ago */
};

/* Every user that a step may have acted as has a folder. */
static void folders_remove(struct worker *worker)
{
    struct run *run = worker->run;
    const bool is_lost = run->is_lost[run_host_index(run, worker->target)];
    const int64_t deadline_ms = clock_ms() + (is_lost ? CLEAN_LOST_MS : CLEAN_TIMEOUT_MS);
    struct users users = users_of(&worker->arena, run, worker->target->name);
    const struct claim claim = claim_of(&worker->arena, run);

    host_set_claim(worker->host, claim_reference(&worker->arena, &claim, NULL, NULL));
    for (size_t at = 0; at < users.count && worker->error == NULL; at++)
        worker->error =
            run_folder_remove(worker->host, &worker->arena, run->id, users.names[at], deadline_ms);
    // Last of all: until here the host is ours.
    for (size_t at = 0; at < users.count && worker->error == NULL; at++)
        worker->error =
            claim_release(worker->host, &worker->arena, &claim, users.names[at], deadline_ms);
}

/* Markers travel with the data: they are where the leader is now. */
static void markers_remove(struct worker *worker)
{
    struct run *run = worker->run;

    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(run->plan, (enum phase)phase, step)) != NULL;) {
            if (step->action == NULL || step->action->clean == NULL || worker->error != NULL)
                continue;

            struct task task = {.step = step, .kind = TASK_CLEAN, .try = 1};

            worker->context = &task;
            task_worker(worker);
        }
    }
}

/* What is left on a host, and how a person gets rid of it. */
static void tell_left(struct run *run, const char *host, const char *what,
                      const struct error *error)
{
    const char *words = arena_printf(
        run->arena, "%s left on \"%s\": %s; when it is back: holdback close %s --why TEXT", what,
        host, error == NULL ? "it did not answer" : error_text(run->arena, error), run->id);

    run_record(run, "left", "\"host\":%s,\"words\":%s", json_text(run->arena, host),
               json_text(run->arena, words));
    run_event(run, NULL, host, "left", words);
}

static bool plan_has_markers(const struct run *run)
{
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(run->plan, (enum phase)phase, step)) != NULL;) {
            if (step->action != NULL && step->action->clean != NULL &&
                ledger_may_have_happened(&run->ledger, step))
                return true;
        }
    }
    return false;
}

static void markers_clean(struct run *run)
{
    struct patroni_cluster members = {0};
    bool is_found = false;

    // Looking leaves none, and a host that was silent then would be waited for again.
    if (run->ledger.summary.state == RUN_PREFLIGHT || run->ledger.summary.state == RUN_REFUSED)
        return;
    if (!plan_has_markers(run) && !run->ledger.was_taken_over)
        return;

    struct error *error = members_read(run, &members);

    for (size_t at = 0; error == NULL && at < run->cluster->host_count; at++) {
        const struct host_settings *host = &run->cluster->hosts[at];
        const struct patroni_member *member = patroni_find_member(&members, host->member);

        if (member == NULL || !member->is_leader)
            continue;

        struct worker *worker = workers_new(run, &host, 1, markers_remove);

        is_found = true;
        workers_run(run, worker, 1);
        if (worker->error != NULL)
            tell_left(run, worker->target->name, "our markers are", worker->error);
        workers_release(worker, 1);
    }
    if (!is_found)
        tell_left(run, "the leader", "our markers are", error);
}

void run_clean(struct run *run)
{
    size_t count = 0;
    const struct host_settings **hosts =
        arena_alloc(run->arena, sizeof(struct host_settings *) * (run->cluster->host_count + 1));

    run_record(run, "cleaning", "%s", "");
    markers_clean(run);
    for (size_t at = 0; at < run->cluster->host_count; at++) {
        // Refused is closed for good, so a host that was lost with our claim is tried once more.
        if (!run->is_lost[at] ||
            (run->ledger.summary.state == RUN_PREFLIGHT && run->may_have_claims))
            hosts[count++] = &run->cluster->hosts[at];
        else if (run->ledger.summary.state != RUN_PREFLIGHT)
            tell_left(run, run->cluster->hosts[at].name, "our claim and folder are", NULL);
    }

    struct worker *workers = workers_new(run, hosts, count, folders_remove);

    workers_run(run, workers, count);
    for (size_t at = 0; at < count; at++) {
        // What another has now is not left by us.
        if (workers[at].error != NULL &&
            (run->ledger.summary.state != RUN_PREFLIGHT || workers[at].error->kind != ERROR_LOCKED))
            tell_left(run, workers[at].target->name, "our claim and folder are", workers[at].error);
    }
    workers_release(workers, count);
}
