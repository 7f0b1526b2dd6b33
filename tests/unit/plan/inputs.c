#include "plan/inputs.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of its own for each test, removed with everything in it. */
struct place_to_work {
    struct arena arena;
    char folder[32];
};

static int set_up(void **state)
{
    struct place_to_work *work = calloc(1, sizeof *work);

    strcpy(work->folder, "/tmp/holdback.XXXXXX");
    *state = work;
    return mkdtemp(work->folder) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct place_to_work *work = *state;
    const char *command = arena_printf(&work->arena, "rm -rf '%s'", work->folder);
    int status = system(command);

    arena_release(&work->arena);
    free(work);
    return status;
}

static const char *path(struct place_to_work *work, const char *name)
{
    return arena_printf(&work->arena, "%s/%s", work->folder, name);
}

static const char *write_file(struct place_to_work *work, const char *name, const char *text)
{
    const char *to = path(work, name);

    assert_null(file_write(&work->arena, to, text, strlen(text), 0600));
    return to;
}

static const char *read_text(struct place_to_work *work, const char *name)
{
    char *bytes;
    size_t length;

    assert_null(file_read(&work->arena, path(work, name), 4096, &bytes, &length));
    return bytes;
}

/* A plan and a cluster file, read and copied into "run/plan". */
static struct inputs *freeze(struct place_to_work *work)
{
    struct inputs *inputs = inputs_live(&work->arena);
    const struct input *input;

    assert_null(inputs_read(inputs, "plan", write_file(work, "p.yml", "one\n"), 100, &input));
    assert_null(inputs_read(inputs, "file", write_file(work, "a b'.sql", "two"), 100, &input));
    assert_null(inputs_freeze(&work->arena, inputs, path(work, "run/plan")));
    return inputs;
}

static void assert_frozen_fails(struct place_to_work *work, const char *expected)
{
    struct inputs *inputs = NULL;
    struct error *error = inputs_frozen(&work->arena, path(work, "run/plan"), &inputs);

    assert_non_null(error);
    assert_string_equal(error->message, expected);
    assert_null(inputs);
}

static void a_file_is_read_once_even_if_it_changes(void **state)
{
    struct place_to_work *work = *state;
    struct inputs *inputs = inputs_live(&work->arena);
    const struct input *first, *second;
    const char *file = write_file(work, "p.yml", "one");

    assert_null(inputs_read(inputs, "plan", file, 100, &first));
    write_file(work, "p.yml", "two");
    assert_null(inputs_read(inputs, "plan", file, 100, &second));

    assert_ptr_equal(first, second);
    assert_string_equal(second->bytes, "one");
    assert_ptr_equal(inputs_first(inputs), first);
}

static void a_file_over_the_limit_is_refused(void **state)
{
    struct place_to_work *work = *state;
    struct inputs *inputs = inputs_live(&work->arena);
    const struct input *input;
    const char *file = write_file(work, "p.yml", "12345");
    struct error *error = inputs_read(inputs, "plan", file, 4, &input);

    assert_string_equal(error->message,
                        arena_printf(&work->arena, "file \"%s\" is larger than 4 bytes", file));
}

static void the_manifest_is_readable_and_checks_with_sha256sum(void **state)
{
    struct place_to_work *work = *state;

    (void)freeze(work);

    assert_string_equal(
        read_text(work, "run/plan/manifest"),
        arena_printf(&work->arena,
                     "# plan %s/p.yml\n"
                     "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806  01-p.yml\n"
                     "# file %s/a b'.sql\n"
                     "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3  "
                     "02-a_b_.sql\n"
                     "# complete\n",
                     work->folder, work->folder));
    assert_int_equal(
        system(arena_printf(&work->arena, "cd '%s/run/plan' && sha256sum --quiet --check manifest",
                            work->folder)),
        0);
}

static void a_resumed_run_reads_the_copies_and_never_the_originals(void **state)
{
    struct place_to_work *work = *state;
    struct inputs *inputs;
    const struct input *input;

    (void)freeze(work);
    write_file(work, "p.yml", "changed since");
    write_file(work, "other.sql", "three");

    assert_null(inputs_frozen(&work->arena, path(work, "run/plan"), &inputs));
    assert_string_equal(inputs_first(inputs)->role, "plan");
    assert_null(inputs_read(inputs, "plan", path(work, "p.yml"), 100, &input));
    assert_string_equal(input->bytes, "one\n");
    assert_null(inputs_read(inputs, "file", path(work, "a b'.sql"), 100, &input));
    assert_string_equal(input->bytes, "two");
    assert_string_equal(inputs_read(inputs, "file", path(work, "other.sql"), 100, &input)->message,
                        arena_printf(&work->arena,
                                     "file \"%s\" is not among those that the run has copied",
                                     path(work, "other.sql")));
}

static void a_changed_copy_is_refused(void **state)
{
    struct place_to_work *work = *state;

    (void)freeze(work);
    write_file(work, "run/plan/01-p.yml", "one\n#");

    assert_frozen_fails(work,
                        arena_printf(&work->arena,
                                     "\"%s/run/plan/01-p.yml\" is not what the run has copied: "
                                     "its digest differs",
                                     work->folder));
}

static void a_manifest_cannot_lead_out_of_its_folder(void **state)
{
    static const char *const names[] = {"../p.yml", "/etc/passwd", "..", "1/../../p.yml", ""};
    struct place_to_work *work = *state;
    const char *damaged =
        arena_printf(&work->arena, "\"%s/run/plan/manifest\" is damaged", work->folder);

    (void)freeze(work);
    for (size_t at = 0; at < ARRAY_COUNT(names); at++) {
        write_file(work, "run/plan/manifest",
                   arena_printf(&work->arena,
                                "# plan /p.yml\n"
                                "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806  "
                                "%s\n# complete\n",
                                names[at]));
        assert_frozen_fails(work, damaged);
    }
}

static void a_manifest_that_was_cut_off_is_refused(void **state)
{
    struct place_to_work *work = *state;
    const char *whole;
    const char *damaged =
        arena_printf(&work->arena, "\"%s/run/plan/manifest\" is damaged", work->folder);

    (void)freeze(work);
    whole = read_text(work, "run/plan/manifest");
    for (size_t length = 0; length < strlen(whole); length++) {
        assert_null(file_write(&work->arena, path(work, "run/plan/manifest"), whole, length, 0600));
        assert_frozen_fails(work, damaged);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_read_once_even_if_it_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_over_the_limit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_manifest_is_readable_and_checks_with_sha256sum, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_resumed_run_reads_the_copies_and_never_the_originals,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_copy_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manifest_cannot_lead_out_of_its_folder, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_manifest_that_was_cut_off_is_refused, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
