/*
 * What a person types to do a step without the program: for the runbook. Commands for a shell on
 * the operator's machine. Everything that a host gets goes to /bin/sh through a here-document, so
 * that no text has to be quoted for a second shell, and pasting changes nothing.
 */
#ifndef ACTIONS_BY_HAND_H
#define ACTIONS_BY_HAND_H

#include "action.h"

/*
 * A step on one host. Every name that its texts hold has a value in the scope; where it is not
 * known, a placeholder such as "<point>". HOST's and the roles' hosts' names are hosts of the
 * scope.
 */
struct by_hand {
    struct arena *arena;
    const struct plan *plan;
    const struct cluster *cluster;
    const struct scope *scope;
    const struct step *step;
    const struct host_settings *host;
    const struct pinned_role *roles;
    size_t role_count;
};

/*
 * Parts in the order in which they are done: the title is a sentence that says what to do, the text
 * a command ("sh") or what to write ("text"), or "" where the sentence says all.
 */
void by_hand_step(const struct by_hand *by_hand, struct description *out);

/* Inside: by_hand*.c. */

const char *by_hand_text(const struct by_hand *by_hand, const struct node *node);
const char *by_hand_value(const struct by_hand *by_hand, const char *name);

/* One word of a shell, quoted where it must be. */
const char *by_hand_word(const struct by_hand *by_hand, const char *text);

/* "ssh DESTINATION sudo -n -u USER /bin/sh -eu <<'SH' ..."; USER NULL: who logs in. */
const char *by_hand_script(const struct by_hand *by_hand, const struct host_settings *host,
                           const char *user, const char *script);

/* "<<'SQL'\nTEXT\nSQL\n", with an end that TEXT does not hold. */
const char *by_hand_document(const struct by_hand *by_hand, const char *end, const char *text);

/* The step's `as`, expanded. */
const char *by_hand_user(const struct by_hand *by_hand);

const struct host_settings *by_hand_role(const struct by_hand *by_hand, const char *role);

/* "Repeat until ...", of the keys in MAP. */
void by_hand_condition(const struct by_hand *by_hand, struct description *out,
                       const struct node *map, const char *verb);

void by_hand_sql(const struct by_hand *by_hand, struct description *out);
void by_hand_shell(const struct by_hand *by_hand, struct description *out);
void by_hand_conf(const struct by_hand *by_hand, struct description *out);
void by_hand_patroni(const struct by_hand *by_hand, struct description *out);
void by_hand_patroni_condition(const struct by_hand *by_hand, struct description *out,
                               const struct node *map, const char *verb);

/* The SQL of NODE, one command for each text; TITLE may hold one %s for "" or the versions. */
void by_hand_sql_texts(const struct by_hand *by_hand, struct description *out,
                       const struct node *node, const char *title, const char *options,
                       const char *before);

/* The shell text with its variables in front; runs with /dev/null or INPUT as standard input. */
const char *by_hand_shell_text(const struct by_hand *by_hand, const char *text, const char *shell,
                               const char *input);

#endif
