/*
 * A secret is a reference (a file, an environment variable or a command) until the moment it is
 * used. The fetched bytes are a type of their own, with no function that prints, joins or journals
 * them: they go to a library call or to a program's standard input, and are wiped afterwards.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/error.h"

#include <stdint.h>

struct secret_reference {
    enum { SECRET_NONE, SECRET_FILE, SECRET_ENV, SECRET_COMMAND } source;
    const char *argument; /* path, variable name, or a command for /bin/sh -c */
};

struct secret {
    char *bytes; /* NUL-terminated; NULL: no secret. Locked out of core dumps where possible. */
    size_t length;
};

/*
 * Fetches it: a file's whole content without its last newline; at most 64 KiB; a command is given
 * 30 s. Fails if the source does not exist, is empty or holds a NUL. Release with secret_release.
 */
struct error *secret_fetch(struct arena *arena, const struct secret_reference *reference,
                           struct secret *out);

/* Wipes and frees. */
void secret_release(struct secret *secret);

#endif
