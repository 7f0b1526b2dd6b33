#include "plan/value.h"
#include "plan/sqllex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t number(enum value_type type, const char *text)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct value value;

    return value_read(&arena, type, text, &value) ? value.number : -1;
}

static void sizes_and_durations_are_numbers_with_a_unit(void **state)
{
    (void)state;
    assert_int_equal(number(VALUE_SIZE, "64MB"), 64 << 20);
    assert_int_equal(number(VALUE_SIZE, "20GB"), INT64_C(20) << 30);
    assert_int_equal(number(VALUE_SIZE, "8kB"), 8192);
    assert_int_equal(number(VALUE_SIZE, "1TB"), INT64_C(1) << 40);
    assert_int_equal(number(VALUE_SIZE, "17"), 17);
    assert_int_equal(number(VALUE_SIZE, "17B"), 17);
    assert_int_equal(number(VALUE_DURATION, "500ms"), 500);
    assert_int_equal(number(VALUE_DURATION, "10s"), 10000);
    assert_int_equal(number(VALUE_DURATION, "5m"), 300000);
    assert_int_equal(number(VALUE_DURATION, "4h"), 14400000);
    assert_int_equal(number(VALUE_DURATION, "1d"), 86400000);
}

static void what_is_not_of_its_type_is_refused(void **state)
{
    static const struct {
        enum value_type type;
        const char *text;
    } wrong[] = {
        {VALUE_SIZE, ""},          {VALUE_SIZE, "MB"},       {VALUE_SIZE, "64mb"},
        {VALUE_SIZE, "-1MB"},      {VALUE_SIZE, "1.5GB"},    {VALUE_SIZE, "64 MB"},
        {VALUE_SIZE, "9000000TB"}, {VALUE_SIZE, "010"},      {VALUE_DURATION, "10"},
        {VALUE_DURATION, "s"},     {VALUE_DURATION, "10 s"}, {VALUE_INTEGER, "0x10"},
        {VALUE_INTEGER, "1e3"},    {VALUE_INTEGER, "--1"},   {VALUE_INTEGER, "9223372036854775808"},
        {VALUE_BOOLEAN, "yes"},    {VALUE_BOOLEAN, "True"},  {VALUE_PATH, ""},
        {VALUE_SECRET, "hunter2"}, {VALUE_SECRET, "file:"},
    };

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(wrong); at++)
        assert_int_equal(number(wrong[at].type, wrong[at].text), -1);
    assert_int_equal(number(VALUE_INTEGER, "-12"), -12);
    assert_int_equal(number(VALUE_BOOLEAN, "true"), 1);
}

static void a_value_of_one_host_is_not_another_ones(void **state)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct scope *scope = scope_new(&arena);

    (void)state;
    scope_set_text(scope, "pg1", "xid", "one");
    assert_null(scope_find(scope, NULL, "xid"));
    assert_null(scope_find(scope, "pg2", "xid"));
    assert_string_equal(scope_find(scope, "pg1", "xid")->text, "one");
    scope_set_text(scope, NULL, "xid", "all");
    assert_string_equal(scope_find(scope, "pg1", "xid")->text, "one");
    assert_string_equal(scope_find(scope, "pg2", "xid")->text, "all");
    scope_set_text(scope, "pg1", "xid", "two");
    assert_string_equal(scope_find(scope, "pg1", "xid")->text, "two");
}

static struct scope *scope_example(struct arena *arena)
{
    static const struct {
        enum value_type type;
        const char *name, *text;
    } values[] = {
        {VALUE_TEXT, "name", "O'Hara \\ ${xid}"},
        {VALUE_TEXT, "xid", "740"},
        {VALUE_SIZE, "wal", "64MB"},
        {VALUE_DURATION, "delay", "1500ms"},
        {VALUE_DURATION, "whole", "20s"},
        {VALUE_INTEGER, "minus", "-5"},
        {VALUE_BOOLEAN, "yes", "true"},
        {VALUE_PATH, "file", "/a/b.sql"},
        {VALUE_SECRET, "password", "env:PW"},
        {VALUE_TEXT, "table", "my\"table"},
        {VALUE_TEXT, "empty", ""},
        {VALUE_TEXT, "postgres.data-directory", "/pg"},
    };
    struct scope *scope = scope_new(arena);
    struct value value;

    for (size_t at = 0; at < ARRAY_COUNT(values); at++) {
        assert_true(value_read(arena, values[at].type, values[at].text, &value));
        scope_set(scope, NULL, values[at].name, value);
    }
    return scope;
}

typedef struct error *expander(struct arena *, const struct scope *, const char *,
                               const struct place, const char *, const char **);

/* The text, or the error with its place and hint. */
static const char *expanded(struct arena *arena, expander *expand, const char *text)
{
    struct place place = {.file = "plan.yml", .line = 7, .column = 3};
    const char *out;
    struct error *error = expand(arena, scope_example(arena), NULL, place, text, &out);

    if (error == NULL)
        return out;
    assert_int_equal(error->place.line, 7);
    return arena_printf(arena, "! %s%s%s", error->message, error->hint == NULL ? "" : " | ",
                        error->hint == NULL ? "" : error->hint);
}

static void assert_text(const char *text, const char *expected)
{
    CLEANUP(arena_release) struct arena arena = {NULL};

    assert_string_equal(expanded(&arena, expand_text, text), expected);
}

static void assert_sql(const char *text, const char *expected)
{
    CLEANUP(arena_release) struct arena arena = {NULL};

    assert_string_equal(expanded(&arena, expand_sql, text), expected);
}

static void a_value_is_inserted_into_a_text_and_never_read_again(void **state)
{
    (void)state;
    assert_text("a ${xid}${wal}", "a 74064MB");
    assert_text("<${name}>", "<O'Hara \\ ${xid}>");
    assert_text("${postgres.data-directory}/x", "/pg/x");
    assert_text("$${xid} $xid $$ $", "${xid} $xid $$ $");
    assert_text("$$${xid}", "$${xid}");
    assert_text("", "");
}

static void a_text_with_an_unknown_or_secret_value_is_refused(void **state)
{
    (void)state;
    assert_text("${nothing}", "! value \"nothing\" is not known yet");
    assert_text("${password}", "! secret \"password\" cannot be put into a text");
    assert_text("${xid", "! \"${\" does not begin a reference | Write ${name} for a value, $${ for "
                         "the characters themselves.");
    assert_text("${xid:identifier}", "! \"${\" does not begin a reference | Write ${name} for a "
                                     "value, $${ for the characters themselves.");
}

static void a_value_in_sql_is_one_literal(void **state)
{
    (void)state;
    assert_sql("SELECT ${name}", "SELECT 'O''Hara \\ ${xid}'");
    assert_sql("SELECT ${xid}::int", "SELECT '740'::int");
    assert_sql("SELECT ${empty}", "SELECT ''");
    assert_sql("SELECT ${wal}, ${delay}, ${whole}, ${yes}, ${file}",
               "SELECT 67108864, 1.5, 20, true, '/a/b.sql'");
    assert_sql("SELECT -${minus}", "SELECT - -5");
    assert_sql("TABLE ${table:identifier}", "TABLE \"my\"\"table\"");
    assert_sql("TABLE a.${table:identifier}", "TABLE a.\"my\"\"table\"");
    assert_sql("f(${xid},${xid})", "f('740','740')");
}

static void a_value_in_quotes_or_comments_is_refused(void **state)
{
    static const char hint[] = " | A value becomes one whole literal: join it outside the quotes "
                               "with ||, or write $${ for "
                               "the characters themselves.";
    static const struct {
        const char *text, *message;
    } wrong[] = {
        {"SELECT 'a ${xid}'", "! \"${xid}\" cannot stand in a quoted string"},
        {"SELECT E'\\'${xid}'", "! \"${xid}\" cannot stand in a quoted string"},
        {"SELECT \"${xid}\"", "! \"${xid}\" cannot stand in a quoted identifier"},
        {"SELECT $a$ ${xid}$a$", "! \"${xid}\" cannot stand in a dollar-quoted string"},
        {"SELECT 1 -- ${xid}", "! \"${xid}\" cannot stand in a comment"},
        {"/* /* */ ${xid} */ SELECT 1", "! \"${xid}\" cannot stand in a comment"},
    };
    CLEANUP(arena_release) struct arena arena = {NULL};

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(wrong); at++)
        assert_string_equal(expanded(&arena, expand_sql, wrong[at].text),
                            arena_printf(&arena, "%s%s", wrong[at].message, hint));
}

static void a_brace_after_what_opens_a_dollar_quote_is_part_of_its_body(void **state)
{
    (void)state;
    assert_sql("SELECT $${1,2}$$::int[]", "SELECT $${1,2}$$::int[]");
    assert_sql("SELECT $a${1,2}$a$", "SELECT $a${1,2}$a$");
    assert_sql("SELECT '$${xid}'", "SELECT '${xid}'");
    assert_sql("-- $${xid}\nSELECT 1", "-- ${xid}\nSELECT 1");
}

static void a_value_that_would_become_part_of_what_is_beside_it_is_refused(void **state)
{
    static const char *const touching[] = {
        "SELECT E${xid}",   "SELECT x${xid}",     "SELECT 'a'${xid}",
        "SELECT ${xid}'a'", "SELECT U&${xid}",    "SELECT ${xid}a",
        "SELECT 1${wal}",   "SELECT ${xid}$$a$$", "SELECT \"a\"${xid}",
    };
    CLEANUP(arena_release) struct arena arena = {NULL};

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(touching); at++)
        assert_non_null(strstr(expanded(&arena, expand_sql, touching[at]),
                               "touches what is beside it | A value becomes one whole literal. Set "
                               "it apart, or join texts with ||."));
    assert_sql("SELECT E'a'\n${name}", "! \"${name}\" follows a quoted string | PostgreSQL reads "
                                       "two strings on two lines as one. Join texts with ||.");
    assert_sql("SELECT ${xid} -- x\n ${name}",
               "! \"${name}\" follows a quoted string | PostgreSQL reads two strings on two lines "
               "as one. Join texts with ||.");
    assert_sql("SELECT 'a' ${table:identifier}", "SELECT 'a' \"my\"\"table\"");
    assert_sql("SELECT 5&${minus}", "SELECT 5& -5");
}

/*
 * Whatever the value: between what stands before and behind it the lexer sees one string, whose
 * content is the value.
 */
static void no_value_gets_out_of_its_literal(void **state)
{
    static const char pieces[] = "'\"\\$${};-/*\nEeUu&a1 \xc3";
    CLEANUP(arena_release) struct arena arena = {NULL};
    unsigned seed = 1;

    (void)state;
    for (int try = 0; try < 20000; try++) {
        char value[16], back[16];
        size_t length = (size_t)rand_r(&seed) % 12, back_length = 0;
        struct scope *scope = scope_new(&arena);
        const char *sql;

        for (size_t at = 0; at < length; at++)
            value[at] = pieces[(size_t)rand_r(&seed) % (sizeof pieces - 1)];
        value[length] = '\0';
        scope_set_text(scope, NULL, "v", value);
        assert_null(expand_sql(&arena, scope, NULL, (struct place){0}, "(${v})", &sql));

        struct sql_lexer lexer = {.at = sql};

        assert_int_equal(sql_token_next(&lexer).kind, SQL_OPEN);

        struct sql_token token = sql_token_next(&lexer);

        assert_int_equal(token.kind, SQL_STRING);
        assert_int_equal(*token.text, '\'');
        for (size_t at = 1; at + 1 < token.length; at++) {
            at += token.text[at] == '\'';
            back[back_length++] = token.text[at];
        }
        back[back_length] = '\0';
        assert_string_equal(back, value);
        assert_int_equal(sql_token_next(&lexer).kind, SQL_CLOSE);
        assert_int_equal(sql_token_next(&lexer).kind, SQL_END);
        arena_release(&arena);
    }
}

static void a_shell_text_gets_the_variables_that_it_names(void **state)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    CLEANUP(text_release) struct text text = {.limit = 0};
    const struct shell_variable *variables;
    size_t count;

    (void)state;
    assert_null(shell_variables(&arena, scope_example(&arena), NULL,
                                "ls \"$postgres_data_directory/${xid}\" $xid; sh -c 'echo $name'\n"
                                "echo $((wal / 2)) \"${delay:-1}\" $HOME $password # $empty\n",
                                &variables, &count));
    for (size_t at = 0; at < count; at++)
        text_append_format(&text, "%s=%s\n", variables[at].name, variables[at].value);
    assert_string_equal(text_string(&text), "postgres_data_directory=/pg\n"
                                            "xid=740\n"
                                            "name=O'Hara \\ ${xid}\n"
                                            "wal=67108864\n"
                                            "delay=1.5\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_durations_are_numbers_with_a_unit),
        cmocka_unit_test(what_is_not_of_its_type_is_refused),
        cmocka_unit_test(a_value_of_one_host_is_not_another_ones),
        cmocka_unit_test(a_value_is_inserted_into_a_text_and_never_read_again),
        cmocka_unit_test(a_text_with_an_unknown_or_secret_value_is_refused),
        cmocka_unit_test(a_value_in_sql_is_one_literal),
        cmocka_unit_test(a_value_in_quotes_or_comments_is_refused),
        cmocka_unit_test(a_brace_after_what_opens_a_dollar_quote_is_part_of_its_body),
        cmocka_unit_test(a_value_that_would_become_part_of_what_is_beside_it_is_refused),
        cmocka_unit_test(no_value_gets_out_of_its_literal),
        cmocka_unit_test(a_shell_text_gets_the_variables_that_it_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
