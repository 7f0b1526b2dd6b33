/* A step's texts without a host. */
#include "outline.h"

#include <string.h>

const char *outline_text(const struct outline *outline, const struct node *node)
{
    const char *text;
    struct place place = node_place(outline->plan->file, node);
    if (expand_text(outline->arena, outline->scope, NULL, place, node->text, &text) != NULL)
        return node->text;
    return text;
}

const char *outline_file(const struct outline *outline, const struct node *node)
{
    const struct input *input;
    if (plan_file(outline->arena, outline->plan, outline->scope, NULL, node, &input) != NULL)
        return NULL;
    return input->bytes;
}

static void visit_file(const struct outline *outline, const struct node *node,
                       const struct outline_sql_visitor *visitor)
{
    const char *bytes = outline_file(outline, node);
    if (bytes != NULL)
        visitor->visit(outline, visitor->context, node, NULL, bytes, true);
}

static void visit_text(const struct outline *outline, const struct node *node, const char *range,
                       const struct outline_sql_visitor *visitor)
{
    const char *text;
    struct place place = node_place(outline->plan->file, node);
    if (expand_sql(outline->arena, outline->scope, NULL, place, node->text, &text) != NULL)
        text = node->text;
    visitor->visit(outline, visitor->context, node, range, text, false);
}

void outline_each_sql(const struct outline *outline, const struct node *node,
                      const struct outline_sql_visitor *visitor)
{
    if (node == NULL)
        return;
    if (node->kind == NODE_LIST) {
        NODE_EACH(item, node)
        outline_each_sql(outline, item, visitor);
    } else if (node->kind != NODE_MAP) {
        visit_text(outline, node, NULL, visitor);
    } else if (node_find(node, "file") != NULL) {
        visit_file(outline, node_find(node, "file"), visitor);
    } else {
        NODE_EACH(text, node)
        visit_text(outline, text, text->key, visitor);
    }
}

struct sql_part {
    struct description *out;
    const char *title;
};

static void add_sql(const struct outline *outline, void *context, const struct node *node,
                    const char *range, const char *text, bool is_file)
{
    const struct sql_part *part = context;
    const char *title = part->title;
    if (range != NULL)
        title = arena_printf(outline->arena, "%s (PostgreSQL %s)", title, range);
    if (is_file)
        title = arena_printf(outline->arena, "%s from %s", title, outline_text(outline, node));
    description_add(part->out, title, "sql", text);
}

void outline_sql(const struct outline *outline, struct description *out, const char *title,
                 const struct node *node)
{
    struct sql_part part = {.out = out, .title = title};
    const struct outline_sql_visitor visitor = {.visit = add_sql, .context = &part};
    outline_each_sql(outline, node, &visitor);
}

/* "leader leads the cluster" */
static const char *patroni_words(const struct outline *outline, const struct node *item)
{
    static const struct {
        const char *key, *when_true, *otherwise;
    } fixed[] = {
        {"maintenance", "maintenance mode is on", "maintenance mode is off"},
        {"scheduled-switchover", "a switchover is scheduled", "no switchover is scheduled"},
        {"pending-restart", "a restart is pending", "no restart is pending"},
    };
    const char *text = outline_text(outline, item);
    for (size_t i = 0; i < ARRAY_COUNT(fixed); i++)
        if (equal(item->key, fixed[i].key))
            return equal(text, "true") ? fixed[i].when_true : fixed[i].otherwise;
    if (equal(item->key, "leader"))
        return arena_printf(outline->arena, "%s leads the cluster", text);
    if (equal(item->key, "follows"))
        return arena_printf(outline->arena, "it streams from %s on the same timeline", text);
    if (equal(item->key, "config-is"))
        return arena_printf(outline->arena, "Patroni's configuration is %s", text);
    return arena_printf(outline->arena, "its %s is %s", item->key, text);
}

const char *outline_patroni(const struct outline *outline, const struct node *map)
{
    CLEANUP(text_release) struct text words = {0};
    NODE_EACH(item, map)
    text_append_format(&words, "%s%s", words.length == 0 ? "" : ", ", patroni_words(outline, item));
    return text_copy(&words, outline->arena);
}

static const char *title_of(const struct outline *outline, const char *title, const char *source)
{
    return title == NULL ? source : arena_printf(outline->arena, "%s, %s", title, source);
}

static void describe_limits(const struct outline *outline, struct description *out,
                            const char *title, const struct node *map)
{
    static const char *const keys[] = {"file",  "contains", "port",       "is",
                                       "above", "below",    "stable-for", "every"};
    CLEANUP(text_release) struct text words = {0};
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        const struct node *node = node_find(map, keys[i]);
        // What a guard must be, and how often it is looked at, is not the condition's.
        if (node != NULL && (title != NULL || i < 3))
            text_append_format(&words, "%s%s: %s", words.length == 0 ? "" : ", ", keys[i],
                               outline_text(outline, node));
    }
    if (words.length > 0)
        description_add(out, title_of(outline, title, "value"), "text",
                        text_copy(&words, outline->arena));
}

void outline_condition(const struct outline *outline, struct description *out, const char *title,
                       const struct node *map)
{
    const struct node *patroni = node_find(map, "patroni"), *shell = node_find(map, "shell");
    outline_sql(outline, out, title_of(outline, title, "SQL"), node_find(map, "sql"));
    if (patroni != NULL)
        description_add(out, title_of(outline, title, "Patroni"), "text",
                        outline_patroni(outline, patroni));
    if (shell != NULL)
        description_add(out, title_of(outline, title, "shell"), "sh", shell->text);
    describe_limits(outline, out, title, map);
}
