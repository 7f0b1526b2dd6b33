#include "plan/cluster_host.h"

#include "base/file.h"
#include "base/text.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * The keys of a host's sections: read from the file, and values of a plan, under the same names.
 */
static const struct field {
    const char *section, *key;
    enum { FIELD_TEXT, FIELD_PATH, FIELD_NUMBER, FIELD_SECRET } kind;
    size_t offset;
} fields[] = {
#define FIELD(section, key, kind, member)                                                          \
    {                                                                                              \
        section, key, kind, offsetof(struct host_settings, member)                                 \
    }
    FIELD("ssh", "user", FIELD_TEXT, ssh.user),
    FIELD("ssh", "port", FIELD_NUMBER, ssh.port),
    FIELD("ssh", "identity", FIELD_PATH, ssh.identity),
    FIELD("ssh", "known-hosts", FIELD_PATH, ssh.known_hosts),
    FIELD("ssh", "jump", FIELD_TEXT, ssh.jump),
    FIELD("ssh", "config", FIELD_PATH, ssh.config),
    FIELD("ssh", "become", FIELD_TEXT, ssh.become),
    FIELD("postgres", "reach", FIELD_TEXT, postgres.reach),
    FIELD("postgres", "os-user", FIELD_TEXT, postgres.os_user),
    FIELD("postgres", "socket-directory", FIELD_TEXT, postgres.socket_directory),
    FIELD("postgres", "port", FIELD_NUMBER, postgres.port),
    FIELD("postgres", "user", FIELD_TEXT, postgres.user),
    FIELD("postgres", "database", FIELD_TEXT, postgres.database),
    FIELD("postgres", "password", FIELD_SECRET, postgres.password),
    FIELD("postgres", "sslmode", FIELD_TEXT, postgres.sslmode),
    FIELD("postgres", "ca", FIELD_PATH, postgres.tls.ca),
    FIELD("postgres", "certificate", FIELD_PATH, postgres.tls.certificate),
    FIELD("postgres", "key", FIELD_PATH, postgres.tls.key),
    FIELD("postgres", "data-directory", FIELD_TEXT, postgres.data_directory),
    FIELD("postgres", "bin-directory", FIELD_TEXT, postgres.bin_directory),
    FIELD("postgres", "restore-command", FIELD_TEXT, postgres.restore_command),
    FIELD("patroni", "reach", FIELD_TEXT, patroni.reach),
    FIELD("patroni", "scheme", FIELD_TEXT, patroni.scheme),
    FIELD("patroni", "ca", FIELD_PATH, patroni.tls.ca),
    FIELD("patroni", "certificate", FIELD_PATH, patroni.tls.certificate),
    FIELD("patroni", "key", FIELD_PATH, patroni.tls.key),
    FIELD("patroni", "port", FIELD_NUMBER, patroni.port),
    FIELD("patroni", "user", FIELD_TEXT, patroni.user),
    FIELD("patroni", "password", FIELD_SECRET, patroni.password),
    FIELD("patroni", "config", FIELD_TEXT, patroni.config),
    FIELD("patroni", "service", FIELD_TEXT, patroni.service),
#undef FIELD
};

const struct node *cluster_find_value(const struct cluster_sources *sources,
                                      const struct node *host, const char *section, const char *key,
                                      const struct cluster_source **source)
{
    const struct node *value = node_find(node_find(host, section), key);

    *source = &sources->own;
    if (value == NULL)
        value = node_find(node_find(sources->own.root, section), key);
    if (value == NULL) {
        *source = &sources->defaults;
        value = node_find(node_find(sources->defaults.root, section), key);
    }
    return value;
}

static const char *find_default(struct arena *arena, const struct schema *schema,
                                const struct field *field)
{
    return schema_default(
        schema, arena_printf(arena, "#/definitions/%s/properties/%s", field->section, field->key));
}

static struct secret_reference read_secret(struct arena *arena, const struct node *node,
                                           const char *folder)
{
    struct secret_reference secret = {.source = SECRET_NONE};

    if (node == NULL)
        return secret;
    if (equal(node->child->key, "file")) {
        secret.source = SECRET_FILE;
        secret.argument = path_join(arena, folder, node->child->text);
    } else {
        secret.source = equal(node->child->key, "env") ? SECRET_ENV : SECRET_COMMAND;
        secret.argument = node->child->text;
    }
    if (secret.source == SECRET_ENV)
        secret_variable_add(secret.argument);
    return secret;
}

static void read_field(struct arena *arena, const struct cluster_sources *sources,
                       const struct node *node, const struct field *field,
                       struct host_settings *host)
{
    const struct cluster_source *source;
    const struct node *value =
        cluster_find_value(sources, node, field->section, field->key, &source);
    const char *text = value == NULL ? find_default(arena, sources->schema, field) : value->text;
    void *member = (char *)host + field->offset;

    switch (field->kind) {
    case FIELD_TEXT:
        *(const char **)member = text;
        break;
    case FIELD_PATH:
        *(const char **)member = text == NULL ? NULL : path_join(arena, source->folder, text);
        break;
    case FIELD_NUMBER:
        *(int *)member = text == NULL ? 0 : (int)strtol(text, NULL, 10);
        break;
    case FIELD_SECRET:
        *(struct secret_reference *)member = read_secret(arena, value, source->folder);
        break;
    }
}

void cluster_host_read(struct arena *arena, const struct cluster_sources *sources,
                       const struct node *host, struct host_settings *out)
{
    const char *member = node_text(host, "member");

    out->name = host->key;
    out->address = node_text(host, "address");
    out->member = member == NULL ? host->key : member;
    for (size_t at = 0; at < ARRAY_COUNT(fields); at++)
        read_field(arena, sources, host, &fields[at], out);

    // A socket and a tunnel through SSH do without TLS.
    if (!equal(out->postgres.reach, "direct"))
        out->postgres.sslmode = NULL;
}

static void set_alike(const struct cluster *cluster, struct scope *scope, const char *name)
{
    const struct value *first = scope_find(scope, cluster->hosts[0].name, name);

    for (size_t at = 1; first != NULL && at < cluster->host_count; at++) {
        const struct value *other = scope_find(scope, cluster->hosts[at].name, name);

        if (other == NULL || !equal(other->text, first->text))
            return;
    }
    if (first != NULL)
        scope_set(scope, NULL, name, *first);
}

void cluster_fill_scope_alike(const struct cluster *cluster, struct scope *scope)
{
    for (size_t at = 0; cluster->host_count > 0 && at < ARRAY_COUNT(fields); at++) {
        char name[64];

        (void)snprintf(name, sizeof name, "%s.%s", fields[at].section, fields[at].key);
        set_alike(cluster, scope, name);
    }
}

void cluster_host_fill_scope(const struct host_settings *host, struct scope *scope)
{
    scope_set_text(scope, host->name, "host.name", host->name);
    scope_set_text(scope, host->name, "host.address", host->address);
    scope_set_text(scope, host->name, "host.member", host->member);
    for (size_t at = 0; at < ARRAY_COUNT(fields); at++) {
        const struct field *field = &fields[at];
        const void *member = (const char *)host + field->offset;
        char name[64], number[16];

        (void)snprintf(name, sizeof name, "%s.%s", field->section, field->key);
        if (field->kind == FIELD_NUMBER) {
            int port = *(const int *)member;

            (void)snprintf(number, sizeof number, "%d", port);
            scope_set(scope, host->name, name,
                      (struct value){.type = VALUE_INTEGER, .text = number, .number = port});
        } else if (field->kind != FIELD_SECRET && *(const char *const *)member != NULL) {
            scope_set_text(scope, host->name, name, *(const char *const *)member);
        }
    }
}
