/*
 * What a session needs beside its connection. Apart from postgres.c so that it needs no library.
 */
#ifndef HOST_POSTGRES_SESSION_H
#define HOST_POSTGRES_SESSION_H

#include "host/postgres.h"

/* One statement for the settings and the role of REQUEST; NULL if it has neither. */
const char *postgres_settings_text(struct arena *arena, const struct postgres_request *request);

/* Do they hold statement_timeout? */
bool postgres_settings_have_timeout(const struct postgres_request *request);

/*
 * The server's statement_timeout for a statement with that deadline: in whole seconds and a little
 * more, so that a kept connection seldom needs another value.
 */
int64_t postgres_timeout_ms(int64_t deadline_ms);

#endif
