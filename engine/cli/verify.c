/* holdback verify: the proof of a run that is over, once more. */
#include "cli/certificate.h"

#include <string.h>

enum {
    RESULT_COLUMNS = 12,
};

static void append_line(struct cli *cli, struct text *out, const char *words)
{
    text_append_wrapped(out, words, RESULT_COLUMNS, RESULT_COLUMNS,
                        cli->out.width > 0 ? cli->out.width - 1 : 0);
    text_append(out, "\n");
}

static void append_proof(struct cli *cli, struct text *out, const struct node *proof)
{
    const char *result = node_text(proof, "result"), *about = node_text(proof, "about");
    const bool is_failed = equal(result, "failed"), is_open = equal(result, "not-proven");
    const char *mark = is_failed                         ? "NOT TRUE"
                       : is_open                         ? "not proven"
                       : equal(result, "does-not-apply") ? "n/a"
                                                         : "proven";

    text_append_styled(out, &cli->out,
                       is_failed ? STYLE_ERROR
                       : is_open ? STYLE_WARNING
                                 : STYLE_GOOD,
                       mark);
    for (size_t at = strlen(mark); at < RESULT_COLUMNS; at++)
        text_append(out, " ");
    append_line(cli, out,
                equal(result, "proven")
                    ? about
                    : arena_printf(cli->arena, "%s: %s", about, node_text(proof, "words")));
}

static void append_change(struct cli *cli, struct text *out,
                          const struct certificate_change *change)
{
    text_append_styled(out, &cli->out, change->is_failure ? STYLE_ERROR : STYLE_WARNING,
                       change->is_failure ? "NOT TRUE" : "changed");
    text_append(out, change->is_failure ? "    " : "     ");
    append_line(cli, out,
                arena_printf(cli->arena, "%s%s%s was %s, is %s", change->where,
                             *change->where == '\0' ? "" : ": ", change->what,
                             change->was == NULL ? "none" : change->was,
                             change->is == NULL ? "none" : change->is));
}

static bool was_asked(const struct node *certificate)
{
    NODE_EACH(member, node_find(certificate, "members"))
    {
        if (node_text(node_find(node_find(member, "facts"), "server_role"), "value") == NULL)
            return false;
    }
    return true;
}

/* All that changed, then the exit status. */
static int append_changes(struct cli *cli, struct text *out, const struct record *records,
                          const struct node *was, const struct node *is, bool has_failed)
{
    const struct certificate_change *changes = certificate_compare(cli->arena, records, was, is);

    text_append_format(out, "\nsince %s, when the certificate was written:\n",
                       node_text(was, "asked"));
    for (const struct certificate_change *change = changes; change != NULL; change = change->next) {
        append_change(cli, out, change);
        has_failed |= change->is_failure;
    }
    if (changes == NULL)
        text_append(out, "nothing has changed\n");
    if (has_failed)
        return ERROR_FAILED;
    return was_asked(is) ? 0 : ERROR_UNREACHABLE;
}

int command_verify(struct cli *cli)
{
    CLEANUP(text_release) struct text out = {0};
    const struct option_list *arguments = &cli->options->arguments;
    struct findings findings = {.arena = cli->arena};
    struct run_options options;
    struct run_summary summary = {0};
    const struct node *was = NULL, *is = NULL;
    const char *json = NULL, *path = NULL;
    bool has_failed;
    struct error *error = cli_run_options(cli, &findings, &options);

    if (findings.error_count > 0)
        return cli_refuse(cli, NULL, &findings);
    options.run = arguments->count > 0 ? arguments->values[0] : NULL;
    if (error == NULL)
        error = run_certify(cli->arena, &options, &summary, &json, &is);
    if (error != NULL)
        return cli_fail(cli, error);
    path = certificate_path(cli->arena, summary.folder);
    if (path != NULL) {
        error = certificate_read(cli->arena, summary.folder, &was);
        if (error != NULL)
            return cli_fail(cli, error);
    }
    text_append_format(&out, "run %s is %s; %s\n", summary.id, run_state_names[summary.state],
                       certificate_count(cli->arena, is, &has_failed));
    NODE_EACH(proof, node_find(is, "proofs"))
    append_proof(cli, &out, proof);

    int status = has_failed ? ERROR_FAILED : was_asked(is) ? 0 : ERROR_UNREACHABLE;

    if (was != NULL) {
        status = append_changes(cli, &out, summary.records, was, is, has_failed);
    } else {
        error = certificate_write(cli->arena, summary.folder, json, is, &path);
        if (error != NULL)
            status = cli_fail(cli, error);
        else
            text_append_format(&out, "\nthere was no certificate; now there is: %s\n", path);
    }
    return cli_print(cli, &out, status);
}
