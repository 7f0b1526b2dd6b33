#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_comma_stands_between_what_is_beside_each_other(void **state)
{
    CLEANUP(text_release) struct text out = {0};

    (void)state;
    json_open(&out, NULL, "{");
    json_text_field(&out, "a \"b\"", "ends in {[:, \n");
    json_text_field(&out, "none", NULL);
    json_open(&out, "list", "[");
    json_number_field(&out, NULL, -1);
    json_bool_field(&out, NULL, true);
    json_open(&out, NULL, "{");
    json_text_field(&out, "c", "");
    text_append(&out, "}]");
    json_open_line(&out, 1, "lines", "[");
    json_line(&out, 2);
    json_text_field(&out, NULL, "x");
    json_line(&out, 2);
    json_text_field(&out, NULL, "y");
    text_append(&out, "]}\n");
    assert_string_equal(text_string(&out), "{\"a \\\"b\\\"\":\"ends in {[:, \\n\",\"none\":null,"
                                           "\"list\":[-1,true,{\"c\":\"\"}],\n"
                                           " \"lines\":[\n"
                                           "  \"x\",\n"
                                           "  \"y\"]}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_comma_stands_between_what_is_beside_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
