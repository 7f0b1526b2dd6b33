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
    const char *defaults_file;         /* NULL: none */
    const char *name;                  /* Patroni scope */
    const char *system_identifier;     /* NULL: not said */
    const struct host_settings *hosts; /* in the order written */
    size_t host_count;
    const struct node *roles;     /* NULL, or a map of role to a list of host names, best first */
    const struct node *variables; /* NULL, or a map of variable to scalar or secret reference */
    const char *journal;          /* NULL: not said; else joined to the file's folder */
    const struct node *root;      /* the cluster file as written, without the defaults */
};

/* NULL if the file has errors: FINDINGS tell them all. Paths are joined to the file's folder. */
const struct cluster *cluster_read(struct arena *arena, struct inputs *inputs, const char *path,
                                   struct findings *findings);

const struct host_settings *cluster_find_host(const struct cluster *cluster, const char *name);

/*
 * The file that a child of `roles` or `variables` was written in: the cluster file or its defaults.
 * A path there is relative to this file's folder.
 */
const char *cluster_file_of(const struct cluster *cluster, const struct node *child);

/* Sets cluster, host.*, ssh.*, postgres.* and patroni.* of every host, as the cluster file spells
 * them. */
void cluster_fill_scope(const struct cluster *cluster, struct scope *scope);

/*
 * Beside it: those of ssh.*, postgres.* and patroni.* that are the same on all hosts, as values of
 * no host in particular. For texts that are shown once for all hosts.
 */
void cluster_fill_scope_alike(const struct cluster *cluster, struct scope *scope);

#endif
