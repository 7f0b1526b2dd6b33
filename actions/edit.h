/*
 * Editors of configuration files: pure functions from bytes to bytes. They touch nothing but the
 * entry that they are asked for: comments, order, white space and line endings of everything else
 * stay byte for byte. An edit whose effect is already there changes nothing, so equal bytes mean
 * "already so".
 *
 * What cannot be edited safely is refused with an error (ERROR_FAILED, naming the line where there
 * is one), never guessed.
 */
#ifndef ACTIONS_EDIT_H
#define ACTIONS_EDIT_H

#include "base/node.h"
#include "base/text.h"

enum edit_format {
    EDIT_POSTGRESQL, /* postgresql.conf: one effective `key = 'value'`; keys ignore case */
    EDIT_INI,        /* [section] and key = value */
    EDIT_ENV,        /* KEY=value with the shell's quotes */
    EDIT_YAML,       /* maps in block style, as Patroni's own file */
    EDIT_JSON,
    EDIT_FORMAT_COUNT,
};
extern const char *const edit_format_names[EDIT_FORMAT_COUNT]; /* "postgresql", ... */

enum edit_kind {
    EDIT_SET,
    EDIT_UNSET,       /* every active entry goes */
    EDIT_COMMENT_OUT, /* lines only (postgresql, ini, env): every active entry becomes a comment */
    EDIT_UNCOMMENT,   /* lines only: the last commented-out entry becomes active */
};

/*
 * One edit. PATH leads to the entry: {"work_mem"}, {"section", "key"} (ini; {"key"} lies before the
 * first section), {"tags", "nofailover"} (yaml, json: missing maps are made). VALUE, of EDIT_SET
 * only: a scalar; in yaml and json any node, which replaces what is there as a whole. A plain YAML
 * scalar keeps its type (true, 5433), a quoted one is a text.
 */
struct edit {
    enum edit_kind kind;
    const char *const *path;
    size_t depth;
    const struct node *value;
};

/* The file's bytes with all COUNT edits applied, one after the other, in *out (in ARENA). */
struct error *edit_bytes(struct arena *arena, enum edit_format format, const char *bytes,
                         size_t length, const struct edit *edits, size_t count, const char **out,
                         size_t *out_length);

/*
 * Splits "section.key", "tags.nofailover" or "parameters.\"pg_stat_statements.max\"" at its dots;
 * in ini at the first one only; postgresql and env names are never split.
 */
struct error *edit_path(struct arena *arena, enum edit_format format, const char *text,
                        const char *const **path, size_t *depth);

/* The editors themselves: one edit each, appended to OUT. */
typedef struct error *edit_function(struct arena *arena, const char *bytes, size_t length,
                                    const struct edit *edit, struct text *out);
edit_function edit_postgresql, edit_ini, edit_env, edit_yaml, edit_json;

/* "tags.nofailover", for messages. */
const char *edit_path_text(struct arena *arena, const struct edit *edit);

#endif
