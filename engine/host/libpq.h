/* libpq, and what its two users, postgres.c and postgres_execute.c, share. */
#ifndef HOST_LIBPQ_H
#define HOST_LIBPQ_H

#include "host/bridge.h"
#include "host/postgres.h"

#include <libpq-fe.h>

struct postgres {
    struct host *host;
    PGconn *conn;          /* NULL once it is closed */
    struct bridge *bridge; /* NULL: direct */
    struct arena arena;    /* for what follows */
    const char *database, *reach;
    int64_t timeout_ms;   /* the server's statement_timeout */
    bool has_own_timeout; /* the plan has set statement_timeout: it stays so */
};

void connection_close(struct postgres *postgres);

/* Until libpq's socket is ready for one of EVENTS. */
struct error *socket_wait(struct postgres *postgres, struct arena *arena, short events,
                          int64_t deadline_ms);

/* A short statement of our own, which is not worth cancelling. */
struct error *statement_send(struct postgres *postgres, struct arena *arena, const char *text,
                             int64_t deadline_ms);

#endif
