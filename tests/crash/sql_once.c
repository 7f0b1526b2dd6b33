/*
 * Preloaded into holdback: strikes at a moment that no script can hit.
 *
 *   STRIKE_AT=start           at the program's start
 *   STRIKE_AT=intent          when the first intent is on disk in its journal
 *   STRIKE_AT=TEXT            when the first statement is sent that begins with TEXT
 *   STRIKE_US=N               so many microseconds later
 *   STRIKE_SIGNAL=S           with this signal (SIGKILL)
 *   STRIKE_PID=P              at this process (holdback itself)
 *   STRIKE_NOTE=FILE          and makes this file before
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_bool is_armed;

static long number_of(const char *name, long otherwise)
{
    const char *text = getenv(name); // NOLINT(concurrency-mt-unsafe)

    return text == NULL ? otherwise : strtol(text, NULL, 10);
}

static void *strike(void *argument)
{
    const char *note = getenv("STRIKE_NOTE"); // NOLINT(concurrency-mt-unsafe)
    long delay_us = number_of("STRIKE_US", 0);
    const struct timespec delay = {.tv_sec = delay_us / 1000000,
                                   .tv_nsec = delay_us % 1000000 * 1000};

    (void)argument;
    (void)nanosleep(&delay, NULL);
    if (note != NULL)
        (void)close(open(note, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    (void)kill((pid_t)number_of("STRIKE_PID", getpid()), (int)number_of("STRIKE_SIGNAL", SIGKILL));
    return NULL;
}

/* NOW is what happens, or begins with it. */
static void arm(const char *now)
{
    const char *wanted = getenv("STRIKE_AT"); // NOLINT(concurrency-mt-unsafe)
    pthread_t thread;

    if (wanted != NULL && strncmp(now, wanted, strlen(wanted)) == 0 &&
        !atomic_exchange(&is_armed, true))
        (void)pthread_create(&thread, NULL, strike, NULL);
}

__attribute__((constructor)) static void start(void)
{
    arm("start");
}

/* The journal is open for appending only, so it is read through another descriptor. */
static bool ends_in_intent(int fd)
{
    char path[32], tail[2048];
    ssize_t length = -1;

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);

    int journal = open(path, O_RDONLY | O_CLOEXEC);

    if (journal >= 0) {
        off_t size = lseek(journal, 0, SEEK_END), most = (off_t)sizeof tail - 1;

        length = pread(journal, tail, sizeof tail - 1, size > most ? size - most : 0);
        (void)close(journal);
    }
    if (length <= 0)
        return false;
    tail[length - 1] = '\0'; // the last line's end

    const char *line = strrchr(tail, '\n');

    return strstr(line == NULL ? tail : line, "\"type\":\"intent\"") != NULL;
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int result = real(fd);

    if (ends_in_intent(fd))
        arm("intent");
    return result;
}

int PQsendQuery(void *conn, const char *text)
{
    int (*real)(void *, const char *) =
        (int (*)(void *, const char *))dlsym(RTLD_NEXT, "PQsendQuery");

    arm(text);
    return real(conn, text);
}
