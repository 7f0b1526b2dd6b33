/* The text of the cluster file that `holdback init` writes. */
#include "cli/init.h"

#include <string.h>
#include <strings.h>

struct writing {
    struct text *text, *notes;
    struct arena *arena;
    const struct init *init;
};

static bool is_word(const char *value)
{
    static const char *const others[] = {"true", "false", "yes", "no",   "on",
                                         "off",  "y",     "n",   "null", "none"};
    const char *rest = value + strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                             "0123456789/._@-~");
    size_t dots = 0;

    if (*value == '\0' || *rest != '\0' || strchr("-@.", *value) != NULL || equal(value, "~"))
        return false;
    for (size_t at = 0; at < ARRAY_COUNT(others); at++) {
        if (strcasecmp(value, others[at]) == 0)
            return false;
    }
    for (const char *at = value; *at != '\0'; at++)
        dots += *at == '.';
    // An IPv4 address is a text to every YAML reader; other words of digits may be numbers.
    return strchr("0123456789", *value) == NULL || dots == 3;
}

/* A text as YAML: as it is where every reader takes it for a text, else in single quotes. */
static void append_value(struct text *text, const char *value)
{
    if (is_word(value)) {
        text_append(text, value);
        return;
    }
    text_append(text, "'");
    for (const char *at = value; *at != '\0'; at++)
        text_append_bytes(text, *at == '\'' ? "''" : at, *at == '\'' ? 2 : 1);
    text_append(text, "'");
}

/* On one line, whatever it is. */
static const char *on_one_line(struct arena *arena, const char *words)
{
    CLEANUP(text_release) struct text text = {0};

    text_append_visible(&text, words, strlen(words));
    for (size_t at = 0; at < text.length; at++) {
        if (text.bytes[at] == '\n' || text.bytes[at] == '\t')
            text.bytes[at] = ' ';
    }
    return text_copy(&text, arena);
}

static void note(const struct writing *writing, const char *words)
{
    text_append_format(writing->notes, "%s\n", words);
}

/* "  KEY: VALUE", or a comment with what holds without it and a note. */
static void put(const struct writing *writing, const char *section, const char *key,
                const char *value, const char *otherwise)
{
    if (value != NULL) {
        text_append_format(writing->text, "  %s: ", key);
        append_value(writing->text, value);
        text_append(writing->text, "\n");
        return;
    }
    text_append_format(writing->text, "  # %s: %s\n", key, otherwise);
    note(writing,
         arena_printf(writing->arena, "%s.%s was not found out: %s", section, key, otherwise));
}

static void put_port(const struct writing *writing, const char *section, int port, int otherwise)
{
    if (port != 0)
        text_append_format(writing->text, "  port: %d\n", port);
    else
        put(writing, section, "port", NULL,
            arena_printf(writing->arena, "%d (the default)", otherwise));
}

/* "key: value" pairs between braces. */
static void append_pair(struct text *pairs, const char *key, const char *value)
{
    text_append_format(pairs, "%s%s: ", pairs->length == 0 ? "" : ", ", key);
    append_value(pairs, value);
}

static void append_other(struct text *pairs, const char *key, const char *own, const char *all)
{
    if (own != NULL && !equal(own, all))
        append_pair(pairs, key, own);
}

static void append_other_port(struct text *pairs, int own, int all)
{
    if (own != 0 && own != all)
        text_append_format(pairs, "%sport: %d", pairs->length == 0 ? "" : ", ", own);
}

static const struct survey_member *member_asked(const struct init *init)
{
    for (size_t at = 0; at < init->host_count; at++) {
        if (equal(init->hosts[at].member->name, init->found.member))
            return init->hosts[at].member;
    }
    return init->hosts[0].member;
}

/* Of the host that was asked; those of others are written where they differ. */
static int rest_port_of_all(const struct init *init)
{
    return member_asked(init)->rest_port;
}

/* A host that could not be asked has at least told Patroni its ports. */
static int postgres_port_of(const struct init *init, const struct init_host *host)
{
    if (host->probe.found.postgres_port != 0 ||
        host->member->postgres_port == member_asked(init)->postgres_port)
        return host->probe.found.postgres_port;
    return host->member->postgres_port;
}

static void append_host(const struct writing *writing, const struct init_host *host)
{
    const struct survey_host *all = &writing->init->found, *own = &host->probe.found;
    CLEANUP(text_release) struct text postgres = {0};
    CLEANUP(text_release) struct text patroni = {0};

    append_other_port(&postgres, postgres_port_of(writing->init, host), all->postgres_port);
    append_other(&postgres, "data-directory", own->data_directory, all->data_directory);
    append_other(&postgres, "bin-directory", own->bin_directory, all->bin_directory);
    append_other(&postgres, "socket-directory", own->socket_directory, all->socket_directory);
    append_other_port(&patroni, host->member->rest_port, rest_port_of_all(writing->init));
    append_other(&patroni, "config", own->config, all->config);
    append_other(&patroni, "service", own->service, all->service);
    text_append_format(writing->text, "  %s: {", host->name);
    text_append(writing->text, "address: ");
    append_value(writing->text, host->address);
    if (!equal(host->name, host->member->name)) {
        text_append(writing->text, ", member: ");
        append_value(writing->text, host->member->name);
    }
    if (postgres.length > 0)
        text_append_format(writing->text, ", postgres: {%s}", text_string(&postgres));
    if (patroni.length > 0)
        text_append_format(writing->text, ", patroni: {%s}", text_string(&patroni));
    text_append(writing->text, "}\n");
}

static void append_hosts(const struct writing *writing)
{
    text_append(writing->text, "hosts:\n");
    for (size_t at = 0; at < writing->init->host_count; at++) {
        const struct init_host *host = &writing->init->hosts[at];

        if (host->probe.lost != NULL) {
            const char *words =
                on_one_line(writing->arena, error_text(writing->arena, host->probe.lost));

            text_append_format(writing->text, "  # Not asked, taken to be like the others: %s\n",
                               words);
            note(writing, arena_printf(writing->arena,
                                       "%s was not asked and is taken to be like the others: %s",
                                       host->name, words));
            if (host->probe.lost->kind == ERROR_UNREACHABLE)
                note(writing,
                     arena_printf(writing->arena, "this must work without a question:\n  %s",
                                  init_ssh_command(writing->arena, writing->init, host->address,
                                                   " -c true")));
        }
        append_host(writing, host);
    }
}

static void append_ssh(struct text *text, const struct init *init)
{
    text_append(text, "ssh:\n");
    for (size_t at = 0; at < INIT_SSH_KEYS; at++) {
        const char *value = init->ssh[at];

        if (value == NULL)
            continue;
        text_append_format(text, "  %s: ", init_ssh_keys[at]);
        // A port is a number, unless it is none: then the schema says so.
        if (equal(init_ssh_keys[at], "port") && strspn(value, "0123456789") == strlen(value))
            text_append(text, value);
        else
            append_value(text, value);
        text_append(text, "\n");
    }
}

static const struct survey_probe *probe_lost(const struct init *init, bool is_patroni)
{
    for (size_t at = 0; at < init->host_count; at++) {
        const struct survey_probe *probe = &init->hosts[at].probe;

        if ((is_patroni ? probe->patroni_lost : probe->postgres_lost) != NULL)
            return probe;
    }
    return NULL;
}

/* The user that could log in wherever one could. */
static const char *postgres_user(const struct init *init)
{
    for (size_t at = 0; at < init->host_count; at++) {
        if (init->hosts[at].probe.postgres_user != NULL)
            return init->hosts[at].probe.postgres_user;
    }
    return init->found.superuser;
}

/* How a password is given, in a comment: never the password. */
static void append_password(const struct writing *writing, const char *section)
{
    text_append_format(
        writing->text,
        "  # password: {file: ~/.holdback/%s-%s}    or {env: NAME} or {command: TEXT}; "
        "never the password itself\n",
        writing->init->found.scope, section);
}

static void append_postgres(const struct writing *writing)
{
    const struct survey_host *found = &writing->init->found;
    const struct survey_probe *lost = probe_lost(writing->init, false);

    text_append(writing->text, "postgres:\n  reach: socket\n");
    put(writing, "postgres", "os-user", found->os_user, "postgres (the default)");
    put(writing, "postgres", "socket-directory", found->socket_directory,
        "/var/run/postgresql (the default)");
    put_port(writing, "postgres", found->postgres_port, 5432);
    put(writing, "postgres", "user", postgres_user(writing->init), "postgres (the default)");
    if (lost != NULL) {
        const char *words =
            on_one_line(writing->arena, error_text(writing->arena, lost->postgres_lost));

        text_append_format(writing->text, "  # It could not be asked everywhere: %s\n", words);
        append_password(writing, "postgres");
        note(writing, words);
    }
    put(writing, "postgres", "data-directory", found->data_directory, "plans need it");
    put(writing, "postgres", "bin-directory", found->bin_directory, "plans need it");
    if (found->has_restore_command) {
        text_append(writing->text, "  # restore-command: plans take the servers' own; write it "
                                   "here only to change that\n");
        return;
    }
    text_append(writing->text, "  # restore-command: cp /archive/%f %p    none was found\n");
    note(writing, "no restore_command was found: without one a rollback depends on the WAL that "
                  "the held standby keeps (postgres.restore-command)");
}

/* What copies the certificates, and no key that may stand beside them, out of a host's file. */
static void note_copy(const struct writing *writing, const struct init_host *host, const char *path)
{
    const struct init *init = writing->init;
    CLEANUP(text_release) struct text quoted = {0};

    if (path == NULL)
        return;
    text_append_word(&quoted, path);
    if (!equal(text_string(&quoted), path))
        return;
    note(writing,
         arena_printf(
             writing->arena, "  echo sed -n /BEGIN.CERT/,/END.CERT/p %s | %s >>clusters/%s-ca.crt",
             path, init_ssh_command(writing->arena, init, host->address, ""), init->found.scope));
}

/* One authority vouches for all; where none is configured, every host's own certificate does. */
static void append_tls(const struct writing *writing, bool is_lost)
{
    const struct init *init = writing->init;
    const struct survey_host *found = &init->found;

    text_append_format(
        writing->text, "  # ca: %s-ca.crt    the certificates that vouch for Patroni's%s%s\n",
        found->scope,
        found->ca == NULL ? "" : "; on the host: ", found->ca == NULL ? "" : found->ca);
    if (found->needs_certificate)
        text_append(writing->text, "  # certificate: FILE    Patroni asks its clients for one\n"
                                   "  # key: FILE\n");
    if (!is_lost)
        return;
    note(writing, "patroni.ca must name the certificates that vouch for Patroni's; copy them, "
                  "after the cd below:");
    for (size_t at = 0; at < (found->ca == NULL ? init->host_count : 1); at++)
        note_copy(writing, &init->hosts[at],
                  found->ca == NULL ? init->hosts[at].probe.found.certificate : found->ca);
}

static void append_patroni(const struct writing *writing)
{
    const struct survey_host *found = &writing->init->found;
    const struct survey_probe *lost = probe_lost(writing->init, true);

    text_append(writing->text, "patroni:\n");
    put(writing, "patroni", "scheme", found->scheme, "http (the default)");
    put_port(writing, "patroni", rest_port_of_all(writing->init), 8008);
    if (lost != NULL) {
        const char *words =
            on_one_line(writing->arena, error_text(writing->arena, lost->patroni_lost));

        text_append_format(writing->text, "  # It could not be asked everywhere: %s\n", words);
        note(writing, words);
    }
    if (equal(found->scheme, "https"))
        append_tls(writing, lost != NULL);
    if (found->rest_user != NULL) {
        const char *user = on_one_line(writing->arena, found->rest_user);

        text_append_format(writing->text,
                           "  # Before it changes anything Patroni asks \"%s\" for a password: "
                           "take both \"#\" away.\n"
                           "  # user: %s\n",
                           user, user);
        append_password(writing, "patroni");
        note(writing, arena_printf(writing->arena,
                                   "Patroni asks \"%s\" for a password before it changes anything: "
                                   "give it as patroni.user and patroni.password before you deploy",
                                   user));
    }
    put(writing, "patroni", "config", found->config, "plans need it");
    put(writing, "patroni", "service", found->service, "patroni (the default)");
}

void init_append_draft(struct text *text, const struct init *init)
{
    text_append(text, "cluster: asked\nhosts:\n  ");
    append_value(text, init_is_name(init->asked) ? init->asked : "host");
    text_append(text, ": {address: ");
    append_value(text, init->asked);
    text_append(text, "}\n");
    append_ssh(text, init);
}

void init_append_cluster(struct text *text, struct text *notes, struct arena *arena,
                         const struct init *init)
{
    const struct writing writing = {text, notes, arena, init};
    const char *identifier = init->found.system_identifier;

    text_append_format(
        text,
        "# yaml-language-server: $schema=../schemas/cluster.schema.json\n"
        "# Written by \"holdback init\" from what host \"%s\" told; from now on it is yours.\n",
        init->asked);
    text_append(text, "cluster: ");
    append_value(text, init->found.scope);
    text_append(text, "\n");
    if (identifier != NULL)
        text_append_format(text, "system-identifier: \"%s\"\n", identifier);
    append_hosts(&writing);
    append_ssh(text, init);
    append_postgres(&writing);
    append_patroni(&writing);
    text_append(text, "# roles: {held: [HOST, HOST]}        which standby plans hold, best first\n"
                      "# variables: {max_held_wal: 5GB}     values of plans for this cluster\n");
}
