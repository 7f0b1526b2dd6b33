/* Patroni by hand: its REST interface, its service, its server (docs/rest_api.rst). */
#include "by_hand.h"

#include "edit.h"
#include "work.h"

#include <string.h>

/* A request on the host itself, or from here where its certificate is to be checked. */
static const char *curl(const struct by_hand *by_hand, const struct host_settings *host,
                        const char *method, const char *path, const char *json)
{
    CLEANUP(text_release) struct text text = {0};
    const struct tls_settings *tls = &host->patroni.tls;
    bool is_unsafe = !equal(method, "GET");
    bool is_here = equal(host->patroni.reach, "direct") || equal(host->patroni.scheme, "https");
    text_append(&text, "curl -sS -w '\\n'");
    if (is_unsafe)
        text_append_format(&text, " -X %s", method);
    if (is_unsafe && host->patroni.user != NULL)
        text_append_format(
            &text, " -u %s",
            by_hand_word(by_hand, arena_printf(by_hand->arena, "%s:<password of Patroni's REST>",
                                               host->patroni.user)));
    if (tls->ca != NULL)
        text_append_format(&text, " --cacert %s", by_hand_word(by_hand, tls->ca));
    if (tls->certificate != NULL)
        text_append_format(&text, " --cert %s", by_hand_word(by_hand, tls->certificate));
    if (tls->key != NULL)
        text_append_format(&text, " --key %s", by_hand_word(by_hand, tls->key));
    if (json != NULL)
        text_append_format(&text, " -d %s", by_hand_word(by_hand, json));
    text_append_format(
        &text, " %s\n",
        by_hand_word(by_hand, arena_printf(by_hand->arena, "%s://%s:%d%s", host->patroni.scheme,
                                           host->address, host->patroni.port, path)));
    return is_here ? text_copy(&text, by_hand->arena)
                   : by_hand_script(by_hand, host, NULL, text_string(&text));
}

static void ask(const struct by_hand *by_hand, struct description *out, const char *title,
                const char *path)
{
    description_add(out, title, "sh", curl(by_hand, by_hand->host, "GET", path, NULL));
}

/* Every member, as it is in the cluster file: who they are now does not matter. */
static void ask_all(const struct by_hand *by_hand, struct description *out, const char *title)
{
    CLEANUP(text_release) struct text text = {0};
    for (size_t i = 0; i < by_hand->cluster->host_count; i++)
        text_append(&text, curl(by_hand, &by_hand->cluster->hosts[i], "GET", "/patroni", NULL));
    description_add(out, title, "sh", text_copy(&text, by_hand->arena));
}

static const char *member_of(const struct by_hand *by_hand, const char *role)
{
    const struct host_settings *host = by_hand_role(by_hand, role);
    return host == NULL ? role : host->member;
}

static const char *value_of(const struct by_hand *by_hand, const struct node *node)
{
    return by_hand_text(by_hand, node);
}

static void wait_for_maintenance(const struct by_hand *by_hand, struct description *out,
                                 const char *verb, bool is_on)
{
    ask_all(by_hand, out,
            arena_printf(by_hand->arena,
                         is_on ? "%s each of these shows \"pause\": true:"
                               : "%s none of these shows \"pause\" any more:",
                         verb));
}

static void wait_for_leader(const struct by_hand *by_hand, struct description *out,
                            const char *verb, const char *role)
{
    ask(by_hand, out,
        arena_printf(by_hand->arena, "%s this shows \"%s\" with \"role\": \"leader\":", verb,
                     member_of(by_hand, role)),
        "/cluster");
}

static void wait_for_following(const struct by_hand *by_hand, struct description *out,
                               const char *verb, const char *role)
{
    const struct host_settings *leader = by_hand_role(by_hand, role);
    if (leader == NULL)
        return;
    description_add(out,
                    arena_printf(by_hand->arena,
                                 "%s the leader lists \"application_name\": \"%s\" as \"state\": "
                                 "\"streaming\", and both show the same timeline:",
                                 verb, by_hand->host->member),
                    "sh",
                    arena_printf(by_hand->arena, "%s%s",
                                 curl(by_hand, leader, "GET", "/patroni", NULL),
                                 curl(by_hand, by_hand->host, "GET", "/patroni", NULL)));
}

void by_hand_patroni_condition(const struct by_hand *by_hand, struct description *out,
                               const struct node *map, const char *verb)
{
    NODE_EACH(item, map)
    {
        const char *value = value_of(by_hand, item);
        if (equal(item->key, "maintenance"))
            wait_for_maintenance(by_hand, out, verb, equal(value, "true"));
        else if (equal(item->key, "scheduled-switchover"))
            ask(by_hand, out,
                arena_printf(by_hand->arena, "%s this shows %s \"scheduled_switchover\":", verb,
                             equal(value, "true") ? "a" : "no"),
                "/cluster");
        else if (equal(item->key, "leader"))
            wait_for_leader(by_hand, out, verb, value);
        else if (equal(item->key, "follows"))
            wait_for_following(by_hand, out, verb, value);
        else if (equal(item->key, "config-is"))
            ask(by_hand, out,
                arena_printf(by_hand->arena, "%s this is the same configuration as %s:", verb,
                             value),
                "/config");
        else if (equal(item->key, "pending-restart"))
            ask(by_hand, out,
                arena_printf(by_hand->arena, "%s this shows %s \"pending_restart\":", verb,
                             equal(value, "true") ? "a" : "no"),
                "/patroni");
        else
            ask(by_hand, out,
                arena_printf(by_hand->arena, "%s this shows \"%s\" with \"%s\": \"%s\":", verb,
                             by_hand->host->member, item->key, value),
                "/cluster");
    }
}

/* --- what a step changes --- */

static void add_root(const struct by_hand *by_hand, struct description *out, const char *title,
                     const char *script)
{
    description_add(out, title, "sh", by_hand_script(by_hand, by_hand->host, "root", script));
}

static void change_service(const struct by_hand *by_hand, struct description *out,
                           const char *state)
{
    const char *service = by_hand->host->patroni.service;
    const char *unit = ends_with(service, ".service")
                           ? service
                           : arena_printf(by_hand->arena, "%s.service", service);
    const char *word = by_hand_word(by_hand, unit);
    const char *folder =
        by_hand_word(by_hand, arena_printf(by_hand->arena, "/etc/systemd/system/%s.d", unit));
    const char *fence =
        by_hand_word(by_hand, arena_printf(by_hand->arena,
                                           "/etc/systemd/system/%s.d/holdback-fence.conf", unit));
    if (equal(state, "fenced"))
        add_root(by_hand, out, "Fence and stop Patroni, so that it does not start at boot either:",
                 arena_printf(by_hand->arena,
                              "mkdir -p %s\n"
                              "printf '[Unit]\\nConditionPathExists=!/\\n' >%s\n"
                              "systemctl daemon-reload\nsystemctl stop %s\n",
                              folder, fence, word));
    else if (equal(state, "started"))
        add_root(by_hand, out, "Take a fence away and start Patroni:",
                 arena_printf(by_hand->arena,
                              "rm -f %s\nrmdir --ignore-fail-on-non-empty %s || true\n"
                              "systemctl daemon-reload\nsystemctl reset-failed %s || "
                              "true\nsystemctl start %s\n",
                              fence, folder, word, word));
    else
        add_root(by_hand, out,
                 "Stop Patroni:", arena_printf(by_hand->arena, "systemctl stop %s\n", word));
    if (equal(state, "started"))
        ask(by_hand, out, "Repeat until Patroni answers:", "/patroni");
}

static void change_postgres(const struct by_hand *by_hand, struct description *out, bool is_start)
{
    const char *bin = by_hand_value(by_hand, "postgres.bin-directory");
    const char *data = by_hand_value(by_hand, "postgres.data-directory");
    const char *ctl = by_hand_word(
        by_hand, bin == NULL ? "pg_ctl" : arena_printf(by_hand->arena, "%s/pg_ctl", bin));
    const char *folder = by_hand_word(by_hand, data == NULL ? "<data directory>" : data);
    const char *log = arena_printf(by_hand->arena, "%s/%s.log",
                                   by_hand_value(by_hand, "run.folder"), by_hand->step->id);
    const char *script =
        is_start
            ? arena_printf(by_hand->arena, "cd /\n%s start -w -D %s -l %s -o '-p %s' </dev/null\n",
                           ctl, folder, by_hand_word(by_hand, log),
                           by_hand_value(by_hand, "postgres.port"))
            : arena_printf(by_hand->arena,
                           "status=0\n%s status -D %s || status=$?\n"
                           "[ \"$status\" -eq 3 ] || %s stop -D %s -m fast -w </dev/null\n",
                           ctl, folder, ctl, folder);
    description_add(
        out,
        is_start ? "Start PostgreSQL without Patroni:"
                 : "Stop PostgreSQL, which Patroni leaves running in maintenance mode:",
        "sh", by_hand_script(by_hand, by_hand->host, by_hand->host->postgres.os_user, script));
}

static void change_leader(const struct by_hand *by_hand, struct description *out, const char *role)
{
    const char *json =
        arena_printf(by_hand->arena, "{\"leader\": \"<member that leads>\", \"candidate\": \"%s\"}",
                     member_of(by_hand, role));
    description_add(out, "Switch over:", "sh",
                    curl(by_hand, by_hand->host, "POST", "/switchover", json));
    wait_for_leader(by_hand, out, "Repeat until", role);
}

static void remove_cluster(const struct by_hand *by_hand, struct description *out)
{
    const char *config = by_hand_value(by_hand, "patroni.config");
    const char *cluster = by_hand_word(by_hand, by_hand->cluster->name);
    ask_all(by_hand, out,
            "First be sure that Patroni runs nowhere: each of these must fail to connect. One that "
            "runs would write the keys again:");
    add_root(
        by_hand, out,
        "Remove the cluster's keys. The third answer, the leader's name, is read only while "
        "its key has not expired:",
        arena_printf(by_hand->arena,
                     "export LC_ALL=C.UTF-8\n"
                     "printf '%%s\\n' %s 'Yes I am aware' %s |\n    patronictl -c %s remove %s\n",
                     cluster, by_hand_word(by_hand, member_of(by_hand, "leader")),
                     by_hand_word(by_hand, config == NULL ? "<patroni.yml>" : config), cluster));
}

static void change_tags(const struct by_hand *by_hand, struct description *out,
                        const struct node *tags)
{
    CLEANUP(text_release) struct text text = {0};
    text_append(&text, "tags:\n");
    NODE_EACH(tag, tags)
    {
        text_append_format(&text, "  %s: ", tag->key);
        node_append_json(&text, tag);
        text_append(&text, "\n");
    }
    description_add(out,
                    arena_printf(by_hand->arena,
                                 "Edit %s, as root, so that its tags have these values (null: "
                                 "remove it):",
                                 by_hand_value(by_hand, "patroni.config") == NULL
                                     ? "Patroni's file"
                                     : by_hand_value(by_hand, "patroni.config")),
                    "text", text_copy(&text, by_hand->arena));
    description_add(out, "Reload:", "sh", curl(by_hand, by_hand->host, "POST", "/reload", "{}"));
    ask(by_hand, out, "Repeat until the member has these tags:", "/cluster");
}

static void change(const struct by_hand *by_hand, struct description *out, const struct node *item)
{
    CLEANUP(text_release) struct text json = {0};
    const char *value = item->text == NULL ? NULL : value_of(by_hand, item);
    if (equal(item->key, "maintenance")) {
        bool is_on = equal(value, "true");
        description_add(out,
                        is_on ? "Turn maintenance mode on:" : "Turn maintenance mode off:", "sh",
                        curl(by_hand, by_hand->host, "PATCH", "/config",
                             is_on ? "{\"pause\": true}" : "{\"pause\": null}"));
        wait_for_maintenance(by_hand, out, "Repeat until", is_on);
    } else if (equal(item->key, "config")) {
        node_append_json(&json, item);
        description_add(out, "Change Patroni's configuration:", "sh",
                        curl(by_hand, by_hand->host, "PATCH", "/config", text_string(&json)));
    } else if (equal(item->key, "tags")) {
        change_tags(by_hand, out, item);
    } else if (equal(item->key, "service")) {
        change_service(by_hand, out, value);
    } else if (equal(item->key, "postgres")) {
        change_postgres(by_hand, out, equal(value, "started"));
    } else if (equal(item->key, "restart")) {
        description_add(out,
                        equal(value, "pending") ? "If a restart is pending, restart PostgreSQL:"
                                                : "Restart PostgreSQL:",
                        "sh",
                        curl(by_hand, by_hand->host, "POST", "/restart",
                             equal(value, "pending") ? "{\"restart_pending\": true}" : "{}"));
    } else if (equal(item->key, "reload")) {
        description_add(out, "Reload:", "sh",
                        curl(by_hand, by_hand->host, "POST", "/reload", "{}"));
    } else if (equal(item->key, "wake")) {
        description_add(out, "Make Patroni look now; it changes nothing:", "sh",
                        curl(by_hand, by_hand->host, "PATCH", "/config", "{\"holdback\": null}"));
    } else if (equal(item->key, "leader")) {
        change_leader(by_hand, out, value);
    } else if (equal(item->key, "cluster")) {
        remove_cluster(by_hand, out);
    } else if (equal(item->key, "query")) {
        ask(by_hand, out, "Read:", arena_printf(by_hand->arena, "/%s", value));
    } else if (equal(item->key, "restore")) {
        description_add(out,
                        arena_printf(by_hand->arena,
                                     "Put back what step \"%s\" changed: \"holdback log\" shows "
                                     "what it found, as %s.before.",
                                     value, value),
                        "text", "");
    }
}

/* In the order in which the program does them: who stops, stops Patroni before the server. */
void by_hand_patroni(const struct by_hand *by_hand, struct description *out)
{
    static const char *const stopping[] = {"maintenance", "config",   "tags",    "reload",
                                           "service",     "postgres", "restart", "leader",
                                           "cluster",     "wake",     "query",   "restore"};
    static const char *const starting[] = {"maintenance", "config",  "tags",    "reload",
                                           "postgres",    "service", "restart", "leader",
                                           "cluster",     "wake",    "query",   "restore"};
    const struct node *params = by_hand->step->params;
    bool is_start = equal(node_text(params, "postgres"), "started");
    for (size_t i = 0; i < ARRAY_COUNT(stopping); i++) {
        const struct node *item = node_find(params, is_start ? starting[i] : stopping[i]);
        if (item != NULL)
            change(by_hand, out, item);
    }
}
