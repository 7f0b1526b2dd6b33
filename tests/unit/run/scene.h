/*
 * What a test of a scripted run (scripted.h) has, and what it can see of what happened: the log of
 * what actions were asked for, what the observer was told, and the journal on disk.
 */
#ifndef UNIT_RUN_SCENE_H
#define UNIT_RUN_SCENE_H

#include "base/file.h"
#include "run/command.h"
#include "run/guard.h"
#include "run/work.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum { SCRIPTS_MOST = 32 };

/* "apply", "a@pg1" (or "a": any host): words, one for each call; the last one stays. */
struct script {
    const char *call, *where, *words;
};

struct scene {
    struct arena arena;
    char folder[40];
    const char *plan_text, *journal_path;
    struct run run;
    struct run_options options;
    struct run_observer observer;
    struct findings findings;
    volatile int interrupted;
    int second_stop;
    const char *const *answers; /* gates that a person says yes to; NULL ends them */

    struct script scripts[SCRIPTS_MOST], saves[SCRIPTS_MOST];
    size_t script_count, save_count;
    const char *applied[SCRIPTS_MOST]; /* "a@pg1" */
    size_t applied_count;
    struct text log, events;
    pthread_mutex_t lock; /* of all above that actions change */
    struct arena theirs;  /* what actions keep */

    /* In the thread of the host, before the action does anything. */
    void (*on_look)(struct scene *scene, const struct work *work);
    void (*on_apply)(struct scene *scene, const struct work *work);
    const char *seen; /* for on_apply */
};

static struct scene scene; /* actions have no context of their own */

/* ---- what happened ---- */

/* The records on disk from the first intent on, a line each: "intent a #1 pg1", "a@pg1 done:
 * words". */
static inline const char *journal_on_disk(struct arena *arena)
{
    CLEANUP(text_release) struct text lines = {0};
    const struct record *record = NULL;

    if (journal_read(arena, scene.journal_path, &record) != NULL)
        return "unreadable";
    for (; record != NULL; record = record->next) {
        const struct node *node = record->node;
        const char *host = node_text(node, "host"), *words = node_text(node, "words");

        if (equal(record->type, "intent")) {
            text_append_format(&lines, "intent %s #%s", node_text(node, "step"),
                               node_text(node, "try"));
            NODE_EACH(name, node_find(node, "hosts"))
            text_append_format(&lines, " %s", name->text);
            text_append(&lines, "\n");
        } else if (equal(record->type, "outcome") || equal(record->type, "resolve")) {
            text_append_format(&lines, "%s%s%s %s%s%s\n", node_text(node, "step"),
                               host == NULL ? "" : "@", host == NULL ? "" : host,
                               node_text(node, "result"), words == NULL ? "" : ": ",
                               words == NULL ? "" : words);
        } else if (equal(record->type, "gate")) {
            text_append_format(&lines, "gate %s\n", node_text(node, "step"));
        } else if (equal(record->type, "state")) {
            text_append_format(&lines, "%s\n", node_text(node, "state"));
        }
    }
    return text_copy(&lines, arena);
}

__attribute__((format(printf, 1, 2))) static inline void log_line(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    CLEANUP(arena_release) struct arena scratch = {0};
    const char *line = arena_vprintf(&scratch, format, arguments);
    va_end(arguments);
    (void)pthread_mutex_lock(&scene.lock);
    text_append_format(&scene.log, "%s\n", line);
    (void)pthread_mutex_unlock(&scene.lock);
}

static inline bool is_logged(const char *call)
{
    return strstr(text_string(&scene.log), call) != NULL;
}

#define assert_log(expected) assert_string_equal(text_string(&scene.log), expected)
#define assert_journal(expected) assert_string_equal(journal_on_disk(&scene.arena), expected)

#endif
