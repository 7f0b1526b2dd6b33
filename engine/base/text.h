/*
 * A growing text with a hard maximum, for everything that is put together or read from outside, and
 * small helpers on plain strings. The bytes are on the heap and always end in a NUL; release with
 * text_release, which CLEANUP(text_release) does on every way out.
 *
 * What does not fit under the limit is dropped and `truncated` is set; nothing is written past it.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct text {
    char *bytes; /* NULL until something is appended; text_string never is */
    size_t length, capacity;
    size_t limit; /* 0: TEXT_LIMIT */
    bool truncated;
};

/* The most that any text holds: a step's output. */
#define TEXT_LIMIT ((size_t)16 * 1024 * 1024)

void text_release(struct text *text);
void text_clear(struct text *text); /* keeps the memory and the limit */
const char *text_string(const struct text *text);

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t length);
void text_append_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void text_append_json(struct text *text, const char *bytes, size_t length);

/*
 * For a screen or a log: control characters (but newline and tab), bidirectional controls and bytes
 * that are not UTF-8 become visible escapes (\x1b, \u202e), so that data cannot drive a terminal.
 */
void text_append_visible(struct text *text, const char *bytes, size_t length);

/* One word for a POSIX shell, in single quotes. */
void text_append_shell(struct text *text, const char *bytes, size_t length);

/* The text in ARENA; the text itself keeps its bytes. */
char *text_copy(const struct text *text, struct arena *arena);

/*
 * The length of the UTF-8 character at BYTES, or 0 if there is none (overlong forms, surrogates and
 * what is cut off at LENGTH count as none). *CHARACTER may be NULL.
 */
size_t utf8_length(const char *bytes, size_t length, uint32_t *character);

/* A control character that no text of ours may hold: C0 and C1 but \n \t, DEL, bidirectional. */
bool character_is_forbidden(uint32_t character);

bool starts_with(const char *string, const char *prefix);
bool ends_with(const char *string, const char *suffix);
bool equal(const char *a, const char *b); /* NULL equals only NULL */

/* The one of COUNT candidates that WORD is most likely a misspelling of, or NULL. */
const char *text_nearest(const char *word, const char *const *candidates, size_t count);

/* A growing list of strings; it and they are the arena's. */
struct words {
    const char **items;
    size_t count, capacity;
};
void words_add(struct arena *arena, struct words *words, const char *word);

/* Lower-case hex SHA-256 of BYTES; OUT has room for 65. */
#define DIGEST_SIZE 65
void sha256_hex(const void *bytes, size_t length, char out[DIGEST_SIZE]);

/* Milliseconds of CLOCK_BOOTTIME: for deadlines, which a suspended machine must not extend. */
int64_t clock_ms(void);

/* "2026-11-22T17:22:47.874Z", now; OUT has room for 25. */
#define TIMESTAMP_SIZE 25
void timestamp_utc(char out[TIMESTAMP_SIZE]);

/* "OpenSSL 3.0.17 1 Jul 2025": the libcrypto that is loaded. */
const char *digest_library(void);

#endif
