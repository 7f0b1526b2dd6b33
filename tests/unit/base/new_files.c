/* Several new files are all written, or none, and never over something. */
#include "base/file.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/holdback-new-files.XXXXXX";

struct scene {
    struct arena arena;
    struct new_file files[2];
};

static int begin(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    (void)strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (scene == NULL || mkdtemp(folder) == NULL)
        return -1;
    for (int at = 0; at < 2; at++)
        scene->files[at] =
            (struct new_file){.path = arena_printf(&scene->arena, "%s/%c/file", folder, 'a' + at),
                              .bytes = at == 0 ? "one\n" : "two\n",
                              .length = 4};
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    const char *command = arena_printf(&scene->arena, "chmod -R u+w %s; rm -rf %s", folder, folder);
    int status = system(command); // NOLINT

    arena_release(&scene->arena);
    free(scene);
    return status;
}

static const char *content(struct scene *scene, const char *path)
{
    char *bytes;
    size_t length;

    return file_read(&scene->arena, path, 100, &bytes, &length) == NULL ? bytes : NULL;
}

static void put(struct scene *scene, const char *path, const char *bytes)
{
    assert_null(folder_make(&scene->arena, path_folder(&scene->arena, path), 0700));
    assert_null(file_write(&scene->arena, path, bytes, strlen(bytes), 0600));
}

static void all_are_written_with_their_folders(void **state)
{
    struct scene *scene = *state;

    assert_null(files_write_new(&scene->arena, scene->files, 2));
    assert_string_equal(content(scene, scene->files[0].path), "one\n");
    assert_string_equal(content(scene, scene->files[1].path), "two\n");
    assert_false(scene->files[0].is_there);
}

static void one_in_the_way_keeps_all_from_being_written(void **state)
{
    struct scene *scene = *state;
    struct error *error;

    put(scene, scene->files[1].path, "mine");
    error = files_write_new(&scene->arena, scene->files, 2);
    assert_non_null(error);
    assert_int_equal(error->kind, ERROR_INPUT);
    assert_string_equal(error->message, arena_printf(&scene->arena, "\"%s\" is there already",
                                                     scene->files[1].path));
    assert_string_equal(content(scene, scene->files[1].path), "mine");
    assert_null(content(scene, scene->files[0].path));
}

static void a_link_to_nothing_is_in_the_way_too(void **state)
{
    struct scene *scene = *state;
    struct error *error;

    put(scene, scene->files[0].path, "mine");
    put(scene, scene->files[1].path, "");
    assert_int_equal(unlink(scene->files[1].path), 0);
    assert_int_equal(symlink("/nowhere/at/all", scene->files[1].path), 0);
    error = files_write_new(&scene->arena, scene->files, 2);
    assert_non_null(error);
    assert_string_equal(
        error->message,
        arena_printf(&scene->arena, "\"%s\" and 1 more are there already", scene->files[0].path));
}

static void one_that_has_the_same_bytes_stays_as_it_is(void **state)
{
    struct scene *scene = *state;
    struct stat before, after;

    put(scene, scene->files[0].path, "one\n");
    assert_int_equal(stat(scene->files[0].path, &before), 0);
    assert_null(files_write_new(&scene->arena, scene->files, 2));
    assert_true(scene->files[0].is_there);
    assert_int_equal(stat(scene->files[0].path, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_string_equal(content(scene, scene->files[1].path), "two\n");
}

static void what_cannot_be_finished_leaves_no_file(void **state)
{
    struct scene *scene = *state;
    struct error *error;

    put(scene, arena_printf(&scene->arena, "%s/b", folder), "a file where a folder is needed");
    error = files_write_new(&scene->arena, scene->files, 2);
    assert_non_null(error);
    assert_null(content(scene, scene->files[0].path));
    // Nor anything beside it: the folder can be removed.
    assert_int_equal(rmdir(path_folder(&scene->arena, scene->files[0].path)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_are_written_with_their_folders, begin, end),
        cmocka_unit_test_setup_teardown(one_in_the_way_keeps_all_from_being_written, begin, end),
        cmocka_unit_test_setup_teardown(a_link_to_nothing_is_in_the_way_too, begin, end),
        cmocka_unit_test_setup_teardown(one_that_has_the_same_bytes_stays_as_it_is, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_finished_leaves_no_file, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
