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
 *   variable  a variable of the plan                    value     the name of a saved value
 *   secret    a map: a reference; a scalar in its place is never shown
 *   path, sql-path, shell-path    a local file
 *   versions  a server-version range; where it is a map's key, the node made for the visitor has
 *             the key as its text and the key's place
 *   version-map    the map from version ranges to SQL texts itself, before its children
 * The visitor sees them in the order of the document. What a schema gives no format (about,
 * reasons, keywords, numbers) holds no ${}.
 */
#ifndef PLAN_SCHEMA_H
#define PLAN_SCHEMA_H

#include "base/embedded.h"
#include "plan/findings.h"

extern const struct embedded_file schema_files[];

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

/*
 * The default that the schema file writes at POINTER, or NULL: "FILE#/PATH", or "#/PATH" in the
 * file that was loaded; FILE is any that it refers to, directly or not. A $ref is followed.
 *   schema_default(plan, "#/definitions/step/properties/timeout")             "60s"
 *   schema_default(plan, "wait-until.schema.json#/properties/every")          "200ms"
 *   schema_default(cluster, "#/definitions/postgres/properties/port")         "5432"
 */
const char *schema_default(const struct schema *schema, const char *pointer);

#endif
