/*
 * What can be known about a shell text without running it: which variables it names, which it
 * assigns itself, and where a recursive rm takes one. The reader knows quotes, comments, here-
 * documents, ${x:-default}, $(...), backticks and $((...)). It is not a parser: where it cannot
 * tell, it leans towards "assigned" and "not used".
 */
#ifndef PLAN_SHELLTEXT_H
#define PLAN_SHELLTEXT_H

#include "base/arena.h"

#include <stdbool.h>

enum shell_use_kind {
    SHELL_USED,      /* the shell expands it here, and fails if it is not set */
    SHELL_DEFAULTED, /* ${x:-...}, ${x:+...}: it need not be set */
    SHELL_CHECKED,   /* ${x:?...}: neither unset nor empty goes on */
    SHELL_MENTIONED, /* '$x', \$x, the x of $((x)): something else may read it */
};

struct shell_use {
    const char *name; /* into the text, not NUL-terminated */
    size_t length;
    enum shell_use_kind kind;
    bool is_removed; /* a word of a recursive rm */
};

/* A word of a command, as written, with its quotes; or the body of a here-document. */
struct shell_word {
    const char *text; /* into the text, not NUL-terminated */
    size_t length;
    int index;      /* 0: the command's name; -1: a here-document */
    int depth;      /* of the substitutions that the command stands in */
    bool is_output; /* behind ">" */
};

enum { SHELL_DEEPEST = 64 };

struct shell_visitor {
    void (*use)(void *context, const struct shell_use *use);        /* NULL: no interest */
    void (*assign)(void *context, const char *name, size_t length); /* NULL: no interest */
    void (*word)(void *context, const struct shell_word *word);     /* NULL: no interest */
    void (*command_end)(void *context, int depth);                  /* after its words; or NULL */
    void *context;
};

/* False if the text reads another one (".", source, eval), or is nested too deep to be followed:
 * then anything may be assigned. */
bool shell_scan(const char *text, const struct shell_visitor *visitor);

#endif
