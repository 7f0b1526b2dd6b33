/* What a checker has told, as one text: "LINE:COLUMN MESSAGE", then " | HINT" where there is one.
 */
#ifndef UNIT_PLAN_TOLD_H
#define UNIT_PLAN_TOLD_H

#include "base/text.h"
#include "plan/findings.h"

static inline const char *told(struct findings *findings)
{
    CLEANUP(text_release) struct text text = {.limit = 0};

    findings_sort(findings);
    for (size_t at = 0; at < findings->count; at++) {
        const struct error *error = findings->items[at].error;

        text_append_format(&text, "%d:%d %s", error->place.line, error->place.column,
                           error->message);
        if (error->hint != NULL)
            text_append_format(&text, " | %s", error->hint);
        text_append(&text, "\n");
    }
    return text_copy(&text, findings->arena);
}

#endif
