#include "base/file.h"
#include "run/engine.h"
#include "run/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const char **settings_of(const struct run *run, size_t *count)
{
    const struct node *settings =
        run->ledger.run == NULL ? NULL : node_find(run->ledger.run, "settings");
    const char **list;

    if (settings == NULL) {
        *count = run->options->setting_count;
        return (const char **)run->options->settings;
    }
    *count = 0;
    list = arena_alloc(run->arena, sizeof *list * (settings->count + 1));
    NODE_EACH(setting, settings)
    list[(*count)++] = setting->text;
    return list;
}

struct error *prepare_files(struct run *run, struct inputs *cluster_inputs,
                            struct inputs *plan_inputs, const char *plan_file,
                            const char *cluster_file)
{
    size_t setting_count;
    const char **settings = settings_of(run, &setting_count);

    run->scope = scope_new(run->arena);
    run->cluster = cluster_read(run->arena, cluster_inputs, cluster_file, run->findings);
    if (run->cluster != NULL) {
        const struct plan_options options = {
            .cluster = run->cluster,
            .settings = settings,
            .setting_count = setting_count,
            .settings_folder = run->ledger.run == NULL
                                   ? run->options->settings_folder
                                   : node_text(run->ledger.run, "settings_folder"),
        };

        run->plan =
            plan_read(run->arena, plan_inputs, plan_file, &options, run->scope, run->findings);
    }
    if (run->plan != NULL) {
        actions_bind(run->plan);
        actions_validate(run->arena, run->plan, run->cluster, run->scope, run->findings);
    }
    if (run->findings->error_count > 0)
        return error_new(run->arena, ERROR_INPUT, "the plan or the cluster file has %zu error%s",
                         run->findings->error_count, run->findings->error_count == 1 ? "" : "s");
    cluster_fill_scope(run->cluster, run->scope);
    return NULL;
}

struct error *prepare_hosts(struct run *run)
{
    run->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (run->stop_fd < 0)
        return error_new(run->arena, ERROR_FAILED, "could not make an event descriptor: %s",
                         errno_text(run->arena, errno));
    run->hosts = arena_alloc(run->arena, sizeof(struct host *) * run->cluster->host_count);
    run->is_lost = arena_alloc(run->arena, sizeof(bool) * run->cluster->host_count);
    for (size_t at = 0; at < run->cluster->host_count; at++)
        run->hosts[at] = host_new(&run->cluster->hosts[at], run->stop_fd);
    return NULL;
}

void run_release(struct run *run)
{
    if (run->hosts != NULL) {
        for (size_t at = 0; at < run->cluster->host_count; at++)
            host_free(run->hosts[at]);
        (void)close(run->stop_fd);
    }
    journal_close(run->journal);
    if (run->lock_fd >= 0)
        (void)close(run->lock_fd);
}

const struct host_settings **hosts_alive(const struct run *run, size_t *count)
{
    const struct host_settings **hosts =
        arena_alloc(run->arena, sizeof(struct host_settings *) * (run->cluster->host_count + 1));

    *count = 0;
    for (size_t at = 0; at < run->cluster->host_count; at++) {
        if (!run->is_lost[at])
            hosts[(*count)++] = &run->cluster->hosts[at];
    }
    return hosts;
}

struct error *workers_gather(struct run *run, struct worker *workers, size_t count)
{
    struct error *worst = NULL;

    for (size_t at = 0; at < count; at++) {
        struct error *error = workers[at].error;

        if (error == NULL)
            continue;
        if (error->kind == ERROR_UNREACHABLE || error->kind == ERROR_TIMEOUT) {
            run->is_lost[run_host_index(run, workers[at].target)] = true;
            error->kind = ERROR_UNREACHABLE;
            if (run->ledger.summary.state != RUN_PREFLIGHT && !run->is_preview)
                continue;
        }
        // Another's claim says more than an unreachable host does.
        if (worst == NULL || (worst->kind != ERROR_LOCKED && error->kind == ERROR_LOCKED))
            worst = error_copy(run->arena, error);
    }
    return worst;
}

static void saved_into_scope(struct run *run, const struct ledger_value *saved)
{
    // The list is newest first, and a later value replaces an earlier one.
    if (saved == NULL)
        return;
    saved_into_scope(run, saved->next);
    scope_set_text(run->scope, saved->host, saved->name, saved->text);
}

void prepare_scope(struct run *run)
{
    roles_into_scope(run);
    scope_set_text(run->scope, NULL, "run.id", run->id);
    NODE_EACH(folder, node_find(run->ledger.identity, "folders"))
    scope_set_text(run->scope, folder->key, "run.folder", folder->text);
    saved_into_scope(run, run->ledger.saved);
}
