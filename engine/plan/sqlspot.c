#include "plan/sqlspot.h"
#include "base/text.h"

#include <string.h>

static bool joins(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '\'' || c == '"' || (unsigned char)c >= 0x80;
}

/* "U&" before a quote makes another kind of string of it. */
static bool ends_in_unicode(const char *begin, const char *at)
{
    return at - begin >= 2 && at[-1] == '&' && (at[-2] == 'u' || at[-2] == 'U') &&
           (at - begin == 2 || !joins(at[-3]));
}

static const char *spot_text(const struct sql_reader *reader, const struct sql_spot *spot)
{
    return arena_copy(reader->arena, spot->text, spot->length);
}

static void check_neighbours(const struct sql_reader *reader, struct sql_spot *spot)
{
    const char *at = spot->text;

    if ((at > reader->begin && joins(at[-1])) || joins(at[spot->length]) ||
        ends_in_unicode(reader->begin, at)) {
        spot->message = arena_printf(reader->arena, "\"%s\" touches what is beside it",
                                     spot_text(reader, spot));
        spot->hint = "A value becomes one whole literal. Set it apart, or join texts with ||.";
    } else if (reader->follows_literal && !spot->reference.is_identifier) {
        spot->message =
            arena_printf(reader->arena, "\"%s\" follows a quoted string", spot_text(reader, spot));
        spot->hint = "PostgreSQL reads two strings on two lines as one. Join texts with ||.";
    }
}

static const char *quote_name(const struct sql_token *token)
{
    if (token->kind == SQL_COMMENT)
        return "a comment";
    if (token->kind == SQL_IDENTIFIER)
        return "a quoted identifier";
    return *token->text == '$' ? "a dollar-quoted string" : "a quoted string";
}

/* The next "${" inside the quoted token. */
static bool spot_within(struct sql_reader *reader, struct sql_spot *out)
{
    const struct sql_token *token = &reader->token;
    const char *found = reference_next(reader->within, token->text + token->length);

    reader->within = NULL;
    if (found == NULL)
        return false;
    *out = (struct sql_spot){.text = found, .length = 3, .is_escape = found[1] == '$'};
    if (!out->is_escape) {
        struct reference reference;

        out->length =
            reference_read(found, &reference) ? reference.length : reference_broken_length(found);
        out->message = arena_printf(reader->arena, "\"%s\" cannot stand in %s",
                                    spot_text(reader, out), quote_name(token));
        out->hint = "A value becomes one whole literal: join it outside the quotes with ||, or "
                    "write $${ for the characters themselves.";
    }
    reader->within = found + out->length;
    return true;
}

static bool spot_at(struct sql_reader *reader, const struct sql_token *token, struct sql_spot *out)
{
    *out = (struct sql_spot){.text = token->text, .length = token->length};
    switch (token->kind) {
    case SQL_REFERENCE:
        out->reference = token->reference;
        check_neighbours(reader, out);
        return true;
    case SQL_BROKEN:
        out->length = reference_broken_length(token->text);
        out->message = REFERENCE_BROKEN;
        out->hint = REFERENCE_BROKEN_HINT;
        return true;
    case SQL_STRING:
    case SQL_IDENTIFIER:
    case SQL_COMMENT:
        reader->token = *token;
        // What opens a dollar quote is no part of "$${" or "${", even if a brace follows.
        reader->within = *token->text == '$' ? strchr(token->text + 1, '$') + 1 : token->text;
        return false;
    default:
        return false;
    }
}

static bool spot_unterminated(struct sql_reader *reader, struct sql_spot *out)
{
    if (reader->lexer.unterminated == NULL)
        return false;
    *out = (struct sql_spot){
        .text = reader->lexer.unterminated,
        .length = 1,
        .message = arena_printf(reader->arena, "%s has no end", reader->lexer.what),
        .hint = "It begins here.",
    };
    reader->lexer = (struct sql_lexer){.at = ""};
    return true;
}

bool sql_spot_next(struct sql_reader *reader, struct sql_spot *out)
{
    if (reader->begin == NULL)
        reader->begin = reader->lexer.at;
    for (;;) {
        if (reader->within != NULL && spot_within(reader, out))
            return true;

        struct sql_token token = sql_token_next(&reader->lexer);

        if (token.kind == SQL_END)
            return spot_unterminated(reader, out);

        bool is_spot = spot_at(reader, &token, out);

        if (!sql_token_is_space(&token))
            reader->follows_literal = token.kind == SQL_STRING || (token.kind == SQL_REFERENCE &&
                                                                   !token.reference.is_identifier);
        if (is_spot)
            return true;
    }
}
