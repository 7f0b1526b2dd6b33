/* Files on a host: the old bytes or the new ones, with owner and mode. */
#include "host/file.h"

#include "server.h"

static struct server *server;
static struct arena arena;
static struct host *host;
static const char *user, *folder; /* a folder of the user's own */

static int setup(void **state)
{
    const struct passwd *owner;

    (void)state;
    server = server_start("");
    host = host_new(&server->settings, -1);
    user = server->settings.postgres.os_user;
    owner = getpwnam(user);
    folder = server_path(server, "files");
    assert_int_equal(mkdir(folder, 0755), 0);
    assert_int_equal(chown(folder, owner->pw_uid, owner->pw_gid), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    host_free(host);
    server_free(server);
    arena_release(&arena);
    return 0;
}

static const char *path_of(const char *name)
{
    return arena_printf(&arena, "%s/%s", folder, name);
}

/* Makes the file, as the user. */
static const char *make(const char *name, const char *bytes, mode_t mode)
{
    const char *path = path_of(name);
    const struct passwd *owner = getpwnam(user);

    assert_null(file_write(&arena, path, bytes, strlen(bytes), mode));
    assert_int_equal(chown(path, owner->pw_uid, owner->pw_gid), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static struct host_file_change change_of(const char *path, const char *old, const char *new)
{
    char *digest = arena_alloc(&arena, DIGEST_SIZE);

    if (old != NULL)
        sha256_hex(old, strlen(old), digest);
    return (struct host_file_change){.user = user,
                                     .path = path,
                                     .expected_digest = digest,
                                     .bytes = new,
                                     .length = new == NULL ? 0 : strlen(new),
                                     .mode = -1,
                                     .deadline_ms = within(10)};
}

static void assert_file(const char *path, const char *bytes, const char *owner, unsigned mode)
{
    struct host_file file;

    assert_no_error(&arena, host_file_read(host, &arena, user, path, within(10), &file));
    assert_true(file.exists);
    assert_string_equal(file.bytes, bytes);
    assert_string_equal(file.owner, owner);
    assert_int_equal(file.mode, mode);
}

/* Nothing but what the test made lies in the folder. */
static void assert_no_leftovers(void)
{
    assert_int_equal(run_program((const char *const[]){
                         "sh", "-c", "! ls -A \"$1\" | grep -q holdback", "sh", folder, NULL}),
                     0);
}

static void a_file_is_read_with_owner_mode_and_digest(void **state)
{
    const char *path = make("read", "it's\n", 0640);
    struct host_file file;
    char digest[DIGEST_SIZE];

    (void)state;
    assert_no_error(&arena, host_file_read(host, &arena, user, path, within(10), &file));
    sha256_hex("it's\n", 5, digest);
    assert_true(file.exists);
    assert_int_equal(file.length, 5);
    assert_string_equal(file.bytes, "it's\n");
    assert_string_equal(file.digest, digest);
    assert_string_equal(file.owner, user);
    assert_int_equal(file.mode, 0640);
}

static void a_file_that_is_not_there_is_no_error(void **state)
{
    struct host_file file = {.exists = true};

    (void)state;
    assert_no_error(&arena,
                    host_file_read(host, &arena, user, path_of("absent"), within(10), &file));
    assert_false(file.exists);
    assert_no_error(
        &arena, host_file_read(host, &arena, user, path_of("no/such/folder"), within(10), &file));
    assert_false(file.exists);
}

static const char *refused(const char *path)
{
    struct host_file file;
    struct error *error = host_file_read(host, &arena, user, path, within(10), &file);

    assert_non_null(error);
    assert_int_equal(error->kind, ERROR_FAILED);

    const char *text = error_text(&arena, error);
    const char *begin =
        arena_printf(&arena, "could not read \"%s\" on host \"pg1\" (127.0.0.1): ", path);

    assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
    return text + strlen(begin);
}

static void what_is_no_plain_file_is_refused(void **state)
{
    const char *plain = make("plain", "x", 0644), *link = path_of("link"), *hard = path_of("hard"),
               *fifo = path_of("fifo");

    (void)state;
    assert_int_equal(symlink(plain, link), 0);
    assert_string_equal(refused(link), "it is a symbolic link");
    assert_string_equal(refused(folder), "it is not a regular file");
    assert_int_equal(mkfifo(fifo, 0666), 0);
    assert_string_equal(refused(fifo), "it is not a regular file");
    assert_int_equal(linkat(AT_FDCWD, plain, AT_FDCWD, hard, 0), 0);
    assert_string_equal(refused(hard), "it has more than one link");

    struct error *error;
    struct host_file_change change = change_of(link, "x", "y");

    error = host_file_replace(host, &arena, &change);
    assert_error(
        &arena, error, ERROR_FAILED,
        arena_printf(&arena,
                     "could not write \"%s\" on host \"pg1\" (127.0.0.1): it is a symbolic link",
                     link),
        NULL);
    change = change_of(hard, "x", "y");
    error = host_file_replace(host, &arena, &change);
    assert_text_contains(error_text(&arena, error), "it has more than one link");
    assert_int_equal(unlink(hard), 0);
    assert_file(plain, "x", user, 0644);
}

static void a_file_that_may_not_be_read_is_refused(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    server_write(server, "files/secret", "x", 0600);
    assert_string_equal(refused(path_of("secret")), "Permission denied");
    assert_string_equal(refused("/root/.bashrc"), "Permission denied");
}

static void a_file_of_more_than_four_mebibytes_is_refused(void **state)
{
    const char *path = make("large", "", 0644);

    (void)state;
    assert_int_equal(truncate(path, 4 * 1024 * 1024 + 1), 0);
    assert_string_equal(refused(path), "it is larger than 4 MiB");
}

static void bytes_are_replaced_and_owner_and_mode_stay(void **state)
{
    const char *path = make("replaced", "old\n", 0640);
    struct host_file_change change = change_of(path, "old\n", "-it's 100% \\new\\\n");

    (void)state;
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    assert_file(path, "-it's 100% \\new\\\n", user, 0640);
    assert_no_leftovers();
}

static void owner_and_mode_are_changed_where_they_are_asked_for(void **state)
{
    const char *path = make("chowned", "old\n", 0640);
    struct host_file_change change = change_of(path, "old\n", "new\n");

    (void)state;
    if (getuid() != 0)
        skip();
    change.user = "root";
    change.owner = "daemon:adm";
    change.mode = 0604;
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    assert_file(path, "new\n", "daemon", 0604);
}

static void root_keeps_the_owner_of_another_users_file(void **state)
{
    const char *path = make("roots", "old\n", 0600);
    struct host_file_change change = change_of(path, "old\n", "new\n");

    (void)state;
    if (getuid() != 0)
        skip();
    change.user = "root";
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    assert_file(path, "new\n", user, 0600);
}

static void a_file_whose_owner_cannot_be_kept_is_not_touched(void **state)
{
    const char *path = path_of("foreign");
    struct host_file_change change = change_of(path, "old\n", "new\n");

    (void)state;
    if (getuid() != 0)
        skip();
    server_write(server, "files/foreign", "old\n", 0644);

    assert_error(&arena, host_file_replace(host, &arena, &change), ERROR_FAILED,
                 arena_printf(&arena,
                              "could not write \"%s\" on host \"pg1\" (127.0.0.1): could not keep "
                              "its owner",
                              path),
                 NULL);
    assert_file(path, "old\n", "root", 0644);
    assert_no_leftovers();
}

static void a_new_file_is_private_unless_a_mode_is_given(void **state)
{
    struct host_file_change change = change_of(path_of("new"), NULL, "");

    (void)state;
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    assert_file(path_of("new"), "", user, 0600);
    change = change_of(path_of("new too"), NULL, "x");
    change.mode = 0644;
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    assert_file(path_of("new too"), "x", user, 0644);
}

static void a_file_is_removed(void **state)
{
    const char *path = make("removed", "old\n", 0640);
    struct host_file_change change = change_of(path, "old\n", NULL);

    (void)state;
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    assert_int_not_equal(access(path, F_OK), 0);
    change = change_of(path, NULL, NULL);
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
}

static void what_somebody_changed_meanwhile_is_not_overwritten(void **state)
{
    const char *path = make("changed", "theirs\n", 0640);
    struct host_file_change change = change_of(path, "old\n", "ours\n");
    const char *message =
        arena_printf(&arena,
                     "could not write \"%s\" on host \"pg1\" (127.0.0.1): it is not "
                     "what it was when it was looked at",
                     path);

    (void)state;
    assert_error(&arena, host_file_replace(host, &arena, &change), ERROR_FAILED, message, NULL);
    change = change_of(path, NULL, "ours\n");
    assert_error(&arena, host_file_replace(host, &arena, &change), ERROR_FAILED, message, NULL);
    assert_file(path, "theirs\n", user, 0640);
    unlink(path);
    change = change_of(path, "old\n", "ours\n");
    assert_error(&arena, host_file_replace(host, &arena, &change), ERROR_FAILED, message, NULL);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_no_leftovers();
}

static void old_bytes_are_kept_once(void **state)
{
    const char *path = make("kept", "first\n", 0640), *backup = path_of("backup");
    struct host_file_change change = change_of(path, "first\n", "second\n");
    struct host_file file;
    bool is_kept = true;

    (void)state;
    change.backup = backup;
    assert_no_error(&arena,
                    host_file_backup(host, &arena, user, backup, within(10), &file, &is_kept));
    assert_false(is_kept);
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    change = change_of(path, "second\n", "third\n");
    change.backup = backup;
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    assert_no_error(&arena,
                    host_file_backup(host, &arena, user, backup, within(10), &file, &is_kept));
    assert_true(is_kept);
    assert_true(file.exists);
    assert_string_equal(file.bytes, "first\n");
    assert_string_equal(file.owner, user);
    assert_int_equal(file.mode, 0640);
    assert_file(path, "third\n", user, 0640);

    assert_null(file_write(&arena, backup, "spoilt\n", 7, 0644));
    assert_error(
        &arena, host_file_backup(host, &arena, user, backup, within(10), &file, &is_kept),
        ERROR_FAILED,
        arena_printf(&arena,
                     "could not read what was kept as \"%s\" on host \"pg1\" (127.0.0.1): its "
                     "bytes are not those that were kept",
                     backup),
        NULL);
}

static void that_a_file_was_absent_is_kept_too(void **state)
{
    struct host_file_change change = change_of(path_of("fresh"), NULL, "x");
    struct host_file file = {.exists = true};
    bool is_kept = false;

    (void)state;
    change.backup = path_of("absence");
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    assert_no_error(
        &arena, host_file_backup(host, &arena, user, change.backup, within(10), &file, &is_kept));
    assert_true(is_kept);
    assert_false(file.exists);
}

static void four_mebibytes_of_any_bytes_go_both_ways(void **state)
{
    size_t length = HOST_FILE_LARGEST;
    char *bytes = arena_alloc(&arena, length);
    struct host_file_change change = change_of(path_of("binary"), NULL, "");
    struct host_file file;

    (void)state;
    for (size_t at = 0; at < length; at++)
        bytes[at] = (char)(at * 31 + at / 256);
    change.bytes = bytes;
    change.length = length;
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    assert_no_error(&arena,
                    host_file_read(host, &arena, user, path_of("binary"), within(10), &file));
    assert_int_equal(file.length, length);
    assert_memory_equal(file.bytes, bytes, length);
}

static void a_strange_path_is_a_path_like_any_other(void **state)
{
    const char *path = path_of("-rf $(id) 'q' \\ \n *");
    struct host_file_change change = change_of(path, NULL, "one");

    (void)state;
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    change = change_of(path, "one", "two");
    assert_no_error(&arena, host_file_replace(host, &arena, &change));
    assert_file(path, "two", user, 0600);
    change.path = "relative";
    assert_error(&arena, host_file_replace(host, &arena, &change), ERROR_INPUT,
                 "\"relative\" is not the absolute path of a file", NULL);
}

/* A whole edit, killed on its way at ever later instants: the folder is read by hand afterwards. */
static void a_killed_client_leaves_the_old_bytes_or_the_new_ones(void **state)
{
    int old = 0, new = 0;

    (void)state;
    host_close(host);
    for (int round = 0; round < 16; round++) {
        const char *path = make("edited", "old\n", 0640);
        struct host_file_change change = change_of(path, "old\n", "new\n");
        pid_t pid = fork();
        char *bytes;
        size_t length;
        int status;

        if (pid == 0) {
            struct host *mine = host_new(&server->settings, -1);

            (void)host_file_replace(mine, &arena, &change);
            _exit(0);
        }
        poll(NULL, 0, 25 + round * 4);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        assert_null(file_read(&arena, path, 1000, &bytes, &length));
        old += strcmp(bytes, "old\n") == 0;
        new += strcmp(bytes, "new\n") == 0;
        assert_int_equal(old + new, round + 1);
        // What was under way goes on to its end on the host.
        poll(NULL, 0, 40);
    }
    print_message("after the kill: %d old, %d new\n", old, new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_with_owner_mode_and_digest),
        cmocka_unit_test(a_file_that_is_not_there_is_no_error),
        cmocka_unit_test(what_is_no_plain_file_is_refused),
        cmocka_unit_test(a_file_that_may_not_be_read_is_refused),
        cmocka_unit_test(a_file_of_more_than_four_mebibytes_is_refused),
        cmocka_unit_test(bytes_are_replaced_and_owner_and_mode_stay),
        cmocka_unit_test(owner_and_mode_are_changed_where_they_are_asked_for),
        cmocka_unit_test(root_keeps_the_owner_of_another_users_file),
        cmocka_unit_test(a_file_whose_owner_cannot_be_kept_is_not_touched),
        cmocka_unit_test(a_new_file_is_private_unless_a_mode_is_given),
        cmocka_unit_test(a_file_is_removed),
        cmocka_unit_test(what_somebody_changed_meanwhile_is_not_overwritten),
        cmocka_unit_test(old_bytes_are_kept_once),
        cmocka_unit_test(that_a_file_was_absent_is_kept_too),
        cmocka_unit_test(four_mebibytes_of_any_bytes_go_both_ways),
        cmocka_unit_test(a_strange_path_is_a_path_like_any_other),
        cmocka_unit_test(a_killed_client_leaves_the_old_bytes_or_the_new_ones),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
