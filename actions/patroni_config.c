/* patroni: the dynamic configuration, changed by a merge patch (RFC 7396, as Patroni does it). */
#include "diff.h"
#include "patroni.h"

#include <string.h>

/* The patch that brings back what PATCH changes. */
static void append_inverse(struct text *out, const struct node *patch, const struct node *current)
{
    text_append(out, "{");
    NODE_EACH(item, patch)
    {
        const struct node *now = node_find(current, item->key);
        text_append(out, item == patch->child ? "" : ",");
        text_append_json(out, item->key, strlen(item->key));
        text_append(out, ":");
        if (item->kind == NODE_MAP && now != NULL && now->kind == NODE_MAP)
            append_inverse(out, item, now);
        else if (now == NULL)
            text_append(out, "null");
        else
            node_append_json(out, now);
    }
    text_append(out, "}");
}

/* "postgresql.parameters.work_mem: 4MB -> 64MB", a line for each. */
static void append_changes(struct work *work, const char *path, const struct node *patch,
                           const struct node *current)
{
    NODE_EACH(item, patch)
    {
        const struct node *now = node_find(current, item->key);
        const char *name =
            path[0] == '\0' ? item->key : arena_printf(work->arena, "%s.%s", path, item->key);
        if (item->kind == NODE_MAP) {
            append_changes(work, name, item, now);
            continue;
        }
        const char *wanted = item->kind == NODE_NULL ? "(none)" : json_text_of(work, item);
        const char *before = now == NULL ? "(none)" : json_text_of(work, now);
        if (equal(wanted, before))
            continue;

        const char *line = arena_printf(work->arena, "%s: %s -> %s", name, before, wanted);

        redact_append(&work->change, line, strlen(line));
        text_append(&work->change, "\n");
    }
}

static struct error *current_config(struct work *work, const struct node **out)
{
    struct patroni_answer answer;
    struct error *error = patroni_ask_any(work, "/config", &answer);
    if (error == NULL && answer.body == NULL)
        error = error_new(work->arena, ERROR_FAILED,
                          "could not read Patroni's configuration: no Patroni answers");
    if (error == NULL)
        *out = answer.body;
    return error;
}

static struct error *look_config(struct work *work, const struct node *value, bool *is_so,
                                 const char **words)
{
    const struct node *current, *first = NULL;
    struct error *error = current_config(work, &current);
    if (error != NULL)
        return error;
    *is_so = json_is_patched(value, current, &first);
    *words = *is_so ? "the configuration is as wanted"
                    : arena_printf(work->arena, "\"%s\" is not as wanted",
                                   first == NULL ? value->child->key : first->key);
    if (!*is_so && !work->is_repeat)
        append_changes(work, "", value, current);
    return NULL;
}

static struct error *apply_config(struct work *work, const struct node *value, enum apply *outcome)
{
    const struct node *current;
    *outcome = APPLY_NOTHING;
    struct error *error = current_config(work, &current);
    if (error != NULL)
        return error;
    // What is put back keeps nothing of its own.
    if (node_find(work->step->params, "restore") == NULL) {
        CLEANUP(text_release) struct text before = {0};
        text_append(&before, "{\"config\":");
        append_inverse(&before, value, current);
        text_append(&before, "}");
        error = before_keep(work, text_string(&before));
        if (error != NULL)
            return error;
    }
    *outcome = APPLY_MAYBE;
    return patroni_patch_config(work, json_text_of(work, value));
}

const struct patroni_key patroni_config_key = {
    .name = "config",
    .look = look_config,
    .apply = apply_config,
};
