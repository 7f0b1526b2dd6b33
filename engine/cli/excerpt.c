#include "cli/excerpt.h"
#include "base/file.h"
#include "plan/yaml.h"

#include <string.h>

enum {
    GUTTER = 8, /* "   14 | " */
    TAB = 4,
    WIDTH_OF_A_FILE = 120, /* where there is no terminal */
};

static void source_open(struct report *report, const char *file)
{
    char *bytes = NULL;

    report->source.file = file;
    report->source.bytes = NULL;
    report->source.line = 0;
    for (const struct input *input = report->inputs == NULL ? NULL : inputs_first(report->inputs);
         input != NULL; input = input->next) {
        if (equal(input->path, file)) {
            report->source.bytes = input->bytes;
            report->source.length = input->length;
            return;
        }
    }
    if (file_read(report->arena, file, YAML_LARGEST, &bytes, &report->source.length) == NULL)
        report->source.bytes = bytes;
}

/* Goes on from the place before where it can: thousands of findings may lie in one long file. */
static bool source_seek_line(struct report *report, int line)
{
    if (report->source.line == 0 || report->source.line > line) {
        report->source.line = 1;
        report->source.line_start = report->source.character = 0;
        report->source.column = 1;
    }
    while (report->source.line < line) {
        const char *from = report->source.bytes + report->source.line_start;
        size_t left = report->source.length - report->source.line_start;
        const char *end = memchr(from, '\n', left);

        if (end == NULL)
            return false;
        report->source.line++;
        report->source.line_start += (size_t)(end - from) + 1;
        report->source.character = report->source.line_start;
        report->source.column = 1;
    }
    return true;
}

static size_t character_size(const char *bytes, size_t length)
{
    size_t size = utf8_length(bytes, length, NULL);

    return size == 0 ? 1 : size;
}

/* The offset of the character in COLUMN, or of the line's end. */
static size_t source_seek_column(struct report *report, int column, size_t end)
{
    if (report->source.column > column) {
        report->source.column = 1;
        report->source.character = report->source.line_start;
    }
    while (report->source.column < column && report->source.character < end) {
        report->source.character += character_size(report->source.bytes + report->source.character,
                                                   end - report->source.character);
        report->source.column++;
    }
    return report->source.character;
}

/* The columns of one character, and the character as it can be shown, at column AT of the line. */
static int append_character(struct text *text, const char *bytes, size_t size, int at)
{
    char one[5] = "";

    if (*bytes == '\t') {
        int width = TAB - at % TAB;

        text_append_format(text, "%*s", width, "");
        return width;
    }
    if (*bytes == '\r' || *bytes == '\0') {
        text_append_format(text, "\\x%02x", (unsigned char)*bytes);
        return 4;
    }
    memcpy(one, bytes, size);
    text_append_visible(text, bytes, size);
    return string_width(one);
}

/* Where to begin so that the place is seen: at the line's begin, or not far before the place. */
static size_t window_start(const char *bytes, size_t line_start, size_t place, int lead)
{
    size_t start = place;

    for (int width = 0; start > line_start && width < lead; width++) {
        start--;
        while (start > line_start && ((unsigned char)bytes[start] & 0xc0) == 0x80)
            start--;
    }
    return start;
}

static void append_caret(struct text *text, struct report *report, int from, int to, int room,
                         const char *hint)
{
    CLEANUP(text_release) struct text caret = {0};

    if (to > room)
        to = room;
    text_append(&caret, "^");
    for (int column = from + 1; column < to; column++)
        text_append(&caret, "~");
    text_append_format(text, "      | %*s", from, "");
    text_append_styled(text, report->terminal, STYLE_GOOD, text_string(&caret));
    if (hint == NULL) {
        text_append(text, "\n");
    } else if (from + (int)caret.length + 1 + string_width(hint) <= room &&
               strchr(hint, '\n') == NULL) {
        text_append(text, " ");
        text_append_styled(text, report->terminal, STYLE_GOOD, hint);
        text_append(text, "\n");
    } else {
        text_append(text, "\n      = ");
        text_append_wrapped(text, hint, GUTTER, GUTTER, report->terminal->width);
        text_append(text, "\n");
    }
}

bool excerpt_append(struct text *text, struct report *report, const struct place *place,
                    const char *hint)
{
    int width = report->terminal->width == 0 ? WIDTH_OF_A_FILE : report->terminal->width;
    int room = width > GUTTER + 24 ? width - GUTTER : 24, column = 0, from = -1, to = -1;

    if (place->line < 1 || place->column < 1)
        return false;
    if (!equal(report->source.file, place->file))
        source_open(report, place->file);
    if (report->source.bytes == NULL || !source_seek_line(report, place->line))
        return false;

    const char *bytes = report->source.bytes;
    size_t line_start = report->source.line_start;
    const char *newline = memchr(bytes + line_start, '\n', report->source.length - line_start);
    size_t end = newline == NULL ? report->source.length : (size_t)(newline - bytes);

    if (end > line_start && bytes[end - 1] == '\r')
        end--;

    size_t at = source_seek_column(report, place->column, end);
    size_t place_end = at + (size_t)(place->length < 1 ? 1 : place->length);
    size_t start = line_start, offset;

    if (place->column > room - 16)
        start = window_start(bytes, line_start, at, room / 2);

    text_append_format(text, "%5d | ", place->line);
    if (start > line_start) {
        text_append(text, "...");
        column = 3;
    }
    for (offset = start; offset < end && column < room - 3;) {
        size_t size = character_size(bytes + offset, end - offset);

        if (offset >= at && from < 0)
            from = column;
        if (offset >= place_end && to < 0)
            to = column;
        column += place->is_secret && offset >= at && offset < place_end
                      ? append_character(text, "*", 1, column)
                      : append_character(text, bytes + offset, size, column);
        offset += size;
    }
    if (from < 0)
        from = column;
    if (to < 0)
        to = column;
    text_append(text, offset < end ? "...\n" : "\n");
    append_caret(text, report, from, to > from ? to : from + 1, room, hint);
    return true;
}
