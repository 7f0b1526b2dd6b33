/*
 * The parts of the YAML editor. Files are somebody else's and read by YAML 1.1 (PyYAML, Patroni)
 * and 1.2 alike, so a text that either would take for something else is quoted.
 */
#ifndef ACTIONS_EDIT_YAML_H
#define ACTIONS_EDIT_YAML_H

#include "base/node.h"
#include "base/text.h"

/* An absent or empty value too. */
bool yaml_is_null(const struct node *node);

/* The same value and type; the order of a map's keys does not matter. */
bool yaml_is_same(const struct node *a, const struct node *b);

/* VALUE on one line. */
void yaml_append_value(struct text *out, const struct node *value);

/* `key: value`, maps in block style, INDENT spaces deep, each line with ENDING behind it. */
void yaml_append_entry(struct text *out, const char *key, const struct node *value, size_t indent,
                       const char *ending);

/* A file with its tree and its lines. Lines are numbered from 1, as nodes number them. */
struct yaml_document {
    struct arena *arena;
    const char *bytes;
    size_t length;
    const char *ending;      /* of its lines */
    int count;               /* lines */
    size_t *lines;           /* where line n starts is lines[n - 1]; lines[count] is the length */
    const struct node *root; /* NULL: nothing in it */
};

/* What libyaml, or our rules, refuse is an error that names the line. */
struct error *yaml_document_open(struct arena *arena, const char *bytes, size_t length,
                                 struct yaml_document *out);

/* An entry of a map in block style: its lines and, on the first of them, its key and value. */
struct yaml_entry {
    int first, last; /* without blank lines and comments that follow */
    size_t indent;
    size_t colon;            /* the byte behind it */
    size_t value, value_end; /* value_end == value: the line says nothing behind the colon */
};

/* CHILD's entry; LIMIT is the line at which the next thing begins. */
struct error *yaml_entry_find(const struct yaml_document *document, const struct node *child,
                              int limit, struct yaml_entry *out);

#endif
