/* holdback preview: reads, describes and, with --live, looks. Offline it connects to nothing. */
#include "cli/preview.h"
#include "base/file.h"
#include "cli/offline.h"
#include "cli/signals.h"

#include <string.h>

enum {
    PREVIEW_LARGEST = 256 * 1024 * 1024,
    ALL_PHASES = (1 << PHASE_COUNT) - 1,
};

static unsigned phases_asked_for(const struct options *options)
{
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        if (equal(options->phase, phase_names[phase]))
            return 1u << phase;
    }
    // Today's state says nothing of the steps of commit and rollback: their time has not come.
    return options->live ? 1u << PHASE_PREFLIGHT | 1u << PHASE_DEPLOY : ALL_PHASES;
}

bool preview_read(struct cli *cli, struct findings *findings, struct preview *out)
{
    const struct options *options = cli->options;
    struct inputs *inputs = inputs_live(cli->arena);
    char made[TIMESTAMP_SIZE];
    const struct cluster *cluster = cluster_read(cli->arena, inputs, options->cluster, findings);
    struct plan_options plan_options = {
        .cluster = cluster,
        .settings = options->settings.values,
        .setting_count = options->settings.count,
        .settings_folder = cli_folder(cli),
    };
    struct scope *scope = scope_new(cli->arena);
    const struct plan *plan =
        plan_read(cli->arena, inputs, options->arguments.values[0], &plan_options, scope, findings);

    if (plan != NULL) {
        actions_bind(plan);
        actions_validate(cli->arena, plan, cluster, scope, findings);
    }
    findings_sort(findings);
    if (findings->error_count > 0 || plan == NULL || cluster == NULL)
        return false;
    cluster_fill_scope(cluster, scope);
    cluster_fill_scope_alike(cluster, scope);
    timestamp_utc(made);
    *out = (struct preview){
        .arena = cli->arena,
        .plan = plan,
        .cluster = cluster,
        .scope = scope,
        .findings = findings,
        .phase_mask = phases_asked_for(options),
        .made = arena_strdup(cli->arena, made),
    };
    preview_prepare(out);
    return true;
}

void preview_write(struct preview *preview, const struct terminal *terminal, const char *format,
                   struct text *out)
{
    preview->terminal = terminal;
    out->limit = PREVIEW_LARGEST;
    if (equal(format, "json"))
        preview_json(preview, out);
    else if (equal(format, "runbook"))
        preview_runbook(preview, out);
    else if (equal(format, "markdown"))
        preview_markdown(preview, out);
    else
        preview_text(preview, out);
}

static bool may_change(const struct preview *preview)
{
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        struct preview_cursor cursor = {0};

        while ((preview->phase_mask >> phase & 1) != 0 &&
               preview_next(preview, (enum phase)phase, &cursor) != NULL) {
            if (cursor.step->action != NULL && !step_only_looks(cursor.step) &&
                skip_words(preview, cursor.step) == NULL)
                return true;
        }
    }
    return false;
}

static struct error *look_live(struct cli *cli, struct preview *preview, bool *would_change)
{
    struct run_options options;
    struct findings findings = {.arena = cli->arena};
    struct error *error = cli_run_options(cli, &findings, &options);

    if (error != NULL)
        return error;
    options.plan_file = cli->options->arguments.values[0];
    options.inputs = preview->plan->inputs;
    options.wants_facts = cli->options->save != NULL;
    preview->is_live = true;
    error = run_preview_live(cli->arena, &options, preview->phase_mask, &findings, &preview->live);
    *would_change = preview->live.would_change;
    return error;
}

/* The same answer as deploy would give: a plan of a preflight alone is a set of checks. */
static struct error *check_preflight(struct cli *cli, const struct preview *preview)
{
    size_t count = 0;

    for (const struct preview_item *item = preview->live.items; item != NULL; item = item->next)
        count += item->host != NULL && item->step->phase == PHASE_PREFLIGHT &&
                 (item->look == LOOK_WOULD_CHANGE || item->look == LOOK_FAILED);
    if (count == 0)
        return NULL;
    return error_new(cli->arena, ERROR_REFUSED,
                     "%zu look%s of the preflight found what must not be", count,
                     count == 1 ? "" : "s");
}

static struct error *write_limited(struct cli *cli, struct preview *preview, const char *format,
                                   const struct terminal *terminal, struct text *out)
{
    preview_write(preview, terminal, format, out);
    if (!out->truncated)
        return NULL;
    return error_new(cli->arena, ERROR_INPUT, "the preview is larger than %d MB",
                     PREVIEW_LARGEST / 1024 / 1024);
}

/* The whole of it, whichever phase is shown. */
static struct error *preview_save(struct cli *cli, struct preview *preview,
                                  struct file_writer *file)
{
    CLEANUP(text_release) struct text text = {0};
    static const struct terminal plain = {.fd = -1};
    unsigned phase_mask = preview->phase_mask;

    preview->phase_mask = ALL_PHASES;

    struct error *error = write_limited(cli, preview, "json", &plain, &text);

    preview->phase_mask = phase_mask;
    if (error != NULL)
        return error;
    error = file_write_end(cli->arena, file, text_string(&text), text.length);
    if (error != NULL)
        error->kind = ERROR_FAILED;
    return error;
}

static int preview_print(struct cli *cli, struct preview *preview, int status)
{
    CLEANUP(text_release) struct text text = {0};
    struct error *error = write_limited(cli, preview, cli->options->format, &cli->out, &text);

    return error != NULL ? cli_fail(cli, error) : cli_print(cli, &text, status);
}

/*
 * Everything that a preview needs from outside. Offline there is nothing after it but to write what
 * was read into what is open, and the kernel sees to that.
 */
static struct error *open_all(struct cli *cli, struct preview *preview, struct file_writer *file,
                              bool *would_change)
{
    const struct options *options = cli->options;
    struct error *error = NULL;

    preview_read_runs(preview, cli_journal(cli, preview->cluster));
    if (options->save != NULL)
        error = file_write_begin(cli->arena, options->save, 0644, file);
    if (error != NULL)
        error->kind = ERROR_FAILED;
    else if (options->live)
        error = look_live(cli, preview, would_change);
    else
        error = offline_enter(cli->arena);
    return error;
}

int command_preview(struct cli *cli)
{
    struct findings findings = {.arena = cli->arena};
    struct file_writer file = {.fd = -1};
    struct preview preview;
    bool would_change;

    if (cli->options->cluster == NULL)
        return cli_fail(cli, error_new(cli->arena, ERROR_INPUT,
                                       "command \"preview\" needs a cluster: -c CLUSTER"));
    if (!preview_read(cli, &findings, &preview))
        return cli_refuse(cli, NULL, &findings);
    would_change = may_change(&preview);

    struct error *error = open_all(cli, &preview, &file, &would_change);

    // What was found before a host was lost is shown all the same.
    if (error != NULL && preview.live.items == NULL) {
        file_write_abandon(&file);
        return cli_fail(cli, error);
    }

    // What a deployment may rest on is whole, or is not there.
    struct error *unsaved =
        error == NULL && file.fd >= 0 ? preview_save(cli, &preview, &file) : NULL;

    file_write_abandon(&file);

    int status =
        preview_print(cli, &preview, cli->options->detailed_exitcode && would_change ? 2 : 0);

    if (error == NULL)
        error = unsaved;

    if (error == NULL)
        error = check_preflight(cli, &preview);
    return error == NULL ? status : cli_fail(cli, error);
}
