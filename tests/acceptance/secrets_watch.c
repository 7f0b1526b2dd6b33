/*
 * Watches the argument lists and environments of all processes, but for those of other test
 * clusters, every few milliseconds until it is terminated. Writes each that it has not seen in its
 * process before as one line, with blanks in place of NUL and newline:
 *
 *   arguments|environment PID EXECUTABLE TEXT
 *
 * usage: secrets_watch CLUSTER
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PIDS = 1 << 22, /* Linux, PID_MAX_LIMIT */
    TEXT_LARGEST = 1024 * 1024,
    PAUSE_NS = 5 * 1000 * 1000,
    TICKS_OF_ENVIRONMENT = 10, /* a process may write into its own */
    TICKS_OF_STRANGER = 100,   /* its number may be another's by then */
};

struct seen {
    uint64_t arguments, environment;
    unsigned stranger_until;
};

static struct seen *all; /* by pid */
static char text[TEXT_LARGEST];

static size_t read_whole(const char *pid, const char *name)
{
    char path[300];
    size_t length = 0;
    ssize_t got;

    (void)snprintf(path, sizeof path, "/proc/%s/%s", pid, name);

    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    while (length < sizeof text - 1 &&
           (got = read(fd, text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    (void)close(fd);
    text[length] = '\0';
    return length;
}

static uint64_t hash_of(size_t length)
{
    uint64_t hash = 14695981039346656037U; /* FNV-1a */

    for (size_t at = 0; at < length; at++)
        hash = (hash ^ (unsigned char)text[at]) * 1099511628211U;
    return hash;
}

static void read_program(const char *pid, char program[300])
{
    char path[300];

    (void)snprintf(path, sizeof path, "/proc/%s/exe", pid);

    ssize_t end = readlink(path, program, 299);

    program[end < 0 ? 0 : end] = '\0';
}

/* True if it is not what was there before. */
static int note(const char *pid, const char *name, const char *word, uint64_t *before)
{
    char program[300], after[300];

    read_program(pid, program);

    size_t length = read_whole(pid, name);
    uint64_t hash = hash_of(length);

    if (length == 0 || hash == *before)
        return 0;
    read_program(pid, after);
    // It became another program meanwhile: the next look is sure of it.
    if (strcmp(program, after) != 0)
        return 0;
    *before = hash;
    for (size_t at = 0; at < length; at++)
        if (text[at] == '\0' || text[at] == '\n')
            text[at] = ' ';
    printf("%s %s %s %s\n", word, pid, *program == '\0' ? "?" : program, text);
    return 1;
}

static int is_stranger(const char *pid, const char *cluster)
{
    char group[200];

    (void)read_whole(pid, "cgroup");
    (void)snprintf(group, sizeof group, "/holdback-test-%s/", cluster);
    return strstr(text, "/holdback-test-") != NULL && strstr(text, group) == NULL;
}

static void look(const char *pid, const char *cluster, unsigned tick)
{
    struct seen *seen = &all[strtol(pid, NULL, 10) % PIDS];

    if (seen->stranger_until > tick)
        return;
    if (seen->arguments == 0 && is_stranger(pid, cluster)) {
        seen->stranger_until = tick + TICKS_OF_STRANGER;
        return;
    }
    if (note(pid, "cmdline", "arguments", &seen->arguments) || tick % TICKS_OF_ENVIRONMENT == 0)
        (void)note(pid, "environ", "environment", &seen->environment);
}

int main(int count, char **arguments)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    DIR *processes = opendir("/proc");

    all = calloc(PIDS, sizeof *all);
    if (count != 2 || all == NULL || processes == NULL)
        return 1;
    for (unsigned tick = 1;; tick++) {
        rewinddir(processes);
        for (struct dirent *entry; (entry = readdir(processes)) != NULL;)
            if (isdigit((unsigned char)entry->d_name[0]))
                look(entry->d_name, arguments[1], tick);
        (void)fflush(stdout);
        (void)nanosleep(&pause, NULL);
    }
}
