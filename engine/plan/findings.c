#include "plan/findings.h"

#include <string.h>

enum {
    QUOTED_MOST = 64,     /* bytes of a word in a message */
    UNDERLINED_MOST = 80, /* bytes to underline */
};

static bool is_full(const struct findings *findings, const char *hazard)
{
    size_t count = hazard == NULL ? findings->error_count : findings->hazard_count;

    return count >= FINDINGS_MOST;
}

static void append(struct findings *findings, struct finding finding)
{
    if (findings->count == findings->capacity) {
        size_t capacity = findings->capacity == 0 ? 16 : findings->capacity * 2;
        struct finding *items = arena_alloc(findings->arena, capacity * sizeof *items);

        if (findings->count > 0)
            memcpy(items, findings->items, findings->count * sizeof *items);
        findings->items = items;
        findings->capacity = capacity;
    }
    findings->items[findings->count++] = finding;
}

__attribute__((format(printf, 5, 0))) static void add(struct findings *findings, const char *hazard,
                                                      struct place place, const char *hint,
                                                      const char *format, va_list arguments)
{
    if (!is_full(findings, hazard)) {
        const char *message = arena_vprintf(findings->arena, format, arguments);
        struct error *error = error_at(findings->arena, place, "%s", message);

        if (hint != NULL)
            error->hint = arena_strdup(findings->arena, hint);
        append(findings, (struct finding){.error = error, .hazard = hazard});
    }
    if (hazard == NULL)
        findings->error_count++;
    else
        findings->hazard_count++;
}

void findings_add(struct findings *findings, struct place place, const char *hint,
                  const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(findings, NULL, place, hint, format, arguments);
    va_end(arguments);
}

void findings_add_hazard(struct findings *findings, const char *id, struct place place,
                         const char *hint, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(findings, id, place, hint, format, arguments);
    va_end(arguments);
}

const char *findings_quote(const struct findings *findings, const char *word)
{
    if (is_full(findings, NULL) && is_full(findings, ""))
        return NULL;

    size_t length = strnlen(word, QUOTED_MOST + 1);

    if (length <= QUOTED_MOST)
        return arena_printf(findings->arena, "\"%s\"", word);
    length = QUOTED_MOST;
    while (length > 0 && ((unsigned char)word[length] & 0xc0) == 0x80)
        length--;
    return arena_printf(findings->arena, "\"%.*s…\"", (int)length, word);
}

const char *findings_suggest(const struct findings *findings, const char *word,
                             const char *const *candidates, size_t count)
{
    if (findings->error_count + findings->hazard_count >= SUGGESTIONS_MOST)
        return NULL;

    const char *nearest = text_nearest(word, candidates, count);

    return nearest == NULL ? NULL : arena_printf(findings->arena, "did you mean \"%s\"?", nearest);
}

const char *words_suggest(const struct findings *findings, const struct words *words,
                          const char *word)
{
    return findings_suggest(findings, word, words->items, words->count);
}

static int place_compare(const struct place *a, const struct place *b)
{
    int order = strcmp(a->file == NULL ? "" : a->file, b->file == NULL ? "" : b->file);

    if (order != 0)
        return order;
    return a->line != b->line ? a->line - b->line : a->column - b->column;
}

void findings_sort(struct findings *findings)
{
    // There are few, and they are nearly in order.
    for (size_t at = 1; at < findings->count; at++) {
        struct finding finding = findings->items[at];
        size_t to = at;

        while (to > 0 &&
               place_compare(&findings->items[to - 1].error->place, &finding.error->place) > 0) {
            findings->items[to] = findings->items[to - 1];
            to--;
        }
        findings->items[to] = finding;
    }
}

static int underlined(size_t length)
{
    return (int)(length > UNDERLINED_MOST ? UNDERLINED_MOST : length);
}

struct place node_place(const char *file, const struct node *node)
{
    struct place place = {.file = file, .line = node->line, .column = node->column};

    if (node->kind == NODE_TEXT && !node->is_block) {
        size_t quotes = node->is_plain ? 0 : 2;
        size_t length = strcspn(node->text, "\n");

        place.length = underlined(length + quotes);
    }
    return place;
}

struct place node_key_place(const char *file, const struct node *node)
{
    if (node->key_line == 0)
        return node_place(file, node);
    return (struct place){.file = file,
                          .line = node->key_line,
                          .column = node->key_column,
                          .length = underlined(strlen(node->key))};
}
