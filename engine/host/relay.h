/*
 * A small relay on a host between its standard input and output and a server's socket: a Unix
 * socket, for which it runs as the socket's owner, so that peer authentication sees exactly what
 * `sudo -u postgres psql` shows it; or, for what changes something, a TCP port. Where the host has
 * a claim (claim.h), the relay compares it before it connects, and ends when it changes.
 */
#ifndef HOST_RELAY_H
#define HOST_RELAY_H

#include "host/host.h"

/*
 * Starts it as USER and waits until it has connected: to the socket PATH, or, with a PORT, to the
 * address PATH. IS_CHANGE: whoever connects will change something. Errors: ERROR_FAILED if
 * nobody listens there; its text is the reason ("Connection refused"). ERROR_UNREACHABLE if the
 * relay could not be run or is not let in. ERROR_LOCKED if the claim is not ours any more. *FD is
 * as from host_tunnel_command.
 */
struct error *relay_open(struct host *host, struct arena *arena, const char *user, const char *path,
                         int port, bool is_change, int64_t deadline_ms, int *fd);

/*
 * The relay's shell command for a claim ("": none). It first writes the errno of its connect (0:
 * connected) or what wrapper.h's texts answer ("lost …", "error …"), newline.
 */
const char *relay_command(struct arena *arena, const char *claim, const char *path, int port);

#endif
