/* holdback: the table of its commands. */
#include "cli/command.h"
#include "cli/signals.h"
#include "cli/versions.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct command {
    const char *name, *arguments, *help;
    unsigned bit;
    size_t least, most; /* arguments */
    int (*run)(struct cli *cli);
};

static const struct command commands[] = {
    {"init", "[USER@]HOST [DIRECTORY]",
     "write a first plan and cluster file, from a running cluster", FOR_INIT, 1, 2, command_init},
    {"check", "PLAN...", "read plans offline: grammar, types, references, hazards", FOR_CHECK, 1,
     (size_t)-1, command_check},
    {"preview", "PLAN -c CLUSTER", "write down what every phase would do", FOR_PREVIEW, 1, 1,
     command_preview},
    {"deploy", "PLAN -c CLUSTER", "start a run: preflight, hold, deploy", FOR_DEPLOY, 1, 1,
     command_deploy},
    {"resume", "[RUN]", "go on with a run that stopped", FOR_RESUME, 0, 1, command_resume},
    {"commit", "[RUN]", "keep the deployment, let the held standby go on", FOR_COMMIT, 0, 1,
     command_commit},
    {"rollback", "[RUN]", "bring the whole cluster back to the mark", FOR_ROLLBACK, 0, 1,
     command_rollback},
    {"status", "[RUN]", "state, hold, guards, and what to type next", FOR_STATUS, 0, 1,
     command_status},
    {"loss", "[RUN]", "what a rollback to the mark would undo", FOR_LOSS, 0, 1, command_loss},
    {"runs", "", "list all runs of this journal", FOR_RUNS, 0, 0, command_runs},
    {"log", "[RUN]", "the journal, readable", FOR_LOG, 0, 1, command_log},
    {"resolve", "RUN STEP[@HOST] --as done|not-done --why TEXT",
     "answer for a step in doubt or failed", FOR_RESOLVE, 1, 2, command_resolve},
    {"close", "RUN --why TEXT", "end a run that was finished by hand; unlocks the cluster",
     FOR_CLOSE, 0, 1, command_close},
    {"verify", "[RUN]", "prove again that a commit or rollback holds, and what changed since",
     FOR_VERIFY, 0, 1, command_verify},
};

static const struct {
    const char *status;
    unsigned commands;
    const char *meaning;
} exit_codes[] = {
    {"0", FOR_ALL, "done; nothing more to do"},
    {"1", FOR_ALL & ~(unsigned)FOR_VERIFY,
     "it failed; the message ends in the commands that make sense now"},
    {"1", FOR_VERIFY, "a proof failed, or the journal or a file of the run was altered"},
    {"2", FOR_PREVIEW, "with --detailed-exitcode: something would change"},
    {"3", FOR_ALL, "the plan, the cluster file or the command line is wrong; nothing was touched"},
    {"4", FOR_RUNNING, "a step is in doubt; a person must resolve it"},
    {"5", FOR_RUNNING | FOR_RESOLVE | FOR_CLOSE, "another run has locked this cluster"},
    {"6", FOR_RUNNING | FOR_PREVIEW | FOR_CLOSE | FOR_INIT | FOR_VERIFY,
     "a host could not be reached, could not prove who it is, or refused us"},
    {"7", FOR_RUNNING, "a guard stopped the run"},
    {"8", FOR_RUNNING, "a gate waits for a person; resume with the answer"},
    {"9", FOR_DEPLOY | FOR_PREVIEW, "refused by the preflight; nothing was changed"},
    {"10", FOR_DEPLOY, "the deployment failed, and --on-failure rollback brought everything back"},
    {"130, 143, 129", FOR_RUNNING, "interrupted by SIGINT, SIGTERM, SIGHUP; resume continues"},
};

static void append_usage(struct text *text)
{
    text_append(text,
                "holdback deploys a change to a Patroni cluster so that it can be taken back\n\n"
                "usage: holdback COMMAND [ARGUMENT | OPTION]...\n\n");
    for (size_t at = 0; at < ARRAY_COUNT(commands); at++)
        text_append_format(text, "  %-9s %s\n", commands[at].name, commands[at].help);
    text_append(text, "\n\"holdback COMMAND --help\" tells a command's options and exit codes, "
                      "\"holdback --version\" the version.\n");
}

static void append_command_usage(struct text *text, const struct command *command)
{
    text_append_format(text, "usage: holdback %s%s%s [OPTION]...\n\n%s\n\noptions:\n",
                       command->name, *command->arguments == '\0' ? "" : " ", command->arguments,
                       command->help);
    options_append_help(text, command->bit);
    text_append(text, "\nexit codes:\n");
    for (size_t at = 0; at < ARRAY_COUNT(exit_codes); at++) {
        if ((exit_codes[at].commands & command->bit) != 0)
            text_append_format(text, "  %-14s %s\n", exit_codes[at].status, exit_codes[at].meaning);
    }
}

static struct error *command_unknown(struct arena *arena, const char *word)
{
    const char *names[ARRAY_COUNT(commands)];
    struct error *error = error_new(arena, ERROR_INPUT, "there is no command \"%s\"", word);

    for (size_t at = 0; at < ARRAY_COUNT(commands); at++)
        names[at] = commands[at].name;

    const char *nearest = text_nearest(word, names, ARRAY_COUNT(names));

    if (nearest != NULL)
        return error_hint(arena, error, "did you mean \"%s\"?", nearest);
    return error_hint(arena, error, "\"holdback --help\" lists the commands.");
}

static struct error *check_arguments(struct arena *arena, const struct command *command,
                                     const struct options *options)
{
    size_t count = options->arguments.count;

    if (options->explain != NULL || (count >= command->least && count <= command->most))
        return NULL;
    return error_hint(
        arena,
        count < command->least
            ? error_new(arena, ERROR_INPUT, "command \"%s\" needs more arguments", command->name)
            : error_new(arena, ERROR_INPUT, "command \"%s\" does not take \"%s\"", command->name,
                        options->arguments.values[command->most]),
        "usage: holdback %s %s", command->name, command->arguments);
}

static int command_run(struct cli *cli, const struct command *command, int count, char **words)
{
    struct options options = {0};
    struct error *error =
        options_read(cli->arena, command->bit, command->name, count, words, &options);

    cli->options = &options;
    terminal_init(&cli->out, STDOUT_FILENO, options.color);
    terminal_init(&cli->err, STDERR_FILENO, options.color);
    if (error != NULL)
        return cli_fail(cli, error);
    if (options.help) {
        CLEANUP(text_release) struct text text = {0};

        append_command_usage(&text, command);
        return cli_print(cli, &text, 0);
    }
    error = check_arguments(cli->arena, command, &options);
    if (error != NULL)
        return cli_fail(cli, error);
    return command->run(cli);
}

/* A stream that is closed would lend its number to the next file that is opened: the journal. */
static void fill_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1)
            (void)open("/dev/null", O_RDWR);
    }
}

int main(int count, char **words)
{
    CLEANUP(arena_release) struct arena arena = {0};
    CLEANUP(text_release) struct text text = {0};
    struct cli cli = {.arena = &arena};
    const char *word = count > 1 ? words[1] : NULL;

    fill_streams();
    // Libraries keep copies of passwords, which a core dump would show; and /proc would to others.
    (void)prctl(PR_SET_DUMPABLE, 0);
    signals_ignore_pipe();
    for (size_t at = 0; word != NULL && at < ARRAY_COUNT(commands); at++) {
        if (equal(commands[at].name, word))
            return command_run(&cli, &commands[at], count - 2, words + 2);
    }
    terminal_init(&cli.out, STDOUT_FILENO, NULL);
    terminal_init(&cli.err, STDERR_FILENO, NULL);
    if (equal(word, "--version") || equal(word, "-V")) {
        versions_append(&text);
        return cli_print(&cli, &text, 0);
    }
    append_usage(&text);
    if (equal(word, "--help") || equal(word, "-h"))
        return cli_print(&cli, &text, 0);
    if (word != NULL)
        return cli_fail(&cli, command_unknown(&arena, word));
    cli_say(&cli, &text);
    return ERROR_INPUT;
}
