/*
 * Secrets that stand in a plan as they are. It leans towards silence: what begins with a reference
 * ("$", a backtick, a placeholder in "<" or "%") is none.
 */
#include "plan/situation.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_word_part(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* A literal value, and not a keyword or a reference. */
static size_t literal_length(const char *value)
{
    static const char *const keywords[] = {"null", "true", "false",  "none",
                                           "file", "env",  "command"};
    size_t length = strcspn(value, " \t\n'\"\\,;&|)}@");

    if (length == 0 || strchr("$`<%{(*", *value) != NULL)
        return 0;
    for (size_t at = 0; at < ARRAY_COUNT(keywords); at++) {
        if (length == strlen(keywords[at]) && strncasecmp(value, keywords[at], length) == 0)
            return 0;
    }
    return length;
}

/* Behind the word "password": in SQL a quoted literal, in conninfo, JSON and YAML what is assigned.
 */
static const char *assigned(const char *after)
{
    size_t quote = strspn(after, "\"'\\");
    const char *at = after + quote;
    size_t blanks = strspn(at, " \t");
    bool is_assigned = at[blanks] == '=' || at[blanks] == ':';
    const char *value = at + blanks + is_assigned;
    size_t behind = strspn(value, " \t");
    size_t quotes = strspn(value + behind, "\"'\\");

    if (is_assigned && at[blanks + 1] == '=')
        return NULL;
    if (is_assigned ? quotes == 0 && (blanks + behind > 0 || at[blanks] == ':') : quotes == 0)
        return NULL;
    if (!is_assigned && (quote > 0 || blanks == 0))
        return NULL;
    return value + behind + quotes;
}

static const char *find_password(const char *text, size_t *length)
{
    static const char word[] = "password";

    // Most texts have none, and this is faster.
    if (strstr(text, "assw") == NULL && strstr(text, "ASSW") == NULL)
        return NULL;
    for (const char *at = strcasestr(text, word); at != NULL; at = strcasestr(at + 1, word)) {
        const char *after = at + strlen(word);
        const char *value = is_word_part(*after) ? NULL : assigned(after);

        if (value != NULL && (*length = literal_length(value)) > 0)
            return value;
    }
    return NULL;
}

/* scheme://user:password@host */
static const char *find_in_url(const char *text, size_t *length)
{
    for (const char *at = strstr(text, "://"); at != NULL; at = strstr(at + 1, "://")) {
        const char *user = at + 3;
        size_t size = strcspn(user, ":@/ \t\n'\"");
        const char *value = user + size + 1;

        if (user[size] != ':')
            continue;
        *length = literal_length(value);
        if (*length > 0 && value[*length] == '@' && strcspn(value, "/") > *length)
            return value;
    }
    return NULL;
}

/* curl -u USER:PASSWORD */
static const char *find_user(const char *text, size_t *length)
{
    static const char *const options[] = {" -u ", " --user "};

    if (strstr(text, "curl") == NULL)
        return NULL;
    for (size_t at = 0; at < ARRAY_COUNT(options); at++) {
        const char *found = strstr(text, options[at]);
        const char *word = found == NULL ? "" : found + strlen(options[at]);
        size_t size = strcspn(word, ": \t\n");

        if (word[size] == ':' && (*length = literal_length(word + size + 1)) > 0)
            return word + size + 1;
    }
    return NULL;
}

static const char *find_marked(const char *text, size_t *length)
{
    static const char *const marks[] = {"PRIVATE KEY-----", "Authorization: Basic ",
                                        "Authorization: Bearer "};

    for (size_t at = 0; at < ARRAY_COUNT(marks); at++) {
        const char *found = strstr(text, marks[at]);

        if (found == NULL)
            continue;
        *length = at == 0 ? strlen(marks[at]) : literal_length(found + strlen(marks[at]));
        if (*length > 0)
            return at == 0 ? found : found + strlen(marks[at]);
    }
    return NULL;
}

static bool is_secret_key(const struct node *node)
{
    return node->key != NULL && node->text != NULL && !node->is_block &&
           (ends_with(node->key, "password") || ends_with(node->key, "passwd")) &&
           literal_length(node->text) > 0 && strstr(node->text, "${") == NULL;
}

static void node_check(struct checker *checker, const char *where, const char *id,
                       const struct node *node)
{
    static const char *(*const finders[])(const char *, size_t *) = {find_password, find_in_url,
                                                                     find_user, find_marked};
    const char *found = NULL;
    size_t length = 0;

    if (is_secret_key(node)) {
        found = node->text;
        length = node->length;
    }
    for (size_t at = 0; at < ARRAY_COUNT(finders) && node->text != NULL && found == NULL; at++)
        found = finders[at](node->text, &length);
    if (found != NULL) {
        struct place place = text_place(checker, node, (size_t)(found - node->text), length);

        place.is_secret = true;
        hazard_add(checker, "HB040", place,
                   "Take a variable of type secret through \"stdin\", or the server's .pgpass.",
                   "%s \"%s\" holds a secret as it is", where, id);
    }
    NODE_EACH(child, node)
    node_check(checker, where, id, child);
}

static void step_check(struct checker *checker, const struct step *step)
{
    if (step->params != NULL)
        node_check(checker, guard_of(step) != NULL ? "guard" : "step", step->id, step->params);
}

void secrets_check(struct checker *checker)
{
    const struct node *variables = node_find(checker->root, "variables");

    steps_each(checker, step_check);
    NODE_EACH(variable, variables)
    {
        const struct node *fallback = node_find(variable, "default");

        if (fallback != NULL && fallback->kind == NODE_TEXT &&
            (ends_with(variable->key, "password") || ends_with(variable->key, "passwd")) &&
            literal_length(fallback->text) > 0) {
            struct place place = node_place(checker->plan->file, fallback);

            place.is_secret = true;
            hazard_add(checker, "HB040", place, "Give it the type secret, and a reference.",
                       "variable \"%s\" holds a secret as it is", variable->key);
        } else if (fallback != NULL) {
            node_check(checker, "variable", variable->key, fallback);
        }
    }
}
