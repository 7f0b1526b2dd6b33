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

static void describe(const struct outline *outline, struct description *out)
{
    const struct node *params = outline->step->params;
    out->summary = outline->step->about != NULL
                       ? arena_printf(outline->arena, "wait until %s", outline->step->about)
                       : "wait until a condition is true";
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
