#include "world.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct world *world;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int world_fd = -1;
static struct text lines;  /* what is in the world's file */
static struct text synced; /* what of the journal is on disk */

void world_make(void)
{
    world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (world == MAP_FAILED)
        out_of_memory();
}

static void read_all(int fd, struct text *out)
{
    char buffer[16384];
    ssize_t got;

    text_clear(out);
    for (off_t at = 0; (got = pread(fd, buffer, sizeof buffer, at)) > 0; at += got)
        text_append_bytes(out, buffer, (size_t)got);
}

void world_begin(const char *path)
{
    world->points = 0;
    world->kind = 0;
    world->says[0] = '\0';
    world->interrupted = 0;
    world->is_stopping = false;
    world->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    world_fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (world_fd < 0)
        out_of_memory();
    read_all(world_fd, &lines);
}

void world_broken(const char *format, ...)
{
    va_list arguments;

    if (world->broken[0] != '\0')
        return;
    va_start(arguments, format);
    (void)vsnprintf(world->broken, sizeof world->broken, format, arguments);
    va_end(arguments);
}

/* Called locked, so that no other thread does anything more. */
static void point(size_t journal_size)
{
    int number = ++world->points;

    if (number < POINTS_MOST)
        world->at[number] = (struct point){journal_size, lines.length};
    while (number == world->kill_at)
        (void)kill(getpid(), SIGKILL);
    if (number == world->interrupt_at)
        world->interrupted = SIGINT;
    if (number == world->stop_at) {
        world->is_stopping = true;
        (void)eventfd_write(world->stop_fd, 1);
    }
}

/* ---- the journal ---- */

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);

/* What was not synced may be cut anywhere: here, before it, behind each record and in the
 * middle of the last.
 */
static void journal_point(int fd, const char *bytes, size_t size)
{
    if (world->points + 1 == world->kill_at)
        (void)!__real_write(fd, bytes, size);
    // A journal whose first records are not on disk does not have its name yet.
    point(synced.length == 0 ? 0 : synced.length + size);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    static const char record[] = "{\"n\":";
    const char *begin = bytes, *end = begin + size;

    if (size < sizeof record - 1 || memcmp(bytes, record, sizeof record - 1) != 0)
        return __real_write(fd, bytes, size);
    (void)pthread_mutex_lock(&lock);
    journal_point(fd, begin, 0);
    for (const char *line = begin; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *next = newline == NULL ? end : newline + 1;

        // Torn anywhere else it is cut to the same beginning.
        if (next == end)
            journal_point(fd, begin, (size_t)(line - begin) + (size_t)(next - line) / 2);
        journal_point(fd, begin, (size_t)(next - begin));
        line = next;
    }
    (void)pthread_mutex_unlock(&lock);
    return __real_write(fd, bytes, size);
}

/* A process that dies loses nothing that it has written, so there is no need to wait for a disk. */
int __wrap_fsync(int fd)
{
    char name[64], path[4096];
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return 0;
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);

    ssize_t length = readlink(name, path, sizeof path - 1);

    path[length < 0 ? 0 : length] = '\0';
    // It has another name until its first records are on disk.
    if (strstr(path, "/journal.jsonl") == NULL)
        return 0;

    int again = open(path, O_RDONLY | O_CLOEXEC);

    (void)pthread_mutex_lock(&lock);
    read_all(again, &synced);
    (void)pthread_mutex_unlock(&lock);
    (void)close(again);
    return 0;
}

int __wrap_fdatasync(int fd)
{
    return __wrap_fsync(fd);
}

bool world_is_durable(const char *bytes, const char *within)
{
    CLEANUP(text_release) struct text list = {0};
    const char *found = NULL;

    (void)pthread_mutex_lock(&lock);
    // The newest one counts.
    for (const char *at = text_string(&synced); (at = strstr(at, bytes)) != NULL; at++)
        found = at + strlen(bytes);
    if (found != NULL)
        text_append_bytes(&list, found, strcspn(found, "]"));
    (void)pthread_mutex_unlock(&lock);
    return found != NULL && strstr(text_string(&list), within) != NULL;
}

/* ---- the world ---- */

void world_append(const char *what, const char *step, const char *host, int try)
{
    CLEANUP(text_release) struct text line = {0};

    text_append_format(&line, "%s %s %s %d\n", what, step, host, try);
    (void)pthread_mutex_lock(&lock);
    point(synced.length);
    (void)!__real_write(world_fd, line.bytes, line.length);
    text_append_bytes(&lines, line.bytes, line.length);
    point(synced.length);
    (void)pthread_mutex_unlock(&lock);
}

int lines_count(const char *text, const char *what, const char *step, const char *host, int try)
{
    char wanted[256];
    int count = 0;

    (void)snprintf(wanted, sizeof wanted, "%s %s %s ", what, step, host);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *number = line + strlen(wanted);

        if (starts_with(line, wanted) && (try == 0 || strtol(number, NULL, 10) == try))
            count++;
    }
    return count;
}

int world_count(const char *what, const char *step, const char *host, int try)
{
    (void)pthread_mutex_lock(&lock);

    int count = lines_count(text_string(&lines), what, step, host, try);

    (void)pthread_mutex_unlock(&lock);
    return count;
}

int lines_taken(const char *text, const char *what, const char *host)
{
    char taken[64], given[64];
    int number = 0;

    (void)snprintf(taken, sizeof taken, "%s - %s ", what, host);
    (void)snprintf(given, sizeof given, "no-%s - %s ", what, host);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (starts_with(line, taken))
            number = (int)strtol(line + strlen(taken), NULL, 10);
        else if (starts_with(line, given))
            number = 0;
    }
    return number;
}

int world_taken(const char *what, const char *host)
{
    (void)pthread_mutex_lock(&lock);

    int number = lines_taken(text_string(&lines), what, host);

    (void)pthread_mutex_unlock(&lock);
    return number;
}

bool world_forgot(const char *step, const char *host, int try)
{
    char begun[160], forgotten[64];
    const char *from;

    (void)snprintf(begun, sizeof begun, "effect %s %s %d\n", step, host, try);
    (void)snprintf(forgotten, sizeof forgotten, "no-folder - %s ", host);
    (void)pthread_mutex_lock(&lock);
    from = strstr(text_string(&lines), begun);

    bool is_forgotten = from != NULL && strstr(from, forgotten) != NULL;

    (void)pthread_mutex_unlock(&lock);
    return is_forgotten;
}

/* The last effect of another step than STEP, into a copy: "effect ID HOST TRY". */
static bool last_effect(const char *step, char out[128], char id[64])
{
    bool found = false;

    (void)pthread_mutex_lock(&lock);
    for (const char *line = text_string(&lines); *line != '\0'; line = strchr(line, '\n') + 1) {
        char other[64];

        if (sscanf(line, "effect %63s", other) != 1 || equal(other, step))
            continue;
        found = true;
        (void)snprintf(out, 128, "%.*s", (int)strcspn(line, "\n"), line);
        (void)memcpy(id, other, sizeof other);
    }
    (void)pthread_mutex_unlock(&lock);
    return found;
}

void world_check_outcomes(const char *step)
{
    char effect[128], id[64];

    if (!last_effect(step, effect, id))
        return;
    for (int host = 1; host <= world->host_count; host++) {
        char name[16], outcome[160];

        (void)snprintf(name, sizeof name, "pg%d", host);
        (void)snprintf(outcome, sizeof outcome,
                       "\"type\":\"outcome\",\"step\":\"%s\",\"host\":\"%s\"", id, name);
        if (world_count("effect", id, name, 0) > 0 && !world_is_durable(outcome, "") &&
            !world_goes_on(id, name))
            world_broken("the outcome of %s@%s is not on disk before %s", id, name,
                         *step == '\0' ? "the hosts forget it" : step);
    }
}
