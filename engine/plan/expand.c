#include "plan/reference.h"
#include "plan/scope.h"
#include "plan/shelltext.h"
#include "plan/sqlspot.h"

#include <inttypes.h>
#include <string.h>

static struct error *broken(struct arena *arena, struct place place)
{
    return error_hint(arena, error_at(arena, place, REFERENCE_BROKEN), "%s", REFERENCE_BROKEN_HINT);
}

/* NULL, and an error, if the reference has no value that a text may hold. */
static const struct value *value_for(struct arena *arena, const struct scope *scope,
                                     const char *host, struct place place,
                                     const struct reference *reference, struct error **error)
{
    int length = (int)reference->name_length;
    const struct value *value =
        scope_find_bytes(scope, host, reference->name, reference->name_length);

    if (value == NULL)
        *error = error_at(arena, place, "value \"%.*s\" is not known yet", length, reference->name);
    else if (value->type == VALUE_SECRET)
        *error = error_at(arena, place, "secret \"%.*s\" cannot be put into a text", length,
                          reference->name);
    else
        return value;
    return NULL;
}

struct error *expand_text(struct arena *arena, const struct scope *scope, const char *host,
                          const struct place place, const char *text, const char **out)
{
    CLEANUP(text_release) struct text result = {0};

    for (const char *dollar = strchr(text, '$'); dollar != NULL; dollar = strchr(text, '$')) {
        text_append_bytes(&result, text, (size_t)(dollar - text));
        if (starts_with(dollar, "$${")) {
            text_append(&result, "${");
            text = dollar + 3;
            continue;
        }
        if (dollar[1] != '{') {
            text_append(&result, "$");
            text = dollar + 1;
            continue;
        }

        struct reference reference;

        if (!reference_read(dollar, &reference) || reference.is_identifier)
            return broken(arena, place);

        struct error *error = NULL;
        const struct value *value = value_for(arena, scope, host, place, &reference, &error);

        if (value == NULL)
            return error;
        text_append(&result, value->text);
        text = dollar + reference.length;
    }
    text_append(&result, text);
    if (result.truncated)
        return error_at(arena, place, "the text is larger than %zu bytes with its values",
                        TEXT_LIMIT);
    *out = text_copy(&result, arena);
    return NULL;
}

static void append_quoted(struct text *text, char quote, const char *value)
{
    text_append_bytes(text, &quote, 1);
    for (const char *end = strchr(value, quote); end != NULL; end = strchr(value, quote)) {
        text_append_bytes(text, value, (size_t)(end - value) + 1);
        text_append_bytes(text, &quote, 1);
        value = end + 1;
    }
    text_append(text, value);
    text_append_bytes(text, &quote, 1);
}

/* Seconds, exactly: 10, 0.5, 0.001. */
static const char *seconds_text(struct arena *arena, int64_t ms)
{
    char *text = arena_printf(arena, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
    size_t length = strlen(text);

    while (text[length - 1] == '0')
        length--;
    if (text[length - 1] == '.')
        length--;
    text[length] = '\0';
    return text;
}

static bool is_number(const struct value *value)
{
    return value->type == VALUE_INTEGER || value->type == VALUE_SIZE ||
           value->type == VALUE_DURATION || value->type == VALUE_BOOLEAN;
}

/* What a program reads: sizes in bytes, durations in seconds, all else as written. */
static const char *plain_text(struct arena *arena, const struct value *value)
{
    if (value->type == VALUE_SIZE)
        return arena_printf(arena, "%" PRId64, value->number);
    return value->type == VALUE_DURATION ? seconds_text(arena, value->number) : value->text;
}

static void append_sql(struct arena *arena, struct text *text, const struct value *value,
                       bool is_identifier)
{
    if (is_identifier) {
        append_quoted(text, '"', value->text);
    } else if (is_number(value)) {
        const char *number = plain_text(arena, value);

        // "-" and a negative number would together begin a comment.
        text_append(text, *number == '-' ? " " : "");
        text_append(text, number);
    } else {
        append_quoted(text, '\'', value->text);
    }
}

struct error *expand_sql(struct arena *arena, const struct scope *scope, const char *host,
                         const struct place place, const char *text, const char **out)
{
    CLEANUP(text_release) struct text result = {0};
    struct sql_reader reader = {.arena = arena, .lexer = {.at = text}};
    struct sql_spot spot;

    while (sql_spot_next(&reader, &spot)) {
        text_append_bytes(&result, text, (size_t)(spot.text - text));
        text = spot.text + spot.length;
        if (spot.message != NULL)
            return error_hint(arena, error_at(arena, place, "%s", spot.message), "%s", spot.hint);
        if (spot.is_escape) {
            text_append(&result, "${");
            continue;
        }

        struct error *error = NULL;
        const struct value *value = value_for(arena, scope, host, place, &spot.reference, &error);

        if (value == NULL)
            return error;
        append_sql(arena, &result, value, spot.reference.is_identifier);
    }
    text_append(&result, text);
    if (result.truncated)
        return error_at(arena, place, "the text is larger than %zu bytes with its values",
                        TEXT_LIMIT);
    *out = text_copy(&result, arena);
    return NULL;
}

struct variable_list {
    struct arena *arena;
    const struct scope *scope;
    const char *host;
    struct shell_variable *items;
    size_t count, capacity;
    struct table known;
};

static void variable_add(struct variable_list *list, struct shell_variable variable)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        struct shell_variable *items = arena_alloc(list->arena, capacity * sizeof *items);

        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = variable;
}

static void variable_use(void *context, const struct shell_use *use)
{
    struct variable_list *list = context;
    const struct value *value = scope_find_shell(list->scope, list->host, use->name, use->length);

    // A secret never becomes a variable: whoever may look at a process sees its environment.
    if (value == NULL || value->type == VALUE_SECRET ||
        table_find_bytes(&list->known, use->name, use->length) != NULL)
        return;

    const char *name = arena_copy(list->arena, use->name, use->length);

    *table_place(&list->known, name) = list;
    variable_add(list, (struct shell_variable){name, plain_text(list->arena, value)});
}

struct error *shell_variables(struct arena *arena, const struct scope *scope, const char *host,
                              const char *text, const struct shell_variable **out, size_t *count)
{
    struct variable_list list = {.arena = arena, .scope = scope, .host = host};
    struct shell_visitor visitor = {.use = variable_use, .context = &list};

    table_init(&list.known, arena);
    (void)shell_scan(text, &visitor);
    *out = list.items;
    *count = list.count;
    return NULL;
}
