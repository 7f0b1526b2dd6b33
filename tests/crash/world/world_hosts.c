/* The hosts of the world: they answer at once, and keep claims and folders. */
#include "world.h"

#include "host/claim.h"
#include "run/loss_ask.h"

#include <string.h>

/* The linker sends the program's calls of NAME to __wrap_NAME; the types must stay the same. */
#define REPLACED(name) __typeof__(name) __wrap_##name

REPLACED(host_shell);
REPLACED(host_shell_begin);
REPLACED(patroni_read_status);
REPLACED(patroni_read_cluster);
REPLACED(run_folder);
REPLACED(run_folder_remove);
REPLACED(claim_take);
REPLACED(claim_release);
REPLACED(loss_at_gate);

struct error *__wrap_host_shell(struct host *host, struct arena *arena,
                                const struct shell_request *request, struct shell_result *out)
{
    (void)host, (void)arena, (void)request;
    *out = (struct shell_result){0};
    return NULL;
}

struct error *__wrap_host_shell_begin(struct host *host, struct arena *arena, const char *user,
                                      int64_t deadline_ms)
{
    (void)host, (void)arena, (void)user, (void)deadline_ms;
    return NULL;
}

struct error *__wrap_patroni_read_status(struct host *host, struct arena *arena,
                                         const struct host_settings *member, int64_t deadline_ms,
                                         enum patroni_reach *reach, struct patroni_status *out)
{
    const char *body = arena_printf(
        arena, "{\"patroni\":{\"scope\":\"cluster-pgsql\",\"name\":\"%s\"}}", member->member);

    (void)host, (void)deadline_ms;
    if (reach != NULL)
        *reach = PATRONI_ANSWERED;
    *out = (struct patroni_status){.state = "running",
                                   .role = "",
                                   .version = "3.0.2",
                                   .system_identifier = "7312093846239412",
                                   .server_version = 150018};
    return json_parse(arena, "a status", body, strlen(body), &out->body);
}

struct error *__wrap_patroni_read_cluster(struct host *host, struct arena *arena,
                                          const struct host_settings *member, int64_t deadline_ms,
                                          enum patroni_reach *reach, struct patroni_cluster *out)
{
    static const struct patroni_member members[] = {
        {.name = "pg1", .role = "leader", .state = "running", .is_leader = true},
        {.name = "pg2", .role = "replica", .state = "streaming"},
        {.name = "pg3", .role = "replica", .state = "streaming"},
    };

    (void)host, (void)arena, (void)member, (void)deadline_ms;
    if (reach != NULL)
        *reach = PATRONI_ANSWERED;
    *out = (struct patroni_cluster){
        .members = members, .count = (size_t)world->host_count, .leader = &members[0]};
    return NULL;
}

/* Here nothing has WAL that it could be read from. */
const char *__wrap_loss_at_gate(struct run *run, const struct step *step, bool is_asked)
{
    (void)run, (void)step, (void)is_asked;
    return NULL;
}

static const char *name_of(struct host *host)
{
    return host_settings(host)->name;
}

struct error *__wrap_run_folder(struct host *host, struct arena *arena, const char *run,
                                const char *user, bool make, int64_t deadline_ms, const char **out)
{
    bool is_there = world_taken("folder", name_of(host)) > 0;

    (void)user, (void)deadline_ms;
    if (make && !world_is_durable("\"type\":\"run\"", ""))
        world_broken("a folder is made before the run is on disk");
    if (make && !is_there)
        world_append("folder", "-", name_of(host), 1);
    *out = make || is_there ? arena_printf(arena, "/var/lib/postgresql/.holdback/%s", run) : NULL;
    return NULL;
}

struct error *__wrap_run_folder_remove(struct host *host, struct arena *arena, const char *run,
                                       const char *user, int64_t deadline_ms)
{
    (void)arena, (void)run, (void)user, (void)deadline_ms;
    world_check_outcomes("");
    if (world_taken("folder", name_of(host)) > 0)
        world_append("no-folder", "-", name_of(host), 0);
    return NULL;
}

/* One claim for all users of a host. */
static void claim_found(struct host *host, struct arena *arena, const char *run,
                        struct claim_found *out)
{
    int number = world_taken("claim", name_of(host));

    *out = (struct claim_found){.run = number > 0 ? arena_strdup(arena, run) : "",
                                .who = "",
                                .from = "",
                                .journal = "",
                                .since = "",
                                .intent = "",
                                .step = "",
                                .number = number};
}

struct error *__wrap_claim_take(struct host *host, struct arena *arena, const struct claim *claim,
                                const char *user, int64_t deadline_ms, struct claim_found *found)
{
    int number = world_taken("claim", name_of(host));

    (void)user, (void)deadline_ms;
    if (!world_is_durable("\"type\":\"run\"", ""))
        world_broken("a claim is taken before the run is on disk");
    if (!world_is_durable(arena_printf(arena, "\"number\":%d", (int)claim->number), ""))
        world_broken("a claim is taken with the number %d, which is not on disk",
                     (int)claim->number);
    if (claim->number < number)
        return error_new(arena, ERROR_LOCKED, "the claim on %s has the greater number %d",
                         name_of(host), number);
    if (found != NULL)
        claim_found(host, arena, claim->run, found);
    if (claim->number > number)
        world_append("claim", "-", name_of(host), (int)claim->number);
    return NULL;
}

struct error *__wrap_claim_release(struct host *host, struct arena *arena,
                                   const struct claim *claim, const char *user, int64_t deadline_ms)
{
    (void)arena, (void)user, (void)deadline_ms;
    if (world_taken("claim", name_of(host)) > claim->number)
        world_broken("a claim is released that another has");
    if (world_taken("claim", name_of(host)) > 0)
        world_append("no-claim", "-", name_of(host), 0);
    return NULL;
}
