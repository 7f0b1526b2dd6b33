#include "run/journal.h"
#include "base/file.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    struct arena arena;
    char folder[64];
    char path[96];
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    (void)strcpy(scene->folder, "/tmp/holdback-journal.XXXXXX");
    if (mkdtemp(scene->folder) == NULL)
        return -1;
    (void)snprintf(scene->path, sizeof scene->path, "%s/journal.jsonl", scene->folder);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    (void)unlink(scene->path);
    (void)rmdir(scene->folder);
    arena_release(&scene->arena);
    free(scene);
    return 0;
}

/* A journal of a first record and COUNT more, each synced by itself. */
static void write_journal(struct scene *scene, int count)
{
    struct journal *journal;

    assert_null(journal_create(&scene->arena, scene->path, &journal));
    (void)journal_append(journal, &scene->arena, "run", "\"holdback\":1,\"run\":\"r1\"");
    assert_null(journal_sync(journal, &scene->arena));
    for (int number = 0; number < count; number++) {
        char fields[64];

        (void)snprintf(fields, sizeof fields, "\"step\":\"s%d\"", number);
        (void)journal_append(journal, &scene->arena, "intent", fields);
        assert_null(journal_sync(journal, &scene->arena));
    }
    journal_close(journal);
}

static size_t count_records(struct scene *scene, const char **last_step)
{
    const struct record *record;
    size_t count = 0;

    assert_null(journal_read(&scene->arena, scene->path, &record));
    for (; record != NULL; record = record->next) {
        count++;
        *last_step = node_text(record->node, "step");
    }
    return count;
}

static void change_file(struct scene *scene, size_t offset, const char *bytes, long cut)
{
    FILE *file = fopen(scene->path, "r+");

    assert_non_null(file);
    if (cut >= 0)
        assert_int_equal(ftruncate(fileno(file), cut), 0);
    (void)fseek(file, (long)offset, SEEK_SET);
    (void)fputs(bytes, file);
    (void)fclose(file);
}

static size_t file_size(struct scene *scene)
{
    struct stat status;

    assert_int_equal(stat(scene->path, &status), 0);
    return (size_t)status.st_size;
}

static void what_was_appended_is_read_back_in_order(void **state)
{
    struct scene *scene = *state;
    const char *last = NULL;

    write_journal(scene, 3);

    assert_int_equal(count_records(scene, &last), 4);
    assert_string_equal(last, "s2");
}

static void a_record_is_not_on_disk_before_it_is_synced(void **state)
{
    struct scene *scene = *state;
    struct journal *journal;

    assert_null(journal_create(&scene->arena, scene->path, &journal));
    (void)journal_append(journal, &scene->arena, "run", "\"holdback\":1");
    assert_int_not_equal(access(scene->path, F_OK), 0);
    assert_null(journal_sync(journal, &scene->arena));
    assert_true(file_size(scene) > 0);
    journal_close(journal);
}

static void a_torn_last_line_is_dropped(void **state)
{
    struct scene *scene = *state;
    struct journal *journal;
    const struct record *record;
    const char *last = NULL;

    write_journal(scene, 2);
    size_t whole = file_size(scene);
    change_file(scene, whole, "{\"n\":4,\"at\":\"2026", -1);

    assert_int_equal(count_records(scene, &last), 3);
    assert_null(journal_open(&scene->arena, scene->path, &journal, &record));
    journal_close(journal);
    assert_int_equal(file_size(scene), whole);
}

static void a_journal_cut_anywhere_behind_its_first_record_is_readable(void **state)
{
    struct scene *scene = *state;
    const char *last = NULL;

    write_journal(scene, 4);
    size_t whole = file_size(scene);
    const struct record *record;

    assert_null(journal_read(&scene->arena, scene->path, &record));
    for (size_t cut = whole; cut > 0; cut--) {
        assert_int_equal(truncate(scene->path, (off_t)cut), 0);
        struct error *error = journal_read(&scene->arena, scene->path, &record);

        if (error != NULL) {
            assert_string_equal(
                error->message,
                arena_printf(&scene->arena, "journal \"%s\" has no complete record", scene->path));
            return;
        }
        assert_true(count_records(scene, &last) >= 1);
    }
}

static void damage_to_what_was_once_on_disk_is_refused(void **state)
{
    struct scene *scene = *state;
    const struct record *record;
    struct journal *journal;

    write_journal(scene, 4);
    char *bytes;
    size_t length;

    assert_null(file_read(&scene->arena, scene->path, 1 << 20, &bytes, &length));
    size_t second = (size_t)(strchr(bytes, '\n') + 1 - bytes);

    change_file(scene, second + 20, "X", -1);
    struct error *error = journal_read(&scene->arena, scene->path, &record);

    assert_non_null(error);
    assert_string_equal(
        error->message,
        arena_printf(&scene->arena, "journal \"%s\" is damaged at record 2, which had been on disk",
                     scene->path));
    assert_non_null(journal_open(&scene->arena, scene->path, &journal, &record));
}

static void every_flipped_bit_is_refused_or_cut_and_never_believed(void **state)
{
    struct scene *scene = *state;
    char *bytes;
    size_t length;

    write_journal(scene, 3);
    assert_null(file_read(&scene->arena, scene->path, 1 << 20, &bytes, &length));
    for (size_t at = 0; at < length; at++) {
        CLEANUP(arena_release) struct arena scratch = {0};
        char original = bytes[at], changed[2] = {(char)(bytes[at] ^ 1), '\0'};
        const struct record *record;

        if (changed[0] == '\0')
            continue;
        change_file(scene, at, changed, -1);
        if (journal_read(&scratch, scene->path, &record) == NULL) {
            // Only the last record may be missing: nothing behind it says that it was on disk.
            size_t count = 0;

            for (; record != NULL; record = record->next)
                count++;
            assert_int_equal(count, 3);
        }
        changed[0] = original;
        change_file(scene, at, changed, -1);
    }
}

static void appending_after_a_reopen_continues_the_chain(void **state)
{
    struct scene *scene = *state;
    struct journal *journal;
    const struct record *record;
    const char *last = NULL;

    write_journal(scene, 1);
    assert_null(journal_open(&scene->arena, scene->path, &journal, &record));
    (void)journal_append(journal, &scene->arena, "intent", "\"step\":\"more\"");
    assert_null(journal_sync(journal, &scene->arena));
    journal_close(journal);

    assert_int_equal(count_records(scene, &last), 3);
    assert_string_equal(last, "more");
}

static void after_a_failed_write_every_further_call_fails(void **state)
{
    struct scene *scene = *state;
    struct journal *journal;
    struct rlimit limit, before;

    assert_null(journal_create(&scene->arena, scene->path, &journal));
    (void)journal_append(journal, &scene->arena, "run", "\"holdback\":1");
    assert_null(journal_sync(journal, &scene->arena));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = file_size(scene);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)journal_append(journal, &scene->arena, "intent", "\"step\":\"s\"");
    struct error *error = journal_sync(journal, &scene->arena);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(error);
    assert_string_equal(
        error->message,
        arena_printf(&scene->arena, "could not write journal \"%s\": File too large", scene->path));
    assert_string_equal(error->hint, "Nothing more was started. Make room or repair the disk, then "
                                     "resume the run.");
    assert_non_null(journal_sync(journal, &scene->arena));
    journal_close(journal);
}

static void a_journal_of_an_unknown_version_is_refused(void **state)
{
    struct scene *scene = *state;
    struct journal *journal;
    const struct record *record;

    assert_null(journal_create(&scene->arena, scene->path, &journal));
    (void)journal_append(journal, &scene->arena, "run", "\"holdback\":2");
    assert_null(journal_sync(journal, &scene->arena));
    journal_close(journal);

    struct error *error = journal_read(&scene->arena, scene->path, &record);

    assert_non_null(error);
    assert_string_equal(
        error->message,
        arena_printf(&scene->arena, "journal \"%s\" is of an unknown version", scene->path));
}

static void an_existing_journal_is_never_begun_again(void **state)
{
    struct scene *scene = *state;
    struct journal *journal;

    write_journal(scene, 0);

    assert_non_null(journal_create(&scene->arena, scene->path, &journal));
}

/* Whole and well-formed, but not what the record after it was made behind. */
static void a_record_that_was_put_in_place_of_another_is_refused(void **state)
{
    struct scene *scene = *state;
    struct journal *journal;
    const struct record *record;
    char *bytes, *other;
    size_t length, other_length;

    write_journal(scene, 3);
    assert_null(file_read(&scene->arena, scene->path, 100000, &bytes, &length));
    (void)unlink(scene->path);
    assert_null(journal_create(&scene->arena, scene->path, &journal));
    (void)journal_append(journal, &scene->arena, "run", "\"holdback\":1,\"run\":\"r2\"");
    assert_null(journal_sync(journal, &scene->arena));
    journal_close(journal);
    assert_null(file_read(&scene->arena, scene->path, 100000, &other, &other_length));

    const char *rest = strchr(bytes, '\n') + 1;
    const char *mixed = arena_printf(&scene->arena, "%s%s", other, rest);

    assert_null(file_write(&scene->arena, scene->path, mixed, strlen(mixed), 0600));

    struct error *error = journal_read(&scene->arena, scene->path, &record);

    assert_non_null(error);
    assert_string_equal(
        error->message,
        arena_printf(&scene->arena, "journal \"%s\" is damaged at record 2, which had been on disk",
                     scene->path));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_appended_is_read_back_in_order),
        TEST(a_record_is_not_on_disk_before_it_is_synced),
        TEST(a_torn_last_line_is_dropped),
        TEST(a_journal_cut_anywhere_behind_its_first_record_is_readable),
        TEST(damage_to_what_was_once_on_disk_is_refused),
        TEST(every_flipped_bit_is_refused_or_cut_and_never_believed),
        TEST(a_record_that_was_put_in_place_of_another_is_refused),
        TEST(appending_after_a_reopen_continues_the_chain),
        TEST(after_a_failed_write_every_further_call_fails),
        TEST(a_journal_of_an_unknown_version_is_refused),
        TEST(an_existing_journal_is_never_begun_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
