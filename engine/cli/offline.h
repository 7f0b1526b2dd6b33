/*
 * The fence around what must stay offline. A preview of a plan from a stranger is made in CI, where
 * the plan must not be able to reach, start or change anything, whatever mistake we have made.
 */
#ifndef CLI_OFFLINE_H
#define CLI_OFFLINE_H

#include "base/error.h"

/*
 * From here on the kernel kills the whole process (SIGSYS) when it makes a socket or connects,
 * starts a program or a process, or opens a file for writing. What is open stays usable, reading
 * stays possible, and it cannot be undone. Call it when everything is read and the output is open.
 * It is a net below code that does none of this, not a sandbox for foreign code: all that is not
 * named is allowed, so that another version of a library cannot be killed for a harmless call.
 *
 * Linux 4.14 or later, x86_64 or aarch64. An error: the kernel refused, and nothing has changed.
 */
struct error *offline_enter(struct arena *arena);

#endif
