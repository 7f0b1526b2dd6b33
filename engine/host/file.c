/* Files on a host: read whole, replaced in one piece. */
#include "host/file.h"

#include "host/wrapper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The raw mode of stat's %f: 8 is a regular file, a a symbolic link, 4 a folder. */
static const char file_reading[] =
    "m=$(LC_ALL=C stat -c '%f %h %U %G %a' -- \"$1\" 2>&1) || case $m in\n"
    "  *': No such file or directory') echo absent; exit ;;\n"
    "  *) fail \"${m##*: }\" ;;\n"
    "esac\n"
    "case $m in\n"
    "  8???\\ 1\\ *) ;;\n"
    "  8*) fail 'it has more than one link' ;;\n"
    "  a*) fail 'it is a symbolic link' ;;\n"
    "  *) fail 'it is not a regular file' ;;\n"
    "esac\n"
    "[ -r \"$1\" ] || fail 'Permission denied'\n"
    "exec 5<\"$1\"\n"
    "[ \"$1\" -ef /dev/fd/5 ] && [ ! -h \"$1\" ] || fail 'it was replaced while it was read'\n"
    "set -- $m\n"
    "printf 'file %s %s %s\\n' \"$3\" \"$4\" \"$5\"\n"
    "head -c 4194305 <&5";

static const char backup_reading[] =
    "exists= digest= owner= group= mode=\n"
    "[ -e \"$1.meta\" ] || { echo nothing; exit; }\n"
    "while read -r key value; do\n"
    "  case $key in\n"
    "    exists) exists=$value ;; digest) digest=$value ;;\n"
    "    owner) owner=$value ;; group) group=$value ;; mode) mode=$value ;;\n"
    "  esac\n"
    "done <\"$1.meta\"\n"
    "[ \"$exists\" != no ] || { echo absent; exit; }\n"
    "[ \"$exists\" = yes ] && [ -r \"$1\" ] || fail 'it is damaged'\n"
    "printf 'file %s %s %s %s\\n' \"$owner\" \"$group\" \"$mode\" \"$digest\"\n"
    "head -c 4194305 \"$1\"";

/* $1 path, $2 expected digest, $3 nonce, $4 digest, $5 owner, $6 mode, $7 backup. */
static const char file_checking[] =
    "p=$1 t=${1%/*}/.holdback.$3 b=$7\n"
    "umask 077\n"
    "undo() { rm -f -- \"$t\" \"$b.new\" \"$b.meta.new\"; fail \"$1\"; }\n"
    "changed() { rm -f -- \"$t\" \"$b.new\" \"$b.meta.new\"; echo changed; exit; }\n"
    "m=\n"
    "if [ -e \"$p\" ] || [ -h \"$p\" ]; then\n"
    "  [ ! -h \"$p\" ] || fail 'it is a symbolic link'\n"
    "  [ -f \"$p\" ] || fail 'it is not a regular file'\n"
    "  m=$(stat -c '%h %U %G %a' -- \"$p\") || fail 'could not look at it'\n"
    "  case $m in 1\\ *) ;; *) fail 'it has more than one link' ;; esac\n"
    "fi\n"
    "if [ -e \"$b.meta\" ]; then b=; fi\n"
    "[ -z \"$b\" ] || [ -z \"$m\" ] || cp -- \"$p\" \"$b.new\" || undo 'could not keep the old "
    "bytes'\n"
    "set -C\n";

/*
 * cp does not complain when it may not give a file away, so the owner is looked at afterwards.
 * Everything is on disk before the rename: the new bytes, and the old ones with what belongs to
 * them. A new file is renamed with -n, so that what somebody made meanwhile is not overwritten.
 */
static const char file_writing[] =
    "set +C\n"
    "new=/dev/null old=/dev/null kept=/dev/null\n"
    "[ -z \"$4\" ] || new=$t\n"
    "[ -z \"$m\" ] || old=$p\n"
    "[ -z \"$m\" ] || [ -z \"$b\" ] || kept=$b.new\n"
    "s=$(sha256sum /dev/fd/5 /dev/fd/6 /dev/fd/7 5<\"$old\" 6<\"$new\" 7<\"$kept\")\n"
    "if [ -n \"$m\" ]; then\n"
    "  case $s in \"$2  /dev/fd/5\"*) ;; *) changed ;; esac\n"
    "  [ -z \"$b\" ] || case $s in *\"$2  /dev/fd/7\") ;; *) changed ;; esac\n"
    "else\n"
    "  [ -z \"$2\" ] || changed\n"
    "fi\n"
    "if [ -n \"$4\" ]; then\n"
    "  case $s in *\"$4  /dev/fd/6\"*) ;; *) undo 'what arrived is not what was sent' ;; esac\n"
    "  [ -z \"$m\" ] || cp --attributes-only --preserve=mode,ownership -- \"$p\" \"$t\" ||\n"
    "    undo 'could not keep its mode'\n"
    "  [ -z \"$m\" ] || [ -n \"$5\" ] || [ \"$(stat -c '%h %U %G' -- \"$t\")\" = \"${m% *}\" ] ||\n"
    "    undo 'could not keep its owner'\n"
    "  [ -z \"$5\" ] || chown -- \"$5\" \"$t\" || undo 'could not change its owner'\n"
    "  [ -z \"$6\" ] || chmod -- \"$6\" \"$t\" || undo 'could not change its mode'\n"
    "  sync \"$t\" || undo 'could not sync it'\n"
    "fi\n"
    "if [ -n \"$b\" ]; then\n"
    "  (\n"
    "    if [ -n \"$m\" ]; then\n"
    "      set -- $m\n"
    "      printf 'exists yes\\ndigest %s\\nowner %s\\ngroup %s\\nmode %s\\n' "
    "\"${s%% *}\" \"$2\" \"$3\" \"$4\"\n"
    "    else\n"
    "      echo 'exists no'\n"
    "    fi >\"$b.meta.new\" && sync \"$b.meta.new\" ${m:+\"$b.new\"} &&\n"
    "      if [ -n \"$m\" ]; then mv -T -- \"$b.new\" \"$b\"; fi &&\n"
    "      mv -T -- \"$b.meta.new\" \"$b.meta\" && sync \"${b%/*}\"\n"
    "  ) || undo 'could not keep the old bytes'\n"
    "fi\n"
    "if [ -z \"$4\" ]; then\n"
    "  [ -z \"$m\" ] || rm -- \"$p\" || undo 'could not remove it'\n"
    "elif [ -n \"$m\" ]; then\n"
    "  mv -T -- \"$t\" \"$p\" || undo 'could not rename it'\n"
    "else\n"
    "  mv -nT -- \"$t\" \"$p\" || undo 'could not rename it'\n"
    "  [ ! -e \"$t\" ] || changed\n"
    "fi\n"
    "sync \"${p%/*}/\" || fail 'could not sync its folder'\n"
    "echo replaced";

static struct error *path_check(struct arena *arena, const char *path)
{
    if (*path != '/' || path[strlen(path) - 1] == '/')
        return error_new(arena, ERROR_INPUT, "\"%s\" is not the absolute path of a file", path);
    return NULL;
}

/* The next word of *WORDS, which is moved on. */
static const char *next_word(struct arena *arena, const char **words)
{
    size_t length = strcspn(*words, " ");
    const char *word = arena_copy(arena, *words, length);

    *words += length + ((*words)[length] == ' ');
    return word;
}

/* REST is "OWNER GROUP MODE [DIGEST]". */
static struct error *file_take(struct arena *arena, const char *what, const char *rest,
                               const struct text *bytes, struct host_file *out)
{
    struct host_file file = {.exists = true, .length = bytes->length};

    if (bytes->length > HOST_FILE_LARGEST)
        return error_new(arena, ERROR_FAILED, "%s: it is larger than 4 MiB", what);
    (void)snprintf(file.owner, sizeof file.owner, "%s", next_word(arena, &rest));
    (void)snprintf(file.group, sizeof file.group, "%s", next_word(arena, &rest));
    file.mode = (unsigned)strtoul(next_word(arena, &rest), NULL, 8);
    file.bytes = text_copy(bytes, arena);
    sha256_hex(file.bytes, file.length, file.digest);

    const char *digest = next_word(arena, &rest);

    if (*digest != '\0' && !equal(digest, file.digest))
        return error_new(arena, ERROR_FAILED, "%s: its bytes are not those that were kept", what);
    *out = file;
    return NULL;
}

static struct error *read_call(struct host *host, struct arena *arena, const char *user,
                               const char *path, const char *what, const char *text,
                               int64_t deadline_ms, struct host_file *out, bool *is_there)
{
    const char *arguments[] = {path, NULL}, *word, *rest;
    struct wrapper_call call = {.what = what,
                                .arguments = arguments,
                                .texts = (const char *const[]){text, NULL},
                                .shell = {.user = user,
                                          .output_limit = HOST_FILE_LARGEST + 4096,
                                          .deadline_ms = deadline_ms}};
    struct shell_result answer;
    struct error *error = path_check(arena, path);

    if (error == NULL)
        error = wrapper_call(host, arena, &call, &answer, &word, &rest);
    if (error != NULL)
        return error;
    *is_there = !equal(word, "nothing");
    if (equal(word, "file"))
        error = file_take(arena, arena_printf(arena, "%s on %s", what, host_what(host, arena)),
                          rest, &answer.out, out);
    else
        *out = (struct host_file){.bytes = arena_strdup(arena, "")};
    shell_result_release(&answer);
    return error;
}

struct error *host_file_read(struct host *host, struct arena *arena, const char *user,
                             const char *path, int64_t deadline_ms, struct host_file *out)
{
    bool is_there;

    return read_call(host, arena, user, path, arena_printf(arena, "could not read \"%s\"", path),
                     file_reading, deadline_ms, out, &is_there);
}

struct error *host_file_backup(struct host *host, struct arena *arena, const char *user,
                               const char *backup, int64_t deadline_ms, struct host_file *out,
                               bool *is_kept)
{
    return read_call(host, arena, user, backup,
                     arena_printf(arena, "could not read what was kept as \"%s\"", backup),
                     backup_reading, deadline_ms, out, is_kept);
}

static struct error *change_check(struct arena *arena, const struct host_file_change *change)
{
    struct error *error = path_check(arena, change->path);

    if (error == NULL && change->backup != NULL)
        error = path_check(arena, change->backup);
    if (error == NULL && change->bytes != NULL && change->length > HOST_FILE_LARGEST)
        error = error_new(arena, ERROR_INPUT, "\"%s\" cannot be written: it is larger than 4 MiB",
                          change->path);
    return error;
}

static struct error *replace_call(struct host *host, struct arena *arena,
                                  const struct host_file_change *change, const char *what,
                                  const char **word)
{
    struct text stage CLEANUP(text_release) = {.limit = 4 * TEXT_LIMIT};
    char nonce[NONCE_SIZE], digest[DIGEST_SIZE] = "";
    const char *rest;
    struct shell_result answer;

    nonce_make(nonce);
    if (change->bytes != NULL) {
        sha256_hex(change->bytes, change->length, digest);
        append_printf(&stage, change->bytes, change->length);
        text_append(&stage, " >\"$t\" || undo 'could not write beside it'\n");
    }

    const char *arguments[] = {change->path,
                               change->expected_digest,
                               nonce,
                               digest,
                               change->owner == NULL ? "" : change->owner,
                               change->mode < 0 ? "" : arena_printf(arena, "%04o", change->mode),
                               change->backup == NULL ? "" : change->backup,
                               NULL};
    struct wrapper_call call = {
        .what = what,
        .arguments = arguments,
        .texts = (const char *const[]){file_checking, stage.length == 0 ? "" : stage.bytes,
                                       file_writing, NULL},
        .is_change = true,
        .shell = {.user = change->user, .deadline_ms = change->deadline_ms}};

    struct error *error = wrapper_call(host, arena, &call, &answer, word, &rest);

    if (error == NULL)
        shell_result_release(&answer);
    return error;
}

struct error *host_file_replace(struct host *host, struct arena *arena,
                                const struct host_file_change *change)
{
    const char *what = arena_printf(arena, "could not %s \"%s\"",
                                    change->bytes == NULL ? "remove" : "write", change->path);
    const char *word = NULL;
    struct error *error = change_check(arena, change);

    if (error == NULL)
        error = host_open(host, arena, change->deadline_ms);
    if (error == NULL)
        error = replace_call(host, arena, change, what, &word);
    if (error == NULL && equal(word, "changed"))
        return error_new(arena, ERROR_FAILED,
                         "%s on %s: it is not what it was when it was looked at", what,
                         host_what(host, arena));
    return error;
}
