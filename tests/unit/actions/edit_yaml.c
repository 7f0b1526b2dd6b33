#include "edit_test.h"

static const char file[] = "scope: demo # the cluster\n"
                           "restapi:\n"
                           "  listen: 10.0.0.1:8008\n"
                           "  connect_address: \"10.0.0.1:8008\"  # from outside\n"
                           "\n"
                           "postgresql:\n"
                           "  parameters:\n"
                           "    work_mem: 4MB\n"
                           "    pg_stat_statements.max: 100\n"
                           "  pg_hba:\n"
                           "  - local all all peer\n"
                           "  - host all all all md5\n"
                           "\n"
                           "# what Patroni looks at\n"
                           "tags:\n"
                           "    nofailover: false\n"
                           "    # last\n"
                           "\n"
                           "# the end\n";

static void assert_replaced(const char *edited, const char *old, const char *new)
{
    const char *at = strstr(file, old);

    assert_non_null(at);
    assert_string_equal(
        edited, arena_printf(&arena, "%.*s%s%s", (int)(at - file), file, new, at + strlen(old)));
}

static void a_scalar_is_replaced_and_every_other_byte_kept(void **state)
{
    (void)state;
    assert_replaced(set_plain(EDIT_YAML, file, "tags.nofailover", "true"), "nofailover: false",
                    "nofailover: true");
    assert_replaced(set(EDIT_YAML, file, "restapi.connect_address", "10.0.0.2:8008"),
                    "\"10.0.0.1:8008\"  #", "10.0.0.2:8008  #");
    assert_replaced(set(EDIT_YAML, file, "scope", "x"), "demo #", "x #");
}

static void a_key_with_a_dot_is_quoted_in_the_path(void **state)
{
    (void)state;
    assert_replaced(
        set_plain(EDIT_YAML, file, "postgresql.parameters.\"pg_stat_statements.max\"", "200"),
        "max: 100", "max: 200");
}

static void an_equal_value_is_no_change(void **state)
{
    (void)state;
    assert_string_equal(set_plain(EDIT_YAML, file, "tags.nofailover", "false"), file);
    assert_string_equal(set(EDIT_YAML, file, "restapi.listen", "10.0.0.1:8008"), file);
    assert_string_equal(set_plain(EDIT_YAML, file, "restapi.connect_address", "10.0.0.1:8008"),
                        file);
}

static void a_text_that_looks_like_something_else_is_quoted(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_YAML, "a: 1\n", "a", "1"), "a: '1'\n");
    assert_string_equal(set(EDIT_YAML, "a: 1\n", "a", "on"), "a: 'on'\n");
    assert_string_equal(set_plain(EDIT_YAML, "a: 1\n", "a", "on"), "a: on\n");
    assert_string_equal(set(EDIT_YAML, "a: 1\n", "a", ""), "a: ''\n");
    assert_string_equal(set(EDIT_YAML, "a: 1\n", "a", "it's: # x"), "a: 'it''s: # x'\n");
    assert_string_equal(set(EDIT_YAML, "a: 1\n", "a", "two\nlines"), "a: \"two\\nlines\"\n");
    assert_string_equal(set(EDIT_YAML, "a: 1\n", "a", "2026-11-22"), "a: '2026-11-22'\n");
    assert_string_equal(set(EDIT_YAML, "a: 1\n", "a", "- x"), "a: '- x'\n");
}

static void a_missing_key_follows_its_siblings(void **state)
{
    (void)state;
    assert_replaced(set_plain(EDIT_YAML, file, "tags.noloadbalance", "true"),
                    "nofailover: false\n    # last\n",
                    "nofailover: false\n    noloadbalance: true\n    # last\n");
    assert_replaced(set(EDIT_YAML, file, "postgresql.bin_dir", "/usr/bin"), "all md5\n",
                    "all md5\n  bin_dir: /usr/bin\n");
    assert_replaced(set(EDIT_YAML, file, "name", "pg1"), "    # last\n", "    # last\nname: pg1\n");
}

static void missing_maps_are_made(void **state)
{
    (void)state;
    assert_string_equal(set_plain(EDIT_YAML, "a: 1\n", "b.c.d", "2"), "a: 1\nb:\n  c:\n    d: 2\n");
    assert_string_equal(set_plain(EDIT_YAML, "", "b.c", "2"), "b:\n  c: 2\n");
    assert_string_equal(set_plain(EDIT_YAML, "tags: {} # none\nz: 1\n", "tags.a", "true"),
                        "tags: # none\n  a: true\nz: 1\n");
    assert_string_equal(set_plain(EDIT_YAML, "tags:\nz: 1\n", "tags.a", "true"),
                        "tags:\n  a: true\nz: 1\n");
    assert_string_equal(set_plain(EDIT_YAML, "a: 1", "b", "2"), "a: 1\nb: 2\n");
}

static void unset_removes_an_entry_with_all_that_is_in_it(void **state)
{
    (void)state;
    assert_replaced(unset(EDIT_YAML, file, "postgresql.pg_hba"),
                    "  pg_hba:\n  - local all all peer\n  - host all all all md5\n", "");
    assert_replaced(unset(EDIT_YAML, file, "restapi"),
                    "restapi:\n  listen: 10.0.0.1:8008\n  connect_address: \"10.0.0.1:8008\"  # "
                    "from outside\n",
                    "");
    assert_string_equal(unset(EDIT_YAML, file, "nothing.here"), file);
}

static void the_last_key_of_a_map_leaves_an_empty_map(void **state)
{
    (void)state;
    assert_string_equal(unset(EDIT_YAML, "tags: # x\n  a: 1\nb: 2\n", "tags.a"),
                        "tags: {} # x\nb: 2\n");
}

static void unset_after_set_gives_the_file_back(void **state)
{
    (void)state;
    assert_string_equal(
        unset(EDIT_YAML, set_plain(EDIT_YAML, file, "tags.clonefrom", "true"), "tags.clonefrom"),
        file);
}

static void a_list_replaces_a_list(void **state)
{
    (void)state;
    struct node second = scalar("host all all all scram-sha-256", false);
    struct node first = scalar("local all all peer", false);
    struct node list = {.kind = NODE_LIST, .count = 2, .child = &first};

    first.next = &second;
    assert_replaced(edit_node(EDIT_YAML, file, EDIT_SET, "postgresql.pg_hba", &list),
                    "  pg_hba:\n  - local all all peer\n  - host all all all md5\n",
                    "  pg_hba: [local all all peer, host all all all scram-sha-256]\n");
    second = scalar("host all all all md5", false);
    assert_string_equal(edit_node(EDIT_YAML, file, EDIT_SET, "postgresql.pg_hba", &list), file);
}

static void a_block_text_is_replaced_whole(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_YAML, "a: |\n  # no comment\n\n  x: y\nb: 1\n", "a", "z"),
                        "a: z\nb: 1\n");
    assert_string_equal(unset(EDIT_YAML, "b: 1\na: >-\n  x\n  y\n", "a"), "b: 1\n");
}

static void windows_line_ends_are_kept(void **state)
{
    (void)state;
    assert_string_equal(set_plain(EDIT_YAML, "a:\r\n  b: 1\r\nc: 2\r\n", "a.b", "3"),
                        "a:\r\n  b: 3\r\nc: 2\r\n");
    assert_string_equal(set_plain(EDIT_YAML, "a:\r\n  b: 1\r\nc: 2\r\n", "a.d", "3"),
                        "a:\r\n  b: 1\r\n  d: 3\r\nc: 2\r\n");
}

static void what_cannot_be_edited_safely_is_refused(void **state)
{
    (void)state;
    assert_string_equal(set(EDIT_YAML, "a: {b: 1}\n", "a.b", "2"),
                        "error: line 1: \"a\" is written in flow style ({...}), which cannot be "
                        "edited");
    assert_string_equal(set(EDIT_YAML, "{a: 1, b: 2}\n", "b", "2"),
                        "error: line 1: \"b\" is not on a line of its own in block style");
    assert_string_equal(set(EDIT_YAML, "x: &a 1\n", "b", "2"),
                        "error: line 1: anchors (\"&\") are not supported");
    assert_string_equal(set(EDIT_YAML, "a: 1\n---\nb: 1\n", "b", "2"),
                        "error: line 2: a file must hold only one document");
    assert_string_equal(set(EDIT_YAML, "a:\n\tb: 1\n", "a.b", "2"),
                        "error: line 2: not valid YAML: found character that cannot start any "
                        "token");
    assert_string_equal(set(EDIT_YAML, "a: [1]\n", "a.b", "2"),
                        "error: line 1: \"a\" is a list, not a map");
    assert_string_equal(set(EDIT_YAML, "a: 1\n", "a.b", "2"),
                        "error: line 1: \"a\" is a text, not a map");
    assert_string_equal(set(EDIT_YAML, "a: |+\n  x\n\n\n", "b", "2"),
                        "error: \"b\" cannot be edited without changing something else");
    assert_string_equal(edit_node(EDIT_YAML, "a: 1\n", EDIT_COMMENT_OUT, "a", NULL),
                        "error: yaml files have no entries to comment out");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scalar_is_replaced_and_every_other_byte_kept),
        cmocka_unit_test(a_key_with_a_dot_is_quoted_in_the_path),
        cmocka_unit_test(an_equal_value_is_no_change),
        cmocka_unit_test(a_text_that_looks_like_something_else_is_quoted),
        cmocka_unit_test(a_missing_key_follows_its_siblings),
        cmocka_unit_test(missing_maps_are_made),
        cmocka_unit_test(unset_removes_an_entry_with_all_that_is_in_it),
        cmocka_unit_test(the_last_key_of_a_map_leaves_an_empty_map),
        cmocka_unit_test(unset_after_set_gives_the_file_back),
        cmocka_unit_test(a_list_replaces_a_list),
        cmocka_unit_test(a_block_text_is_replaced_whole),
        cmocka_unit_test(windows_line_ends_are_kept),
        cmocka_unit_test(what_cannot_be_edited_safely_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, release_arena);
}
