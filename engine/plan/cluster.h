/*
 * The cluster file: the hosts of one cluster and how to reach them. See
 * schemas/cluster.schema.json.
 */
#ifndef PLAN_CLUSTER_H
#define PLAN_CLUSTER_H

#include "base/settings.h"
#include "plan/inputs.h"
#include "plan/value.h"

struct cluster {
    const char *file;
    const char *name;                  /* Patroni scope */
    const char *system_identifier;     /* NULL: not said */
    const struct host_settings *hosts; /* in the order written */
    size_t host_count;
    const struct node *roles;     /* NULL, or a map of role to a list of host names, best first */
    const struct node *variables; /* NULL, or a map of variable to scalar */
    const char *journal;          /* NULL: not said; else joined to the file's folder */
};

/* NULL if the file has errors: FINDINGS tell them all. Paths are joined to the file's folder. */
const struct cluster *cluster_read(struct arena *arena, struct inputs *inputs, const char *path,
                                   struct findings *findings);

const struct host_settings *cluster_find_host(const struct cluster *cluster, const char *name);

/* Sets cluster, host.*, ssh.*, postgres.* and patroni.* of every host, as the cluster file spells
 * them. */
void cluster_fill_scope(const struct cluster *cluster, struct scope *scope);

#endif
