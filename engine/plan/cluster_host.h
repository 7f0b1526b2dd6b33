/*
 * The settings of one host: put together from the cluster file and its defaults, and given to plans
 * as values.
 */
#ifndef PLAN_CLUSTER_HOST_H
#define PLAN_CLUSTER_HOST_H

#include "plan/cluster.h"
#include "plan/schema.h"

/* A file as it was read; a path in it is relative to its folder. */
struct cluster_source {
    const char *file, *folder;
    const struct node *root; /* NULL: there is no such file */
};

struct cluster_sources {
    const struct schema *schema; /* cluster.schema.json, for its defaults */
    struct cluster_source own, defaults;
};

/*
 * The strongest value of a key in a section, and where it is written: under HOST, else in the
 * cluster file, else in the defaults; NULL if nowhere.
 */
const struct node *cluster_find_value(const struct cluster_sources *sources,
                                      const struct node *host, const char *section, const char *key,
                                      const struct cluster_source **source);

/* HOST: the host's map in the cluster file. */
void cluster_host_read(struct arena *arena, const struct cluster_sources *sources,
                       const struct node *host, struct host_settings *out);

/* Sets host.*, ssh.*, postgres.* and patroni.* of the host; never a secret. */
void cluster_host_fill_scope(const struct host_settings *host, struct scope *scope);

#endif
