/*
 * What is known of a cluster's hosts while the steps of a plan are followed: where Patroni and
 * PostgreSQL stand still. Hosts are known by the roles and names that the plan uses for them, so
 * there are three answers: surely, surely not, and not known. Internal to this folder.
 */
#ifndef PLAN_STANDING_H
#define PLAN_STANDING_H

#include "plan/checker.h"

enum {
    STANDING_MOST = 16, /* names; where there are more, nothing is concluded from them */
};

/* The names for which something is so. */
struct standing {
    const char *names[STANDING_MOST];
    size_t count;
    bool is_full;
};

/* HOSTS is a scalar or a list, or NULL: nothing. */
void standing_add(struct standing *standing, const struct node *hosts);
void standing_remove(struct standing *standing, const struct checker *checker,
                     const struct node *hosts); /* and all that may be one of them */

/* Is it so, as far as can be known, on every one of HOSTS? */
bool standing_covers(const struct standing *standing, const struct checker *checker,
                     const struct node *hosts);

/* The same of the leader, and of all members; *WHAT, if not, is one of which it is not known. */
bool standing_covers_leader(const struct standing *standing, const struct checker *checker);
bool standing_covers_all(const struct standing *standing, const struct checker *checker,
                         const char **what);

/* Is the leader surely among them? */
bool standing_has_leader(const struct standing *standing, const struct checker *checker);

/* Surely no host is in both. */
bool hosts_are_apart(const struct checker *checker, const struct node *a, const struct node *b);

/* Is a host of A surely one of B? */
bool hosts_overlap(const struct checker *checker, const struct node *a, const struct node *b);

/* Does it name a role that is, or may be, the leader? */
bool hosts_have_leader(const struct checker *checker, const struct node *hosts);

#endif
