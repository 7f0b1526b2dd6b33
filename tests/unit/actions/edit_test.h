/* How the tests of the editors call them: one edit of a text, and what comes out of it. */
#ifndef TESTS_EDIT_TEST_H
#define TESTS_EDIT_TEST_H

#include "edit.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

static struct arena arena;

static inline int release_arena(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static inline struct node scalar(const char *text, bool is_plain)
{
    return (struct node){
        .kind = NODE_TEXT, .text = text, .length = strlen(text), .is_plain = is_plain};
}

/* The edited text, or "error: ...". */
static inline const char *edit_node(enum edit_format format, const char *bytes, enum edit_kind kind,
                                    const char *key, const struct node *value)
{
    struct edit edit = {.kind = kind, .value = value};
    struct error *error = edit_path(&arena, format, key, &edit.path, &edit.depth);
    const char *out = NULL;
    size_t length = 0;

    if (error == NULL)
        error = edit_bytes(&arena, format, bytes, strlen(bytes), &edit, 1, &out, &length);
    if (error != NULL)
        return arena_printf(&arena, "error: %s", error_text(&arena, error));
    assert_int_equal(strlen(out), length);

    // Whatever an edit has done, doing it again changes nothing.
    const char *again = NULL;
    size_t again_length = 0;

    assert_null(edit_bytes(&arena, format, out, length, &edit, 1, &again, &again_length));
    assert_string_equal(again, out);
    return out;
}

static inline const char *set(enum edit_format format, const char *bytes, const char *key,
                              const char *value)
{
    struct node node = scalar(value, false);

    return edit_node(format, bytes, EDIT_SET, key, &node);
}

static inline const char *set_plain(enum edit_format format, const char *bytes, const char *key,
                                    const char *value)
{
    struct node node = scalar(value, true);

    return edit_node(format, bytes, EDIT_SET, key, &node);
}

static inline const char *unset(enum edit_format format, const char *bytes, const char *key)
{
    return edit_node(format, bytes, EDIT_UNSET, key, NULL);
}

#endif
