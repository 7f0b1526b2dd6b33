/* What the program on the host printed, as numbers: see loss_program.c. */
#include "run/loss.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIELDS_MOST = 10,
};

void loss_note(struct loss *loss, const char *format, ...)
{
    struct loss_note *note = arena_alloc(loss->arena, sizeof *note), **last = &loss->notes;
    va_list arguments;

    va_start(arguments, format);
    note->words = arena_vprintf(loss->arena, format, arguments);
    va_end(arguments);
    while (*last != NULL)
        last = &(*last)->next;
    *last = note;
}

/* Cuts a line at its tabs; fields that are not there are "". */
static void fields_cut(struct arena *arena, const char *line, size_t length, const char **fields)
{
    const char *end = line + length;

    for (int at = 0; at < FIELDS_MOST; at++)
        fields[at] = "";
    for (int at = 0; at < FIELDS_MOST && line <= end; at++) {
        const char *tab = memchr(line, '\t', (size_t)(end - line));
        size_t size = tab == NULL ? (size_t)(end - line) : (size_t)(tab - line);

        fields[at] = arena_copy(arena, line, size);
        line += size + 1;
    }
}

static void file_add(struct loss *loss, int kind, const char *const *fields)
{
    struct loss_file *file = arena_alloc(loss->arena, sizeof *file), **last = &loss->files;

    file->kind = kind;
    memcpy(file->words, fields, sizeof file->words);
    // In the order of the WAL: what was made last is what is there.
    while (kind == LOSS_STORAGE && *last != NULL)
        last = &(*last)->next;
    file->next = *last;
    *last = file;
}

static void read_sum(struct loss *loss, const char *const *fields)
{
    loss->commits = strtoll(fields[1], NULL, 10);
    loss->empty = strtoll(fields[2], NULL, 10);
    loss->first = fields[3];
    loss->last = fields[4];
    loss->until = *fields[5] == '\0' ? NULL : fields[5];
    loss->open_at_mark = strtoll(fields[6], NULL, 10);
    if (equal(fields[8], "1")) {
        loss->is_at_least = true;
        loss_note(loss, "There was no time to read the WAL behind %s.", fields[5]);
    } else if (strstr(fields[9], "could not find") != NULL ||
               strstr(fields[9], "could not open") != NULL) {
        loss->is_at_least = true;
        loss_note(loss, "The WAL could not be read to its end: %s.", fields[9]);
    } else if (loss->until == NULL && *fields[9] != '\0') {
        loss->is_at_least = true;
        loss_note(loss, "The WAL could not be read: %s.", fields[9]);
    }
}

static void read_start(struct loss *loss, const char *const *fields)
{
    if (equal(fields[2], "recycled")) {
        loss->is_at_least = true;
        loss_note(loss,
                  "The WAL of the time after the mark is not there any more; what follows begins "
                  "at %s.",
                  fields[1]);
    } else if (!equal(fields[2], "none")) {
        loss_note(loss, "Rows that transactions which were open at the mark had written before it "
                        "may be missing: that WAL is not there.");
    }
}

static void read_line(struct loss *loss, const char *const *fields)
{
    static const struct {
        const char *name;
        int kind;
    } kinds[] = {{"R", LOSS_TABLE},
                 {"T", LOSS_TRANSACTION},
                 {"O", LOSS_OPEN},
                 {"D", LOSS_STORAGE},
                 {"Q", LOSS_SEQUENCE}};

    for (size_t at = 0; at < ARRAY_COUNT(kinds); at++) {
        if (equal(fields[0], kinds[at].name))
            file_add(loss, kinds[at].kind, fields);
    }
    if (equal(fields[0], "S"))
        read_sum(loss, fields);
    else if (equal(fields[0], "W"))
        read_start(loss, fields);
    else if (equal(fields[0], "Y"))
        loss_note(loss,
                  "Transaction %s was prepared before the mark and committed after it: it will be "
                  "prepared again, and hold its locks until somebody decides.",
                  fields[1]);
    else if (equal(fields[0], "Z") && equal(fields[2], "2"))
        loss_note(loss, "Transaction %s is prepared and waits; it will be gone.", fields[1]);
    else if (equal(fields[0], "B") && !equal(fields[1], "0"))
        file_add(loss, LOSS_BASE, fields);
}

void loss_read(struct loss *loss, const char *printed)
{
    const char *fields[FIELDS_MOST];

    for (const char *line = printed; *line != '\0';) {
        size_t length = strcspn(line, "\n");

        fields_cut(loss->arena, line, length, fields);
        read_line(loss, fields);
        line += length + (line[length] == '\n');
    }
}

const char *const *loss_databases(const struct loss *loss)
{
    size_t count = 0;

    for (const struct loss_file *file = loss->files; file != NULL; file = file->next)
        count += file->kind == LOSS_BASE;

    const char **names = arena_alloc(loss->arena, sizeof *names * (count + 1));

    count = 0;
    for (const struct loss_file *file = loss->files; file != NULL; file = file->next) {
        if (file->kind == LOSS_BASE)
            names[count++] = file->words[1];
    }
    return names;
}
