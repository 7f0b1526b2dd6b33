/* holdback resolve: a person's answer for a step in doubt or failed. */
#include "cli/command.h"

#include <string.h>

int command_resolve(struct cli *cli)
{
    CLEANUP(text_release) struct text result = {0};
    CLEANUP(text_release) struct text next = {0};
    const struct option_list *arguments = &cli->options->arguments;
    struct findings findings = {.arena = cli->arena};
    struct run_options options;
    struct run_summary summary = {0};
    const char *target = arguments->values[arguments->count - 1];
    const char *at = strchr(target, '@');
    const char *step = at == NULL ? target : arena_copy(cli->arena, target, (size_t)(at - target));

    if (cli->options->as == NULL || cli->options->why == NULL)
        return cli_fail(cli, error_new(cli->arena, ERROR_INPUT,
                                       "command \"resolve\" needs --as done|not-done and "
                                       "--why TEXT"));

    struct error *error = cli_run_options(cli, &findings, &options);

    if (findings.error_count > 0)
        return cli_refuse(cli, NULL, &findings);
    options.run = arguments->count == 2 ? arguments->values[0] : NULL;
    if (error == NULL)
        error = run_resolve(cli->arena, &options, step, at == NULL ? NULL : at + 1,
                            equal(cli->options->as, "done"), &summary);
    if (error != NULL)
        return cli_fail(cli, error);
    text_append_format(&result, "run %s: step \"%s\" is resolved as %s\n", summary.id, target,
                       cli->options->as);
    next_append(&next, cli, &summary, NULL);

    int status = cli_print(cli, &result, 0);

    cli_say(cli, &next);
    return status;
}
