/* What the parts of the Markdown form share. Internal to preview_markdown*.c. */
#ifndef CLI_PREVIEW_MARKDOWN_H
#define CLI_PREVIEW_MARKDOWN_H

#include "cli/markup.h"
#include "cli/preview.h"

/* On one line, and not longer than a sentence. */
const char *markdown_cut(const struct preview *preview, const char *words);

/* A step or guard: its line, and its texts. */
struct markdown_entry {
    const struct step *step;
    const struct guard *guard; /* NULL: a step of a phase */
    const char *number;
    struct text line, body;
    bool has_line, has_body;
};

/* HTML, for a summary: always visible. */
void markdown_line(const struct preview *preview, struct markdown_entry *entry);

/* Markdown; stays empty where the line says it all. */
void markdown_body(struct preview *preview, struct markdown_entry *entry);

struct markdown_steps {
    size_t all, missing, folded; /* missing: not even listed; folded: listed, without their texts */
};

/*
 * Every phase and the guards in at most ROOM bytes and a heading each. What asks a person or cannot
 * be taken back is written first, then what changes something, then what only looks.
 */
struct markdown_steps markdown_steps(struct preview *preview, size_t room, struct text *out);

#endif
