/* holdback deploy, resume, commit and rollback: one run goes on, and a person is told how it ended.
 */
#include "cli/certificate.h"
#include "cli/display.h"
#include "cli/expect.h"

#include <string.h>

typedef struct error *run_function(struct arena *arena, const struct run_options *options,
                                   struct findings *findings, struct run_summary *summary);

/* What is safe now, in a sentence or two. */
static const char *safety(struct arena *arena, const struct run_summary *summary)
{
    switch (summary->state) {
    case RUN_PREFLIGHT:
    case RUN_REFUSED:
        return "Nothing was changed.";
    case RUN_DEPLOYED:
        return "The run is deployed as before; this command changed nothing.";
    case RUN_DEPLOYING:
    case RUN_COMMITTING:
    case RUN_ROLLING_BACK:
        return arena_printf(arena,
                            "The run is stopped in %s. All that it did is in its journal, and it "
                            "starts nothing more until you say so.",
                            phase_names[summary->phase]);
    case RUN_COMMITTED:
    case RUN_ROLLED_BACK:
    case RUN_DONE:
    case RUN_CLOSED:
        break;
    }
    return arena_printf(arena, "The run is over: %s.", run_state_names[summary->state]);
}

static int end_badly(struct cli *cli, const struct error *error, const struct run_summary *summary)
{
    CLEANUP(text_release) struct text text = {0};
    int status = cli_fail(cli, error);

    if (summary->id == NULL)
        return status;
    if (error->kind == ERROR_LOCKED) {
        text_append_format(&text, "run %s: Nothing more is changed from here.\n", summary->id);
        cli_say(cli, &text);
        return status;
    }
    text_append_format(&text, "run %s: ", summary->id);
    text_append_wrapped(&text, safety(cli->arena, summary), 6 + string_width(summary->id), 0,
                        cli->err.width);
    text_append(&text, "\n");
    next_append(&text, cli, summary, NULL);
    cli_say(cli, &text);
    return status;
}

static int end_well(struct cli *cli, const struct run_summary *summary)
{
    CLEANUP(text_release) struct text result = {0};
    CLEANUP(text_release) struct text next = {0};

    text_append_format(&result, "run %s is %s\n", summary->id, run_state_names[summary->state]);
    next_append(&next, cli, summary, NULL);

    // The run has come to its end, whether or not anybody can read so.
    (void)terminal_write(&cli->out, &result);
    cli_say(cli, &next);
    return 0;
}

static int go(struct cli *cli, run_function *function, const struct run_options *options)
{
    struct findings findings = {.arena = cli->arena};
    struct run_summary summary = {0};
    struct display display;
    struct run_options with_display = *options;

    display_init(&display, cli);
    display.interrupted = options->interrupted;

    const struct run_observer observer = display_observer(&display);

    with_display.observer = &observer;

    struct error *error = function(cli->arena, &with_display, &findings, &summary);

    display_finish(&display, error);
    if (findings.error_count > 0)
        return cli_refuse(cli, NULL, &findings);

    int status = error != NULL ? end_badly(cli, error, &summary) : end_well(cli, &summary);

    if (error == NULL || error->kind == ERROR_ROLLED_BACK)
        certificate_make(cli, options, &summary);
    return status;
}

int command_deploy(struct cli *cli)
{
    struct run_options options;
    struct findings findings = {.arena = cli->arena};
    struct inputs *inputs = NULL;
    struct error *error = NULL;

    if (cli->options->cluster == NULL)
        return cli_fail(cli, error_new(cli->arena, ERROR_INPUT,
                                       "command \"deploy\" needs a cluster: -c CLUSTER"));
    if (cli->options->max_age != NULL && cli->options->expect == NULL)
        return cli_fail(
            cli, error_new(cli->arena, ERROR_INPUT, "option \"--max-age\" needs --expect PREVIEW"));
    if (cli->options->expect != NULL)
        error = expect_inputs(cli, &findings, &inputs);
    if (findings.error_count > 0)
        return cli_refuse(cli, NULL, &findings);
    if (error == NULL)
        error = cli_run_options(cli, &findings, &options);
    // What is wrong with the cluster file is told by run_deploy, together with the plan's errors.
    if (error != NULL && findings.error_count == 0)
        return cli_fail(cli, error);
    options.plan_file = cli->options->arguments.values[0];
    options.inputs = inputs;
    return go(cli, run_deploy, &options);
}

static int go_on(struct cli *cli, run_function *function)
{
    const struct options *given = cli->options;
    struct run_options options;
    struct findings findings = {.arena = cli->arena};

    if (given->without_guards.count > 0 && given->why == NULL)
        return cli_fail(
            cli, error_new(cli->arena, ERROR_INPUT, "option \"--without-guard\" needs --why TEXT"));

    struct error *error = cli_run_options(cli, &findings, &options);

    if (findings.error_count > 0)
        return cli_refuse(cli, NULL, &findings);
    if (error != NULL)
        return cli_fail(cli, error);
    options.run = given->arguments.count > 0 ? given->arguments.values[0] : NULL;
    options.plan_file = given->plan;
    options.take_over = given->take_over;
    return go(cli, function, &options);
}

int command_resume(struct cli *cli)
{
    return go_on(cli, run_resume);
}

int command_commit(struct cli *cli)
{
    return go_on(cli, run_commit);
}

int command_rollback(struct cli *cli)
{
    return go_on(cli, run_rollback);
}
