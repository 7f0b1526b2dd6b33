/*
 * What several actions share: the texts of a step on its host, its connection to PostgreSQL, and
 * the words in which a look that did not succeed is told.
 */
#ifndef ACTIONS_WORK_H
#define ACTIONS_WORK_H

#include "action.h"
#include "host/claim.h"
#include "host/postgres.h"

/* "holdback RUN STEP", at most 63 bytes (longer ones end in a digest): a try's application_name. */
const char *work_application(const struct work *work);

/* The place of a node of the step in the plan's file. */
struct place work_place(const struct work *work, const struct node *node);

/* NODE's text with ${name} inserted for this host. */
struct error *work_text(struct work *work, const struct node *node, const char **out);

/* The scalar child KEY of the action's own map, expanded; NULL if there is none. */
struct error *work_param(struct work *work, const char *key, const char **out);

/* A copy of NODE with ${name} inserted into every text of it. */
struct error *work_expanded(struct work *work, const struct node *node, struct node **out);

/*
 * What a look returns that got CAUSE: LOOK_UNKNOWN if a value is not known yet in a preview, or the
 * server does not run (the words say so); else LOOK_FAILED.
 */
enum look work_look_failed(struct work *work, struct error *cause, struct error **error);

/* Whether an error of postgres_open says that no server runs there (and not that it refused us). */
bool work_server_is_down(const struct error *error);

/* The request that a step's own keys `database`, `role`, `reach` and `settings` ask for (KEYS: the
 * map that has them). */
struct error *work_request(struct work *work, const struct node *keys, bool read_only,
                           struct postgres_request *out);

/* Lets some time pass: ERROR_TIMEOUT at the deadline, ERROR_STOPPED when asked to stop. */
struct error *work_pause(struct work *work, int milliseconds);

/*
 * One question on a connection that is kept for the next look of this host, and opened anew when it
 * has broken meanwhile. `version` of the server is needed by version maps: work_version.
 */
struct error *work_ask(struct work *work, const struct postgres_request *request, const char *text,
                       struct postgres_result *out, struct postgres_failure *failure);
struct error *work_version(struct work *work, const struct postgres_request *request, int *version);

/* Closes the kept connection, before a session that changes something is opened. */
void work_forget_connection(struct work *work);

/* Rows as a table, for a person. */
void work_show_rows(struct work *work, const struct postgres_result *result);

/* Appends a line to work->change. */
void work_change(struct work *work, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets work->words. */
void work_words(struct work *work, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The hosts of a role or host name, as pinned; a host that no role names counts as itself. */
const struct host_settings *const *work_role(const struct work *work, const char *name,
                                             size_t *count);

/*
 * A fixed script of ours as USER (never a text of the plan) with arguments $1... ; *out is released
 * by the caller if NULL is returned. Any exit status is an answer.
 */
struct error *work_script(struct work *work, const char *user, const char *script,
                          const char *const *arguments, struct shell_result *out);

/* The same for a script that changes something: see host_change. */
struct error *work_change_script(struct work *work, const char *user, const char *script,
                                 const char *const *arguments, struct shell_result *out);

/* "exit status 4: what it said on standard error", for messages. */
const char *work_status_text(struct work *work, const struct shell_result *result);

#endif
