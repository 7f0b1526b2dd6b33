/* Settings, and questions of one connection. */
#include "host/postgres_session.h"

#include <string.h>
#include <strings.h>

enum { SECOND_MS = 1000 };

/* standard_conforming_strings is on in every session, so that only quotes need care. */
static void literal_append(struct text *text, const char *value)
{
    text_append(text, "'");
    for (; *value != '\0'; value++) {
        if (*value == '\'')
            text_append(text, "'");
        text_append_bytes(text, value, 1);
    }
    text_append(text, "'");
}

static void setting_append(struct text *text, const char *name, const char *value)
{
    text_append(text, text->length == 0 ? "SELECT " : ", ");
    text_append(text, "pg_catalog.set_config(");
    literal_append(text, name);
    text_append(text, ", ");
    literal_append(text, value);
    text_append(text, ", false)");
}

const char *postgres_settings_text(struct arena *arena, const struct postgres_request *request)
{
    struct text text CLEANUP(text_release) = {0};

    for (size_t at = 0; at < request->setting_count; at++)
        setting_append(&text, request->settings[at].name, request->settings[at].value);
    // The role comes last: it may not be allowed to set the others.
    if (request->role != NULL)
        setting_append(&text, "role", request->role);
    return text.length == 0 ? NULL : text_copy(&text, arena);
}

bool postgres_settings_have_timeout(const struct postgres_request *request)
{
    for (size_t at = 0; at < request->setting_count; at++)
        if (strcasecmp(request->settings[at].name, "statement_timeout") == 0)
            return true;
    return false;
}

int64_t postgres_timeout_ms(int64_t deadline_ms)
{
    const int64_t largest = INT32_MAX - 2 * SECOND_MS;
    int64_t left = deadline_ms - clock_ms();

    if (left < 0)
        left = 0;
    return ((left < largest ? left : largest) / SECOND_MS + 2) * SECOND_MS;
}

struct error *postgres_ask(struct host *host, struct arena *arena,
                           const struct postgres_request *request, const char *text,
                           struct postgres_result *out)
{
    struct postgres *postgres = NULL;
    struct error *error = postgres_open(host, arena, request, &postgres);

    if (error == NULL)
        error = postgres_execute(postgres, arena, text, request->deadline_ms, out, NULL);
    postgres_close(postgres);
    return error;
}

bool postgres_is_true(const struct postgres_result *result)
{
    const char *value = result->rows == 1 && result->columns == 1 ? result->values[0] : NULL;

    return equal(value, "t") || equal(value, "true");
}
