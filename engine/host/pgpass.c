/* libpq's password file. */
#include "host/pgpass.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What follows the field that starts at LINE if it is TOKEN or "*", else NULL. */
static char *field_skip(char *line, const char *token)
{
    if (line == NULL)
        return NULL;
    if (line[0] == '*' && line[1] == ':')
        return line + 2;
    for (; *line != '\0'; line++, token++) {
        if (*line == ':' && *token == '\0')
            return line + 1;
        if (*line == '\\')
            line++;
        if (*token == '\0' || *line != *token)
            return NULL;
    }
    return NULL;
}

/* The password of LINE, still escaped, if the line is KEY's. */
static char *line_match(char *line, const struct pgpass_key *key, const char *port)
{
    if (line[0] == '#')
        return NULL;
    return field_skip(field_skip(field_skip(field_skip(line, key->host), port), key->database),
                      key->user);
}

/* Moves the password to the beginning of the secret and wipes everything else. */
static void password_keep(struct secret *file, const char *escaped)
{
    size_t length = 0;

    for (; *escaped != '\0' && *escaped != ':'; escaped++) {
        if (*escaped == '\\' && escaped[1] != '\0')
            escaped++;
        file->bytes[length++] = *escaped;
    }
    explicit_bzero(file->bytes + length, file->length - length);
    file->length = length;
}

static void password_find(struct arena *arena, const struct pgpass_key *key, struct secret *file)
{
    const char *port = arena_printf(arena, "%d", key->port);
    char *line = file->bytes, *next;

    for (; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';

        size_t length = strlen(line);

        if (length > 0 && line[length - 1] == '\r')
            line[length - 1] = '\0';

        char *escaped = line_match(line, key, port);

        if (escaped != NULL && *escaped != '\0') {
            password_keep(file, escaped);
            return;
        }
        if (escaped != NULL)
            break;
    }
    secret_release(file);
}

struct error *pgpass_find(struct arena *arena, const struct pgpass_key *key, struct secret *out)
{
    const char *named = getenv("PGPASSFILE"); // NOLINT(concurrency-mt-unsafe)
    const char *path = path_join(arena, ".", named != NULL ? named : "~/.pgpass");
    const struct secret_reference reference = {.source = SECRET_FILE, .argument = path};
    struct secret secret = {0};
    struct stat status;

    if (stat(path, &status) != 0 || status.st_size == 0) {
        *out = secret;
        return NULL;
    }
    if (!S_ISREG(status.st_mode))
        return error_new(arena, ERROR_INPUT, "password file \"%s\" is not a plain file", path);
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return error_hint(
            arena,
            error_new(arena, ERROR_INPUT, "password file \"%s\" can be read by others", path),
            "Its permissions should be 0600 or less.");

    struct error *error = secret_fetch(arena, &reference, &secret);

    if (error != NULL)
        return error;
    password_find(arena, key, &secret);
    *out = secret;
    return NULL;
}
