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
    static const char *const parts[] = {"password", "passwd",  "passphrase", "secret",
                                        "token",    "api_key", "api-key",    "apikey"};

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

static bool is_one_of(const char *line, size_t at, size_t length, const char *set)
{
    return at < length && line[at] != '\0' && strchr(set, line[at]) != NULL;
}

/* Not a quote: for a shell, the word goes on behind it. */
static bool ends_here(const char *line, size_t at, size_t length)
{
    return at >= length || is_one_of(line, at, length, " \t,;&}])");
}

/* Behind the text in double quotes at AT, or the end of the line. */
static size_t double_quoted_end(const char *line, size_t at, size_t length)
{
    for (size_t end = at + 1; end < length; end++) {
        if (line[end] == '\\')
            end++;
        else if (line[end] == '"')
            return ends_here(line, end + 1, length) ? end + 1 : length;
    }
    return length;
}

/*
 * Behind the text in single quotes, which are doubled inside of postgresql.conf: password=''a b''.
 * A quote or a backslash in it means something else in each format.
 */
static size_t single_quoted_end(const char *line, size_t at, size_t length)
{
    size_t quotes = at + 1 < length && line[at + 1] == '\'' ? 2 : 1, end = at + quotes;

    while (end < length && line[end] != '\'' && line[end] != '\\')
        end++;
    for (size_t quote = 0; quote < quotes; quote++) {
        if (end >= length || line[end++] != '\'')
            return length;
    }
    // The closing quote of the whole setting, at the end of its line.
    if (quotes == 2 && end + 1 == length && line[end] == '\'')
        return end;
    return ends_here(line, end, length) ? end : length;
}

/* Behind a value without quotes, which ends at one of STOPS. */
static size_t word_end(const char *line, size_t at, size_t length, const char *stops)
{
    size_t end = at;

    while (end < length && !is_one_of(line, end, length, stops)) {
        if (line[end] == '\\')
            return length;
        end++;
    }
    if (is_one_of(line, end, length, "'\"") && !ends_here(line, end + 1, length))
        return length;
    return end;
}

/*
 * Behind the secret at AT, of a word that ends with BEFORE. Where that is not certain, the rest of
 * the line is secret too.
 */
static size_t secret_end(const char *line, size_t at, size_t length, char before)
{
    if (is_one_of(line, at, length, "\""))
        return double_quoted_end(line, at, length);
    if (is_one_of(line, at, length, "'"))
        return single_quoted_end(line, at, length);
    // In YAML's flow style ({password: a b, x: 1}) only a comma or a bracket ends it.
    return before == ':' ? word_end(line, at, length, ",}]") : word_end(line, at, length, " \t'\"");
}

/* "A_PASSWORD=a b": the quote ends behind the secret; but not in 'password=a user=b' for libpq. */
static bool is_quoted_whole(const char *line, size_t at, size_t stop, size_t length)
{
    bool is_conninfo = stop - at == strlen("password") &&
                       memcmp(line + at, "password", stop - at) == 0 && line[at - 1] == '\'';

    return is_one_of(line, at - 1, length, "'\"") && !is_one_of(line, stop, length, "'\"") &&
           !is_conninfo;
}

/* Behind "word = " at AT, or "--word ", where the word names a secret; else 0. */
static size_t secret_start(const char *line, size_t at, size_t length, size_t *end)
{
    bool is_option = length - at > 2 && memcmp(line + at, "--", 2) == 0;
    size_t stop = at, start, skipped;
    char before = '=';

    while (stop < length && is_word(line[stop]))
        stop++;
    if (stop == at || !names_a_secret(line + at, stop - at))
        return 0;
    for (skipped = stop; is_one_of(line, skipped, length, "\"' \t");)
        skipped++;
    for (start = skipped; is_one_of(line, start, length, "=: \t"); start++)
        before = line[start] == ':' ? ':' : before;
    if (start == skipped && !(is_option && is_one_of(line, stop, length, " \t")))
        return 0;
    if (start == skipped)
        for (start = stop; is_one_of(line, start, length, " \t");)
            start++;
    *end = at > 0 && is_quoted_whole(line, at, stop, length)
               ? length
               : secret_end(line, start, length, before);
    return start;
}

/* Behind "scheme://user:" or " -u user:" at AT, or 0. */
static size_t user_password(const char *line, size_t at, size_t length, size_t *end)
{
    bool is_url = length - at >= 3 && memcmp(line + at, "://", 3) == 0;
    bool is_option = length - at >= 4 && memcmp(line + at, " -u ", 4) == 0;
    size_t stop, colon = at + (is_url ? 3 : 4), last = 0;

    if (!is_url && !is_option)
        return 0;
    while (colon < length && !is_one_of(line, colon, length, ": \t@/"))
        colon++;
    if (!is_one_of(line, colon, length, ":"))
        return 0;
    if (is_option) {
        *end = secret_end(line, colon + 1, length, '=');
        return colon + 1;
    }
    for (stop = colon; stop < length && !is_one_of(line, stop, length, " \t"); stop++)
        last = line[stop] == '@' ? stop : last;
    if (last == 0)
        return 0;
    *end = last;
    return colon + 1;
}

size_t redact_indentation(const char *line, size_t length)
{
    size_t column = 0, quote, end;

    while (is_one_of(line, column, length, " \t-"))
        column++;
    quote = is_one_of(line, column, length, "'\"");
    return secret_start(line, column + quote, length, &end) > 0 ? column + 1 : 0;
}

void redact_append(struct text *out, const char *line, size_t length)
{
    size_t shown = 0, at = 0, first = 0;

    while (is_one_of(line, first, length, "+-#; \t\"'"))
        first++;
    while (at < length) {
        size_t start = 0, end = 0;

        if (at == 0 || !is_word(line[at - 1]))
            start = secret_start(line, at, length, &end);
        // A line of its own is all secret: in an ini file the value may have blanks.
        if (start > 0 && at <= first)
            end = length;
        if (start == 0)
            start = user_password(line, at, length, &end);
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
