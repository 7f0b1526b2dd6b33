/*
 * postgresql.conf and postgresql.auto.conf, as the server reads them
 * (src/backend/utils/misc/guc-file.l): `key = value`, the equals sign optional, the last one of a
 * key wins, names compare without case.
 */
#include "edit_lines.h"

#include <ctype.h>
#include <string.h>

static bool is_letter(char character)
{
    return isalpha((unsigned char)character) || character == '_' || (character & 0x80) != 0;
}

static bool is_key_part(char character)
{
    return is_letter(character) || isdigit((unsigned char)character) || character == '$' ||
           character == '.';
}

/* Behind the string in quotes at AT, or 0 if it does not end. */
static size_t string_end(const char *bytes, size_t at, size_t length)
{
    for (at++; at < length; at++) {
        bool is_doubled = bytes[at] == '\'' && at + 1 < length && bytes[at + 1] == '\'';

        if (is_doubled || bytes[at] == '\\')
            at++;
        else if (bytes[at] == '\'')
            return at + 1;
    }
    return 0;
}

static size_t value_end(const char *bytes, size_t at, size_t length)
{
    if (at < length && bytes[at] == '\'')
        return string_end(bytes, at, length);
    while (at < length && strchr(" \t\r#='", bytes[at]) == NULL)
        at++;
    return at;
}

static void read_line(const char *bytes, size_t length, struct line *out)
{
    struct line line = {.kind = LINE_ENTRY};
    size_t at = skip_blanks(bytes, 0, length);
    bool has_equals;

    while (at < length && bytes[at] == '#') {
        line.is_commented = true;
        at = skip_blanks(bytes, at + 1, length);
    }
    if (at == length || !is_letter(bytes[at]))
        return;
    line.start = line.key = at;
    while (at < length && is_key_part(bytes[at]))
        at++;
    line.key_end = at;
    at = skip_blanks(bytes, at, length);
    has_equals = at < length && bytes[at] == '=';
    line.value = skip_blanks(bytes, at + has_equals, length);
    line.value_end = value_end(bytes, line.value, length);
    at = skip_blanks(bytes, line.value_end, length);

    // A remark such as "# fsync off is dangerous" must not be taken for a commented-out entry.
    if (line.value_end <= line.value || (at < length && bytes[at] != '#') ||
        (line.is_commented && !has_equals))
        return;
    if (!has_equals && strncasecmp(bytes + line.key, "include", strlen("include")) == 0)
        return;
    *out = line;
}

/* GUC_scanstr: '' is a quote, \ooo an octal byte, \b \f \n \r \t what they are in C. */
static bool read_value(const char *bytes, size_t length, struct text *out)
{
    if (length == 0 || bytes[0] != '\'') {
        text_append_bytes(out, bytes, length);
        return true;
    }
    for (size_t at = 1; at + 1 < length; at++) {
        static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
        char character = bytes[at];

        if (character == '\'') {
            at++;
        } else if (character == '\\' && at + 2 < length) {
            const char *letter = strchr(letters, bytes[++at]);
            int digits = 0, octal = 0;

            while (digits < 3 && bytes[at + digits] >= '0' && bytes[at + digits] <= '7')
                octal = octal * 8 + bytes[at + digits++] - '0';
            character = bytes[at];
            if (digits > 0) {
                character = (char)octal;
                at += digits - 1;
            } else if (letter != NULL) {
                character = meanings[letter - letters];
            }
        }
        text_append_bytes(out, &character, 1);
    }
    return true;
}

static const char *write_value(const char *value, size_t length, struct text *out)
{
    text_append(out, "'");
    for (size_t at = 0; at < length; at++) {
        if (value[at] == '\n')
            text_append(out, "\\n");
        else if (value[at] == '\'' || value[at] == '\\')
            text_append_format(out, "%c%c", value[at], value[at]);
        else
            text_append_bytes(out, value + at, 1);
    }
    text_append(out, "'");
    return NULL;
}

struct error *edit_postgresql(struct arena *arena, const char *bytes, size_t length,
                              const struct edit *edit, struct text *out)
{
    static const struct line_grammar grammar = {
        .keys_ignore_case = true,
        .separator = " = ",
        .read = read_line,
        .value = read_value,
        .quote = write_value,
    };

    return edit_lines(arena, &grammar, bytes, length, edit, out);
}
