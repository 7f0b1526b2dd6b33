/* The deploy command: make the run, look before anything is changed, then walk through the phase.
 */
#include "run/command.h"
#include "run/folder.h"
#include "run/guard.h"

#include <sys/eventfd.h>
#include <unistd.h>

static struct error *refuse_second_run(struct run *run, const char *cluster)
{
    const struct run_summary *runs;
    size_t count;
    struct error *error = run_list_open(run->arena, &run->place, cluster, &runs, &count);

    for (size_t at = 0; error == NULL && at < count; at++) {
        if (!run_state_is_open(runs[at].state))
            continue;
        error = error_new(run->arena, ERROR_LOCKED,
                          "run \"%s\" of %s on %s has locked cluster \"%s\" since %s (%s%s%s)",
                          runs[at].id, runs[at].by, runs[at].from, cluster, runs[at].began,
                          run_state_names[runs[at].state],
                          runs[at].current_step == NULL ? "" : ", step ",
                          runs[at].current_step == NULL ? "" : runs[at].current_step);
        return error_hint(run->arena, error, "See it with: holdback status %s", runs[at].id);
    }
    return error;
}

static void run_record_first(struct run *run)
{
    CLEANUP(text_release) struct text settings = {0};
    const struct run_options *options = run->options;

    for (size_t at = 0; at < options->setting_count; at++)
        text_append_format(&settings, "%s%s", at == 0 ? "" : ",",
                           json_text(run->arena, options->settings[at]));
    run_record(run, "run",
               "\"holdback\":1,\"version\":\"" HOLDBACK_VERSION "\",\"run\":%s,\"cluster\":%s,"
               "\"plan\":%s,\"plan_file\":%s,\"cluster_file\":%s,\"by\":%s,\"from\":%s,"
               "\"settings\":[%s],\"settings_folder\":%s,\"rollback_on_failure\":%s,\"folder\":%s",
               json_text(run->arena, run->id), json_text(run->arena, run->cluster->name),
               json_text(run->arena, run->plan->name), json_text(run->arena, options->plan_file),
               json_text(run->arena, options->cluster_file), json_text(run->arena, run->as_user),
               json_text(run->arena, machine_name(run->arena)), text_string(&settings),
               json_text(run->arena, options->settings_folder),
               options->rollback_on_failure ? "true" : "false",
               json_text(run->arena, run_folder_real(run->arena, run)));
}

/* The run's directory exists before the first connection is made. */
static struct error *run_create(struct run *run)
{
    const struct input *expected = inputs_of_role(run->plan->inputs, "preview");
    int cluster_lock = -1;
    const char *folder;
    struct error *error = cluster_folder_lock(run->arena, run->place.journal, run->cluster->name,
                                              &folder, &cluster_lock);

    if (error != NULL)
        return error;
    error = refuse_second_run(run, run->cluster->name);
    if (error == NULL)
        error = run_folder_create(run->arena, folder, &run->id, &run->folder);
    if (error == NULL)
        error = inputs_freeze(run->arena, run->plan->inputs,
                              arena_printf(run->arena, "%s/plan", run->folder));
    if (error == NULL)
        error = run_lock(run->arena, run->folder, &run->lock_fd);
    if (error == NULL)
        error = journal_create(
            run->arena, arena_printf(run->arena, "%s/journal.jsonl", run->folder), &run->journal);
    if (error == NULL) {
        run_record_first(run);
        command_record(run, "deploy");
        if (expected != NULL)
            run_record(run, "expected", "\"preview\":%s,\"sha256\":\"%s\"",
                       json_text(run->arena, expected->path), expected->digest);
        error = run_sync(run);
    }
    if (error == NULL)
        error = folder_sync_entry(run->arena, run->folder);
    (void)close(cluster_lock);
    return error;
}

/* From the first connection to the end of the preflight: whatever ends it closes the run. */
static struct error *preflight(struct run *run)
{
    struct error *error = prepare_identity(run);

    if (error == NULL)
        error = prepare_roles(run);
    if (error == NULL)
        error = run_sync(run);
    if (error == NULL)
        error = prepare_claims(run);
    if (error == NULL) {
        prepare_scope(run);
        error = expect_check(run);
    }
    if (error == NULL)
        error = preflight_run(run);
    if (error == NULL && run_interrupted(run) != 0)
        error = run_interrupted_error(run);
    return error;
}

static struct error *close_refused(struct run *run, struct error *error)
{
    eventfd_t drained;

    // Nothing was applied, but claims may have been taken and folders made; also by one who is
    // stopped.
    (void)eventfd_read(run->stop_fd, &drained);
    run_clean(run);
    state_record(run, transition_find(RUN_PREFLIGHT, EVENT_PREFLIGHT_FAILED));
    if (error->kind == ERROR_FAILED || error->kind == ERROR_TIMEOUT)
        error->kind = ERROR_REFUSED;
    return stop_record(run, error);
}

struct error *deploy_phase(struct run *run)
{
    run->guards = guards_start(run);

    struct error *error = phase_run(run, PHASE_DEPLOY);

    guards_record(run->guards, PHASE_DEPLOY);
    guards_stop(run->guards);
    run->guards = NULL;
    if (error != NULL)
        return stop_record(run, error);
    if (!run->plan->has_phase[PHASE_COMMIT])
        return finish(run, EVENT_DEPLOY_ENDED_FOR_GOOD);
    state_record(run, transition_find(RUN_DEPLOYING, EVENT_DEPLOY_ENDED));
    return run_sync(run);
}

/* A lost hold cannot be rolled back to, and what a person stopped is a person's to go on with. */
static bool may_roll_back_alone(const struct run *run, const struct error *error)
{
    if (!run->ledger.rolls_back_on_failure || run->ledger.summary.state != RUN_DEPLOYING)
        return false;
    return error->kind == ERROR_FAILED || error->kind == ERROR_TIMEOUT ||
           error->kind == ERROR_GUARD || error->kind == ERROR_UNREACHABLE;
}

struct error *deploy_to_end(struct run *run)
{
    struct error *error = deploy_phase(run);

    if (error == NULL || !may_roll_back_alone(run, error))
        return error;

    struct error *failed = rollback_go(run);

    if (failed != NULL)
        return error_because(run->arena, failed,
                             "the deployment failed (%s), and so did its rollback",
                             error_text(run->arena, error));

    struct error *back =
        error_because(run->arena, error, "the deployment failed and was rolled back");

    back->kind = ERROR_ROLLED_BACK;
    return back;
}

struct error *deploy_go(struct run *run)
{
    struct error *error = preflight(run);

    if (error != NULL)
        return close_refused(run, error);
    state_record(run, transition_find(RUN_PREFLIGHT, EVENT_PREFLIGHT_PASSED));
    return deploy_to_end(run);
}

struct error *run_deploy(struct arena *arena, const struct run_options *options,
                         struct findings *findings, struct run_summary *summary)
{
    struct run run;

    // Whoever compared the inputs with a preview has read them: the same bytes run.
    struct inputs *inputs = options->inputs == NULL ? inputs_live(arena) : options->inputs;

    run_begin(&run, arena, options, findings);

    struct error *error =
        prepare_files(&run, inputs, inputs, options->plan_file, options->cluster_file);

    if (error == NULL) {
        run.place = run_place_resolve(arena, &options->place, run.cluster->journal);
        error = run_create(&run);
    }
    if (error == NULL)
        error = prepare_hosts(&run);
    if (error == NULL)
        error = deploy_go(&run);
    return run_end(&run, error, summary);
}
