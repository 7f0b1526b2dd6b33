/*
 * The inside of the action "patroni": one table of keys, each with a look and an apply. A key's
 * state is read again before anything is asked again, so whatever is interrupted converges.
 */
#ifndef ACTIONS_PATRONI_H
#define ACTIONS_PATRONI_H

#include "patroni_state.h"

struct patroni_key {
    const char *name;

    /*
     * Is it so? *WORDS says what is, or what is not yet; what apply would do is appended to
     * work->change unless the look is a repeated one.
     */
    struct error *(*look)(struct work *work, const struct node *value, bool *is_so,
                          const char **words);

    /* Asks for it. An error: *OUTCOME says whether it may have left something. */
    struct error *(*apply)(struct work *work, const struct node *value, enum apply *outcome);
};

extern const struct patroni_key patroni_maintenance_key, patroni_service_key, patroni_postgres_key,
    patroni_config_key, patroni_tags_key, patroni_leader_key, patroni_restart_key,
    patroni_reload_key, patroni_wake_key, patroni_cluster_key;

/* In patroni_query.c. */
enum look patroni_query(struct work *work, struct error **error);

/*
 * What a step changed is kept as JSON ({"config": PATCH} or {"tags": MAP}, which bring the old
 * values back): in work->saved as "before", and in the run's folder on the host, because a crash
 * may come before the journal knows it. The first one of a step stays. In patroni_before.c.
 */
struct error *before_keep(struct work *work, const char *json);

/* What step STEP has kept, from the journal or the folder; *OUT is NULL if it changed nothing. */
struct error *before_find(struct work *work, const char *step, const struct node **out);

/* Saves what this step has kept, if anything: for settle. */
struct error *before_save(struct work *work);

/* The path of NAME in the run's folder of the database's user; NULL if there is none and not MAKE.
 */
struct error *before_path(struct work *work, const char *name, bool make, const char **out);

/* The JSON of NODE in work->arena. */
const char *json_text_of(struct work *work, const struct node *node);

/* A change refused: "Patroni refused ...: HTTP status 412: ...". */
struct error *patroni_refusal(struct work *work, const char *what,
                              const struct patroni_answer *answer);

/* Asks MEMBER for something unsafe, with the whole deadline. */
struct error *patroni_post(struct work *work, const struct host_settings *member, const char *path,
                           const char *json, enum patroni_reach *reach,
                           struct patroni_answer *answer);

#endif
