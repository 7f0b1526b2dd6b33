/* deploy --expect: the inputs of a deployment against those of a preview that was saved. */
#include "cli/expect.h"
#include "base/node.h"

#include <string.h>

struct comparison {
    struct arena *arena;
    struct preview *preview; /* of the deployment */
    const struct node *saved;
    const struct node *now; /* the same, as it would be saved */
    struct table told;      /* steps that are named already */
    struct differences found;
};

/* ---- lists of steps ---- */

/* " (a and b)", or nothing. */
static const char *in_brackets(struct arena *arena, const struct words *names)
{
    return names->count == 0 ? "" : arena_printf(arena, " (%s)", names_words(arena, names));
}

static const struct node *steps_first(const struct node *root, const struct node **phase)
{
    const struct node *phases = node_find(root, "phases");

    *phase = phases == NULL ? NULL : phases->child;
    while (*phase != NULL && node_find(*phase, "steps")->child == NULL)
        *phase = (*phase)->next;
    return *phase == NULL ? NULL : node_find(*phase, "steps")->child;
}

static const struct node *steps_next(const struct node *step, const struct node **phase)
{
    step = step->next;
    while (step == NULL && (*phase = (*phase)->next) != NULL)
        step = node_find(*phase, "steps")->child;
    return step;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): STEP and PHASE are names that are declared. */
#define STEPS_EACH(step, phase, root)                                                              \
    for (const struct node *phase, *step = steps_first(root, &phase); step != NULL;                \
         step = steps_next(step, &phase))
/* NOLINTEND(bugprone-macro-parentheses) */

/* ---- which steps an input touches ---- */

/* Does something below NODE name the local file PATH? */
static bool names_file(const struct preview *preview, const struct node *node, const char *path)
{
    const char *found;

    if (node == NULL)
        return false;
    if (equal(node->key, "file") && node->text != NULL &&
        plan_path(preview->arena, preview->plan, preview->scope, NULL, node, &found) &&
        equal(found, path))
        return true;
    NODE_EACH(child, node)
    {
        if (names_file(preview, child, path))
            return true;
    }
    return false;
}

static struct words steps_of_file(struct comparison *comparison, const char *path)
{
    const struct preview *preview = comparison->preview;
    struct words names = {0};

    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(preview->plan, (enum phase)phase, step)) != NULL;) {
            if (step->steps != NULL || !names_file(preview, step->params, path))
                continue;
            words_add(comparison->arena, &names, step->id);
            *table_place(&comparison->told, step->id) = &comparison->told;
        }
    }
    return names;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

/* "${name}", and "$name" in a shell text. */
static bool text_names(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = text; (at = strchr(at, '$')) != NULL;) {
        at += at[1] == '{' ? 2 : 1;
        if (strncmp(at, name, length) == 0 && !is_name(at[length]))
            return true;
    }
    return false;
}

static bool names_variable(const struct node *node, const char *name)
{
    if (node->text != NULL &&
        (text_names(node->text, name) || (equal(node->key, "variable") && equal(node->text, name))))
        return true;
    NODE_EACH(child, node)
    {
        if (!equal(child->key, "steps") && names_variable(child, name))
            return true;
    }
    return false;
}

static struct words steps_of_variable(struct comparison *comparison, const char *name)
{
    const struct preview *preview = comparison->preview;
    struct words names = {0};

    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(preview->plan, (enum phase)phase, step)) != NULL;) {
            if (!names_variable(step->node, name))
                continue;
            words_add(comparison->arena, &names, step->id);
            *table_place(&comparison->told, step->id) = &comparison->told;
        }
    }
    return names;
}

/* ---- the inputs ---- */

static void compare_program(struct comparison *comparison)
{
    const char *saved = node_text(comparison->saved, "version");

    if (!equal(saved, HOLDBACK_VERSION))
        differs(&comparison->found, "this is holdback " HOLDBACK_VERSION ", the preview is of %s",
                saved);
}

/* There is one plan, one cluster file and one of defaults, wherever they lie. */
static bool is_same_file(const struct node *a, const struct node *b)
{
    const char *role = node_text(a, "role");

    return equal(role, node_text(b, "role")) &&
           (!equal(role, "file") || equal(node_text(a, "path"), node_text(b, "path")));
}

static const struct node *file_find(const struct node *files, const struct node *file)
{
    NODE_EACH(other, files)
    {
        if (is_same_file(file, other))
            return other;
    }
    return NULL;
}

static const char *full_path(const struct comparison *comparison, const char *shown)
{
    const struct input *input = inputs_first(comparison->preview->plan->inputs);

    while (input != NULL && !equal(short_path(comparison->arena, input->path), shown))
        input = input->next;
    return input == NULL ? shown : input->path;
}

static void compare_files(struct comparison *comparison)
{
    const struct node *saved = node_find(node_find(comparison->saved, "plan"), "files");
    const struct node *now = node_find(node_find(comparison->now, "plan"), "files");

    NODE_EACH(file, now)
    {
        const struct node *before = file_find(saved, file);
        const char *path = node_text(file, "path");

        if (before != NULL && equal(node_text(before, "sha256"), node_text(file, "sha256")))
            continue;

        const struct words steps = steps_of_file(comparison, full_path(comparison, path));

        differs(&comparison->found,
                before == NULL ? "%s is not in the preview%s" : "%s changed since the preview%s",
                path, in_brackets(comparison->arena, &steps));
    }
    NODE_EACH(file, saved)
    {
        if (file_find(now, file) == NULL)
            differs(&comparison->found, "%s is in the preview, and is not read any more",
                    node_text(file, "path"));
    }
}

static const struct node *item_find(const struct node *list, const char *key, const char *name)
{
    NODE_EACH(item, list)
    {
        if (equal(node_text(item, key), name))
            return item;
    }
    return NULL;
}

static const char *or_nothing(const char *value)
{
    return value == NULL ? "nothing" : value;
}

static void compare_variables(struct comparison *comparison)
{
    NODE_EACH(variable, node_find(comparison->now, "variables"))
    {
        const char *name = node_text(variable, "name"), *now = node_text(variable, "value");
        const struct node *saved =
            item_find(node_find(comparison->saved, "variables"), "name", name);

        if (saved == NULL || equal(node_text(saved, "value"), now))
            continue;

        const struct words steps = steps_of_variable(comparison, name);

        differs(&comparison->found, "variable \"%s\" is %s, was %s%s", name, or_nothing(now),
                or_nothing(node_text(saved, "value")), in_brackets(comparison->arena, &steps));
    }
}

/* ---- what that means for the steps ---- */

/* Everything of a step but its number, its values (told above), and what was found out. */
static const char *step_text(struct comparison *comparison, const struct node *step)
{
    static const char *const left_out[] = {"number", "values", "took", "live"};
    CLEANUP(text_release) struct text text = {0};

    NODE_EACH(child, step)
    {
        bool counts = true;

        for (size_t at = 0; at < ARRAY_COUNT(left_out); at++)
            counts = counts && !equal(child->key, left_out[at]);
        if (counts) {
            text_append(&text, child->key);
            node_append_json(&text, child);
        }
    }
    return text_copy(&text, comparison->arena);
}

static void index_steps(struct comparison *comparison, const struct node *root, struct table *out)
{
    table_init(out, comparison->arena);
    STEPS_EACH(step, phase, root)
    *table_place(out, node_text(step, "id")) = (void *)step;
}

static void tell_steps(struct comparison *comparison, const struct words *steps,
                       const char *what_of_one, const char *what_of_many)
{
    if (steps->count > 0)
        differs(&comparison->found, "step%s %s %s", steps->count == 1 ? "" : "s",
                names_words(comparison->arena, steps),
                steps->count == 1 ? what_of_one : what_of_many);
}

static void compare_steps(struct comparison *comparison)
{
    struct table before, after;
    struct words added = {0}, gone = {0}, changed = {0};

    index_steps(comparison, comparison->saved, &before);
    index_steps(comparison, comparison->now, &after);
    STEPS_EACH(step, phase, comparison->now)
    {
        const char *id = node_text(step, "id");
        const struct node *saved = table_find(&before, id);

        if (saved == NULL)
            words_add(comparison->arena, &added, id);
        else if (table_find(&comparison->told, id) == NULL &&
                 !equal(step_text(comparison, step), step_text(comparison, saved)))
            words_add(comparison->arena, &changed, id);
    }
    STEPS_EACH(step, phase, comparison->saved)
    {
        if (table_find(&after, node_text(step, "id")) == NULL)
            words_add(comparison->arena, &gone, node_text(step, "id"));
    }
    tell_steps(comparison, &added, "is new", "are new");
    tell_steps(comparison, &gone, "is gone", "are gone");
    tell_steps(comparison, &changed, "differs", "differ");
}

static const struct node *json_of(struct comparison *comparison)
{
    CLEANUP(text_release) struct text text = {0};
    static const struct terminal plain = {.fd = -1};
    const struct node *root = NULL;

    preview_write(comparison->preview, &plain, "json", &text);
    (void)json_parse(comparison->arena, "the preview", text_string(&text), text.length, &root);
    return root;
}

struct error *expect_compare_inputs(struct preview *preview, const struct input *input,
                                    const struct node *saved)
{
    struct comparison comparison = {.arena = preview->arena,
                                    .preview = preview,
                                    .saved = saved,
                                    .found = {.arena = preview->arena}};

    table_init(&comparison.told, preview->arena);
    comparison.now = json_of(&comparison);
    compare_program(&comparison);
    compare_files(&comparison);
    compare_variables(&comparison);
    if (comparison.found.count > 0)
        compare_steps(&comparison);

    const char *words = differences_words(&comparison.found);

    if (words == NULL)
        return NULL;
    return error_hint(preview->arena,
                      error_at(preview->arena, (struct place){.file = input->path},
                               "the deployment is not what this preview of %s shows:%s",
                               node_text(saved, "made"), words),
                      "Nothing was touched. Preview again, have it approved, then deploy.");
}
