#include "plan/checker.h"
#include "plan/reference.h"

#include <string.h>

/* Can the variable ever be that? What holds a reference is not known here. */
static void choice_check(struct checker *checker, const struct variable *variable,
                         const struct node *node)
{
    struct value value;
    const char *hint = NULL;

    if (node->text == NULL || reference_next(node->text, node->text + node->length) != NULL ||
        variable_accepts(checker->arena, variable, node->text, &value, &hint))
        return;

    struct words choices = {0};

    NODE_EACH(choice, variable->choices)
    words_add(checker->arena, &choices, choice->text == NULL ? "" : choice->text);

    const char *suggestion = words_suggest(checker->findings, &choices, node->text);

    findings_add(checker->findings, node_place(checker->plan->file, node),
                 suggestion == NULL ? hint : suggestion, "variable \"%s\" is never %s",
                 variable->name, findings_quote(checker->findings, node->text));
}

static void variable_check(struct checker *checker, const struct when *when)
{
    const struct name *name = table_find(&checker->names, when->subject);

    if (name == NULL || name->kind != NAME_VARIABLE) {
        struct words variables = {0};

        for (size_t at = 0; at < checker->plan->variable_count; at++)
            words_add(checker->arena, &variables, checker->plan->variables[at].name);
        findings_add(checker->findings, when->place,
                     name == NULL ? words_suggest(checker->findings, &variables, when->subject)
                                  : "For a saved value write {value: NAME, is: ...}.",
                     "there is no variable %s", findings_quote(checker->findings, when->subject));
        return;
    }
    if (name->variable->type == VALUE_SECRET) {
        findings_add(checker->findings, when->place, NULL, "secret \"%s\" cannot be compared",
                     name->name);
        return;
    }
    if (when->is == NULL)
        return;
    if (when->is->kind != NODE_LIST)
        choice_check(checker, name->variable, when->is);
    NODE_EACH(item, when->is)
    choice_check(checker, name->variable, item);
}

static void value_check(struct checker *checker, const struct step *step, const struct when *when)
{
    const struct name *name = table_find(&checker->names, when->subject);
    struct use use = {.step = step, .place = when->place};

    if (name == NULL)
        findings_add(checker->findings, when->place,
                     words_suggest(checker->findings, &checker->name_words, when->subject),
                     "there is no value %s", findings_quote(checker->findings, when->subject));
    else if (name->kind != NAME_SAVED)
        findings_add(checker->findings, when->place,
                     name->kind == NAME_VARIABLE ? "For a variable write {variable: NAME, is: ...}."
                                                 : NULL,
                     "\"%s\" is not a saved value", name->name);
    else
        order_check(checker, &use, name);
}

void conditions_check(struct checker *checker, const struct step *step)
{
    for (size_t at = 0; at < step->when_count; at++) {
        const struct when *when = &step->when[at];

        if (when->kind == WHEN_VARIABLE)
            variable_check(checker, when);
        else if (when->kind == WHEN_VALUE)
            value_check(checker, step, when);
    }
}
