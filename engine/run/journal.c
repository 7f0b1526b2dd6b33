#include "run/journal_inside.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct journal {
    int fd;
    char *path;
    char *beside;   /* where it lies before its first records are on disk; then NULL */
    size_t count;   /* records made */
    size_t durable; /* of them known to be on disk */
    char hash[DIGEST_SIZE];
    struct text pending;
    char failure[200]; /* of the first write or sync that failed, or "" */
};

static struct journal *journal_new(const char *path, int fd)
{
    struct journal *journal = calloc(1, sizeof *journal);

    if (journal == NULL || (journal->path = strdup(path)) == NULL)
        out_of_memory();
    journal->fd = fd;
    memcpy(journal->hash, journal_no_hash, DIGEST_SIZE);
    return journal;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->fd >= 0)
        (void)close(journal->fd);
    if (journal->beside != NULL)
        (void)unlink(journal->beside);
    text_release(&journal->pending);
    free(journal->beside);
    free(journal->path);
    free(journal);
}

struct error *journal_create(struct arena *arena, const char *path, struct journal **out)
{
    const char *beside = arena_printf(arena, "%s.first", path);
    int fd = -1;

    // A journal without a record would be neither one that can be read nor none at all.
    if (access(path, F_OK) == 0)
        errno = EEXIST;
    else
        fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_new(arena, ERROR_FAILED, "could not make journal \"%s\": %s", path,
                         errno_text(arena, errno));
    *out = journal_new(path, fd);
    if (((*out)->beside = strdup(beside)) == NULL)
        out_of_memory();
    return NULL;
}

const char *journal_hash(const struct journal *journal)
{
    return journal->hash;
}

const struct record *journal_append(struct journal *journal, struct arena *arena, const char *type,
                                    const char *fields)
{
    struct text *pending = &journal->pending;
    char at[TIMESTAMP_SIZE], hash[DIGEST_SIZE];
    size_t start = pending->length;

    timestamp_utc(at);
    text_append_format(pending,
                       "{\"n\":%zu,\"at\":\"%s\",\"durable\":%zu,\"prev\":\"%s\",\"type\":\"%s\"",
                       journal->count + 1, at, journal->durable, journal->hash, type);
    if (*fields != '\0')
        text_append_format(pending, ",%s", fields);
    sha256_hex(pending->bytes + start, pending->length - start, journal->hash);
    text_append_format(pending, ",\"hash\":\"%s\"}", journal->hash);

    const struct record *record =
        journal_record(arena, pending->bytes + start, pending->length - start, hash);

    text_append(pending, "\n");
    journal->count++;
    // A record that cannot be read back would be found by the next resume, when it is too late.
    if (record == NULL)
        abort();
    return record;
}

static struct error *journal_failed(struct journal *journal, struct arena *arena)
{
    return error_hint(
        arena,
        error_new(arena, ERROR_FAILED, "could not write journal \"%s\": %s", journal->path,
                  journal->failure),
        "Nothing more was started. Make room or repair the disk, then resume the run.");
}

struct error *journal_sync(struct journal *journal, struct arena *arena)
{
    const char *bytes = text_string(&journal->pending);
    size_t left = journal->pending.length;

    if (*journal->failure != '\0')
        return journal_failed(journal, arena);
    while (left > 0) {
        ssize_t put = write(journal->fd, bytes, left);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            goto failed;
        bytes += put;
        left -= (size_t)put;
    }
    // After a failed sync the kernel may have dropped the pages and call the next one a success.
    if (journal->pending.length > 0 && fdatasync(journal->fd) != 0)
        goto failed;
    if (journal->pending.length > 0 && journal->beside != NULL) {
        if (rename(journal->beside, journal->path) != 0)
            goto failed;
        free(journal->beside);
        journal->beside = NULL;
    }
    text_clear(&journal->pending);
    journal->durable = journal->count;
    return NULL;

failed:
    (void)strncpy(journal->failure, errno_text(arena, errno), sizeof journal->failure - 1);
    return journal_failed(journal, arena);
}
/* Where the records begin that none of the others says was on disk. */
static size_t unsure_begin(const struct reading *reading)
{
    int64_t sure = node_integer(reading->last->node, "durable", 0);
    const char *line = reading->bytes;

    for (; sure > 0 && line < reading->bytes + reading->end; sure--)
        line = strchr(line, '\n') + 1;
    return (size_t)(line - reading->bytes);
}

/*
 * What was read may be in the page cache only, and must be on disk before anyone acts on it. A sync
 * alone does not tell: if one failed for the process that wrote it, the next one succeeds without
 * doing anything. So it is written again.
 */
static bool make_durable(int fd, const struct reading *reading)
{
    size_t at = unsure_begin(reading);

    if (reading->is_torn && ftruncate(fd, (off_t)reading->end) != 0)
        return false;
    while (at < reading->end) {
        ssize_t put = pwrite(fd, reading->bytes + at, reading->end - at, (off_t)at);

        if (put < 0 && errno != EINTR)
            return false;
        at += put > 0 ? (size_t)put : 0;
    }
    // Only now: in a file that is open to append, Linux writes at its end, whatever the offset.
    return fsync(fd) == 0 && fcntl(fd, F_SETFL, O_APPEND) == 0;
}
struct error *journal_open(struct arena *arena, const char *path, struct journal **out,
                           const struct record **first)
{
    struct reading reading = {0};
    struct error *error = journal_load(arena, path, &reading);

    if (error != NULL)
        return error;

    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || !make_durable(fd, &reading)) {
        error = error_new(arena, ERROR_FAILED, "could not open journal \"%s\": %s", path,
                          errno_text(arena, errno));
        if (fd >= 0)
            (void)close(fd);
        return error;
    }
    *out = journal_new(path, fd);
    (*out)->count = (*out)->durable = reading.count;
    memcpy((*out)->hash, reading.hash, DIGEST_SIZE);
    *first = reading.first;
    return NULL;
}

/* Writes all of BYTES to a new file at PATH, on disk. False: errno says why. */
static bool copy_write(const char *path, const char *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t done = 0;

    while (fd >= 0 && done < length) {
        ssize_t wrote = write(fd, bytes + done, length - done);

        if (wrote < 0 && errno != EINTR)
            break;
        done += wrote > 0 ? (size_t)wrote : 0;
    }

    bool is_whole = fd >= 0 && done == length && fsync(fd) == 0;
    int why = errno;

    if (fd >= 0)
        (void)close(fd);
    errno = why;
    return is_whole;
}

struct error *journal_renew(struct arena *arena, const char *path)
{
    const char *copy = arena_printf(arena, "%s.new", path);
    const char *folder = arena_copy(arena, path, (size_t)(strrchr(path, '/') - path));
    struct reading reading = {0};
    char *bytes;
    size_t length;
    struct error *error = file_read(arena, path, JOURNAL_LARGEST, &bytes, &length);

    if (error == NULL)
        error = journal_records(arena, path, bytes, length, &reading);
    if (error != NULL)
        return error;
    (void)unlink(copy);
    if (!copy_write(copy, bytes, reading.end) || rename(copy, path) != 0)
        return error_new(arena, ERROR_FAILED, "could not renew journal \"%s\": %s", path,
                         errno_text(arena, errno));

    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        error = error_new(arena, ERROR_FAILED, "could not sync folder \"%s\": %s", folder,
                          errno_text(arena, errno));
    if (fd >= 0)
        (void)close(fd);
    return error;
}
