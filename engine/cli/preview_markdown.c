/*
 * A preview for a pull request. GitHub refuses a comment of more than 65,536 characters, so
 * everything has a budget: what does not fit is left out, and that is said.
 */
#include "cli/preview_markdown.h"

#include <string.h>

enum {
    LARGEST = 65536,
    SECTION_LARGEST = 6000, /* bytes of each list and table */
    PICTURE_LARGEST = 8000,
    MORE_NAMES = 1000,   /* bytes that the table of names may grow by with the last texts */
    RESERVE = 1500,      /* headings, and what is said about what is missing */
    WORDS_LARGEST = 300, /* columns, and a quarter of the bytes: combining marks take no column */
};

/* A list that ends in "... and 3 more". */
struct section {
    struct text *out;
    size_t limit, left_out;
};

static struct section section_begin(struct text *out)
{
    return (struct section){out, out->length + SECTION_LARGEST, 0};
}

/* One line of it; after the first that does not fit all others are left out, so that the order is
 * kept. */
static void section_add(struct section *section, const struct text *line)
{
    if (section->left_out == 0 && section->out->length + line->length <= section->limit)
        text_append_bytes(section->out, text_string(line), line->length);
    else
        section->left_out++;
}

static void section_end(struct section *section, const char *what)
{
    if (section->left_out > 0)
        text_append_format(section->out, "\n... and %zu more %s.\n", section->left_out, what);
    text_append(section->out, "\n");
}

const char *markdown_cut(const struct preview *preview, const char *words)
{
    CLEANUP(text_release) struct text text = {0};
    size_t length;

    text_append_cut(&text, words, WORDS_LARGEST);
    length = text.length;
    if (length > (size_t)4 * WORDS_LARGEST) {
        length = (size_t)4 * WORDS_LARGEST;
        while (length > 0 && ((unsigned char)text.bytes[length] & 0xc0) == 0x80)
            length--;
    }
    return arena_copy(preview->arena, text_string(&text), length);
}

/* ---- what to decide ---- */

static void decide_door(const struct preview *preview, struct section *section,
                        const struct door *door)
{
    CLEANUP(text_release) struct text line = {0};

    text_append(&line, "- **One-way door**");
    if (door->step != NULL) {
        text_append_format(&line, ", %s ", phase_names[door->step->phase]);
        markup_code(&line, markdown_cut(preview, door->step->id));
    }
    text_append(&line, ": ");
    markup_text(&line, markdown_cut(preview, door->words));
    text_append(&line, "\n");
    section_add(section, &line);
}

static void decide_gates(const struct preview *preview, struct section *section, enum phase phase)
{
    struct preview_cursor cursor = {0};

    while (preview_next(preview, phase, &cursor) != NULL) {
        CLEANUP(text_release) struct text line = {0};

        if (cursor.step->confirm == NULL || skip_words(preview, cursor.step) != NULL)
            continue;
        text_append_format(&line, "- **Gate**, before %s ", phase_names[phase]);
        markup_code(&line, markdown_cut(preview, cursor.step->id));
        text_append(&line, " a person is asked: ");
        markup_text(&line, markdown_cut(preview, known_text(preview, cursor.step->confirm)));
        text_append(&line, "\n");
        section_add(section, &line);
    }
}

static void decide_hazards(const struct preview *preview, struct section *section)
{
    for (size_t at = 0; at < preview->findings->count; at++) {
        const struct finding *finding = &preview->findings->items[at];
        CLEANUP(text_release) struct text line = {0};

        if (finding->hazard == NULL)
            continue;
        text_append_format(&line, "- **Hazard %s**, line %d: ", finding->hazard,
                           finding->error->place.line);
        markup_text(&line, markdown_cut(preview, error_text(preview->arena, finding->error)));
        text_append(&line, "\n");
        section_add(section, &line);
    }
}

static void append_decisions(const struct preview *preview, struct text *out)
{
    struct section section = section_begin(out);
    size_t before = out->length;

    decide_hazards(preview, &section);
    for (const struct door *door = preview_doors(preview); door != NULL; door = door->next)
        decide_door(preview, &section, door);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        if ((preview->phase_mask >> phase & 1) != 0)
            decide_gates(preview, &section, (enum phase)phase);
    }
    if (out->length > before)
        section_end(&section, "of these");
}

/* ---- tables ---- */

static void table_row(const struct preview *preview, struct section *section, const char *name,
                      const char *code, const char *words)
{
    CLEANUP(text_release) struct text line = {0};

    text_append(&line, "| ");
    markup_cell(&line, markdown_cut(preview, name));
    text_append(&line, " | ");
    if (code != NULL && *code != '\0')
        markup_cell(&line, markdown_cut(preview, code));
    text_append(&line, " | ");
    if (words != NULL)
        markup_text(&line, markdown_cut(preview, words));
    text_append(&line, " |\n");
    section_add(section, &line);
}

static void append_variables(const struct preview *preview, struct text *out)
{
    const struct plan *plan = preview->plan;
    struct section section = section_begin(out);

    if (plan->variable_count == 0)
        return;
    text_append(out, "| variable | value | |\n| --- | --- | --- |\n");
    for (size_t at = 0; at < plan->variable_count; at++) {
        const struct value *value = scope_find(preview->scope, NULL, plan->variables[at].name);

        table_row(preview, &section, plan->variables[at].name, value == NULL ? NULL : value->text,
                  plan->variables[at].about);
    }
    section_end(&section, "variables");
}

static void append_roles(const struct preview *preview, struct text *out)
{
    const struct plan *plan = preview->plan;
    const struct cluster *cluster = preview->cluster;
    struct section section = section_begin(out);

    text_append(out, "| role or host | address | |\n| --- | --- | --- |\n");
    for (size_t at = 0; at < plan->role_count; at++)
        table_row(preview, &section, plan->roles[at].name, NULL,
                  role_words(preview, &plan->roles[at]));
    for (size_t at = 0; at < cluster->host_count; at++)
        table_row(preview, &section, cluster->hosts[at].name, cluster->hosts[at].address, NULL);
    section_end(&section, "roles or hosts");
}

static void append_files(const struct preview *preview, struct text *out)
{
    struct section section = section_begin(out);

    text_append(out, "## Files\n\n| file | sha256 | |\n| --- | --- | --- |\n");
    for (const struct input *input = inputs_first(preview->plan->inputs); input != NULL;
         input = input->next)
        table_row(preview, &section, short_path(preview->arena, input->path),
                  arena_copy(preview->arena, input->digest, 12), input->role);
    section_end(&section, "files");
}

static void append_constants(const struct preview *preview, struct text *out)
{
    struct section section = section_begin(out);

    if (preview->constants == NULL)
        return;
    text_append(out, "## Names in the texts\n\n| name | stands for | |\n| --- | --- | --- |\n");
    for (const struct constant *name = preview->constants; name != NULL; name = name->next)
        table_row(preview, &section, name->name, name->words, NULL);
    section_end(&section, "names");
}

static void append_head(const struct preview *preview, struct text *out)
{
    text_append(out, "# Preview of plan ");
    markup_code(out, markdown_cut(preview, preview->plan->name));
    text_append(out, " on cluster ");
    markup_code(out, markdown_cut(preview, preview->cluster->name));
    text_append(out, "\n\n");
    if (preview->plan->about != NULL)
        markup_paragraph(out, markdown_cut(preview, preview->plan->about));
    text_append(out, "**");
    preview_append_summary(out, preview);
    text_append(out, ".**\n\n");
}

/* What is missing stands at the top, or nobody looks for it. */
static void append_left_out(const struct markdown_steps *steps, struct text *out)
{
    if (steps->missing + steps->folded > 0)
        text_append_format(out,
                           "**Not all of it fits into a pull request.** Of %zu steps and guards, "
                           "%zu are not listed, and the texts of %zu more are left out. The text "
                           "form of this preview has them all.\n\n",
                           steps->all, steps->missing, steps->folded);
}

static const char how_to_read[] =
    "Each step below unfolds into the texts that would run, as they are. What stands under "
    "*unless* "
    "is asked first: where it is true the step is done already, and nothing is executed. What "
    "stands under *until* is repeated until it is true. Of texts for several versions of "
    "PostgreSQL the server's own is taken. `${name}` and `$name` stand for values: what is known "
    "now is told under \"Names in the texts\", what a step finds out with the step that needs "
    "it.\n\n";

void preview_markdown(struct preview *preview, struct text *out)
{
    CLEANUP(text_release) struct text top = {0}, middle = {0}, picture = {0}, steps = {0};
    CLEANUP(text_release) struct text tables = {0}, constants = {0};
    struct markdown_steps written;
    size_t room;

    append_head(preview, &top);
    append_decisions(preview, &middle);
    preview_picture(preview, &picture);
    if (picture.length <= PICTURE_LARGEST)
        text_append_bytes(&middle, text_string(&picture), picture.length);
    append_roles(preview, &middle);
    append_variables(preview, &middle);
    text_append(&middle, how_to_read);
    append_files(preview, &tables);
    room = LARGEST - RESERVE - top.length - middle.length - tables.length;
    // The table of names is known only when the texts are written; it may leave room for more.
    written = markdown_steps(preview, room - SECTION_LARGEST, &steps);
    append_constants(preview, &constants);
    if (written.missing + written.folded > 0 && constants.length + MORE_NAMES < SECTION_LARGEST) {
        text_clear(&steps);
        written = markdown_steps(preview, room - constants.length - MORE_NAMES, &steps);
        text_clear(&constants);
        append_constants(preview, &constants);
    }
    append_left_out(&written, &top);
    text_append_bytes(&steps, text_string(&constants), constants.length);
    text_append_bytes(out, text_string(&top), top.length);
    text_append_bytes(out, text_string(&middle), middle.length);
    text_append_bytes(out, text_string(&steps), steps.length);
    text_append_bytes(out, text_string(&tables), tables.length);
}
