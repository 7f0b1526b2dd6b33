/*
 * One HTTP request (libcurl), inside host_wait. Redirects are not followed; no proxy, no netrc;
 * TLS 1.2 at least, and the server's certificate is always verified.
 */
#ifndef HOST_HTTP_H
#define HOST_HTTP_H

#include "host/host.h"

struct http_request {
    const char *method;
    const char *scheme; /* "http" or "https" */
    const char *address;
    int port;
    const char *path;     /* "/config" */
    const char *body;     /* JSON, or NULL */
    const char *user;     /* basic authentication; NULL: none */
    const char *password; /* never NULL beside a user */
    struct tls_settings tls;
    int tunnel; /* a connected descriptor, taken also on failure; -1: connect from here */
    int64_t deadline_ms;
};

enum http_end {
    HTTP_ANSWERED,
    HTTP_REFUSED, /* nobody listens there */
    HTTP_SILENT,  /* no connection, or no complete answer */
};

struct http_answer {
    int status;
    const char *body; /* at most 4 MiB */
    const char *why;  /* not answered: the reason */
};

/*
 * Errors: ERROR_STOPPED; what host_wait says of the host; ERROR_UNREACHABLE if TLS fails: the
 * server could not prove who it is, or refused us; ERROR_FAILED if the answer is too large.
 */
struct error *http_request(struct host *host, struct arena *arena,
                           const struct http_request *request, enum http_end *end,
                           struct http_answer *out);

/* The version of libcurl that is loaded. */
const char *http_library(void);

#endif
