/* The claim of a run on a host, and what it keeps from happening. */
#include "host/claim.h"
#include "host/file.h"
#include "host/job.h"
#include "host/relay.h"

#include "server.h"

#include <pthread.h>

static struct server *server;
static struct arena arena;
static struct host *host;
static const char *user, *cluster, *path;

static int setup(void **state)
{
    (void)state;
    server = server_start("");
    host = host_new(&server->settings, -1);
    user = server->settings.postgres.os_user;
    cluster = arena_printf(&server->arena, "unit claim %d", (int)getpid());
    path = arena_printf(&server->arena, "%s/.holdback/unit%%20claim%%20%d.claim",
                        getpwnam(user)->pw_dir, (int)getpid());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    host_free(host);
    server_free(server);
    arena_release(&arena);
    return 0;
}

static struct claim claim_of(const char *run, int64_t number)
{
    return (struct claim){.cluster = cluster,
                          .run = run,
                          .who = "alice",
                          .from = "ops1",
                          .journal = "/var/lib/holdback/c/run-1",
                          .since = "2026-11-22T17:22:47.874Z",
                          .number = number};
}

static struct error *take(const char *run, int64_t number)
{
    const struct claim claim = claim_of(run, number);

    return claim_take(host, &arena, &claim, user, within(10), NULL);
}

static struct error *release(const char *run, int64_t number)
{
    const struct claim claim = claim_of(run, number);

    return claim_release(host, &arena, &claim, user, within(10));
}

static int each_end(void **state)
{
    (void)state;
    host_set_claim(host, NULL);
    unlink(path);
    rmdir(path_folder(&arena, path));
    return 0;
}

static void a_claim_is_a_file_that_a_person_can_read(void **state)
{
    char *bytes;
    size_t length;

    (void)state;
    assert_no_error(&arena, take("run-1", 1));
    assert_null(file_read(&arena, path, 10000, &bytes, &length));
    assert_string_equal(bytes,
                        arena_printf(&arena,
                                     "cluster %s\nrun run-1\nnumber 1\nwho alice\nfrom ops1\n"
                                     "journal /var/lib/holdback/c/run-1\n"
                                     "since 2026-11-22T17:22:47.874Z\n",
                                     cluster));
}

static void our_own_claim_can_be_taken_again(void **state)
{
    (void)state;
    assert_no_error(&arena, take("run-1", 1));
    assert_no_error(&arena, take("run-1", 1));
    assert_no_error(&arena, take("run-1", 2));
}

static void another_run_is_told_who_has_it(void **state)
{
    (void)state;
    assert_no_error(&arena, take("run-1", 1));
    assert_error(
        &arena, take("run-2", 5), ERROR_LOCKED,
        arena_printf(&arena,
                     "cluster \"%s\" is locked on host \"pg1\" (127.0.0.1) since "
                     "2026-11-22T17:22:47.874Z by run \"run-1\" of \"alice\" from ops1 (journal "
                     "\"/var/lib/holdback/c/run-1\")",
                     cluster),
        "Ask them, or look there: holdback status run-1");
}

static void an_older_number_of_the_same_run_was_taken_over(void **state)
{
    (void)state;
    assert_no_error(&arena, take("run-1", 12));
    assert_error(
        &arena, take("run-1", 9), ERROR_LOCKED,
        "run \"run-1\" was taken over by \"alice\" from ops1 (journal "
        "\"/var/lib/holdback/c/run-1\"): its number on host \"pg1\" (127.0.0.1) is 12, ours 9",
        "If it must go on from here, because that machine is lost, say: holdback resume run-1 "
        "--take-over");
    assert_non_null(release("run-1", 9));
    assert_int_equal(access(path, F_OK), 0);
}

static void a_released_claim_leaves_nothing_and_frees_the_cluster(void **state)
{
    (void)state;
    assert_no_error(&arena, take("run-1", 1));
    assert_no_error(&arena, release("run-1", 1));
    assert_int_not_equal(access(path, F_OK), 0);
    assert_no_error(&arena, release("run-1", 1));
    assert_no_error(&arena, take("run-2", 1));
    // Of another's claim there is nothing to release.
    assert_no_error(&arena, release("run-1", 1));
    assert_int_equal(access(path, F_OK), 0);
}

/* Two machines may give one id to two runs. */
static void what_has_our_id_but_not_our_journal_is_not_ours_to_release(void **state)
{
    struct claim elsewhere = claim_of("run-1", 1);

    (void)state;
    elsewhere.journal = "/elsewhere/run-1";
    assert_no_error(&arena, take("run-1", 1));
    assert_non_null(claim_release(host, &arena, &elsewhere, user, within(10)));
    assert_int_equal(access(path, F_OK), 0);
}

static void a_claim_that_cannot_be_understood_is_refused(void **state)
{
    (void)state;
    assert_no_error(&arena, take("run-1", 1));
    assert_null(file_write(&arena, path, "run run-1\n", 10, 0644));
    assert_error(
        &arena, take("run-1", 1), ERROR_FAILED,
        arena_printf(&arena,
                     "could not lock the cluster on host \"pg1\" (127.0.0.1): \"%s\" cannot "
                     "be understood",
                     path),
        NULL);
}

struct racer {
    char run[16];
    bool has_it, was_locked;
};

static void *race_main(void *context)
{
    struct racer *racer = context;
    struct arena own = {0};
    struct host *mine = host_new(&server->settings, -1);
    const struct claim claim = claim_of(racer->run, 1);
    struct error *error = claim_take(mine, &own, &claim, user, within(20), NULL);

    racer->has_it = error == NULL;
    racer->was_locked = error != NULL && error->kind == ERROR_LOCKED;
    host_free(mine);
    arena_release(&own);
    return NULL;
}

static void of_six_that_race_one_gets_it(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct racer racers[6] = {0};
        pthread_t threads[6];
        int winners = 0, losers = 0;
        const char *winner = "";

        for (size_t at = 0; at < ARRAY_COUNT(threads); at++) {
            snprintf(racers[at].run, sizeof racers[at].run, "run-%zu", at);
            pthread_create(&threads[at], NULL, race_main, &racers[at]);
        }
        for (size_t at = 0; at < ARRAY_COUNT(threads); at++) {
            pthread_join(threads[at], NULL);
            winners += racers[at].has_it;
            losers += racers[at].was_locked;
            if (racers[at].has_it)
                winner = racers[at].run;
        }
        assert_int_equal(winners, 1);
        assert_int_equal(losers, 5);
        assert_no_error(&arena, release(winner, 1));
    }
}

static void the_same_run_with_another_journal_has_to_take_over(void **state)
{
    struct claim elsewhere = claim_of("run-1", 1);

    (void)state;
    assert_no_error(&arena, take("run-1", 1));
    elsewhere.from = "ops2";
    assert_error(&arena, claim_take(host, &arena, &elsewhere, user, within(10), NULL), ERROR_LOCKED,
                 "run \"run-1\" is in the hands of \"alice\" from ops1 (journal "
                 "\"/var/lib/holdback/c/run-1\"), as host \"pg1\" (127.0.0.1) says",
                 "If it must go on from here, because that machine is lost, say: holdback resume "
                 "run-1 --take-over");
    elsewhere.number = 2;
    assert_non_null(claim_take(host, &arena, &elsewhere, user, within(10), NULL));
    elsewhere.takes_over = true;
    assert_no_error(&arena, claim_take(host, &arena, &elsewhere, user, within(10), NULL));
    // Of two who take over at once the second has no greater number.
    assert_non_null(claim_take(host, &arena,
                               &(struct claim){.cluster = cluster,
                                               .run = "run-1",
                                               .who = "bob",
                                               .from = "ops3",
                                               .journal = "/x",
                                               .since = "now",
                                               .number = 2,
                                               .takes_over = true},
                               user, within(10), NULL));
    assert_non_null(take("run-1", 1));
    assert_no_error(&arena, claim_release(host, &arena, &elsewhere, user, within(10)));
}

/* From here on changes are made in the name of run-1 and its number 1. */
static void name_ourselves(const char *intent)
{
    const struct claim ours = claim_of("run-1", 1);

    host_set_claim(host, claim_reference(&arena, &ours, intent, "migrate"));
}

static struct error *try_job(struct job_result *result)
{
    const struct job_request request = {
        .run = "unit-claim",
        .id = "00000000000000000000000000000000000000000000000000000000000000aa",
        .user = user,
        .script = "echo ran",
        .deadline_ms = within(10)};

    return job_run(host, &arena, &request, NULL, NULL, result);
}

static void assert_no_folder(void)
{
    const char *folder = arena_printf(&arena, "%s/.holdback/unit-claim", getpwnam(user)->pw_dir);

    assert_int_not_equal(access(folder, F_OK), 0);
}

static void a_job_starts_only_under_its_own_number(void **state)
{
    struct job_result result = {0};

    (void)state;
    name_ourselves("aa");
    assert_error(&arena, try_job(&result), ERROR_LOCKED,
                 "our claim on host \"pg1\" (127.0.0.1) is gone: nothing more was changed there",
                 NULL);
    assert_no_error(&arena, take("run-1", 2));
    assert_error(
        &arena, try_job(&result), ERROR_LOCKED,
        "the claim on host \"pg1\" (127.0.0.1) is not ours any more: run \"run-1\" has it with "
        "number 2, and nothing more was changed there",
        NULL);
    assert_no_folder();
    assert_no_error(&arena, release("run-1", 2));
    assert_no_error(&arena, take("run-1", 1));
    assert_no_error(&arena, try_job(&result));
    assert_string_equal(text_string(&result.out), "ran\n");
    job_result_release(&result);
    assert_no_error(&arena, run_folder_remove(host, &arena, "unit-claim", user, within(10)));
}

static void a_change_leaves_its_intent_and_taking_the_claim_again_keeps_it(void **state)
{
    const struct claim ours = claim_of("run-1", 1);
    struct claim_found found;
    struct job_result result = {0};

    (void)state;
    assert_no_error(&arena, take("run-1", 1));
    name_ourselves("bb");
    assert_no_error(&arena, try_job(&result));
    job_result_release(&result);
    assert_no_error(&arena, claim_take(host, &arena, &ours, user, within(10), &found));
    assert_string_equal(found.intent, "bb");
    assert_string_equal(found.step, "migrate");
    assert_no_error(&arena, claim_look(host, &arena, cluster, user, within(10), &found));
    assert_string_equal(found.intent, "bb");
    assert_int_equal(found.number, 1);
    assert_no_error(&arena, run_folder_remove(host, &arena, "unit-claim", user, within(10)));
}

static void a_file_is_replaced_only_under_its_own_number(void **state)
{
    struct host_file_change change = {.user = user,
                                      .path =
                                          arena_printf(&arena, "/tmp/holdback-claim.%d", getpid()),
                                      .expected_digest = "",
                                      .bytes = "x",
                                      .length = 1,
                                      .mode = -1,
                                      .deadline_ms = within(10)};

    (void)state;
    name_ourselves("cc");
    assert_no_error(&arena, take("run-2", 1));
    assert_error(
        &arena, host_file_replace(host, &arena, &change), ERROR_LOCKED,
        "the claim on host \"pg1\" (127.0.0.1) is not ours any more: run \"run-2\" has it with "
        "number 1, and nothing more was changed there",
        NULL);
    assert_int_not_equal(access(change.path, F_OK), 0);
    assert_no_error(&arena, release("run-2", 1));
    assert_no_error(&arena, take("run-1", 1));
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    assert_int_equal(unlink(change.path), 0);
}

static struct error *try_script(const char *script)
{
    struct shell_result result;
    const struct shell_request request = {
        .user = user, .script = script, .deadline_ms = within(10)};
    struct error *error = host_change(host, &arena, &request, &result);

    if (error == NULL) {
        assert_int_equal(result.status, 3);
        assert_string_equal(text_string(&result.out), "ran so\n");
        shell_result_release(&result);
    }
    return error;
}

static void a_script_that_changes_runs_only_under_its_own_number(void **state)
{
    (void)state;
    name_ourselves("dd");
    assert_non_null(try_script("touch /tmp/holdback-claim.never"));
    assert_int_not_equal(access("/tmp/holdback-claim.never", F_OK), 0);
    assert_no_error(&arena, take("run-1", 1));
    assert_no_error(&arena, try_script("echo ran so; exit 3"));
}

/* What is left running keeps nothing locked. */
static void a_script_that_leaves_a_daemon_does_not_keep_the_claim_locked(void **state)
{
    (void)state;
    name_ourselves("ee");
    assert_no_error(&arena, take("run-1", 1));
    assert_no_error(&arena, try_script("sleep 3 >/dev/null 2>&1 & echo ran so; exit 3"));
    assert_no_error(&arena, take("run-1", 2));
    assert_no_error(&arena, release("run-1", 2));
}

static void tidying_up_needs_no_claim_but_none_of_our_run_with_another_number(void **state)
{
    const struct claim ours = claim_of("run-1", 1);

    (void)state;
    host_set_claim(host, claim_reference(&arena, &ours, NULL, NULL));
    assert_no_error(&arena, try_script("echo ran so; exit 3"));
    assert_no_error(&arena, take("run-2", 5));
    assert_no_error(&arena, try_script("echo ran so; exit 3"));
    assert_no_error(&arena, release("run-2", 5));
    assert_no_error(&arena, take("run-1", 2));
    assert_non_null(try_script("echo ran so; exit 3"));
}

/* A listener on loopback; *PORT is its port. */
static int listener_open(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void
a_connection_ends_before_whoever_takes_over_is_told_that_they_have_the_claim(void **state)
{
    struct claim later = claim_of("run-1", 2);
    int port, fd, listener = listener_open(&port);
    struct host *other = host_new(&server->settings, -1);
    char byte;

    (void)state;
    name_ourselves("ff");
    assert_error(&arena, relay_open(host, &arena, user, "127.0.0.1", port, true, within(10), &fd),
                 ERROR_LOCKED,
                 "our claim on host \"pg1\" (127.0.0.1) is gone: nothing more was changed there",
                 NULL);
    assert_no_error(&arena, take("run-1", 1));
    assert_no_error(&arena,
                    relay_open(host, &arena, user, "127.0.0.1", port, true, within(10), &fd));

    int served = accept(listener, NULL, NULL);

    assert_int_equal(send(served, "x", 1, 0), 1);
    // The connection's own program is asleep from here on: nobody serves its end.
    assert_no_error(&arena, claim_take(other, &arena, &later, user, within(10), NULL));
    assert_int_equal(recv(served, &byte, 1, MSG_DONTWAIT), 0);
    close(served);
    close(listener);
    close(fd);
    assert_no_error(&arena, claim_release(other, &arena, &later, user, within(10)));
    host_free(other);
}

#define TEST(function) cmocka_unit_test_teardown(function, each_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_claim_is_a_file_that_a_person_can_read),
        TEST(our_own_claim_can_be_taken_again),
        TEST(another_run_is_told_who_has_it),
        TEST(an_older_number_of_the_same_run_was_taken_over),
        TEST(a_released_claim_leaves_nothing_and_frees_the_cluster),
        TEST(what_has_our_id_but_not_our_journal_is_not_ours_to_release),
        TEST(a_claim_that_cannot_be_understood_is_refused),
        TEST(of_six_that_race_one_gets_it),
        TEST(a_job_starts_only_under_its_own_number),
        TEST(a_file_is_replaced_only_under_its_own_number),
        TEST(the_same_run_with_another_journal_has_to_take_over),
        TEST(a_change_leaves_its_intent_and_taking_the_claim_again_keeps_it),
        TEST(a_script_that_changes_runs_only_under_its_own_number),
        TEST(a_script_that_leaves_a_daemon_does_not_keep_the_claim_locked),
        TEST(a_connection_ends_before_whoever_takes_over_is_told_that_they_have_the_claim),
        TEST(tidying_up_needs_no_claim_but_none_of_our_run_with_another_number),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
