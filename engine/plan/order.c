/*
 * Is a saved value known where it is used? In a phase the order of its steps says so. What deploy
 * saved is known in commit, and in rollback only as far as `may-have-happened` says that deploy
 * came. A step that is skipped saves nothing, so who uses its value must have its condition.
 */
#include "plan/checker.h"

#include <string.h>

enum {
    SAVERS_MOST = 200, /* of one name: with more alternatives than that, one is taken to be right */
};

static bool nodes_are_equal(const struct node *a, const struct node *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->kind != b->kind || a->count != b->count || !equal(a->text, b->text))
        return false;
    for (a = a->child, b = b->child; a != NULL && b != NULL; a = a->next, b = b->next) {
        if (!nodes_are_equal(a, b))
            return false;
    }
    return a == b;
}

static bool is_opposite(const struct when *a, const struct when *b)
{
    return (a->kind == WHEN_MAY_HAVE_HAPPENED && b->kind == WHEN_DID_NOT_HAPPEN) ||
           (a->kind == WHEN_DID_NOT_HAPPEN && b->kind == WHEN_MAY_HAVE_HAPPENED);
}

/* A scalar is a list of one. */
static const struct node *first_of(const struct node *is)
{
    return is->kind == NODE_LIST ? is->child : is;
}

static const struct node *next_of(const struct node *is, const struct node *item)
{
    return is->kind == NODE_LIST ? item->next : NULL;
}

static bool have_a_common_text(const struct node *a, const struct node *b)
{
    for (const struct node *one = first_of(a); one != NULL; one = next_of(a, one)) {
        for (const struct node *other = first_of(b); other != NULL; other = next_of(b, other)) {
            // What a reference stands for is not known.
            if (equal(one->text, other->text) || one->text == NULL || other->text == NULL ||
                strchr(one->text, '$') != NULL || strchr(other->text, '$') != NULL)
                return true;
        }
    }
    return false;
}

/* Never both true at the same time. */
static bool excludes(const struct when *a, const struct when *b)
{
    if (!equal(a->subject, b->subject))
        return false;
    if (is_opposite(a, b))
        return true;
    return a->kind == WHEN_VARIABLE && b->kind == WHEN_VARIABLE && a->is != NULL && b->is != NULL &&
           !have_a_common_text(a->is, b->is);
}

static bool is_same(const struct when *a, const struct when *b)
{
    return a->kind == b->kind && equal(a->subject, b->subject) && nodes_are_equal(a->is, b->is);
}

/* A step's conditions and its group's, one after the other. */
static const struct when *condition(const struct step *step, size_t index)
{
    if (index >= step->when_count) {
        index -= step->when_count;
        step = step->group;
    }
    return step != NULL && index < step->when_count ? &step->when[index] : NULL;
}

bool steps_exclude(const struct step *a, const struct step *b)
{
    const struct when *own, *other;

    for (size_t at = 0; (own = condition(a, at)) != NULL; at++) {
        for (size_t index = 0; (other = condition(b, index)) != NULL; index++) {
            if (excludes(own, other))
                return true;
        }
    }
    return false;
}

enum match {
    MATCH_SURE,     /* whenever the user runs, the saver has run */
    MATCH_POSSIBLE, /* it has a condition of its own */
    MATCH_NEVER,    /* the one runs only when the other does not */
};

static enum match conditions_match(const struct step *saver, const struct step *user)
{
    enum match match = MATCH_SURE;
    const struct when *own, *other;

    for (size_t at = 0; (own = condition(saver, at)) != NULL; at++) {
        bool is_shared = false;

        for (size_t index = 0; (other = condition(user, index)) != NULL; index++) {
            if (excludes(own, other))
                return MATCH_NEVER;
            is_shared |= is_same(own, other);
        }
        if (!is_shared)
            match = MATCH_POSSIBLE;
    }
    return match;
}

/* Had SAVER run before STEP, which may have happened, began? */
static bool is_before_subject(const struct step *saver, const struct step *subject)
{
    return subject != NULL && subject->phase != PHASE_ROLLBACK && step_precedes(saver, subject) &&
           saver->group != subject;
}

static bool is_reached(const struct checker *checker, const struct step *saver,
                       const struct step *user)
{
    const struct when *when;

    for (size_t at = 0; (when = condition(user, at)) != NULL; at++) {
        if (when->kind == WHEN_MAY_HAVE_HAPPENED &&
            is_before_subject(saver, table_find(checker->steps, when->subject)))
            return true;
    }
    return false;
}

static bool guard_knows(const struct checker *checker, const struct guard *guard,
                        const struct step *saver)
{
    const struct step *from = guard->from == NULL ? NULL : table_find(checker->steps, guard->from);

    if (saver->phase == PHASE_PREFLIGHT)
        return true;
    return saver->phase == PHASE_DEPLOY && from != NULL &&
           (saver == from || saver->group == from || step_precedes(saver, from));
}

/* Does the saver run before its user, whatever the conditions? */
static bool comes_before(const struct checker *checker, const struct step *saver,
                         const struct step *user)
{
    const struct guard *guard = guard_of(user);

    if (guard != NULL)
        return guard_knows(checker, guard, saver);
    if (saver->phase == PHASE_PREFLIGHT && user->phase != PHASE_PREFLIGHT)
        return true;
    if (user->phase == PHASE_ROLLBACK && saver->phase != PHASE_ROLLBACK)
        return is_reached(checker, saver, user);
    // A group begins before its own steps: what they save is not known to its conditions.
    return step_precedes(saver, user);
}

static bool is_known(const struct checker *checker, const struct step *user,
                     const struct name *name)
{
    size_t possible = 0, seen = 0;

    for (const struct saver *saver = name->savers; saver != NULL; saver = saver->next) {
        if (seen++ == SAVERS_MOST)
            return true;
        if (!comes_before(checker, saver->step, user))
            continue;

        enum match match = conditions_match(saver->step, user);

        if (match == MATCH_SURE)
            return true;
        possible += match == MATCH_POSSIBLE;
    }
    // Several steps with different conditions are taken to be each other's alternatives.
    return possible > 1;
}

/* Says of the saver that comes closest why it is not enough. */
static const char *why_unknown(struct checker *checker, const struct step *user,
                               const struct name *name)
{
    const struct step *saver = name->savers->step;
    const char *where = arena_printf(checker->arena, "Step \"%s\" saves it (%s, line %d)",
                                     saver->id, phase_names[saver->phase], saver->place.line);

    if (saver == user)
        return arena_printf(checker->arena, "%s: this step itself, at its end.", where);
    if (comes_before(checker, saver, user))
        return arena_printf(checker->arena,
                            "%s under a condition that does not hold whenever this one runs.",
                            where);
    if (guard_of(user) != NULL)
        return arena_printf(checker->arena, "%s: let the guard begin with \"from\" after it.",
                            where);
    if (user->phase == PHASE_ROLLBACK && saver->phase != PHASE_ROLLBACK)
        return arena_printf(checker->arena,
                            "%s, and deploy may have stopped before: use it under \"when: "
                            "{may-have-happened: STEP}\" of a step that comes after.",
                            where);
    return arena_printf(checker->arena, "%s, which comes later.", where);
}

/* Two lists of hosts that surely have none in common, where the value is each host's own. */
static bool is_elsewhere(struct checker *checker, const struct step *saver, const struct step *user)
{
    if (saver->hosts == NULL || saver->hosts->kind != NODE_LIST || saver->hosts->count < 2 ||
        user->hosts == NULL || user->hosts->kind != NODE_TEXT)
        return false;

    const struct role *used = plan_find_role(checker->plan, user->hosts->text);

    NODE_EACH(host, saver->hosts)
    {
        const struct role *role = plan_find_role(checker->plan, host->text);

        if (used == NULL || role == NULL || role == used || !roles_are_apart(role, used))
            return false;
    }
    return true;
}

void order_check(struct checker *checker, const struct use *use, const struct name *name)
{
    if (use->step == NULL) {
        findings_add(checker->findings, use_place(checker, use), NULL,
                     "value \"%s\" is saved by a step, and not known here", name->name);
        return;
    }
    if (!is_known(checker, use->step, name)) {
        findings_add(checker->findings, use_place(checker, use),
                     why_unknown(checker, use->step, name),
                     "value \"%s\" is used before it is saved", name->name);
        return;
    }
    if (name->savers->next == NULL && is_elsewhere(checker, name->savers->step, use->step))
        findings_add(checker->findings, use_place(checker, use),
                     arena_printf(checker->arena,
                                  "Step \"%s\" saves it on several hosts, each its own.",
                                  name->savers->step->id),
                     "value \"%s\" is not saved on \"%s\"", name->name, use->step->hosts->text);
}
