/* Finding a run that exists, and taking it up again. */
#include "run/command.h"
#include "run/folder.h"

#include <string.h>

static struct error *cluster_of(struct run *run, const char **name)
{
    const struct run_options *options = run->options;

    *name = NULL;
    if (options->cluster_file == NULL) {
        run->place = run_place_resolve(run->arena, &options->place, NULL);
        return NULL;
    }

    const struct cluster *cluster =
        cluster_read(run->arena, inputs_live(run->arena), options->cluster_file, run->findings);

    if (cluster == NULL)
        return error_new(run->arena, ERROR_INPUT, "the cluster file \"%s\" has errors",
                         options->cluster_file);
    *name = cluster->name;
    run->place = run_place_resolve(run->arena, &options->place, cluster->journal);
    return NULL;
}

static struct error *list_open(struct run *run, const struct run_summary *runs, size_t count)
{
    CLEANUP(text_release) struct text names = {0};

    for (size_t at = 0; at < count; at++) {
        if (run_state_is_open(runs[at].state))
            text_append_format(&names, "%s%s (%s, %s)", names.length == 0 ? "" : ", ", runs[at].id,
                               runs[at].cluster, run_state_names[runs[at].state]);
    }
    return error_hint(
        run->arena,
        error_new(run->arena, ERROR_INPUT, "more than one run is open: %s", text_string(&names)),
        "Say which one.");
}

struct error *run_choose(struct run *run)
{
    const struct run_summary *runs = NULL;
    const char *cluster;
    const char *id = run->options->run;
    size_t count = 0;
    struct error *error = cluster_of(run, &cluster);

    // A run that is named is found without reading the others.
    if (error == NULL && id == NULL)
        error = run_list_open(run->arena, &run->place, cluster, &runs, &count);
    if (error != NULL)
        return error;
    if (count > 1)
        return list_open(run, runs, count);
    if (count == 1)
        run->folder = runs[0].folder;
    else
        error = run_find_folder(run->arena, &run->place, cluster, id, &run->folder);
    if (error != NULL)
        return error;
    if (run->folder == NULL)
        return error_hint(
            run->arena,
            id == NULL ? error_new(run->arena, ERROR_INPUT, "there is no run in \"%s\"",
                                   run->place.journal)
                       : error_new(run->arena, ERROR_INPUT, "there is no run \"%s\" in \"%s\"", id,
                                   run->place.journal),
            "The journal was chosen by %s; name another with --journal DIR.", run->place.origin);
    run->id = strrchr(run->folder, '/') + 1;
    return NULL;
}

struct error *run_open_journal(struct run *run)
{
    const struct record *record;
    struct error *error = run_lock(run->arena, run->folder, &run->lock_fd);

    if (error == NULL)
        error = journal_open(run->arena, arena_printf(run->arena, "%s/journal.jsonl", run->folder),
                             &run->journal, &record);
    if (error != NULL)
        return error;
    ledger_read(&run->ledger, record);
    return NULL;
}

static struct error *waive_guards(struct run *run)
{
    for (size_t at = 0; at < run->options->without_guard_count; at++) {
        const char *id = run->options->without_guards[at];
        const struct step *step = plan_find_step(run->plan, id);
        bool is_guard = false;

        for (const struct guard *guard = run->plan->guards; guard != NULL; guard = guard->next)
            is_guard |= step == &guard->step;
        if (!is_guard)
            return error_new(run->arena, ERROR_INPUT, "the plan has no guard \"%s\"", id);
        if (run->options->why == NULL)
            return error_new(run->arena, ERROR_INPUT, "--without-guard needs --why TEXT");
        run_record(run, "waive", "\"guard\":%s,\"why\":%s,\"by\":%s", json_text(run->arena, id),
                   json_text(run->arena, run->options->why), json_text(run->arena, run->as_user));
    }
    return NULL;
}

/* Plan, cluster file and values as they were frozen when the run began. */
struct error *run_load_files(struct run *run)
{
    struct inputs *cluster_inputs = NULL, *plan_inputs;
    struct error *error = inputs_frozen(
        run->arena, arena_printf(run->arena, "%s/plan", run->folder), &cluster_inputs);

    plan_inputs = cluster_inputs;
    if (error == NULL && run->ledger.plan_folder != NULL)
        error = inputs_frozen(
            run->arena, arena_printf(run->arena, "%s/%s", run->folder, run->ledger.plan_folder),
            &plan_inputs);
    if (error == NULL)
        error = prepare_files(run, cluster_inputs, plan_inputs, run->ledger.summary.plan_file,
                              node_text(run->ledger.run, "cluster_file"));
    return error;
}

/* Connects, and makes sure that it is still the same cluster and still ours. */
struct error *run_reconnect(struct run *run, const char *command)
{
    struct error *error = run_load_files(run);

    if (error != NULL)
        return error;
    if (equal(command, "resume") && run->options->plan_file != NULL)
        error = run_replan(run, run->options->plan_file);
    if (error != NULL)
        return error;
    command_record(run, command);
    error = waive_guards(run);
    if (error == NULL)
        error = run_sync(run);
    if (error == NULL)
        error = prepare_hosts(run);
    return error;
}

struct error *run_verify(struct run *run)
{
    struct error *error = prepare_identity(run);

    if (error == NULL)
        error = prepare_claims(run);
    if (error == NULL)
        prepare_scope(run);
    return error;
}
