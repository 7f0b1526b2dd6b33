/*
 * A shell text while its commands are recognised. Internal to facts_shell.c, which reads texts, and
 * facts_command.c, which knows commands and files.
 */
#ifndef PLAN_FACTS_SHELL_H
#define PLAN_FACTS_SHELL_H

#include "plan/facts.h"
#include "plan/shellscan.h"

enum {
    WORDS_MOST = 32, /* of a command; what stands behind them is not looked at */
    WORD_LONGEST = 512,
    NESTED_MOST = 2, /* sh -c 'sh -c ...' */
};

struct command {
    struct shell_word words[WORDS_MOST];
    int count;
};

struct shell_facts {
    struct facts *facts;
    const struct fact_text *text;
    const struct shell_word *part; /* of the text, which is read by itself; or NULL */
    int nesting;
    bool has_target; /* the text names a recovery target */
    struct arena *scratch;
    struct command *commands[SHELL_DEEPEST]; /* by depth; NULL: not used yet */
};

/* A word without quotes, cut short where it is very long; it is in OUT. */
const char *word_unquoted(const struct shell_word *word, char out[WORD_LONGEST]);

/* What stands behind the last slash. */
const char *base_name(const char *path);

bool name_is_one_of(const char *word, const char *const *words);

/* A fact that WORD tells. */
struct fact *shell_add(struct shell_facts *shell, enum effect effect,
                       const struct shell_word *word);

/* What COMMAND does if the word at AT is the name of its program, or of a file. */
void command_add_program(struct shell_facts *shell, const struct command *command, int at);
void command_add_file(struct shell_facts *shell, const struct command *command, int at);

#endif
