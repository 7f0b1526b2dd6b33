/* The claim of a run on a host: ~USER/.holdback/CLUSTER.claim, one field per line. */
#include "host/claim.h"
#include "host/job.h"
#include "host/wrapper.h"

#include <stdlib.h>
#include <string.h>

/*
 * $1 file, $2 run, $3 number, $4 our claim, $5 whose it is, $6: it takes over. lock_folder: the
 * folder may be removed, and made anew, while we wait for its lock.
 */
static const char claim_common[] =
    "h=$HOME/.holdback f=$HOME/.holdback/$1 made= was= number= run= from= journal= intent=\n"
    "lock_folder() {\n"
    "  command exec 9<\"$h\" || return 1\n"
    "  flock -w 10 9 ||\n"
    "    fail \"the folder \\\"$h\\\" stays locked: something is being changed there\"\n"
    "  [ \"$h\" -ef /dev/fd/9 ] && return\n"
    "  exec 9<&-\n"
    "  return 1\n"
    "}\n"
    "read_claim() {\n"
    "  [ -e \"$f\" ] || [ -h \"$f\" ] || return\n"
    "  [ ! -h \"$f\" ] && [ -f \"$f\" ] || fail \"\\\"$f\\\" is not a regular file\"\n"
    "  while read -r key value; do\n"
    "    was=\"$was$key $value$nl\"\n"
    "    case $key in\n"
    "      number) number=$value ;; run) run=$value ;; intent) intent=$value ;;\n"
    "      from) from=$value ;; journal) journal=$value ;;\n"
    "    esac\n"
    "  done <\"$f\"\n"
    "  case $number in '' | *[!0-9]*) fail \"\\\"$f\\\" cannot be understood\" ;; esac\n"
    "}\n"
    "held() { echo held; cat \"$f\"; exit; }\n";

/* Whoever has the number from before may have connections through relays: they end by themselves.
 */
static const char claim_taking[] =
    "for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 last; do\n"
    "  [ -d \"$h\" ] || { mkdir -m 755 -- \"$h\" && made=yes; } 2>/dev/null\n"
    "  lock_folder && break\n"
    "  [ $try != last ] || fail \"could not make the folder \\\"$h\\\"\"\n"
    "done\n"
    "make_folder \"$h\" 755\n"
    "read_claim\n"
    "if [ -n \"$number\" ]; then\n"
    "  [ \"$run\" = \"$2\" ] || held\n"
    "  [ \"$3\" -ge \"$number\" ] || held\n"
    "  [ \"$from $journal\" = \"$5\" ] || { [ -n \"$6\" ] && [ \"$3\" -gt \"$number\" ]; } || "
    "held\n"
    "fi\n"
    "new=$4${intent:+intent $intent$nl}\n"
    "if [ \"$was\" != \"$new\" ]; then\n"
    "  rm -f -- \"$h/.$1\"\n"
    "  printf '%s' \"$new\" >\"$h/.$1\" && chmod 644 \"$h/.$1\" && sync \"$h/.$1\" &&\n"
    "    mv -T -- \"$h/.$1\" \"$f\" && sync \"$h\" ${made:+\"$HOME\"} || {\n"
    "    rm -f -- \"$h/.$1\"\n"
    "    rmdir -- \"$h\" 2>/dev/null\n"
    "    [ \"$(df -k --output=avail -- \"$HOME\" | tail -n 1)\" -ge 16 ] ||\n"
    "      fail \"could not write \\\"$f\\\": the disk is full; make room for some MB, and try "
    "again\"\n"
    "    fail \"could not write \\\"$f\\\"\"\n"
    "  }\n"
    "fi\n"
    "if [ -e \"$h/.$1.users\" ]; then\n"
    "  exec 7<\"$h/.$1.users\"\n"
    "  [ \"$3\" = \"${number:-$3}\" ] || flock -w 5 7 ||\n"
    "    fail 'a connection of the former holder does not end'\n"
    "fi\n"
    "echo taken\n"
    "printf '%s' \"$was\"";

static const char claim_looking[] = "[ -d \"$h\" ] && read_claim\n"
                                    "echo claim\n"
                                    "printf '%s' \"$was\"";

static const char claim_releasing[] =
    "[ -d \"$h\" ] && lock_folder || { echo released; exit; }\n"
    "read_claim\n"
    "if [ \"$run\" = \"$2\" ]; then\n"
    "  [ \"$3\" -gt \"$number\" ] || [ \"$3 $from $journal\" = \"$number $5\" ] || held\n"
    "  rm -f -- \"$f\" \"$h/.$1\" \"$h/.$1.users\" && sync \"$h\" ||\n"
    "    fail \"could not remove \\\"$f\\\"\"\n"
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

const char *claim_reference(struct arena *arena, const struct claim *claim, const char *intent,
                            const char *step)
{
    return arena_printf(arena, "%s %lld %s %s %s%s", claim_file(arena, claim->cluster),
                        (long long)claim->number, claim->run, intent == NULL ? "-" : intent,
                        step == NULL ? "-" : step, step == NULL ? " tidy" : "");
}

void host_set_claim(struct host *host, const char *reference)
{
    free(host->claim);
    host->claim = NULL;
    if (reference != NULL && (host->claim = strdup(reference)) == NULL)
        out_of_memory();
}

bool host_has_claim(const struct host *host)
{
    return host->claim != NULL;
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

static void found_read(struct arena *arena, const char *content, struct claim_found *out)
{
    const char *intent = field_find(arena, content, "intent"), *step = strchr(intent, ' ');

    *out = (struct claim_found){
        .run = field_find(arena, content, "run"),
        .who = field_find(arena, content, "who"),
        .from = field_find(arena, content, "from"),
        .journal = field_find(arena, content, "journal"),
        .since = field_find(arena, content, "since"),
        .number = strtoll(field_find(arena, content, "number"), NULL, 10),
        .intent = step == NULL ? intent : arena_copy(arena, intent, (size_t)(step - intent)),
        .step = step == NULL ? "" : step + 1,
    };
}

static struct error *claim_held(struct host *host, struct arena *arena, const struct claim *claim,
                                const char *content)
{
    struct claim_found found;

    found_read(arena, content, &found);

    const char *what = host_what(host, arena);
    const char *whose =
        arena_printf(arena, "\"%s\" from %s (journal \"%s\")%s%s", found.who, found.from,
                     found.journal, *found.step == '\0' ? "" : ", last step ", found.step);

    if (!equal(found.run, claim->run))
        return error_hint(arena,
                          error_new(arena, ERROR_LOCKED,
                                    "cluster \"%s\" is locked on %s since %s by run \"%s\" of %s",
                                    claim->cluster, what, found.since, found.run, whose),
                          "Ask them, or look there: holdback status %s", found.run);

    struct error *error =
        found.number > claim->number
            ? error_new(arena, ERROR_LOCKED,
                        "run \"%s\" was taken over by %s: its number on %s is %lld, ours %lld",
                        found.run, whose, what, (long long)found.number, (long long)claim->number)
            : error_new(arena, ERROR_LOCKED, "run \"%s\" is in the hands of %s, as %s says",
                        found.run, whose, what);

    return error_hint(arena, error,
                      "If it must go on from here, because that machine is lost, say: holdback "
                      "resume %s --take-over",
                      found.run);
}

static struct error *claim_call(struct host *host, struct arena *arena, const struct claim *claim,
                                const char *user, const char *what, const char *text,
                                int64_t deadline_ms, struct claim_found *found)
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
    field_append(&content, "journal", claim->journal);
    field_append(&content, "since", claim->since);

    const char *arguments[] = {claim_file(arena, claim->cluster),
                               claim->run,
                               number,
                               content.bytes,
                               arena_printf(arena, "%s %s", claim->from, claim->journal),
                               claim->takes_over ? "over" : "",
                               NULL};
    struct wrapper_call call = {.what = what,
                                .arguments = arguments,
                                .texts = (const char *const[]){claim_common, text, NULL},
                                .shell = {.user = user, .deadline_ms = deadline_ms}};

    if (error == NULL)
        error = wrapper_call(host, arena, &call, &answer, &word, &rest);
    if (error != NULL)
        return error;
    if (equal(word, "held"))
        error = claim_held(host, arena, claim, text_string(&answer.out));
    else if (found != NULL)
        found_read(arena, text_string(&answer.out), found);
    shell_result_release(&answer);
    return error;
}

struct error *claim_take(struct host *host, struct arena *arena, const struct claim *claim,
                         const char *user, int64_t deadline_ms, struct claim_found *found)
{
    return claim_call(host, arena, claim, user, "could not lock the cluster", claim_taking,
                      deadline_ms, found);
}

struct error *claim_look(struct host *host, struct arena *arena, const char *cluster,
                         const char *user, int64_t deadline_ms, struct claim_found *found)
{
    const struct claim claim = {.cluster = cluster, .run = "-", .from = "", .journal = ""};

    return claim_call(host, arena, &claim, user, "could not look who has the cluster",
                      claim_looking, deadline_ms, found);
}

struct error *claim_release(struct host *host, struct arena *arena, const struct claim *claim,
                            const char *user, int64_t deadline_ms)
{
    return claim_call(host, arena, claim, user, "could not unlock the cluster", claim_releasing,
                      deadline_ms, NULL);
}

struct error *claim_check(struct host *host, struct arena *arena, const char *user,
                          int64_t deadline_ms)
{
    struct wrapper_call call = {.what = "could not compare the claim",
                                .arguments = (const char *const[]){NULL},
                                .texts = (const char *const[]){"echo ours", NULL},
                                .is_change = true,
                                .shell = {.user = user, .deadline_ms = deadline_ms}};
    struct shell_result answer;
    const char *word, *rest;

    if (host->claim == NULL)
        return NULL;

    struct error *error = wrapper_call(host, arena, &call, &answer, &word, &rest);

    if (error == NULL)
        shell_result_release(&answer);
    return error;
}

struct error *host_change(struct host *host, struct arena *arena,
                          const struct shell_request *request, struct shell_result *out)
{
    struct text body CLEANUP(text_release) = {.limit = 4 * TEXT_LIMIT};
    const char *word, *rest;
    struct error *error = request_body(arena, request, &body);

    if (error != NULL)
        return error;
    // Nothing that the script starts may keep the lock.
    text_append(&body, " 8<&-");

    struct wrapper_call call = {.what = "could not run the script",
                                .arguments = (const char *const[]){NULL},
                                .texts = (const char *const[]){"echo ran\n", body.bytes, NULL},
                                .is_change = true,
                                .shell = {.user = request->user,
                                          .output_limit = request->output_limit,
                                          .deadline_ms = request->deadline_ms + SHELL_GRACE_MS}};

    error = wrapper_call(host, arena, &call, out, &word, &rest);
    if (error == NULL && out->status == 137 && request->deadline_ms <= clock_ms()) {
        shell_result_release(out);
        error = error_new(arena, ERROR_TIMEOUT,
                          "the command on %s was killed: it took longer than allowed",
                          host_what(host, arena));
    }
    return error;
}
