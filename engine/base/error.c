#include "base/error.h"

#include <string.h>

__attribute__((format(printf, 3, 0))) static struct error *
error_make(struct arena *arena, enum error_kind kind, const char *format, va_list arguments)
{
    struct error *error = arena_alloc(arena, sizeof *error);

    error->kind = kind;
    error->message = arena_vprintf(arena, format, arguments);
    return error;
}

struct error *error_new(struct arena *arena, enum error_kind kind, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    struct error *error = error_make(arena, kind, format, arguments);
    va_end(arguments);
    return error;
}

struct error *error_at(struct arena *arena, struct place place, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    struct error *error = error_make(arena, ERROR_INPUT, format, arguments);
    va_end(arguments);
    error->place = place;
    return error;
}

struct error *error_because(struct arena *arena, const struct error *cause, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    struct error *error = error_make(arena, cause->kind, format, arguments);
    va_end(arguments);
    error->cause = cause;
    return error;
}

struct error *error_hint(struct arena *arena, struct error *error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    error->hint = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return error;
}

const char *error_find_hint(const struct error *error)
{
    while (error != NULL && error->hint == NULL)
        error = error->cause;
    return error == NULL ? NULL : error->hint;
}

const char *error_text(struct arena *arena, const struct error *error)
{
    const char *text = arena_strdup(arena, error->message);

    for (const struct error *cause = error->cause; cause != NULL; cause = cause->cause)
        text = arena_printf(arena, "%s: %s", text, cause->message);
    return text;
}

struct error *error_copy(struct arena *arena, const struct error *error)
{
    struct error *copy = arena_alloc(arena, sizeof *copy);

    *copy = *error;
    copy->message = arena_strdup(arena, error->message);
    if (error->hint != NULL)
        copy->hint = arena_strdup(arena, error->hint);
    if (error->place.file != NULL)
        copy->place.file = arena_strdup(arena, error->place.file);
    if (error->cause != NULL)
        copy->cause = error_copy(arena, error->cause);
    return copy;
}

const char *errno_text(struct arena *arena, int number)
{
    char buffer[128];

    return arena_strdup(arena, strerror_r(number, buffer, sizeof buffer));
}
