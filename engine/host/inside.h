/*
 * What the files of host/ share and nobody else may use: the struct behind host.h, one SSH session
 * with its streams, and the shells that are kept open.
 *
 * libssh is seen only by session.c, stream.c, hostkey.c and login.c, through libssh.h.
 */
#ifndef HOST_INSIDE_H
#define HOST_INSIDE_H

#include "host/host.h"

#include <poll.h>
#include <sys/types.h>

/* How to reach a host, complete: the cluster file and, where it names one, OpenSSH's own file. */
struct route {
    const char *what; /* for messages: host "pg1" (10.0.0.11 port 22) */
    const char *address;
    int port;
    const char *user;
    const char *const *identities; /* private key files, NULL-terminated */
    bool is_identity_named;        /* a person named them: a missing one is an error */
    bool use_agent;
    const char *known_hosts, *global_known_hosts;
    const char *jump;   /* [user@]host[:port], or NULL */
    const char *config; /* for the jump host, or NULL */
};
struct error *route_find(struct arena *arena, const struct host_settings *settings, int stop_fd,
                         int64_t deadline_ms, struct route *out);

/*
 * poll() with a deadline and the stop descriptor. POLLS has room for COUNT + 1. ERROR_TIMEOUT,
 * ERROR_STOPPED, or NULL when one of COUNT is ready.
 */
struct error *wait_poll(struct arena *arena, struct pollfd *polls, size_t count, int stop_fd,
                        int64_t deadline_ms);

/* A TCP connection, non-blocking, with the options that a session needs. */
struct error *dial(struct arena *arena, const char *address, int port, int stop_fd,
                   int64_t deadline_ms, int *fd);

/* `ssh -W` as a child on one end of a socketpair; *FD is the other, *ERRORS its standard error. */
struct error *jump_open(struct arena *arena, const struct route *route, pid_t *child, int *fd,
                        int *errors);

/* Ends a child of ours, by its id, and waits for it: SIGTERM, then SIGKILL. 0 is fine. */
void child_end(pid_t child);

/* Runs a program to its end and returns what it wrote; its status must be 0. */
struct error *child_read(struct arena *arena, const char *const *arguments, int stop_fd,
                         int64_t deadline_ms, const char **out);

/*
 * A session is never waited for by libssh itself: whoever has it polls session_fd for
 * session_events, then calls session_serve, then looks at the streams.
 */
struct session;

/* *IS_BUSY: the server hung up before it said who it is, as with MaxStartups; try again later. */
struct error *session_open(struct arena *arena, const struct route *route, int stop_fd,
                           int64_t deadline_ms, bool *is_busy, struct session **out);
void session_close(struct session *session); /* NULL is fine; its streams are then at their end */
int session_fd(const struct session *session);
short session_events(const struct session *session);

/* Takes in what has arrived and sends what is waiting. False: the connection is broken. */
bool session_serve(struct session *session);
const char *session_problem(struct session *session);

/* Bytes received so far. It grows whenever any call on the session or a stream took data in. */
uint64_t session_received(const struct session *session);

/* A channel of a session: a command's three streams, or a forwarded TCP connection. */
struct stream;
enum stream_state { STREAM_OPENING, STREAM_OPEN, STREAM_REFUSED };

struct stream *stream_command(struct session *session, const char *command);
struct stream *stream_tcp(struct session *session, const char *address, int port);
void stream_close(struct stream *stream); /* NULL is fine; also after its session was closed */

enum stream_state stream_state(struct stream *stream);
const char *stream_problem(const struct stream *stream); /* why it was refused */

/* None of these waits. Read: 0 is nothing yet, -1 the end. Write: how much was taken. */
ssize_t stream_read(struct stream *stream, bool is_error, char *bytes, size_t size);
size_t stream_write(struct stream *stream, const char *bytes, size_t length);
size_t stream_room(struct stream *stream);
void stream_end(struct stream *stream);         /* no more will be written */
int stream_status(const struct stream *stream); /* exit status, 128 + n, or -1: not known */

struct shell;
struct tunnel;

struct host {
    const struct host_settings *settings;
    int stop_fd;
    bool leaves_when_stopped;
    const char *login;  /* the user of the session */
    char *claim;        /* in whose name it is changed: see claim.h; or NULL */
    struct arena arena; /* for the session's lifetime */
    struct session *session;
    uint64_t received; /* session_received, when its streams were last looked at */
    struct tunnel *tunnels;
    struct shell *shells;
    void *kept; /* host_keep */
    void (*kept_release)(void *thing);
};

/* host "pg1" (10.0.0.11): for messages. */
const char *host_what(const struct host *host, struct arena *arena);

/* The shell command that runs `/bin/sh ARGUMENTS` as USER, or an error where nothing can. */
struct error *become_command(struct host *host, struct arena *arena, const char *user,
                             const char *arguments, const char **out);

/* The error of a command that ended before it greeted us: sudo, doas or the login shell refused. */
struct error *become_refused(struct host *host, struct arena *arena, const char *user, int status,
                             const char *stderr_text);

void tunnels_close(struct host *host);
size_t tunnels_prepare(struct host *host, struct pollfd *polls, size_t room);
void tunnels_move(struct host *host);

void shells_close(struct host *host);

/*
 * One exchange with a kept shell. BODY is a compound command: "( … )". It is sent as part of a
 * group that a shell runs only when it has read all of it.
 */
struct shell_call {
    const char *user;
    bool is_spare; /* on a second shell, beside one that is busy */
    const char *body;
    size_t body_length;
    size_t output_limit;
    int64_t deadline_ms;
    int64_t idle_ms; /* 0: never; else how often idle is called while there is no end */
    struct error *(*idle)(void *context);
    void *context;
    bool was_sent; /* set: all of it went out, so it may have run */
};
enum {
    SHELL_GRACE_MS = 500, /* for the news that a script was killed at its deadline */
};
struct error *shell_call(struct host *host, struct arena *arena, struct shell_call *call,
                         struct shell_result *out);

/* What is sent for it. */
void request_write(struct text *request, const struct shell_call *call, const char *nonce,
                   bool is_first);

/* What a kept shell remembers for others: the run whose folder it has checked. NULL: no shell. */
const char *shell_checked_run(struct host *host, const char *user);
void shell_remember_run(struct host *host, const char *user, const char *run);

/* 'word' for each; and a printf format in single quotes, for bytes of any kind. */
void append_words(struct text *text, const char *const *words);
void append_printf(struct text *text, const char *bytes, size_t length);

/* export NAME='value' lines. Refuses names and lengths that no shell could take. */
struct error *append_environment(struct arena *arena, struct text *text,
                                 const struct shell_environment *environment, size_t count);

/* The compound command that runs REQUEST. */
struct error *request_body(struct arena *arena, const struct shell_request *request,
                           struct text *body);

#define NONCE_SIZE 33
void nonce_make(char out[NONCE_SIZE]);

#endif
