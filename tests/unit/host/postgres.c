/* Reaching a real PostgreSQL. The whole program runs in an environment that is full of traps. */
#include "database.h"
#include "host/postgres_error.h"

static void a_wrong_password_is_refused(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.postgres.user = "tester";
    fixture->settings.postgres.password.source = SECRET_ENV;
    fixture->settings.postgres.password.argument = "WRONG_PASSWORD";

    struct error *error = refusal(fixture);

    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_string_equal(error_text(&fixture->arena, error),
                        "could not connect to PostgreSQL on host \"pg1\": password authentication "
                        "failed for user \"tester\"");
    assert_string_equal(error->hint, "Check \"user\" and \"password\" in the cluster file's "
                                     "\"postgres\" section, or ~/.pgpass.");
}

static void a_user_whom_pg_hba_does_not_know_is_refused(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.postgres.user = "stranger";

    struct error *error = refusal(fixture);

    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_string_equal(error_text(&fixture->arena, error),
                        "could not connect to PostgreSQL on host \"pg1\": no pg_hba.conf entry for "
                        "host \"127.0.0.1\", user \"stranger\", database \"postgres\", no "
                        "encryption");
}

static void the_password_file_is_looked_up_by_the_real_address(void **state)
{
    struct fixture *fixture = *state;
    const char *path = arena_printf(&fixture->arena, "%s/pgpass", database.folder);
    const char *line =
        arena_printf(&fixture->arena, "127.0.0.1:%d:postgres:tester:se'cret\n", database.port);

    fixture->settings.postgres.user = "tester";
    assert_null(file_write(&fixture->arena, path, line, strlen(line), 0600));
    assert_int_equal(setenv("PGPASSFILE", path, 1), 0);
    open_plainly(fixture);
    assert_string_equal(value(fixture, "SELECT session_user"), "tester");
}

static void without_a_password_the_hint_says_where_it_belongs(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.postgres.user = "tester";
    assert_int_equal(setenv("PGPASSFILE", "/nonexistent", 1), 0);

    struct error *error = refusal(fixture);

    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_string_equal(error_text(&fixture->arena, error),
                        "could not connect to PostgreSQL on host \"pg1\": fe_sendauth: no password "
                        "supplied");
    assert_string_equal(error->hint,
                        arena_printf(&fixture->arena,
                                     "Give \"password\" in the cluster file's \"postgres\" section,"
                                     " or a line for 127.0.0.1:%d in ~/.pgpass.",
                                     database.port));
}

static void a_port_without_server_says_that_it_is_not_running(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.postgres.port = free_port();

    struct error *error = refusal(fixture);

    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(error->message, "could not connect to PostgreSQL on host \"pg1\": the "
                                        "server is not running: Connection refused");
}

static void a_server_that_is_starting_up_is_not_running(void **state)
{
    struct fixture *fixture = *state;
    static const char text[] =
        "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  57P03: the database "
        "system "
        "is starting up\nLOCATION:  ProcessStartupPacket, postmaster.c:2340\n";
    struct error *error = postgres_refused(&fixture->arena, &fixture->settings, text, NULL);

    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(error->message,
                        "could not connect to PostgreSQL on host \"pg1\": the server is not "
                        "running: the database system is starting up");
}

static void what_any_address_of_a_name_answers_counts(void **state)
{
    struct fixture *fixture = *state;
#define NOBODY                                                                                     \
    "failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP "       \
    "connections?\n"
    static const char one[] =
        "connection to server at \"db\" (::1), port 5432 " NOBODY
        "connection to server at \"db\" (127.0.0.1), port 5432 failed: FATAL:  28P01: password "
        "authentication failed for user \"postgres\"\n";
    static const char none[] = "connection to server at \"db\" (::1), port 5432 " NOBODY
                               "connection to server at \"db\" (127.0.0.1), port 5432 " NOBODY;
    struct error *error = postgres_refused(&fixture->arena, &fixture->settings, one, NULL);

    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_string_equal(error_text(&fixture->arena, error),
                        "could not connect to PostgreSQL on host \"pg1\": password authentication "
                        "failed for user \"postgres\"");
    error = postgres_refused(&fixture->arena, &fixture->settings, none, NULL);
    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(error->message, "could not connect to PostgreSQL on host \"pg1\": the "
                                        "server is not running: Connection refused");
}

static void a_missing_database_is_no_matter_of_reaching(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.postgres.database = "nothing";

    struct error *error = refusal(fixture);

    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(
        error_text(&fixture->arena, error),
        "could not connect to PostgreSQL on host \"pg1\": database \"nothing\" does "
        "not exist");
}

static void the_environment_changes_nothing(void **state)
{
    struct fixture *fixture = *state;

    open_plainly(fixture);
    assert_string_equal(value(fixture, "SHOW DateStyle"), "ISO, MDY");
    assert_string_equal(value(fixture, "SHOW TimeZone"),
                        value(fixture,
                              "SELECT reset_val FROM "
                              "pg_settings WHERE name = 'TimeZone' AND source <> 'client'"));
    assert_string_equal(value(fixture, "SHOW work_mem"), "4MB");
    assert_string_equal(value(fixture, "SHOW client_encoding"), "UTF8");
    assert_string_equal(value(fixture, "SHOW application_name"), "holdback test");
    assert_string_equal(value(fixture, "SHOW idle_in_transaction_session_timeout"), "1min");
}

static void tls_proves_the_server_unless_told_otherwise(void **state)
{
    struct fixture *fixture = *state;
    const char *ca = arena_printf(&fixture->arena, "%s/ca.crt", database.folder);

    fixture->settings.postgres.sslmode = NULL;
    fixture->settings.postgres.tls.ca = ca;
    open_plainly(fixture);
    assert_string_equal(value(fixture, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
                        "t");
    postgres_close(fixture->postgres);
    fixture->postgres = NULL;

    fixture->settings.address = "localhost";
    struct error *error = refusal(fixture);
    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_string_equal(error_text(&fixture->arena, error),
                        "could not connect to PostgreSQL on host \"pg1\": server certificate for "
                        "\"127.0.0.1\" (and 1 other name) does not match host name \"localhost\"");
}

static void a_private_key_that_others_can_read_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const char *key = arena_printf(&fixture->arena, "%s/open.key", database.folder);

    assert_null(file_write(&fixture->arena, key, "x", 1, 0644));
    fixture->settings.postgres.sslmode = "verify-full";
    fixture->settings.postgres.tls.key = key;

    struct error *error = refusal(fixture);

    assert_string_equal(error_text(&fixture->arena, error),
                        arena_printf(&fixture->arena,
                                     "could not connect to PostgreSQL on host \"pg1\": private key "
                                     "\"%s\" can be read by others",
                                     key));
}

static void settings_and_role_hold_for_the_session(void **state)
{
    struct fixture *fixture = *state;
    const struct shell_environment settings[] = {{"lock_timeout", "10s"},
                                                 {"search_path", "\"a'b\\c\", pg_catalog"}};
    struct postgres_request request = request_of(10000);

    request.settings = settings;
    request.setting_count = ARRAY_COUNT(settings);
    request.role = "reader";
    open_with(fixture, &request);
    assert_string_equal(value(fixture, "SHOW lock_timeout"), "10s");
    assert_string_equal(value(fixture, "SHOW search_path"), "\"a'b\\c\", pg_catalog");
    assert_string_equal(value(fixture, "SELECT current_user"), "reader");
}

static void an_unknown_setting_is_named(void **state)
{
    struct fixture *fixture = *state;
    const struct shell_environment setting = {"lock_timeut", "10s"};
    struct postgres_request request = request_of(10000);

    request.settings = &setting;
    request.setting_count = 1;

    struct error *error =
        postgres_open(fixture->host, &fixture->arena, &request, &fixture->postgres);

    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(error_text(&fixture->arena, error),
                        "could not set up the session: unrecognized configuration parameter "
                        "\"lock_timeut\"");
}

static void a_session_that_only_looks_cannot_write(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_request request = request_of(10000);
    struct postgres_failure failure;

    request.read_only = true;
    open_with(fixture, &request);

    struct error *error = execute(fixture, "CREATE TABLE t (n int)", 10000, NULL, &failure);

    assert_string_equal(error->message, "cannot execute CREATE TABLE in a read-only transaction");
    assert_string_equal(failure.sqlstate, "25006");
}

static void through_ssh_the_socket_and_the_port_are_reached(void **state)
{
    struct fixture *fixture = *state;
    struct server *sshd = server_start("");
    const char *who = getuid() == 0 ? "postgres" : sshd->user;

    fixture->settings.ssh = sshd->settings.ssh;
    fixture->settings.postgres.os_user = who;
    fixture->settings.postgres.reach = "tcp";
    fixture->settings.postgres.sslmode = NULL;
    open_plainly(fixture);
    assert_string_equal(value(fixture, "SELECT host(inet_server_addr()) || ' ' || ssl FROM "
                                       "pg_stat_ssl WHERE pid = pg_backend_pid()"),
                        "127.0.0.1 true");
    postgres_close(fixture->postgres);

    fixture->settings.postgres.reach = "socket";
    open_plainly(fixture);
    assert_null(value(fixture, "SELECT inet_server_addr()"));
    assert_int_equal(strlen(value(fixture, "SELECT repeat('x', 5000000)")), 5000000);

    struct postgres_failure failure;
    struct error *error = execute(fixture, "SELECT pg_sleep(30)", 50, NULL, &failure);

    assert_int_equal(error->kind, ERROR_TIMEOUT);
    assert_string_equal(failure.sqlstate, "57014");
    postgres_close(fixture->postgres);
    fixture->postgres = NULL;

    fixture->settings.postgres.port = free_port();
    assert_string_equal(refusal(fixture)->message,
                        "could not connect to PostgreSQL on host \"pg1\": the server is not "
                        "running: No such file or directory");
    fixture->settings.postgres.reach = "tcp";
    assert_string_equal(refusal(fixture)->message,
                        "could not connect to PostgreSQL on host \"pg1\": the server is not "
                        "running: Connection refused");

    host_free(fixture->host);
    fixture->host = NULL;
    server_free(sshd);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wrong_password_is_refused),
        TEST(a_user_whom_pg_hba_does_not_know_is_refused),
        TEST(the_password_file_is_looked_up_by_the_real_address),
        TEST(without_a_password_the_hint_says_where_it_belongs),
        TEST(a_port_without_server_says_that_it_is_not_running),
        TEST(a_server_that_is_starting_up_is_not_running),
        TEST(what_any_address_of_a_name_answers_counts),
        TEST(a_missing_database_is_no_matter_of_reaching),
        TEST(the_environment_changes_nothing),
        TEST(tls_proves_the_server_unless_told_otherwise),
        TEST(a_private_key_that_others_can_read_is_refused),
        TEST(settings_and_role_hold_for_the_session),
        TEST(an_unknown_setting_is_named),
        TEST(a_session_that_only_looks_cannot_write),
        TEST(through_ssh_the_socket_and_the_port_are_reached),
    };

    // What libpq would take from the environment is forgotten before main: so it must be there
    // then.
    if (count == 1) {
        (void)setenv("PGSERVICE", "nonexistent", 1);
        (void)setenv("PGHOSTADDR", "192.0.2.1", 1);
        (void)setenv("PGOPTIONS", "-c work_mem=64kB", 1);
        (void)setenv("PGTZ", "Asia/Tokyo", 1);
        (void)setenv("PGDATESTYLE", "German", 1);
        (void)setenv("PGSSLMODE", "require", 1);
        (void)setenv("PGTARGETSESSIONATTRS", "standby", 1);
        (void)setenv("WRONG_PASSWORD", "wrong", 1);
        execl("/proc/self/exe", arguments[0], "again", (char *)NULL);
        return 1;
    }
    return cmocka_run_group_tests(tests, database_make, database_drop);
}
