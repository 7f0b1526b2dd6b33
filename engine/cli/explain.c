/* holdback check --explain ID: what a hazard is, and what to write instead. */
#include "cli/command.h"
#include "plan/hazard.h"

static void append_part(struct text *text, const struct cli *cli, const char *name,
                        const char *words)
{
    enum { INDENT = 12 };

    text_append_format(text, "\n%-*s", INDENT, name);
    text_append_wrapped(text, words, INDENT, INDENT, cli->out.width);
    text_append(text, "\n");
}

int explain(struct cli *cli)
{
    CLEANUP(text_release) struct text text = {0};
    const char *id = cli->options->explain;
    const struct hazard *hazard = hazard_find(id);

    if (hazard == NULL) {
        for (size_t at = 0; at < hazard_count; at++)
            text_append_format(&text, "%s  %s\n", hazard_table[at].id, hazard_table[at].sentence);
        (void)cli_print(cli, &text, 0);
        return cli_fail(cli, error_new(cli->arena, ERROR_INPUT, "there is no hazard \"%s\"", id));
    }
    text_append_styled(&text, &cli->out, STYLE_STRONG, hazard->id);
    text_append_format(&text, ": %s\n", hazard->sentence);
    append_part(&text, cli, "why", hazard->why);
    append_part(&text, cli, "instead", hazard->instead);
    append_part(&text, cli, "reference", hazard->reference);
    text_append_format(&text, "\nA plan accepts it with  allow: {%s: \"the reason\"}\n",
                       hazard->id);
    return cli_print(cli, &text, 0);
}
