/* The certificate of a run as people read it, and its two files in the run's folder. */
#ifndef CLI_CERTIFICATE_H
#define CLI_CERTIFICATE_H

#include "cli/command.h"
#include "run/certificate.h"

/* NODE is a certificate; all that stands in it, for a pull request or a ticket. */
void certificate_markdown(struct arena *arena, const struct node *node, struct text *out);

/* "14 proven, 1 not proven", and whether any proof has failed. */
const char *certificate_count(struct arena *arena, const struct node *node, bool *has_failed);

/* Writes both files; *PATH is the Markdown's. */
struct error *certificate_write(struct arena *arena, const char *folder, const char *json,
                                const struct node *node, const char **path);

/* Where the Markdown of that run lies, or NULL. */
const char *certificate_path(struct arena *arena, const char *folder);

/*
 * After commit or rollback: asks, writes, and tells where. What goes wrong is told and changes
 * nothing: the run has come to its end, and `holdback verify` writes it again.
 */
void certificate_make(struct cli *cli, const struct run_options *options,
                      const struct run_summary *summary);

#endif
