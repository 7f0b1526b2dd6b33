/*
 * What a good programmer would write with libssh and no tool: one thread per host connects, proves
 * the host, logs in, and runs COUNT commands one after the other, each on a channel of its own.
 * After each there is a barrier over all hosts, and one durable line in a journal.
 *
 * Every failure ends the program with a message: it measures, it does not recover.
 */
#ifndef BARE_H
#define BARE_H

#include <libssh/libssh.h>
#include <stddef.h>

/*
 * The command line is PROGRAM KEY KNOWN_HOSTS JOURNAL COUNT HOST...; STEP runs one command and
 * returns when that has ended.
 */
int bare_main(const char *program, int argc, char **argv,
              void (*step)(ssh_session session, int number));

/*
 * Runs COMMAND on a channel of its own, with INPUT (may be NULL) as its standard input. OUTPUT gets
 * its standard output, cut to SIZE - 1 bytes and with a NUL. Exit status 0 or the program ends.
 */
void bare_command(ssh_session session, const char *command, const char *input, char *output,
                  size_t size);

#endif
