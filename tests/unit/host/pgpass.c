/* The password file is read as libpq reads it. */
#include "host/pgpass.h"
#include "base/file.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct arena arena;
    char path[64];
    struct secret secret;
};

static int fixture_make(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    int fd;

    assert_non_null(fixture);
    strcpy(fixture->path, "/tmp/holdback-pgpass-XXXXXX");
    fd = mkstemp(fixture->path);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(setenv("PGPASSFILE", fixture->path, 1), 0);
    *state = fixture;
    return 0;
}

static int fixture_drop(void **state)
{
    struct fixture *fixture = *state;

    (void)unlink(fixture->path);
    secret_release(&fixture->secret);
    arena_release(&fixture->arena);
    free(fixture);
    return 0;
}

/* What FILE gives for HOST, port 5432, database "app", user "alice". */
static const char *password(struct fixture *fixture, const char *file, const char *host)
{
    const struct pgpass_key key = {.host = host, .port = 5432, .database = "app", .user = "alice"};

    assert_null(file_write(&fixture->arena, fixture->path, file, strlen(file), 0600));
    secret_release(&fixture->secret);
    assert_null(pgpass_find(&fixture->arena, &key, &fixture->secret));
    return fixture->secret.bytes;
}

static void the_first_line_that_matches_gives_the_password(void **state)
{
    struct fixture *fixture = *state;
    const char *file = "# pg1:5432:app:alice:comment\n"
                       "pg2:5432:app:alice:other host\n"
                       "pg1:5433:app:alice:other port\n"
                       "pg1:5432:app:bob:other user\n"
                       "pg1:*:*:alice:first\n"
                       "pg1:5432:app:alice:second\n";

    assert_string_equal(password(fixture, file, "pg1"), "first");
    assert_int_equal(fixture->secret.length, 5);
}

static void no_line_gives_no_password(void **state)
{
    assert_null(password(*state, "pg1:5432:app:alice:word\n", "pg10"));
    assert_null(password(*state, "pg10:5432:app:alice:word\n", "pg1"));
    assert_null(password(*state, "", "pg1"));
}

static void an_empty_password_ends_the_search(void **state)
{
    assert_null(password(*state, "pg1:5432:app:alice:\npg1:5432:app:alice:word\n", "pg1"));
}

static void colons_and_backslashes_are_escaped_by_a_backslash(void **state)
{
    assert_string_equal(password(*state, "fd00\\:\\:1:5432:app:alice:a\\:b\\\\c\n", "fd00::1"),
                        "a:b\\c");
    assert_string_equal(password(*state, "*:*:*:*:word:rest\n", "pg1"), "word");
}

static void a_line_of_windows_and_one_without_newline_count(void **state)
{
    assert_string_equal(password(*state, "*:*:*:*:word\r\n", "pg1"), "word");
    assert_string_equal(password(*state, "*:*:*:*:word", "pg1"), "word");
}

static void a_file_that_others_can_read_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct pgpass_key key = {.host = "pg1", .port = 5432, .database = "a", .user = "b"};
    char message[128];

    assert_null(file_write(&fixture->arena, fixture->path, "*:*:*:*:word", 12, 0600));
    assert_int_equal(chmod(fixture->path, 0640), 0);

    struct error *error = pgpass_find(&fixture->arena, &key, &fixture->secret);

    (void)snprintf(message, sizeof message, "password file \"%s\" can be read by others",
                   fixture->path);
    assert_non_null(error);
    assert_string_equal(error->message, message);
    assert_string_equal(error->hint, "Its permissions should be 0600 or less.");
    assert_null(fixture->secret.bytes);
}

static void a_missing_file_gives_no_password(void **state)
{
    struct fixture *fixture = *state;
    const struct pgpass_key key = {.host = "pg1", .port = 5432, .database = "a", .user = "b"};

    assert_int_equal(unlink(fixture->path), 0);
    assert_null(pgpass_find(&fixture->arena, &key, &fixture->secret));
    assert_null(fixture->secret.bytes);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_make, fixture_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_line_that_matches_gives_the_password),
        TEST(no_line_gives_no_password),
        TEST(an_empty_password_ends_the_search),
        TEST(colons_and_backslashes_are_escaped_by_a_backslash),
        TEST(a_line_of_windows_and_one_without_newline_count),
        TEST(a_file_that_others_can_read_is_refused),
        TEST(a_missing_file_gives_no_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
