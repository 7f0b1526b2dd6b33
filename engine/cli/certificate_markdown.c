/* A certificate for people: what stands in the JSON, and nothing else. */
#include "cli/certificate.h"
#include "cli/markup.h"

#include <string.h>

struct page {
    struct arena *arena;
    const struct node *node;
    struct text *out;
};

static const char *or_dash(const char *text)
{
    return text == NULL || *text == '\0' ? "–" : text;
}

static void heading(const struct page *page, const char *words)
{
    text_append_format(page->out, "## %s\n\n", words);
}

/* COUNT texts after each other; the first row makes the head. */
static void row(const struct page *page, const char *const *cells, size_t count, bool is_head)
{
    for (size_t at = 0; at < count; at++) {
        text_append(page->out, "| ");
        markup_text(page->out, or_dash(cells[at]));
        text_append(page->out, " ");
    }
    text_append(page->out, "|\n");
    for (size_t at = 0; is_head && at < count; at++)
        text_append(page->out, at + 1 < count ? "| --- " : "| --- |\n");
}

/* "2026-11-22 17:22:47.874" */
static const char *time_words(struct arena *arena, const char *at)
{
    return at == NULL || strlen(at) < 24 ? at : arena_printf(arena, "%.10s %.12s", at, at + 11);
}

/* A table of the maps in LIST: KEYS are its columns. */
static void table(const struct page *page, const struct node *list, const char *const *heads,
                  const char *const *keys, size_t count)
{
    const char *cells[8];

    row(page, heads, count, true);
    NODE_EACH(item, list)
    {
        for (size_t at = 0; at < count && at < ARRAY_COUNT(cells); at++) {
            cells[at] = node_text(item, keys[at]);
            if (equal(keys[at], "at"))
                cells[at] = time_words(page->arena, cells[at]);
        }
        row(page, cells, count, false);
    }
    text_append(page->out, "\n");
}

static void append_head(const struct page *page)
{
    const struct node *node = page->node;
    const char *outcome = node_text(node, "outcome"), *asked = node_text(node, "asked");
    bool has_failed;
    const char *count = certificate_count(page->arena, node, &has_failed);

    text_append(page->out,
                equal(outcome, "committed") ? "# Committed: run " : "# Rolled back: run ");
    markup_text(page->out, node_text(node, "run"));
    text_append(page->out, "\n\n");
    markup_item(page->out, "cluster", node_text(node, "cluster"), false);
    markup_item(page->out, "plan", node_text(node, "plan"), false);
    markup_item(page->out, "by",
                arena_printf(page->arena, "%s on %s, from %s to %s UTC", node_text(node, "by"),
                             node_text(node, "from"),
                             time_words(page->arena, node_text(node, "began")),
                             time_words(page->arena, node_text(node, "ended"))),
                false);
    markup_item(page->out, "asked",
                arena_printf(page->arena, "%s UTC, by %s, holdback %s, by looking only",
                             time_words(page->arena, asked), node_text(node, "asked_by"),
                             node_text(node, "version")),
                false);
    markup_item(page->out, has_failed ? "**proofs**" : "proofs", count, false);
    text_append(page->out, "\n");
}

static void append_proofs(const struct page *page)
{
    static const char *const heads[] = {"result", "that", "found"};
    static const struct {
        const char *result, *mark;
    } marks[] = {{"proven", "proven"},
                 {"failed", "NOT TRUE"},
                 {"not-proven", "not proven"},
                 {"does-not-apply", "not applicable"}};

    heading(page, "Proofs");
    row(page, heads, ARRAY_COUNT(heads), true);
    NODE_EACH(proof, node_find(page->node, "proofs"))
    {
        const char *cells[] = {"?", node_text(proof, "about"), node_text(proof, "words")};

        for (size_t at = 0; at < ARRAY_COUNT(marks); at++) {
            if (equal(marks[at].result, node_text(proof, "result")))
                cells[0] = marks[at].mark;
        }
        row(page, cells, ARRAY_COUNT(cells), false);
    }
    text_append(page->out, "\n");
}

static void append_mark(const struct page *page)
{
    static const char *const heads[] = {"saved as", "value"};
    const struct node *timelines = node_find(page->node, "timelines");
    const char *history = node_text(timelines, "history");

    heading(page, "Mark and timelines");
    row(page, heads, ARRAY_COUNT(heads), true);
    NODE_EACH(value, node_find(page->node, "mark"))
    {
        const char *cells[] = {value->key,
                               value->kind == NODE_NULL ? "not saved by the plan" : value->text};

        row(page, cells, ARRAY_COUNT(cells), false);
    }

    const char *before[] = {"timeline before", node_text(timelines, "before")};
    const char *after[] = {"timeline after", node_text(timelines, "after")};

    row(page, before, 2, false);
    row(page, after, 2, false);
    text_append(page->out, "\n");
    if (history != NULL && *history != '\0') {
        text_append(page->out, "The history file of the timeline, as the leader has it:\n\n");
        markup_block(page->out, "text", history, 8192);
    }
}

static void append_variables(const struct page *page)
{
    static const char *const heads[] = {"variable", "value"};

    row(page, heads, ARRAY_COUNT(heads), true);
    NODE_EACH(variable, node_find(page->node, "variables"))
    {
        const char *cells[] = {variable->key, variable->text};

        row(page, cells, ARRAY_COUNT(cells), false);
    }
    text_append(page->out, "\n");
}

/* ---- times ---- */

/* By time, and as they stand where it is the same; what has none comes last. */
static bool is_before(const struct node *stage, const struct node *other)
{
    const char *a = node_text(stage, "at"), *b = node_text(other, "at");

    return a != NULL && (b == NULL || strcmp(a, b) < 0);
}

static void append_stages(const struct page *page)
{
    static const char *const heads[] = {"UTC", "stage", "said"};
    const struct node *stages = node_find(page->node, "stages");
    const struct node **sorted;
    size_t count = 0;

    if (stages == NULL)
        return;
    sorted = arena_alloc(page->arena, (stages->count + 1) * sizeof(struct node *));
    NODE_EACH(stage, stages)
    {
        size_t at = count++;

        for (; at > 0 && is_before(stage, sorted[at - 1]); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = stage;
    }
    heading(page, "Times");
    row(page, heads, ARRAY_COUNT(heads), true);
    for (size_t at = 0; at < count; at++) {
        const char *cells[] = {time_words(page->arena, node_text(sorted[at], "at")),
                               node_text(sorted[at], "stage"), node_text(sorted[at], "words")};

        row(page, cells, ARRAY_COUNT(cells), false);
    }
    text_append(page->out, "\n");
}

/* The list KEY of the certificate below a heading, or the sentence NONE. */
static void section(const struct page *page, const char *title, const char *key, const char *none,
                    const char *const *heads, const char *const *keys, size_t count)
{
    const struct node *list = node_find(page->node, key);

    heading(page, title);
    if (list != NULL && list->count > 0)
        table(page, list, heads, keys, count);
    else
        text_append_format(page->out, "%s\n\n", none);
}

static void append_proof_steps(const struct page *page)
{
    static const char *const heads[] = {"step", "that", "host", "result", "UTC", "found"};
    static const char *const keys[] = {"step", "about", "host", "result", "at", "words"};

    section(page, "The plan's own proof", "proof_steps", "The plan looks at nothing in this phase.",
            heads, keys, ARRAY_COUNT(keys));
}

static void append_guards(const struct page *page)
{
    static const char *const keys[] = {"guard", "host",  "lowest", "highest",
                                       "unit",  "looks", "untrue"};

    section(page, "Guards", "guards",
            "The journal has no record of what guards found: there were none, or the process that "
            "watched them was killed.",
            keys, keys, ARRAY_COUNT(keys));
}

static void append_decisions(const struct page *page)
{
    static const char *const heads[] = {"UTC", "by", "what", "why"};
    static const char *const keys[] = {"at", "by", "what", "why"};

    section(page, "What a person decided", "decisions", "Nothing but what stands under Times.",
            heads, keys, ARRAY_COUNT(keys));
}

/* ---- members ---- */

static const struct node *fact_of(const struct node *member, const char *name)
{
    return node_find(node_find(member, "facts"), name);
}

static bool is_alike(const struct node *members, const char *name)
{
    const char *first = node_text(fact_of(members->child, name), "value");

    NODE_EACH(member, members)
    {
        if (first == NULL || !equal(first, node_text(fact_of(member, name), "value")))
            return false;
    }
    return true;
}

static void append_differing(const struct page *page, const struct node *members)
{
    const char **cells = arena_alloc(page->arena, (members->count + 2) * sizeof *cells);
    size_t count = 0;

    cells[count++] = "differs";
    NODE_EACH(member, members)
    {
        const char *role = node_text(member, "role_in_plan");

        cells[count++] = role == NULL || *role == '\0'
                             ? node_text(member, "host")
                             : arena_printf(page->arena, "%s (in the plan: %s)",
                                            node_text(member, "host"), role);
    }
    row(page, cells, count, true);
    NODE_EACH(fact, node_find(members->child, "facts"))
    {
        if (is_alike(members, fact->key))
            continue;
        count = 0;
        cells[count++] = fact->key;
        NODE_EACH(member, members)
        {
            const struct node *other = fact_of(member, fact->key);
            const char *value = node_text(other, "value");

            cells[count++] = value != NULL ? value
                                           : arena_printf(page->arena, "not asked: %s",
                                                          or_dash(node_text(other, "not_asked")));
        }
        row(page, cells, count, false);
    }
    text_append(page->out, "\n");
}

static void append_members(const struct page *page)
{
    static const char *const heads[] = {"alike on all members", "value"};
    const struct node *members = node_find(page->node, "members");

    heading(page, "Members");
    if (members == NULL || members->count == 0)
        return;
    append_differing(page, members);
    row(page, heads, ARRAY_COUNT(heads), true);
    NODE_EACH(fact, node_find(members->child, "facts"))
    {
        const char *cells[] = {fact->key, node_text(fact, "value")};

        if (is_alike(members, fact->key))
            row(page, cells, ARRAY_COUNT(cells), false);
    }
    text_append(page->out, "\n");
    text_append(page->out, "What a digest covers, and what it does not:\n\n");
    NODE_EACH(words, node_find(page->node, "covers"))
    {
        text_append(page->out, "- ");
        markup_text(page->out, words->text);
        text_append(page->out, "\n");
    }
    text_append(page->out, "\n");
}

static void append_files(const struct page *page)
{
    static const char *const heads[] = {"file", "SHA-256", "of"};
    static const char *const keys[] = {"role", "sha256", "path"};
    const struct node *journal = node_find(page->node, "journal");

    heading(page, "What the run rests on");
    append_variables(page);
    table(page, node_find(page->node, "inputs"), heads, keys, ARRAY_COUNT(keys));
    text_append_format(page->out,
                       "The journal has %s records; each carries the hash of the one before, and "
                       "the last one's is `%s`.\n\n",
                       or_dash(node_text(journal, "records")), or_dash(node_text(journal, "head")));
}

void certificate_markdown(struct arena *arena, const struct node *node, struct text *out)
{
    const struct page page = {.arena = arena, .node = node, .out = out};

    append_head(&page);
    append_proofs(&page);
    append_mark(&page);
    append_stages(&page);
    append_proof_steps(&page);
    append_guards(&page);
    append_decisions(&page);
    append_members(&page);
    append_files(&page);
}
