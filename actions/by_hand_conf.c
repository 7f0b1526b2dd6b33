/* Edits of files by hand. */
#include "by_hand.h"

#include "edit_conf.h"

#include <string.h>

/* Where the program keeps the old bytes, and a person does. */
static const char *copy_of(const struct by_hand *by_hand, const char *step)
{
    const char *user = by_hand_user(by_hand), *run = by_hand_value(by_hand, "run.id");
    const char *folder = by_hand_value(by_hand, "run.folder");
    if (!equal(user, by_hand->host->postgres.os_user))
        return arena_printf(by_hand->arena, "~%s/.holdback/%s/%s.before",
                            user == NULL ? "" : by_hand_word(by_hand, user),
                            by_hand_word(by_hand, run), by_hand_word(by_hand, step));
    return by_hand_word(by_hand, arena_printf(by_hand->arena, "%s/%s.before", folder, step));
}

static void add_script(const struct by_hand *by_hand, struct description *out, const char *title,
                       const char *script)
{
    description_add(out, title, "sh",
                    by_hand_script(by_hand, by_hand->host, by_hand_user(by_hand), script));
}

static const char *copy_script(const struct by_hand *by_hand, const char *file)
{
    const char *copy = copy_of(by_hand, by_hand->step->id);
    return arena_printf(by_hand->arena,
                        "mkdir -p -m 0700 \"$(dirname %s)\"\n[ ! -e %s ] || cp -p %s %s\n", copy,
                        file, file, copy);
}

/* A restored file keeps its owner and mode. */
static void restore(const struct by_hand *by_hand, struct description *out, const char *id)
{
    const struct step *step = plan_find_step(by_hand->plan, id);
    const struct node *node = step == NULL ? NULL : node_find(step->params, "file");
    const char *file = node == NULL ? "?" : by_hand_text(by_hand, node);
    const char *copy = copy_of(by_hand, id);
    add_script(by_hand, out,
               arena_printf(by_hand->arena,
                            "Put %s back as it was before step \"%s\". If it did not exist then, "
                            "remove it instead:",
                            file, id),
               arena_printf(by_hand->arena, "cat %s >%s\n", copy, by_hand_word(by_hand, file)));
}

static void append_owner(const struct by_hand *by_hand, struct text *script, const char *file)
{
    const struct node *params = by_hand->step->params, *owner = node_find(params, "owner");
    const char *mode = node_text(params, "mode");
    if (owner != NULL)
        text_append_format(script, "chown %s %s\n",
                           by_hand_word(by_hand, by_hand_text(by_hand, owner)), file);
    if (mode != NULL)
        text_append_format(script, "chmod %s %s\n", mode, file);
}

static void write_content(const struct by_hand *by_hand, struct description *out, const char *file)
{
    CLEANUP(text_release) struct text script = {0};
    const char *content = by_hand_text(by_hand, node_find(by_hand->step->params, "content"));
    const char *word = by_hand_word(by_hand, file);
    text_append(&script, copy_script(by_hand, word));
    text_append(&script, "printf %s ");
    text_append_shell(&script, content, strlen(content));
    text_append_format(&script, " >%s\n", word);
    append_owner(by_hand, &script, word);
    add_script(by_hand, out, "Write the file:", text_string(&script));
}

static const char *key_of(const struct by_hand *by_hand, const struct edit *edit)
{
    return edit_path_text(by_hand->arena, edit);
}

/*
 * The lines as the editor writes them into an empty file; what is taken away, in words. A file in
 * JSON or YAML has no lines of its own, so its keys are told one by one.
 */
static const char *edit_text(const struct by_hand *by_hand, const struct edit_list *list)
{
    static const char *const verbs[] = {[EDIT_UNSET] = "remove",
                                        [EDIT_COMMENT_OUT] = "comment out",
                                        [EDIT_UNCOMMENT] = "uncomment"};
    CLEANUP(text_release) struct text text = {0};
    for (size_t i = 0; i < list->count; i++) {
        const struct edit *edit = &list->items[i];
        const char *bytes;
        size_t length;
        if (edit->kind != EDIT_SET) {
            text_append_format(&text, "(%s) %s\n", verbs[edit->kind], key_of(by_hand, edit));
        } else if (edit_format_has_lines(list->format) &&
                   edit_bytes(by_hand->arena, list->format, "", 0, edit, 1, &bytes, &length) ==
                       NULL) {
            text_append_bytes(&text, bytes, length);
        } else {
            text_append_format(&text, "%s: ", key_of(by_hand, edit));
            node_append_json(&text, edit->value);
            text_append(&text, "\n");
        }
    }
    return text_copy(&text, by_hand->arena);
}

static void edit(const struct by_hand *by_hand, struct description *out, const char *file)
{
    CLEANUP(text_release) struct text script = {0};
    struct work work = {.arena = by_hand->arena,
                        .plan = by_hand->plan,
                        .cluster = by_hand->cluster,
                        .step = by_hand->step,
                        .scope = by_hand->scope,
                        .target = by_hand->host};
    struct edit_list list;
    const char *word = by_hand_word(by_hand, file);
    add_script(by_hand, out, "Keep a copy:", copy_script(by_hand, word));
    if (edit_conf_edits(&work, &list) == NULL && list.count > 0)
        description_add(out,
                        arena_printf(by_hand->arena,
                                     "Edit %s so that it has each of these once, and no other line "
                                     "for the same key; everything else stays:",
                                     file),
                        "text", edit_text(by_hand, &list));
    append_owner(by_hand, &script, word);
    if (script.length > 0)
        add_script(by_hand, out, "Owner and mode:", text_string(&script));
}

void by_hand_conf(const struct by_hand *by_hand, struct description *out)
{
    const struct node *params = by_hand->step->params;
    const char *restored = node_text(params, "restore");
    if (restored != NULL) {
        restore(by_hand, out, restored);
        return;
    }
    const char *file = by_hand_text(by_hand, node_find(params, "file"));
    const char *word = by_hand_word(by_hand, file);
    if (equal(node_text(params, "state"), "absent"))
        add_script(
            by_hand, out, "Remove the file:",
            arena_printf(by_hand->arena, "%srm -f -- %s\n", copy_script(by_hand, word), word));
    else if (node_find(params, "content") != NULL)
        write_content(by_hand, out, file);
    else
        edit(by_hand, out, file);
}
