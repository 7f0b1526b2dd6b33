/* What a plan sets for a while, and nothing ends. */
#include "plan/situation.h"

static bool is_of(const struct fact *fact, enum phase phase)
{
    return fact->step->phase == phase && guard_of(fact->step) == NULL;
}

static const struct fact *find_in(const struct facts *facts, enum phase phase, unsigned long ends)
{
    for (size_t at = 0; at < facts->count; at++) {
        if (is_of(&facts->items[at], phase) && (ends >> facts->items[at].effect & 1) != 0)
            return &facts->items[at];
    }
    return NULL;
}

static const char *needed_step(const struct step *step)
{
    for (; step != NULL; step = step->group) {
        for (size_t at = 0; at < step->when_count; at++) {
            if (step->when[at].kind == WHEN_MAY_HAVE_HAPPENED)
                return step->when[at].subject;
        }
    }
    return NULL;
}

/* The step without which nothing in rollback ENDS it; NULL: it is ended in any case. */
static const char *find_condition(const struct facts *facts, unsigned long ends)
{
    const char *needed = NULL;

    for (size_t at = 0; at < facts->count; at++) {
        const struct fact *fact = &facts->items[at];

        if (!is_of(fact, PHASE_ROLLBACK) || (ends >> fact->effect & 1) == 0)
            continue;
        needed = needed_step(fact->step);
        if (needed == NULL)
            return NULL;
    }
    return needed;
}

#define ONE(effect) (1UL << (effect))

/* What the mode or pause is begun and ended by, and what else makes it go away in a rollback. */
struct lasting {
    const char *id, *what;
    enum effect begins, ends;
    unsigned long undoes;
};

static void in_rollback(struct checker *checker, const struct lasting *lasting,
                        const struct fact *cause)
{
    unsigned long ends = lasting->undoes | ONE(lasting->ends);
    const char *needed = find_condition(checker->facts, ends);
    const struct step *step = needed == NULL ? NULL : plan_find_step(checker->plan, needed);

    if (find_in(checker->facts, PHASE_ROLLBACK, ends) == NULL)
        hazard_add(
            checker, lasting->id, fact_place(checker, cause), "Let a step of rollback end it.",
            "step \"%s\" %s, and nothing in rollback ends it", cause->step->id, lasting->what);
    else if (step != NULL && step_precedes(cause->step, step))
        hazard_add(checker, lasting->id, fact_place(checker, cause),
                   arena_printf(checker->arena,
                                "Let a step of rollback end it under when: {did-not-happen: %s}, "
                                "too.",
                                needed),
                   "step \"%s\" %s, and nothing in rollback ends it where \"%s\" did not happen",
                   cause->step->id, lasting->what, needed);
}

static void until_the_end(struct checker *checker, const struct lasting *lasting)
{
    const struct plan *plan = checker->plan;
    const struct facts *facts = checker->facts;
    const struct fact *cause = NULL;

    for (size_t at = 0; at < facts->count; at++) {
        const struct fact *fact = &facts->items[at];

        if (is_of(fact, PHASE_DEPLOY) && fact->effect == lasting->begins)
            cause = fact;
        else if (is_of(fact, PHASE_DEPLOY) && fact->effect == lasting->ends)
            cause = NULL;
    }
    if (cause == NULL)
        return;
    if (!plan->has_phase[PHASE_COMMIT] || find_in(facts, PHASE_COMMIT, ONE(lasting->ends)) == NULL)
        hazard_add(checker, lasting->id, fact_place(checker, cause),
                   plan->has_phase[PHASE_COMMIT] ? "Let a step of commit end it."
                                                 : "Let a later step of deploy end it.",
                   "step \"%s\" %s, and nothing ends it when the deployment has succeeded",
                   cause->step->id, lasting->what);
    if (plan->has_phase[PHASE_ROLLBACK])
        in_rollback(checker, lasting, cause);
}

/* The last step that fenced each set of hosts; most plans fence once or twice. */
static void fence(struct checker *checker)
{
    enum { FENCES_MOST = 16 };
    const struct facts *facts = checker->facts;
    const struct fact *fenced[FENCES_MOST];
    size_t count = 0;

    for (size_t at = 0; at < facts->count; at++) {
        const struct fact *fact = &facts->items[at];

        if (!is_of(fact, PHASE_ROLLBACK))
            continue;
        if (fact->effect == EFFECT_FENCED && count < FENCES_MOST)
            fenced[count++] = fact;
        if (fact->effect != EFFECT_FENCE_AWAY)
            continue;
        for (size_t index = 0; index < count; index++) {
            if (fenced[index] != NULL &&
                !hosts_are_apart(checker, fenced[index]->step->hosts, fact->step->hosts))
                fenced[index] = NULL;
        }
    }
    for (size_t index = 0; index < count; index++) {
        if (fenced[index] != NULL)
            hazard_add(checker, "HB006", fact_place(checker, fenced[index]),
                       "A fenced node stays out of the cluster, also when it boots: start its "
                       "service in a later step.",
                       "step \"%s\" fences Patroni, and no later step of rollback starts it there",
                       fenced[index]->step->id);
    }
}

/* A tag may be what a plan is for, but not one that goes with a hold, or that a rollback leaves. */
static void tag(struct checker *checker)
{
    const struct facts *facts = checker->facts;
    const struct plan *plan = checker->plan;
    const struct fact *set = NULL;
    bool is_held = find_in(facts, PHASE_DEPLOY, ONE(EFFECT_REPLAY_PAUSED) | ONE(EFFECT_DELAYED));

    for (size_t at = 0; at < facts->count; at++) {
        const struct fact *fact = &facts->items[at];

        if (is_of(fact, PHASE_DEPLOY) && fact->effect == EFFECT_TAGGED)
            set = fact;
        else if (is_of(fact, PHASE_DEPLOY) && fact->effect == EFFECT_TAG_AWAY)
            set = NULL;
    }
    if (set == NULL)
        return;
    if (is_held && find_in(facts, PHASE_COMMIT, ONE(EFFECT_TAG_AWAY)) == NULL)
        hazard_add(checker, "HB037", fact_place(checker, set), "Let a step of commit remove it.",
                   "step \"%s\" sets a tag, and nothing removes it when the deployment has "
                   "succeeded",
                   set->step->id);
    if (plan->has_phase[PHASE_ROLLBACK] &&
        find_in(facts, PHASE_ROLLBACK, ONE(EFFECT_TAG_AWAY)) == NULL)
        hazard_add(checker, "HB037", fact_place(checker, set), "Let a step of rollback remove it.",
                   "step \"%s\" sets a tag, and nothing in rollback removes it", set->step->id);
}

void lasting_check(struct checker *checker)
{
    // Clearing the DCS takes maintenance mode away, too; a pause does not outlive its server.
    static const struct lasting all[] = {
        {"HB004", "turns maintenance mode on", EFFECT_MAINTENANCE_ON, EFFECT_MAINTENANCE_OFF,
         ONE(EFFECT_CLUSTER_CLEARED) | ONE(EFFECT_UNKNOWN)},
        {"HB005", "pauses replay", EFFECT_REPLAY_PAUSED, EFFECT_REPLAY_RESUMED,
         ONE(EFFECT_POSTGRES_STOPPED) | ONE(EFFECT_POSTGRES_STARTED) |
             ONE(EFFECT_POSTGRES_RESTARTED) | ONE(EFFECT_UNKNOWN)},
    };

    for (size_t at = 0; at < ARRAY_COUNT(all); at++)
        until_the_end(checker, &all[at]);
    fence(checker);
    tag(checker);
}
