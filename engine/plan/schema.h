/*
 * JSON Schema, draft-07: the subset that our own schemas use, interpreted against nodes. The schema
 * files are the one truth for keys, types, defaults, help and references; they are embedded byte
 * for byte (schema_files) and editors use the same files.
 *
 * `format` tells what a text is. Each scalar whose schema has a format is handed to the visitor:
 *   text      ${name} is inserted (any text in a step whose schema has no other format is one too)
 *   sql       SQL text: ${name} becomes a literal      shell     shell text: variables, not ${}
 *   size      64MB, 20GB, plain bytes                   duration  500ms, 10s, 5m, 4h, 1d
 *   name      an identifier of ours                     step      the id of a step
 *   role      a role of the plan                        hosts     a role or a host
 *   variable  a variable of the plan                    versions  a server-version range (a map's
 * key) path, sql-path, shell-path    a local file
 */
#ifndef PLAN_SCHEMA_H
#define PLAN_SCHEMA_H

#include "plan/findings.h"

struct schema_file {
    const char *name; /* "plan.schema.json" */
    const char *bytes;
};
extern const struct schema_file schema_files[]; /* ends with {NULL, NULL} */

struct schema;

/* Parses the embedded schema NAME and those it refers to. Fails only if the program is broken. */
struct error *schema_load(struct arena *arena, const char *name, const struct schema **out);

struct schema_visitor {
    void (*scalar)(void *context, const struct node *node, const char *format);
    void *context;
};

/* Adds a finding for everything in NODE that the schema forbids; VISITOR may be NULL. */
void schema_check(const struct schema *schema, const char *file, const struct node *node,
                  struct findings *findings, const struct schema_visitor *visitor);

/* The default of a property ("timeout" of "step.schema.json#/definitions/x" as the schema writes
 * it), or NULL. */
const char *schema_default(const struct schema *schema, const char *pointer);

#endif
