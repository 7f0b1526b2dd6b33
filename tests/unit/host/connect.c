/* Connecting to a real sshd: who it is, who we are, and how long we wait. */
#include "server.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/un.h>

/* One for the whole program; each test begins with its known_hosts and settings as they were. */
static struct server *server;
static struct host_settings settings;
static struct arena arena;

static int setup(void **state)
{
    (void)state;
    server = server_start("");
    server_key(server, "other_ed25519", "ed25519", "");
    server_key(server, "other_ecdsa", "ecdsa", "");
    // None of these may have any influence.
    setenv("HOME", server_path(server, "home"), 1);
    unsetenv("SSH_AUTH_SOCK");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    server_free(server);
    return 0;
}

static int each(void **state)
{
    (void)state;
    settings = server->settings;
    server_write(server, "known_hosts", server_known(server, "", "host_ed25519.pub"), 0600);
    return 0;
}

static int each_end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static const struct error *try_open(void)
{
    struct host *host = host_new(&settings, -1);
    struct error *error = host_open(host, &arena, within(10));

    host_free(host);
    return error;
}

static const char *where(void)
{
    return arena_printf(&arena, "host \"pg1\" (127.0.0.1 port %d)", server->port);
}

/* "ssh-ed25519 SHA256:…" of the server's key. */
static const char *print_of_host_key(void)
{
    char line[512], hash[128] = "";
    const char *command =
        arena_printf(&arena, "ssh-keygen -lf %s", server_path(server, "host_ed25519.pub"));
    FILE *pipe = popen(command, "r");

    assert_non_null(fgets(line, sizeof line, pipe));
    pclose(pipe);
    assert_int_equal(sscanf(line, "%*s %127s", hash), 1);
    return arena_printf(&arena, "ssh-ed25519 %s", hash);
}

static const char *known_hosts(void)
{
    return server_path(server, "known_hosts");
}

static void a_known_host_lets_us_in_and_the_session_is_kept(void **state)
{
    struct host *host = host_new(&settings, -1);

    (void)state;
    assert_no_error(&arena, host_open(host, &arena, within(10)));
    assert_no_error(&arena, host_open(host, &arena, within(10)));
    host_free(host);
}

static void an_unknown_host_key_is_refused_and_shown(void **state)
{
    (void)state;
    server_write(server, "known_hosts", "", 0600);
    assert_error(
        &arena, try_open(), ERROR_UNREACHABLE,
        arena_printf(&arena, "the host key of %s is not known: it offers %s", where(),
                     print_of_host_key()),
        arena_printf(&arena,
                     "Compare the fingerprint on the host's own console: ssh-keygen -lf "
                     "/etc/ssh/ssh_host_ed25519_key.pub. If it is the same, add that key to "
                     "%s under the name [127.0.0.1]:%d. A key that comes from ssh-keyscan "
                     "alone proves nothing.",
                     known_hosts(), server->port));
}

static void a_changed_host_key_is_refused_with_the_line_that_says_otherwise(void **state)
{
    (void)state;
    server_write(
        server, "known_hosts",
        arena_printf(&arena, "# a comment\n%s", server_known(server, "", "other_ed25519.pub")),
        0600);
    assert_error(
        &arena, try_open(), ERROR_UNREACHABLE,
        arena_printf(&arena,
                     "the host key of %s is not the known one: it offers %s; another key is "
                     "in %s line 2",
                     where(), print_of_host_key(), known_hosts()),
        arena_printf(&arena,
                     "Somebody may be intercepting the connection, or the host was installed "
                     "anew. Compare the fingerprint on the host's own console: ssh-keygen -lf "
                     "/etc/ssh/ssh_host_ed25519_key.pub. If it is right, remove the old key "
                     "with: ssh-keygen -R '[127.0.0.1]:%d' -f %s, and add the new one.",
                     server->port, known_hosts()));
}

static void a_host_known_by_another_type_of_key_is_refused(void **state)
{
    (void)state;
    server_write(server, "known_hosts", server_known(server, "", "other_ecdsa.pub"), 0600);
    assert_string_equal(
        error_text(&arena, try_open()),
        arena_printf(&arena,
                     "the host key of %s is not the known one: it offers %s; a key of another type "
                     "is in %s line 1",
                     where(), print_of_host_key(), known_hosts()));
}

static void a_revoked_host_key_is_refused_although_another_line_accepts_it(void **state)
{
    (void)state;
    server_write(server, "known_hosts",
                 arena_printf(&arena, "%s%s", server_known(server, "", "host_ed25519.pub"),
                              server_known(server, "@revoked ", "host_ed25519.pub")),
                 0600);
    assert_error(&arena, try_open(), ERROR_UNREACHABLE,
                 arena_printf(&arena, "the host key of %s is revoked: %s (%s line 2)", where(),
                              print_of_host_key(), known_hosts()),
                 "Somebody may be using a stolen key: do not connect before that is cleared up.");
}

static void a_revoked_key_of_all_hosts_is_refused(void **state)
{
    const char *key = server_read(server, "host_ed25519.pub");

    (void)state;
    server_write(server, "known_hosts",
                 arena_printf(&arena, "@revoked\t*\t%s%s", key,
                              server_known(server, "", "host_ed25519.pub")),
                 0600);
    assert_text_contains(error_text(&arena, try_open()), "is revoked");
}

static void a_certificate_authority_alone_vouches_for_nobody(void **state)
{
    (void)state;
    server_write(server, "known_hosts",
                 server_known(server, "@cert-authority ", "other_ed25519.pub"), 0600);
    assert_text_contains(error_text(&arena, try_open()),
                         arena_printf(&arena,
                                      "is vouched for only by a certificate authority (%s "
                                      "line 1), which is not supported",
                                      known_hosts()));
}

static void a_line_that_excludes_the_host_does_not_accept_it(void **state)
{
    (void)state;
    server_write(server, "known_hosts",
                 arena_printf(&arena, "![127.0.0.1]:%d,* %s", server->port,
                              server_read(server, "host_ed25519.pub")),
                 0600);
    assert_text_contains(error_text(&arena, try_open()), "is not known");
}

static void hashed_names_are_known(void **state)
{
    (void)state;
    assert_int_equal(run_program((const char *const[]){
                         "sh", "-c", "ssh-keygen -q -H -f \"$1\" 2>&1", "sh", known_hosts(), NULL}),
                     0);
    assert_text_contains(server_read(server, "known_hosts"), "|1|");
    assert_no_error(&arena, try_open());
}

static void nobody_logs_in_before_the_host_has_proven_itself(void **state)
{
    (void)state;
    server_write(server, "log", "", 0600);
    server_write(server, "known_hosts", server_known(server, "", "other_ed25519.pub"), 0600);
    assert_non_null(try_open());
    server_write(server, "known_hosts", "", 0600);
    assert_non_null(try_open());
    // The one who is let in is logged, so an empty search means something.
    assert_null(strstr(server_read(server, "log"), "publickey"));
    each(NULL);
    assert_no_error(&arena, try_open());
    assert_text_contains(server_read(server, "log"), "Accepted publickey");
}

static void a_key_that_the_host_does_not_accept_is_named(void **state)
{
    (void)state;
    settings.ssh.identity = server_path(server, "other_ed25519");
    assert_error(
        &arena, try_open(), ERROR_UNREACHABLE,
        arena_printf(&arena, "could not log in to %s as \"%s\": permission denied (tried %s)",
                     where(), server->user, settings.ssh.identity),
        arena_printf(&arena,
                     "The public key must be in ~%s/.ssh/authorized_keys on the host; `ssh "
                     "-v` and the host's sshd log say more.",
                     server->user));
}

static void a_key_file_that_others_can_read_is_not_used(void **state)
{
    const char *path = server_path(server, "open_key");

    (void)state;
    server_write(server, "open_key", server_read(server, "user_key"), 0640);
    settings.ssh.identity = path;
    assert_string_equal(error_text(&arena, try_open()),
                        arena_printf(&arena,
                                     "could not log in to %s as \"%s\": the key file \"%s\" can be "
                                     "read by others: chmod 600 it",
                                     where(), server->user, path));
}

static void a_key_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    settings.ssh.identity = "/nowhere/key";
    assert_string_equal(error_text(&arena, try_open()),
                        arena_printf(&arena,
                                     "could not log in to %s as \"%s\": could not read "
                                     "\"/nowhere/key\": No such file or directory",
                                     where(), server->user));
}

static void the_usual_keys_are_tried_where_none_is_named(void **state)
{
    (void)state;
    settings.ssh.identity = NULL;
    assert_string_equal(
        error_text(&arena, try_open()),
        arena_printf(&arena,
                     "could not log in to %s as \"%s\": permission denied (there is "
                     "no agent and no key)",
                     where(), server->user));
    mkdir(server_path(server, "home/.ssh"), 0700);
    server_write(server, "home/.ssh/id_ed25519", server_read(server, "user_key"), 0600);
    assert_no_error(&arena, try_open());
    unlink(server_path(server, "home/.ssh/id_ed25519"));
}

static void a_protected_key_works_through_an_agent_only(void **state)
{
    const char *path = server_path(server, "protected");
    const char *address = server_path(server, "agent");
    const char *arguments[] = {"ssh-agent", "-D", "-a", address, NULL};
    pid_t agent;
    int status;

    (void)state;
    server_key(server, "protected", "ed25519", "secret");
    server_write(server, "authorized_keys",
                 arena_printf(&arena, "%s%s", server_read(server, "user_key.pub"),
                              server_read(server, "protected.pub")),
                 0600);
    settings.ssh.identity = path;
    assert_string_equal(error_text(&arena, try_open()),
                        arena_printf(&arena,
                                     "could not log in to %s as \"%s\": the key file \"%s\" has a "
                                     "passphrase: load it into an agent with ssh-add",
                                     where(), server->user, path));

    posix_spawn_file_actions_t actions;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    assert_int_equal(
        posix_spawnp(&agent, arguments[0], &actions, NULL, (char *const *)arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    for (int tries = 0; access(address, F_OK) != 0; tries++) {
        assert_true(tries < 500);
        poll(NULL, 0, 10);
    }
    setenv("SSH_AUTH_SOCK", address, 1);
    server_write(server, "askpass", "#!/bin/sh\necho secret\n", 0700);
    setenv("SSH_ASKPASS", server_path(server, "askpass"), 1);
    setenv("SSH_ASKPASS_REQUIRE", "force", 1);
    assert_int_equal(run_program((const char *const[]){"ssh-add", "-q", path, NULL}), 0);
    assert_no_error(&arena, try_open());
    settings.ssh.identity = NULL;
    assert_no_error(&arena, try_open());
    unsetenv("SSH_AUTH_SOCK");
    kill(agent, SIGTERM);
    waitpid(agent, &status, 0);
}

/* A listening socket that never says a word. */
static int silent_socket(int family)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(local.sun_path, server_path(server, "silent"));
    if (family == AF_UNIX) {
        assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof local), 0);
    } else {
        assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
        settings.ssh.port = ntohs(address.sin_port);
    }
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static void an_agent_that_does_not_answer_is_given_up_at_the_deadline(void **state)
{
    int fd = silent_socket(AF_UNIX);
    struct host *host = host_new(&settings, -1);
    int64_t began_ms = clock_ms();

    (void)state;
    settings.ssh.identity = NULL;
    setenv("SSH_AUTH_SOCK", server_path(server, "silent"), 1);
    assert_error(&arena, host_open(host, &arena, clock_ms() + 300), ERROR_UNREACHABLE,
                 arena_printf(&arena,
                              "could not log in to %s as \"%s\": the agent did not answer in time",
                              where(), server->user),
                 NULL);
    assert_true(clock_ms() - began_ms < 1500);
    unsetenv("SSH_AUTH_SOCK");
    host_free(host);
    close(fd);
}

static void a_host_that_refuses_connections_is_unreachable(void **state)
{
    (void)state;
    settings.ssh.port = free_port();
    assert_error(&arena, try_open(), ERROR_UNREACHABLE,
                 arena_printf(&arena,
                              "could not connect to host \"pg1\" (127.0.0.1 port %d): Connection "
                              "refused",
                              settings.ssh.port),
                 NULL);
}

static void a_name_that_does_not_exist_is_unreachable(void **state)
{
    (void)state;
    settings.address = "no-such-host.invalid";
    assert_text_contains(error_text(&arena, try_open()),
                         "could not resolve \"no-such-host.invalid\": ");
}

static void a_silent_host_is_given_up_at_the_deadline(void **state)
{
    int fd = silent_socket(AF_INET);
    struct host *host = host_new(&settings, -1);
    int64_t began_ms = clock_ms();

    (void)state;
    assert_error(&arena, host_open(host, &arena, clock_ms() + 200), ERROR_UNREACHABLE,
                 arena_printf(&arena,
                              "could not connect to host \"pg1\" (127.0.0.1 port %d): timed out",
                              settings.ssh.port),
                 NULL);
    assert_true(clock_ms() - began_ms >= 200 && clock_ms() - began_ms < 1000);
    host_free(host);
    close(fd);
}

static void connecting_ends_when_we_are_stopped(void **state)
{
    int fd = silent_socket(AF_INET), stop = eventfd(1, EFD_CLOEXEC);
    struct host *host = host_new(&settings, stop);
    struct error *error = host_open(host, &arena, within(10));

    (void)state;
    assert_non_null(error);
    assert_int_equal(error->kind, ERROR_STOPPED);
    host_free(host);
    close(fd);
    close(stop);
}

static void *connect_main(void *context)
{
    struct arena own = {0};
    struct host *host = host_new(&settings, -1);
    struct error *error = host_open(host, &own, within(20));

    *(bool *)context = error == NULL;
    if (error != NULL)
        print_error("%s\n", error_text(&own, error));
    host_free(host);
    arena_release(&own);
    return NULL;
}

static void a_server_that_drops_connections_is_asked_again(void **state)
{
    pthread_t threads[6];
    bool is_in[6] = {false};

    (void)state;
    server_stop(server);
    server_run(server, "MaxStartups 1:100:1");
    for (size_t at = 0; at < ARRAY_COUNT(threads); at++)
        pthread_create(&threads[at], NULL, connect_main, &is_in[at]);
    for (size_t at = 0; at < ARRAY_COUNT(threads); at++)
        pthread_join(threads[at], NULL);
    for (size_t at = 0; at < ARRAY_COUNT(threads); at++)
        assert_true(is_in[at]);
    assert_text_contains(server_read(server, "log"), "MaxStartups throttling");
    server_stop(server);
    server_run(server, "");
}

/* How often somebody was let in, as the log says. */
static int logins(void)
{
    int count = 0;

    for (const char *at = server_read(server, "log");
         (at = strstr(at, "Accepted publickey")) != NULL; at++)
        count++;
    return count;
}

static void a_jump_host_is_reached_by_openssh(void **state)
{
    (void)state;
    settings.ssh.jump = arena_printf(&arena, "%s@127.0.0.1:%d", server->user, server->port);
    server_write(server, "log", "", 0600);
    assert_no_error(&arena, try_open());

    // Once for the jump, once for the host behind it.
    assert_int_equal(logins(), 2);
}

static void a_jump_host_that_is_not_known_is_refused(void **state)
{
    (void)state;
    server_write(server, "known_hosts", "", 0600);
    settings.ssh.jump = arena_printf(&arena, "%s@127.0.0.1:%d", server->user, server->port);

    const struct error *error = try_open();

    assert_non_null(error);
    assert_text_contains(error_text(&arena, error), "Host key verification failed.");
}

static void a_configuration_file_is_read_only_where_it_is_named(void **state)
{
    (void)state;
    mkdir(server_path(server, "home/.ssh"), 0700);
    server_write(server, "home/.ssh/config",
                 arena_printf(&arena, "Host *\n  ProxyCommand touch %s; false\n  User nobody\n",
                              server_path(server, "executed")),
                 0600);
    assert_no_error(&arena, try_open());
    assert_int_not_equal(access(server_path(server, "executed"), F_OK), 0);
    unlink(server_path(server, "home/.ssh/config"));

    server_write(server, "config",
                 arena_printf(&arena,
                              "Host db1\n  HostName 127.0.0.1\n  Port %d\n  User %s\n"
                              "  IdentityFile %s\n  UserKnownHostsFile %s\n",
                              server->port, server->user, server_path(server, "user_key"),
                              known_hosts()),
                 0600);
    settings.address = "db1";
    settings.ssh.port = 22;
    settings.ssh.user = settings.ssh.identity = settings.ssh.known_hosts = NULL;
    settings.ssh.config = server_path(server, "config");
    assert_no_error(&arena, try_open());
}

static void an_option_that_cannot_be_honoured_is_refused_by_name(void **state)
{
    (void)state;
    server_write(server, "config", "Host *\n  HostKeyAlias other\n", 0600);
    settings.ssh.config = server_path(server, "config");
    assert_error(&arena, try_open(), ERROR_INPUT,
                 arena_printf(&arena,
                              "option \"hostkeyalias\" in \"%s\" is not supported: its value is "
                              "\"other\"",
                              settings.ssh.config),
                 NULL);
}

static void a_name_that_looks_like_an_option_is_refused(void **state)
{
    (void)state;
    settings.ssh.jump = "-oProxyCommand=reboot";
    assert_error(&arena, try_open(), ERROR_INPUT,
                 "host \"pg1\" cannot be reached by the name \"-oProxyCommand=reboot\"", NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, each, each_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_known_host_lets_us_in_and_the_session_is_kept),
        TEST(an_unknown_host_key_is_refused_and_shown),
        TEST(a_changed_host_key_is_refused_with_the_line_that_says_otherwise),
        TEST(a_host_known_by_another_type_of_key_is_refused),
        TEST(a_revoked_host_key_is_refused_although_another_line_accepts_it),
        TEST(a_revoked_key_of_all_hosts_is_refused),
        TEST(a_certificate_authority_alone_vouches_for_nobody),
        TEST(a_line_that_excludes_the_host_does_not_accept_it),
        TEST(hashed_names_are_known),
        TEST(nobody_logs_in_before_the_host_has_proven_itself),
        TEST(a_key_that_the_host_does_not_accept_is_named),
        TEST(a_key_file_that_others_can_read_is_not_used),
        TEST(a_key_file_that_is_not_there_is_named),
        TEST(the_usual_keys_are_tried_where_none_is_named),
        TEST(a_protected_key_works_through_an_agent_only),
        TEST(an_agent_that_does_not_answer_is_given_up_at_the_deadline),
        TEST(a_host_that_refuses_connections_is_unreachable),
        TEST(a_name_that_does_not_exist_is_unreachable),
        TEST(a_silent_host_is_given_up_at_the_deadline),
        TEST(connecting_ends_when_we_are_stopped),
        TEST(a_server_that_drops_connections_is_asked_again),
        TEST(a_jump_host_is_reached_by_openssh),
        TEST(a_jump_host_that_is_not_known_is_refused),
        TEST(a_configuration_file_is_read_only_where_it_is_named),
        TEST(an_option_that_cannot_be_honoured_is_refused_by_name),
        TEST(a_name_that_looks_like_an_option_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
