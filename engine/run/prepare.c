#include "base/file.h"
#include "host/patroni.h"
#include "run/engine.h"
#include "run/folder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    START_TIMEOUT_MS = 20000, /* to connect, log in and answer one question */
};

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
        return error_new(run->arena, ERROR_FAILED, "could not make an event descriptor");
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

static const struct host_settings **all_hosts(const struct run *run, bool want_lost, size_t *count)
{
    const struct host_settings **hosts =
        arena_alloc(run->arena, sizeof(struct host_settings *) * (run->cluster->host_count + 1));

    *count = 0;
    for (size_t at = 0; at < run->cluster->host_count; at++) {
        if (want_lost || !run->is_lost[at])
            hosts[(*count)++] = &run->cluster->hosts[at];
    }
    return hosts;
}

void users_add(struct users *users, const char *name)
{
    for (size_t at = 0; at < users->count; at++) {
        if (equal(users->names[at], name))
            return;
    }
    if (users->count < ARRAY_COUNT(users->names))
        users->names[users->count++] = name;
}

struct users users_of(struct arena *arena, const struct run *run, const char *host)
{
    struct users users = {0};

    for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(run->plan, (enum phase)phase, step)) != NULL;) {
            const char *as = step->as;

            if (step->steps == NULL && as != NULL &&
                expand_text(arena, run->scope, host, step->place, as, &as) == NULL)
                users_add(&users, as);
            if (equal(step->action_name, "patroni") && node_find(step->params, "service") != NULL)
                users_add(&users, "root");
        }
    }
    return users;
}

struct claim claim_of(const struct run *run)
{
    return (struct claim){
        .cluster = run->cluster->name,
        .run = run->id,
        .who = run->as_user,
        .from = node_text(run->ledger.run, "from"),
        .since = run->ledger.summary.began,
        .number = 1,
    };
}

static void claim_worker(struct worker *worker)
{
    struct run *run = worker->run;
    const int64_t deadline_ms = clock_ms() + START_TIMEOUT_MS;
    const struct claim claim = claim_of(run);
    struct users users = users_of(&worker->arena, run, worker->target->name);

    worker->error = claim_take(worker->host, &worker->arena, &claim, deadline_ms);
    for (size_t at = 0; worker->error == NULL && at < users.count; at++) {
        CLEANUP(shell_result_release) struct shell_result result = {0};
        const struct shell_request request = {
            .user = users.names[at], .script = ":", .deadline_ms = deadline_ms};

        worker->error = host_shell(worker->host, &worker->arena, &request, &result);
    }
}

/*
 * A host that cannot be reached is an error while nothing has begun; afterwards commands go on
 * without it, and only the steps on it fail or ask.
 */
static struct error *gather(struct run *run, struct worker *workers, size_t count)
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

static struct error *each_host(struct run *run, void (*function)(struct worker *))
{
    size_t count;
    const struct host_settings **hosts = all_hosts(run, false, &count);
    struct worker *workers = workers_new(run, hosts, count, function);

    workers_run(run, workers, count);

    struct error *error = gather(run, workers, count);

    workers_release(workers, count);
    return error;
}

struct error *prepare_claims(struct run *run)
{
    return each_host(run, claim_worker);
}

/* What a host says of the cluster it belongs to; NULL: not known. */
struct host_identity {
    const char *system_identifier, *scope, *member, *folder;
    int version;
};

/* Where no server answers, the data directory still knows. */
static void ask_controldata(struct worker *worker, struct host_identity *identity)
{
    CLEANUP(shell_result_release) struct shell_result result = {0};
    const struct host_settings *settings = worker->target;
    const char *arguments[] = {settings->postgres.bin_directory, settings->postgres.data_directory,
                               NULL};
    const struct shell_request request = {
        .user = settings->postgres.os_user,
        .script = "LC_ALL=C \"$1\"/pg_controldata -D \"$2\" |"
                  " sed -n 's/^Database system identifier: *//p'",
        .arguments = arguments,
        .deadline_ms = clock_ms() + START_TIMEOUT_MS,
    };

    if (arguments[0] == NULL || arguments[1] == NULL)
        return;
    if (host_shell(worker->host, &worker->arena, &request, &result) != NULL)
        return;

    const char *out = text_string(&result.out);
    size_t digits = strspn(out, "0123456789");

    if (digits > 0)
        identity->system_identifier = arena_copy(&worker->arena, out, digits);
}

/*
 * Who the Patroni on this host says it is. Its REST does not tell before Patroni 3.1, so its own
 * configuration is asked, where the cluster file says which that is.
 */
static void ask_member(struct worker *worker, struct host_identity *identity)
{
    CLEANUP(shell_result_release) struct shell_result result = {0};
    const char *arguments[] = {worker->target->patroni.config, NULL};
    const struct shell_request request = {
        .user = worker->target->postgres.os_user,
        .script = "sed -n \"s/^name: *//p\" \"$1\" | tr -d \"\\\"'\"",
        .arguments = arguments,
        .deadline_ms = clock_ms() + START_TIMEOUT_MS,
    };

    if (identity->member != NULL || arguments[0] == NULL)
        return;
    if (host_shell(worker->host, &worker->arena, &request, &result) != NULL || result.status != 0)
        return;

    const char *out = text_string(&result.out);
    size_t length = strcspn(out, " \t\r\n#");

    if (length > 0)
        identity->member = arena_copy(&worker->arena, out, length);
}

/* The folder is made only where a text of the plan asks for it. */
static bool plan_names_folder(const struct plan *plan)
{
    for (const struct input *input = inputs_first(plan->inputs); input != NULL;
         input = input->next) {
        if (equal(input->role, "plan") && (strstr(input->bytes, "run.folder") != NULL ||
                                           strstr(input->bytes, "run_folder") != NULL))
            return true;
    }
    return false;
}

/* The run's arena belongs to the main thread: workers hand over what they found in their own. */
static void identity_worker(struct worker *worker)
{
    struct host_identity *identity = arena_alloc(&worker->arena, sizeof *identity);
    struct patroni_status status = {0};
    enum patroni_reach reach = PATRONI_SILENT;
    struct run *run = worker->run;
    const int64_t deadline_ms = clock_ms() + START_TIMEOUT_MS;

    worker->context = identity;

    struct error *error = patroni_read_status(worker->host, &worker->arena, worker->target,
                                              deadline_ms, &reach, &status);

    if (error != NULL && error->kind != ERROR_FAILED) {
        worker->error = error;
        return;
    }
    if (error == NULL) {
        identity->scope = node_text(node_find(status.body, "patroni"), "scope");
        identity->member = node_text(node_find(status.body, "patroni"), "name");
        identity->version = (int)status.server_version;
        if (*status.system_identifier != '\0')
            identity->system_identifier = status.system_identifier;
    }
    if (identity->system_identifier == NULL)
        ask_controldata(worker, identity);
    ask_member(worker, identity);
    if (plan_names_folder(run->plan))
        worker->error =
            run_folder(worker->host, &worker->arena, run->id, worker->target->postgres.os_user,
                       !run->is_preview, deadline_ms, &identity->folder);
}

static struct error *identity_compare(struct run *run, const struct worker *worker,
                                      const char **known)
{
    const struct host_identity *identity = worker->context;
    const char *host = worker->target->name;

    if (identity->scope != NULL && !equal(identity->scope, run->cluster->name))
        return error_hint(
            run->arena,
            error_new(run->arena, ERROR_INPUT,
                      "host \"%s\" belongs to the Patroni cluster \"%s\", not to \"%s\"", host,
                      identity->scope, run->cluster->name),
            "Check \"cluster\" and the addresses in \"%s\".", run->cluster->file);
    if (identity->member != NULL && !equal(identity->member, worker->target->member))
        return error_hint(
            run->arena,
            error_new(run->arena, ERROR_INPUT,
                      "the Patroni on host \"%s\" (%s) is member \"%s\", not \"%s\"", host,
                      worker->target->address, identity->member, worker->target->member),
            "Check the addresses in \"%s\"; a host whose member has another name says so with "
            "\"member\".",
            run->cluster->file);
    if (identity->system_identifier == NULL)
        return NULL;
    if (*known != NULL && !equal(*known, identity->system_identifier))
        return error_hint(
            run->arena,
            error_new(run->arena, ERROR_INPUT,
                      "host \"%s\" has the system identifier %s, not %s: it is another cluster",
                      host, identity->system_identifier, *known),
            "Check the addresses and \"system-identifier\" in \"%s\".", run->cluster->file);
    *known = arena_strdup(run->arena, identity->system_identifier);
    return NULL;
}

static void identity_record(struct run *run, const struct worker *workers, size_t count,
                            const char *system_identifier)
{
    CLEANUP(text_release) struct text versions = {0};
    CLEANUP(text_release) struct text folders = {0};

    for (size_t at = 0; at < count; at++) {
        const struct host_identity *identity = workers[at].context;
        const char *host = json_text(run->arena, workers[at].target->name);

        if (identity == NULL)
            continue;
        if (identity->version != 0)
            text_append_format(&versions, "%s%s:%d", versions.length == 0 ? "" : ",", host,
                               identity->version);
        if (identity->folder != NULL)
            text_append_format(&folders, "%s%s:%s", folders.length == 0 ? "" : ",", host,
                               json_text(run->arena, identity->folder));
    }
    run_record(run, "identity", "\"system_identifier\":%s,\"versions\":{%s},\"folders\":{%s}",
               json_text(run->arena, system_identifier), text_string(&versions),
               text_string(&folders));
}

struct error *prepare_identity(struct run *run)
{
    size_t count;
    const struct host_settings **hosts = all_hosts(run, false, &count);
    struct worker *workers = workers_new(run, hosts, count, identity_worker);
    const char *known = run->cluster->system_identifier;

    if (run->ledger.identity != NULL &&
        node_text(run->ledger.identity, "system_identifier") != NULL)
        known = node_text(run->ledger.identity, "system_identifier");
    workers_run(run, workers, count);

    struct error *error = gather(run, workers, count);

    for (size_t at = 0; at < count && error == NULL; at++) {
        if (workers[at].context != NULL)
            error = identity_compare(run, &workers[at], &known);
    }
    if (error == NULL && run->ledger.identity == NULL)
        identity_record(run, workers, count, known);
    workers_release(workers, count);
    return error;
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
