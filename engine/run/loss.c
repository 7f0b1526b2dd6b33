/* The loss report as a command, and at the gate of a rollback. */
#include "run/command.h"
#include "run/loss_ask.h"

enum {
    COMMAND_MS = 10 * 60 * 1000,
    GATE_MS = 60 * 1000,
    NOBODY_READS_MS = 5 * 1000, /* answered beforehand: for the journal only */
};

const char *loss_at_gate(struct run *run, const struct step *step, bool is_asked)
{
    struct loss *loss = arena_alloc(run->arena, sizeof *loss);
    CLEANUP(text_release) struct text text = {0};

    // Later gates come when servers are stopped; and without a mark nothing is told.
    if (step->phase != PHASE_ROLLBACK || run->ledger.summary.state == RUN_ROLLING_BACK ||
        run->is_preview || ledger_find(run->ledger.saved, "point_lsn") == NULL)
        return NULL;
    if (is_asked)
        run_event(run, NULL, NULL, "looks", "at what would be undone; at most a minute");

    struct error *error = loss_ask(run, clock_ms() + (is_asked ? GATE_MS : NOBODY_READS_MS), loss);
    const char *words = error == NULL
                            ? loss_summary(loss)
                            : arena_printf(run->arena, "what would be undone is not known: %s",
                                           error_text(run->arena, error));

    run_record(run, "loss", "\"mark\":%s,\"step\":%s,\"words\":%s",
               json_text(run->arena, ledger_find(run->ledger.saved, "point_lsn")->text),
               json_text(run->arena, step->id), json_text(run->arena, words));
    run_event(run, step, NULL, "loss", words);
    if (error == NULL)
        loss_append_text(&text, loss, true);
    return error == NULL ? text_copy(&text, run->arena) : words;
}

static struct error *loss_go(struct run *run, struct loss *out)
{
    struct error *error;

    if (!run_state_is_open(run->ledger.summary.state))
        return error_new(run->arena, ERROR_INPUT, "run \"%s\" is %s: nothing can be undone",
                         run->id, run_state_names[run->ledger.summary.state]);
    error = run_load_files(run);
    if (error == NULL)
        error = prepare_hosts(run);
    if (error != NULL)
        return error;
    run->is_preview = true;
    prepare_scope(run);
    return loss_ask(run, clock_ms() + COMMAND_MS, out);
}

struct error *run_loss(struct arena *arena, const struct run_options *options, struct loss *out,
                       struct run_summary *summary)
{
    struct run run;

    run_begin(&run, arena, options, NULL);

    struct error *error = run_choose(&run);
    const struct record *record = NULL;

    if (error == NULL)
        error = journal_read(arena, arena_printf(arena, "%s/journal.jsonl", run.folder), &record);
    if (error == NULL) {
        ledger_read(&run.ledger, record);
        error = loss_go(&run, out);
    }
    return run_end(&run, error, summary);
}
