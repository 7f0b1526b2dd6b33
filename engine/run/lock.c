/* The lock of a run: which process of this machine has it. */
#include "run/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char *lock_path(struct arena *arena, const char *folder)
{
    return arena_printf(arena, "%s/lock", folder);
}

static const char *lock_words(struct arena *arena, int fd)
{
    char words[300];
    ssize_t got = pread(fd, words, sizeof words - 1, 0);

    if (got <= 0)
        return "another process";
    while (got > 0 && words[got - 1] == '\n')
        got--;
    return arena_copy(arena, words, (size_t)got);
}

/* Whether the process that WORDS name lives, as far as can be told from here. */
static bool is_alive(struct arena *arena, const char *words)
{
    const char *here = arena_printf(arena, " on %s, pid ", machine_name(arena));
    const char *found = strstr(words, " on "), *pid = strstr(words, here);

    return found != NULL &&
           (pid == NULL || kill((pid_t)strtol(pid + strlen(here), NULL, 10), 0) == 0 ||
            errno != ESRCH);
}

/* Who has just taken the lock has yet to write its name there, over that of a dead one. */
static const char *lock_holder_words(struct arena *arena, int fd)
{
    const char *words = lock_words(arena, fd);

    for (int tries = 0; tries < 100 && !is_alive(arena, words); tries++) {
        (void)usleep(10000);
        words = lock_words(arena, fd);
    }
    return words;
}

struct error *run_lock(struct arena *arena, const char *folder, int *lock_fd)
{
    const char *path = lock_path(arena, folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char now[TIMESTAMP_SIZE];
    struct error *error = NULL;

    if (fd < 0)
        return error_new(arena, ERROR_FAILED, "could not open \"%s\": %s", path,
                         errno_text(arena, errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        error = error_hint(arena,
                           error_new(arena, ERROR_LOCKED, "run \"%s\" is in the hands of %s",
                                     strrchr(folder, '/') + 1, lock_holder_words(arena, fd)),
                           "Wait for it, or interrupt it: it stops where it can be resumed. If it "
                           "hangs: holdback resume %s --take-over",
                           strrchr(folder, '/') + 1);
        (void)close(fd);
        return error;
    }
    timestamp_utc(now);

    const char *words = arena_printf(arena, "%s on %s, pid %d, since %s\n", user_name(arena),
                                     machine_name(arena), (int)getpid(), now);

    errno = ENOSPC; // A write that is cut short does not say why.
    if (ftruncate(fd, 0) != 0 || pwrite(fd, words, strlen(words), 0) != (ssize_t)strlen(words)) {
        error = error_new(arena, ERROR_FAILED, "could not write \"%s\": %s", path,
                          errno_text(arena, errno));
        (void)close(fd);
        return error;
    }
    *lock_fd = fd;
    return NULL;
}

struct error *run_lock_renew(struct arena *arena, const char *folder)
{
    const char *path = lock_path(arena, folder), *new = arena_printf(arena, "%s.new", path);
    int fd = open(new, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || rename(new, path) != 0) {
        struct error *error = error_new(arena, ERROR_FAILED, "could not renew \"%s\": %s", path,
                                        errno_text(arena, errno));

        if (fd >= 0)
            (void)close(fd);
        return error;
    }
    (void)close(fd);
    return NULL;
}

const char *run_lock_holder(struct arena *arena, const char *folder)
{
    int fd = open(lock_path(arena, folder), O_RDONLY | O_CLOEXEC);
    const char *holder = NULL;

    if (fd < 0)
        return NULL;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0)
        holder = lock_words(arena, fd);
    (void)close(fd);
    return holder;
}
