/* Reading a cluster's state from Patroni's REST. */
#include "patroni_state.h"

#include <string.h>

enum {
    PATIENCE_MS = 3000, /* for one answer: another member may be dead */
    PAUSE_MS = 200,
};

static int64_t patience(const struct work *work)
{
    int64_t deadline_ms = clock_ms() + PATIENCE_MS;
    return deadline_ms < work->deadline_ms ? deadline_ms : work->deadline_ms;
}

/* ERROR_FAILED of the readers is an answer that is of no use; anything else is ours to return. */
static bool is_real(const struct error *error)
{
    return error != NULL && error->kind != ERROR_FAILED && error->kind != ERROR_TIMEOUT;
}

struct error *patroni_status(struct work *work, const struct host_settings *member,
                             enum patroni_reach *reach, struct patroni_status *out)
{
    *out = (struct patroni_status){0};
    *reach = PATRONI_SILENT;
    struct error *error =
        patroni_read_status(work->host, work->arena, member, patience(work), reach, out);
    return is_real(error) ? error : NULL;
}

/* The step's own host first, then the others in the cluster file's order; NULL ends. */
static const struct host_settings *next_member(const struct work *work,
                                               const struct host_settings *member)
{
    const struct host_settings *hosts = work->cluster->hosts;
    if (member == NULL)
        return work->target;
    size_t next = member == work->target ? 0 : (size_t)(member - hosts) + 1;
    if (next < work->cluster->host_count && &hosts[next] == work->target)
        next++;
    return next < work->cluster->host_count ? &hosts[next] : NULL;
}

struct error *patroni_ask_any(struct work *work, const char *path, struct patroni_answer *answer)
{
    const struct host_settings *member = NULL;
    *answer = (struct patroni_answer){0};
    while ((member = next_member(work, member)) != NULL) {
        enum patroni_reach reach;
        struct patroni_answer found = {0};
        struct error *error = patroni_request(work->host, work->arena, member, "GET", path, NULL,
                                              patience(work), &reach, &found);
        if (error != NULL)
            return error;
        if (reach == PATRONI_ANSWERED && found.status == 200 && found.body != NULL) {
            *answer = found;
            return NULL;
        }
    }
    return NULL;
}

struct error *patroni_members(struct work *work, struct patroni_cluster *out, bool *is_known)
{
    const struct host_settings *member = NULL;
    *is_known = false;
    *out = (struct patroni_cluster){0};
    while (!*is_known && (member = next_member(work, member)) != NULL) {
        struct error *error =
            patroni_read_cluster(work->host, work->arena, member, patience(work), NULL, out);
        if (is_real(error))
            return error;
        *is_known = error == NULL;
    }
    return NULL;
}

/* Whether what was asked for without an answer is done. */
static struct error *config_shows(struct work *work, const char *json, bool *is_so)
{
    const struct node *patch, *first;
    struct patroni_answer config;
    struct error *error = json_parse(work->arena, "a patch", json, strlen(json), &patch);
    if (error == NULL)
        error = patroni_ask_any(work, "/config", &config);
    if (error == NULL)
        *is_so = config.body != NULL && json_is_patched(patch, config.body, &first);
    return error;
}

struct error *patroni_patch_config(struct work *work, const char *json)
{
    const char *refusal = NULL;
    do {
        const struct host_settings *member = NULL;
        while ((member = next_member(work, member)) != NULL) {
            enum patroni_reach reach = PATRONI_SILENT;
            struct patroni_answer answer = {0};
            struct error *error = patroni_request(work->host, work->arena, member, "PATCH",
                                                  "/config", json, patience(work), &reach, &answer);
            bool is_so = reach == PATRONI_ANSWERED && answer.status == 200;
            if (error == NULL && reach == PATRONI_SILENT)
                error = config_shows(work, json, &is_so);
            if (error != NULL || is_so)
                return error;
            if (reach == PATRONI_SILENT && refusal == NULL)
                refusal =
                    arena_printf(work->arena, "no answer from Patroni of \"%s\"", member->member);
            if (reach != PATRONI_ANSWERED)
                continue;
            refusal = arena_printf(work->arena, "HTTP status %d: %s", answer.status, answer.text);
            if (answer.status != 409 && answer.status < 500)
                return error_new(work->arena, ERROR_FAILED,
                                 "Patroni of \"%s\" refused the change of its configuration: %s",
                                 member->member, refusal);
        }
        if (refusal == NULL)
            return error_new(work->arena, ERROR_FAILED,
                             "could not change Patroni's configuration: no Patroni is running");
    } while (work_pause(work, PAUSE_MS) == NULL);
    return error_new(work->arena, ERROR_FAILED, "could not change Patroni's configuration: %s",
                     refusal);
}

static struct error *poke(struct work *work, const struct host_settings *member, bool *is_refused)
{
    enum patroni_reach reach = PATRONI_SILENT;
    struct patroni_answer answer = {0};
    struct error *error = patroni_request(work->host, work->arena, member, "PATCH", "/config",
                                          "{\"holdback\":null}", patience(work), &reach, &answer);
    *is_refused = reach == PATRONI_ANSWERED && answer.status == 503;
    return error;
}

struct error *patroni_poke(struct work *work, const struct host_settings *member)
{
    bool ignored;
    return poke(work, member, &ignored);
}

struct error *patroni_wake(struct work *work, const struct host_settings *member)
{
    bool is_refused;
    struct error *error;
    while ((error = poke(work, member, &is_refused)) == NULL && is_refused) {
        work->watch(work, "waits until Patroni has written its configuration to the DCS");
        error = work_pause(work, PAUSE_MS);
        if (error != NULL)
            return error->kind == ERROR_TIMEOUT ? NULL : error;
    }
    return error;
}

static const struct host_settings *find_member(const struct work *work, const char *name)
{
    for (size_t i = 0; i < work->cluster->host_count; i++)
        if (equal(work->cluster->hosts[i].member, name))
            return &work->cluster->hosts[i];
    return NULL;
}

struct error *patroni_unknown_members(struct work *work, const struct patroni_cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        const char *name = cluster->members[i].name;
        if (find_member(work, name) == NULL)
            return error_hint(work->arena,
                              error_new(work->arena, ERROR_FAILED,
                                        "member \"%s\" of the cluster is not in the cluster file",
                                        name),
                              "Every member must be known, or a node would be left behind.");
    }
    return NULL;
}

/* *WORDS stays NULL if every member shows it. */
static struct error *members_show(struct work *work, const struct patroni_cluster *cluster,
                                  bool wanted, const char **words)
{
    for (size_t i = 0; i < work->cluster->host_count; i++) {
        const struct host_settings *member = &work->cluster->hosts[i];
        enum patroni_reach reach;
        struct patroni_status status;
        struct error *error = patroni_status(work, member, &reach, &status);
        if (error != NULL)
            return error;
        if (reach == PATRONI_ANSWERED && status.is_maintenance != wanted)
            *words = arena_printf(work->arena, "member \"%s\" %s maintenance mode", member->member,
                                  wanted ? "does not show" : "still shows");
        // Who gives no answer and has no key in the DCS either takes no part in the cluster.
        if (reach == PATRONI_SILENT && patroni_find_member(cluster, member->member) != NULL)
            *words = arena_printf(work->arena, "no answer from Patroni of \"%s\"", member->member);
        if (*words != NULL)
            return NULL;
    }
    return NULL;
}

struct error *patroni_maintenance(struct work *work, bool wanted, bool *is_so, const char **words)
{
    struct patroni_answer config;
    struct patroni_cluster cluster = {0};
    bool is_known = false;
    struct error *error = patroni_ask_any(work, "/config", &config);
    if (error == NULL)
        error = patroni_members(work, &cluster, &is_known);
    if (error == NULL)
        error = patroni_unknown_members(work, &cluster);
    if (error != NULL)
        return error;
    const char *why = NULL;
    if (config.body == NULL || !is_known)
        why = "no answer: no Patroni knows the cluster";
    else if (node_bool(config.body, "pause", false) != wanted)
        why = wanted ? "maintenance mode is off" : "maintenance mode is on";
    else
        error = members_show(work, &cluster, wanted, &why);
    if (error != NULL)
        return error;
    *is_so = why == NULL;
    *words = why != NULL ? why : wanted ? "maintenance mode is on" : "maintenance mode is off";
    return NULL;
}

struct error *patroni_role_host(struct work *work, const char *role,
                                const struct host_settings **out)
{
    size_t count;
    const struct host_settings *const *hosts = work_role(work, role, &count);
    if (count != 1)
        return error_new(work->arena, ERROR_FAILED,
                         "role \"%s\" stands for %zu hosts, and one is needed", role, count);
    *out = hosts[0];
    return NULL;
}

bool json_equal(const struct node *a, const struct node *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    bool a_is_scalar = a->kind == NODE_TEXT || a->kind == NODE_NUMBER || a->kind == NODE_BOOLEAN;
    bool b_is_scalar = b->kind == NODE_TEXT || b->kind == NODE_NUMBER || b->kind == NODE_BOOLEAN;
    if (a_is_scalar && b_is_scalar)
        return equal(a->text, b->text);
    if (a->kind != b->kind || a->count != b->count)
        return false;
    if (a->kind == NODE_LIST) {
        const struct node *other = b->child;
        NODE_EACH(item, a)
        {
            if (!json_equal(item, other))
                return false;
            other = other->next;
        }
    }
    if (a->kind == NODE_MAP)
        NODE_EACH(item, a)
    if (!json_equal(item, node_find(b, item->key)))
        return false;
    return true;
}

bool json_is_patched(const struct node *patch, const struct node *current,
                     const struct node **first)
{
    NODE_EACH(item, patch)
    {
        const struct node *now = node_find(current, item->key);
        bool is_so = item->kind == NODE_NULL  ? now == NULL || now->kind == NODE_NULL
                     : item->kind == NODE_MAP ? json_is_patched(item, now, first)
                                              : json_equal(item, now);
        if (is_so)
            continue;
        if (item->kind != NODE_MAP)
            *first = item;
        return false;
    }
    return true;
}
