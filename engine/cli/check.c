/* holdback check: plans, offline. */
#include "cli/command.h"

static void report_as(const struct cli *cli, struct text *out, struct report *report,
                      const struct findings *findings)
{
    if (equal(cli->options->format, "github"))
        report_github(out, report, findings);
    else
        report_findings(out, report, findings);
}

/* NULL: there is no -c, or the file has errors, which are then told. */
static const struct cluster *read_cluster(struct cli *cli, struct inputs *inputs,
                                          struct report *report, struct text *out,
                                          struct text *counts, bool *is_wrong)
{
    struct findings findings = {.arena = cli->arena};
    const char *file = cli->options->cluster;

    if (file == NULL)
        return NULL;

    const struct cluster *cluster = cluster_read(cli->arena, inputs, file, &findings);

    findings_sort(&findings);
    report_as(cli, out, report, &findings);
    if (findings.count > 0) {
        text_append_format(counts, "%s: ", file);
        report_count(counts, report, &findings);
        text_append(counts, "\n");
    }
    *is_wrong |= findings.error_count > 0 || (report->is_strict && findings.hazard_count > 0);
    return cluster;
}

static void check_plan(struct cli *cli, struct inputs *inputs, const char *file,
                       const struct cluster *cluster, struct findings *findings)
{
    const struct plan_options options = {
        .cluster = cluster,
        .settings = cli->options->settings.values,
        .setting_count = cli->options->settings.count,
        .settings_folder = ".",
    };
    struct scope *scope = scope_new(cli->arena);
    const struct plan *plan = plan_read(cli->arena, inputs, file, &options, scope, findings);

    if (plan != NULL) {
        actions_bind(plan);
        actions_validate(cli->arena, plan, cluster, scope, findings);
    }
    findings_sort(findings);
}

int command_check(struct cli *cli)
{
    CLEANUP(text_release) struct text out = {0};
    CLEANUP(text_release) struct text counts = {0};
    struct inputs *inputs = inputs_live(cli->arena);
    struct report report = {
        .arena = cli->arena,
        .terminal = &cli->out,
        .inputs = inputs,
        .is_strict = cli->options->strict,
    };
    bool is_wrong = false;

    if (cli->options->explain != NULL)
        return explain(cli);

    const struct cluster *cluster = read_cluster(cli, inputs, &report, &out, &counts, &is_wrong);

    for (size_t at = 0; at < cli->options->arguments.count; at++) {
        const char *file = cli->options->arguments.values[at];
        struct findings findings = {.arena = cli->arena};

        check_plan(cli, inputs, file, cluster, &findings);
        report_as(cli, &out, &report, &findings);
        is_wrong |= findings.error_count > 0 || (report.is_strict && findings.hazard_count > 0);
        text_append_cut(findings.count == 0 ? &out : &counts, file, string_width(file));
        text_append(findings.count == 0 ? &out : &counts, ": ");
        report_count(&counts, &report, &findings);
        text_append(findings.count == 0 ? &out : &counts, findings.count == 0 ? "ok\n" : "\n");
    }

    int status = cli_print(cli, &out, is_wrong ? ERROR_INPUT : 0);

    cli_say(cli, &counts);
    return status;
}
