/* What Patroni says of a cluster, asked through the step's host of whichever member answers. */
#ifndef ACTIONS_PATRONI_STATE_H
#define ACTIONS_PATRONI_STATE_H

#include "host/patroni.h"
#include "work.h"

/*
 * GET /patroni of MEMBER, for a few seconds at most. OUT->body is NULL if there is no usable
 * answer; *REACH says why.
 */
struct error *patroni_status(struct work *work, const struct host_settings *member,
                             enum patroni_reach *reach, struct patroni_status *out);

/*
 * GET /cluster of the step's own host, else of the first member of the cluster file that answers.
 * *IS_KNOWN is false if none does.
 */
struct error *patroni_members(struct work *work, struct patroni_cluster *out, bool *is_known);

/* The same for any other PATH that answers with JSON. *ANSWER is zeroed if none does. */
struct error *patroni_ask_any(struct work *work, const char *path, struct patroni_answer *answer);

/*
 * PATCH /config with JSON at the first member whose Patroni runs. Repeated while the answer is 409
 * or 503: right after a new start the leader has not written the configuration yet. An error says
 * what was answered; nobody there is an error of its own.
 */
struct error *patroni_patch_config(struct work *work, const char *json);

/*
 * Wakes MEMBER's loop, which may be far away: any PATCH does, also one that changes nothing. Nobody
 * there to wake is fine.
 */
struct error *patroni_poke(struct work *work, const struct host_settings *member);

/*
 * The same, repeated while the answer is 503: right after a new start the leader has not written
 * the configuration yet, and is not woken. The step's deadline ends it without an error.
 */
struct error *patroni_wake(struct work *work, const struct host_settings *member);

/* An error that names the members of GET /cluster which the cluster file does not know; or NULL. */
struct error *patroni_unknown_members(struct work *work, const struct patroni_cluster *cluster);

/*
 * Whether the whole cluster shows maintenance mode as WANTED: its configuration, and every member
 * whose Patroni runs. *WORDS says what is, or who does not show it yet.
 */
struct error *patroni_maintenance(struct work *work, bool wanted, bool *is_so, const char **words);

/* The only host of ROLE, or an error. */
struct error *patroni_role_host(struct work *work, const char *role,
                                const struct host_settings **out);

/* Equal values; the order of a map's keys does not count, and 1 equals "1", as Patroni sees it. */
bool json_equal(const struct node *a, const struct node *b);

/* Does CURRENT say what the merge patch PATCH wants? *FIRST is the first key that it does not. */
bool json_is_patched(const struct node *patch, const struct node *current,
                     const struct node **first);

#endif
