/*
 * holdback init: a first plan and cluster file from a running cluster. What was found out
 * (run/survey.h) becomes a text here, with a comment for everything that could not be.
 */
#ifndef CLI_INIT_H
#define CLI_INIT_H

#include "base/text.h"
#include "run/survey.h"

/* What goes into DIRECTORY/plans as it is. */
extern const struct embedded_file first_plan_files[];

/* The keys of a cluster file's section "ssh", and what is to stand there; NULL: nothing. */
enum { INIT_SSH_KEYS = 7 };
extern const char *const init_ssh_keys[INIT_SSH_KEYS];

struct init_host {
    const char *name; /* in the cluster file */
    const struct survey_member *member;
    const char *address;
    struct survey_probe probe;
};

struct init {
    const char *asked; /* the host that was asked, as it was typed */
    const char *ssh[INIT_SSH_KEYS];
    struct survey_host found; /* there */
    struct init_host *hosts;
    size_t host_count;
};

const char **init_ssh_value(struct init *init, const char *key); /* NULL: there is no such key */

/* One --ssh KEY=VALUE; PAIR has its "=". Paths come out as they can stand in any file. */
struct error *init_take_ssh(struct arena *arena, struct init *init, const char *pair);

/* A person's own ssh configuration counts as for `ssh HOST`, where there is one. */
void init_take_usual_config(struct arena *arena, struct init *init);

/* How the host was reached holds for the others, also where it has a name of its own in CONFIG. */
struct error *init_take_route(struct arena *arena, struct init *init,
                              const struct host_settings *settings);

/* May it be a host's name in the cluster file? Whether it is an address the schema says. */
bool init_is_name(const char *word);

/* The members of init->found as hosts, not probed yet. */
struct error *init_take_members(struct arena *arena, struct init *init);

/* Section "ssh" and, before it, one host: what a person typed. */
void init_append_draft(struct text *text, const struct init *init);

/* One word of a command that a person copies; "~/" stays what it is. */
void text_append_word(struct text *text, const char *word);

/* What a person types to be root on a host: it asks what has to be asked. WORDS: the shell's. */
const char *init_ssh_command(struct arena *arena, const struct init *init, const char *address,
                             const char *words);

/*
 * The cluster file. NOTES receives a line for everything that a person must look at, and after it,
 * with two blanks in front, the commands that are to be typed. Neither has anything of a host that
 * could drive a terminal.
 */
void init_append_cluster(struct text *text, struct text *notes, struct arena *arena,
                         const struct init *init);

#endif
