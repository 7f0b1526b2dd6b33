/* patroni: what is asked of the whole cluster: maintenance mode, and reading. */
#include "patroni.h"

#include <string.h>

enum {
    SEEN_MS = 2000, /* for a woken Patroni to look at its server */
    PAUSE_MS = 100,
};

enum look patroni_query(struct work *work, struct error **error)
{
    const char *what = node_text(work->step->params, "query");
    const struct node *names = node_find(work->step->params, "save");
    struct patroni_answer answer;
    struct error *cause = patroni_ask_any(work, arena_printf(work->arena, "/%s", what), &answer);
    if (cause == NULL && answer.body == NULL)
        cause = error_new(work->arena, ERROR_FAILED,
                          "could not read Patroni's %s: no Patroni answers", what);
    if (cause != NULL)
        return work_look_failed(work, cause, error);
    const char *json = json_text_of(work, answer.body);
    if (names == NULL) {
        text_append(&work->shown, json);
        text_append(&work->shown, "\n");
    }
    NODE_EACH(name, names)
    work_save(work, name->text, json);
    return LOOK_ALREADY;
}

static struct error *look_maintenance(struct work *work, const struct node *value, bool *is_so,
                                      const char **words)
{
    bool wanted = equal(value->text, "true");
    struct error *error = patroni_maintenance(work, wanted, is_so, words);
    if (error == NULL && !*is_so && !work->is_repeat)
        work_change(work, "PATCH /config {\"pause\": %s}", wanted ? "true" : "null");
    return error;
}

/*
 * Only in maintenance mode does a loop of Patroni see that somebody else has started a server which
 * an earlier one saw down (3.0.2: ha.py, handle_starting_instance). Outside of it the member would
 * be "stopped" for ever, while its server runs. One that is down keeps us no longer than SEEN_MS.
 */
static struct error *let_see(struct work *work, const struct host_settings *member)
{
    int64_t until_ms = clock_ms() + SEEN_MS;
    for (;;) {
        enum patroni_reach reach;
        struct patroni_status status;
        struct error *error = patroni_status(work, member, &reach, &status);
        if (error != NULL || status.body == NULL || !equal(status.state, "stopped") ||
            clock_ms() >= until_ms)
            return error;
        error = patroni_poke(work, member);
        if (error == NULL)
            error = work_pause(work, PAUSE_MS);
        if (error != NULL)
            return error;
    }
}

/* A member shows the mode after its next loop only. */
static struct error *apply_maintenance(struct work *work, const struct node *value,
                                       enum apply *outcome)
{
    bool wanted = equal(value->text, "true");
    struct error *error = NULL;
    *outcome = APPLY_NOTHING;
    for (size_t i = 0; error == NULL && !wanted && i < work->cluster->host_count; i++)
        error = let_see(work, &work->cluster->hosts[i]);
    if (error != NULL)
        return error;
    *outcome = APPLY_MAYBE;
    error = patroni_patch_config(work, wanted ? "{\"pause\":true}" : "{\"pause\":null}");
    for (size_t i = 0; error == NULL && i < work->cluster->host_count; i++)
        error = patroni_poke(work, &work->cluster->hosts[i]);
    return error;
}

const struct patroni_key patroni_maintenance_key = {
    .name = "maintenance",
    .look = look_maintenance,
    .apply = apply_maintenance,
};
