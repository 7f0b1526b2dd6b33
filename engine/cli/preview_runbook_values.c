/* What the names of a runbook's texts stand for. */
#include "cli/preview_runbook.h"

#include <string.h>

static const char *placeholder(const struct preview *preview, const char *name)
{
    return arena_printf(preview->arena, "<%s>", name);
}

/* What differs between the hosts is as little known as which of them it will be. */
static void forget_differences(const struct preview *preview, const char *name)
{
    static const char *const keys[] = {"ssh.user",
                                       "postgres.data-directory",
                                       "postgres.bin-directory",
                                       "postgres.socket-directory",
                                       "postgres.port",
                                       "patroni.config",
                                       "patroni.service"};

    for (size_t at = 0; at < ARRAY_COUNT(keys); at++) {
        if (scope_find(preview->scope, NULL, keys[at]) == NULL)
            scope_set_text(preview->scope, name, keys[at],
                           arena_printf(preview->arena, "<%s of %s>", keys[at], name));
    }
}

/* A host that stands for whichever will have the role. */
static const struct host_settings *stand_in(const struct preview *preview, const char *role)
{
    struct host_settings *host = arena_alloc(preview->arena, sizeof *host);
    const struct cluster cluster = {.name = preview->cluster->name, .hosts = host, .host_count = 1};

    *host = preview->cluster->hosts[0];
    host->name = role;
    host->address = arena_printf(preview->arena, "<address of %s>", role);
    host->member = arena_printf(preview->arena, "<member that is %s>", role);
    cluster_fill_scope(&cluster, preview->scope);
    forget_differences(preview, role);
    return host;
}

static void role_resolve(const struct preview *preview, const struct role *role,
                         struct pinned_role *out)
{
    const struct node *pinned =
        preview->run == NULL ? NULL : node_find(preview->run->roles, role->name);
    const struct host_settings **hosts =
        arena_alloc(preview->arena,
                    (1 + (pinned == NULL ? 1 : pinned->count)) * sizeof(struct host_settings *));

    *out = (struct pinned_role){.name = role->name, .hosts = hosts};
    if (pinned == NULL)
        hosts[out->count++] = stand_in(preview, role->name);
    NODE_EACH(name, pinned)
    {
        const struct host_settings *host = cluster_find_host(preview->cluster, name->text);

        if (host != NULL)
            hosts[out->count++] = host;
    }
    if (out->count > 0) {
        scope_set_text(preview->scope, NULL, arena_printf(preview->arena, "%s.member", role->name),
                       hosts[0]->member);
        scope_set_text(preview->scope, NULL, arena_printf(preview->arena, "%s.address", role->name),
                       hosts[0]->address);
    }
    scope_set_text(preview->scope, NULL, arena_printf(preview->arena, "%s.count", role->name),
                   pinned == NULL ? placeholder(preview, "count")
                                  : arena_printf(preview->arena, "%zu", out->count));
}

static void saved_resolve(const struct preview *preview)
{
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(preview->plan, (enum phase)phase, step)) != NULL;) {
            NODE_EACH(name, node_find(step->params, "save"))
            {
                scope_set_text(preview->scope, NULL, name->text, placeholder(preview, name->text));
            }
        }
    }
}

/* The ledger has them newest first, and a later value replaces an earlier one. */
static void saved_fill(const struct preview *preview, const struct ledger_value *saved)
{
    size_t count = 0;
    const struct ledger_value **values;

    for (const struct ledger_value *value = saved; value != NULL; value = value->next)
        count++;
    values = arena_alloc(preview->arena, (count + 1) * sizeof(struct ledger_value *));
    for (size_t at = count; saved != NULL; saved = saved->next)
        values[--at] = saved;
    for (size_t at = 0; at < count; at++)
        scope_set_text(preview->scope, values[at]->host, values[at]->name, values[at]->text);
}

void runbook_resolve(struct runbook *runbook)
{
    struct preview *preview = runbook->preview;
    const struct plan *plan = preview->plan;
    const struct ledger *run = preview->run;

    runbook->run = run == NULL ? "'<run>'" : run->summary.id;
    runbook->roles = arena_alloc(preview->arena, (plan->role_count + 1) * sizeof *runbook->roles);
    for (size_t at = 0; at < plan->role_count; at++)
        role_resolve(preview, &plan->roles[at], &runbook->roles[at]);
    scope_set_text(preview->scope, NULL, "run.id", run == NULL ? "<run>" : run->summary.id);
    scope_set_text(preview->scope, NULL, "run.folder", "<run.folder>");
    saved_resolve(preview);
    if (run == NULL)
        return;
    NODE_EACH(folder, node_find(run->identity, "folders"))
    {
        scope_set_text(preview->scope, folder->key, "run.folder", folder->text);
    }
    saved_fill(preview, run->saved);
}

bool runbook_is_placeholder(const struct preview *preview, const char *name)
{
    static const char *const starts[] = {"address of ",    "member that ", "password of ",
                                         "data directory", "patroni.yml",  "run"};

    for (size_t at = 0; at < ARRAY_COUNT(starts); at++) {
        if (starts_with(name, starts[at]))
            return true;
    }
    return table_find(&preview->savers, name) != NULL || strstr(name, " of ") != NULL;
}
