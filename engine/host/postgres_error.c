/* PostgreSQL's words as errors. */
#include "host/postgres_error.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    SQLSTATE_LENGTH = 5,
    LINE_LARGEST = 120, /* bytes of a statement's line that are shown */
};

struct error *postgres_not_connected(struct arena *arena, const struct host_settings *settings,
                                     const struct error *cause)
{
    struct error *error = error_because(
        arena, cause, "could not connect to PostgreSQL on host \"%s\"", settings->name);

    error->hint = cause->hint;
    return error;
}

struct error *postgres_not_running(struct arena *arena, const struct host_settings *settings,
                                   const char *reason)
{
    return error_new(
        arena, ERROR_FAILED,
        "could not connect to PostgreSQL on host \"%s\": the server is not running: %s",
        settings->name, reason);
}

/* Behind "FATAL:  28P01: " in LINE, with the SQLSTATE; LINE and "" if libpq itself speaks. */
static const char *sqlstate_split(const char *line, char sqlstate[SQLSTATE_LENGTH + 1])
{
    const char *state = strstr(line, ":  ");

    sqlstate[0] = '\0';
    if (state == NULL)
        return line;
    state += strlen(":  ");
    for (int at = 0; at < SQLSTATE_LENGTH; at++)
        if (!isdigit((unsigned char)state[at]) && !isupper((unsigned char)state[at]))
            return line;
    if (!starts_with(state + SQLSTATE_LENGTH, ": "))
        return line;
    memcpy(sqlstate, state, SQLSTATE_LENGTH);
    sqlstate[SQLSTATE_LENGTH] = '\0';
    return state + SQLSTATE_LENGTH + strlen(": ");
}

/*
 * A name may have several addresses, and libpq says of each why it failed. Where nobody listens at
 * one of them, the server may still run at another: what that one says counts.
 */
static const char *telling(const char *text)
{
    static const char prefix[] = "failed: ", refused[] = "Connection refused\n";
    const char *first = NULL;

    for (const char *at = text; (at = strstr(at, prefix)) != NULL;) {
        at += strlen(prefix);
        if (!starts_with(at, refused))
            return at;
        first = first == NULL ? at : first;
    }
    return first == NULL ? text : first;
}

static const char *first_line(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strcspn(text, "\n"));
}

static struct error *libpq_error(struct arena *arena, const struct host_settings *settings,
                                 const char *line)
{
    if (ends_with(line, "Connection refused"))
        return postgres_not_running(arena, settings, "Connection refused");

    bool is_broken = strstr(line, "closed the connection") != NULL;
    struct error *error = postgres_not_connected(
        arena, settings,
        error_new(arena, is_broken ? ERROR_FAILED : ERROR_UNREACHABLE, "%s", line));

    if (strstr(line, "no password supplied") != NULL)
        (void)error_hint(arena, error,
                         "Give \"password\" in the cluster file's \"postgres\" section, or a line "
                         "for %s:%d in ~/.pgpass.",
                         settings->address, settings->postgres.port);
    else if (strstr(line, "does not support SSL") != NULL ||
             strstr(line, "root certificate") != NULL)
        (void)error_hint(arena, error,
                         "Without \"sslmode\" a direct connection is made as with \"verify-full\": "
                         "see \"sslmode\" and \"ca\" in the cluster file's \"postgres\" section.");
    return error;
}

struct error *postgres_refused(struct arena *arena, const struct host_settings *settings,
                               const char *text, const struct error *password_problem)
{
    char sqlstate[SQLSTATE_LENGTH + 1];
    const char *line = sqlstate_split(first_line(arena, telling(text)), sqlstate);

    // 57P01 to 57P03: the server is shutting down, has crashed, or is starting up.
    if (starts_with(sqlstate, "57P"))
        return postgres_not_running(arena, settings, line);

    struct error *error;

    if (starts_with(sqlstate, "28"))
        error = postgres_not_connected(arena, settings,
                                       error_new(arena, ERROR_UNREACHABLE, "%s", line));
    else if (sqlstate[0] != '\0')
        error = postgres_not_connected(arena, settings, error_new(arena, ERROR_FAILED, "%s", line));
    else
        error = libpq_error(arena, settings, line);
    if (error->kind == ERROR_UNREACHABLE && password_problem != NULL)
        return error_hint(arena, error, "%s. %s", error_text(arena, password_problem),
                          password_problem->hint != NULL ? password_problem->hint : "");
    if (equal(sqlstate, "28P01"))
        return error_hint(arena, error,
                          "Check \"user\" and \"password\" in the cluster file's \"postgres\" "
                          "section, or ~/.pgpass.");
    if (equal(sqlstate, "28000"))
        return error_hint(arena, error,
                          "Check pg_hba.conf on the host, and \"reach\", \"os-user\", \"user\" and "
                          "\"sslmode\" in the cluster file's \"postgres\" section.");
    return error;
}

struct error *postgres_lost(struct arena *arena, const struct host_settings *settings,
                            const char *text)
{
    return error_new(arena, ERROR_FAILED, "the connection to PostgreSQL on host \"%s\" broke: %s",
                     settings->name, first_line(arena, text));
}

/* "At line 3: SELECT * FROM nope." for a position that counts characters from 1. */
static void position_append(struct text *hint, const char *statement, const char *position)
{
    long left = strtol(position, NULL, 10) - 1;
    const char *line = statement, *at = statement;
    int number = 1;

    for (; left > 0 && *at != '\0'; left--) {
        size_t length = utf8_length(at, strlen(at) < 4 ? strlen(at) : 4, NULL);

        if (*at == '\n') {
            line = at + 1;
            number++;
        }
        at += length == 0 ? 1 : length;
    }

    size_t length = strcspn(line, "\n");
    bool is_cut = length > LINE_LARGEST;

    text_append_format(hint, "%sAt line %d: ", hint->length > 0 ? " " : "", number);
    text_append_visible(hint, line, is_cut ? LINE_LARGEST : length);
    text_append(hint, is_cut ? " ..." : "");
}

static void part_append(struct text *hint, const char *part)
{
    if (part == NULL)
        return;
    if (hint->length > 0)
        text_append(hint, " ");
    text_append(hint, part);
}

struct error *postgres_statement_error(struct arena *arena, const char *statement,
                                       const struct postgres_message *message)
{
    struct text hint CLEANUP(text_release) = {0};
    struct error *error = error_new(arena, ERROR_FAILED, "%s", message->primary);

    part_append(&hint, message->detail);
    part_append(&hint, message->hint);
    part_append(&hint, message->context);
    if (message->position != NULL)
        position_append(&hint, statement, message->position);
    if (hint.length > 0)
        error->hint = text_copy(&hint, arena);
    return error;
}
