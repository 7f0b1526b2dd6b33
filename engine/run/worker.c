#include "run/engine.h"
#include "run/guard.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    STACK_BYTES = 512 * 1024,
};

/* One crew at a time: a run's steps are strictly ordered. */
static pthread_mutex_t crew_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t crew_changed = PTHREAD_COND_INITIALIZER;

size_t run_host_index(const struct run *run, const struct host_settings *host)
{
    return (size_t)(host - run->cluster->hosts);
}

struct worker *workers_new(struct run *run, const struct host_settings *const *hosts, size_t count,
                           void (*function)(struct worker *))
{
    struct worker *workers = arena_alloc(run->arena, sizeof *workers * (count + 1));

    for (size_t at = 0; at < count; at++) {
        workers[at].run = run;
        workers[at].target = hosts[at];
        workers[at].host = run->hosts[run_host_index(run, hosts[at])];
        workers[at].function = function;
        workers[at].lock = &crew_lock;
    }
    return workers;
}

void workers_release(struct worker *workers, size_t count)
{
    for (size_t at = 0; at < count; at++)
        arena_release(&workers[at].arena);
}

void worker_watch(struct worker *worker, const char *words)
{
    (void)pthread_mutex_lock(worker->lock);
    (void)snprintf(worker->words, sizeof worker->words, "%s", words);
    (void)pthread_mutex_unlock(worker->lock);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;

    worker->began_ms = clock_ms();
    worker->function(worker);
    worker->ended_ms = clock_ms();
    (void)pthread_mutex_lock(&crew_lock);
    worker->is_finished = true;
    (void)pthread_cond_signal(&crew_changed);
    (void)pthread_mutex_unlock(&crew_lock);
    return NULL;
}

static bool all_finished(const struct worker *workers, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        if (!workers[at].is_finished)
            return false;
    }
    return true;
}

struct timespec time_after(int64_t wait_ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (wait_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    return until;
}

/* Waits for a worker's end or a tick; true when all have ended. */
static bool crew_wait(const struct worker *workers, size_t count)
{
    struct timespec until = time_after(TICK_MS);

    (void)pthread_mutex_lock(&crew_lock);
    if (!all_finished(workers, count))
        (void)pthread_cond_clockwait(&crew_changed, &crew_lock, CLOCK_MONOTONIC, &until);

    bool finished = all_finished(workers, count);

    (void)pthread_mutex_unlock(&crew_lock);
    return finished;
}

/* A second interrupt and a failed guard stop whatever runs. */
static void forward_stop(struct run *run)
{
    struct pollfd stop = {.fd = run->options->stop_fd, .events = POLLIN};
    bool is_asked = run->options->stop_fd >= 0 && poll(&stop, 1, 0) == 1;

    if (is_asked || (run->guards != NULL && guards_failed(run->guards) != NULL))
        (void)eventfd_write(run->stop_fd, 1);
}

/* What the display may draw now. Words are copied under the lock, since threads go on writing them.
 */
static void tick(struct run *run)
{
    const struct run_observer *observer = run->options->observer;

    if (observer == NULL || observer->tick == NULL || run->step == NULL)
        return;

    CLEANUP(arena_release) struct arena scratch = {0};
    struct run_view_host *hosts = arena_alloc(&scratch, sizeof *hosts * (run->worker_count + 1));
    struct run_view view = {
        .run = run->id,
        .plan = run->plan->name,
        .phase = run->step->phase,
        .step = run->step,
        .elapsed_ms = clock_ms() - run->step_began_ms,
        .hosts = hosts,
        .host_count = run->worker_count,
        .roles = run->ledger.roles,
    };

    for (const struct step *step = NULL;
         (step = plan_next_step(run->plan, view.phase, step)) != NULL;) {
        if (step->steps != NULL)
            continue;
        view.count++;
        if (step == run->step)
            view.index = view.count;
    }
    (void)pthread_mutex_lock(&crew_lock);
    for (size_t at = 0; at < run->worker_count; at++) {
        hosts[at].host = run->workers[at].target->name;
        hosts[at].words = arena_strdup(&scratch, run->workers[at].words);
        hosts[at].is_finished = run->workers[at].is_finished;
    }
    (void)pthread_mutex_unlock(&crew_lock);
    if (run->guards != NULL)
        guards_view(run->guards, &scratch, &view);
    observer->tick(observer->context, &view);
}

void workers_run(struct run *run, struct worker *workers, size_t count)
{
    pthread_attr_t attributes;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    run->workers = workers;
    run->worker_count = count;
    for (size_t at = 0; at < count; at++) {
        workers[at].is_finished = false;
        // Without a thread the work is done here: slower, and as right.
        if (pthread_create(&workers[at].thread, &attributes, worker_main, &workers[at]) != 0) {
            workers[at].thread = pthread_self();
            (void)worker_main(&workers[at]);
        }
    }
    (void)pthread_attr_destroy(&attributes);
    while (!crew_wait(workers, count)) {
        forward_stop(run);
        tick(run);
    }
    for (size_t at = 0; at < count; at++) {
        if (!pthread_equal(workers[at].thread, pthread_self()))
            (void)pthread_join(workers[at].thread, NULL);
    }
    run->worker_count = 0;
}
