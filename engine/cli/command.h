/*
 * What every command is given, and what several of them share. A command returns the program's exit
 * status. Results go to standard output, everything else to standard error.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/options.h"
#include "cli/report.h"
#include "run/run.h"

struct cli {
    struct arena *arena;
    const struct options *options;
    struct terminal out, err;
    const char *where; /* "--journal DIR": what printed commands need too; NULL: nothing */
};

int command_init(struct cli *cli);
int command_check(struct cli *cli);
int explain(struct cli *cli); /* check --explain */
int command_preview(struct cli *cli);
int command_deploy(struct cli *cli);
int command_resume(struct cli *cli);
int command_commit(struct cli *cli);
int command_rollback(struct cli *cli);
int command_loss(struct cli *cli);
int command_status(struct cli *cli);
int command_runs(struct cli *cli);
int command_log(struct cli *cli);
int command_resolve(struct cli *cli);
int command_close(struct cli *cli);
int command_verify(struct cli *cli);

/* Reports on standard error. Returns the exit status. */
int cli_fail(struct cli *cli, const struct error *error);
int cli_refuse(struct cli *cli, const struct inputs *inputs,
               struct findings *findings); /* input is wrong: 3 */

/* Writes to standard output; a reader that went away is no error, a full disk is. */
int cli_print(struct cli *cli, const struct text *text, int status);
void cli_say(struct cli *cli, const struct text *text); /* to standard error */

/*
 * Where runs live: --journal, $HOLDBACK_JOURNAL, the cluster file of -c, the default. *cluster is
 * the name of the cluster of -c, or NULL. FINDINGS tell what is wrong with the cluster file; then
 * an error is returned that need not be told.
 */
struct error *cli_place(struct cli *cli, struct findings *findings, struct run_place *place,
                        const char **cluster);

/* The folder of the same, where the cluster file (or NULL) has been read already. */
const char *cli_journal(struct cli *cli, const struct cluster *cluster);

/* The current folder: what a path of --set is relative to. */
const char *cli_folder(struct cli *cli);

/* The run that is named, or the only one that is open. */
struct error *cli_find_run(struct cli *cli, const char *id, struct run_place *place,
                           const struct run_summary **out);

/* What run_* needs, from the options, but the observer. From here on signals are caught. */
struct error *cli_run_options(struct cli *cli, struct findings *findings, struct run_options *out);

/* "what to type now", one command a line; nothing if there is nothing to type. Not SKIP (or NULL).
 */
void next_append(struct text *text, struct cli *cli, const struct run_summary *summary,
                 const char *skip);

/*
 * A host as people know it: "leader (pg1)"; what is so already stays so. ROLES is a map of role to
 * hosts, as it was pinned (NULL: not yet known), HOSTS what the step says.
 */
const char *host_title(struct arena *arena, const struct node *roles, const struct node *hosts,
                       const char *host);

/* The roles that a run has pinned, from its journal, or NULL. */
const struct node *summary_roles(const struct run_summary *summary);

/* "40 ms", "1.4 s", "12 s", "3:12", "1:03:12". OUT has room for DURATION_SIZE. */
#define DURATION_SIZE 24
const char *duration_words(int64_t duration_ms, char out[DURATION_SIZE]);

#endif
