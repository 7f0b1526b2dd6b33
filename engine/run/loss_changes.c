/* What was created, dropped and altered since the mark: the two sides' catalogs compared. */
#include "run/loss_names.h"

#include <string.h>

enum {
    CHANGES_MOST = 1000,
};

static struct loss_change *change_add(struct names *names, const char *what,
                                      const struct loss_object *object)
{
    struct loss_change *change = arena_alloc(names->arena, sizeof *change),
                       **last = &names->loss->changes;

    *change =
        (struct loss_change){object->database_name, what, object->type, object->name, NULL, NULL};
    if (++names->change_count > CHANGES_MOST) {
        names->loss->more_changes++;
        return change;
    }
    while (*last != NULL &&
           (strcmp((*last)->what, what) < 0 ||
            (equal((*last)->what, what) && strcmp((*last)->name, object->name) <= 0)))
        last = &(*last)->next;
    change->next = *last;
    *last = change;
    return change;
}

static const char *typed_key(const struct names *names, const struct loss_object *object)
{
    return loss_key(names, object, arena_printf(names->arena, "%s/%s", object->type, object->oid));
}

static bool is_told_of(const struct names *names, const struct loss_object *object)
{
    return !equal(object->type, "toast") && !starts_with(object->name, "pg_toast") &&
           !loss_is_ours(names, object);
}

/* OBJECT is on one side only. What comes or goes with its table is not told by itself. */
static bool goes_with_parent(const struct names *names, const struct loss_object *object,
                             const struct table *others)
{
    return !equal(object->parent, "0") &&
           table_find(others, loss_key(names, object, object->parent)) == NULL;
}

static void compare_now(struct names *names, const struct loss_object *object)
{
    const struct loss_object *then = table_find(&names->then_objects, typed_key(names, object));

    if (!is_told_of(names, object))
        return;
    if (then == NULL) {
        // A partition is told, though its table is there; an index of a new table is not.
        if (!goes_with_parent(names, object, &names->then_oids))
            change_add(names, "created", object);
        return;
    }
    if (equal(object->version, then->version))
        return;
    // An index that was built anew is none of its own accord: REINDEX changes nothing to be lost.
    if (!equal(object->file, then->file) && equal(object->type, "index"))
        return;
    if (!equal(object->file, then->file)) {
        const char *what = table_find(&names->again, loss_key(names, object, object->file)) != NULL
                               ? "truncated"
                               : "rewritten";
        struct loss_change *change = change_add(names, what, object);

        if (equal(what, "truncated") && !equal(then->rows, "-1"))
            change->note = arena_printf(names->arena, "about %s rows at the mark", then->rows);
        return;
    }

    struct loss_change *change = change_add(names, "altered", object);

    if (!equal(object->name, then->name))
        change->note = arena_printf(names->arena, "it was %s", then->name);
}

static void compare_then(struct names *names, const struct loss_object *object)
{
    if (!is_told_of(names, object) ||
        table_find(&names->now_objects, typed_key(names, object)) != NULL ||
        goes_with_parent(names, object, &names->now_oids))
        return;

    struct loss_change *change = change_add(names, "dropped", object);

    if (equal(object->type, "table") && !equal(object->rows, "-1"))
        change->note = arena_printf(names->arena, "about %s rows at the mark", object->rows);
}

/* Without the leader's catalogs: which files of the mark's were left. */
static void left_files(struct names *names)
{
    for (const struct loss_file *line = names->loss->files; line != NULL; line = line->next) {
        const char **left;
        size_t count =
            line->kind == LOSS_STORAGE ? loss_words(names->arena, line->words[3], &left) : 0;

        for (size_t at = 0; at < count; at++) {
            const struct loss_object *object = table_find(&names->then_files, left[at]);

            if (object != NULL && equal(object->type, "table") && is_told_of(names, object))
                change_add(names, "dropped, truncated or rewritten", object);
        }
    }
}

void loss_compare(struct names *names)
{
    struct loss *loss = names->loss;

    loss->are_changes_known = loss->is_now_known && loss->is_then_known;
    for (const struct loss_object *object = loss->now; loss->are_changes_known && object != NULL;
         object = object->next)
        compare_now(names, object);
    for (const struct loss_object *object = loss->then; loss->are_changes_known && object != NULL;
         object = object->next)
        compare_then(names, object);
    if (loss->is_then_known && !loss->is_now_known)
        left_files(names);
}
