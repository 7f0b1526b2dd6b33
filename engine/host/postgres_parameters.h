/*
 * What libpq is told of a connection, and how the server's socket is reached. Apart from postgres.c
 * so that it needs no library.
 */
#ifndef HOST_POSTGRES_PARAMETERS_H
#define HOST_POSTGRES_PARAMETERS_H

#include "host/bridge.h"
#include "host/postgres.h"

enum { POSTGRES_PARAMETERS_LARGEST = 24 };

/* Pairs for PQconnectStartParams; the last name is NULL, a NULL value means the default. */
struct postgres_parameters {
    const char *names[POSTGRES_PARAMETERS_LARGEST + 1];
    const char *values[POSTGRES_PARAMETERS_LARGEST + 1];
    size_t count;
    struct secret password;         /* one of the values */
    struct error *password_problem; /* why the password file was not used; NULL: it was */
};
void postgres_parameters_release(struct postgres_parameters *parameters);

/*
 * REACH and the database of REQUEST are not NULL. BRIDGE is NULL for "direct". Also fetches
 * the password: the cluster file's, else the password file's.
 */
struct error *postgres_parameters_fill(struct arena *arena, const struct host_settings *settings,
                                       const struct postgres_request *request,
                                       const struct bridge *bridge, int64_t statement_timeout_ms,
                                       struct postgres_parameters *out);

/*
 * A bridge to the server for reach "socket" or "tcp". Unless the request is read only, it goes
 * through a relay that ends when the host's claim is lost.
 */
struct error *postgres_bridge_open(struct host *host, struct arena *arena,
                                   const struct postgres_request *request, int64_t deadline_ms,
                                   struct bridge **out);

#endif
