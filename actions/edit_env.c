/*
 * Files of KEY=value lines that a shell, or systemd's EnvironmentFile=, reads. What is written here
 * means the same to both (systemd: src/basic/env-file.c).
 */
#include "edit_lines.h"

#include <ctype.h>
#include <string.h>

struct scan {
    size_t end;       /* behind the value */
    bool is_literal;  /* nothing in it that a shell would expand */
    bool has_blanks;  /* outside quotes: a shell and systemd disagree about what that means */
    bool is_complete; /* every quote ends */
};

/* Reads the value from AT on; without its quotes it is appended to MEANING. */
static struct scan scan_value(const char *bytes, size_t at, size_t length, struct text *meaning)
{
    struct scan scan = {.end = at, .is_literal = true};
    char quote = 0;

    for (; at < length; at++) {
        char character = bytes[at];
        bool is_escape = character == '\\' && quote != '\'';

        if (quote == 0 && character == '#' && scan.end < at)
            break;
        if (quote == 0 && (character == ' ' || character == '\t'))
            continue;
        scan.has_blanks = scan.has_blanks || (quote == 0 && scan.end < at);
        if (is_escape && at + 1 == length)
            return scan;
        if (is_escape && (quote == 0 || strchr("\"\\`$", bytes[at + 1]) != NULL)) {
            character = bytes[++at];
        } else if (character == quote || (quote == 0 && (character == '\'' || character == '"'))) {
            quote = quote == 0 ? character : 0;
            scan.end = at + 1;
            continue;
        } else if (quote != '\'' && (character == '$' || character == '`')) {
            scan.is_literal = false;
        }
        text_append_bytes(meaning, &character, 1);
        scan.end = at + 1;
    }
    scan.is_complete = quote == 0;
    return scan;
}

static void read_line(const char *bytes, size_t length, struct line *out)
{
    CLEANUP(text_release) struct text meaning = {0};
    struct line line = {.kind = LINE_ENTRY};
    size_t at = skip_blanks(bytes, 0, length);

    while (at < length && bytes[at] == '#') {
        line.is_commented = true;
        at = skip_blanks(bytes, at + 1, length);
    }
    line.start = at;
    if (length - at > 7 && memcmp(bytes + at, "export ", 7) == 0)
        at = skip_blanks(bytes, at + 7, length);
    line.key = at;
    while (at < length && (isalnum((unsigned char)bytes[at]) || bytes[at] == '_'))
        at++;
    line.key_end = at;
    if (at == line.key || at == length || bytes[at] != '=')
        return;

    struct scan scan = scan_value(bytes, at + 1, length, &meaning);

    line.value = at + 1;
    line.value_end = scan.end;
    // A remark such as "# PORT=1 is the default" must not be taken for a commented-out entry.
    if (scan.is_complete && !(line.is_commented && scan.has_blanks))
        *out = line;
    else if (!line.is_commented)
        out->kind = LINE_OPEN;
}

static bool read_value(const char *bytes, size_t length, struct text *out)
{
    struct scan scan = scan_value(bytes, 0, length, out);

    return scan.is_literal && !scan.has_blanks;
}

static const char *write_value(const char *value, size_t length, struct text *out)
{
    bool is_bare = true;

    for (size_t at = 0; at < length; at++) {
        if (value[at] == '\n' || value[at] == '\r')
            return "a line of an env file has no values of several lines";
        is_bare = is_bare && (isalnum((unsigned char)value[at]) ||
                              (value[at] != '\0' && strchr("_./:@%+,-", value[at]) != NULL));
    }
    if (is_bare) {
        text_append_bytes(out, value, length);
        return NULL;
    }

    // systemd does not join 'it'\''s', so a value with a quote goes into double quotes.
    bool has_quote = memchr(value, '\'', length) != NULL;

    text_append(out, has_quote ? "\"" : "'");
    for (size_t at = 0; at < length; at++) {
        if (has_quote && strchr("\"\\`$", value[at]) != NULL)
            text_append(out, "\\");
        text_append_bytes(out, value + at, 1);
    }
    text_append(out, has_quote ? "\"" : "'");
    return NULL;
}

struct error *edit_env(struct arena *arena, const char *bytes, size_t length,
                       const struct edit *edit, struct text *out)
{
    static const struct line_grammar grammar = {
        .separator = "=",
        .read = read_line,
        .value = read_value,
        .quote = write_value,
    };

    return edit_lines(arena, &grammar, bytes, length, edit, out);
}
