#include "edit_test.h"

static const char file[] = "{\n"
                           "    \"pause\": true,\n"
                           "    \"ttl\": 30,\n"
                           "    \"postgresql\": {\n"
                           "        \"parameters\": {},\n"
                           "        \"use_slots\": true\n"
                           "    }\n"
                           "}\n";

static void a_value_is_replaced_in_place(void **state)
{
    (void)state;
    assert_string_equal(set_plain(EDIT_JSON, "{\"a\" : 1,\"b\":[1, {}] }", "b", "null"),
                        "{\"a\" : 1,\"b\":null }");
    assert_string_equal(set(EDIT_JSON, "{\"a\": {\"b\": \"x\"}}", "a.b", "1\n"),
                        "{\"a\": {\"b\": \"1\\n\"}}");
}

static void an_equal_value_is_no_change(void **state)
{
    (void)state;
    assert_string_equal(set_plain(EDIT_JSON, file, "ttl", "30"), file);
    assert_string_equal(set(EDIT_JSON, "{\"a\": \"\\u0041\"}", "a", "A"), "{\"a\": \"\\u0041\"}");
    assert_string_equal(set_plain(EDIT_JSON, "{\"\\u0061\": 1.50}", "a", "1.5"),
                        "{\"\\u0061\": 1.50}");
}

static void unset_takes_one_comma_with_it(void **state)
{
    (void)state;
    assert_string_equal(unset(EDIT_JSON, "{\"a\": 1, \"b\": 2, \"c\": 3}", "a"),
                        "{\"b\": 2, \"c\": 3}");
    assert_string_equal(unset(EDIT_JSON, "{\"a\": 1, \"b\": 2, \"c\": 3}", "b"),
                        "{\"a\": 1, \"c\": 3}");
    assert_string_equal(unset(EDIT_JSON, "{ \"a\": 1 }", "a"), "{}");
    assert_string_equal(unset(EDIT_JSON, file, "pause"), "{\n"
                                                         "    \"ttl\": 30,\n"
                                                         "    \"postgresql\": {\n"
                                                         "        \"parameters\": {},\n"
                                                         "        \"use_slots\": true\n"
                                                         "    }\n"
                                                         "}\n");
    assert_string_equal(unset(EDIT_JSON, file, "ttl.x"), "error: \"ttl\" is not a map");
    assert_string_equal(unset(EDIT_JSON, file, "x.y"), file);
}

static void a_new_member_is_written_like_its_neighbours(void **state)
{
    (void)state;
    assert_string_equal(set_plain(EDIT_JSON, "{\"a\":1}", "b", "2"), "{\"a\":1,\"b\":2}");
    assert_string_equal(set_plain(EDIT_JSON, "{\"a\": 1}", "b", "2"), "{\"a\": 1, \"b\": 2}");
    assert_string_equal(set_plain(EDIT_JSON, file, "postgresql.parameters.work_mem", "64"),
                        "{\n"
                        "    \"pause\": true,\n"
                        "    \"ttl\": 30,\n"
                        "    \"postgresql\": {\n"
                        "        \"parameters\": {\n"
                        "            \"work_mem\": 64\n"
                        "        },\n"
                        "        \"use_slots\": true\n"
                        "    }\n"
                        "}\n");
    assert_string_equal(set_plain(EDIT_JSON, "{\n  \"a\": 1\n}\n", "b", "0.5"),
                        "{\n  \"a\": 1,\n  \"b\": 0.5\n}\n");
}

static void missing_maps_are_made(void **state)
{
    (void)state;
    assert_string_equal(set_plain(EDIT_JSON, "{}", "a.b", "true"), "{\"a\": {\"b\": true}}");
    assert_string_equal(set(EDIT_JSON, "", "a", "x"), "{\"a\": \"x\"}\n");
}

static void unset_after_set_gives_the_file_back(void **state)
{
    (void)state;
    assert_string_equal(unset(EDIT_JSON, set(EDIT_JSON, file, "postgresql.a", "x"), "postgresql.a"),
                        file);
}

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    assert_true(starts_with(set(EDIT_JSON, "{\"a\": }", "a", "x"), "error: "));
    assert_true(starts_with(set(EDIT_JSON, "{\"a\": 1, \"a\": 2}", "a", "x"), "error: "));
    assert_string_equal(set(EDIT_JSON, "[1]", "a", "x"), "error: \"/\" is not a map");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_replaced_in_place),
        cmocka_unit_test(an_equal_value_is_no_change),
        cmocka_unit_test(unset_takes_one_comma_with_it),
        cmocka_unit_test(a_new_member_is_written_like_its_neighbours),
        cmocka_unit_test(missing_maps_are_made),
        cmocka_unit_test(unset_after_set_gives_the_file_back),
        cmocka_unit_test(what_is_not_json_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, release_arena);
}
