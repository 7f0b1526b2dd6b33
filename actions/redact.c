/* Lines of configuration files without their secrets; see diff.h. */
#include "diff.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_word(char character)
{
    return isalnum((unsigned char)character) || character == '_' || character == '-' ||
           character == '.';
}

static bool names_a_secret(const char *word, size_t length)
{
    static const char *const parts[] = {"password", "passwd", "secret"};

    // postgresql.conf's own parameter is no secret, and is looked at often.
    if (length == strlen("password_encryption") &&
        strncasecmp(word, "password_encryption", length) == 0)
        return false;
    for (size_t at = 0; at < length; at++) {
        for (size_t part = 0; part < ARRAY_COUNT(parts); part++) {
            if (length - at >= strlen(parts[part]) &&
                strncasecmp(word + at, parts[part], strlen(parts[part])) == 0)
                return true;
        }
    }
    return false;
}

/* Behind the secret at AT: what is in quotes, else one word. */
static size_t secret_end(const char *line, size_t at, size_t length)
{
    size_t quotes = 0;

    // In postgresql.conf the quotes of a connection string are doubled: password=''a b''.
    while (at + quotes < length && quotes < 2 && line[at] == line[at + quotes] &&
           (line[at] == '\'' || line[at] == '"'))
        quotes++;
    for (size_t end = at + quotes; quotes > 0 && end + quotes <= length; end++) {
        if (memcmp(line + at, line + end, quotes) == 0)
            return end + quotes;
    }
    at += quotes;
    while (at < length && strchr(" \t,;}&'\"", line[at]) == NULL)
        at++;
    return at;
}

/* Behind "word = " at AT, where the word names a secret; else 0. */
static size_t secret_start(const char *line, size_t at, size_t length)
{
    size_t end = at, start;

    while (end < length && is_word(line[end]))
        end++;
    if (end == at || !names_a_secret(line + at, end - at))
        return 0;
    while (end < length && strchr("\"' \t", line[end]) != NULL)
        end++;
    start = end;
    while (start < length && strchr("=: \t", line[start]) != NULL)
        start++;
    return start == end ? 0 : start;
}

/* Behind "scheme://user:" at AT, or 0; the password ends at the "@". */
static size_t url_password(const char *line, size_t at, size_t length, size_t *end)
{
    const char *host, *colon;

    if (length - at < 3 || memcmp(line + at, "://", 3) != 0)
        return 0;
    at += 3;
    host = memchr(line + at, '@', length - at);
    colon = memchr(line + at, ':', length - at);
    if (host == NULL || colon == NULL || colon > host)
        return 0;
    *end = (size_t)(host - line);
    return (size_t)(colon - line) + 1;
}

void redact_append(struct text *out, const char *line, size_t length)
{
    size_t shown = 0, at = 0, first = strspn(line, "+-#; \t\"'");

    while (at < length) {
        size_t start = 0, end = 0;

        if (at == 0 || !is_word(line[at - 1]))
            start = secret_start(line, at, length);
        if (start > 0) {
            // A line of its own is all secret: in an ini file the value may have blanks.
            bool is_first = at <= first && memchr(line + start, '{', length - start) == NULL;

            end = is_first ? length : secret_end(line, start, length);
        } else {
            start = url_password(line, at, length, &end);
        }
        if (start == 0 || start >= length) {
            at++;
            continue;
        }
        text_append_visible(out, line + shown, start - shown);
        text_append(out, "***");
        shown = at = end;
    }
    text_append_visible(out, line + shown, length - shown);
}
