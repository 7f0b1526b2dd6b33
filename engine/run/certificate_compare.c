/* What has changed since a certificate was written. */
#include "run/certificate_inside.h"

struct changes {
    struct arena *arena;
    struct certificate_change *first, *last;
};

static void change_add(struct changes *changes, const char *where, const char *what,
                       const char *was, const char *is, bool is_failure)
{
    struct certificate_change *change = arena_alloc(changes->arena, sizeof *change);

    *change = (struct certificate_change){
        .where = where, .what = what, .was = was, .is = is, .is_failure = is_failure};
    if (changes->last == NULL)
        changes->first = change;
    else
        changes->last->next = change;
    changes->last = change;
}

/* Names of a list of maps are unique: HOST of members, PATH of inputs. */
static const struct node *item_find(const struct node *list, const char *key, const char *name)
{
    NODE_EACH(item, list)
    {
        if (equal(node_text(item, key), name))
            return item;
    }
    return NULL;
}

/* What moves by itself from one moment to the next, and says nothing. */
static bool is_position(const char *name)
{
    static const char *const positions[] = {"receive_lsn",        "replay_lsn",
                                            "write_lsn",          "last_archived_wal",
                                            "last_archived_time", "has_replayed"};

    for (size_t at = 0; at < ARRAY_COUNT(positions); at++) {
        if (equal(positions[at], name))
            return true;
    }
    return starts_with(name, "sample of ");
}

static void compare_member(struct changes *changes, const struct node *was, const struct node *is)
{
    const char *host = node_text(was, "host");
    size_t told = 0;

    NODE_EACH(fact, node_find(was, "facts"))
    {
        const char *before = node_text(fact, "value");
        const struct node *now = node_find(node_find(is, "facts"), fact->key);
        const char *value = node_text(now, "value"), *why = node_text(now, "not_asked");

        if (is_position(fact->key) && value != NULL)
            continue;
        // Of a host that is silent, one line says enough.
        if (before != NULL && value == NULL && told++ == 0)
            change_add(changes, host, fact->key, before,
                       arena_printf(changes->arena, "not asked: %s",
                                    why == NULL ? "there is none any more" : why),
                       false);
        else if (before != NULL && value != NULL && !equal(before, value))
            change_add(changes, host, fact->key, before, value, false);
    }
}

static void compare_members(struct changes *changes, const struct node *was, const struct node *is)
{
    NODE_EACH(member, node_find(was, "members"))
    {
        const struct node *now =
            item_find(node_find(is, "members"), "host", node_text(member, "host"));

        if (now == NULL)
            change_add(changes, node_text(member, "host"), "member", "there", "missing", true);
        else
            compare_member(changes, member, now);
    }
}

/* A plan that was replaced (resume --plan) is there twice, each with a digest of its own. */
static void compare_input(struct changes *changes, const struct node *was, const struct node *now)
{
    const char *path = node_text(was, "path"), *digest = node_text(was, "sha256");
    const struct node *other = item_find(now, "path", path);

    NODE_EACH(input, now)
    {
        if (equal(node_text(input, "path"), path) && equal(node_text(input, "sha256"), digest))
            return;
    }
    change_add(changes, "", arena_printf(changes->arena, "file %s", path), digest,
               node_text(other, "sha256"), true);
}

/* Neither the plan nor the journal of a run that is over may be another one. */
static void compare_records(struct changes *changes, const struct record *record,
                            const struct node *was, const struct node *is)
{
    static const char *const same[] = {"run", "outcome", "plan", "cluster", "began", "ended"};
    const struct node *before = node_find(was, "journal"), *now = node_find(is, "journal");

    for (size_t at = 0; at < ARRAY_COUNT(same); at++) {
        if (!equal(node_text(was, same[at]), node_text(is, same[at])))
            change_add(changes, "", same[at], node_text(was, same[at]), node_text(is, same[at]),
                       true);
    }
    NODE_EACH(input, node_find(was, "inputs"))
    compare_input(changes, input, node_find(is, "inputs"));
    // `close` may have gone on in it since.
    while (record != NULL && (int64_t)record->number != node_integer(before, "records", 0))
        record = record->next;
    if (record == NULL || !equal(node_text(record->node, "hash"), node_text(before, "head")))
        change_add(changes, "", "journal", node_text(before, "head"), node_text(now, "head"), true);
}

/* What had been replayed when the certificate was written cannot be gone. */
static void compare_position(struct changes *changes, const struct node *was, const struct node *is)
{
    const char *before = node_text(was, "lsn"), *now = node_text(is, "lsn");
    uint64_t before_lsn, now_lsn;

    if (lsn_read(before, &before_lsn) && lsn_read(now, &now_lsn) && now_lsn < before_lsn)
        change_add(changes, "", "position of the leader", before, now, true);
}

const struct certificate_change *certificate_compare(struct arena *arena,
                                                     const struct record *records,
                                                     const struct node *was, const struct node *is)
{
    struct changes changes = {.arena = arena};

    compare_records(&changes, records, was, is);
    compare_position(&changes, was, is);
    compare_members(&changes, was, is);
    return changes.first;
}
