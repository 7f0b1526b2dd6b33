/* The connection to PostgreSQL that a host keeps between looks. */
#include "work.h"

#include <stdlib.h>

struct kept {
    struct postgres *postgres;
    char signature[DIGEST_SIZE]; /* of the request that it was opened for */
};

static void kept_release(void *thing)
{
    struct kept *kept = thing;
    postgres_close(kept->postgres);
    free(kept);
}

struct error *work_request(struct work *work, const struct node *keys, bool read_only,
                           struct postgres_request *out)
{
    struct postgres_request request = {
        .application = work_application(work),
        .read_only = read_only,
        .deadline_ms = work->deadline_ms,
    };
    const struct {
        const char *key;
        const char **value;
    } texts[] = {
        {"database", &request.database},
        {"role", &request.role},
        {"reach", &request.reach},
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        const struct node *node = node_find(keys, texts[i].key);
        struct error *error = node == NULL ? NULL : work_text(work, node, texts[i].value);
        if (error != NULL)
            return error;
    }
    const struct node *settings = node_find(keys, "settings");
    if (settings != NULL) {
        struct shell_environment *list =
            arena_alloc(work->arena, (settings->count + 1) * sizeof(*list));
        NODE_EACH(setting, settings)
        {
            list[request.setting_count].name = setting->key;
            struct error *error = work_text(work, setting, &list[request.setting_count++].value);
            if (error != NULL)
                return error;
        }
        request.settings = list;
    }
    *out = request;
    return NULL;
}

static void request_signature(const struct postgres_request *request, char out[DIGEST_SIZE])
{
    CLEANUP(text_release) struct text text = {0};
    const char *const parts[] = {request->application, request->database, request->role,
                                 request->reach, request->read_only ? "read only" : ""};
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        text_append(&text, parts[i] == NULL ? "" : parts[i]);
        text_append_bytes(&text, "\0", 1);
    }
    for (size_t i = 0; i < request->setting_count; i++) {
        text_append(&text, request->settings[i].name);
        text_append_bytes(&text, "\0", 1);
        text_append(&text, request->settings[i].value);
        text_append_bytes(&text, "\0", 1);
    }
    sha256_hex(text_string(&text), text.length, out);
}

void work_forget_connection(struct work *work)
{
    host_keep(work->host, NULL, NULL);
}

/* *WAS_KEPT: it is an old one, which may have broken since. */
static struct error *connection(struct work *work, const struct postgres_request *request,
                                struct postgres **out, bool *was_kept)
{
    char signature[DIGEST_SIZE];
    request_signature(request, signature);
    struct kept *kept = host_kept(work->host);
    *was_kept = kept != NULL && equal(kept->signature, signature);
    if (*was_kept) {
        *out = kept->postgres;
        return NULL;
    }
    work_forget_connection(work);
    struct postgres *postgres;
    struct error *error = postgres_open(work->host, work->arena, request, &postgres);
    if (error != NULL)
        return error;
    kept = calloc(1, sizeof(*kept));
    if (kept == NULL)
        out_of_memory();
    kept->postgres = postgres;
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        kept->signature[i] = signature[i];
    host_keep(work->host, kept, kept_release);
    *out = postgres;
    return NULL;
}

/*
 * A preview looks at a cluster that nobody has agreed to change. A session's default can be set by
 * the text, or by the step's settings; once a transaction has a snapshot, nothing in it can make it
 * write (PostgreSQL's check_transaction_read_only). The step's settings do not make it last,
 * either.
 */
static struct error *ask_read_only(struct work *work, struct postgres *postgres, const char *text,
                                   struct postgres_result *out, struct postgres_failure *failure)
{
    static const char begin[] = "BEGIN READ ONLY; SET LOCAL statement_timeout = '3s';"
                                " SET LOCAL lock_timeout = '1s';"
                                " SET LOCAL idle_in_transaction_session_timeout = '5s'; SELECT 1";
    struct postgres_result ignored;
    struct error *error =
        postgres_execute(postgres, work->arena, begin, work->deadline_ms, &ignored, failure);
    if (error != NULL)
        return error;
    error = postgres_execute(postgres, work->arena, text, work->deadline_ms, out, failure);
    if (postgres_execute(postgres, work->arena, "ROLLBACK", work->deadline_ms, &ignored, NULL) !=
        NULL)
        work_forget_connection(work);
    return error;
}

struct error *work_ask(struct work *work, const struct postgres_request *request, const char *text,
                       struct postgres_result *out, struct postgres_failure *failure)
{
    for (;;) {
        struct postgres *postgres;
        bool was_kept;
        struct postgres_failure own = {0};
        struct error *error = connection(work, request, &postgres, &was_kept);
        if (error == NULL) {
            error = work->is_preview ? ask_read_only(work, postgres, text, out, &own)
                                     : postgres_execute(postgres, work->arena, text,
                                                        work->deadline_ms, out, &own);
            if (error == NULL)
                return NULL;
            if (own.sqlstate[0] == '\0' || own.connection_lost)
                work_forget_connection(work);
        }
        // A look may be repeated, and a kept connection may have died long before we asked.
        if (own.connection_lost && was_kept)
            continue;
        if (failure != NULL)
            *failure = own;
        return error;
    }
}

struct error *work_version(struct work *work, const struct postgres_request *request, int *version)
{
    struct postgres *postgres;
    bool was_kept;
    struct error *error = connection(work, request, &postgres, &was_kept);
    if (error == NULL)
        *version = postgres_version(postgres);
    return error;
}

/* The characters of a UTF-8 text, near enough to its width. */
static size_t width(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static void append_row(struct text *out, const char *const *cells, const size_t *widths,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *cell = cells[i] == NULL ? "" : cells[i];
        text_append(out, i == 0 ? "" : "  ");
        text_append(out, cell);
        for (size_t have = width(cell); have < widths[i] && i + 1 < count; have++)
            text_append(out, " ");
    }
    text_append(out, "\n");
}

void work_show_rows(struct work *work, const struct postgres_result *result)
{
    if (result->columns == 0)
        return;
    size_t *widths = arena_alloc(work->arena, result->columns * sizeof(*widths));
    for (size_t column = 0; column < result->columns; column++)
        widths[column] = width(result->names[column]);
    for (size_t cell = 0; cell < result->rows * result->columns; cell++) {
        size_t wide = result->values[cell] == NULL ? 0 : width(result->values[cell]);
        if (wide > widths[cell % result->columns])
            widths[cell % result->columns] = wide;
    }
    append_row(&work->shown, result->names, widths, result->columns);
    for (size_t row = 0; row < result->rows; row++)
        append_row(&work->shown, result->values + row * result->columns, widths, result->columns);
}
