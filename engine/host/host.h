/*
 * One host of a cluster and our connection to it. A struct host belongs to one thread at a time;
 * its SSH session is opened when first needed and kept. Every call has a deadline (clock_ms) and
 * ends early with ERROR_STOPPED when the host's stop descriptor becomes readable.
 *
 * Errors of kind ERROR_UNREACHABLE mean that the host could not be reached, could not prove who it
 * is, or refused us (key, password, sudo). After one the connection is closed; the next call tries
 * anew. "The connection broke" says nothing about what a command on the host did.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "base/settings.h"
#include "base/text.h"

struct host;

/*
 * How SETTINGS come out, with the OpenSSH configuration that they may name. NULL: as it would be
 * without anybody saying so (the usual keys, no jump host, the usual known-hosts files).
 */
struct host_route {
    const char *address, *user, *identity, *known_hosts, *jump;
    int port;
};
struct error *host_find_route(struct arena *arena, const struct host_settings *settings,
                              int64_t deadline_ms, struct host_route *out);

/*
 * STOP_FD: when readable, calls end with ERROR_STOPPED (-1: none). APPLICATION names us to
 * sshd-side logs and PostgreSQL (application_name).
 */
struct host *host_new(const struct host_settings *settings, int stop_fd);
void host_free(struct host *host); /* closes everything; NULL is fine */

/*
 * Another stop descriptor from now on (-1: none); returns the former. For the short work that must
 * still be done after ERROR_STOPPED: the cancelling of a statement.
 */
int host_set_stop(struct host *host, int stop_fd);

/*
 * For what only looks and must end at once: after ERROR_STOPPED not even a statement is cancelled.
 * The server's own timeout ends it.
 */
void host_leave_when_stopped(struct host *host);
bool host_leaves_when_stopped(const struct host *host);

const struct host_settings *host_settings(const struct host *host);

/* Connects and proves the host key; done by every other call when needed. */
struct error *host_open(struct host *host, struct arena *arena, int64_t deadline_ms);
void host_close(struct host *host);

/*
 * The one wait of a host's thread: serves the SSH session and all tunnels until one of COUNT extra
 * descriptors is ready (their revents are set), the deadline passes (ERROR_TIMEOUT), the stop
 * descriptor is readable (ERROR_STOPPED) or the session breaks (ERROR_UNREACHABLE). With COUNT 0 it
 * returns after any progress of the session.
 */
struct pollfd;
struct error *host_wait(struct host *host, struct arena *arena, struct pollfd *extra, size_t count,
                        int64_t deadline_ms);

struct shell_request {
    const char *user;        /* run as: NULL or the ssh user: as logged in; else through become */
    const char *interpreter; /* "sh" (default, NULL): /bin/sh -eu; "bash": bash -euo pipefail */
    const char *script;      /* the text, any bytes but NUL */
    const char *const *arguments;                /* $1..., NULL-terminated, or NULL */
    const struct shell_environment *environment; /* count below; names [A-Za-z_][A-Za-z0-9_]* */
    size_t environment_count;
    const char *input; /* its standard input; NULL: /dev/null */
    size_t input_length;
    size_t output_limit; /* of each stream; 0: TEXT_LIMIT */
    int64_t deadline_ms; /* then it is killed, with its process group */
};
struct shell_environment {
    const char *name, *value;
};
struct shell_result {
    int status; /* 0..255; 128 + n: killed by signal n */
    struct text out, err;
};
void shell_result_release(struct shell_result *result);

/*
 * Runs a script that only looks, or that is safe to be cut off at any point, on a shell that is
 * kept open for each user: about a millisecond. A truncated script never runs. What changes
 * something in a way that matters is a job (job.h) or a file replacement (file.h). ERROR_TIMEOUT:
 * it was killed. ERROR_UNREACHABLE: no answer; it may have run.
 */
struct error *host_shell(struct host *host, struct arena *arena,
                         const struct shell_request *request, struct shell_result *out);

/* Logs in, and starts USER's shell without waiting for it: that takes longer than the login. */
struct error *host_shell_begin(struct host *host, struct arena *arena, const char *user,
                               int64_t deadline_ms);

/*
 * A connected stream socket (a socketpair's end) to ADDRESS:PORT as seen from the host, through the
 * SSH session; or to what COMMAND, run as USER, reads and writes. Bytes move only inside host_wait.
 * Close the descriptor to end it. Where the host is fine and the other side is not, the error is
 * ERROR_FAILED, with "Connection refused" in its text if that is what happened to ADDRESS:PORT.
 */
struct error *host_tunnel_tcp(struct host *host, struct arena *arena, const char *address, int port,
                              int64_t deadline_ms, int *fd);
struct error *host_tunnel_command(struct host *host, struct arena *arena, const char *user,
                                  const char *command, int64_t deadline_ms, int *fd);

/*
 * Something of a caller's that lives as long as the host's object: a connection kept for the next
 * look. One thing at a time; RELEASE is called on it when it is replaced (by NULL, too) and
 * by host_free, while the session is still there.
 */
void host_keep(struct host *host, void *thing, void (*release)(void *thing));
void *host_kept(const struct host *host);

/* The version of libssh that is loaded. */
const char *ssh_library(void);

#endif
