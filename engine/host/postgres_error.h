/*
 * What PostgreSQL and libpq say, as errors. Apart from postgres.c so that it needs no library.
 */
#ifndef HOST_POSTGRES_ERROR_H
#define HOST_POSTGRES_ERROR_H

#include "base/error.h"
#include "base/settings.h"

/* "could not connect to PostgreSQL on host "pg1": ": of CAUSE's kind, or as said. */
struct error *postgres_not_connected(struct arena *arena, const struct host_settings *settings,
                                     const struct error *cause);
struct error *postgres_not_running(struct arena *arena, const struct host_settings *settings,
                                   const char *reason);

/*
 * TEXT is what PQerrorMessage says of a failed connection, with PQERRORS_VERBOSE: that is where the
 * SQLSTATE can be read. PASSWORD_PROBLEM (may be NULL) says why no password was found.
 */
struct error *postgres_refused(struct arena *arena, const struct host_settings *settings,
                               const char *text, const struct error *password_problem);

/* TEXT is what PQresultErrorMessage says of a connection that broke. */
struct error *postgres_lost(struct arena *arena, const struct host_settings *settings,
                            const char *text);

/* The fields of an ErrorResponse; NULL where there is none. */
struct postgres_message {
    const char *primary, *detail, *hint, *context;
    const char *position; /* in characters, from 1, as a text */
};

struct error *postgres_statement_error(struct arena *arena, const char *statement,
                                       const struct postgres_message *message);

#endif
