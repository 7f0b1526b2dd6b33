/*
 * What the commands share: how they find or make a run, take it up, and end. Inside of this folder.
 */
#ifndef RUN_COMMAND_H
#define RUN_COMMAND_H

#include "run/engine.h"
#include "run/lifecycle.h"

/* ---- outcome.c ---- */

void run_begin(struct run *run, struct arena *arena, const struct run_options *options,
               struct findings *findings);
struct error *run_end(struct run *run, struct error *error, struct run_summary *summary);

/* Who goes on with the run, and with what. */
void command_record(struct run *run, const char *command);
void state_record(struct run *run, const struct transition *transition);

/* The last words of a command that did not come to its end; returns the error to tell. */
struct error *stop_record(struct run *run, struct error *error);

/* Leaves nothing on the hosts and closes the run. */
struct error *finish(struct run *run, enum run_event event);

/* ---- find.c ---- */

/* The run that is named, else the only open one, else the newest. Sets id, folder and place. */
struct error *run_choose(struct run *run);
struct error *run_open_journal(struct run *run);

/*
 * Instead of run_open_journal: asks, raises the number of the claim on every host, and goes on with
 * a journal and a lock of its own. In claims.c.
 */
struct error *run_take_over(struct run *run);

/* Plan, cluster file and values as they were frozen when the run began. */
struct error *run_load_files(struct run *run);

/* Loads the files, journals the command and the guards that a person waives; hosts are ready. */
struct error *run_reconnect(struct run *run, const char *command);

/* Goes on with another plan file: the rest of the run may differ. In replan.c. */
struct error *run_replan(struct run *run, const char *plan_file);

/* Connects, and makes sure that it is still the same cluster and still ours. */
struct error *run_verify(struct run *run);

/* ---- deploy.c, command.c ---- */

struct error *deploy_go(struct run *run);
struct error *deploy_phase(struct run *run);

/* The steps of deploy, and what --on-failure asks for where one fails. */
struct error *deploy_to_end(struct run *run);

struct error *rollback_go(struct run *run);

#endif
