/* What a preview says about a step beside its texts, and about the values that they name. */
#include "cli/preview.h"
#include "plan/reference.h"
#include "plan/scope.h"
#include "plan/shelltext.h"

#include <string.h>

struct facts {
    const struct preview *preview;
    const struct fact *first;
    struct fact *last;
};

static void fact_add(struct facts *facts, enum style style, const char *label, const char *words)
{
    struct fact *fact = arena_alloc(facts->preview->arena, sizeof *fact);

    *fact = (struct fact){label, words, style, NULL};
    if (facts->last == NULL)
        facts->first = fact;
    else
        facts->last->next = fact;
    facts->last = fact;
}

static void add_manner(struct facts *facts, const struct step *step)
{
    struct arena *arena = facts->preview->arena;

    if (step->serial == 1)
        fact_add(facts, STYLE_FAINT, "serial", "one host after the other");
    else if (step->serial > 1)
        fact_add(facts, STYLE_FAINT, "serial",
                 arena_printf(arena, "%d hosts at a time", step->serial));
    if (step->steps != NULL)
        return;
    // What only looks cannot do harm by ending early, and there are many of these.
    if (step->timeout_is_written || !step_only_looks(step))
        fact_add(facts, STYLE_FAINT, "timeout",
                 arena_printf(arena, "%s%s", period_words(arena, step->timeout_ms),
                              step->timeout_is_written ? "" : " (default)"));
    if (step->retry_times > 0)
        fact_add(facts, STYLE_FAINT, "retry",
                 arena_printf(arena, "up to %d more times, %s apart", step->retry_times,
                              period_words(arena, step->retry_delay_ms)));
    if (step->repeat_if_interrupted)
        fact_add(facts, STYLE_FAINT, "if interrupted", "done once more");
    if (step->ask_if_unreachable)
        fact_add(facts, STYLE_FAINT, "if unreachable", "a person decides");
}

/* The guards that come into force, or end, with STEP. */
static void add_guards(struct facts *facts, const struct step *step)
{
    CLEANUP(text_release) struct text begin = {0}, end = {0};

    for (const struct guard *guard = facts->preview->plan->guards; guard != NULL;
         guard = guard->next) {
        if (equal(guard->from, step->id))
            text_append_format(&begin, "%s%s", begin.length == 0 ? "" : ", ", guard->step.id);
        if (equal(guard->until, step->id))
            text_append_format(&end, "%s%s", end.length == 0 ? "" : ", ", guard->step.id);
    }
    if (begin.length > 0)
        fact_add(facts, STYLE_FAINT, "guards begin after it",
                 text_copy(&begin, facts->preview->arena));
    if (end.length > 0)
        fact_add(facts, STYLE_FAINT, "guards end before it",
                 text_copy(&end, facts->preview->arena));
}

const char *time_words(const struct preview *preview, const struct step *step)
{
    const struct step_time *time = table_find(&preview->times, step->id);
    char last[DURATION_SIZE], median[DURATION_SIZE];

    if (time == NULL)
        return NULL;
    (void)duration_words(time->last_ms, last);
    if (time->count == 1)
        return arena_printf(preview->arena, "%s last time", last);
    return arena_printf(preview->arena, "%s last time; %s is the median of %zu runs", last,
                        duration_words(time->median_ms, median), time->count);
}

const char *phase_time_words(const struct preview *preview, enum phase phase)
{
    char words[DURATION_SIZE];
    int64_t sum_ms = 0;

    for (const struct step *step = NULL;
         preview->times.count > 0 && (step = plan_next_step(preview->plan, phase, step)) != NULL;) {
        const struct step_time *time = table_find(&preview->times, step->id);

        if (time != NULL && skip_words(preview, step) == NULL)
            sum_ms += time->median_ms;
    }
    if (sum_ms == 0)
        return NULL;
    return arena_printf(preview->arena, "about %s, as the medians of earlier runs add up",
                        duration_words(sum_ms, words));
}

const struct fact *preview_facts(const struct preview *preview, const struct step *step)
{
    struct facts facts = {.preview = preview};
    const struct node *save = node_find(step->params, "save");
    const char *time = time_words(preview, step);

    for (size_t at = 0; at < step->when_count; at++)
        fact_add(&facts, STYLE_STRONG, "when", when_words(preview, &step->when[at]));
    if (step->confirm != NULL)
        fact_add(&facts, STYLE_WARNING, "gate, a person is asked",
                 known_text(preview, step->confirm));
    if (step->irreversible != NULL)
        fact_add(&facts, STYLE_ERROR, "irreversible", known_text(preview, step->irreversible));
    add_manner(&facts, step);
    if (save != NULL)
        fact_add(&facts, STYLE_FAINT, "saves", hosts_words(preview->arena, save));
    add_guards(&facts, step);
    if (time != NULL)
        fact_add(&facts, STYLE_FAINT, "took", time);
    return facts.first;
}

void preview_prepare(struct preview *preview)
{
    table_init(&preview->savers, preview->arena);
    table_init(&preview->constant_names, preview->arena);
    if (preview->times.arena == NULL)
        table_init(&preview->times, preview->arena);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(preview->plan, (enum phase)phase, step)) != NULL;) {
            const struct node *save = node_find(step->params, "save");

            if (save == NULL)
                continue;
            if (save->kind == NODE_TEXT)
                *table_place(&preview->savers, save->text) = (void *)step;
            NODE_EACH(name, save)
            {
                const char *spelling = shell_spelling(preview->arena, name->text);

                *table_place(&preview->savers, name->text) = (void *)step;
                *table_place(&preview->savers, spelling) = (void *)step;
            }
        }
    }
}

static const struct value *find_value(const struct preview *preview, const char *host,
                                      const char *name, bool in_shell)
{
    return in_shell ? scope_find_shell(preview->scope, host, name, strlen(name))
                    : scope_find(preview->scope, host, name);
}

/* "/a" where it is the same on all hosts, else "/a on pg1, /b on pg2"; NULL: not a host's value. */
static const char *host_values(const struct preview *preview, const char *name, bool in_shell)
{
    CLEANUP(text_release) struct text text = {0};
    const struct cluster *cluster = preview->cluster;
    const struct value *first = NULL;
    bool is_same = true;

    for (size_t at = 0; at < cluster->host_count; at++) {
        const struct value *value = find_value(preview, cluster->hosts[at].name, name, in_shell);

        if (value == NULL)
            continue;
        if (first == NULL)
            first = value;
        is_same = is_same && equal(first->text, value->text);
        text_append_format(&text, "%s\"%s\" on %s", text.length == 0 ? "" : ", ", value->text,
                           cluster->hosts[at].name);
    }
    if (first == NULL)
        return NULL;
    return is_same ? arena_printf(preview->arena, "\"%s\"", first->text)
                   : text_copy(&text, preview->arena);
}

/* What a name will stand for, or NULL where that is not a name of ours. */
static const char *known_words(const struct preview *preview, const char *name, bool in_shell,
                               bool *is_constant)
{
    struct arena *arena = preview->arena;
    const struct step *saver = table_find(&preview->savers, name);
    const struct value *value = find_value(preview, NULL, name, in_shell);

    *is_constant = false;
    if (saver != NULL)
        return arena_printf(arena, "known after step \"%s\"", saver->id);
    if (starts_with(name, "run.") || (in_shell && starts_with(name, "run_")))
        return "known when the run begins";
    for (size_t at = 0; value == NULL && at < preview->plan->role_count; at++) {
        const char *role = preview->plan->roles[at].name;
        size_t length = strlen(role);

        if (starts_with(name, role) && (name[length] == '.' || (in_shell && name[length] == '_')))
            return "known when the roles are resolved, before the preflight";
    }
    *is_constant = true;
    return value != NULL ? arena_printf(arena, "\"%s\"", value->text)
                         : host_values(preview, name, in_shell);
}

static void constant_add(struct preview *preview, const char *name, const char *words)
{
    struct constant **place = (struct constant **)table_place(&preview->constant_names, name);

    if (*place != NULL)
        return;
    *place = arena_alloc(preview->arena, sizeof **place);
    **place = (struct constant){name, words, NULL};
    if (preview->last_constant == NULL)
        preview->constants = *place;
    else
        preview->last_constant->next = *place;
    preview->last_constant = *place;
}

struct laters {
    struct preview *preview;
    const struct later *first;
    struct later *last;
    struct table seen; /* in one shell text: names that are not to be told */
};

static void later_add(struct laters *laters, const char *name, size_t length, bool in_shell)
{
    struct arena *arena = laters->preview->arena;
    const char *copy;
    bool is_constant;

    for (const struct later *later = laters->first; later != NULL; later = later->next) {
        if (strlen(later->name) == length && memcmp(later->name, name, length) == 0)
            return;
    }
    copy = arena_copy(arena, name, length);

    const char *known = known_words(laters->preview, copy, in_shell, &is_constant);
    struct later *later;

    if (known == NULL)
        return;
    if (is_constant)
        constant_add(laters->preview, copy, known);
    later = arena_alloc(arena, sizeof *later);
    *later = (struct later){copy, known, is_constant, NULL};
    if (laters->last == NULL)
        laters->first = later;
    else
        laters->last->next = later;
    laters->last = later;
}

static void scan_references(struct laters *laters, const char *text)
{
    const char *end = text + strlen(text);

    for (const char *at = text; (at = reference_next(at, end)) != NULL;) {
        struct reference reference;

        if (at[1] == '$') {
            at += 3;
        } else if (reference_read(at, &reference)) {
            later_add(laters, reference.name, reference.name_length, false);
            at += reference.length;
        } else {
            at += 2;
        }
    }
}

static void see_assignment(void *context, const char *name, size_t length)
{
    struct laters *laters = context;

    *table_place(&laters->seen, arena_copy(laters->preview->arena, name, length)) = laters;
}

static void see_use(void *context, const struct shell_use *use)
{
    struct laters *laters = context;

    if (table_find_bytes(&laters->seen, use->name, use->length) == NULL)
        later_add(laters, use->name, use->length, true);
}

/* A name that the text assigns itself is its own, whatever the plan has under that name. */
static void scan_shell(struct laters *laters, const char *text)
{
    const struct shell_visitor assignments = {.assign = see_assignment, .context = laters};
    const struct shell_visitor uses = {.use = see_use, .context = laters};

    table_init(&laters->seen, laters->preview->arena);
    (void)shell_scan(text, &assignments);
    (void)shell_scan(text, &uses);
}

const struct later *preview_later(struct preview *preview, const struct step *step,
                                  const struct description *description)
{
    struct laters laters = {.preview = preview};

    if (step->confirm != NULL)
        scan_references(&laters, known_text(preview, step->confirm));
    if (description->summary != NULL)
        scan_references(&laters, known_text(preview, description->summary));
    for (const struct description_part *part = description->parts; part != NULL;
         part = part->next) {
        scan_references(&laters, known_text(preview, part->title));
        if (equal(part->language, "sh"))
            scan_shell(&laters, part->text);
        else
            scan_references(&laters, part->text);
    }
    return laters.first;
}
