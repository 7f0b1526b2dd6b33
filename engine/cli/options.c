#include "cli/options.h"

#include <string.h>

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_CHOICE, /* const char *, one of the words of `value` */
    OPTION_LIST,   /* struct option_list */
    OPTION_PAIRS,  /* the same, each NAME=VALUE */
};

struct option {
    const char *name;
    char letter;
    enum option_kind kind;
    const char *value; /* what stands for the value in --help; NULL: a flag */
    unsigned commands;
    size_t offset;
    const char *help;
};

#define AT(member) offsetof(struct options, member)

static const struct option option_table[] = {
    {"cluster", 'c', OPTION_TEXT, "CLUSTER", FOR_ALL & ~FOR_INIT, AT(cluster), "the cluster file"},
    {"ssh", 0, OPTION_PAIRS, "KEY=VALUE", FOR_INIT, AT(ssh),
     "user, port, identity, known-hosts, jump, config or become; may be repeated"},
    {"service", 0, OPTION_TEXT, "NAME", FOR_INIT, AT(service),
     "which one, where several Patroni services run on HOST"},
    {"set", 0, OPTION_PAIRS, "NAME=VALUE", FOR_CHECK | FOR_PREVIEW | FOR_DEPLOY, AT(settings),
     "the value of a variable of the plan; may be repeated"},
    {"strict", 0, OPTION_FLAG, NULL, FOR_CHECK, AT(strict), "hazards are errors"},
    {"explain", 0, OPTION_TEXT, "ID", FOR_CHECK, AT(explain),
     "what a hazard is, why, and what to write instead"},
    {"phase", 0, OPTION_CHOICE, "preflight|deploy|commit|rollback", FOR_PREVIEW, AT(phase),
     "only this phase"},
    {"live", 0, OPTION_FLAG, NULL, FOR_PREVIEW, AT(live),
     "connect and look: what is there already, what would change"},
    {"format", 0, OPTION_CHOICE, "text|markdown|json|runbook", FOR_PREVIEW, AT(format),
     "how to write it (default: text); runbook: a procedure by hand"},
    {"format", 0, OPTION_CHOICE, "text|github", FOR_CHECK, AT(format),
     "how to write it; github: annotations (default: text)"},
    {"format", 0, OPTION_CHOICE, "text|json", FOR_LOG | FOR_LOSS, AT(format),
     "how to write it (default: text)"},
    {"save", 0, OPTION_TEXT, "FILE", FOR_PREVIEW, AT(save),
     "write it to FILE too, whole and as JSON: for deploy --expect"},
    {"detailed-exitcode", 0, OPTION_FLAG, NULL, FOR_PREVIEW, AT(detailed_exitcode),
     "exit with 2 where something would change"},
    {"expect", 0, OPTION_TEXT, "PREVIEW", FOR_DEPLOY, AT(expect),
     "refuse where anything differs from this saved preview, and say what"},
    {"max-age", 0, OPTION_TEXT, "DURATION", FOR_DEPLOY, AT(max_age),
     "refuse where that preview is older: 30m, 12h, 7d"},
    {"on-failure", 0, OPTION_CHOICE, "stop|rollback", FOR_DEPLOY, AT(on_failure),
     "what follows a failed step (default: stop)"},
    {"plan", 0, OPTION_TEXT, "FILE", FOR_RESUME, AT(plan),
     "go on with this plan; only steps that have not begun may differ"},
    {"take-over", 0, OPTION_FLAG, NULL, FOR_RESUME, AT(take_over),
     "take the run from whoever has it, wherever: they change nothing any more"},
    {"yes", 'y', OPTION_FLAG, NULL, FOR_RUNNING, AT(yes), "answer all gates with yes"},
    {"confirm", 0, OPTION_LIST, "STEP", FOR_RUNNING, AT(confirmed),
     "answer the gate of STEP with yes; may be repeated"},
    {"without-guard", 0, OPTION_LIST, "ID", FOR_RESUME | FOR_COMMIT, AT(without_guards),
     "go on although this guard is not true; needs --why"},
    {"why", 0, OPTION_TEXT, "TEXT", FOR_RESUME | FOR_COMMIT | FOR_RESOLVE | FOR_CLOSE, AT(why),
     "the reason, for the journal"},
    {"as", 0, OPTION_CHOICE, "done|not-done", FOR_RESOLVE, AT(as), "what became of the step"},
    {"watch", 0, OPTION_FLAG, NULL, FOR_STATUS, AT(watch),
     "look at the guards and draw anew each second"},
    {"journal", 0, OPTION_TEXT, "DIR", FOR_JOURNAL | FOR_PREVIEW, AT(journal), "where runs live"},
    {"color", 0, OPTION_CHOICE, "auto|always|never", FOR_ALL, AT(color), "colours (default: auto)"},
    {"help", 'h', OPTION_FLAG, NULL, FOR_ALL, AT(help), "show this"},
};

struct reading {
    struct arena *arena;
    unsigned command;
    const char *name; /* of the command */
    struct options *options;
};

static const struct option *option_find(const struct reading *reading, const char *name,
                                        size_t length)
{
    for (size_t at = 0; at < ARRAY_COUNT(option_table); at++) {
        const struct option *option = &option_table[at];

        if ((option->commands & reading->command) != 0 && strlen(option->name) == length &&
            strncmp(option->name, name, length) == 0)
            return option;
    }
    return NULL;
}

static const struct option *option_find_letter(const struct reading *reading, char letter)
{
    for (size_t at = 0; at < ARRAY_COUNT(option_table); at++) {
        if ((option_table[at].commands & reading->command) != 0 &&
            option_table[at].letter == letter)
            return &option_table[at];
    }
    return NULL;
}

static struct error *option_unknown(const struct reading *reading, const char *word)
{
    const char *names[ARRAY_COUNT(option_table)];
    size_t count = 0;
    const char *name = arena_copy(reading->arena, word, strcspn(word, "="));
    const char *nearest = NULL;
    struct error *error = error_new(reading->arena, ERROR_INPUT,
                                    "command \"%s\" has no option \"%s\"", reading->name, name);

    for (size_t at = 0; at < ARRAY_COUNT(option_table); at++) {
        if ((option_table[at].commands & reading->command) != 0)
            names[count++] = option_table[at].name;
    }
    if (starts_with(name, "--"))
        nearest = text_nearest(name + 2, names, count);
    if (nearest != NULL)
        return error_hint(reading->arena, error, "did you mean \"--%s\"?", nearest);
    return error_hint(reading->arena, error, "Run \"holdback %s --help\" for its options.",
                      reading->name);
}

static bool choice_is_known(const char *choices, const char *value)
{
    size_t length = strlen(value);

    for (const char *at = choices;; at += strcspn(at, "|") + 1) {
        size_t size = strcspn(at, "|");

        if (size == length && strncmp(at, value, size) == 0)
            return true;
        if (at[size] == '\0')
            return false;
    }
}

static void list_append(struct arena *arena, struct option_list *list, const char *value)
{
    const char **values = list->values;

    if ((list->count & (list->count + 1)) == 0) {
        values = arena_alloc(arena, (2 * list->count + 2) * sizeof *values);
        if (list->count > 0)
            memcpy(values, list->values, list->count * sizeof *values);
        list->values = values;
    }
    values[list->count++] = value;
}

static struct error *option_set_text(const struct reading *reading, const struct option *option,
                                     const char *value)
{
    const char **member = (const char **)((char *)reading->options + option->offset);

    if (*member != NULL)
        return error_new(reading->arena, ERROR_INPUT, "option \"--%s\" is given twice",
                         option->name);
    if (option->kind == OPTION_CHOICE && !choice_is_known(option->value, value))
        return error_new(reading->arena, ERROR_INPUT, "option \"--%s\" cannot be \"%s\": %s",
                         option->name, value, option->value);
    *member = value;
    return NULL;
}

static struct error *option_set(const struct reading *reading, const struct option *option,
                                const char *value)
{
    char *member = (char *)reading->options + option->offset;

    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)member = true;
        return NULL;
    case OPTION_TEXT:
    case OPTION_CHOICE:
        return option_set_text(reading, option, value);
    case OPTION_PAIRS:
        if (strchr(value, '=') == NULL || *value == '=')
            return error_new(reading->arena, ERROR_INPUT, "option \"--%s\" needs %s, not \"%s\"",
                             option->name, option->value, value);
        break;
    case OPTION_LIST:
        break;
    }
    list_append(reading->arena, (struct option_list *)(void *)member, value);
    return NULL;
}

/* One option word; *value_taken if NEXT (may be NULL) was its value. */
static struct error *option_read(const struct reading *reading, const char *word, const char *next,
                                 bool *value_taken)
{
    const struct option *option;
    const char *value = NULL;

    if (word[1] == '-') {
        size_t length = strcspn(word + 2, "=");

        option = option_find(reading, word + 2, length);
        if (word[2 + length] == '=')
            value = word + 2 + length + 1;
    } else {
        option = option_find_letter(reading, word[1]);
        if (word[2] != '\0')
            value = word + 2;
    }
    if (option == NULL || (option->kind == OPTION_FLAG && value != NULL && word[1] != '-'))
        return option_unknown(reading, word);
    if (option->kind == OPTION_FLAG && value != NULL)
        return error_new(reading->arena, ERROR_INPUT, "option \"--%s\" takes no value",
                         option->name);
    if (option->kind != OPTION_FLAG && value == NULL) {
        if (next == NULL)
            return error_new(reading->arena, ERROR_INPUT, "option \"--%s\" needs a value: %s",
                             option->name, option->value);
        value = next;
        *value_taken = true;
    }
    return option_set(reading, option, value);
}

struct error *options_read(struct arena *arena, unsigned command, const char *name, int count,
                           char **words, struct options *out)
{
    struct options options = {0};
    struct reading reading = {arena, command, name, &options};
    bool only_arguments = false;

    for (int at = 0; at < count; at++) {
        const char *word = words[at];
        bool value_taken = false;

        if (!only_arguments && equal(word, "--")) {
            only_arguments = true;
        } else if (only_arguments || word[0] != '-' || word[1] == '\0') {
            list_append(arena, &options.arguments, word);
        } else {
            struct error *error =
                option_read(&reading, word, at + 1 < count ? words[at + 1] : NULL, &value_taken);

            if (error != NULL)
                return error;
        }
        at += value_taken;
    }
    *out = options;
    return NULL;
}

void options_append_help(struct text *text, unsigned command)
{
    for (size_t at = 0; at < ARRAY_COUNT(option_table); at++) {
        const struct option *option = &option_table[at];
        CLEANUP(text_release) struct text left = {0};

        if ((option->commands & command) == 0)
            continue;
        if (option->letter != 0)
            text_append_format(&left, "  -%c, --%s", option->letter, option->name);
        else
            text_append_format(&left, "      --%s", option->name);
        if (option->value != NULL)
            text_append_format(&left, " %s", option->value);
        if (left.length <= 28)
            text_append_format(text, "%-30s%s\n", text_string(&left), option->help);
        else
            text_append_format(text, "%s\n%30s%s\n", text_string(&left), "", option->help);
    }
}
