#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static struct error *file_error(struct arena *arena, const char *verb, const char *path)
{
    return error_new(arena, ERROR_INPUT, "could not %s \"%s\": %s", verb, path,
                     errno_text(arena, errno));
}

static struct error *read_all(struct arena *arena, int fd, const char *path, size_t limit,
                              struct text *text)
{
    char chunk[16384];

    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return file_error(arena, "read", path);
        if (got == 0)
            return NULL;
        if (text->length + (size_t)got > limit)
            return error_new(arena, ERROR_INPUT, "file \"%s\" is larger than %zu bytes", path,
                             limit);
        text_append_bytes(text, chunk, (size_t)got);
    }
}

struct error *file_read(struct arena *arena, const char *path, size_t limit, char **bytes,
                        size_t *length)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    CLEANUP(text_release) struct text text = {.limit = limit + 1};
    struct stat status;

    if (fd < 0)
        return file_error(arena, "open", path);
    if (fstat(fd, &status) != 0)
        return file_error(arena, "read", path);
    if (!S_ISREG(status.st_mode))
        return error_new(arena, ERROR_INPUT, "\"%s\" is not a regular file", path);

    struct error *error = read_all(arena, fd, path, limit, &text);

    if (error != NULL)
        return error;
    *bytes = text_copy(&text, arena);
    *length = text.length;
    return NULL;
}

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t put = write(fd, bytes, length);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        bytes += put;
        length -= (size_t)put;
    }
    return true;
}

static bool folder_sync(const char *folder)
{
    CLEANUP(close_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && fsync(fd) == 0;
}

struct error *file_write_begin(struct arena *arena, const char *path, mode_t mode,
                               struct file_writer *out)
{
    char *beside = arena_printf(arena, "%s.XXXXXX", path);

    *out = (struct file_writer){path, beside, mkostemp(beside, O_CLOEXEC)};
    if (out->fd < 0)
        return file_error(arena, "create", beside);
    if (fchmod(out->fd, mode) == 0)
        return NULL;

    struct error *error = file_error(arena, "write", path);

    file_write_abandon(out);
    return error;
}

void file_write_abandon(struct file_writer *writer)
{
    if (writer->fd < 0)
        return;
    (void)close(writer->fd);
    (void)unlink(writer->beside);
    writer->fd = -1;
}

static struct error *writer_failed(struct arena *arena, struct file_writer *writer)
{
    struct error *error = file_error(arena, "write", writer->path);

    file_write_abandon(writer);
    return error;
}

static struct error *writer_close(struct arena *arena, struct file_writer *writer)
{
    (void)close(writer->fd);
    writer->fd = -1;
    if (!folder_sync(path_folder(arena, writer->path)))
        return file_error(arena, "sync the folder of", writer->path);
    return NULL;
}

static struct error *file_write_fill(struct arena *arena, struct file_writer *writer,
                                     const char *bytes, size_t length)
{
    if (write_all(writer->fd, bytes, length) && fsync(writer->fd) == 0)
        return NULL;
    return writer_failed(arena, writer);
}

struct error *file_write_end(struct arena *arena, struct file_writer *writer, const char *bytes,
                             size_t length)
{
    struct error *error = file_write_fill(arena, writer, bytes, length);

    if (error != NULL)
        return error;
    if (rename(writer->beside, writer->path) != 0)
        return writer_failed(arena, writer);
    return writer_close(arena, writer);
}

/* Another's file that has come meanwhile stays. NFS cannot rename so, others cannot link. */
static bool rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    return link(from, to) == 0 && unlink(from) == 0;
}

static struct error *file_write_end_new(struct arena *arena, struct file_writer *writer)
{
    if (!rename_new(writer->beside, writer->path))
        return writer_failed(arena, writer);
    return writer_close(arena, writer);
}

static bool has_same_bytes(struct arena *arena, const struct new_file *file)
{
    char *bytes;
    size_t length;

    return file_read(arena, file->path, file->length, &bytes, &length) == NULL &&
           length == file->length && memcmp(bytes, file->bytes, length) == 0;
}

static struct error *files_compare(struct arena *arena, struct new_file *files, size_t count)
{
    const char *first = NULL;
    size_t others = 0;
    struct stat status;

    for (size_t at = 0; at < count; at++) {
        if (lstat(files[at].path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR))
            continue;
        files[at].is_there = has_same_bytes(arena, &files[at]);
        if (files[at].is_there)
            continue;
        others += first != NULL;
        first = first == NULL ? files[at].path : first;
    }
    if (first == NULL)
        return NULL;
    return error_new(arena, ERROR_INPUT,
                     others == 0 ? "\"%s\" is there already"
                                 : "\"%s\" and %zu more are there already",
                     first, others);
}

struct error *files_write_new(struct arena *arena, struct new_file *files, size_t count)
{
    struct file_writer *writers = arena_alloc(arena, (count + 1) * sizeof *writers);
    struct error *error = files_compare(arena, files, count);
    size_t begun = 0, ended = 0;

    for (; error == NULL && begun < count; begun++) {
        writers[begun].fd = -1;
        if (files[begun].is_there)
            continue;
        error = folder_make(arena, path_folder(arena, files[begun].path), 0777);
        if (error == NULL)
            error = file_write_begin(arena, files[begun].path, 0644, &writers[begun]);
        if (error == NULL)
            error =
                file_write_fill(arena, &writers[begun], files[begun].bytes, files[begun].length);
    }
    for (; error == NULL && ended < count; ended++) {
        if (!files[ended].is_there)
            error = file_write_end_new(arena, &writers[ended]);
    }
    if (error == NULL)
        return NULL;
    for (size_t at = 0; at < begun; at++)
        file_write_abandon(&writers[at]);
    // The last one that was tried has not come to be.
    for (size_t at = 0; at + 1 < ended; at++) {
        if (!files[at].is_there)
            (void)unlink(files[at].path);
    }
    return error;
}

struct error *file_write(struct arena *arena, const char *path, const char *bytes, size_t length,
                         mode_t mode)
{
    struct file_writer writer;
    struct error *error = file_write_begin(arena, path, mode, &writer);

    return error != NULL ? error : file_write_end(arena, &writer, bytes, length);
}

struct error *folder_make(struct arena *arena, const char *path, mode_t mode)
{
    char *part = arena_strdup(arena, path);

    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(part, mode) == 0) {
            if (!folder_sync(path_folder(arena, part)))
                return file_error(arena, "sync the folder of", part);
        } else if (errno != EEXIST) {
            return file_error(arena, "make folder", part);
        }
        if (slash == NULL)
            return NULL;
        *slash = '/';
    }
}

const char *path_join(struct arena *arena, const char *folder, const char *path)
{
    // The password database is not asked: it may connect to a name service, and preview must not.
    const char *home = getenv("HOME"); // NOLINT(concurrency-mt-unsafe)

    if (starts_with(path, "~/") && home != NULL)
        return arena_printf(arena, "%s/%s", home, path + 2);
    if (*path == '/' || equal(folder, "."))
        return path;
    return *path == '\0' ? folder : arena_printf(arena, "%s/%s", folder, path);
}

const char *path_folder(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return ".";
    return slash == path ? "/" : arena_copy(arena, path, (size_t)(slash - path));
}
