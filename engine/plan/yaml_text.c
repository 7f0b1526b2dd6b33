#include "plan/yaml_text.h"

#include "base/text.h"

#include <string.h>

static void refuse_character(struct findings *findings, struct place place, size_t size,
                             uint32_t character)
{
    if (size == 0)
        findings_add(findings, place, "Save the file as UTF-8.", "file is not UTF-8 text");
    else if (character == '\r')
        findings_add(findings, place, "Save the file with Unix line ends.",
                     "file has Windows line ends");
    else if (character == 0xfeff && place.line == 1 && place.column == 1)
        findings_add(findings, place, "Save the file as UTF-8 without it.",
                     "file begins with a byte order mark");
    else
        findings_add(findings, place, "A reviewer cannot see such a character.",
                     "%s character U+%04X is not allowed",
                     character < 0xa0 ? "control" : "invisible or bidirectional", character);
}

bool yaml_text_check(const char *file, const char *bytes, size_t length, struct findings *findings)
{
    struct place place = {.file = file, .line = 1, .column = 1, .length = 1};

    for (size_t at = 0; at < length; place.column++) {
        unsigned char byte = (unsigned char)bytes[at];
        uint32_t character = byte;
        size_t size = 1;

        if (byte == '%' && place.column == 1) {
            findings_add(findings, place, NULL,
                         "a line cannot begin with \"%%\": YAML directives are not supported");
            return false;
        }
        if (byte < 0x20 || byte >= 0x7f)
            size = utf8_length(bytes + at, length - at, &character);
        if (size == 0 || character_is_forbidden(character)) {
            refuse_character(findings, place, size, character);
            return false;
        }
        at += size;
        if (byte == '\n') {
            place.line++;
            place.column = 0;
        }
    }
    return true;
}

/* The bytes of a line, from 1, and in *REST how many there are. */
static const char *line_find(const char *bytes, size_t length, int line, size_t *rest)
{
    const char *at = bytes, *end = bytes + length, *newline;

    while (--line > 0 && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL)
        at = newline + 1;
    newline = memchr(at, '\n', (size_t)(end - at));
    *rest = (size_t)((newline == NULL ? end : newline) - at);
    return at;
}

/* The byte at PLACE, and in *BEFORE the one before it; NUL where there is none. */
static char byte_find(const char *bytes, size_t length, const struct place *place, char *before)
{
    size_t rest, at = 0;
    const char *line = line_find(bytes, length, place->line, &rest);

    *before = '\0';
    for (int column = 1; column < place->column && at < rest; column++) {
        *before = line[at];
        at += utf8_length(line + at, rest - at, NULL);
    }
    return at < rest ? line[at] : '\0';
}

const char *yaml_text_hint(const char *bytes, size_t length, const char *problem,
                           struct place *place)
{
    static const struct {
        const char *problem, *hint;
    } hints[] = {
        {"did not find expected ',' or ",
         "A text with a comma, a bracket or a brace must be quoted inside {…} and […]."},
        {"mapping values are not allowed",
         "A text that contains \": \" must be quoted, and the keys of a map stand in one column."},
        {"did not find expected key",
         "Check the indentation here and above; a text must be quoted as a whole or not at all."},
        {"did not find expected '-' indicator", "Check the indentation here and above."},
        {"could not find expected ':'", "Check the indentation here and above."},
        {"found character that cannot start any token",
         "A text that begins with this character must be quoted."},
        {"found unknown escape character",
         "Between double quotes a backslash is doubled; between single quotes it stands for "
         "itself."},
        {"found unexpected end of stream", "A quote is opened here and not closed."},
    };
    char before, byte = byte_find(bytes, length, place, &before);

    if (byte == '\t')
        return "YAML is indented with spaces, not with tabs.";
    if (byte == '{' && before == '$' && starts_with(problem, "did not find expected ',' or ")) {
        place->column--;
        place->length = 2;
        return "Inside {…} and […] a text with ${…} must be quoted: \"${name}\".";
    }
    for (size_t at = 0; at < ARRAY_COUNT(hints); at++) {
        if (starts_with(problem, hints[at].problem))
            return hints[at].hint;
    }
    return NULL;
}
