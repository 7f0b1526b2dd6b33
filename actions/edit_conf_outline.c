/* The action edit-conf, offline: what its schema cannot say, and what it would do. */
#include "edit_conf.h"

#include "outline.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static struct place key_place(const struct outline *outline, const struct node *node)
{
    return node_key_place(outline->plan->file, node);
}

static bool is_name(enum edit_format format, const char *key)
{
    bool has_dots = format == EDIT_POSTGRESQL;

    if (!isalpha((unsigned char)key[0]) && key[0] != '_')
        return false;
    while (isalnum((unsigned char)*key) || *key == '_' ||
           (has_dots && (*key == '.' || *key == '$')))
        key++;
    return *key == '\0';
}

static void check_key(const struct outline *outline, enum edit_format format,
                      const struct node *node, const char *key)
{
    struct place place =
        node->key == key ? key_place(outline, node) : node_place(outline->plan->file, node);
    const char *const *path;
    size_t depth;

    if (strstr(key, "${") != NULL)
        return;
    if ((format == EDIT_POSTGRESQL || format == EDIT_ENV) && !is_name(format, key))
        findings_add(outline->findings, place, NULL,
                     "%s is not a name that a file in format \"%s\" can have",
                     findings_quote(outline->findings, key), edit_format_names[format]);
    else if (edit_path(outline->arena, format, key, &path, &depth) != NULL)
        findings_add(outline->findings, place,
                     "A key that has dots of its own is put into double quotes.",
                     "%s is not a path of keys", findings_quote(outline->findings, key));
}

/* Lines hold texts; an ini file has one level of sections. */
static void check_value(const struct outline *outline, enum edit_format format,
                        const struct node *node, int depth)
{
    bool is_section = format == EDIT_INI && depth == 0 && node->kind == NODE_MAP;

    if (!edit_format_has_lines(format) ||
        (node->kind != NODE_LIST && node->kind != NODE_MAP && node->kind != NODE_NULL))
        return;
    if (!is_section) {
        findings_add(outline->findings, node_place(outline->plan->file, node),
                     node->kind == NODE_NULL ? "An empty value is written \"\"." : NULL,
                     "a value in a file in format \"%s\" cannot be a %s", edit_format_names[format],
                     node_kind_name(node->kind));
        return;
    }
    NODE_EACH(child, node)
    {
        check_value(outline, format, child, depth + 1);
    }
}

static void check_keys(const struct outline *outline, enum edit_format format)
{
    const struct node *params = outline->step->params;

    for (size_t at = 0; at < ARRAY_COUNT(edit_conf_order); at++) {
        enum edit_kind kind = edit_conf_order[at];
        const struct node *list = node_find(params, edit_conf_verbs[kind]);

        if (list != NULL && (kind == EDIT_COMMENT_OUT || kind == EDIT_UNCOMMENT) &&
            !edit_format_has_lines(format))
            findings_add(outline->findings, key_place(outline, list), NULL,
                         "\"%s\" is not possible in a file in format \"%s\"", list->key,
                         edit_format_names[format]);
        NODE_EACH(node, list)
        {
            check_key(outline, format, node, kind == EDIT_SET ? node->key : node->text);
            if (kind == EDIT_SET)
                check_value(outline, format, node, 0);
        }
    }
}

static bool has_key(const struct node *list, bool is_map, enum edit_format format, const char *key)
{
    NODE_EACH(node, list)
    {
        const char *other = is_map ? node->key : node->text;

        if (format == EDIT_POSTGRESQL ? strcasecmp(key, other) == 0 : strcmp(key, other) == 0)
            return true;
    }
    return false;
}

/* Two lists that undo each other would change the file again at every run. */
static void check_contradictions(const struct outline *outline, enum edit_format format)
{
    static const enum edit_kind pairs[][2] = {
        {EDIT_UNSET, EDIT_SET},         {EDIT_COMMENT_OUT, EDIT_SET},
        {EDIT_UNSET, EDIT_UNCOMMENT},   {EDIT_COMMENT_OUT, EDIT_UNCOMMENT},
        {EDIT_UNSET, EDIT_COMMENT_OUT},
    };
    const struct node *params = outline->step->params;

    for (size_t at = 0; at < ARRAY_COUNT(pairs); at++) {
        const struct node *list = node_find(params, edit_conf_verbs[pairs[at][0]]);
        const struct node *other = node_find(params, edit_conf_verbs[pairs[at][1]]);

        NODE_EACH(node, list)
        {
            if (has_key(other, pairs[at][1] == EDIT_SET, format, node->text))
                findings_add(outline->findings, node_place(outline->plan->file, node), NULL,
                             "%s is in \"%s\" and in \"%s\"",
                             findings_quote(outline->findings, node->text),
                             edit_conf_verbs[pairs[at][0]], edit_conf_verbs[pairs[at][1]]);
        }
    }
}

/* That there is such a step, before this one and with this action, has been checked already. */
static void check_restore(const struct outline *outline, const struct node *restore)
{
    const struct step *step = plan_find_step(outline->plan, restore->text);

    if (step != NULL && equal(step->action_name, "edit-conf") &&
        node_find(step->params, "file") == NULL)
        findings_add(outline->findings, node_place(outline->plan->file, restore),
                     "Name the step that edited the file.", "step \"%s\" puts a file back itself",
                     restore->text);
}

static void check_absent(const struct outline *outline)
{
    const struct node *params = outline->step->params;

    NODE_EACH(node, params)
    {
        if (!equal(node->key, "file") && !equal(node->key, "state"))
            findings_add(outline->findings, key_place(outline, node), NULL,
                         "a file that is to be absent cannot have \"%s\"", node->key);
    }
}

void edit_conf_validate(const struct outline *outline)
{
    const struct node *params = outline->step->params;
    const struct node *restore = node_find(params, "restore");
    enum edit_format format;

    if (restore != NULL) {
        check_restore(outline, restore);
        return;
    }
    if (equal(node_text(params, "state"), "absent")) {
        check_absent(outline);
        return;
    }
    if (edit_conf_format(params, &format)) {
        check_keys(outline, format);
        check_contradictions(outline, format);
        return;
    }
    for (enum edit_kind kind = EDIT_SET; kind <= EDIT_UNCOMMENT; kind++) {
        const struct node *list = node_find(params, edit_conf_verbs[kind]);

        if (list != NULL && equal(node_text(params, "format"), "text"))
            findings_add(outline->findings, key_place(outline, list),
                         "The whole text is given with \"content\".",
                         "a file in format \"text\" has no keys for \"%s\"", list->key);
    }
}

static void append_value(const struct outline *outline, struct text *out, const struct node *node,
                         int depth)
{
    if (node->kind != NODE_LIST && node->kind != NODE_MAP) {
        const char *text = node->kind == NODE_NULL ? "null" : outline_text(outline, node);

        text_append_format(out, "%s\n", *text == '\0' ? "\"\"" : text);
        return;
    }
    text_append(out, "\n");
    NODE_EACH(child, node)
    {
        text_append_format(out, "%*s%s%s", 4 + 2 * depth, "", child->key == NULL ? "-" : child->key,
                           child->key == NULL ? " " : " = ");
        append_value(outline, out, child, depth + 1);
    }
}

/* "set work_mem, port", or with many keys "set 12 keys"; the whole goes into TEXT. */
static void describe_keys(const struct outline *outline, enum edit_kind kind, struct text *summary,
                          struct text *text)
{
    enum { NAMED_MOST = 4 };
    const struct node *list = node_find(outline->step->params, edit_conf_verbs[kind]);

    if (list == NULL)
        return;
    text_append_format(summary, "%s%s", summary->length == 0 ? "" : "; ", edit_conf_verbs[kind]);
    if (list->count > NAMED_MOST)
        text_append_format(summary, " %u keys", list->count);
    NODE_EACH(node, list)
    {
        const char *key = kind == EDIT_SET ? node->key : outline_text(outline, node);

        if (list->count <= NAMED_MOST)
            text_append_format(summary, "%s %s", node == list->child ? "" : ",", key);
        if (kind == EDIT_SET) {
            CLEANUP(text_release) struct text line = {0};

            text_append_format(&line, "set %s = ", key);
            append_value(outline, &line, node, 0);
            text_append(text, text_string(&line));
        } else {
            text_append_format(text, "%s %s\n", edit_conf_verbs[kind], key);
        }
    }
}

static void describe_edits(const struct outline *outline, const char *file, struct description *out)
{
    CLEANUP(text_release) struct text summary = {0}, text = {0};
    const char *format = node_text(outline->step->params, "format");

    for (size_t at = 0; at < ARRAY_COUNT(edit_conf_order); at++)
        describe_keys(outline, edit_conf_order[at], &summary, &text);
    if (text.length > 0)
        description_add(
            out,
            arena_printf(outline->arena, "file %s (%s)", file, format == NULL ? "text" : format),
            "text", text_copy(&text, outline->arena));
    out->summary =
        arena_printf(outline->arena, "%s in %s",
                     summary.length == 0 ? "set owner or mode" : text_string(&summary), file);
}

void edit_conf_describe(const struct outline *outline, struct description *out)
{
    const struct node *params = outline->step->params;
    const struct node *owner = node_find(params, "owner"), *content = node_find(params, "content");
    const char *restore = node_text(params, "restore"), *mode = node_text(params, "mode");

    if (restore != NULL) {
        const struct step *step = plan_find_step(outline->plan, restore);
        const struct node *edited = step == NULL ? NULL : node_find(step->params, "file");

        out->summary =
            arena_printf(outline->arena, "put back %s as it was before step \"%s\"",
                         edited == NULL ? "the file" : outline_text(outline, edited), restore);
        return;
    }

    const char *file = outline_text(outline, node_find(params, "file"));

    if (equal(node_text(params, "state"), "absent")) {
        out->summary = arena_printf(outline->arena, "remove %s", file);
    } else if (content != NULL) {
        out->summary = arena_printf(outline->arena, "write %s", file);
        description_add(out, arena_printf(outline->arena, "file %s", file), "text",
                        outline_text(outline, content));
    } else {
        describe_edits(outline, file, out);
    }
    if (owner != NULL)
        description_add(out, "owner", "text", outline_text(outline, owner));
    if (mode != NULL)
        description_add(out, "mode", "text", mode);
}
