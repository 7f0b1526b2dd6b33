/* The loss report in words, in a line and as JSON. */
#include "run/loss.h"

#include <inttypes.h>
#include <string.h>

static const char *bytes_words(struct arena *arena, int64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;

    for (; value >= 1024 && unit + 1 < ARRAY_COUNT(units); unit++)
        value /= 1024;
    return arena_printf(arena, value < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static const char *count_words(struct arena *arena, int64_t count, const char *what)
{
    return arena_printf(arena, "%" PRId64 " %s%s", count, what, count == 1 ? "" : "s");
}

static size_t table_count(const struct loss *loss)
{
    size_t count = 0;

    for (const struct loss_table *table = loss->tables; table != NULL; table = table->next)
        count++;
    return count;
}

static size_t change_count(const struct loss *loss)
{
    size_t count = loss->more_changes;

    for (const struct loss_change *change = loss->changes; change != NULL; change = change->next)
        count++;
    return count;
}

static size_t ahead_count(const struct loss *loss)
{
    size_t count = 0;

    for (const struct loss_slot *slot = loss->slots; slot != NULL; slot = slot->next)
        count += slot->is_ahead;
    return count;
}

const char *loss_summary(const struct loss *loss)
{
    struct arena *arena = loss->arena;
    CLEANUP(text_release) struct text text = {0};
    int64_t rows = 0;

    for (const struct loss_table *table = loss->tables; table != NULL; table = table->next)
        rows += table->inserted + table->updated + table->deleted;
    if (loss->until == NULL)
        return "nobody can say what would be undone: the WAL since the mark could not be read";
    text_append_format(&text, "%s%s", loss->is_at_least ? "at least " : "",
                       count_words(arena, loss->commits, "commit"));
    text_append_format(&text, " since the mark would be undone: %s in %s",
                       count_words(arena, rows, "row"),
                       count_words(arena, (int64_t)table_count(loss), "table"));
    if (loss->are_changes_known)
        text_append_format(&text, ", %s created, dropped or changed",
                           count_words(arena, (int64_t)change_count(loss), "object"));
    if (ahead_count(loss) > 0)
        text_append_format(&text, ", %s ahead of the mark",
                           count_words(arena, (int64_t)ahead_count(loss), "logical slot"));
    return text_copy(&text, arena);
}

/* The name, with its database if that is another than the steps' own. */
static const char *full_name(const struct loss *loss, const char *database, const char *name)
{
    return equal(database, loss->database)
               ? name
               : arena_printf(loss->arena, "%s (database %s)", name, database);
}

static void append_tables(struct text *text, const struct loss *loss, size_t most)
{
    size_t count = 0;

    for (const struct loss_table *table = loss->tables; table != NULL; table = table->next) {
        if (count == 0)
            text_append(text, "rows:\n");
        if (++count <= most)
            text_append_format(
                text, "- %s: %" PRId64 " inserted, %" PRId64 " updated, %" PRId64 " deleted\n",
                full_name(loss, table->database, table->name), table->inserted, table->updated,
                table->deleted);
    }
    if (count > most)
        text_append_format(text, "- and %s\n",
                           count_words(loss->arena, (int64_t)(count - most), "more table"));
    if (loss->unnamed_tables > 0)
        text_append_format(text, "- %s in %s that %s since the mark\n",
                           count_words(loss->arena, loss->unnamed_rows, "row"),
                           count_words(loss->arena, loss->unnamed_tables, "table"),
                           loss->is_now_known          ? "came and went"
                           : loss->unnamed_tables == 1 ? "was made"
                                                       : "were made");
}

static void append_changes(struct text *text, const struct loss *loss, size_t most)
{
    size_t count = 0;

    for (const struct loss_change *change = loss->changes; change != NULL; change = change->next) {
        if (count == 0)
            text_append(text, "objects:\n");
        if (++count <= most)
            text_append_format(text, "- %s: %s %s%s%s\n", change->what, change->type,
                               full_name(loss, change->database, change->name),
                               change->note == NULL ? "" : ", ",
                               change->note == NULL ? "" : change->note);
    }
    count += loss->more_changes;
    if (count > most)
        text_append_format(text, "- and %zu more\n", count - most);
}

static void append_transactions(struct text *text, const struct loss *loss, const char *title,
                                const struct loss_transaction *one, size_t most)
{
    if (one != NULL && most > 0)
        text_append_format(text, "%s:\n", title);
    for (size_t count = 0; one != NULL && count < most; one = one->next, count++)
        text_append_format(text, "- xid %s: %s, %s of WAL, committed %s UTC\n", one->xid,
                           count_words(loss->arena, one->rows, "row"),
                           bytes_words(loss->arena, one->wal_bytes), one->at);
}

static void append_slots(struct text *text, const struct loss *loss)
{
    bool is_first = true;

    for (const struct loss_slot *slot = loss->slots; slot != NULL; slot = slot->next) {
        if (is_first)
            text_append(text, "logical replication:\n");
        is_first = false;
        text_append_format(text,
                           "- slot %s (database %s, %s) is confirmed to %s, %s the mark%s%s\n",
                           slot->name, slot->database, slot->plugin, slot->confirmed,
                           slot->is_ahead ? "ahead of" : "not behind",
                           *slot->subscriber == '\0' ? "" : "; read by ", slot->subscriber);
    }
    if (ahead_count(loss) > 0)
        text_append(text, "- Who reads from a slot that is ahead keeps changes that the cluster "
                          "will no longer have. The slot itself is lost too. Stop the subscriber, "
                          "and copy its tables anew afterwards.\n");
}

static void append_head(struct text *text, const struct loss *loss)
{
    struct arena *arena = loss->arena;

    text_append_format(text, "mark: %s on timeline %s%s%s\n", loss->mark, loss->timeline,
                       loss->marked_at == NULL ? "" : ", recorded ",
                       loss->marked_at == NULL ? "" : loss->marked_at);
    if (loss->until == NULL)
        return;
    text_append_format(text, "read: the WAL of %s up to %s\n", loss->source, loss->until);
    text_append_format(text, "commits: %s%" PRId64, loss->is_at_least ? "at least " : "",
                       loss->commits);
    if (loss->commits > 0 && *loss->first != '\0')
        text_append_format(text, ", from %.19s to %.19s UTC", loss->first, loss->last);
    text_append(text, "\n");
    if (loss->open_at_mark > 0)
        text_append_format(text, "%" PRId64 " of them had begun before the mark\n",
                           loss->open_at_mark);
    if (loss->empty > 0)
        text_append_format(text, "%s changed no table: locks, sequences, statistics\n",
                           count_words(arena, loss->empty, "other commit"));
    if (loss->sequences > 0)
        text_append_format(text,
                           "%s back: numbers that were handed out since the mark will be "
                           "handed out again\n",
                           loss->sequences == 1
                               ? "1 sequence goes"
                               : arena_printf(arena, "%zu sequences go", loss->sequences));
}

void loss_append_text(struct text *text, const struct loss *loss, bool is_short)
{
    append_head(text, loss);
    append_tables(text, loss, is_short ? 8 : 1000);
    append_changes(text, loss, is_short ? 8 : 1000);
    append_transactions(text, loss, "largest transactions", loss->largest, is_short ? 1 : 5);
    append_transactions(text, loss, "begun before the mark, committed after it", loss->open,
                        is_short ? 0 : 20);
    append_slots(text, loss);
    for (const struct loss_note *note = loss->notes; note != NULL; note = note->next) {
        if (note == loss->notes)
            text_append(text, "to be known:\n");
        text_append_format(text, "- %s\n", note->words);
    }
}

/* ---- JSON ---- */

static void member(struct text *text, const char *name, const char *value)
{
    text_append_format(text, "%s\"%s\": ", ends_with(text_string(text), "{") ? "" : ", ", name);
    if (value == NULL)
        text_append(text, "null");
    else
        text_append_json(text, value, strlen(value));
}

static void number(struct text *text, const char *name, int64_t value)
{
    text_append_format(text, "%s\"%s\": %" PRId64, ends_with(text_string(text), "{") ? "" : ", ",
                       name, value);
}

static void truth(struct text *text, const char *name, bool value)
{
    text_append_format(text, "%s\"%s\": %s", ends_with(text_string(text), "{") ? "" : ", ", name,
                       value ? "true" : "false");
}

static void list_begin(struct text *text, const char *name)
{
    text_append_format(text, ",\n \"%s\": [", name);
}

static void item_begin(struct text *text)
{
    text_append(text, ends_with(text_string(text), "[") ? "\n  {" : ",\n  {");
}

static void append_json_transactions(struct text *text, const char *name,
                                     const struct loss_transaction *one)
{
    list_begin(text, name);
    for (; one != NULL; one = one->next) {
        item_begin(text);
        member(text, "xid", one->xid);
        number(text, "rows", one->rows);
        number(text, "wal_bytes", one->wal_bytes);
        member(text, "committed", one->at);
        text_append(text, "}");
    }
    text_append(text, "]");
}

static void append_json_objects(struct text *text, const struct loss *loss)
{
    list_begin(text, "tables");
    for (const struct loss_table *table = loss->tables; table != NULL; table = table->next) {
        item_begin(text);
        member(text, "database", table->database);
        member(text, "name", table->name);
        number(text, "inserted", table->inserted);
        number(text, "updated", table->updated);
        number(text, "deleted", table->deleted);
        text_append(text, "}");
    }
    text_append(text, "]");
    list_begin(text, "objects");
    for (const struct loss_change *change = loss->changes; change != NULL; change = change->next) {
        item_begin(text);
        member(text, "what", change->what);
        member(text, "type", change->type);
        member(text, "database", change->database);
        member(text, "name", change->name);
        member(text, "note", change->note);
        text_append(text, "}");
    }
    text_append(text, "]");
}

void loss_append_json(struct text *text, const struct loss *loss)
{
    text_append(text, "{");
    member(text, "run", loss->run);
    member(text, "mark", loss->mark);
    member(text, "marked_at", loss->marked_at);
    member(text, "timeline", loss->timeline);
    member(text, "source", loss->source);
    member(text, "until", loss->until);
    truth(text, "at_least", loss->is_at_least);
    number(text, "commits", loss->commits);
    number(text, "empty_commits", loss->empty);
    number(text, "open_at_mark", loss->open_at_mark);
    member(text, "first_commit", loss->first);
    member(text, "last_commit", loss->last);
    number(text, "sequences", (int64_t)loss->sequences);
    number(text, "unnamed_tables", loss->unnamed_tables);
    number(text, "unnamed_rows", loss->unnamed_rows);
    truth(text, "objects_known", loss->are_changes_known);
    number(text, "objects_not_listed", (int64_t)loss->more_changes);
    append_json_objects(text, loss);
    append_json_transactions(text, "largest", loss->largest);
    append_json_transactions(text, "begun_before_mark", loss->open);
    list_begin(text, "slots");
    for (const struct loss_slot *slot = loss->slots; slot != NULL; slot = slot->next) {
        item_begin(text);
        member(text, "name", slot->name);
        member(text, "database", slot->database);
        member(text, "plugin", slot->plugin);
        member(text, "confirmed", slot->confirmed);
        member(text, "subscriber", slot->subscriber);
        truth(text, "ahead", slot->is_ahead);
        text_append(text, "}");
    }
    text_append(text, "]");
    list_begin(text, "notes");
    for (const struct loss_note *note = loss->notes; note != NULL; note = note->next) {
        text_append(text, note == loss->notes ? "\n  " : ",\n  ");
        text_append_json(text, note->words, strlen(note->words));
    }
    text_append(text, "]\n}\n");
}
