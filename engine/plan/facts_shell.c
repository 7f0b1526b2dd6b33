/* What a shell text does to a cluster: its commands, and the SQL in them. */
#include "plan/facts_shell.h"

#include <string.h>

const char *word_unquoted(const struct shell_word *word, char out[WORD_LONGEST])
{
    size_t length = 0;

    for (size_t at = 0; at < word->length && length + 1 < WORD_LONGEST; at++) {
        if (strchr("'\"\\", word->text[at]) == NULL)
            out[length++] = word->text[at];
    }
    out[length] = '\0';
    return out;
}

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

struct fact *shell_add(struct shell_facts *shell, enum effect effect, const struct shell_word *word)
{
    const struct shell_word *place = shell->part == NULL ? word : shell->part;
    size_t before = shell->facts->count;
    struct fact *fact = facts_add(shell->facts, effect, shell->text->step);

    if (shell->facts->count > before) {
        fact->node = shell->text->node;
        fact->offset = (size_t)(place->text - shell->text->node->text);
        fact->length = strcspn(place->text, "\n");
        if (fact->length > place->length)
            fact->length = place->length;
    }
    return fact;
}

bool name_is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (equal(name, *names))
            return true;
    }
    return false;
}

static void shell_facts_of(struct shell_facts *shell, const char *text);

/* su -c 'COMMAND': the words of the part are read as a text of their own. */
static void nested(struct shell_facts *shell, const struct shell_word *word)
{
    CLEANUP(arena_release) struct arena scratch = {0};
    char *copy = arena_copy(&scratch, word->text, word->length);
    struct shell_facts inner = *shell;
    size_t last = word->length - 1;

    if (shell->nesting == NESTED_MOST || word->length < 2 || strchr("'\"", *copy) == NULL)
        return;
    if (copy[last] == *copy)
        copy[last] = '\0';
    inner.nesting++;
    inner.part = shell->part == NULL ? word : shell->part;
    shell_facts_of(&inner, copy + 1);
}

/* Every name in a word that the server knows, too: psql -c "SELECT pg_wal_replay_pause()". */
static void names(struct shell_facts *shell, const struct shell_word *word)
{
    const char *end = word->text + word->length;

    for (const char *at = word->text; at < end; at++) {
        size_t length = 0;

        while (at + length < end &&
               (at[length] == '_' || (at[length] >= 'a' && at[length] <= 'z') ||
                (at[length] >= 'A' && at[length] <= 'Z')))
            length++;
        if (length >= strlen("pg_promote") && shell->part == NULL)
            facts_add_word(shell->facts, shell->text, at, length,
                           (size_t)(at - shell->text->node->text));
        at += length == 0 ? 0 : length - 1;
    }
}

static void command_end(void *context, int depth)
{
    static const char *const askers[] = {"grep", "egrep", "[", "test", "ls", NULL};
    static const char *const talkers[] = {"echo", "printf", NULL};
    static const char *const shells[] = {"su", "sh", "bash", "dash", "runuser", "ssh", NULL};
    struct shell_facts *shell = context;
    struct command *command = shell->commands[depth];
    char name[WORD_LONGEST];

    if (command == NULL || command->count == 0)
        return;

    const char *first = word_unquoted(&command->words[0], name);
    bool only_asks = name_is_one_of(first, askers);
    bool acts = !only_asks && !name_is_one_of(first, talkers), has_shell = false;

    for (int at = 0; at < command->count; at++) {
        const struct shell_word *word = &command->words[at];

        if (acts && !word->is_output)
            command_add_program(shell, command, at);
        if (!shell->text->only_looks && (acts || word->is_output))
            command_add_file(shell, command, at);
        if (has_shell && !shell->text->only_looks)
            nested(shell, word);
        if (!only_asks)
            names(shell, word);
        has_shell |= name_is_one_of(base_name(word_unquoted(word, name)), shells);
    }
    command->count = 0;
}

static void word(void *context, const struct shell_word *word)
{
    struct shell_facts *shell = context;
    struct command *command = shell->commands[word->depth];

    if (word->index < 0) {
        names(shell, word);
        return;
    }
    if (command == NULL)
        command = shell->commands[word->depth] = arena_alloc(shell->scratch, sizeof *command);
    if (word->index == 0)
        command->count = 0;
    if (command->count < WORDS_MOST)
        command->words[command->count++] = *word;
}

static void shell_facts_of(struct shell_facts *shell, const char *text)
{
    CLEANUP(arena_release) struct arena scratch = {0};
    struct shell_visitor visitor = {.word = word, .command_end = command_end, .context = shell};

    memset(shell->commands, 0, sizeof shell->commands);
    shell->scratch = &scratch;
    (void)shell_scan(text, &visitor);
}

void facts_add_shell(struct facts *facts, const struct fact_text *text)
{
    static const char *const signs[] = {"patroni", "pg_",   "postgres", "systemctl", "service",
                                        "etcdctl", "curl",  "rm ",      "find ",     ".signal",
                                        "sleep",   "tail ", "recovery", "txid_",     "DATA"};
    struct shell_facts shell = {
        .facts = facts,
        .text = text,
        .has_target = strstr(text->node->text, "recovery_target_") != NULL,
    };

    for (size_t at = 0; at < ARRAY_COUNT(signs); at++) {
        if (strstr(text->node->text, signs[at]) != NULL) {
            shell_facts_of(&shell, text->node->text);
            return;
        }
    }
}
