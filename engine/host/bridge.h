/*
 * A local connection between a library that insists on connecting by itself (libpq) and a tunnel's
 * descriptor. It is a port on 127.0.0.1 that is open only until the library has connected to it; a
 * connection that is not the library's own socket is closed unheard. TCP rather than a Unix socket,
 * because libpq silently leaves TLS out on the latter.
 */
#ifndef HOST_BRIDGE_H
#define HOST_BRIDGE_H

#include "base/error.h"

#include <stdbool.h>

struct bridge;

/* Takes TUNNEL, also on failure. */
struct error *bridge_open(struct arena *arena, int tunnel, struct bridge **out);
void bridge_close(struct bridge *bridge); /* NULL is fine */

/* Where the library must connect to: this port on 127.0.0.1. */
int bridge_port(const struct bridge *bridge);

struct pollfd;
enum { BRIDGE_POLLS = 2 };

/* Fills in what to wait for: BRIDGE_POLLS entries. */
void bridge_prepare(const struct bridge *bridge, struct pollfd *polls);

/* Accepts and moves what can be moved without waiting. SOCKET is the library's end. */
void bridge_move(struct bridge *bridge, int socket);

#endif
