/*
 * A small relay on a host between its standard input and output and a Unix socket. It runs as the
 * socket's owner, so that peer authentication sees exactly what `sudo -u postgres psql` shows it.
 */
#ifndef HOST_RELAY_H
#define HOST_RELAY_H

#include "host/host.h"

/*
 * Starts it as USER and waits until it has connected to the socket PATH. Errors: ERROR_FAILED if
 * nobody listens there; its text is the reason ("Connection refused"). ERROR_UNREACHABLE if the
 * relay could not be run or is not let in. *FD is as from host_tunnel_command.
 */
struct error *relay_open(struct host *host, struct arena *arena, const char *user, const char *path,
                         int64_t deadline_ms, int *fd);

/* The relay's shell command. It first writes the errno of its connect (0: connected), newline. */
const char *relay_command(struct arena *arena, const char *path);

#endif
