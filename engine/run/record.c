/* Records, and the signal that asks us to stop. */
#include "run/engine.h"

#include <string.h>

void run_record(struct run *run, const char *type, const char *fields, ...)
{
    va_list arguments;

    va_start(arguments, fields);
    const char *text = arena_vprintf(run->arena, fields, arguments);
    va_end(arguments);
    if (run->journal != NULL) {
        ledger_apply(&run->ledger, journal_append(run->journal, run->arena, type, text));
        return;
    }

    // A preview keeps no journal, but learns from the same records.
    struct record *record = arena_alloc(run->arena, sizeof *record);
    const char *json = arena_printf(run->arena, "{%s}", text);

    record->type = type;
    record->at = "";
    if (json_parse(run->arena, "a record", json, strlen(json), &record->node) == NULL)
        ledger_apply(&run->ledger, record);
}

struct error *run_sync(struct run *run)
{
    return run->journal == NULL ? NULL : journal_sync(run->journal, run->arena);
}

const char *json_text(struct arena *arena, const char *text)
{
    CLEANUP(text_release) struct text json = {0};

    if (text == NULL)
        return "null";
    text_append_json(&json, text, strlen(text));
    return text_copy(&json, arena);
}

int run_interrupted(const struct run *run)
{
    const volatile int *interrupted = run->options->interrupted;

    return interrupted == NULL ? 0 : __atomic_load_n(interrupted, __ATOMIC_SEQ_CST);
}

struct error *run_interrupted_error(const struct run *run)
{
    return error_new(run->arena, ERROR_STOPPED, "interrupted");
}

void run_event(const struct run *run, const struct step *step, const char *host, const char *what,
               const char *words)
{
    const struct run_observer *observer = run->options->observer;

    if (observer != NULL && observer->event != NULL)
        observer->event(observer->context, step, host, what, words);
}
