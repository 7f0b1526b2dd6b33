/*
 * Values and the ways they enter a text. A value is data for ever: it becomes one SQL literal, one
 * shell variable, or text that is inserted and never read again for ${}.
 *
 * A scope is the set of values that a step may use: some are the same everywhere, some belong to
 * one host. A scope is filled by one thread while no other reads it.
 */
#ifndef PLAN_VALUE_H
#define PLAN_VALUE_H

#include "base/secret.h"
#include "base/text.h"
#include "plan/findings.h"

enum value_type {
    VALUE_TEXT,
    VALUE_INTEGER,
    VALUE_BOOLEAN,
    VALUE_SIZE,     /* number: bytes */
    VALUE_DURATION, /* number: milliseconds */
    VALUE_PATH,     /* a local file, already joined to the folder it is relative to */
    VALUE_SECRET,   /* text: "file:PATH", "env:NAME" or "command:COMMAND", never its content */
};

struct value {
    enum value_type type;
    const char *text; /* as written; NUL-terminated, never NULL */
    int64_t number;   /* of an integer, boolean, size or duration */
};

const char *value_type_name(enum value_type type);

/* A sentence that says how a value of TYPE is written, or NULL for a text. */
const char *value_type_hint(enum value_type type);

/* Reads TEXT as a value of TYPE; false if it is not one. Sizes: B kB MB GB TB, powers of 1024. */
bool value_read(struct arena *arena, enum value_type type, const char *text, struct value *out);

/* The reference that the text of a VALUE_SECRET stands for; its argument points into TEXT. */
bool value_read_secret(const char *text, struct secret_reference *out);

struct scope;
struct scope *scope_new(struct arena *arena);

/* What is not found in it is looked for in BELOW, which stays as it is. */
struct scope *scope_above(struct arena *arena, const struct scope *below);

/* HOST NULL: the same on every host. A second value of the same name and host replaces the first.
 */
void scope_set(struct scope *scope, const char *host, const char *name, struct value value);
void scope_set_text(struct scope *scope, const char *host, const char *name, const char *text);

/* The value on HOST, else the one that is the same everywhere, else NULL. */
const struct value *scope_find(const struct scope *scope, const char *host, const char *name);

/*
 * The three ways in. Each fails with PLACE if a name has no value yet ("value "xid" is not known
 * yet") or is a secret. `$${` writes `${`.
 */
struct error *expand_text(struct arena *arena, const struct scope *scope, const char *host,
                          const struct place place, const char *text, const char **out);

/*
 * A value becomes one quoted literal (a number for sizes, durations, integers and booleans), with
 * ${name:identifier} one quoted identifier; a duration is in seconds. Inside quotes, dollar quotes
 * and comments ${} is an error, and so is a value that touches a word or a quoted string, because
 * the two would become one. Outside quotes `$${` opens a dollar quote, as in any SQL. Standard-
 * conforming strings are assumed, and set on every connection.
 */
struct error *expand_sql(struct arena *arena, const struct scope *scope, const char *host,
                         const struct place place, const char *text, const char **out);

/*
 * The variables of ours that a shell text names ($postgres_data_directory, ${xid}, "$run_id"), also
 * in single quotes, where another shell may read them: their names as the shell spells them, and
 * their values. A size is in bytes, a duration in seconds. Nothing in the text is changed.
 */
struct shell_variable {
    const char *name, *value;
};
struct error *shell_variables(struct arena *arena, const struct scope *scope, const char *host,
                              const char *text, const struct shell_variable **out, size_t *count);

#endif
