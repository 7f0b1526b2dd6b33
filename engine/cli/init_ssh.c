/* How init reaches hosts: what a person typed, and what becomes of it in the cluster file. */
#include "cli/init.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROUTE_TIMEOUT_MS = 10000,
};

const char *const init_ssh_keys[INIT_SSH_KEYS] = {"user", "port",   "identity", "known-hosts",
                                                  "jump", "config", "become"};

const char **init_ssh_value(struct init *init, const char *key)
{
    for (size_t at = 0; at < INIT_SSH_KEYS; at++) {
        if (equal(init_ssh_keys[at], key))
            return &init->ssh[at];
    }
    return NULL;
}

static bool is_path_key(const char *key)
{
    return equal(key, "identity") || equal(key, "known-hosts") || equal(key, "config");
}

/* A path that means the same wherever the file lies; below HOME it is everybody's own. */
static const char *lasting_path(struct arena *arena, const char *path)
{
    const char *home = getenv("HOME"); // NOLINT(concurrency-mt-unsafe)
    char *here;

    if (home != NULL && *home == '/' && starts_with(path, home) && path[strlen(home)] == '/')
        return arena_printf(arena, "~%s", path + strlen(home));
    if (*path == '/' || starts_with(path, "~/"))
        return path;
    here = getcwd(NULL, 0);
    path = arena_printf(arena, "%s/%s", here == NULL ? "." : here, path);
    free(here);
    return path;
}

struct error *init_take_ssh(struct arena *arena, struct init *init, const char *pair)
{
    const char *equals = strchr(pair, '=');
    const char *key = arena_copy(arena, pair, (size_t)(equals - pair));
    const char **value = init_ssh_value(init, key);
    struct error *error;

    if (value != NULL && *value == NULL) {
        *value = is_path_key(key) ? lasting_path(arena, equals + 1) : equals + 1;
        return NULL;
    }
    if (value != NULL)
        return error_new(arena, ERROR_INPUT, "option \"--ssh\": \"%s\" is given twice", key);
    error = error_new(arena, ERROR_INPUT, "option \"--ssh\": there is no key \"%s\"", key);
    key = text_nearest(key, init_ssh_keys, INIT_SSH_KEYS);
    if (key != NULL)
        return error_hint(arena, error, "did you mean \"%s\"?", key);
    return error_hint(arena, error, "See \"holdback init --help\".");
}

void init_take_usual_config(struct arena *arena, struct init *init)
{
    const char **config = init_ssh_value(init, "config");
    const char *usual = "~/.ssh/config";

    if (*config == NULL && access(path_join(arena, ".", usual), R_OK) == 0)
        *config = usual;
}

struct error *init_take_route(struct arena *arena, struct init *init,
                              const struct host_settings *settings)
{
    struct host_route route;
    struct error *error = host_find_route(arena, settings, clock_ms() + ROUTE_TIMEOUT_MS, &route);

    if (error != NULL)
        return error;

    const struct {
        const char *key, *value;
    } found[] = {
        {"user", route.user},
        {"port", route.port == 22 ? NULL : arena_printf(arena, "%d", route.port)},
        {"identity", route.identity},
        {"known-hosts", route.known_hosts},
        {"jump", route.jump},
    };
    for (size_t at = 0; at < ARRAY_COUNT(found); at++) {
        const char **value = init_ssh_value(init, found[at].key);

        if (*value == NULL && found[at].value != NULL)
            *value =
                is_path_key(found[at].key) ? lasting_path(arena, found[at].value) : found[at].value;
    }
    return NULL;
}

void text_append_word(struct text *text, const char *word)
{
    const char *rest = starts_with(word, "~/") ? word + 2 : word;

    if (strcspn(rest, " \t\n'\"\\$`*?[]{}()<>|&;!#~") == strlen(rest) && *rest != '\0') {
        text_append(text, word);
        return;
    }
    text_append_bytes(text, word, (size_t)(rest - word));
    text_append_shell(text, rest, strlen(rest));
}

const char *init_ssh_command(struct arena *arena, const struct init *init, const char *address,
                             const char *words)
{
    // In the order of init_ssh_keys; what needs no option of its own is NULL.
    static const char *const options[INIT_SSH_KEYS] = {
        "-l ", "-p ", "-i ", "-o UserKnownHostsFile=", "-J ", "-F ", NULL};
    const char *become = init->ssh[INIT_SSH_KEYS - 1];
    CLEANUP(text_release) struct text text = {0};

    text_append(&text, "ssh ");
    for (size_t at = 0; at < INIT_SSH_KEYS; at++) {
        if (options[at] == NULL || init->ssh[at] == NULL ||
            (equal(init_ssh_keys[at], "config") && equal(init->ssh[at], "~/.ssh/config")))
            continue;
        text_append(&text, options[at]);
        text_append_word(&text, init->ssh[at]);
        text_append(&text, " ");
    }
    text_append_word(&text, address);
    text_append_format(&text, " %s/bin/sh%s",
                       equal(become, "sudo")   ? "sudo -n "
                       : equal(become, "doas") ? "doas -n "
                                               : "",
                       words);
    return text_copy(&text, arena);
}
