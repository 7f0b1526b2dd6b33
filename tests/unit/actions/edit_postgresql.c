#include "edit_test.h"

static const char file[] = "# memory\n"
                           "shared_buffers = 128MB\t\t# min 128kB\n"
                           "#work_mem = 4MB\t\t\t\t# min 64kB\n"
                           "# fsync = off is dangerous\n"
                           "\n"
                           "Port = 5432\n"
                           "include_dir 'conf.d'\n";

static void a_value_is_replaced_and_its_comment_kept(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_POSTGRESQL, file, "shared_buffers", "256MB"),
                        "# memory\n"
                        "shared_buffers = '256MB'\t\t# min 128kB\n"
                        "#work_mem = 4MB\t\t\t\t# min 64kB\n"
                        "# fsync = off is dangerous\n"
                        "\n"
                        "Port = 5432\n"
                        "include_dir 'conf.d'\n");
}

static void a_missing_key_is_appended(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_POSTGRESQL, "a = 1\n", "pg_stat_statements.max", "100"),
                        "a = 1\npg_stat_statements.max = '100'\n");
    assert_string_equal(set(EDIT_POSTGRESQL, "a = 1", "b", "2"), "a = 1\nb = '2'\n");
    assert_string_equal(set(EDIT_POSTGRESQL, "", "b", "2"), "b = '2'\n");
}

static void quotes_and_backslashes_come_through(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_POSTGRESQL, "", "a", "it's \\ \n."), "a = 'it''s \\\\ \\n.'\n");
    assert_string_equal(set(EDIT_POSTGRESQL, "a = b\n", "a", ""), "a = ''\n");
    assert_string_equal(set(EDIT_POSTGRESQL, "a = 'it\\'s'\n", "a", "it's"), "a = 'it\\'s'\n");
    assert_string_equal(set(EDIT_POSTGRESQL, "a = '\\101\\tB'\n", "a", "A\tB"),
                        "a = '\\101\\tB'\n");
}

static void an_equal_value_is_no_change_however_it_is_written(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_POSTGRESQL, file, "PORT", "5432"), file);
    assert_string_equal(set(EDIT_POSTGRESQL, "t 5min\n", "t", "5min"), "t 5min\n");
    assert_string_equal(set(EDIT_POSTGRESQL, "t='5min'#x\n", "t", "5min"), "t='5min'#x\n");
}

static void the_last_of_several_lines_is_the_one_that_is_edited(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_POSTGRESQL, "a = 1\nb = 2\nA '3' # x\n", "a", "4"),
                        "a = 1\nb = 2\nA '4' # x\n");
}

static void unset_removes_every_active_line(void **state)
{
    (void)state;
    assert_string_equal(unset(EDIT_POSTGRESQL, "a = 1\n#a = 2\nb = 1\na=3", "a"),
                        "#a = 2\nb = 1\n");
    assert_string_equal(unset(EDIT_POSTGRESQL, file, "work_mem"), file);
}

static void unset_after_set_gives_the_file_back(void **state)
{
    (void)state;
    const char *edited = set(EDIT_POSTGRESQL, file, "recovery_target_name", "point");

    assert_string_equal(unset(EDIT_POSTGRESQL, edited, "recovery_target_name"), file);
}

static void commenting_out_and_back_gives_the_file_back(void **state)
{
    (void)state;
    const char *out =
        edit_node(EDIT_POSTGRESQL, "  a = 1 # x\nb = 2\n", EDIT_COMMENT_OUT, "a", NULL);

    assert_string_equal(out, "#  a = 1 # x\nb = 2\n");
    assert_string_equal(edit_node(EDIT_POSTGRESQL, out, EDIT_UNCOMMENT, "a", NULL),
                        "a = 1 # x\nb = 2\n");
}

static void uncomment_takes_the_line_that_is_an_entry_and_not_a_remark(void **state)
{
    (void)state;
    assert_string_equal(edit_node(EDIT_POSTGRESQL, "# a is 1\n#a = 2\t# x\n# a = 3 is more\n",
                                  EDIT_UNCOMMENT, "a", NULL),
                        "# a is 1\na = 2\t# x\n# a = 3 is more\n");
    assert_string_equal(edit_node(EDIT_POSTGRESQL, file, EDIT_UNCOMMENT, "fsync", NULL),
                        "error: no line has \"fsync\", active or commented out");
}

static void windows_line_ends_are_kept(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_POSTGRESQL, "a = 1\r\nb = 2\r\n", "a", "3"),
                        "a = '3'\r\nb = 2\r\n");
    assert_string_equal(set(EDIT_POSTGRESQL, "a = 1\r\n", "b", "3"), "a = 1\r\nb = '3'\r\n");
}

static void a_list_is_not_a_value(void **state)
{
    (void)state;
    const struct node list = {.kind = NODE_LIST};

    assert_string_equal(edit_node(EDIT_POSTGRESQL, "", EDIT_SET, "a", &list),
                        "error: the value of \"a\" cannot be written: it is a list");
}

static void eight_hundred_lines_are_edited_within_a_millisecond_or_so(void **state)
{
    (void)state;
    CLEANUP(text_release) struct text text = {0};
    int64_t start;

    for (int line = 0; line < 800; line++)
        text_append_format(&text, "#parameter_%d = %d\t# (change requires restart)\n", line, line);
    start = clock_ms();
    for (int round = 0; round < 10; round++)
        set(EDIT_POSTGRESQL, text_string(&text), "parameter_799", "1");
    // Each round is two edits; the limit is ten times what is needed.
    assert_in_range(clock_ms() - start, 0, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_replaced_and_its_comment_kept),
        cmocka_unit_test(a_missing_key_is_appended),
        cmocka_unit_test(quotes_and_backslashes_come_through),
        cmocka_unit_test(an_equal_value_is_no_change_however_it_is_written),
        cmocka_unit_test(the_last_of_several_lines_is_the_one_that_is_edited),
        cmocka_unit_test(unset_removes_every_active_line),
        cmocka_unit_test(unset_after_set_gives_the_file_back),
        cmocka_unit_test(commenting_out_and_back_gives_the_file_back),
        cmocka_unit_test(uncomment_takes_the_line_that_is_an_entry_and_not_a_remark),
        cmocka_unit_test(windows_line_ends_are_kept),
        cmocka_unit_test(a_list_is_not_a_value),
        cmocka_unit_test(eight_hundred_lines_are_edited_within_a_millisecond_or_so),
    };

    return cmocka_run_group_tests(tests, NULL, release_arena);
}
