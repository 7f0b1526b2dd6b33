/*
 * Writes JSON piece by piece. Each function puts a comma where something stands before; a map or
 * list is closed with its bracket. KEY NULL: an item of a list, or what follows json_key.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/text.h"

void json_key(struct text *out, const char *key);
void json_text_field(struct text *out, const char *key, const char *text); /* NULL: null */
void json_number_field(struct text *out, const char *key, int64_t number);
void json_bool_field(struct text *out, const char *key, bool value);
void json_open(struct text *out, const char *key, const char *bracket);

/* The next item begins on a line of its own, after INDENT blanks. */
void json_line(struct text *out, int indent);
void json_open_line(struct text *out, int indent, const char *key, const char *bracket);

#endif
