/* Looking without doing: the live preview, and the guards of a run that somebody watches. */
#include "run/command.h"
#include "run/folder.h"
#include "run/guard.h"
#include "run/work.h"

const char *const look_names[] = {
    [LOOK_ALREADY] = "already",
    [LOOK_WOULD_CHANGE] = "would-change",
    [LOOK_UNKNOWN] = "unknown",
    [LOOK_FAILED] = "failed",
};

struct preview {
    struct run *run;
    struct live *live;
    struct preview_item *last;
};

static struct preview_item *item_add(struct preview *preview, const struct step *step,
                                     const char *host)
{
    struct preview_item *item = arena_alloc(preview->run->arena, sizeof *item);

    item->step = step;
    item->host = host;
    if (preview->last == NULL)
        preview->live->items = item;
    else
        preview->last->next = item;
    preview->last = item;
    return item;
}

/*
 * What a later phase's conditions will say is not known before the deployment: only those that
 * cannot change any more leave a step out.
 */
static bool is_left_out(const struct run *run, const struct step *step, const char **why)
{
    for (size_t at = 0; at < step->when_count; at++) {
        const struct when *when = &step->when[at];
        bool holds = true;

        if (when->kind != WHEN_POSTGRES && when->kind != WHEN_VARIABLE &&
            when->kind != WHEN_ROLE_IS_EMPTY)
            continue;
        // The preflight was not part of the preview, or could not decide.
        if (when->kind == WHEN_VARIABLE &&
            plan_find_decider(run->plan, run->scope, when->subject) != NULL)
            continue;
        if (when_holds(run, when, 1, step, &holds, why) == NULL && !holds)
            return true;
    }
    return step->group != NULL && is_left_out(run, step->group, why);
}

static void look_into_item(struct preview *preview, struct preview_item *item,
                           const struct worker *worker, struct task *task)
{
    struct arena *arena = preview->run->arena;

    item->look = task->look;
    // A text whose values do not exist yet cannot be looked at, which is no failure.
    if (task->look == LOOK_FAILED && worker->error != NULL && worker->error->kind == ERROR_INPUT)
        item->look = LOOK_UNKNOWN;
    if (worker->error != NULL && worker->error->kind == ERROR_UNREACHABLE &&
        preview->live->lost == NULL)
        preview->live->lost = error_copy(arena, worker->error);
    if (worker->error != NULL)
        item->words = error_text(arena, worker->error);
    else if (task->words != NULL)
        item->words = arena_strdup(arena, task->words);
    if (task->change != NULL)
        item->change = arena_strdup(arena, task->change);
    if (task->shown.length > 0)
        item->shown = text_copy(&task->shown, arena);
    if (item->look == LOOK_WOULD_CHANGE)
        preview->live->would_change |= step_has_effect(item->step);
    if (task->file != NULL)
        item->file = arena_strdup(arena, task->file);
    if (task->digest != NULL)
        item->digest = arena_strdup(arena, task->digest);
    text_release(&task->shown);
}

static void saved_into_preview(struct preview *preview, const struct worker *worker,
                               const struct task *task, bool is_shared)
{
    struct run *run = preview->run;

    for (const struct saved *saved = task->saved; saved != NULL; saved = saved->next)
        scope_set_text(run->scope, is_shared ? NULL : worker->target->name,
                       arena_strdup(run->arena, saved->name),
                       arena_strdup(run->arena, saved->text));
}

/* "sync", "sync or replicas": roles that nobody has. */
static const char *hosts_name(const struct run *run, const struct step *step)
{
    CLEANUP(text_release) struct text text = {0};

    if (step->hosts != NULL && step->hosts->kind == NODE_TEXT)
        text_append_format(&text, "\"%s\"", step->hosts->text);
    NODE_EACH(name, step->hosts)
    text_append_format(&text, "%s\"%s\"", text.length == 0 ? "" : " or ", name->text);
    return text_copy(&text, run->arena);
}

static void preview_step(struct preview *preview, const struct step *step)
{
    struct run *run = preview->run;
    const char *why = NULL;
    size_t count;
    const struct host_settings *const *hosts = step_hosts(run, step, &count);

    if (is_left_out(run, step, &why)) {
        item_add(preview, step, NULL)->words = arena_printf(run->arena, "left out: %s", why);
        return;
    }

    if (count == 0) {
        item_add(preview, step, NULL)->words = arena_printf(
            run->arena, "left out: there is no host that is %s", hosts_name(run, step));
        return;
    }

    struct worker *workers = workers_new(run, hosts, count, task_worker);
    struct task *tasks = arena_alloc(run->arena, sizeof *tasks * (count + 1));

    for (size_t at = 0; at < count; at++) {
        tasks[at] = (struct task){.step = step, .kind = TASK_LOOK, .try = 1};
        workers[at].context = &tasks[at];
    }
    workers_run(run, workers, count);
    for (size_t at = 0; at < count; at++) {
        struct preview_item *item = item_add(preview, step, hosts[at]->name);

        item->label = host_label(run, step, hosts[at]);
        look_into_item(preview, item, &workers[at], &tasks[at]);
        saved_into_preview(preview, &workers[at], &tasks[at], count == 1);
    }
    workers_release(workers, count);
}

static struct error *preview_phases(struct preview *preview, unsigned phase_mask)
{
    struct run *run = preview->run;

    for (unsigned phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (phase_mask >> phase & 1) != 0 &&
             (step = plan_next_step(run->plan, (enum phase)phase, step)) != NULL;) {
            if (run_interrupted(run) != 0)
                return run_interrupted_error(run);
            if (step->steps == NULL)
                preview_step(preview, step);
        }
    }
    return NULL;
}

/* What the looks rest on, beside what they find themselves. */
static struct error *read_facts(struct run *run, struct live *out)
{
    struct patroni_cluster *members = arena_alloc(run->arena, sizeof *members);
    struct error *error = members_read(run, members);

    if (error != NULL)
        return error;
    out->members = members;
    out->system_identifier = node_text(run->ledger.identity, "system_identifier");
    out->versions = node_find(run->ledger.identity, "versions");
    out->roles = run->ledger.roles;
    return NULL;
}

static struct error *preview_go(struct preview *preview, unsigned phase_mask)
{
    struct run *run = preview->run;
    struct error *error = prepare_hosts(run);

    if (error == NULL)
        error = prepare_identity(run);
    if (error == NULL)
        error = prepare_roles(run);
    if (error == NULL && run->options->wants_facts)
        error = read_facts(run, preview->live);
    if (error != NULL)
        return error;
    prepare_scope(run);
    return preview_phases(preview, phase_mask);
}

struct error *run_preview_live(struct arena *arena, const struct run_options *options,
                               unsigned phase_mask, struct findings *findings, struct live *out)
{
    struct run run;
    struct run_summary summary;
    struct preview preview = {.run = &run, .live = out};
    struct inputs *inputs = options->inputs == NULL ? inputs_live(arena) : options->inputs;

    *out = (struct live){0};
    run_begin(&run, arena, options, findings);
    run.is_preview = true;
    run.id = "preview";

    struct error *error =
        prepare_files(&run, inputs, inputs, options->plan_file, options->cluster_file);

    if (error == NULL)
        error = preview_go(&preview, phase_mask);
    out->plan = run.plan;
    return run_end(&run, error, &summary);
}

struct error *live_again(struct run *run, unsigned phase_mask, struct live *out)
{
    struct preview preview = {.run = run, .live = out};
    struct scope *scope = run->scope;

    *out = (struct live){.plan = run->plan};

    struct error *error = read_facts(run, out);

    if (error != NULL)
        return error;
    // What looks find now is not what the steps will: it must not be taken for a saved value.
    run->scope = scope_above(run->arena, scope);
    run->is_preview = true;
    error = preview_phases(&preview, phase_mask);
    run->is_preview = false;
    run->scope = scope;
    return error;
}

static struct error *sample_go(struct run *run, int looks, struct trends *trends,
                               struct run_view *view)
{
    struct error *error = run_load_files(run);

    if (error == NULL)
        error = prepare_hosts(run);
    if (error != NULL)
        return error;
    prepare_scope(run);
    run->is_preview = true;
    view->run = run->id;
    view->plan = run->plan->name;
    view->roles = run->ledger.roles;
    guards_sample(run, run->ledger.summary.state == RUN_COMMITTING ? PHASE_COMMIT : PHASE_DEPLOY,
                  looks, trends, view);
    return NULL;
}

struct error *run_sample(struct arena *arena, const struct run_options *options, int looks,
                         struct trends *trends, struct run_summary *summary,
                         void (*show)(void *context, const struct run_view *view), void *context)
{
    struct run run;
    struct run_view view = {0};

    run_begin(&run, arena, options, NULL);

    struct error *error = run_choose(&run);
    const struct record *record = NULL;

    if (error == NULL)
        error = journal_read(arena, arena_printf(arena, "%s/journal.jsonl", run.folder), &record);
    for (; record != NULL; record = record->next)
        ledger_apply(&run.ledger, record);
    if (error == NULL && run_state_is_open(run.ledger.summary.state) &&
        run.ledger.summary.state != RUN_PREFLIGHT)
        error = sample_go(&run, looks, trends, &view);
    if (error == NULL)
        show(context, &view);

    const char *holder = run.folder == NULL ? NULL : run_lock_holder(arena, run.folder);

    error = run_end(&run, error, summary);
    summary->holder = holder;
    return error;
}
