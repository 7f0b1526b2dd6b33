/* The files that init writes, and what it says at the end. */
#include "base/file.h"
#include "cli/init_task.h"
#include "cli/signals.h"
#include "plan/schema.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static void add_file(struct init_task *task, const char *path, const char *bytes, size_t length)
{
    task->files[task->file_count++] = (struct new_file){
        .path = path_join(task->arena, task->directory, path), .bytes = bytes, .length = length};
}

static void add_files(struct init_task *task, const char *folder, const struct embedded_file *files)
{
    for (; files->name != NULL && task->file_count < INIT_FILES_MOST - 1; files++)
        add_file(task, arena_printf(task->arena, "%s/%s", folder, files->name), files->bytes,
                 strlen(files->bytes));
}

void init_choose_files(struct init_task *task)
{
    task->plan_path = "plans/blue-green.yml";
    task->migration_path = "plans/migration.sql";
    task->cluster_path = arena_printf(task->arena, "clusters/%s.yml", task->init.found.scope);
    add_files(task, "schemas", schema_files);
    add_files(task, "plans", first_plan_files);
    add_file(task, task->cluster_path, text_string(&task->cluster), task->cluster.length);
}

void init_check(struct init_task *task)
{
    struct arena *arena = task->arena;
    struct inputs *inputs = inputs_live(arena);
    struct findings findings = {.arena = arena};
    const char *setting = arena_printf(arena, "migration=%s",
                                       path_join(arena, task->directory, task->migration_path));
    const struct plan_options options = {
        .settings = &setting, .setting_count = 1, .settings_folder = "."};
    struct plan_options with_cluster = options;

    for (size_t at = 0; at < task->file_count; at++)
        inputs_put(inputs, "file", task->files[at].path, task->files[at].bytes,
                   task->files[at].length);
    with_cluster.cluster = cluster_read(
        arena, inputs, path_join(arena, task->directory, task->cluster_path), &findings);
    if (with_cluster.cluster != NULL) {
        struct scope *scope = scope_new(arena);
        const struct plan *plan =
            plan_read(arena, inputs, path_join(arena, task->directory, task->plan_path),
                      &with_cluster, scope, &findings);

        if (plan != NULL) {
            actions_bind(plan);
            actions_validate(arena, plan, with_cluster.cluster, scope, &findings);
        }
    }
    if (findings.count > 0)
        text_append_format(&task->notes, "check will refuse it until that is mended: %s\n",
                           error_text(arena, findings.items[0].error));
}

/* Whoever has a cluster file has changed it, or will: it is not enough that the bytes are equal. */
static struct error *check_cluster_file(struct init_task *task)
{
    const char *path = task->files[task->file_count - 1].path;

    if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return NULL;
    return error_new(task->arena, ERROR_INPUT, "\"%s\" is there already", path);
}

struct error *init_write(struct init_task *task)
{
    struct error *error = check_cluster_file(task);

    // From here on a signal waits until all is written, or nothing.
    if (!signals_catch())
        return error_new(task->arena, ERROR_FAILED, "could not make an event descriptor");
    if (error == NULL)
        error = files_write_new(task->arena, task->files, task->file_count);
    if (error == NULL)
        return NULL;
    return error_hint(task->arena, error,
                      "Nothing was written. Name another DIRECTORY; what you need can be moved "
                      "from there.");
}

static void append_found(const struct init_task *task, struct text *text)
{
    const struct survey_host *found = &task->init.found;

    text_append_format(text, "cluster \"%s\"", found->scope);
    if (found->patroni_version != NULL)
        text_append_format(text, ", Patroni %s", found->patroni_version);
    if (found->server_version != 0)
        text_append_format(text, ", PostgreSQL %" PRId64 ".%" PRId64, found->server_version / 10000,
                           found->server_version % 10000);
    text_append(text, "\n");
    for (size_t at = 0; at < task->init.host_count; at++) {
        const struct init_host *host = &task->init.hosts[at];

        text_append(text, "  ");
        text_append_padded(text, host->name, 12);
        text_append(text, " ");
        text_append_padded(text, host->address, 16);
        text_append_format(text, " %s%s\n", host->member->role,
                           host->probe.lost == NULL ? "" : ", could not be asked");
    }
}

static void append_notes(const struct init_task *task, struct text *text)
{
    const char *line = text_string(&task->notes);

    if (*line == '\0')
        return;
    text_append(text, "to be looked at, in the cluster file too:\n");
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");

        const char *words = arena_copy(task->arena, line, length);

        // A command stays on one line, so that it can be copied.
        if (starts_with(words, "  ")) {
            text_append_format(text, "    %s\n", words);
        } else {
            text_append(text, "  - ");
            text_append_wrapped(text, words, 4, 4, task->cli->out.width);
            text_append(text, "\n");
        }
        line += length + (line[length] == '\n');
    }
}

static void append_next(const struct init_task *task, struct text *text)
{
    static const struct {
        const char *before, *after, *what;
    } commands[] = {
        {"check  ", " --strict", "offline"},
        {"preview", " --live", "connects, and only looks"},
        {"deploy ", "", "then \"holdback commit\" or \"holdback rollback\""},
    };

    text_append(text,
                "next: put your change into plans/migration.sql, a query about your data into "
                "plans/look.sql, then\n");
    if (!equal(task->directory, ".")) {
        text_append(text, "  cd ");
        text_append_word(text, task->directory);
        text_append(text, "\n");
    }
    for (size_t at = 0; at < ARRAY_COUNT(commands); at++)
        text_append_format(text, "  holdback %s %s -c %s --set migration=%s%-9s # %s\n",
                           commands[at].before, task->plan_path, task->cluster_path,
                           task->migration_path, commands[at].after, commands[at].what);
}

int init_tell(struct init_task *task)
{
    CLEANUP(text_release) struct text text = {0};

    append_found(task, &text);
    text_append(&text, "written:\n");
    for (size_t at = 0; at < task->file_count; at++) {
        const struct new_file *file = &task->files[at];

        if (strstr(file->path, "/schemas/") != NULL || starts_with(file->path, "schemas/"))
            continue;
        text_append(&text, "  ");
        text_append_visible(&text, file->path, strlen(file->path));
        text_append(&text, file->is_there ? " (was there already)\n" : "\n");
    }
    text_append(&text, "  ");
    text_append(&text, path_join(task->arena, task->directory, "schemas/ (for editors)\n"));
    append_notes(task, &text);
    append_next(task, &text);
    return cli_print(task->cli, &text, 0);
}
