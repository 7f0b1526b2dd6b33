#include "plan/checker.h"

#include <string.h>

struct format_slot {
    const struct node *node; /* NULL: free */
    enum text_format format;
};

enum {
    FIRST_CAPACITY = 1024,
};

static struct format_slot *slot_find(struct format_slot *slots, size_t capacity,
                                     const struct node *node)
{
    size_t hash = (size_t)(((uintptr_t)node >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20);

    for (size_t at = hash & (capacity - 1);; at = (at + 1) & (capacity - 1)) {
        if (slots[at].node == NULL || slots[at].node == node)
            return &slots[at];
    }
}

void formats_add(struct formats *formats, const struct node *node, enum text_format format)
{
    if (formats->count >= formats->capacity / 2) {
        size_t capacity = formats->capacity == 0 ? FIRST_CAPACITY : formats->capacity * 2;
        struct format_slot *slots = arena_alloc(formats->arena, capacity * sizeof *slots);

        for (size_t at = 0; at < formats->capacity; at++) {
            if (formats->slots[at].node != NULL)
                *slot_find(slots, capacity, formats->slots[at].node) = formats->slots[at];
        }
        formats->slots = slots;
        formats->capacity = capacity;
    }

    struct format_slot *slot = slot_find(formats->slots, formats->capacity, node);

    formats->count += slot->node == NULL;
    *slot = (struct format_slot){node, format};
}

enum text_format formats_find(const struct formats *formats, const struct node *node)
{
    if (formats->count == 0)
        return FORMAT_NONE;
    return slot_find(formats->slots, formats->capacity, node)->format;
}
