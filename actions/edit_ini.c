/*
 * ini files, as pgbouncer, systemd and most others read them: comments stand on lines of their own,
 * a value goes to the end of its line, and a section may be written more than once.
 */
#include "edit_lines.h"

#include <string.h>

static size_t trim_end(const char *bytes, size_t start, size_t end)
{
    while (end > start && (bytes[end - 1] == ' ' || bytes[end - 1] == '\t'))
        end--;
    return end;
}

static void read_line(const char *bytes, size_t length, struct line *out)
{
    struct line line = {.kind = LINE_ENTRY};
    size_t at = skip_blanks(bytes, 0, length);
    bool is_indented = at > 0;

    if (at < length && bytes[at] == '[') {
        const char *close = memchr(bytes + at, ']', length - at);

        if (close != NULL)
            *out = (struct line){
                .kind = LINE_SECTION, .key = at + 1, .key_end = (size_t)(close - bytes)};
        return;
    }
    while (at < length && (bytes[at] == '#' || bytes[at] == ';')) {
        line.is_commented = true;
        at = skip_blanks(bytes, at + 1, length);
    }
    if (at == length)
        return;
    line.start = line.key = at;
    // A remark has a colon more often than a commented-out entry does.
    while (at < length && bytes[at] != '=' && (bytes[at] != ':' || line.is_commented))
        at++;
    line.key_end = trim_end(bytes, line.key, at);
    if (at == length || line.key_end == line.key) {
        if (is_indented && !line.is_commented)
            out->kind = LINE_CONTINUATION;
        return;
    }
    line.value = skip_blanks(bytes, at + 1, length);
    line.value_end = trim_end(bytes, line.value, length);
    line.continues = !line.is_commented && bytes[length - 1] == '\\';
    *out = line;
}

static bool read_value(const char *bytes, size_t length, struct text *out)
{
    text_append_bytes(out, bytes, length);
    return true;
}

static const char *write_value(const char *value, size_t length, struct text *out)
{
    if (memchr(value, '\n', length) != NULL || memchr(value, '\r', length) != NULL)
        return "an ini file has no values of several lines";
    if (length > 0 && (strchr(" \t", value[0]) != NULL || strchr(" \t\\", value[length - 1])))
        return "an ini file does not keep blanks around a value, nor a backslash at its end";
    text_append_bytes(out, value, length);
    return NULL;
}

/* Whether the file writes "key=value", as systemd's do, rather than "key = value". */
static bool is_dense(const char *bytes, size_t length)
{
    const char *equals = memchr(bytes, '=', length);

    return equals != NULL && equals > bytes && equals[-1] != ' ' && equals[-1] != '\t';
}

struct error *edit_ini(struct arena *arena, const char *bytes, size_t length,
                       const struct edit *edit, struct text *out)
{
    const struct line_grammar grammar = {
        .separator = is_dense(bytes, length) ? "=" : " = ",
        .read = read_line,
        .value = read_value,
        .quote = write_value,
    };

    return edit_lines(arena, &grammar, bytes, length, edit, out);
}
