/*
 * What Patroni tells of a cluster and of a member. Where versions differ (asked of each):
 *
 *                                          2.0.2     3.0.2     4.0.7
 *   GET /patroni  role of the leader       master    master    primary: patroni_role()
 *                 patroni.name             -         -         given: run/identity.c asks the host
 *                 replication_state        -         -         given, on a standby
 *                 cluster_unlocked         always    if true   if true
 *                 pending_restart          (1)
 *   GET /cluster  role of the leader       leader    leader    leader
 *                 state of a standby       running   running   streaming: never relied on, the
 *                                                              leader's "replication" says it
 *                 scope                    -         -         given
 *   resumes a paused replay                no        (2)       (2)
 *
 * (1) counts recovery settings, too: a leader that was a standby says so until it is restarted.
 * (2) outside of maintenance mode, from PostgreSQL 14 on.
 */
#include "host/patroni.h"

const char *patroni_role(const char *name)
{
    return equal(name, "master") || equal(name, "primary") ? "leader" : name;
}

const struct patroni_member *patroni_find_member(const struct patroni_cluster *cluster,
                                                 const char *name)
{
    for (size_t at = 0; at < cluster->count; at++)
        if (equal(cluster->members[at].name, name))
            return &cluster->members[at];
    return NULL;
}

/* GETs PATH; *BODY is a map. */
static struct error *map_get(struct host *host, struct arena *arena,
                             const struct host_settings *member, const char *path,
                             int64_t deadline_ms, enum patroni_reach *reach,
                             const struct node **body)
{
    const char *name = member != NULL ? member->name : host_settings(host)->name;
    struct patroni_answer answer = {0};
    enum patroni_reach reached = PATRONI_SILENT;
    struct error *error =
        patroni_request(host, arena, member, "GET", path, NULL, deadline_ms, &reached, &answer);

    if (reach != NULL)
        *reach = reached;
    if (error != NULL)
        return error;
    if (reached == PATRONI_REFUSED)
        return error_new(arena, ERROR_FAILED, "Patroni is not running on host \"%s\": %s", name,
                         answer.why);
    if (reached == PATRONI_SILENT)
        return error_new(arena, ERROR_FAILED, "no answer from Patroni on host \"%s\": %s", name,
                         answer.why);
    if (answer.status != 200)
        return error_new(arena, ERROR_FAILED,
                         "Patroni on host \"%s\" answered GET %s with HTTP status %d", name, path,
                         answer.status);
    if (answer.body == NULL || answer.body->kind != NODE_MAP)
        return error_new(arena, ERROR_FAILED,
                         "Patroni on host \"%s\" answered GET %s with no JSON object", name, path);
    *body = answer.body;
    return NULL;
}

static const char *text_of(const struct node *map, const char *key)
{
    const char *text = node_text(map, key);

    return text != NULL ? text : "";
}

static const struct node *map_of(const struct node *map, const char *key)
{
    const struct node *node = node_find(map, key);

    return node != NULL && node->kind == NODE_MAP ? node : NULL;
}

static void member_read(const struct node *node, struct patroni_member *out)
{
    const char *role = patroni_role(text_of(node, "role"));
    bool is_leader = equal(role, "leader") || equal(role, "standby_leader");

    *out = (struct patroni_member){
        .name = text_of(node, "name"),
        .role = role,
        .state = text_of(node, "state"),
        .api_url = text_of(node, "api_url"),
        .address = text_of(node, "host"),
        .port = (int)node_integer(node, "port", 0),
        .timeline = node_integer(node, "timeline", 0),
        .lag_bytes = is_leader ? -1 : node_integer(node, "lag", -1),
        .is_leader = is_leader,
        .has_pending_restart = node_bool(node, "pending_restart", false),
        .tags = map_of(node, "tags"),
        .scheduled_restart = map_of(node, "scheduled_restart"),
    };
}

struct error *patroni_read_cluster(struct host *host, struct arena *arena,
                                   const struct host_settings *member, int64_t deadline_ms,
                                   enum patroni_reach *reach, struct patroni_cluster *out)
{
    const struct node *body = NULL;
    struct error *error = map_get(host, arena, member, "/cluster", deadline_ms, reach, &body);

    if (error != NULL)
        return error;

    const struct node *list = node_find(body, "members");
    size_t count = list != NULL ? list->count : 0;
    struct patroni_member *members = arena_alloc(arena, (count + 1) * sizeof *members);
    struct patroni_cluster cluster = {
        .members = members,
        .count = count,
        .is_maintenance = node_bool(body, "pause", false),
        .scheduled_switchover = map_of(body, "scheduled_switchover"),
    };

    NODE_EACH(node, list)
    {
        member_read(node, members);
        if (members->is_leader)
            cluster.leader = members;
        members++;
    }
    *out = cluster;
    return NULL;
}

struct error *patroni_read_status(struct host *host, struct arena *arena,
                                  const struct host_settings *member, int64_t deadline_ms,
                                  enum patroni_reach *reach, struct patroni_status *out)
{
    const struct node *body = NULL;
    struct error *error = map_get(host, arena, member, "/patroni", deadline_ms, reach, &body);

    if (error != NULL)
        return error;
    *out = (struct patroni_status){
        .state = text_of(body, "state"),
        .role = patroni_role(text_of(body, "role")),
        .version = text_of(map_of(body, "patroni"), "version"),
        .system_identifier = text_of(body, "database_system_identifier"),
        .server_version = node_integer(body, "server_version", 0),
        .timeline = node_integer(body, "timeline", 0),
        .is_maintenance = node_bool(body, "pause", false),
        .has_pending_restart = node_bool(body, "pending_restart", false),
        .is_unlocked = node_bool(body, "cluster_unlocked", false),
        .body = body,
    };
    return NULL;
}
