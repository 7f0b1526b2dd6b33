#include "plan/yaml.h"

#include "told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void assert_tells_bytes(const char *bytes, size_t length, const char *expected)
{
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct findings findings = {.arena = &arena};

    (void)yaml_parse(&arena, "f.yml", bytes, length, &findings);

    assert_string_equal(told(&findings), expected);
}

static void assert_tells(const char *text, const char *expected)
{
    assert_tells_bytes(text, strlen(text), expected);
}

static void a_tree_knows_where_everything_stands(void **state)
{
    static const char text[] = "# remark\n"
                               "é: [x, 'true']\n"
                               "run: |\n"
                               "  one\n"
                               "  two\n"
                               "none:\n";
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct findings findings = {.arena = &arena};
    const struct node *root = yaml_parse(&arena, "f.yml", text, strlen(text), &findings);
    const struct node *list = node_find(root, "é"), *run = node_find(root, "run");

    (void)state;
    assert_string_equal(told(&findings), "");
    assert_int_equal(root->kind, NODE_MAP);
    assert_int_equal(root->count, 3);
    assert_int_equal(list->kind, NODE_LIST);
    assert_int_equal(list->column, 4); // in characters, as an editor counts
    assert_true(list->child->is_plain);
    assert_false(list->child->next->is_plain);
    assert_true(run->is_block);
    assert_string_equal(run->text, "one\ntwo\n");
    assert_int_equal(run->key_line, 3);
    assert_int_equal(node_find(root, "none")->kind, NODE_NULL);
}

static void what_two_readers_could_understand_differently_is_refused(void **state)
{
    (void)state;
    assert_tells("a: &x 1", "1:4 anchors (\"&\") are not supported | A text that begins with \"&\" "
                            "must be quoted.\n");
    assert_tells("a: *x", "1:4 aliases (\"*\") are not supported | A text that begins with \"*\" "
                          "must be quoted.\n");
    assert_tells("a: !!str 1", "1:4 tags (\"!\") are not supported | A text that begins with "
                               "\"!\" must be quoted.\n");
    assert_tells("a: ! 1", "1:4 tags (\"!\") are not supported | A text that begins with \"!\" "
                           "must be quoted.\n");
    assert_tells("<<: {a: 1}", "1:1 merge keys (\"<<\") are not supported\n");
    assert_tells("%YAML 1.1\n---\na: 1",
                 "1:1 a line cannot begin with \"%\": YAML directives are not supported\n");
    assert_tells("a: 1\n--- \nb: 2", "2:1 a file must hold only one document\n");
    assert_tells("? [a]\n: b", "1:3 a key must be a text, not a list or map | Quote it if it is "
                               "meant as a text.\n");
    assert_tells(": b", "1:1 not valid YAML: did not find expected key | Check the indentation "
                        "here and above; a text must be quoted as a whole or not at all.\n");
    assert_tells("{a: 1, ? }", "1:10 a key is missing before \":\"\n");
    assert_tells("# nothing\n", "0:0 file is empty\n");
}

static void every_duplicate_key_is_told_with_the_line_of_the_first(void **state)
{
    (void)state;
    assert_tells("a: 1\nb: 2\na: {a: 1}\nc: {x: 1, \"x\": 2}\n",
                 "3:1 key \"a\" is written twice in this map | It stands on line 1 already.\n"
                 "4:11 key \"x\" is written twice in this map | It stands on line 4 already.\n");
}

static void a_character_that_a_reviewer_cannot_see_is_refused(void **state)
{
    static const char null[] = "a: x\0y\n";

    (void)state;
    assert_tells_bytes(null, sizeof null - 1,
                       "1:5 control character U+0000 is not allowed | A reviewer cannot see such "
                       "a character.\n");
    assert_tells("é: x\033[1m", "1:5 control character U+001B is not allowed | A reviewer cannot "
                                "see such a character.\n");
    assert_tells("a: \xe2\x80\xaex", "1:4 invisible or bidirectional character U+202E is not "
                                     "allowed | A reviewer cannot see such a character.\n");
    assert_tells("a: b\r\nc: d\r\n",
                 "1:5 file has Windows line ends | Save the file with Unix line ends.\n");
    assert_tells("\xef\xbb\xbf"
                 "a: b",
                 "1:1 file begins with a byte order mark | Save the file as UTF-8 without it.\n");
    assert_tells("\xff\xfe"
                 "a",
                 "1:1 file is not UTF-8 text | Save the file as UTF-8.\n");
    assert_tells("a: \xc0\xaf", "1:4 file is not UTF-8 text | Save the file as UTF-8.\n");
}

static void an_escape_cannot_make_such_a_character(void **state)
{
    (void)state;
    assert_tells("a: \"rm -rf /x\\0 harmless\"",
                 "1:4 an escape in this text makes the control or bidirectional character "
                 "U+0000, which is not allowed\n");
    assert_tells("\"a\\e\": 1\nb: \"\\u202e\"\n",
                 "1:1 an escape in this text makes the control or bidirectional character "
                 "U+001B, which is not allowed\n"
                 "2:4 an escape in this text makes the control or bidirectional character "
                 "U+202E, which is not allowed\n");
    assert_tells("a: \"tab\\tline\\n\\u00e9\"", "");
}

static void an_error_of_yaml_says_what_to_do(void **state)
{
    (void)state;
    assert_tells("a: {file: ${migration}}",
                 "1:11 not valid YAML: did not find expected ',' or '}' | Inside {…} and […] a "
                 "text with ${…} must be quoted: \"${name}\".\n");
    assert_tells("a: [é, x${b}]",
                 "1:9 not valid YAML: did not find expected ',' or ']' | Inside {…} and […] a "
                 "text with ${…} must be quoted: \"${name}\".\n");
    assert_tells("a:\n\tb: 1", "2:1 not valid YAML: found character that cannot start any token | "
                               "YAML is indented with spaces, not with tabs.\n");
    assert_tells("a: b: c", "1:5 not valid YAML: mapping values are not allowed in this context | "
                            "A text that contains \": \" must be quoted, and the keys of a map "
                            "stand in one column.\n");
    assert_tells("a: \"x\nb: c\n",
                 "1:4 not valid YAML: found unexpected end of stream | A quote is "
                 "opened here and not closed.\n");
    assert_tells("a: `x`", "1:4 not valid YAML: found character that cannot start any token | A "
                           "text that begins with this character must be quoted.\n");
}

/* PIECE again and again, between HEAD and TAIL, in at most 4 MiB. */
static void assert_tells_at_once(const char *head, const char *piece, size_t count,
                                 const char *tail, const char *expected)
{
    CLEANUP(text_release) struct text text = {.limit = YAML_LARGEST};
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct findings findings = {.arena = &arena};
    clock_t start;

    text_append(&text, head);
    for (size_t at = 0; at < count; at++)
        text_append(&text, piece);
    text_append(&text, tail);
    assert_false(text.truncated);

    start = clock();
    (void)yaml_parse(&arena, "f.yml", text_string(&text), text.length, &findings);

    assert_true(clock() - start < SECONDS_MOST * CLOCKS_PER_SEC);
    if (findings.count > 1)
        findings.count = 1;
    assert_string_equal(told(&findings), expected);
}

static void no_input_makes_it_slow(void **state)
{
    static const size_t mega = 1024 * 1024;

    (void)state;
    assert_tells_at_once("", "[", mega, "",
                         "1:33 lists and maps are nested more than 32 levels deep\n");
    assert_tells_at_once("", "- ", 2 * mega, "",
                         "1:65 lists and maps are nested more than 32 levels deep\n");
    assert_tells_at_once("", "{? ", 50000, "",
                         "1:4 a key must be a text, not a list or map | Quote it if it is meant "
                         "as a text.\n");
    assert_tells_at_once("", "%TAG !a! tag:x\n", mega / 15, "",
                         "1:1 a line cannot begin with \"%\": YAML directives are not supported\n");
    assert_tells_at_once("a: ", "x", 4 * mega - 3, "", "");
    assert_tells_at_once("? ", "x", 4 * mega - 8, "\n: 1", "");
    assert_tells_at_once("a: \"", "\\e", mega, "\"",
                         "1:4 an escape in this text makes the control or bidirectional character "
                         "U+001B, which is not allowed\n");
    assert_tells_at_once("", "- &a x\n", 4 * mega / 7, "",
                         "1:3 anchors (\"&\") are not supported | A text that begins with \"&\" "
                         "must be quoted.\n");
    assert_tells_at_once("[", "x,", 2 * mega - 1, "]",
                         "1:1999998 file holds more than 1000000 values\n");
    assert_tells_at_once("", "\n", 4 * mega, "", "0:0 file is empty\n");
    assert_tells_at_once("a: \"", "x\n ", mega, "",
                         "1:4 not valid YAML: found unexpected end of stream | A quote is opened "
                         "here and not closed.\n");
    assert_tells_at_once("{", ": ", 2 * mega - 8, "}",
                         "1:2 not valid YAML: did not find expected node content\n");
    assert_tells_at_once("a: 1\n", "a: 1\n", 4 * mega / 5 - 1, "",
                         "2:1 key \"a\" is written twice in this map | It stands on line 1 "
                         "already.\n");
}

static void a_map_with_200000_keys_is_searched_for_duplicates_at_once(void **state)
{
    CLEANUP(text_release) struct text text = {.limit = YAML_LARGEST};
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct findings findings = {.arena = &arena};
    clock_t start;

    (void)state;
    for (int at = 0; at < 200000; at++)
        text_append_format(&text, "key%d: 1\n", at);
    text_append(&text, "key77: 2\n");

    start = clock();
    (void)yaml_parse(&arena, "f.yml", text_string(&text), text.length, &findings);

    assert_true(clock() - start < SECONDS_MOST * CLOCKS_PER_SEC);
    assert_string_equal(told(&findings), "200001:1 key \"key77\" is written twice in this map | It "
                                         "stands on line 78 already.\n");
}

static void a_file_of_more_than_4_mib_is_refused(void **state)
{
    static char bytes[YAML_LARGEST + 1];

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    assert_tells_bytes(bytes, sizeof bytes, "0:0 file is larger than 4 MiB\n");
}

static void after_200_errors_the_rest_is_only_counted(void **state)
{
    CLEANUP(text_release) struct text text = {.limit = 0};
    CLEANUP(arena_release) struct arena arena = {NULL};
    struct findings findings = {.arena = &arena};

    (void)state;
    for (int at = 0; at < 1000; at++)
        text_append(&text, "- &a x\n");
    (void)yaml_parse(&arena, "f.yml", text_string(&text), text.length, &findings);

    assert_int_equal(findings.count, FINDINGS_MOST);
    assert_int_equal(findings.error_count, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_knows_where_everything_stands),
        cmocka_unit_test(what_two_readers_could_understand_differently_is_refused),
        cmocka_unit_test(every_duplicate_key_is_told_with_the_line_of_the_first),
        cmocka_unit_test(a_character_that_a_reviewer_cannot_see_is_refused),
        cmocka_unit_test(an_escape_cannot_make_such_a_character),
        cmocka_unit_test(an_error_of_yaml_says_what_to_do),
        cmocka_unit_test(no_input_makes_it_slow),
        cmocka_unit_test(a_map_with_200000_keys_is_searched_for_duplicates_at_once),
        cmocka_unit_test(a_file_of_more_than_4_mib_is_refused),
        cmocka_unit_test(after_200_errors_the_rest_is_only_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
