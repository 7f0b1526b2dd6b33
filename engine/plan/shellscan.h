/*
 * The reader of shell texts while it reads: a stack of quotes, braces and substitutions. Internal
 * to shelltext.c, which knows what is expanded, and shellcommand.c, which knows words and commands.
 */
#ifndef PLAN_SHELLSCAN_H
#define PLAN_SHELLSCAN_H

#include "plan/shelltext.h"

enum {
    DEEPEST = SHELL_DEEPEST,
    HERE_DOCUMENTS_MOST = 16,
};

enum level_kind {
    LEVEL_COMMAND,  /* the text itself, (...) and $(...) */
    LEVEL_BACKTICK, /* `...` */
    LEVEL_QUOTE,    /* "..." */
    LEVEL_BRACE,    /* ${...} */
    LEVEL_SUM,      /* $((...)) */
};

/* What the words after a command's first one are. */
enum command_kind {
    COMMAND_OTHER,
    COMMAND_NAMES, /* read, export, local, ...: names that are assigned */
    COMMAND_FOR,   /* the next word is a name */
    COMMAND_GETOPTS,
};

struct level {
    enum level_kind kind;
    enum command_kind command;
    const char *word; /* where the current word begins, or NULL */
    int word_count;   /* of the command so far */
    int cases;        /* open "case": a ")" there ends a pattern */
    int parens;       /* in a sum */
    bool is_rm, is_recursive;
    bool is_output; /* the next word stands behind ">" */
};

struct here_document {
    const char *end; /* the delimiter as written, with its quotes */
    size_t length;
    bool is_quoted, strips_tabs;
};

struct scan {
    const char *at;
    const struct shell_visitor *visitor;
    struct level levels[DEEPEST];
    int depth; /* of the current level */
    struct here_document documents[HERE_DOCUMENTS_MOST];
    int document_count;
    bool is_followed;
};

/* The level that is being read. */
struct level *scan_level(struct scan *scan);
void scan_enter(struct scan *scan, enum level_kind kind);
void scan_leave(struct scan *scan);

void scan_tell_use(const struct scan *scan, const char *name, size_t length,
                   enum shell_use_kind kind);
void scan_tell_assign(const struct scan *scan, const char *name, size_t length);
void scan_tell_word(const struct scan *scan, const char *word, size_t length, int index);

/* Every $name in what the shell does not expand itself. */
void scan_tell_mentions(const struct scan *scan, const char *from, const char *to);

/* The length of the name at TEXT, or 0. */
size_t shell_name_length(const char *text);

/* REST is what follows the name in ${name...}. */
enum shell_use_kind shell_brace_kind(const char *rest);

/* What begins in the same way in commands, double quotes, braces and sums. */
bool scan_common(struct scan *scan);
void scan_single_quote(struct scan *scan, bool has_escapes);

/* One character, word part or operator of a command. */
void scan_command(struct scan *scan);
void scan_command_end(struct scan *scan);

#endif
