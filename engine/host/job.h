/*
 * A job is a script that runs on a host detached from our connection, at most once, with its exact
 * exit status kept there. It survives our death and the connection's; whoever comes later finds it
 * by its id, sees its output and status, and can never start it a second time. A reboot, a dead
 * runner and a truncated transfer are told apart from "not started".
 *
 * Everything of a run on a host lies in one private folder for each user that its steps act as:
 * ~USER/.holdback/RUN/ (0700, owner checked). A job, and a folder that is made, need the claim
 * (claim.h).
 */
#ifndef HOST_JOB_H
#define HOST_JOB_H

#include "host/host.h"

struct job_request {
    const char *run;  /* run id: letters, digits, '-' and '.' */
    const char *id;   /* operation id: 64 hex digits */
    const char *user; /* as in shell_request */
    const char *interpreter;
    const char *script;
    const struct shell_environment *environment;
    size_t environment_count;
    const char *input; /* its standard input, or NULL; never written to a file */
    size_t input_length;
    int64_t deadline_ms;
};

enum job_state {
    JOB_NOT_STARTED,
    JOB_RUNNING,
    JOB_DONE,
    JOB_IN_DOUBT, /* it was started, and its status is not known: reason in job_result.why */
};

struct job_result {
    enum job_state state;
    int status; /* JOB_DONE: 0..255, 128 + n for signal n */
    const char *why;
    struct text out, err; /* from the offsets that were asked for */
};
void job_result_release(struct job_result *result);

/*
 * Stages and starts the job if it was never started, and waits for its end on the same channel; if
 * it was started before, re-attaches. ON_OUTPUT (may be NULL) is called with new output as it
 * comes. ERROR_TIMEOUT and ERROR_STOPPED leave it running; *out then says JOB_RUNNING.
 */
struct error *job_run(struct host *host, struct arena *arena, const struct job_request *request,
                      void (*on_output)(void *context, const char *bytes, size_t length),
                      void *context, struct job_result *out);

/* What became of it; starts nothing. */
struct error *job_look(struct host *host, struct arena *arena, const char *run, const char *id,
                       const char *user, int64_t deadline_ms, struct job_result *out);

/* The run's private folder on the host, for USER; made if MAKE. */
struct error *run_folder(struct host *host, struct arena *arena, const char *run, const char *user,
                         bool make, int64_t deadline_ms, const char **out);

/* Removes the run's private folder. Fails if a job of it still runs. */
struct error *run_folder_remove(struct host *host, struct arena *arena, const char *run,
                                const char *user, int64_t deadline_ms);

#endif
