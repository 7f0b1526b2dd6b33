/*
 * The actions of the world. Each proves its effect as the real one does, which is all that matters
 * after a crash; and each holds the program to its rules before anything happens.
 */
#include "world.h"

#include "run/work.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void __wrap_actions_bind(const struct plan *plan);

enum effect effect_of(const struct step *step)
{
    const struct node *params = step->params;

    if (equal(step->action_name, "wait-until") || node_find(params, "query") != NULL)
        return EFFECT_NONE;
    if (equal(step->action_name, "remote-shell"))
        return EFFECT_JOB;
    if (!equal(step->action_name, "sql") || node_find(params, "unless") != NULL)
        return EFFECT_SEEN;
    return equal(node_text(params, "transaction"), "none") ? EFFECT_BLIND : EFFECT_ONCE;
}

static const struct plan *bound_plan;

bool world_goes_on(const char *id, const char *host)
{
    const struct step *step = plan_find_step(bound_plan, id);

    return step != NULL && effect_of(step) == EFFECT_JOB && world_count("end", id, host, 0) == 0;
}

/* ---- the program's rules ---- */

/* The intent of this try names this host, and is on disk. */
static void check_intent(const struct work *work)
{
    CLEANUP(arena_release) struct arena scratch = {0};
    const char *step = work->step->id, *host = work->target->name;

    if (!world_is_durable(arena_printf(&scratch,
                                       "\"type\":\"intent\",\"step\":\"%s\",\"try\":%d,\"hosts\":[",
                                       step, work->try),
                          arena_printf(&scratch, "\"%s\"", host)))
        world_broken("%s@%s begins its try %d without an intent on disk", step, host, work->try);
}

/* A value says which of the effects of its step it came from: "point pg1 2". */
static void check_value(const struct work *work, const struct step *step, const char *name)
{
    CLEANUP(arena_release) struct arena scratch = {0};
    const struct value *value = scope_find(work->scope, work->target->name, name);
    const char *done = arena_printf(&scratch, "\"%s\":\"%s %s ", name, name, work->target->name);
    char host[16];
    int number;

    if (value == NULL && step != work->step && world_is_durable(done, ""))
        world_broken("%s@%s is not given \"%s\" of %s", work->step->id, work->target->name, name,
                     step->id);
    if (value == NULL || sscanf(value->text, "%*s %15s %d", host, &number) != 2)
        return;
    if (step != work->step && number != world_count("effect", step->id, host, 0))
        world_broken("%s@%s is given \"%s\", which is not the last of %s", work->step->id,
                     work->target->name, value->text, step->id);
}

static void check_values(const struct work *work)
{
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(work->plan, (enum phase)phase, step)) != NULL;) {
            NODE_EACH(name, step->steps == NULL ? node_find(step->params, "save") : NULL)
            check_value(work, step, name->text);
        }
    }
}

static void check_rules(const struct work *work)
{
    if (world_taken("claim", work->target->name) == 0)
        world_broken("%s@%s begins without a claim", work->step->id, work->target->name);
    check_intent(work);
    world_check_outcomes(work->step->id);
    check_values(work);
}

/* ---- effects ---- */

static int count_of(const struct work *work, const char *what, int try)
{
    return world_count(what, work->step->id, work->target->name, try);
}

static void effect(const struct work *work, const char *what)
{
    world_append(what, work->step->id, work->target->name, work->try);
}

/* What decides a variable takes its first choice after "auto"; other looks find 0. */
static const char *saved_text(struct work *work, const char *name)
{
    const struct variable *variable = plan_find_variable(work->plan, name);

    if (variable != NULL)
        return variable->choices->child->next->text;
    if (effect_of(work->step) == EFFECT_NONE)
        return "0";
    return arena_printf(work->arena, "%s %s %d", name, work->target->name,
                        count_of(work, "effect", 0));
}

static void save(struct work *work)
{
    NODE_EACH(name, node_find(work->step->params, "save"))
    work_save(work, name->text, saved_text(work, name->text));
}

static bool is_stopped(struct work *work, struct error **error)
{
    struct pollfd stop = {.fd = work->stop_fd, .events = POLLIN};

    // What runs for long is stopped in the middle.
    if (poll(&stop, 1, world->is_stopping ? 1000 : 0) != 1)
        return false;
    *error = error_new(work->arena, ERROR_STOPPED, "stopped");
    return true;
}

static bool is_there(const struct work *work)
{
    const char *id = work->step->id, *host = work->target->name;

    switch (effect_of(work->step)) {
    case EFFECT_ONCE:
        return world_count("effect", id, host, 0) > world_count("unmark", id, host, 0);
    case EFFECT_SEEN:
        return world_count("effect", id, host, 0) > 0;
    case EFFECT_JOB:
        return (node_find(work->step->params, "unless") != NULL ||
                node_find(work->step->params, "creates") != NULL ||
                node_find(work->step->params, "removes") != NULL) &&
               world_count("end", id, host, 0) > 0;
    case EFFECT_NONE:
    case EFFECT_BLIND:
        break;
    }
    return false;
}

static enum look look(struct work *work, struct error **error)
{
    if (is_stopped(work, error))
        return LOOK_FAILED;
    if (effect_of(work->step) == EFFECT_NONE) {
        save(work);
        return world->lost_guard != NULL && equal(world->lost_guard, work->step->id) &&
                       world->points >= world->lost_at
                   ? LOOK_WOULD_CHANGE
                   : LOOK_ALREADY;
    }
    return is_there(work) ? LOOK_ALREADY : LOOK_WOULD_CHANGE;
}

static enum apply fail(struct work *work, struct error **error)
{
    effect(work, "fails");
    if (world->failure == FAILS_NOTHING) {
        *error = error_new(work->arena, ERROR_FAILED, "it was to fail");
        return APPLY_NOTHING;
    }
    effect(work, "effect");
    *error = error_new(work->arena, world->failure == FAILS_LOST ? ERROR_UNREACHABLE : ERROR_FAILED,
                       "it was to fail after its effect");
    return APPLY_MAYBE;
}

static bool shall_fail(const struct work *work)
{
    return world->fails != NULL && equal(world->fails, work->step->id) &&
           count_of(work, "fails", 0) < world->fail_times;
}

static enum apply apply(struct work *work, struct error **error)
{
    check_rules(work);
    if (is_stopped(work, error))
        return APPLY_NOTHING;
    if (shall_fail(work))
        return fail(work, error);
    effect(work, "effect");
    save(work);
    return effect_of(work->step) == EFFECT_SEEN ? APPLY_LOOK : APPLY_DONE;
}

/* A job is begun and goes on by itself; what it saves is known when it has ended. */
static enum apply apply_job(struct work *work, struct error **error)
{
    bool is_begun = count_of(work, "effect", work->try) > 0;

    if (!is_begun) {
        check_rules(work);
        if (is_stopped(work, error))
            return APPLY_NOTHING;
        if (shall_fail(work) && world->failure == FAILS_NOTHING)
            return fail(work, error);
        effect(work, "effect");
    }
    if (shall_fail(work)) {
        effect(work, "fails");
        *error = error_new(work->arena, ERROR_UNREACHABLE, "it was to lose its connection");
        return APPLY_RUNNING;
    }
    if (is_stopped(work, error))
        return APPLY_RUNNING;
    if (count_of(work, "end", work->try) == 0)
        effect(work, "end");
    save(work);
    return APPLY_DONE;
}

static enum settle settle_job(struct work *work, struct error **error)
{
    (void)error;
    // The job's own record lies in the run's folder.
    if (count_of(work, "effect", work->try) == 0 ||
        world_forgot(work->step->id, work->target->name, work->try))
        return SETTLE_NOT_DONE;
    if (count_of(work, "end", work->try) == 0)
        return SETTLE_RUNNING;
    save(work);
    return SETTLE_DONE;
}

static enum settle settle_sql(struct work *work, struct error **error)
{
    if (effect_of(work->step) == EFFECT_NONE)
        return SETTLE_NOT_DONE;
    if (effect_of(work->step) == EFFECT_BLIND) {
        *error = error_new(work->arena, ERROR_IN_DOUBT, "nothing tells its end");
        return SETTLE_IN_DOUBT;
    }
    if (!is_there(work))
        return SETTLE_NOT_DONE;
    save(work);
    return SETTLE_DONE;
}

static struct error *clean(struct work *work)
{
    world_check_outcomes("");
    if (effect_of(work->step) == EFFECT_ONCE && is_there(work))
        effect(work, "unmark");
    return NULL;
}

static const struct action sql = {.name = "sql",
                                  .has_effect = true,
                                  .look = look,
                                  .apply = apply,
                                  .settle = settle_sql,
                                  .clean = clean};
static const struct action job = {.name = "remote-shell",
                                  .has_effect = true,
                                  .look = look,
                                  .apply = apply_job,
                                  .settle = settle_job};
static const struct action seen = {
    .name = "seen", .has_effect = true, .look = look, .apply = apply};
static const struct action wait = {.name = "wait-until", .look = look};

static void bind(const struct step *step)
{
    // As the real actions_bind does: a plan is immutable but for this.
    struct step *bound = (struct step *)(uintptr_t)step;

    if (equal(step->action_name, "sql"))
        bound->action = &sql;
    else if (equal(step->action_name, "remote-shell"))
        bound->action = &job;
    else if (equal(step->action_name, "wait-until"))
        bound->action = &wait;
    else if (step->action_name != NULL)
        bound->action = &seen;
}

void __wrap_actions_bind(const struct plan *plan)
{
    bound_plan = plan;
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(plan, (enum phase)phase, step)) != NULL;)
            bind(step);
    }
    for (const struct guard *guard = plan->guards; guard != NULL; guard = guard->next)
        bind(&guard->step);
}
