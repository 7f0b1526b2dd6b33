/*
 * Runs two commands in turn, so that a machine that gets slower or busier does so for both, and
 * prints for each: median, shortest and longest time in microseconds, largest resident memory in
 * KiB. What they print goes to LOG. One that fails ends it.
 *
 *   duel LOG COUNT COMMAND... -- COMMAND...        one command alone: nothing after the --
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COUNT_MOST = 10000 };

struct side {
    char **command;
    long times_us[COUNT_MOST];
    long resident_kib;
};

static long now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool run(struct side *side, int number, const char *log)
{
    struct rusage usage;
    int status, fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    long began_us = now_us();
    pid_t child = fork();

    if (child == 0) {
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        execvp(side->command[0], side->command);
        _exit(127);
    }
    (void)close(fd);
    if (child < 0 || wait4(child, &status, 0, &usage) != child)
        return false;
    side->times_us[number] = now_us() - began_us;
    if (usage.ru_maxrss > side->resident_kib)
        side->resident_kib = usage.ru_maxrss;
    if (status != 0)
        fprintf(stderr, "duel: \"%s\" failed (wait status %#x), see %s\n", side->command[0],
                (unsigned)status, log);
    return status == 0;
}

static int longer(const void *left, const void *right)
{
    const long *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static void print(struct side *side, int count)
{
    if (*side->command == NULL)
        return;
    qsort(side->times_us, (size_t)count, sizeof *side->times_us, longer);
    printf("%ld %ld %ld %ld\n", (side->times_us[(count - 1) / 2] + side->times_us[count / 2]) / 2,
           side->times_us[0], side->times_us[count - 1], side->resident_kib);
}

int main(int argc, char **argv)
{
    static struct side sides[2];
    int count = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0, at = 3;

    while (at < argc && strcmp(argv[at], "--") != 0)
        at++;
    if (count < 1 || count > COUNT_MOST || at >= argc) {
        fprintf(stderr, "usage: duel LOG COUNT COMMAND... -- [COMMAND...]\n");
        return 2;
    }
    argv[at] = NULL;
    sides[0].command = argv + 3;
    sides[1].command = argv + at + 1;
    for (int number = 0; number < count; number++)
        for (int side = 0; side < 2; side++)
            if (*sides[side].command != NULL && !run(&sides[side], number, argv[1]))
                return 1;
    print(&sides[0], count);
    print(&sides[1], count);
    return 0;
}
