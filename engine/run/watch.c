/* Guards while a phase runs: a thread per guarded host, and what they found. */
#include "run/guard.h"
#include "run/work.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_LOOK_MS = 15000, /* for a guard's first look: its connection has to be made */
    VERDICT_MS = 900,      /* for the guards that tell whether the mark can still be reached */
};

/* A guard on one of its hosts. */
struct slot {
    const struct guard *guard;
    const struct host_settings *target;
    bool is_in_force, is_known, is_true;
    int64_t due_ms, looked_ms;
    char words[160];
    struct trend trend;
    int64_t looks, untrue;  /* while it was in force */
    double lowest, highest; /* of the looks with a number; NAN: there was none */
};

struct watcher {
    struct guards *guards;
    const struct host_settings *target;
    struct host *host;
    pthread_t thread;
    bool is_running;
};

struct guards {
    struct run *run;
    struct slot *slots;
    size_t slot_count;
    struct watcher *watchers;
    size_t watcher_count;
    int stop_fd;
    bool is_stopping;
    struct arena arena; /* of the failure */
    struct error *failure;
    struct error *loss; /* of a guard with `until`: what it guards is lost for rollback too */
    int64_t failed_ms;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

/*
 * The first failure stops what runs, and while that ends, those are asked that tell whether the
 * mark can still be reached. Called locked.
 */
static void slot_fails(struct guards *guards, const struct slot *slot)
{
    struct error *error = NULL;

    if (guards->failure == NULL || (guards->loss == NULL && slot->guard->until != NULL))
        error = guard_error(&guards->arena, slot->guard, slot->target, slot->words);
    if (guards->failure == NULL) {
        guards->failure = error;
        guards->failed_ms = clock_ms();
        for (size_t at = 0; at < guards->slot_count; at++)
            guards->slots[at].due_ms = 0;
        (void)eventfd_write(guards->run->stop_fd, 1);
    }
    if (guards->loss == NULL && slot->guard->until != NULL)
        guards->loss = error;
}

static void slot_count(struct slot *slot, bool is_true, double value)
{
    slot->looks++;
    slot->untrue += !is_true && !slot->guard->show_only;
    if (!isnan(value) && !(slot->lowest <= value))
        slot->lowest = value;
    if (!isnan(value) && !(slot->highest >= value))
        slot->highest = value;
}

/*
 * A disk fills while nobody looks: what is counted in bytes has failed already when it would pass
 * its limit before it has been looked at twice more.
 */
static bool is_too_late(const struct slot *slot, char words[160])
{
    double seconds = trend_soonest(&slot->trend, slot->looked_ms);
    size_t length = strlen(words);

    if (!equal(slot->guard->unit, "bytes") || isnan(seconds) ||
        seconds > 2 * (double)slot->guard->every_ms / 1000)
        return false;
    (void)snprintf(words + length, 160 - length, ", at this pace at its limit in %.1f s", seconds);
    return true;
}

/* The nearer the limit, the sooner; and soon after the first look, which tells no pace. */
static int64_t next_look_ms(const struct slot *slot)
{
    enum { SECOND_LOOK_MS = 250, SOONEST_MS = 100, LOOKS_LEFT = 8 };
    double seconds = trend_soonest(&slot->trend, slot->looked_ms);
    int64_t wait_ms = slot->guard->every_ms;

    if (slot->trend.count == 1 && wait_ms > SECOND_LOOK_MS)
        wait_ms = SECOND_LOOK_MS;
    if (seconds > 0 && seconds * 1000 / LOOKS_LEFT < (double)wait_ms)
        wait_ms = (int64_t)(seconds * 1000 / LOOKS_LEFT);
    return wait_ms < SOONEST_MS && slot->guard->every_ms > SOONEST_MS ? SOONEST_MS : wait_ms;
}

static void slot_tell(struct guards *guards, struct slot *slot, bool is_true, struct sight *sight)
{
    (void)pthread_mutex_lock(&guards->lock);
    // A guard that is no longer in force may not stop anything: its step has been reached.
    if (slot->is_in_force && !guards->is_stopping) {
        slot->looked_ms = clock_ms();
        trend_add(&slot->trend, slot->looked_ms, &sight->bound);
        is_true = is_true && !is_too_late(slot, sight->words);
        slot->is_known = true;
        slot->is_true = is_true;
        slot_count(slot, is_true, sight->value);
        (void)memcpy(slot->words, sight->words, sizeof slot->words);
        if (!is_true && !slot->guard->show_only)
            slot_fails(guards, slot);
    }
    slot->due_ms = clock_ms() + next_look_ms(slot);
    (void)pthread_cond_broadcast(&guards->changed);
    (void)pthread_mutex_unlock(&guards->lock);
}

/* The slot of this host that is due, or NULL; *wait_ms until the next one is. Called locked. */
static struct slot *slot_due(const struct watcher *watcher, int64_t *wait_ms)
{
    int64_t now_ms = clock_ms();

    *wait_ms = 1000;
    for (size_t at = 0; at < watcher->guards->slot_count; at++) {
        struct slot *slot = &watcher->guards->slots[at];

        if (slot->target != watcher->target || !slot->is_in_force)
            continue;
        if (slot->due_ms <= now_ms)
            return slot;
        if (slot->due_ms - now_ms < *wait_ms)
            *wait_ms = slot->due_ms - now_ms;
    }
    return NULL;
}

static void wait_locked(struct guards *guards, int64_t wait_ms)
{
    struct timespec until = time_after(wait_ms);

    (void)pthread_cond_clockwait(&guards->changed, &guards->lock, CLOCK_MONOTONIC, &until);
}

static void *watcher_main(void *argument)
{
    struct watcher *watcher = argument;
    struct guards *guards = watcher->guards;

    (void)pthread_mutex_lock(&guards->lock);
    while (!guards->is_stopping) {
        int64_t wait_ms;
        struct slot *slot = slot_due(watcher, &wait_ms);
        struct sight sight;

        if (slot == NULL) {
            wait_locked(guards, wait_ms);
            continue;
        }
        (void)pthread_mutex_unlock(&guards->lock);

        bool is_true = guard_holds(guards->run, slot->guard, slot->target, watcher->host, &sight);

        slot_tell(guards, slot, is_true, &sight);
        (void)pthread_mutex_lock(&guards->lock);
    }
    (void)pthread_mutex_unlock(&guards->lock);
    return NULL;
}

static struct watcher *watcher_for(struct guards *guards, const struct host_settings *target)
{
    for (size_t at = 0; at < guards->watcher_count; at++) {
        if (guards->watchers[at].target == target)
            return &guards->watchers[at];
    }

    struct watcher *watcher = &guards->watchers[guards->watcher_count++];

    *watcher = (struct watcher){
        .guards = guards, .target = target, .host = host_new(target, guards->stop_fd)};
    host_leave_when_stopped(watcher->host);
    return watcher;
}

struct guards *guards_start(struct run *run)
{
    struct guards *guards = arena_alloc(run->arena, sizeof *guards);
    size_t most = 0;

    guards->run = run;
    guards->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&guards->lock, NULL);
    (void)pthread_cond_init(&guards->changed, NULL);
    for (const struct guard *guard = run->plan->guards; guard != NULL; guard = guard->next)
        most += run->cluster->host_count;
    guards->slots = arena_alloc(run->arena, sizeof *guards->slots * (most + 1));
    guards->watchers =
        arena_alloc(run->arena, sizeof *guards->watchers * (run->cluster->host_count + 1));
    for (const struct guard *guard = run->plan->guards; guard != NULL; guard = guard->next) {
        size_t count;
        const struct host_settings *const *hosts = step_hosts(run, &guard->step, &count);

        for (size_t at = 0; at < count; at++) {
            guards->slots[guards->slot_count++] =
                (struct slot){.guard = guard, .target = hosts[at], .lowest = NAN, .highest = NAN};
            (void)watcher_for(guards, hosts[at]);
        }
    }
    return guards;
}

/* Threads begin with the first guard that comes into force: scope and ledger are ready by then. */
static void watchers_begin(struct guards *guards)
{
    for (size_t at = 0; at < guards->watcher_count; at++) {
        struct watcher *watcher = &guards->watchers[at];

        if (!watcher->is_running)
            watcher->is_running =
                pthread_create(&watcher->thread, NULL, watcher_main, watcher) == 0;
    }
}

/* What is only shown is not waited for. */
static bool all_known(const struct guards *guards)
{
    for (size_t at = 0; at < guards->slot_count; at++) {
        const struct slot *slot = &guards->slots[at];

        if (slot->is_in_force && !slot->is_known && !slot->guard->show_only)
            return false;
    }
    return true;
}

struct error *guards_update(struct run *run, enum phase phase, const struct step *next)
{
    struct guards *guards = run->guards;
    bool any = false;

    if (guards == NULL || guards->slot_count == 0)
        return NULL;
    (void)pthread_mutex_lock(&guards->lock);
    for (size_t at = 0; at < guards->slot_count; at++) {
        struct slot *slot = &guards->slots[at];
        bool is_in_force = guard_is_in_force(run, slot->guard, phase, next);

        if (is_in_force && !slot->is_in_force) {
            slot->is_known = false;
            slot->due_ms = 0;
            slot->trend.count = 0;
        }
        slot->is_in_force = is_in_force;
        any |= is_in_force;
    }
    if (any)
        watchers_begin(guards);
    (void)pthread_cond_broadcast(&guards->changed);

    int64_t deadline_ms = clock_ms() + FIRST_LOOK_MS;

    while (!all_known(guards) && guards->failure == NULL && clock_ms() < deadline_ms &&
           run_interrupted(run) == 0)
        wait_locked(guards, 100);

    struct error *error = guards->failure == NULL ? NULL : error_copy(run->arena, guards->failure);

    if (error == NULL && !all_known(guards) && run_interrupted(run) == 0)
        error = error_new(run->arena, ERROR_GUARD, "the guards could not be looked at in %d s",
                          FIRST_LOOK_MS / 1000);
    (void)pthread_mutex_unlock(&guards->lock);
    return error;
}

/* Some guard with `until` has not been looked at since the failure. Called locked. */
static bool is_undecided(const struct guards *guards)
{
    for (size_t at = 0; at < guards->slot_count; at++) {
        const struct slot *slot = &guards->slots[at];

        if (slot->is_in_force && slot->guard->until != NULL && slot->looked_ms < guards->failed_ms)
            return true;
    }
    return false;
}

const struct error *guards_verdict(struct guards *guards)
{
    (void)pthread_mutex_lock(&guards->lock);
    while (guards->failure != NULL && guards->loss == NULL && is_undecided(guards) &&
           clock_ms() < guards->failed_ms + VERDICT_MS)
        wait_locked(guards, 50);

    const struct error *verdict = guards->loss == NULL ? guards->failure : guards->loss;

    (void)pthread_mutex_unlock(&guards->lock);
    return verdict;
}

const struct error *guards_failed(struct guards *guards)
{
    (void)pthread_mutex_lock(&guards->lock);

    const struct error *failure = guards->failure;

    (void)pthread_mutex_unlock(&guards->lock);
    return failure;
}

void guards_view(struct guards *guards, struct arena *arena, struct run_view *view)
{
    struct run_view_guard *shown = arena_alloc(arena, sizeof *shown * (guards->slot_count + 1));

    (void)pthread_mutex_lock(&guards->lock);
    for (size_t at = 0; at < guards->slot_count; at++) {
        const struct slot *slot = &guards->slots[at];

        if (slot->is_in_force)
            shown[view->guard_count++] = (struct run_view_guard){
                slot->guard,   slot->target->name, arena_strdup(arena, slot->words),
                slot->is_true, slot->is_known,     trend_seconds(&slot->trend, clock_ms())};
    }
    (void)pthread_mutex_unlock(&guards->lock);
    view->guards = shown;
}

static const char *number_json(struct arena *arena, double number)
{
    return isfinite(number) ? arena_printf(arena, "\"%.15g\"", number) : "null";
}

void guards_record(struct guards *guards, enum phase phase)
{
    CLEANUP(text_release) struct text list = {0};
    struct run *run = guards->run;
    struct arena *arena = run->arena;

    (void)pthread_mutex_lock(&guards->lock);
    for (size_t at = 0; at < guards->slot_count; at++) {
        const struct slot *slot = &guards->slots[at];

        if (slot->looks == 0)
            continue;
        text_append_format(&list,
                           "%s{\"guard\":%s,\"host\":%s,\"unit\":%s,\"looks\":%" PRId64
                           ",\"untrue\":%" PRId64 ",\"lowest\":%s,\"highest\":%s,\"last\":%s}",
                           list.length == 0 ? "" : ",", json_text(arena, slot->guard->step.id),
                           json_text(arena, slot->target->name),
                           json_text(arena, slot->guard->unit), slot->looks, slot->untrue,
                           number_json(arena, slot->lowest), number_json(arena, slot->highest),
                           json_text(arena, slot->words));
    }
    (void)pthread_mutex_unlock(&guards->lock);
    if (list.length > 0)
        run_record(run, "guards", "\"phase\":%s,\"extremes\":[%s]",
                   json_text(arena, phase_names[phase]), text_string(&list));
}

void guards_stop(struct guards *guards)
{
    if (guards == NULL)
        return;
    (void)pthread_mutex_lock(&guards->lock);
    guards->is_stopping = true;
    (void)eventfd_write(guards->stop_fd, 1);
    (void)pthread_cond_broadcast(&guards->changed);
    (void)pthread_mutex_unlock(&guards->lock);
    for (size_t at = 0; at < guards->watcher_count; at++) {
        if (guards->watchers[at].is_running)
            (void)pthread_join(guards->watchers[at].thread, NULL);
        host_free(guards->watchers[at].host);
    }
    (void)close(guards->stop_fd);
    arena_release(&guards->arena);
}
