/*
 * How a host is reached: the cluster file's words, completed by OpenSSH's client configuration
 * where the cluster file names one. That file is read by OpenSSH itself (`ssh -G`), because its
 * language can do more than libssh understands, and libssh would silently ignore the difference.
 */
#include "base/file.h"
#include "host/inside.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    IDENTITIES_MOST = 16,
};

/* Refused when `ssh -G` shows them, because they would be ignored and that would matter. */
static const struct {
    const char *key, *harmless;
} unsupported[] = {
    {"proxycommand", "none"},           {"hostkeyalias", "none"},      {"certificatefile", "none"},
    {"revokedhostkeys", "none"},        {"knownhostscommand", "none"}, {"pkcs11provider", "none"},
    {"identityagent", "SSH_AUTH_SOCK"},
};

static struct error *local_user(struct arena *arena, const char **out)
{
    struct passwd entry, *found = NULL;
    char buffer[4096];

    if (getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return error_new(arena, ERROR_INPUT,
                         "cannot find the name of the user with id %u: name an ssh user",
                         (unsigned)getuid());
    *out = arena_strdup(arena, entry.pw_name);
    return NULL;
}

/* What `ssh -G` answers, as far as it is used. */
struct answer {
    const char *hostname, *user, *jump, *known_hosts, *global_known_hosts;
    const char *identities[IDENTITIES_MOST + 1];
    size_t identity_count;
    int port;
    bool is_identities_only;
};

/* The first of several files; OpenSSH's second ones are historical. */
static const char *first_word(struct arena *arena, const char *words)
{
    return path_join(arena, ".", arena_copy(arena, words, strcspn(words, " ")));
}

static struct error *answer_take(struct arena *arena, struct answer *answer, const char *config,
                                 const char *key, const char *value)
{
    for (size_t at = 0; at < ARRAY_COUNT(unsupported); at++) {
        if (equal(key, unsupported[at].key) && !equal(value, unsupported[at].harmless))
            return error_new(arena, ERROR_INPUT,
                             "option \"%s\" in \"%s\" is not supported: its value is \"%s\"", key,
                             config, value);
    }
    if (equal(key, "hostname"))
        answer->hostname = value;
    else if (equal(key, "user"))
        answer->user = value;
    else if (equal(key, "port"))
        answer->port = (int)strtol(value, NULL, 10);
    else if (equal(key, "proxyjump") && !equal(value, "none"))
        answer->jump = value;
    else if (equal(key, "userknownhostsfile"))
        answer->known_hosts = first_word(arena, value);
    else if (equal(key, "globalknownhostsfile"))
        answer->global_known_hosts = first_word(arena, value);
    else if (equal(key, "identitiesonly"))
        answer->is_identities_only = equal(value, "yes");
    else if (equal(key, "identityfile") && answer->identity_count < IDENTITIES_MOST)
        answer->identities[answer->identity_count++] = path_join(arena, ".", value);
    return NULL;
}

static struct error *config_ask(struct arena *arena, const struct host_settings *settings,
                                int stop_fd, int64_t deadline_ms, struct answer *answer)
{
    const char *arguments[12], *text;
    size_t count = 0;

    arguments[count++] = "ssh";
    arguments[count++] = "-G";
    arguments[count++] = "-F";
    arguments[count++] = settings->ssh.config;
    if (settings->ssh.user != NULL) {
        arguments[count++] = "-l";
        arguments[count++] = settings->ssh.user;
    }
    if (settings->ssh.port != 22) {
        arguments[count++] = "-p";
        arguments[count++] = arena_printf(arena, "%d", settings->ssh.port);
    }
    arguments[count++] = "--";
    arguments[count++] = settings->address;
    arguments[count] = NULL;

    struct error *error = child_read(arena, arguments, stop_fd, deadline_ms, &text);

    if (error != NULL)
        return error_because(arena, error, "could not read the ssh configuration \"%s\"",
                             settings->ssh.config);
    for (char *line = arena_strdup(arena, text), *rest; line != NULL && *line != '\0';
         line = rest) {
        rest = strchr(line, '\n');
        if (rest != NULL)
            *rest++ = '\0';

        char *blank = strchr(line, ' ');

        if (blank == NULL)
            continue;
        *blank = '\0';
        error = answer_take(arena, answer, settings->ssh.config, line, blank + 1);
        if (error != NULL)
            return error;
    }
    return NULL;
}

/* A word for a command line of ours must not look like an option, nor like two words. */
static bool is_sound(const char *word)
{
    return word != NULL && *word != '-' && *word != '\0' &&
           strpbrk(word, " \t\n\"'\\`$;&|<>(){}*?!%,") == NULL;
}

static void identities_usual(struct arena *arena, struct answer *answer)
{
    static const char *const usual[] = {"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"};

    for (size_t at = 0; at < ARRAY_COUNT(usual); at++)
        answer->identities[answer->identity_count++] = path_join(arena, ".", usual[at]);
}

struct error *route_find(struct arena *arena, const struct host_settings *settings, int stop_fd,
                         int64_t deadline_ms, struct route *out)
{
    struct answer *answer = arena_alloc(arena, sizeof *answer);
    struct error *error = NULL;

    *answer = (struct answer){.hostname = settings->address,
                              .port = settings->ssh.port,
                              .user = settings->ssh.user,
                              .known_hosts = path_join(arena, ".", "~/.ssh/known_hosts"),
                              .global_known_hosts = "/etc/ssh/ssh_known_hosts"};
    if (settings->ssh.config != NULL)
        error = config_ask(arena, settings, stop_fd, deadline_ms, answer);
    else
        identities_usual(arena, answer);
    if (error == NULL && answer->user == NULL)
        error = local_user(arena, &answer->user);
    if (error != NULL)
        return error;
    if (settings->ssh.jump != NULL)
        answer->jump = settings->ssh.jump;
    if (settings->ssh.known_hosts != NULL) {
        answer->known_hosts = path_join(arena, ".", settings->ssh.known_hosts);
        answer->global_known_hosts = "/dev/null";
    }
    if (settings->ssh.identity != NULL) {
        answer->identities[0] = path_join(arena, ".", settings->ssh.identity);
        answer->identities[1] = NULL;
    }
    if (!is_sound(answer->hostname) || !is_sound(answer->user) ||
        (answer->jump != NULL && !is_sound(answer->jump)))
        return error_new(arena, ERROR_INPUT, "host \"%s\" cannot be reached by the name \"%s\"",
                         settings->name,
                         !is_sound(answer->hostname) ? answer->hostname
                         : !is_sound(answer->user)   ? answer->user
                                                     : answer->jump);
    *out = (struct route){
        .what = arena_printf(arena, "host \"%s\" (%s port %d)", settings->name, answer->hostname,
                             answer->port),
        .address = answer->hostname,
        .port = answer->port,
        .user = answer->user,
        .identities = answer->identities,
        .is_identity_named = settings->ssh.identity != NULL,
        .use_agent = !answer->is_identities_only,
        .known_hosts = answer->known_hosts,
        .global_known_hosts = answer->global_known_hosts,
        .jump = answer->jump,
        .config = settings->ssh.config,
    };
    return NULL;
}

/* OpenSSH lists its own default keys where nobody names one. */
static bool is_usual_identity(struct arena *arena, const char *path)
{
    return starts_with(path, path_join(arena, ".", "~/.ssh/id_"));
}

struct error *host_find_route(struct arena *arena, const struct host_settings *settings,
                              int64_t deadline_ms, struct host_route *out)
{
    struct route route;
    struct error *error = route_find(arena, settings, -1, deadline_ms, &route);

    if (error != NULL)
        return error;
    *out = (struct host_route){
        .address = route.address, .user = route.user, .jump = route.jump, .port = route.port};
    if (route.identities[0] != NULL && !is_usual_identity(arena, route.identities[0]))
        out->identity = route.identities[0];
    if (!equal(route.known_hosts, path_join(arena, ".", "~/.ssh/known_hosts")))
        out->known_hosts = route.known_hosts;
    return NULL;
}
