/* What TLS needs of local files, before a library is given their names. */
#ifndef HOST_TLS_H
#define HOST_TLS_H

#include "base/error.h"
#include "base/settings.h"

/*
 * Fills OUT with the paths, "~/" expanded. Fails (ERROR_INPUT) if the key can be read by others:
 * libpq and libcurl would take it, or refuse it in words of their own.
 */
struct error *tls_prepare(struct arena *arena, const struct tls_settings *settings,
                          struct tls_settings *out);

#endif
