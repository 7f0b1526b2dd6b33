#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void what_was_put_is_found_however_many_there_are(void **state)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct table table;
    static int values[5000];

    (void)state;
    table_init(&table, &arena);
    for (size_t at = 0; at < 5000; at++)
        *table_place(&table, arena_printf(&arena, "name-%zu", at)) = &values[at];
    for (size_t at = 0; at < 5000; at++)
        assert_ptr_equal(table_find(&table, arena_printf(&arena, "name-%zu", at)), &values[at]);
    assert_int_equal(table.count, 5000);
}

static void an_unknown_name_is_null(void **state)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct table table;
    int value;

    (void)state;
    table_init(&table, &arena);
    assert_null(table_find(&table, "a"));
    *table_place(&table, "abc") = &value;
    assert_null(table_find(&table, "ab"));
    assert_null(table_find(&table, "abcd"));
    assert_null(table_find(&table, ""));
}

static void a_name_may_be_part_of_a_longer_text(void **state)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct table table;
    int value;

    (void)state;
    table_init(&table, &arena);
    *table_place(&table, "xid") = &value;
    assert_ptr_equal(table_find_bytes(&table, "xid}", 3), &value);
    assert_null(table_find_bytes(&table, "xid}", 4));
}

static void the_second_place_of_a_name_is_the_first(void **state)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct table table;
    int value;

    (void)state;
    table_init(&table, &arena);
    *table_place(&table, "a") = &value;
    assert_ptr_equal(*table_place(&table, "a"), &value);
    assert_int_equal(table.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_however_many_there_are),
        cmocka_unit_test(an_unknown_name_is_null),
        cmocka_unit_test(a_name_may_be_part_of_a_longer_text),
        cmocka_unit_test(the_second_place_of_a_name_is_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
