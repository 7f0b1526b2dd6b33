/*
 * patroni: removing a cluster's keys from the DCS, by patronictl on the host. While any Patroni of
 * the cluster runs, the keys come back within seconds and another member takes the lead, so it is
 * refused until every one is proven down. Source: patroni/ctl.py; measured with 2.0.2 to 4.0.7.
 */
#include "patroni.h"

#include <string.h>

enum { POLL_MS = 500 };

/* Runs patronictl as root (its file is not for everybody) with $1 its file, $2 the cluster, $3. */
static struct error *run_script(struct work *work, bool is_change, const char *script,
                                const char *third, struct shell_result *out)
{
    const char *arguments[] = {work->target->patroni.config, work->cluster->name, third, NULL};
    if (arguments[0] == NULL)
        return error_new(work->arena, ERROR_INPUT,
                         "the cluster file does not say \"patroni.config\" of host \"%s\"",
                         work->target->name);
    return is_change ? work_change_script(work, "root", script, arguments, out)
                     : work_script(work, "root", script, arguments, out);
}

/*
 * The configuration key is there from the bootstrap to the removal; nothing else of a cluster whose
 * Patronis are all down can be seen with patronictl. Without it, 3.0.2 ends in a Python error about
 * NoneType, and later versions print nothing. Exit status 0 of other commands says nothing: they
 * are satisfied with a cluster that does not exist.
 */
static const char look_script[] =
    "export LC_ALL=C.UTF-8 LANG=C.UTF-8\n"
    "status=0\n"
    "said=$(patronictl -c \"$1\" show-config \"$2\" 2>&1) || status=$?\n"
    "case $status:$said in\n"
    "0:) echo absent ;;\n"
    "0:*) echo present ;;\n"
    "*\"'NoneType' object has no attribute 'data'\"*) echo absent ;;\n"
    "*) printf '%s\\n' \"$said\" >&2; exit 1 ;;\n"
    "esac\n";

static struct error *look_cluster(struct work *work, const struct node *value, bool *is_so,
                                  const char **words)
{
    (void)value;
    struct shell_result result = {0};
    struct error *error = run_script(work, false, look_script, "", &result);
    if (error != NULL)
        return error;
    *is_so = starts_with(text_string(&result.out), "absent");
    *words = *is_so ? "the DCS has nothing of the cluster" : "the DCS has the cluster's keys";
    if (result.status != 0)
        error = error_new(work->arena, ERROR_FAILED, "could not ask the DCS: %s",
                          work_status_text(work, &result));
    shell_result_release(&result);
    if (error == NULL && !*is_so && !work->is_repeat)
        work_change(work, "patronictl remove %s", work->cluster->name);
    return error;
}

/* The members that have a key in the DCS, as patronictl lists them: [{"Member": ..., "Role": ...}]
 */
static struct error *list_members(struct work *work, const struct node **out)
{
    static const char script[] = "export LC_ALL=C.UTF-8 LANG=C.UTF-8\n"
                                 "exec patronictl -c \"$1\" list -f json \"$2\"\n";
    struct shell_result result = {0};
    struct error *error = run_script(work, false, script, "", &result);
    if (error != NULL)
        return error;
    if (result.status != 0)
        error = error_new(work->arena, ERROR_FAILED, "could not ask the DCS: %s",
                          work_status_text(work, &result));
    else
        error = json_parse(work->arena, "patronictl list", text_string(&result.out),
                           result.out.length, out);
    shell_result_release(&result);
    return error;
}

static bool is_listed(const struct node *members, const char *name)
{
    NODE_EACH(member, members)
    if (equal(node_text(member, "Member"), name))
        return true;
    return false;
}

static bool is_known(const struct work *work, const char *name)
{
    for (size_t i = 0; i < work->cluster->host_count; i++)
        if (equal(work->cluster->hosts[i].member, name))
            return true;
    return false;
}

/*
 * An error at once if a Patroni runs. *WAITS_FOR: a member that gives no answer and whose key has
 * not expired yet: it may run. Without a key it takes no part in the cluster.
 */
static struct error *prove_down(struct work *work, const char **waits_for)
{
    const struct node *members = NULL;
    struct error *error = list_members(work, &members);
    *waits_for = NULL;
    for (size_t i = 0; error == NULL && i < work->cluster->host_count; i++) {
        const struct host_settings *member = &work->cluster->hosts[i];
        enum patroni_reach reach;
        struct patroni_status status;
        error = patroni_status(work, member, &reach, &status);
        if (error == NULL && reach == PATRONI_ANSWERED)
            error = error_hint(work->arena,
                               error_new(work->arena, ERROR_FAILED,
                                         "Patroni of \"%s\" is still running", member->member),
                               "Stop it first: it would write the cluster's keys again.");
        if (error == NULL && reach == PATRONI_SILENT && is_listed(members, member->member))
            *waits_for = member->member;
    }
    if (error != NULL)
        return error;
    NODE_EACH(member, members)
    {
        const char *name = node_text(member, "Member");
        if (name != NULL && !is_known(work, name))
            *waits_for = name;
    }
    return NULL;
}

static struct error *wait_until_down(struct work *work)
{
    for (;;) {
        const char *member = NULL;
        struct error *error = prove_down(work, &member);
        if (error != NULL || member == NULL)
            return error;
        work->watch(work,
                    arena_printf(work->arena, "waits until the key of \"%s\" expires", member));
        error = work_pause(work, POLL_MS);
        if (error != NULL)
            return error_because(work->arena, error,
                                 "Patroni of \"%s\" gives no answer and still has a key in the DCS",
                                 member);
    }
}

/*
 * The answers to its questions: the cluster, the sentence, and the leader, which is asked for only
 * while the leader's key has not expired. A wrong name removes nothing.
 */
static const char remove_script[] = "export LC_ALL=C.UTF-8 LANG=C.UTF-8\n"
                                    "printf '%s\\n' \"$2\" 'Yes I am aware' \"$3\" |\n"
                                    "patronictl -c \"$1\" remove \"$2\" 2>&1\n";

static struct error *apply_cluster(struct work *work, const struct node *value, enum apply *outcome)
{
    (void)value;
    *outcome = APPLY_NOTHING;
    struct error *error = wait_until_down(work);
    if (error != NULL)
        return error;
    size_t count;
    const struct host_settings *const *leader = work_role(work, "leader", &count);
    const char *name = count == 1 ? leader[0]->member : work->cluster->hosts[0].member;
    *outcome = APPLY_MAYBE;
    for (size_t next = 0;; next++) {
        struct shell_result result = {0};
        error = run_script(work, true, remove_script, name, &result);
        if (error != NULL)
            return error;
        bool is_wrong_name = strstr(text_string(&result.out), "specify the current leader") != NULL;
        const char *said = work_status_text(work, &result);
        bool is_done = result.status == 0;
        shell_result_release(&result);
        if (is_done)
            return NULL;
        if (!is_wrong_name || next == work->cluster->host_count)
            return error_new(work->arena, ERROR_FAILED,
                             "could not remove the cluster from the DCS: %s", said);
        name = work->cluster->hosts[next].member;
    }
}

const struct patroni_key patroni_cluster_key = {
    .name = "cluster",
    .look = look_cluster,
    .apply = apply_cluster,
};
