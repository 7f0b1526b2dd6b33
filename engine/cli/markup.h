/*
 * Markdown (github.github.com/gfm) in which text from files cannot become markup: it is escaped, or
 * stands in a code span or fence that it cannot end. What drives a terminal or hides text is made
 * visible first.
 */
#ifndef CLI_MARKUP_H
#define CLI_MARKUP_H

#include "base/text.h"

/* On one line: no markup, no HTML, no mention ("@team"), no reference ("#12"), no formula ("$x$").
 */
void markup_text(struct text *out, const char *text);

/* The same between HTML tags, where Markdown is not read. */
void markup_html(struct text *out, const char *text);

/* A code span, and one in a cell of a table, where a pipe would end the cell. */
void markup_code(struct text *out, const char *text);
void markup_cell(struct text *out, const char *text);

/*
 * A fenced block and an empty line. LANGUAGE: "sql", "sh", ... or "". Of a text longer than MOST
 * bytes only the first lines, and how much there is.
 */
void markup_block(struct text *out, const char *language, const char *text, size_t most);

/* A label of a Mermaid diagram, with its quotes; LINES are set below each other. */
void markup_mermaid(struct text *out, const char *const *lines, size_t count);

/* TEXT with an empty line behind it; nothing if it is NULL. */
void markup_paragraph(struct text *out, const char *text);

/* "- label: words" */
void markup_item(struct text *out, const char *label, const char *words, bool is_strong);

#endif
