/*
 * The claim of a run on a host: ~OS-USER/.holdback/CLUSTER.claim, one field per line. The folder
 * itself is what is locked: exclusively to change a claim, shared to compare one (wrapper.c).
 */
#include "host/job.h"
#include "host/wrapper.h"

#include <string.h>

/* lock_folder: the folder may be removed, and made anew, while we wait for its lock. */
static const char claim_common[] =
    "h=$HOME/.holdback f=$HOME/.holdback/$1 made= number= run=\n"
    "lock_folder() {\n"
    "  exec 9<\"$h\"\n"
    "  flock -w 10 9 || fail \"the folder \\\"$h\\\" stays locked\"\n"
    "  [ \"$h\" -ef /dev/fd/9 ] && return\n"
    "  exec 9<&-\n"
    "  return 1\n"
    "}\n"
    "read_claim() {\n"
    "  [ -e \"$f\" ] || [ -h \"$f\" ] || return\n"
    "  [ ! -h \"$f\" ] && [ -f \"$f\" ] || fail \"\\\"$f\\\" is not a regular file\"\n"
    "  while read -r key value; do\n"
    "    case $key in number) number=$value ;; run) run=$value ;; esac\n"
    "  done <\"$f\"\n"
    "  case $number in '' | *[!0-9]*) fail \"\\\"$f\\\" cannot be understood\" ;; esac\n"
    "}\n"
    "held() { echo held; cat \"$f\"; exit; }\n";

static const char claim_taking[] =
    "while :; do\n"
    "  make_folder \"$h\" 755\n"
    "  lock_folder && break\n"
    "done\n"
    "read_claim\n"
    "if [ -n \"$number\" ]; then\n"
    "  [ \"$run\" = \"$2\" ] && [ \"$3\" -ge \"$number\" ] || held\n"
    "fi\n"
    "rm -f -- \"$h/.$1\"\n"
    "printf '%s' \"$4\" >\"$h/.$1\" && chmod 644 \"$h/.$1\" && sync \"$h/.$1\" &&\n"
    "  mv -T -- \"$h/.$1\" \"$f\" && sync \"$h\" ${made:+\"$HOME\"} ||\n"
    "  fail \"could not write \\\"$f\\\"\"\n"
    "echo taken";

static const char claim_releasing[] =
    "[ -d \"$h\" ] && lock_folder || { echo released; exit; }\n"
    "read_claim\n"
    "if [ \"$run\" = \"$2\" ]; then\n"
    "  [ \"$3\" -ge \"$number\" ] || held\n"
    "  rm -f -- \"$f\" \"$h/.$1\" && sync \"$h\" || fail \"could not remove \\\"$f\\\"\"\n"
    "fi\n"
    "rmdir -- \"$h\" 2>/dev/null\n"
    "echo released";

/* The cluster's name as a file name: other bytes than these become %XX. */
static const char *claim_file(struct arena *arena, const char *cluster)
{
    struct text name CLEANUP(text_release) = {0};

    for (const char *at = cluster; *at != '\0'; at++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", *at) !=
                NULL ||
            (*at == '.' && at > cluster))
            text_append_bytes(&name, at, 1);
        else
            text_append_format(&name, "%%%02x", (unsigned char)*at);
    }
    return arena_printf(arena, "%s.claim", text_string(&name));
}

const char *claim_reference(struct arena *arena, const struct host_settings *settings,
                            const struct claim *claim)
{
    return arena_printf(arena, "~%s/.holdback/%s %lld %s", settings->postgres.os_user,
                        claim_file(arena, claim->cluster), (long long)claim->number, claim->run);
}

/* One line per field; a value must not make lines of its own. */
static void field_append(struct text *content, const char *name, const char *value)
{
    text_append_format(content, "%s ", name);
    for (; value != NULL && *value != '\0'; value++)
        text_append_bytes(content, (unsigned char)*value < ' ' ? " " : value, 1);
    text_append(content, "\n");
}

/* The value of a field in a claim's content, fit for a message. */
static const char *field_find(struct arena *arena, const char *content, const char *name)
{
    struct text clean CLEANUP(text_release) = {0};
    size_t length = strlen(name);

    for (const char *line = content; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');

        if (strncmp(line, name, length) == 0 && line[length] == ' ') {
            line += length + 1;
            text_append_visible(&clean, line, strcspn(line, "\n"));
            break;
        }
        line = end == NULL ? NULL : end + 1;
    }
    return text_copy(&clean, arena);
}

static struct error *claim_held(struct host *host, struct arena *arena, const struct claim *claim,
                                const char *content)
{
    const char *run = field_find(arena, content, "run"), *who = field_find(arena, content, "who"),
               *from = field_find(arena, content, "from"),
               *since = field_find(arena, content, "since");

    if (equal(run, claim->run))
        return error_new(
            arena, ERROR_LOCKED,
            "run \"%s\" was taken over on %s by \"%s\" from %s since %s: its number is "
            "%s, ours %lld",
            run, host_what(host, arena), who, from, since, field_find(arena, content, "number"),
            (long long)claim->number);
    return error_new(arena, ERROR_LOCKED,
                     "cluster \"%s\" is locked on %s by run \"%s\" of \"%s\" from %s since %s",
                     claim->cluster, host_what(host, arena), run, who, from, since);
}

static struct error *claim_call(struct host *host, struct arena *arena, const struct claim *claim,
                                const char *what, const char *text, int64_t deadline_ms)
{
    struct text content CLEANUP(text_release) = {0};
    const char *number = arena_printf(arena, "%lld", (long long)claim->number), *word, *rest;
    struct shell_result answer;
    struct error *error = job_names_check(arena, claim->run, NULL);

    field_append(&content, "cluster", claim->cluster);
    field_append(&content, "run", claim->run);
    field_append(&content, "number", number);
    field_append(&content, "who", claim->who);
    field_append(&content, "from", claim->from);
    field_append(&content, "since", claim->since);

    const char *arguments[] = {claim_file(arena, claim->cluster), claim->run, number, content.bytes,
                               NULL};
    struct wrapper_call call = {
        .what = what,
        .arguments = arguments,
        .texts = (const char *const[]){claim_common, text, NULL},
        .shell = {.user = host->settings->postgres.os_user, .deadline_ms = deadline_ms}};

    if (error == NULL)
        error = wrapper_call(host, arena, &call, &answer, &word, &rest);
    if (error != NULL)
        return error;
    if (equal(word, "held"))
        error = claim_held(host, arena, claim, text_string(&answer.out));
    shell_result_release(&answer);
    return error;
}

struct error *claim_take(struct host *host, struct arena *arena, const struct claim *claim,
                         int64_t deadline_ms)
{
    return claim_call(host, arena, claim, "could not lock the cluster", claim_taking, deadline_ms);
}

struct error *claim_release(struct host *host, struct arena *arena, const struct claim *claim,
                            int64_t deadline_ms)
{
    return claim_call(host, arena, claim, "could not unlock the cluster", claim_releasing,
                      deadline_ms);
}
