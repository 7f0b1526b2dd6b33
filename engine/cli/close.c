/* holdback close: a person finished a run by hand. */
#include "cli/command.h"

int command_close(struct cli *cli)
{
    CLEANUP(text_release) struct text result = {0};
    const struct option_list *arguments = &cli->options->arguments;
    struct findings findings = {.arena = cli->arena};
    struct run_options options;
    struct run_summary summary = {0};

    if (cli->options->why == NULL)
        return cli_fail(cli,
                        error_new(cli->arena, ERROR_INPUT, "command \"close\" needs --why TEXT"));

    struct error *error = cli_run_options(cli, &findings, &options);

    if (findings.error_count > 0)
        return cli_refuse(cli, NULL, &findings);
    options.run = arguments->count > 0 ? arguments->values[0] : NULL;
    if (error == NULL)
        error = run_close(cli->arena, &options, &summary);
    if (error != NULL)
        return cli_fail(cli, error);
    text_append_format(&result, "run %s is %s; %s\n", summary.id, run_state_names[summary.state],
                       summary.has_left ? "what could not be taken back from a host is named above"
                                        : "its cluster is unlocked");
    return cli_print(cli, &result, summary.has_left ? ERROR_FAILED : 0);
}
