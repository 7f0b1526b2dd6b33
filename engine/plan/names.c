/* What a text may name: built-in values, roles, variables and saved values. */
#include "plan/checker.h"
#include "plan/scope.h"

#include <string.h>

static const char *const run_names[] = {"run.id", "cluster"};

/* Each host's own. The sections have the keys of the cluster file. */
static const char *const host_names[] = {
    "run.folder",
    "host.name",
    "host.address",
    "host.member",
    "ssh.user",
    "ssh.port",
    "ssh.identity",
    "ssh.known-hosts",
    "ssh.jump",
    "ssh.config",
    "ssh.become",
    "postgres.reach",
    "postgres.os-user",
    "postgres.socket-directory",
    "postgres.port",
    "postgres.user",
    "postgres.database",
    "postgres.sslmode",
    "postgres.ca",
    "postgres.certificate",
    "postgres.key",
    "postgres.data-directory",
    "postgres.bin-directory",
    "postgres.restore-command",
    "patroni.reach",
    "patroni.scheme",
    "patroni.ca",
    "patroni.certificate",
    "patroni.key",
    "patroni.port",
    "patroni.user",
    "patroni.config",
    "patroni.service",
};

static const char *const role_keys[] = {"member", "address", "count"};

/*
 * A value of such a name would change how the shell itself, or the programs it starts, behave; and
 * a shell text that names one means the environment's.
 */
bool name_is_reserved_by_shell(const char *name)
{
    static const char *const names[] = {
        "BASHOPTS", "CDPATH", "EDITOR", "ENV",      "EUID",   "FUNCNAME",   "HOME",
        "HOSTNAME", "IFS",    "LANG",   "LANGUAGE", "LINENO", "LOGNAME",    "MAIL",
        "OLDPWD",   "OPTARG", "OPTERR", "OPTIND",   "PATH",   "PIPESTATUS", "PPID",
        "PWD",      "RANDOM", "REPLY",  "SECONDS",  "SHELL",  "SHELLOPTS",  "SHLVL",
        "TERM",     "TMPDIR", "TZ",     "UID",      "USER",   "_",
    };
    static const char *const prefixes[] = {"BASH_", "LC_",      "LD_",  "PG",       "PS",
                                           "SUDO_", "SYSTEMD_", "XDG_", "PATRONI_", "PYTHON"};

    for (size_t at = 0; at < ARRAY_COUNT(names); at++) {
        if (strcmp(name, names[at]) == 0)
            return true;
    }
    for (size_t at = 0; at < ARRAY_COUNT(prefixes); at++) {
        if (starts_with(name, prefixes[at]))
            return true;
    }
    return false;
}

static const struct name *shell_owner(const struct checker *checker, const char *name)
{
    return table_find(&checker->shells, shell_spelling(checker->arena, name));
}

static struct name *name_add(struct checker *checker, enum name_kind kind, const char *text)
{
    struct name *name = arena_alloc(checker->arena, sizeof *name);

    *name = (struct name){.name = text, .kind = kind};
    name->shell = shell_spelling(checker->arena, text);
    *table_place(&checker->names, text) = name;

    void **shell = table_place(&checker->shells, name->shell);

    if (*shell == NULL)
        *shell = name;
    words_add(checker->arena, &checker->name_words, name->name);
    words_add(checker->arena, &checker->shell_words, name->shell);
    return name;
}

/* NULL if the name is not free: a finding says why. */
static struct name *name_add_new(struct checker *checker, enum name_kind kind, const char *text,
                                 struct place place)
{
    const struct name *owner = shell_owner(checker, text);

    if (name_is_reserved_by_shell(text)) {
        findings_add(checker->findings, place, "Names of our own are best in lower case.",
                     "\"%s\" is a variable of every shell", text);
        return NULL;
    }
    if (owner == NULL)
        return name_add(checker, kind, text);
    if (strcmp(owner->name, text) != 0)
        findings_add(checker->findings, place,
                     "In a shell text dots and hyphens become underscores.",
                     "\"%s\" would be mistaken for \"%s\" in a shell text", text, owner->name);
    else
        findings_add(checker->findings, place, NULL, "\"%s\" is the name of a %s already", text,
                     owner->kind == NAME_VARIABLE ? "variable" : "built-in value");
    return NULL;
}

static bool role_name_is_free(struct checker *checker, const struct role *role)
{
    static const char *const sections[] = {"run", "cluster", "host", "ssh", "postgres", "patroni"};

    for (size_t at = 0; at < ARRAY_COUNT(sections); at++) {
        if (equal(role->name, sections[at])) {
            findings_add(checker->findings, role->place, NULL,
                         "a role cannot have the name of the built-in values \"%s\"", role->name);
            return false;
        }
    }
    if (checker->options->cluster != NULL &&
        cluster_find_host(checker->options->cluster, role->name) != NULL)
        findings_add(checker->findings, role->place, NULL,
                     "role \"%s\" has the name of a host in the cluster file", role->name);
    return true;
}

static void role_names_add(struct checker *checker, const struct role *role)
{
    if (!role_name_is_free(checker, role))
        return;
    for (size_t at = 0; at < ARRAY_COUNT(role_keys); at++) {
        struct name *name = name_add_new(
            checker, NAME_ROLE, arena_printf(checker->arena, "%s.%s", role->name, role_keys[at]),
            role->place);

        if (name != NULL)
            name->role = role;
    }
}

/* Whoever reads the plan must find one place where "auto" becomes something else. */
static void decider_check(struct checker *checker, const struct step *step, const struct name *name,
                          const struct node *node)
{
    const struct when *when = step->when;

    if (step->phase == PHASE_PREFLIGHT && step->group == NULL && step->when_count == 1 &&
        when->kind == WHEN_VARIABLE && equal(when->subject, name->name) && when->is != NULL &&
        equal(when->is->text, "auto"))
        return;
    findings_add(checker->findings, node_place(checker->plan->file, node),
                 arena_printf(checker->arena,
                              "Let a step of the preflight do it, under when: {variable: %s, is: "
                              "auto}.",
                              name->name),
                 "variable \"%s\" cannot be decided here", name->name);
}

static void saver_add(struct checker *checker, const struct step *step, const struct node *node)
{
    struct name *name = table_find(&checker->names, node->text);

    if (name != NULL && name->kind == NAME_VARIABLE && node_has(name->variable->choices, "auto")) {
        decider_check(checker, step, name, node);
        return;
    }
    if (name == NULL || name->kind != NAME_SAVED)
        name = name_add_new(checker, NAME_SAVED, node->text, node_place(checker->plan->file, node));
    if (name == NULL)
        return;

    struct saver *saver = arena_alloc(checker->arena, sizeof *saver);

    *saver = (struct saver){.step = step, .node = node};
    if (name->last_saver == NULL)
        name->savers = saver;
    else
        name->last_saver->next = saver;
    name->last_saver = saver;
}

static void step_names_add(struct checker *checker, const struct step *step)
{
    const struct node *save = step->steps == NULL ? node_find(step->params, "save") : NULL;

    if (save == NULL || save->kind != NODE_LIST)
        return;
    NODE_EACH(node, save)
    {
        if (node->text != NULL && *node->text != '\0')
            saver_add(checker, step, node);
    }
}

void names_build(struct checker *checker)
{
    const struct plan *plan = checker->plan;

    table_init(&checker->names, checker->arena);
    table_init(&checker->shells, checker->arena);
    for (size_t at = 0; at < ARRAY_COUNT(run_names); at++)
        (void)name_add(checker, NAME_BUILT_IN, run_names[at]);
    for (size_t at = 0; at < ARRAY_COUNT(host_names); at++)
        (void)name_add(checker, NAME_HOST, host_names[at]);
    for (size_t at = 0; at < plan->role_count; at++)
        role_names_add(checker, &plan->roles[at]);
    for (size_t at = 0; at < plan->variable_count; at++) {
        const struct variable *variable = &plan->variables[at];
        struct name *name = name_add_new(checker, NAME_VARIABLE, variable->name, variable->place);

        if (name != NULL)
            name->variable = variable;
    }
    steps_each(checker, step_names_add);
}
