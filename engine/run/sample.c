/* The guards of a run that somebody asks about: looked at now, by nobody's deployment. */
#include "run/guard.h"

#include <math.h>
#include <poll.h>

enum { BETWEEN_MS = 500 };

/* A guard on one of its hosts. */
struct sample {
    const struct guard *guard;
    const struct host_settings *target;
    struct trend *trend;
    struct sight sight;
    bool is_true, is_known;
};

struct sampling {
    struct sample *samples;
    size_t count;
    int looks;
};

/* In a host's thread. */
static void sample_worker(struct worker *worker)
{
    const struct sampling *sampling = worker->context;
    struct run *run = worker->run;
    struct pollfd stop = {.fd = run->stop_fd, .events = POLLIN};

    for (int look = 0; look < sampling->looks; look++) {
        if (poll(&stop, 1, look == 0 ? 0 : BETWEEN_MS) > 0)
            return;
        for (size_t at = 0; at < sampling->count; at++) {
            struct sample *sample = &sampling->samples[at];

            if (sample->target != worker->target)
                continue;

            struct sight sight;
            bool is_true = guard_holds(run, sample->guard, worker->target, worker->host, &sight);

            // What was stopped in the middle has found nothing.
            if (poll(&stop, 1, 0) > 0)
                return;
            sample->sight = sight;
            sample->is_true = is_true;
            sample->is_known = true;
            trend_add(sample->trend, clock_ms(), &sample->sight.bound);
        }
    }
}

static struct sampling samples_of(struct run *run, enum phase phase, struct trends *trends)
{
    struct sampling sampling = {0};
    size_t most = 0;

    for (const struct guard *guard = run->plan->guards; guard != NULL; guard = guard->next)
        most += run->cluster->host_count;
    sampling.samples = arena_alloc(run->arena, sizeof *sampling.samples * (most + 1));
    for (const struct guard *guard = run->plan->guards; guard != NULL; guard = guard->next) {
        size_t count;
        const struct host_settings *const *hosts = step_hosts(run, &guard->step, &count);

        for (size_t at = 0; guard_is_in_force(run, guard, phase, NULL) && at < count; at++)
            sampling.samples[sampling.count++] = (struct sample){
                .guard = guard,
                .target = hosts[at],
                .trend = trends_find(trends, guard->step.id, hosts[at]->name),
            };
    }
    return sampling;
}

void guards_sample(struct run *run, enum phase phase, int looks, struct trends *trends,
                   struct run_view *view)
{
    size_t count;
    const struct host_settings **hosts = hosts_alive(run, &count);
    struct sampling sampling = samples_of(run, phase, trends);
    struct worker *workers = workers_new(run, hosts, count, sample_worker);
    struct run_view_guard *shown = arena_alloc(run->arena, sizeof *shown * (sampling.count + 1));

    sampling.looks = looks;
    for (size_t at = 0; at < count; at++)
        workers[at].context = &sampling;
    workers_run(run, workers, count);
    workers_release(workers, count);
    for (size_t at = 0; at < sampling.count; at++) {
        const struct sample *sample = &sampling.samples[at];

        shown[at] = (struct run_view_guard){
            sample->guard,   sample->target->name, arena_strdup(run->arena, sample->sight.words),
            sample->is_true, sample->is_known,     trend_seconds(sample->trend, clock_ms())};
    }
    view->guards = shown;
    view->guard_count = sampling.count;
}

const struct run_view_guard *view_budget(const struct run_view *view)
{
    const struct run_view_guard *first = NULL;

    for (size_t at = 0; at < view->guard_count; at++) {
        const struct run_view_guard *guard = &view->guards[at];

        if (isfinite(guard->seconds) && (first == NULL || guard->seconds < first->seconds))
            first = guard;
    }
    return first;
}
