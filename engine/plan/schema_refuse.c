#include "plan/schema_refuse.h"

#include "base/text.h"

#include <string.h>

enum {
    FEW_KEYS = 10,   /* so many keys are named in a hint */
    SHORT_TEXT = 40, /* bytes of a text that a hint may repeat */
};

static bool is_only_counted(const struct subject *subject)
{
    if (subject->findings->error_count < FINDINGS_MOST)
        return false;
    findings_add(subject->findings, (struct place){.file = NULL}, NULL, "one more");
    return true;
}

static const char *spot_words(const struct subject *subject)
{
    if (subject->spot.name == NULL)
        return "the file";

    const char *quoted = findings_quote(subject->findings, subject->spot.name);

    return subject->spot.is_item ? arena_printf(subject->findings->arena, "each item of %s", quoted)
                                 : quoted;
}

/* What a map is called: step "hold-replay", action "sql", "settings". */
static const char *map_words(const struct subject *subject)
{
    const struct node *id = node_find(subject->node, "id");
    const char *title = subject->schema->title;

    if (title == NULL)
        return spot_words(subject);
    if (id == NULL || id->kind != NODE_TEXT)
        return title;
    return arena_printf(subject->findings->arena, "%s %s", title,
                        findings_quote(subject->findings, id->text));
}

/* "a", "b" or "c", with LAST before the last of them */
static const char *words_join(struct arena *arena, const struct schema_words *words,
                              const char *last)
{
    const char *joined = "";

    for (size_t at = 0; at < words->count; at++) {
        const char *between = at == 0 ? "" : at + 1 == words->count ? last : ", ";

        joined = arena_printf(arena, "%s%s\"%s\"", joined, between, words->items[at]);
    }
    return joined;
}

static unsigned node_kinds(enum node_kind kind)
{
    if (kind == NODE_LIST)
        return KIND_LIST;
    return kind == NODE_MAP ? KIND_MAP : KIND_SCALAR;
}

static bool accepts_kind(const struct schema *schema, enum node_kind kind)
{
    for (size_t at = 0; at < schema->branch_count; at++) {
        if (accepts_kind(schema->branches[at], kind))
            return true;
    }
    if (schema->branch_count > 0)
        return false;
    return schema->kinds == 0 || (schema->kinds & node_kinds(kind)) != 0;
}

bool schema_accepts(const struct schema *schema, const struct node *node)
{
    return accepts_kind(schema, node->kind);
}

const struct schema *schema_property(const struct schema *schema, const char *key)
{
    for (size_t at = 0; at < schema->property_count; at++) {
        if (strcmp(schema->properties[at].name, key) == 0)
            return schema->properties[at].schema;
    }
    return NULL;
}

bool schema_family_has(const struct schema *family, const char *key, const char **mark)
{
    for (size_t at = 0; family != NULL && at < family->branch_count; at++) {
        if (schema_property(family->branches[at], key) != NULL) {
            *mark = family->branches[at]->mark;
            return true;
        }
    }
    return false;
}

static const char *boolean_hint(const char *text)
{
    static const char *const yes[] = {"yes", "Yes", "YES", "on", "On", "ON", "True", "TRUE", "1"};
    static const char *const no[] = {"no", "No", "NO", "off", "Off", "OFF", "False", "FALSE", "0"};

    for (size_t at = 0; at < ARRAY_COUNT(yes); at++) {
        if (strcmp(text, yes[at]) == 0)
            return "did you mean true?";
        if (strcmp(text, no[at]) == 0)
            return "did you mean false?";
    }
    return NULL;
}

static const char *keys_hint(const struct findings *findings, const struct schema *schema)
{
    const char *items[FEW_KEYS];
    struct schema_words keys = {.items = items};

    if (schema->property_count == 0 || schema->property_count > FEW_KEYS)
        return NULL;
    for (size_t at = 0; at < schema->property_count; at++)
        items[keys.count++] = schema->properties[at].name;
    return arena_printf(findings->arena, "Its keys are %s.",
                        words_join(findings->arena, &keys, " and "));
}

/* What to write where a text stands in place of a list or map. */
static const char *nesting_hint(const struct findings *findings, const struct schema *schema,
                                const struct node *node)
{
    if (accepts_kind(schema, NODE_LIST) && node->is_plain && node->length <= SHORT_TEXT)
        return arena_printf(findings->arena, "Write it as a list: [%s].", node->text);

    const char *keys = keys_hint(findings, schema);

    return keys == NULL ? schema->description : keys;
}

static const char *scalar_hint(const struct findings *findings, const struct schema *schema,
                               const struct node *node)
{
    if (!schema_accepts(schema, node))
        return nesting_hint(findings, schema, node);
    if (schema->branch_count > 0)
        return scalar_hint(findings, schema->branches[0], node);
    if (schema->words.count > 0 && schema->kinds & KIND_TEXT)
        return findings_suggest(findings, node->text, schema->words.items, schema->words.count);
    if (schema->kinds & KIND_NULL)
        return "Write null to remove a key, or \"~\" in quotes for the text.";
    if (schema->kinds == 0 || schema->kinds & KIND_TEXT)
        return NULL;
    if (!node->is_plain)
        return "Write it without quotes.";
    return schema->kinds & KIND_BOOLEAN ? boolean_hint(node->text) : NULL;
}

/* What a value must be. A map's title is what it is called in messages, not what it is. */
static const char *expected(const struct schema *schema)
{
    bool is_map = !accepts_kind(schema, NODE_TEXT) && !accepts_kind(schema, NODE_LIST);

    return schema->title == NULL || (is_map && !starts_with(schema->title, "a ")) ? "a map"
                                                                                  : schema->title;
}

static void refuse_nothing(const struct subject *subject)
{
    bool may_be_empty_list =
        accepts_kind(subject->schema, NODE_LIST) && subject->schema->fewest == 0;

    findings_add(subject->findings,
                 subject->spot.is_item ? node_place(subject->file, subject->node)
                                       : node_key_place(subject->file, subject->node),
                 may_be_empty_list ? "Write [] for an empty list." : NULL, "%s has no value",
                 spot_words(subject));
}

static bool forbids_empty_text(const struct schema *schema)
{
    for (size_t at = 0; at < schema->branch_count; at++) {
        if (forbids_empty_text(schema->branches[at]))
            return true;
    }
    return schema->kinds & KIND_TEXT && schema->shortest > 0;
}

void refuse_value(const struct subject *subject)
{
    const struct schema *schema = subject->schema;
    const struct node *node = subject->node;
    struct place place = node_place(subject->file, node);

    if (is_only_counted(subject))
        return;
    // Whoever writes the password itself must not find it in a log of check as well.
    place.is_secret = equal(schema->format, "secret");
    if (node->kind == NODE_NULL)
        refuse_nothing(subject);
    else if (node->kind != NODE_TEXT)
        findings_add(subject->findings, place, NULL, "%s must be %s, not a %s", spot_words(subject),
                     expected(schema), node_kind_name(node->kind));
    else if (node->length == 0 && forbids_empty_text(schema))
        findings_add(subject->findings, place, NULL, "%s must not be empty", spot_words(subject));
    else if (schema_accepts(schema, node) && node->length > schema->longest)
        findings_add(subject->findings, place, NULL, "%s must not be longer than %zu bytes",
                     spot_words(subject), schema->longest);
    else
        findings_add(subject->findings, place, scalar_hint(subject->findings, schema, node),
                     "%s must be %s", spot_words(subject), expected(schema));
}

void refuse_empty(const struct subject *subject)
{
    if (!is_only_counted(subject))
        findings_add(subject->findings, node_place(subject->file, subject->node), NULL,
                     "%s must not be empty", spot_words(subject));
}

void refuse_many(const struct subject *subject)
{
    if (!is_only_counted(subject))
        findings_add(subject->findings, node_place(subject->file, subject->node), NULL,
                     "%s must hold no more than %zu", spot_words(subject), subject->schema->most);
}

enum {
    CANDIDATES_MOST = 128,
};

static size_t collect_keys(const struct schema *schema, const char **candidates, size_t count)
{
    for (size_t at = 0; at < schema->property_count && count < CANDIDATES_MOST; at++)
        candidates[count++] = schema->properties[at].name;
    return count;
}

static const char *suggest_key(const struct subject *subject, const char *key)
{
    const char *candidates[CANDIDATES_MOST];
    size_t count = collect_keys(subject->schema, candidates, 0);

    for (size_t at = 0; subject->family != NULL && at < subject->family->branch_count; at++)
        count = collect_keys(subject->family->branches[at], candidates, count);
    return findings_suggest(subject->findings, key, candidates, count);
}

void refuse_key(const struct subject *subject, const struct node *child)
{
    const char *mark = NULL;
    bool is_known = schema_family_has(subject->family, child->key, &mark);
    struct place place = node_key_place(subject->file, child);

    if (is_only_counted(subject))
        return;
    if (is_known && subject->schema->mark != NULL) {
        findings_add(subject->findings, place, NULL, "\"%s\" cannot stand beside \"%s\"",
                     child->key, subject->schema->mark);
        return;
    }
    if (is_known && mark != NULL) {
        refuse_alone(subject, child, mark);
        return;
    }

    const char *hint = suggest_key(subject, child->key);

    if (hint == NULL && child->kind == NODE_NULL)
        hint = "A text with a comma must be quoted inside {…}.";
    if (hint == NULL && subject->family == NULL && subject->spot.name != NULL)
        hint = keys_hint(subject->findings, subject->schema);
    findings_add(subject->findings, place, hint, "unknown key %s in %s",
                 findings_quote(subject->findings, child->key), map_words(subject));
}

void refuse_name(const struct subject *subject, const struct node *child,
                 const struct schema *names)
{
    if (!is_only_counted(subject))
        findings_add(subject->findings, node_key_place(subject->file, child), NULL,
                     "key %s must be %s", findings_quote(subject->findings, child->key),
                     names->title);
}

/* Whether a key of the map that is told as unknown can be KEY misspelt. */
static bool is_misspelt(const struct subject *subject, const char *key)
{
    NODE_EACH(child, subject->node)
    {
        if (schema_property(subject->schema, child->key) == NULL &&
            text_nearest(child->key, &key, 1) != NULL)
            return true;
    }
    return false;
}

void refuse_without(const struct subject *subject, const char *key)
{
    if (!is_only_counted(subject) && !is_misspelt(subject, key))
        findings_add(subject->findings, node_place(subject->file, subject->node), NULL,
                     "%s has no \"%s\"", map_words(subject), key);
}

void refuse_without_any(const struct subject *subject, const struct schema_words *keys,
                        const char *title)
{
    struct arena *arena = subject->findings->arena;
    struct place place = node_place(subject->file, subject->node);

    if (is_only_counted(subject))
        return;
    if (title == NULL)
        findings_add(subject->findings, place, NULL, "%s has none of %s", map_words(subject),
                     words_join(arena, keys, " and "));
    else
        findings_add(subject->findings, place,
                     arena_printf(arena, "Write one of %s.", words_join(arena, keys, " or ")),
                     "%s has no %s", map_words(subject), title);
}

void refuse_two(const struct subject *subject, const struct node *first, const struct node *second,
                const char *title)
{
    struct place place = node_key_place(subject->file, second);

    if (is_only_counted(subject))
        return;
    if (title == NULL)
        findings_add(subject->findings, place, NULL,
                     "\"%s\" and \"%s\" cannot stand together in %s", first->key, second->key,
                     map_words(subject));
    else
        findings_add(subject->findings, place, NULL, "%s has more than one %s: \"%s\" and \"%s\"",
                     map_words(subject), title, first->key, second->key);
}

void refuse_alone(const struct subject *subject, const struct node *child, const char *needed)
{
    if (!is_only_counted(subject))
        findings_add(subject->findings, node_key_place(subject->file, child), NULL,
                     "\"%s\" needs \"%s\" beside it", child->key, needed);
}
