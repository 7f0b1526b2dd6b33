/*
 * Plays a plan on scripted hosts (world/), killed at every point, and killed again wherever a
 * resume can be killed: see scripted.sh.
 *
 *   scripted_run PLAN FOLDER SCENARIO [PAIRS]
 *
 * PAIRS: of how many second kills with SIGKILL after each first one; "all" of them.
 */
#include "world/schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int kills, states, failures;

static const char *command_of(const struct scenario *scenario, int which)
{
    return which == 0 ? "deploy" : scenario->second;
}

static bool is_over(const struct scenario *scenario, int which, const struct ledger *ledger)
{
    return ledger->summary.id != NULL && ledger->summary.state == scenario->states[which];
}

/*
 * What a person types after a crash: resume, and of a command whose own record was lost the command
 * again. Returns what it came to, or NULL if that is not its end.
 */
static const char *go_on(struct stage *stage, int which, struct arena *arena, bool *was_killed)
{
    const char *command = command_of(stage->scenario, which);
    struct ledger ledger;

    stage_ledger(stage, arena, &ledger);

    const bool is_lost = ledger.summary.id == NULL ||
                         (which > 0 && ledger.summary.state == stage->scenario->states[0] &&
                          !equal(ledger.command, command));

    for (int tries = ledger.summary.id == NULL ? 1 : 0; tries < (is_lost ? 2 : 1); tries++) {
        *was_killed = stage_type(stage, tries == 0 ? "resume" : command);
        stage_ledger(stage, arena, &ledger);
        stage_check(stage, &ledger);
        if (*was_killed)
            return NULL;
        if (is_over(stage->scenario, which, &ledger))
            return stage_outcome(stage, arena, &ledger);
    }
    return NULL;
}

static void show_difference(const char *wanted, const char *found)
{
    while (*wanted != '\0' && *wanted == *found) {
        wanted++;
        found++;
    }
    (void)fprintf(stderr, "  wanted ...%.160s\n  found  ...%.160s\n", wanted, found);
}

static void verdict(const struct stage *stage, int which, const char *where, const char *wanted,
                    const char *found)
{
    bool is_same = found != NULL && equal(wanted, found);

    kills++;
    if (is_same && world->broken[0] == '\0')
        return;
    failures++;
    (void)fprintf(stderr, "FAILED  %s, %s, %s: %s (error %d: %s)\n", stage->scenario->name,
                  command_of(stage->scenario, which), where,
                  world->broken[0] != '\0' ? world->broken
                  : found == NULL          ? "it does not come to its end"
                                           : "another end",
                  world->kind, world->says);
    if (found != NULL && !is_same)
        show_difference(wanted, found);
    world->broken[0] = '\0';
    if (failures >= 20)
        exit(1);
}

/* ---- every state that kills lead to, however many ---- */

/* What resume can see of a disk; two that do not differ in this have the same future. */
static const char *essence(const struct stage *stage, struct arena *arena,
                           const struct ledger *ledger, const char *lines)
{
    CLEANUP(text_release) struct text text = {0};

    text_append_format(&text, "%s%s %d %d %d %d\n", outcome_of(stage, arena, ledger, lines),
                       ledger->command == NULL ? "-" : ledger->command, ledger->summary.is_stopped,
                       ledger->identity != NULL, ledger->roles != NULL, ledger->summary.phase);
    for (const struct ledger_value *gate = ledger->gates; gate != NULL; gate = gate->next)
        text_append_format(&text, "gate %s\n", gate->name);
    return text_copy(&text, arena);
}

struct queue {
    struct disk *disks;
    char (*digests)[DIGEST_SIZE];
    size_t count, capacity;
};

/* False if there was one like it before. */
static bool queue_add(struct queue *queue, const char *essence_of_it, const struct disk *disk)
{
    char digest[DIGEST_SIZE];

    sha256_hex(essence_of_it, strlen(essence_of_it), digest);
    for (size_t at = 0; at < queue->count; at++) {
        if (equal(queue->digests[at], digest))
            return false;
    }
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity * 2 + 64;
        queue->disks = realloc(queue->disks, queue->capacity * sizeof *queue->disks);
        queue->digests = realloc(queue->digests, queue->capacity * sizeof *queue->digests);
        if (queue->disks == NULL || queue->digests == NULL)
            out_of_memory();
    }
    memcpy(queue->digests[queue->count], digest, DIGEST_SIZE);
    queue->disks[queue->count] = (struct disk){0};
    disk_cut(disk, (struct point){disk->journal.length, disk->world.length},
             &queue->disks[queue->count++]);
    return true;
}

/* The disks that a kill of the child that has just ended would have left. */
static void queue_points(struct stage *stage, struct queue *queue)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct disk whole = {0}, cut = {0};
    struct ledger ledger;
    const struct record *record = stage_records(stage, &arena);
    size_t applied = 0; /* bytes of the journal that the ledger has */
    int count = world->points < POINTS_MOST ? world->points : POINTS_MOST - 1;

    ledger_init(&ledger, &arena);
    disk_read(stage, &whole);
    for (int at = 1; at <= count; at++) {
        CLEANUP(arena_release) struct arena scratch = {0};
        const char *bytes = text_string(&whole.journal), *end;
        bool is_same = at > 1 && world->at[at].world == world->at[at - 1].world;

        // A record that is torn is cut off by whoever opens the journal.
        while (record != NULL && (end = strchr(bytes + applied, '\n')) != NULL &&
               (size_t)(end - bytes) < world->at[at].journal) {
            const struct record *next = record->next;

            ledger_apply(&ledger, record);
            applied = (size_t)(end - bytes) + 1;
            record = next;
            is_same = false;
        }
        kills++;
        if (is_same || applied == 0)
            continue;
        disk_cut(&whole, world->at[at], &cut);
        (void)queue_add(queue, essence(stage, &scratch, &ledger, text_string(&cut.world)), &cut);
    }
    disk_release(&whole);
    disk_release(&cut);
}

static void explore(struct stage *stage, int which, const char *wanted)
{
    struct queue queue = {0};

    queue_points(stage, &queue);
    for (size_t at = 0; at < queue.count; at++) {
        CLEANUP(arena_release) struct arena scratch = {0};
        struct ledger ledger;
        char where[64];
        bool was_killed;

        disk_write(stage, &queue.disks[at]);
        stage_ledger(stage, &scratch, &ledger);
        stage_check(stage, &ledger);
        (void)snprintf(where, sizeof where, "state %zu", at);

        const char *found = go_on(stage, which, &scratch, &was_killed);

        kills--;
        verdict(stage, which, where, wanted, found);
        queue_points(stage, &queue);
        disk_release(&queue.disks[at]);
        states++;
    }
    free(queue.disks);
    free(queue.digests);
}

/* ---- kill -9 ---- */

/* A second kill, in the resume that follows; false: it was over before. */
static bool kill_again(struct stage *stage, int which, int first, int second,
                       const struct disk *between, const char *wanted)
{
    CLEANUP(arena_release) struct arena scratch = {0};
    char where[64];
    bool was_killed;

    disk_write(stage, between);
    world->kill_at = second;
    (void)go_on(stage, which, &scratch, &was_killed);
    world->kill_at = 0;
    if (!was_killed)
        return false;
    (void)snprintf(where, sizeof where, "killed at point %d, then at %d", first, second);

    const char *found = go_on(stage, which, &scratch, &was_killed);

    verdict(stage, which, where, wanted, found);
    return true;
}

static void kill_each(struct stage *stage, int which, const struct disk *begin, int pairs,
                      const char *wanted)
{
    struct disk between = {0};

    for (int first = 1;; first++) {
        CLEANUP(arena_release) struct arena scratch = {0};
        struct ledger ledger;
        char where[64];
        bool was_killed;

        if (begin == NULL)
            stage_clear(stage);
        else
            disk_write(stage, begin);
        world->kill_at = first;
        was_killed = stage_type(stage, command_of(stage->scenario, which));
        world->kill_at = 0;
        if (!was_killed)
            break;
        disk_read(stage, &between);
        (void)snprintf(where, sizeof where, "killed at point %d", first);
        stage_ledger(stage, &scratch, &ledger);
        stage_check(stage, &ledger);

        const char *found = go_on(stage, which, &scratch, &was_killed);
        int last = world->points;

        verdict(stage, which, where, wanted, found);
        if (ledger.summary.id == NULL)
            continue;
        for (int second = 1;
             pairs < 0 && kill_again(stage, which, first, second, &between, wanted);)
            second++;
        for (int pair = 0; pair < pairs && last > 0; pair++)
            (void)kill_again(stage, which, first, 1 + rand() % last, &between, wanted);
    }
    disk_release(&between);
}

/* ---- rolled back in the middle ---- */

/* Whoever was killed in deploy may roll back at once: how far it came decides which way. */
static void turn_back(struct stage *stage, struct point at, int number, const struct disk *whole)
{
    CLEANUP(arena_release) struct arena scratch = {0};
    struct disk cut = {0};
    struct ledger ledger;

    disk_cut(whole, at, &cut);
    disk_write(stage, &cut);
    disk_release(&cut);
    stage_ledger(stage, &scratch, &ledger);
    if (ledger.summary.id == NULL || ledger.summary.state != RUN_DEPLOYING)
        return;
    (void)stage_type(stage, "rollback");
    stage_ledger(stage, &scratch, &ledger);
    stage_check(stage, &ledger);
    if (ledger.summary.state != RUN_ROLLED_BACK)
        world_broken("it does not come to its end");
    stage_check_end(stage, &ledger);
    kills++;
    if (world->broken[0] == '\0')
        return;
    failures++;
    (void)fprintf(stderr, "FAILED  %s, rolled back at point %d of deploy: %s (error %d: %s)\n",
                  stage->scenario->name, number, world->broken, world->kind, world->says);
    world->broken[0] = '\0';
}

/* ---- the scenario ---- */

/* Types a command of the scenario, which nothing disturbs; returns what it comes to. */
static const char *undisturbed(struct stage *stage, int which)
{
    struct ledger ledger;

    (void)stage_type(stage, command_of(stage->scenario, which));
    stage_ledger(stage, &stage->arena, &ledger);
    stage_check(stage, &ledger);
    if (is_over(stage->scenario, which, &ledger) && world->kind == stage->scenario->kinds[which] &&
        world->broken[0] == '\0')
        return stage_outcome(stage, &stage->arena, &ledger);
    (void)fprintf(stderr, "FAILED  %s, %s, undisturbed: %s (error %d: %s)\n", stage->scenario->name,
                  command_of(stage->scenario, which), world->broken, world->kind, world->says);
    exit(1);
}

static void play(struct stage *stage, int pairs)
{
    const char *ends[2];
    struct disk between = {0};
    struct point points[POINTS_MOST];
    int count;

    ends[0] = undisturbed(stage, 0);
    disk_read(stage, &between);
    count = world->points < POINTS_MOST ? world->points : POINTS_MOST - 1;
    memcpy(points, world->at, sizeof points);
    if (stage->scenario->kills_first)
        explore(stage, 0, ends[0]);
    if (stage->scenario->kills_first && stage->scenario->second != NULL) {
        for (int at = 1; at <= count; at++)
            turn_back(stage, points[at], at, &between);
    }
    if (stage->scenario->second != NULL) {
        disk_write(stage, &between);
        ends[1] = undisturbed(stage, 1);
        explore(stage, 1, ends[1]);
        kill_each(stage, 1, &between, pairs, ends[1]);
    }
    if (stage->scenario->kills_first)
        kill_each(stage, 0, NULL, pairs, ends[0]);
    disk_release(&between);
}

int main(int argc, char **argv)
{
    static struct stage stage;
    const char *seed = getenv("SEED");

    world_make();
    srand(seed == NULL ? 1 : (unsigned)strtoul(seed, NULL, 10));
    for (size_t at = 0; argc >= 4 && at < scenario_count; at++) {
        if (!equal(scenarios[at].name, argv[3]))
            continue;
        stage_begin(&stage, &scenarios[at], argv[2], argv[1]);
        play(&stage, argc < 5 ? 0 : equal(argv[4], "all") ? -1 : (int)strtol(argv[4], NULL, 10));
    }
    printf("%s: %d kills, %d states, %d failed\n", argc < 4 ? "" : argv[3], kills, states,
           failures);
    return failures > 0 || kills == 0;
}
