/* What is on disk when something begins. */
#include "scripted.h"

#include <signal.h>
#include <sys/resource.h>

static void read_journal_now(struct scene *of, const struct work *work)
{
    if (equal(work->step->id, "b") || of->seen == NULL)
        of->seen = journal_on_disk(&of->theirs);
}

static void intent_is_on_disk_before_apply(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", ""));
    scene.on_apply = read_journal_now;

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_string_equal(scene.seen, "intent a #1 pg1\n");
}

static void the_outcomes_of_a_step_are_on_disk_before_the_next_apply(void **state)
{
    (void)state;
    begin("deploy:\n" STEP("a", "leader", "") STEP("b", "leader", ""));
    scene.on_apply = read_journal_now;

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_string_equal(scene.seen, "intent a #1 pg1\na@pg1 done\nintent b #1 pg1\n");
}

static void the_outcomes_of_a_batch_are_on_disk_before_the_next_hosts_apply(void **state)
{
    (void)state;
    begin(
        "deploy:\n  - {id: b, hosts: replicas, serial: 1, remote-shell: {run: x, creates: /x}}\n");
    scene.on_apply = read_journal_now;

    assert_string_equal(go(PHASE_DEPLOY), "");
    assert_string_equal(scene.seen, "intent b #1 pg2\nb@pg2 done\nintent b #1 pg3\n");
    assert_log("look b@pg2\napply b@pg2\nlook b@pg2\nlook b@pg3\napply b@pg3\nlook b@pg3\n");
}

static void a_journal_that_cannot_be_written_stops_the_run_before_apply(void **state)
{
    struct journal *full;
    const struct record *first;

    (void)state;
    begin("deploy:\n" STEP("a", "leader", ""));
    journal_close(scene.run.journal);
    assert_null(journal_open(&scene.arena, scene.journal_path, &full, &first));
    scene.run.journal = full;

    // Every write to a full disk fails: here, to a file that may not grow.
    struct rlimit old, none = {0};

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    none.rlim_max = old.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);

    const char *error = go(PHASE_DEPLOY);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_string_equal(error,
                        arena_printf(&scene.arena, "could not write journal \"%s\": File too large",
                                     scene.journal_path));
    assert_log("");
    assert_non_null(run_sync(&scene.run));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(intent_is_on_disk_before_apply),
        SCENE_TEST(the_outcomes_of_a_step_are_on_disk_before_the_next_apply),
        SCENE_TEST(the_outcomes_of_a_batch_are_on_disk_before_the_next_hosts_apply),
        SCENE_TEST(a_journal_that_cannot_be_written_stops_the_run_before_apply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
