/*
 * Errors are values: a message in PostgreSQL's dialect (lower case, no full stop, names quoted,
 * "could not" when trying again may help, "cannot" when it never will), where in a file it lies, an
 * optional hint (whole sentences) and the error that caused it. NULL means success.
 *
 * An error lives in the arena it was made from. Library code returns errors and never prints them;
 * the command line shows each exactly once.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/arena.h"

#include <stdbool.h>

/* What an error means for the program's exit status: the numbers below 100 are exit codes. */
enum error_kind {
    ERROR_FAILED = 1,       /* a step or command failed */
    ERROR_INPUT = 3,        /* plan, cluster file or command line is wrong; nothing was touched */
    ERROR_IN_DOUBT = 4,     /* a person must resolve a step */
    ERROR_LOCKED = 5,       /* another run has locked the cluster */
    ERROR_UNREACHABLE = 6,  /* a host cannot be reached, cannot prove who it is, or refused us */
    ERROR_GUARD = 7,        /* a guard stopped the run */
    ERROR_GATE = 8,         /* a gate waits for a person */
    ERROR_REFUSED = 9,      /* refused by the preflight */
    ERROR_ROLLED_BACK = 10, /* the deployment failed, and everything was brought back */
    ERROR_TIMEOUT = 101,    /* a deadline passed: ERROR_FAILED to the outside */
    ERROR_STOPPED = 102,    /* the stop descriptor became readable while waiting */
};

/* A place in a file. Line and column count from 1; line 0 means the file as a whole. */
struct place {
    const char *file; /* NULL: nowhere in particular */
    int line, column;
    int length;     /* bytes to underline; 0 counts as 1 */
    bool is_secret; /* nobody may be shown what is underlined */
};

struct error {
    enum error_kind kind;
    struct place place;
    const char *message;
    const char *hint; /* NULL: none */
    const struct error *cause;
};

struct error *error_new(struct arena *arena, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct error *error_at(struct arena *arena, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Of the same kind as its cause. */
struct error *error_because(struct arena *arena, const struct error *cause, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets the hint and returns the same error, for use in a return statement. */
struct error *error_hint(struct arena *arena, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The hint of the error, or of the nearest cause that has one; or NULL. */
const char *error_find_hint(const struct error *error);

/* "message: cause: cause", without places and hints, in ARENA. */
const char *error_text(struct arena *arena, const struct error *error);

/* A deep copy, for an error that must outlive its arena. */
struct error *error_copy(struct arena *arena, const struct error *error);

/* errno as text; safe in threads. */
const char *errno_text(struct arena *arena, int number);

#endif
