/* Whether the hosts are those of the cluster, each the member that the cluster file says. */
#include "run/engine.h"

#include "plan/sqltext.h"

#include <string.h>

enum {
    ASK_TIMEOUT_MS = 20000,
    ASK_PATRONI_MS = 5000, /* where it does not answer, the host itself is asked */
};

/* What a host says of the cluster it belongs to; NULL: not known. */
struct host_identity {
    const char *system_identifier, *scope, *member, *folder;
    int version;
};

/* What a host does not say is not known; one that is lost is an error. */
static bool ask(struct worker *worker, const struct shell_request *request,
                struct shell_result *out)
{
    struct error *error = host_shell(worker->host, &worker->arena, request, out);

    if (error != NULL && error->kind == ERROR_UNREACHABLE)
        worker->error = error;
    return error == NULL;
}

/* Where no Patroni says so, the data directory still knows the cluster, and the programs theirs. */
static void ask_programs(struct worker *worker, struct host_identity *identity)
{
    CLEANUP(shell_result_release) struct shell_result result = {0};
    const struct host_settings *settings = worker->target;
    const char *arguments[] = {settings->postgres.bin_directory, settings->postgres.data_directory,
                               NULL};
    const struct shell_request request = {
        .user = settings->postgres.os_user,
        .script = "\"$1\"/postgres --version | sed 's/^[^0-9]*//'\n"
                  "LC_ALL=C \"$1\"/pg_controldata -D \"$2\" |"
                  " sed -n 's/^Database system identifier: *//p'",
        .arguments = arguments,
        .deadline_ms = clock_ms() + ASK_TIMEOUT_MS,
    };

    if (arguments[0] == NULL || arguments[1] == NULL)
        return;
    if (!ask(worker, &request, &result))
        return;

    const char *out = text_string(&result.out);
    const char *second = strchr(out, '\n');
    size_t digits = second != NULL ? strspn(second + 1, "0123456789") : 0;

    if (identity->version == 0)
        identity->version = version_number(out);
    if (identity->system_identifier == NULL && digits > 0)
        identity->system_identifier = arena_copy(&worker->arena, second + 1, digits);
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
        .deadline_ms = clock_ms() + ASK_TIMEOUT_MS,
    };

    if (identity->member != NULL || arguments[0] == NULL)
        return;
    if (!ask(worker, &request, &result) || result.status != 0)
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
    const int64_t deadline_ms = clock_ms() + ASK_TIMEOUT_MS;

    worker->context = identity;

    struct error *error = NULL;

    // Its shell is asked below, and starts while Patroni answers.
    if (worker->target->patroni.config != NULL)
        error = host_shell_begin(worker->host, &worker->arena, worker->target->postgres.os_user,
                                 deadline_ms);
    if (error != NULL && error->kind == ERROR_UNREACHABLE) {
        worker->error = error;
        return;
    }
    error = patroni_read_status(worker->host, &worker->arena, worker->target,
                                clock_ms() + ASK_PATRONI_MS, &reach, &status);

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
    if (identity->system_identifier == NULL || identity->version == 0)
        ask_programs(worker, identity);
    if (worker->error == NULL)
        ask_member(worker, identity);
    if (worker->error == NULL && plan_names_folder(run->plan))
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

static const struct when *when_of_version(const struct plan *plan)
{
    for (enum phase phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = plan_next_step(plan, phase, NULL); step != NULL;
             step = plan_next_step(plan, phase, step)) {
            for (size_t at = 0; at < step->when_count; at++) {
                if (step->when[at].kind == WHEN_POSTGRES)
                    return &step->when[at];
            }
        }
    }
    return NULL;
}

/* A rollback must not be the first to find out that it cannot decide what to do. */
static struct error *version_required(const struct run *run, const struct worker *workers,
                                      size_t count)
{
    const struct when *when = when_of_version(run->plan);
    bool is_known = when == NULL || run->is_preview;

    for (size_t at = 0; at < count && !is_known; at++) {
        const struct host_identity *identity = workers[at].context;

        is_known = identity != NULL && identity->version != 0;
    }
    if (is_known)
        return NULL;
    return error_hint(run->arena,
                      error_at(run->arena, when->place, "the PostgreSQL version is not known"),
                      "Patroni tells it while its PostgreSQL runs, else the programs in "
                      "\"postgres.bin-directory\" of the cluster file.");
}

struct error *prepare_identity(struct run *run)
{
    size_t count;
    const struct host_settings **hosts = hosts_alive(run, &count);
    struct worker *workers = workers_new(run, hosts, count, identity_worker);
    const char *known = run->cluster->system_identifier;

    if (run->ledger.identity != NULL &&
        node_text(run->ledger.identity, "system_identifier") != NULL)
        known = node_text(run->ledger.identity, "system_identifier");
    workers_run(run, workers, count);

    struct error *error = workers_gather(run, workers, count);

    for (size_t at = 0; at < count && error == NULL; at++) {
        if (workers[at].context != NULL)
            error = identity_compare(run, &workers[at], &known);
    }
    if (error == NULL && run->ledger.identity == NULL)
        error = version_required(run, workers, count);
    if (error == NULL && run->ledger.identity == NULL)
        identity_record(run, workers, count, known);
    workers_release(workers, count);
    return error;
}
