#include "plan/reference.h"
#include "base/text.h"

#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t name_span(const char *text)
{
    size_t length = 0;

    if (!is_letter(*text))
        return 0;
    while (length <= NAME_LONGEST &&
           (is_letter(text[length]) || text[length] == '-' || text[length] == '.' ||
            (text[length] >= '0' && text[length] <= '9')))
        length++;
    return length;
}

bool reference_read(const char *text, struct reference *out)
{
    static const char suffix[] = ":identifier}";
    struct reference reference = {.name = text + 2, .name_length = name_span(text + 2)};
    const char *end = text + 2 + reference.name_length;

    if (reference.name_length == 0 || reference.name_length > NAME_LONGEST)
        return false;
    if (starts_with(end, suffix)) {
        reference.is_identifier = true;
        end += sizeof suffix - 1;
    } else if (*end == '}') {
        end++;
    } else {
        return false;
    }
    reference.length = (size_t)(end - text);
    *out = reference;
    return true;
}

const char *reference_next(const char *text, const char *end)
{
    while (text < end) {
        const char *at = memchr(text, '$', (size_t)(end - text));

        if (at == NULL || end - at < 2)
            return NULL;
        if (at[1] == '{' || (at[1] == '$' && end - at > 2 && at[2] == '{'))
            return at;
        text = at + 1;
    }
    return NULL;
}

size_t reference_broken_length(const char *text)
{
    size_t length = 2 + strcspn(text + 2, "}\n$ ");

    if (length > NAME_LONGEST)
        return 2;
    return text[length] == '}' ? length + 1 : length;
}
