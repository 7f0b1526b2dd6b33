/* patroni: what is read from the REST of two members, which a thread here plays. */
#include "action.h"
#include "condition.h"
#include "plan/yaml.h"

#include "../host/server.h"

#include <pthread.h>

enum { MEMBERS = 2 };

/* Answers by path; NULL: HTTP status 502. Atomic: a thread that plays the member reads them. */
struct member {
    int listener;
    const char *_Atomic patroni, *_Atomic cluster, *_Atomic config;
};

static struct arena arena, theirs; /* theirs: of the thread */
static struct member members[MEMBERS];
static struct host_settings hosts[MEMBERS];
static pthread_t thread;
static struct host *host;
static const char *_Atomic patched; /* the body of the last PATCH */
static _Atomic int deaf;            /* answers of 503 to a wake, before it is heard */
static _Atomic bool was_stopped; /* pg2 said so when the last PATCH that changes something came */

#define BOTH                                                                                       \
    "{\"members\":[{\"name\":\"pg1\",\"role\":\"leader\",\"state\":\"running\",\"timeline\":3},"   \
    "{\"name\":\"pg2\",\"role\":\"replica\",\"state\":\"running\",\"timeline\":3,\"lag\":0}]}"
#define LEADER                                                                                     \
    "{\"state\":\"running\",\"role\":\"master\",\"timeline\":3,\"replication\":"                   \
    "[{\"application_name\":\"pg2\",\"state\":\"streaming\"}]"
#define REPLICA "{\"state\":\"running\",\"role\":\"replica\",\"timeline\":3"

/* Of a server that was just restarted by somebody else: until Patroni's next loop. */
static const char stopped[] = "{\"state\":\"stopped\",\"role\":\"replica\",\"pause\":true}";

static void reply(struct member *member, int fd, const char *request)
{
    // What Patroni says when its flag went between our look and our question.
    if (starts_with(request, "POST /restart ")) {
        member->patroni = LEADER "}";
        (void)dprintf(fd, "HTTP/1.0 503 Service Unavailable\r\n\r\n"
                          "restart conditions are not satisfied");
        return;
    }

    const char *body = strstr(request, "\r\n\r\n");
    if (starts_with(request, "PATCH ") && deaf > 0) {
        deaf--;
        (void)dprintf(fd, "HTTP/1.0 503 Service Unavailable\r\n\r\n");
        return;
    }

    const char *answer = starts_with(request, "GET /patroni ")   ? member->patroni
                         : starts_with(request, "GET /cluster ") ? member->cluster
                                                                 : member->config;
    if (starts_with(request, "PATCH ") && body != NULL && strstr(body, "holdback") == NULL) {
        patched = arena_strdup(&theirs, body + 4);
        was_stopped = members[1].patroni == stopped;
    } else if (starts_with(request, "PATCH ") && member->patroni == stopped) {
        member->patroni = REPLICA ",\"pause\":true}";
    }
    (void)dprintf(fd, "HTTP/1.0 %s\r\n\r\n%s", answer == NULL ? "502 Bad Gateway" : "200 OK",
                  answer == NULL ? "" : answer);
}

static void *play(void *context)
{
    const int *stop = context;

    for (;;) {
        struct pollfd polls[MEMBERS + 1] = {{.fd = *stop, .events = POLLIN}};
        for (size_t at = 0; at < MEMBERS; at++)
            polls[at + 1] = (struct pollfd){.fd = members[at].listener, .events = POLLIN};
        (void)poll(polls, MEMBERS + 1, -1);
        if (polls[0].revents != 0)
            return NULL;
        for (size_t at = 0; at < MEMBERS; at++) {
            if (polls[at + 1].revents == 0)
                continue;
            char request[4096] = "";
            int fd = accept(members[at].listener, NULL, NULL);
            size_t have = 0;
            // A body comes after its head; GET has none.
            while (strstr(request, "\r\n\r\n") == NULL ||
                   (request[0] == 'P' && request[have - 1] != '}')) {
                ssize_t got = read(fd, request + have, sizeof request - 1 - have);
                if (got <= 0)
                    break;
                have += (size_t)got;
            }
            reply(&members[at], fd, request);
            (void)close(fd);
        }
    }
}

static int stop_pipe[2];

static int members_open(void **state)
{
    (void)state;
    for (size_t at = 0; at < MEMBERS; at++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        members[at].listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(members[at].listener, (struct sockaddr *)&address, length), 0);
        assert_int_equal(listen(members[at].listener, 8), 0);
        assert_int_equal(getsockname(members[at].listener, (struct sockaddr *)&address, &length),
                         0);
        const char *name = at == 0 ? "pg1" : "pg2";
        hosts[at] = (struct host_settings){
            .name = name,
            .address = "127.0.0.1",
            .member = name,
            .patroni = {.reach = "direct", .scheme = "http", .port = ntohs(address.sin_port)},
        };
    }
    assert_int_equal(pipe(stop_pipe), 0);
    assert_int_equal(pthread_create(&thread, NULL, play, &stop_pipe[0]), 0);
    host = host_new(&hosts[0], -1);
    return 0;
}

static int members_close(void **state)
{
    (void)state;
    (void)close(stop_pipe[1]);
    (void)pthread_join(thread, NULL);
    (void)close(stop_pipe[0]);
    for (size_t at = 0; at < MEMBERS; at++)
        (void)close(members[at].listener);
    host_free(host);
    arena_release(&theirs);
    arena_release(&arena);
    return 0;
}

static int members_reset(void **state)
{
    (void)state;
    members[0].patroni = LEADER "}";
    members[1].patroni = REPLICA "}";
    for (size_t at = 0; at < MEMBERS; at++) {
        members[at].cluster = BOTH;
        members[at].config = "{\"ttl\":30}";
    }
    return 0;
}

static void watch(struct work *work, const char *words)
{
    (void)work;
    (void)words;
}

/* A step of action NAME with keys PARAMS on the host AT. */
static struct work work_of(const char *name, const char *params, size_t at)
{
    static const struct cluster cluster = {.name = "c", .hosts = hosts, .host_count = MEMBERS};
    static const struct host_settings *const leader[] = {&hosts[0]};
    static const struct pinned_role roles[] = {{.name = "leader", .hosts = leader, .count = 1}};
    struct plan *plan = arena_alloc(&arena, sizeof *plan);
    struct step *step = arena_alloc(&arena, sizeof *step);
    struct findings findings = {.arena = &arena};

    plan->file = "plan.yml";
    step->id = "s";
    step->action_name = name;
    step->params = yaml_parse(&arena, "plan.yml", params, strlen(params), &findings);
    assert_non_null(step->params);
    for (size_t i = 0; all_actions[i] != NULL; i++)
        if (equal(all_actions[i]->name, name))
            step->action = all_actions[i];
    return (struct work){.arena = &arena,
                         .plan = plan,
                         .cluster = &cluster,
                         .step = step,
                         .scope = scope_new(&arena),
                         .target = &hosts[at],
                         .host = host,
                         .run = "r1",
                         .try = 1,
                         .roles = roles,
                         .role_count = 1,
                         .deadline_ms = within(2),
                         .stop_fd = -1,
                         .watch = watch};
}

static enum look looked(struct work *work)
{
    struct error *error = NULL;
    enum look look = work->step->action->look(work, &error);
    if (look == LOOK_FAILED)
        work->words = error_text(&arena, error);
    return look;
}

static void maintenance_is_on_when_every_member_shows_it(void **state)
{
    (void)state;
    struct work work = work_of("patroni", "maintenance: true", 0);
    struct error *error = NULL;

    assert_int_equal(looked(&work), LOOK_WOULD_CHANGE);
    assert_string_equal(work.words, "maintenance mode is off");
    assert_string_equal(text_string(&work.change), "PATCH /config {\"pause\": true}\n");
    assert_int_equal(work.step->action->apply(&work, &error), APPLY_LOOK);
    assert_string_equal(patched, "{\"pause\":true}");

    members[0].config = "{\"ttl\":30,\"pause\":true}";
    members[1].config = "{\"ttl\":30,\"pause\":true}";
    members[0].patroni = LEADER ",\"pause\":true}";
    assert_int_equal(looked(&work), LOOK_WOULD_CHANGE);
    assert_string_equal(work.words, "member \"pg2\" does not show maintenance mode");
    members[1].patroni = REPLICA ",\"pause\":true}";
    assert_int_equal(looked(&work), LOOK_ALREADY);
    assert_string_equal(work.words, "maintenance mode is on");
    text_release(&work.change);
}

static void maintenance_does_not_end_before_patroni_has_seen_a_restarted_server(void **state)
{
    (void)state;
    struct work work = work_of("patroni", "maintenance: false", 0);
    struct error *error = NULL;
    members[0].config = "{\"ttl\":30,\"pause\":true}";
    members[0].patroni = LEADER ",\"pause\":true}";
    members[1].patroni = stopped;

    assert_int_equal(looked(&work), LOOK_WOULD_CHANGE);
    assert_int_equal(work.step->action->apply(&work, &error), APPLY_LOOK);
    assert_string_equal(patched, "{\"pause\":null}");
    assert_false(was_stopped);
    text_release(&work.change);
}

static void a_member_that_the_cluster_file_does_not_know_is_an_error(void **state)
{
    (void)state;
    struct work work = work_of("patroni", "maintenance: true", 0);
    members[0].cluster = "{\"members\":[{\"name\":\"pg1\",\"role\":\"leader\"},"
                         "{\"name\":\"pg9\",\"role\":\"replica\"}]}";

    assert_int_equal(looked(&work), LOOK_FAILED);
    assert_string_equal(work.words, "member \"pg9\" of the cluster is not in the cluster file");
    text_release(&work.change);
}

static void another_member_is_asked_where_ones_own_has_no_answer(void **state)
{
    (void)state;
    struct work work = work_of("patroni", "query: config\nsave: [before]", 0);
    members[0].config = NULL;

    assert_int_equal(looked(&work), LOOK_ALREADY);
    assert_string_equal(work.saved->name, "before");
    assert_string_equal(work.saved->text, "{\"ttl\":30}");

    members[1].config = NULL;
    assert_int_equal(looked(&work), LOOK_FAILED);
    assert_string_equal(work.words, "could not read Patroni's config: no Patroni answers");
}

static void a_merge_patch_is_compared_as_patroni_would(void **state)
{
    (void)state;
    members[0].config = "{\"ttl\":30,\"postgresql\":{\"parameters\":{\"work_mem\":\"4MB\"}}}";
    struct work same = work_of(
        "patroni",
        "config: {ttl: '30', loop_wait: null, postgresql: {parameters: {work_mem: 4MB}}}", 0);
    assert_int_equal(looked(&same), LOOK_ALREADY);

    struct work other = work_of(
        "patroni", "config: {ttl: 30, postgresql: {parameters: {work_mem: null, jit: 'off'}}}", 0);
    assert_int_equal(looked(&other), LOOK_WOULD_CHANGE);
    assert_string_equal(other.words, "\"work_mem\" is not as wanted");
    assert_string_equal(text_string(&other.change),
                        "postgresql.parameters.work_mem: \"4MB\" -> (none)\n"
                        "postgresql.parameters.jit: (none) -> \"off\"\n");
    text_release(&other.change);
}

static void condition_is(const char *params, size_t at, bool is_true, const char *words)
{
    struct work work = work_of("wait-until", arena_printf(&arena, "patroni: {%s}", params), at);
    assert_int_equal(looked(&work), is_true ? LOOK_ALREADY : LOOK_WOULD_CHANGE);
    assert_string_equal(work.words, words);
}

static void conditions_about_patroni_are_told_in_words(void **state)
{
    (void)state;
    condition_is("leader: leader", 0, true, "member \"pg1\" leads");
    condition_is("role: leader", 0, true, "role leader");
    condition_is("role: replica", 0, false, "role leader");
    condition_is("state: stopped", 0, false, "state running");
    condition_is("timeline: 4", 0, false, "timeline 3");
    condition_is("pending-restart: false", 0, true, "no restart is pending");
    condition_is("maintenance: false, scheduled-switchover: false", 0, true,
                 "no switchover is scheduled");
    condition_is("scheduled-switchover: true", 0, false, "no switchover is scheduled");
    condition_is("config-is: '{\"ttl\": \"30\"}'", 0, true, "the configuration is as expected");
    condition_is("config-is: '{\"ttl\": 31}'", 0, false, "the configuration differs");

    members[1].cluster = "{\"members\":[{\"name\":\"pg2\",\"role\":\"replica\"}]}";
    condition_is("leader: leader", 1, false, "no member leads");
}

static void a_follower_streams_on_the_same_timeline(void **state)
{
    (void)state;
    condition_is("follows: leader", 1, true, "streams from \"pg1\" on timeline 3");

    members[0].patroni =
        "{\"state\":\"running\",\"role\":\"primary\",\"timeline\":4,\"replication\":"
        "[{\"application_name\":\"pg2\",\"state\":\"streaming\"}]}";
    condition_is("follows: leader", 1, false, "timeline 3, not 4");
    members[0].patroni =
        "{\"state\":\"running\",\"role\":\"primary\",\"timeline\":3,\"replication\":"
        "[{\"application_name\":\"pg2\",\"state\":\"catchup\"}]}";
    condition_is("follows: leader", 1, false, "\"pg2\" does not stream from \"pg1\"");
    members[0].patroni = NULL;
    condition_is("follows: leader", 1, false, "no answer from Patroni of \"pg1\"");
}

static void a_switchover_needs_a_leader_and_is_done_when_it_is_promoted(void **state)
{
    (void)state;
    struct work work = work_of("patroni", "leader: leader", 1);

    assert_int_equal(looked(&work), LOOK_ALREADY);
    members[0].patroni = REPLICA "}";
    assert_int_equal(looked(&work), LOOK_WOULD_CHANGE);
    assert_string_equal(work.words, "member \"pg1\" leads");

    struct error *error = NULL;
    members[0].cluster = "{\"members\":[]}";
    members[1].cluster = "{\"members\":[]}";
    assert_int_equal(work.step->action->apply(&work, &error), APPLY_NOTHING);
    assert_string_equal(error->message, "cannot switch over to \"pg1\": no member leads");
    text_release(&work.change);
}

static void a_restart_that_is_no_longer_pending_is_not_needed(void **state)
{
    (void)state;
    struct work work = work_of("patroni", "restart: pending", 0);
    struct error *error = NULL;

    members[0].patroni = LEADER ",\"pending_restart\":true}";
    assert_int_equal(looked(&work), LOOK_WOULD_CHANGE);
    assert_int_equal(work.step->action->apply(&work, &error), APPLY_LOOK);
    assert_null(error);
    text_release(&work.change);
}

static void waking_a_member_changes_nothing(void **state)
{
    (void)state;
    struct work work = work_of("patroni", "wake: true", 0);
    struct error *error = NULL;

    patched = NULL;
    assert_int_equal(looked(&work), LOOK_WOULD_CHANGE);
    assert_string_equal(text_string(&work.change), "PATCH /config, which changes nothing\n");
    assert_int_equal(work.step->action->apply(&work, &error), APPLY_DONE);
    assert_null(error);
    assert_null(patched);
    text_release(&work.change);
}

static void a_leader_without_a_configuration_is_woken_when_it_has_written_it(void **state)
{
    (void)state;
    struct work work = work_of("patroni", "wake: true", 0);
    struct error *error = NULL;

    deaf = 2;
    assert_int_equal(work.step->action->apply(&work, &error), APPLY_DONE);
    assert_null(error);
    assert_int_equal(deaf, 0);

    deaf = 1000;
    work.deadline_ms = within(0);
    assert_int_equal(work.step->action->apply(&work, &error), APPLY_DONE);
    assert_null(error);
    deaf = 0;
}

int main(void)
{
#define WITH_MEMBERS(test) cmocka_unit_test_setup(test, members_reset)
    const struct CMUnitTest tests[] = {
        WITH_MEMBERS(maintenance_is_on_when_every_member_shows_it),
        WITH_MEMBERS(maintenance_does_not_end_before_patroni_has_seen_a_restarted_server),
        WITH_MEMBERS(a_member_that_the_cluster_file_does_not_know_is_an_error),
        WITH_MEMBERS(another_member_is_asked_where_ones_own_has_no_answer),
        WITH_MEMBERS(a_merge_patch_is_compared_as_patroni_would),
        WITH_MEMBERS(conditions_about_patroni_are_told_in_words),
        WITH_MEMBERS(a_follower_streams_on_the_same_timeline),
        WITH_MEMBERS(a_switchover_needs_a_leader_and_is_done_when_it_is_promoted),
        WITH_MEMBERS(a_restart_that_is_no_longer_pending_is_not_needed),
        WITH_MEMBERS(waking_a_member_changes_nothing),
        WITH_MEMBERS(a_leader_without_a_configuration_is_woken_when_it_has_written_it),
    };

    return cmocka_run_group_tests(tests, members_open, members_close);
}
