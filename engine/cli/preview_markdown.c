/*
 * A preview for a merge request: GitHub-flavoured Markdown (github.github.com/gfm). Whatever comes
 * from a file stands in a code span or fence that it cannot end, or is escaped.
 */
#include "cli/preview.h"

#include <string.h>

/* Text that is neither markup nor a mention ("@team") nor a reference ("#12"), on one line. */
static void append_escaped(struct text *out, const char *text)
{
    CLEANUP(text_release) struct text visible = {0};

    text_append_visible(&visible, text, strlen(text));
    for (const char *at = text_string(&visible); *at != '\0'; at++) {
        if (*at == '\n' || *at == '\t')
            text_append(out, " ");
        else if (strchr("&<>@#", *at) != NULL)
            text_append_format(out, "&#%d;", *at);
        else if (strchr("\\`*_[]!|~$", *at) != NULL)
            text_append_format(out, "\\%c", *at);
        else
            text_append_bytes(out, at, 1);
    }
}

static size_t longest_run(const char *text, char character)
{
    size_t longest = 0;

    while (*text != '\0') {
        size_t run = 0;

        while (text[run] == character)
            run++;
        if (run > longest)
            longest = run;
        text += run == 0 ? 1 : run;
    }
    return longest;
}

static void append_fence(struct text *out, size_t length)
{
    for (size_t at = 0; at < length; at++)
        text_append(out, "`");
}

static void append_span(struct text *out, const char *text, bool is_in_table)
{
    CLEANUP(text_release) struct text visible = {0};

    text_append_cut(&visible, text, string_width(text));

    size_t fence = longest_run(text_string(&visible), '`') + 1;

    append_fence(out, fence);
    if (fence > 1)
        text_append(out, " ");
    for (const char *at = text_string(&visible); *at != '\0'; at++)
        text_append_format(out, is_in_table && *at == '|' ? "\\%c" : "%c", *at);
    if (fence > 1)
        text_append(out, " ");
    append_fence(out, fence);
}

static void append_code(struct text *out, const char *text)
{
    append_span(out, text, false);
}

/* In a table a pipe would end the cell, also inside a code span. */
static void append_cell(struct text *out, const char *text)
{
    append_span(out, text, true);
}

static void append_block(struct text *out, const char *language, const char *text)
{
    size_t length = strlen(text), fence = longest_run(text, '`') + 1;

    if (fence < 3)
        fence = 3;
    append_fence(out, fence);
    text_append_format(out, "%s\n", language);
    text_append_visible(out, text, length);
    if (length == 0 || text[length - 1] != '\n')
        text_append(out, "\n");
    append_fence(out, fence);
    text_append(out, "\n\n");
}

static void append_paragraph(struct text *out, const char *text)
{
    if (text == NULL)
        return;
    append_escaped(out, text);
    text_append(out, "\n\n");
}

static void append_item(struct text *out, const char *label, const char *words, bool is_strong)
{
    text_append_format(out, is_strong ? "- **%s**: " : "- %s: ", label);
    append_escaped(out, words);
    text_append(out, "\n");
}

static void append_tables(const struct preview *preview, struct text *out)
{
    const struct plan *plan = preview->plan;

    text_append(out, "| file | | sha256 |\n| --- | --- | --- |\n");
    for (const struct input *input = inputs_first(plan->inputs); input != NULL;
         input = input->next) {
        text_append_format(out, "| %s | ", input->role);
        append_cell(out, short_path(preview->arena, input->path));
        text_append_format(out, " | `%.12s` |\n", input->digest);
    }
    text_append(out, "\n| host or role | |\n| --- | --- |\n");
    for (size_t at = 0; at < preview->cluster->host_count; at++) {
        text_append(out, "| ");
        append_cell(out, preview->cluster->hosts[at].name);
        text_append(out, " | ");
        append_cell(out, preview->cluster->hosts[at].address);
        text_append(out, " |\n");
    }
    for (size_t at = 0; at < plan->role_count; at++) {
        text_append(out, "| ");
        append_cell(out, plan->roles[at].name);
        text_append(out, " | ");
        append_escaped(out, role_words(preview, &plan->roles[at]));
        text_append(out, " |\n");
    }
    if (plan->variable_count > 0)
        text_append(out, "\n| variable | value | |\n| --- | --- | --- |\n");
    for (size_t at = 0; at < plan->variable_count; at++) {
        const struct value *value = scope_find(preview->scope, NULL, plan->variables[at].name);

        text_append(out, "| ");
        append_cell(out, plan->variables[at].name);
        text_append(out, " | ");
        if (value != NULL && *value->text != '\0')
            append_cell(out, value->text);
        text_append(out, " | ");
        if (plan->variables[at].about != NULL)
            append_escaped(out, plan->variables[at].about);
        text_append(out, " |\n");
    }
    text_append(out, "\n");
}

static void append_parts(const struct preview *preview, struct text *out,
                         const struct description *description, const struct step *step)
{
    const struct later *later = preview_later(preview, step, description);

    for (const struct description_part *part = description->parts; part != NULL;
         part = part->next) {
        append_paragraph(out, known_text(preview, part->title));
        append_block(out, equal(part->language, "text") ? "" : part->language, part->text);
    }
    for (; later != NULL; later = later->next) {
        text_append(out, "- ");
        append_code(out, later->name);
        text_append(out, ": ");
        append_escaped(out, later->known);
        text_append(out, later->next == NULL ? "\n\n" : "\n");
    }
}

static void append_guards(const struct preview *preview, struct text *out)
{
    if (preview->plan->guards != NULL)
        text_append(out, "## Guards\n\n");
    for (const struct guard *guard = preview->plan->guards; guard != NULL; guard = guard->next) {
        const struct description description = preview_describe(preview, &guard->step);

        text_append(out, "### ");
        append_code(out, guard->step.id);
        text_append(out, " on ");
        append_escaped(out, hosts_words(preview->arena, guard->step.hosts));
        text_append(out, "\n\n");
        append_paragraph(out, guard->step.about);
        for (size_t at = 0; at < guard->step.when_count; at++)
            append_item(out, "when", when_words(preview, &guard->step.when[at]), true);
        append_item(out, "in force", guard_words(preview, guard), false);
        append_item(out, "condition", limit_words(preview, guard), false);
        text_append(out, "\n");
        append_parts(preview, out, &description, &guard->step);
    }
}

static void append_live(const struct preview *preview, struct text *out, const struct step *step)
{
    for (const struct preview_item *item = NULL;
         (item = preview_live_next(preview, step, item)) != NULL;) {
        if (item->host != NULL) {
            text_append(out, "**");
            append_escaped(out, item->label);
            text_append_format(out, ": %s**", look_words(step, item));
        }
        if (look_has_words(item)) {
            text_append(out, item->host == NULL ? "" : ": ");
            append_escaped(out, item->words);
        }
        text_append(out, "\n\n");
        if (item->change != NULL && *item->change != '\0')
            append_block(out, "diff", item->change);
        if (item->shown != NULL)
            append_block(out, "", item->shown);
    }
}

static void append_step(const struct preview *preview, struct text *out, const char *number,
                        const struct step *step)
{
    const struct description description = preview_describe(preview, step);
    const struct fact *facts = preview_facts(preview, step);

    text_append_format(out, "### %s ", number);
    append_code(out, step->id);
    if (step->hosts != NULL) {
        text_append(out, " on ");
        append_escaped(out, hosts_words(preview->arena, step->hosts));
    }
    if (step->action_name != NULL) {
        text_append_format(out, " (%s", step->action_name);
        if (step->as != NULL) {
            text_append(out, " as ");
            append_escaped(out, known_text(preview, step->as));
        }
        text_append(out, ")");
    }
    text_append(out, "\n\n");
    append_paragraph(out, step->about);
    append_paragraph(out, summary_words(step, &description));
    for (const struct fact *fact = facts; fact != NULL; fact = fact->next)
        append_item(out, fact->label, fact->words, fact->style != STYLE_FAINT);
    if (facts != NULL)
        text_append(out, "\n");
    append_live(preview, out, step);
    append_parts(preview, out, &description, step);
}

void preview_markdown(const struct preview *preview, struct text *out)
{
    static const char *const headings[PHASE_COUNT] = {"Preflight", "Deploy", "Commit", "Rollback"};

    text_append(out, "# Preview of plan ");
    append_code(out, preview->plan->name);
    text_append(out, " on cluster ");
    append_code(out, preview->cluster->name);
    text_append(out, "\n\n");
    append_paragraph(out, preview->plan->about);
    text_append(out, "**");
    preview_append_summary(out, preview);
    text_append(out, "**\n\n");
    append_tables(preview, out);
    for (size_t at = 0; at < preview->findings->count; at++) {
        const struct finding *finding = &preview->findings->items[at];

        if (finding->hazard != NULL)
            append_item(out, finding->hazard, error_text(preview->arena, finding->error), true);
    }
    if (preview->findings->hazard_count > 0)
        text_append(out, "\n");
    append_guards(preview, out);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        struct preview_cursor cursor = {0};

        if ((preview->phase_mask >> phase & 1) == 0 || !preview->plan->has_phase[phase])
            continue;
        text_append_format(out, "## %s\n\n", headings[phase]);
        while (preview_next(preview, (enum phase)phase, &cursor) != NULL)
            append_step(preview, out, cursor.number, cursor.step);
    }
}
