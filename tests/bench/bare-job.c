/*
 * The yardstick of remote-shell: one job per step, started by the wrapper that holdback uses, its
 * very text, but with no claim to compare and no output to follow. See bare.h.
 */
#include "bare.h"

#include "base/text.h"
#include "host/wrapper.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void append_quoted(struct text *text, const char *word)
{
    text_append_shell(text, word, strlen(word));
}

static void job(ssh_session session, int number)
{
    static const char script[] = "true";
    struct text body CLEANUP(text_release) = {0};
    char digest[DIGEST_SIZE], output[256];

    sha256_hex(script, strlen(script), digest);
    text_append_format(&body, "(\nset -- bare-%d %064x '' '' '' ''\n", (int)getpid(), number);
    text_append(&body, wrapper_common);
    text_append(&body, wrapper_job);
    if (number == 0)
        text_append(&body, "mkdir -p -m 700 \"$HOME/.holdback/$1\"\n");
    text_append(&body, "job_prepare \"$@\"\nprintf ");
    append_quoted(&body, script);
    text_append_format(&body,
                       " >\"$d/script.x\"\n"
                       "[ \"$(sha256sum \"$d/script.x\")\" = \"%s  $d/script.x\" ] || "
                       "fail 'what arrived is not what was sent'\n"
                       "runner=",
                       digest);
    append_quoted(&body, wrapper_common);
    append_quoted(&body, wrapper_runner);
    text_append(&body, "\njob_launch x sh '' '' '' '' </dev/null\njob_report 0 0\n)\n");
    bare_command(session, "exec sudo -n -H -u postgres /bin/sh", body.bytes, output, sizeof output);
    if (strcmp(output, "done 0\n") != 0) {
        fprintf(stderr, "bare-job: the wrapper said: %s", output);
        _exit(1);
    }
}

int main(int argc, char **argv)
{
    return bare_main("bare-job", argc, argv, job);
}
