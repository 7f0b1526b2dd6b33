/*
 * The words of an SQL text, as PostgreSQL's own scanner separates them
 * (src/backend/parser/scan.l, src/fe_utils/psqlscan.l). Every byte belongs to exactly one token.
 */
#ifndef PLAN_SQLLEX_H
#define PLAN_SQLLEX_H

#include "plan/reference.h"

enum sql_token_kind {
    SQL_END,
    SQL_SPACE,
    SQL_COMMENT,
    SQL_WORD,       /* an identifier without quotes, or a keyword */
    SQL_NUMBER,     /* or a parameter: $1 */
    SQL_STRING,     /* '...', E'...' with what continues it, U&'...', $tag$...$tag$ */
    SQL_IDENTIFIER, /* "..." */
    SQL_REFERENCE,  /* ${name} */
    SQL_BROKEN,     /* "${" that is none */
    SQL_SEMICOLON,
    SQL_OPEN,
    SQL_CLOSE,
    SQL_BACKSLASH,
    SQL_OTHER, /* any other single byte */
};

struct sql_token {
    enum sql_token_kind kind;
    const char *text; /* into the SQL text */
    size_t length;
    struct reference reference;
};

struct sql_lexer {
    const char *at;
    /* Set with SQL_END when a quote or comment does not end: where it begins, and what it is. */
    const char *unterminated, *what;
};

struct sql_token sql_token_next(struct sql_lexer *lexer);

/* A token that may stand between two others without changing what they mean. */
bool sql_token_is_space(const struct sql_token *token);

#endif
