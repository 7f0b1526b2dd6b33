/* holdback log: the journal as a timeline. */
#include "cli/display.h"

#include <string.h>

struct timeline {
    struct arena *arena;
    const struct terminal *terminal;
    const struct node *roles;
    struct text *out;
    char day[11];
};

static void append_day(struct timeline *timeline, const char *at)
{
    if (strlen(at) < 10 || strncmp(timeline->day, at, 10) == 0)
        return;
    memcpy(timeline->day, at, 10);
    text_append_styled(timeline->out, timeline->terminal, STYLE_STRONG, timeline->day);
    text_append(timeline->out, "\n");
}

static const char *hosts_titles(const struct timeline *timeline, const struct node *hosts)
{
    CLEANUP(text_release) struct text text = {0};

    NODE_EACH(host, hosts)
    {
        if (text.length > 0)
            text_append(&text, ", ");
        text_append(&text, host_title(timeline->arena, timeline->roles, NULL, host->text));
    }
    return text_copy(&text, timeline->arena);
}

/* "xid = 731, point = x": what an outcome saved. */
static const char *with_saved(const struct timeline *timeline, const char *words,
                              const struct node *saved)
{
    CLEANUP(text_release) struct text text = {0};

    if (words != NULL)
        text_append(&text, words);
    NODE_EACH(value, saved)
    {
        text_append(&text, text.length == 0 ? "" : ", ");
        text_append(&text, value->key);
        text_append(&text, " = ");
        text_append_cut(&text, value->text == NULL ? "" : value->text, 60);
    }
    return text_copy(&text, timeline->arena);
}

/* What stands in the last column of a record that is not a step's. */
static const char *record_words(const struct timeline *timeline, const struct node *node)
{
    static const char *const keys[] = {"state",   "command",  "system_identifier",
                                       "guard",   "question", "reason",
                                       "words",   "why",      "hint",
                                       "by",      "from",     "plan",
                                       "cluster", "preview"};
    CLEANUP(text_release) struct text text = {0};

    for (size_t at = 0; at < ARRAY_COUNT(keys); at++) {
        const char *value = node_text(node, keys[at]);

        if (value == NULL || *value == '\0')
            continue;
        text_append(&text, text.length == 0 ? "" : "; ");
        if (equal(keys[at], "by") || equal(keys[at], "from") || equal(keys[at], "plan") ||
            equal(keys[at], "cluster"))
            text_append_format(&text, "%s ", keys[at]);
        text_append(&text, value);
    }
    NODE_EACH(extreme, node_find(node, "extremes"))
    {
        const char *lowest = node_text(extreme, "lowest"), *unit = node_text(extreme, "unit");

        text_append_format(&text, "%s%s@%s %s looks", text.length == 0 ? "" : "; ",
                           node_text(extreme, "guard"), node_text(extreme, "host"),
                           node_text(extreme, "looks"));
        if (lowest != NULL)
            text_append_format(&text, ", %s to %s %s", lowest, node_text(extreme, "highest"),
                               unit == NULL ? "" : unit);
    }
    NODE_EACH(role, node_find(node, "roles"))
    {
        text_append(&text, text.length == 0 ? "" : "; ");
        text_append_format(&text, "%s:", role->key);
        NODE_EACH(host, role)
        text_append_format(&text, " %s", host->text);
    }
    return text_copy(&text, timeline->arena);
}

/* What happened to the run as a whole, or was said of it. */
static void append_event(struct timeline *timeline, const struct record *record)
{
    const char *words = record_words(timeline, record->node);

    text_append_format(timeline->out, "%.8sZ  ", strlen(record->at) > 11 ? record->at + 11 : "");
    if (equal(record->type, "state")) {
        text_append_styled(timeline->out, timeline->terminal, STYLE_STRONG, words);
    } else {
        text_append_visible(timeline->out, record->type, strlen(record->type));
        text_append(timeline->out, *words == '\0' ? "" : ": ");
        text_append_visible(timeline->out, words, strlen(words));
    }
    text_append(timeline->out, "\n");
}

static void append_record(struct timeline *timeline, const struct record *record)
{
    const struct node *node = record->node;
    const char *step = node_text(node, "step"), *host = node_text(node, "host");
    const char *result = node_text(node, "result");
    const char *title = host_title(timeline->arena, timeline->roles, NULL, host);

    append_day(timeline, record->at);
    if (equal(record->type, "resolved"))
        timeline->roles = node_find(node, "roles");
    if (equal(record->type, "intent"))
        display_line(timeline->out, timeline->terminal, record->at, step,
                     hosts_titles(timeline, node_find(node, "hosts")), "begins", -1, NULL);
    else if (step != NULL && result != NULL)
        display_line(timeline->out, timeline->terminal, record->at, step, title, result,
                     node_integer(node, "ms", -1),
                     with_saved(timeline, node_text(node, "words"), node_find(node, "saved")));
    else
        append_event(timeline, record);
}

int command_log(struct cli *cli)
{
    CLEANUP(text_release) struct text out = {.limit = (size_t)1024 * 1024 * 1024};
    const struct option_list *arguments = &cli->options->arguments;
    struct timeline timeline = {.arena = cli->arena, .terminal = &cli->out, .out = &out};
    const struct run_summary *found;
    struct run_summary summary;
    struct run_place place;
    struct error *error =
        cli_find_run(cli, arguments->count > 0 ? arguments->values[0] : NULL, &place, &found);

    if (error == NULL)
        error = run_load_summary(cli->arena, found->folder, &summary);
    if (error != NULL)
        return cli_fail(cli, error);
    for (const struct record *record = summary.records; record != NULL; record = record->next) {
        if (equal(cli->options->format, "json")) {
            node_append_json(&out, record->node);
            text_append(&out, "\n");
        } else {
            append_record(&timeline, record);
        }
    }
    return cli_print(cli, &out, 0);
}
