/* Which hosts a plan's roles stand for: asked of Patroni once per run, then pinned by the journal.
 */
#include "run/engine.h"

enum {
    ASK_TIMEOUT_MS = 20000,
};

static bool role_matches(const struct role *role, const struct patroni_member *member)
{
    if (role->patroni == NULL || equal(role->patroni, "member"))
        return true;
    if (equal(role->patroni, "leader"))
        return member->is_leader;
    if (equal(role->patroni, "sync-standby"))
        return equal(member->role, "sync_standby") || equal(member->role, "quorum_standby");
    return !member->is_leader;
}

static bool role_has(const struct pinned_role *role, const struct host_settings *host)
{
    for (size_t at = 0; at < role->count; at++) {
        if (role->hosts[at] == host)
            return true;
    }
    return false;
}

static const struct pinned_role *pinned_find(const struct pinned_role *roles, size_t count,
                                             const char *name)
{
    for (size_t at = 0; at < count; at++) {
        if (equal(roles[at].name, name))
            return &roles[at];
    }
    return NULL;
}

struct role_search {
    const struct run *run;
    const struct role *role;
    const struct patroni_cluster *members;
    const struct pinned_role *pinned; /* roles that were resolved before */
    size_t pinned_count;
    const struct host_settings **found;
    size_t count;
};

static void role_consider(struct role_search *search, const struct host_settings *host)
{
    const struct patroni_member *member = patroni_find_member(search->members, host->member);
    const struct pinned_role so_far = {.hosts = search->found, .count = search->count};

    if (member == NULL || !role_matches(search->role, member) || role_has(&so_far, host))
        return;
    NODE_EACH(except, search->role->except)
    {
        const struct pinned_role *other =
            pinned_find(search->pinned, search->pinned_count, except->text);

        if (other != NULL && role_has(other, host))
            return;
    }
    search->found[search->count++] = host;
}

/* The cluster file's preference comes first, then the order of its hosts. */
static struct error *role_resolve(struct role_search *search)
{
    const struct cluster *cluster = search->run->cluster;
    struct arena *arena = search->run->arena;

    search->found = arena_alloc(arena, sizeof(struct host_settings *) * (cluster->host_count + 1));
    NODE_EACH(name, node_find(cluster->roles, search->role->name))
    role_consider(search, cluster_find_host(cluster, name->text));
    for (size_t at = 0; at < cluster->host_count; at++)
        role_consider(search, &cluster->hosts[at]);
    if (search->count == 0 && !search->role->may_be_empty)
        return error_hint(
            arena,
            error_new(arena, ERROR_REFUSED, "no member of the cluster matches role \"%s\" (%s)",
                      search->role->name,
                      search->role->patroni == NULL ? "member" : search->role->patroni),
            "See the members and their roles with patronictl list.");
    if (search->role->one && search->count > 1)
        search->count = 1;
    return NULL;
}

static struct error *members_known(struct run *run, const struct patroni_cluster *members)
{
    for (size_t at = 0; at < members->count; at++) {
        bool is_known = false;

        for (size_t host = 0; host < run->cluster->host_count; host++)
            is_known |= equal(run->cluster->hosts[host].member, members->members[at].name);
        if (!is_known)
            return error_hint(run->arena,
                              error_new(run->arena, ERROR_INPUT,
                                        "member \"%s\" of the cluster is not in the cluster file",
                                        members->members[at].name),
                              "Add it to \"hosts\" in \"%s\": a rollback must reach every member.",
                              run->cluster->file);
    }
    return NULL;
}

struct error *members_read(struct run *run, struct patroni_cluster *out)
{
    struct error *error = error_new(run->arena, ERROR_UNREACHABLE, "no host could be reached");

    for (size_t at = 0; at < run->cluster->host_count && error != NULL; at++) {
        // Before anything has begun every host must answer: one that does not is enough.
        if (at > 0 && error->kind == ERROR_UNREACHABLE && !run->is_preview &&
            run->ledger.summary.state == RUN_PREFLIGHT)
            break;
        if (run->is_lost[at])
            continue;
        error = patroni_read_cluster(run->hosts[at], run->arena, &run->cluster->hosts[at],
                                     clock_ms() + ASK_TIMEOUT_MS, NULL, out);
        run->is_lost[at] = error != NULL && error->kind == ERROR_UNREACHABLE;
    }
    if (error == NULL)
        return members_known(run, out);
    error = error_because(run->arena, error, "could not learn the members of the cluster");
    if (error->kind == ERROR_FAILED)
        error->kind = ERROR_REFUSED;
    return error;
}

static void roles_record(struct run *run, const struct pinned_role *roles, size_t count)
{
    CLEANUP(text_release) struct text text = {0};
    CLEANUP(text_release) struct text variables = {0};

    for (size_t at = 0; at < count; at++) {
        text_append_format(&text, "%s%s:[", at == 0 ? "" : ",",
                           json_text(run->arena, roles[at].name));
        for (size_t host = 0; host < roles[at].count; host++)
            text_append_format(&text, "%s%s", host == 0 ? "" : ",",
                               json_text(run->arena, roles[at].hosts[host]->name));
        text_append(&text, "]");
    }
    for (size_t at = 0; at < run->plan->variable_count; at++) {
        const char *name = run->plan->variables[at].name;
        const struct value *value = scope_find(run->scope, NULL, name);

        if (value != NULL && value->type != VALUE_SECRET)
            text_append_format(&variables, "%s%s:%s", variables.length == 0 ? "" : ",",
                               json_text(run->arena, name), json_text(run->arena, value->text));
    }
    run_record(run, "resolved", "\"roles\":{%s},\"variables\":{%s}", text_string(&text),
               text_string(&variables));
}

struct error *prepare_roles(struct run *run)
{
    struct patroni_cluster members = {0};
    size_t count = run->plan->role_count;
    struct pinned_role *roles = arena_alloc(run->arena, sizeof *roles * (count + 1));

    if (run->ledger.roles != NULL)
        return NULL;
    if (count > 0) {
        struct error *error = members_read(run, &members);

        if (error != NULL)
            return error;
    }
    for (size_t at = 0; at < count; at++) {
        struct role_search search = {
            .run = run,
            .role = &run->plan->roles[at],
            .members = &members,
            .pinned = roles,
            .pinned_count = at,
        };
        struct error *error = role_resolve(&search);

        if (error != NULL)
            return error;
        roles[at] = (struct pinned_role){search.role->name, search.found, search.count};
    }
    roles_record(run, roles, count);
    return NULL;
}

static void role_into_scope(struct run *run, const struct pinned_role *role)
{
    scope_set(run->scope, NULL, arena_printf(run->arena, "%s.count", role->name),
              (struct value){.type = VALUE_INTEGER,
                             .text = arena_printf(run->arena, "%zu", role->count),
                             .number = (int64_t)role->count});
    if (role->count != 1)
        return;
    scope_set_text(run->scope, NULL, arena_printf(run->arena, "%s.member", role->name),
                   role->hosts[0]->member);
    scope_set_text(run->scope, NULL, arena_printf(run->arena, "%s.address", role->name),
                   role->hosts[0]->address);
}

void roles_into_scope(struct run *run)
{
    const struct node *pinned = run->ledger.roles;
    struct pinned_role *roles =
        arena_alloc(run->arena, sizeof *roles * (pinned == NULL ? 1 : pinned->count + 1));

    run->role_count = 0;
    run->roles = roles;
    NODE_EACH(role, pinned)
    {
        const struct host_settings **hosts =
            arena_alloc(run->arena, sizeof(struct host_settings *) * (role->count + 1));
        size_t count = 0;

        NODE_EACH(host, role)
        hosts[count++] = cluster_find_host(run->cluster, host->text);
        roles[run->role_count] = (struct pinned_role){role->key, hosts, count};
        role_into_scope(run, &roles[run->role_count++]);
    }
}

static const struct pinned_role *role_of(const struct run *run, const char *name)
{
    return pinned_find(run->roles, run->role_count, name);
}

static const char *label_by(const struct run *run, const char *name,
                            const struct host_settings *host)
{
    const struct pinned_role *role = role_of(run, name);

    if (role == NULL || !role_has(role, host))
        return NULL;
    return arena_printf(run->arena, "%s (%s)", name, host->name);
}

const char *host_label(const struct run *run, const struct step *step,
                       const struct host_settings *host)
{
    const struct node *hosts = step == NULL ? NULL : step->hosts;
    const char *label = NULL;

    if (hosts != NULL && hosts->kind == NODE_TEXT)
        label = label_by(run, hosts->text, host);
    NODE_EACH(name, hosts)
    {
        if (label == NULL)
            label = label_by(run, name->text, host);
    }
    return label == NULL ? host->name : label;
}

static void hosts_add(const struct run *run, const char *name, const struct host_settings **hosts,
                      size_t *count)
{
    const struct pinned_role *role = role_of(run, name);
    const struct host_settings *alone = cluster_find_host(run->cluster, name);
    const struct host_settings *const *from = role == NULL ? &alone : role->hosts;
    size_t from_count = role == NULL ? (alone != NULL) : role->count;

    for (size_t at = 0; at < from_count; at++) {
        const struct pinned_role so_far = {.hosts = hosts, .count = *count};

        if (!role_has(&so_far, from[at]))
            hosts[(*count)++] = from[at];
    }
}

const struct host_settings *const *step_hosts(const struct run *run, const struct step *step,
                                              size_t *count)
{
    const struct host_settings **hosts =
        arena_alloc(run->arena, sizeof(struct host_settings *) * (run->cluster->host_count + 1));

    *count = 0;
    if (step->hosts != NULL && step->hosts->kind == NODE_TEXT)
        hosts_add(run, step->hosts->text, hosts, count);
    NODE_EACH(name, step->hosts)
    hosts_add(run, name->text, hosts, count);
    return hosts;
}
