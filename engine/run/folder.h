/*
 * Where runs live: <journal>/<cluster>/<run>/, each with its plan/, journal.jsonl and lock.
 */
#ifndef RUN_FOLDER_H
#define RUN_FOLDER_H

#include "run/run.h"

/* Decides where runs live: what was asked for, else the cluster file's (may be NULL), else the
 * default. */
struct run_place run_place_resolve(struct arena *arena, const struct run_place *asked,
                                   const char *cluster_journal);

/*
 * The cluster's folder, made if need be, locked against another holdback that is about to start a
 * run in it. Close *lock_fd to let go.
 */
struct error *cluster_folder_lock(struct arena *arena, const char *journal, const char *cluster,
                                  const char **folder, int *lock_fd);

/* A new run's folder in the cluster's folder: its id says when it began. */
struct error *run_folder_create(struct arena *arena, const char *cluster_folder, const char **id,
                                const char **folder);

/* Takes the run for this process, or ERROR_LOCKED with who has it. */
struct error *run_lock(struct arena *arena, const char *folder, int *lock_fd);

/* A lock that nobody has, in the place of the one that a process may still have. */
struct error *run_lock_renew(struct arena *arena, const char *folder);

/* "alice on ops1, pid 4711, since ..." of a living process that has the run, or NULL. */
const char *run_lock_holder(struct arena *arena, const char *folder);

/* Who we are, for journals, locks and claims. */
const char *user_name(struct arena *arena);
const char *machine_name(struct arena *arena);

/* Syncs a folder, so that what was made in it survives a power loss. */
struct error *folder_sync_entry(struct arena *arena, const char *path);

#endif
