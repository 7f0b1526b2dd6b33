/* What a person types instead of a step: what all actions share. */
#include "by_hand.h"

#include "actions.h"
#include "work.h"

#include <stdio.h>
#include <string.h>

const char *by_hand_text(const struct by_hand *by_hand, const struct node *node)
{
    const char *text;
    if (expand_text(by_hand->arena, by_hand->scope, by_hand->host->name, (struct place){0},
                    node->text, &text) != NULL)
        return node->text;
    return text;
}

const char *by_hand_value(const struct by_hand *by_hand, const char *name)
{
    const struct value *value = scope_find(by_hand->scope, by_hand->host->name, name);
    return value == NULL ? NULL : value->text;
}

const char *by_hand_word(const struct by_hand *by_hand, const char *text)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "_-./:@%+=,";
    CLEANUP(text_release) struct text word = {0};
    if (*text != '\0' && strspn(text, safe) == strlen(text))
        return text;
    text_append_shell(&word, text, strlen(text));
    return text_copy(&word, by_hand->arena);
}

const char *by_hand_user(const struct by_hand *by_hand)
{
    const char *user = by_hand->step->as, *expanded;
    if (user != NULL && expand_text(by_hand->arena, by_hand->scope, by_hand->host->name,
                                    (struct place){0}, user, &expanded) == NULL)
        user = expanded;
    return user;
}

const struct host_settings *by_hand_role(const struct by_hand *by_hand, const char *role)
{
    for (size_t i = 0; i < by_hand->role_count; i++)
        if (equal(by_hand->roles[i].name, role) && by_hand->roles[i].count > 0)
            return by_hand->roles[i].hosts[0];
    return cluster_find_host(by_hand->cluster, role);
}

/* Does TEXT have a line that is END? */
static bool has_line(const char *text, const char *end)
{
    size_t length = strlen(end);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, end, length) == 0 && (line[length] == '\n' || line[length] == '\0'))
            return true;
    }
    return false;
}

const char *by_hand_document(const struct by_hand *by_hand, const char *end, const char *text)
{
    const char *unique = end;
    for (int number = 2; has_line(text, unique); number++)
        unique = arena_printf(by_hand->arena, "%s%d", end, number);
    return arena_printf(by_hand->arena, "<<'%s'\n%s%s%s\n", unique, text,
                        *text == '\0' || ends_with(text, "\n") ? "" : "\n", unique);
}

static void append_option(const struct by_hand *by_hand, struct text *text, const char *option,
                          const char *value)
{
    if (value != NULL)
        text_append_format(text, " %s %s", option, by_hand_word(by_hand, value));
}

static void append_ssh(const struct by_hand *by_hand, struct text *text,
                       const struct host_settings *host)
{
    const char *destination = host->address;
    text_append(text, "ssh");
    append_option(by_hand, text, "-F", host->ssh.config);
    if (host->ssh.port != 22)
        text_append_format(text, " -p %d", host->ssh.port);
    append_option(by_hand, text, "-i", host->ssh.identity);
    append_option(by_hand, text, "-J", host->ssh.jump);
    if (host->ssh.known_hosts != NULL)
        append_option(by_hand, text, "-o",
                      arena_printf(by_hand->arena, "UserKnownHostsFile=%s", host->ssh.known_hosts));
    if (host->ssh.user != NULL)
        destination = arena_printf(by_hand->arena, "%s@%s", host->ssh.user, host->address);
    text_append_format(text, " %s ", by_hand_word(by_hand, destination));
}

static void append_become(const struct by_hand *by_hand, struct text *text,
                          const struct host_settings *host, const char *user)
{
    if (user == NULL || equal(user, host->ssh.user) || equal(host->ssh.become, "none"))
        return;
    text_append_format(text, equal(host->ssh.become, "doas") ? "doas -n -u %s " : "sudo -n -u %s ",
                       by_hand_word(by_hand, by_hand_word(by_hand, user)));
}

const char *by_hand_script(const struct by_hand *by_hand, const struct host_settings *host,
                           const char *user, const char *script)
{
    CLEANUP(text_release) struct text text = {0};
    append_ssh(by_hand, &text, host);
    append_become(by_hand, &text, host, user);
    text_append_format(&text, "/bin/sh -eu %s", by_hand_document(by_hand, "SH", script));
    return text_copy(&text, by_hand->arena);
}

/* What an action that has no words of its own for it would do. */
static void describe(const struct by_hand *by_hand, struct description *out)
{
    const struct outline outline = {.arena = by_hand->arena,
                                    .plan = by_hand->plan,
                                    .cluster = by_hand->cluster,
                                    .scope = by_hand->scope,
                                    .step = by_hand->step};
    if (by_hand->step->action != NULL)
        by_hand->step->action->describe(&outline, out);
}

static void wait_by_hand(const struct by_hand *by_hand, struct description *out)
{
    const struct node *params = by_hand->step->params;
    const struct node *fail_when = node_find(params, "fail-when");
    // A guard's own map has the condition.
    by_hand_condition(by_hand, out, params,
                      params == by_hand->step->node ? "All is well while" : "Repeat until");
    if (fail_when != NULL)
        by_hand_condition(by_hand, out, fail_when, "It has failed if");
}

void by_hand_step(const struct by_hand *by_hand, struct description *out)
{
    static const struct {
        const struct action *action;
        void (*write)(const struct by_hand *by_hand, struct description *out);
    } table[] = {
        {&sql_action, by_hand_sql},         {&remote_shell_action, by_hand_shell},
        {&edit_conf_action, by_hand_conf},  {&patroni_action, by_hand_patroni},
        {&wait_until_action, wait_by_hand},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++)
        if (table[i].action == by_hand->step->action) {
            table[i].write(by_hand, out);
            return;
        }
    describe(by_hand, out);
}
