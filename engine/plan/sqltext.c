#include "plan/sqltext.h"
#include "plan/sqllex.h"

#include <string.h>
#include <strings.h>

enum {
    WORDS_MOST = 8, /* what a statement is, is said by its first words */
};

/* One statement, while it is read token by token. */
struct statement {
    const char *begin, *end; /* of what is not white space; NULL: nothing yet */
    const char *words[WORDS_MOST];
    size_t lengths[WORDS_MOST];
    size_t word_count; /* may be more than are kept */
    size_t token_count;
    int parens, begins;
    bool is_concurrent;
    struct sql_token before; /* the word before the current one */
};

static bool word_is(const char *word, size_t length, const char *expected)
{
    return strlen(expected) == length && strncasecmp(word, expected, length) == 0;
}

static bool token_is(const struct sql_token *token, const char *expected)
{
    return token->kind == SQL_WORD && word_is(token->text, token->length, expected);
}

/* Do the statement's words, from the one at FROM on, begin with PATTERN? */
static bool words_are(const struct statement *statement, size_t from, const char *pattern)
{
    for (size_t at = from; *pattern != '\0'; at++) {
        size_t length = strcspn(pattern, " ");

        if (at >= statement->word_count || at >= WORDS_MOST || statement->lengths[at] != length ||
            strncasecmp(statement->words[at], pattern, length) != 0)
            return false;
        pattern += length;
        pattern += *pattern == ' ';
    }
    return true;
}

/*
 * CREATE FUNCTION ... BEGIN ATOMIC ...; ...; END (PostgreSQL 14 and later) holds semicolons of its
 * own, and CASE ... END may stand between. This is psql's rule (src/fe_utils/psqlscan.l).
 */
static void count_begins(struct statement *statement, const struct sql_token *token)
{
    size_t at = words_are(statement, 0, "create or replace") ? 3 : 1;

    if (!token_is(token, "begin") && !token_is(token, "case") && !token_is(token, "end"))
        return;
    if (statement->parens > 0 || !words_are(statement, 0, "create") ||
        (!words_are(statement, at, "function") && !words_are(statement, at, "procedure")))
        return;
    if (token_is(token, "begin") || (token_is(token, "case") && statement->begins > 0))
        statement->begins++;
    else if (token_is(token, "end") && statement->begins > 0)
        statement->begins--;
}

static void statement_add_word(struct statement *statement, const struct sql_token *token)
{
    if (statement->word_count < WORDS_MOST) {
        statement->words[statement->word_count] = token->text;
        statement->lengths[statement->word_count] = token->length;
    }
    statement->word_count++;
    statement->is_concurrent |= token_is(token, "concurrently");
    count_begins(statement, token);
}

/* True if the token ends the statement. */
static bool statement_add(struct statement *statement, const struct sql_token *token)
{
    if (token->kind == SQL_END)
        return true;
    if (sql_token_is_space(token))
        return false;
    if (token->kind == SQL_SEMICOLON && statement->parens == 0 && statement->begins == 0)
        return true;
    if (statement->begin == NULL)
        statement->begin = token->text;
    statement->end = token->text + token->length;
    statement->token_count++;
    if (token->kind == SQL_OPEN)
        statement->parens++;
    else if (token->kind == SQL_CLOSE && statement->parens > 0)
        statement->parens--;
    else if (token->kind == SQL_WORD)
        statement_add_word(statement, token);
    return false;
}

struct statement_list {
    struct arena *arena;
    struct sql_statement *items;
    size_t count, capacity;
    const char *counted; /* lines are counted up to here */
    int line;
};

static void list_add(struct statement_list *list, const struct statement *statement)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        struct sql_statement *items = arena_alloc(list->arena, capacity * sizeof *items);

        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    for (; list->counted < statement->begin; list->counted++)
        list->line += *list->counted == '\n';
    list->items[list->count++] = (struct sql_statement){
        .text = statement->begin,
        .length = (size_t)(statement->end - statement->begin),
        .line = list->line,
    };
}

static struct error *unterminated(struct arena *arena, const char *text,
                                  const struct sql_lexer *lexer)
{
    struct place place = {.line = 1, .column = 1};

    for (; text < lexer->unterminated; text++) {
        place.column = *text == '\n' ? 1 : place.column + 1;
        place.line += *text == '\n';
    }
    return error_at(arena, place, "%s has no end", lexer->what);
}

struct error *sql_split(struct arena *arena, const char *text, const struct sql_statement **out,
                        size_t *count)
{
    struct statement_list list = {.arena = arena, .counted = text, .line = 1};
    struct sql_lexer lexer = {.at = text};
    struct statement statement = {0};
    struct sql_token token;

    do {
        token = sql_token_next(&lexer);
        if (!statement_add(&statement, &token))
            continue;
        if (statement.begin != NULL)
            list_add(&list, &statement);
        statement = (struct statement){0};
    } while (token.kind != SQL_END);
    if (lexer.unterminated != NULL)
        return unterminated(arena, text, &lexer);
    *out = list.items;
    *count = list.count;
    return NULL;
}

static const char why_control[] =
    "The step itself is one transaction: leave BEGIN and COMMIT to it, or write \"transaction: "
    "none\".";
static const char why_refused[] =
    "PostgreSQL refuses it inside a transaction. Write \"transaction: none\".";
static const char why_psql[] =
    "The text is sent to the server as it is, and psql's own commands are not SQL.";
static const char why_copy[] =
    "There is no client that has or takes the rows. Use a file on the server, or INSERT.";

struct rule {
    const char *words; /* the first ones of the statement */
    const char *name;
    const char *why;
    bool if_concurrent;
};

static const struct rule rules[] = {
    {"begin", "BEGIN", why_control, false},
    {"start transaction", "START TRANSACTION", why_control, false},
    {"commit", "COMMIT", why_control, false},
    {"end", "END", why_control, false},
    {"abort", "ABORT", why_control, false},
    {"rollback", "ROLLBACK", why_control, false},
    {"prepare transaction", "PREPARE TRANSACTION", why_control, false},
    {"vacuum", "VACUUM", why_refused, false},
    {"alter system", "ALTER SYSTEM", why_refused, false},
    {"create database", "CREATE DATABASE", why_refused, false},
    {"drop database", "DROP DATABASE", why_refused, false},
    {"create tablespace", "CREATE TABLESPACE", why_refused, false},
    {"drop tablespace", "DROP TABLESPACE", why_refused, false},
    {"discard all", "DISCARD ALL", why_refused, false},
    {"reindex database", "REINDEX DATABASE", why_refused, false},
    {"reindex system", "REINDEX SYSTEM", why_refused, false},
    {"reindex schema", "REINDEX SCHEMA", why_refused, false},
    {"reindex", "REINDEX CONCURRENTLY", why_refused, true},
    {"create index", "CREATE INDEX CONCURRENTLY", why_refused, true},
    {"create unique index", "CREATE INDEX CONCURRENTLY", why_refused, true},
    {"drop index", "DROP INDEX CONCURRENTLY", why_refused, true},
    {"alter table", "DETACH PARTITION CONCURRENTLY", why_refused, true},
};

static bool rolls_back_to_savepoint(const struct statement *statement)
{
    return words_are(statement, 0, "rollback to") || words_are(statement, 0, "rollback work to") ||
           words_are(statement, 0, "rollback transaction to");
}

/* CLUSTER without a table goes through the whole database. */
static bool clusters_all(const struct statement *statement)
{
    return (statement->token_count == 1 && words_are(statement, 0, "cluster")) ||
           (statement->token_count == 2 && words_are(statement, 0, "cluster verbose"));
}

static const char *statement_forbidden(const struct statement *statement, const char **why)
{
    for (size_t at = 0; at < ARRAY_COUNT(rules); at++) {
        const struct rule *rule = &rules[at];

        if (!words_are(statement, 0, rule->words) ||
            (rule->if_concurrent && !statement->is_concurrent))
            continue;
        if (rolls_back_to_savepoint(statement))
            return NULL;
        *why = rule->why;
        return rule->name;
    }
    if (clusters_all(statement)) {
        *why = why_refused;
        return "CLUSTER";
    }
    return NULL;
}

/* What a single token gives away: the rest of the text need not even be SQL. */
static const char *token_unsendable(const struct statement *statement,
                                    const struct sql_token *token, const char **why)
{
    if (token->kind == SQL_BACKSLASH) {
        *why = why_psql;
        return "a psql command";
    }
    if (!words_are(statement, 0, "copy") || statement->parens > 0)
        return NULL;
    if ((token_is(token, "stdin") && token_is(&statement->before, "from")) ||
        (token_is(token, "stdout") && token_is(&statement->before, "to"))) {
        *why = why_copy;
        return token_is(token, "stdin") ? "COPY FROM STDIN" : "COPY TO STDOUT";
    }
    return NULL;
}

static const char *find(const char *text, bool in_transaction, size_t *offset, const char **why)
{
    struct sql_lexer lexer = {.at = text};
    struct statement statement = {0};
    struct sql_token token;

    do {
        token = sql_token_next(&lexer);

        const char *found = token_unsendable(&statement, &token, why);

        if (found != NULL) {
            *offset = (size_t)((*found == 'a' ? token.text : statement.begin) - text);
            return found;
        }
        if (!sql_token_is_space(&token))
            statement.before = token;
        if (!statement_add(&statement, &token))
            continue;
        if (in_transaction && statement.begin != NULL)
            found = statement_forbidden(&statement, why);
        if (found != NULL) {
            *offset = (size_t)(statement.words[0] - text);
            return found;
        }
        statement = (struct statement){0};
    } while (token.kind != SQL_END);
    return NULL;
}

const char *sql_forbidden(const char *text, size_t *offset, const char **why)
{
    return find(text, true, offset, why);
}

const char *sql_unsendable(const char *text, size_t *offset, const char **why)
{
    return find(text, false, offset, why);
}
