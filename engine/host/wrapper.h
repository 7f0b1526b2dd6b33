/*
 * The constant shell texts that run on a host on behalf of job.h and file.h, and their answers: a
 * first line that says what happened, then bytes. Only their arguments vary. They need a POSIX
 * shell (dash), coreutils, and flock and setsid from util-linux.
 */
#ifndef HOST_WRAPPER_H
#define HOST_WRAPPER_H

#include "host/inside.h"

/* Functions for the texts below: fail, make_folder, claimed; $nl is a newline. */
extern const char wrapper_common[];

/* Functions of job.c: job_prepare, job_launch, job_report; and the text of the runner. */
extern const char wrapper_job[], wrapper_runner[];

/*
 * Makes one body of TEXTS (NULL-terminated), with ARGUMENTS as $1…, and sends it. "error …" and
 * "lost …" in the first line become errors, whose message begins with WHAT; else the line is *WORD
 * and *REST, and OUT keeps what follows it.
 */
struct wrapper_call {
    const char *what;
    const char *const *arguments, *const *texts;
    bool is_change;          /* the claim is compared first, and its folder stays locked as 8 */
    struct shell_call shell; /* body is filled in */
};
struct error *wrapper_call(struct host *host, struct arena *arena, struct wrapper_call *call,
                           struct shell_result *out, const char **word, const char **rest);

/* Refuses names that could mean anything in a path. ID may be NULL. */
struct error *job_names_check(struct arena *arena, const char *run, const char *id);

/* The error for the answer "lost NUMBER RUN", of which REST is "NUMBER RUN". */
struct error *claim_lost(struct host *host, struct arena *arena, const char *rest);

#endif
