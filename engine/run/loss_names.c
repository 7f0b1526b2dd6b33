/*
 * Names for what WAL knows by number. The held standby's catalogs are those of the mark, the
 * leader's those of now; a file that neither has was made and left again in between.
 */
#include "run/loss_names.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHAIN_LONGEST = 1000, /* new files of one table after each other */
};

const char *loss_key(const struct names *names, const struct loss_object *object, const char *what)
{
    return arena_printf(names->arena, "%s/%s", object->database, what);
}

static bool is_relation(const struct loss_object *object)
{
    return *object->file != '\0';
}

static void index_objects(struct names *names, const struct loss_object *objects,
                          struct table *files, struct table *all, struct table *oids)
{
    table_init(files, names->arena);
    table_init(all, names->arena);
    table_init(oids, names->arena);
    for (const struct loss_object *object = objects; object != NULL; object = object->next) {
        const char *typed = arena_printf(names->arena, "%s/%s", object->type, object->oid);

        *table_place(all, loss_key(names, object, typed)) = (void *)object;
        if (!is_relation(object))
            continue;
        *table_place(oids, loss_key(names, object, object->oid)) = (void *)object;
        if (!equal(object->file, "0"))
            *table_place(files, loss_key(names, object, object->file)) = (void *)object;
    }
}

static const struct loss_object *find_now(const struct names *names, const char *file)
{
    return table_find(&names->now_files, file);
}

/* The object whose rows are, or were, in FILE; NULL: no catalog knows it. */
static const struct loss_object *object_of(const struct names *names, const char *file)
{
    for (int at = 0; file != NULL && at < CHAIN_LONGEST; at++) {
        const struct loss_object *object = find_now(names, file);

        if (object == NULL)
            object = table_find(&names->then_files, file);
        if (object == NULL)
            object = table_find(&names->aliases, file);
        if (object != NULL)
            return object;
        file = table_find(&names->followers, file);
    }
    return NULL;
}

static const struct loss_object *parent_of(const struct names *names,
                                           const struct loss_object *object)
{
    const char *key = loss_key(names, object, object->parent);
    const struct loss_object *parent = table_find(&names->now_oids, key);

    return parent != NULL ? parent : table_find(&names->then_oids, key);
}

/* The whole table that a partition belongs to. */
static const struct loss_object *whole_of(const struct names *names,
                                          const struct loss_object *object)
{
    const struct loss_object *parent = parent_of(names, object);

    return parent == NULL || !equal(object->type, "table") ? object : parent;
}

bool loss_is_ours(const struct names *names, const struct loss_object *object)
{
    for (int at = 0; object != NULL && at < 4; at++) {
        if (starts_with(object->name, "holdback.") || equal(object->name, "holdback"))
            return true;
        object = parent_of(names, object);
    }
    return false;
}

/* "5/16420:again" -> "5/16420"; *IS_AGAIN. */
static const char *made_file(struct arena *arena, const char *word, size_t length, bool *is_again)
{
    const char *colon = memchr(word, ':', length);
    size_t size = colon == NULL ? length : (size_t)(colon - word);

    *is_again = colon != NULL && strncmp(colon, ":again", length - size) == 0;
    return arena_copy(arena, word, size);
}

size_t loss_words(struct arena *arena, const char *text, const char ***out)
{
    const char **words = arena_alloc(arena, sizeof *words * (strlen(text) / 2 + 2));
    size_t count = 0;

    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");

        words[count++] = arena_copy(arena, text, length);
        text += length;
    }
    *out = words;
    return count;
}

/*
 * TRUNCATE and the like give relations new files and leave the old ones; a commit record lists what
 * was left from the last to the first. Where the numbers differ nothing is known.
 */
static void follow_again(struct names *names, const char **again, size_t count, const char **left)
{
    for (size_t at = 0; at < count; at++) {
        const char *old = left[count - 1 - at];
        const struct loss_object *object = object_of(names, old);

        *table_place(&names->followers, old) = (void *)again[at];
        if (object != NULL)
            *table_place(&names->aliases, again[at]) = (void *)object;
    }
}

/* ALTER TABLE and the like copy a table into a new one and leave its files. */
static void follow_copy(struct names *names, const char *copy, const char **left, size_t count)
{
    const struct loss_object *table = NULL;

    for (size_t at = 0; at < count; at++) {
        const struct loss_object *object = object_of(names, left[at]);

        if (object == NULL || !equal(object->type, "table"))
            continue;
        if (table != NULL)
            return;
        table = object;
    }
    if (table != NULL)
        *table_place(&names->aliases, copy) = (void *)table;
}

static void follow(struct names *names, const struct loss_file *line)
{
    const char **made, **left;
    size_t made_count = loss_words(names->arena, line->words[2], &made);
    size_t left_count = loss_words(names->arena, line->words[3], &left), again = 0;

    for (size_t at = 0; at < made_count; at++) {
        bool is_again;
        const char *file = made_file(names->arena, made[at], strlen(made[at]), &is_again);

        if (at == 0 && !is_again)
            follow_copy(names, file, left, left_count);
        if (is_again) {
            *table_place(&names->again, file) = names;
            made[again++] = file;
        }
    }
    if (again == left_count)
        follow_again(names, made, again, left);
}

/* Did this transaction only make what is ours? */
static bool made_only_ours(const struct names *names, const struct loss_file *line)
{
    const char **made;
    size_t count = loss_words(names->arena, line->words[2], &made);
    bool is_again;

    for (size_t at = 0; at < count; at++) {
        const struct loss_object *object =
            object_of(names, made_file(names->arena, made[at], strlen(made[at]), &is_again));

        if (object == NULL || !loss_is_ours(names, object))
            return false;
    }
    return count > 0;
}

static struct loss_table *table_of(struct names *names, const struct loss_object *object)
{
    void **place = table_place(&names->tables, loss_key(names, object, object->oid));

    if (*place == NULL) {
        struct loss_table *table = arena_alloc(names->arena, sizeof *table);

        table->database = object->database_name;
        table->name = object->name;
        table->oid = object->oid;
        *place = table;
    }
    return *place;
}

/* Is FILE a copy that ALTER TABLE and the like made of a table that was there at the mark? */
static bool is_rewrite(const struct names *names, const char *file, const char *kind)
{
    const struct loss_object *object = find_now(names, file);

    if (!equal(kind, "new"))
        return false;
    if (object == NULL)
        return table_find(&names->aliases, file) != NULL;
    return table_find(&names->then_oids, loss_key(names, object, object->oid)) != NULL;
}

static void add_rows(struct names *names, const struct loss_file *line)
{
    struct loss *loss = names->loss;
    const char *file = line->words[1];
    const struct loss_object *object = object_of(names, file);
    int64_t inserted = strtoll(line->words[2], NULL, 10), own = strtoll(line->words[7], NULL, 10);
    int64_t moved = strtoll(line->words[5], NULL, 10);
    bool is_copy = is_rewrite(names, file, line->words[8]);

    if (is_copy)
        inserted -= own;
    if (object == NULL) {
        loss->unnamed_tables += inserted > 0;
        loss->unnamed_rows += inserted;
        return;
    }
    // What is stored out of line is no row, and a catalog that was rewritten has no rows of users.
    if (equal(object->type, "toast") || starts_with(object->name, "pg_catalog.") ||
        (loss_is_ours(names, object)))
        return;

    struct loss_table *table = table_of(names, whole_of(names, object));

    // A row that moves leaves one partition and comes into another.
    table->inserted += inserted - moved;
    table->updated += strtoll(line->words[3], NULL, 10) + moved;
    table->deleted += strtoll(line->words[4], NULL, 10);
}

static void deduct_ours(struct names *names, const struct loss_file *line)
{
    const struct loss_object *object =
        line->kind == LOSS_TABLE ? object_of(names, line->words[1]) : NULL;

    if (object != NULL && loss_is_ours(names, object))
        names->loss->commits -= strtoll(line->words[6], NULL, 10);
    else if (line->kind == LOSS_STORAGE && made_only_ours(names, line))
        names->loss->commits--;
}

/* Did it change nothing but what is ours? */
static bool is_transaction_ours(const struct names *names, const struct loss_file *line)
{
    const char **words;
    size_t count = loss_words(names->arena, line->words[2], &words);

    for (size_t at = 0; at < count; at++) {
        const struct loss_object *object =
            object_of(names, arena_copy(names->arena, words[at], strcspn(words[at], ":")));

        if (object == NULL || !loss_is_ours(names, object))
            return false;
    }
    for (const struct loss_file *other = names->loss->files; other != NULL; other = other->next) {
        if (other->kind == LOSS_STORAGE && equal(other->words[1], line->words[1]))
            return made_only_ours(names, other);
    }
    return count > 0;
}

static struct loss_transaction *transaction_of(struct names *names, const struct loss_file *line)
{
    struct loss_transaction *transaction = arena_alloc(names->arena, sizeof *transaction);
    const char **words;
    size_t count = loss_words(names->arena, line->words[2], &words);

    transaction->xid = line->words[1];
    transaction->wal_bytes = strtoll(line->words[3], NULL, 10);
    transaction->at = line->words[4];
    for (size_t at = 0; at < count; at++) {
        size_t length = strcspn(words[at], ":");
        const char *file = arena_copy(names->arena, words[at], length);
        const struct loss_object *object = object_of(names, file);
        bool is_own = ends_with(words[at], ":1");

        if (words[at][length] != ':' || (object != NULL && equal(object->type, "toast")) ||
            (object != NULL && loss_is_ours(names, object)) ||
            (is_own && is_rewrite(names, file, "new")))
            continue;
        transaction->rows += strtoll(words[at] + length + 1, NULL, 10);
    }
    return transaction;
}

static void keep_transaction(struct names *names, const struct loss_file *line)
{
    if (is_transaction_ours(names, line))
        return;

    struct loss_transaction *one = transaction_of(names, line);
    struct loss_transaction **place =
        line->kind == LOSS_OPEN ? &names->loss->open : &names->loss->largest;

    while (*place != NULL && (line->kind == LOSS_OPEN ? strcmp((*place)->at, one->at) <= 0
                                                      : (*place)->wal_bytes >= one->wal_bytes))
        place = &(*place)->next;
    one->next = *place;
    *place = one;
}

/* Those that lose most come first. */
static bool comes_before(const struct loss_table *a, const struct loss_table *b)
{
    int64_t rows = a->inserted + a->updated + a->deleted;
    int64_t others = b->inserted + b->updated + b->deleted;

    return rows != others ? rows > others : strcmp(a->name, b->name) < 0;
}

static void list_tables(struct names *names, const struct loss_object *objects)
{
    for (const struct loss_object *object = objects; object != NULL; object = object->next) {
        struct loss_table *table = table_find(&names->tables, loss_key(names, object, object->oid)),
                          **last = &names->loss->tables;

        if (!is_relation(object) || table == NULL || table->is_listed ||
            (table->inserted == 0 && table->updated == 0 && table->deleted == 0))
            continue;
        while (*last != NULL && comes_before(*last, table))
            last = &(*last)->next;
        table->is_listed = true;
        table->next = *last;
        *last = table;
    }
}

void loss_add_up(struct loss *loss)
{
    struct names names = {.loss = loss, .arena = loss->arena};

    index_objects(&names, loss->now, &names.now_files, &names.now_objects, &names.now_oids);
    index_objects(&names, loss->then, &names.then_files, &names.then_objects, &names.then_oids);
    table_init(&names.followers, loss->arena);
    table_init(&names.aliases, loss->arena);
    table_init(&names.again, loss->arena);
    table_init(&names.tables, loss->arena);
    for (const struct loss_file *line = loss->files; line != NULL; line = line->next) {
        if (line->kind == LOSS_STORAGE)
            follow(&names, line);
    }
    for (const struct loss_file *line = loss->files; line != NULL; line = line->next) {
        if (line->kind == LOSS_TABLE)
            add_rows(&names, line);
        else if (line->kind == LOSS_TRANSACTION || line->kind == LOSS_OPEN)
            keep_transaction(&names, line);
        loss->sequences += line->kind == LOSS_SEQUENCE;
        deduct_ours(&names, line);
    }
    list_tables(&names, loss->now);
    list_tables(&names, loss->then);
    loss_compare(&names);
}
