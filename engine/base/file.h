/*
 * Local files, read whole and written so that a reader sees the old content or the new.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/error.h"

#include <sys/types.h>

/* Reads a regular file of at most LIMIT bytes into ARENA, with a NUL behind it. */
struct error *file_read(struct arena *arena, const char *path, size_t limit, char **bytes,
                        size_t *length);

/* Writes beside PATH with MODE, syncs, renames over it and syncs the folder. */
struct error *file_write(struct arena *arena, const char *path, const char *bytes, size_t length,
                         mode_t mode);

/* The same in two halves, for who may not open a file in between. */
struct file_writer {
    const char *path, *beside;
    int fd; /* -1: none */
};
struct error *file_write_begin(struct arena *arena, const char *path, mode_t mode,
                               struct file_writer *out);
struct error *file_write_end(struct arena *arena, struct file_writer *writer, const char *bytes,
                             size_t length);
void file_write_abandon(struct file_writer *writer); /* nothing, where it has ended */

/*
 * Writes COUNT new files, and the folders that they need: all of them or none, each whole, and
 * never over something. A file that has the same bytes already stays as it is (is_there); anything
 * else in the way of one (ERROR_INPUT) keeps all from being written.
 */
struct new_file {
    const char *path, *bytes;
    size_t length;
    bool is_there;
};
struct error *files_write_new(struct arena *arena, struct new_file *files, size_t count);

/* mkdir -p with MODE for what is made, which is on disk then; an existing folder is left as it is.
 */
struct error *folder_make(struct arena *arena, const char *path, mode_t mode);

/* PATH seen from FOLDER: absolute paths and "~/" stay what they mean; "" joins to FOLDER. */
const char *path_join(struct arena *arena, const char *folder, const char *path);

/* The folder part of PATH ("." where there is none). */
const char *path_folder(struct arena *arena, const char *path);

#endif
