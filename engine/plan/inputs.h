/*
 * The files that a run rests on: the plan, the cluster file, its defaults, SQL and shell files.
 * Each is read once; the run keeps a copy byte for byte (inputs_freeze) and resume reads the
 * copies, never the originals. Secrets, keys and known-hosts are not inputs.
 */
#ifndef PLAN_INPUTS_H
#define PLAN_INPUTS_H

#include "base/error.h"
#include "base/text.h"

struct input {
    const char
        *role; /* "plan", "cluster", "defaults", "file"; "preview": the one that is expected */
    const char *path; /* of the original, absolute once the program has started */
    const char *bytes;
    size_t length;
    char digest[DIGEST_SIZE];
    const struct input *next;
};

struct inputs;
struct inputs *inputs_live(struct arena *arena);

/* From a run's plan/ folder, written by inputs_freeze. A digest that differs is an error. */
struct error *inputs_frozen(struct arena *arena, const char *folder, struct inputs **out);

/* Reads PATH (or its frozen copy) once; the same path again returns the same input. */
struct error *inputs_read(struct inputs *inputs, const char *role, const char *path, size_t limit,
                          const struct input **out);

/* Writes all that were read into FOLDER (made, 0700), with a manifest. */
struct error *inputs_freeze(struct arena *arena, const struct inputs *inputs, const char *folder);

/* The first that was read as ROLE, or NULL. */
const struct input *inputs_of_role(const struct inputs *inputs, const char *role);

/* PATH is what BYTES say, whether or not there is such a file. Both must outlive INPUTS. */
void inputs_put(struct inputs *inputs, const char *role, const char *path, const char *bytes,
                size_t length);

/* In the order that they were read. */
const struct input *inputs_first(const struct inputs *inputs);

#endif
