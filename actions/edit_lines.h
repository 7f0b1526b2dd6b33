/*
 * What postgresql.conf, ini and env files have in common: one entry per line, `key = value`, some
 * of them commented out. A grammar says how a line reads; the editing is the same for all.
 */
#ifndef ACTIONS_EDIT_LINES_H
#define ACTIONS_EDIT_LINES_H

#include "edit.h"

enum line_kind {
    LINE_OTHER, /* blank, a remark, or nothing that the format knows */
    LINE_ENTRY,
    LINE_SECTION,      /* [key] */
    LINE_CONTINUATION, /* belongs to the entry before it */
    LINE_OPEN,         /* a value that goes on for several lines: nothing here can be edited */
};

/* A line, read. Offsets are into the line. */
struct line {
    enum line_kind kind;
    bool is_commented; /* an entry that is commented out, from `start` on */
    bool continues;    /* the next line belongs to it, whatever that looks like */
    size_t start;
    size_t key, key_end;
    size_t value, value_end; /* with its quotes */
};

struct line_grammar {
    bool keys_ignore_case;
    const char *separator; /* of an entry that is appended */
    void (*read)(const char *bytes, size_t length, struct line *out);
    /* What is written there, without quotes; false: not a literal, so it equals nothing. */
    bool (*value)(const char *bytes, size_t length, struct text *out);
    /* Appends VALUE as the format writes it; else says why it cannot be written. */
    const char *(*quote)(const char *value, size_t length, struct text *out);
};

struct error *edit_lines(struct arena *arena, const struct line_grammar *grammar, const char *bytes,
                         size_t length, const struct edit *edit, struct text *out);

size_t skip_blanks(const char *bytes, size_t at, size_t length);

#endif
