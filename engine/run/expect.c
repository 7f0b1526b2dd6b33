/* What a saved preview rests on, against what is so when the deployment is about to begin. */
#include "base/node.h"
#include "run/work.h"

#include <inttypes.h>
#include <string.h>

struct comparison {
    struct run *run;
    const struct node *saved; /* the facts of the preview */
    const struct live *now;
    const char **moved; /* roles that stand for other hosts now */
    size_t moved_count;
    struct differences found;
};

static const char *or_nobody(const char *name)
{
    return name == NULL ? "nobody" : name;
}

static void compare_cluster(struct comparison *comparison)
{
    const struct node *saved = comparison->saved;
    const struct live *now = comparison->now;
    const char *identifier = node_text(saved, "system_identifier");
    const char *leader = node_text(saved, "leader");
    int64_t timeline = node_integer(saved, "timeline", 0);

    if (!equal(identifier, now->system_identifier))
        differs(&comparison->found,
                "the system identifier is %s, was %s: every step acts on another cluster",
                now->system_identifier == NULL ? "not known" : now->system_identifier,
                identifier == NULL ? "not known" : identifier);
    if (comparison->moved_count == 0 && !equal(leader, live_leader(now->members)))
        differs(&comparison->found, "the leader moved %s -> %s", or_nobody(leader),
                or_nobody(live_leader(now->members)));
    if (timeline != live_timeline(now->members))
        differs(&comparison->found,
                "the timeline is %" PRId64 ", was %" PRId64 ": a server was promoted since",
                live_timeline(now->members), timeline);
    if (node_bool(saved, "maintenance", false) != now->members->is_maintenance)
        differs(&comparison->found, "maintenance mode is %s, was %s",
                now->members->is_maintenance ? "on" : "off",
                now->members->is_maintenance ? "off" : "on");
}

static const struct node *member_find(const struct node *saved, const char *name)
{
    NODE_EACH(member, node_find(saved, "members"))
    {
        if (equal(node_text(member, "name"), name))
            return member;
    }
    return NULL;
}

static void compare_member(struct comparison *comparison, const struct node *saved,
                           const struct patroni_member *now)
{
    const char *role = node_text(saved, "role"), *state = node_text(saved, "state");
    bool was_pending = node_bool(saved, "pending_restart", false);

    // Who leads and who does not is told already.
    if (!equal(role, now->role)) {
        if (!now->is_leader && !equal(role, "leader") && !equal(role, "standby_leader"))
            differs(&comparison->found, "member %s is %s, was %s", now->name, now->role, role);
    } else if (!equal(state, now->state)) {
        differs(&comparison->found, "member %s is \"%s\", was \"%s\"", now->name, now->state,
                state);
    }
    if (was_pending != now->has_pending_restart)
        differs(&comparison->found, "%s of member %s is pending",
                was_pending ? "no restart" : "a restart", now->name);
}

static void compare_members(struct comparison *comparison)
{
    const struct patroni_cluster *now = comparison->now->members;

    for (size_t at = 0; at < now->count; at++) {
        const struct node *saved = member_find(comparison->saved, now->members[at].name);

        if (saved == NULL)
            differs(&comparison->found, "member %s is new", now->members[at].name);
        else
            compare_member(comparison, saved, &now->members[at]);
    }
    NODE_EACH(member, node_find(comparison->saved, "members"))
    {
        if (patroni_find_member(now, node_text(member, "name")) == NULL)
            differs(&comparison->found, "member %s is gone", node_text(member, "name"));
    }
}

static void compare_versions(struct comparison *comparison)
{
    NODE_EACH(now, comparison->now->versions)
    {
        int64_t before = node_integer(node_find(comparison->saved, "versions"), now->key, 0);

        if (before != 0 &&
            !equal(node_text(node_find(comparison->saved, "versions"), now->key), now->text))
            differs(&comparison->found, "%s runs PostgreSQL %s, ran %" PRId64, now->key, now->text,
                    before);
    }
}

static struct words steps_of_role(const struct run *run, const char *role)
{
    struct words names = {0};

    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(run->plan, (enum phase)phase, step)) != NULL;) {
            if (step->steps == NULL && node_has(step->hosts, role))
                words_add(run->arena, &names, step->id);
        }
    }
    return names;
}

static const char *hosts_text(struct arena *arena, const struct node *hosts)
{
    CLEANUP(text_release) struct text text = {0};

    NODE_EACH(host, hosts)
    text_append_format(&text, "%s%s", text.length == 0 ? "" : ", ", host->text);
    return text.length == 0 ? "nobody" : text_copy(&text, arena);
}

/* "leader moved pg1 -> pg2: steps mark and migrate now act on another host" */
static void compare_roles(struct comparison *comparison)
{
    struct arena *arena = comparison->run->arena;
    const struct node *roles = comparison->now->roles;

    comparison->moved =
        arena_alloc(arena, sizeof(char *) * ((roles == NULL ? 0 : roles->count) + 1));
    NODE_EACH(role, roles)
    {
        const char *before =
            hosts_text(arena, node_find(node_find(comparison->saved, "roles"), role->key));
        const char *now = hosts_text(arena, role);

        if (equal(before, now))
            continue;
        comparison->moved[comparison->moved_count++] = role->key;

        const struct words steps = steps_of_role(comparison->run, role->key);

        if (steps.count == 0)
            differs(&comparison->found, "%s moved %s -> %s", role->key, before, now);
        else
            differs(&comparison->found, "%s moved %s -> %s: step%s %s now act%s on another host",
                    role->key, before, now, steps.count == 1 ? "" : "s", names_words(arena, &steps),
                    steps.count == 1 ? "s" : "");
    }
}

static bool step_has_moved(const struct comparison *comparison, const struct step *step)
{
    for (size_t at = 0; at < comparison->moved_count; at++) {
        if (node_has(step->hosts, comparison->moved[at]))
            return true;
    }
    return false;
}

/* ---- the looks ---- */

static const struct preview_item *item_find(const struct live *live, const char *step,
                                            const char *host)
{
    for (const struct preview_item *item = live->items; item != NULL; item = item->next) {
        if (equal(item->step->id, step) && equal(item->host, host))
            return item;
    }
    return NULL;
}

static const struct node *look_find(const struct node *saved, const char *step, const char *host)
{
    NODE_EACH(look, node_find(saved, "looks"))
    {
        if (equal(node_text(look, "step"), step) && equal(node_text(look, "host"), host))
            return look;
    }
    return NULL;
}

static const char *phrase_of(const char *look)
{
    static const char *const phrases[] = {"already so", "would change", "cannot be known yet",
                                          "could not be looked at"};

    for (size_t at = 0; at < ARRAY_COUNT(phrases); at++) {
        if (equal(look, look_names[at]))
            return phrases[at];
    }
    return "not looked at";
}

static void compare_file(struct comparison *comparison, const struct node *saved,
                         const struct preview_item *now)
{
    const char *digest = node_text(saved, "file_sha256");

    differs(&comparison->found, "file \"%s\" on %s %s since the preview (%s)", now->file, now->host,
            digest == NULL        ? "was made"
            : now->digest == NULL ? "was removed"
                                  : "changed",
            now->step->id);
}

/*
 * A condition may be true at one time and not at another, and the run asks it anyway; what could
 * not be known says nothing. Texts are inputs, and compared as such: only what Patroni is asked to
 * change depends on its state.
 */
static void compare_look(struct comparison *comparison, const struct node *saved,
                         const struct preview_item *now)
{
    const char *look = node_text(saved, "look"), *id = now->step->id;
    bool is_same = equal(look, look_names[now->look]), has_failed = now->look == LOOK_FAILED;
    char digest[DIGEST_SIZE];

    if (!step_has_effect(now->step) || equal(look, look_names[LOOK_UNKNOWN]) ||
        (is_same && now->look == LOOK_ALREADY))
        return;
    if (now->file != NULL && !equal(node_text(saved, "file_sha256"), now->digest))
        compare_file(comparison, saved, now);
    else if (!is_same)
        differs(&comparison->found, "%s on %s: %s%s%s; was: %s", id, now->host,
                phrase_of(look_names[now->look]), has_failed && now->words != NULL ? ": " : "",
                has_failed && now->words != NULL ? now->words : "", phrase_of(look));
    else if (equal(now->step->action_name, "patroni") &&
             !equal(node_text(saved, "change_sha256"), live_change_digest(now, digest)))
        differs(&comparison->found, "%s on %s would change something else: %s", id, now->host,
                now->change == NULL ? "nothing" : now->change);
}

static void compare_looks(struct comparison *comparison)
{
    NODE_EACH(saved, node_find(comparison->saved, "looks"))
    {
        const char *id = node_text(saved, "step"), *host = node_text(saved, "host");
        const struct step *step = plan_find_step(comparison->run->plan, id);
        const struct preview_item *now = item_find(comparison->now, id, host);

        if (step == NULL || host == NULL || step_has_moved(comparison, step))
            continue;
        if (now != NULL) {
            compare_look(comparison, saved, now);
            continue;
        }
        now = item_find(comparison->now, id, NULL);
        differs(&comparison->found, "%s does not act on %s any more%s%s", id, host,
                now == NULL ? "" : ": ", now == NULL ? "" : now->words);
    }
    for (const struct preview_item *now = comparison->now->items; now != NULL; now = now->next) {
        if (now->host != NULL && !step_has_moved(comparison, now->step) &&
            look_find(comparison->saved, now->step->id, now->host) == NULL)
            differs(&comparison->found, "%s acts on %s now, and did not", now->step->id, now->host);
    }
}

static unsigned phases_looked_at(const struct run *run, const struct node *facts)
{
    unsigned mask = 0;

    NODE_EACH(look, node_find(facts, "looks"))
    {
        const struct step *step = plan_find_step(run->plan, node_text(look, "step"));

        if (step != NULL)
            mask |= 1u << step->phase;
    }
    return mask;
}

struct error *expect_compare(struct run *run, const char *preview, const struct node *facts,
                             const struct live *now)
{
    struct comparison comparison = {
        .run = run, .saved = facts, .now = now, .found = {.arena = run->arena}};

    compare_roles(&comparison);
    compare_cluster(&comparison);
    compare_members(&comparison);
    compare_versions(&comparison);
    compare_looks(&comparison);

    const char *words = differences_words(&comparison.found);

    if (words == NULL)
        return NULL;
    return error_hint(run->arena,
                      error_new(run->arena, ERROR_REFUSED,
                                "the cluster is not as preview \"%s\" found it:%s", preview, words),
                      "Nothing was changed. Preview again with --live, have it approved, then "
                      "deploy.");
}

struct error *expect_check(struct run *run)
{
    const struct input *preview = inputs_of_role(run->plan->inputs, "preview");
    const struct node *root, *facts;

    if (preview == NULL)
        return NULL;

    struct error *error =
        json_parse(run->arena, preview->path, preview->bytes, preview->length, &root);

    if (error != NULL)
        return error;
    facts = node_find(root, "facts");
    if (facts == NULL || facts->kind != NODE_MAP)
        return NULL;

    struct live now;

    error = live_again(run, phases_looked_at(run, facts), &now);
    if (error == NULL && now.lost != NULL)
        error = error_copy(run->arena, now.lost);
    return error != NULL ? error : expect_compare(run, preview->path, facts, &now);
}
