#include "plan/value.h"
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"kB", 1024},
    {"MB", INT64_C(1) << 20},
    {"GB", INT64_C(1) << 30},
    {"TB", INT64_C(1) << 40},
    {NULL, 0},
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

const char *value_type_name(enum value_type type)
{
    static const char *const names[] = {
        [VALUE_TEXT] = "text",     [VALUE_INTEGER] = "integer",   [VALUE_BOOLEAN] = "boolean",
        [VALUE_SIZE] = "size",     [VALUE_DURATION] = "duration", [VALUE_PATH] = "path",
        [VALUE_SECRET] = "secret",
    };

    return names[type];
}

const char *value_type_hint(enum value_type type)
{
    static const char *const hints[] = {
        [VALUE_TEXT] = NULL,
        [VALUE_INTEGER] = "An integer is decimal digits, such as 8 or -1.",
        [VALUE_BOOLEAN] = "A boolean is true or false.",
        [VALUE_SIZE] = "A size is digits and B, kB, MB, GB or TB, such as 64MB.",
        [VALUE_DURATION] = "A duration is digits and ms, s, m, h or d, such as 30s.",
        [VALUE_PATH] = "A path names a local file.",
        [VALUE_SECRET] = "A secret is a reference: file:PATH, env:NAME or command:COMMAND.",
    };

    return hints[type];
}

/* Decimal digits at TEXT; *END is behind them. False if there are none, or too many. */
static bool read_digits(const char *text, const char **end, int64_t *out)
{
    if (*text < '0' || *text > '9' || (text[0] == '0' && text[1] >= '0' && text[1] <= '9'))
        return false;
    errno = 0;

    char *stop;
    long long number = strtoll(text, &stop, 10);

    if (errno != 0)
        return false;
    *end = stop;
    *out = number;
    return true;
}

static bool read_quantity(const char *text, const struct unit *units, int64_t *out)
{
    const char *unit;
    int64_t number;

    if (!read_digits(text, &unit, &number))
        return false;
    for (; units->name != NULL; units++) {
        if (strcmp(unit, units->name) == 0)
            return !__builtin_mul_overflow(number, units->factor, out);
    }
    return false;
}

static bool read_integer(const char *text, int64_t *out)
{
    bool is_negative = *text == '-';
    const char *end;
    int64_t number;

    if (!read_digits(is_negative ? text + 1 : text, &end, &number) || *end != '\0')
        return false;
    *out = is_negative ? -number : number;
    return true;
}

static bool read_secret(const char *text)
{
    struct secret_reference reference;
    bool is_read = value_read_secret(text, &reference);

    if (is_read && reference.source == SECRET_ENV)
        secret_variable_add(reference.argument);
    return is_read;
}

bool value_read_secret(const char *text, struct secret_reference *out)
{
    if (starts_with(text, "file:") && text[5] != '\0')
        *out = (struct secret_reference){.source = SECRET_FILE, .argument = text + 5};
    else if (starts_with(text, "env:") && text[4] != '\0')
        *out = (struct secret_reference){.source = SECRET_ENV, .argument = text + 4};
    else if (starts_with(text, "command:") && text[8] != '\0')
        *out = (struct secret_reference){.source = SECRET_COMMAND, .argument = text + 8};
    else
        return false;
    return true;
}

bool value_read(struct arena *arena, enum value_type type, const char *text, struct value *out)
{
    struct value value = {.type = type};
    bool is_read = false;

    switch (type) {
    case VALUE_TEXT:
        is_read = true;
        break;
    case VALUE_INTEGER:
        is_read = read_integer(text, &value.number);
        break;
    case VALUE_BOOLEAN:
        is_read = equal(text, "true") || equal(text, "false");
        value.number = equal(text, "true");
        break;
    case VALUE_SIZE:
        is_read = read_quantity(text, size_units, &value.number);
        break;
    case VALUE_DURATION:
        is_read = read_quantity(text, duration_units, &value.number);
        break;
    case VALUE_PATH:
        is_read = *text != '\0';
        break;
    case VALUE_SECRET:
        is_read = read_secret(text);
        break;
    }
    if (!is_read)
        return false;
    value.text = arena_strdup(arena, text);
    *out = value;
    return true;
}
