/* The journal as it is read: which records are whole, and which had been on disk. */
#include "run/journal_inside.h"

#include "base/file.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    JOURNAL_VERSION = 1,
};

const char journal_no_hash[DIGEST_SIZE] =
    "0000000000000000000000000000000000000000000000000000000000000000";

/* How every line ends: `,"hash":"` and the SHA-256 of all that stands before it, `"}`. */
static const char hash_key[] = ",\"hash\":\"";
enum {
    HASH_KEY_LENGTH = sizeof hash_key - 1,
    TAIL_LENGTH = HASH_KEY_LENGTH + DIGEST_SIZE - 1 + 2,
};

static bool line_is_whole(const char *line, size_t length, char hash[DIGEST_SIZE])
{
    if (length <= TAIL_LENGTH)
        return false;

    const char *tail = line + length - TAIL_LENGTH;

    sha256_hex(line, length - TAIL_LENGTH, hash);
    return memcmp(tail, hash_key, HASH_KEY_LENGTH) == 0 &&
           memcmp(tail + HASH_KEY_LENGTH, hash, DIGEST_SIZE - 1) == 0 &&
           memcmp(line + length - 2, "\"}", 2) == 0;
}

bool journal_line_is_whole(const char *line, size_t length)
{
    char hash[DIGEST_SIZE];

    return line_is_whole(line, length, hash);
}

/* NULL if the line is not a whole, undamaged record. */
struct record *journal_record(struct arena *arena, const char *line, size_t length,
                              char hash[DIGEST_SIZE])
{
    const struct node *node;

    if (!line_is_whole(line, length, hash) ||
        json_parse(arena, "a record", line, length, &node) != NULL || node->kind != NODE_MAP)
        return NULL;

    struct record *record = arena_alloc(arena, sizeof *record);
    int64_t number = node_integer(node, "n", 0);

    record->node = node;
    record->type = node_text(node, "type");
    record->at = node_text(node, "at");
    record->number = number > 0 ? (size_t)number : 0;
    if (record->type == NULL || record->at == NULL || record->number == 0 ||
        node_text(node, "prev") == NULL || node_integer(node, "durable", -1) < 0)
        return NULL;
    return record;
}

static struct error *damaged(struct arena *arena, const char *path, size_t number)
{
    return error_hint(
        arena,
        error_new(arena, ERROR_FAILED,
                  "journal \"%s\" is damaged at record %zu, which had been on disk", path, number),
        "The run cannot be resumed from it. Restore the journal's newest copy, or finish by hand "
        "and move the run's folder away.");
}

/*
 * True if a record behind OFFSET says that record NUMBER had been on disk. Looked for wherever a
 * record may begin, because the damaged byte may be the newline before it.
 */
static bool was_durable(const char *bytes, size_t length, size_t offset, size_t number)
{
    static const char start[] = "{\"n\":";
    const char *line = bytes + offset, *stop = bytes + length;

    while ((line = memmem(line, (size_t)(stop - line), start, sizeof start - 1)) != NULL) {
        CLEANUP(arena_release) struct arena scratch = {0};
        char hash[DIGEST_SIZE];
        const char *end = memchr(line, '\n', (size_t)(stop - line));
        const struct record *record =
            journal_record(&scratch, line, (size_t)((end == NULL ? stop : end) - line), hash);

        if (record != NULL && node_integer(record->node, "durable", 0) >= (int64_t)number)
            return true;
        line += sizeof start - 1;
    }
    return false;
}

struct error *journal_records(struct arena *arena, const char *path, const char *bytes,
                              size_t length, struct reading *out)
{
    memcpy(out->hash, journal_no_hash, DIGEST_SIZE);
    while (out->end < length) {
        const char *line = bytes + out->end;
        const char *end = memchr(line, '\n', length - out->end);
        char hash[DIGEST_SIZE];
        struct record *record =
            end == NULL ? NULL : journal_record(arena, line, (size_t)(end - line), hash);
        size_t expected = out->count + 1;

        if (record == NULL || record->number != expected ||
            !equal(node_text(record->node, "prev"), out->hash)) {
            out->is_torn = true;
            return was_durable(bytes, length, out->end, expected) ? damaged(arena, path, expected)
                                                                  : NULL;
        }
        if (out->last == NULL)
            out->first = record;
        else
            ((struct record *)out->last)->next = record;
        out->last = record;
        out->count = expected;
        memcpy(out->hash, hash, DIGEST_SIZE);
        out->end += (size_t)(end - line) + 1;
    }
    return NULL;
}

struct error *journal_load(struct arena *arena, const char *path, struct reading *out)
{
    size_t length;
    struct stat status;
    struct error *error = file_read(arena, path, JOURNAL_LARGEST, &out->bytes, &length);

    if (error != NULL) {
        error->kind = ERROR_FAILED;
        return error;
    }
    if (stat(path, &status) == 0 && status.st_uid != geteuid() && geteuid() != 0)
        return error_new(arena, ERROR_FAILED, "journal \"%s\" belongs to another user", path);
    error = journal_records(arena, path, out->bytes, length, out);
    if (error != NULL)
        return error;
    if (out->first == NULL)
        return error_new(arena, ERROR_FAILED, "journal \"%s\" has no complete record", path);
    if (node_integer(out->first->node, "holdback", 0) != JOURNAL_VERSION)
        return error_hint(
            arena, error_new(arena, ERROR_FAILED, "journal \"%s\" is of an unknown version", path),
            "Use the holdback that wrote it.");
    return NULL;
}

struct error *journal_read(struct arena *arena, const char *path, const struct record **first)
{
    struct reading reading = {0};
    struct error *error = journal_load(arena, path, &reading);

    if (error == NULL)
        *first = reading.first;
    return error;
}
