#include "bare.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOSTS_MOST = 16 };

static struct {
    const char *key, *known_hosts;
    int count;
    const void *first; /* the host whose thread writes the journal */
    void (*step)(ssh_session session, int number);
    pthread_barrier_t barrier;
    int journal;
} setup;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bare: %s: %s\n", what, why);
    _exit(1);
}

/*
 * What libssh has read is not acknowledged yet, and until it is, the server keeps its next small
 * packet back for 40 ms. The kernel forgets QUICKACK, so it is set before every wait.
 */
static void rest(ssh_session session)
{
    const int on = 1;
    struct pollfd poller = {.fd = ssh_get_fd(session), .events = POLLIN};

    if ((ssh_get_poll_flags(session) & SSH_WRITE_PENDING) != 0)
        poller.events |= POLLOUT;
    (void)setsockopt(poller.fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    (void)poll(&poller, 1, 10000);
}

static int settled(ssh_session session, int result, const char *what)
{
    if (result == SSH_AGAIN || result == SSH_AUTH_AGAIN) {
        rest(session);
        return 0;
    }
    if (result != SSH_OK)
        fail(what, ssh_get_error(session));
    return 1;
}

static ssh_session log_in(const char *address)
{
    const int off = 0, on = 1;
    ssh_session session = ssh_new();
    ssh_key key;

    ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &off);
    ssh_options_set(session, SSH_OPTIONS_HOST, address);
    ssh_options_set(session, SSH_OPTIONS_USER, "ops");
    ssh_options_set(session, SSH_OPTIONS_NODELAY, &on);
    ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, setup.known_hosts);
    ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
    ssh_set_blocking(session, 0);
    while (!settled(session, ssh_connect(session), "connect"))
        continue;
    if (ssh_session_is_known_server(session) != SSH_KNOWN_HOSTS_OK)
        fail("host key", address);
    if (ssh_pki_import_privkey_file(setup.key, NULL, NULL, NULL, &key) != SSH_OK)
        fail("key", setup.key);
    while (!settled(session, ssh_userauth_publickey(session, NULL, key), "log in"))
        continue;
    ssh_key_free(key);
    return session;
}

/* Everything that CHANNEL has to say until its end. */
static void drain(ssh_session session, ssh_channel channel, char *output, size_t size)
{
    char bytes[4096];
    size_t length = 0;

    while (!ssh_channel_is_eof(channel)) {
        int got = ssh_channel_read_nonblocking(channel, bytes, sizeof bytes, 0);
        int errors = ssh_channel_read_nonblocking(channel, bytes + sizeof bytes / 2,
                                                  got > 0 ? 0 : sizeof bytes / 2, 1);

        if (got == SSH_ERROR || errors == SSH_ERROR)
            fail("read", ssh_get_error(session));
        if (errors > 0)
            fprintf(stderr, "%.*s", errors, bytes + sizeof bytes / 2);
        for (int at = 0; at < got && length + 1 < size; at++)
            output[length++] = bytes[at];
        if (got <= 0 && errors <= 0 && !ssh_channel_is_eof(channel))
            rest(session);
    }
    if (size > 0)
        output[length] = '\0';
}

void bare_command(ssh_session session, const char *command, const char *input, char *output,
                  size_t size)
{
    ssh_channel channel = ssh_channel_new(session);
    int status;

    while (!settled(session, ssh_channel_open_session(channel), "channel"))
        continue;
    while (!settled(session, ssh_channel_request_exec(channel, command), "command"))
        continue;
    if (input != NULL) {
        size_t length = strlen(input);

        while (length > 0) {
            int sent = ssh_channel_write(channel, input, (uint32_t)length);

            if (sent < 0)
                fail("write", ssh_get_error(session));
            input += sent;
            length -= (size_t)sent;
            if (length > 0)
                rest(session);
        }
        (void)ssh_channel_send_eof(channel);
    }
    drain(session, channel, output, size);
    while ((status = ssh_channel_get_exit_status(channel)) == -1 && !ssh_channel_is_closed(channel))
        rest(session);
    if (status != 0)
        fail("exit status of the command", command);
    ssh_channel_free(channel);
}

static void *host_main(void *address)
{
    ssh_session session = log_in(address);

    for (int number = 0; number < setup.count; number++) {
        setup.step(session, number);
        (void)pthread_barrier_wait(&setup.barrier);
        if (address == setup.first &&
            (dprintf(setup.journal, "{\"step\": %d, \"state\": \"done\"}\n", number) < 0 ||
             fdatasync(setup.journal) != 0))
            fail("journal", "could not write");
        (void)pthread_barrier_wait(&setup.barrier);
    }
    ssh_disconnect(session);
    ssh_free(session);
    return NULL;
}

int bare_main(const char *program, int argc, char **argv,
              void (*step)(ssh_session session, int number))
{
    pthread_t threads[HOSTS_MOST];
    int hosts = argc - 5;

    if (hosts < 1 || hosts > HOSTS_MOST) {
        fprintf(stderr, "usage: %s KEY KNOWN_HOSTS JOURNAL COUNT HOST...\n", program);
        return 2;
    }
    setup.key = argv[1];
    setup.known_hosts = argv[2];
    setup.count = (int)strtol(argv[4], NULL, 10);
    setup.first = argv[5];
    setup.step = step;
    setup.journal = open(argv[3], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (setup.journal < 0 || pthread_barrier_init(&setup.barrier, NULL, (unsigned)hosts) != 0)
        fail("journal", argv[3]);
    for (int at = 0; at < hosts; at++)
        if (pthread_create(&threads[at], NULL, host_main, argv[5 + at]) != 0)
            fail("thread", argv[5 + at]);
    for (int at = 0; at < hosts; at++)
        (void)pthread_join(threads[at], NULL);
    return 0;
}
