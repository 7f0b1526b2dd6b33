/* The parts of the action remote-shell. */
#ifndef ACTIONS_REMOTE_SHELL_H
#define ACTIONS_REMOTE_SHELL_H

#include "host/job.h"
#include "work.h"

/* True if the job's standard input is a secret. */
bool remote_shell_reads_secret(const struct work *work);

/* That secret; none is no error. */
struct error *remote_shell_secret(struct work *work, struct secret *out);

/* Puts standard input into REQUEST; a secret is fetched into SECRET, which the caller releases. */
struct error *remote_shell_input(struct work *work, struct secret *secret,
                                 struct job_request *request);

/*
 * Takes the secret that the job read out of what it printed, and all of that if the secret is not
 * known (bytes NULL). True if there was something to take.
 */
bool remote_shell_hide(const struct work *work, const struct secret *secret, struct text *printed);

/*
 * For a job that has ended: shows its output, without SECRET, and saves what the step saves. An
 * error if its exit status is no success, or if what it printed cannot be saved.
 */
struct error *remote_shell_finish(struct work *work, const struct secret *secret,
                                  struct job_result *result);

#endif
