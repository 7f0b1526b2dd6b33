/*
 * A tree of values read from YAML or JSON. A YAML scalar that is written plainly has no type of its
 * own: it is NODE_TEXT with `is_plain` set, and whoever reads it (the schema) decides. JSON scalars
 * carry their type. Every node knows its line and column.
 *
 * Nodes live in an arena and are never changed after parsing.
 */
#ifndef BASE_NODE_H
#define BASE_NODE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum node_kind {
    NODE_NULL,
    NODE_BOOLEAN,
    NODE_NUMBER,
    NODE_TEXT,
    NODE_LIST,
    NODE_MAP,
};

struct node {
    enum node_kind kind;
    bool is_plain;    /* a YAML scalar without quotes */
    bool is_block;    /* a YAML block scalar (| or >): its text starts on a later line */
    int line, column; /* of the value; 0 in JSON */
    int key_line, key_column;
    uint32_t count;           /* children */
    const char *key;          /* of a map's child, NUL-terminated; NULL in a list */
    const char *text;         /* of a scalar, as written; NUL-terminated and free of NULs */
    size_t length;            /* of the text */
    const struct node *child; /* the first child of a list or map */
    const struct node *next;  /* the next sibling */
};

/* The child of a map (NULL is an empty map), or NULL. */
const struct node *node_find(const struct node *map, const char *key);

/* The text of a scalar child, or NULL. */
const char *node_text(const struct node *map, const char *key);

/* A boolean child (true or false, plain in YAML), or OTHERWISE. */
bool node_bool(const struct node *map, const char *key, bool otherwise);

/* A decimal integer child that fits, or OTHERWISE. */
int64_t node_integer(const struct node *map, const char *key, int64_t otherwise);

/* Is NODE the scalar TEXT, or a list that has it? NULL is neither. */
bool node_has(const struct node *node, const char *text);

/* NOLINTBEGIN(bugprone-macro-parentheses): ITEM is the name that is declared. */
#define NODE_EACH(item, parent)                                                                    \
    for (const struct node *item = (parent) == NULL ? NULL : (parent)->child; item != NULL;        \
         item = item->next)
/* NOLINTEND(bugprone-macro-parentheses) */

/* "text", "list", "map", ...: for messages. */
const char *node_kind_name(enum node_kind kind);

struct text;

/* Appends NODE as JSON. Plain YAML true, false, null and integers are written as such. */
void node_append_json(struct text *text, const struct node *node);

/* Parses JSON (jansson; duplicate keys and NUL are refused). WHAT names it in errors. */
struct error *json_parse(struct arena *arena, const char *what, const char *bytes, size_t length,
                         const struct node **out);

/* The version of jansson that is loaded. */
const char *json_library(void);

#endif
