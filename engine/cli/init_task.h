/* What the files of `holdback init` share while the command runs. */
#ifndef CLI_INIT_TASK_H
#define CLI_INIT_TASK_H

#include "base/file.h"
#include "cli/command.h"
#include "cli/init.h"

enum { INIT_FILES_MOST = 64 };

struct init_task {
    struct cli *cli;
    struct arena *arena;
    struct init init;
    const char *directory;
    const char *cluster_path, *plan_path, *migration_path; /* in DIRECTORY */
    struct text cluster, notes;
    struct new_file files[INIT_FILES_MOST];
    size_t file_count;
};

/* Which files with which bytes; the cluster file is the last: where it is, everything is. */
void init_choose_files(struct init_task *task);

/* As `check --strict` will, on the bytes that are to be written; what it finds becomes a note. */
void init_check(struct init_task *task);

/* All of them or none; an existing cluster file is never taken for ours. */
struct error *init_write(struct init_task *task);

/* What was found, what is to be looked at, what to type next. Returns the exit status. */
int init_tell(struct init_task *task);

#endif
