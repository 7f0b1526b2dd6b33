#include "edit_test.h"

static void a_value_is_replaced_in_place(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_ENV, "# x\nexport A=1 # one\nB=2\n", "A", "3"),
                        "# x\nexport A=3 # one\nB=2\n");
    assert_string_equal(set(EDIT_ENV, "A=1\nA=2\n", "A", "3"), "A=1\nA=3\n");
    assert_string_equal(set(EDIT_ENV, "A=1", "B", "x"), "A=1\nB=x\n");
}

static void values_are_quoted_where_a_shell_needs_it(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_ENV, "", "A", "a b"), "A='a b'\n");
    assert_string_equal(set(EDIT_ENV, "", "A", "$HOME \\"), "A='$HOME \\'\n");
    assert_string_equal(set(EDIT_ENV, "", "A", "it's $5 \"x\""), "A=\"it's \\$5 \\\"x\\\"\"\n");
    assert_string_equal(set(EDIT_ENV, "A=1\n", "A", ""), "A=\n");
}

static void an_equal_value_is_no_change_however_it_is_quoted(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_ENV, "A=\"a b\"\n", "A", "a b"), "A=\"a b\"\n");
    assert_string_equal(set(EDIT_ENV, "A=a\\ b\n", "A", "a b"), "A=a\\ b\n");
    assert_string_equal(set(EDIT_ENV, "A=a' 'b\n", "A", "a b"), "A=a' 'b\n");
}

static void what_a_shell_would_expand_is_not_the_same_text(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_ENV, "A=$HOME\n", "A", "$HOME"), "A='$HOME'\n");
    assert_string_equal(set(EDIT_ENV, "A='$HOME'\n", "A", "$HOME"), "A='$HOME'\n");
}

static void a_value_of_several_lines_stops_the_edit(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_ENV, "B=1\nA='x\ny'\n", "B", "2"),
                        "error: line 2 begins a value of several lines, which cannot be edited");
    assert_string_equal(set(EDIT_ENV, "# don't\n", "B", "2"), "# don't\nB=2\n");
}

static void comments_come_and_go(void **state)
{
    (void)state;
    assert_string_equal(edit_node(EDIT_ENV, "A=1\n", EDIT_COMMENT_OUT, "A", NULL), "#A=1\n");
    assert_string_equal(
        edit_node(EDIT_ENV, "#A=1\n# A=2 is the default\n", EDIT_UNCOMMENT, "A", NULL),
        "A=1\n# A=2 is the default\n");
    assert_string_equal(unset(EDIT_ENV, "export A=1\nAB=2\n", "A"), "AB=2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_replaced_in_place),
        cmocka_unit_test(values_are_quoted_where_a_shell_needs_it),
        cmocka_unit_test(an_equal_value_is_no_change_however_it_is_quoted),
        cmocka_unit_test(what_a_shell_would_expand_is_not_the_same_text),
        cmocka_unit_test(a_value_of_several_lines_stops_the_edit),
        cmocka_unit_test(comments_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, release_arena);
}
