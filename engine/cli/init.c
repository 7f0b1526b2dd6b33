/*
 * holdback init: asks one host, then every member whether it can be used as the file will say, and
 * only then writes. What is written has been read and checked before, as `check` would.
 */
#include "cli/init_task.h"

#include <string.h>

bool init_is_name(const char *word)
{
    return *word != '\0' && strchr("._-", *word) == NULL &&
           strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
               strlen(word);
}

/* A member's name as a host's: what does not fit becomes "-". */
static const char *host_name(struct arena *arena, const char *member)
{
    char *name = arena_strdup(arena, member);

    for (char *at = name; *at != '\0'; at++) {
        char one[] = {*at, '\0'};

        if (!init_is_name(one) && (at == name || strchr("._-", *at) == NULL))
            *at = at == name ? 'h' : '-';
    }
    return name;
}

struct error *init_take_members(struct arena *arena, struct init *init)
{
    const struct survey_host *found = &init->found;

    init->hosts = arena_alloc(arena, (found->member_count + 1) * sizeof *init->hosts);
    init->host_count = 0;
    for (size_t at = 0; at < found->member_count; at++) {
        const struct survey_member *member = &found->members[at];

        if (member->address == NULL)
            return error_new(arena, ERROR_FAILED,
                             "member \"%s\" has not told Patroni the address of its REST interface",
                             member->name);
        init->hosts[init->host_count++] = (struct init_host){
            .name = host_name(arena, member->name), .member = member, .address = member->address};
    }
    return NULL;
}

/* As it is to be shown: without slashes at its end. */
static const char *folder_argument(const struct init_task *task)
{
    const struct option_list *arguments = &task->cli->options->arguments;
    const char *folder = arguments->count > 1 ? arguments->values[1] : ".";
    size_t length = strlen(folder);

    while (length > 1 && folder[length - 1] == '/')
        length--;
    return length == 0 ? "." : arena_copy(task->arena, folder, length);
}

static struct error *take_arguments(struct init_task *task)
{
    const struct options *options = task->cli->options;
    const char *host = options->arguments.values[0], *at = strrchr(host, '@');

    task->directory = folder_argument(task);
    task->init.asked = at == NULL ? host : at + 1;
    for (size_t pair = 0; pair < options->ssh.count; pair++) {
        struct error *error = init_take_ssh(task->arena, &task->init, options->ssh.values[pair]);

        if (error != NULL)
            return error;
    }
    if (at != NULL && *init_ssh_value(&task->init, "user") != NULL)
        return error_new(task->arena, ERROR_INPUT, "the ssh user is given twice");
    if (at != NULL)
        *init_ssh_value(&task->init, "user") = arena_copy(task->arena, host, (size_t)(at - host));
    if (*init_ssh_value(&task->init, "become") == NULL)
        *init_ssh_value(&task->init, "become") = "sudo";
    init_take_usual_config(task->arena, &task->init);
    return NULL;
}

/* What the program reads out of a text of ours, as if it were the file PATH. */
static struct error *read_text(struct init_task *task, struct inputs *inputs, const char *path,
                               const struct text *text, const struct cluster **out)
{
    struct findings findings = {.arena = task->arena};

    inputs_put(inputs, "cluster", path, text_copy(text, task->arena), text->length);
    *out = cluster_read(task->arena, inputs, path, &findings);
    if (*out != NULL)
        return NULL;

    const struct error *first = findings.items[0].error;
    struct error *error = error_new(task->arena, ERROR_INPUT, "%s", first->message);

    return first->hint == NULL ? error : error_hint(task->arena, error, "%s", first->hint);
}

static struct error *ask_host(struct init_task *task)
{
    CLEANUP(text_release) struct text draft = {0};
    const struct cluster *cluster;
    struct error *error;

    init_append_draft(&draft, &task->init);
    error = read_text(task, inputs_live(task->arena), "the command line", &draft, &cluster);
    if (error != NULL)
        return error;

    const struct survey_question question = {.host = task->init.asked,
                                             .service = task->cli->options->service};
    struct host *host = host_new(&cluster->hosts[0], -1);

    error = survey_ask(host, task->arena, &question, &task->init.found);
    host_free(host);
    if (error == NULL)
        return init_take_route(task->arena, &task->init, &cluster->hosts[0]);
    if (error->kind != ERROR_UNREACHABLE)
        return error;
    return error_hint(
        task->arena,
        error_because(task->arena, error, "could not ask host \"%s\"", task->init.asked),
        "This must work without a question: %s",
        init_ssh_command(task->arena, &task->init, task->init.asked, " -c true"));
}

static void append_cluster(struct init_task *task)
{
    text_clear(&task->cluster);
    text_clear(&task->notes);
    init_append_cluster(&task->cluster, &task->notes, task->arena, &task->init);
}

/* Every host is tried exactly as the file says it is to be reached. */
static struct error *ask_members(struct init_task *task)
{
    const struct cluster *cluster;
    struct error *error = init_take_members(task->arena, &task->init);

    if (error != NULL)
        return error;
    append_cluster(task);
    error = read_text(task, inputs_live(task->arena), "cluster file", &task->cluster, &cluster);
    if (error != NULL)
        return error_because(task->arena, error, "what host \"%s\" tells makes no cluster file",
                             task->init.asked);
    for (size_t at = 0; at < task->init.host_count; at++)
        survey_probe(task->arena, &cluster->hosts[at], task->init.found.scope,
                     &task->init.hosts[at].probe);
    append_cluster(task);
    return NULL;
}

int command_init(struct cli *cli)
{
    struct init_task task = {.cli = cli, .arena = cli->arena};
    struct error *error = take_arguments(&task);
    int status;

    if (error == NULL)
        error = ask_host(&task);
    if (error == NULL)
        error = ask_members(&task);
    if (error == NULL) {
        init_choose_files(&task);
        init_check(&task);
        error = init_write(&task);
    }
    status = error == NULL ? init_tell(&task) : cli_fail(cli, error);
    text_release(&task.cluster);
    text_release(&task.notes);
    return status;
}
