/*
 * What is said to a person about a value that its schema forbids. Each function adds one finding;
 * once no more are kept it only counts, so that a file of errors costs no time.
 */
#ifndef PLAN_SCHEMA_REFUSE_H
#define PLAN_SCHEMA_REFUSE_H

#include "plan/schema_tree.h"

/* Where a value stands. */
struct spot {
    const char *name; /* the key, or that of the list it is an item of; NULL: the document */
    bool is_item;
};

/* A value under check. */
struct subject {
    struct findings *findings;
    const char *file;
    const struct schema *schema;
    const struct schema *family; /* the schema is a branch of this one; or NULL */
    const struct node *node;
    struct spot spot;
};

/* Whether a node of this kind may stand here at all. */
bool schema_accepts(const struct schema *schema, const struct node *node);

const struct schema *schema_property(const struct schema *schema, const char *key);

/* Whether a branch of FAMILY (or NULL) has the key; *MARK is what the branch is known by, or NULL.
 */
bool schema_family_has(const struct schema *family, const char *key, const char **mark);

void refuse_value(const struct subject *subject);
void refuse_empty(const struct subject *subject);
void refuse_many(const struct subject *subject);

/* CHILD, whose key the map's schema does not know. */
void refuse_key(const struct subject *subject, const struct node *child);

/* CHILD, whose key is a name that NAMES forbids. */
void refuse_name(const struct subject *subject, const struct node *child,
                 const struct schema *names);

void refuse_without(const struct subject *subject, const char *key);
void refuse_without_any(const struct subject *subject, const struct schema_words *keys,
                        const char *title); /* what the keys are, or NULL */
void refuse_two(const struct subject *subject, const struct node *first, const struct node *second,
                const char *title);
void refuse_alone(const struct subject *subject, const struct node *child, const char *needed);

#endif
