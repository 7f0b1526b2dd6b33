#include "plan/schema.h"

#include "base/text.h"
#include "plan/schema_refuse.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct pattern {
    regex_t regex;
    bool is_compiled;
};

struct checker {
    const struct schema_visitor *visitor;
    struct pattern *patterns; /* by pattern_index; compiled when first needed */
    size_t pattern_count;
};

static void checker_release(const struct checker *checker)
{
    for (size_t at = 0; at < checker->pattern_count; at++) {
        if (checker->patterns[at].is_compiled)
            regfree(&checker->patterns[at].regex);
    }
}

static bool pattern_matches(const struct checker *checker, const struct schema *schema,
                            const char *text)
{
    struct pattern *pattern = &checker->patterns[schema->pattern_index];

    if (!pattern->is_compiled) {
        if (regcomp(&pattern->regex, schema->pattern, REG_EXTENDED | REG_NOSUB) != 0)
            return false;
        pattern->is_compiled = true;
    }
    return regexec(&pattern->regex, text, 0, NULL, 0) == 0;
}

static bool words_have(const struct schema_words *words, const char *word)
{
    for (size_t at = 0; at < words->count; at++) {
        if (strcmp(words->items[at], word) == 0)
            return true;
    }
    return false;
}

static bool is_integer(const char *text, int64_t minimum, int64_t maximum)
{
    const char *digits = *text == '-' ? text + 1 : text;

    if (*digits == '\0' || (digits[0] == '0' && digits[1] != '\0') ||
        strspn(digits, "0123456789") != strlen(digits))
        return false;
    errno = 0;

    long long number = strtoll(text, NULL, 10);

    return errno == 0 && number >= minimum && number <= maximum;
}

static bool kind_fits(const struct schema *schema, const struct node *node)
{
    const char *text = node->text;

    // Whoever reads "~" reads "nothing", and the program would send a tilde.
    if (schema->kinds & KIND_NULL && node->is_plain &&
        (equal(text, "~") || equal(text, "Null") || equal(text, "NULL")))
        return false;
    if (schema->kinds == 0 || schema->kinds & KIND_TEXT)
        return true;
    if (node->kind == NODE_TEXT && !node->is_plain)
        return false;
    if (schema->kinds & KIND_BOOLEAN && (equal(text, "true") || equal(text, "false")))
        return true;
    return schema->kinds & KIND_INTEGER && is_integer(text, schema->minimum, schema->maximum);
}

static bool scalar_fits(const struct checker *checker, const struct schema *schema,
                        const struct node *node)
{
    // In YAML nothing is most often a slip; in JSON it was written (and has no line).
    if (node->kind == NODE_NULL)
        return schema->kinds & KIND_NULL && node->line == 0;
    if (!kind_fits(schema, node))
        return false;
    if (node->length < schema->shortest || node->length > schema->longest)
        return false;
    if (schema->words.count > 0 && !words_have(&schema->words, node->text))
        return false;
    return schema->pattern == NULL || pattern_matches(checker, schema, node->text);
}

static void check(const struct checker *checker, const struct subject *subject);

static void visit(const struct checker *checker, const struct schema *schema,
                  const struct node *node)
{
    if (checker->visitor != NULL && schema->format != NULL)
        checker->visitor->scalar(checker->visitor->context, node, schema->format);
}

/* A key of a map whose keys are not words of ours. */
static void check_name(const struct checker *checker, const struct subject *map,
                       const struct node *child)
{
    const struct schema *names = map->schema->names;
    struct node name = {
        .kind = NODE_TEXT,
        .text = child->key,
        .length = strlen(child->key),
        .line = child->key_line,
        .column = child->key_column,
    };

    if (!scalar_fits(checker, names, &name)) {
        refuse_name(map, child, names);
    } else if (equal(names->format, "versions")) {
        struct node *copy = arena_alloc(map->findings->arena, sizeof *copy);

        *copy = name;
        visit(checker, names, copy);
    }
}

/* False if the key is unknown. */
static bool check_child(const struct checker *checker, const struct subject *map,
                        const struct node *child)
{
    struct subject value = {.findings = map->findings,
                            .file = map->file,
                            .schema = schema_property(map->schema, child->key),
                            .node = child,
                            .spot = {.name = child->key}};

    if (value.schema == NULL) {
        if (map->schema->is_closed)
            return false;
        if (map->schema->names != NULL)
            check_name(checker, map, child);
        value.schema = map->schema->others;
    }
    if (value.schema != NULL)
        check(checker, &value);
    return true;
}

/* How many of the keys are there, and the first and the last of them as written. */
static size_t keys_count(const struct node *map, const struct schema_words *keys,
                         const struct node **first, const struct node **last)
{
    size_t count = 0;

    *first = *last = NULL;
    NODE_EACH(child, map)
    {
        if (!words_have(keys, child->key))
            continue;
        if (*first == NULL)
            *first = child;
        *last = child;
        count++;
    }
    return count;
}

/* With HAS_UNKNOWN a misspelt key is reported already, and may be the one that is missed. */
static void check_rule(const struct subject *map, const struct schema_rule *rule, bool has_unknown)
{
    const struct node *first, *last;
    size_t count = keys_count(map->node, &rule->keys, &first, &last);

    switch (rule->kind) {
    case RULE_ONE:
        if (count > 1)
            refuse_two(map, first, last, rule->title);
        else if (count == 0 && !has_unknown)
            refuse_without_any(map, &rule->keys, rule->title);
        break;
    case RULE_SOME:
        if (count == 0 && !has_unknown)
            refuse_without_any(map, &rule->keys, NULL);
        break;
    case RULE_NOT_BOTH:
        if (count == rule->keys.count)
            refuse_two(map, first, last, NULL);
        break;
    case RULE_NEEDS:
        first = node_find(map->node, rule->keys.items[0]);
        for (size_t at = 1; first != NULL && at < rule->keys.count; at++) {
            if (node_find(map->node, rule->keys.items[at]) == NULL)
                refuse_alone(map, first, rule->keys.items[at]);
        }
        break;
    }
}

static void check_map(const struct checker *checker, const struct subject *map)
{
    const struct schema *schema = map->schema;
    bool has_unknown = false;

    NODE_EACH(child, map->node)
    {
        if (!check_child(checker, map, child)) {
            has_unknown = true;
            refuse_key(map, child);
        }
    }
    for (size_t at = 0; at < schema->required.count; at++) {
        if (node_find(map->node, schema->required.items[at]) == NULL)
            refuse_without(map, schema->required.items[at]);
    }
    for (const struct schema_rule *rule = schema->rules; rule != NULL; rule = rule->next)
        check_rule(map, rule, has_unknown);
    if (map->node->count < schema->fewest)
        refuse_empty(map);
    if (map->node->count > schema->most)
        refuse_many(map);
}

static void check_list(const struct checker *checker, const struct subject *list)
{
    if (list->node->count < list->schema->fewest)
        refuse_empty(list);
    if (list->node->count > list->schema->most)
        refuse_many(list);
    NODE_EACH(item, list->node)
    {
        check(checker, &(struct subject){.findings = list->findings,
                                         .file = list->file,
                                         .schema = list->schema->items,
                                         .node = item,
                                         .spot = {list->spot.name, .is_item = true}});
    }
}

/* The branch that a map is meant to be: the one whose mark it has, else the one without a mark. */
static const struct schema *branch_of_map(const struct schema *family, const struct node *map)
{
    const struct schema *otherwise = NULL;

    for (size_t at = 0; at < family->branch_count; at++) {
        const struct schema *branch = family->branches[at];

        if (!schema_accepts(branch, map))
            continue;
        if (branch->mark == NULL)
            otherwise = branch;
        else if (node_find(map, branch->mark) != NULL)
            return branch;
    }
    return otherwise;
}

static const struct schema *branch_of(const struct checker *checker, const struct schema *family,
                                      const struct node *node)
{
    if (node->kind == NODE_MAP)
        return branch_of_map(family, node);
    for (size_t at = 0; at < family->branch_count; at++) {
        const struct schema *branch = family->branches[at];

        if (schema_accepts(branch, node) && (node->kind == NODE_LIST || branch->branch_count > 0 ||
                                             scalar_fits(checker, branch, node)))
            return branch;
    }
    return NULL;
}

/* A map that could be any branch of the family, because the key that would tell is missing. */
static void check_undecided(const struct subject *map)
{
    const struct schema *family = map->schema;
    const char *items[32];
    struct schema_words marks = {.items = items};
    struct subject as_family = *map;
    bool has_unknown = false;

    as_family.family = family;
    for (size_t at = 0; at < family->branch_count && marks.count < ARRAY_COUNT(items); at++) {
        if (family->branches[at]->mark != NULL)
            items[marks.count++] = family->branches[at]->mark;
    }
    NODE_EACH(child, map->node)
    {
        const char *mark;

        if (!schema_family_has(family, child->key, &mark)) {
            has_unknown = true;
            refuse_key(&as_family, child);
        }
    }
    if (!has_unknown)
        refuse_without_any(map, &marks, NULL);
}

static void check_family(const struct checker *checker, const struct subject *subject)
{
    const struct schema *branch = branch_of(checker, subject->schema, subject->node);
    struct subject chosen = *subject;

    if (branch != NULL) {
        chosen.family = subject->schema;
        chosen.schema = branch;
        check(checker, &chosen);
    } else if (subject->node->kind == NODE_MAP && schema_accepts(subject->schema, subject->node)) {
        check_undecided(subject);
    } else {
        refuse_value(subject);
    }
}

static void check(const struct checker *checker, const struct subject *subject)
{
    enum node_kind kind = subject->node->kind;

    if (subject->schema->branch_count > 0) {
        check_family(checker, subject);
        return;
    }
    if (!schema_accepts(subject->schema, subject->node) ||
        (kind != NODE_LIST && kind != NODE_MAP &&
         !scalar_fits(checker, subject->schema, subject->node))) {
        refuse_value(subject);
        return;
    }
    visit(checker, subject->schema, subject->node);
    if (kind == NODE_MAP)
        check_map(checker, subject);
    else if (kind == NODE_LIST)
        check_list(checker, subject);
}

void schema_check(const struct schema *schema, const char *file, const struct node *node,
                  struct findings *findings, const struct schema_visitor *visitor)
{
    CLEANUP(checker_release)
    struct checker checker = {.visitor = visitor, .pattern_count = schema->set->pattern_count};

    checker.patterns =
        arena_alloc(findings->arena, (checker.pattern_count + 1) * sizeof *checker.patterns);
    check(&checker,
          &(struct subject){.findings = findings, .file = file, .schema = schema, .node = node});
}
