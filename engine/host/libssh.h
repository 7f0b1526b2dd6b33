/* libssh, and what its four users share. */
#ifndef HOST_LIBSSH_H
#define HOST_LIBSSH_H

#include "host/inside.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

struct session {
    ssh_session ssh;
    ssh_event event;
    struct ssh_counter_struct counter;
    bool is_connected; /* libssh has the descriptor; it may also have closed it */
    int fd;
    pid_t child; /* ssh -W, or 0 */
    int child_errors;
    struct stream *streams;
};

/* What is being opened goes on, also while somebody waits for another stream. */
void streams_step(struct session *session);

/* Takes the channels away from the streams, which are then at their end. */
void streams_detach(struct session *session);

/* Between two calls that said SSH_AGAIN: waits until the session can go on. */
struct error *session_wait(struct arena *arena, struct session *session, int stop_fd,
                           int64_t deadline_ms);

/* NULL only if the server's key is in the known-hosts files, for this host, and not revoked. */
struct error *hostkey_check(struct arena *arena, ssh_session ssh, const struct route *route);

struct error *session_login(struct arena *arena, struct session *session, const struct route *route,
                            int stop_fd, int64_t deadline_ms);

#endif
