/* The shell texts that run on a host, and how their answers are read. */
#include "host/wrapper.h"

#include <string.h>

/*
 * claimed: is the claim still ours? $claim is as claim_reference makes it, or empty. It keeps the
 * folder of the claim locked as descriptor 8, so that a take-over either comes before the
 * comparison or waits for the end of what follows it. The intent is on disk before the change.
 */
const char wrapper_common[] =
    "nl='\n'\n"
    "fail() { printf 'error %s\\n' \"$1\"; exit 1; }\n"
    "make_folder() {\n"
    "  [ -d \"$1\" ] || { hb_why=$(mkdir -m \"$2\" -- \"$1\" 2>&1) && made=yes; }\n"
    "  [ -d \"$1\" ] || { echo \"$hb_why\" >&2; fail \"could not make the folder \\\"$1\\\"\"; }\n"
    "  [ ! -h \"$1\" ] || fail \"the folder \\\"$1\\\" is a symbolic link\"\n"
    "  [ -O \"$1\" ] || fail \"the folder \\\"$1\\\" belongs to another user\"\n"
    "}\n"
    "claimed() {\n"
    "  [ -n \"$claim\" ] || return 0\n"
    "  set -- $claim\n"
    "  hb_home=$HOME/.holdback hb_number= hb_run= hb_intent= hb_text=\n"
    "  while [ -d \"$hb_home\" ] && command exec 8<\"$hb_home\"; do\n"
    "    flock -w 10 8 ||\n"
    "      fail \"the folder \\\"$hb_home\\\" stays locked: something is being changed there\"\n"
    "    [ \"$hb_home\" -ef /dev/fd/8 ] || { exec 8<&-; continue; }\n"
    "    [ ! -e \"$hb_home/$1\" ] || while read -r hb_key hb_value; do\n"
    "      case $hb_key in\n"
    "        number) hb_number=$hb_value ;; run) hb_run=$hb_value ;;\n"
    "        intent) hb_intent=$hb_value; continue ;;\n"
    "      esac\n"
    "      hb_text=\"$hb_text$hb_key $hb_value$nl\"\n"
    "    done <\"$hb_home/$1\"\n"
    "    break\n"
    "  done\n"
    "  [ \"$6\" != tidy ] || [ \"$hb_run\" = \"$3\" ] || return 0\n"
    "  if [ \"$hb_number $hb_run\" != \"$2 $3\" ]; then\n"
    "    printf 'lost %s %s\\n' \"$hb_number\" \"$hb_run\"\n"
    "    exit 1\n"
    "  fi\n"
    "  [ \"$6\" != tidy ] && [ \"$hb_intent\" != \"$4 $5\" ] || return 0\n"
    "  printf '%sintent %s %s\\n' \"$hb_text\" \"$4\" \"$5\" >\"$hb_home/.$1\" &&\n"
    "    sync \"$hb_home/.$1\" && mv -T -- \"$hb_home/.$1\" \"$hb_home/$1\" || fail \"could not "
    "write \\\"$hb_home/$1\\\"\"\n"
    "}\n";

/*
 * runner FOLDER NONCE INTERPRETER CLAIM: the one process that may start the job. It alone holds
 * the lock (descriptor 9); the job must not inherit it, because the job may leave a daemon. Nothing
 * is executed before "started" is on disk, and before all that it needs has its place there: on a
 * disk that is full later the status still replaces what is written in rc.new. Exit 75: another
 * runner was first.
 */
const char wrapper_runner[] =
    "true >>\"$1/lock\" || fail 'could not make its files'\n"
    "exec 9>>\"$1/lock\"\n"
    "flock -n 9 && [ ! -e \"$1/started\" ] || exit 75\n"
    "claim=$4\n"
    "claimed\n"
    "true >>\"$1/out\" && true >>\"$1/err\" && echo 'unknown' >\"$1/rc.new\" ||\n"
    "  fail 'could not make its files'\n"
    "read -r boot </proc/sys/kernel/random/boot_id\n"
    "printf '%s %s\\n' \"$boot\" \"$$\" >\"$1/started\" &&\n"
    "  sync \"$1/started\" \"$1\" \"$1/..\" || {\n"
    "  rm -f \"$1/started\"\n"
    "  fail 'could not write that it starts'\n"
    "}\n"
    "exec 8<&- >/dev/null 2>&1\n"
    "(\n"
    "  exec 9>&-\n"
    "  [ ! -e \"$1/environment.$2\" ] || . \"$1/environment.$2\"\n"
    "  [ \"$3\" != bash ] || exec bash --norc -euo pipefail \"$1/script.$2\"\n"
    "  exec /bin/sh -eu \"$1/script.$2\"\n"
    ") >>\"$1/out\" 2>>\"$1/err\"\n"
    "echo \"exit $?\" 1<>\"$1/rc.new\"\n"
    "find \"$1/out\" \"$1/err\" -size +32768 -exec truncate -c -s 16777217 {} + 9>&-\n"
    "sync \"$1/rc.new\" 9>&- && mv \"$1/rc.new\" \"$1/rc\" 9>&- &&\n"
    "  sync \"$1/out\" \"$1/err\" \"$1\" 9>&-\n";

/*
 * What setsid says of a runner that was killed is nobody's output. job_guard keeps a job that
 * floods its output from filling the disk. job_state says what is known: none, running, "done
 * STATUS" or "doubt WHY". A runner that died may leave the script running: the session has the
 * runner's pid as its number, and that pid is not given to anybody else meanwhile.
 */
const char wrapper_job[] =
    "job_prepare() {\n"
    "  d=$HOME/.holdback/$1/$2\n"
    "  [ ! -h \"$d\" ] || fail \"the folder \\\"$d\\\" is a symbolic link\"\n"
    "  [ -e \"$d/started\" ] || make_folder \"$d\" 700\n"
    "}\n"
    "job_guard() {\n"
    "  trap 'kill \"$w\"; exit' TERM\n"
    "  while [ -d \"$d\" ] && [ ! -e \"$d/rc\" ]; do\n"
    "    sleep 1 &\n"
    "    w=$!\n"
    "    wait \"$w\"\n"
    "    find \"$d/out\" \"$d/err\" -size +32768 -exec truncate -c -s 16777217 {} +\n"
    "  done\n"
    "}\n"
    "job_launch() {\n"
    "  job_guard </dev/null >/dev/null 2>&1 &\n"
    "  g=$!\n"
    "  setsid -f -w /bin/sh -c \"exec 2>&4 4>&-\n$runner\" holdback-job \"$d\" \"$@\" "
    "\"$claim\" 4>&2 2>/dev/null\n"
    "  s=$?\n"
    "  kill \"$g\" 2>/dev/null\n"
    "  if [ \"$s\" = 75 ]; then\n"
    "    rm -f \"$d/script.$1\" \"$d/environment.$1\"\n"
    "    [ -e \"$d/started\" ] || echo again\n"
    "  fi\n"
    "  [ -e \"$d/started\" ]\n"
    "}\n"
    "job_finished() {\n"
    "  [ -e \"$d/rc\" ] && read -r w s <\"$d/rc\" && [ \"$w\" = exit ] || return 1\n"
    "  case $s in '' | *[!0-9]*) return 1 ;; esac\n"
    "  state=\"done $s\"\n"
    "}\n"
    "job_lives_on() {\n"
    "  [ -n \"$1\" ] || return 1\n"
    "  [ ! -d \"/proc/$1\" ] || grep -qs ') Z ' \"/proc/$1/stat\" || return 1\n"
    "  grep -qsE \"\\\\) [^Z] [0-9]+ [0-9]+ $1 \" /proc/[0-9]*/stat\n"
    "}\n"
    "job_state() {\n"
    "  job_finished && return\n"
    "  state=none b= p=\n"
    "  [ -e \"$d/started\" ] && [ -e \"$d/lock\" ] || return\n"
    "  read -r b p <\"$d/started\"\n"
    "  read -r now </proc/sys/kernel/random/boot_id\n"
    "  state=running\n"
    "  exec 9<\"$d/lock\"\n"
    "  if flock -n -s 9; then\n"
    "    job_finished && return\n"
    "    state='doubt its runner died'\n"
    "    [ \"$b\" = \"$now\" ] || state='doubt the host was started anew meanwhile'\n"
    "    [ \"$b\" = \"$now\" ] && job_lives_on \"$p\" && state='running without its runner'\n"
    "  fi\n"
    "  exec 9<&-\n"
    "}\n"
    "job_part() {\n"
    "  [ -s \"$1\" ] && [ \"$2\" -lt 16777217 ] || return 0\n"
    "  m=$((16777217 - $2))\n"
    "  [ \"$m\" -lt \"$3\" ] || m=$3\n"
    "  if [ \"$2\" = 0 ]; then head -c \"$m\" \"$1\"\n"
    "  else tail -c \"+$(($2 + 1))\" \"$1\" | head -c \"$m\"; fi\n"
    "}\n"
    "job_report() {\n"
    "  job_state\n"
    "  printf '%s\\n' \"$state\"\n"
    "  job_part \"$d/out\" \"$1\" \"$3\"\n"
    "  job_part \"$d/err\" \"$2\" \"$3\" >&2\n"
    "}\n";

static void body_make(struct text *body, const struct host *host, const struct wrapper_call *call)
{
    const char *claim = call->is_change && host->claim != NULL ? host->claim : "";

    text_append(body, "(\nset --");
    append_words(body, call->arguments);
    text_append(body, "\nclaim=");
    text_append_shell(body, claim, strlen(claim));
    text_append(body, "\n");
    text_append(body, wrapper_common);
    text_append(body, *claim != '\0' ? "claimed\n" : "");
    for (const char *const *text = call->texts; *text != NULL; text++)
        text_append(body, *text);
    text_append(body, "\n)");
}

/* The last line of what the programs on the host said, as a cause. */
static struct error *with_cause(struct arena *arena, struct error *error, const struct text *words)
{
    struct text clean CLEANUP(text_release) = {0};
    size_t end = words->length, start;

    while (end > 0 && strchr("\r\n ", words->bytes[end - 1]) != NULL)
        end--;
    for (start = end; start > 0 && words->bytes[start - 1] != '\n';)
        start--;
    if (end > start) {
        text_append_visible(&clean, words->bytes + start, end - start);
        error->cause = error_new(arena, error->kind, "%s", text_copy(&clean, arena));
    }
    return error;
}

struct error *claim_lost(struct host *host, struct arena *arena, const char *rest)
{
    const char *run = strchr(rest, ' ');

    if (run == NULL || run[1] == '\0')
        return error_new(arena, ERROR_LOCKED,
                         "our claim on %s is gone: nothing more was changed there",
                         host_what(host, arena));
    return error_new(
        arena, ERROR_LOCKED,
        "the claim on %s is not ours any more: run \"%s\" has it with number %.*s, and "
        "nothing more was changed there",
        host_what(host, arena), run + 1, (int)(run - rest), rest);
}

struct error *wrapper_call(struct host *host, struct arena *arena, struct wrapper_call *call,
                           struct shell_result *out, const char **word, const char **rest)
{
    struct text body CLEANUP(text_release) = {.limit = 4 * TEXT_LIMIT};
    struct shell_result result;

    body_make(&body, host, call);
    call->shell.body = body.bytes;
    call->shell.body_length = body.length;

    struct error *error = shell_call(host, arena, &call->shell, &result);

    if (error != NULL)
        return error;

    char *end = result.out.length == 0 ? NULL : memchr(result.out.bytes, '\n', result.out.length);
    size_t length = end == NULL ? 0 : (size_t)(end - result.out.bytes);
    char *line = arena_copy(arena, text_string(&result.out), length);
    char *blank = strchr(line, ' ');

    *rest = "";
    if (blank != NULL) {
        *blank = '\0';
        *rest = blank + 1;
    }
    *word = line;
    if (equal(line, "error"))
        error = with_cause(arena,
                           error_new(arena, ERROR_FAILED, "%s on %s: %s", call->what,
                                     host_what(host, arena), *rest),
                           &result.err);
    else if (equal(line, "lost"))
        error = claim_lost(host, arena, *rest);
    else if (end == NULL)
        error = with_cause(arena,
                           error_new(arena, ERROR_UNREACHABLE,
                                     "%s on %s: there was no answer (status %d)", call->what,
                                     host_what(host, arena), result.status),
                           &result.err);
    if (error != NULL || end == NULL) {
        shell_result_release(&result);
        return error;
    }
    result.out.length -= length + 1;
    memmove(result.out.bytes, end + 1, result.out.length + 1);
    *out = result;
    return NULL;
}
