/* Rules of a schema that say which keys of a map go together. */
#include "base/text.h"
#include "plan/schema_tree.h"

#include <string.h>

struct schema_words schema_words_read(struct schema_set *set, const struct node *list)
{
    struct schema_words words = {.items = NULL, .count = 0};

    words.items = arena_alloc(set->arena, (list->count + 1) * sizeof *words.items);
    NODE_EACH(item, list)
    {
        words.items[words.count++] = item->text == NULL ? "" : item->text;
    }
    return words;
}

static void add_rule(struct schema_set *set, struct schema *schema, struct schema_rule rule)
{
    struct schema_rule *copy = arena_alloc(set->arena, sizeof *copy);

    *copy = rule;
    copy->next = schema->rules;
    schema->rules = copy;
}

bool schema_is_key_choice(const struct node *list)
{
    NODE_EACH(item, list)
    {
        const struct node *required = node_find(item, "required");

        if (required == NULL || required->count != 1 || item->count != 1)
            return false;
    }
    return true;
}

static void read_key_choice(struct schema_set *set, struct schema *schema, int kind,
                            const struct node *list, const char *title)
{
    struct schema_rule rule = {.kind = kind, .title = title == NULL ? "key" : title};

    rule.keys.items = arena_alloc(set->arena, (list->count + 1) * sizeof *rule.keys.items);
    NODE_EACH(item, list)
    {
        rule.keys.items[rule.keys.count++] = node_find(item, "required")->child->text;
    }
    add_rule(set, schema, rule);
}

void schema_some_read(struct schema_set *set, struct schema *schema, const struct node *list)
{
    read_key_choice(set, schema, RULE_SOME, list, NULL);
}

void schema_rules_read(struct schema_set *set, struct schema *schema, const struct node *list)
{
    NODE_EACH(item, list)
    {
        const struct node *one = node_find(item, "oneOf"), *some = node_find(item, "anyOf");
        const struct node *both = node_find(node_find(item, "not"), "required");
        const char *title = node_text(item, "title");
        size_t expected = title == NULL ? 1 : 2;

        if (one != NULL && schema_is_key_choice(one))
            read_key_choice(set, schema, RULE_ONE, one, title);
        else if (some != NULL && schema_is_key_choice(some))
            read_key_choice(set, schema, RULE_SOME, some, title);
        else if (both != NULL && node_find(item, "not")->count == 1)
            add_rule(
                set, schema,
                (struct schema_rule){.kind = RULE_NOT_BOTH, .keys = schema_words_read(set, both)});
        else
            schema_broken(set, "this form of allOf is not implemented");
        if (item->count != expected)
            schema_broken(set, "this form of allOf is not implemented");
    }
}

void schema_needs_read(struct schema_set *set, struct schema *schema, const struct node *map)
{
    NODE_EACH(child, map)
    {
        struct schema_words keys = {.count = 0};

        keys.items = arena_alloc(set->arena, (child->count + 1) * sizeof *keys.items);
        keys.items[keys.count++] = child->key;
        if (child->kind != NODE_LIST)
            schema_broken(set, "this form of dependencies is not implemented");
        NODE_EACH(item, child)
        {
            keys.items[keys.count++] = item->text;
        }
        add_rule(set, schema, (struct schema_rule){.kind = RULE_NEEDS, .keys = keys});
    }
}
