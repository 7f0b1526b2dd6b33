#include "plan/sqltext.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The statements as "LINE:TEXT|...", or the error as "LINE:COLUMN MESSAGE". */
static const char *split(struct arena *arena, const char *text)
{
    CLEANUP(text_release) struct text out = {.limit = 0};
    const struct sql_statement *statements;
    size_t count;
    struct error *error = sql_split(arena, text, &statements, &count);

    if (error != NULL)
        return arena_printf(arena, "%d:%d %s", error->place.line, error->place.column,
                            error->message);
    for (size_t at = 0; at < count; at++)
        text_append_format(&out, "%d:%.*s|", statements[at].line, (int)statements[at].length,
                           statements[at].text);
    return text_copy(&out, arena);
}

static void assert_split(const char *text, const char *expected)
{
    CLEANUP(arena_release) struct arena arena = {NULL};

    assert_string_equal(split(&arena, text), expected);
}

static void a_semicolon_ends_a_statement(void **state)
{
    (void)state;
    assert_split("SELECT 1; SELECT 2", "1:SELECT 1|1:SELECT 2|");
    assert_split("SELECT 1;\n\n  SELECT\n2 ;\n", "1:SELECT 1|3:SELECT\n2|");
    assert_split(";; -- nothing\n;/* x */;", "");
    assert_split("", "");
}

static void a_semicolon_in_quotes_ends_nothing(void **state)
{
    (void)state;
    assert_split("SELECT 'a;''b'; x", "1:SELECT 'a;''b'|1:x|");
    assert_split("SELECT '\\'; x", "1:SELECT '\\'|1:x|");
    assert_split("SELECT E'a\\';b'; x", "1:SELECT E'a\\';b'|1:x|");
    assert_split("SELECT e'a'\n'\\';'; x", "1:SELECT e'a'\n'\\';'|2:x|");
    assert_split("SELECT e'a' -- b\n '\\';'; x", "1:SELECT e'a' -- b\n '\\';'|2:x|");
    assert_split("SELECT name'\\'; x", "1:SELECT name'\\'|1:x|");
    assert_split("SELECT U&'\\0061;'; x", "1:SELECT U&'\\0061;'|1:x|");
    assert_split("SELECT \"a;\"\"b\"; x", "1:SELECT \"a;\"\"b\"|1:x|");
    assert_split("SELECT $$a;b$$; x", "1:SELECT $$a;b$$|1:x|");
    assert_split("SELECT $a$ $b$; $$; $a$; x", "1:SELECT $a$ $b$; $$; $a$|1:x|");
    assert_split("SELECT a$b$; c$b$", "1:SELECT a$b$|1:c$b$|");
    assert_split("SELECT $1; x", "1:SELECT $1|1:x|");
}

static void a_semicolon_in_a_comment_ends_nothing(void **state)
{
    (void)state;
    assert_split("SELECT 1 -- a;b\n; x", "1:SELECT 1|2:x|");
    assert_split("SELECT 1 -- a\rFROM t; x", "1:SELECT 1 -- a\rFROM t|1:x|");
    assert_split("/* a; /* b; */ c; */ SELECT 1; x", "1:SELECT 1|1:x|");
    assert_split("SELECT 1 /* '*/; x", "1:SELECT 1|1:x|");
}

static void a_function_body_between_begin_atomic_and_end_is_one_statement(void **state)
{
    (void)state;
    assert_split("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 "
                 "END; END; SELECT 2",
                 "1:CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN "
                 "1 END; END|1:SELECT 2|");
    assert_split("create or replace procedure p() begin atomic a; end; b",
                 "1:create or replace procedure p() begin atomic a; end|1:b|");
    assert_split("CREATE TABLE t (a int); BEGIN; END", "1:CREATE TABLE t (a int)|1:BEGIN|1:END|");
}

static void a_semicolon_in_parentheses_ends_nothing(void **state)
{
    (void)state;
    assert_split("CREATE RULE r AS ON INSERT TO t DO (a; b); c",
                 "1:CREATE RULE r AS ON INSERT TO t DO (a; b)|1:c|");
}

static void what_has_no_end_is_told_where_it_begins(void **state)
{
    (void)state;
    assert_split("SELECT\n  'a", "2:3 quoted string has no end");
    assert_split("SELECT E'a\\'", "1:8 quoted string has no end");
    assert_split("SELECT \"a", "1:8 quoted identifier has no end");
    assert_split("SELECT $a$ $b$", "1:8 dollar-quoted string has no end");
    assert_split("SELECT /* /* */", "1:8 comment has no end");
}

static void assert_forbidden(const char *text, const char *expected, size_t expected_offset)
{
    size_t offset;
    const char *why, *found = sql_forbidden(text, &offset, &why);

    if (expected == NULL) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found, expected);
    assert_int_equal(offset, expected_offset);
}

static void transaction_control_is_forbidden(void **state)
{
    (void)state;
    assert_forbidden("SELECT 1; begin; x", "BEGIN", 10);
    assert_forbidden("/* c */ START /* d */ TRANSACTION", "START TRANSACTION", 8);
    assert_forbidden("COMMIT", "COMMIT", 0);
    assert_forbidden("end", "END", 0);
    assert_forbidden("ABORT;", "ABORT", 0);
    assert_forbidden("x; ROLLBACK", "ROLLBACK", 3);
    assert_forbidden("ROLLBACK PREPARED 'a'", "ROLLBACK", 0);
    assert_forbidden("PREPARE TRANSACTION 'a'", "PREPARE TRANSACTION", 0);
    assert_forbidden("SELECT 'x' -- a\rCOMMIT", NULL, 0);
    assert_forbidden("-- a\rCOMMIT", "COMMIT", 5);
}

static void savepoints_and_quoted_words_are_allowed(void **state)
{
    (void)state;
    assert_forbidden("SAVEPOINT a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a; RELEASE a", NULL,
                     0);
    assert_forbidden("SELECT 'COMMIT'; DO $$ BEGIN COMMIT; END $$", NULL, 0);
    assert_forbidden("PREPARE p AS SELECT 1; EXECUTE p", NULL, 0);
    assert_forbidden("INSERT INTO \"commit\" VALUES (1)", NULL, 0);
    assert_forbidden("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END", NULL, 0);
    assert_forbidden("SELECT ${commit}; ${rollback:identifier}", NULL, 0);
}

static void what_postgresql_refuses_in_a_transaction_is_forbidden(void **state)
{
    (void)state;
    assert_forbidden("CREATE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX CONCURRENTLY", 0);
    assert_forbidden("CREATE UNIQUE INDEX CONCURRENTLY ON t (a)", "CREATE INDEX CONCURRENTLY", 0);
    assert_forbidden("CREATE INDEX i ON t (a)", NULL, 0);
    assert_forbidden("CREATE INDEX \"concurrently\" ON t (a)", NULL, 0);
    assert_forbidden("DROP INDEX CONCURRENTLY i", "DROP INDEX CONCURRENTLY", 0);
    assert_forbidden("REINDEX TABLE CONCURRENTLY t", "REINDEX CONCURRENTLY", 0);
    assert_forbidden("REINDEX DATABASE d", "REINDEX DATABASE", 0);
    assert_forbidden("REINDEX TABLE t", NULL, 0);
    assert_forbidden("REFRESH MATERIALIZED VIEW CONCURRENTLY v", NULL, 0);
    assert_forbidden("ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
                     "DETACH PARTITION CONCURRENTLY", 0);
    assert_forbidden("vacuum t", "VACUUM", 0);
    assert_forbidden("ALTER SYSTEM SET a = 1", "ALTER SYSTEM", 0);
    assert_forbidden("CREATE DATABASE d", "CREATE DATABASE", 0);
    assert_forbidden("CLUSTER", "CLUSTER", 0);
    assert_forbidden("CLUSTER t", NULL, 0);
    assert_forbidden("ANALYZE t", NULL, 0);
}

static void psql_commands_and_rows_of_a_client_are_not_sendable(void **state)
{
    size_t offset;
    const char *why;

    (void)state;
    assert_forbidden("SELECT 1;\n\\connect x", "a psql command", 10);
    assert_forbidden("SELECT '\\connect'", NULL, 0);
    assert_forbidden("COPY t FROM stdin;\n1\t'\n\\.\n", "COPY FROM STDIN", 0);
    assert_forbidden("COPY (SELECT 1) TO STDOUT", "COPY TO STDOUT", 0);
    assert_forbidden("COPY t FROM '/tmp/x'; COPY stdin FROM PROGRAM 'x'", NULL, 0);
    assert_string_equal(sql_unsendable("BEGIN; \\q", &offset, &why), "a psql command");
    assert_int_equal(offset, 7);
    assert_string_equal(
        why, "The text is sent to the server as it is, and psql's own commands are not SQL.");
    assert_null(sql_unsendable("BEGIN; VACUUM; COMMIT", &offset, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_semicolon_ends_a_statement),
        cmocka_unit_test(a_semicolon_in_quotes_ends_nothing),
        cmocka_unit_test(a_semicolon_in_a_comment_ends_nothing),
        cmocka_unit_test(a_function_body_between_begin_atomic_and_end_is_one_statement),
        cmocka_unit_test(a_semicolon_in_parentheses_ends_nothing),
        cmocka_unit_test(what_has_no_end_is_told_where_it_begins),
        cmocka_unit_test(transaction_control_is_forbidden),
        cmocka_unit_test(savepoints_and_quoted_words_are_allowed),
        cmocka_unit_test(what_postgresql_refuses_in_a_transaction_is_forbidden),
        cmocka_unit_test(psql_commands_and_rows_of_a_client_are_not_sendable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
