/*
 * patroni: a member's tags. They live in its own YAML file only: the file is edited, Patroni
 * reloads it, and GET /cluster proves it.
 */
#include "edit.h"
#include "edit_yaml.h"
#include "host/file.h"
#include "patroni.h"

#include <string.h>

struct tags_file {
    struct host_file file;
    const char *wanted; /* its bytes as they should be */
    size_t wanted_length;
    bool is_so;
};

static struct error *edit(struct work *work, const struct node *tags, struct tags_file *out)
{
    struct edit *edits = arena_alloc(work->arena, (tags->count + 1) * sizeof(*edits));
    size_t count = 0;
    NODE_EACH(tag, tags)
    {
        const char **path = arena_alloc(work->arena, 2 * sizeof(*path));
        path[0] = "tags";
        path[1] = tag->key;
        edits[count++] = (struct edit){
            .kind = yaml_is_null(tag) ? EDIT_UNSET : EDIT_SET,
            .path = path,
            .depth = 2,
            .value = tag,
        };
    }
    return edit_bytes(work->arena, EDIT_YAML, out->file.bytes, out->file.length, edits, count,
                      &out->wanted, &out->wanted_length);
}

static struct error *tags_read(struct work *work, const struct node *tags, struct tags_file *out)
{
    const char *path = work->target->patroni.config;
    if (path == NULL)
        return error_new(work->arena, ERROR_INPUT,
                         "the cluster file does not say \"patroni.config\" of host \"%s\"",
                         work->target->name);
    struct error *error =
        host_file_read(work->host, work->arena, "root", path, work->deadline_ms, &out->file);
    if (error == NULL && !out->file.exists)
        error = error_new(work->arena, ERROR_FAILED, "file \"%s\" does not exist", path);
    if (error == NULL)
        error = edit(work, tags, out);
    if (error != NULL)
        return error;
    work->file = path;
    work->digest = arena_strdup(work->arena, out->file.digest);
    out->is_so = out->file.length == out->wanted_length &&
                 memcmp(out->file.bytes, out->wanted, out->wanted_length) == 0;
    return NULL;
}

/* A false or missing tag is not listed by Patroni. */
static bool tag_is_shown(const struct patroni_member *member, const struct node *tag)
{
    const struct node *shown = node_find(member->tags, tag->key);
    bool is_off = yaml_is_null(tag) || equal(tag->text, "false");
    if (is_off)
        return shown == NULL || equal(shown->text, "false");
    return json_equal(shown, tag);
}

static struct error *look_shown(struct work *work, const struct node *tags, bool *is_so,
                                const char **words)
{
    enum patroni_reach reach;
    struct patroni_status status;
    struct patroni_cluster cluster = {0};
    bool is_known = false;
    struct error *error = patroni_status(work, work->target, &reach, &status);
    if (error == NULL)
        error = patroni_members(work, &cluster, &is_known);
    if (error != NULL)
        return error;
    *words = "the member has the tags";
    // A Patroni that does not run will read the file when it starts.
    if (reach == PATRONI_REFUSED) {
        *is_so = true;
        return NULL;
    }
    const struct patroni_member *member = patroni_find_member(&cluster, work->target->member);
    *is_so = member != NULL;
    NODE_EACH(tag, tags)
    *is_so = *is_so && tag_is_shown(member, tag);
    if (!*is_so)
        *words = "the cluster does not show the tags yet";
    return NULL;
}

static struct error *look_tags(struct work *work, const struct node *value, bool *is_so,
                               const char **words)
{
    struct tags_file tags = {0};
    struct error *error = tags_read(work, value, &tags);
    if (error == NULL && tags.is_so)
        return look_shown(work, value, is_so, words);
    if (error != NULL)
        return error;
    *is_so = false;
    *words = "the tags are not as wanted";
    NODE_EACH(tag, value)
    if (!work->is_repeat)
        work_change(work, "%s: tags.%s: %s", work->target->patroni.config, tag->key,
                    yaml_is_null(tag) ? "(none)" : json_text_of(work, tag));
    return NULL;
}

/* {"tags": the old values, "tags-after": the digest of the file that we leave} */
static struct error *keep_before(struct work *work, const struct node *tags,
                                 const struct tags_file *file)
{
    struct yaml_document document;
    struct error *error =
        yaml_document_open(work->arena, file->file.bytes, file->file.length, &document);
    if (error != NULL)
        return error;
    char digest[DIGEST_SIZE];
    sha256_hex(file->wanted, file->wanted_length, digest);
    CLEANUP(text_release) struct text before = {0};
    text_append(&before, "{\"tags\":{");
    NODE_EACH(tag, tags)
    {
        const struct node *old = node_find(node_find(document.root, "tags"), tag->key);
        text_append(&before, tag == tags->child ? "" : ",");
        text_append_json(&before, tag->key, strlen(tag->key));
        text_append(&before, ":");
        if (old == NULL)
            text_append(&before, "null");
        else
            node_append_json(&before, old);
    }
    text_append_format(&before, "},\"tags-after\":\"%s\"}", digest);
    return before_keep(work, text_string(&before));
}

/*
 * What a restore writes: the old bytes where nobody else has changed the file since, so that it is
 * byte for byte what it was; else the old values in the file as it is now.
 */
static struct error *restored_bytes(struct work *work, const char *step, struct tags_file *file)
{
    const struct node *kept;
    const char *path;
    struct host_file backup = {0};
    struct error *error = before_find(work, step, &kept);
    if (error != NULL || !equal(node_text(kept, "tags-after"), file->file.digest))
        return error;
    error = before_path(work, arena_printf(work->arena, "%s.file", step), false, &path);
    if (error == NULL && path != NULL)
        error = host_file_read(work->host, work->arena, "root", path, work->deadline_ms, &backup);
    if (error == NULL && backup.exists) {
        file->wanted = backup.bytes;
        file->wanted_length = backup.length;
    }
    return error;
}

static struct error *reload(struct work *work)
{
    enum patroni_reach reach = PATRONI_SILENT;
    struct patroni_answer answer;
    struct error *error = patroni_post(work, work->target, "/reload", "{}", &reach, &answer);
    if (error != NULL && reach == PATRONI_REFUSED)
        return NULL;
    if (error == NULL && reach == PATRONI_ANSWERED && answer.status >= 400)
        return patroni_refusal(work, "the reload", &answer);
    // The reload itself waits for the member's next loop.
    return error != NULL ? error : patroni_poke(work, work->target);
}

static struct error *apply_tags(struct work *work, const struct node *value, enum apply *outcome)
{
    struct tags_file file = {0};
    const char *step = node_text(work->step->params, "restore");
    const char *backup = NULL;
    *outcome = APPLY_NOTHING;
    struct error *error = tags_read(work, value, &file);
    if (error != NULL)
        return error;
    if (!file.is_so) {
        if (step != NULL) {
            error = restored_bytes(work, step, &file);
        } else {
            error = keep_before(work, value, &file);
            if (error == NULL)
                error = before_path(work, arena_printf(work->arena, "%s.file", work->step->id),
                                    true, &backup);
        }
        if (error != NULL)
            return error;
        const struct host_file_change change = {
            .user = "root",
            .path = work->target->patroni.config,
            .expected_digest = file.file.digest,
            .bytes = file.wanted,
            .length = file.wanted_length,
            .mode = -1,
            .backup = backup,
            .deadline_ms = work->deadline_ms,
        };
        *outcome = APPLY_MAYBE;
        error = host_file_replace(work->host, work->arena, &change);
    }
    *outcome = APPLY_MAYBE;
    return error != NULL ? error : reload(work);
}

const struct patroni_key patroni_tags_key = {
    .name = "tags",
    .look = look_tags,
    .apply = apply_tags,
};
