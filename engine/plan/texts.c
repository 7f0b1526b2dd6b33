#include "plan/checker.h"
#include "plan/sqlspot.h"

#include <string.h>

struct place text_place(struct checker *checker, const struct node *node, size_t offset,
                        size_t length)
{
    // Nobody sees where the findings beyond the first many are.
    if (checker->findings->error_count >= FINDINGS_MOST)
        return (struct place){.file = checker->plan->file, .line = node->line};
    return source_place(&checker->source, checker->arena, node, offset, length);
}

struct place use_place(struct checker *checker, const struct use *use)
{
    return use->node == NULL ? use->place
                             : text_place(checker, use->node, use->offset, use->length);
}

static bool is_path(enum text_format format)
{
    return format == FORMAT_SQL_PATH || format == FORMAT_SHELL_PATH;
}

static bool is_known_on_a_host(const struct checker *checker, const char *name)
{
    const struct cluster *cluster = checker->options->cluster;

    if (cluster == NULL || starts_with(name, "run.") ||
        scope_find(checker->scope, NULL, name) != NULL)
        return true;
    for (size_t at = 0; at < cluster->host_count; at++) {
        if (scope_find(checker->scope, cluster->hosts[at].name, name) != NULL)
            return true;
    }
    return false;
}

static void built_in_check(struct checker *checker, const struct use *use, const struct name *name)
{
    if (name->kind == NAME_HOST && use->node != NULL && equal(use->node->key, "confirm"))
        findings_add(checker->findings, use_place(checker, use),
                     "A person is asked once, before the step begins on any host.",
                     "\"%s\" is each host's own, and has no value in \"confirm\"", name->name);
    else if (!is_known_on_a_host(checker, name->name))
        findings_add(checker->findings, use_place(checker, use), NULL,
                     "the cluster file does not say \"%s\"", name->name);
}

static void role_value_check(struct checker *checker, const struct use *use,
                             const struct name *name)
{
    if (!ends_with(name->name, ".count") && !role_is_one_host(name->role))
        findings_add(checker->findings, use_place(checker, use),
                     "Only a role with \"one: true\", or the leader, is one host.",
                     "\"%s\" has no value: role \"%s\" may be several hosts", name->name,
                     name->role->name);
}

static bool is_number(enum value_type type)
{
    return type == VALUE_INTEGER || type == VALUE_SIZE || type == VALUE_DURATION ||
           type == VALUE_BOOLEAN;
}

static void variable_check(struct checker *checker, const struct use *use, const struct name *name)
{
    enum value_type type = name->variable->type;
    const char *key = use->node->key;

    if (type == VALUE_SECRET) {
        if (use->format == FORMAT_TEXT && use->is_whole && equal(key, "stdin"))
            return;
        findings_add(checker->findings, use_place(checker, use),
                     arena_printf(checker->arena,
                                  "Only the standard input of a remote-shell step takes one, "
                                  "whole: stdin: ${%s}.",
                                  name->name),
                     "secret \"%s\" cannot stand here", name->name);
    } else if (use->is_identifier && is_number(type)) {
        findings_add(checker->findings, use_place(checker, use), NULL,
                     "\"%s\" of type %s cannot be an identifier", name->name,
                     value_type_name(type));
    } else if ((equal(key, "above") || equal(key, "below")) &&
               (type == VALUE_BOOLEAN || type == VALUE_PATH)) {
        findings_add(checker->findings, use_place(checker, use),
                     "What is compared is an integer, a size or a duration.",
                     "\"%s\" of type %s cannot be above or below anything", name->name,
                     value_type_name(type));
    }
}

void name_check(struct checker *checker, const struct use *use, const struct name *name)
{
    if (is_path(use->format) && name->kind != NAME_VARIABLE && !equal(name->name, "cluster")) {
        findings_add(checker->findings, use_place(checker, use),
                     "A local file is read before the run begins: use a variable.",
                     "\"%s\" cannot be part of a local file's name", name->name);
        return;
    }
    switch (name->kind) {
    case NAME_VARIABLE:
        variable_check(checker, use, name);
        break;
    case NAME_SAVED:
        order_check(checker, use, name);
        break;
    case NAME_BUILT_IN:
    case NAME_HOST:
        built_in_check(checker, use, name);
        break;
    case NAME_ROLE:
        role_value_check(checker, use, name);
        break;
    }
}

static void reference_check(struct checker *checker, struct use *use,
                            const struct reference *reference, const char *text)
{
    const struct name *name =
        table_find_bytes(&checker->names, reference->name, reference->name_length);

    use->offset = (size_t)(text - use->node->text);
    use->length = reference->length;
    use->is_identifier = reference->is_identifier;
    use->is_whole = reference->length == use->node->length;
    if (name != NULL) {
        name_check(checker, use, name);
        return;
    }

    const char *word = arena_copy(checker->arena, reference->name, reference->name_length);

    findings_add(checker->findings, use_place(checker, use),
                 words_suggest(checker->findings, &checker->name_words, word),
                 "there is no value %s", findings_quote(checker->findings, word));
}

static void plain_check(struct checker *checker, struct use *use)
{
    const char *text = use->node->text, *end = text + use->node->length;

    for (const char *at = reference_next(text, end); at != NULL; at = reference_next(at, end)) {
        struct reference reference;
        size_t offset = (size_t)(at - text);

        if (at[1] == '$') {
            at += strlen("$${");
        } else if (!reference_read(at, &reference)) {
            findings_add(checker->findings,
                         text_place(checker, use->node, offset, reference_broken_length(at)),
                         REFERENCE_BROKEN_HINT, REFERENCE_BROKEN);
            at += strlen("${");
        } else {
            if (reference.is_identifier)
                findings_add(checker->findings,
                             text_place(checker, use->node, offset, reference.length),
                             "Only in SQL a value can be an identifier.",
                             "\":identifier\" cannot stand here");
            reference.is_identifier = false;
            reference_check(checker, use, &reference, at);
            at += reference.length;
        }
    }
}

static void sql_text_check(struct checker *checker, struct use *use)
{
    const char *text = use->node->text;
    struct sql_reader reader = {.arena = checker->arena, .lexer = {.at = text}};
    struct sql_spot spot;

    while (sql_spot_next(&reader, &spot)) {
        if (spot.message != NULL)
            findings_add(checker->findings,
                         text_place(checker, use->node, (size_t)(spot.text - text), spot.length),
                         spot.hint, "%s", spot.message);
        else if (!spot.is_escape)
            reference_check(checker, use, &spot.reference, spot.text);
    }
}

void text_check(struct checker *checker, const struct step *step, const struct node *node,
                enum text_format format)
{
    struct use use = {.step = step, .node = node, .format = format};

    if (node->text == NULL)
        return;
    if (format == FORMAT_SQL)
        sql_text_check(checker, &use);
    else if (format == FORMAT_SHELL)
        shell_check(checker, step, node);
    else
        plain_check(checker, &use);
}
