/* A secret in a text that somebody else wrote, also where it was quoted for another language. */
#include "base/secret.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

enum {
    SHORTEST = 4,        /* bytes; a shorter one would be found everywhere */
    SHORTEST_BASE64 = 8, /* of a code, whose first and last characters depend on their neighbours */
    ALIGNMENTS = 3,
};

static const char base64_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The languages that a program may quote for: how they write the bytes of SPECIAL. */
static const struct {
    const char *special, *before;
    bool is_doubled; /* the byte itself stands in front of it */
} languages[] = {
    {"", "", false},       /* as it is */
    {"'", "", true},       /* SQL, YAML */
    {"'", "'\\'", false},  /* shell: '\'' is this and the quote */
    {"\"\\", "\\", false}, /* JSON, C */
    {"'\\", "\\", false},  /* Python, libpq */
    {"\\'", "", true},     /* postgresql.conf */
};

static void form_quote(const struct secret *secret, size_t language, struct text *out)
{
    text_clear(out);
    for (size_t at = 0; at < secret->length; at++) {
        const char *byte = secret->bytes + at;

        if (strchr(languages[language].special, *byte) != NULL) {
            text_append(out, languages[language].before);
            if (languages[language].is_doubled)
                text_append_bytes(out, byte, 1);
        }
        text_append_bytes(out, byte, 1);
    }
}

/* RFC 3986; KEPT are characters that some programs leave as they are. */
static void form_url(const struct secret *secret, const char *kept, struct text *out)
{
    text_clear(out);
    for (size_t at = 0; at < secret->length; at++) {
        unsigned char byte = (unsigned char)secret->bytes[at];

        if (isalnum(byte) || strchr("-._~", byte) != NULL || strchr(kept, byte) != NULL)
            text_append_bytes(out, secret->bytes + at, 1);
        else
            text_append_format(out, "%%%02X", byte);
    }
}

/* What is the same for every text with SKIPPED (modulo 3) bytes before the secret. */
static void form_base64(const struct secret *secret, size_t skipped, struct text *out)
{
    size_t first = (skipped * 8 + 5) / 6, end = (skipped + secret->length) * 8 / 6;

    text_clear(out);
    for (size_t letter = first; letter < end; letter++) {
        unsigned value = 0;

        for (size_t bit = letter * 6; bit < letter * 6 + 6; bit++) {
            unsigned byte = (unsigned char)secret->bytes[bit / 8 - skipped];

            value = value << 1 | (byte >> (7 - bit % 8) & 1);
        }
        text_append_bytes(out, base64_letters + value, 1);
    }
}

static bool form_hide(const struct text *form, struct text *text)
{
    struct text out = {.limit = text->limit, .truncated = text->truncated};
    const char *at = text_string(text), *end = at + text->length, *found;
    bool is_found = false;

    while (form->length <= (size_t)(end - at) &&
           (found = memmem(at, (size_t)(end - at), form->bytes, form->length)) != NULL) {
        text_append_bytes(&out, at, (size_t)(found - at));
        text_append(&out, "***");
        at = found + form->length;
        is_found = true;
    }
    if (!is_found)
        return false;
    text_append_bytes(&out, at, (size_t)(end - at));
    explicit_bzero(text->bytes, text->length);
    text_release(text);
    *text = out;
    return true;
}

static bool whole_hide(const struct secret *secret, struct text *text)
{
    struct text form = {0};
    bool is_found = false;

    if (secret->length < SHORTEST)
        return false;
    for (size_t language = 0; language < ARRAY_COUNT(languages); language++) {
        form_quote(secret, language, &form);
        is_found = form_hide(&form, text) || is_found;
    }
    form_url(secret, "", &form);
    is_found = form_hide(&form, text) || is_found;
    form_url(secret, "/", &form);
    is_found = form_hide(&form, text) || is_found;
    for (size_t skipped = 0; skipped < ALIGNMENTS; skipped++) {
        form_base64(secret, skipped, &form);
        if (form.length >= SHORTEST_BASE64)
            is_found = form_hide(&form, text) || is_found;
    }
    if (form.bytes != NULL)
        explicit_bzero(form.bytes, form.capacity);
    text_release(&form);
    return is_found;
}

bool secret_hide(const struct secret *secret, struct text *text)
{
    bool is_found;

    if (secret->bytes == NULL || text->length == 0)
        return false;
    is_found = whole_hide(secret, text);
    // Programs print line by line.
    for (char *at = secret->bytes, *end; at != NULL; at = end == NULL ? NULL : end + 1) {
        struct secret line = {.bytes = at};

        end = strchr(at, '\n');
        line.length = end == NULL ? strlen(at) : (size_t)(end - at);
        if (line.length < secret->length)
            is_found = whole_hide(&line, text) || is_found;
    }
    return is_found;
}
