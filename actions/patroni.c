/* patroni: brings Patroni, its service or its server to a state. The keys' order, and the rest. */
#include "patroni.h"

#include "actions.h"
#include "outline.h"

#include <string.h>

enum { POLL_MS = 100 };

/*
 * The order of a step with several keys. What stops, stops Patroni first, or it would start the
 * server again; what starts, starts the server first, so that Patroni finds it running.
 */
static const struct patroni_key *const when_stopping[] = {
    &patroni_maintenance_key, &patroni_config_key,   &patroni_tags_key,    &patroni_reload_key,
    &patroni_service_key,     &patroni_postgres_key, &patroni_restart_key, &patroni_leader_key,
    &patroni_cluster_key,     &patroni_wake_key,
};
static const struct patroni_key *const when_starting[] = {
    &patroni_maintenance_key, &patroni_config_key,  &patroni_tags_key,    &patroni_reload_key,
    &patroni_postgres_key,    &patroni_service_key, &patroni_restart_key, &patroni_leader_key,
    &patroni_cluster_key,     &patroni_wake_key,
};
enum { KEY_COUNT = ARRAY_COUNT(when_stopping) };

/* The map of keys that the step stands for: its own, or what `restore: STEP` goes back to. */
static struct error *wanted(struct work *work, const struct node **out)
{
    const struct node *params = work->step->params;
    const char *restored = node_text(params, "restore");
    if (restored != NULL)
        return before_find(work, restored, out);
    struct node *expanded;
    struct error *error = work_expanded(work, params, &expanded);
    if (error != NULL)
        return error;
    // As JSON, because there a null is a null and not a text.
    const char *json = json_text_of(work, expanded);
    return json_parse(work->arena, "the step's own keys", json, strlen(json), out);
}

static const struct patroni_key *const *keys_in_order(const struct node *map)
{
    return equal(node_text(map, "postgres"), "started") ? when_starting : when_stopping;
}

/* Nothing shows afterwards that it was done: asked once, and done. */
static bool is_momentary(const struct patroni_key *key, const struct node *value)
{
    return key == &patroni_reload_key || key == &patroni_wake_key ||
           (key == &patroni_restart_key && equal(value->text, "always"));
}

static struct error *look_keys(struct work *work, const struct node *map, bool with_momentary,
                               bool *is_so)
{
    const struct patroni_key *const *keys = keys_in_order(map);
    *is_so = true;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct node *value = node_find(map, keys[i]->name);
        if (value == NULL || (is_momentary(keys[i], value) && !with_momentary))
            continue;
        bool key_is_so = false;
        const char *words = NULL;
        struct error *error = keys[i]->look(work, value, &key_is_so, &words);
        if (error != NULL)
            return error;
        // Of several, the words are about the first that is not so.
        if (*is_so)
            work->words = words;
        *is_so = *is_so && key_is_so;
    }
    return NULL;
}

static enum look look(struct work *work, struct error **error)
{
    if (node_find(work->step->params, "query") != NULL)
        return patroni_query(work, error);
    const struct node *map = NULL;
    bool is_so = false;
    struct error *cause = wanted(work, &map);
    if (cause == NULL && map == NULL) {
        work_words(work, "nothing was changed");
        return LOOK_ALREADY;
    }
    if (cause == NULL)
        cause = look_keys(work, map, true, &is_so);
    if (cause != NULL)
        return work_look_failed(work, cause, error);
    return is_so ? LOOK_ALREADY : LOOK_WOULD_CHANGE;
}

/* A momentary key cannot be looked at afterwards, so the others are waited for here. */
static struct error *wait_for_others(struct work *work, const struct node *map)
{
    for (;;) {
        bool is_so;
        struct error *error = look_keys(work, map, false, &is_so);
        if (error != NULL || is_so)
            return error;
        if (work->words != NULL)
            work->watch(work, work->words);
        error = work_pause(work, POLL_MS);
        if (error != NULL)
            return error_because(work->arena, error, "not so yet: %s",
                                 work->words == NULL ? "unknown" : work->words);
    }
}

static enum apply apply(struct work *work, struct error **error)
{
    const struct node *map;
    *error = wanted(work, &map);
    if (*error != NULL)
        return APPLY_NOTHING;
    const struct patroni_key *const *keys = keys_in_order(map);
    bool has_momentary = false, was_asked = false;
    work->is_repeat = true;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct node *value = node_find(map, keys[i]->name);
        if (value == NULL)
            continue;
        bool is_so = false;
        const char *words = NULL;
        enum apply outcome = APPLY_MAYBE;
        // Of a single key the engine knows that it is not so.
        if (node_find(work->step->params, "restore") != NULL || map->count > 1)
            *error = keys[i]->look(work, value, &is_so, &words);
        if (*error != NULL)
            return was_asked ? APPLY_MAYBE : APPLY_NOTHING;
        if (is_so)
            continue;
        *error = keys[i]->apply(work, value, &outcome);
        if (*error != NULL)
            return was_asked ? APPLY_MAYBE : outcome;
        was_asked = true;
        has_momentary = has_momentary || is_momentary(keys[i], value);
    }
    if (!has_momentary)
        return APPLY_LOOK;
    *error = wait_for_others(work, map);
    return *error == NULL ? APPLY_DONE : APPLY_MAYBE;
}

static enum settle settle(struct work *work, struct error **error)
{
    if (equal(node_text(work->step->params, "restart"), "always")) {
        *error = error_hint(
            work->arena,
            error_new(work->arena, ERROR_IN_DOUBT, "PostgreSQL may or may not have been restarted"),
            "Compare the time of its start (SELECT pg_postmaster_start_time()) "
            "with the time of this step.");
        return SETTLE_IN_DOUBT;
    }
    enum look looked = look(work, error);
    if (looked == LOOK_ALREADY) {
        *error = before_save(work);
        return *error == NULL ? SETTLE_DONE : SETTLE_UNREACHABLE;
    }
    if (looked == LOOK_FAILED && (*error)->kind == ERROR_UNREACHABLE)
        return SETTLE_UNREACHABLE;
    // Whatever was asked for, the state is read again before it is asked for again.
    return SETTLE_NOT_DONE;
}

/* "turn maintenance mode on" */
static const char *key_words(const struct outline *outline, const struct node *item)
{
    static const struct {
        const char *key, *value, *words;
    } fixed[] = {
        {"maintenance", "true", "turn maintenance mode on"},
        {"maintenance", "false", "turn maintenance mode off"},
        {"service", "started", "start the Patroni service, and take a fence away"},
        {"service", "stopped", "stop the Patroni service"},
        {"service", "fenced", "stop the Patroni service and keep it from starting"},
        {"postgres", "started", "start PostgreSQL without Patroni"},
        {"postgres", "stopped", "stop PostgreSQL"},
        {"restart", "pending", "restart PostgreSQL where a restart is pending"},
        {"restart", "always", "restart PostgreSQL"},
        {"reload", "true", "reload Patroni"},
        {"wake", "true", "make Patroni look at the cluster now"},
        {"cluster", "absent", "remove the cluster's keys from the DCS"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(fixed); i++)
        if (equal(item->key, fixed[i].key) && equal(item->text, fixed[i].value))
            return fixed[i].words;
    if (equal(item->key, "config"))
        return "change Patroni's dynamic configuration";
    if (equal(item->key, "tags"))
        return "change the member's tags";
    if (equal(item->key, "leader"))
        return arena_printf(outline->arena, "make %s the leader", item->text);
    if (equal(item->key, "restore"))
        return arena_printf(outline->arena, "put back what step \"%s\" changed", item->text);
    return arena_printf(outline->arena, "read Patroni's %s", item->text);
}

static void describe(const struct outline *outline, struct description *out)
{
    CLEANUP(text_release) struct text summary = {0};
    const struct node *params = outline->step->params;
    NODE_EACH(item, params)
    {
        if (equal(item->key, "save"))
            continue;
        text_append_format(&summary, "%s%s", summary.length == 0 ? "" : "; ",
                           key_words(outline, item));
        if (item->kind != NODE_MAP)
            continue;
        CLEANUP(text_release) struct text json = {0};
        node_append_json(&json, item);
        description_add(out, arena_strdup(outline->arena, item->key), "json",
                        text_copy(&json, outline->arena));
    }
    out->summary = text_copy(&summary, outline->arena);
}

static void validate(const struct outline *outline)
{
    const struct node *params = outline->step->params;
    const char *file = outline->plan->file;
    const struct node *postgres = node_find(params, "postgres");
    const char *service = node_text(params, "service");
    const struct node *restore = node_find(params, "restore");
    if (equal(node_text(params, "postgres"), "stopped") && equal(service, "started"))
        findings_add(outline->findings, node_place(file, postgres), NULL,
                     "a running Patroni would start PostgreSQL again");
    if (equal(node_text(params, "postgres"), "started") &&
        (equal(service, "stopped") || equal(service, "fenced")))
        findings_add(outline->findings, node_place(file, postgres),
                     "Write two steps: first the service, then PostgreSQL.",
                     "one step cannot stop Patroni and start PostgreSQL");
    const struct cluster *cluster = outline->cluster;
    for (size_t i = 0; postgres != NULL && cluster != NULL && i < cluster->host_count; i++) {
        const struct host_settings *host = &cluster->hosts[i];
        if (host->postgres.data_directory != NULL && host->postgres.bin_directory != NULL)
            continue;
        findings_add(outline->findings, node_key_place(file, postgres),
                     "Add it to the section \"postgres\" of the cluster file.",
                     "the cluster file does not say \"postgres.%s\" of host \"%s\"",
                     host->postgres.data_directory == NULL ? "data-directory" : "bin-directory",
                     host->name);
        break;
    }
    const struct step *restored =
        restore == NULL ? NULL : plan_find_step(outline->plan, restore->text);
    if (restored != NULL && (!equal(restored->action_name, "patroni") ||
                             (node_find(restored->params, "config") == NULL &&
                              node_find(restored->params, "tags") == NULL)))
        findings_add(outline->findings, node_place(file, restore),
                     "What a patroni step with \"config\" or \"tags\" changed can be restored.",
                     "step \"%s\" keeps nothing that could be restored", restore->text);
}

const struct action patroni_action = {
    .name = "patroni",
    .schema = "patroni.schema.json",
    .has_effect = true,
    .validate = validate,
    .describe = describe,
    .look = look,
    .apply = apply,
    .settle = settle,
};
