/*
 * Files on a host, read whole and replaced in one piece: after a crash at any instant a file is
 * byte for byte the old one or the new one, with owner and mode as they were (or as asked).
 */
#ifndef HOST_FILE_H
#define HOST_FILE_H

#include "host/host.h"

struct host_file {
    bool exists;
    char *bytes; /* in the arena, a NUL behind them */
    size_t length;
    char digest[DIGEST_SIZE];
    char owner[64], group[64]; /* names */
    unsigned mode;             /* 0644 */
};

enum {
    HOST_FILE_LARGEST = 4 * 1024 * 1024,
};

/*
 * Reads PATH as USER. What is there but is not a regular file with one link (a symbolic link, a
 * hard link, a folder) is an error, as is more than HOST_FILE_LARGEST.
 */
struct error *host_file_read(struct host *host, struct arena *arena, const char *user,
                             const char *path, int64_t deadline_ms, struct host_file *out);

struct host_file_change {
    const char *user; /* who does it */
    const char *path;
    const char
        *expected_digest; /* of what the look saw; "" : absent. Anything else there: refused */
    const char *bytes;    /* NULL: the file is removed */
    size_t length;
    const char *owner;  /* NULL: as it was; a new file: USER's. "user" or "user:group" */
    int mode;           /* -1: as it was; a new file: 0600 */
    const char *backup; /* where the old bytes are kept (made once, never overwritten), or NULL */
    int64_t deadline_ms;
};

/*
 * Compares the claim (claim.h), writes beside it, compares the digest of what arrived, syncs, keeps
 * the backup, renames, syncs the folder. ERROR_UNREACHABLE: it may or may not have happened; read
 * it again.
 */
struct error *host_file_replace(struct host *host, struct arena *arena,
                                const struct host_file_change *change);

/*
 * What host_file_replace kept at BACKUP: the file as it was, with owner, group and mode (these and
 * the digest, which is compared, lie beside it in BACKUP.meta, durable before the rename).
 * out->exists is false if the file was absent; *is_kept if nothing was ever kept there.
 */
struct error *host_file_backup(struct host *host, struct arena *arena, const char *user,
                               const char *backup, int64_t deadline_ms, struct host_file *out,
                               bool *is_kept);

#endif
