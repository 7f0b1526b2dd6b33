#include "edit_test.h"

static const char file[] = "; pgbouncer\n"
                           "[databases]\n"
                           "app = host=10.0.0.1 port=5432\n"
                           "\n"
                           "[pgbouncer]\n"
                           "listen_port = 6432\n"
                           ";pool_mode = session\n"
                           "\n"
                           "; the end\n";

static void a_key_is_edited_in_its_own_section(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_INI, "[a]\nport = 1\n[b]\nport = 2\n", "b.port", "3"),
                        "[a]\nport = 1\n[b]\nport = 3\n");
    assert_string_equal(set(EDIT_INI, file, "databases.app", "host=10.0.0.1 port=5432"), file);
}

static void a_missing_key_follows_the_last_one_of_its_section(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_INI, file, "databases.other", "host=10.0.0.2"),
                        "; pgbouncer\n"
                        "[databases]\n"
                        "app = host=10.0.0.1 port=5432\n"
                        "other = host=10.0.0.2\n"
                        "\n"
                        "[pgbouncer]\n"
                        "listen_port = 6432\n"
                        ";pool_mode = session\n"
                        "\n"
                        "; the end\n");
}

static void a_missing_section_is_appended(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_INI, "[Unit]\nAfter=x\n", "Service.User", "postgres"),
                        "[Unit]\nAfter=x\n\n[Service]\nUser=postgres\n");
    assert_string_equal(set(EDIT_INI, "", "a.b", "c"), "[a]\nb = c\n");
}

static void a_key_without_a_section_lies_before_the_first(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_INI, "a = 1\n[s]\na = 2\n", "a", "3"), "a = 3\n[s]\na = 2\n");
    assert_string_equal(set(EDIT_INI, "a = 1\n[s]\na = 2\n", "b", "3"),
                        "a = 1\nb = 3\n[s]\na = 2\n");
}

static void unset_and_comments_work_by_section(void **state)
{
    (void)state;
    const char *text = "[a]\nx = 1\n[b]\nx = 2\n";

    assert_string_equal(unset(EDIT_INI, text, "b.x"), "[a]\nx = 1\n[b]\n");
    assert_string_equal(edit_node(EDIT_INI, text, EDIT_COMMENT_OUT, "a.x", NULL),
                        "[a]\n#x = 1\n[b]\nx = 2\n");
    assert_string_equal(edit_node(EDIT_INI, "[p]\n;x = 1\n", EDIT_UNCOMMENT, "p.x", NULL),
                        "[p]\nx = 1\n");
}

static void a_value_that_goes_on_is_left_alone(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_INI, "[a]\nx = 1 \\\n  y = 2\nz = 1\n", "a.x", "2"),
                        "error: line 3 goes on from \"a.x\", which cannot be edited");
    assert_string_equal(set(EDIT_INI, "[a]\nx = 1\n  more\nz = 1\n", "a.z", "2"),
                        "[a]\nx = 1\n  more\nz = 2\n");
}

static void what_an_ini_file_cannot_hold_is_refused(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_INI, "", "a.b", "c\nd"),
                        "error: the value of \"a.b\" cannot be written: an ini file has no values "
                        "of several lines");
    assert_string_equal(set(EDIT_INI, "", "a.b", " c"),
                        "error: the value of \"a.b\" cannot be written: an ini file does not keep "
                        "blanks around a value, nor a backslash at its end");
}

static void a_quoted_section_may_have_a_dot(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_INI, "[a.b]\nc = 1\n", "\"a.b\".c", "2"), "[a.b]\nc = 2\n");
    assert_string_equal(set(EDIT_INI, "[a]\nb.c=1\n", "a.b.c", "2"), "[a]\nb.c=2\n");
    assert_string_equal(set(EDIT_INI, "", "a.", "2"), "error: \"a.\" is not a path of keys");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_edited_in_its_own_section),
        cmocka_unit_test(a_missing_key_follows_the_last_one_of_its_section),
        cmocka_unit_test(a_missing_section_is_appended),
        cmocka_unit_test(a_key_without_a_section_lies_before_the_first),
        cmocka_unit_test(unset_and_comments_work_by_section),
        cmocka_unit_test(a_value_that_goes_on_is_left_alone),
        cmocka_unit_test(what_an_ini_file_cannot_hold_is_refused),
        cmocka_unit_test(a_quoted_section_may_have_a_dot),
    };

    return cmocka_run_group_tests(tests, NULL, release_arena);
}
