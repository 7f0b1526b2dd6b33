/* A YAML file with its tree and its lines; see edit_yaml.h. */
#include "edit_yaml.h"

#include "plan/yaml.h"

#include <string.h>

/* CRLF would be refused as a control character, and lines keep their numbers without the CR. */
static const char *without_cr(struct arena *arena, const char *bytes, size_t length,
                              size_t *new_length)
{
    char *copy = arena_alloc(arena, length + 1);
    size_t to = 0;

    for (size_t at = 0; at < length; at++) {
        if (bytes[at] != '\r' || at + 1 == length || bytes[at + 1] != '\n')
            copy[to++] = bytes[at];
    }
    *new_length = to;
    return copy;
}

static size_t skip_spaces(const char *bytes, size_t at, size_t end)
{
    while (at < end && bytes[at] == ' ')
        at++;
    return at;
}

/* Where a line ends, without its line ending. */
static size_t line_end(const struct yaml_document *document, int number)
{
    size_t start = document->lines[number - 1], end = document->lines[number];

    if (end > start && document->bytes[end - 1] == '\n')
        end--;
    if (end > start && document->bytes[end - 1] == '\r')
        end--;
    return end;
}

static bool is_without_content(const struct yaml_document *document)
{
    for (int number = 1; number <= document->count; number++) {
        size_t end = line_end(document, number);
        size_t at = skip_spaces(document->bytes, document->lines[number - 1], end);

        if (at < end && document->bytes[at] != '#')
            return false;
    }
    return true;
}

static void split_lines(struct yaml_document *document)
{
    size_t newlines = 0;

    for (size_t at = 0; at < document->length; at++)
        newlines += document->bytes[at] == '\n';
    document->lines = arena_alloc(document->arena, (newlines + 2) * sizeof *document->lines);
    for (size_t at = 0; at < document->length; at++) {
        if (at == 0 || document->bytes[at - 1] == '\n')
            document->lines[document->count++] = at;
    }
    document->lines[document->count] = document->length;
}

struct error *yaml_document_open(struct arena *arena, const char *bytes, size_t length,
                                 struct yaml_document *out)
{
    struct yaml_document document = {.arena = arena, .bytes = bytes, .length = length};
    struct findings findings = {.arena = arena};
    size_t text_length;
    const char *text = without_cr(arena, bytes, length, &text_length);

    document.ending = text_length < length ? "\r\n" : "\n";
    split_lines(&document);
    if (!is_without_content(&document)) {
        document.root = yaml_parse(arena, NULL, text, text_length, &findings);
        if (yaml_is_null(document.root))
            document.root = NULL;
    }
    if (findings.error_count > 0) {
        const struct error *first = findings.items[0].error;

        return error_new(arena, ERROR_FAILED, "line %d: %s", first->place.line, first->message);
    }
    *out = document;
    return NULL;
}

/* Behind the quoted scalar at AT; 0 if it does not end before END. */
static size_t quoted_end(const char *bytes, size_t at, size_t end)
{
    char quote = bytes[at++];

    for (; at < end; at++) {
        bool is_doubled =
            quote == '\'' && bytes[at] == quote && at + 1 < end && bytes[at + 1] == quote;

        if (is_doubled || (quote == '"' && bytes[at] == '\\'))
            at++;
        else if (bytes[at] == quote)
            return at + 1;
    }
    return 0;
}

/* Behind the flow collection at AT; 0 if it does not end before END. */
static size_t flow_end(const char *bytes, size_t at, size_t end)
{
    int depth = 0;

    while (at < end) {
        bool is_quote = bytes[at] == '"' || bytes[at] == '\'';

        if (is_quote && strchr("[{,: ", bytes[at - 1]) != NULL) {
            at = quoted_end(bytes, at, end);
            if (at == 0)
                return 0;
            continue;
        }
        depth += (bytes[at] == '[' || bytes[at] == '{') - (bytes[at] == ']' || bytes[at] == '}');
        at++;
        if (depth == 0)
            return at;
    }
    return 0;
}

/* Behind the value at AT, as far as the line has it; comments are not part of it. */
static size_t value_end(const char *bytes, size_t at, size_t end)
{
    size_t behind = 0, start = at;

    if (bytes[at] == '"' || bytes[at] == '\'')
        behind = quoted_end(bytes, at, end);
    else if (bytes[at] == '[' || bytes[at] == '{')
        behind = flow_end(bytes, at, end);
    if (behind > 0)
        return behind;
    while (at < end && (bytes[at] != '#' || bytes[at - 1] != ' '))
        at++;
    while (at > start && (bytes[at - 1] == ' ' || bytes[at - 1] == '\t'))
        at--;
    return at;
}

/* Behind the colon of the key at AT, or 0 if there is no such key. */
static size_t colon_end(const char *bytes, size_t at, size_t end, const char *key)
{
    size_t length = strlen(key);

    if (at < end && (bytes[at] == '"' || bytes[at] == '\'')) {
        at = quoted_end(bytes, at, end);
        if (at == 0)
            return 0;
    } else if (end - at < length || memcmp(bytes + at, key, length) != 0) {
        return 0;
    } else {
        at += length;
    }
    at = skip_spaces(bytes, at, end);
    return at < end && bytes[at] == ':' ? at + 1 : 0;
}

static bool is_left_out(const struct yaml_document *document, int number, size_t indent)
{
    size_t start = document->lines[number - 1], end = line_end(document, number);
    size_t at = skip_spaces(document->bytes, start, end);

    if (at == end || (document->bytes[at] == '#' && at - start <= indent))
        return true;
    return end - start >= 3 && memcmp(document->bytes + start, "...", 3) == 0;
}

struct error *yaml_entry_find(const struct yaml_document *document, const struct node *child,
                              int limit, struct yaml_entry *out)
{
    struct yaml_entry entry = {.first = child->key_line, .last = limit - 1};
    size_t start = document->lines[entry.first - 1], end = line_end(document, entry.first);
    size_t at = skip_spaces(document->bytes, start, end);

    entry.indent = at - start;
    entry.colon = colon_end(document->bytes, at, end, child->key);
    if (entry.colon == 0 || entry.last < entry.first)
        return error_new(document->arena, ERROR_FAILED,
                         "line %d: \"%s\" is not on a line of its own in block style", entry.first,
                         child->key);
    entry.value = entry.value_end = entry.colon;
    at = skip_spaces(document->bytes, entry.colon, end);
    if (at < end && document->bytes[at] != '#') {
        entry.value = at;
        entry.value_end = value_end(document->bytes, at, end);
    }
    while (entry.last > entry.first && is_left_out(document, entry.last, entry.indent))
        entry.last--;
    *out = entry;
    return NULL;
}
