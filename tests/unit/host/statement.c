/* Statements on a real PostgreSQL: results, errors, cancelling. */
#include "database.h"

#include <pthread.h>

static void a_question_is_answered_with_names_values_and_nulls(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_request request = request_of(10000);
    struct postgres_result result;

    assert_null(postgres_ask(fixture->host, &fixture->arena, &request,
                             "VALUES (1, 'é'), (NULL, '')", &result));

    assert_int_equal(result.rows, 2);
    assert_int_equal(result.columns, 2);
    assert_string_equal(result.names[0], "column1");
    assert_string_equal(result.names[1], "column2");
    assert_string_equal(result.values[0], "1");
    assert_string_equal(result.values[1], "é");
    assert_null(result.values[2]);
    assert_string_equal(result.values[3], "");
    assert_string_equal(result.command, "SELECT 2");
}

static void the_last_of_several_results_is_returned(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_result result;

    open_plainly(fixture);
    assert_null(execute(fixture, "SELECT 1, 2; SELECT 3", 10000, &result, NULL));
    assert_int_equal(result.columns, 1);
    assert_string_equal(result.values[0], "3");

    assert_null(execute(fixture, "SELECT 1; CREATE TEMP TABLE t (n int)", 10000, &result, NULL));
    assert_int_equal(result.columns, 0);
    assert_int_equal(result.rows, 0);
    assert_string_equal(result.command, "CREATE TABLE");
}

static void only_true_is_true(void **state)
{
    struct fixture *fixture = *state;
    const char *const texts[] = {"SELECT true", "SELECT 'true'", "SELECT false", "SELECT NULL",
                                 "SELECT true WHERE false"};
    struct postgres_result result;

    open_plainly(fixture);
    for (size_t at = 0; at < ARRAY_COUNT(texts); at++) {
        assert_null(execute(fixture, texts[at], 10000, &result, NULL));
        assert_int_equal(postgres_is_true(&result), at < 2);
    }
}

static void an_error_of_the_server_keeps_its_line_and_sqlstate(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_failure failure;

    open_plainly(fixture);

    struct error *error =
        execute(fixture, "SELECT 'é',\n  n\n  FROM nowhere", 10000, NULL, &failure);

    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(error->message, "relation \"nowhere\" does not exist");
    assert_string_equal(error->hint, "At line 3:   FROM nowhere");
    assert_string_equal(failure.sqlstate, "42P01");
    assert_false(failure.connection_lost);
    assert_string_equal(value(fixture, "SELECT 1"), "1");
}

static void detail_and_hint_of_the_server_are_kept(void **state)
{
    struct fixture *fixture = *state;

    open_plainly(fixture);

    struct error *error = execute(fixture,
                                  "DO $$ BEGIN RAISE 'no' USING DETAIL = 'It is so.', "
                                  "HINT = 'Try tomorrow.'; END $$",
                                  10000, NULL, NULL);

    assert_string_equal(error->message, "no");
    assert_string_equal(
        error->hint, "It is so. Try tomorrow. PL/pgSQL function inline_code_block line 1 at RAISE");
}

/* No other session executes anything. */
static void assert_quiet(struct fixture *fixture)
{
    struct postgres_request request = request_of(10000);
    struct postgres_result result;

    assert_null(postgres_ask(fixture->host, &fixture->arena, &request,
                             "SELECT count(*) = 0 FROM pg_stat_activity WHERE state = 'active'"
                             " AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
                             &result));
    assert_true(postgres_is_true(&result));
}

static void a_statement_past_its_deadline_is_cancelled_on_the_server(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_failure failure;

    open_plainly(fixture);

    struct error *error = execute(fixture, "SELECT pg_sleep(30)", 50, NULL, &failure);

    assert_int_equal(error->kind, ERROR_TIMEOUT);
    assert_string_equal(error->message, "the statement did not end in time");
    assert_string_equal(failure.sqlstate, "57014");
    assert_false(failure.connection_lost);
    assert_quiet(fixture);
    error = execute(fixture, "SELECT 1", 50, NULL, NULL);
    assert_string_equal(error->message, "the connection to PostgreSQL on host \"pg1\" is closed");
}

static void *stop_soon(void *context)
{
    struct fixture *fixture = context;

    (void)poll(NULL, 0, 50);
    (void)!write(fixture->stop[1], "", 1);
    return NULL;
}

static void a_stop_cancels_the_statement_on_the_server(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_failure failure;
    pthread_t thread;
    char byte;

    open_plainly(fixture);
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, fixture), 0);

    struct error *error = execute(fixture, "SELECT pg_sleep(30)", 10000, NULL, &failure);

    assert_int_equal(error->kind, ERROR_STOPPED);
    assert_string_equal(error->message, "the statement was cancelled");
    assert_false(failure.connection_lost);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(read(fixture->stop[0], &byte, 1), 1);
    assert_quiet(fixture);
}

static void what_is_stopped_before_it_is_sent_did_not_happen(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_failure failure;

    open_plainly(fixture);
    assert_int_equal(write(fixture->stop[1], "", 1), 1);

    struct error *error = execute(fixture, "SELECT 1", 10000, NULL, &failure);

    assert_int_equal(error->kind, ERROR_STOPPED);
    assert_string_equal(failure.sqlstate, "");
    assert_false(failure.connection_lost);
}

static void a_kept_connection_that_had_ended_leaves_no_doubt(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_request request = request_of(10000);
    struct postgres_result result;
    struct postgres_failure failure;
    int pid;

    open_plainly(fixture);
    pid = postgres_backend_pid(fixture->postgres);
    assert_null(postgres_ask(
        fixture->host, &fixture->arena, &request,
        arena_printf(&fixture->arena, "SELECT pg_terminate_backend(%d, 5000)", pid), &result));
    assert_true(postgres_is_true(&result));

    struct error *error = execute(fixture, "SELECT 1", 10000, NULL, &failure);

    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(error->message, "the connection to PostgreSQL on host \"pg1\" broke before "
                                        "the statement was sent");
    assert_false(failure.connection_lost);
}

static void a_result_that_is_too_large_is_cancelled(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_failure failure;

    open_plainly(fixture);

    struct error *error =
        execute(fixture, "SELECT repeat('x', 100000) FROM generate_series(1, 100000)", 20000, NULL,
                &failure);

    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(error->message, "the result is larger than 16 MiB");
    assert_false(failure.connection_lost);
    assert_quiet(fixture);
}

static void large_statements_and_results_pass(void **state)
{
    struct fixture *fixture = *state;
    size_t length = (size_t)8 * 1024 * 1024;
    char *text = arena_alloc(&fixture->arena, length + 32);

    memset(text, 'y', length);
    memcpy(text, "SELECT '", 8);
    text[length] = '\'';
    open_plainly(fixture);
    assert_int_equal(strlen(value(fixture, text)), length - 8);
}

static void copy_to_and_from_the_client_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_failure failure;

    open_plainly(fixture);
    assert_null(
        execute(fixture, "CREATE TEMP TABLE t (n int)", 10000, &(struct postgres_result){0}, NULL));

    struct error *error = execute(fixture, "COPY t FROM STDIN", 10000, NULL, &failure);

    assert_string_equal(error->message,
                        "COPY from stdin failed: holdback gives no data to COPY FROM STDIN");
    assert_string_equal(failure.sqlstate, "57014");
    assert_string_equal(value(fixture, "SELECT count(*) FROM t"), "0");

    error = execute(fixture, "COPY (SELECT generate_series(1, 100000000)) TO STDOUT", 10000, NULL,
                    &failure);
    assert_string_equal(error->message, "COPY TO STDOUT is not supported");
    assert_string_equal(failure.sqlstate, "57014");
    assert_false(failure.connection_lost);
    assert_quiet(fixture);
}

static void a_broken_connection_says_that_the_statement_may_have_happened(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_failure failure;

    open_plainly(fixture);

    struct error *error =
        execute(fixture, "SELECT pg_terminate_backend(pg_backend_pid())", 10000, NULL, &failure);

    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(error->message, "terminating connection due to administrator command");
    assert_string_equal(failure.sqlstate, "57P01");
    assert_true(failure.connection_lost);
}

static void a_later_deadline_extends_the_servers_timeout(void **state)
{
    struct fixture *fixture = *state;
    struct postgres_request request = request_of(3900);
    struct postgres_result result;

    open_with(fixture, &request);
    assert_null(execute(fixture, "SHOW statement_timeout", 100, &result, NULL));
    assert_string_equal(result.values[0], "5s");
    assert_null(execute(fixture, "SHOW statement_timeout", 58500, &result, NULL));
    assert_string_equal(result.values[0], "1min");
    assert_null(execute(fixture, "SHOW statement_timeout", 100, &result, NULL));
    assert_string_equal(result.values[0], "1min");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_question_is_answered_with_names_values_and_nulls),
        TEST(the_last_of_several_results_is_returned),
        TEST(only_true_is_true),
        TEST(an_error_of_the_server_keeps_its_line_and_sqlstate),
        TEST(detail_and_hint_of_the_server_are_kept),
        TEST(a_statement_past_its_deadline_is_cancelled_on_the_server),
        TEST(a_stop_cancels_the_statement_on_the_server),
        TEST(what_is_stopped_before_it_is_sent_did_not_happen),
        TEST(a_kept_connection_that_had_ended_leaves_no_doubt),
        TEST(a_result_that_is_too_large_is_cancelled),
        TEST(large_statements_and_results_pass),
        TEST(copy_to_and_from_the_client_is_refused),
        TEST(a_broken_connection_says_that_the_statement_may_have_happened),
        TEST(a_later_deadline_extends_the_servers_timeout),
    };

    return cmocka_run_group_tests(tests, database_make, database_drop);
}
