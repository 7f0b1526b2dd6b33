/* A stage, on which commands are typed and die, and what is found there afterwards. */
#include "schedules.h"

#include "base/file.h"
#include "run/folder.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HANGS_S = 60, /* whoever takes longer will never end */
    SETTINGS_MOST = 8,
};

static const char *const script_and_wipe[] = {"kind=script", "rebuild=wipe", "hold=delay",
                                              "strategy=rebuild-dcs", NULL};
static const char *const detached[] = {"hold=detached", NULL};
static const char *const point[] = {"hold=point", NULL};
static const char *const none[] = {NULL};

/* A first command that an earlier scenario has is not killed again. */
const struct scenario scenarios[] = {
    {"commit", point, 3, NULL, false, true, "commit", {RUN_DEPLOYED, RUN_COMMITTED}, {0, 0}},
    {"rollback",
     detached,
     3,
     NULL,
     false,
     false,
     "rollback",
     {RUN_DEPLOYED, RUN_ROLLED_BACK},
     {0, 0}},
    {"script-and-wipe",
     script_and_wipe,
     3,
     NULL,
     false,
     true,
     "rollback",
     {RUN_DEPLOYED, RUN_ROLLED_BACK},
     {0, 0}},
    {"two-hosts", none, 2, NULL, false, false, "rollback", {RUN_DEPLOYED, RUN_ROLLED_BACK}, {0, 0}},
    {"let-go",
     point,
     3,
     "migrate-sql",
     false,
     false,
     "rollback",
     {RUN_DEPLOYING, RUN_ROLLED_BACK},
     {ERROR_FAILED, 0}},
    {"on-failure",
     none,
     3,
     "migrate-sql",
     true,
     true,
     NULL,
     {RUN_ROLLED_BACK, RUN_ROLLED_BACK},
     {ERROR_ROLLED_BACK, 0}},
};
const size_t scenario_count = ARRAY_COUNT(scenarios);

/* ---- commands ---- */

static void write_file(struct stage *stage, const char *path, const char *text)
{
    if (file_write(&stage->arena, path, text, strlen(text), 0600) != NULL)
        out_of_memory();
}

static void read_plan(struct stage *stage, const char *const *settings, size_t count)
{
    struct findings findings = {.arena = &stage->arena};
    struct inputs *inputs = inputs_live(&stage->arena);
    struct plan_options options = {
        .settings = settings, .setting_count = count, .settings_folder = stage->folder};

    options.cluster = cluster_read(&stage->arena, inputs, stage->cluster_file, &findings);
    stage->plan = plan_read(&stage->arena, inputs, stage->plan_file, &options,
                            scope_new(&stage->arena), &findings);
    if (stage->plan != NULL)
        return;
    for (size_t at = 0; at < findings.count; at++)
        (void)fprintf(stderr, "%s\n", findings.items[at].error->message);
    exit(1);
}

void stage_begin(struct stage *stage, const struct scenario *scenario, const char *folder,
                 const char *plan_file)
{
    struct arena *arena = &stage->arena;
    const char *migration = arena_printf(arena, "%s/migration", folder);
    const char **settings = arena_alloc(arena, SETTINGS_MOST * sizeof *settings);

    stage->scenario = scenario;
    stage->folder = folder;
    stage->plan_file = plan_file;
    stage->cluster_file = arena_printf(arena, "%s/cluster.yml", folder);
    stage->world_file = arena_printf(arena, "%s/world", folder);
    stage->place = (struct run_place){arena_printf(arena, "%s/journal", folder), "--journal"};
    write_file(stage, migration, "SELECT 1;\n");
    write_file(stage, stage->cluster_file,
               arena_printf(arena,
                            "cluster: cluster-pgsql\n"
                            "hosts: {pg1: {address: 10.77.1.1}, pg2: {address: 10.77.1.2}%s}\n"
                            "postgres: {data-directory: /d, bin-directory: /b}\n"
                            "patroni: {config: /c}\n"
                            "roles: {held: [%s]}\n",
                            scenario->host_count > 2 ? ", pg3: {address: 10.77.1.3}" : "",
                            scenario->host_count > 2 ? "pg3, pg2" : "pg2"));
    settings[0] = arena_printf(arena, "migration=%s", migration);
    stage->setting_count = 1;
    for (const char *const *more = scenario->settings; *more != NULL; more++)
        settings[stage->setting_count++] = *more;
    stage->settings = settings;
    read_plan(stage, settings, stage->setting_count);
    world->host_count = scenario->host_count;
    world->fails = scenario->fails;
    world->fail_times = scenario->fails == NULL ? 0 : 1000000;
    stage_clear(stage);
}

void stage_clear(struct stage *stage)
{
    CLEANUP(arena_release) struct arena scratch = {0};
    const char *command =
        arena_printf(&scratch, "rm -rf '%s' '%s'", stage->place.journal, stage->world_file);

    if (system(command) != 0) // NOLINT(concurrency-mt-unsafe)
        out_of_memory();
}

_Noreturn static void child(struct stage *stage, const char *command)
{
    static const struct {
        const char *name;
        struct error *(*function)(struct arena *, const struct run_options *, struct findings *,
                                  struct run_summary *);
    } commands[] = {{"deploy", run_deploy},
                    {"resume", run_resume},
                    {"commit", run_commit},
                    {"rollback", run_rollback}};
    struct arena arena = {0};
    struct findings findings = {.arena = &arena};
    struct run_summary summary = {0};
    struct error *error = NULL;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(HANGS_S);
    world_begin(stage->world_file);

    const bool is_deploy = equal(command, "deploy");
    const struct run_options options = {
        .place = stage->place,
        .cluster_file = is_deploy ? stage->cluster_file : NULL,
        .plan_file = is_deploy ? stage->plan_file : NULL,
        .settings = stage->settings,
        .setting_count = is_deploy ? stage->setting_count : 0,
        .settings_folder = stage->folder,
        .yes = true,
        .rollback_on_failure = is_deploy && stage->scenario->rolls_back_on_failure,
        .stop_fd = world->stop_fd,
        .interrupted = &world->interrupted,
    };

    for (size_t at = 0; at < ARRAY_COUNT(commands); at++) {
        if (equal(commands[at].name, command))
            error = commands[at].function(&arena, &options, &findings, &summary);
    }
    if (error != NULL) {
        world->kind = (int)error->kind;
        (void)snprintf(world->says, sizeof world->says, "%s", error_text(&arena, error));
    }
    _exit(0);
}

bool stage_type(struct stage *stage, const char *command)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        child(stage, command);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        out_of_memory();
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        world_broken("%s hangs", command);
    else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        world_broken("%s is ended by signal %d", command, WTERMSIG(status));
    return WIFSIGNALED(status);
}

/* ---- the disk ---- */

static const char *run_path(struct stage *stage, struct arena *arena)
{
    const char *folder = NULL;

    if (run_find_folder(arena, &stage->place, NULL, NULL, &folder) != NULL)
        out_of_memory();
    return folder == NULL ? NULL : arena_printf(arena, "%s/journal.jsonl", folder);
}

static void read_text(const char *path, struct text *out)
{
    char buffer[65536];
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    text_clear(out);
    while (fd >= 0 && (got = read(fd, buffer, sizeof buffer)) > 0)
        text_append_bytes(out, buffer, (size_t)got);
    if (fd >= 0)
        (void)close(fd);
}

void disk_read(struct stage *stage, struct disk *out)
{
    out->path = run_path(stage, &stage->arena);
    read_text(out->path, &out->journal);
    read_text(stage->world_file, &out->world);
}

static void write_text(const char *path, const struct text *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || pwrite(fd, text_string(text), text->length, 0) != (ssize_t)text->length)
        out_of_memory();
    (void)close(fd);
}

void disk_write(struct stage *stage, const struct disk *disk)
{
    write_text(disk->path, &disk->journal);
    write_text(stage->world_file, &disk->world);
}

void disk_cut(const struct disk *whole, struct point at, struct disk *out)
{
    out->path = whole->path;
    text_clear(&out->journal);
    text_clear(&out->world);
    text_append_bytes(&out->journal, text_string(&whole->journal), at.journal);
    text_append_bytes(&out->world, text_string(&whole->world), at.world);
}

void disk_release(struct disk *disk)
{
    text_release(&disk->journal);
    text_release(&disk->world);
}

/* ---- what is found ---- */

const struct record *stage_records(struct stage *stage, struct arena *arena)
{
    const char *path = run_path(stage, arena);
    const struct record *record = NULL;
    struct error *error = path == NULL ? NULL : journal_read(arena, path, &record);

    if (error != NULL && strstr(error_text(arena, error), "has no complete record") == NULL)
        world_broken("%s", error_text(arena, error));
    return error == NULL ? record : NULL;
}

void stage_ledger(struct stage *stage, struct arena *arena, struct ledger *out)
{
    ledger_init(out, arena);
    for (const struct record *record = stage_records(stage, arena), *next; record != NULL;
         record = next) {
        next = record->next;
        ledger_apply(out, record);
    }
}

static const char *state_words(const struct step_status *status)
{
    // What was found there by a resume was done all the same.
    return step_state_names[status->state == STEP_ALREADY ? STEP_DONE : status->state];
}

static void append_statuses(struct text *out, const struct ledger *ledger, const struct step *step)
{
    static const char *const hosts[] = {NULL, "pg1", "pg2", "pg3"};

    for (size_t at = 0; at < ARRAY_COUNT(hosts); at++) {
        const struct step_status *status = ledger_status(ledger, step->id, hosts[at]);

        if (status != NULL)
            text_append_format(out, "%s@%s %s%s\n", step->id, hosts[at] == NULL ? "-" : hosts[at],
                               state_words(status), status->may_have_happened ? "" : ", not");
    }
}

struct line {
    const char *text;
    size_t length; /* without the number of the try */
};

static int by_text(const void *a, const void *b)
{
    const struct line *one = a, *other = b;
    size_t length = one->length < other->length ? one->length : other->length;
    int order = memcmp(one->text, other->text, length);

    return order != 0 ? order : (int)one->length - (int)other->length;
}

/* How often each line is there. */
static void append_lines(struct text *out, const struct stage *stage, struct arena *arena,
                         const char *text)
{
    struct line *lines = arena_alloc(arena, (strlen(text) / 8 + 1) * sizeof *lines);
    size_t count = 0;

    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t length = strcspn(line, "\n");

        while (line[length] != ' ')
            length--;
        lines[count++] = (struct line){line, length};
    }
    qsort(lines, count, sizeof *lines, by_text);
    for (size_t at = 0, next; at < count; at = next) {
        const char *line = lines[at].text, *id = strchr(line, ' ') + 1;

        for (next = at + 1; next < count && by_text(&lines[at], &lines[next]) == 0;)
            next++;

        const struct step *step =
            plan_find_step(stage->plan, arena_copy(arena, id, strcspn(id, " ")));
        // What takes turns is told by its last turn; what may happen again, only that it did.
        bool is_counted = step != NULL && effect_of(step) != EFFECT_BLIND && *line != 'f';

        if (step != NULL)
            text_append_format(out, "%.*s: %zu\n", (int)lines[at].length, line,
                               is_counted ? next - at : 1);
    }
}

const char *outcome_of(const struct stage *stage, struct arena *arena, const struct ledger *ledger,
                       const char *lines)
{
    CLEANUP(text_release) struct text out = {0};

    text_append_format(
        &out, "%s\n", ledger->summary.id == NULL ? "none" : run_state_names[ledger->summary.state]);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(stage->plan, (enum phase)phase, step)) != NULL;)
            append_statuses(&out, ledger, step);
    }
    append_lines(&out, stage, arena, lines);
    for (int host = 1; host <= world->host_count; host++) {
        const char *name = arena_printf(arena, "pg%d", host);

        text_append_format(&out, "%s:%s%s\n", name,
                           lines_taken(lines, "claim", name) > 0 ? " claim" : "",
                           lines_taken(lines, "folder", name) > 0 ? " folder" : "");
    }
    return text_copy(&out, arena);
}

const char *stage_outcome(struct stage *stage, struct arena *arena, const struct ledger *ledger)
{
    CLEANUP(text_release) struct text lines = {0};

    read_text(stage->world_file, &lines);
    return outcome_of(stage, arena, ledger, text_string(&lines));
}

/* The place of a step in the plan, from 0; -1: it has none. */
static int order_of(const struct stage *stage, const char *id, size_t length)
{
    int order = 0;

    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(stage->plan, (enum phase)phase, step)) != NULL; order++) {
            if (strlen(step->id) == length && memcmp(step->id, id, length) == 0)
                return order;
        }
    }
    return -1;
}

/* Effects come in the order of the plan, and those that can be proven happen once. */
static void check_order(const struct stage *stage, const char *lines)
{
    int last = -1;

    for (const char *line = lines; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (!starts_with(line, "effect "))
            continue;

        const char *id = line + strlen("effect ");
        size_t length = strcspn(id, " ");
        int order = order_of(stage, id, length);

        if (order < last)
            world_broken("%.*s happens after a later step", (int)length, id);
        last = order;
    }
}

static void check_step(const struct ledger *ledger, const char *lines, const struct step *step,
                       const char *host)
{
    const struct step_status *status = ledger_status(ledger, step->id, host);
    int count = lines_count(lines, "effect", step->id, host, 0);
    bool is_done = status != NULL && (status->state == STEP_DONE || status->state == STEP_ALREADY);

    if (count > 1 && effect_of(step) != EFFECT_BLIND)
        world_broken("%s@%s happened %d times", step->id, host, count);
    if (count > 0 &&
        (status == NULL || !(status->may_have_happened || status->state == STEP_RUNNING)))
        world_broken("%s@%s happened, and the journal does not know", step->id, host);
    if (is_done && count == 0)
        world_broken("%s@%s is done in the journal, and did not happen", step->id, host);
    if (is_done && effect_of(step) == EFFECT_JOB &&
        lines_count(lines, "end", step->id, host, 0) == 0)
        world_broken("%s@%s is done in the journal, and goes on", step->id, host);
}

void stage_check(struct stage *stage, const struct ledger *ledger)
{
    CLEANUP(text_release) struct text lines = {0};

    read_text(stage->world_file, &lines);
    check_order(stage, text_string(&lines));
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(stage->plan, (enum phase)phase, step)) != NULL;) {
            for (int host = 1; step->steps == NULL && host <= world->host_count; host++) {
                char name[16];

                (void)snprintf(name, sizeof name, "pg%d", host);
                if (effect_of(step) != EFFECT_NONE)
                    check_step(ledger, text_string(&lines), step, name);
            }
        }
    }
}

/* Whether the effect of a step must be there, given how the run has ended. */
static bool belongs(const struct ledger *ledger, const struct step *step, const char *lines)
{
    const struct step_status *skipped = ledger_status(ledger, step->id, NULL);
    bool migrated = lines_count(lines, "effect", "migrate-sql", "pg1", 0) > 0 ||
                    lines_count(lines, "effect", "migrate-script", "pg1", 0) > 0;

    if (skipped != NULL && skipped->state == STEP_SKIPPED)
        return false;
    switch (step->phase) {
    case PHASE_DEPLOY:
        return ledger->summary.state == RUN_COMMITTED;
    case PHASE_COMMIT:
        return ledger->summary.state == RUN_COMMITTED;
    case PHASE_ROLLBACK:
        return ledger->summary.state == RUN_ROLLED_BACK &&
               equal(step->group->id, migrated ? "way-back" : "let-go");
    default:
        return false;
    }
}

/* What the run's end asks for happened on every host of each step, and nothing else of that phase.
 */
void stage_check_end(struct stage *stage, const struct ledger *ledger)
{
    CLEANUP(text_release) struct text text = {0};

    read_text(stage->world_file, &text);

    const char *lines = text_string(&text);

    for (int phase = PHASE_DEPLOY; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(stage->plan, (enum phase)phase, step)) != NULL;) {
            if (step->steps != NULL || effect_of(step) == EFFECT_NONE)
                continue;

            bool is_wanted = belongs(ledger, step, lines);
            bool is_there = false;

            for (int host = 1; host <= world->host_count; host++) {
                char name[16];

                (void)snprintf(name, sizeof name, "pg%d", host);
                is_there |= lines_count(lines, "effect", step->id, name, 0) > 0;
            }
            if (is_wanted && !is_there)
                world_broken("the run is %s, and %s never happened",
                             run_state_names[ledger->summary.state], step->id);
            if (!is_wanted && is_there && phase != PHASE_DEPLOY &&
                !(phase == PHASE_COMMIT && ledger->summary.state == RUN_ROLLED_BACK))
                world_broken("the run is %s, and %s happened",
                             run_state_names[ledger->summary.state], step->id);
        }
    }
    if (lines_count(lines, "effect", "migrate-sql", "pg1", 0) !=
        lines_count(lines, "unmark", "migrate-sql", "pg1", 0))
        world_broken("the run is over, and its marker is left");
    for (int host = 1; host <= world->host_count; host++) {
        char name[16];

        (void)snprintf(name, sizeof name, "pg%d", host);
        if (lines_taken(lines, "claim", name) > 0 || lines_taken(lines, "folder", name) > 0)
            world_broken("the run is over, and something of it is left on %s", name);
    }
}
