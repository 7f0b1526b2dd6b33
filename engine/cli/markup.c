#include "cli/markup.h"
#include "cli/terminal.h"

#include <string.h>

/*
 * On one line; what is in MARKED is written as a character reference, which Markdown does not read
 * again. GitHub does, when it looks for "@team" and "#12" in what Markdown has made: there a space
 * without width comes between.
 */
static void append_marked(struct text *out, const char *text, const char *marked,
                          const char *escaped)
{
    CLEANUP(text_release) struct text visible = {0};

    text_append_visible(&visible, text, strlen(text));
    for (const char *at = text_string(&visible); *at != '\0'; at++) {
        if (*at == '\n' || *at == '\t')
            text_append(out, " ");
        else if (strchr(marked, *at) != NULL)
            text_append_format(out, *at == '@' || *at == '#' ? "&#%d;&#8203;" : "&#%d;", *at);
        else if (strchr(escaped, *at) != NULL)
            text_append_format(out, "\\%c", *at);
        else
            text_append_bytes(out, at, 1);
    }
}

void markup_text(struct text *out, const char *text)
{
    append_marked(out, text, "&<>@#", "\\`*_[]!|~$");
}

void markup_html(struct text *out, const char *text)
{
    append_marked(out, text, "&<>@#\"'$", "");
}

static size_t longest_run(const char *text, char character)
{
    size_t longest = 0;

    while (*text != '\0') {
        size_t run = 0;

        while (text[run] == character)
            run++;
        if (run > longest)
            longest = run;
        text += run == 0 ? 1 : run;
    }
    return longest;
}

static void append_fence(struct text *out, size_t length)
{
    for (size_t at = 0; at < length; at++)
        text_append(out, "`");
}

static void append_span(struct text *out, const char *text, bool is_in_table)
{
    CLEANUP(text_release) struct text visible = {0};

    text_append_cut(&visible, text, string_width(text));

    size_t fence = longest_run(text_string(&visible), '`') + 1;

    append_fence(out, fence);
    if (fence > 1)
        text_append(out, " ");
    for (const char *at = text_string(&visible); *at != '\0'; at++)
        text_append_format(out, is_in_table && *at == '|' ? "\\%c" : "%c", *at);
    if (fence > 1)
        text_append(out, " ");
    append_fence(out, fence);
}

void markup_code(struct text *out, const char *text)
{
    append_span(out, text, false);
}

void markup_cell(struct text *out, const char *text)
{
    append_span(out, text, true);
}

/* How many bytes of TEXT are shown: whole lines if there are any, whole characters otherwise. */
static size_t shown_length(const char *text, size_t length, size_t most)
{
    size_t end = most;

    if (length <= most)
        return length;
    while (end > 0 && text[end - 1] != '\n')
        end--;
    if (end > 0)
        return end;
    for (end = most; end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80;)
        end--;
    return end;
}

void markup_block(struct text *out, const char *language, const char *text, size_t most)
{
    size_t length = strlen(text), shown = shown_length(text, length, most);
    size_t fence = longest_run(text, '`') + 1;

    if (fence < 3)
        fence = 3;
    append_fence(out, fence);
    text_append_format(out, "%s\n", language);
    text_append_visible(out, text, shown);
    if (shown == 0 || text[shown - 1] != '\n')
        text_append(out, "\n");
    append_fence(out, fence);
    text_append(out, "\n\n");
    if (shown < length)
        text_append_format(out, "*The first %zu of %zu bytes.*\n\n", shown, length);
}

/* Mermaid's own character references are "#35;"; HTML in a label would be read as HTML. */
void markup_mermaid(struct text *out, const char *const *lines, size_t count)
{
    text_append(out, "\"");
    for (size_t at = 0; at < count; at++) {
        CLEANUP(text_release) struct text visible = {0};

        text_append_cut(&visible, lines[at], 60);
        if (at > 0)
            text_append(out, "<br/>");
        for (const char *byte = text_string(&visible); *byte != '\0'; byte++) {
            if (strchr("\"#&<>`\\;{}|[]()$%@*_~", *byte) != NULL)
                text_append_format(out, "#%d;", *byte);
            else
                text_append_bytes(out, byte, 1);
        }
    }
    text_append(out, "\"");
}

void markup_paragraph(struct text *out, const char *text)
{
    if (text == NULL)
        return;
    markup_text(out, text);
    text_append(out, "\n\n");
}

void markup_item(struct text *out, const char *label, const char *words, bool is_strong)
{
    text_append_format(out, is_strong ? "- **%s**: " : "- %s: ", label);
    markup_text(out, words);
    text_append(out, "\n");
}
