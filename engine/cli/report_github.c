/*
 * Findings as annotations of a GitHub workflow run, one line each. The escapes are those of its own
 * toolkit: docs.github.com, "Workflow commands for GitHub Actions", and actions/toolkit,
 * packages/core/src/command.ts.
 */
#include "cli/report.h"

#include <string.h>

static void append_escaped(struct text *text, const char *string, const char *escaped)
{
    CLEANUP(text_release) struct text visible = {0};

    text_append_visible(&visible, string, strlen(string));
    for (const char *at = text_string(&visible); *at != '\0'; at++) {
        if (strchr(escaped, *at) != NULL)
            text_append_format(text, "%%%02X", (unsigned)(unsigned char)*at);
        else
            text_append_bytes(text, at, 1);
    }
}

static void append_property(struct text *text, const char *string)
{
    append_escaped(text, string, "%\r\n:,");
}

static void append_data(struct text *text, const char *string)
{
    append_escaped(text, string, "%\r\n");
}

static void append_annotation(struct text *text, const struct report *report,
                              const struct finding *finding, bool is_error)
{
    const struct place *place = &finding->error->place;

    text_append(text, is_error ? "::error" : "::warning");
    if (place->file != NULL) {
        text_append(text, " file=");
        append_property(text, short_path(report->arena, place->file));
        if (place->line > 0)
            text_append_format(text, ",line=%d", place->line);
        if (place->line > 0 && place->column > 0)
            text_append_format(text, ",col=%d", place->column);
    }
    text_append(text, "::");
    append_data(text, error_text(report->arena, finding->error));
    if (finding->hazard != NULL)
        text_append_format(text, " [%s]", finding->hazard);
    if (finding->error->hint != NULL) {
        text_append(text, "%0A");
        append_data(text, finding->error->hint);
    }
    text_append(text, "\n");
}

void report_github(struct text *text, struct report *report, const struct findings *findings)
{
    // Of each kind only the first few are shown on a page: errors must not wait behind warnings.
    for (int round = 0; round < 2; round++) {
        for (size_t at = 0; at < findings->count; at++) {
            const struct finding *finding = &findings->items[at];
            bool is_error = finding->hazard == NULL || report->is_strict;

            if (is_error == (round == 0))
                append_annotation(text, report, finding, is_error);
        }
    }
    report_rest(text, findings);
}
