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
    const char *why;         /* not answered: the reason, in words for a message; else NULL */
};

enum patroni_reach {
    PATRONI_ANSWERED,
    PATRONI_REFUSED, /* nobody listens on that port: no Patroni runs there */
    PATRONI_SILENT,  /* no answer: nothing is known */
};

/*
 * METHOD "GET", "PATCH", "PUT", "POST", "DELETE"; PATH "/config"; JSON: the request's body or NULL.
 * MEMBER: whose REST to ask; NULL: the host's own. An error is returned only if HOST itself cannot
 * be reached, on ERROR_STOPPED, if credentials cannot be read, if they or the certificate are
 * refused (401, 403, TLS: ERROR_UNREACHABLE, nothing was carried out), or if the answer is too
 * large; else *REACH says what happened. An unsafe request without an answer may have been carried
 * out: read the state, never repeat blindly.
 */
struct error *patroni_request(struct host *host, struct arena *arena,
                              const struct host_settings *member, const char *method,
                              const char *path, const char *json, int64_t deadline_ms,
                              enum patroni_reach *reach, struct patroni_answer *out);

/* One member as GET /cluster tells it. Strings are never NULL; what is not told is "", 0 or -1. */
struct patroni_member {
    const char *name;
    const char *role;  /* "leader", "standby_leader", "sync_standby", "quorum_standby", "replica" */
    const char *state; /* "running", "streaming", "stopped", "starting", ... */
    const char *api_url;
    const char *address; /* of its PostgreSQL */
    int port;
    int64_t timeline;
    int64_t lag_bytes; /* -1: not known, or a leader */
    bool is_leader;    /* role "leader" or "standby_leader" */
    bool has_pending_restart;
    const struct node *tags;              /* a map, or NULL */
    const struct node *scheduled_restart; /* a map, or NULL */
};

struct patroni_cluster {
    const struct patroni_member *members;
    size_t count;
    const struct patroni_member *leader;     /* has the leader key; NULL: nobody */
    bool is_maintenance;                     /* what the DCS says; members notice it a loop later */
    const struct node *scheduled_switchover; /* {at, from, to}, or NULL */
};

/* One member as its own GET /patroni tells it. */
struct patroni_status {
    const char *state;
    const char *role;              /* "leader", "replica", "standby_leader" or "" */
    const char *version;           /* Patroni's: "3.0.2" */
    const char *system_identifier; /* "" before Patroni has seen its data directory */
    int64_t server_version;        /* 150018; 0 while its PostgreSQL is down */
    int64_t timeline;
    bool is_maintenance; /* this member has noticed maintenance mode */
    bool has_pending_restart;
    bool is_unlocked;        /* nobody has the leader key */
    const struct node *body; /* the whole answer */
};

/*
 * GET /cluster and GET /patroni. Unlike patroni_request they fail (ERROR_FAILED) also where there
 * is no usable answer; *REACH, which may be NULL, is set in any case.
 */
struct error *patroni_read_cluster(struct host *host, struct arena *arena,
                                   const struct host_settings *member, int64_t deadline_ms,
                                   enum patroni_reach *reach, struct patroni_cluster *out);
struct error *patroni_read_status(struct host *host, struct arena *arena,
                                  const struct host_settings *member, int64_t deadline_ms,
                                  enum patroni_reach *reach, struct patroni_status *out);

/* NULL if there is no such member. */
const struct patroni_member *patroni_find_member(const struct patroni_cluster *cluster,
                                                 const char *name);

/* What Patroni calls master (before 4) and primary (4) is "leader"; other names stay as they are.
 */
const char *patroni_role(const char *name);

#endif
