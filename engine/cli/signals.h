/*
 * Signals as facts that can be read. The first SIGINT, SIGTERM or SIGHUP asks for an end at the
 * next safe place, the second asks for an end now. What was ignored when the program started
 * (nohup) stays ignored. Commands that only read files do not catch them, and so just end.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

/* A closed stream is an error of a write and never stops a step. */
void signals_ignore_pipe(void);

/* Before any thread is started; a second call does nothing. */
bool signals_catch(void);

/* The number of the first signal, or 0. */
volatile int *signals_first(void);

/* Readable from the second signal on, if it comes a moment after the first; -1 before
 * signals_catch.
 */
int signals_stop_fd(void);

#endif
