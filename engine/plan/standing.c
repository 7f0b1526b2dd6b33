#include "plan/standing.h"

#include <string.h>

/* A scalar is a list of one. */
static const struct node *first_of(const struct node *hosts)
{
    return hosts != NULL && hosts->kind == NODE_LIST ? hosts->child : hosts;
}

static const struct node *next_of(const struct node *hosts, const struct node *at)
{
    return hosts->kind == NODE_LIST ? at->next : NULL;
}

static bool is_long(const struct node *hosts)
{
    return hosts != NULL && hosts->kind == NODE_LIST && hosts->count > STANDING_MOST;
}

static bool names_are_apart(const struct checker *checker, const char *a, const char *b)
{
    const struct role *left = plan_find_role(checker->plan, a);
    const struct role *right = plan_find_role(checker->plan, b);

    if (left == NULL && right == NULL)
        return !equal(a, b);
    return left != NULL && right != NULL && left != right && roles_are_apart(left, right);
}

bool hosts_are_apart(const struct checker *checker, const struct node *a, const struct node *b)
{
    if (a == NULL || b == NULL || is_long(a) || is_long(b))
        return false;
    for (const struct node *left = first_of(a); left != NULL; left = next_of(a, left)) {
        for (const struct node *right = first_of(b); right != NULL; right = next_of(b, right)) {
            if (!names_are_apart(checker, left->text, right->text))
                return false;
        }
    }
    return true;
}

static bool standing_has(const struct standing *standing, const char *name)
{
    for (size_t at = 0; at < standing->count; at++) {
        if (equal(standing->names[at], name))
            return true;
    }
    return false;
}

static bool is_kind(const struct role *role, const char *kind)
{
    return equal(role->patroni, kind) || equal(role->patroni, "member");
}

/* Does ROLE with the roles that it leaves out, where those stand too, hold all of KIND? */
static bool holds_kind(const struct standing *standing, const struct checker *checker,
                       const struct role *role, const char *kind)
{
    if (role->one || !is_kind(role, kind))
        return false;
    NODE_EACH(name, role->except)
    {
        const struct role *other = plan_find_role(checker->plan, name->text);

        if (other != NULL && (is_kind(other, kind) || equal(other->patroni, "sync-standby")) &&
            !standing_has(standing, other->name))
            return false;
    }
    return true;
}

static bool covers_kind(const struct standing *standing, const struct checker *checker,
                        const char *kind)
{
    for (size_t at = 0; at < standing->count; at++) {
        const struct role *role = plan_find_role(checker->plan, standing->names[at]);

        // What a host's name stands for is not known offline.
        if (role == NULL || holds_kind(standing, checker, role, kind) ||
            (equal(kind, "leader") && equal(role->patroni, "leader")))
            return true;
    }
    return standing->is_full;
}

bool standing_covers_leader(const struct standing *standing, const struct checker *checker)
{
    return covers_kind(standing, checker, "leader");
}

/* The leader and one replica are all that there is of two hosts. */
static bool are_all_of_two(const struct standing *standing, const struct checker *checker)
{
    const struct cluster *cluster = checker->options->cluster;
    bool has_replica = false;

    for (size_t at = 0; at < standing->count; at++) {
        const struct role *role = plan_find_role(checker->plan, standing->names[at]);

        has_replica |= role != NULL && equal(role->patroni, "replica");
    }
    return cluster != NULL && cluster->host_count <= 2 && has_replica;
}

/* Where the plan names hosts and the cluster file is given: the first that is left out. */
static const char *missing_host(const struct standing *standing, const struct checker *checker)
{
    const struct cluster *cluster = checker->options->cluster;

    for (size_t at = 0; at < standing->count; at++) {
        if (plan_find_role(checker->plan, standing->names[at]) != NULL)
            return NULL;
    }
    for (size_t at = 0; cluster != NULL && at < cluster->host_count; at++) {
        if (!standing_has(standing, cluster->hosts[at].name))
            return cluster->hosts[at].name;
    }
    return NULL;
}

bool standing_covers_all(const struct standing *standing, const struct checker *checker,
                         const char **what)
{
    const char *missing = missing_host(standing, checker);

    if (missing != NULL && !standing->is_full) {
        *what = missing;
        return false;
    }
    if (!covers_kind(standing, checker, "leader")) {
        *what = "the leader";
        return false;
    }
    if (!covers_kind(standing, checker, "replica") && !are_all_of_two(standing, checker)) {
        *what = "a replica";
        return false;
    }
    return true;
}

void standing_add(struct standing *standing, const struct node *hosts)
{
    standing->is_full |= is_long(hosts);
    if (is_long(hosts))
        return;
    for (const struct node *at = first_of(hosts); at != NULL; at = next_of(hosts, at)) {
        if (at->text == NULL || standing_has(standing, at->text))
            continue;
        if (standing->count == STANDING_MOST)
            standing->is_full = true;
        else
            standing->names[standing->count++] = at->text;
    }
}

void standing_remove(struct standing *standing, const struct checker *checker,
                     const struct node *hosts)
{
    size_t kept = 0;

    if (is_long(hosts)) {
        standing->count = 0;
        return;
    }
    for (size_t at = 0; at < standing->count; at++) {
        bool stays = true;

        for (const struct node *host = first_of(hosts); host != NULL; host = next_of(hosts, host))
            stays &= names_are_apart(checker, standing->names[at], host->text);
        if (stays)
            standing->names[kept++] = standing->names[at];
    }
    standing->count = kept;
}

static bool covers_name(const struct standing *standing, const struct checker *checker,
                        const char *name)
{
    const struct role *role = plan_find_role(checker->plan, name);

    if (standing->is_full || standing_has(standing, name))
        return true;
    for (size_t at = 0; at < standing->count; at++) {
        const struct role *other = plan_find_role(checker->plan, standing->names[at]);

        // A host's name may be any role's, and a role may be that host.
        if ((role == NULL) != (other == NULL))
            return true;
    }
    return role != NULL && (equal(role->patroni, "leader") || equal(role->patroni, "replica")) &&
           covers_kind(standing, checker, role->patroni);
}

bool standing_covers(const struct standing *standing, const struct checker *checker,
                     const struct node *hosts)
{
    if (is_long(hosts))
        return true;
    for (const struct node *at = first_of(hosts); at != NULL; at = next_of(hosts, at)) {
        if (at->text != NULL && !covers_name(standing, checker, at->text))
            return false;
    }
    return true;
}

static bool is_everybody(const struct role *role)
{
    return role != NULL && equal(role->patroni, "member") && !role->one && role->except == NULL;
}

bool hosts_overlap(const struct checker *checker, const struct node *a, const struct node *b)
{
    if (a == NULL || b == NULL || is_long(a) || is_long(b))
        return false;
    for (const struct node *left = first_of(a); left != NULL; left = next_of(a, left)) {
        for (const struct node *right = first_of(b); right != NULL; right = next_of(b, right)) {
            if (equal(left->text, right->text) ||
                is_everybody(plan_find_role(checker->plan, left->text)) ||
                is_everybody(plan_find_role(checker->plan, right->text)))
                return true;
        }
    }
    return false;
}

bool standing_has_leader(const struct standing *standing, const struct checker *checker)
{
    for (size_t at = 0; at < standing->count; at++) {
        const struct role *role = plan_find_role(checker->plan, standing->names[at]);

        if (role != NULL && equal(role->patroni, "leader"))
            return true;
    }
    return false;
}

bool hosts_have_leader(const struct checker *checker, const struct node *hosts)
{
    for (const struct node *at = first_of(hosts); at != NULL; at = next_of(hosts, at)) {
        const struct role *role = plan_find_role(checker->plan, at->text);

        if (role != NULL && is_kind(role, "leader"))
            return true;
    }
    return false;
}
