/* patroni: what is asked of a member by REST: switchover, restart, reload, wake. */
#include "patroni.h"

#include <string.h>

enum {
    POLL_MS = 100,
    /* After a switchover or a start a healthy candidate is refused for some seconds. */
    CANDIDATE_PATIENCE_MS = 10000,
};

struct error *patroni_refusal(struct work *work, const char *what,
                              const struct patroni_answer *answer)
{
    const char *text = answer->text == NULL ? "" : answer->text;
    size_t length = strcspn(text, "\n");
    CLEANUP(text_release) struct text visible = {0};
    text_append_visible(&visible, text, length > 300 ? 300 : length);
    return error_new(work->arena, ERROR_FAILED, "Patroni refused %s: HTTP status %d: %s", what,
                     answer->status, text_string(&visible));
}

struct error *patroni_post(struct work *work, const struct host_settings *member, const char *path,
                           const char *json, enum patroni_reach *reach,
                           struct patroni_answer *answer)
{
    // The answer may be lost: the other half of the time is for looking what became of it.
    int64_t now_ms = clock_ms(), deadline_ms = now_ms + (work->deadline_ms - now_ms) / 2;
    *answer = (struct patroni_answer){0};
    struct error *error = patroni_request(work->host, work->arena, member, "POST", path, json,
                                          deadline_ms, reach, answer);
    if (error == NULL && *reach == PATRONI_REFUSED)
        error = error_new(work->arena, ERROR_FAILED, "Patroni of \"%s\" is not running",
                          member->member);
    return error;
}

static struct error *look_leader(struct work *work, const struct node *value, bool *is_so,
                                 const char **words)
{
    const struct host_settings *wanted;
    struct patroni_cluster cluster = {0};
    struct patroni_status status = {0};
    enum patroni_reach reach;
    bool is_known;
    struct error *error = patroni_role_host(work, value->text, &wanted);
    if (error == NULL)
        error = patroni_members(work, &cluster, &is_known);
    if (error == NULL)
        error = patroni_status(work, wanted, &reach, &status);
    if (error != NULL)
        return error;
    const char *leader = cluster.leader == NULL ? NULL : cluster.leader->name;
    // The key comes before the promotion: only who also writes leads.
    bool is_promoted = equal(status.role, "leader") || equal(status.role, "standby_leader");
    *is_so = equal(leader, wanted->member) && is_promoted;
    *words = !is_known        ? "no answer: no Patroni knows the cluster"
             : leader == NULL ? "no member leads"
                              : arena_printf(work->arena, "member \"%s\" leads", leader);
    if (!*is_so && !work->is_repeat)
        work_change(work, "switchover from \"%s\" to \"%s\"", leader == NULL ? "nobody" : leader,
                    wanted->member);
    return NULL;
}

static struct error *apply_leader(struct work *work, const struct node *value, enum apply *outcome)
{
    const struct host_settings *wanted;
    struct patroni_answer answer = {0};
    struct patroni_cluster cluster = {0};
    bool is_known;
    *outcome = APPLY_NOTHING;
    struct error *error = patroni_role_host(work, value->text, &wanted);
    if (error == NULL)
        error = patroni_members(work, &cluster, &is_known);
    if (error != NULL)
        return error;
    const char *leader = cluster.leader == NULL ? NULL : cluster.leader->name;
    if (leader == NULL)
        return error_new(work->arena, ERROR_FAILED, "cannot switch over to \"%s\": %s",
                         wanted->member,
                         is_known ? "no member leads" : "no Patroni knows the cluster");
    // The key has moved already, and the promotion is under way.
    if (equal(leader, wanted->member))
        return NULL;
    CLEANUP(text_release) struct text json = {0};
    text_append(&json, "{\"leader\":");
    text_append_json(&json, leader, strlen(leader));
    text_append(&json, ",\"candidate\":");
    text_append_json(&json, wanted->member, strlen(wanted->member));
    text_append(&json, "}");
    enum patroni_reach reach = PATRONI_SILENT;
    int64_t patience_ms = clock_ms() + CANDIDATE_PATIENCE_MS;
    do
        error =
            patroni_post(work, work->target, "/switchover", text_string(&json), &reach, &answer);
    while (error == NULL && answer.status == 412 && clock_ms() < patience_ms &&
           work_pause(work, POLL_MS) == NULL);
    if (error != NULL || reach == PATRONI_SILENT || answer.status < 400)
        return error;
    // "status unknown": it may be under way, so only looking tells.
    if (answer.status == 503 && (answer.text == NULL || strstr(answer.text, "failed") == NULL))
        return NULL;
    *outcome = answer.status == 503 ? APPLY_MAYBE : APPLY_NOTHING;
    return patroni_refusal(work, "the switchover", &answer);
}

const struct patroni_key patroni_leader_key = {
    .name = "leader",
    .look = look_leader,
    .apply = apply_leader,
};

/* GET /patroni of the step's own host; an answer is needed. */
static struct error *own_state(struct work *work, struct patroni_status *out)
{
    enum patroni_reach reach;
    struct error *error = patroni_status(work, work->target, &reach, out);
    if (error == NULL && out->body == NULL)
        error = error_new(work->arena, ERROR_FAILED, "no answer from Patroni of \"%s\"",
                          work->target->member);
    return error;
}

static const char *start_time(const struct patroni_status *status)
{
    return node_text(status->body, "postmaster_start_time");
}

static struct error *look_restart(struct work *work, const struct node *value, bool *is_so,
                                  const char **words)
{
    struct patroni_status status;
    struct error *error = own_state(work, &status);
    if (error != NULL)
        return error;
    *is_so = equal(value->text, "pending") && !status.has_pending_restart;
    *words = status.has_pending_restart ? "a restart is pending" : "no restart is pending";
    if (!*is_so && !work->is_repeat)
        work_change(work, "restart PostgreSQL, running since %s",
                    start_time(&status) == NULL ? "an unknown time" : start_time(&status));
    return NULL;
}

/* Whether the server was started after what SINCE says, and answers. */
static struct error *wait_for_new_start(struct work *work, const char *since)
{
    for (;;) {
        enum patroni_reach reach;
        struct patroni_status status;
        struct error *error = patroni_status(work, work->target, &reach, &status);
        const char *start = error == NULL ? start_time(&status) : NULL;
        if (error != NULL ||
            (start != NULL && !equal(start, since) && equal(status.state, "running")))
            return error;
        work->watch(work, "waits for PostgreSQL to come back");
        error = work_pause(work, POLL_MS);
        if (error != NULL)
            return error_because(work->arena, error, "PostgreSQL has not come back");
    }
}

/*
 * Patroni does one thing at a time: "demote already in progress" is no answer to our question. And
 * "restart conditions are not satisfied" says that its flag went after we had looked: then there is
 * nothing to do. Nothing was begun.
 */
static bool asks_to_look_again(enum patroni_reach reach, const struct patroni_answer *answer)
{
    return reach == PATRONI_ANSWERED && answer->status == 503 && answer->text != NULL &&
           (strstr(answer->text, "in progress") != NULL ||
            strstr(answer->text, "conditions are not satisfied") != NULL);
}

static struct error *apply_restart(struct work *work, const struct node *value, enum apply *outcome)
{
    struct patroni_status status;
    enum patroni_reach reach = PATRONI_SILENT;
    struct patroni_answer answer;
    bool is_pending_only = equal(value->text, "pending");
    struct error *error;
    *outcome = APPLY_NOTHING;
    for (;;) {
        error = own_state(work, &status);
        if (error != NULL)
            return error;
        if (is_pending_only && !status.has_pending_restart && equal(status.state, "running"))
            return NULL;
        error =
            patroni_post(work, work->target, "/restart",
                         is_pending_only ? "{\"restart_pending\":true}" : "{}", &reach, &answer);
        if (error != NULL || !asks_to_look_again(reach, &answer))
            break;
        work->watch(work, "Patroni does not restart now");
        if (work_pause(work, POLL_MS) != NULL)
            return patroni_refusal(work, "the restart", &answer);
    }
    if (error == NULL || reach != PATRONI_REFUSED)
        *outcome = APPLY_MAYBE;
    if (error == NULL && reach == PATRONI_ANSWERED && answer.status >= 400)
        error = patroni_refusal(work, "the restart", &answer);
    return error != NULL ? error : wait_for_new_start(work, start_time(&status));
}

const struct patroni_key patroni_restart_key = {
    .name = "restart",
    .look = look_restart,
    .apply = apply_restart,
};

/* Nothing tells afterwards that CHANGE was asked for. */
static struct error *look_momentary(struct work *work, const char *change, bool *is_so)
{
    *is_so = false;
    if (!work->is_repeat)
        work_change(work, "%s", change);
    return NULL;
}

static struct error *look_reload(struct work *work, const struct node *value, bool *is_so,
                                 const char **words)
{
    (void)value;
    *words = "a reload leaves nothing to look at";
    return look_momentary(work, "POST /reload", is_so);
}

static struct error *apply_reload(struct work *work, const struct node *value, enum apply *outcome)
{
    (void)value;
    enum patroni_reach reach = PATRONI_SILENT;
    struct patroni_answer answer;
    *outcome = APPLY_NOTHING;
    struct error *error = patroni_post(work, work->target, "/reload", "{}", &reach, &answer);
    if (error == NULL && reach == PATRONI_ANSWERED && answer.status >= 400)
        error = patroni_refusal(work, "the reload", &answer);
    if (error == NULL && reach == PATRONI_SILENT) {
        *outcome = APPLY_MAYBE;
        error = error_new(work->arena, ERROR_FAILED, "no answer from Patroni of \"%s\"",
                          work->target->member);
    }
    // It is done in the member's next loop, which may be far away.
    return error != NULL ? error : patroni_poke(work, work->target);
}

const struct patroni_key patroni_reload_key = {
    .name = "reload",
    .look = look_reload,
    .apply = apply_reload,
};

static struct error *look_wake(struct work *work, const struct node *value, bool *is_so,
                               const char **words)
{
    (void)value;
    *words = "waking Patroni leaves nothing to look at";
    return look_momentary(work, "PATCH /config, which changes nothing", is_so);
}

static struct error *apply_wake(struct work *work, const struct node *value, enum apply *outcome)
{
    (void)value;
    *outcome = APPLY_NOTHING;
    return patroni_wake(work, work->target);
}

const struct patroni_key patroni_wake_key = {
    .name = "wake",
    .look = look_wake,
    .apply = apply_wake,
};
