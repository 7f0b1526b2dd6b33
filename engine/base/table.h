/*
 * Finds what belongs to a name. Keys are texts that the caller keeps alive, values are pointers;
 * nothing is removed. The table lives in its arena. No choice of names makes it slow: its hash has
 * a random key.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/arena.h"

#include <stdint.h>

struct table_slot;
struct table {
    struct arena *arena;
    struct table_slot *slots;
    size_t count, capacity;
    uint64_t key;
};

void table_init(struct table *table, struct arena *arena);

/* NULL if there is no such name. */
void *table_find(const struct table *table, const char *name);
void *table_find_bytes(const struct table *table, const char *name, size_t length);

/* Where NAME's value is kept: NULL in it if the name is new. Valid until the next name is added. */
void **table_place(struct table *table, const char *name);

#endif
