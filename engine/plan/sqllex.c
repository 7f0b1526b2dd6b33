#include "plan/sqllex.h"
#include "base/text.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_word_part(char c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

/* The end of the quoted text that begins at the quote AT; NULL if it has none. */
static const char *quote_end(const char *at, bool has_escapes)
{
    char quote = *at++;

    for (; *at != '\0'; at++) {
        if ((has_escapes && *at == '\\' && at[1] != '\0') || (*at == quote && at[1] == quote))
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return NULL;
}

static const char *line_comment_end(const char *at)
{
    return at + strcspn(at, "\n\r");
}

static const char *block_comment_end(const char *at)
{
    size_t depth = 1;

    for (at += 2; *at != '\0'; at++) {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at++;
        } else if (at[0] == '*' && at[1] == '/') {
            at++;
            if (--depth == 0)
                return at + 1;
        }
    }
    return NULL;
}

/*
 * The quote that continues the string before AT, or NULL. Two strings with nothing but white space
 * and line comments between them, and at least one newline, are one.
 */
static const char *continuation(const char *at)
{
    bool has_newline = false;

    for (;; at++) {
        if (at[0] == '-' && at[1] == '-') {
            at = line_comment_end(at);
            if (*at == '\0')
                return NULL;
        }
        if (*at == '\n' || *at == '\r')
            has_newline = true;
        else if (!is_space(*at))
            return has_newline && *at == '\'' ? at : NULL;
    }
}

/* The end of an E'' string with all that continues it: there, backslashes still escape. */
static const char *escape_string_end(const char *at)
{
    for (;;) {
        const char *end = quote_end(at, true);

        if (end == NULL)
            return NULL;
        at = continuation(end);
        if (at == NULL)
            return end;
    }
}

/* The length of "$tag$" at AT, or 0. */
static size_t dollar_tag(const char *at)
{
    size_t length = 1;

    if (is_word_start(at[1])) {
        while (is_word_part(at[length]) && at[length] != '$')
            length++;
    }
    return at[length] == '$' ? length + 1 : 0;
}

static const char *dollar_quote_end(const char *at, size_t tag_length)
{
    const char *body = at + tag_length;

    // The tag's text is compared in place: a copy of each tag would only feed strstr.
    for (const char *end = strchr(body, '$'); end != NULL; end = strchr(end + 1, '$')) {
        if (strncmp(end, at, tag_length) == 0)
            return end + tag_length;
    }
    return NULL;
}

static struct sql_token token_to(enum sql_token_kind kind, const char *from, const char *to)
{
    return (struct sql_token){.kind = kind, .text = from, .length = (size_t)(to - from)};
}

/* A token that must end somewhere; END NULL: it does not. */
static struct sql_token token_closed(struct sql_lexer *lexer, enum sql_token_kind kind,
                                     const char *end, const char *what)
{
    if (end == NULL) {
        lexer->unterminated = lexer->at;
        lexer->what = what;
        return token_to(SQL_END, lexer->at, lexer->at);
    }
    return token_to(kind, lexer->at, end);
}

static struct sql_token token_dollar(struct sql_lexer *lexer)
{
    const char *at = lexer->at;
    size_t tag_length = dollar_tag(at);

    if (tag_length > 0)
        return token_closed(lexer, SQL_STRING, dollar_quote_end(at, tag_length),
                            "dollar-quoted string");
    if (at[1] == '{') {
        struct sql_token token = token_to(SQL_BROKEN, at, at + 2);

        if (reference_read(at, &token.reference)) {
            token.kind = SQL_REFERENCE;
            token.length = token.reference.length;
        }
        return token;
    }
    if (is_digit(at[1]))
        return token_to(SQL_NUMBER, at, at + 1 + strspn(at + 1, "0123456789"));
    return token_to(SQL_OTHER, at, at + 1);
}

static struct sql_token token_word(struct sql_lexer *lexer)
{
    const char *at = lexer->at, *end = at;

    // "$" may be part of a word, but not where it begins a reference.
    while (is_word_part(*end) && !starts_with(end, "${"))
        end++;
    if (end - at == 1 && *end == '\'' && (*at == 'e' || *at == 'E'))
        return token_closed(lexer, SQL_STRING, escape_string_end(end), "quoted string");
    return token_to(SQL_WORD, at, end);
}

static struct sql_token token_number(const struct sql_lexer *lexer)
{
    const char *end = lexer->at;

    while (is_digit(*end) || is_word_start(*end) || (*end == '.' && end[1] != '.'))
        end++;
    return token_to(SQL_NUMBER, lexer->at, end);
}

static enum sql_token_kind single_kind(char c)
{
    switch (c) {
    case ';':
        return SQL_SEMICOLON;
    case '(':
        return SQL_OPEN;
    case ')':
        return SQL_CLOSE;
    case '\\':
        return SQL_BACKSLASH;
    default:
        return SQL_OTHER;
    }
}

static struct sql_token token_read(struct sql_lexer *lexer)
{
    const char *at = lexer->at;

    if (*at == '\0')
        return token_to(SQL_END, at, at);
    if (is_space(*at))
        return token_to(SQL_SPACE, at, at + strspn(at, " \t\n\v\f\r"));
    if (at[0] == '-' && at[1] == '-')
        return token_to(SQL_COMMENT, at, line_comment_end(at));
    if (at[0] == '/' && at[1] == '*')
        return token_closed(lexer, SQL_COMMENT, block_comment_end(at), "comment");
    if (*at == '\'')
        return token_closed(lexer, SQL_STRING, quote_end(at, false), "quoted string");
    if (*at == '"')
        return token_closed(lexer, SQL_IDENTIFIER, quote_end(at, false), "quoted identifier");
    if (*at == '$')
        return token_dollar(lexer);
    if (is_word_start(*at))
        return token_word(lexer);
    if (is_digit(*at))
        return token_number(lexer);
    return token_to(single_kind(*at), at, at + 1);
}

struct sql_token sql_token_next(struct sql_lexer *lexer)
{
    struct sql_token token = token_read(lexer);

    lexer->at += token.length;
    return token;
}

bool sql_token_is_space(const struct sql_token *token)
{
    return token->kind == SQL_SPACE || token->kind == SQL_COMMENT;
}
