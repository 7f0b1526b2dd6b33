/* The loss report in words, in a line and as JSON. */
#include "base/json.h"
#include "run/loss.h"

#include <inttypes.h>

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

static void append_json_transactions(struct text *text, const char *name,
                                     const struct loss_transaction *one)
{
    json_open_line(text, 1, name, "[");
    for (; one != NULL; one = one->next) {
        json_open_line(text, 2, NULL, "{");
        json_text_field(text, "xid", one->xid);
        json_number_field(text, "rows", one->rows);
        json_number_field(text, "wal_bytes", one->wal_bytes);
        json_text_field(text, "committed", one->at);
        text_append(text, "}");
    }
    text_append(text, "]");
}

static void append_json_objects(struct text *text, const struct loss *loss)
{
    json_open_line(text, 1, "tables", "[");
    for (const struct loss_table *table = loss->tables; table != NULL; table = table->next) {
        json_open_line(text, 2, NULL, "{");
        json_text_field(text, "database", table->database);
        json_text_field(text, "name", table->name);
        json_number_field(text, "inserted", table->inserted);
        json_number_field(text, "updated", table->updated);
        json_number_field(text, "deleted", table->deleted);
        text_append(text, "}");
    }
    text_append(text, "]");
    json_open_line(text, 1, "objects", "[");
    for (const struct loss_change *change = loss->changes; change != NULL; change = change->next) {
        json_open_line(text, 2, NULL, "{");
        json_text_field(text, "what", change->what);
        json_text_field(text, "type", change->type);
        json_text_field(text, "database", change->database);
        json_text_field(text, "name", change->name);
        json_text_field(text, "note", change->note);
        text_append(text, "}");
    }
    text_append(text, "]");
}

void loss_append_json(struct text *text, const struct loss *loss)
{
    text_append(text, "{");
    json_text_field(text, "run", loss->run);
    json_text_field(text, "mark", loss->mark);
    json_text_field(text, "marked_at", loss->marked_at);
    json_text_field(text, "timeline", loss->timeline);
    json_text_field(text, "source", loss->source);
    json_text_field(text, "until", loss->until);
    json_bool_field(text, "at_least", loss->is_at_least);
    json_number_field(text, "commits", loss->commits);
    json_number_field(text, "empty_commits", loss->empty);
    json_number_field(text, "open_at_mark", loss->open_at_mark);
    json_text_field(text, "first_commit", loss->first);
    json_text_field(text, "last_commit", loss->last);
    json_number_field(text, "sequences", (int64_t)loss->sequences);
    json_number_field(text, "unnamed_tables", loss->unnamed_tables);
    json_number_field(text, "unnamed_rows", loss->unnamed_rows);
    json_bool_field(text, "objects_known", loss->are_changes_known);
    json_number_field(text, "objects_not_listed", (int64_t)loss->more_changes);
    append_json_objects(text, loss);
    append_json_transactions(text, "largest", loss->largest);
    append_json_transactions(text, "begun_before_mark", loss->open);
    json_open_line(text, 1, "slots", "[");
    for (const struct loss_slot *slot = loss->slots; slot != NULL; slot = slot->next) {
        json_open_line(text, 2, NULL, "{");
        json_text_field(text, "name", slot->name);
        json_text_field(text, "database", slot->database);
        json_text_field(text, "plugin", slot->plugin);
        json_text_field(text, "confirmed", slot->confirmed);
        json_text_field(text, "subscriber", slot->subscriber);
        json_bool_field(text, "ahead", slot->is_ahead);
        text_append(text, "}");
    }
    text_append(text, "]");
    json_open_line(text, 1, "notes", "[");
    for (const struct loss_note *note = loss->notes; note != NULL; note = note->next) {
        json_line(text, 2);
        json_text_field(text, NULL, note->words);
    }
    text_append(text, "]\n}\n");
}
