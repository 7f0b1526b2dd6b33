/* Data as words of a shell's language, and the one-command text of a shell_request. */
#include "host/inside.h"

#include <ctype.h>
#include <string.h>

enum {
    ARGUMENT_LARGEST =
        128 * 1024 - 1, /* Linux, MAX_ARG_STRLEN, with its NUL: one word for execve */
    SCRIPT_ARGUMENT_LARGEST = 100 * 1024,
    SCRIPT_LARGEST = 1024 * 1024,
};

void append_words(struct text *text, const char *const *words)
{
    for (; words != NULL && *words != NULL; words++) {
        text_append(text, " ");
        text_append_shell(text, *words, strlen(*words));
    }
}

void append_printf(struct text *text, const char *bytes, size_t length)
{
    text_append(text, "printf -- '");
    for (size_t at = 0; at < length; at++) {
        size_t plain = at;

        while (plain < length && memchr("'\\%", bytes[plain], 4) == NULL)
            plain++;
        text_append_bytes(text, bytes + at, plain - at);
        at = plain;
        if (at < length)
            text_append(text, bytes[at] == '\''   ? "'\\''"
                              : bytes[at] == '\\' ? "\\\\"
                              : bytes[at] == '%'  ? "%%"
                                                  : "\\000");
    }
    text_append(text, "'");
}

struct error *append_environment(struct arena *arena, struct text *text,
                                 const struct shell_environment *environment, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        const char *name = environment[at].name, *value = environment[at].value;
        size_t length = 0;

        while (isalnum((unsigned char)name[length]) || name[length] == '_')
            length++;
        if (length == 0 || name[length] != '\0' || isdigit((unsigned char)name[0]))
            return error_new(arena, ERROR_INPUT, "\"%s\" cannot be the name of a shell variable",
                             name);
        if (length + strlen(value) + 1 > ARGUMENT_LARGEST)
            return error_new(
                arena, ERROR_INPUT,
                "the value of \"%s\" is too long for a shell's environment (%zu bytes)", name,
                strlen(value));
        text_append_format(text, "export %s=", name);
        text_append_shell(text, value, strlen(value));
        text_append(text, "\n");
    }
    return NULL;
}

/* ( export …; exec timeout … sh -eu -c TEXT sh ARGUMENTS ) */
struct error *request_body(struct arena *arena, const struct shell_request *request,
                           struct text *body)
{
    size_t length = strlen(request->script);
    bool is_bash = equal(request->interpreter, "bash"), is_long = length > SCRIPT_ARGUMENT_LARGEST;
    int64_t left_ms = request->deadline_ms - clock_ms();
    char nonce[NONCE_SIZE];

    if (length > SCRIPT_LARGEST)
        return error_new(arena, ERROR_INPUT, "the script is too long (%zu bytes; %d are allowed)",
                         length, SCRIPT_LARGEST);
    nonce_make(nonce);
    if (request->input != NULL) {
        text_append(body, "(");
        append_printf(body, request->input, request->input_length);
        text_append(body, " 2>/dev/null | (\n");
    } else {
        text_append(body, "(\n");
    }

    struct error *error =
        append_environment(arena, body, request->environment, request->environment_count);

    if (error != NULL)
        return error;
    // Without --norc, bash takes our session for a login and reads .bashrc, under -u even. And
    // timeout(1) puts the script into a process group of its own and kills all of that.
    text_append_format(body, "exec /usr/bin/timeout -s KILL %lld.%03d %s ",
                       (long long)(left_ms < 1 ? 0 : left_ms / 1000),
                       (int)(left_ms < 1 ? 1 : left_ms % 1000),
                       is_bash ? "bash --norc -euo pipefail" : "/bin/sh -eu");
    if (is_long) {
        text_append(body, "/dev/fd/9");
    } else {
        text_append(body, "-c ");
        text_append_shell(body, request->script, length);
        text_append(body, is_bash ? " bash" : " sh");
    }
    append_words(body, request->arguments);
    if (is_long)
        text_append_format(body, " 9<<'%s'\n%s\n%s", nonce, request->script, nonce);
    text_append(body, request->input != NULL ? "\n))" : "\n)");
    return NULL;
}
