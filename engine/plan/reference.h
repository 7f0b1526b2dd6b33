/*
 * The one way in which a text names a value: ${name}, or ${name:identifier} in SQL; `$${` stands
 * for `${`. A name is letters, digits, "_", "-" and ".", and begins with a letter or "_".
 */
#ifndef PLAN_REFERENCE_H
#define PLAN_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

struct reference {
    const char *name; /* into the text */
    size_t name_length;
    size_t length; /* of all of it, from "$" to "}" */
    bool is_identifier;
};

enum {
    NAME_LONGEST = 128,
};

/* Reads what stands at TEXT, which begins with "${"; false if it is no reference. */
bool reference_read(const char *text, struct reference *out);

/* The next "${" or "$${" from TEXT on and before END, or NULL. */
const char *reference_next(const char *text, const char *end);

/* How many bytes of the broken reference at TEXT are worth underlining. */
size_t reference_broken_length(const char *text);

#define REFERENCE_BROKEN "\"${\" does not begin a reference"
#define REFERENCE_BROKEN_HINT "Write ${name} for a value, $${ for the characters themselves."

#endif
