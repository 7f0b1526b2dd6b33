/* holdback loss: what a rollback to the mark would undo. */
#include "run/loss.h"
#include "cli/command.h"

#include <string.h>

/* Lines come from hosts: names of tables too. */
static void append_lines(struct cli *cli, struct text *out, const struct text *lines)
{
    const char *line = text_string(lines);

    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        const char *words = arena_copy(cli->arena, line, length);
        int indent = starts_with(words, "- ") ? 4 : 0;

        text_append(out, indent > 0 ? "  - " : "");
        text_append_wrapped(out, words + (indent > 0 ? 2 : 0), indent, indent, cli->out.width);
        text_append(out, "\n");
        line += length + (line[length] == '\n');
    }
}

int command_loss(struct cli *cli)
{
    CLEANUP(text_release) struct text text = {0};
    CLEANUP(text_release) struct text out = {0};
    const struct option_list *arguments = &cli->options->arguments;
    struct findings findings = {.arena = cli->arena};
    struct run_options options;
    struct run_summary summary = {0};
    struct loss loss;
    struct error *error = cli_run_options(cli, &findings, &options);

    if (findings.error_count > 0)
        return cli_refuse(cli, NULL, &findings);
    options.run = arguments->count > 0 ? arguments->values[0] : NULL;
    if (error == NULL)
        error = run_loss(cli->arena, &options, &loss, &summary);
    if (error != NULL)
        return cli_fail(cli, error);
    if (equal(cli->options->format, "json")) {
        loss_append_json(&out, &loss);
    } else {
        loss_append_text(&text, &loss, false);
        text_append_format(&out, "%s\n", loss_summary(&loss));
        append_lines(cli, &out, &text);
    }
    return cli_print(cli, &out, loss.until == NULL ? ERROR_FAILED : 0);
}
