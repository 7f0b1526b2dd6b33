/*
 * The password file of libpq (~/.pgpass, $PGPASSFILE), looked up by the real host and port: through
 * a tunnel libpq itself would look for the tunnel's. Source of the format: PostgreSQL's
 * documentation, "The Password File"; like libpq, the first line that matches decides.
 */
#ifndef HOST_PGPASS_H
#define HOST_PGPASS_H

#include "base/secret.h"

/* One connection, as the first four fields of a line name it. */
struct pgpass_key {
    const char *host;
    int port;
    const char *database, *user;
};

/*
 * *OUT is empty (bytes NULL) where there is no file or no line. Fails (ERROR_INPUT) if others may
 * read the file, if it is no regular file or larger than a secret may be. Release with
 * secret_release.
 */
struct error *pgpass_find(struct arena *arena, const struct pgpass_key *key, struct secret *out);

#endif
