#include "run/work.h"

#include <poll.h>
#include <string.h>

enum {
    LOOK_EVERY_MS = 25,        /* a file that appears is seen within a twentieth of a second */
    LOOK_EVERY_LATER_MS = 250, /* after half a minute nobody needs to know that quickly */
    LATER_MS = 30000,
    GUARD_TIMEOUT_MS = 5000,
};

const char *operation_id(struct arena *arena, const char *run, const char *step, const char *host,
                         int try)
{
    const char *name = arena_printf(arena, "%s\n%s\n%s\n%d", run, step, host, try);
    char digest[DIGEST_SIZE];

    sha256_hex(name, strlen(name), digest);
    return arena_strdup(arena, digest);
}

bool step_has_effect(const struct step *step)
{
    return step->action->has_effect && node_find(step->params, "query") == NULL;
}

static void watch(struct work *work, const char *words)
{
    worker_watch(work->watch_context, words);
}

/* What `restore: STEP` goes back to: the value that STEP saved as "before" on this host. */
static const char *reference_of(const struct run *run, struct arena *arena, const struct step *step,
                                const char *host)
{
    const char *restored = node_text(step->params, "restore");
    const struct value *value = NULL;

    if (restored != NULL)
        value = scope_find(run->scope, host, arena_printf(arena, "%s.before", restored));
    return value == NULL ? NULL : value->text;
}

/* In whose name the host is changed. */
static void changes_init(struct work *work, struct worker *worker, bool is_tidying)
{
    const struct run *run = worker->run;
    const struct claim claim = {
        .cluster = run->cluster->name, .run = run->id, .number = run->ledger.number};

    work->number = run->ledger.number;
    work->was_taken_over = run->ledger.was_taken_over;
    if (run->journal != NULL && !run->is_preview)
        host_set_claim(worker->host, claim_reference(work->arena, &claim, run->ledger.intent,
                                                     is_tidying ? NULL : run->ledger.intent_step));
}

static void work_init(struct work *work, struct worker *worker, const struct task *task)
{
    struct run *run = worker->run;
    struct arena *arena = &worker->arena;
    const struct step *step = task->step;
    const char *host = worker->target->name;

    *work = (struct work){
        .arena = arena,
        .plan = run->plan,
        .cluster = run->cluster,
        .step = step,
        .scope = run->scope,
        .target = worker->target,
        .host = worker->host,
        .as = step->as,
        .run = run->id,
        .operation = operation_id(arena, run->id, step->id, host, task->try),
        .try = task->try,
        .reference = reference_of(run, arena, step, host),
        .roles = run->roles,
        .role_count = run->role_count,
        .is_preview = run->is_preview,
        .deadline_ms = clock_ms() + step->timeout_ms,
        .stop_fd = run->stop_fd,
        .watch = watch,
        .watch_context = worker,
    };
    // Guards look while the main thread goes on with the ledger; nobody else does.
    if (task->kind != TASK_LOOK)
        changes_init(work, worker, task->kind == TASK_CLEAN);
    if (task->try > 1)
        work->previous = operation_id(arena, run->id, step->id, host, task->try - 1);
}

static void results_clear(struct work *work)
{
    text_clear(&work->change);
    text_clear(&work->shown);
    work->saved = NULL;
    work->words = work->value = NULL;
    work->bound = (struct bound){0};
    work->file = work->digest = NULL;
}

/* The duration of a wait-until's KEY: as written, else as the schema says. 0: there is none. */
static int64_t duration_of(struct work *work, const char *key)
{
    const char *text = node_text(work->step->params, key);
    struct value value = {0};

    // What cannot be expanded was refused by check; a saved value that is no duration counts as 0.
    if (text != NULL && expand_text(work->arena, work->scope, work->target->name, work->step->place,
                                    text, &text) == NULL)
        (void)value_read(work->arena, VALUE_DURATION, text, &value);
    return value.number;
}

/* Waits between two looks; false: the run is stopping. */
static bool rest(const struct work *work, int64_t every_ms, int64_t began_ms)
{
    struct pollfd stop = {.fd = work->stop_fd, .events = POLLIN};

    if (every_ms == 0)
        every_ms = clock_ms() - began_ms > LATER_MS ? LOOK_EVERY_LATER_MS : LOOK_EVERY_MS;
    // A signal that ends the wait early is none to stop.
    return poll(&stop, 1, (int)every_ms) <= 0;
}

/* A host that does not answer is what a wait is for, unless a person wants to be asked. */
static bool is_not_yet(const struct work *work, const struct error *error)
{
    return !step_has_effect(work->step) && error->kind == ERROR_UNREACHABLE &&
           !work->step->ask_if_unreachable;
}

/* One look of a loop; what it finds lives in ARENA, which is emptied first. */
static enum look look_again(struct work *work, struct arena *arena, struct error **error)
{
    const char *before = work->words;

    arena_release(arena);
    work->arena = arena;
    results_clear(work);
    *error = NULL;

    enum look look = work->step->action->look(work, error);

    // What the deadline cut off in the middle says nothing: the look before it does.
    if (look == LOOK_FAILED && clock_ms() >= work->deadline_ms && work->is_repeat &&
        ((*error)->kind == ERROR_TIMEOUT || (*error)->kind == ERROR_FAILED)) {
        look = LOOK_WOULD_CHANGE;
        work->words = before;
        *error = NULL;
    } else if (look == LOOK_FAILED && is_not_yet(work, *error)) {
        look = LOOK_WOULD_CHANGE;
        work->words = error_text(arena, *error);
        *error = NULL;
    }
    work->is_repeat = true;
    return look;
}

/* See look_until. A look's findings are kept until the second look after it. */
static enum look look_in_turns(struct work *work, struct worker *worker, struct arena turns[2],
                               struct error **error)
{
    const int64_t began_ms = clock_ms(), stable_ms = duration_of(work, "stable-for");
    const int64_t every_ms = duration_of(work, "every");
    int64_t true_since_ms = -1;

    for (unsigned turn = 0;; turn++) {
        enum look look = look_again(work, &turns[turn % 2], error);
        int64_t now_ms = clock_ms();

        if (look == LOOK_FAILED)
            return look;
        if (work->words != NULL)
            worker_watch(worker, work->words);
        if (look != LOOK_ALREADY)
            true_since_ms = -1;
        else if (true_since_ms < 0)
            true_since_ms = now_ms;
        if (look == LOOK_ALREADY && now_ms - true_since_ms >= stable_ms)
            return look;
        if (now_ms >= work->deadline_ms) {
            *error = error_new(work->arena, ERROR_TIMEOUT, "not so after %.0f s%s%s",
                               (double)(now_ms - began_ms) / 1000, work->words == NULL ? "" : ": ",
                               work->words == NULL ? "" : work->words);
            return LOOK_WOULD_CHANGE;
        }
        // Waiting has no effect, so the first interrupt ends it; so it does after an effect, which
        // is looked at again by resume.
        if (!rest(work, every_ms, began_ms) || run_interrupted(worker->run) != 0) {
            *error = error_new(work->arena, ERROR_STOPPED, "stopped while waiting");
            return LOOK_WOULD_CHANGE;
        }
    }
}

/*
 * Looks until the effect is there (and has been without a break for stable-for). LOOK_WOULD_CHANGE
 * after a timeout or an interrupt: *error says which. Hours of looking need no more memory than two
 * looks do.
 */
static enum look look_until(struct work *work, struct worker *worker, struct error **error)
{
    struct arena *own = work->arena, turns[2] = {0};
    enum look look = look_in_turns(work, worker, turns, error);

    work->arena = own;
    arena_adopt(own, &turns[0]);
    arena_adopt(own, &turns[1]);
    return look;
}

static enum step_state failed_look(const struct error *error)
{
    return error->kind == ERROR_UNREACHABLE ? STEP_UNREACHABLE : STEP_NOTHING;
}

static enum step_state apply_on_host(struct work *work, struct worker *worker, struct error **error)
{
    results_clear(work);

    enum apply apply = work->step->action->apply(work, error);

    switch (apply) {
    case APPLY_DONE:
        return STEP_DONE;
    case APPLY_NOTHING:
        return failed_look(*error);
    case APPLY_RUNNING:
        return STEP_RUNNING;
    case APPLY_MAYBE:
        // Who lost the connection, or was stopped, does not know the end: resume finds out.
        return (*error)->kind == ERROR_FAILED ? STEP_FAILED
               : (*error)->kind == ERROR_IN_DOUBT && !work->step->repeat_if_interrupted
                   ? STEP_IN_DOUBT
                   : STEP_RUNNING;
    case APPLY_LOOK:
        break;
    }

    struct saved *saved = work->saved;
    enum look look = look_until(work, worker, error);

    if (work->saved == NULL)
        work->saved = saved;
    if (look == LOOK_ALREADY)
        return STEP_DONE;
    return (*error)->kind == ERROR_TIMEOUT || (*error)->kind == ERROR_FAILED ? STEP_FAILED
                                                                             : STEP_RUNNING;
}

/*
 * A session that has been idle while another host worked for hours may be gone, which shows only
 * now. Looking is harmless, so it is tried once more, on a new one.
 */
static enum look first_look(struct work *work, struct error **error)
{
    enum look look = work->step->action->look(work, error);

    if (look != LOOK_FAILED || (*error)->kind != ERROR_UNREACHABLE)
        return look;
    results_clear(work);
    *error = NULL;
    return work->step->action->look(work, error);
}

/* What decides a variable in place of "auto" must be one of its other choices. */
static struct error *check_decisions(const struct work *work)
{
    for (const struct saved *saved = work->saved; saved != NULL; saved = saved->next) {
        const struct variable *variable = plan_find_variable(work->plan, saved->name);

        if (variable != NULL &&
            (equal(saved->text, "auto") || !node_has(variable->choices, saved->text)))
            return error_new(work->arena, ERROR_FAILED, "variable \"%s\" cannot be \"%s\"",
                             variable->name, saved->text);
    }
    return NULL;
}

static enum step_state wait_on_host(struct work *work, struct worker *worker, struct error **error)
{
    const bool once = work->step->phase == PHASE_PREFLIGHT && !work->step->timeout_is_written;
    enum look look;

    if (once) {
        look = first_look(work, error);
        if (look == LOOK_WOULD_CHANGE || look == LOOK_UNKNOWN)
            *error =
                error_new(work->arena, ERROR_FAILED, "not so%s%s", work->words == NULL ? "" : ": ",
                          work->words == NULL ? "" : work->words);
    } else {
        look = look_until(work, worker, error);
    }
    if (look == LOOK_ALREADY)
        *error = check_decisions(work);
    if (look == LOOK_ALREADY && *error == NULL)
        return STEP_DONE;
    return look == LOOK_FAILED ? failed_look(*error) : STEP_NOTHING;
}

static enum step_state run_on_host(struct work *work, struct worker *worker, struct error **error)
{
    if (!step_has_effect(work->step))
        return wait_on_host(work, worker, error);

    enum look look = first_look(work, error);

    if (look == LOOK_ALREADY)
        return STEP_ALREADY;
    if (look == LOOK_FAILED)
        return failed_look(*error);
    if (look == LOOK_UNKNOWN) {
        *error = error_new(work->arena, ERROR_FAILED, "could not look%s%s",
                           work->words == NULL ? "" : ": ", work->words == NULL ? "" : work->words);
        return STEP_NOTHING;
    }
    return apply_on_host(work, worker, error);
}

/* Actions that can look by themselves are settled by looking. */
static enum settle settle_by_look(struct work *work, struct error **error)
{
    if (!step_has_effect(work->step))
        return SETTLE_NOT_DONE;

    enum look look = work->step->action->look(work, error);

    if (look == LOOK_ALREADY)
        return SETTLE_DONE;
    if (look == LOOK_WOULD_CHANGE)
        return SETTLE_NOT_DONE;
    if (look == LOOK_FAILED && (*error)->kind == ERROR_UNREACHABLE)
        return SETTLE_UNREACHABLE;
    // A server that is down cannot be asked, but doing it again is what the step is made for.
    return SETTLE_NOT_DONE;
}

void task_worker(struct worker *worker)
{
    struct task *task = worker->context;
    const struct action *action = task->step->action;
    struct work work;
    struct error *error = NULL;

    if (task->kind != TASK_LOOK && task->kind != TASK_CLEAN)
        error = worker_claim(worker);
    work_init(&work, worker, task);
    if (error == NULL && work.as != NULL)
        error = expand_text(work.arena, work.scope, worker->target->name, task->step->place,
                            work.as, &work.as);
    if (error != NULL) {
        task->state = task->kind == TASK_ATTACH ? STEP_RUNNING : failed_look(error);
        task->look = LOOK_FAILED;
        task->settle = error->kind == ERROR_INPUT || error->kind == ERROR_FAILED
                           ? SETTLE_IN_DOUBT
                           : SETTLE_UNREACHABLE;
    } else if (task->kind == TASK_LOOK) {
        if (work.deadline_ms > clock_ms() + GUARD_TIMEOUT_MS)
            work.deadline_ms = clock_ms() + GUARD_TIMEOUT_MS;
        task->look = action->look(&work, &error);
    } else if (task->kind == TASK_SETTLE) {
        task->settle =
            action->settle == NULL ? settle_by_look(&work, &error) : action->settle(&work, &error);
    } else if (task->kind == TASK_CLEAN) {
        error = action->clean(&work);
    } else if (task->kind == TASK_ATTACH) {
        task->state = apply_on_host(&work, worker, &error);
    } else {
        task->state = run_on_host(&work, worker, &error);
    }
    worker->error = error;
    task->words = work.words;
    task->file = work.file;
    task->digest = work.digest;
    task->value = work.value;
    task->bound = work.bound;
    task->saved = work.saved;
    task->shown = work.shown;
    if (work.change.length > 0)
        task->change = text_copy(&work.change, work.arena);
    text_release(&work.change);
}
