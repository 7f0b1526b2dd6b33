#include "plan/checker.h"
#include "plan/reference.h"
#include "plan/shelltext.h"

#include <string.h>

struct shell_reader {
    struct checker *checker;
    struct arena *scratch;
    struct use use;
    struct table assigned;
    struct table told; /* a name is told once per text */
    bool may_assign_more;
};

static void assign(void *context, const char *name, size_t length)
{
    struct shell_reader *reader = context;

    if (table_find_bytes(&reader->assigned, name, length) == NULL)
        *table_place(&reader->assigned, arena_copy(reader->scratch, name, length)) = reader;
}

static void unknown(struct shell_reader *reader, const char *name)
{
    struct checker *checker = reader->checker;

    if (reader->may_assign_more || name_is_reserved_by_shell(name))
        return;
    hazard_add(checker, "HB002", use_place(checker, &reader->use),
               words_suggest(checker->findings, &checker->shell_words, name),
               "\"$%s\" is neither a value of this plan nor assigned in the text", name);
}

/* Built-in values, paths, numbers and choices are never empty. */
static bool may_be_empty(const struct name *name)
{
    if (name->kind == NAME_VARIABLE)
        return name->variable->type == VALUE_TEXT && name->variable->choices == NULL;
    return name->kind == NAME_SAVED;
}

static void removed(struct shell_reader *reader, const char *name)
{
    struct checker *checker = reader->checker;

    hazard_add(checker, "HB003", use_place(checker, &reader->use),
               arena_printf(reader->scratch,
                            "An empty value would remove something else. Write "
                            "${%s:?}.",
                            name),
               "rm -r takes \"$%s\", which may be empty", name);
}

/* True if this text has named it before: once is enough. */
static bool is_told(struct shell_reader *reader, const char *name)
{
    void **told = table_place(&reader->told, name);
    bool is_new = *told == NULL;

    *told = reader;
    return !is_new;
}

static void use(void *context, const struct shell_use *shell)
{
    struct shell_reader *reader = context;
    struct checker *checker = reader->checker;
    const struct name *known = table_find_bytes(&checker->shells, shell->name, shell->length);
    bool is_removed =
        shell->is_removed && shell->kind == SHELL_USED && known != NULL && may_be_empty(known);

    if (shell->kind == SHELL_MENTIONED || shell->length > NAME_LONGEST ||
        table_find_bytes(&reader->assigned, shell->name, shell->length) != NULL ||
        (!is_removed && table_find_bytes(&reader->told, shell->name, shell->length) != NULL))
        return;

    const char *name = arena_copy(reader->scratch, shell->name, shell->length);

    reader->use.offset = (size_t)(shell->name - reader->use.node->text);
    reader->use.length = shell->length;
    if (is_removed)
        removed(reader, name);
    if (is_told(reader, name))
        return;
    if (known != NULL)
        name_check(checker, &reader->use, known);
    else if (shell->kind != SHELL_DEFAULTED)
        unknown(reader, name);
}

void shell_check(struct checker *checker, const struct step *step, const struct node *node)
{
    CLEANUP(arena_release) struct arena scratch = {0};
    struct shell_reader reader = {
        .checker = checker,
        .scratch = &scratch,
        .use = {.step = step, .node = node, .format = FORMAT_SHELL},
    };
    struct shell_visitor assignments = {.assign = assign, .context = &reader};
    struct shell_visitor uses = {.use = use, .context = &reader};

    table_init(&reader.assigned, &scratch);
    table_init(&reader.told, &scratch);
    reader.may_assign_more = !shell_scan(node->text, &assignments);
    (void)shell_scan(node->text, &uses);
}
