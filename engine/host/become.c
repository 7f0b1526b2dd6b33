/* Reaching another user of a host, without a password. */
#include "host/inside.h"

#include <string.h>

static bool is_login(const struct host *host, const char *user)
{
    return user == NULL || equal(user, host->login);
}

struct error *become_command(struct host *host, struct arena *arena, const char *user,
                             const char *arguments, const char **out)
{
    struct text command CLEANUP(text_release) = {0};
    const char *become = host->settings->ssh.become;

    // The login shell may be any, so it replaces itself at once.
    text_append(&command, "exec ");
    if (!is_login(host, user)) {
        if (equal(become, "none"))
            return error_hint(arena,
                              error_new(arena, ERROR_UNREACHABLE,
                                        "cannot become \"%s\" on %s: \"become\" is \"none\"", user,
                                        host_what(host, arena)),
                              "Log in as that user, or say \"become: sudo\" in the cluster file.");
        text_append(&command, equal(become, "doas") ? "doas -n -u " : "sudo -n -H -u ");
        text_append_shell(&command, user, strlen(user));
        text_append(&command, equal(become, "doas") ? " " : " -- ");
    }
    text_append(&command, "/bin/sh");
    text_append(&command, arguments);
    *out = text_copy(&command, arena);
    return NULL;
}

/* The last line that says something, without what would garble a message. */
static const char *last_line(struct arena *arena, const char *text)
{
    struct text clean CLEANUP(text_release) = {0};
    size_t end = strlen(text), start;

    while (end > 0 && strchr("\r\n ", text[end - 1]) != NULL)
        end--;
    for (start = end; start > 0 && text[start - 1] != '\n';)
        start--;
    text_append_visible(&clean, text + start, end - start);
    return text_copy(&clean, arena);
}

struct error *become_refused(struct host *host, struct arena *arena, const char *user, int status,
                             const char *stderr_text)
{
    const char *words = last_line(arena, stderr_text);
    const char *what = host_what(host, arena), *login = host->login;

    if (*words == '\0')
        words = status < 0 ? "it ended without a word"
                           : arena_printf(arena, "it ended with status %d", status);
    if (is_login(host, user))
        return error_hint(arena,
                          error_new(arena, ERROR_UNREACHABLE,
                                    "could not start a shell as \"%s\" on %s: %s", login, what,
                                    words),
                          "The login shell of \"%s\" must run commands: try `ssh %s@%s true`.",
                          login, login, host->settings->address);

    struct error *error =
        error_new(arena, ERROR_UNREACHABLE, "could not become \"%s\" on %s as \"%s\": %s", user,
                  what, login, words);

    if (equal(host->settings->ssh.become, "doas"))
        return error_hint(arena, error,
                          "It needs this line in /etc/doas.conf on the host: "
                          "permit nopass %s as %s cmd /bin/sh",
                          login, user);
    return error_hint(
        arena, error,
        "It needs this line in /etc/sudoers on the host: %s ALL=(%s) NOPASSWD: /bin/sh", login,
        user);
}
