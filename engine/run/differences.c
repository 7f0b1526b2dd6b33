/* What is said of a preview that is not so any more: names, and a line for each difference. */
#include "run/run.h"

enum {
    NAMES_MOST = 8,
    LINES_MOST = 20,
};

const char *names_words(struct arena *arena, const struct words *names)
{
    CLEANUP(text_release) struct text text = {0};
    bool is_cut = names->count > NAMES_MOST;
    size_t shown = is_cut ? NAMES_MOST - 1 : names->count;

    for (size_t at = 0; at < shown; at++)
        text_append_format(&text, "%s%s",
                           at == 0                  ? ""
                           : at + 1 == names->count ? " and "
                                                    : ", ",
                           names->items[at]);
    if (is_cut)
        text_append_format(&text, " and %zu more", names->count - shown);
    return text_copy(&text, arena);
}

void differs(struct differences *differences, const char *format, ...)
{
    va_list arguments;

    if (differences->count++ >= LINES_MOST)
        return;
    va_start(arguments, format);
    text_append(&differences->lines, "\n  ");
    text_append(&differences->lines, arena_vprintf(differences->arena, format, arguments));
    va_end(arguments);
}

const char *differences_words(struct differences *differences)
{
    if (differences->count > LINES_MOST)
        text_append_format(&differences->lines, "\n  and %zu more",
                           differences->count - LINES_MOST);

    const char *words =
        differences->count == 0 ? NULL : text_copy(&differences->lines, differences->arena);

    text_release(&differences->lines);
    return words;
}
