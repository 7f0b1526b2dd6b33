#include "base/table.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

struct table_slot {
    const char *name; /* NULL: free */
    uint64_t hash;
    void *value;
};

enum {
    FIRST_CAPACITY = 16,
};

#define PRIME ((UINT64_C(1) << 61) - 1)

/*
 * A polynomial in a random point, modulo a Mersenne prime: whoever does not know the point cannot
 * choose names that collide.
 */
static uint64_t hash_bytes(uint64_t key, const char *bytes, size_t length)
{
    uint64_t hash = length;

    for (size_t at = 0; at < length; at++) {
        __uint128_t product = (__uint128_t)hash * key + (unsigned char)bytes[at] + 1;
        uint64_t folded = (uint64_t)(product & PRIME) + (uint64_t)(product >> 61);

        hash = folded >= PRIME ? folded - PRIME : folded;
    }
    return hash;
}

/* One key for the whole program. Two threads that both make the first one do no harm. */
static uint64_t random_key(void)
{
    static _Atomic uint64_t known;
    uint64_t key = known;

    if (key != 0)
        return key;
    if (getrandom(&key, sizeof key, GRND_NONBLOCK) != sizeof key) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        key = (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)(uintptr_t)&key;
    }
    key = 256 + key % (PRIME - 256);
    known = key;
    return key;
}

void table_init(struct table *table, struct arena *arena)
{
    *table = (struct table){.arena = arena, .key = random_key()};
}

/* The slot of the name, or the free one where it would be put. */
static struct table_slot *slot_find(struct table_slot *slots, size_t capacity, uint64_t hash,
                                    const char *name, size_t length)
{
    for (size_t at = hash & (capacity - 1);; at = (at + 1) & (capacity - 1)) {
        struct table_slot *slot = &slots[at];

        if (slot->name == NULL || (slot->hash == hash && strncmp(slot->name, name, length) == 0 &&
                                   slot->name[length] == '\0'))
            return slot;
    }
}

void *table_find_bytes(const struct table *table, const char *name, size_t length)
{
    if (table->count == 0)
        return NULL;
    return slot_find(table->slots, table->capacity, hash_bytes(table->key, name, length), name,
                     length)
        ->value;
}

void *table_find(const struct table *table, const char *name)
{
    return table_find_bytes(table, name, strlen(name));
}

static void table_grow(struct table *table)
{
    size_t capacity = table->capacity == 0 ? FIRST_CAPACITY : table->capacity * 2;
    struct table_slot *slots = arena_alloc(table->arena, capacity * sizeof *slots);

    for (size_t at = 0; at < table->capacity; at++) {
        const struct table_slot *old = &table->slots[at];

        if (old->name != NULL)
            *slot_find(slots, capacity, old->hash, old->name, strlen(old->name)) = *old;
    }
    table->slots = slots;
    table->capacity = capacity;
}

void **table_place(struct table *table, const char *name)
{
    size_t length = strlen(name);
    uint64_t hash = hash_bytes(table->key, name, length);

    if (table->count >= table->capacity / 2)
        table_grow(table);

    struct table_slot *slot = slot_find(table->slots, table->capacity, hash, name, length);

    if (slot->name == NULL) {
        slot->name = name;
        slot->hash = hash;
        table->count++;
    }
    return &slot->value;
}
