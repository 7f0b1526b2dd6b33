/* What steps do by themselves: actions, and the files that they edit. */
#include "plan/facts.h"
#include "plan/reference.h"

#include <string.h>

struct fact *facts_add(struct facts *facts, enum effect effect, const struct step *step)
{
    struct fact *last = facts->count == 0 ? NULL : &facts->items[facts->count - 1];

    if (last != NULL && last->step == step && last->effect == effect)
        return last;
    if (facts->items == NULL || facts->count == facts->capacity) {
        size_t capacity = facts->capacity == 0 ? 64 : facts->capacity * 2;
        struct fact *items = arena_alloc(facts->checker->arena, capacity * sizeof *items);

        if (facts->items != NULL)
            memcpy(items, facts->items, facts->count * sizeof *items);
        facts->items = items;
        facts->capacity = capacity;
    }
    facts->items[facts->count] = (struct fact){.effect = effect, .step = step};
    return &facts->items[facts->count++];
}

struct place fact_place(struct checker *checker, const struct fact *fact)
{
    const char *file = checker->plan->file;

    // Nobody sees where the findings beyond the first many are.
    if (checker->findings->hazard_count >= FINDINGS_MOST)
        return (struct place){.file = file};
    if (fact->node == NULL)
        return node_key_place(file, fact->step->params);
    if (fact->length == 0)
        return node_key_place(file, fact->node);
    return text_place(checker, fact->node, fact->offset, fact->length);
}

bool step_is_for(const struct step *step, const char *range, int major)
{
    enum { NEWEST = 40 };

    for (int version = major; version <= NEWEST; version++) {
        bool is_for = range == NULL || version_matches(range, version * 10000);

        for (const struct step *at = step; at != NULL && is_for; at = at->group) {
            for (size_t when = 0; when < at->when_count; when++) {
                if (at->when[when].kind == WHEN_POSTGRES)
                    is_for &= version_matches(at->when[when].subject, version * 10000);
            }
        }
        if (is_for)
            return true;
    }
    return false;
}

static const char *setting_in_text(struct arena *arena, const char *text, const char *name)
{
    for (const char *at = strstr(text, name); at != NULL; at = strstr(at + 1, name)) {
        const char *value = at + strlen(name);
        size_t between = strspn(value, " \t='\"\\");

        if (between > 0)
            return arena_copy(arena, value + between, strcspn(value + between, " \t\n'\"\\,;"));
    }
    return NULL;
}

const char *fact_setting(struct arena *arena, const struct fact *fact, const char *name)
{
    const struct node *settings = fact->settings;

    if (settings == NULL)
        return NULL;
    if (settings->kind == NODE_MAP)
        return node_text(settings, name);
    return settings->text == NULL ? NULL : setting_in_text(arena, settings->text, name);
}

static bool is_text(const struct node *node, const char *text)
{
    return node != NULL && equal(node->text, text);
}

static void tags(struct facts *facts, const struct step *step, const struct node *node)
{
    static const char *const names[] = {"nofailover", "noloadbalance", "nosync",
                                        "failover_priority"};

    NODE_EACH(tag, node)
    {
        for (size_t at = 0; at < ARRAY_COUNT(names); at++) {
            bool is_away = tag->kind == NODE_NULL || is_text(tag, "false") || is_text(tag, "null");

            if (equal(tag->key, names[at]))
                facts_add(facts, is_away ? EFFECT_TAG_AWAY : EFFECT_TAGGED, step)->node = tag;
        }
    }
}

static const struct node *find_deep(const struct node *map, const char *name)
{
    NODE_EACH(child, map)
    {
        size_t length = child->key == NULL ? 0 : strlen(child->key), size = strlen(name);

        if (length >= size && equal(child->key + length - size, name))
            return child;

        const struct node *found = find_deep(child, name);

        if (found != NULL)
            return found;
    }
    return NULL;
}

static void delay(struct facts *facts, const struct step *step, const struct node *map)
{
    const struct node *found = find_deep(map, "recovery_min_apply_delay");

    if (found != NULL && found->text != NULL && !is_text(found, "0") && !is_text(found, "null"))
        facts_add(facts, EFFECT_DELAYED, step)->node = found;
}

/* What an earlier step's change becomes when it is put back. */
static void restored(struct facts *facts, const struct step *step, const struct node *restore)
{
    const struct step *target = plan_find_step(facts->checker->plan, restore->text);
    const struct node *params = target == NULL ? NULL : target->params;
    const char *file = node_text(params, "file");

    if (file != NULL && ends_with(file, "/postgresql.auto.conf"))
        facts_add(facts, EFFECT_AUTO_CONF_BACK, step);
    if (is_text(node_find(params, "maintenance"), "true"))
        facts_add(facts, EFFECT_MAINTENANCE_OFF, step);
    if (node_find(params, "tags") != NULL)
        facts_add(facts, EFFECT_TAG_AWAY, step);
}

/* What stops both stops the service first; what starts both, the server. */
static void patroni(struct facts *facts, const struct step *step)
{
    static const struct {
        const char *key, *value;
        enum effect effects[2];
        int count;
    } rows[] = {
        {"maintenance", "true", {EFFECT_MAINTENANCE_ON}, 1},
        {"maintenance", "false", {EFFECT_MAINTENANCE_OFF}, 1},
        {"service", "stopped", {EFFECT_SERVICE_STOPPED}, 1},
        {"service", "fenced", {EFFECT_SERVICE_STOPPED, EFFECT_FENCED}, 2},
        {"postgres", "stopped", {EFFECT_POSTGRES_STOPPED}, 1},
        {"postgres", "started", {EFFECT_POSTGRES_STARTED}, 1},
        {"service", "started", {EFFECT_SERVICE_ANSWERS, EFFECT_FENCE_AWAY}, 2},
        {"restart", "always", {EFFECT_POSTGRES_RESTARTED}, 1},
        {"restart", "pending", {EFFECT_POSTGRES_RESTARTED}, 1},
        {"cluster", "absent", {EFFECT_CLUSTER_CLEARED}, 1},
        {"leader", NULL, {EFFECT_LEADER_CHANGED}, 1},
        {"query", NULL, {EFFECT_LOOKED}, 1},
    };
    const struct node *restore = node_find(step->params, "restore");
    const struct node *config = node_find(step->params, "config");
    const struct node *pause = node_find(config, "pause");

    for (size_t at = 0; at < ARRAY_COUNT(rows); at++) {
        const char *value = node_text(step->params, rows[at].key);

        if (value != NULL && (rows[at].value == NULL || equal(value, rows[at].value))) {
            for (int effect = 0; effect < rows[at].count; effect++)
                facts_add(facts, rows[at].effects[effect], step);
        }
    }
    if (pause != NULL)
        facts_add(facts, is_text(pause, "true") ? EFFECT_MAINTENANCE_ON : EFFECT_MAINTENANCE_OFF,
                  step)
            ->node = pause;
    tags(facts, step, node_find(step->params, "tags"));
    delay(facts, step, config);
    if (restore != NULL)
        restored(facts, step, restore);
}

/* The kinds of target: https://www.postgresql.org/docs/current/runtime-config-wal.html */
static const struct node *find_target(const struct node *settings)
{
    static const char *const names[] = {"recovery_target_name", "recovery_target_xid",
                                        "recovery_target_lsn", "recovery_target_time",
                                        "recovery_target"};

    for (size_t at = 0; at < ARRAY_COUNT(names); at++) {
        const struct node *node = node_find(settings, names[at]);

        if (node != NULL && node->text != NULL && *node->text != '\0')
            return node;
    }
    return NULL;
}

static void target(struct facts *facts, const struct step *step)
{
    const struct node *set = node_find(step->params, "set");
    const struct node *content = node_find(step->params, "content");
    const struct node *found = find_target(set);

    if (found == NULL && content != NULL && content->text != NULL &&
        strstr(content->text, "recovery_target_") != NULL)
        found = set = content;
    if (found != NULL) {
        struct fact *fact = facts_add(facts, EFFECT_TARGET, step);

        fact->node = found;
        fact->settings = set;
    }
}

static void edit(struct facts *facts, const struct step *step)
{
    const struct node *file = node_find(step->params, "file");
    const struct node *restore = node_find(step->params, "restore");
    bool is_absent = is_text(node_find(step->params, "state"), "absent");
    const char *name = file == NULL || file->text == NULL ? "" : strrchr(file->text, '/');

    name = name == NULL ? "" : name;
    delay(facts, step, node_find(step->params, "set"));
    if (restore != NULL) {
        restored(facts, step, restore);
    } else if (equal(name, "/postgresql.auto.conf")) {
        target(facts, step);
    } else if (equal(name, "/postgresql.conf")) {
        facts_add(facts, EFFECT_REWRITTEN_FILE, step)->node = file;
    } else if (equal(name, "/recovery.conf") && !is_absent) {
        facts_add(facts, EFFECT_RECOVERY_CONF, step)->node = file;
        target(facts, step);
    } else if (equal(name, "/recovery.signal") && !is_absent) {
        facts_add(facts, EFFECT_RECOVERY_SIGNAL, step);
    } else if (equal(name, "/standby.signal") && is_absent) {
        facts_add(facts, EFFECT_NO_STANDBY_SIGNAL, step);
    } else if (equal(name, "/patroni.dynamic.json")) {
        facts_add(facts, EFFECT_CACHED_CONFIG, step);
    }
}

/* Either the texts that the step runs, or, with LOOKS, those that it only looks with. */
static void texts(struct facts *facts, struct fact_text text, bool looks)
{
    const struct node *node = text.node;
    enum text_format format = formats_find(&facts->checker->formats, node);

    if (format == FORMAT_SQL && text.only_looks == looks)
        facts_add_sql(facts, &text);
    else if (format == FORMAT_SHELL && text.only_looks == looks)
        facts_add_shell(facts, &text);
    NODE_EACH(child, node)
    {
        const char *range = format == FORMAT_VERSION_MAP ? child->key : text.range;
        bool only_looks =
            text.only_looks || equal(child->key, "unless") || equal(child->key, "fail-when");

        texts(facts, (struct fact_text){text.step, child, range, only_looks}, looks);
    }
}

static void condition(struct facts *facts, const struct step *step)
{
    const struct node *asked = node_find(step->params, "patroni");

    if (node_find(asked, "leader") != NULL || node_find(asked, "follows") != NULL ||
        node_find(asked, "role") != NULL)
        facts_add(facts, EFFECT_LEADER_LOOKED_FOR, step);
    else
        facts_add(facts, EFFECT_LOOKED, step);
}

static void step_facts(struct checker *checker, const struct step *step)
{
    struct facts *facts = checker->facts;
    bool is_guard = guard_of(step) != NULL;
    bool is_condition = is_guard || equal(step->action_name, "wait-until");

    if (step->params == NULL || step->params->kind != NODE_MAP)
        return;
    if (is_condition)
        condition(facts, step);
    else if (equal(step->action_name, "patroni"))
        patroni(facts, step);
    else if (equal(step->action_name, "edit-conf"))
        edit(facts, step);
    else if (node_find(step->params, "query") != NULL)
        facts_add(facts, EFFECT_LOOKED, step);
    else if (equal(step->action_name, "remote-shell") && node_find(step->params, "file") != NULL)
        facts_add(facts, EFFECT_UNKNOWN, step);
    // A step looks before it does anything, and again after: that is what it leaves proven.
    if (!is_condition)
        texts(facts, (struct fact_text){step, step->params, NULL, false}, false);
    texts(facts, (struct fact_text){step, step->params, NULL, is_condition}, true);
}

void facts_collect(struct facts *facts, struct checker *checker)
{
    *facts = (struct facts){.checker = checker};
    checker->facts = facts;
    steps_each(checker, step_facts);
}
