/*
 * Plays random schedules of a plan on scripted hosts (world/): kills, interrupts and failing steps
 * at random moments of random commands, several in a row. See random.sh.
 *
 *   random_run PLAN FOLDER FIRST-SEED COUNT [SAY]
 *
 * One seed is one schedule; only the order in which two hosts of one step are served is not its.
 */
#include "world/schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    COMMANDS_MOST = 40,
    DISTURBED_MOST = 12, /* then nothing disturbs the rest */
};

static bool says;
static int kills, interrupts, commands;

static unsigned any(unsigned below)
{
    return (unsigned)rand() % below;
}

/* A schedule: what the person wants, and what goes wrong. */
enum goal { GOAL_COMMIT, GOAL_ROLLBACK, GOAL_ROLLBACK_SOON };

static const struct step *any_step(const struct plan *plan)
{
    const struct step *found = NULL;
    unsigned count = 0;

    for (int phase = PHASE_DEPLOY; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(plan, (enum phase)phase, step)) != NULL;) {
            if (step->steps == NULL && effect_of(step) != EFFECT_NONE && any(++count) == 0)
                found = step;
        }
    }
    return found;
}

/* Early points are few, and much happens there. */
static int any_point(void)
{
    return 1 + (int)any(any(2) == 0 ? 30 : 180);
}

static void disturb(const struct plan *plan, int number)
{
    unsigned count = 0;

    world->kill_at = world->interrupt_at = world->stop_at = 0;
    world->lost_guard = NULL;
    if (number >= DISTURBED_MOST)
        return;
    if (any(4) != 0)
        world->kill_at = any_point();
    if (any(5) == 0)
        world->interrupt_at = any_point();
    if (world->interrupt_at > 0 && any(2) == 0)
        world->stop_at = world->interrupt_at + (int)any(4);
    for (const struct guard *guard = plan->guards; guard != NULL; guard = guard->next) {
        if (any(8) == 0 && any(++count) == 0)
            world->lost_guard = guard->step.id;
    }
    world->lost_at = any_point();
}

static const char *next_command(const struct ledger *ledger, enum goal goal)
{
    if (ledger->summary.id == NULL)
        return "deploy";
    switch (ledger->summary.state) {
    case RUN_DEPLOYED:
        return goal == GOAL_COMMIT ? "commit" : "rollback";
    case RUN_DEPLOYING:
        return goal == GOAL_ROLLBACK_SOON && any(2) == 0 ? "rollback" : "resume";
    case RUN_COMMITTING:
        return any(8) == 0 ? "rollback" : "resume";
    case RUN_ROLLING_BACK:
        return any(3) == 0 ? "rollback" : "resume";
    default:
        return "resume";
    }
}

/* Types commands until the run is closed. */
static void play(struct stage *stage, enum goal goal)
{
    for (int number = 0; number < COMMANDS_MOST && world->broken[0] == '\0'; number++) {
        CLEANUP(arena_release) struct arena arena = {0};
        struct ledger ledger;

        stage_ledger(stage, &arena, &ledger);

        const char *command = next_command(&ledger, goal);

        disturb(stage->plan, number);

        bool was_killed = stage_type(stage, command);

        commands++;
        kills += was_killed;
        interrupts += world->interrupted != 0;
        if (says)
            printf(
                "%s: kill at %d, interrupt at %d, stop at %d, %s lost at %d: %s after %d points, "
                "error %d %s\n",
                command, world->kill_at, world->interrupt_at, world->stop_at,
                world->lost_guard == NULL ? "nothing" : world->lost_guard, world->lost_at,
                was_killed ? "killed" : "ended", world->points, world->kind, world->says);
        stage_ledger(stage, &arena, &ledger);
        stage_check(stage, &ledger);
        if (ledger.summary.id == NULL || run_state_is_open(ledger.summary.state))
            continue;

        stage_check_end(stage, &ledger);
        return;
    }
    world_broken("it does not come to its end (error %d: %s)", world->kind, world->says);
}

static bool schedule(unsigned seed, const char *folder, const char *plan_file)
{
    static const char *const settings[][3] = {{NULL},
                                              {"kind=script", NULL},
                                              {"rebuild=wipe", NULL},
                                              {"kind=script", "rebuild=wipe", NULL}};
    struct stage stage = {0};

    srand(seed);

    struct scenario scenario = {
        .name = "random",
        .settings = settings[any(ARRAY_COUNT(settings))],
        .host_count = 2 + (int)any(2),
        .rolls_back_on_failure = any(4) == 0,
    };
    enum goal goal = (enum goal)any(3);

    world->broken[0] = '\0';
    stage_begin(&stage, &scenario, folder, plan_file);
    if (any(2) == 0) {
        world->fails = any_step(stage.plan)->id;
        world->failure = (enum world_failure)any(3);
        world->fail_times = 1 + (int)any(2);
    }
    if (says)
        printf("seed %u: %d hosts, goal %d, on failure %s, fails %s (%d, %d times)\n", seed,
               scenario.host_count, goal, scenario.rolls_back_on_failure ? "rollback" : "stop",
               world->fails == NULL ? "-" : world->fails, world->failure, world->fail_times);
    play(&stage, goal);
    arena_release(&stage.arena);
    if (world->broken[0] == '\0')
        return true;
    (void)fprintf(stderr, "FAILED  seed %u: %s\n", seed, world->broken);
    return false;
}

int main(int argc, char **argv)
{
    unsigned seed = argc < 5 ? 0 : (unsigned)strtoul(argv[3], NULL, 10);
    int failed = 0, played = 0, count = argc < 5 ? 0 : (int)strtol(argv[4], NULL, 10);

    world_make();
    says = argc > 5;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (; count > 0; count--, seed++) {
        // Those are played with the real program.
        if (seed % 10 == 0)
            continue;
        failed += !schedule(seed, argv[2], argv[1]);
        played++;
    }
    printf("%d schedules, %d commands, %d kills, %d interrupts, %d failed\n", played, commands,
           kills, interrupts, failed);
    return failed > 0;
}
