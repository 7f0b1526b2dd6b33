/* What each SQL text of a plan may do: leave its transaction alone, or only read. */
#include "plan/checker.h"
#include "plan/sqllex.h"

#include <string.h>

enum rule {
    RULE_SENT,        /* anything that a server understands */
    RULE_TRANSACTION, /* nothing that ends or escapes the one transaction */
    RULE_READ,        /* one statement, run READ ONLY */
};

struct sql_text {
    const char *text;
    const struct node *node; /* NULL: a file */
    struct source *file;
    const struct step *step;
};

static struct place place_of(struct checker *checker, const struct sql_text *sql, const char *at,
                             size_t length)
{
    if (sql->node != NULL)
        return text_place(checker, sql->node, (size_t)(at - sql->text), length);
    return source_place_at(sql->file, checker->arena, (size_t)(at - sql->text), length);
}

static bool sendable_check(struct checker *checker, const struct sql_text *sql, enum rule rule)
{
    size_t offset;
    const char *why, *found = rule == RULE_SENT ? sql_unsendable(sql->text, &offset, &why)
                                                : sql_forbidden(sql->text, &offset, &why);

    if (found == NULL)
        return true;

    const char *at = sql->text + offset;
    struct place place = place_of(checker, sql, at, strcspn(at, " \t\r\n;"));

    if (rule == RULE_READ)
        findings_add(checker->findings, place, "The text runs READ ONLY, and must only read.",
                     "%s cannot stand in a text that only reads", found);
    else if (rule == RULE_TRANSACTION)
        findings_add(checker->findings, place, why, "%s cannot stand in a step's one transaction",
                     found);
    else
        findings_add(checker->findings, place, why, "%s cannot be sent to a server", found);
    return false;
}

/* A second statement could follow one that ends the READ ONLY transaction. */
static void single_check(struct checker *checker, const struct sql_text *sql)
{
    CLEANUP(arena_release) struct arena scratch = {0};
    const struct sql_statement *statements;
    size_t count;

    if (sql_split(&scratch, sql->text, &statements, &count) != NULL)
        return;
    if (count > 1)
        findings_add(
            checker->findings,
            place_of(checker, sql, statements[1].text, strcspn(statements[1].text, " \t\r\n;")),
            "What only reads is one statement, in a transaction that is READ ONLY.",
            "a second statement cannot stand here");
    else if (count == 0)
        findings_add(checker->findings, place_of(checker, sql, sql->text, 1), NULL,
                     "there is no statement in the text");
}

static void text_rule(struct checker *checker, const struct sql_text *sql, enum rule rule)
{
    if (sendable_check(checker, sql, rule) && rule == RULE_READ)
        single_check(checker, sql);
}

static void ends_check(struct checker *checker, const struct sql_text *sql)
{
    struct sql_lexer lexer = {.at = sql->text};

    while (sql_token_next(&lexer).kind != SQL_END)
        continue;
    if (lexer.unterminated != NULL)
        findings_add(checker->findings, place_of(checker, sql, lexer.unterminated, 1),
                     "It begins here.", "%s has no end", lexer.what);
}

static void file_rule(struct checker *checker, const struct step *step, const struct node *node,
                      enum rule rule)
{
    const struct input *input;
    const char *path;

    // What is wrong with the path itself is told where paths are checked.
    if (!plan_path(checker->arena, checker->plan, checker->scope, NULL, node, &path) ||
        plan_file(checker->arena, checker->plan, checker->scope, NULL, node, &input) != NULL)
        return;

    // A file that many steps share is checked once for each rule.
    char *checked = table_find(&checker->files, path);

    if (checked == NULL) {
        checked = arena_alloc(checker->arena, RULE_READ + 1);
        *table_place(&checker->files, path) = checked;
    }

    bool is_new = memchr(checked, 1, RULE_READ + 1) == NULL;

    if (checked[rule] != 0)
        return;
    checked[rule] = 1;

    struct source source = {.file = path, .bytes = input->bytes, .length = input->length};
    struct sql_text sql = {.text = input->bytes, .file = &source, .step = step};

    if (is_new)
        ends_check(checker, &sql);
    text_rule(checker, &sql, rule);
}

/* A text, a version map, {file: PATH}, or a list of these. */
static void sql_rule(struct checker *checker, const struct step *step, const struct node *node,
                     enum rule rule)
{
    if (node == NULL)
        return;
    if (node->text != NULL) {
        struct sql_text sql = {.text = node->text, .node = node, .step = step};

        text_rule(checker, &sql, rule);
    } else if (node_find(node, "file") != NULL) {
        if (node_find(node, "file")->text != NULL)
            file_rule(checker, step, node_find(node, "file"), rule);
    } else {
        NODE_EACH(child, node)
        sql_rule(checker, step, child, rule);
    }
}

static void action_check(struct checker *checker, const struct step *step)
{
    const struct node *params = step->params, *file = node_find(params, "file");
    enum rule rule = equal(node_text(params, "transaction"), "none") ? RULE_SENT : RULE_TRANSACTION;

    sql_rule(checker, step, node_find(params, "query"), RULE_READ);
    sql_rule(checker, step, node_find(params, "unless"), RULE_READ);
    sql_rule(checker, step, node_find(params, "run"), rule);
    sql_rule(checker, step, node_find(params, "clean-up"), RULE_SENT);
    if (file != NULL && file->text != NULL)
        file_rule(checker, step, file, rule);
}

static void step_check(struct checker *checker, const struct step *step)
{
    if (step->params == NULL || step->params->kind != NODE_MAP)
        return;
    if (equal(step->action_name, "sql"))
        action_check(checker, step);
    else if (equal(step->action_name, "wait-until")) {
        sql_rule(checker, step, node_find(step->params, "sql"), RULE_READ);
        sql_rule(checker, step, node_find(node_find(step->params, "fail-when"), "sql"), RULE_READ);
    }
}

void sql_check(struct checker *checker)
{
    table_init(&checker->files, checker->arena);
    steps_each(checker, step_check);
}
