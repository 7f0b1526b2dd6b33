/* One step on a batch of hosts: settle what was interrupted, then tries, each with its intent. */
#include "run/guard.h"
#include "run/work.h"

#include <inttypes.h>
#include <poll.h>

enum {
    REST_MS = 100, /* so often a first interrupt is looked for */
};

/* A batch of hosts on which one step runs. */
struct batch {
    struct run *run;
    const struct step *step;
    const struct host_settings *const *hosts;
    size_t count;
    bool is_shared;      /* the step runs on one host: what it saves is the same everywhere */
    struct error *first; /* the first failure of the last try */
};

static enum step_state state_of(const struct batch *batch, const struct host_settings *host)
{
    const struct step_status *status =
        ledger_status(&batch->run->ledger, batch->step->id, host->name);

    return status == NULL ? STEP_NOT_STARTED : status->state;
}

static int try_of(const struct batch *batch, const struct host_settings *host)
{
    const struct step_status *status =
        ledger_status(&batch->run->ledger, batch->step->id, host->name);

    return status == NULL ? 0 : status->try;
}

/* The batch's hosts whose step is in (or, with WANT false, is not in) one of the states. */
static size_t hosts_running(const struct batch *batch, bool want_running,
                            const struct host_settings **out)
{
    size_t count = 0;

    for (size_t at = 0; at < batch->count; at++) {
        enum step_state state = state_of(batch, batch->hosts[at]);

        if (!step_state_is_complete(state) && (state == STEP_RUNNING) == want_running)
            out[count++] = batch->hosts[at];
    }
    return count;
}

static const char *saved_json(struct run *run, const struct step *step, const struct saved *saved)
{
    CLEANUP(text_release) struct text json = {0};

    for (; saved != NULL; saved = saved->next) {
        // "before" is what `restore: STEP` asks for; every step may have one.
        const char *name = equal(saved->name, "before")
                               ? arena_printf(run->arena, "%s.before", step->id)
                               : saved->name;

        text_append_format(&json, "%s%s:%s", json.length == 0 ? "" : ",",
                           json_text(run->arena, name), json_text(run->arena, saved->text));
    }
    return text_copy(&json, run->arena);
}

static void saved_into_scope(struct batch *batch, const char *host, const struct saved *saved)
{
    struct run *run = batch->run;

    for (; saved != NULL; saved = saved->next) {
        bool is_before = equal(saved->name, "before");
        const char *name = is_before ? arena_printf(run->arena, "%s.before", batch->step->id)
                                     : arena_strdup(run->arena, saved->name);

        scope_set_text(run->scope, batch->is_shared ? NULL : host, name,
                       arena_strdup(run->arena, saved->text));
    }
}

static void outcome_record(struct batch *batch, const struct worker *worker,
                           const struct task *task)
{
    struct run *run = batch->run;
    const struct error *error = worker->error;
    const char *words = error != NULL ? error_text(run->arena, error) : task->words;
    const char *hint = error_find_hint(error);

    run_record(run, "outcome",
               "\"step\":%s,\"host\":%s,\"try\":%d,\"result\":%s,\"words\":%s,\"hint\":%s,"
               "\"ms\":%" PRId64 ",\"shared\":%s,\"saved\":{%s}",
               json_text(run->arena, batch->step->id), json_text(run->arena, worker->target->name),
               task->try, json_text(run->arena, step_state_names[task->state]),
               json_text(run->arena, words), json_text(run->arena, hint),
               worker->ended_ms - worker->began_ms, batch->is_shared ? "true" : "false",
               saved_json(run, batch->step, task->saved));
    saved_into_scope(batch, worker->target->name, task->saved);
    run_event(run, batch->step, host_label(run, batch->step, worker->target),
              step_state_names[task->state], words);
}

/* HOW to find out, as the action says it, or NULL. */
static struct error *ask_person(struct batch *batch, struct error *error, const char *how,
                                const char *host)
{
    error->kind = ERROR_IN_DOUBT;
    return error_hint(
        batch->run->arena, error,
        "%s%sFind out, then say so: holdback resolve %s %s@%s --as done|not-done --why TEXT",
        how == NULL ? "" : how, how == NULL ? "" : " ", batch->run->id, batch->step->id, host);
}

/* The error of a host as the run tells it: which step, where, and what a person can do. */
static struct error *batch_error(struct batch *batch, const struct worker *worker,
                                 enum step_state state)
{
    struct run *run = batch->run;
    const char *what = state == STEP_IN_DOUBT                 ? "is in doubt"
                       : state == STEP_RUNNING                ? "did not come to its end"
                       : worker->error->kind == ERROR_STOPPED ? "was interrupted"
                                                              : "failed";
    struct error *error =
        error_because(run->arena, error_copy(run->arena, worker->error), "step \"%s\" %s on %s",
                      batch->step->id, what, host_label(run, batch->step, worker->target));

    if (error->kind == ERROR_TIMEOUT || error->kind == ERROR_INPUT)
        error->kind = ERROR_FAILED;
    if (state == STEP_IN_DOUBT ||
        (error->kind == ERROR_UNREACHABLE && batch->step->ask_if_unreachable)) {
        (void)ask_person(batch, error, error_find_hint(error), worker->target->name);
    } else if (state == STEP_NOTHING && step_has_effect(batch->step) &&
               error->kind == ERROR_FAILED && error_find_hint(error) == NULL) {
        error_hint(run->arena, error, "Nothing of this step is left.%s",
                   worker->error->kind == ERROR_TIMEOUT
                       ? ""
                       : arena_printf(run->arena,
                                      " With a corrected file or plan it goes on by: "
                                      "holdback resume %s --plan FILE",
                                      run->id));
    }
    return error;
}

static void batch_fail(struct batch *batch, struct error *error)
{
    // Being stopped is a consequence: what another host has to say is the cause.
    if (batch->first == NULL ||
        (batch->first->kind == ERROR_STOPPED && error->kind != ERROR_STOPPED))
        batch->first = error;
}

static struct task *tasks_new(struct batch *batch, struct worker *workers, size_t count,
                              enum task_kind kind, int try_more)
{
    struct task *tasks = arena_alloc(batch->run->arena, sizeof *tasks * (count + 1));

    for (size_t at = 0; at < count; at++) {
        tasks[at] = (struct task){
            .step = batch->step, .kind = kind, .try = try_of(batch, workers[at].target) + try_more};
        workers[at].context = &tasks[at];
    }
    return tasks;
}

static void tasks_show(struct batch *batch, const struct worker *workers, struct task *tasks,
                       size_t count)
{
    const struct run_observer *observer = batch->run->options->observer;

    for (size_t at = 0; at < count; at++) {
        if (tasks[at].shown.length > 0 && observer != NULL && observer->show != NULL)
            observer->show(observer->context, batch->step,
                           host_label(batch->run, batch->step, workers[at].target),
                           &tasks[at].shown);
        text_release(&tasks[at].shown);
    }
}

/* Runs a task of KIND on the hosts, and journals the outcomes. */
static void batch_try(struct batch *batch, const struct host_settings **hosts, size_t count,
                      enum task_kind kind, int try_more)
{
    struct run *run = batch->run;
    struct worker *workers = workers_new(run, hosts, count, task_worker);
    struct task *tasks = tasks_new(batch, workers, count, kind, try_more);

    run->step = batch->step;
    run->step_began_ms = clock_ms();
    workers_run(run, workers, count);
    for (size_t at = 0; at < count; at++) {
        if (tasks[at].state != STEP_RUNNING)
            outcome_record(batch, &workers[at], &tasks[at]);
        if (workers[at].error != NULL)
            batch_fail(batch, batch_error(batch, &workers[at], tasks[at].state));
    }
    tasks_show(batch, workers, tasks, count);
    workers_release(workers, count);
    run->step = NULL;
}

/* One intent names all hosts of the try; it is on disk before the first byte goes to one of them.
 */
static struct error *intent(struct batch *batch, const struct host_settings **hosts, size_t count)
{
    CLEANUP(text_release) struct text names = {0};
    struct run *run = batch->run;
    int try = 0;

    for (size_t at = 0; at < count; at++) {
        int other = try_of(batch, hosts[at]) + 1;

        try = other > try ? other : try;
        text_append_format(&names, "%s%s", at == 0 ? "" : ",",
                           json_text(run->arena, hosts[at]->name));
    }
    run_record(run, "intent", "\"step\":%s,\"try\":%d,\"hosts\":[%s]",
               json_text(run->arena, batch->step->id), try, text_string(&names));
    for (size_t at = 0; at < count; at++)
        run_event(run, batch->step, host_label(run, batch->step, hosts[at]), "begins", NULL);
    return run_sync(run);
}

/* What a settled try means for the journal. */
static enum step_state settled_state(const struct task *task)
{
    switch (task->settle) {
    case SETTLE_DONE:
        return STEP_DONE;
    case SETTLE_NOT_DONE:
        return STEP_NOTHING;
    case SETTLE_FAILED:
    case SETTLE_BROKEN:
        return STEP_FAILED;
    case SETTLE_IN_DOUBT:
        // Repeating is harmless, as the plan says: as if it had not happened, but it may have.
        return task->step->repeat_if_interrupted ? STEP_FAILED : STEP_IN_DOUBT;
    case SETTLE_RUNNING:
    case SETTLE_UNREACHABLE:
        break;
    }
    return STEP_RUNNING;
}

static void batch_settle(struct batch *batch)
{
    struct run *run = batch->run;
    const struct host_settings **hosts =
        arena_alloc(run->arena, sizeof(struct host_settings *) * (batch->count + 1));
    size_t count = hosts_running(batch, true, hosts);

    if (count == 0)
        return;

    struct worker *workers = workers_new(run, hosts, count, task_worker);
    struct task *tasks = tasks_new(batch, workers, count, TASK_SETTLE, 0);

    run->step = batch->step;
    run->step_began_ms = clock_ms();
    workers_run(run, workers, count);
    for (size_t at = 0; at < count; at++) {
        tasks[at].state = settled_state(&tasks[at]);
        if (tasks[at].state != STEP_RUNNING)
            outcome_record(batch, &workers[at], &tasks[at]);
        if (workers[at].error != NULL &&
            (tasks[at].settle == SETTLE_FAILED || tasks[at].settle == SETTLE_UNREACHABLE))
            batch_fail(batch, batch_error(batch, &workers[at], tasks[at].state));
    }
    tasks_show(batch, workers, tasks, count);
    workers_release(workers, count);
    run->step = NULL;
}

/* As whoever found it told it. */
static struct error *still_in_doubt(struct batch *batch)
{
    for (size_t at = 0; at < batch->count; at++) {
        const struct host_settings *host = batch->hosts[at];
        const struct step_status *status =
            ledger_status(&batch->run->ledger, batch->step->id, host->name);

        if (status == NULL || status->state != STEP_IN_DOUBT)
            continue;

        struct error *error = error_new(
            batch->run->arena, ERROR_IN_DOUBT, "step \"%s\" is in doubt on %s: %s", batch->step->id,
            host_label(batch->run, batch->step, host),
            status->message == NULL ? "nobody knows whether it happened" : status->message);

        return ask_person(batch, error, status->hint, host->name);
    }
    return NULL;
}

/* What may still go on is for resume to settle: trying again would start it beside that. */
static bool may_retry(const struct batch *batch, const struct host_settings **hosts, int tries)
{
    return batch->first != NULL && batch->first->kind == ERROR_FAILED &&
           tries <= batch->step->retry_times && hosts_running(batch, true, hosts) == 0;
}

/* Waits before a further try; false: somebody wants to stop. */
static bool rest_before_retry(const struct batch *batch)
{
    const struct run *run = batch->run;
    const int64_t until_ms = clock_ms() + batch->step->retry_delay_ms;
    struct pollfd stops[] = {{.fd = run->stop_fd, .events = POLLIN},
                             {.fd = run->options->stop_fd, .events = POLLIN}};

    for (;;) {
        int64_t left_ms = until_ms - clock_ms();

        left_ms = left_ms < 0 ? 0 : left_ms;
        if (poll(stops, ARRAY_COUNT(stops), left_ms < REST_MS ? (int)left_ms : REST_MS) > 0 ||
            run_interrupted(run) != 0)
            return false;
        if (clock_ms() >= until_ms)
            return true;
    }
}

/* Jobs that outlived their connection are attached to, not started. */
static void batch_attach(struct batch *batch, const struct host_settings **hosts)
{
    size_t count = hosts_running(batch, true, hosts);

    if (count > 0)
        batch_try(batch, hosts, count, TASK_ATTACH, 0);
}

static struct error *batch_tries(struct batch *batch)
{
    struct run *run = batch->run;
    const struct host_settings **hosts =
        arena_alloc(run->arena, sizeof(struct host_settings *) * (batch->count + 1));

    batch_attach(batch, hosts);
    for (int tries = 1; batch->first == NULL; tries++) {
        size_t count = hosts_running(batch, false, hosts);

        if (count == 0)
            return NULL;

        struct error *error = intent(batch, hosts, count);

        if (error != NULL)
            return error;
        batch_try(batch, hosts, count, TASK_RUN, 0);
        if (may_retry(batch, hosts, tries)) {
            run_event(run, batch->step, NULL, "retries", error_text(run->arena, batch->first));
            if (rest_before_retry(batch))
                batch->first = NULL;
        }
    }
    return batch->first;
}

struct error *step_run(struct run *run, const struct step *step,
                       const struct host_settings *const *hosts, size_t count)
{
    size_t all;
    struct batch batch = {.run = run, .step = step, .hosts = hosts, .count = count};

    (void)step_hosts(run, step, &all);
    batch.is_shared = all <= 1;
    batch_settle(&batch);

    struct error *error = still_in_doubt(&batch);

    if (error == NULL)
        error = batch.first;
    if (error == NULL)
        error = batch_tries(&batch);

    // A guard that failed is why whatever ran was stopped.
    const struct error *guard =
        run->guards == NULL || error == NULL ? NULL : guards_verdict(run->guards);

    if (error != NULL && guard != NULL)
        return error_copy(run->arena, guard);
    return error;
}

struct error *settle_all(struct run *run, enum phase phase)
{
    for (const struct step *step = NULL; (step = plan_next_step(run->plan, phase, step)) != NULL;) {
        size_t count;

        if (step->steps != NULL)
            continue;

        const struct host_settings *const *hosts = step_hosts(run, step, &count);
        struct batch batch = {
            .run = run, .step = step, .hosts = hosts, .count = count, .is_shared = count <= 1};

        batch_settle(&batch);
    }
    return run_sync(run);
}
