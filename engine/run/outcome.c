/* How a command begins and ends, in the journal and for the person. */
#include "run/command.h"
#include "run/folder.h"
#include "run/guard.h"

#include <inttypes.h>
#include <unistd.h>

static int exit_of(const struct error *error)
{
    switch (error->kind) {
    case ERROR_TIMEOUT:
        return ERROR_FAILED;
    case ERROR_STOPPED:
        return 130;
    default:
        return (int)error->kind;
    }
}

void state_record(struct run *run, const struct transition *transition)
{
    run_record(run, "state", "\"state\":%s",
               json_text(run->arena, run_state_names[transition->to]));
    // What a person is told stays true. If it cannot be written, every further sync says so.
    if (run_sync(run) == NULL)
        run_event(run, NULL, NULL, run_state_names[transition->to], transition->says);
}

/* The last words of a command that did not come to its end; the error stays the one to tell. */
struct error *stop_record(struct run *run, struct error *error)
{
    run_record(run, "stop", "\"exit\":%d,\"reason\":%s,\"hint\":%s,\"guards\":%s", exit_of(error),
               json_text(run->arena, error_text(run->arena, error)),
               json_text(run->arena, error_find_hint(error)),
               json_text(run->arena, run->failed_guards));

    struct error *failed = run_sync(run);

    return failed != NULL ? failed : error;
}

void command_record(struct run *run, const char *command)
{
    run_record(
        run, "command", "\"command\":%s,\"by\":%s,\"from\":%s,\"pid\":%d,\"number\":%" PRId64,
        json_text(run->arena, command), json_text(run->arena, run->as_user),
        json_text(run->arena, machine_name(run->arena)), (int)getpid(), run->ledger.number + 1);
}

void run_begin(struct run *run, struct arena *arena, const struct run_options *options,
               struct findings *findings)
{
    // Whoever resolves or closes a run has no findings of its own: its files were checked before.
    if (findings == NULL) {
        findings = arena_alloc(arena, sizeof *findings);
        findings->arena = arena;
    }
    *run = (struct run){.arena = arena,
                        .options = options,
                        .findings = findings,
                        .as_user = user_name(arena),
                        .lock_fd = -1};
    ledger_init(&run->ledger, arena);
}

struct error *run_end(struct run *run, struct error *error, struct run_summary *summary)
{
    guards_stop(run->guards);
    *summary = run->ledger.summary;
    summary->folder = run->folder;
    run_release(run);
    return error;
}

struct error *finish(struct run *run, enum run_event event)
{
    // The hosts forget what they know of the steps: from here on only the journal knows it.
    struct error *error = run_sync(run);

    if (error != NULL)
        return error;
    // Cleaned once more if a crash came between: resume has taken the claims again.
    run_clean(run);
    // By itself, so that the last record alone says that the run is closed: see run_list_open.
    error = run_sync(run);
    if (error != NULL)
        return error;
    state_record(run, transition_find(run->ledger.summary.state, event));
    return run_sync(run);
}
