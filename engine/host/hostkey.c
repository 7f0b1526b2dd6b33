/*
 * Whether the server's key is the one that a person has put into the known-hosts files.
 *
 * libssh's own answer is not enough: it skips @revoked lines and does not honour "!" in a line's
 * names (measured with 0.10.6). So the files are read here as well, and both must agree.
 * The format: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
 */
#include "base/file.h"
#include "host/libssh.h"

#include <string.h>
#include <unistd.h>

enum {
    KNOWN_HOSTS_LARGEST = 16 * 1024 * 1024,
};

struct spot {
    const char *file; /* NULL: no such line */
    int line;
};

/* What the files say about one host and the key that it has shown. */
struct findings {
    const char *name; /* as it stands in the files: "host" or "[host]:port" */
    ssh_key key;
    struct spot same, revoked, other_key, other_type, authority, unreadable;
};

static void spot_set(struct spot *spot, const char *file, int line)
{
    if (spot->file == NULL)
        *spot = (struct spot){file, line};
}

/* A line whose names hold a "!" is not taken as an acceptance: libssh does not understand it. */
static bool has_negation(const char *line)
{
    const char *mark = strchr(line, '!');

    return mark != NULL && mark < line + strcspn(line, " \t");
}

static void line_weigh(struct findings *findings, char *line, const char *file, int number)
{
    struct ssh_knownhosts_entry *entry = NULL;
    const char *marker = "";

    line += strspn(line, " \t");
    if (*line == '#' || *line == '\0')
        return;
    if (*line == '@') {
        size_t length = strcspn(line, " \t");

        marker = line;
        if (line[length] != '\0')
            line[length++] = '\0';
        line += length + strspn(line + length, " \t");
    }
    // libssh takes only blanks between words, OpenSSH tabs too.
    for (char *tab = strchr(line, '\t'); tab != NULL; tab = strchr(tab, '\t'))
        *tab = ' ';

    int result = ssh_known_hosts_parse_line(findings->name, line, &entry);

    if (result == SSH_AGAIN)
        return;
    if (equal(marker, "@cert-authority")) {
        spot_set(&findings->authority, file, number);
    } else if (result != SSH_OK || (*marker != '\0' && !equal(marker, "@revoked"))) {
        spot_set(&findings->unreadable, file, number);
    } else {
        bool is_same = ssh_key_cmp(entry->publickey, findings->key, SSH_KEY_CMP_PUBLIC) == 0;

        if (*marker != '\0') {
            if (is_same)
                spot_set(&findings->revoked, file, number);
        } else if (is_same && !has_negation(line)) {
            spot_set(&findings->same, file, number);
        } else if (!is_same && ssh_key_type(entry->publickey) == ssh_key_type(findings->key)) {
            spot_set(&findings->other_key, file, number);
        } else if (!is_same) {
            spot_set(&findings->other_type, file, number);
        }
    }
    ssh_knownhosts_entry_free(entry);
}

static struct error *file_weigh(struct arena *arena, struct findings *findings, const char *path)
{
    char *bytes, *rest = NULL;
    size_t length;
    int number = 0;

    if (access(path, F_OK) != 0 || equal(path, "/dev/null"))
        return NULL;

    struct error *error = file_read(arena, path, KNOWN_HOSTS_LARGEST, &bytes, &length);

    if (error != NULL)
        return error;
    for (char *line = bytes; line != NULL; line = rest) {
        rest = strchr(line, '\n');
        if (rest != NULL)
            *rest++ = '\0';
        line[strcspn(line, "\r")] = '\0';
        line_weigh(findings, line, path, ++number);
    }
    return NULL;
}

static const char *fingerprint(struct arena *arena, ssh_key key)
{
    unsigned char *hash = NULL;
    size_t length = 0;
    const char *text = "?";

    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &length) == 0) {
        char *print = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, length);

        if (print != NULL)
            text = arena_printf(arena, "%s %s", ssh_key_type_to_char(ssh_key_type(key)), print);
        ssh_string_free_char(print);
        ssh_clean_pubkey_hash(&hash);
    }
    return text;
}

static const char compare_hint[] = "Compare the fingerprint on the host's own console: ssh-keygen "
                                   "-lf /etc/ssh/ssh_host_%s_key.pub.";

static const char *key_file_name(ssh_key key)
{
    const char *type = ssh_key_type_to_char(ssh_key_type(key));

    return strstr(type, "ed25519") != NULL ? "ed25519"
           : strstr(type, "ecdsa") != NULL ? "ecdsa"
                                           : "rsa";
}

/* The finding that says most, as an error. */
static struct error *findings_tell(struct arena *arena, const struct findings *found,
                                   const struct route *route)
{
    const char *print = fingerprint(arena, found->key);
    const char *compare = arena_printf(arena, compare_hint, key_file_name(found->key));
    const enum error_kind kind = ERROR_UNREACHABLE;

    if (found->revoked.file != NULL)
        return error_hint(
            arena,
            error_new(arena, kind, "the host key of %s is revoked: %s (%s line %d)", route->what,
                      print, found->revoked.file, found->revoked.line),
            "Somebody may be using a stolen key: do not connect before that is cleared up.");
    if (found->other_key.file != NULL || found->other_type.file != NULL) {
        bool is_type = found->other_key.file == NULL;
        const struct spot *spot = is_type ? &found->other_type : &found->other_key;

        return error_hint(
            arena,
            error_new(arena, kind,
                      "the host key of %s is not the known one: it offers %s; %s is in %s line %d",
                      route->what, print, is_type ? "a key of another type" : "another key",
                      spot->file, spot->line),
            "Somebody may be intercepting the connection, or the host was installed anew. %s If it "
            "is "
            "right, remove the old key with: ssh-keygen -R '%s' -f %s, and add the new one.",
            compare, found->name, spot->file);
    }
    if (found->unreadable.file != NULL)
        return error_new(arena, kind,
                         "the host key of %s cannot be checked: %s line %d cannot be understood",
                         route->what, found->unreadable.file, found->unreadable.line);
    if (found->authority.file != NULL)
        return error_hint(
            arena,
            error_new(
                arena, kind,
                "the host key of %s is vouched for only by a certificate authority (%s line %d), "
                "which is not supported: it offers %s",
                route->what, found->authority.file, found->authority.line, print),
            "%s Then add that key to %s under the name %s.", compare, route->known_hosts,
            found->name);
    return error_hint(
        arena,
        error_new(arena, kind, "the host key of %s is not known: it offers %s", route->what, print),
        "%s If it is the same, add that key to %s under the name %s. A key that comes "
        "from ssh-keyscan alone proves nothing.",
        compare, route->known_hosts, found->name);
}

struct error *hostkey_check(struct arena *arena, ssh_session ssh, const struct route *route)
{
    struct findings found = {.name = route->address};
    enum ssh_known_hosts_e answer = ssh_session_is_known_server(ssh);

    if (route->port != 22)
        found.name = arena_printf(arena, "[%s]:%d", route->address, route->port);
    if (ssh_get_server_publickey(ssh, &found.key) != SSH_OK)
        return error_new(arena, ERROR_UNREACHABLE, "%s has shown no host key", route->what);

    struct error *error = file_weigh(arena, &found, route->known_hosts);

    if (error == NULL)
        error = file_weigh(arena, &found, route->global_known_hosts);
    if (error != NULL) {
        error = error_because(arena, error, "the host key of %s cannot be checked", route->what);
        error->kind = ERROR_UNREACHABLE;
    } else if (answer != SSH_KNOWN_HOSTS_OK || found.same.file == NULL ||
               found.revoked.file != NULL) {
        error = findings_tell(arena, &found, route);
    }
    ssh_key_free(found.key);
    return error;
}
