/* SQL and shell texts by hand, and the conditions that are made of them. */
#include "by_hand.h"

#include "outline.h"
#include "sql.h"

#include <string.h>

/* --- SQL --- */

/*
 * psql as the program connects: on the host as the server's own user through its socket, on the
 * host to its address, or from here.
 */
static const char *psql(const struct by_hand *by_hand, const char *reach, const char *options,
                        const char *text)
{
    const struct host_settings *host = by_hand->host;
    const struct node *database = node_find(by_hand->step->params, "database");
    const char *bin = by_hand_value(by_hand, "postgres.bin-directory");
    bool is_socket = equal(reach, "socket"), is_here = equal(reach, "direct");
    const char *command = arena_printf(
        by_hand->arena, "%s -X -v ON_ERROR_STOP=1%s -h %s -p %s -U %s -d %s %s",
        by_hand_word(by_hand, bin == NULL || is_here
                                  ? "psql"
                                  : arena_printf(by_hand->arena, "%s/psql", bin)),
        options,
        by_hand_word(by_hand, is_socket ? by_hand_value(by_hand, "postgres.socket-directory")
                                        : host->address),
        by_hand_word(by_hand, by_hand_value(by_hand, "postgres.port")),
        by_hand_word(by_hand, host->postgres.user),
        by_hand_word(by_hand,
                     database == NULL ? host->postgres.database : by_hand_text(by_hand, database)),
        by_hand_document(by_hand, "SQL", text));
    if (!is_here)
        return by_hand_script(by_hand, host, is_socket ? host->postgres.os_user : NULL, command);
    if (host->postgres.sslmode == NULL)
        return command;
    return arena_printf(by_hand->arena, "PGSSLMODE=%s %s", host->postgres.sslmode, command);
}

/* A text without its last semicolon gets one, on a line of its own where a comment may end it. */
static const char *terminated(const struct by_hand *by_hand, const char *text)
{
    size_t length = strlen(text), start;
    while (length > 0 && strchr(" \t\n", text[length - 1]) != NULL)
        length--;
    if (length > 0 && text[length - 1] == ';')
        return text;
    for (start = length; start > 0 && text[start - 1] != '\n';)
        start--;
    const char *last = arena_copy(by_hand->arena, text + start, length - start);
    return arena_printf(by_hand->arena, "%.*s%s;\n", (int)length, text,
                        strstr(last, "--") == NULL ? "" : "\n");
}

static const char *expanded(const struct by_hand *by_hand, const struct node *node)
{
    const char *text;
    if (expand_sql(by_hand->arena, by_hand->scope, by_hand->host->name, (struct place){0},
                   node->text, &text) != NULL)
        return node->text;
    return text;
}

static const char *file_bytes(const struct by_hand *by_hand, const struct node *node)
{
    const struct input *input;
    if (plan_file(by_hand->arena, by_hand->plan, by_hand->scope, by_hand->host->name, node,
                  &input) != NULL)
        return "(the file is not known yet)";
    return input->bytes;
}

/* One command for NODE: a text, {file: PATH}, or a list, which one connection executes in order. */
static const char *all_texts(const struct by_hand *by_hand, const struct node *node)
{
    CLEANUP(text_release) struct text text = {0};
    if (node->kind == NODE_MAP)
        return terminated(by_hand, file_bytes(by_hand, node_find(node, "file")));
    if (node->kind != NODE_LIST)
        return terminated(by_hand, expanded(by_hand, node));
    NODE_EACH(item, node)
    text_append(&text, item->kind == NODE_MAP ? "-- by server version: see the preview\n"
                                              : terminated(by_hand, expanded(by_hand, item)));
    return text_copy(&text, by_hand->arena);
}

static bool is_version_map(const struct node *node)
{
    return node->kind == NODE_MAP && node_find(node, "file") == NULL;
}

static const char *reach_of(const struct by_hand *by_hand, const struct node *map)
{
    const char *reach = node_text(map, "reach");
    return reach == NULL ? by_hand->host->postgres.reach : reach;
}

void by_hand_sql_texts(const struct by_hand *by_hand, struct description *out,
                       const struct node *node, const char *title, const char *options,
                       const char *before)
{
    const char *reach = reach_of(by_hand, by_hand->step->params);
    if (is_version_map(node)) {
        NODE_EACH(text, node)
        description_add(
            out, arena_printf(by_hand->arena, "On PostgreSQL %s: %s", text->key, title), "sh",
            psql(by_hand, reach, options,
                 arena_printf(by_hand->arena, "%s%s", before, all_texts(by_hand, text))));
        return;
    }
    description_add(out, title, "sh",
                    psql(by_hand, reach, options,
                         arena_printf(by_hand->arena, "%s%s", before, all_texts(by_hand, node))));
}

/* What stands before the text: the role and the settings of its session. */
static const char *session(const struct by_hand *by_hand)
{
    CLEANUP(text_release) struct text text = {0};
    const struct node *params = by_hand->step->params, *role = node_find(params, "role");
    NODE_EACH(setting, node_find(params, "settings"))
    text_append_format(&text, "SET %s = %s;\n", setting->key,
                       sql_literal(by_hand->arena, by_hand_text(by_hand, setting)));
    if (role != NULL) {
        text_append(&text, "SET ROLE \"");
        for (const char *at = by_hand_text(by_hand, role); *at != '\0'; at++)
            text_append_format(&text, *at == '"' ? "\"\"" : "%c", *at);
        text_append(&text, "\";\n");
    }
    return text_copy(&text, by_hand->arena);
}

void by_hand_sql(const struct by_hand *by_hand, struct description *out)
{
    const struct node *params = by_hand->step->params;
    const struct node *unless = node_find(params, "unless"), *file = node_find(params, "file");
    const struct node *run = node_find(params, "run");
    if (sql_is_query(by_hand->step)) {
        by_hand_sql_texts(by_hand, out, node_find(params, "query"), "Read:", "", session(by_hand));
        return;
    }
    const char *options = sql_is_one_transaction(by_hand->step) ? " -1" : "";
    if (unless != NULL)
        by_hand_sql_texts(by_hand, out, unless, "It is done already if this prints t:", " -At", "");
    if (file != NULL)
        description_add(out, "Execute:", "sh",
                        psql(by_hand, reach_of(by_hand, params), options,
                             arena_printf(by_hand->arena, "%s%s", session(by_hand),
                                          terminated(by_hand, file_bytes(by_hand, file)))));
    else
        by_hand_sql_texts(by_hand, out, run, "Execute:", options, session(by_hand));
}

/* --- shell --- */

const char *by_hand_shell_text(const struct by_hand *by_hand, const char *text, const char *shell,
                               const char *input)
{
    CLEANUP(text_release) struct text script = {0};
    const struct shell_variable *variables;
    bool is_bash = equal(shell, "bash");
    size_t count = 0;
    if (shell_variables(by_hand->arena, by_hand->scope, by_hand->host->name, text, &variables,
                        &count) != NULL)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        text_append_format(&script, "%s=", variables[i].name);
        text_append_shell(&script, variables[i].value, strlen(variables[i].value));
        text_append_format(&script, is_bash ? "; export %s\n" : "\n", variables[i].name);
    }
    // In braces it is read whole before it begins: what reads its input must not eat the rest.
    const char *body =
        arena_printf(by_hand->arena, "{\n%s%s} %s", text, ends_with(text, "\n") ? "" : "\n",
                     input == NULL ? "</dev/null\n" : by_hand_document(by_hand, "INPUT", input));
    if (is_bash)
        text_append_format(&script, "bash -euo pipefail %s",
                           by_hand_document(by_hand, "BASH", body));
    else
        text_append(&script, body);
    return text_copy(&script, by_hand->arena);
}

static void add_shell(const struct by_hand *by_hand, struct description *out, const char *title,
                      const char *text, const char *input)
{
    const char *shell = node_text(by_hand->step->params, "shell");
    description_add(out, title, "sh",
                    by_hand_script(by_hand, by_hand->host, by_hand_user(by_hand),
                                   by_hand_shell_text(by_hand, text, shell, input)));
}

void by_hand_shell(const struct by_hand *by_hand, struct description *out)
{
    const struct node *params = by_hand->step->params, *file = node_find(params, "file");
    const struct node *unless = node_find(params, "unless"), *input = node_find(params, "stdin");
    const struct node *creates = node_find(params, "creates");
    const struct node *removes = node_find(params, "removes");
    if (unless != NULL)
        add_shell(by_hand, out, "It is done already if this ends with exit status 0:", unless->text,
                  NULL);
    if (creates != NULL)
        description_add(out,
                        arena_printf(by_hand->arena, "It is done already if %s exists.",
                                     by_hand_text(by_hand, creates)),
                        "text", "");
    if (removes != NULL)
        description_add(out,
                        arena_printf(by_hand->arena, "It is done already if %s does not exist.",
                                     by_hand_text(by_hand, removes)),
                        "text", "");
    add_shell(by_hand, out,
              "Run:", file != NULL ? file_bytes(by_hand, file) : node_text(params, "run"),
              input == NULL ? NULL : by_hand_text(by_hand, input));
}

/* --- conditions --- */

/* "prints t", "prints a number below 5GB (5368709120)" */
static const char *limit_of(const struct by_hand *by_hand, const struct node *map,
                            const char *otherwise)
{
    static const char *const keys[] = {"is", "above", "below"};
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        const struct node *node = node_find(map, keys[i]);
        struct value value;
        if (node == NULL)
            continue;
        const char *text = by_hand_text(by_hand, node);
        if (i == 0)
            return arena_printf(by_hand->arena, "prints %s", text);
        if (value_read(by_hand->arena, VALUE_SIZE, text, &value) && strpbrk(text, "kKMGT") != NULL)
            text = arena_printf(by_hand->arena, "%lld (%s)", (long long)value.number, text);
        return arena_printf(by_hand->arena, "prints a number %s %s", keys[i], text);
    }
    return otherwise;
}

static void add_file(const struct by_hand *by_hand, struct description *out, const struct node *map,
                     const char *verb)
{
    const struct node *contains = node_find(map, "contains");
    const char *file = by_hand_word(by_hand, by_hand_text(by_hand, node_find(map, "file")));
    const char *script =
        contains == NULL
            ? arena_printf(by_hand->arena, "test -e %s\n", file)
            : arena_printf(by_hand->arena, "grep -qF -- %s %s\n",
                           by_hand_word(by_hand, by_hand_text(by_hand, contains)), file);
    description_add(out, arena_printf(by_hand->arena, "%s this ends with exit status 0:", verb),
                    "sh", by_hand_script(by_hand, by_hand->host, by_hand_user(by_hand), script));
}

void by_hand_condition(const struct by_hand *by_hand, struct description *out,
                       const struct node *map, const char *verb)
{
    const struct node *sql = node_find(map, "sql"), *shell = node_find(map, "shell");
    const struct node *stable = node_find(map, "stable-for"), *port = node_find(map, "port");
    if (stable != NULL)
        verb = arena_printf(by_hand->arena, "%s, for %s without a break,", verb,
                            by_hand_text(by_hand, stable));
    if (sql != NULL) {
        by_hand_sql_texts(
            by_hand, out, sql,
            arena_printf(by_hand->arena, "%s this %s:", verb, limit_of(by_hand, map, "prints t")),
            " -At", "");
    } else if (shell != NULL) {
        add_shell(by_hand, out,
                  arena_printf(by_hand->arena, "%s this %s:", verb,
                               limit_of(by_hand, map, "ends with exit status 0")),
                  shell->text, NULL);
    } else if (node_find(map, "file") != NULL) {
        add_file(by_hand, out, map, verb);
    } else if (port != NULL) {
        description_add(out, arena_printf(by_hand->arena, "%s this ends with exit status 0:", verb),
                        "sh",
                        arena_printf(by_hand->arena, "nc -z %s %s\n",
                                     by_hand_word(by_hand, by_hand->host->address),
                                     by_hand_word(by_hand, by_hand_text(by_hand, port))));
    } else {
        by_hand_patroni_condition(by_hand, out, node_find(map, "patroni"), verb);
    }
}
