/*
 * Four processes at once ask for the same job, each over a connection of its own; in every other
 * race one or two of them are killed, and one more comes after them.
 *
 *   job_race PORT IDENTITY KNOWN_HOSTS FOLDER SEED RACES
 *
 * Each job appends to a file of its own in FOLDER: it must have run once, and all that live must
 * see the same end. Exit 0: so it was.
 */
#include "host/job.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RACERS = 4,
    DEADLINE_MS = 20000,
    KILL_WITHIN_MS = 80,
};

static struct host_settings settings;

struct race {
    struct job_request request;
    const char *out;
    int status;
};

static void tell(const struct race *race, const char *what)
{
    fprintf(stderr, "job %s: %s\n", race->request.id, what);
}

/* The exit status of a racer: 0, it saw the true end. */
static int run(const struct race *race, int gate)
{
    struct host *host = host_new(&settings, -1);
    struct job_request request = race->request;
    struct job_result result = {0};
    struct arena arena = {0};
    char byte;

    request.deadline_ms = clock_ms() + DEADLINE_MS;

    struct error *error = host_open(host, &arena, request.deadline_ms);

    // The gate opens when its other end is closed.
    while (gate >= 0 && read(gate, &byte, 1) > 0)
        continue;
    if (error == NULL)
        error = job_run(host, &arena, &request, NULL, NULL, &result);
    if (error != NULL)
        tell(race, error_text(&arena, error));
    else if (result.state != JOB_DONE || result.status != race->status)
        tell(race, arena_printf(&arena, "state %d, status %d instead of %d", result.state,
                                result.status, race->status));
    else if (!equal(text_string(&result.out), race->out) ||
             !equal(text_string(&result.err), "error\n"))
        tell(race, arena_printf(&arena, "output \"%s\", \"%s\"", text_string(&result.out),
                                text_string(&result.err)));
    else
        return 0;
    return 1;
}

static pid_t start(const struct race *race, int gate, int other_end)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    if (other_end >= 0)
        (void)close(other_end);
    _exit(run(race, gate));
}

static bool is_right(pid_t pid)
{
    int status;

    (void)waitpid(pid, &status, 0);
    return status == 0;
}

static bool ran_once(const struct race *race, const char *path)
{
    struct stat info;
    struct arena arena = {0};
    bool once = stat(path, &info) == 0 && info.st_size == 1;

    if (!once)
        tell(race, arena_printf(&arena, "it ran %ld times", (long)info.st_size));
    arena_release(&arena);
    return once;
}

static bool race_run(struct arena *arena, const char *folder, int number)
{
    static const int statuses[] = {0, 7, 255, 137};
    const char *path = arena_printf(arena, "%s/race%d", folder, number);
    const int killed = number % 2 == 0 ? 0 : 1 + (int)(random() % 2);
    struct race race = {.status = statuses[random() % 4], .out = "first\nlast\n"};
    pid_t pids[RACERS];
    int gate[2];
    bool right = true;

    race.request = (struct job_request){
        .run = "race",
        .id = arena_printf(arena, "%064x", (unsigned)number + 1),
        .script = arena_printf(
            arena, "printf x >>%s; echo first; echo error >&2; sleep 0.0%ld; echo last; %s", path,
            random() % 5,
            race.status == 137 ? "kill -KILL $$" : arena_printf(arena, "exit %d", race.status))};
    if (pipe(gate) != 0)
        return false;
    for (int at = 0; at < RACERS; at++)
        pids[at] = start(&race, gate[0], gate[1]);
    (void)usleep(60000); // they connect
    (void)close(gate[1]);
    (void)usleep((useconds_t)(random() % KILL_WITHIN_MS) * 1000);
    for (int at = 0; at < killed; at++) {
        (void)kill(pids[at], SIGKILL);
        (void)waitpid(pids[at], NULL, 0);
    }
    for (int at = killed; at < RACERS; at++)
        right &= is_right(pids[at]);
    right &= is_right(start(&race, -1, -1));
    (void)close(gate[0]);
    return right && ran_once(&race, path);
}

int main(int argc, char **argv)
{
    struct arena arena = {0};
    bool right = true;

    if (argc != 7)
        return 2;
    settings = (struct host_settings){.name = "host", .member = "host", .address = "127.0.0.1"};
    settings.ssh.user = "root";
    settings.ssh.port = (int)strtol(argv[1], NULL, 10);
    settings.ssh.identity = argv[2];
    settings.ssh.known_hosts = argv[3];
    settings.ssh.become = "none";
    settings.postgres.os_user = "root";
    srandom((unsigned)strtoul(argv[5], NULL, 10));
    for (int number = 0; number < (int)strtol(argv[6], NULL, 10); number++)
        right &= race_run(&arena, argv[4], number);
    arena_release(&arena);
    return right ? 0 : 1;
}
