#include "cli/report.h"
#include "cli/excerpt.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int error_exit(const struct error *error, int signal)
{
    if (error == NULL)
        return 0;
    switch (error->kind) {
    case ERROR_FAILED:
    case ERROR_TIMEOUT:
        return 1;
    case ERROR_STOPPED:
        return signal == 0 ? 1 : 128 + signal;
    case ERROR_INPUT:
    case ERROR_IN_DOUBT:
    case ERROR_LOCKED:
    case ERROR_UNREACHABLE:
    case ERROR_GUARD:
    case ERROR_GATE:
    case ERROR_REFUSED:
    case ERROR_ROLLED_BACK:
        return (int)error->kind;
    }
    return 1;
}

const char *short_path(struct arena *arena, const char *file)
{
    char *here = getcwd(NULL, 0);
    const char *path = file;

    if (here != NULL && !equal(here, "/") && starts_with(file, here) && file[strlen(here)] == '/')
        path = arena_strdup(arena, file + strlen(here) + 1);
    free(here);
    return path;
}

/* The column at which TEXT goes on; colours take none. */
static int column_of(const struct text *text)
{
    const char *bytes = text_string(text), *line = strrchr(bytes, '\n');
    int column = 0;

    for (line = line == NULL ? bytes : line + 1; *line != '\0'; line++) {
        if (*line == '\x1b')
            line += strcspn(line, "m");
        else
            column++;
    }
    return column;
}

/* Further lines of a message (a server's DETAIL) stand below the first, indented. */
static void append_message(struct text *text, const struct report *report, const char *message)
{
    text_append_wrapped(text, message, column_of(text), 4, report->terminal->width);
    text_append(text, "\n");
}

static void append_place(struct text *text, const struct report *report, const struct place *place)
{
    CLEANUP(text_release) struct text where = {0};

    text_append(&where, short_path(report->arena, place->file));
    if (place->line > 0)
        text_append_format(&where, ":%d", place->line);
    if (place->line > 0 && place->column > 0)
        text_append_format(&where, ":%d", place->column);
    text_append(&where, ":");
    text_append_styled(text, report->terminal, STYLE_STRONG, text_string(&where));
    text_append(text, " ");
}

static void append_hint(struct text *text, const struct report *report, const char *hint)
{
    text_append(text, "holdback: ");
    text_append_styled(text, report->terminal, STYLE_STRONG, "hint:");
    text_append(text, " ");
    text_append_wrapped(text, hint, 16, 4, report->terminal->width);
    text_append(text, "\n");
}

/* The innermost place is the exact one. */
static const struct place *find_place(const struct error *error)
{
    const struct place *place = NULL;

    for (; error != NULL; error = error->cause) {
        if (error->place.file != NULL)
            place = &error->place;
    }
    return place;
}

/* Whoever adds words to an error may have repeated its hint. */
static bool is_told_above(const struct error *error, const struct error *last)
{
    for (; error != last; error = error->cause) {
        if (equal(error->hint, last->hint))
            return true;
    }
    return false;
}

void report_error(struct text *text, struct report *report, const struct error *error)
{
    const struct place *place = find_place(error);
    const char *first_hint = NULL;

    if (place == NULL)
        text_append(text, "holdback: ");
    else
        append_place(text, report, place);
    text_append_styled(text, report->terminal, STYLE_ERROR, "error:");
    text_append(text, " ");
    append_message(text, report, error_text(report->arena, error));
    if (place != NULL) {
        for (const struct error *at = error; at != NULL && first_hint == NULL; at = at->cause)
            first_hint = at->hint;
        if (!excerpt_append(text, report, place, first_hint))
            first_hint = NULL;
    }
    for (const struct error *at = error; at != NULL; at = at->cause) {
        if (at->hint != NULL && at->hint != first_hint && !is_told_above(error, at))
            append_hint(text, report, at->hint);
    }
}

static void report_finding(struct text *text, struct report *report, const struct finding *finding)
{
    const struct error *error = finding->error;
    bool is_warning = finding->hazard != NULL && !report->is_strict;
    CLEANUP(text_release) struct text message = {0};

    if (finding->hazard == NULL || error->place.file == NULL) {
        report_error(text, report, error);
        return;
    }
    append_place(text, report, &error->place);
    text_append_styled(text, report->terminal, is_warning ? STYLE_WARNING : STYLE_ERROR,
                       is_warning ? "warning:" : "error:");
    text_append(text, " ");
    text_append_format(&message, "%s [%s]", error_text(report->arena, error), finding->hazard);
    append_message(text, report, text_string(&message));
    if (!excerpt_append(text, report, &error->place, error->hint) && error->hint != NULL)
        append_hint(text, report, error->hint);
}

void report_findings(struct text *text, struct report *report, const struct findings *findings)
{
    for (size_t at = 0; at < findings->count; at++)
        report_finding(text, report, &findings->items[at]);
    report_rest(text, findings);
}

void report_rest(struct text *text, const struct findings *findings)
{
    size_t all = findings->error_count + findings->hazard_count;

    if (all > findings->count)
        text_append_format(text, "holdback: %zu more are not shown\n", all - findings->count);
}

void report_count(struct text *text, const struct report *report, const struct findings *findings)
{
    size_t errors = findings->error_count, warnings = findings->hazard_count;

    if (report->is_strict) {
        errors += warnings;
        warnings = 0;
    }
    if (errors > 0)
        text_append_format(text, "%zu error%s", errors, errors == 1 ? "" : "s");
    if (errors > 0 && warnings > 0)
        text_append(text, ", ");
    if (warnings > 0)
        text_append_format(text, "%zu warning%s", warnings, warnings == 1 ? "" : "s");
}
