/* A preview for a terminal. */
#include "cli/preview.h"

#include <string.h>

enum {
    NAME_COLUMNS = 18,
    VALUE_COLUMNS = 20,
    HOST_COLUMNS = 16,
};

static void append_lines(struct text *out, int indent, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        text_append_format(out, "%*s", length == 0 ? 0 : indent, "");
        text_append_visible(out, text, length);
        text_append(out, "\n");
        text += length;
        if (*text == '\n')
            text++;
    }
}

/* A preview is read in terminals of every width, and in files, which have none. */
static int text_width(const struct preview *preview)
{
    enum { NARROWEST = 40, WIDEST = 100, IN_A_FILE = 80 };
    int width = preview->terminal->width;

    if (width == 0)
        return IN_A_FILE;
    return width < NARROWEST ? NARROWEST : width > WIDEST ? WIDEST : width;
}

static void append_about(const struct preview *preview, struct text *out, int indent,
                         const char *about)
{
    if (about == NULL)
        return;
    text_append_format(out, "%*s", indent, "");
    text_append_wrapped(out, about, indent, indent, text_width(preview));
    text_append(out, "\n");
}

static void append_row(const struct preview *preview, struct text *out, const char *name,
                       const char *words)
{
    int at = string_width(name) < NAME_COLUMNS ? NAME_COLUMNS : string_width(name);

    text_append(out, "  ");
    text_append_padded(out, name, NAME_COLUMNS);
    text_append(out, "  ");
    text_append_wrapped(out, words, at + 4, NAME_COLUMNS + 4, text_width(preview));
    text_append(out, "\n");
}

static void append_heading(const struct preview *preview, struct text *out, const char *heading)
{
    text_append(out, "\n");
    text_append_styled(out, preview->terminal, STYLE_STRONG, heading);
    text_append(out, "\n");
}

static void append_files(const struct preview *preview, struct text *out)
{
    append_heading(preview, out, "Files");
    for (const struct input *input = inputs_first(preview->plan->inputs); input != NULL;
         input = input->next) {
        text_append(out, "  ");
        text_append_padded(out, input->role, 8);
        text_append_format(out, "  %.12s  ", input->digest);
        text_append_cut(out, short_path(preview->arena, input->path), 1000);
        text_append(out, "\n");
    }
}

static void append_variables(const struct preview *preview, struct text *out)
{
    const struct plan *plan = preview->plan;
    bool is_narrow = text_width(preview) < 4 * VALUE_COLUMNS - 1;

    if (plan->variable_count > 0)
        append_heading(preview, out, "Variables");
    for (size_t at = 0; at < plan->variable_count; at++) {
        const struct variable *variable = &plan->variables[at];
        const struct value *value = scope_find(preview->scope, NULL, variable->name);
        CLEANUP(text_release) struct text words = {0};

        text_append_padded(&words, value == NULL ? "(no value)" : value->text,
                           variable->about == NULL || is_narrow ? 0 : VALUE_COLUMNS);
        if (variable->about != NULL)
            text_append_format(&words, is_narrow ? ": %s" : "  %s", variable->about);
        append_row(preview, out, variable->name, text_string(&words));
    }
}

static void append_values(const struct preview *preview, struct text *out)
{
    const struct plan *plan = preview->plan;

    append_heading(preview, out, "Hosts");
    for (size_t at = 0; at < preview->cluster->host_count; at++)
        append_row(preview, out, preview->cluster->hosts[at].name,
                   preview->cluster->hosts[at].address);
    if (plan->role_count > 0)
        append_heading(preview, out, "Roles");
    for (size_t at = 0; at < plan->role_count; at++)
        append_row(preview, out, plan->roles[at].name, role_words(preview, &plan->roles[at]));
    append_variables(preview, out);
}

static void append_hazards(const struct preview *preview, struct text *out)
{
    if (preview->findings->hazard_count > 0)
        append_heading(preview, out, "Hazards");
    for (size_t at = 0; at < preview->findings->count; at++) {
        const struct finding *finding = &preview->findings->items[at];

        if (finding->hazard != NULL)
            append_row(preview, out,
                       arena_printf(preview->arena, "%s, line %d", finding->hazard,
                                    finding->error->place.line),
                       error_text(preview->arena, finding->error));
    }
}

static void append_doors(const struct preview *preview, struct text *out)
{
    const struct door *door = preview_doors(preview);

    if (door != NULL)
        append_heading(preview, out, "One-way doors");
    for (; door != NULL; door = door->next)
        append_row(preview, out,
                   door->step == NULL
                       ? "the run"
                       : arena_printf(preview->arena, "%s %s", phase_names[door->step->phase],
                                      door->step->id),
                   door->words);
}

static void append_parts(struct preview *preview, struct text *out,
                         const struct description *description, const struct step *step, int indent)
{
    for (const struct description_part *part = description->parts; part != NULL;
         part = part->next) {
        text_append_format(out, "%*s", indent, "");
        text_append_styled(out, preview->terminal, STYLE_FAINT, known_text(preview, part->title));
        text_append(out, *part->text == '\0' ? " (empty)\n" : "\n");
        append_lines(out, indent + 4, part->text);
    }
    for (const struct later *later = preview_later(preview, step, description); later != NULL;
         later = later->next) {
        if (!later->is_constant)
            append_about(preview, out, indent,
                         arena_printf(preview->arena, "%s: %s", later->name, later->known));
    }
}

static void append_guard(struct preview *preview, struct text *out, const struct guard *guard)
{
    const struct description description = preview_describe(preview, &guard->step);

    text_append(out, "\n  ");
    text_append_styled(out, preview->terminal, STYLE_STRONG, guard->step.id);
    text_append(out, "  on ");
    text_append_cut(out, hosts_words(preview->arena, guard->step.hosts), 60);
    text_append(out, "\n");
    append_about(preview, out, 6, guard->step.about);
    for (size_t at = 0; at < guard->step.when_count; at++)
        append_about(preview, out, 6, when_words(preview, &guard->step.when[at]));
    append_about(preview, out, 6, guard_words(preview, guard));
    append_about(preview, out, 6, limit_words(preview, guard));
    append_parts(preview, out, &description, &guard->step, 6);
}

/* What the chosen variables leave out. */
static void append_hidden(const struct preview *preview, struct text *out, const char *words)
{
    if (words == NULL)
        return;
    text_append(out, "\n");
    append_about(preview, out, 2, words);
}

static void append_guards(struct preview *preview, struct text *out)
{
    if (preview->plan->guards != NULL)
        append_heading(preview, out,
                       "Guards: looked at all the time; one that fails stops the run");
    for (const struct guard *guard = preview->plan->guards; guard != NULL; guard = guard->next) {
        if (skip_words(preview, &guard->step) == NULL)
            append_guard(preview, out, guard);
    }
    append_hidden(preview, out, hidden_guards_words(preview));
}

static void append_look(const struct preview *preview, struct text *out, const struct step *step,
                        const struct preview_item *item)
{
    static const enum style styles[] = {
        [LOOK_ALREADY] = STYLE_GOOD,
        [LOOK_WOULD_CHANGE] = STYLE_WARNING,
        [LOOK_UNKNOWN] = STYLE_FAINT,
        [LOOK_FAILED] = STYLE_ERROR,
    };
    const char *title = item->label;
    const char *words = look_words(step, item);
    int at = 7, width = text_width(preview);

    text_append_format(out, "%*s", at, "");
    if (item->host != NULL) {
        text_append_padded(out, title, HOST_COLUMNS);
        text_append(out, "  ");
        text_append_styled(out, preview->terminal, styles[item->look], words);
        at += (string_width(title) < HOST_COLUMNS ? HOST_COLUMNS : string_width(title)) + 2 +
              string_width(words);
    }
    if (look_has_words(item)) {
        text_append(out, item->host == NULL ? "" : ": ");
        text_append_wrapped(out, item->words, at + 2, 11, width);
    }
    text_append(out, "\n");
    append_lines(out, 11, item->change == NULL ? "" : item->change);
    append_lines(out, 11, item->shown == NULL ? "" : item->shown);
}

/* False: nobody has looked at the step. */
static bool append_live(const struct preview *preview, struct text *out, const struct step *step)
{
    const struct preview_item *item = NULL;
    bool is_seen = false;

    while ((item = preview_live_next(preview, step, item)) != NULL) {
        append_look(preview, out, step, item);
        is_seen = true;
    }
    return is_seen;
}

static void append_title(const struct preview *preview, struct text *out, const char *number,
                         const struct step *step)
{
    text_append_format(out, "\n%5s  ", number);
    text_append_styled(out, preview->terminal, STYLE_STRONG, step->id);
    if (step->hosts != NULL) {
        text_append(out, "  on ");
        text_append_cut(out, hosts_words(preview->arena, step->hosts), 60);
    }
    if (step->steps != NULL) {
        text_append(out, "  (group)\n");
        return;
    }
    text_append(out, "  (");
    text_append_cut(out, step->action_name, 40);
    if (step->as != NULL) {
        text_append(out, " as ");
        text_append_cut(out, known_text(preview, step->as), 40);
    }
    text_append(out, ")\n");
}

static void append_step(struct preview *preview, struct text *out, const char *number,
                        const struct step *step)
{
    const struct description description = preview_describe(preview, step);

    append_title(preview, out, number, step);
    append_about(preview, out, 7, step->about);
    append_about(preview, out, 7, known_text(preview, summary_words(step, &description)));
    for (const struct fact *fact = preview_facts(preview, step); fact != NULL; fact = fact->next) {
        int at = 7 + string_width(fact->label) + 2;

        text_append(out, "       ");
        text_append_styled(out, preview->terminal, fact->style, fact->label);
        text_append(out, ": ");
        text_append_wrapped(out, fact->words, at, 11, text_width(preview));
        text_append(out, "\n");
    }
    // What was found says more than what would be done; the texts are in the offline preview.
    if (!append_live(preview, out, step))
        append_parts(preview, out, &description, step, 7);
}

static void append_phase(struct preview *preview, struct text *out, enum phase phase)
{
    static const char *const headings[PHASE_COUNT] = {
        [PHASE_PREFLIGHT] = "Preflight: looks only; all are tried, all findings are told",
        [PHASE_DEPLOY] = "Deploy",
        [PHASE_COMMIT] = "Commit",
        [PHASE_ROLLBACK] = "Rollback",
    };
    struct preview_cursor cursor = {0};

    append_heading(preview, out, headings[phase]);
    append_about(preview, out, 2, phase_time_words(preview, phase));
    if (preview_next(preview, phase, &cursor) == NULL)
        text_append(out, "  no steps\n");
    for (; cursor.step != NULL; (void)preview_next(preview, phase, &cursor)) {
        if (skip_words(preview, cursor.step) == NULL)
            append_step(preview, out, cursor.number, cursor.step);
    }
    append_hidden(preview, out, hidden_steps_words(preview, phase));
}

void preview_text(struct preview *preview, struct text *out)
{
    text_append_styled(out, preview->terminal, STYLE_STRONG,
                       arena_printf(preview->arena, "Preview of plan \"%s\" on cluster \"%s\"",
                                    preview->plan->name, preview->cluster->name));
    text_append(out, "\n");
    append_about(preview, out, 0, preview->plan->about);
    append_files(preview, out);
    append_values(preview, out);
    append_hazards(preview, out);
    append_doors(preview, out);
    append_guards(preview, out);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        if ((preview->phase_mask >> phase & 1) != 0 && preview->plan->has_phase[phase])
            append_phase(preview, out, (enum phase)phase);
    }
    if (preview->constants != NULL)
        append_heading(preview, out, "Names in the texts");
    for (const struct constant *name = preview->constants; name != NULL; name = name->next)
        append_row(preview, out, name->name, name->words);
    text_append(out, "\n");
    preview_append_summary(out, preview);
    text_append(out, "\n");
}
