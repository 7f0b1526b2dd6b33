/* What a preview says about a step beside its texts, and about the values that they name. */
#include "cli/preview.h"
#include "plan/reference.h"
#include "plan/scope.h"

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

const struct fact *preview_facts(const struct preview *preview, const struct step *step)
{
    struct facts facts = {.preview = preview};
    const struct node *save = node_find(step->params, "save");

    for (size_t at = 0; at < step->when_count; at++)
        fact_add(&facts, STYLE_STRONG, "when", when_words(preview, &step->when[at]));
    if (step->confirm != NULL)
        fact_add(&facts, STYLE_WARNING, "gate", known_text(preview, step->confirm));
    if (step->irreversible != NULL)
        fact_add(&facts, STYLE_ERROR, "irreversible", known_text(preview, step->irreversible));
    add_manner(&facts, step);
    if (save != NULL)
        fact_add(&facts, STYLE_FAINT, "saves", hosts_words(preview->arena, save));
    return facts.first;
}

void preview_find_savers(struct preview *preview)
{
    table_init(&preview->savers, preview->arena);
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
static const char *known_words(const struct preview *preview, const char *name, bool in_shell)
{
    struct arena *arena = preview->arena;
    const struct step *saver = table_find(&preview->savers, name);
    const struct value *value = find_value(preview, NULL, name, in_shell);

    if (saver != NULL)
        return arena_printf(arena, "known after step \"%s\"", saver->id);
    if (value != NULL)
        return arena_printf(arena, "\"%s\"", value->text);
    if (starts_with(name, "run.") || (in_shell && starts_with(name, "run_")))
        return "known when the run begins";
    for (size_t at = 0; at < preview->plan->role_count; at++) {
        const char *role = preview->plan->roles[at].name;
        size_t length = strlen(role);

        if (starts_with(name, role) && (name[length] == '.' || (in_shell && name[length] == '_')))
            return "known when the roles are resolved";
    }
    return host_values(preview, name, in_shell);
}

struct laters {
    const struct preview *preview;
    const struct later *first;
    struct later *last;
};

static void later_add(struct laters *laters, const char *name, size_t length, bool in_shell)
{
    struct arena *arena = laters->preview->arena;
    const char *copy = arena_copy(arena, name, length);

    for (const struct later *later = laters->first; later != NULL; later = later->next) {
        if (equal(later->name, copy))
            return;
    }

    const char *known = known_words(laters->preview, copy, in_shell);

    if (known == NULL)
        return;

    struct later *later = arena_alloc(arena, sizeof *later);

    *later = (struct later){copy, known, NULL};
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

static void scan_shell(struct laters *laters, const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    for (const char *at = text; (at = strchr(at, '$')) != NULL;) {
        at += at[1] == '{' ? 2 : 1;

        size_t length = strspn(at, letters);

        if (length > 0 && (*at < '0' || *at > '9'))
            later_add(laters, at, length, true);
    }
}

const struct later *preview_later(const struct preview *preview, const struct step *step,
                                  const struct description *description)
{
    struct laters laters = {.preview = preview};

    if (step->confirm != NULL)
        scan_references(&laters, known_text(preview, step->confirm));
    if (description->summary != NULL)
        scan_references(&laters, description->summary);
    for (const struct description_part *part = description->parts; part != NULL;
         part = part->next) {
        if (equal(part->language, "sh"))
            scan_shell(&laters, part->text);
        else
            scan_references(&laters, part->text);
    }
    return laters.first;
}
