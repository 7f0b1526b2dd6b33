/*
 * The spots of an SQL text where a value goes in, and what is wrong with them. Expansion and the
 * checker read a text through the same reader, so what passes the one does not fail in the other.
 */
#ifndef PLAN_SQLSPOT_H
#define PLAN_SQLSPOT_H

#include "base/arena.h"
#include "plan/sqllex.h"

struct sql_reader {
    struct arena *arena;
    struct sql_lexer lexer;
    struct sql_token token; /* being looked through for "${", where it is quoted */
    const char *within;     /* where in it; NULL: nowhere */
    const char *begin;      /* of the text; set by the first call */
    bool follows_literal;
};

struct sql_spot {
    const char *text; /* into the SQL text */
    size_t length;
    bool is_escape; /* `$${`, which writes `${` */
    struct reference reference;
    const char *message, *hint; /* what is wrong here, or NULL: then it is a value or an escape */
};

/* False at the end. A quote or comment without an end is a spot with a message, and the last one.
 */
bool sql_spot_next(struct sql_reader *reader, struct sql_spot *out);

#endif
