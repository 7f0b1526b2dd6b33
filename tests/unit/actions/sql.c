/* sql: looks, saved values, refusals and what is left behind. */
#include "sql_test.h"

static void a_step_in_one_transaction_happens_once_and_keeps_its_values(void **state)
{
    (void)state;
    struct error *error;
    struct work work =
        work_of("run: INSERT INTO done VALUES ('x'); SELECT count(*) AS n FROM done\n"
                "save: [n]\n");

    assert_int_equal(look(&work, &error), LOOK_WOULD_CHANGE);
    assert_string_equal(text_string(&work.change),
                        "INSERT INTO done VALUES ('x'); SELECT count(*) AS n FROM done\n");
    assert_string_equal(asked("SELECT count(*) FROM pg_namespace WHERE nspname = 'holdback'"), "0");
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(saved(&work, "n"), "1");

    work.saved = NULL;
    assert_int_equal(look(&work, &error), LOOK_ALREADY);
    assert_string_equal(saved(&work, "n"), "1");
    work.saved = NULL;
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(saved(&work, "n"), "1");
    assert_string_equal(asked("SELECT count(*) FROM done"), "1");
    work_end(&work);
}

static void a_failed_transaction_leaves_nothing(void **state)
{
    (void)state;
    struct error *error;
    struct work work = work_of("run: INSERT INTO done VALUES ('x'); SELECT 1/0\n");

    assert_int_equal(apply(&work, &error), APPLY_NOTHING);
    assert_string_equal(error_text(&arena, error), "division by zero");
    assert_int_equal(error->kind, ERROR_FAILED);
    assert_string_equal(asked("SELECT count(*) FROM done"), "0");
    assert_string_equal(asked("SELECT count(*) FROM pg_namespace WHERE nspname = 'holdback'"), "0");
    assert_int_equal(settle(&work, &error), SETTLE_NOT_DONE);
    work_end(&work);
}

static void a_constraint_that_fails_at_commit_leaves_nothing(void **state)
{
    (void)state;
    struct error *error;
    struct work work = work_of("run: |\n"
                               "  ALTER TABLE done ADD UNIQUE (a) DEFERRABLE INITIALLY DEFERRED;\n"
                               "  INSERT INTO done VALUES ('x'), ('x')\n");

    assert_int_equal(apply(&work, &error), APPLY_NOTHING);
    assert_non_null(strstr(error->message, "duplicate key value violates unique constraint"));
    assert_string_equal(asked("SELECT count(*) FROM done"), "0");
    work_end(&work);
}

static void a_text_that_ends_its_transaction_is_not_proven(void **state)
{
    (void)state;
    struct error *error;
    struct work work = work_of("run: INSERT INTO done VALUES ('x'); COMMIT\n");

    assert_int_equal(apply(&work, &error), APPLY_MAYBE);
    assert_string_equal(error_text(&arena, error),
                        "the SQL text ended the transaction of its step");
    assert_string_equal(asked("SELECT count(*) FROM holdback.marker"), "0");
    work_end(&work);
}

static void settings_and_role_end_with_the_transaction(void **state)
{
    (void)state;
    struct error *error;
    struct work work =
        work_of("run: SELECT current_user AS u, current_setting('lock_timeout') AS t\n"
                "save: [u, t]\nrole: reader\nsettings: {lock_timeout: 3s}\n");

    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(saved(&work, "u"), "reader");
    assert_string_equal(saved(&work, "t"), "3s");
    assert_string_equal(asked("SELECT saved FROM holdback.marker"),
                        "{\"u\":\"reader\",\"t\":\"3s\"}");
    work_end(&work);
}

static void a_commit_is_durable_whatever_the_text_says(void **state)
{
    (void)state;
    struct error *error;
    // The deferred trigger runs inside COMMIT, and so sees what COMMIT is done with.
    (void)asked("CREATE OR REPLACE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " UPDATE done SET a = current_setting('synchronous_commit'); RETURN NULL; END $$;"
                "CREATE CONSTRAINT TRIGGER tell AFTER INSERT ON done"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell()");
    struct work work =
        work_of("run: SET LOCAL synchronous_commit = off; INSERT INTO done VALUES ('x')\n");

    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(asked("SELECT a FROM done"), "on");
    work_end(&work);
}

static void who_may_not_make_the_marker_is_told_so(void **state)
{
    (void)state;
    struct error *error;
    settings.postgres.user = "tester";
    settings.postgres.password =
        (struct secret_reference){.source = SECRET_ENV, .argument = "TEST_PASSWORD"};
    assert_int_equal(setenv("TEST_PASSWORD", "se'cret", 1), 0);
    struct work work = work_of("run: INSERT INTO done VALUES ('x')\n");

    assert_int_equal(apply(&work, &error), APPLY_NOTHING);
    settings.postgres.password = (struct secret_reference){0};
    assert_string_equal(error_text(&arena, error), "could not make the table \"holdback.marker\": "
                                                   "permission denied for database postgres");
    assert_string_equal(error->hint,
                        "A step in one transaction is proven by a row there: the user needs the "
                        "right to create the schema \"holdback\" in this database, or an "
                        "administrator creates it for them.");
    assert_string_equal(asked("SELECT count(*) FROM done"), "0");
    work_end(&work);
}

static void whoever_was_taken_over_gets_no_transaction_any_more(void **state)
{
    (void)state;
    struct error *error;
    struct work later = work_of("run: INSERT INTO done VALUES ('x')\n");
    struct work former = later;

    former.number = 1;
    later.number = 2;
    later.was_taken_over = true;
    assert_int_equal(settle(&later, &error), SETTLE_NOT_DONE);
    assert_int_equal(apply(&former, &error), APPLY_NOTHING);
    assert_int_equal(error->kind, ERROR_LOCKED);
    assert_string_equal(
        error_text(&arena, error),
        "run \"r1\" was taken over: its number in \"holdback.marker\" is 2, ours 1");
    assert_string_equal(asked("SELECT count(*) FROM done"), "0");
    assert_int_equal(apply(&later, &error), APPLY_DONE);
    assert_string_equal(asked("SELECT count(*) FROM done"), "1");
    work_end(&former);
    work_end(&later);
}

static void unless_decides_before_and_after(void **state)
{
    (void)state;
    struct error *error;
    struct work work = work_of("unless: SELECT count(*) > 0 FROM done\n"
                               "run: INSERT INTO done VALUES ('x')\n");

    assert_int_equal(look(&work, &error), LOOK_WOULD_CHANGE);
    assert_int_equal(apply(&work, &error), APPLY_LOOK);
    assert_int_equal(look(&work, &error), LOOK_ALREADY);

    struct work broken = work_of("unless: SELECT 1/0\nrun: SELECT 1\n");
    assert_int_equal(look(&broken, &error), LOOK_FAILED);
    assert_string_equal(error_text(&arena, error), "division by zero");

    struct work empty = work_of("unless: SELECT NULL\nrun: SELECT 1\n");
    assert_int_equal(look(&empty, &error), LOOK_WOULD_CHANGE);

    struct work writing = work_of("unless: DELETE FROM done RETURNING true\nrun: SELECT 1\n");
    assert_int_equal(look(&writing, &error), LOOK_FAILED);
    assert_string_equal(error_text(&arena, error),
                        "cannot execute DELETE in a read-only transaction");
    work_end(&work);
    work_end(&broken);
    work_end(&empty);
    work_end(&writing);
}

static void statements_by_themselves_save_from_whichever_has_the_name(void **state)
{
    (void)state;
    struct error *error;
    struct work work = work_of("transaction: none\nsave: [a, b]\nrun:\n"
                               "  - SELECT 1 AS a\n"
                               "  - VACUUM done; SELECT 2 AS b\n"
                               "  - INSERT INTO done VALUES ('x')\n");

    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(saved(&work, "a"), "1");
    assert_string_equal(saved(&work, "b"), "2");
    assert_int_equal(settle(&work, &error), SETTLE_IN_DOUBT);
    assert_string_equal(error->message,
                        "it was interrupted, and nothing in the database tells its end");
    work_end(&work);
}

static void a_statement_that_failed_after_another_may_have_left_something(void **state)
{
    (void)state;
    struct error *error;
    struct work work = work_of("transaction: none\nrun:\n"
                               "  - INSERT INTO done VALUES ('x')\n  - SELECT 1/0\n");

    assert_int_equal(apply(&work, &error), APPLY_MAYBE);
    assert_string_equal(error_text(&arena, error), "division by zero");
    assert_string_equal(asked("SELECT count(*) FROM done"), "1");

    struct work again = work_of("transaction: none\nclean-up: DELETE FROM done\n"
                                "run: INSERT INTO done VALUES ('y')\n");
    again.try = 2;
    assert_int_equal(apply(&again, &error), APPLY_DONE);
    assert_string_equal(asked("SELECT string_agg(a, ',') FROM done"), "y");
    work_end(&work);
    work_end(&again);
}

static void a_query_saves_one_row_or_shows_all(void **state)
{
    (void)state;
    struct error *error;
    struct work one = work_of("query: SELECT 7 AS n\nsave: [n]\n");
    assert_int_equal(look(&one, &error), LOOK_ALREADY);
    assert_string_equal(saved(&one, "n"), "7");

    struct work many = work_of("query: VALUES (1), (2)\nsave: [column1]\n");
    assert_int_equal(look(&many, &error), LOOK_FAILED);
    assert_string_equal(error->message,
                        "the query returned 2 rows, and values are saved from exactly one");

    struct work shown =
        work_of("query: SELECT 'é' AS name, 10 AS n UNION ALL SELECT 'long', NULL\n");
    assert_int_equal(look(&shown, &error), LOOK_ALREADY);
    assert_string_equal(text_string(&shown.shown), "name  n\né     10\nlong  \n");
    work_end(&one);
    work_end(&many);
    work_end(&shown);
}

static void a_suspended_predecessor_is_ended_before_the_answer(void **state)
{
    (void)state;
    struct error *error;
    struct postgres *zombie;
    struct postgres_result result;
    struct work work = work_of("run: INSERT INTO done VALUES ('x')\n");
    const struct postgres_request request = {.application = "holdback r1 migrate",
                                             .deadline_ms = clock_ms() + 10000};

    assert_null(postgres_open(host, &arena, &request, &zombie));
    assert_null(postgres_execute(zombie, &arena, "BEGIN; INSERT INTO done VALUES ('zombie')",
                                 clock_ms() + 10000, &result, NULL));
    assert_int_equal(settle(&work, &error), SETTLE_NOT_DONE);
    assert_non_null(postgres_execute(zombie, &arena, "COMMIT", clock_ms() + 10000, &result, NULL));
    assert_string_equal(asked("SELECT count(*) FROM done"), "0");
    postgres_close(zombie);
    work_end(&work);
}

static void cleaning_takes_the_last_marker_and_the_schema_away(void **state)
{
    (void)state;
    struct error *error;
    struct work work = work_of("run: INSERT INTO done VALUES ('x')\n");
    struct work other = work_of("run: INSERT INTO done VALUES ('y')\n");
    other.run = "r2";

    assert_null(sql()->clean(&work));
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_int_equal(apply(&other, &error), APPLY_DONE);
    assert_null(sql()->clean(&work));
    assert_string_equal(asked("SELECT string_agg(run, ',') FROM holdback.marker"), "r2");
    assert_null(sql()->clean(&other));
    assert_string_equal(asked("SELECT count(*) FROM pg_namespace WHERE nspname = 'holdback'"), "0");
    work_end(&work);
    work_end(&other);
}

int main(void)
{
#define ON_A_SERVER(test) cmocka_unit_test_setup_teardown(test, host_make, host_drop)
    const struct CMUnitTest tests[] = {
        ON_A_SERVER(a_step_in_one_transaction_happens_once_and_keeps_its_values),
        ON_A_SERVER(a_failed_transaction_leaves_nothing),
        ON_A_SERVER(a_constraint_that_fails_at_commit_leaves_nothing),
        ON_A_SERVER(a_text_that_ends_its_transaction_is_not_proven),
        ON_A_SERVER(settings_and_role_end_with_the_transaction),
        ON_A_SERVER(a_commit_is_durable_whatever_the_text_says),
        ON_A_SERVER(who_may_not_make_the_marker_is_told_so),
        ON_A_SERVER(whoever_was_taken_over_gets_no_transaction_any_more),
        ON_A_SERVER(unless_decides_before_and_after),
        ON_A_SERVER(statements_by_themselves_save_from_whichever_has_the_name),
        ON_A_SERVER(a_statement_that_failed_after_another_may_have_left_something),
        ON_A_SERVER(a_query_saves_one_row_or_shows_all),
        ON_A_SERVER(a_suspended_predecessor_is_ended_before_the_answer),
        ON_A_SERVER(cleaning_takes_the_last_marker_and_the_schema_away),
    };

    return cmocka_run_group_tests(tests, tests_begin, tests_end);
}
