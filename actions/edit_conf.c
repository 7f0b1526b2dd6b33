/*
 * The action edit-conf: one file on a host, edited by keys, written whole, removed, or put back as
 * it was. The look reads it, edits in memory and compares; apply does the same again and replaces
 * exactly the bytes that it has read.
 */
#include "edit_conf.h"

#include "actions.h"
#include "diff.h"
#include "host/file.h"
#include "host/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHANGE_MOST = 256 * 1024, /* bytes of diff */
};

/* The file as it is, and as it is to be. */
struct target {
    const char *path;
    struct host_file now;
    bool exists;
    const char *bytes;
    size_t length;
    const char *owner; /* NULL: as it is */
    int mode;          /* -1: as it is */
    bool is_unknown;   /* an earlier step decides */
    bool is_others;    /* somebody else has changed it since, and that stays */
};

/* For a file that is not there: what the edits of it mean. */
static struct error *edit_missing(struct work *work, struct target *target,
                                  const struct edit_list *edits)
{
    bool may_be_made = equal(node_text(work->step->params, "state"), "present");
    bool is_needed = may_be_made || edits->count == 0;

    for (size_t at = 0; at < edits->count; at++)
        is_needed = is_needed || edits->items[at].kind == EDIT_SET ||
                    edits->items[at].kind == EDIT_UNCOMMENT;
    target->exists = may_be_made;
    if (!is_needed || may_be_made)
        return NULL;
    if (work->is_preview) {
        work_words(work, "\"%s\" does not exist yet", target->path);
        target->is_unknown = true;
        return NULL;
    }
    return error_hint(
        work->arena,
        error_new(work->arena, ERROR_FAILED, "file \"%s\" does not exist", target->path),
        "With \"state: present\" it is made.");
}

static struct error *edit_existing(struct work *work, struct target *target)
{
    struct edit_list edits;
    struct error *error = edit_conf_edits(work, &edits);

    if (error == NULL && !target->now.exists)
        error = edit_missing(work, target, &edits);
    if (error != NULL || !target->exists || edits.count == 0)
        return error;
    error = edit_bytes(work->arena, edits.format, target->bytes, target->length, edits.items,
                       edits.count, &target->bytes, &target->length);
    return error == NULL ? NULL
                         : error_because(work->arena, error, "cannot edit \"%s\"", target->path);
}

static struct error *read_now(struct work *work, struct target *target)
{
    if (target->path[0] != '/')
        return error_new(work->arena, ERROR_FAILED, "\"%s\" is not an absolute path", target->path);

    struct error *error = host_file_read(work->host, work->arena, work->as, target->path,
                                         work->deadline_ms, &target->now);

    if (error == NULL) {
        work->file = target->path;
        work->digest = target->now.exists ? arena_strdup(work->arena, target->now.digest) : NULL;
    }
    target->exists = target->now.exists;
    target->bytes = target->now.exists ? target->now.bytes : "";
    target->length = target->now.exists ? target->now.length : 0;
    return error;
}

static struct error *target_of_edit(struct work *work, struct target *target)
{
    const struct node *params = work->step->params;
    const char *mode = node_text(params, "mode"), *content;
    struct error *error = work_param(work, "file", &target->path);

    if (error == NULL)
        error = work_param(work, "owner", &target->owner);
    if (error == NULL)
        error = work_param(work, "content", &content);
    if (error == NULL)
        error = read_now(work, target);
    if (error != NULL)
        return error;
    if (mode != NULL)
        target->mode = (int)strtol(mode, NULL, 8);
    if (equal(node_text(params, "state"), "absent")) {
        target->exists = false;
    } else if (content != NULL) {
        target->exists = true;
        target->bytes = content;
        target->length = strlen(content);
    } else {
        return edit_existing(work, target);
    }
    return NULL;
}

/* RUNFOLDER/STEP.before of the user that STEP acts as; NULL: there is no folder. */
static struct error *backup_path(struct work *work, const struct step *step, const char *user,
                                 bool make, const char **out)
{
    const char *folder = NULL;
    struct error *error =
        run_folder(work->host, work->arena, work->run, user, make, work->deadline_ms, &folder);

    *out = folder == NULL ? NULL : arena_printf(work->arena, "%s/%s.before", folder, step->id);
    return error;
}

/* What STEP kept, or *is_kept false. */
static struct error *read_backup(struct work *work, const struct step *step, struct host_file *out,
                                 bool *is_kept)
{
    const char *user = step->as, *path;
    struct error *error = NULL;

    *is_kept = false;
    if (user != NULL)
        error = expand_text(work->arena, work->scope, work->target->name, step->place, user, &user);
    if (error == NULL)
        error = backup_path(work, step, user, false, &path);
    if (error != NULL || path == NULL)
        return error;
    return host_file_backup(work->host, work->arena, user, path, work->deadline_ms, out, is_kept);
}

static struct error *target_of_restore(struct work *work, const char *id, struct target *target)
{
    const struct step *step = plan_find_step(work->plan, id);
    const struct node *file = step == NULL ? NULL : node_find(step->params, "file");
    struct host_file before = {0};
    bool is_kept;
    struct error *error;

    if (file == NULL)
        return error_new(work->arena, ERROR_FAILED, "step \"%s\" edits no file", id);
    error = work_text(work, file, &target->path);
    if (error == NULL)
        error = read_now(work, target);
    if (error == NULL)
        error = read_backup(work, step, &before, &is_kept);
    if (error != NULL)
        return error;
    if (!is_kept && work->reference != NULL)
        return error_new(work->arena, ERROR_FAILED,
                         "what step \"%s\" kept of \"%s\" is not in the run's folder any more", id,
                         target->path);
    target->is_unknown = !is_kept && work->is_preview;
    if (!is_kept) {
        work_words(work, "step \"%s\" has changed nothing here", id);
        return NULL;
    }
    struct edit_undo undo;

    error = edit_conf_undo(work, step, target->path, &before, &target->now, &undo);
    if (error != NULL)
        return error;
    if (!undo.is_whole) {
        target->bytes = undo.bytes;
        target->length = undo.length;
        target->is_others = true;
        return NULL;
    }
    target->exists = before.exists;
    if (before.exists) {
        target->bytes = before.bytes;
        target->length = before.length;
        target->owner = arena_printf(work->arena, "%s:%s", before.owner, before.group);
        target->mode = (int)before.mode;
    }
    return NULL;
}

static struct error *target_find(struct work *work, struct target *out)
{
    const char *restored = node_text(work->step->params, "restore");

    *out = (struct target){.mode = -1};
    return restored != NULL ? target_of_restore(work, restored, out) : target_of_edit(work, out);
}

static bool owner_is(const struct host_file *file, const char *owner)
{
    const char *colon = strchr(owner, ':');
    size_t length = colon == NULL ? strlen(owner) : (size_t)(colon - owner);

    return strlen(file->owner) == length && memcmp(file->owner, owner, length) == 0 &&
           (colon == NULL || equal(file->group, colon + 1));
}

static bool differs_in_bytes(const struct target *target)
{
    const struct host_file *now = &target->now;

    if (target->exists != now->exists)
        return true;
    return now->exists &&
           (target->length != now->length || memcmp(target->bytes, now->bytes, now->length) != 0);
}

static bool differs_in_owner(const struct target *target)
{
    return target->exists && target->owner != NULL &&
           (!target->now.exists || !owner_is(&target->now, target->owner));
}

static bool differs_in_mode(const struct target *target)
{
    return target->exists && target->mode >= 0 &&
           (!target->now.exists || (int)target->now.mode != target->mode);
}

static bool differs(const struct target *target)
{
    return differs_in_bytes(target) || differs_in_owner(target) || differs_in_mode(target);
}

static void tell_change(struct work *work, const struct target *target)
{
    const struct host_file *now = &target->now;

    work_words(work, "%s \"%s\"", !target->exists ? "removes" : (now->exists ? "changes" : "makes"),
               target->path);
    if (work->is_repeat)
        return;
    work->change.limit = CHANGE_MOST;
    diff_append(&work->change, target->path,
                (struct diff_side){.bytes = now->exists ? now->bytes : NULL, .length = now->length},
                (struct diff_side){.bytes = target->exists ? target->bytes : NULL,
                                   .length = target->exists ? target->length : 0});
    if (differs_in_owner(target) && now->exists)
        work_change(work, "owner: %s:%s -> %s", now->owner, now->group, target->owner);
    else if (differs_in_owner(target))
        work_change(work, "owner: %s", target->owner);
    if (differs_in_mode(target) && now->exists)
        work_change(work, "mode: %04o -> %04o", now->mode, (unsigned)target->mode);
    else if (differs_in_mode(target))
        work_change(work, "mode: %04o", (unsigned)target->mode);
}

static enum look look(struct work *work, struct error **error)
{
    struct target target;
    struct error *failed = target_find(work, &target);

    if (failed != NULL)
        return work_look_failed(work, failed, error);
    if (target.is_unknown)
        return LOOK_UNKNOWN;
    if (!differs(&target))
        return LOOK_ALREADY;
    tell_change(work, &target);
    return LOOK_WOULD_CHANGE;
}

static struct error *replace(struct work *work, const struct target *target)
{
    const char *backup;
    struct error *error = backup_path(work, work->step, work->as, true, &backup);

    if (error != NULL)
        return error;

    const struct host_file_change change = {
        .user = work->as,
        .path = target->path,
        .expected_digest = target->now.exists ? target->now.digest : "",
        .bytes = target->exists ? target->bytes : NULL,
        .length = target->exists ? target->length : 0,
        .owner = differs_in_owner(target) ? target->owner : NULL,
        .mode = differs_in_mode(target) ? target->mode : -1,
        .backup = backup,
        .deadline_ms = work->deadline_ms,
    };

    return host_file_replace(work->host, work->arena, &change);
}

static enum apply apply(struct work *work, struct error **error)
{
    struct target target;
    bool is_asked = false;

    *error = target_find(work, &target);
    if (*error == NULL && differs(&target)) {
        is_asked = true;
        *error = replace(work, &target);
    }
    if (*error == NULL) {
        // What another did meanwhile is not ours to put back, so there is nothing to save.
        if (is_asked)
            work_save(work, "before", target.now.exists ? target.now.digest : "absent");
        if (is_asked && target.is_others)
            text_append_format(&work->shown,
                               "\"%s\" was changed by somebody else meanwhile: that stays, only "
                               "the step's own keys are taken back\n",
                               target.path);
        return APPLY_DONE;
    }

    bool is_known = (*error)->kind != ERROR_UNREACHABLE && (*error)->kind != ERROR_TIMEOUT &&
                    (*error)->kind != ERROR_STOPPED;

    return is_asked && !is_known ? APPLY_MAYBE : APPLY_NOTHING;
}

const struct action edit_conf_action = {
    .name = "edit-conf",
    .schema = "edit-conf.schema.json",
    .has_effect = true,
    .validate = edit_conf_validate,
    .describe = edit_conf_describe,
    .look = look,
    .apply = apply,
};
