/* The conditions of a `when`: a closed set, answered from what is known and journalled. */
#include "run/engine.h"

#include "plan/sqltext.h"

#include <string.h>

/* All members of a cluster run one major version, so any host's answer serves where one is silent.
 */
static int version_of(const struct run *run, const char *host)
{
    const struct node *versions = node_find(run->ledger.identity, "versions");
    int64_t version = node_integer(versions, host, 0);

    if (version == 0 && versions != NULL && versions->child != NULL)
        version = node_integer(versions, versions->child->key, 0);
    return (int)version;
}

static struct error *postgres_matches(const struct run *run, const struct when *when,
                                      const struct step *step, bool *holds)
{
    size_t count;
    const struct host_settings *const *hosts = step_hosts(run, step, &count);
    int version = version_of(run, count == 0 ? "" : hosts[0]->name);

    if (version == 0)
        return error_at(run->arena, when->place, "the PostgreSQL version is not known");
    *holds = version_matches(when->subject, version);
    return NULL;
}

static const struct value *value_of(const struct run *run, const struct when *when,
                                    const struct step *step)
{
    size_t count;
    const struct host_settings *const *hosts = step_hosts(run, step, &count);

    return scope_find(run->scope, count == 1 ? hosts[0]->name : NULL, when->subject);
}

static struct error *value_matches(const struct run *run, const struct when *when,
                                   const struct step *step, bool *holds)
{
    const struct value *value = value_of(run, when, step);

    if (value == NULL)
        return error_at(run->arena, when->place, "value \"%s\" is not known yet", when->subject);
    *holds = when_is(when, value->text);
    return NULL;
}

static bool role_is_empty(const struct run *run, const char *name)
{
    for (size_t at = 0; at < run->role_count; at++) {
        if (equal(run->roles[at].name, name))
            return run->roles[at].count == 0;
    }
    return true;
}

static struct error *condition_holds(const struct run *run, const struct when *when,
                                     const struct step *step, bool *holds)
{
    const struct step *subject = NULL;

    switch (when->kind) {
    case WHEN_POSTGRES:
        return postgres_matches(run, when, step, holds);
    case WHEN_VARIABLE:
    case WHEN_VALUE:
        return value_matches(run, when, step, holds);
    case WHEN_ROLE_IS_EMPTY:
        *holds = role_is_empty(run, when->subject);
        return NULL;
    case WHEN_MAY_HAVE_HAPPENED:
    case WHEN_DID_NOT_HAPPEN:
        subject = plan_find_step(run->plan, when->subject);
        *holds = ledger_may_have_happened(&run->ledger, subject) ==
                 (when->kind == WHEN_MAY_HAVE_HAPPENED);
        return NULL;
    }
    return NULL;
}

static const char *value_words(const struct run *run, const struct when *when,
                               const struct step *step)
{
    const struct value *value = value_of(run, when, step);

    return arena_printf(run->arena, "%s is %s", when->subject,
                        value == NULL ? "another" : value->text);
}

/* Why a step is left out. */
static const char *condition_words(const struct run *run, const struct when *when,
                                   const struct step *step)
{
    switch (when->kind) {
    case WHEN_POSTGRES:
        return arena_printf(run->arena, "PostgreSQL is not %s", when->subject);
    case WHEN_VARIABLE:
    case WHEN_VALUE:
        return value_words(run, when, step);
    case WHEN_ROLE_IS_EMPTY:
        return arena_printf(run->arena, "role \"%s\" is not empty", when->subject);
    case WHEN_MAY_HAVE_HAPPENED:
        return arena_printf(run->arena, "step \"%s\" did not happen", when->subject);
    case WHEN_DID_NOT_HAPPEN:
        return arena_printf(run->arena, "step \"%s\" may have happened", when->subject);
    }
    return "";
}

struct error *when_holds(const struct run *run, const struct when *when, size_t count,
                         const struct step *step, bool *holds, const char **why)
{
    *holds = true;
    for (size_t at = 0; at < count && *holds; at++) {
        struct error *error = condition_holds(run, &when[at], step, holds);

        if (error != NULL)
            return error;
        if (!*holds && why != NULL)
            *why = condition_words(run, &when[at], step);
    }
    return NULL;
}
