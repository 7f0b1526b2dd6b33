#include "cli/versions.h"
#include "base/node.h"
#include "host/http.h"
#include "host/postgres.h"
#include "plan/yaml.h"

#include <string.h>

void versions_append(struct text *text)
{
    const char *ssh = ssh_library();
    int libpq = postgres_library();

    text_append(text, "holdback " HOLDBACK_VERSION "\n");
    text_append_format(text, "libpq %d.%d\n", libpq / 10000, libpq % 10000);
    // "0.10.6/openssl/zlib"
    text_append_format(text, "libssh %.*s\n", (int)strcspn(ssh, "/"), ssh);
    text_append_format(text, "libcurl %s\nlibyaml %s\njansson %s\n%s\n", http_library(),
                       yaml_library(), json_library(), digest_library());
}
