/* Proving who we are: the named key; or the agent's keys, then the usual ones. Never a prompt. */
#include "host/libssh.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* One login: what was tried, for the message. */
struct attempt {
    struct arena *arena;
    struct session *session;
    const struct route *route;
    int stop_fd;
    int64_t deadline_ms;
    struct text tried;
    const char *why; /* a key could not be used because of this; or NULL */
    bool is_in;
};

static void tried(struct attempt *attempt, const char *what)
{
    text_append_format(&attempt->tried, "%s%s", attempt->tried.length > 0 ? ", " : "", what);
}

/* RESULT as libssh gives it. An error ends the login, *is_in tells success. */
static struct error *weigh(struct attempt *attempt, int result)
{
    ssh_session ssh = attempt->session->ssh;

    if (result == SSH_AUTH_SUCCESS) {
        attempt->is_in = true;
        return NULL;
    }
    if (result == SSH_AUTH_DENIED)
        return NULL;
    if (result == SSH_AUTH_PARTIAL)
        return error_new(attempt->arena, ERROR_UNREACHABLE,
                         "it wants a second proof beside the key, which cannot be given");
    return error_new(attempt->arena, ERROR_UNREACHABLE, "%s", ssh_get_error(ssh));
}

static struct error *key_try(struct attempt *attempt, ssh_key key)
{
    int result;

    while ((result = ssh_userauth_publickey(attempt->session->ssh, NULL, key)) == SSH_AUTH_AGAIN) {
        struct error *error =
            session_wait(attempt->arena, attempt->session, attempt->stop_fd, attempt->deadline_ms);

        if (error != NULL)
            return error;
    }
    return weigh(attempt, result);
}

/* As OpenSSH does: a private key of ours that others can read is no key. */
static bool file_is_private(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && (info.st_uid != getuid() || (info.st_mode & 077) == 0);
}

/* libssh would ask for a passphrase at the terminal if it had nobody to ask. */
static int no_passphrase(const char *prompt, char *buffer, size_t length, int echo, int verify,
                         void *context)
{
    (void)prompt, (void)buffer, (void)length, (void)echo, (void)verify;
    *(bool *)context = true;
    return -1;
}

static struct error *file_try(struct attempt *attempt, const char *path)
{
    ssh_key key = NULL;
    bool is_protected = false;

    if (!attempt->route->is_identity_named && access(path, F_OK) != 0)
        return NULL;
    tried(attempt, path);
    if (access(path, R_OK) != 0) {
        attempt->why = arena_printf(attempt->arena, "could not read \"%s\": %s", path,
                                    errno_text(attempt->arena, errno));
        return NULL;
    }
    if (!file_is_private(path)) {
        attempt->why = arena_printf(
            attempt->arena, "the key file \"%s\" can be read by others: chmod 600 it", path);
        return NULL;
    }
    if (ssh_pki_import_privkey_file(path, NULL, no_passphrase, &is_protected, &key) != SSH_OK) {
        attempt->why = arena_printf(attempt->arena,
                                    is_protected ? "the key file \"%s\" has a passphrase: load it "
                                                   "into an agent with ssh-add"
                                                 : "the key file \"%s\" cannot be understood",
                                    path);
        return NULL;
    }

    struct error *error = key_try(attempt, key);

    ssh_key_free(key);
    return error;
}

/*
 * libssh waits for the agent without a deadline, and an agent may be asking a person. When our
 * patience ends, this shuts the socket down under it.
 */
struct watch {
    int agent_fd, done_fd, stop_fd;
    int64_t deadline_ms;
};

static void *watch_main(void *context)
{
    const struct watch *watch = context;
    struct arena arena CLEANUP(arena_release) = {0};
    struct pollfd polls[2] = {{.fd = watch->done_fd, .events = POLLIN}};

    if (wait_poll(&arena, polls, 1, watch->stop_fd, watch->deadline_ms) != NULL)
        (void)shutdown(watch->agent_fd, SHUT_RDWR);
    return NULL;
}

static int agent_connect(void)
{
    const char *path = getenv("SSH_AUTH_SOCK"); // NOLINT(concurrency-mt-unsafe)
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path == NULL || *path == '\0' || strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path));

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static struct error *agent_ask(struct attempt *attempt)
{
    int result;

    while ((result = ssh_userauth_agent(attempt->session->ssh, NULL)) == SSH_AUTH_AGAIN) {
        struct error *error =
            session_wait(attempt->arena, attempt->session, attempt->stop_fd, attempt->deadline_ms);

        if (error != NULL)
            return error;
    }
    if (result != SSH_AUTH_SUCCESS && attempt->deadline_ms <= clock_ms())
        return error_new(attempt->arena, ERROR_TIMEOUT, "the agent did not answer in time");
    return weigh(attempt, result);
}

static struct error *agent_try(struct attempt *attempt)
{
    struct watch watch = {.agent_fd = agent_connect(),
                          .stop_fd = attempt->stop_fd,
                          .deadline_ms = attempt->deadline_ms};
    pthread_t thread;

    if (watch.agent_fd < 0)
        return NULL;
    watch.done_fd = eventfd(0, EFD_CLOEXEC);
    if (watch.done_fd < 0 || pthread_create(&thread, NULL, watch_main, &watch) != 0)
        out_of_memory();
    tried(attempt, "the agent's keys");
    // The session owns the descriptor from here on.
    (void)ssh_set_agent_socket(attempt->session->ssh, watch.agent_fd);

    struct error *error = agent_ask(attempt);

    (void)eventfd_write(watch.done_fd, 1);
    (void)pthread_join(thread, NULL);
    (void)close(watch.done_fd);
    return error;
}

static struct error *all_try(struct attempt *attempt)
{
    const struct route *route = attempt->route;
    struct error *error = NULL;

    // A named key comes first; otherwise the agent does, as with ssh.
    if (!route->is_identity_named && route->use_agent)
        error = agent_try(attempt);
    for (const char *const *path = route->identities;
         error == NULL && !attempt->is_in && *path != NULL; path++)
        error = file_try(attempt, *path);
    if (error == NULL && !attempt->is_in && route->is_identity_named && route->use_agent)
        error = agent_try(attempt);
    return error;
}

struct error *session_login(struct arena *arena, struct session *session, const struct route *route,
                            int stop_fd, int64_t deadline_ms)
{
    struct attempt attempt = {.arena = arena,
                              .session = session,
                              .route = route,
                              .stop_fd = stop_fd,
                              .deadline_ms = deadline_ms};
    struct error *error = all_try(&attempt);

    if (error != NULL) {
        error = error_because(arena, error, "could not log in to %s as \"%s\"", route->what,
                              route->user);
    } else if (!attempt.is_in) {
        const char *keys = attempt.tried.length > 0
                               ? arena_printf(arena, "tried %s", text_string(&attempt.tried))
                               : "there is no agent and no key";

        error =
            error_new(arena, ERROR_UNREACHABLE, "could not log in to %s as \"%s\": %s", route->what,
                      route->user,
                      attempt.why != NULL ? attempt.why
                                          : arena_printf(arena, "permission denied (%s)", keys));
        error =
            error_hint(arena, error,
                       "The public key must be in ~%s/.ssh/authorized_keys on the host; `ssh -v` "
                       "and the host's sshd log say more.",
                       route->user);
    }
    text_release(&attempt.tried);
    return error;
}
