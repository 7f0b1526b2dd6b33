/* What ends, or never was, a hold: the steps of deploy and commit in their order. */
#include "plan/situation.h"

struct hold {
    struct checker *checker;
    struct situation situation;
    bool has_pause, has_target; /* anywhere in deploy; the target in rollback, too */
    const struct fact *xid;
    bool has_other_mark;
    const struct step *marked; /* the step that was told last */
};

/* A guard's facts stand before all steps. */
static bool is_of(const struct fact *fact, enum phase phase)
{
    return fact->step->phase == phase && guard_of(fact->step) == NULL;
}

static void pause_check(struct hold *hold, const struct fact *fact)
{
    struct checker *checker = hold->checker;
    const struct step *step = fact->step;
    const struct node *hosts = step->hosts;
    const struct role *role =
        hosts == NULL || hosts->text == NULL ? NULL : plan_find_role(checker->plan, hosts->text);

    if (fact->is_for_14 && !hold->situation.in_maintenance &&
        !standing_covers(&hold->situation.services, checker, hosts))
        hazard_add(checker, "HB008", fact_place(checker, fact),
                   "Turn maintenance mode on before, or stop Patroni's service on that host.",
                   "step \"%s\" pauses replay, and Patroni resumes it by itself", step->id);
    if (role != NULL && equal(role->patroni, "sync-standby"))
        hazard_add(checker, "HB016", fact_place(checker, fact), "Hold an asynchronous replica.",
                   "step \"%s\" pauses replay on a synchronous standby", step->id);
}

static void mark_check(struct hold *hold, const struct fact *fact)
{
    struct checker *checker = hold->checker;
    const struct situation *now = &hold->situation;

    if (hold->xid == NULL && fact->effect == EFFECT_MARKED_XID)
        hold->xid = fact;
    hold->has_other_mark |= fact->effect != EFFECT_MARKED_XID;
    if (!hold->has_pause || hold->marked == fact->step || fact->effect == EFFECT_MARKED_LSN)
        return;
    if (now->pause == NULL || !now->pause_is_proven)
        hazard_add(checker, "HB009", fact_place(checker, fact),
                   "Wait before it until pg_get_wal_replay_pause_state() is 'paused'.",
                   now->pause == NULL
                       ? "step \"%s\" records the mark before replay is paused"
                       : "step \"%s\" records the mark, and nothing before it proves that replay "
                         "stands still",
                   fact->step->id);
    hold->marked = fact->step;
}

static bool leads_to_held(const struct hold *hold, const struct fact *fact)
{
    const struct node *role = node_find(fact->step->params, "leader");

    return role != NULL && hosts_overlap(hold->checker, role, hold->situation.pause->step->hosts);
}

/* What this fact does to replay that is paused; NULL: nothing. */
static const char *what_ends(const struct hold *hold, const struct fact *fact)
{
    const struct checker *checker = hold->checker;
    const struct situation *now = &hold->situation;
    const struct node *held = now->pause->step->hosts;
    bool is_there = hosts_overlap(checker, fact->step->hosts, held);
    bool is_detached = standing_covers(&now->services, checker, held);

    switch (fact->effect) {
    case EFFECT_POSTGRES_STOPPED:
    case EFFECT_POSTGRES_RESTARTED:
        return is_there ? "restarts the held server" : NULL;
    case EFFECT_SERVICE_STARTED:
    case EFFECT_SERVICE_ANSWERS:
        return is_there && is_detached ? "starts Patroni on the held host" : NULL;
    case EFFECT_MAINTENANCE_OFF:
        return now->in_maintenance && !is_detached ? "turns maintenance mode off" : NULL;
    case EFFECT_LEADER_CHANGED:
        return leads_to_held(hold, fact) ? "makes the held standby the leader" : NULL;
    default:
        return NULL;
    }
}

static void end_check(struct hold *hold, const struct fact *fact)
{
    // A server that is restarted with a recovery target is another kind of hold.
    const char *what =
        hold->situation.pause == NULL || hold->has_target ? NULL : what_ends(hold, fact);

    if (what == NULL)
        return;
    hazard_add(hold->checker, "HB013", fact_place(hold->checker, fact),
               "Let a step of commit do it, or resume replay before it.",
               "step \"%s\" %s, which ends the hold", fact->step->id, what);
    hold->situation.pause = NULL;
}

static void deploy_check(struct hold *hold, const struct fact *fact)
{
    switch (fact->effect) {
    case EFFECT_REPLAY_PAUSED:
        pause_check(hold, fact);
        break;
    case EFFECT_MARKED_XID:
    case EFFECT_MARKED_LSN:
    case EFFECT_MARKED_POINT:
        mark_check(hold, fact);
        break;
    default:
        end_check(hold, fact);
        break;
    }
    situation_follow(&hold->situation, fact);
}

static bool has_watch(const struct facts *facts)
{
    for (size_t at = 0; at < facts->count; at++) {
        const struct guard *guard = guard_of(facts->items[at].step);

        if (guard == NULL)
            return false;
        if (!guard->show_only && facts->items[at].effect == EFFECT_REPLAY_ASKED)
            return true;
    }
    return false;
}

static void held_check(struct hold *hold, bool has_way_back)
{
    struct checker *checker = hold->checker;
    const struct fact *pause = hold->situation.pause;

    if (hold->xid != NULL && !hold->has_other_mark && hold->has_pause)
        hazard_add(checker, "HB010", fact_place(checker, hold->xid),
                   "Call pg_create_restore_point() after it, and return to that.",
                   "step \"%s\" records a transaction id as the only mark", hold->xid->step->id);
    if (pause != NULL && has_way_back && !has_watch(checker->facts))
        hazard_add(checker, "HB012", fact_place(checker, pause),
                   "Write a guard that asks for pg_get_wal_replay_pause_state().",
                   "step \"%s\" pauses replay, and no guard watches that it stays so",
                   pause->step->id);
}

static bool is_irreversible(const struct step *step)
{
    return step->irreversible != NULL || (step->group != NULL && step->group->irreversible != NULL);
}

/* The step of commit that ends the hold first. */
static void commit_check(struct hold *hold)
{
    struct checker *checker = hold->checker;
    const struct facts *facts = checker->facts;

    for (size_t at = 0; at < facts->count && hold->situation.pause != NULL; at++) {
        const struct fact *fact = &facts->items[at];

        if (!is_of(fact, PHASE_COMMIT))
            continue;
        if (is_irreversible(fact->step))
            return;
        if (fact->effect == EFFECT_REPLAY_RESUMED || what_ends(hold, fact) != NULL) {
            hazard_add(checker, "HB014", fact_place(checker, fact),
                       "Write in the step \"irreversible: the held state is replayed over\".",
                       "step \"%s\" ends the hold, and does not say that there is no way back then",
                       fact->step->id);
            return;
        }
        situation_follow(&hold->situation, fact);
    }
}

/* Would it leave something that has to be taken back, or a question whose answer may be no? */
static bool needs_way_back(const struct step *step)
{
    return step->confirm != NULL ||
           (step->phase == PHASE_DEPLOY && step->steps == NULL && step->params != NULL &&
            !equal(step->action_name, "wait-until") && node_find(step->params, "query") == NULL);
}

static void irreversible_check(struct checker *checker, enum phase phase)
{
    const struct step *irreversible = NULL;

    for (const struct step *step = NULL;
         (step = plan_next_step(checker->plan, phase, step)) != NULL;) {
        if (irreversible != NULL && step->group != irreversible && needs_way_back(step)) {
            hazard_add(checker, "HB015", irreversible->place,
                       "Put what cannot be taken back behind all that may fail.",
                       "step \"%s\" is irreversible, and step \"%s\" comes after it",
                       irreversible->id, step->id);
            return;
        }
        if (irreversible == NULL && step->irreversible != NULL)
            irreversible = step;
    }
}

void hold_check(struct checker *checker)
{
    const struct facts *facts = checker->facts;
    struct hold hold = {.checker = checker, .situation = {.checker = checker}};
    bool has_way_back = false;

    for (size_t at = 0; at < facts->count; at++) {
        const struct fact *fact = &facts->items[at];
        bool is_target = fact->effect == EFFECT_TARGET;

        hold.has_pause |= fact->effect == EFFECT_REPLAY_PAUSED && is_of(fact, PHASE_DEPLOY);
        hold.has_target |= is_target && is_of(fact, PHASE_DEPLOY);
        has_way_back |= is_target && is_of(fact, PHASE_ROLLBACK);
    }
    for (size_t at = 0; at < facts->count; at++) {
        if (is_of(&facts->items[at], PHASE_DEPLOY))
            deploy_check(&hold, &facts->items[at]);
    }
    held_check(&hold, has_way_back || hold.has_target);
    if (has_way_back)
        commit_check(&hold);
    if (checker->plan->phases[PHASE_ROLLBACK] != NULL) {
        irreversible_check(checker, PHASE_DEPLOY);
        irreversible_check(checker, PHASE_COMMIT);
    }
}
