/*
 * A secret is a reference (a file, an environment variable or a command) until the moment it is
 * used. The fetched bytes are a type of their own, with no function that prints, joins or journals
 * them: they go to a library call or to a program's standard input, and are wiped afterwards.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/error.h"
#include "base/text.h"

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

/*
 * Puts "***" in the place of the secret and of each of its lines, in a text that a program wrote
 * who knew it: as it is, quoted for a shell, SQL, JSON, C, or a URL, or in base64. True if it was
 * there. What is shorter than 4 bytes is left.
 */
bool secret_hide(const struct secret *secret, struct text *text);

/*
 * The environment for a program that we start: ours without the variables that references name, and
 * without $PGPASSWORD. A reference to a variable is told here when it is read.
 */
void secret_variable_add(const char *name);
char *const *secret_environment(struct arena *arena);

/* Wipes and frees. */
void secret_release(struct secret *secret);

#endif
