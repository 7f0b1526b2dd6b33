/*
 * Memory by lifetime. Everything allocated from an arena lives until the arena is released; nothing
 * is freed alone. An arena belongs to one thread at a time.
 *
 * Allocation never fails: when the machine has no memory left the program says so on standard error
 * and ends with status 1. That is as safe as any other death: the journal survives it, and resume
 * goes on.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *blocks;
};

/* Frees everything; the arena is empty and usable again. */
void arena_release(struct arena *arena);

/* Moves all that FROM holds into ARENA; FROM is empty afterwards. */
void arena_adopt(struct arena *arena, struct arena *from);

/* Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);

/* A copy of LENGTH bytes with a NUL behind them. */
char *arena_copy(struct arena *arena, const char *bytes, size_t length);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Ends the program as described above. For the few places that allocate without an arena. */
_Noreturn void out_of_memory(void);

/* Runs FUNCTION(&variable) on every way out of the scope. */
#define CLEANUP(function) __attribute__((cleanup(function)))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
