/* The parts of the action remote-shell. */
#ifndef ACTIONS_REMOTE_SHELL_H
#define ACTIONS_REMOTE_SHELL_H

#include "host/job.h"
#include "work.h"

/*
 * For a job that has ended: shows its output and saves what the step saves. An error if its exit
 * status is no success, or if what it printed cannot be saved.
 */
struct error *remote_shell_finish(struct work *work, const struct job_result *result);

#endif
