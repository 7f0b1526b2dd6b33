/*
 * patroni: the service, by systemd as root. A fence is a drop-in whose condition is never true:
 * systemd starts the unit neither at boot nor by hand. `systemctl mask` is refused where the unit
 * file itself lies in /etc/systemd/system, and disabling would only repeat what the condition does
 * (in 0.2 s, where Debian keeps a SysV script beside the unit).
 */
#include "patroni.h"

#include <string.h>

enum { POLL_MS = 100 };

struct service {
    bool is_running, is_fenced;
    const char *state; /* "active (running)" */
};

/* Runs SCRIPT as root with $1 the unit, $2 the fence. */
static struct error *run_script(struct work *work, bool is_change, const char *script,
                                const char *what, const char **out)
{
    const char *service = work->target->patroni.service;
    const char *unit =
        ends_with(service, ".service") ? service : arena_printf(work->arena, "%s.service", service);
    const char *fence =
        arena_printf(work->arena, "/etc/systemd/system/%s.d/holdback-fence.conf", unit);
    const char *arguments[] = {unit, fence, NULL};
    struct shell_result result = {0};
    struct error *error = is_change ? work_change_script(work, "root", script, arguments, &result)
                                    : work_script(work, "root", script, arguments, &result);
    if (error != NULL)
        return error;
    if (result.status != 0)
        error = error_new(work->arena, ERROR_FAILED, "could not %s service \"%s\": %s", what, unit,
                          work_status_text(work, &result));
    else if (out != NULL)
        *out = text_copy(&result.out, work->arena);
    shell_result_release(&result);
    return error;
}

/* The value of NAME in lines of NAME=VALUE, or "". */
static const char *property(struct work *work, const char *lines, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = lines; line != NULL && *line != '\0';) {
        if (strncmp(line, name, length) == 0 && line[length] == '=')
            return arena_copy(work->arena, line + length + 1, strcspn(line + length + 1, "\n"));
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return "";
}

static struct error *service_look(struct work *work, struct service *out)
{
    static const char script[] = "systemctl show -p LoadState -p ActiveState -p SubState -p "
                                 "MainPID \"$1\"\n"
                                 "if [ -e \"$2\" ]; then echo Fence=yes; fi\n";
    const char *lines = "";
    struct error *error = run_script(work, false, script, "look at", &lines);
    if (error != NULL)
        return error;
    if (equal(property(work, lines, "LoadState"), "not-found"))
        return error_new(work->arena, ERROR_FAILED, "service \"%s\" does not exist on host \"%s\"",
                         work->target->patroni.service, work->target->name);
    const char *active = property(work, lines, "ActiveState");
    const char *pid = property(work, lines, "MainPID");
    // "activating" is a service that systemd will start again in a moment.
    out->is_running = (!equal(active, "inactive") && !equal(active, "failed")) ||
                      (pid[0] != '\0' && !equal(pid, "0"));
    out->is_fenced = equal(property(work, lines, "Fence"), "yes");
    out->state = arena_printf(work->arena, "%s (%s)", active, property(work, lines, "SubState"));
    return NULL;
}

/* A started service is one whose REST answers: a unit that crashes in a loop is active, too. */
static struct error *look_started(struct work *work, const struct service *service, bool *is_so,
                                  const char **words)
{
    enum patroni_reach reach;
    struct patroni_status status;
    *words = service->is_fenced ? "the service is fenced"
                                : arena_printf(work->arena, "the service is %s", service->state);
    if (service->is_fenced || !starts_with(service->state, "active"))
        return NULL;
    struct error *error = patroni_status(work, work->target, &reach, &status);
    if (error != NULL)
        return error;
    *is_so = reach == PATRONI_ANSWERED;
    if (!*is_so)
        *words = "the service is active, but Patroni does not answer yet";
    return NULL;
}

/* Neither systemd nor a fence holds a Patroni that somebody started in another way. */
static struct error *look_down(struct work *work, const struct service *service, bool wants_fence,
                               bool *is_so, const char **words)
{
    enum patroni_reach reach;
    struct patroni_status status;
    *words = arena_printf(work->arena, "the service is %s", service->state);
    if (service->is_running)
        return NULL;
    struct error *error = patroni_status(work, work->target, &reach, &status);
    if (error != NULL)
        return error;
    if (reach == PATRONI_ANSWERED)
        return error_hint(work->arena,
                          error_new(work->arena, ERROR_FAILED,
                                    "Patroni of \"%s\" runs outside of service \"%s\"",
                                    work->target->member, work->target->patroni.service),
                          "It would start its server again, and no fence holds it. End it, then "
                          "resume.");
    *is_so = !wants_fence || service->is_fenced;
    *words = !*is_so       ? "the service is stopped, but not fenced"
             : wants_fence ? "the service is fenced"
                           : "the service is stopped";
    return NULL;
}

static struct error *look_service(struct work *work, const struct node *value, bool *is_so,
                                  const char **words)
{
    struct service service = {0};
    struct error *error = service_look(work, &service);
    if (error != NULL)
        return error;
    *is_so = false;
    if (equal(value->text, "started"))
        error = look_started(work, &service, is_so, words);
    else
        error = look_down(work, &service, equal(value->text, "fenced"), is_so, words);
    if (error == NULL && !*is_so && !work->is_repeat)
        work_change(work, "service \"%s\": %s -> %s", work->target->patroni.service, service.state,
                    value->text);
    return error;
}

static const char fence_script[] =
    "umask 022\n"
    "folder=${2%/*}\n"
    "if [ ! -e \"$2\" ]; then\n"
    "    mkdir -p \"$folder\"\n"
    "    printf '%s\\n' '# Written by holdback: this node must not start during a rollback.' \\\n"
    "        '[Unit]' 'ConditionPathExists=!/' >\"$folder/.fence\"\n"
    "    sync \"$folder/.fence\"\n"
    "    mv -T \"$folder/.fence\" \"$2\"\n"
    "    sync \"$folder\"\n"
    "fi\n"
    "systemctl daemon-reload\n"
    "systemctl stop \"$1\"\n";

static const char start_script[] = "if [ -e \"$2\" ]; then\n"
                                   "    rm -f \"$2\" \"${2%/*}/.fence\"\n"
                                   "    rmdir --ignore-fail-on-non-empty \"${2%/*}\"\n"
                                   "    systemctl daemon-reload\n"
                                   "fi\n"
                                   "systemctl reset-failed \"$1\" 2>/dev/null || true\n"
                                   "systemctl start --no-block \"$1\"\n";

/*
 * Its first loop makes it a member, and often finds that somebody else is not ready yet; the second
 * one may be far away. So it is woken as soon as it answers and the others can see it: a member
 * that was stopped is seen until its key expires.
 */
static struct error *wake(struct work *work)
{
    for (;;) {
        enum patroni_reach reach;
        struct patroni_status status;
        struct patroni_cluster cluster;
        bool is_known = false;
        struct error *error = patroni_status(work, work->target, &reach, &status);
        if (error == NULL && reach == PATRONI_ANSWERED)
            error = patroni_members(work, &cluster, &is_known);
        if (is_known && patroni_find_member(&cluster, work->target->member) != NULL)
            return patroni_poke(work, work->target);
        work->watch(work, "waits until Patroni answers and is a member of the cluster");
        if (error == NULL)
            error = work_pause(work, POLL_MS);
        // What is still missing the look says.
        if (error != NULL)
            return error->kind == ERROR_TIMEOUT ? NULL : error;
    }
}

static struct error *apply_service(struct work *work, const struct node *value, enum apply *outcome)
{
    *outcome = APPLY_MAYBE;
    if (equal(value->text, "fenced"))
        return run_script(work, true, fence_script, "fence", NULL);
    if (equal(value->text, "started")) {
        struct error *error = run_script(work, true, start_script, "start", NULL);
        return error != NULL ? error : wake(work);
    }
    return run_script(work, true, "systemctl stop \"$1\"\n", "stop", NULL);
}

const struct patroni_key patroni_service_key = {
    .name = "service",
    .look = look_service,
    .apply = apply_service,
};
