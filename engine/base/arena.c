#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

enum {
    FIRST_BLOCK = 4096,
    LARGEST_BLOCK = 256 * 1024,
};

void out_of_memory(void)
{
    static const char message[] = "holdback: out of memory\n";

    (void)!write(STDERR_FILENO, message, sizeof message - 1);
    _exit(1);
}

/*
 * Libraries ask for memory too, and few of them can do without: one calls a record of the journal
 * unreadable, another a host's key unknown, a third one crashes. So nobody in this program is ever
 * refused. The sanitizers bring functions of their own.
 */
#if defined(__has_feature)
#define HAS_FEATURE(feature) __has_feature(feature)
#else
#define HAS_FEATURE(feature) 0
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&                             \
    !HAS_FEATURE(address_sanitizer) && !HAS_FEATURE(thread_sanitizer)
void *__libc_malloc(size_t size);               // NOLINT(bugprone-reserved-identifier)
void *__libc_calloc(size_t count, size_t size); // NOLINT(bugprone-reserved-identifier)
void *__libc_realloc(void *old, size_t size);   // NOLINT(bugprone-reserved-identifier)
void __libc_free(void *memory);                 // NOLINT(bugprone-reserved-identifier)

void free(void *memory) // NOLINT(readability-inconsistent-declaration-parameter-name)
{
    __libc_free(memory);
}

void *malloc(size_t size)
{
    void *memory = __libc_malloc(size);

    if (memory == NULL)
        out_of_memory();
    return memory;
}

void *calloc(size_t nmemb, size_t size)
{
    void *memory = __libc_calloc(nmemb, size);

    if (memory == NULL)
        out_of_memory();
    return memory;
}

void *realloc(void *ptr, size_t size)
{
    void *memory = __libc_realloc(ptr, size);

    if (memory == NULL && size > 0)
        out_of_memory();
    return memory;
}
#endif

static struct arena_block *block_add(struct arena *arena, size_t needed)
{
    size_t size = arena->blocks == NULL ? FIRST_BLOCK : arena->blocks->size * 2;

    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < needed)
        size = needed;

    struct arena_block *block = malloc(sizeof *block + size);

    if (block == NULL)
        out_of_memory();
    block->next = arena->blocks;
    block->used = 0;
    block->size = size;
    arena->blocks = block;
    return block;
}

void arena_release(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        free(block);
    }
}

void arena_adopt(struct arena *arena, struct arena *from)
{
    struct arena_block *last = from->blocks;

    if (last == NULL)
        return;
    while (last->next != NULL)
        last = last->next;
    last->next = arena->blocks;
    arena->blocks = from->blocks;
    from->blocks = NULL;
}

/* Without the zeroing, for callers that fill every byte. SIZE is rounded up to the alignment. */
static void *take(struct arena *arena, size_t size)
{
    const size_t mask = alignof(max_align_t) - 1;

    if (size > SIZE_MAX / 2)
        out_of_memory();
    size = (size + mask) & ~mask;

    struct arena_block *block = arena->blocks;

    if (block == NULL || block->size - block->used < size)
        block = block_add(arena, size);

    void *memory = block->bytes + block->used;

    block->used += size;
    return memory;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return memset(take(arena, size), 0, size);
}

char *arena_copy(struct arena *arena, const char *bytes, size_t length)
{
    char *copy = take(arena, length + 1);

    if (length > 0)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text));
}

char *arena_vprintf(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;

    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        return arena_strdup(arena, format);

    char *text = take(arena, (size_t)length + 1);

    (void)vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    char *text = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}
