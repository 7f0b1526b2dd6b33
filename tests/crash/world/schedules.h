/*
 * Schedules: a scenario is what a person types; each command is a child process that may be killed
 * at a point, and is followed by what a person would type then. See schedules.c.
 */
#ifndef CRASH_SCHEDULES_H
#define CRASH_SCHEDULES_H

#include "world.h"

struct scenario {
    const char *name;
    const char *const *settings; /* of the plan, NULL ends them; migration is always set */
    int host_count;
    const char *fails; /* the step that always fails, or NULL */
    bool rolls_back_on_failure;
    bool kills_first;
    const char *second;       /* "commit", "rollback" or NULL */
    enum run_state states[2]; /* in which the first and the second command end */
    int kinds[2];             /* and with which error */
};
extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* What is on disk: the run's journal and the world. */
struct disk {
    const char *path; /* of the journal */
    struct text journal, world;
};

struct stage {
    struct arena arena;
    struct run_place place;
    const char *folder, *world_file, *cluster_file, *plan_file;
    const char *const *settings;
    size_t setting_count;
    const struct scenario *scenario;
    const struct plan *plan;
};
void stage_begin(struct stage *stage, const struct scenario *scenario, const char *folder,
                 const char *plan_file);
void stage_clear(struct stage *stage); /* there was never a run */

/* Types COMMAND; true: it was killed. Anything else that ends it but its own exit is a broken rule.
 */
bool stage_type(struct stage *stage, const char *command);

void disk_read(struct stage *stage, struct disk *out);
void disk_write(struct stage *stage, const struct disk *disk);
void disk_cut(const struct disk *whole, struct point at, struct disk *out);
void disk_release(struct disk *disk);

/* The journal's records; NULL: there is not one. */
const struct record *stage_records(struct stage *stage, struct arena *arena);

/* What they add up to; without an id there is no run. */
void stage_ledger(struct stage *stage, struct arena *arena, struct ledger *out);

/* The effects and the states of all steps: what an undisturbed run is compared with. */
const char *outcome_of(const struct stage *stage, struct arena *arena, const struct ledger *ledger,
                       const char *lines);
const char *stage_outcome(struct stage *stage, struct arena *arena, const struct ledger *ledger);

/* The ledger and the world must not contradict each other, whenever a process has ended. */
void stage_check(struct stage *stage, const struct ledger *ledger);

/* Of a run that is closed: what belongs to its end is there, and nothing is left on a host. */
void stage_check_end(struct stage *stage, const struct ledger *ledger);

#endif
