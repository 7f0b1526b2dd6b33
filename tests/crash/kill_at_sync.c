/*
 * Preloaded into holdback: kills or stops it at a chosen sync of its journal, the only moments
 * at which its state on disk changes.
 *
 *   HOLDBACK_KILL_AT=N        at the N-th fdatasync
 *   HOLDBACK_KILL_SIGNAL=S    by this signal; else SIGKILL
 *   HOLDBACK_KILL_BEFORE=1    instead of it, so that what was written is lost; else after it
 *   HOLDBACK_KILL_DELAY_MS=M  so much later, in the middle of what the intent announced
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int syncs;

static int number_of(const char *name)
{
    const char *text = getenv(name); // NOLINT(concurrency-mt-unsafe)

    return text == NULL ? 0 : (int)strtol(text, NULL, 10);
}

static void kill_now(void)
{
    int number = number_of("HOLDBACK_KILL_SIGNAL");

    (void)kill(getpid(), number == 0 ? SIGKILL : number);
}

static void *kill_later(void *argument)
{
    (void)argument;
    (void)usleep((useconds_t)number_of("HOLDBACK_KILL_DELAY_MS") * 1000);
    kill_now();
    return NULL;
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int number = atomic_fetch_add(&syncs, 1) + 1;
    pthread_t thread;

    if (number == number_of("HOLDBACK_KILL_AT") && number_of("HOLDBACK_KILL_BEFORE") != 0) {
        // The kernel keeps what was written although we die: take it back, as a power loss would.
        off_t end = lseek(fd, 0, SEEK_END);

        (void)ftruncate(fd, end > 40 ? end - 40 : 0);
        (void)kill(getpid(), SIGKILL);
    }

    int result = real(fd);

    if (number == number_of("HOLDBACK_KILL_AT")) {
        if (number_of("HOLDBACK_KILL_DELAY_MS") == 0)
            kill_now();
        else
            (void)pthread_create(&thread, NULL, kill_later, NULL);
    }
    return result;
}
