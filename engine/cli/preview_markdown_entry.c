/* One step or guard of a preview for a pull request: its line, and its texts. */
#include "cli/preview_markdown.h"

#include <string.h>

enum {
    BLOCK_LARGEST = 12000, /* bytes of one text */
};

static void append_badges(const struct preview *preview, const struct step *step, struct text *out)
{
    for (const struct preview_item *item = NULL;
         (item = preview_live_next(preview, step, item)) != NULL;) {
        if (item->host == NULL)
            continue;
        text_append(out, " [");
        markup_html(out,
                    arena_printf(preview->arena, "%s: %s", item->label, look_words(step, item)));
        text_append(out, "]");
    }
    if (step->confirm != NULL)
        text_append(out, " <b>(gate)</b>");
    if (step->irreversible != NULL)
        text_append(out, " <b>(one-way)</b>");
}

/* Of a step that says nothing about itself: what it executes, if that is short, or does. */
static void append_doing(const struct preview *preview, const struct description *description,
                         struct text *line)
{
    enum { SHORT = 90 };

    for (const struct description_part *part = description->parts; part != NULL;
         part = part->next) {
        if (starts_with(part->title, "SQL") && strlen(part->text) <= SHORT) {
            text_append(line, ": <code>");
            markup_html(line, part->text);
            text_append(line, "</code>");
            return;
        }
    }
    if (description->summary != NULL) {
        text_append(line, ": ");
        markup_html(line, markdown_cut(preview, known_text(preview, description->summary)));
    }
}

/* What is asked only when the time has come; a variable is known already. */
static void append_conditions(const struct preview *preview, const struct step *step,
                              struct text *line)
{
    for (size_t at = 0; at < step->when_count; at++) {
        if (step->when[at].kind == WHEN_VARIABLE)
            continue;
        text_append(line, ", <i>");
        markup_html(line, markdown_cut(preview, when_words(preview, &step->when[at])));
        text_append(line, "</i>");
    }
}

void markdown_line(const struct preview *preview, struct markdown_entry *entry)
{
    const struct step *step = entry->step;
    struct text *line = &entry->line;

    text_append_format(line, "%s%s<code>", entry->number, *entry->number == '\0' ? "" : " ");
    markup_html(line, markdown_cut(preview, step->id));
    text_append(line, "</code>");
    if (step->hosts != NULL) {
        text_append(line, " on ");
        markup_html(line, markdown_cut(preview, hosts_words(preview->arena, step->hosts)));
    }

    const struct description description = preview_describe(preview, step);

    if (step->about == NULL) {
        append_doing(preview, &description, line);
    } else {
        text_append(line, ": ");
        markup_html(line, markdown_cut(preview, step->about));
    }
    append_conditions(preview, step, line);
    if (entry->guard != NULL) {
        text_append(line, "; <b>");
        markup_html(line, markdown_cut(preview, limit_words(preview, entry->guard)));
        text_append(line, "</b>");
    }
    append_badges(preview, step, line);
}

static void append_live(const struct preview *preview, struct text *out, const struct step *step)
{
    for (const struct preview_item *item = NULL;
         (item = preview_live_next(preview, step, item)) != NULL;) {
        if (item->host != NULL) {
            text_append(out, "**");
            markup_text(out, item->label);
            text_append_format(out, ": %s**", look_words(step, item));
        }
        if (look_has_words(item)) {
            text_append(out, item->host == NULL ? "" : ": ");
            markup_text(out, item->words);
        }
        text_append(out, "\n\n");
        if (item->change != NULL && *item->change != '\0')
            markup_block(out, "diff", item->change, BLOCK_LARGEST);
        if (item->shown != NULL)
            markup_block(out, "", item->shown, BLOCK_LARGEST);
    }
}

/* "`point`, `timeline`: known after step "mark"" */
static void append_later(struct text *out, const struct later *first)
{
    const char *known = NULL;

    for (const struct later *later = first; later != NULL; later = later->next) {
        if (later->is_constant)
            continue;
        if (known != NULL && !equal(known, later->known)) {
            text_append(out, ": ");
            markup_text(out, known);
        }
        if (known != NULL)
            text_append(out, equal(known, later->known) ? ", " : "; ");
        markup_code(out, later->name);
        known = later->known;
    }
    if (known != NULL) {
        text_append(out, ": ");
        markup_paragraph(out, known);
    }
}

static void append_texts(struct preview *preview, struct text *out, const struct step *step,
                         const struct description *description)
{
    for (const struct description_part *part = description->parts; part != NULL;
         part = part->next) {
        markup_text(out, known_text(preview, part->title));
        text_append(out, *part->text == '\0' ? ": empty\n\n" : ":\n\n");
        if (*part->text != '\0')
            markup_block(out, equal(part->language, "text") ? "" : part->language, part->text,
                         BLOCK_LARGEST);
    }
    append_later(out, preview_later(preview, step, description));
}

void markdown_body(struct preview *preview, struct markdown_entry *entry)
{
    const struct step *step = entry->step;
    const struct description description = preview_describe(preview, step);
    struct text *body = &entry->body;

    if (step->action_name != NULL && entry->guard == NULL) {
        markup_item(body, "action",
                    step->as == NULL ? step->action_name
                                     : arena_printf(preview->arena, "%s as %s", step->action_name,
                                                    known_text(preview, step->as)),
                    false);
        if (step->about != NULL && summary_words(step, &description) != NULL)
            markup_item(body, "does", known_text(preview, description.summary), false);
    }
    if (entry->guard != NULL) {
        markup_item(body, "looked at", guard_words(preview, entry->guard), false);
        for (size_t at = 0; at < step->when_count; at++)
            markup_item(body, "when", when_words(preview, &step->when[at]), true);
    } else {
        for (const struct fact *fact = preview_facts(preview, step); fact != NULL;
             fact = fact->next)
            markup_item(body, fact->label, fact->words, fact->style != STYLE_FAINT);
    }
    if (body->length > 0)
        text_append(body, "\n");
    append_live(preview, body, step);
    append_texts(preview, body, step, &description);
}
