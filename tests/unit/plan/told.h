/* What a checker has told, as one text: "LINE:COLUMN MESSAGE", then " | HINT" where there is one.
 */
#ifndef UNIT_PLAN_TOLD_H
#define UNIT_PLAN_TOLD_H

#include "base/text.h"
#include "plan/findings.h"

/* Much more than any input needs, so that only a hang fails; sanitizers are slow. */
#ifdef __has_feature
#define HAS_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif
#define SECONDS_MOST (HAS_SANITIZER ? 20 : 1)

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
