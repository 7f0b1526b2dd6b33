#include "plan/source.h"

#include <string.h>

enum {
    UNDERLINED_MOST = 80,
};

static void read_lines(struct source *source, struct arena *arena)
{
    size_t count = 1;

    for (size_t at = 0; at < source->length; at++)
        count += source->bytes[at] == '\n';

    uint32_t *lines = arena_alloc(arena, count * sizeof *lines);

    count = 1;
    for (size_t at = 0; at < source->length; at++) {
        if (source->bytes[at] == '\n')
            lines[count++] = (uint32_t)at + 1;
    }
    source->lines = lines;
    source->line_count = count;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t line_end(const struct source *source, size_t at)
{
    const char *end = memchr(source->bytes + at, '\n', source->length - at);

    return end == NULL ? source->length : (size_t)(end - source->bytes);
}

/* Columns count characters, offsets bytes. */
static size_t column_offset(const struct source *source, size_t at, int column)
{
    for (; column > 1 && at < source->length && source->bytes[at] != '\n'; column--) {
        at++;
        while (at < source->length && ((unsigned char)source->bytes[at] & 0xc0) == 0x80)
            at++;
    }
    return at;
}

/* The first byte of the text itself, behind a quote or the line of a block's header. */
static bool node_begin(const struct source *source, const struct node *node, size_t *at)
{
    if (node->line < 1 || (size_t)node->line > source->line_count)
        return false;
    *at = column_offset(source, source->lines[node->line - 1], node->column);
    if (*at >= source->length)
        return false;
    if (node->is_block)
        *at = line_end(source, *at);
    else if (!node->is_plain)
        (*at)++;
    return true;
}

/* How many bytes of the file write the character at AT in a double-quoted text; 1 elsewhere. */
static size_t written_length(const struct source *source, const struct node *node, size_t at)
{
    char c = source->bytes[at], next = at + 1 < source->length ? source->bytes[at + 1] : '\0';

    if (node->is_plain || node->is_block)
        return 1;
    if (c == '\'' && next == '\'')
        return 2;
    if (c != '\\')
        return 1;
    return next == 'x' ? 4 : next == 'u' ? 6 : next == 'U' ? 10 : 2;
}

/* Moves *AT over what writes the one byte C; false if the two do not fit together. */
static bool step_over(const struct source *source, const struct node *node, char c, size_t *at)
{
    if (c == ' ' || c == '\n' || c == '\t') {
        size_t end = *at;

        // Folding and indentation: any white space may stand for any other.
        if (c == ' ' && end < source->length && source->bytes[end] == ' ')
            end++;
        else
            while (end < source->length && is_space(source->bytes[end]))
                end++;
        if (end == *at && end < source->length && source->bytes[end] == '\\')
            end += 2;
        *at = end;
        return true;
    }
    while (*at < source->length && is_space(source->bytes[*at]))
        (*at)++;
    if (*at >= source->length)
        return false;

    size_t length = written_length(source, node, *at);

    if (length == 1 && source->bytes[*at] != c)
        return false;
    *at += length;
    return *at <= source->length;
}

/* The place of a byte that is no white space. */
static bool find(struct source *source, const struct node *node, size_t offset, size_t *out)
{
    if (source->node != node || source->offset > offset) {
        source->node = node;
        source->offset = 0;
        if (!node_begin(source, node, &source->at)) {
            source->node = NULL;
            return false;
        }
    }
    for (; source->offset < offset; source->offset++) {
        if (!step_over(source, node, node->text[source->offset], &source->at)) {
            source->node = NULL;
            return false;
        }
    }

    size_t at = source->at;

    while (at < source->length && is_space(source->bytes[at]))
        at++;
    *out = at;
    return at < source->length;
}

struct place source_place_at(struct source *source, struct arena *arena, size_t at, size_t length)
{
    if (source->lines == NULL)
        read_lines(source, arena);

    size_t low = 0, high = source->line_count;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if (source->lines[middle] <= at)
            low = middle;
        else
            high = middle;
    }

    if (source->column == 0 || source->line != low || source->column_at > at) {
        source->line = low;
        source->column_at = source->lines[low];
        source->column = 1;
    }
    for (; source->column_at < at; source->column_at++)
        source->column += ((unsigned char)source->bytes[source->column_at] & 0xc0) != 0x80;

    struct place place = {.file = source->file, .line = (int)low + 1, .column = source->column};

    place.length = (int)(length > UNDERLINED_MOST ? UNDERLINED_MOST : length);
    return place;
}

struct place source_place(struct source *source, struct arena *arena, const struct node *node,
                          size_t offset, size_t length)
{
    size_t at;

    if (source->lines == NULL)
        read_lines(source, arena);
    if (find(source, node, offset, &at))
        return source_place_at(source, arena, at, length);
    return (struct place){.file = source->file, .line = node->line, .column = node->column};
}
