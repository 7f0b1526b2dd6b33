/* The commands that do something to a cluster, and the files that they do it to. */
#include "plan/facts_shell.h"

#include <string.h>
#include <strings.h>

/*
 * A command is its program and the words that must all stand behind it, in any order: as they are,
 * or with "~" in front, as a part of a word.
 */
static const struct row {
    const char *program, *words[3];
    enum effect effect;
} rows[] = {
    {"systemctl", {"stop", "~patroni"}, EFFECT_SERVICE_STOPPED},
    {"systemctl", {"disable", "~patroni", "--now"}, EFFECT_SERVICE_STOPPED},
    {"systemctl", {"mask", "~patroni", "--now"}, EFFECT_SERVICE_STOPPED},
    {"systemctl", {"disable", "~patroni"}, EFFECT_FENCED},
    {"systemctl", {"mask", "~patroni"}, EFFECT_FENCED},
    {"systemctl", {"enable", "~patroni"}, EFFECT_FENCE_AWAY},
    {"systemctl", {"unmask", "~patroni"}, EFFECT_FENCE_AWAY},
    {"systemctl", {"start", "~patroni"}, EFFECT_SERVICE_STARTED},
    {"systemctl", {"restart", "~patroni"}, EFFECT_SERVICE_STARTED},
    {"systemctl", {"enable", "~patroni", "--now"}, EFFECT_SERVICE_STARTED},
    {"systemctl", {"stop", "~postgres"}, EFFECT_POSTGRES_STOPPED},
    {"systemctl", {"start", "~postgres"}, EFFECT_POSTGRES_STARTED},
    {"systemctl", {"restart", "~postgres"}, EFFECT_POSTGRES_RESTARTED},
    {"service", {"stop", "~patroni"}, EFFECT_SERVICE_STOPPED},
    {"service", {"start", "~patroni"}, EFFECT_SERVICE_STARTED},
    {"service", {"restart", "~patroni"}, EFFECT_SERVICE_STARTED},
    {"service", {"stop", "~postgres"}, EFFECT_POSTGRES_STOPPED},
    {"service", {"start", "~postgres"}, EFFECT_POSTGRES_STARTED},
    {"service", {"restart", "~postgres"}, EFFECT_POSTGRES_RESTARTED},
    {"pg_ctl", {"stop"}, EFFECT_POSTGRES_STOPPED},
    {"pg_ctl", {"start"}, EFFECT_POSTGRES_STARTED},
    {"pg_ctl", {"restart"}, EFFECT_POSTGRES_RESTARTED},
    {"pg_ctl", {"promote"}, EFFECT_PROMOTED},
    {"pg_ctl", {"~recovery_target"}, EFFECT_TARGET_ARGUMENT},
    {"pg_ctlcluster", {"stop"}, EFFECT_POSTGRES_STOPPED},
    {"pg_ctlcluster", {"start"}, EFFECT_POSTGRES_STARTED},
    {"pg_ctlcluster", {"restart"}, EFFECT_POSTGRES_RESTARTED},
    {"pg_ctlcluster", {"promote"}, EFFECT_PROMOTED},
    {"pg_ctlcluster", {"~recovery_target"}, EFFECT_TARGET_ARGUMENT},
    {"postgres", {"~recovery_target"}, EFFECT_TARGET_ARGUMENT},
    {"patronictl", {"pause"}, EFFECT_MAINTENANCE_ON},
    {"patronictl", {"resume"}, EFFECT_MAINTENANCE_OFF},
    {"patronictl", {"remove"}, EFFECT_CLUSTER_CLEARED},
    {"patronictl", {"failover"}, EFFECT_LEADER_CHANGED},
    {"patronictl", {"switchover"}, EFFECT_LEADER_CHANGED},
    {"patronictl", {"restart"}, EFFECT_POSTGRES_RESTARTED},
    {"patronictl", {"list"}, EFFECT_LEADER_LOOKED_FOR},
    {"patronictl", {"topology"}, EFFECT_LEADER_LOOKED_FOR},
    {"etcdctl", {"del", "~service"}, EFFECT_CLUSTER_CLEARED},
    {"etcdctl", {"rm", "~service"}, EFFECT_CLUSTER_CLEARED},
    {"curl", {"~pause:true"}, EFFECT_MAINTENANCE_ON},
    {"curl", {"~pause:false"}, EFFECT_MAINTENANCE_OFF},
    {"curl", {"~pause:null"}, EFFECT_MAINTENANCE_OFF},
    {"curl", {"~POST", "~/switchover"}, EFFECT_LEADER_CHANGED},
    {"curl", {"~POST", "~/failover"}, EFFECT_LEADER_CHANGED},
    {"curl", {"~/leader"}, EFFECT_LEADER_LOOKED_FOR},
    {"curl", {"~/primary"}, EFFECT_LEADER_LOOKED_FOR},
    {"curl", {"~/master"}, EFFECT_LEADER_LOOKED_FOR},
    {"curl", {"~/cluster"}, EFFECT_LEADER_LOOKED_FOR},
    {"pg_waldump", {NULL}, EFFECT_MARK_LOOKED_FOR},
    {"pg_xlogdump", {NULL}, EFFECT_MARK_LOOKED_FOR},
    {"sleep", {NULL}, EFFECT_WAITED},
    {"tail", {"-f"}, EFFECT_WAITED},
    {"tail", {"-F"}, EFFECT_WAITED},
};

/* Quotes and blanks inside a word do not count: {"pause": true} is written in many ways. */
static bool holds(const struct shell_word *word, const char *part)
{
    size_t matched = 0;

    for (size_t at = 0; at < word->length && part[matched] != '\0'; at++) {
        char c = word->text[at];

        if (c == part[matched])
            matched++;
        else if (strchr(" '\"\\", c) == NULL)
            matched = c == part[0];
    }
    return part[matched] == '\0';
}

static bool has_word(const struct command *command, const char *pattern, char scratch[WORD_LONGEST])
{
    for (int at = 0; at < command->count; at++) {
        const struct shell_word *word = &command->words[at];

        if (*pattern == '~' ? holds(word, pattern + 1)
                            : equal(word_unquoted(word, scratch), pattern))
            return true;
    }
    return false;
}

static bool matches(const struct command *command, const struct row *row)
{
    char scratch[WORD_LONGEST];

    for (size_t at = 0; at < ARRAY_COUNT(row->words) && row->words[at] != NULL; at++) {
        if (!has_word(command, row->words[at], scratch))
            return false;
    }
    return true;
}

static bool is_all_of_it(const char *rest)
{
    return rest[strspn(rest, "/*.[!]{},")] == '\0' && (*rest == '\0' || *rest == '/');
}

/* What names a data directory, and perhaps all that is in it, but nothing beside or below it. */
static bool is_data_directory(const char *word)
{
    static const char *const homes[] = {"/var/lib/postgresql/", "/var/lib/pgsql/"};
    static const char *const names[] = {"/main", "/data"};
    char name[WORD_LONGEST] = "";

    if (*word == '$') {
        const char *from = word + 1 + (word[1] == '{');
        size_t length = shell_name_length(from);
        const char *end = word[1] == '{' ? strchr(from, '}') : from + length - 1;

        memcpy(name, from, length);
        return (strcasestr(name, "data_dir") != NULL || strcasestr(name, "pgdata") != NULL) &&
               end != NULL && is_all_of_it(end + 1);
    }
    for (size_t at = 0; at < ARRAY_COUNT(names); at++) {
        const char *found = strstr(word, names[at]);

        if (found != NULL && (starts_with(word, homes[0]) || starts_with(word, homes[1])))
            return is_all_of_it(found + strlen(names[at]));
    }
    return false;
}

static const struct shell_word *data_directory(const struct command *command)
{
    char scratch[WORD_LONGEST];

    for (int at = 0; at < command->count; at++) {
        if (is_data_directory(word_unquoted(&command->words[at], scratch)))
            return &command->words[at];
    }
    return NULL;
}

static void removal(struct shell_facts *shell, const struct command *command, const char *program)
{
    const struct shell_word *word = data_directory(command);
    char scratch[WORD_LONGEST];

    if (word == NULL)
        return;
    if (equal(program, "rm")) {
        for (int at = 1; at < command->count; at++) {
            const char *option = word_unquoted(&command->words[at], scratch);

            if (equal(option, "--recursive") ||
                (option[0] == '-' && option[1] != '-' && strpbrk(option, "rR") != NULL))
                (void)shell_add(shell, EFFECT_DATA_REMOVED, word);
        }
    } else if (equal(program, "find") && has_word(command, "-delete", scratch)) {
        (void)shell_add(shell, EFFECT_DATA_REMOVED, word);
    }
}

/* pg_ctl -l FILE, in the directory that rewind and base backup copy. */
static void log_file(struct shell_facts *shell, const struct command *command)
{
    char scratch[WORD_LONGEST];

    for (int at = 1; at + 1 < command->count; at++) {
        const struct shell_word *next = &command->words[at + 1];

        if (!equal(word_unquoted(&command->words[at], scratch), "-l") &&
            !equal(word_unquoted(&command->words[at], scratch), "--log"))
            continue;

        const char *file = word_unquoted(next, scratch);
        char *name = strrchr(scratch, '/');

        if (name != NULL && *file != '\0') {
            *name = '\0';
            if (is_data_directory(scratch))
                (void)shell_add(shell, EFFECT_LOG_IN_DATA, next);
        }
    }
}

enum use_of_file { FILE_READ, FILE_REMOVED, FILE_REPLACED, FILE_WRITTEN, FILE_EDITED };

static enum use_of_file use_of_file(const struct command *command, int at, const char *program)
{
    static const char *const copies[] = {"cp", "mv", "install", NULL};
    static const char *const writes[] = {"touch", "tee", "truncate", NULL};
    char scratch[WORD_LONGEST];

    if (command->words[at].is_output || name_is_one_of(program, writes))
        return FILE_WRITTEN;
    if (name_is_one_of(program, copies) && at + 1 == command->count)
        return FILE_REPLACED;
    if (equal(program, "rm") || equal(program, "mv"))
        return FILE_REMOVED;
    return equal(program, "sed") &&
                   (has_word(command, "-i", scratch) || has_word(command, "-Ei", scratch) ||
                    has_word(command, "~--in-place", scratch))
               ? FILE_EDITED
               : FILE_READ;
}

static void target(struct shell_facts *shell, const struct shell_word *word)
{
    if (shell->has_target)
        shell_add(shell, EFFECT_TARGET, word)->settings = shell->text->node;
}

/* What does something to the files that stand behind it, also behind sudo. */
static const char *file_program(const struct command *command, char scratch[WORD_LONGEST])
{
    static const char *const programs[] = {"cp",  "mv", "install", "touch",
                                           "tee", "rm", "sed",     NULL};

    for (int at = 0; at < command->count; at++) {
        const char *name = base_name(word_unquoted(&command->words[at], scratch));

        if (name_is_one_of(name, programs))
            return name;
    }
    return "";
}

void command_add_file(struct shell_facts *shell, const struct command *command, int at)
{
    const struct shell_word *word = &command->words[at];
    char scratch[WORD_LONGEST], acting[WORD_LONGEST];
    const char *name = base_name(word_unquoted(word, scratch));
    enum use_of_file use = use_of_file(command, at, file_program(command, acting));

    if (equal(name, "postgresql.auto.conf") && use == FILE_WRITTEN)
        target(shell, word);
    else if (equal(name, "postgresql.auto.conf") && use != FILE_READ)
        (void)shell_add(shell, EFFECT_AUTO_CONF_BACK, word);
    else if (equal(name, "postgresql.conf") && (use == FILE_WRITTEN || use == FILE_EDITED))
        (void)shell_add(shell, EFFECT_REWRITTEN_FILE, word);
    else if (equal(name, "recovery.conf") && use != FILE_READ && use != FILE_REMOVED) {
        (void)shell_add(shell, EFFECT_RECOVERY_CONF, word);
        target(shell, word);
    } else if (equal(name, "recovery.signal") && (use == FILE_WRITTEN || use == FILE_REPLACED))
        (void)shell_add(shell, EFFECT_RECOVERY_SIGNAL, word);
    else if (equal(name, "standby.signal") && use == FILE_REMOVED)
        (void)shell_add(shell, EFFECT_NO_STANDBY_SIGNAL, word);
    else if (equal(name, "patroni.dynamic.json"))
        (void)shell_add(shell, EFFECT_CACHED_CONFIG, word);
}

void command_add_program(struct shell_facts *shell, const struct command *command, int at)
{
    char scratch[WORD_LONGEST];
    const char *name = base_name(word_unquoted(&command->words[at], scratch));

    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        if (!equal(rows[row].program, name) || !matches(command, &rows[row]))
            continue;

        enum effect effect = rows[row].effect;
        bool is_look = effect == EFFECT_LEADER_LOOKED_FOR || effect == EFFECT_MARK_LOOKED_FOR;

        // A job may sleep; a text that only looks does nothing else.
        if (shell->text->only_looks ? is_look || effect == EFFECT_WAITED : effect != EFFECT_WAITED)
            (void)shell_add(shell, effect, &command->words[at]);
    }
    if (shell->text->only_looks)
        return;
    removal(shell, command, name);
    if (equal(name, "pg_ctl"))
        log_file(shell, command);
}
