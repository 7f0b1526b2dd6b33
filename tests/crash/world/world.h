/*
 * The world of a run whose hosts are never contacted: what hosts and actions do is a line in a file
 * (world_hosts.c, world_actions.c), and everything else is the program's own. What a process leaves
 * behind is thus in two files that only grow, its journal and the world; so what kill -9, or a
 * power loss, leaves at any instant is a beginning of each. A point is such an instant: around each
 * line of the world, and around and in the middle of each record of the journal.
 *
 * The parent process plays the person; every command runs in a child of its own, and both share a
 * struct world.
 */
#ifndef CRASH_WORLD_H
#define CRASH_WORLD_H

#include "run/command.h"

enum { POINTS_MOST = 4096 };

struct point {
    size_t journal, world; /* bytes of each file that are left */
};

enum world_failure {
    FAILS_NOTHING, /* and left nothing */
    FAILS_MAYBE,   /* with its effect, as a statement that fails after COMMIT was sent */
    FAILS_LOST,    /* with its effect, and the connection is gone before the answer */
};

struct world {
    /* What shall happen in the next child. */
    int kill_at, interrupt_at, stop_at; /* numbers of points, from 1; 0: never */
    const char *fails;                  /* the step that fails, or NULL */
    enum world_failure failure;
    int fail_times;         /* on each host */
    const char *lost_guard; /* not true any more, once a line says so ("loses") */
    int lost_at;            /* the point at which it is lost */
    int host_count;

    /* What happened in it. */
    int points;
    struct point at[POINTS_MOST];
    int kind;         /* of the error, or 0 */
    char says[400];   /* the error */
    char broken[400]; /* the first rule that was broken, or "" */
    volatile int interrupted;
    bool is_stopping;
    int stop_fd;
};
extern struct world *world;

/* In the parent, once. */
void world_make(void);

/* In a child, before it does anything; PATH is the world's file. */
void world_begin(const char *path);

/* Appends "WHAT STEP HOST TRY" (STEP, HOST "-": none), a point before it and one behind. */
void world_append(const char *what, const char *step, const char *host, int try);

/* How many lines begin with these words; TRY 0: of any. */
int world_count(const char *what, const char *step, const char *host, int try);

/* The same of a world that was read as TEXT. */
int lines_count(const char *text, const char *what, const char *step, const char *host, int try);

/*
 * What is taken on HOST and given back, a claim or a folder: the number with which it was taken
 * last, or 0 where the last line about it says "no-".
 */
int world_taken(const char *what, const char *host);
int lines_taken(const char *text, const char *what, const char *host);

/* Was the folder of HOST taken away after this try of STEP began there? */
bool world_forgot(const char *step, const char *host, int try);

/*
 * True if the journal has BYTES, and behind them WITHIN before the next "]", where no power loss
 * can take them away.
 */
bool world_is_durable(const char *bytes, const char *within);

/*
 * Breaks a rule if what was done last is not known on disk: before anything else is done than STEP,
 * and before the hosts forget it ("").
 */
void world_check_outcomes(const char *step);

/* Tells the parent that the program broke a rule; the first one counts. */
void world_broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How an effect happens, by what proves it afterwards. */
enum effect {
    EFFECT_NONE,  /* only looks */
    EFFECT_ONCE,  /* a marker in the same transaction */
    EFFECT_SEEN,  /* `unless`, or what is there itself */
    EFFECT_BLIND, /* nothing: it may happen again */
    EFFECT_JOB,   /* the job's own record */
};
enum effect effect_of(const struct step *step);

/* The job that step ID of the plan is goes on by itself on HOST. */
bool world_goes_on(const char *id, const char *host);

#endif
