/*
 * deploy --expect: what was reviewed is what runs. Here are the inputs, before anything is touched;
 * the facts of a live preview are compared by the run itself, before its preflight.
 */
#ifndef CLI_EXPECT_H
#define CLI_EXPECT_H

#include "cli/preview.h"

/*
 * Reads what the deployment rests on, and the saved preview beside it: *out is all of it, for
 * run_options.inputs, so that the very bytes run that were compared. An error (ERROR_INPUT): the
 * preview is none, is older than --max-age, or is of other inputs. FINDINGS: the plan or the
 * cluster file is wrong.
 */
struct error *expect_inputs(struct cli *cli, struct findings *findings, struct inputs **out);

/* PREVIEW is of the deployment, SAVED what the file INPUT says. In expect.c. */
struct error *expect_compare_inputs(struct preview *preview, const struct input *input,
                                    const struct node *saved);

#endif
