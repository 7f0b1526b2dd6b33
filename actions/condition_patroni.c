/* The conditions about Patroni. */
#include "condition.h"
#include "patroni_state.h"

#include <inttypes.h>
#include <string.h>

/* Evaluates one key with its expanded VALUE; *words says what is, or what is not yet. */
typedef struct error *patroni_check(struct work *work, const char *value, bool *is_true,
                                    const char **words);

/* GET /patroni of the step's own host; OUT->body is NULL, and *WORDS says why, without an answer.
 */
static struct error *ask_own(struct work *work, struct patroni_status *out, const char **words)
{
    enum patroni_reach reach;
    struct error *error = patroni_status(work, work->target, &reach, out);
    if (error == NULL && out->body == NULL)
        *words = arena_printf(work->arena, "no answer: Patroni of \"%s\" %s", work->target->member,
                              reach == PATRONI_REFUSED ? "is not running" : "says nothing");
    return error;
}

static struct error *ask_cluster(struct work *work, struct patroni_cluster *out, bool *is_known,
                                 const char **words)
{
    struct error *error = patroni_members(work, out, is_known);
    if (error == NULL && !*is_known)
        *words = "no answer: no Patroni knows the cluster";
    return error;
}

static struct error *check_maintenance(struct work *work, const char *value, bool *is_true,
                                       const char **words)
{
    return patroni_maintenance(work, equal(value, "true"), is_true, words);
}

static struct error *check_switchover(struct work *work, const char *value, bool *is_true,
                                      const char **words)
{
    struct patroni_cluster cluster;
    bool is_known;
    struct error *error = ask_cluster(work, &cluster, &is_known, words);
    if (error != NULL || !is_known)
        return error;
    bool is_scheduled = cluster.scheduled_switchover != NULL;
    *is_true = is_scheduled == equal(value, "true");
    *words = is_scheduled ? "a switchover is scheduled" : "no switchover is scheduled";
    return NULL;
}

static struct error *check_leader(struct work *work, const char *value, bool *is_true,
                                  const char **words)
{
    const struct host_settings *wanted;
    struct patroni_cluster cluster;
    bool is_known = false;
    struct error *error = patroni_role_host(work, value, &wanted);
    if (error == NULL)
        error = ask_cluster(work, &cluster, &is_known, words);
    if (error != NULL || !is_known)
        return error;
    const char *leader = cluster.leader == NULL ? NULL : cluster.leader->name;
    *is_true = equal(leader, wanted->member);
    *words = leader == NULL ? "no member leads"
                            : arena_printf(work->arena, "member \"%s\" leads", leader);
    return NULL;
}

/* Whether LEADER's own list of standbys shows MEMBER as streaming. */
static bool streams(const struct node *leader, const char *member)
{
    NODE_EACH(standby, node_find(leader, "replication"))
    if (equal(node_text(standby, "application_name"), member) &&
        equal(node_text(standby, "state"), "streaming"))
        return true;
    return false;
}

static struct error *check_follows(struct work *work, const char *value, bool *is_true,
                                   const char **words)
{
    const struct host_settings *wanted;
    struct patroni_cluster cluster;
    struct patroni_status leader = {0};
    enum patroni_reach reach;
    bool is_known = false;
    struct error *error = patroni_role_host(work, value, &wanted);
    if (error == NULL)
        error = ask_cluster(work, &cluster, &is_known, words);
    if (error == NULL && is_known)
        error = patroni_status(work, wanted, &reach, &leader);
    if (error != NULL || !is_known)
        return error;
    // A member's "running" in GET /cluster says nothing about streaming before Patroni 4.
    const char *name = work->target->member;
    const struct patroni_member *self = patroni_find_member(&cluster, name);
    if (leader.body == NULL)
        *words = arena_printf(work->arena, "no answer from Patroni of \"%s\"", wanted->member);
    else if (self == NULL)
        *words = arena_printf(work->arena, "no member \"%s\" in the cluster", name);
    else if (!streams(leader.body, name))
        *words =
            arena_printf(work->arena, "\"%s\" does not stream from \"%s\"", name, wanted->member);
    else if (self->timeline != leader.timeline)
        *words = arena_printf(work->arena, "timeline %" PRId64 ", not %" PRId64, self->timeline,
                              leader.timeline);
    else {
        *is_true = true;
        *words = arena_printf(work->arena, "streams from \"%s\" on timeline %" PRId64,
                              wanted->member, self->timeline);
    }
    return NULL;
}

static struct error *check_state(struct work *work, const char *value, bool *is_true,
                                 const char **words)
{
    struct patroni_status status;
    struct error *error = ask_own(work, &status, words);
    if (error != NULL || status.body == NULL)
        return error;
    *is_true =
        equal(status.state, value) || equal(node_text(status.body, "replication_state"), value);
    *words = arena_printf(work->arena, "state %s", status.state);
    return NULL;
}

static struct error *check_role(struct work *work, const char *value, bool *is_true,
                                const char **words)
{
    struct patroni_cluster cluster;
    bool is_known;
    struct error *error = ask_cluster(work, &cluster, &is_known, words);
    if (error != NULL || !is_known)
        return error;
    const struct patroni_member *self = patroni_find_member(&cluster, work->target->member);
    if (self == NULL) {
        *words = arena_printf(work->arena, "no member \"%s\" in the cluster", work->target->member);
        return NULL;
    }
    // A synchronous standby is a replica, too.
    *is_true = equal(self->role, patroni_role(value)) ||
               (equal(value, "replica") && ends_with(self->role, "sync_standby")) ||
               (equal(value, "replica") && ends_with(self->role, "quorum_standby"));
    *words = arena_printf(work->arena, "role %s", self->role);
    return NULL;
}

static struct error *check_pending_restart(struct work *work, const char *value, bool *is_true,
                                           const char **words)
{
    struct patroni_status status;
    struct error *error = ask_own(work, &status, words);
    if (error != NULL || status.body == NULL)
        return error;
    *is_true = status.has_pending_restart == equal(value, "true");
    *words = status.has_pending_restart ? "a restart is pending" : "no restart is pending";
    return NULL;
}

static struct error *check_timeline(struct work *work, const char *value, bool *is_true,
                                    const char **words)
{
    struct patroni_status status;
    struct error *error = ask_own(work, &status, words);
    if (error != NULL || status.body == NULL)
        return error;
    *is_true = equal(arena_printf(work->arena, "%" PRId64, status.timeline), value);
    *words = status.timeline == 0 ? "timeline unknown"
                                  : arena_printf(work->arena, "timeline %" PRId64, status.timeline);
    return NULL;
}

static struct error *check_config(struct work *work, const char *value, bool *is_true,
                                  const char **words)
{
    const struct node *wanted;
    struct patroni_answer answer = {0};
    struct error *error = json_parse(work->arena, "config-is", value, strlen(value), &wanted);
    if (error == NULL)
        error = patroni_ask_any(work, "/config", &answer);
    if (error != NULL)
        return error;
    *is_true = answer.body != NULL && json_equal(answer.body, wanted);
    *words = answer.body == NULL ? "no answer: no Patroni knows the cluster"
             : *is_true          ? "the configuration is as expected"
                                 : "the configuration differs";
    return NULL;
}

struct error *condition_patroni(struct work *work, const struct node *map,
                                struct condition_result *out)
{
    static const struct {
        const char *key;
        patroni_check *check;
    } checks[] = {
        {"maintenance", check_maintenance},
        {"scheduled-switchover", check_switchover},
        {"leader", check_leader},
        {"follows", check_follows},
        {"state", check_state},
        {"role", check_role},
        {"pending-restart", check_pending_restart},
        {"timeline", check_timeline},
        {"config-is", check_config},
    };
    for (size_t i = 0; i < ARRAY_COUNT(checks); i++) {
        const struct node *node = node_find(map, checks[i].key);
        if (node == NULL)
            continue;
        const char *value, *words = NULL;
        bool is_true = false;
        struct error *error = work_text(work, node, &value);
        if (error == NULL)
            error = checks[i].check(work, value, &is_true, &words);
        if (error != NULL)
            return error;
        out->is_true = is_true;
        out->words = out->value = words;
        if (!is_true)
            return NULL;
    }
    return NULL;
}
