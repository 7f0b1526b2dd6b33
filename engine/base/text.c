#include "base/text.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void text_release(struct text *text)
{
    free(text->bytes);
    *text = (struct text){.limit = text->limit};
}

void text_clear(struct text *text)
{
    text->length = 0;
    text->truncated = false;
    if (text->bytes != NULL)
        text->bytes[0] = '\0';
}

const char *text_string(const struct text *text)
{
    return text->bytes == NULL ? "" : text->bytes;
}

/* Makes room for LENGTH more bytes and a NUL; returns how many of them may be appended. */
static size_t text_reserve(struct text *text, size_t length)
{
    size_t limit = text->limit == 0 ? TEXT_LIMIT : text->limit;
    size_t room = limit - text->length;

    if (length > room) {
        text->truncated = true;
        length = room;
    }
    if (text->length + length + 1 > text->capacity) {
        size_t capacity = text->capacity == 0 ? 128 : text->capacity * 2;

        if (capacity < text->length + length + 1)
            capacity = text->length + length + 1;

        char *bytes = realloc(text->bytes, capacity);

        if (bytes == NULL)
            out_of_memory();
        text->bytes = bytes;
        text->capacity = capacity;
    }
    return length;
}

void text_append_bytes(struct text *text, const char *bytes, size_t length)
{
    length = text_reserve(text, length);
    if (length > 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_append(struct text *text, const char *string)
{
    text_append_bytes(text, string, strlen(string));
}

void text_append_format(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length <= 0)
        return;

    // vsnprintf cuts at the size it is given, which includes the NUL that is reserved anyway.
    size_t room = text_reserve(text, (size_t)length);

    va_start(arguments, format);
    (void)vsnprintf(text->bytes + text->length, room + 1, format, arguments);
    va_end(arguments);
    text->length += room;
}

size_t utf8_length(const char *bytes, size_t length, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)bytes;
    size_t size;
    uint32_t value;

    if (length == 0)
        return 0;
    if (p[0] < 0x80)
        size = 1, value = p[0];
    else if (p[0] >> 5 == 0x6)
        size = 2, value = p[0] & 0x1f;
    else if (p[0] >> 4 == 0xe)
        size = 3, value = p[0] & 0x0f;
    else if (p[0] >> 3 == 0x1e)
        size = 4, value = p[0] & 0x07;
    else
        return 0;
    if (size > length)
        return 0;
    for (size_t at = 1; at < size; at++) {
        if (p[at] >> 6 != 0x2)
            return 0;
        value = value << 6 | (p[at] & 0x3f);
    }
    if (value < least[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    if (character != NULL)
        *character = value;
    return size;
}

bool character_is_forbidden(uint32_t c)
{
    if (c == '\n' || c == '\t')
        return false;
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x2028 ||
           c == 0x2029 || c == 0xfeff;
}

void text_append_json(struct text *text, const char *bytes, size_t length)
{
    text_append_bytes(text, "\"", 1);
    for (size_t at = 0; at < length;) {
        uint32_t c;
        size_t size = utf8_length(bytes + at, length - at, &c);

        if (size == 0) {
            text_append(text, "\\ufffd");
            size = 1;
        } else if (c == '"' || c == '\\') {
            text_append_format(text, "\\%c", (char)c);
        } else if (c == '\n') {
            text_append(text, "\\n");
        } else if (character_is_forbidden(c) || c == '\t') {
            text_append_format(text, "\\u%04x", c);
        } else {
            text_append_bytes(text, bytes + at, size);
        }
        at += size;
    }
    text_append_bytes(text, "\"", 1);
}

void text_append_visible(struct text *text, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        uint32_t c;
        size_t size = utf8_length(bytes + at, length - at, &c);

        if (size == 0) {
            text_append_format(text, "\\x%02x", (unsigned char)bytes[at]);
            size = 1;
        } else if (character_is_forbidden(c)) {
            text_append_format(text, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
        } else {
            text_append_bytes(text, bytes + at, size);
        }
        at += size;
    }
}

void text_append_shell(struct text *text, const char *bytes, size_t length)
{
    text_append_bytes(text, "'", 1);
    for (size_t at = 0; at < length; at++) {
        if (bytes[at] == '\'')
            text_append(text, "'\\''");
        else
            text_append_bytes(text, bytes + at, 1);
    }
    text_append_bytes(text, "'", 1);
}

char *text_copy(const struct text *text, struct arena *arena)
{
    return arena_copy(arena, text_string(text), text->length);
}

bool starts_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool ends_with(const char *string, const char *suffix)
{
    size_t length = strlen(string), tail = strlen(suffix);

    return length >= tail && strcmp(string + length - tail, suffix) == 0;
}

bool equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

enum {
    NEAREST_LONGEST = 64, /* longer words are nobody's typing mistake, and would cost time */
};

/* The number of edits (insert, delete, replace, swap neighbours) from A to B, or MOST + 1. */
static unsigned edit_distance(const char *a, size_t a_length, const char *b, size_t b_length,
                              unsigned most)
{
    unsigned rows[3][NEAREST_LONGEST + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (unsigned column = 0; column <= b_length; column++)
        above[column] = column;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned best = row[0] = (unsigned)i;

        for (size_t j = 1; j <= b_length; j++) {
            unsigned cost = above[j - 1] + (a[i - 1] != b[j - 1]);

            if (above[j] + 1 < cost)
                cost = above[j] + 1;
            if (row[j - 1] + 1 < cost)
                cost = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < cost)
                cost = before[j - 2] + 1;
            row[j] = cost;
            if (cost < best)
                best = cost;
        }
        if (best > most)
            return most + 1;

        unsigned *oldest = before;

        before = above;
        above = row;
        row = oldest;
    }
    return above[b_length];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word);
    unsigned most = length <= 3 ? 1 : length <= 7 ? 2 : 3;
    const char *nearest = NULL;

    if (length == 0 || length > NEAREST_LONGEST)
        return NULL;
    for (size_t at = 0; at < count; at++) {
        size_t other = strlen(candidates[at]);
        size_t gap = other > length ? other - length : length - other;

        if (other > NEAREST_LONGEST || gap > most)
            continue;

        unsigned distance = edit_distance(word, length, candidates[at], other, most);

        if (distance > 0 && distance <= most) {
            nearest = candidates[at];
            most = distance - 1;
            if (most == 0)
                break;
        }
    }
    return nearest;
}

void words_add(struct arena *arena, struct words *words, const char *word)
{
    if (words->count == words->capacity) {
        size_t capacity = words->capacity == 0 ? 64 : words->capacity * 2;
        const char **items = arena_alloc(arena, capacity * sizeof *items);

        if (words->count > 0)
            memcpy(items, words->items, words->count * sizeof *items);
        words->items = items;
        words->capacity = capacity;
    }
    words->items[words->count++] = word;
}

void sha256_hex(const void *bytes, size_t length, char out[DIGEST_SIZE])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    (void)SHA256(bytes, length, digest);
    for (size_t at = 0; at < sizeof digest; at++)
        (void)snprintf(out + 2 * at, 3, "%02x", digest[at]);
}

int64_t clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void timestamp_utc(char out[TIMESTAMP_SIZE])
{
    struct timespec now;
    struct tm parts;
    char seconds[20];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    (void)strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(out, TIMESTAMP_SIZE, "%s.%03dZ", seconds, (int)(now.tv_nsec / 1000000));
}

const char *digest_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
