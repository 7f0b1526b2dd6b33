#include "action_test.h"

static enum apply apply(struct work *work, struct error **error)
{
    return work->step->action->apply(work, error);
}

static enum look look(struct work *work, struct error **error)
{
    return work->step->action->look(work, error);
}

/* A plan with one step "s" that has KEYS, and a step "back" that restores it. */
static const struct plan *a_plan_with(const char *keys)
{
    return a_plan(arena_printf(&arena,
                               "  - {id: s, hosts: one, edit-conf: {%s}}\n"
                               "  - {id: back, hosts: one, edit-conf: {restore: s}}\n",
                               keys));
}

static struct work a_step(const char *keys)
{
    struct work work = a_work(a_plan_with(keys), "s");

    // What a step keeps is kept once, so every test is a run of its own.
    work.run = arena_printf(&arena, "%s-%.8s", run_name, operation);
    return work;
}

static void forget(struct work *work)
{
    (void)run_folder_remove(host, &arena, work->run, NULL, within(5));
    work_end(work);
}

static unsigned mode_of(const char *name)
{
    struct stat status;

    assert_int_equal(stat(a_file(name), &status), 0);
    return status.st_mode & 07777;
}

static void an_edit_is_previewed_made_and_then_already_so(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step(arena_printf(
        &arena, "file: %s, format: postgresql, set: {work_mem: 8MB, port: '${number}'}",
        a_file("a.conf")));

    server_write(server, "a.conf", "work_mem = 4MB # per sort\n", 0640);
    assert_int_equal(look(&work, &error), LOOK_WOULD_CHANGE);
    assert_string_equal(text_string(&work.change),
                        arena_printf(&arena,
                                     "--- %s\n+++ %s\n@@ -1,1 +1,2 @@\n"
                                     "-work_mem = 4MB # per sort\n"
                                     "+work_mem = '8MB' # per sort\n"
                                     "+port = '5'\n",
                                     a_file("a.conf"), a_file("a.conf")));
    assert_string_equal(server_read(server, "a.conf"), "work_mem = 4MB # per sort\n");
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(server_read(server, "a.conf"), "work_mem = '8MB' # per sort\nport = '5'\n");
    assert_int_equal(mode_of("a.conf"), 0640);
    assert_int_equal(look(&work, &error), LOOK_ALREADY);
    forget(&work);
}

static void restore_brings_the_old_bytes_and_mode_back(void **state)
{
    (void)state;
    struct error *error = NULL;
    const char *old = "work_mem = 4MB\n\n# é \r\nno newline";
    struct work work =
        a_step(arena_printf(&arena, "file: %s, content: \"new\\n\", mode: '0600'", a_file("b")));
    struct work back = work;

    server_write(server, "b", old, 0640);
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(server_read(server, "b"), "new\n");
    assert_int_equal(mode_of("b"), 0600);

    back.step = plan_find_step(work.plan, "back");
    back.reference = saved(&work, "before");
    assert_non_null(back.reference);
    assert_int_equal(look(&back, &error), LOOK_WOULD_CHANGE);
    assert_int_equal(apply(&back, &error), APPLY_DONE);
    assert_string_equal(server_read(server, "b"), old);
    assert_int_equal(mode_of("b"), 0640);
    assert_int_equal(look(&back, &error), LOOK_ALREADY);
    work_end(&back);
    forget(&work);
}

static void restore_leaves_alone_what_somebody_else_has_changed_since(void **state)
{
    (void)state;
    struct error *error = NULL;
    const char *old = "work_mem = 4MB\n";
    struct work work = a_step(arena_printf(
        &arena, "file: %s, format: postgresql, set: {port: '${number}', primary_conninfo: ''}",
        a_file("o.conf")));
    struct work back = work;

    server_write(server, "o.conf", old, 0640);
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    server_write(server, "o.conf",
                 "work_mem = 4MB\nport = '5'\njit = 'off'\nprimary_conninfo = ''\n", 0640);
    back.step = plan_find_step(work.plan, "back");
    back.reference = saved(&work, "before");
    assert_int_equal(look(&back, &error), LOOK_WOULD_CHANGE);
    assert_int_equal(apply(&back, &error), APPLY_DONE);
    assert_string_equal(server_read(server, "o.conf"), "work_mem = 4MB\njit = 'off'\n");
    assert_string_equal(text_string(&back.shown),
                        arena_printf(&arena,
                                     "\"%s\" was changed by somebody else meanwhile: that stays, "
                                     "only the step's own keys are taken back\n",
                                     a_file("o.conf")));
    assert_int_equal(look(&back, &error), LOOK_ALREADY);
    work_end(&back);
    forget(&work);
}

static void restore_of_a_map_that_was_made_takes_the_map_away(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step(arena_printf(
        &arena, "file: %s, format: yaml, set: {postgresql: {recovery_conf: {restore_command: cp}}}",
        a_file("o.yml")));
    struct work back = work;

    server_write(server, "o.yml", "postgresql:\n  listen: '*'\n", 0640);
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    server_write(server, "o.yml",
                 arena_printf(&arena, "%s# a note\n", server_read(server, "o.yml")), 0640);
    back.step = plan_find_step(work.plan, "back");
    assert_int_equal(apply(&back, &error), APPLY_DONE);
    assert_string_equal(server_read(server, "o.yml"), "postgresql:\n  listen: '*'\n# a note\n");
    work_end(&back);
    forget(&work);
}

static void restore_never_guesses_an_older_value_in_a_changed_file(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step(arena_printf(
        &arena, "file: %s, format: postgresql, set: {work_mem: 8MB}", a_file("g.conf")));
    struct work back = work;

    server_write(server, "g.conf", "work_mem = 4MB\n", 0640);
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    server_write(server, "g.conf", "work_mem = 16MB\n", 0640);
    back.step = plan_find_step(work.plan, "back");
    assert_int_equal(look(&back, &error), LOOK_FAILED);
    assert_string_equal(error->message,
                        arena_printf(&arena, "\"%s\" was changed by somebody else since step \"s\"",
                                     a_file("g.conf")));
    assert_string_equal(server_read(server, "g.conf"), "work_mem = 16MB\n");
    work_end(&back);
    forget(&work);
}

static void restore_removes_a_file_that_was_absent(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work =
        a_step(arena_printf(&arena, "file: %s, content: '', mode: '0600'", a_file("signal")));
    struct work back = work;

    assert_int_equal(look(&work, &error), LOOK_WOULD_CHANGE);
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(saved(&work, "before"), "absent");
    assert_string_equal(server_read(server, "signal"), "");
    back.step = plan_find_step(work.plan, "back");
    assert_int_equal(apply(&back, &error), APPLY_DONE);
    assert_int_not_equal(access(a_file("signal"), F_OK), 0);
    assert_int_equal(look(&back, &error), LOOK_ALREADY);
    work_end(&back);
    forget(&work);
}

static void what_was_not_changed_needs_no_restore_but_what_was_lost_is_told(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step(arena_printf(&arena, "file: %s, content: x", a_file("c")));

    work.step = plan_find_step(work.plan, "back");
    assert_int_equal(look(&work, &error), LOOK_ALREADY);
    assert_string_equal(work.words, "step \"s\" has changed nothing here");
    work.reference = "absent";
    assert_int_equal(look(&work, &error), LOOK_FAILED);
    assert_string_equal(
        error->message,
        arena_printf(&arena,
                     "what step \"s\" kept of \"%s\" is not in the run's folder any "
                     "more",
                     a_file("c")));
    forget(&work);
}

static void the_first_of_several_tries_is_what_restore_goes_back_to(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step(arena_printf(&arena, "file: %s, content: new", a_file("d")));

    server_write(server, "d", "old", 0600);
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    server_write(server, "d", "meanwhile", 0600);
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    work.step = plan_find_step(work.plan, "back");
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(server_read(server, "d"), "old");
    forget(&work);
}

static void a_missing_file_is_made_only_where_that_is_said(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work =
        a_step(arena_printf(&arena, "file: %s, format: env, set: {A: b}", a_file("missing")));

    assert_int_equal(look(&work, &error), LOOK_FAILED);
    assert_string_equal(error->message,
                        arena_printf(&arena, "file \"%s\" does not exist", a_file("missing")));
    assert_string_equal(error->hint, "With \"state: present\" it is made.");
    forget(&work);

    work = a_step(arena_printf(&arena, "file: %s, format: env, unset: [A]", a_file("missing")));
    assert_int_equal(look(&work, &error), LOOK_ALREADY);
    forget(&work);

    work = a_step(arena_printf(&arena, "file: %s, state: absent", a_file("missing")));
    assert_int_equal(look(&work, &error), LOOK_ALREADY);
    forget(&work);

    work = a_step(arena_printf(&arena, "file: %s, format: env, set: {A: b}, state: present",
                               a_file("missing")));
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(server_read(server, "missing"), "A=b\n");
    forget(&work);
}

static void a_mode_alone_is_a_change(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work = a_step(arena_printf(&arena, "file: %s, mode: '0600'", a_file("e")));

    server_write(server, "e", "x", 0644);
    assert_int_equal(look(&work, &error), LOOK_WOULD_CHANGE);
    assert_string_equal(text_string(&work.change), "mode: 0644 -> 0600\n");
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_int_equal(mode_of("e"), 0600);
    assert_int_equal(look(&work, &error), LOOK_ALREADY);
    forget(&work);
}

static void a_typed_value_keeps_its_type_in_yaml(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work =
        a_work(a_plan(arena_printf(&arena,
                                   "  - id: s\n    hosts: one\n    edit-conf:\n      file: %s\n"
                                   "      format: yaml\n      set:\n        a.b: ${number}\n"
                                   "        a.c: ${word}\n        tags: {nofailover: true}\n",
                                   a_file("y"))),
               "s");

    server_write(server, "y", "a:\n  b: 1\ntags:\n  clonefrom: false\n", 0600);
    scope_set_text(scope, NULL, "word", "7");
    assert_int_equal(apply(&work, &error), APPLY_DONE);
    assert_string_equal(server_read(server, "y"), "a:\n  b: 5\n  c: '7'\ntags:\n  clonefrom: "
                                                  "false\n  nofailover: true\n");
    forget(&work);
}

static void what_cannot_be_edited_leaves_the_file_as_it_is(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct work work =
        a_step(arena_printf(&arena, "file: %s, format: yaml, set: {a.b: 1}", a_file("f")));

    server_write(server, "f", "a: [1]\n", 0600);
    assert_int_equal(look(&work, &error), LOOK_FAILED);
    assert_string_equal(error_text(&arena, error),
                        arena_printf(&arena,
                                     "cannot edit \"%s\": line 1: \"a\" is a list, not a map",
                                     a_file("f")));
    assert_int_equal(apply(&work, &error), APPLY_NOTHING);
    assert_string_equal(server_read(server, "f"), "a: [1]\n");
    forget(&work);
}

static const char *said(const char *keys)
{
    const struct plan *plan;

    return check(arena_printf(&arena, "  - {id: s, hosts: one, edit-conf: {%s}}\n", keys), &plan);
}

static void contradictions_are_found_without_a_host(void **state)
{
    (void)state;
    assert_string_equal(said("file: /x, format: postgresql, set: {Port: 1}, unset: [port]"),
                        "\"port\" is in \"unset\" and in \"set\"\n");
    assert_string_equal(said("file: /x, format: yaml, comment-out: [a]"),
                        "\"comment-out\" is not possible in a file in format \"yaml\"\n");
    assert_string_equal(said("file: /x, format: text, set: {a: 1}"),
                        "a file in format \"text\" has no keys for \"set\"\n");
    assert_string_equal(said("file: /x, state: absent, mode: '0600'"),
                        "a file that is to be absent cannot have \"mode\"\n");
    assert_string_equal(said("file: /x, format: env, set: {a-b: 1}"),
                        "\"a-b\" is not a name that a file in format \"env\" can have\n");
    assert_string_equal(said("file: /x, format: ini, set: {a: [1]}"),
                        "a value in a file in format \"ini\" cannot be a list\n");
    assert_string_equal(said("file: /x, format: json, unset: [a.]"),
                        "\"a.\" is not a path of keys\n");
}

static void restore_names_a_step_that_edits_a_file(void **state)
{
    (void)state;
    const struct plan *plan;

    assert_string_equal(check("  - {id: s, hosts: one, edit-conf: {file: /x, state: absent}}\n"
                              "  - {id: back, hosts: one, edit-conf: {restore: s}}\n"
                              "  - {id: forth, hosts: one, edit-conf: {restore: back}}\n",
                              &plan),
                        "step \"back\" puts a file back itself\n");
}

static void a_preview_says_what_is_set_and_what_is_written(void **state)
{
    (void)state;
    const struct plan *plan =
        a_plan_with("file: /etc/x, format: postgresql, set: {a: '${number}'}, unset: [b]");
    struct outline outline = {
        .arena = &arena, .plan = plan, .scope = scope, .step = plan_find_step(plan, "s")};
    struct description out = {.arena = &arena};

    outline.step->action->describe(&outline, &out);
    assert_string_equal(out.summary, "unset b; set a in /etc/x");
    assert_string_equal(out.parts->title, "file /etc/x (postgresql)");
    assert_string_equal(out.parts->text, "unset b\nset a = 5\n");

    plan = a_plan_with("file: /etc/x, content: \"a\\nb\", mode: '0600'");
    outline.plan = plan;
    outline.step = plan_find_step(plan, "s");
    out = (struct description){.arena = &arena};
    outline.step->action->describe(&outline, &out);
    assert_string_equal(out.summary, "write /etc/x");
    assert_string_equal(out.parts->text, "a\nb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_is_previewed_made_and_then_already_so),
        cmocka_unit_test(restore_brings_the_old_bytes_and_mode_back),
        cmocka_unit_test(restore_leaves_alone_what_somebody_else_has_changed_since),
        cmocka_unit_test(restore_of_a_map_that_was_made_takes_the_map_away),
        cmocka_unit_test(restore_never_guesses_an_older_value_in_a_changed_file),
        cmocka_unit_test(restore_removes_a_file_that_was_absent),
        cmocka_unit_test(what_was_not_changed_needs_no_restore_but_what_was_lost_is_told),
        cmocka_unit_test(the_first_of_several_tries_is_what_restore_goes_back_to),
        cmocka_unit_test(a_missing_file_is_made_only_where_that_is_said),
        cmocka_unit_test(a_mode_alone_is_a_change),
        cmocka_unit_test(a_typed_value_keeps_its_type_in_yaml),
        cmocka_unit_test(what_cannot_be_edited_leaves_the_file_as_it_is),
        cmocka_unit_test(contradictions_are_found_without_a_host),
        cmocka_unit_test(restore_names_a_step_that_edits_a_file),
        cmocka_unit_test(a_preview_says_what_is_set_and_what_is_written),
    };

    return cmocka_run_group_tests(tests, open_server, close_server);
}
