/* TLS files. */
#include "host/tls.h"
#include "base/file.h"

#include <errno.h>
#include <sys/stat.h>

static const char *path_expand(struct arena *arena, const char *path)
{
    return path == NULL ? NULL : path_join(arena, ".", path);
}

struct error *tls_prepare(struct arena *arena, const struct tls_settings *settings,
                          struct tls_settings *out)
{
    struct tls_settings tls = {.ca = path_expand(arena, settings->ca),
                               .certificate = path_expand(arena, settings->certificate),
                               .key = path_expand(arena, settings->key)};
    struct stat status;

    if (tls.key != NULL && stat(tls.key, &status) != 0)
        return error_new(arena, ERROR_INPUT, "could not find private key \"%s\": %s", tls.key,
                         errno_text(arena, errno));
    if (tls.key != NULL && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return error_hint(
            arena,
            error_new(arena, ERROR_INPUT, "private key \"%s\" can be read by others", tls.key),
            "Its permissions should be 0600 or less.");
    *out = tls;
    return NULL;
}
