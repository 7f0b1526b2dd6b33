/*
 * Every legal image of a run's folder after a power loss. It reads what calls.c wrote down of a
 * real run (which files and folders were made, written, renamed, synced, and in which order), and
 * at every point of it builds all that a disk may hold: what was synced, and of all else any part.
 *
 *  - entries of folders that were not synced: any subset;
 *  - bytes that were not synced: every prefix; any subset of the writes; any subset of the sectors,
 *    with zeros or another file's old bytes for the others; a file that has its length already and
 *    only zeros in it.
 *
 * Each image is opened as status and resume do. Nothing that was synced may be missing, nor what
 * was told to a person; nothing may be there that was not written; and none may be refused.
 *
 *   crash-images CALLS ROOT SCRATCH SEED
 *
 * CALLS.bytes holds what was written, ROOT holds the folder "journal" that the calls were about. A
 * line "cut PATH LENGTH" in CALLS is a power loss that left so much of a file.
 */
#include "base/file.h"
#include "plan/inputs.h"
#include "run/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SECTOR = 512,
    MOST = 512,       /* files, entries, changes */
    ALL_SUBSETS = 12, /* of so many things all subsets are tried, of more so many at random: */
    SOME_SUBSETS = 1 << ALL_SUBSETS,
    ZEROS_EVERY = 8,
    OPEN_EVERY = 13, /* so many images are only read before one is opened and appended to */
    FAULTS_TOLD = 10,
    FAULTS_MOST = 1000, /* what is broken to such an extent need not be known in full */
};

struct bytes {
    char *at;
    size_t length;
};

/* A write or truncation that is not on disk yet. */
struct change {
    bool is_write;
    size_t from;
    struct bytes bytes;
};

struct file {
    char *path; /* as seen by the program now; NULL: another has taken its name */
    struct bytes on_disk, seen;
    struct change changes[MOST];
    size_t change_count;
};

/* Something in a folder: one that was made, or a name that a file got. */
struct entry {
    char *path;
    struct file *file; /* NULL: a folder */
    char *from;        /* of a rename, or NULL */
    bool is_on_disk;
};

static struct arena memory; /* of what lives to the end */
static const char *root, *scratch;
static struct entry entries[MOST];
static size_t entry_count;
static struct file *files[MOST];
static size_t file_count;
static bool is_connected; /* a host may know of the run */
static const char *told;  /* the state that a person was told last, or NULL */
static unsigned long images, faults, calls_line;

static void die(const char *what)
{
    (void)fprintf(stderr, "crash-images: line %lu: %s: %s\n", calls_line, what, strerror(errno));
    exit(2);
}

static void fault(const char *image, const char *what)
{
    faults++;
    if (faults <= FAULTS_TOLD)
        (void)printf("FAILED  after call %lu, %s: %s\n", calls_line, image, what);
    if (faults == FAULTS_MOST) {
        (void)printf("%lu images, %lu faults or more\n", images, faults);
        exit(1);
    }
}

/* ---- what a disk may hold ---- */

static struct bytes copy_of(struct arena *arena, struct bytes bytes, size_t length)
{
    struct bytes copy = {arena_alloc(arena, length + 1), length};

    memcpy(copy.at, bytes.at, bytes.length < length ? bytes.length : length);
    return copy;
}

static struct bytes changed(struct arena *arena, struct bytes bytes, const struct change *change)
{
    size_t end = change->from + change->bytes.length;

    if (!change->is_write)
        return copy_of(arena, bytes, change->from);

    struct bytes result = copy_of(arena, bytes, end > bytes.length ? end : bytes.length);

    memcpy(result.at + change->from, change->bytes.at, change->bytes.length);
    return result;
}

static struct file *file_at(const char *path)
{
    for (size_t at = 0; at < file_count; at++) {
        if (equal(files[at]->path, path))
            return files[at];
    }
    return NULL;
}

static struct file *journal_file(void)
{
    for (size_t at = 0; at < file_count; at++) {
        if (files[at]->path != NULL && ends_with(files[at]->path, "/journal.jsonl"))
            return files[at];
    }
    return NULL;
}

static void bytes_write(const char *path, struct bytes bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, bytes.at, bytes.length) != (ssize_t)bytes.length || close(fd) != 0)
        die(path);
}

static const char *in_scratch(struct arena *arena, const char *path)
{
    return arena_printf(arena, "%s%s", scratch, path + strlen(root));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return equal(path, scratch) ? 0 : remove(path);
}

/* The entries that are on disk or that CHOSEN says; each file with what CONTENT gives. */
static void folder_write(struct arena *arena, const bool *chosen, int content)
{
    struct file *named[MOST];
    const char *names[MOST];
    size_t count = 0;

    (void)nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t at = 0; at < entry_count; at++) {
        const struct entry *entry = &entries[at];

        if (!entry->is_on_disk && !chosen[at])
            continue;
        // Without its folder it is nowhere: then this fails, as does the writing of its files.
        if (entry->file == NULL) {
            (void)mkdir(in_scratch(arena, entry->path), 0700);
            continue;
        }
        for (size_t other = 0; other < count; other++) {
            if (equal(names[other], entry->from) || equal(names[other], entry->path))
                names[other] = NULL;
        }
        named[count] = entry->file;
        names[count++] = entry->path;
    }
    for (size_t at = 0; at < count; at++) {
        const char *path = names[at] == NULL ? NULL : in_scratch(arena, names[at]);
        const struct file *file = named[at];

        if (path == NULL || access(path_folder(arena, path), F_OK) != 0)
            continue;
        if (file->change_count == 0 || content == 0)
            bytes_write(path, file->seen);
        else
            bytes_write(path, content == 1 ? file->on_disk
                                           : copy_of(arena, file->on_disk, file->seen.length));
    }
}

/* ---- what must be true of it ---- */

static size_t lines_in(struct bytes bytes)
{
    size_t count = 0;

    for (size_t at = 0; at < bytes.length; at++)
        count += bytes.at[at] == '\n';
    return count;
}

/* True if the first COUNT lines of the image are, byte for byte, the first ones that were written.
 */
static bool is_prefix(struct arena *arena, const char *path, size_t count, struct bytes written)
{
    char *bytes;
    size_t length, end = 0;

    for (; count > 0; count--) {
        const char *newline = memchr(written.at + end, '\n', written.length - end);

        if (newline == NULL)
            return false;
        end = (size_t)(newline - written.at) + 1;
    }
    return file_read(arena, path, SIZE_MAX - 1, &bytes, &length) == NULL && length >= end &&
           memcmp(bytes, written.at, end) == 0;
}

static size_t records_count(const struct record *record)
{
    size_t count = 0;

    for (; record != NULL; record = record->next)
        count++;
    return count;
}

static bool has_state(const struct record *record, const char *state)
{
    for (; record != NULL; record = record->next) {
        if (equal(record->type, "state") && equal(node_text(record->node, "state"), state))
            return true;
    }
    return false;
}

static void check_open(struct arena *arena, const char *image, const char *path, size_t count)
{
    const struct record *first;
    struct journal *journal;
    struct error *error = journal_open(arena, path, &journal, &first);

    if (error != NULL) {
        fault(image, error_text(arena, error));
        return;
    }
    (void)journal_append(journal, arena, "cleaning", "");
    error = journal_sync(journal, arena);
    journal_close(journal);
    if (error == NULL)
        error = journal_read(arena, path, &first);
    if (error != NULL)
        fault(image, error_text(arena, error));
    else if (records_count(first) != count + 1)
        fault(image, "what was opened cannot be gone on with");
}

static void check_run(struct arena *arena, const char *image, const struct run_place *place,
                      const struct run_summary *run)
{
    const struct file *journal = journal_file();
    const char *path = arena_printf(arena, "%s/journal.jsonl", run->folder);
    size_t count = records_count(run->records), open_count;
    const struct run_summary *open;
    struct inputs *inputs;
    struct error *error =
        inputs_frozen(arena, arena_printf(arena, "%s/plan", run->folder), &inputs);

    if (count < lines_in(journal->on_disk))
        fault(image, "a record is lost that was on disk");
    if (!is_prefix(arena, path, count, journal->seen))
        fault(image, "a record is there that was never written");
    if (told != NULL && !has_state(run->records, told))
        fault(image, arena_printf(arena, "a person was told \"%s\", which is lost", told));
    if (error != NULL)
        fault(image, error_text(arena, error));
    error = run_list_open(arena, place, NULL, &open, &open_count);
    if (error != NULL)
        fault(image, error_text(arena, error));
    else if ((open_count == 1) != run_state_is_open(run->state))
        fault(image,
              open_count == 1 ? "a closed run is listed as open" : "an open run is not listed");
    if (images % OPEN_EVERY == 0)
        check_open(arena, image, path, count);
}

static void check(const char *image)
{
    CLEANUP(arena_release) struct arena arena = {0};
    const struct run_place place = {arena_printf(&arena, "%s/journal", scratch), "--journal"};
    const struct run_summary *runs;
    size_t count;
    struct error *error = run_list(&arena, &place, NULL, &runs, &count);

    images++;
    if (error != NULL)
        fault(image, error_text(&arena, error));
    else if (count == 1)
        check_run(&arena, image, &place, &runs[0]);
    else if (count == 0 && is_connected)
        fault(image, "the run is lost, and hosts know of it");
}

/* ---- every image ---- */

/* The next subset of COUNT things: all of them in turn, or so many at random; false: no more. */
static bool subset_next(bool *chosen, size_t count, unsigned long *number)
{
    if (*number >= (count <= ALL_SUBSETS ? 1ul << count : SOME_SUBSETS))
        return false;
    for (size_t at = 0; at < count; at++)
        chosen[at] = count <= ALL_SUBSETS ? (*number >> at & 1) != 0 : rand() % 2 == 0;
    ++*number;
    return true;
}

static void folder_images(void)
{
    bool chosen[MOST] = {false}, picked[MOST] = {false};
    size_t open[MOST], count = 0;
    unsigned long number = 0;
    bool is_unsynced = false;

    for (size_t at = 0; at < file_count; at++)
        is_unsynced |= files[at]->path != NULL && files[at]->change_count > 0;
    for (size_t at = 0; at < entry_count; at++) {
        if (!entries[at].is_on_disk)
            open[count++] = at;
    }
    while (subset_next(picked, count, &number)) {
        for (size_t at = 0; at < count; at++)
            chosen[open[at]] = picked[at];
        for (int content = 0; content < (is_unsynced ? 3 : 1); content++) {
            CLEANUP(arena_release) struct arena arena = {0};

            folder_write(&arena, chosen, content);
            check(arena_printf(&arena, "entries %lu of %zu, contents %d", number - 1, count,
                               content));
        }
    }
}

static void image_of(const char *path, struct bytes bytes, const char *image)
{
    bytes_write(path, bytes);
    check(image);
}

static void sector_images(const char *path, struct bytes old, struct bytes new, struct bytes stale)
{
    size_t torn[MOST], count = 0;
    bool chosen[MOST] = {false};
    unsigned long number = 0;
    size_t longest = old.length > new.length ? old.length : new.length;
    CLEANUP(arena_release) struct arena arena = {0};
    struct bytes from = copy_of(&arena, old, longest), to = copy_of(&arena, new, longest);

    for (size_t at = old.length; at < longest; at++)
        from.at[at] = stale.at[(at - old.length) % stale.length];
    for (size_t at = 0; at < longest && count < MOST; at += SECTOR) {
        size_t length = longest - at < SECTOR ? longest - at : SECTOR;

        if (memcmp(from.at + at, to.at + at, length) != 0)
            torn[count++] = at;
    }
    while (subset_next(chosen, count, &number)) {
        CLEANUP(arena_release) struct arena scratch_memory = {0};
        struct bytes mixed = copy_of(&scratch_memory, from, longest);
        size_t end = old.length;

        for (size_t at = 0; at < count; at++) {
            size_t length = longest - torn[at] < SECTOR ? longest - torn[at] : SECTOR;

            if (!chosen[at])
                continue;
            memcpy(mixed.at + torn[at], to.at + torn[at], length);
            end = torn[at] + length > end ? torn[at] + length : end;
        }

        const char *image = arena_printf(&scratch_memory, "sectors %lu of %zu, else \"%.9s\"",
                                         number - 1, count, stale.at);

        mixed.length = new.length;
        image_of(path, mixed, image);
        mixed.length = end;
        image_of(path, mixed, arena_printf(&scratch_memory, "%s, short", image));
    }
}

/* Of a file that grows: cut at every length, with what was written up to there or with zeros. */
static void length_images(const char *path, struct bytes old, struct bytes new)
{
    for (size_t length = old.length; length <= new.length; length++) {
        CLEANUP(arena_release) struct arena arena = {0};

        image_of(path, (struct bytes){new.at, length}, arena_printf(&arena, "cut at %zu", length));
        if (length % ZEROS_EVERY != 0)
            continue;
        image_of(path, copy_of(&arena, old, length),
                 arena_printf(&arena, "zeros up to %zu", length));
    }
}

static void journal_images(void)
{
    CLEANUP(arena_release) struct arena arena = {0};
    const struct file *journal = journal_file();
    bool all[MOST], chosen[MOST] = {false};
    unsigned long number = 0;

    memset(all, true, sizeof all);
    folder_write(&arena, all, 0);

    const char *path = in_scratch(&arena, journal->path);

    while (subset_next(chosen, journal->change_count, &number)) {
        struct bytes bytes = journal->on_disk;

        for (size_t at = 0; at < journal->change_count; at++) {
            if (chosen[at])
                bytes = changed(&arena, bytes, &journal->changes[at]);
        }
        image_of(path, bytes, arena_printf(&arena, "writes %lu", number - 1));
        // Zeros, text, and what is a journal's too.
        sector_images(path, journal->on_disk, bytes, (struct bytes){(char[]){""}, 1});
        sector_images(path, journal->on_disk, bytes, (struct bytes){(char[]){"0"}, 1});
        sector_images(path, journal->on_disk, bytes, journal->seen);
        length_images(path, journal->on_disk, bytes);
    }
}

/* Not legal: a sector of what had been on disk before the last barrier is gone. It is told by name.
 */
static void damaged_images(const struct file *journal, size_t sure)
{
    for (size_t at = 0; at + SECTOR <= sure; at += SECTOR) {
        CLEANUP(arena_release) struct arena arena = {0};
        const char *path = in_scratch(&arena, journal->path);
        struct bytes damaged = copy_of(&arena, journal->seen, journal->seen.length);
        const struct record *first;

        memset(damaged.at + at, 0, SECTOR);
        bytes_write(path, damaged);

        struct error *error = journal_read(&arena, path, &first);

        images++;
        if (error == NULL || strstr(error->message, "is damaged at record") == NULL)
            fault(arena_printf(&arena, "a sector that had been on disk is gone, at %zu of %zu", at,
                               sure),
                  "it is not refused as damaged");
    }
}

/* ---- what happened ---- */

static void entry_add(const char *path, struct file *file, const char *from)
{
    if (entry_count == MOST)
        die("too many entries");
    entries[entry_count++] = (struct entry){
        .path = arena_strdup(&memory, path),
        .file = file,
        .from = from == NULL ? NULL : arena_strdup(&memory, from),
    };
}

static void file_make(const char *path)
{
    struct file *file = arena_alloc(&memory, sizeof *file);

    if (file_count == MOST)
        die("too many files");
    file->path = arena_strdup(&memory, path);
    file->on_disk = file->seen = (struct bytes){arena_alloc(&memory, 1), 0};
    files[file_count++] = file;
    entry_add(path, file, NULL);
}

static void file_rename(const char *from, const char *to)
{
    struct file *file = file_at(from), *other = file_at(to);

    if (file == NULL)
        die("rename");
    if (other != NULL)
        other->path = NULL;
    file->path = arena_strdup(&memory, to);
    entry_add(to, file, from);
}

static void file_change(const char *path, const struct change *change)
{
    struct file *file = file_at(path);

    if (file == NULL || file->change_count == MOST)
        die("change");
    file->changes[file->change_count++] = *change;
    file->seen = changed(&memory, file->seen, change);
}

static void synced(const char *path)
{
    struct file *file = file_at(path);

    if (file != NULL) {
        if (file == journal_file() && file->seen.length > file->on_disk.length) {
            CLEANUP(arena_release) struct arena arena = {0};
            bool all[MOST];

            memset(all, true, sizeof all);
            folder_write(&arena, all, 0);
            // The newest record says only of those before its batch that they were on disk.
            damaged_images(file, file->on_disk.length - file->on_disk.length % SECTOR);
        }
        file->on_disk = file->seen;
        file->change_count = 0;
    }
    for (size_t at = 0; at < entry_count; at++) {
        CLEANUP(arena_release) struct arena arena = {0};

        if (equal(path_folder(&arena, entries[at].path), path))
            entries[at].is_on_disk = true;
    }
}

/* "22:32:21Z  deployed; commit or roll back", "run 20261122-223221-d9d0 is committed" */
static void tell(const char *line)
{
    const char *words = strstr(line, "Z  ");

    if (starts_with(line, "run ") && strstr(line, " is ") != NULL)
        words = strstr(line, " is ") + 1;
    for (int state = 0; words != NULL && state <= RUN_CLOSED; state++) {
        char *name = arena_strdup(&memory, run_state_names[state]);

        for (char *hyphen = name; (hyphen = strchr(hyphen, '-')) != NULL;)
            *hyphen = ' ';
        if (starts_with(words + 3, run_state_names[state]) || starts_with(words + 3, name))
            told = run_state_names[state];
    }
}

/* True if the disk may hold something new after this line. */
static bool apply(char *line, int bytes_fd)
{
    char first[4096], second[4096];
    long from, to, at;

    if (starts_with(line, "tell ")) {
        tell(line + 7);
        return true;
    }
    if (equal(line, "connect")) {
        is_connected = true;
        return true;
    }
    if (sscanf(line, "%*s %4095s", first) != 1 || !starts_with(first, root))
        return false;
    if (starts_with(line, "mkdir "))
        entry_add(first, NULL, NULL);
    else if (starts_with(line, "create "))
        file_make(first);
    else if (starts_with(line, "sync "))
        synced(first);
    else if (sscanf(line, "rename %4095s %4095s", first, second) == 2)
        file_rename(first, second);
    else if (sscanf(line, "truncate %4095s %ld", first, &to) == 2)
        file_change(first, &(struct change){.from = (size_t)to});
    else if (sscanf(line, "write %4095s %ld %ld %ld", first, &from, &to, &at) == 4) {
        struct bytes bytes = {arena_alloc(&memory, (size_t)(to - from) + 1), (size_t)(to - from)};

        if (pread(bytes_fd, bytes.at, bytes.length, at) != to - from)
            die("bytes");
        file_change(first, &(struct change){true, (size_t)from, bytes});
    } else if (sscanf(line, "cut %4095s %ld", first, &to) == 2) {
        struct file *file = file_at(first);

        file->seen = file->on_disk = copy_of(&memory, file->seen, (size_t)to);
        file->change_count = 0;
    } else {
        return false;
    }
    return true;
}

static bool is_settled(void)
{
    for (size_t at = 0; at < entry_count; at++) {
        if (!entries[at].is_on_disk)
            return false;
    }
    return true;
}

int main(int count, char **words)
{
    char line[65536];

    if (count != 5)
        die("usage: crash-images CALLS ROOT SCRATCH SEED");
    root = words[2];
    scratch = words[3];
    srand((unsigned)strtoul(words[4], NULL, 10));

    FILE *calls = fopen(words[1], "r");
    int bytes_fd = open(arena_printf(&memory, "%s.bytes", words[1]), O_RDONLY);

    if (calls == NULL || bytes_fd < 0)
        die(words[1]);
    while (fgets(line, sizeof line, calls) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        calls_line++;
        if (!apply(line, bytes_fd))
            continue;

        const struct file *journal = journal_file();

        if (!is_settled() || journal == NULL || journal->change_count == 0)
            folder_images();
        if (journal != NULL && journal->change_count > 0)
            journal_images();
    }
    (void)fclose(calls);
    (void)close(bytes_fd);
    arena_release(&memory);
    (void)printf("%lu images, %lu faults\n", images, faults);
    return faults == 0 && images > 0 ? 0 : 1;
}
