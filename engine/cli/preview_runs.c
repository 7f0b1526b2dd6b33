/* What this cluster's earlier runs tell a preview: how long each step took. */
#include "cli/preview.h"
#include "run/ledger.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum {
    RUNS_MOST = 5,        /* the newest tell enough, and a preview must stay quick */
    FOLDERS_MOST = 10000, /* looked through for the newest */
};

/* The times of one step, newest run first. */
struct times {
    const char *step;
    struct step_time shown;
    int64_t ms[RUNS_MOST];
    int64_t batch_ms, run_ms; /* of the run that is being read; -1: it did not do the step */
    struct times *next;
};

struct reading {
    struct preview *preview;
    struct times *first;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)b, *(const char *const *)a);
}

/* The names in FOLDER that can be a run's, the newest first: an id begins with the time. */
static const char **run_names(struct arena *arena, const char *folder, size_t *count)
{
    const char **names = arena_alloc(arena, FOLDERS_MOST * sizeof *names);
    DIR *directory = opendir(folder);
    const struct dirent *entry;

    *count = 0;
    if (directory == NULL)
        return names;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread reads this folder.
    while (*count < FOLDERS_MOST && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
            names[(*count)++] = arena_strdup(arena, entry->d_name);
    }
    (void)closedir(directory);
    qsort(names, *count, sizeof *names, compare_names);
    return names;
}

static struct times *times_of(struct reading *reading, const char *step)
{
    void **place = table_place(&reading->preview->times, step);
    struct times *times = *place;

    if (times != NULL)
        return times;
    times = arena_alloc(reading->preview->arena, sizeof *times);
    times->step = step;
    times->run_ms = -1;
    times->next = reading->first;
    reading->first = times;
    *place = times;
    return times;
}

/*
 * A step takes as long as the slowest of the hosts that it runs on at once, and all its batches,
 * where it is serial. What was so already, was skipped or failed says nothing.
 */
static void read_record(struct reading *reading, const struct record *record)
{
    const char *step = node_text(record->node, "step");
    bool is_intent = equal(record->type, "intent");

    if (step == NULL || (!is_intent && !equal(record->type, "outcome")))
        return;
    if (!is_intent && !equal(node_text(record->node, "result"), "done"))
        return;

    struct times *times = times_of(reading, step);
    int64_t ms = is_intent ? 0 : node_integer(record->node, "ms", 0);

    if (is_intent) {
        times->batch_ms = 0;
        return;
    }
    if (times->run_ms < 0)
        times->run_ms = 0;
    if (ms > times->batch_ms) {
        times->run_ms += ms - times->batch_ms;
        times->batch_ms = ms;
    }
}

static void end_run(struct reading *reading, const char *run)
{
    for (struct times *times = reading->first; times != NULL; times = times->next) {
        if (times->run_ms >= 0) {
            if (times->shown.count == 0)
                times->shown.run = run;
            times->ms[times->shown.count++] = times->run_ms;
        }
        times->run_ms = -1;
    }
}

static int compare_ms(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* A step without a time must not be found, so the table is made anew. */
static void sum_up(struct reading *reading)
{
    struct preview *preview = reading->preview;

    table_init(&preview->times, preview->arena);
    for (struct times *times = reading->first; times != NULL; times = times->next) {
        struct step_time *shown = &times->shown;

        if (shown->count == 0)
            continue;
        shown->last_ms = times->ms[0];
        qsort(times->ms, shown->count, sizeof *times->ms, compare_ms);
        shown->median_ms = times->ms[(shown->count - 1) / 2];
        *table_place(&preview->times, times->step) = shown;
    }
}

/* Of the plan's name is enough: who changed a step since sees what the old one took. */
static bool is_of_plan(const struct preview *preview, const struct record *first)
{
    return first != NULL && equal(first->type, "run") &&
           equal(node_text(first->node, "plan"), preview->plan->name);
}

static struct ledger *open_run(struct arena *arena, const struct record *record)
{
    struct ledger *ledger = arena_alloc(arena, sizeof *ledger);

    ledger_init(ledger, arena);
    while (record != NULL) {
        const struct record *next = record->next;

        ledger_apply(ledger, record);
        record = next;
    }
    return run_state_is_open(ledger->summary.state) ? ledger : NULL;
}

void preview_read_runs(struct preview *preview, const char *journal)
{
    struct arena *arena = preview->arena;
    struct reading reading = {.preview = preview};
    const char *folder = arena_printf(arena, "%s/%s", journal, preview->cluster->name);
    size_t count, read = 0;
    const char **names = run_names(arena, folder, &count);

    table_init(&preview->times, arena);
    for (size_t at = 0; at < count && read < RUNS_MOST; at++) {
        const struct record *record = NULL;
        const char *path = arena_printf(arena, "%s/%s/journal.jsonl", folder, names[at]);

        if (journal_read(arena, path, &record) != NULL || !is_of_plan(preview, record))
            continue;
        if (preview->run == NULL)
            preview->run = open_run(arena, record);
        for (; record != NULL; record = record->next)
            read_record(&reading, record);
        end_run(&reading, names[at]);
        read++;
    }
    sum_up(&reading);
}
