/* Compiles the embedded schema files. */
#include "plan/schema_tree.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static const struct schema *compile(struct schema_set *set, const char *file,
                                    const struct node *node);

void schema_broken(struct schema_set *set, const char *format, ...)
{
    va_list arguments;

    if (set->error != NULL)
        return;
    va_start(arguments, format);
    set->error =
        error_new(set->arena, ERROR_FAILED, "%s", arena_vprintf(set->arena, format, arguments));
    va_end(arguments);
}

/* The parsed schema file NAME, read when first asked for; NULL if there is none. */
static const struct node *file_find(struct schema_set *set, const char *name)
{
    const struct node *node = table_find(&set->files, name);

    for (const struct embedded_file *file = schema_files; node == NULL && file->name != NULL;
         file++) {
        if (strcmp(file->name, name) != 0)
            continue;

        struct error *error = json_parse(set->arena, name, file->bytes, strlen(file->bytes), &node);

        if (error != NULL)
            schema_broken(set, "%s", error->message);
        else
            *table_place(&set->files, file->name) = (void *)node;
        return node;
    }
    return node;
}

/* What "/definitions/x" leads to in NODE, or NULL. */
static const struct node *pointer_follow(struct arena *arena, const struct node *node,
                                         const char *pointer)
{
    while (node != NULL && *pointer == '/') {
        size_t length = strcspn(pointer + 1, "/");

        node = node_find(node, arena_copy(arena, pointer + 1, length));
        pointer += 1 + length;
    }
    return *pointer == '\0' ? node : NULL;
}

/* Splits a reference written in FILE into the file that it means and a pointer in that. */
static const char *reference_split(struct arena *arena, const char *reference, const char **file)
{
    size_t length = strcspn(reference, "#");

    if (length > 0)
        *file = arena_copy(arena, reference, length);
    return reference[length] == '#' ? reference + length + 1 : "";
}

static void compile_into(struct schema_set *set, struct schema *schema, const char *file,
                         const struct node *node);

static const struct schema *compile_reference(struct schema_set *set, const char *file,
                                              const char *reference)
{
    const char *pointer = reference_split(set->arena, reference, &file);
    const char *name = arena_printf(set->arena, "%s#%s", file, pointer);
    struct schema *schema = table_find(&set->compiled, name);

    if (schema != NULL)
        return schema;

    const struct node *node = pointer_follow(set->arena, file_find(set, file), pointer);

    schema = arena_alloc(set->arena, sizeof *schema);
    if (node == NULL)
        schema_broken(set, "schema \"%s\" does not exist", name);
    else if (node_find(node, "$ref") != NULL)
        return compile(set, file, node);

    // Remembered before it is complete, because a schema may refer to itself.
    *table_place(&set->compiled, name) = schema;
    if (node != NULL)
        compile_into(set, schema, file, node);
    return schema;
}

static const struct schema *compile(struct schema_set *set, const char *file,
                                    const struct node *node)
{
    const char *reference = node_text(node, "$ref");

    if (reference != NULL) {
        NODE_EACH(child, node)
        {
            if (!equal(child->key, "$ref") && !equal(child->key, "description") &&
                !equal(child->key, "default") && !equal(child->key, "examples"))
                schema_broken(set, "schema \"%s\" has \"%s\" beside $ref", file, child->key);
        }
        return compile_reference(set, file, reference);
    }

    struct schema *schema = arena_alloc(set->arena, sizeof *schema);

    compile_into(set, schema, file, node);
    return schema;
}

static unsigned kind_read(struct schema_set *set, const char *name)
{
    static const struct {
        const char *name;
        unsigned kind;
    } kinds[] = {
        {"string", KIND_TEXT},   {"integer", KIND_INTEGER}, {"boolean", KIND_BOOLEAN},
        {"number", KIND_NUMBER}, {"null", KIND_NULL},       {"array", KIND_LIST},
        {"object", KIND_MAP},
    };

    for (size_t at = 0; at < ARRAY_COUNT(kinds); at++) {
        if (equal(kinds[at].name, name))
            return kinds[at].kind;
    }
    schema_broken(set, "type \"%s\" is not known", name);
    return 0;
}

static void compile_type(struct schema_set *set, struct schema *schema, const struct node *node)
{
    schema->kinds = node->kind == NODE_TEXT ? kind_read(set, node->text) : 0;
    NODE_EACH(item, node)
    {
        schema->kinds |= kind_read(set, item->text);
    }
}

static void compile_properties(struct schema_set *set, struct schema *schema, const char *file,
                               const struct node *node)
{
    struct schema_property *properties =
        arena_alloc(set->arena, (node->count + 1) * sizeof *properties);
    size_t count = 0;

    NODE_EACH(child, node)
    {
        properties[count++] = (struct schema_property){child->key, compile(set, file, child)};
    }
    schema->properties = properties;
    schema->property_count = count;
}

static bool is_required_by_all(const struct schema *family, const char *key)
{
    for (size_t at = 0; at < family->branch_count; at++) {
        const struct schema *branch = family->branches[at];
        bool is_required = false;

        for (size_t word = 0; word < branch->required.count; word++)
            is_required = is_required || equal(branch->required.items[word], key);
        if (!is_required)
            return false;
    }
    return true;
}

/* A branch that is a map is known by the first key that it requires and not every other does. */
static void mark_branches(const struct schema *family)
{
    for (size_t at = 0; at < family->branch_count; at++) {
        struct schema *branch = (struct schema *)family->branches[at];

        for (size_t word = 0; branch->mark == NULL && word < branch->required.count; word++) {
            if (!is_required_by_all(family, branch->required.items[word]))
                branch->mark = branch->required.items[word];
        }
    }
}

static void compile_any_of(struct schema_set *set, struct schema *schema, const char *file,
                           const struct node *list)
{
    if (schema_is_key_choice(list)) {
        schema_some_read(set, schema, list);
        return;
    }
    schema->branches = arena_alloc(set->arena, list->count * sizeof(void *));
    NODE_EACH(item, list)
    {
        schema->branches[schema->branch_count++] = compile(set, file, item);
    }
    mark_branches(schema);
}

static void compile_others(struct schema_set *set, struct schema *schema, const char *file,
                           const struct node *node)
{
    if (node->kind == NODE_BOOLEAN)
        schema->is_closed = equal(node->text, "false");
    else
        schema->others = compile(set, file, node);
}

static void compile_pattern(struct schema_set *set, struct schema *schema, const char *pattern)
{
    schema->pattern = pattern;
    schema->pattern_index = set->pattern_count++;
}

static bool compile_number(struct schema *schema, const char *keyword, const struct node *node)
{
    long long number = node->text == NULL ? 0 : strtoll(node->text, NULL, 10);

    if (equal(keyword, "minimum"))
        schema->minimum = number;
    else if (equal(keyword, "maximum"))
        schema->maximum = number;
    else if (equal(keyword, "minLength"))
        schema->shortest = (size_t)number;
    else if (equal(keyword, "maxLength"))
        schema->longest = (size_t)number;
    else if (equal(keyword, "minItems") || equal(keyword, "minProperties"))
        schema->fewest = (size_t)number;
    else if (equal(keyword, "maxItems") || equal(keyword, "maxProperties"))
        schema->most = (size_t)number;
    else
        return false;
    return true;
}

static bool is_annotation(const char *keyword)
{
    static const char *const annotations[] = {"$schema",  "$comment", "title",
                                              "format",   "default",  "description",
                                              "examples", "required", "definitions"};

    for (size_t at = 0; at < ARRAY_COUNT(annotations); at++) {
        if (equal(annotations[at], keyword))
            return true;
    }
    return false;
}

static void compile_keyword(struct schema_set *set, struct schema *schema, const char *file,
                            const struct node *node)
{
    const char *keyword = node->key;

    if (equal(keyword, "type"))
        compile_type(set, schema, node);
    else if (equal(keyword, "enum"))
        schema->words = schema_words_read(set, node);
    else if (equal(keyword, "const"))
        schema->words = (struct schema_words){arena_alloc(set->arena, sizeof(char *)), 1};
    else if (equal(keyword, "pattern"))
        compile_pattern(set, schema, node->text);
    else if (equal(keyword, "items"))
        schema->items = compile(set, file, node);
    else if (equal(keyword, "properties"))
        compile_properties(set, schema, file, node);
    else if (equal(keyword, "additionalProperties"))
        compile_others(set, schema, file, node);
    else if (equal(keyword, "propertyNames"))
        schema->names = compile(set, file, node);
    else if (equal(keyword, "anyOf"))
        compile_any_of(set, schema, file, node);
    else if (equal(keyword, "allOf"))
        schema_rules_read(set, schema, node);
    else if (equal(keyword, "dependencies"))
        schema_needs_read(set, schema, node);
    else if (!compile_number(schema, keyword, node) && !is_annotation(keyword))
        schema_broken(set, "schema \"%s\" uses the keyword \"%s\", which is not implemented", file,
                      keyword);
    if (equal(keyword, "const"))
        schema->words.items[0] = node->text;
}

static void compile_into(struct schema_set *set, struct schema *schema, const char *file,
                         const struct node *node)
{
    const struct node *required = node_find(node, "required");

    schema->set = set;
    schema->title = node_text(node, "title");
    schema->description = node_text(node, "description");
    schema->format = node_text(node, "format");
    schema->minimum = INT64_MIN;
    schema->maximum = INT64_MAX;
    schema->longest = schema->most = SIZE_MAX;
    if (required != NULL)
        schema->required = schema_words_read(set, required);
    NODE_EACH(child, node)
    {
        compile_keyword(set, schema, file, child);
    }
    if (schema->kinds == 0 && schema->words.count > 0)
        schema->kinds = KIND_TEXT;
}

/* What nothing refers to is compiled too, so that a broken schema cannot hide. */
static void compile_definitions(struct schema_set *set, const char *file)
{
    NODE_EACH(child, node_find(file_find(set, file), "definitions"))
    {
        (void)compile_reference(set, file,
                                arena_printf(set->arena, "#/definitions/%s", child->key));
    }
}

struct error *schema_load(struct arena *arena, const char *name, const struct schema **out)
{
    struct schema_set *set = arena_alloc(arena, sizeof *set);

    set->arena = arena;
    set->root = name;
    table_init(&set->files, arena);
    table_init(&set->compiled, arena);

    const struct schema *schema = compile_reference(set, name, "#");

    compile_definitions(set, name);
    if (set->error != NULL)
        return error_because(arena, set->error, "cannot load schema \"%s\"", name);
    *out = schema;
    return NULL;
}

const char *schema_default(const struct schema *schema, const char *pointer)
{
    CLEANUP(arena_release) struct arena scratch = {NULL};
    const char *file = schema->set->root;

    for (;;) {
        const char *path = reference_split(&scratch, pointer, &file);
        const struct node *node =
            pointer_follow(&scratch, table_find(&schema->set->files, file), path);
        const char *text = node_text(node, "default");

        pointer = node_text(node, "$ref");
        if (text != NULL || pointer == NULL)
            return text;
    }
}
