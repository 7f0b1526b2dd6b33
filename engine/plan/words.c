#include "plan/checker.h"

#include <string.h>

void words_add(struct arena *arena, struct words *words, const char *word)
{
    if (words->count == words->capacity) {
        size_t capacity = words->capacity == 0 ? 64 : words->capacity * 2;
        const char **items = arena_alloc(arena, capacity * sizeof *items);

        if (words->count > 0)
            memcpy(items, words->items, words->count * sizeof *items);
        words->items = items;
        words->capacity = capacity;
    }
    words->items[words->count++] = word;
}

const char *words_suggest(const struct findings *findings, const struct words *words,
                          const char *word)
{
    return findings_suggest(findings, word, words->items, words->count);
}
