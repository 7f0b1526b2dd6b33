/* What members' answers prove, and what is told when they change. */
#include "run/certificate_inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HISTORY "1\t0/5000148\tat restore point \"p\"\n"

static struct arena arena;
static struct run run;
static struct host_settings hosts[2] = {{.name = "pg1"}, {.name = "pg2"}};
static struct member members[2];
static struct certificate certificate;
static struct ledger_value saved[2];
static struct plan plan;

static void save(size_t at, const char *name, const char *value)
{
    saved[at] =
        (struct ledger_value){.name = name, .text = value, .next = at == 0 ? NULL : &saved[at - 1]};
    run.ledger.saved = &saved[ARRAY_COUNT(saved) - 1];
}

static void everybody(const char *name, const char *value)
{
    for (size_t at = 0; at < ARRAY_COUNT(members); at++)
        fact_set(&arena, &members[at], name, value);
}

/* pg1 leads, pg2 follows; all is as it must be after a rollback. */
static int begin(void **state)
{
    static const char *const alike[][2] = {{"system_identifier", "7"},
                                           {"timeline", "2"},
                                           {"history", "h"},
                                           {"has_replayed", "0/9"},
                                           {"catalog of postgres", "c"},
                                           {"globals", "g"},
                                           {"sample of postgres", "s"},
                                           {"markers", "none"},
                                           {"run_folder", "gone"},
                                           {"recovery_files", "none"},
                                           {"maintenance", "off"},
                                           {"dcs_config", "d"},
                                           {"replay_paused", "false"},
                                           {"archive_mode", "on"},
                                           {"archiver_fails", "no"},
                                           {"last_archived_wal", "000000020000000000000005"},
                                           {"write_lsn", "0/6000000"},
                                           {"replay_lsn", "0/6000000"}};

    (void)state;
    plan = (struct plan){.name = "p"};
    run = (struct run){.arena = &arena, .plan = &plan};
    ledger_init(&run.ledger, &arena);
    run.ledger.summary.state = RUN_ROLLED_BACK;
    for (size_t at = 0; at < ARRAY_COUNT(members); at++)
        members[at] = (struct member){.host = &hosts[at], .history = HISTORY};
    certificate = (struct certificate){.run = &run,
                                       .members = members,
                                       .count = ARRAY_COUNT(members),
                                       .leader = &members[0],
                                       .lsn = "0/9"};
    for (size_t at = 0; at < ARRAY_COUNT(alike); at++)
        everybody(alike[at][0], alike[at][1]);
    fact_set(&arena, &members[0], "server_role", "leader");
    fact_set(&arena, &members[1], "server_role", "replica");
    save(0, "point_lsn", "0/5000148");
    save(1, "timeline", "1");
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* "proven: words" */
static const char *found(const char *id)
{
    static const char *const names[] = {"proven", "failed", "open", "not meant"};

    certificate_prove(&certificate);
    for (size_t at = 0; at < certificate.proof_count; at++) {
        const struct proof *proof = &certificate.proofs[at];

        if (equal(proof->id, id))
            return arena_printf(&arena, "%s: %s", names[proof->result], proof->words);
    }
    return "there is no such proof";
}

static void the_history_must_leave_the_marks_timeline_at_the_mark(void **state)
{
    (void)state;
    assert_string_equal(found("mark"), "proven: timeline 1 ends at 0/5000148, which is the mark");

    // A failover since then adds a line, and changes nothing.
    members[0].history = HISTORY "\n2\t0/7000000\tno recovery target specified\n";
    assert_string_equal(found("mark"), "proven: timeline 1 ends at 0/5000148, which is the mark");

    members[0].history = "11\t0/5000148\tx\n1\t0/50001A0\tx\n";
    assert_string_equal(found("mark"),
                        "not meant: nothing had been deployed: only the hold was undone, and "
                        "nothing was lost");
    certificate.leader = NULL;
    assert_string_equal(found("mark"),
                        "open: the server that accepts writes did not tell its history");
}

static void after_a_commit_the_marks_timeline_must_have_gone_on(void **state)
{
    (void)state;
    run.ledger.summary.state = RUN_COMMITTED;
    assert_string_equal(found("mark"),
                        "proven: timeline 1 went on to 0/5000148, and the mark is 0/5000148");
    save(0, "point_lsn", "0/5000200");
    assert_string_equal(found("mark"),
                        "failed: timeline 1 went on to 0/5000148, and the mark is 0/5000200");
    save(1, "timeline", "2");
    assert_string_equal(found("mark"), "proven: the cluster is on timeline 2, as at the mark");
    save(1, "timeline", "3");
    assert_string_equal(found("mark"), "failed: timeline 3 of the mark is not in the history");
}

static void a_catalog_that_differs_fails_and_one_that_is_not_known_is_open(void **state)
{
    (void)state;
    assert_string_equal(found("catalogs"), "proven: 1 digest, equal on all 2 members");
    fact_set(&arena, &members[1], "catalog of postgres", "other");
    assert_string_equal(
        found("catalogs"),
        "failed: 0 of 1 equal on all members, but not catalog of postgres (pg1: c, pg2: other)");
    fact_miss(&arena, &members[1], "catalog of postgres", "gone");
    assert_string_equal(found("catalogs"), "open: 0 of 1 equal on all members, but not catalog of "
                                           "postgres (pg1: c, pg2: could not be asked (gone))");
}

static void sampled_rows_that_differ_may_have_been_written_meanwhile(void **state)
{
    (void)state;
    everybody("sample of postgres, t", "t");
    fact_set(&arena, &members[1], "sample of postgres", "other");
    assert_string_equal(found("samples"), "open: 1 of 2 equal on all members, but not sample of "
                                          "postgres (pg1: s, pg2: other)");
}

static void sampled_rows_that_are_written_to_meanwhile_are_named_and_not_compared(void **state)
{
    (void)state;
    everybody("sample of postgres, t", "t");
    everybody("sample of postgres", "s again");
    fact_set(&arena, &members[1], "sample of postgres", "ahead");
    assert_string_equal(found("samples"),
                        "proven: 1 digest, equal on all 2 members; written to while they were "
                        "looked at: sample of postgres");
    everybody("sample of postgres, t", "more");
    fact_set(&arena, &members[1], "sample of postgres, t", "most");
    assert_string_equal(found("samples"),
                        "open: none could be compared; written to while they were looked at: "
                        "sample of postgres; sample of postgres, t");
}

static void two_leaders_and_none_fail(void **state)
{
    (void)state;
    assert_string_equal(found("one-leader"), "proven: pg1: leader, pg2: replica");
    fact_set(&arena, &members[1], "server_role", "leader");
    assert_string_equal(found("one-leader"), "failed: pg1: leader, pg2: leader");
    everybody("server_role", "replica");
    assert_string_equal(found("one-leader"), "failed: pg1: replica, pg2: replica");
    fact_miss(&arena, &members[0], "server_role", "gone");
    assert_string_equal(found("one-leader"), "open: pg1: could not be asked (gone), pg2: replica");
}

static void another_runs_markers_are_not_this_runs(void **state)
{
    (void)state;
    everybody("markers", "in database postgres, of another run");
    assert_string_equal(found("markers"), "not meant: pg1: in database postgres, of another run, "
                                          "pg2: in database postgres, of another run");
    fact_set(&arena, &members[1], "markers", "in database postgres");
    assert_memory_equal(found("markers"), "failed", 6);
}

static void the_archive_counts_only_with_the_current_timeline(void **state)
{
    (void)state;
    assert_string_equal(found("archiving"), "proven: last archived: 000000020000000000000005, "
                                            "timeline now: 2, failing: no");
    fact_set(&arena, &members[0], "last_archived_wal", "000000010000000000000005");
    assert_memory_equal(found("archiving"), "open", 4);
    fact_set(&arena, &members[0], "archiver_fails", "yes: 000000020000000000000006");
    assert_memory_equal(found("archiving"), "failed", 6);
    everybody("archive_mode", "off");
    assert_string_equal(found("archiving"), "not meant: archive_mode is off");
}

static void what_the_plan_wrote_must_be_everywhere(void **state)
{
    (void)state;
    assert_memory_equal(found("writes"), "open", 4);
    save(0, "proof_lsn", "0/5FFFFFF");
    assert_memory_equal(found("writes"), "proven", 6);
    fact_set(&arena, &members[1], "replay_lsn", "0/5000000");
    assert_memory_equal(found("writes"), "failed", 6);
}

static void a_configuration_is_compared_whatever_the_order_of_its_keys(void **state)
{
    const struct node *node = NULL;
    const char json[] = "{\"b\":[1,{\"d\":1,\"c\":null}],\"a\":true}";

    (void)state;
    assert_null(json_parse(&arena, "json", json, strlen(json), &node));
    everybody("dcs_config", config_digest(&arena, node));
    save(0, "dcs_config", "{\"a\": true, \"b\": [1, {\"c\": null, \"d\": 1}]}");
    assert_memory_equal(found("config"), "proven", 6);
    save(0, "dcs_config", "{\"a\": true, \"b\": [{\"c\": null, \"d\": 1}, 1]}");
    assert_memory_equal(found("config"), "failed", 6);
}

/* ---- what has changed ---- */

#define CERTIFICATE(lsn, records, head, fact)                                                      \
    "{\"run\":\"r\",\"lsn\":\"" lsn "\",\"journal\":{\"records\":" records ",\"head\":\"" head     \
    "\"},\"inputs\":[{\"path\":\"p\",\"sha256\":\"1\"}],"                                          \
    "\"members\":[{\"host\":\"pg1\",\"facts\":{" fact "}}]}"

static const struct node *parsed(const char *json)
{
    const struct node *node = NULL;

    assert_null(json_parse(&arena, "json", json, strlen(json), &node));
    return node;
}

static struct record *recorded(size_t number, const char *hash)
{
    struct record *record = arena_alloc(&arena, sizeof *record);

    record->number = number;
    record->node = parsed(arena_printf(&arena, "{\"hash\":\"%s\"}", hash));
    return record;
}

static const char *changes_with(struct record *records, const char *was, const char *is)
{
    CLEANUP(text_release) struct text text = {0};

    for (const struct certificate_change *change =
             certificate_compare(&arena, records, parsed(was), parsed(is));
         change != NULL; change = change->next)
        text_append_format(&text, "%s%s|%s|%s|%s\n", change->is_failure ? "FAILED " : "",
                           change->where, change->what, change->was,
                           change->is == NULL ? "" : change->is);
    return text_copy(&text, &arena);
}

static const char *changes(const char *was, const char *is)
{
    return changes_with(recorded(9, "a"), was, is);
}

static void a_leader_that_moved_is_a_change_and_no_failure(void **state)
{
    const char *was = CERTIFICATE("0/5", "9", "a",
                                  "\"server_role\":{\"value\":\"leader\"},"
                                  "\"write_lsn\":{\"value\":\"0/5\"}");

    (void)state;
    assert_string_equal(changes(was, was), "");
    assert_string_equal(changes(was, CERTIFICATE("0/6", "9", "a",
                                                 "\"server_role\":{\"value\":\"replica\"},"
                                                 "\"write_lsn\":{\"value\":\"none\"}")),
                        "pg1|server_role|leader|replica\n");
    assert_string_equal(changes(was, CERTIFICATE("0/5", "9", "a",
                                                 "\"server_role\":{\"not_asked\":\"gone\"},"
                                                 "\"write_lsn\":{\"not_asked\":\"gone\"}")),
                        "pg1|server_role|leader|not asked: gone\n");
}

static void a_journal_that_is_shorter_or_another_one_fails(void **state)
{
    const char *was = CERTIFICATE("0/5", "9", "a", "");
    struct record *closed = recorded(9, "a");

    (void)state;

    assert_string_equal(changes_with(recorded(8, "b"), was, CERTIFICATE("0/5", "8", "b", "")),
                        "FAILED |journal|a|b\n");
    assert_string_equal(changes_with(recorded(9, "b"), was, CERTIFICATE("0/5", "9", "b", "")),
                        "FAILED |journal|a|b\n");
    // `close` goes on in the journal of a run that left something on a host.
    closed->next = recorded(10, "b");
    assert_string_equal(changes_with(closed, was, CERTIFICATE("0/5", "10", "b", "")), "");
}

static void a_leader_behind_what_was_certified_fails(void **state)
{
    (void)state;
    assert_string_equal(
        changes(CERTIFICATE("1/0", "9", "a", ""), CERTIFICATE("0/FFFFFFFF", "9", "a", "")),
        "FAILED |position of the leader|1/0|0/FFFFFFFF\n");
}

static void a_file_or_member_that_is_another_or_gone_fails(void **state)
{
    (void)state;
    assert_string_equal(changes(CERTIFICATE("0/5", "9", "a", ""),
                                "{\"run\":\"r\",\"lsn\":\"0/5\",\"journal\":{\"records\":9,"
                                "\"head\":\"a\"},\"inputs\":[{\"path\":\"p\",\"sha256\":\"2\"}],"
                                "\"members\":[]}"),
                        "FAILED |file p|1|2\n"
                        "FAILED pg1|member|there|missing\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_history_must_leave_the_marks_timeline_at_the_mark),
        TEST(after_a_commit_the_marks_timeline_must_have_gone_on),
        TEST(a_catalog_that_differs_fails_and_one_that_is_not_known_is_open),
        TEST(sampled_rows_that_differ_may_have_been_written_meanwhile),
        TEST(sampled_rows_that_are_written_to_meanwhile_are_named_and_not_compared),
        TEST(two_leaders_and_none_fail),
        TEST(another_runs_markers_are_not_this_runs),
        TEST(the_archive_counts_only_with_the_current_timeline),
        TEST(what_the_plan_wrote_must_be_everywhere),
        TEST(a_configuration_is_compared_whatever_the_order_of_its_keys),
        TEST(a_leader_that_moved_is_a_change_and_no_failure),
        TEST(a_journal_that_is_shorter_or_another_one_fails),
        TEST(a_leader_behind_what_was_certified_fails),
        TEST(a_file_or_member_that_is_another_or_gone_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
