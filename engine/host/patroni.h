/*
 * Patroni's REST interface (libcurl), reached through the host's SSH session or directly. Through
 * one host's session any member can be asked: MEMBER says whose REST it is.
 *
 * No redirects, no proxy, no netrc; answers of at most 4 MiB. Credentials are sent with unsafe
 * requests only. Source of the endpoints: Patroni's docs/rest_api.rst.
 */
#ifndef HOST_PATRONI_H
#define HOST_PATRONI_H

#include "base/node.h"
#include "host/host.h"

struct patroni_answer {
    int status;              /* HTTP status */
    const struct node *body; /* parsed, or NULL if it is not JSON */
    const char *text;        /* as it came */
};

enum patroni_reach {
    PATRONI_ANSWERED,
    PATRONI_REFUSED, /* nobody listens on that port: no Patroni runs there */
    PATRONI_SILENT,  /* no answer: nothing is known */
};

/*
 * METHOD "GET", "PATCH", "PUT", "POST", "DELETE"; PATH "/config"; JSON: the request's body or NULL.
 * MEMBER: whose REST to ask; NULL: the host's own. An error is returned only if HOST itself cannot
 * be reached, on ERROR_STOPPED, or if credentials cannot be read; else *REACH says what happened.
 * An unsafe request without an answer may have been carried out: read the state, never repeat
 * blindly.
 */
struct error *patroni_request(struct host *host, struct arena *arena,
                              const struct host_settings *member, const char *method,
                              const char *path, const char *json, int64_t deadline_ms,
                              enum patroni_reach *reach, struct patroni_answer *out);

#endif
