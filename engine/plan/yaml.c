#include "plan/yaml.h"

#include "base/table.h"
#include "base/text.h"
#include "plan/yaml_text.h"

#include <string.h>
#include <yaml.h>

enum {
    FEW_KEYS = 12, /* up to so many, comparing with each is faster than a table */
};

/* A list or map that is being read. */
struct level {
    struct node *node;
    struct node *last;       /* its last child */
    struct node *key;        /* of a map: a child whose value comes next */
    struct table keys;       /* of a map with more than FEW_KEYS children */
    bool has_table, is_kept; /* is_kept false: a duplicate key's value, read and dropped */
};

struct reader {
    struct arena *arena;
    struct arena scratch; /* for what is not needed once the document is read */
    const char *file;
    const char *bytes;
    size_t length;
    struct findings *findings;
    yaml_parser_t parser;
    struct node *root;
    struct level levels[YAML_DEEPEST];
    size_t depth, value_count;
    bool has_document, is_finished, is_broken;
};

static struct place mark_place(const struct reader *reader, yaml_mark_t mark, size_t length)
{
    return (struct place){.file = reader->file,
                          .line = (int)mark.line + 1,
                          .column = (int)mark.column + 1,
                          .length = (int)(length > 80 ? 80 : length)};
}

/* Whatever comes after this cannot be trusted, so reading ends. */
static void break_off(struct reader *reader, yaml_mark_t mark, const char *hint,
                      const char *message)
{
    findings_add(reader->findings, mark_place(reader, mark, 0), hint, "%s", message);
    reader->is_broken = true;
}

static void refuse_yaml(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem == NULL ? "unknown error" : parser->problem;
    yaml_mark_t mark = parser->problem_mark;

    if (parser->error == YAML_MEMORY_ERROR)
        out_of_memory();

    // An open quote is only noticed at the end of the file; what helps is where it was opened.
    if (starts_with(problem, "found unexpected end of stream") && parser->context != NULL)
        mark = parser->context_mark;

    struct place place = mark_place(reader, mark, 1);
    const char *hint = yaml_text_hint(reader->bytes, reader->length, problem, &place);

    findings_add(reader->findings, place, hint, "not valid YAML: %s", problem);
    reader->is_broken = true;
}

static void refuse_duplicate(const struct reader *reader, const struct node *first,
                             yaml_mark_t mark, const char *key)
{
    const char *quoted = findings_quote(reader->findings, key);

    findings_add(reader->findings, mark_place(reader, mark, strlen(key)),
                 quoted == NULL ? NULL
                                : arena_printf(reader->findings->arena,
                                               "It stands on line %d already.", first->key_line),
                 "key %s is written twice in this map", quoted);
}

static void table_fill(struct reader *reader, struct level *level)
{
    table_init(&level->keys, &reader->scratch);
    level->has_table = true;
    NODE_EACH(child, level->node)
    {
        *table_place(&level->keys, child->key) = (void *)child;
    }
}

/* The child of this name that was read before, or NULL; NODE is then remembered. */
static const struct node *level_find(struct reader *reader, struct level *level, struct node *node)
{
    if (!level->has_table && level->node->count < FEW_KEYS)
        return node_find(level->node, node->key);
    if (!level->has_table)
        table_fill(reader, level);

    void **place = table_place(&level->keys, node->key);
    const struct node *first = *place;

    if (first == NULL)
        *place = node;
    return first;
}

/* Puts NODE where the innermost open list or map expects its next child. */
static void attach(struct reader *reader, struct node *node)
{
    if (reader->depth == 0) {
        reader->root = node;
        return;
    }

    struct level *level = &reader->levels[reader->depth - 1];

    if (level->node->kind == NODE_MAP) {
        level->key = NULL;
        if (!level->is_kept) {
            level->is_kept = true;
            return;
        }
    }
    if (level->last == NULL)
        level->node->child = node;
    else
        level->last->next = node;
    level->last = node;
    level->node->count++;
}

/* The node whose value an event is: a map's child that has its key already, or a new one. */
static struct node *node_begin(struct reader *reader, enum node_kind kind, yaml_mark_t mark)
{
    struct level *level = reader->depth == 0 ? NULL : &reader->levels[reader->depth - 1];
    struct node *node =
        level != NULL && level->key != NULL ? level->key : arena_alloc(reader->arena, sizeof *node);

    if (++reader->value_count == YAML_MOST_VALUES)
        break_off(reader, mark, NULL, "file holds more than 1000000 values");
    node->kind = kind;
    node->line = (int)mark.line + 1;
    node->column = (int)mark.column + 1;
    return node;
}

static bool expects_key(const struct reader *reader)
{
    const struct level *level = reader->depth == 0 ? NULL : &reader->levels[reader->depth - 1];

    return level != NULL && level->node->kind == NODE_MAP && level->key == NULL;
}

static void open_level(struct reader *reader, enum node_kind kind, yaml_mark_t mark)
{
    if (expects_key(reader)) {
        break_off(reader, mark, "Quote it if it is meant as a text.",
                  "a key must be a text, not a list or map");
        return;
    }
    if (reader->depth == YAML_DEEPEST) {
        break_off(reader, mark, NULL, "lists and maps are nested more than 32 levels deep");
        return;
    }

    struct node *node = node_begin(reader, kind, mark);

    attach(reader, node);
    reader->levels[reader->depth++] = (struct level){.node = node, .is_kept = true};
}

/*
 * The file itself holds no such character, so an escape has made it: a reviewer sees harmless
 * letters, and a NUL would end the text early.
 */
static void check_escapes(const struct reader *reader, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;

    for (size_t at = 0; at < length;) {
        uint32_t character = 0;
        size_t size = utf8_length(value + at, length - at, &character);

        if (size == 0 || character_is_forbidden(character)) {
            findings_add(reader->findings, mark_place(reader, event->start_mark, 1), NULL,
                         "an escape in this text makes the control or bidirectional character "
                         "U+%04X, which is not allowed",
                         character);
            return;
        }
        at += size;
    }
}

static void read_key(struct reader *reader, const yaml_event_t *event)
{
    struct level *level = &reader->levels[reader->depth - 1];
    const char *text = (const char *)event->data.scalar.value;
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct node *node = arena_alloc(reader->arena, sizeof *node);

    if (is_plain && *text == '\0') {
        break_off(reader, event->start_mark, NULL, "a key is missing before \":\"");
        return;
    }
    node->key = arena_copy(reader->arena, text, event->data.scalar.length);
    node->key_line = (int)event->start_mark.line + 1;
    node->key_column = (int)event->start_mark.column + 1;
    level->key = node;
    if (is_plain && strcmp(text, "<<") == 0) {
        level->is_kept = false;
        findings_add(reader->findings, mark_place(reader, event->start_mark, 2), NULL,
                     "merge keys (\"<<\") are not supported");
        return;
    }

    const struct node *first = level_find(reader, level, node);

    level->is_kept = first == NULL;
    if (first != NULL)
        refuse_duplicate(reader, first, event->start_mark, node->key);
}

static void read_scalar(struct reader *reader, const yaml_event_t *event)
{
    yaml_scalar_style_t style = event->data.scalar.style;

    if (style == YAML_DOUBLE_QUOTED_SCALAR_STYLE)
        check_escapes(reader, event);
    if (expects_key(reader)) {
        read_key(reader, event);
        return;
    }

    struct node *node = node_begin(reader, NODE_TEXT, event->start_mark);

    node->is_plain = style == YAML_PLAIN_SCALAR_STYLE;
    node->is_block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
    if (node->is_plain && event->data.scalar.length == 0) {
        node->kind = NODE_NULL;
    } else {
        node->length = event->data.scalar.length;
        node->text =
            arena_copy(reader->arena, (const char *)event->data.scalar.value, node->length);
    }
    attach(reader, node);
}

static void refuse_tag(const struct reader *reader, yaml_mark_t mark, const yaml_char_t *anchor,
                       const yaml_char_t *tag)
{
    if (anchor != NULL)
        findings_add(reader->findings, mark_place(reader, mark, 1),
                     "A text that begins with \"&\" must be quoted.",
                     "anchors (\"&\") are not supported");
    if (tag != NULL)
        findings_add(reader->findings, mark_place(reader, mark, 1),
                     "A text that begins with \"!\" must be quoted.",
                     "tags (\"!\") are not supported");
}

static void read_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (reader->has_document)
            break_off(reader, event->start_mark, NULL, "a file must hold only one document");
        reader->has_document = true;
        break;
    case YAML_ALIAS_EVENT:
        break_off(reader, event->start_mark, "A text that begins with \"*\" must be quoted.",
                  "aliases (\"*\") are not supported");
        break;
    case YAML_SCALAR_EVENT:
        refuse_tag(reader, event->start_mark, event->data.scalar.anchor, event->data.scalar.tag);
        read_scalar(reader, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        refuse_tag(reader, event->start_mark, event->data.sequence_start.anchor,
                   event->data.sequence_start.tag);
        open_level(reader, NODE_LIST, event->start_mark);
        break;
    case YAML_MAPPING_START_EVENT:
        refuse_tag(reader, event->start_mark, event->data.mapping_start.anchor,
                   event->data.mapping_start.tag);
        open_level(reader, NODE_MAP, event->start_mark);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        break;
    case YAML_STREAM_END_EVENT:
        reader->is_finished = true;
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

static void read_document(struct reader *reader)
{
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)reader->bytes,
                                 reader->length);
    while (!reader->is_finished && !reader->is_broken) {
        yaml_event_t event;

        if (!yaml_parser_parse(&reader->parser, &event)) {
            refuse_yaml(reader);
            return;
        }
        read_event(reader, &event);
        yaml_event_delete(&event);
    }
}

const struct node *yaml_parse(struct arena *arena, const char *file, const char *bytes,
                              size_t length, struct findings *findings)
{
    struct reader reader = {
        .arena = arena, .file = file, .bytes = bytes, .length = length, .findings = findings};
    struct place whole = {.file = file};

    if (length > YAML_LARGEST) {
        findings_add(findings, whole, NULL, "file is larger than 4 MiB");
        return NULL;
    }
    if (!yaml_text_check(file, bytes, length, findings))
        return NULL;
    if (!yaml_parser_initialize(&reader.parser))
        out_of_memory();
    read_document(&reader);
    yaml_parser_delete(&reader.parser);
    arena_release(&reader.scratch);
    if (reader.is_broken)
        return NULL;
    if (reader.root == NULL)
        findings_add(findings, whole, NULL, "file is empty");
    return reader.root;
}

const char *yaml_library(void)
{
    return yaml_get_version_string();
}
