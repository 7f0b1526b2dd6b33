/* A bounded result. */
#include "host/postgres_rows.h"

#include <string.h>

void postgres_rows_release(struct postgres_rows *rows)
{
    text_release(&rows->bytes);
    text_release(&rows->cells);
}

void postgres_rows_clear(struct postgres_rows *rows)
{
    text_clear(&rows->bytes);
    text_clear(&rows->cells);
    rows->columns = 0;
    rows->command[0] = '\0';
}

void postgres_rows_append(struct postgres_rows *rows, const char *value)
{
    size_t place = value == NULL ? 0 : rows->bytes.length + 1;

    text_append_bytes(&rows->cells, (const char *)&place, sizeof place);
    if (value != NULL)
        text_append_bytes(&rows->bytes, value, strlen(value) + 1);
}

bool postgres_rows_are_too_many(const struct postgres_rows *rows)
{
    return rows->bytes.truncated || rows->cells.truncated;
}

void postgres_rows_copy(const struct postgres_rows *rows, struct arena *arena,
                        struct postgres_result *out)
{
    size_t count = rows->cells.length / sizeof(size_t);
    const char *bytes = text_copy(&rows->bytes, arena);
    const char **cells = arena_alloc(arena, (count + 1) * sizeof *cells);

    for (size_t at = 0; at < count; at++) {
        size_t place;

        memcpy(&place, rows->cells.bytes + at * sizeof place, sizeof place);
        cells[at] = place == 0 ? NULL : bytes + place - 1;
    }
    *out = (struct postgres_result){
        .rows = rows->columns == 0 ? 0 : count / rows->columns - 1,
        .columns = rows->columns,
        .names = cells,
        .values = cells + rows->columns,
        .command = arena_strdup(arena, rows->command),
    };
}
