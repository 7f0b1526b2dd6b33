#include "cli/preview.h"
#include "cli/markup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A plan of one variable and one step without an action; every text is HOSTILE. */
static void write_hostile(struct text *out, const char *hostile,
                          void (*write)(struct preview *, struct text *))
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct findings findings = {.arena = &arena};
    const struct terminal plain = {.fd = -1};
    const struct variable variable = {.name = "v", .about = hostile, .type = VALUE_TEXT};
    const struct host_settings host = {.name = "pg1", .address = hostile, .member = "pg1"};
    const struct cluster cluster = {.name = hostile, .hosts = &host, .host_count = 1};
    const struct step step = {.id = "s",
                              .about = hostile,
                              .action_name = "sql",
                              .phase = PHASE_DEPLOY,
                              .confirm = hostile,
                              .timeout_ms = 60000};
    const struct plan plan = {
        .name = hostile,
        .about = hostile,
        .variables = &variable,
        .variable_count = 1,
        .phases = {[PHASE_DEPLOY] = &step},
        .has_phase = {[PHASE_DEPLOY] = true},
        .inputs = inputs_live(&arena),
    };
    struct scope *scope = scope_new(&arena);
    struct preview preview = {.arena = &arena,
                              .plan = &plan,
                              .cluster = &cluster,
                              .scope = scope,
                              .findings = &findings,
                              .phase_mask = 1 << PHASE_DEPLOY,
                              .terminal = &plain};

    scope_set_text(scope, NULL, "v", hostile);
    preview_prepare(&preview);
    write(&preview, out);
}

#define ESCAPED                                                                                    \
    "&#60;b&#62; &#64;&#8203;team &#35;&#8203;1 \\| \\`x\\` \\*\\*y\\*\\* "                        \
    "&#35;&#8203;&#35;&#8203; z"
#define HTML "&#60;b&#62; &#64;&#8203;team &#35;&#8203;1 | `x` **y** &#35;&#8203;&#35;&#8203; z"

static void text_of_a_plan_is_never_markup(void **state)
{
    CLEANUP(text_release) struct text out = {0};

    (void)state;
    write_hostile(&out, "<b> @team #1 | `x` **y**\n## z", preview_markdown);
    assert_string_equal(
        text_string(&out),
        "# Preview of plan `` <b> @team #1 | `x` **y** ## z `` on cluster "
        "`` <b> @team #1 | `x` **y** ## z ``\n\n" ESCAPED "\n\n"
        "**0 steps may change something, 1 gate, 0 irreversible steps.**\n\n"
        "- **One-way door**: the plan has no rollback: nothing is undone by this program\n"
        "- **Gate**, before deploy `s` a person is asked: " ESCAPED "\n\n"
        "| role or host | address | |\n"
        "| --- | --- | --- |\n"
        "| `pg1` | `` <b> @team #1 \\| `x` **y** ## z `` |  |\n\n"
        "| variable | value | |\n"
        "| --- | --- | --- |\n"
        "| `v` | `` <b> @team #1 \\| `x` **y** ## z `` | " ESCAPED " |\n\n"
        "Each step below unfolds into the texts that would run, as they are. What stands under "
        "*unless* is asked first: where it is true the step is done already, and nothing is "
        "executed. What stands under *until* is repeated until it is true. Of texts for several "
        "versions of PostgreSQL the server's own is taken. `${name}` and `$name` stand for values: "
        "what is known now is told under \"Names in the texts\", what a step finds out with the "
        "step that needs it.\n\n"
        "## Deploy\n\n"
        "<details><summary>1 <code>s</code>: " HTML " <b>(gate)</b></summary>\n\n"
        "- action: sql\n"
        "- **gate, a person is asked**: " ESCAPED "\n"
        "- timeout: 1 min (default)\n\n"
        "</details>\n\n"
        "## Files\n\n"
        "| file | sha256 | |\n"
        "| --- | --- | --- |\n\n");
}

static void a_fence_is_longer_than_any_inside(void **state)
{
    CLEANUP(text_release) struct text out = {0};

    (void)state;
    markup_block(&out, "sql", "a\n````\n# b", 100);
    markup_block(&out, "", "one\ntwo\nthree\n", 9);
    assert_string_equal(text_string(&out), "`````sql\na\n````\n# b\n`````\n\n"
                                           "```\none\ntwo\n```\n\n*The first 8 of 14 bytes.*\n\n");
}

static void a_label_of_the_picture_cannot_end_it(void **state)
{
    CLEANUP(text_release) struct text out = {0};
    static const char *const lines[] = {"a\"]-->b", "```\n<br/>\x1b"};

    (void)state;
    markup_mermaid(&out, lines, 2);
    assert_string_equal(text_string(&out),
                        "\"a#34;#93;--#62;b<br/>#96;#96;#96; #60;br/#62;#92;x1b\"");
}

static void no_form_holds_what_drives_a_terminal_or_hides_text(void **state)
{
    static void (*const forms[])(struct preview *, struct text *) = {preview_text, preview_markdown,
                                                                     preview_json, preview_runbook};

    (void)state;
    for (size_t at = 0; at < ARRAY_COUNT(forms); at++) {
        CLEANUP(text_release) struct text out = {0};

        write_hostile(&out, "a\x1b[2J\r\xe2\x80\x8f\xff", forms[at]);
        assert_null(strchr(text_string(&out), '\x1b'));
        assert_null(strchr(text_string(&out), '\r'));
        assert_null(strstr(text_string(&out), "\xe2\x80\x8f"));
        assert_null(strchr(text_string(&out), '\xff'));
        assert_non_null(strstr(text_string(&out), "200f"));
    }
}

static void the_same_plan_gives_the_same_bytes(void **state)
{
    CLEANUP(text_release) struct text one = {0};
    CLEANUP(text_release) struct text two = {0};

    (void)state;
    write_hostile(&one, "x", preview_text);
    write_hostile(&two, "x", preview_text);
    assert_string_equal(text_string(&one), text_string(&two));
}

static void the_json_form_can_be_read_back(void **state)
{
    CLEANUP(arena_release) struct arena arena = {0};
    CLEANUP(text_release) struct text out = {0};
    const struct node *node;

    (void)state;
    write_hostile(&out, "\"quoted\" \\ \n", preview_json);
    assert_null(json_parse(&arena, "a preview", text_string(&out), out.length, &node));
    assert_string_equal(node_text(node, "preview"), "1");
    node = node_find(node, "phases")->child;
    assert_string_equal(node_text(node, "phase"), "deploy");
    node = node_find(node, "steps")->child;
    assert_string_equal(node_text(node, "number"), "1");
    assert_string_equal(node_text(node, "confirm"), "\"quoted\" \\ \n");
    assert_int_equal(node_integer(node, "timeout_ms", 0), 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_a_plan_is_never_markup),
        cmocka_unit_test(a_fence_is_longer_than_any_inside),
        cmocka_unit_test(a_label_of_the_picture_cannot_end_it),
        cmocka_unit_test(no_form_holds_what_drives_a_terminal_or_hides_text),
        cmocka_unit_test(the_same_plan_gives_the_same_bytes),
        cmocka_unit_test(the_json_form_can_be_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
