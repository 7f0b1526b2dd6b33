/* What a person decides: a step in doubt, or that a run is over. And what they can type next. */
#include "run/command.h"

static bool is_resolvable(const struct step_status *status)
{
    return status != NULL && !step_state_is_complete(status->state) &&
           status->state != STEP_RESOLVED_NOT_DONE;
}

static void resolve_record(struct run *run, const struct step *step, const char *host, bool done)
{
    run_record(
        run, "resolve", "\"step\":%s,\"host\":%s,\"result\":%s,\"words\":%s,\"by\":%s",
        json_text(run->arena, step->id), json_text(run->arena, host),
        json_text(run->arena, step_state_names[done ? STEP_RESOLVED_DONE : STEP_RESOLVED_NOT_DONE]),
        json_text(run->arena, run->options->why), json_text(run->arena, run->as_user));
}

/*
 * Resolves what is not complete of STEP on HOST (NULL: on all its hosts); returns how many hosts.
 * Of a group also what has not begun: a host that is gone will not answer its later steps either.
 * And what a person did by hand, with the runbook, need not have begun.
 */
static size_t resolve_step(struct run *run, const struct step *step, const char *host, bool done,
                           bool is_group)
{
    size_t count, resolved = 0;
    const struct host_settings *const *hosts = step_hosts(run, step, &count);

    for (const struct step *child = step->steps; child != NULL; child = child->next)
        resolved += resolve_step(run, child, host, done, true);
    for (size_t at = 0; step->steps == NULL && at < count; at++) {
        const struct step_status *status = ledger_status(&run->ledger, step->id, hosts[at]->name);

        if (host != NULL && !equal(host, hosts[at]->name))
            continue;
        if (is_resolvable(status) || ((is_group || done) && status == NULL)) {
            resolve_record(run, step, hosts[at]->name, done);
            resolved++;
        }
    }
    return resolved;
}

static struct error *resolve_go(struct run *run, const char *id, const char *host, bool done)
{
    struct error *error = run_load_files(run);

    if (error != NULL)
        return error;
    roles_into_scope(run);

    const struct step *step = plan_find_step(run->plan, id);

    if (step == NULL)
        return error_new(run->arena, ERROR_INPUT, "the plan has no step \"%s\"", id);
    if (host != NULL && cluster_find_host(run->cluster, host) == NULL)
        return error_new(run->arena, ERROR_INPUT, "the cluster file has no host \"%s\"", host);
    if (resolve_step(run, step, host, done, false) == 0)
        return error_hint(run->arena,
                          error_new(run->arena, ERROR_INPUT,
                                    "there is nothing to resolve in step \"%s\"%s%s", id,
                                    host == NULL ? "" : " on ", host == NULL ? "" : host),
                          "Only a step that failed, is in doubt or was interrupted has an end that "
                          "a person can tell. See: holdback status %s",
                          run->id);
    return run_sync(run);
}

struct error *run_resolve(struct arena *arena, const struct run_options *options, const char *step,
                          const char *host, bool done, struct run_summary *summary)
{
    struct run run;

    run_begin(&run, arena, options, NULL);

    struct error *error = run_choose(&run);

    if (error == NULL)
        error = run_open_journal(&run);
    if (error == NULL && !run_state_is_open(run.ledger.summary.state))
        error = error_new(arena, ERROR_INPUT, "run \"%s\" is closed", run.id);
    if (error == NULL)
        error = resolve_go(&run, step, host, done);
    return run_end(&run, error, summary);
}

/*
 * Cleans the hosts that answer; one that does not must not keep a person from closing. Of a run
 * that is closed already, what was left behind on a host that is back.
 */
static struct error *close_go(struct run *run)
{
    struct error *error = run_load_files(run);
    const bool is_open = run_state_is_open(run->ledger.summary.state);

    command_record(run, "close");
    run_record(run, "closing", "\"why\":%s,\"by\":%s", json_text(run->arena, run->options->why),
               json_text(run->arena, run->as_user));
    if (error == NULL && run_sync(run) == NULL && prepare_hosts(run) == NULL) {
        roles_into_scope(run);
        (void)prepare_identity(run);
        // With this command's number; where another run has the cluster, nothing of it is touched.
        (void)prepare_claims(run);
        run_clean(run);
    }
    if (is_open)
        state_record(run, transition_find(run->ledger.summary.state, EVENT_CLOSE));
    return run_sync(run);
}

struct error *run_close(struct arena *arena, const struct run_options *options,
                        struct run_summary *summary)
{
    struct run run;

    run_begin(&run, arena, options, NULL);

    struct error *error = run_choose(&run);

    if (error == NULL)
        error = run_open_journal(&run);
    if (error == NULL &&
        (run_state_is_open(run.ledger.summary.state) || run.ledger.summary.has_left))
        error = close_go(&run);
    return run_end(&run, error, summary);
}

static bool has_state(const struct run_summary *summary, enum step_state state,
                      const struct step_status **which)
{
    for (size_t at = 0; at < summary->status_count; at++) {
        if (summary->statuses[at].state == state) {
            *which = &summary->statuses[at];
            return true;
        }
    }
    return false;
}

struct next_list {
    struct arena *arena;
    const struct run_summary *summary;
    struct next_command *out;
    size_t count;
};

static void next_add(struct next_list *list, const char *command, const char *what)
{
    if (list->count < 4)
        list->out[list->count++] = (struct next_command){
            arena_printf(list->arena, "holdback %s %s", command, list->summary->id), what};
}

static void next_resolve(struct next_list *list, const struct step_status *status)
{
    if (list->count < 4)
        list->out[list->count++] = (struct next_command){
            arena_printf(list->arena, "holdback resolve %s %s@%s --as done|not-done --why TEXT",
                         list->summary->id, status->step, status->host),
            "say what became of it, when you have found out"};
}

/* After a lost hold there is no way back to the mark, and commit must be told to do without. */
static void next_without_guards(struct next_list *list)
{
    list->out[list->count++] =
        (struct next_command){arena_printf(list->arena, "holdback commit %s%s --why TEXT",
                                           list->summary->id, list->summary->stop_guards),
                              "keep the deployment without the hold"};
}

size_t run_next_commands(struct arena *arena, const struct run_summary *summary,
                         struct next_command out[4])
{
    struct next_list list = {arena, summary, out, 0};
    const struct step_status *doubtful;

    if (summary->id == NULL || !run_state_is_open(summary->state))
        return 0;
    if (summary->holder != NULL) {
        next_add(&list, "status --watch", "it is going on: watch it");
        return list.count;
    }
    if (has_state(summary, STEP_IN_DOUBT, &doubtful) ||
        (summary->stop_exit == ERROR_IN_DOUBT && has_state(summary, STEP_UNREACHABLE, &doubtful)))
        next_resolve(&list, doubtful);
    switch (summary->state) {
    case RUN_DEPLOYED:
        if (summary->stop_guards != NULL) {
            next_without_guards(&list);
            break;
        }
        next_add(&list, "commit", "keep the deployment");
        next_add(&list, "rollback", "bring the cluster back to the held state");
        break;
    case RUN_DEPLOYING:
        next_add(&list, "resume", "go on with the deployment");
        next_add(&list, "rollback", "undo it");
        break;
    case RUN_COMMITTING:
        next_add(&list, "resume", "go on with the commit");
        break;
    case RUN_ROLLING_BACK:
        next_add(&list, "resume", "go on with the rollback");
        break;
    default:
        next_add(&list, "resume", "go on");
        break;
    }
    next_add(&list, "status", "see every step");
    return list.count;
}
