/*
 * What the steps of a plan do to a cluster, whichever way they are written: an action, an SQL text
 * or a command in a shell text. The hazards are rules over these facts. Internal to this folder.
 *
 * The recogniser knows commands by their names and words. What it does not know is no fact, so a
 * rule must not conclude much from an absence.
 */
#ifndef PLAN_FACTS_H
#define PLAN_FACTS_H

#include "plan/checker.h"

enum effect {
    EFFECT_SERVICE_STOPPED,
    EFFECT_SERVICE_STARTED, /* by systemctl and the like, which tells nothing of Patroni */
    EFFECT_SERVICE_ANSWERS, /* started, and proven to answer */
    EFFECT_FENCED,          /* not started at boot any more */
    EFFECT_FENCE_AWAY,
    EFFECT_POSTGRES_STOPPED,
    EFFECT_POSTGRES_STARTED, /* without Patroni */
    EFFECT_POSTGRES_RESTARTED,
    EFFECT_PROMOTED,
    EFFECT_LEADER_CHANGED,
    EFFECT_MAINTENANCE_ON,
    EFFECT_MAINTENANCE_OFF,
    EFFECT_CLUSTER_CLEARED, /* its keys in the DCS */
    EFFECT_REPLAY_PAUSED,
    EFFECT_REPLAY_RESUMED,
    EFFECT_REPLAY_ASKED, /* whether replay is paused */
    EFFECT_REPLAY_AWAITED,
    EFFECT_DELAYED, /* recovery_min_apply_delay */
    EFFECT_MARKED_XID,
    EFFECT_MARKED_LSN,
    EFFECT_MARKED_POINT,
    EFFECT_MARK_LOOKED_FOR, /* in the WAL of a standby */
    EFFECT_TARGET,          /* a recovery target in a file of the server; see fact_setting */
    EFFECT_TARGET_ARGUMENT, /* the same on a command line */
    EFFECT_AUTO_CONF_BACK,
    EFFECT_REWRITTEN_FILE, /* an edit of postgresql.conf */
    EFFECT_RECOVERY_CONF,
    EFFECT_RECOVERY_SIGNAL,
    EFFECT_NO_STANDBY_SIGNAL,
    EFFECT_CACHED_CONFIG, /* an edit of patroni.dynamic.json */
    EFFECT_TAGGED,        /* nofailover and its like */
    EFFECT_TAG_AWAY,
    EFFECT_DATA_REMOVED, /* a data directory */
    EFFECT_LEADER_LOOKED_FOR,
    EFFECT_LOOKED, /* anything else that only looks at the cluster */
    EFFECT_OLD_NAME,
    EFFECT_LOG_IN_DATA,
    EFFECT_WAITED,  /* sleep and the like in a text that only looks */
    EFFECT_UNKNOWN, /* a script in a file of its own may do anything */
};

struct fact {
    enum effect effect;
    const struct step *step;
    const struct node *node;     /* where it stands; NULL: the action as a whole */
    size_t offset, length;       /* in its text; length 0: the node as a whole */
    const struct node *settings; /* of a target: a map, or the text that holds them */
    bool is_for_14;              /* of a pause of replay: on version 14 or later */
};

struct facts {
    struct checker *checker;
    struct fact *items; /* in the order of the plan, guards first */
    size_t count, capacity;
};

void facts_collect(struct facts *facts, struct checker *checker);

/* Adds a fact of STEP; the same one once more in a row is not added. */
struct fact *facts_add(struct facts *facts, enum effect effect, const struct step *step);

/* A text that a step runs, or only looks with. RANGE: of a version map, or NULL. */
struct fact_text {
    const struct step *step;
    const struct node *node;
    const char *range;
    bool only_looks;
};
void facts_add_sql(struct facts *facts, const struct fact_text *text);
void facts_add_shell(struct facts *facts, const struct fact_text *text);

/* The fact that the name of a server's function or setting in SQL stands for. */
void facts_add_word(struct facts *facts, const struct fact_text *text, const char *word,
                    size_t length, size_t offset);

/* Is STEP, or a text for RANGE (or NULL), for some server version from MAJOR on? */
bool step_is_for(const struct step *step, const char *range, int major);

/* What a target says of setting NAME, without quotes and in ARENA; NULL: nothing. */
const char *fact_setting(struct arena *arena, const struct fact *fact, const char *name);

struct place fact_place(struct checker *checker, const struct fact *fact);

#endif
