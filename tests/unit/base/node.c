#include "base/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool has(const char *json, const char *text)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    const struct node *root = NULL;

    assert_null(json_parse(&arena, "f", json, strlen(json), &root));
    return node_has(node_find(root, "is"), text);
}

static void a_value_has_a_text_that_it_is_or_that_its_list_has(void **state)
{
    (void)state;
    assert_true(has("{\"is\": \"a\"}", "a"));
    assert_true(has("{\"is\": true}", "true"));
    assert_true(has("{\"is\": [\"a\", \"b\"]}", "b"));
    assert_false(has("{\"is\": \"ab\"}", "a"));
    assert_false(has("{\"is\": [\"a\", [\"b\"]]}", "b"));
    assert_false(has("{\"is\": {\"a\": \"b\"}}", "b"));
    assert_false(has("{}", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_has_a_text_that_it_is_or_that_its_list_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
