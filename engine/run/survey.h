/*
 * What a running cluster says of itself, for a first cluster file: asked on a host, through SSH, by
 * a program that only looks (survey.py). No password is read here: those that Patroni's
 * configuration has stay on its host.
 */
#ifndef RUN_SURVEY_H
#define RUN_SURVEY_H

#include "base/embedded.h"
#include "host/host.h"

extern const struct embedded_file survey_files[]; /* survey.py */

/* A member as Patroni lists it. */
struct survey_member {
    const char *name;
    const char *address; /* of its REST interface; NULL: not told */
    const char *role;    /* "leader", "replica", ... */
    int rest_port;       /* 0: not told */
    int postgres_port;   /* 0: not told; may be a pooler's */
};

/* A text is NULL where it is not known, and holds no control characters; a number is then 0. */
struct survey_host {
    const char *service; /* systemd unit without ".service" */
    const char *os_user, *config, *scope, *member;
    const char *scheme;           /* "http" or "https" */
    const char *ca, *certificate; /* of REST; paths on the host */
    const char *rest_user;        /* who may do unsafe requests; NULL: everybody may */
    const char *data_directory, *bin_directory, *socket_directory, *superuser;
    const char *system_identifier, *patroni_version;
    int64_t server_version; /* 150018 */
    int postgres_port;
    bool needs_certificate;   /* REST wants to see a client's */
    bool has_restore_command; /* Patroni's configuration has one */
    const struct survey_member *members;
    size_t member_count;
};

/* Which of a host's Patroni services is meant: that of SERVICE or of SCOPE; both NULL: the only. */
struct survey_question {
    const char *host; /* for messages */
    const char *service, *scope;
};

/*
 * Takes one service out of what survey.py prints. ERROR_INPUT: there is none such, or more than
 * one; ERROR_FAILED: it cannot be read, or (where no SCOPE is given) does not know its cluster.
 */
struct error *survey_read(struct arena *arena, const struct survey_question *question,
                          const char *json, size_t length, struct survey_host *out);

/* Asks the host, as root, for at most a minute; 10 s for the connection. */
struct error *survey_ask(struct host *host, struct arena *arena,
                         const struct survey_question *question, struct survey_host *out);

/* Whether a host can be used as SETTINGS say. */
struct survey_probe {
    const struct error *lost; /* could not be reached or asked; then nothing else is known */
    struct survey_host found;
    const char *postgres_user;         /* who could log in; NULL: nobody */
    const struct error *postgres_lost; /* why nobody could */
    const struct error *patroni_lost;  /* why its REST interface did not answer us; NULL: it did */
};
void survey_probe(struct arena *arena, const struct host_settings *settings, const char *scope,
                  struct survey_probe *out);

#endif
