#include "base/secret.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SECRET_LARGEST = 64 * 1024,
    COMMAND_TIMEOUT_MS = 30000,
};

void secret_release(struct secret *secret)
{
    if (secret->bytes != NULL) {
        explicit_bzero(secret->bytes, SECRET_LARGEST + 1);
        (void)munmap(secret->bytes, SECRET_LARGEST + 1);
    }
    *secret = (struct secret){0};
}

/* Reads from FD until its end, the maximum or the deadline; false with errno set on failure. */
static bool read_secret(int fd, int64_t deadline_ms, struct secret *secret)
{
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left = deadline_ms - clock_ms();

        if (left <= 0 || poll(&wait, 1, (int)left) == 0) {
            errno = ETIMEDOUT;
            return false;
        }

        ssize_t got = read(fd, secret->bytes + secret->length, SECRET_LARGEST + 1 - secret->length);

        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        if (got > 0)
            secret->length += (size_t)got;
        if (secret->length > SECRET_LARGEST) {
            errno = EFBIG;
            return false;
        }
    }
}

static struct error *command_read(struct arena *arena, const char *command, struct secret *secret)
{
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], status = 0;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_new(arena, ERROR_INPUT, "could not make a pipe: %s", errno_text(arena, errno));
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);

    int failed =
        posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)argv, secret_environment(arena));

    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    if (failed != 0) {
        (void)close(ends[0]);
        return error_new(arena, ERROR_INPUT, "could not start /bin/sh: %s",
                         errno_text(arena, failed));
    }

    bool complete = read_secret(ends[0], clock_ms() + COMMAND_TIMEOUT_MS, secret);
    int problem = errno;

    (void)close(ends[0]);
    if (!complete)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!complete)
        return error_new(arena, ERROR_INPUT, "could not read the secret of command \"%s\": %s",
                         command, errno_text(arena, problem));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_new(arena, ERROR_INPUT, "the secret's command \"%s\" failed", command);
    return NULL;
}

static struct error *source_read(struct arena *arena, const struct secret_reference *reference,
                                 struct secret *secret)
{
    const char *argument = reference->argument;

    if (reference->source == SECRET_COMMAND)
        return command_read(arena, argument, secret);
    if (reference->source == SECRET_ENV) {
        const char *value = getenv(argument); // NOLINT(concurrency-mt-unsafe)

        if (value == NULL)
            return error_new(arena, ERROR_INPUT, "environment variable \"%s\" is not set",
                             argument);
        secret->length = strlen(value);
        if (secret->length > SECRET_LARGEST)
            return error_new(arena, ERROR_INPUT, "environment variable \"%s\" is too long",
                             argument);
        memcpy(secret->bytes, value, secret->length);
        return NULL;
    }

    int fd = open(path_join(arena, ".", argument), O_RDONLY | O_CLOEXEC);
    bool complete = fd >= 0 && read_secret(fd, clock_ms() + COMMAND_TIMEOUT_MS, secret);
    int problem = errno;

    if (fd >= 0)
        (void)close(fd);
    if (!complete)
        return error_new(arena, ERROR_INPUT, "could not read the secret in \"%s\": %s", argument,
                         errno_text(arena, problem));
    return NULL;
}

static struct error *secret_finish(struct arena *arena, const struct secret_reference *reference,
                                   struct secret *secret)
{
    if (reference->source != SECRET_ENV && secret->length > 0 &&
        secret->bytes[secret->length - 1] == '\n')
        secret->length--;
    if (secret->length == 0)
        return error_new(arena, ERROR_INPUT, "the secret in \"%s\" is empty", reference->argument);
    if (memchr(secret->bytes, '\0', secret->length) != NULL)
        return error_new(arena, ERROR_INPUT, "the secret in \"%s\" holds a NUL byte",
                         reference->argument);
    secret->bytes[secret->length] = '\0';
    return NULL;
}

struct error *secret_fetch(struct arena *arena, const struct secret_reference *reference,
                           struct secret *out)
{
    struct secret secret = {0};

    if (reference->source == SECRET_NONE) {
        *out = secret;
        return NULL;
    }
    // Pages of its own, so that leaving them out of core dumps takes nothing else with it.
    secret.bytes =
        mmap(NULL, SECRET_LARGEST + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (secret.bytes == MAP_FAILED)
        out_of_memory();
    (void)madvise(secret.bytes, SECRET_LARGEST + 1, MADV_DONTDUMP);

    struct error *error = source_read(arena, reference, &secret);

    if (error == NULL)
        error = secret_finish(arena, reference, &secret);
    if (error != NULL) {
        secret_release(&secret);
        return error;
    }
    *out = secret;
    return NULL;
}
