#include "run/folder.h"
#include "base/file.h"
#include "run/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct run_place run_place_resolve(struct arena *arena, const struct run_place *asked,
                                   const char *cluster_journal)
{
    if (asked->journal != NULL)
        return *asked;
    if (cluster_journal != NULL)
        return (struct run_place){cluster_journal, "the cluster file"};

    const char *state = getenv("XDG_STATE_HOME"); // NOLINT(concurrency-mt-unsafe)

    if (geteuid() == 0)
        return (struct run_place){"/var/lib/holdback", "the default"};
    if (state != NULL && *state == '/')
        return (struct run_place){arena_printf(arena, "%s/holdback", state), "$XDG_STATE_HOME"};
    return (struct run_place){path_join(arena, ".", "~/.local/state/holdback"), "the default"};
}

const char *user_name(struct arena *arena)
{
    const struct passwd *entry = getpwuid(geteuid()); // NOLINT(concurrency-mt-unsafe)

    return entry == NULL ? arena_printf(arena, "uid %u", (unsigned)geteuid())
                         : arena_strdup(arena, entry->pw_name);
}

const char *machine_name(struct arena *arena)
{
    char name[256] = "";

    if (gethostname(name, sizeof name - 1) != 0)
        return "unknown";
    return arena_strdup(arena, name);
}

struct error *folder_sync_entry(struct arena *arena, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0) {
        struct error *error = error_new(arena, ERROR_FAILED, "could not sync folder \"%s\": %s",
                                        path, errno_text(arena, errno));

        if (fd >= 0)
            (void)close(fd);
        return error;
    }
    (void)close(fd);
    return NULL;
}

struct error *cluster_folder_lock(struct arena *arena, const char *journal, const char *cluster,
                                  const char **folder, int *lock_fd)
{
    const char *path = arena_printf(arena, "%s/%s", journal, cluster);
    struct error *error = folder_make(arena, path, 0700);

    if (error != NULL)
        return error_hint(arena, error, "Say where runs shall live with --journal DIR.");

    int fd = open(arena_printf(arena, "%s/lock", path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        error = error_new(arena, ERROR_FAILED, "could not lock folder \"%s\": %s", path,
                          errno_text(arena, errno));
        if (fd >= 0)
            (void)close(fd);
        return error;
    }
    *folder = path;
    *lock_fd = fd;
    return NULL;
}

/* Ids sort as the runs began: behind the second stand its 1024th part and 22 bits of chance. */
static const char *run_id_new(struct arena *arena)
{
    struct timespec now;
    struct tm parts;
    uint32_t noise;
    char stamp[32];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    (void)strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &parts);
    while (getrandom(&noise, sizeof noise, 0) != (ssize_t)sizeof noise)
        continue;
    return arena_printf(arena, "%s-%08x", stamp,
                        (uint32_t)(now.tv_nsec / 976563) << 22 | (noise & 0x3fffff));
}

struct error *run_folder_create(struct arena *arena, const char *cluster_folder, const char **id,
                                const char **folder)
{
    for (;;) {
        const char *name = run_id_new(arena);
        const char *path = arena_printf(arena, "%s/%s", cluster_folder, name);

        if (mkdir(path, 0700) == 0) {
            struct error *error = folder_sync_entry(arena, cluster_folder);

            if (error != NULL)
                return error;
            *id = name;
            *folder = path;
            return NULL;
        }
        if (errno != EEXIST)
            return error_new(arena, ERROR_FAILED, "could not make folder \"%s\": %s", path,
                             errno_text(arena, errno));
    }
}

struct error *run_load_summary(struct arena *arena, const char *folder, struct run_summary *out)
{
    struct ledger ledger;
    const struct record *record;
    struct error *error =
        journal_read(arena, arena_printf(arena, "%s/journal.jsonl", folder), &record);

    if (error != NULL)
        return error;
    ledger_init(&ledger, arena);
    ledger_read(&ledger, record);
    *out = ledger.summary;
    out->folder = folder;
    out->holder = run_lock_holder(arena, folder);
    return NULL;
}

/* Names of the folders in FOLDER, sorted downwards: newest runs first. None, if it is not there. */
static struct error *folders_list(struct arena *arena, const char *folder, const char ***out,
                                  size_t *count)
{
    struct dirent **entries = NULL;
    int found = scandir(folder, &entries, NULL, alphasort);
    const char **names = arena_alloc(arena, sizeof *names * (size_t)(found < 0 ? 1 : found + 1));

    *count = 0;
    *out = names;
    // What cannot be listed may hold an open run.
    if (found < 0 && errno != ENOENT)
        return error_new(arena, ERROR_INPUT, "could not read folder \"%s\": %s", folder,
                         errno_text(arena, errno));
    for (int at = found - 1; at >= 0; at--) {
        struct stat status;
        const char *name = entries[at]->d_name;

        if (*name != '.' && stat(arena_printf(arena, "%s/%s", folder, name), &status) == 0 &&
            S_ISDIR(status.st_mode))
            names[(*count)++] = arena_strdup(arena, name);
        free(entries[at]);
    }
    free(entries);
    return NULL;
}

enum {
    TAIL_BYTES = 4096, /* behind the record that closes a run only a few short ones follow */
};

static unsigned long number_of(const char *line, const char *key)
{
    const char *at = strstr(line, key);

    return at == NULL ? 0 : strtoul(at + strlen(key), NULL, 10);
}

/* True if the end of the journal in FOLDER says that the run is closed: reading no more is cheap.
 */
static bool is_closed(struct arena *arena, const char *folder)
{
    char tail[TAIL_BYTES + 1] = "";
    int fd = open(arena_printf(arena, "%s/journal.jsonl", folder), O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    ssize_t got =
        fd < 0 ? 0 : pread(fd, tail, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0);
    bool closed = false;

    if (fd >= 0)
        (void)close(fd);
    // A record that a power loss has torn does not count, although it may still be legible, nor one
    // that is whole behind another that is torn: it must say that all before it were on disk.
    for (char *line = tail, *end; got > 0 && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        for (int state = RUN_REFUSED; state <= RUN_CLOSED; state++)
            closed |= number_of(line, "{\"n\":") == number_of(line, ",\"durable\":") + 1 &&
                      journal_line_is_whole(line, (size_t)(end - line)) &&
                      strstr(line, arena_printf(arena, "\"type\":\"state\",\"state\":\"%s\"",
                                                run_state_names[state])) != NULL;
    }
    return closed;
}

/* Appends the runs in one cluster's folder; those whose journal was never begun are left out. */
static struct error *cluster_list(struct arena *arena, const char *folder, bool only_open,
                                  struct run_summary **runs, size_t *count)
{
    size_t found;
    const char **names;
    struct error *error = folders_list(arena, folder, &names, &found);

    if (error != NULL)
        return error;

    struct run_summary *all = arena_alloc(arena, sizeof *all * (*count + found + 1));

    if (*count > 0)
        memcpy(all, *runs, sizeof *all * *count);
    for (size_t at = 0; at < found; at++) {
        const char *path = arena_printf(arena, "%s/%s", folder, names[at]);

        if (access(arena_printf(arena, "%s/journal.jsonl", path), F_OK) != 0 ||
            (only_open && is_closed(arena, path)))
            continue;
        error = run_load_summary(arena, path, &all[*count]);
        if (error != NULL)
            return error;
        *count += !only_open || run_state_is_open(all[*count].state);
    }
    *runs = all;
    return NULL;
}

/* An id begins with the time at which its run began. */
static int newer_first(const void *a, const void *b)
{
    return strcmp(((const struct run_summary *)b)->id, ((const struct run_summary *)a)->id);
}

static struct error *list(struct arena *arena, const struct run_place *place, const char *cluster,
                          bool only_open, const struct run_summary **out, size_t *count)
{
    struct run_summary *runs = NULL;
    size_t clusters = 1;
    const char **names = &cluster;
    struct error *error = NULL;

    *count = 0;
    if (access(place->journal, R_OK | X_OK) != 0 && errno != ENOENT)
        return error_new(arena, ERROR_INPUT, "could not read journal \"%s\": %s", place->journal,
                         errno_text(arena, errno));
    if (cluster == NULL)
        error = folders_list(arena, place->journal, &names, &clusters);
    for (size_t at = 0; at < clusters && error == NULL; at++)
        error = cluster_list(arena, arena_printf(arena, "%s/%s", place->journal, names[at]),
                             only_open, &runs, count);
    if (runs != NULL && *count > 1)
        qsort(runs, *count, sizeof *runs, newer_first);
    *out = runs;
    return error;
}

struct error *run_list(struct arena *arena, const struct run_place *place, const char *cluster,
                       const struct run_summary **out, size_t *count)
{
    return list(arena, place, cluster, false, out, count);
}

struct error *run_list_open(struct arena *arena, const struct run_place *place, const char *cluster,
                            const struct run_summary **out, size_t *count)
{
    return list(arena, place, cluster, true, out, count);
}

struct error *run_find_folder(struct arena *arena, const struct run_place *place,
                              const char *cluster, const char *id, const char **out)
{
    size_t clusters = 1;
    const char **names = &cluster;
    const char *newest = NULL, *newest_id = "";
    struct error *error = NULL;

    if (cluster == NULL)
        error = folders_list(arena, place->journal, &names, &clusters);
    for (size_t at = 0; at < clusters && error == NULL; at++) {
        const char *folder = arena_printf(arena, "%s/%s", place->journal, names[at]);
        size_t count = 0;
        const char **runs;

        error = folders_list(arena, folder, &runs, &count);
        for (size_t run = 0; run < count; run++) {
            const char *path = arena_printf(arena, "%s/%s", folder, runs[run]);

            if ((id == NULL ? strcmp(runs[run], newest_id) > 0 : equal(id, runs[run])) &&
                access(arena_printf(arena, "%s/journal.jsonl", path), F_OK) == 0) {
                newest = path;
                newest_id = runs[run];
            }
        }
    }
    *out = newest;
    return error;
}
