/* sql: reads, or changes something exactly once. Looking, describing, validating. */
#include "sql.h"

#include "actions.h"
#include "outline.h"

#include <string.h>

bool sql_is_query(const struct step *step)
{
    return node_find(step->params, "query") != NULL;
}

bool sql_is_one_transaction(const struct step *step)
{
    return !equal(node_text(step->params, "transaction"), "none");
}

const char *sql_literal(struct arena *arena, const char *text)
{
    CLEANUP(text_release) struct text literal = {0};
    text_append(&literal, "'");
    for (const char *quote; (quote = strchr(text, '\'')) != NULL; text = quote + 1) {
        text_append_bytes(&literal, text, (size_t)(quote - text));
        text_append(&literal, "''");
    }
    text_append(&literal, text);
    text_append(&literal, "'");
    return text_copy(&literal, arena);
}

static struct error *one_text(struct work *work, const struct node *node, int version,
                              const char **out)
{
    return plan_sql_text(work->arena, work->plan, work->scope, work->target->name, node, version,
                         out);
}

static struct error *file_text(struct work *work, const struct node *node, const char **out)
{
    const struct input *input;
    struct error *error =
        plan_file(work->arena, work->plan, work->scope, work->target->name, node, &input);
    if (error != NULL)
        return error;
    if (memchr(input->bytes, '\0', input->length) != NULL)
        return error_new(work->arena, ERROR_INPUT, "file \"%s\" contains a NUL byte", input->path);
    *out = input->bytes;
    return NULL;
}

struct error *sql_texts(struct work *work, const char *key, int version, const char *const **out,
                        size_t *count)
{
    const struct node *node = node_find(work->step->params, key);
    size_t most = node->kind == NODE_LIST ? node->count : 1;
    const char **texts = arena_alloc(work->arena, (most + 1) * sizeof(*texts));
    size_t at = 0;
    struct error *error = NULL;
    if (equal(key, "file")) {
        error = file_text(work, node, &texts[at++]);
    } else if (node->kind != NODE_LIST) {
        error = one_text(work, node, version, &texts[at++]);
    } else {
        NODE_EACH(item, node)
        if (error == NULL)
            error = one_text(work, item, version, &texts[at++]);
    }
    *out = texts;
    *count = at;
    return error;
}

void sql_save(struct work *work, const struct postgres_result *result)
{
    if (result->rows != 1)
        return;
    NODE_EACH(name, node_find(work->step->params, "save"))
    for (size_t column = 0; column < result->columns; column++)
        if (equal(name->text, result->names[column]))
            work_save(work, name->text,
                      result->values[column] == NULL ? "" : result->values[column]);
}

struct error *sql_unsaved(struct work *work)
{
    NODE_EACH(name, node_find(work->step->params, "save"))
    {
        const struct saved *saved = work->saved;
        while (saved != NULL && !equal(saved->name, name->text))
            saved = saved->next;
        if (saved == NULL)
            return error_at(work->arena, work_place(work, name),
                            "no result of one row has a column \"%s\" to save", name->text);
    }
    return NULL;
}

/* The request of a look, and the server's version where the texts depend on it. */
static struct error *look_request(struct work *work, struct postgres_request *request, int *version)
{
    struct error *error = work_request(work, work->step->params, true, request);
    return error != NULL ? error : work_version(work, request, version);
}

struct error *sql_unless(struct work *work, bool *is_true)
{
    struct postgres_request request;
    struct postgres_result result;
    int version;
    const char *text;
    struct error *error = look_request(work, &request, &version);
    if (error == NULL)
        error = one_text(work, node_find(work->step->params, "unless"), version, &text);
    if (error == NULL)
        error = work_ask(work, &request, text, &result, NULL);
    if (error == NULL)
        *is_true = postgres_is_true(&result);
    return error;
}

static enum look look_query(struct work *work, struct error **error)
{
    struct postgres_request request;
    struct postgres_result result;
    int version;
    const char *text;
    struct error *cause = look_request(work, &request, &version);
    if (cause == NULL)
        cause = one_text(work, node_find(work->step->params, "query"), version, &text);
    if (cause == NULL)
        cause = work_ask(work, &request, text, &result, NULL);
    if (cause == NULL && node_find(work->step->params, "save") != NULL) {
        if (result.rows != 1)
            cause = error_new(work->arena, ERROR_FAILED,
                              "the query returned %zu rows, and values are saved from exactly one",
                              result.rows);
        sql_save(work, &result);
        if (cause == NULL)
            cause = sql_unsaved(work);
    } else if (cause == NULL) {
        work_show_rows(work, &result);
    }
    return cause == NULL ? LOOK_ALREADY : work_look_failed(work, cause, error);
}

/* What apply would execute, for a person. */
static struct error *look_change(struct work *work, int version)
{
    const char *const keys[] = {"run", "file"};
    for (size_t key = 0; key < ARRAY_COUNT(keys); key++) {
        if (node_find(work->step->params, keys[key]) == NULL)
            continue;
        const char *const *texts;
        size_t count;
        struct error *error = sql_texts(work, keys[key], version, &texts, &count);
        if (error != NULL)
            return error;
        for (size_t i = 0; i < count; i++) {
            text_append(&work->change, texts[i]);
            if (!ends_with(texts[i], "\n"))
                text_append(&work->change, "\n");
        }
    }
    return NULL;
}

static enum look look(struct work *work, struct error **error)
{
    if (sql_is_query(work->step))
        return look_query(work, error);
    bool is_there = false;
    int version = 0;
    struct postgres_request request;
    struct error *cause = look_request(work, &request, &version);
    if (cause == NULL && node_find(work->step->params, "unless") != NULL)
        cause = sql_unless(work, &is_there);
    else if (cause == NULL && sql_is_one_transaction(work->step))
        cause = marker_look(work, &request, &is_there);
    if (cause == NULL && !is_there && !work->is_repeat)
        cause = look_change(work, version);
    if (cause != NULL)
        return work_look_failed(work, cause, error);
    return is_there ? LOOK_ALREADY : LOOK_WOULD_CHANGE;
}

static void describe(const struct outline *outline, struct description *out)
{
    const struct node *params = outline->step->params;
    const char *database = node_text(params, "database");
    const char *in = database == NULL
                         ? ""
                         : arena_printf(outline->arena, " in database \"%s\"",
                                        outline_text(outline, node_find(params, "database")));
    if (sql_is_query(outline->step)) {
        out->summary = arena_printf(outline->arena, "read with SQL%s", in);
        outline_sql(outline, out, "SQL, read only", node_find(params, "query"));
        return;
    }
    bool is_one = sql_is_one_transaction(outline->step);
    out->summary = arena_printf(outline->arena, "execute SQL%s, %s", in,
                                is_one ? "in one transaction" : "statement by statement");
    outline_sql(outline, out, "unless, SQL", node_find(params, "unless"));
    outline_sql(outline, out, "SQL", node_find(params, "run"));
    const struct node *file = node_find(params, "file");
    const char *bytes = file == NULL ? NULL : outline_file(outline, file);
    if (file != NULL)
        description_add(out,
                        arena_printf(outline->arena, "SQL from %s", outline_text(outline, file)),
                        "sql", bytes == NULL ? "(the file is not known yet)\n" : bytes);
    outline_sql(outline, out, "before every further try, SQL", node_find(params, "clean-up"));
    NODE_EACH(setting, node_find(params, "settings"))
    description_add(out, arena_printf(outline->arena, "setting %s", setting->key), "text",
                    outline_text(outline, setting));
}

static void validate(const struct outline *outline)
{
    const struct node *params = outline->step->params;
    const struct node *save = node_find(params, "save");
    if (save != NULL && node_find(params, "unless") != NULL)
        findings_add(outline->findings, node_key_place(outline->plan->file, save),
                     "Save with a later sql step that has \"query\".",
                     "\"save\" cannot stand beside \"unless\": where the effect is there already, "
                     "there is no value");
}

const struct action sql_action = {
    .name = "sql",
    .schema = "sql.schema.json",
    .has_effect = true,
    .needs_unless = true,
    .validate = validate,
    .describe = describe,
    .look = look,
    .apply = sql_apply,
    .settle = sql_settle,
    .clean = sql_clean,
};
