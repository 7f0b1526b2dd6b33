/*
 * A JSON Schema as the checker uses it: compiled once from the schema files, never changed after.
 * Every $ref is followed already.
 */
#ifndef PLAN_SCHEMA_TREE_H
#define PLAN_SCHEMA_TREE_H

#include "base/table.h"
#include "plan/schema.h"

/* What a node may be: bits. A YAML scalar is untyped, so KIND_TEXT accepts each. */
enum schema_kind {
    KIND_TEXT = 1,
    KIND_INTEGER = 2,
    KIND_BOOLEAN = 4,
    KIND_NUMBER = 8,
    KIND_NULL = 16,
    KIND_LIST = 32,
    KIND_MAP = 64,
    KIND_SCALAR = KIND_TEXT | KIND_INTEGER | KIND_BOOLEAN | KIND_NUMBER | KIND_NULL,
};

struct schema_words {
    const char **items;
    size_t count;
};

/* What must be said about a map's keys beyond each by itself. */
struct schema_rule {
    enum {
        RULE_ONE,      /* oneOf of required: exactly one of the keys */
        RULE_SOME,     /* anyOf of required: at least one */
        RULE_NOT_BOTH, /* not required: not all of the keys together */
        RULE_NEEDS,    /* dependencies: the first key needs the others */
    } kind;
    const char *title; /* of RULE_ONE: what the keys are: "action" */
    struct schema_words keys;
    const struct schema_rule *next;
};

struct schema_property {
    const char *name;
    const struct schema *schema;
};

struct schema_set;

struct schema {
    const struct schema_set *set;
    const char *title, *description, *format; /* NULL: none */
    unsigned kinds;                           /* 0: any */

    struct schema_words words; /* enum or const */
    const char *pattern;       /* NULL: none */
    size_t pattern_index;      /* in the set */
    int64_t minimum, maximum;
    size_t shortest, longest; /* bytes of a text */

    size_t fewest, most; /* items of a list or keys of a map */
    const struct schema *items;

    const struct schema_property *properties;
    size_t property_count;
    bool is_closed;
    const struct schema *others; /* of keys that are not in properties */
    const struct schema *names;  /* of the keys themselves */
    struct schema_words required;
    const struct schema_rule *rules;

    const struct schema **branches; /* anyOf */
    size_t branch_count;
    const char *mark; /* as a branch: the key by which it is known, or NULL */
};

struct schema_set {
    struct arena *arena;
    const char *root;      /* name of the file that was loaded */
    struct table files;    /* name to struct node */
    struct table compiled; /* "FILE#POINTER" to struct schema */
    size_t pattern_count;
    const struct error *error; /* the first one: a schema is broken */
};

/* Remembers the first reason why a schema file cannot be used. */
void schema_broken(struct schema_set *set, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct schema_words schema_words_read(struct schema_set *set, const struct node *list);

/* Whether all branches of oneOf or anyOf are {"required": [KEY]} and nothing else. */
bool schema_is_key_choice(const struct node *list);

/* Add rules to SCHEMA: from such an anyOf, from allOf, from dependencies. */
void schema_some_read(struct schema_set *set, struct schema *schema, const struct node *list);
void schema_rules_read(struct schema_set *set, struct schema *schema, const struct node *list);
void schema_needs_read(struct schema_set *set, struct schema *schema, const struct node *map);

#endif
