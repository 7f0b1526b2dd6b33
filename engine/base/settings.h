/*
 * How to reach one host of a cluster: what the cluster file says, complete (defaults and the host's
 * own overrides are merged in). Read by plan/cluster, used by the host layer. Strings live in the
 * cluster's arena and are never NULL unless said.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include "base/secret.h"

struct tls_settings {
    const char *ca, *certificate, *key; /* paths; NULL: none */
};

struct host_settings {
    const char *name;    /* in the cluster file */
    const char *address; /* name or IP address; no brackets */
    const char *member;  /* Patroni member name */

    struct {
        const char *user; /* NULL: whoever runs holdback */
        int port;
        const char *identity;    /* NULL: agent, then the usual keys */
        const char *known_hosts; /* NULL: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts */
        const char *jump;        /* [user@]host[:port], or NULL */
        const char *config;      /* an OpenSSH client configuration, or NULL */
        const char *become;      /* "sudo", "doas" or "none" */
    } ssh;

    struct {
        const char *reach; /* "socket", "tcp" or "direct" */
        const char *os_user;
        const char *socket_directory;
        int port;
        const char *user, *database;
        struct secret_reference password;
        const char *sslmode; /* NULL: verify-full for direct, prefer for tcp */
        struct tls_settings tls;
        const char *data_directory, *bin_directory; /* NULL: not said */
        const char *restore_command;                /* "": not said */
    } postgres;

    struct {
        const char *reach;  /* "ssh" or "direct" */
        const char *scheme; /* "http" or "https" */
        struct tls_settings tls;
        int port;
        const char *user; /* NULL: no authentication */
        struct secret_reference password;
        const char *config;  /* Patroni's own YAML file on the host; NULL: not said */
        const char *service; /* systemd unit without ".service" */
    } patroni;
};

#endif
