/* wait-until: a condition, looked at once; the engine repeats the look until it is true. */
#include "actions.h"
#include "condition.h"
#include "outline.h"

static enum look look(struct work *work, struct error **error)
{
    const struct node *params = work->step->params;
    const struct node *fail_when = node_find(params, "fail-when");
    struct condition_result result = {0};
    struct error *cause = NULL;
    if (fail_when != NULL) {
        cause = condition_evaluate(work, fail_when, &result);
        if (cause == NULL && result.is_true) {
            *error = error_new(
                work->arena, ERROR_FAILED, "the condition of \"fail-when\" is true%s%s",
                result.words == NULL ? "" : ": ", result.words == NULL ? "" : result.words);
            return LOOK_FAILED;
        }
    }
    if (cause == NULL)
        cause = condition_evaluate(work, params, &result);
    if (cause != NULL)
        return work_look_failed(work, cause, error);
    work->words = result.words;
    return result.is_true ? LOOK_ALREADY : LOOK_WOULD_CHANGE;
}

/* "wait until pg_rewind is done", else as much as the condition itself says. */
static const char *summary_of(const struct outline *outline)
{
    const struct step *step = outline->step;
    const struct node *params = step->params, *file = node_find(params, "file");
    CLEANUP(text_release) struct text text = {0};
    if (step->about != NULL)
        return arena_printf(outline->arena, "wait until %s", step->about);
    if (node_find(params, "patroni") != NULL)
        return arena_printf(outline->arena, "wait until %s",
                            outline_patroni(outline, node_find(params, "patroni")));
    if (file != NULL)
        return arena_printf(outline->arena, "wait until the file %s is there",
                            outline_text(outline, file));
    text_append(&text, node_find(params, "sql") != NULL     ? "wait until what a query returns"
                       : node_find(params, "shell") != NULL ? "wait until what a shell text says"
                                                            : "wait until what the port says");
    static const char *const keys[] = {"is", "above", "below"};
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        const struct node *node = node_find(params, keys[i]);
        if (node != NULL)
            return arena_printf(outline->arena, "%s is%s%s %s", text_string(&text),
                                i == 0 ? "" : " ", i == 0 ? "" : keys[i],
                                outline_text(outline, node));
    }
    text_append(&text, " is true");
    return text_copy(&text, outline->arena);
}

static void describe(const struct outline *outline, struct description *out)
{
    const struct step *step = outline->step;
    const struct node *params = step->params;
    // A guard is a step whose own map has the condition.
    if (params == step->node) {
        outline_condition(outline, out, NULL, params);
        return;
    }
    out->summary = summary_of(outline);
    outline_condition(outline, out, "until", params);
    if (node_find(params, "fail-when") != NULL)
        outline_condition(outline, out, "fails when", node_find(params, "fail-when"));
}

const struct action wait_until_action = {
    .name = "wait-until",
    .schema = "wait-until.schema.json",
    .describe = describe,
    .look = look,
};
