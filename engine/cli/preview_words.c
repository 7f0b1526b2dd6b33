/* What the forms of a preview say alike. */
#include "cli/preview.h"
#include "plan/reference.h"
#include "plan/scope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool step_only_looks(const struct step *step)
{
    return step->action != NULL &&
           (!step->action->has_effect || node_find(step->params, "query") != NULL);
}

const char *look_words(const struct step *step, const struct preview_item *item)
{
    bool is_query = node_find(step->params, "query") != NULL;

    // Without a host it is a step that its `when` leaves out; the words say so.
    if (item->host == NULL)
        return "";
    switch (item->look) {
    case LOOK_ALREADY:
        return is_query ? "read" : step_only_looks(step) ? "true" : "already so";
    case LOOK_WOULD_CHANGE:
        if (step->phase == PHASE_PREFLIGHT && step_only_looks(step))
            return "NOT TRUE";
        return step_only_looks(step) ? "not true yet" : "would change";
    case LOOK_UNKNOWN:
        return "cannot be known yet";
    case LOOK_FAILED:
        break;
    }
    return "could not look";
}

bool look_has_words(const struct preview_item *item)
{
    // PostgreSQL's "t" and "f" say nothing more.
    return item->words != NULL && *item->words != '\0' && !equal(item->words, "t") &&
           !equal(item->words, "f");
}

const struct step *preview_next(const struct preview *preview, enum phase phase,
                                struct preview_cursor *cursor)
{
    cursor->step = plan_next_step(preview->plan, phase, cursor->step);
    if (cursor->step == NULL)
        return NULL;
    if (cursor->step->group == NULL) {
        cursor->major++;
        cursor->minor = 0;
        (void)snprintf(cursor->number, sizeof cursor->number, "%d", cursor->major);
    } else {
        cursor->minor++;
        (void)snprintf(cursor->number, sizeof cursor->number, "%d.%d", cursor->major,
                       cursor->minor);
    }
    return cursor->step;
}

struct description preview_describe(const struct preview *preview, const struct step *step)
{
    struct description description = {.arena = preview->arena};
    const struct outline outline = {
        .arena = preview->arena,
        .plan = preview->plan,
        .cluster = preview->cluster,
        .scope = preview->scope,
        .step = step,
    };

    if (step->action != NULL && step->action->describe != NULL)
        step->action->describe(&outline, &description);
    return description;
}

const char *summary_words(const struct step *step, const struct description *description)
{
    if (description->summary == NULL || step->about == NULL)
        return description->summary;
    return strstr(description->summary, step->about) == NULL ? description->summary : NULL;
}

static const char *list_words(struct arena *arena, const struct node *list, const char *separator)
{
    CLEANUP(text_release) struct text text = {0};

    if (list == NULL)
        return "";
    if (list->kind != NODE_LIST)
        return list->text == NULL ? "" : list->text;
    NODE_EACH(item, list)
    {
        if (item != list->child)
            text_append(&text, separator);
        text_append(&text, item->text == NULL ? "" : item->text);
    }
    return text_copy(&text, arena);
}

const char *hosts_words(struct arena *arena, const struct node *hosts)
{
    return list_words(arena, hosts, ", ");
}

const char *known_text(const struct preview *preview, const char *text)
{
    const char *known;

    if (text == NULL ||
        expand_text(preview->arena, preview->scope, NULL, (struct place){0}, text, &known) != NULL)
        return text;
    return known;
}

const char *period_words(struct arena *arena, int64_t period_ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}, {1, "ms"}};
    size_t at = 0;

    while (units[at].ms > 1 && (period_ms % units[at].ms != 0 || period_ms == 0))
        at++;
    return arena_printf(arena, "%" PRId64 " %s", period_ms / units[at].ms, units[at].unit);
}

static const char *skip_own(const struct preview *preview, const struct step *step)
{
    for (size_t at = 0; at < step->when_count; at++) {
        const struct when *when = &step->when[at];
        const struct value *value =
            when->kind == WHEN_VARIABLE ? scope_find(preview->scope, NULL, when->subject) : NULL;

        if (value != NULL && !when_is(when, value->text) &&
            plan_find_decider(preview->plan, preview->scope, when->subject) == NULL)
            return arena_printf(preview->arena, "%s is %s", when->subject, value->text);
    }
    return NULL;
}

const char *skip_words(const struct preview *preview, const struct step *step)
{
    const char *words = skip_own(preview, step);

    return words == NULL && step->group != NULL ? skip_own(preview, step->group) : words;
}

enum { REASONS_MOST = 32 };

struct hidden {
    const char *reasons[REASONS_MOST];
    size_t counts[REASONS_MOST], count;
};

static void hidden_add(struct hidden *hidden, const char *reason)
{
    size_t at = 0;

    while (at < hidden->count && !equal(hidden->reasons[at], reason))
        at++;
    if (at == REASONS_MOST)
        return;
    hidden->reasons[at] = reason;
    hidden->counts[at]++;
    hidden->count += at == hidden->count;
}

static const char *hidden_text(const struct preview *preview, const struct hidden *hidden,
                               const char *what)
{
    CLEANUP(text_release) struct text text = {0};

    for (size_t at = 0; at < hidden->count; at++)
        text_append_format(&text, "%s%zu %s%s: %s", at == 0 ? "not shown: " : "; ",
                           hidden->counts[at], what, hidden->counts[at] == 1 ? "" : "s",
                           hidden->reasons[at]);
    return text.length == 0 ? NULL : text_copy(&text, preview->arena);
}

const char *hidden_steps_words(const struct preview *preview, enum phase phase)
{
    struct hidden hidden = {.count = 0};

    for (const struct step *step = NULL;
         (step = plan_next_step(preview->plan, phase, step)) != NULL;) {
        const char *words = skip_words(preview, step);

        if (words != NULL)
            hidden_add(&hidden, words);
    }
    return hidden_text(preview, &hidden, "step");
}

const char *hidden_guards_words(const struct preview *preview)
{
    struct hidden hidden = {.count = 0};

    for (const struct guard *guard = preview->plan->guards; guard != NULL; guard = guard->next) {
        const char *words = skip_words(preview, &guard->step);

        if (words != NULL)
            hidden_add(&hidden, words);
    }
    return hidden_text(preview, &hidden, "guard");
}

static const char *when_variable(const struct preview *preview, const struct when *when)
{
    struct arena *arena = preview->arena;
    const struct value *value = scope_find(preview->scope, NULL, when->subject);
    const char *is = when->is == NULL ? "true" : list_words(arena, when->is, " or ");
    const struct step *step = plan_find_decider(preview->plan, preview->scope, when->subject);

    if (value != NULL && when_is(when, value->text))
        return arena_printf(arena, "only if \"%s\" is %s (it is)", when->subject, is);
    return step == NULL ? arena_printf(arena, "only if \"%s\" is %s", when->subject, is)
                        : arena_printf(arena, "only if \"%s\" is %s (known after step %s)",
                                       when->subject, is, step->id);
}

const char *when_words(const struct preview *preview, const struct when *when)
{
    struct arena *arena = preview->arena;

    switch (when->kind) {
    case WHEN_POSTGRES:
        return arena_printf(arena, "only on PostgreSQL %s", when->subject);
    case WHEN_VARIABLE:
        return when_variable(preview, when);
    case WHEN_VALUE:
        return arena_printf(arena, "only if the saved value \"%s\" is %s", when->subject,
                            when->is == NULL ? "true" : list_words(arena, when->is, " or "));
    case WHEN_ROLE_IS_EMPTY:
        return arena_printf(arena, "only if no host is in role \"%s\"", when->subject);
    case WHEN_MAY_HAVE_HAPPENED:
        return arena_printf(arena, "only if \"%s\" may have happened", when->subject);
    case WHEN_DID_NOT_HAPPEN:
        break;
    }
    return arena_printf(arena, "only if \"%s\" did not happen", when->subject);
}

const char *variable_words(const struct preview *preview, const struct variable *variable)
{
    const struct value *value = scope_find(preview->scope, NULL, variable->name);

    if (value == NULL)
        return NULL;
    // Where the files of a plan lie is nothing of the plan's.
    return value->type == VALUE_PATH ? short_path(preview->arena, value->text) : value->text;
}

const char *limit_words(const struct preview *preview, const struct guard *guard)
{
    static const char *const keys[] = {"is", "above", "below"};

    for (size_t at = 0; at < ARRAY_COUNT(keys); at++) {
        const char *limit = node_text(guard->step.params, keys[at]);

        if (limit != NULL)
            return arena_printf(preview->arena, "must be %s%s%s", at == 0 ? "" : keys[at],
                                at == 0 ? "" : " ", known_text(preview, limit));
    }
    if (guard->show_only)
        return guard->unit == NULL
                   ? "shown, whatever it is"
                   : arena_printf(preview->arena, "shown in %s, whatever it is", guard->unit);
    return "must be true";
}

const char *guard_words(const struct preview *preview, const struct guard *guard)
{
    CLEANUP(text_release) struct text text = {0};

    text_append_format(&text, "every %s, ", period_words(preview->arena, guard->every_ms));
    if (guard->from != NULL)
        text_append_format(&text, "from the end of \"%s\"", guard->from);
    else
        text_append(&text, "from the beginning of deploy");
    if (guard->until != NULL)
        text_append_format(&text, " to the beginning of \"%s\", or of rollback", guard->until);
    else
        text_append(&text, " to the end of deploy");
    if (guard->show_only)
        text_append(&text, "; never stops the run");
    return text_copy(&text, preview->arena);
}

const char *role_words(const struct preview *preview, const struct role *role)
{
    static const struct {
        const char *patroni, *one, *all;
    } kinds[] = {
        {"leader", "the member that leads", "the member that leads"},
        {"replica", "one replica", "all replicas"},
        {"sync-standby", "one synchronous standby", "all synchronous standbys"},
        {"member", "one member", "all members"},
    };
    CLEANUP(text_release) struct text text = {0};
    const struct node *preferred = node_find(preview->cluster->roles, role->name);
    const char *patroni = role->patroni == NULL ? "member" : role->patroni;

    for (size_t at = 0; at < ARRAY_COUNT(kinds); at++) {
        if (equal(kinds[at].patroni, patroni))
            text_append(&text, role->one ? kinds[at].one : kinds[at].all);
    }
    if (role->except != NULL)
        text_append_format(&text, " but %s", list_words(preview->arena, role->except, ", "));
    if (preferred != NULL)
        text_append_format(&text, ": %s", list_words(preview->arena, preferred, ", else "));
    if (role->may_be_empty)
        text_append(&text, "; there may be none");
    return text_copy(&text, preview->arena);
}

const struct preview_item *preview_live_next(const struct preview *preview, const struct step *step,
                                             const struct preview_item *before)
{
    // The items belong to a plan of their own that was read from the same files.
    for (const struct preview_item *item = before == NULL ? preview->live.items : before->next;
         item != NULL; item = item->next) {
        if (equal(item->step->id, step->id))
            return item;
    }
    return NULL;
}
