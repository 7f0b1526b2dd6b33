/* The loss report: pg_waldump's lines as each version prints them, and the names for them. */
#include "run/loss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A record as all versions begin it. */
#define RECORD(rmgr, xid, lsn, desc)                                                               \
    "rmgr: " rmgr " len (rec/tot):     61/    61, tx:        " xid ", lsn: 0/" lsn                 \
    ", prev 0/00000000, desc: " desc "\n"
#define HEAP(xid, lsn, desc)                                                                       \
    RECORD("Heap       ", xid, lsn, desc ", blkref #0: rel 1663/5/16400 blk 0")
#define TIME "2026-11-23 02:01:03.000001 UTC"
#define COMMIT(xid, lsn, more) RECORD("Transaction", xid, lsn, "COMMIT " TIME more)

static struct arena arena;

static int release(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* What the program prints of LINES, sorted; the mark is 0/100, and 700 its transaction. */
static const char *printed(const char *lines)
{
    char path[] = "/tmp/holdback-loss.XXXXXX", buffer[4096];
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
    (void)close(fd);
    assert_int_equal(setenv("program", loss_program, 1), 0); // NOLINT(concurrency-mt-unsafe)

    const char *command = arena_printf(
        &arena, "awk -v mark=0/100 -v skip=700 -v first_after=700 \"$program\" %s | LC_ALL=C sort",
        path);
    FILE *pipe = popen(command, "re"); // NOLINT(cert-env33-c)
    size_t length = fread(buffer, 1, sizeof buffer - 1, pipe);

    assert_int_equal(pclose(pipe), 0);
    (void)unlink(path);
    buffer[length] = '\0';
    return arena_strdup(&arena, buffer);
}

static const char *rows_of(const char *lines)
{
    const char *all = printed(lines), *row = strstr(all, "R\t");

    return row == NULL ? "" : arena_copy(&arena, row, strcspn(row, "\n"));
}

static void every_version_prints_the_same_history_in_its_own_words(void **state)
{
    static const char *const versions[] = {
        HEAP("731", "00000200", "INSERT+INIT off 1")
            HEAP("731", "00000210", "HOT_UPDATE off 1 xmax 731 ; new off 2 xmax 0")
                HEAP("731", "00000220", "DELETE off 2 KEYS_UPDATED ")
                    RECORD("Heap2      ", "731", "00000230",
                           "MULTI_INSERT 5 tuples, blkref #0: rel 1663/5/16400 blk 0")
                        COMMIT("731", "00000240", ""),
        HEAP("731", "00000200", "INSERT+INIT off 1 flags 0x00")
            HEAP("731", "00000210", "HOT_UPDATE off 1 xmax 731 flags 0x20 ; new off 2 xmax 0")
                HEAP("731", "00000220", "DELETE off 2 flags 0x00 KEYS_UPDATED ")
                    RECORD("Heap2      ", "731", "00000230",
                           "MULTI_INSERT 5 tuples flags 0x02, blkref #0: rel 1663/5/16400 blk 0")
                        COMMIT("731", "00000240", ""),
        HEAP("731", "00000200", "INSERT+INIT off: 1, flags: 0x00")
            HEAP("731", "00000210",
                 "HOT_UPDATE old_xmax: 731, old_off: 1, old_infobits: [], flags: 0x20, new_xmax: "
                 "0, new_off: 2")
                HEAP("731", "00000220",
                     "DELETE xmax: 731, off: 2, infobits: [KEYS_UPDATED], flags: 0x00")
                    RECORD("Heap2      ", "731", "00000230",
                           "MULTI_INSERT ntuples: 5, flags: 0x02, offsets: [1, 2, 3, 4, 5], blkref "
                           "#0: rel 1663/5/16400 blk 0") COMMIT("731", "00000240", ""),
    };

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(versions); at++)
        assert_string_equal(rows_of(versions[at]), "R\t5/16400\t6\t1\t1\t0\t1\t0\told");
}

static void rows_are_counted_as_they_are_after_the_commit(void **state)
{
    static const struct {
        const char *what, *lines, *counts;
    } cases[] = {
        {"what a savepoint took back does not count",
         HEAP("731", "00000200", "INSERT off 1") HEAP("732", "00000210", "INSERT off 2")
             RECORD("Transaction", "732", "00000220", "ABORT " TIME)
                 HEAP("733", "00000230", "INSERT off 3")
                     COMMIT("731", "00000240", "; rels: base/5/1; subxacts: 733"),
         "2\t0\t0\t0\t0\t0"},
        {"a row that lost a race is neither inserted nor deleted",
         HEAP("731", "00000200", "INSERT off 1 flags 0x00")
             HEAP("731", "00000210", "DELETE off 1 flags 0x08 ") COMMIT("731", "00000220", ""),
         "0\t0\t0\t0\t1\t0"},
        {"a row that moves to another partition is told apart",
         HEAP("731", "00000200", "DELETE off 1 flags 0x10 KEYS_UPDATED ")
             COMMIT("731", "00000220", ""),
         "0\t0\t0\t1\t1\t0"},
        {"so it is in the words of later versions",
         HEAP("731", "00000200", "DELETE xmax: 731, off: 1, infobits: [KEYS_UPDATED], flags: 0x10")
             COMMIT("731", "00000220", ""),
         "0\t0\t0\t1\t1\t0"},
    };

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(cases); at++)
        assert_string_equal(
            arena_printf(&arena, "%s: %s", cases[at].what, rows_of(cases[at].lines)),
            arena_printf(&arena, "%s: R\t5/16400\t%s\told", cases[at].what, cases[at].counts));
}

static void rows_of_before_the_mark_count_if_they_were_committed_after_it(void **state)
{
    (void)state;
    assert_string_equal(
        printed(HEAP("690", "00000010", "INSERT off 1") HEAP("691", "00000020", "INSERT off 2")
                    COMMIT("691", "00000030", "") COMMIT("700", "00000110", "")
                        HEAP("690", "00000120", "INSERT off 3") COMMIT("690", "00000130", "")),
        "B\t5\nO\t690\t 5/16400:2:0\t183\t2026-11-23 02:01:03.000001\n"
        "R\t5/16400\t2\t0\t0\t0\t1\t0\told\n"
        "S\t1\t0\t2026-11-23 02:01:03.000001\t2026-11-23 02:01:03.000001\t0/00000130\t1\t0\t0\t\n"
        "T\t690\t 5/16400:2:0\t183\t2026-11-23 02:01:03.000001\n");
}

static void a_prepared_transaction_counts_when_it_is_committed(void **state)
{
    (void)state;
    assert_string_equal(
        rows_of(HEAP("731", "00000200", "INSERT off 1")
                    RECORD("Transaction", "731", "00000210", "PREPARE ")
                        RECORD("Transaction", "0", "00000220", "COMMIT_PREPARED 731: " TIME)),
        "R\t5/16400\t1\t0\t0\t0\t1\t0\told");
    assert_string_equal(
        printed(HEAP("690", "00000010", "INSERT off 1") RECORD("Transaction", "690", "00000020",
                                                               "PREPARE gid a: " TIME)
                    HEAP("731", "00000200", "INSERT off 1")
                        RECORD("Transaction", "731", "00000210", "PREPARE gid b: " TIME)
                            RECORD("Transaction", "0", "00000220", "COMMIT_PREPARED 690: " TIME)),
        "B\t5\nO\t690\t 5/16400:1:0\t122\t2026-11-23 02:01:03.000001\n"
        "R\t5/16400\t1\t0\t0\t0\t1\t0\told\n"
        "S\t1\t0\t2026-11-23 02:01:03.000001\t2026-11-23 02:01:03.000001\t0/00000220\t1\t0\t0\t\n"
        "T\t690\t 5/16400:1:0\t122\t2026-11-23 02:01:03.000001\n"
        "Y\t690\t2026-11-23 02:01:03.000001\nZ\t731\t2\n");
}

static void locks_and_statistics_are_no_commits_that_are_lost(void **state)
{
    (void)state;
    assert_string_equal(printed(HEAP("731", "00000200", "LOCK off 1: xid 731 LOCK_ONLY")
                                    COMMIT("731", "00000210", "")
                                        RECORD("Heap       ", "732", "00000220",
                                               "INSERT off 1, blkref #0: rel 1663/5/2619 blk 0")
                                            COMMIT("732", "00000230", "")),
                        "S\t0\t2\t\t\t0/00000230\t0\t0\t0\t\n");
}

static void a_record_with_many_bytes_is_read_like_any_other(void **state)
{
    (void)state;
    assert_string_equal(
        printed(
            "rmgr: Heap2       len (rec/tot): 123456/123456, tx:        731, lsn: 0/00000200, prev "
            "0/00000000, desc: MULTI_INSERT 70 tuples, blkref #0: rel 1663/5/16400 blk 0\n" COMMIT(
                "731", "00000240", "")),
        "B\t5\nR\t5/16400\t70\t0\t0\t0\t1\t0\told\n"
        "S\t1\t0\t2026-11-23 02:01:03.000001\t2026-11-23 02:01:03.000001\t0/00000240\t0\t0\t0\t\n"
        "T\t731\t 5/16400:70:0\t123517\t2026-11-23 02:01:03.000001\n");
}

static void truncate_and_a_new_table_are_told_apart(void **state)
{
    (void)state;
    assert_string_equal(
        printed(RECORD("Storage    ", "731", "00000200", "CREATE base/5/16500") RECORD(
            "Heap       ", "731", "00000210",
            "UPDATE off 1 xmax 731 ; new off 2 xmax 0, blkref #0: rel 1663/5/1259 blk 0")
                    COMMIT("731", "00000220", "; rels: base/5/16400; inval msgs: catcache 55")
                        RECORD("Storage    ", "732", "00000230",
                               "CREATE pg_tblspc/16390/PG_15_202209061/5/16501")
                            RECORD("Heap       ", "732", "00000240",
                                   "INSERT off 2, blkref #0: rel 1663/5/1247 blk 0")
                                COMMIT("732", "00000250", "")),
        "B\t5\nD\t731\t 5/16500:again\t 5/16400\nD\t732\t 5/16501:new\t\n"
        "S\t2\t0\t2026-11-23 02:01:03.000001\t2026-11-23 02:01:03.000001\t0/00000250\t0\t2\t0\t\n"
        "T\t731\t\t183\t2026-11-23 02:01:03.000001\nT\t732\t\t183\t2026-11-23 02:01:03.000001\n");
}

static const struct loss_object *object(const struct loss_object *next, const char *type,
                                        const char *name, const char *oid, const char *file,
                                        const char *parent, const char *version, const char *rows)
{
    struct loss_object *one = arena_alloc(&arena, sizeof *one);

    *one = (struct loss_object){"5", "shop", type, name, oid, file, parent, version, rows, next};
    return one;
}

static const char *told(struct loss *loss, const char *lines)
{
    CLEANUP(text_release) struct text text = {0};

    loss->arena = &arena;
    loss->database = "shop";
    loss->mark = "0/100";
    loss->timeline = "1";
    loss->source = "leader (pg1)";
    loss_read(loss, lines);
    loss_add_up(loss);
    text_append_format(&text, "%s\n", loss_summary(loss));
    loss_append_text(&text, loss, false);
    return text_copy(&text, &arena);
}

static void names_come_from_now_and_from_the_mark(void **state)
{
    struct loss loss = {.is_now_known = true, .is_then_known = true};

    (void)state;
    loss.then = object(NULL, "table", "public.gone", "16400", "16400", "0", "7", "321");
    loss.then = object(loss.then, "index", "public.gone_pkey", "16401", "16401", "16400", "7", "1");
    loss.then = object(loss.then, "table", "public.kept", "16402", "16402", "0", "7", "5");
    loss.then =
        object(loss.then, "toast", "pg_toast.pg_toast_16402", "16403", "16403", "16402", "7", "5");
    loss.then = object(loss.then, "table", "public.widened", "16404", "16404", "0", "7", "5");
    loss.then = object(loss.then, "table", "public.emptied", "16405", "16405", "0", "7", "9");
    loss.now = object(NULL, "table", "public.kept_too", "16402", "16402", "0", "8", "5");
    loss.now =
        object(loss.now, "toast", "pg_toast.pg_toast_16402", "16403", "16403", "16402", "7", "5");
    loss.now = object(loss.now, "table", "public.widened", "16404", "16501", "0", "8", "5");
    loss.now = object(loss.now, "table", "public.emptied", "16405", "16503", "0", "8", "5");
    loss.now = object(loss.now, "table", "holdback.marker", "16600", "16600", "0", "8", "5");
    loss.now = object(loss.now, "function", "public.f(integer)", "16601", "", "0", "8", "-1");
    assert_string_equal(
        told(&loss, "W\t0/F0\tnone\n"
                    "R\t5/16400\t0\t0\t3\t0\t1\t0\told\n"   // of a table that was dropped later
                    "R\t5/16402\t4\t1\t0\t0\t1\t0\told\n"   // renamed
                    "R\t5/16403\t90\t0\t0\t0\t0\t0\told\n"  // out of line
                    "R\t5/16501\t79\t0\t0\t0\t1\t77\tnew\n" // 77 copied, 2 inserted
                    "R\t5/16502\t6\t0\t0\t0\t1\t0\tagain\n" // between two TRUNCATE
                    "R\t5/16600\t1\t0\t0\t0\t1\t0\told\n"   // ours
                    "R\t5/16700\t8\t0\t0\t0\t1\t8\tnew\n"   // came and went
                    "D\t731\t 5/16501:new\t 5/16404\n"
                    "D\t732\t 5/16502:again\t 5/16405\n"
                    "D\t733\t 5/16503:again\t 5/16502\n"
                    "D\t734\t 5/16600:new\t\n"
                    "T\t740\t 5/16402:5:0 5/16403:90:0\t2048\t2026-11-23 02:01:03.5\n"
                    "T\t731\t 5/16501:77:1\t9000\t2026-11-23 02:01:03.1\n"
                    "Q\t5/16800\nB\t5\n"
                    "S\t12\t1\t2026-11-23 02:01:03.1\t2026-11-23 02:01:09.5\t0/900\t0\t4\t0\t\n"),
        "10 commits since the mark would be undone: 16 rows in 4 tables, 5 objects created, "
        "dropped or changed\n"
        "mark: 0/100 on timeline 1\n"
        "read: the WAL of leader (pg1) up to 0/900\n"
        "commits: 10, from 2026-11-23 02:01:03 to 2026-11-23 02:01:09 UTC\n"
        "1 other commit changed no table: locks, sequences, statistics\n"
        "1 sequence goes back: numbers that were handed out since the mark will be handed out "
        "again\n"
        "rows:\n"
        "- public.emptied: 6 inserted, 0 updated, 0 deleted\n"
        "- public.kept_too: 4 inserted, 1 updated, 0 deleted\n"
        "- public.gone: 0 inserted, 0 updated, 3 deleted\n"
        "- public.widened: 2 inserted, 0 updated, 0 deleted\n"
        "- 8 rows in 1 table that came and went since the mark\n"
        "objects:\n"
        "- altered: table public.kept_too, it was public.kept\n"
        "- created: function public.f(integer)\n"
        "- dropped: table public.gone, about 321 rows at the mark\n"
        "- rewritten: table public.widened\n"
        "- truncated: table public.emptied, about 9 rows at the mark\n"
        "largest transactions:\n"
        "- xid 731: 0 rows, 8.8 kB of WAL, committed 2026-11-23 02:01:03.1 UTC\n"
        "- xid 740: 5 rows, 2.0 kB of WAL, committed 2026-11-23 02:01:03.5 UTC\n");
}

static void what_could_not_be_read_is_said(void **state)
{
    struct loss cut = {0}, none = {0};

    (void)state;
    assert_string_equal(
        told(&cut, "W\t0/3000000\trecycled\n"
                   "S\t7\t0\t2026-11-23 02:01:03.1\t2026-11-23 02:01:09.5\t0/900\t0\t0\t1\t\n"),
        "at least 7 commits since the mark would be undone: 0 rows in 0 tables\n"
        "mark: 0/100 on timeline 1\n"
        "read: the WAL of leader (pg1) up to 0/900\n"
        "commits: at least 7, from 2026-11-23 02:01:03 to 2026-11-23 02:01:09 UTC\n"
        "to be known:\n"
        "- The WAL of the time after the mark is not there any more; what follows begins at "
        "0/3000000.\n"
        "- There was no time to read the WAL behind 0/900.\n");
    assert_string_equal(
        told(&none, ""),
        "nobody can say what would be undone: the WAL since the mark could not be read\n"
        "mark: 0/100 on timeline 1\n");
}

static void the_script_is_one_that_the_shell_understands(void **state)
{
    (void)state;
    // NOLINTBEGIN(cert-env33-c,concurrency-mt-unsafe)
    assert_int_equal(setenv("script", loss_script, 1), 0);
    assert_int_equal(system("sh -n -c \"$script\""), 0);
    // NOLINTEND(cert-env33-c,concurrency-mt-unsafe)
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_version_prints_the_same_history_in_its_own_words, release),
        cmocka_unit_test_teardown(rows_are_counted_as_they_are_after_the_commit, release),
        cmocka_unit_test_teardown(rows_of_before_the_mark_count_if_they_were_committed_after_it,
                                  release),
        cmocka_unit_test_teardown(a_prepared_transaction_counts_when_it_is_committed, release),
        cmocka_unit_test_teardown(locks_and_statistics_are_no_commits_that_are_lost, release),
        cmocka_unit_test_teardown(a_record_with_many_bytes_is_read_like_any_other, release),
        cmocka_unit_test_teardown(truncate_and_a_new_table_are_told_apart, release),
        cmocka_unit_test_teardown(names_come_from_now_and_from_the_mark, release),
        cmocka_unit_test_teardown(what_could_not_be_read_is_said, release),
        cmocka_unit_test_teardown(the_script_is_one_that_the_shell_understands, release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
