/*
 * The runbook: the plan as a numbered procedure by hand. While a run of this plan is open on this
 * cluster its hosts, its saved values and its id are used, and what it has done is not repeated;
 * else what is not known yet is a placeholder such as <point>.
 */
#include "cli/preview_runbook.h"
#include "cli/markup.h"

#include <string.h>

enum {
    NO_LIMIT = TEXT_LIMIT,
};

static struct by_hand hand_of(const struct runbook *runbook, const struct step *step,
                              const struct host_settings *host)
{
    const struct preview *preview = runbook->preview;

    return (struct by_hand){.arena = preview->arena,
                            .plan = preview->plan,
                            .cluster = preview->cluster,
                            .scope = preview->scope,
                            .step = step,
                            .host = host,
                            .roles = runbook->roles,
                            .role_count = preview->plan->role_count};
}

/*
 * A command with a placeholder that nobody has replaced can do harm: a recovery to a target that
 * does not exist destroys the held state. So it says so itself.
 */
static void append_placeholders(struct runbook *runbook, const char *text)
{
    CLEANUP(text_release) struct text names = {0};
    struct table seen;

    table_init(&seen, runbook->preview->arena);
    for (const char *at = text; (at = strchr(at, '<')) != NULL; at++) {
        size_t length = strcspn(at + 1, "<>'\"$\n");
        const char *name = arena_copy(runbook->preview->arena, at + 1, length);

        if (at[length + 1] != '>' || !runbook_is_placeholder(runbook->preview, name) ||
            table_find(&seen, name) != NULL)
            continue;
        *table_place(&seen, name) = (void *)name;
        text_append(&names, names.length == 0 ? "" : ", ");
        markup_code(&names, arena_printf(runbook->preview->arena, "<%s>", name));
    }
    if (names.length > 0)
        text_append_format(runbook->out, "**First replace** %s.\n\n", text_string(&names));
}

static void append_parts(struct runbook *runbook, const struct description *description)
{
    struct text *out = runbook->out;

    for (const struct description_part *part = description->parts; part != NULL;
         part = part->next) {
        markup_paragraph(out, part->title);
        append_placeholders(runbook, part->text);
        if (*part->text != '\0')
            markup_block(out, equal(part->language, "text") ? "" : part->language, part->text,
                         NO_LIMIT);
    }
}

static bool is_done(const struct runbook *runbook, const struct step *step, const char *host)
{
    const struct ledger *run = runbook->preview->run;
    const struct step_status *status = run == NULL ? NULL : ledger_status(run, step->id, host);

    return status != NULL && step_state_is_complete(status->state);
}

/* Whether there was anything to do. */
static bool append_on(struct runbook *runbook, const struct step *step,
                      const struct host_settings *host, const char *role, bool is_each)
{
    struct by_hand hand = hand_of(runbook, step, host);
    struct description description = {.arena = runbook->preview->arena};

    text_append(runbook->out, is_each ? "On each of **" : "On **");
    markup_text(runbook->out, equal(role, host->name) ? role
                                                      : arena_printf(runbook->preview->arena,
                                                                     "%s (%s)", role, host->name));
    text_append(runbook->out, "**:");
    if (is_done(runbook, step, host->name)) {
        text_append(runbook->out, " done already by this run.\n\n");
        return false;
    }
    text_append(runbook->out, "\n\n");
    by_hand_step(&hand, &description);
    append_parts(runbook, &description);
    return true;
}

/* A role or host of the step's `hosts`. */
static bool append_target(struct runbook *runbook, const struct step *step, const char *name)
{
    const struct host_settings *host = cluster_find_host(runbook->preview->cluster, name);
    bool is_needed = false;

    for (size_t at = 0; at < runbook->preview->plan->role_count; at++) {
        const struct pinned_role *role = &runbook->roles[at];
        bool is_each = runbook->preview->run == NULL && !runbook->preview->plan->roles[at].one;

        if (!equal(role->name, name))
            continue;
        for (size_t index = 0; index < role->count; index++)
            is_needed |= append_on(runbook, step, role->hosts[index], name, is_each);
        return is_needed;
    }
    return host != NULL && append_on(runbook, step, host, name, false);
}

static bool append_targets(struct runbook *runbook, const struct step *step)
{
    bool is_needed = false;

    if (step->hosts == NULL)
        return false;
    if (step->hosts->kind != NODE_LIST)
        return append_target(runbook, step, step->hosts->text);
    NODE_EACH(item, step->hosts)
    {
        is_needed |= append_target(runbook, step, item->text);
    }
    return is_needed;
}

/*
 * How the program learns of it. What only looks it does again itself; a value that a step has saved
 * cannot be told to it.
 */
static void append_resolve(struct runbook *runbook, const struct step *step)
{
    struct arena *arena = runbook->preview->arena;
    const struct node *save = node_find(step->params, "save");

    if (save != NULL) {
        text_append(runbook->out, "Note ");
        markup_text(runbook->out, hosts_words(arena, save));
        text_append(runbook->out, ": later steps need it.");
        text_append(runbook->out,
                    step_only_looks(step)
                        ? "\n\n"
                        : " The program cannot be told such a value: if it is to go on, let it do "
                          "this step, or finish by hand.\n\n");
        return;
    }
    if (!step_only_looks(step))
        markup_block(runbook->out, "sh",
                     arena_printf(arena, "holdback resolve %s %s --as done --why 'done by hand'",
                                  runbook->run, step->id),
                     NO_LIMIT);
}

/* What the journal of the open run answers already. */
static const char *left_out(const struct runbook *runbook, const struct step *step)
{
    const struct preview *preview = runbook->preview;
    const char *words = NULL;

    for (const struct step *at = step; words == NULL && preview->run != NULL && at != NULL;
         at = at->group) {
        for (size_t when = 0; when < at->when_count; when++) {
            const struct when *asked = &at->when[when];
            const struct step *subject = plan_find_step(preview->plan, asked->subject);
            bool may_have = subject != NULL && ledger_may_have_happened(preview->run, subject);

            if (asked->kind == WHEN_DID_NOT_HAPPEN && may_have)
                words = arena_printf(preview->arena, "\"%s\" may have happened", asked->subject);
            if (asked->kind == WHEN_MAY_HAVE_HAPPENED && !may_have)
                words = arena_printf(preview->arena, "\"%s\" did not happen", asked->subject);
        }
    }
    return words;
}

static void append_facts(struct runbook *runbook, const struct step *step)
{
    const struct preview *preview = runbook->preview;
    struct text *out = runbook->out;
    size_t before = out->length;

    for (size_t at = 0; at < step->when_count; at++) {
        if (step->when[at].kind != WHEN_VARIABLE)
            markup_item(out, "condition", when_words(preview, &step->when[at]), true);
    }
    if (step->confirm != NULL)
        markup_item(out, "ask before", known_text(preview, step->confirm), true);
    if (step->irreversible != NULL)
        markup_item(out, "there is no way back", known_text(preview, step->irreversible), true);
    if (step->timeout_is_written && step->steps == NULL)
        markup_item(out, "give up after", period_words(preview->arena, step->timeout_ms), false);
    if (step->serial > 0 && step->steps == NULL)
        markup_item(out, "hosts at a time", arena_printf(preview->arena, "%d", step->serial),
                    false);
    if (out->length > before)
        text_append(out, "\n");
}

static void append_step(struct runbook *runbook, enum phase phase, const char *number,
                        const struct step *step)
{
    struct preview *preview = runbook->preview;
    struct text *out = runbook->out;
    const char *skipped = left_out(runbook, step);
    const struct description description = preview_describe(preview, step);

    if (skip_words(preview, step) != NULL)
        return;
    text_append_format(out, "### %s %s ", phase_names[phase], number);
    markup_code(out, step->id);
    if (skipped != NULL) {
        text_append(out, ": left out, ");
        markup_paragraph(out, skipped);
        return;
    }
    text_append(out, "\n\n");
    markup_paragraph(out, step->about == NULL ? description.summary : step->about);
    append_facts(runbook, step);
    if (step->steps != NULL)
        return;
    if (append_targets(runbook, step))
        append_resolve(runbook, step);
}

static void append_guards(struct runbook *runbook)
{
    struct preview *preview = runbook->preview;
    struct text *out = runbook->out;

    if (preview->plan->guards != NULL)
        text_append(out, "## Guards\n\nNobody looks at these for you while you work by hand.\n\n");
    for (const struct guard *guard = preview->plan->guards; guard != NULL; guard = guard->next) {
        if (guard->show_only || skip_words(preview, &guard->step) != NULL)
            continue;
        text_append(out, "### guard ");
        markup_code(out, guard->step.id);
        text_append(out, "\n\n");
        markup_paragraph(out, guard->step.about);
        markup_item(out, "looked at", guard_words(preview, guard), false);
        markup_item(out, "it", limit_words(preview, guard), true);
        text_append(out, "\n");
        (void)append_targets(runbook, &guard->step);
    }
}

static void append_head(struct runbook *runbook)
{
    const struct preview *preview = runbook->preview;
    struct text *out = runbook->out;

    text_append(out, "# Runbook of plan ");
    markup_code(out, preview->plan->name);
    text_append(out, " on cluster ");
    markup_code(out, preview->cluster->name);
    text_append(out, "\n\n");
    markup_paragraph(out, preview->plan->about);
    if (preview->run != NULL) {
        text_append(out, "It is for run ");
        markup_code(out, runbook->run);
        text_append_format(out,
                           ", which is %s: its hosts and values are filled in, and what it has "
                           "done is left out.\n\n",
                           run_state_names[preview->run->summary.state]);
    }
    text_append(
        out, "Make sure that the program does not run (`holdback status`) before you do anything "
             "by hand. Paste the commands into a shell here, one after the other, and go on only "
             "when each has done what it says. Replace every `<name>`: a role's host is who "
             "`GET /cluster` of Patroni shows, a value is what the step before has printed, and "
             "`holdback log` shows what a run has saved. `<run.folder>` is any private folder on "
             "the host.\n\n"
             "After a step that failed or was interrupted, `holdback resolve` tells the program "
             "that it is done, and `holdback resume` goes on. Whoever finishes all of it by hand "
             "ends with `holdback close`.\n\n");
}

void preview_runbook(struct preview *preview, struct text *out)
{
    static const char *const headings[PHASE_COUNT] = {"Preflight", "Deploy", "Commit", "Rollback"};
    struct runbook runbook = {.preview = preview, .out = out};

    runbook_resolve(&runbook);
    append_head(&runbook);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        struct preview_cursor cursor = {0};

        if ((preview->phase_mask >> phase & 1) == 0 || !preview->plan->has_phase[phase])
            continue;
        text_append_format(out, "## %s\n\n", headings[phase]);
        while (preview_next(preview, (enum phase)phase, &cursor) != NULL)
            append_step(&runbook, (enum phase)phase, cursor.number, cursor.step);
    }
    append_guards(&runbook);
    text_append(out, "## At the end\n\n");
    markup_block(
        out, "sh",
        arena_printf(preview->arena, "holdback close %s --why 'finished by hand'", runbook.run),
        NO_LIMIT);
}
