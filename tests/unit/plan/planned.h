/*
 * A plan in a folder of its own, and what plan_read tells about it, as one text: "LINE:COLUMN
 * MESSAGE", then " [HAZARD]" and " | HINT" where there are any. Findings in other files begin with
 * the file's name.
 */
#ifndef UNIT_PLAN_PLANNED_H
#define UNIT_PLAN_PLANNED_H

#include "base/file.h"
#include "plan/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct planned {
    struct arena arena;
    char folder[32];
    struct findings findings;
    struct scope *scope;
    const struct cluster *cluster;
    const char *settings[4]; /* set before planned_read; NULL ends them */
    const struct plan *plan;
    const char *files[4]; /* that were written */
    size_t file_count;
};

static inline const char *planned_path(struct planned *planned, const char *name)
{
    return arena_printf(&planned->arena, "%s/%s", planned->folder, name);
}

static inline void planned_begin(struct planned *planned)
{
    memset(planned, 0, sizeof *planned);
    strcpy(planned->folder, "/tmp/planned.XXXXXX");
    if (mkdtemp(planned->folder) == NULL)
        abort();
    planned->findings.arena = &planned->arena;
    planned->scope = scope_new(&planned->arena);
}

static inline void planned_write(struct planned *planned, const char *name, const char *bytes,
                                 size_t length)
{
    const char *path = planned_path(planned, name);

    if (file_write(&planned->arena, path, bytes, length, 0600) != NULL)
        abort();
    planned->files[planned->file_count++] = path;
}

static inline void planned_end(struct planned *planned)
{
    for (size_t at = 0; at < planned->file_count; at++)
        (void)unlink(planned->files[at]);
    (void)rmdir(planned->folder);
    arena_release(&planned->arena);
}

static inline const char *planned_told(struct planned *planned)
{
    CLEANUP(text_release) struct text text = {.limit = 0};

    for (size_t at = 0; at < planned->findings.count; at++) {
        const struct finding *finding = &planned->findings.items[at];
        const struct place *place = &finding->error->place;
        const char *name = place->file == NULL ? "-" : strrchr(place->file, '/') + 1;

        if (strcmp(name, "plan.yml") != 0)
            text_append_format(&text, "%s:", name);
        text_append_format(&text, "%d:%d %s", place->line, place->column, finding->error->message);
        if (finding->hazard != NULL)
            text_append_format(&text, " [%s]", finding->hazard);
        if (finding->error->hint != NULL)
            text_append_format(&text, " | %s", finding->error->hint);
        text_append(&text, "\n");
    }
    return text_copy(&text, &planned->arena);
}

static inline const char *planned_read(struct planned *planned, const char *text)
{
    struct inputs *inputs = inputs_live(&planned->arena);
    struct plan_options options = {
        .settings = planned->settings,
        .settings_folder = "/settings",
    };

    while (options.setting_count < 4 && planned->settings[options.setting_count] != NULL)
        options.setting_count++;
    if (access(planned_path(planned, "cluster.yml"), R_OK) == 0)
        planned->cluster = cluster_read(&planned->arena, inputs,
                                        planned_path(planned, "cluster.yml"), &planned->findings);
    options.cluster = planned->cluster;
    planned_write(planned, "plan.yml", text, strlen(text));
    planned->plan = plan_read(&planned->arena, inputs, planned_path(planned, "plan.yml"), &options,
                              planned->scope, &planned->findings);
    return planned_told(planned);
}

/* The whole life of a plan without a cluster file, for the tests that look at findings only. */
static inline void assert_tells(const char *text, const char *expected)
{
    CLEANUP(planned_end) struct planned planned;

    planned_begin(&planned);
    assert_string_equal(planned_read(&planned, text), expected);
}

#define HEAD "holdback: 1\nplan: p\n"
#define ROLES                                                                                      \
    "roles: {leader: {patroni: leader}, held: {patroni: replica, one: true}, "                     \
    "replicas: {patroni: replica, except: [held]}}\n"

#endif
