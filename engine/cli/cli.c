/* What several commands share: reporting, the journal's place, finding a run. */
#include "base/file.h"
#include "cli/command.h"
#include "cli/signals.h"
#include "run/folder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cli_say(struct cli *cli, const struct text *text)
{
    (void)terminal_write(&cli->err, text);
}

int cli_fail(struct cli *cli, const struct error *error)
{
    CLEANUP(text_release) struct text text = {0};
    struct report report = {.arena = cli->arena, .terminal = &cli->err};

    report_error(&text, &report, error);
    cli_say(cli, &text);
    return error_exit(error, *signals_first());
}

int cli_refuse(struct cli *cli, const struct inputs *inputs, struct findings *findings)
{
    CLEANUP(text_release) struct text text = {0};
    struct report report = {.arena = cli->arena, .terminal = &cli->err, .inputs = inputs};

    findings_sort(findings);
    report_findings(&text, &report, findings);
    cli_say(cli, &text);
    return ERROR_INPUT;
}

int cli_print(struct cli *cli, const struct text *text, int status)
{
    if (terminal_write(&cli->out, text) || errno == EPIPE)
        return status;
    return cli_fail(cli,
                    error_new(cli->arena, ERROR_FAILED, "could not write to standard output: %s",
                              errno_text(cli->arena, errno)));
}

/* Printed commands must work from any folder. */
static const char *absolute(struct arena *arena, const char *path)
{
    char *here = getcwd(NULL, 0);
    const char *joined = path;

    if (here != NULL)
        joined = path_join(arena, arena_strdup(arena, here), path);
    free(here);
    return joined;
}

/* What printed commands need to find the journal again. */
static const char *where_option(struct arena *arena, const char *option, const char *path)
{
    CLEANUP(text_release) struct text word = {0};

    if (strcspn(path, " \t\n'\"\\$`*?[]{}()<>|&;!#~") == strlen(path))
        return arena_printf(arena, "%s %s", option, path);
    text_append_shell(&word, path, strlen(path));
    return arena_printf(arena, "%s %s", option, text_string(&word));
}

/* What a person said, whatever the cluster file says; journal NULL: nothing. */
static struct run_place place_asked(struct cli *cli)
{
    const struct options *options = cli->options;
    const char *set = getenv("HOLDBACK_JOURNAL"); // NOLINT(concurrency-mt-unsafe)

    if (options->journal != NULL)
        return (struct run_place){absolute(cli->arena, options->journal), "--journal"};
    if (set != NULL && *set != '\0')
        return (struct run_place){absolute(cli->arena, set), "$HOLDBACK_JOURNAL"};
    return (struct run_place){0};
}

static struct run_place place_of(struct cli *cli, const struct cluster *cluster)
{
    const struct run_place asked = place_asked(cli);

    return run_place_resolve(cli->arena, &asked,
                             cluster == NULL || cluster->journal == NULL
                                 ? NULL
                                 : absolute(cli->arena, cluster->journal));
}

const char *cli_journal(struct cli *cli, const struct cluster *cluster)
{
    return place_of(cli, cluster).journal;
}

struct error *cli_place(struct cli *cli, struct findings *findings, struct run_place *place,
                        const char **cluster)
{
    struct arena *arena = cli->arena;
    const struct options *options = cli->options;
    const struct cluster *file = NULL;

    *cluster = NULL;
    // Whoever goes on although the cluster file cannot be read must not go elsewhere.
    *place = place_asked(cli);
    if (options->cluster != NULL) {
        file = cluster_read(arena, inputs_live(arena), options->cluster, findings);
        if (file == NULL)
            return error_new(arena, ERROR_INPUT, "cluster file \"%s\" is wrong", options->cluster);
        *cluster = file->name;
    }
    *place = place_of(cli, file);
    if (options->journal != NULL)
        cli->where = where_option(arena, "--journal", place->journal);
    else if (options->cluster != NULL && equal(place->origin, "the cluster file"))
        cli->where = where_option(arena, "-c", options->cluster);
    return NULL;
}

const char *cli_folder(struct cli *cli)
{
    return absolute(cli->arena, "");
}

static struct error *not_one_run(struct cli *cli, const struct run_summary *const *runs,
                                 size_t count)
{
    CLEANUP(text_release) struct text list = {0};

    for (size_t at = 0; at < count; at++)
        text_append_format(&list, "\n%s  %s  %s  %s", runs[at]->id, runs[at]->cluster,
                           runs[at]->plan_name, run_state_names[runs[at]->state]);
    return error_hint(
        cli->arena,
        error_new(cli->arena, ERROR_INPUT, "%zu runs are open:%s", count, text_string(&list)),
        "Say which one.");
}

static struct error *find_only(struct cli *cli, const struct run_place *place,
                               const struct run_summary *runs, size_t count,
                               const struct run_summary **out)
{
    struct arena *arena = cli->arena;
    const struct run_summary **open =
        arena_alloc(arena, (count + 1) * sizeof(struct run_summary *));
    size_t open_count = 0;

    for (size_t at = 0; at < count; at++) {
        if (run_state_is_open(runs[at].state))
            open[open_count++] = &runs[at];
    }
    if (open_count > 1)
        return not_one_run(cli, open, open_count);
    if (open_count == 0 && count == 0)
        return error_hint(
            arena, error_new(arena, ERROR_INPUT, "there is no run in \"%s\"", place->journal),
            "That folder is %s; --journal or HOLDBACK_JOURNAL name another one.", place->origin);
    if (open_count == 0)
        return error_hint(arena,
                          error_new(arena, ERROR_INPUT, "no run is open; the newest, \"%s\", is %s",
                                    runs[0].id, run_state_names[runs[0].state]),
                          "Name a run to see it; \"holdback runs\" lists them all.");
    *out = open[0];
    return NULL;
}

struct error *cli_find_run(struct cli *cli, const char *id, struct run_place *place,
                           const struct run_summary **out)
{
    struct arena *arena = cli->arena;
    struct findings findings = {.arena = arena};
    const struct run_summary *runs;
    const char *cluster;
    size_t count;
    struct error *error = cli_place(cli, &findings, place, &cluster);

    if (findings.count > 0 && error != NULL)
        return error_copy(arena, findings.items[0].error);
    if (error == NULL)
        error = run_list(arena, place, cluster, &runs, &count);
    if (error != NULL)
        return error;
    if (id == NULL)
        return find_only(cli, place, runs, count, out);

    const char **ids = arena_alloc(arena, (count + 1) * sizeof *ids);

    for (size_t at = 0; at < count; at++) {
        ids[at] = runs[at].id;
        if (equal(runs[at].id, id)) {
            *out = &runs[at];
            return NULL;
        }
    }

    const char *nearest = text_nearest(id, ids, count);

    error = error_new(arena, ERROR_INPUT, "there is no run \"%s\" in \"%s\"", id, place->journal);
    if (nearest != NULL)
        return error_hint(arena, error, "did you mean \"%s\"?", nearest);
    return error_hint(arena, error, "\"holdback runs\" lists them all.");
}

struct error *cli_run_options(struct cli *cli, struct findings *findings, struct run_options *out)
{
    const struct options *options = cli->options;
    const char *cluster;

    if (!signals_catch())
        return error_new(cli->arena, ERROR_FAILED, "could not make an event descriptor: %s",
                         errno_text(cli->arena, errno));
    *out = (struct run_options){
        .cluster_file = options->cluster,
        .settings = options->settings.values,
        .setting_count = options->settings.count,
        .settings_folder = cli_folder(cli),
        .yes = options->yes,
        .confirmed = options->confirmed.values,
        .confirmed_count = options->confirmed.count,
        .without_guards = options->without_guards.values,
        .without_guard_count = options->without_guards.count,
        .why = options->why,
        .rollback_on_failure = equal(options->on_failure, "rollback"),
        .stop_fd = signals_stop_fd(),
        .interrupted = signals_first(),
    };
    return cli_place(cli, findings, &out->place, &cluster);
}

static size_t next_commands(struct cli *cli, const struct run_summary *summary, const char *skip,
                            struct next_command out[4])
{
    size_t count = run_next_commands(cli->arena, summary, out), kept = 0;
    const char *skipped = arena_printf(cli->arena, "holdback %s ", skip == NULL ? "" : skip);

    for (size_t at = 0; at < count; at++) {
        if (skip == NULL || !starts_with(out[at].command, skipped))
            out[kept++] = out[at];
    }
    return kept;
}

void next_append(struct text *text, struct cli *cli, const struct run_summary *summary,
                 const char *skip)
{
    struct next_command next[4];
    size_t count = next_commands(cli, summary, skip, next);
    int widest = 0, longest = 0, room = cli->err.width == 0 ? 100 : cli->err.width;

    for (size_t at = 0; at < count; at++) {
        int width;

        if (cli->where != NULL)
            next[at].command = arena_printf(cli->arena, "%s %s", next[at].command, cli->where);
        width = string_width(next[at].command);
        widest = width > widest ? width : widest;
        width = string_width(next[at].what);
        longest = width > longest ? width : longest;
    }
    if (count > 0)
        text_append(text, "next:\n");
    // A command stays on one line, so that it can be copied.
    for (size_t at = 0; at < count; at++) {
        text_append(text, "  ");
        if (2 + widest + 2 + longest < room)
            text_append_padded(text, next[at].command, widest + 2);
        else
            text_append_format(text, "%s\n      ", next[at].command);
        text_append_visible(text, next[at].what, strlen(next[at].what));
        text_append(text, "\n");
    }
}

const struct node *summary_roles(const struct run_summary *summary)
{
    const struct node *roles = NULL;

    for (const struct record *record = summary->records; record != NULL; record = record->next) {
        if (equal(record->type, "resolved"))
            roles = node_find(record->node, "roles");
    }
    return roles;
}

const char *host_title(struct arena *arena, const struct node *roles, const struct node *hosts,
                       const char *host)
{
    if (host == NULL)
        return "";
    if (strchr(host, ' ') != NULL)
        return host;
    if (roles == NULL) {
        // Nothing is pinned yet; a step that names one thing that is not this host names its role.
        if (hosts == NULL || hosts->kind == NODE_LIST || equal(hosts->text, host))
            return host;
        return arena_printf(arena, "%s (%s)", hosts->text, host);
    }
    // The role that the step names, else any: a host can have several.
    NODE_EACH(role, roles)
    {
        if (node_has(hosts, role->key) && node_has(role, host))
            return arena_printf(arena, "%s (%s)", role->key, host);
    }
    NODE_EACH(role, roles)
    {
        if (node_has(role, host))
            return arena_printf(arena, "%s (%s)", role->key, host);
    }
    return host;
}

const char *duration_words(int64_t duration_ms, char out[DURATION_SIZE])
{
    int64_t seconds = duration_ms / 1000;

    if (duration_ms < 1000)
        (void)snprintf(out, DURATION_SIZE, "%d ms", (int)duration_ms);
    else if (duration_ms < 10000)
        (void)snprintf(out, DURATION_SIZE, "%.1f s", (double)duration_ms / 1000);
    else if (seconds < 60)
        (void)snprintf(out, DURATION_SIZE, "%" PRId64 " s", seconds);
    else if (seconds < 3600)
        (void)snprintf(out, DURATION_SIZE, "%" PRId64 ":%02d", seconds / 60, (int)(seconds % 60));
    else
        (void)snprintf(out, DURATION_SIZE, "%" PRId64 ":%02d:%02d", seconds / 3600,
                       (int)(seconds / 60 % 60), (int)(seconds % 60));
    return out;
}
