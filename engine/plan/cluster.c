#include "plan/cluster.h"

#include "base/file.h"
#include "base/table.h"
#include "plan/cluster_host.h"
#include "plan/yaml.h"

#include <string.h>

struct reading {
    struct arena *arena;
    struct inputs *inputs;
    struct findings *findings;
    struct cluster_sources sources;
    struct table hosts;         /* name to struct node */
    const struct node *refused; /* told once, not for each host */
};

static const struct schema *load_schema(const struct reading *reading, const char *name)
{
    const struct schema *schema = NULL;
    const struct error *error = schema_load(reading->arena, name, &schema);

    if (error != NULL)
        findings_add(reading->findings, (struct place){.file = NULL}, NULL, "%s",
                     error_text(reading->arena, error));
    return schema;
}

/* Reads and checks one file; PLACE is where it is named. False if it has errors. */
static bool read_source(const struct reading *reading, const char *role, const char *path,
                        const struct schema *schema, struct place place, struct cluster_source *out)
{
    size_t errors_before = reading->findings->error_count;
    const struct input *input;
    struct error *error = inputs_read(reading->inputs, role, path, YAML_LARGEST, &input);

    if (error != NULL) {
        findings_add(reading->findings, place, NULL, "%s", error->message);
        return false;
    }

    const struct node *root =
        yaml_parse(reading->arena, path, input->bytes, input->length, reading->findings);

    if (root != NULL)
        schema_check(schema, path, root, reading->findings, NULL);
    *out = (struct cluster_source){
        .file = path, .folder = path_folder(reading->arena, path), .root = root};
    return reading->findings->error_count == errors_before;
}

static bool read_sources(struct reading *reading, const char *path, const struct schema *schema)
{
    const struct schema *defaults_schema = load_schema(reading, "defaults.schema.json");
    bool is_good = read_source(reading, "cluster", path, schema, (struct place){.file = path},
                               &reading->sources.own);
    const struct node *defaults = node_find(reading->sources.own.root, "defaults");

    if (defaults == NULL || defaults->kind != NODE_TEXT || defaults_schema == NULL)
        return is_good;
    return read_source(reading, "defaults",
                       path_join(reading->arena, reading->sources.own.folder, defaults->text),
                       defaults_schema, node_place(path, defaults), &reading->sources.defaults) &&
           is_good;
}

/* A password must not travel in the clear; through SSH it does not. */
static void check_patroni(struct reading *reading, const struct node *node,
                          const struct host_settings *host)
{
    const struct cluster_source *source;
    const struct node *value =
        cluster_find_value(&reading->sources, node, "patroni", "reach", &source);

    if (!equal(host->patroni.reach, "direct") || equal(host->patroni.scheme, "https") ||
        value == reading->refused)
        return;
    reading->refused = value;
    findings_add(reading->findings, node_place(source->file, value),
                 "Write scheme: https, or reach Patroni through SSH.",
                 "Patroni cannot be reached directly over plain http");
}

static void read_hosts(struct reading *reading, struct cluster *cluster)
{
    const struct node *hosts = node_find(reading->sources.own.root, "hosts");
    struct host_settings *settings = arena_alloc(reading->arena, hosts->count * sizeof *settings);
    struct table members;

    table_init(&reading->hosts, reading->arena);
    table_init(&members, reading->arena);
    NODE_EACH(node, hosts)
    {
        struct host_settings *host = &settings[cluster->host_count++];

        cluster_host_read(reading->arena, &reading->sources, node, host);
        check_patroni(reading, node, host);
        *table_place(&reading->hosts, node->key) = (void *)node;

        void **first = table_place(&members, host->member);

        if (*first != NULL)
            findings_add(reading->findings, node_key_place(reading->sources.own.file, node), NULL,
                         "hosts \"%s\" and \"%s\" are the same Patroni member \"%s\"",
                         ((struct host_settings *)*first)->name, host->name, host->member);
        *first = host;
    }
    cluster->hosts = settings;
}

/* A map with OWN's children and those of DEFAULTS that OWN does not have. */
static const struct node *merge(struct arena *arena, const struct node *own,
                                const struct node *defaults)
{
    struct node *map = arena_alloc(arena, sizeof *map);
    const struct node **end = &map->child;
    const struct node *sources[] = {own, defaults};
    struct table keys;

    if (own == NULL || defaults == NULL)
        return own == NULL ? defaults : own;
    table_init(&keys, arena);
    *map = (struct node){.kind = NODE_MAP};
    for (size_t at = 0; at < ARRAY_COUNT(sources); at++) {
        NODE_EACH(child, sources[at])
        {
            void **known = table_place(&keys, child->key);

            if (*known != NULL)
                continue;
            *known = (void *)child;

            struct node *copy = arena_alloc(arena, sizeof *copy);

            *copy = *child;
            copy->next = NULL;
            *end = copy;
            end = &copy->next;
            map->count++;
        }
    }
    return map;
}

static const char *suggest_host(const struct reading *reading, const char *name)
{
    const struct node *hosts = node_find(reading->sources.own.root, "hosts");
    const char *candidates[64];
    size_t count = 0;

    NODE_EACH(host, hosts)
    {
        if (count < ARRAY_COUNT(candidates))
            candidates[count++] = host->key;
    }
    return findings_suggest(reading->findings, name, candidates, count);
}

static void check_roles(const struct reading *reading, const struct cluster_source *source)
{
    const struct node *roles = node_find(source->root, "roles");

    NODE_EACH(role, roles)
    {
        NODE_EACH(name, role)
        {
            if (table_find(&reading->hosts, name->text) == NULL)
                findings_add(reading->findings, node_place(source->file, name),
                             suggest_host(reading, name->text), "cluster has no host %s",
                             findings_quote(reading->findings, name->text));
        }
    }
}

static const char *read_journal(const struct reading *reading)
{
    const struct cluster_source *source = &reading->sources.own;
    const char *journal = node_text(source->root, "journal");

    if (journal == NULL) {
        source = &reading->sources.defaults;
        journal = node_text(source->root, "journal");
    }
    return journal == NULL ? NULL : path_join(reading->arena, source->folder, journal);
}

const struct cluster *cluster_read(struct arena *arena, struct inputs *inputs, const char *path,
                                   struct findings *findings)
{
    struct reading reading = {.arena = arena, .inputs = inputs, .findings = findings};
    size_t errors_before = findings->error_count;
    const struct schema *schema = load_schema(&reading, "cluster.schema.json");

    if (schema == NULL || !read_sources(&reading, path, schema))
        return NULL;

    reading.sources.schema = schema;

    const struct node *own = reading.sources.own.root, *defaults = reading.sources.defaults.root;
    struct cluster *cluster = arena_alloc(arena, sizeof *cluster);

    cluster->file = path;
    cluster->defaults_file = reading.sources.defaults.file;
    cluster->name = node_text(own, "cluster");
    cluster->system_identifier = node_text(own, "system-identifier");
    cluster->root = own;
    cluster->journal = read_journal(&reading);
    cluster->roles = merge(arena, node_find(own, "roles"), node_find(defaults, "roles"));
    cluster->variables =
        merge(arena, node_find(own, "variables"), node_find(defaults, "variables"));
    read_hosts(&reading, cluster);
    check_roles(&reading, &reading.sources.own);
    check_roles(&reading, &reading.sources.defaults);
    return findings->error_count == errors_before ? cluster : NULL;
}

const struct host_settings *cluster_find_host(const struct cluster *cluster, const char *name)
{
    for (size_t at = 0; at < cluster->host_count; at++) {
        if (strcmp(cluster->hosts[at].name, name) == 0)
            return &cluster->hosts[at];
    }
    return NULL;
}

const char *cluster_file_of(const struct cluster *cluster, const struct node *child)
{
    static const char *const maps[] = {"roles", "variables"};

    for (size_t at = 0; at < ARRAY_COUNT(maps); at++) {
        const struct node *own = node_find(node_find(cluster->root, maps[at]), child->key);

        // A merged child is a copy, but its key is the same bytes in memory.
        if (own != NULL && own->key == child->key)
            return cluster->file;
    }
    return cluster->defaults_file;
}

void cluster_fill_scope(const struct cluster *cluster, struct scope *scope)
{
    scope_set_text(scope, NULL, "cluster", cluster->name);
    if (cluster->system_identifier != NULL)
        scope_set_text(scope, NULL, "system-identifier", cluster->system_identifier);
    for (size_t at = 0; at < cluster->host_count; at++)
        cluster_host_fill_scope(&cluster->hosts[at], scope);
}
