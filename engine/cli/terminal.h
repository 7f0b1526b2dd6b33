/*
 * What stands at the end of a stream: a person's terminal, or a file or program. Decides colour and
 * width, measures text in terminal columns, and writes without ever letting a reader that does not
 * read stop a run.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "base/text.h"

struct terminal {
    int fd;
    bool is_terminal; /* a person looks at it, and the cursor can be moved */
    bool has_color;
    int width, height; /* columns and lines; 0 where there is no terminal: nothing is wrapped */
    bool is_stalled;   /* its reader does not read: what does not fit at once is dropped */
};

/*
 * COLOR is --color: "always", "never", "auto" or NULL. Where it does not decide: NO_COLOR, then
 * CLICOLOR_FORCE and FORCE_COLOR, then whether FD is a terminal and TERM is not "dumb"
 * (no-color.org, bixense.com/clicolors).
 */
void terminal_init(struct terminal *terminal, int fd, const char *color);

/* The size may have changed since. */
void terminal_measure(struct terminal *terminal);

/* Writes all, however long the reader takes. False: it could not (errno), or the reader is gone. */
bool terminal_write(const struct terminal *terminal, const struct text *text);

/*
 * For what is shown while a run goes on. Waits at most TIMEOUT_MS for a reader that does not read,
 * then drops the rest; a terminal stopped with Ctrl-S must not stop a step.
 */
void terminal_show(struct terminal *terminal, const struct text *text, int timeout_ms);

enum style {
    STYLE_ERROR,
    STYLE_WARNING,
    STYLE_GOOD,
    STYLE_STRONG,
    STYLE_FAINT,
};

/* STRING, made visible, in STYLE where the terminal has colour. */
void text_append_styled(struct text *text, const struct terminal *terminal, enum style style,
                        const char *string);

/* The columns that a character takes: 0 (combining), 1 or 2 (East Asian wide, emoji). */
int character_width(uint32_t character);

/* The columns that STRING takes when it is made visible; a tab or newline counts as one. */
int string_width(const char *string);

/* STRING made visible on one line (newlines and tabs become spaces), cut to COLUMNS with "...". */
void text_append_cut(struct text *text, const char *string, int columns);

/* The same, and filled up with spaces to COLUMNS; what is longer is not cut. */
void text_append_padded(struct text *text, const char *string, int columns);

/*
 * STRING made visible, broken at spaces so that lines end before WIDTH (0: not broken). The text
 * stands at column AT; further lines begin with INDENT spaces. No newline at the end.
 */
void text_append_wrapped(struct text *text, const char *string, int at, int indent, int width);

#endif
