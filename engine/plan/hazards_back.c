/* What a way back does in the wrong order, or leaves out: deploy, then rollback. */
#include "plan/back.h"

static bool concerns_target(const struct back *back, const struct fact *fact)
{
    return back->now.target != NULL &&
           hosts_overlap(back->checker, fact->step->hosts, back->now.target->step->hosts);
}

static bool names_leader_first(const struct back *back, const struct step *step,
                               const struct node *held)
{
    if (step->serial != 1 || step->hosts == NULL || step->hosts->kind != NODE_LIST)
        return false;
    NODE_EACH(host, step->hosts)
    {
        if (hosts_overlap(back->checker, host, held))
            return false;
        if (hosts_have_leader(back->checker, host))
            return true;
    }
    return false;
}

static void service_stopped(struct back *back, const struct fact *fact)
{
    const struct checker *checker = back->checker;
    const struct node *hosts = fact->step->hosts, *held = NULL;

    if (back->now.pause != NULL)
        held = back->now.pause->step->hosts;
    else if (back->first_target != NULL)
        held = back->first_target->step->hosts;
    if (held != NULL && hosts_overlap(checker, hosts, held) &&
        !standing_covers(&back->now.services, checker, held) &&
        (standing_has_leader(&back->now.services, checker) ||
         names_leader_first(back, fact->step, held)))
        back_tell(back, "HB018", fact, "Stop the held standby first, the leader last.",
                  "stops the held standby after the leader");
    if (back->cleared != NULL && !standing_covers(&back->now.services, checker, hosts)) {
        back_tell(back, "HB033", back->cleared, "Stop Patroni on every host before it.",
                  "clears the DCS while Patroni still runs");
        back->cleared = NULL;
    }
    if (back->stop_count < STOPS_MOST)
        back->stops[back->stop_count++] = (struct stop){fact, back->now.in_maintenance, false};
}

/* Something that must not meet a running server. */
static void servers_must_stand(struct back *back)
{
    for (size_t at = 0; at < back->stop_count; at++)
        back->stops[at].is_needed = true;
}

static void service_started(struct back *back, const struct fact *fact)
{
    if (back->phase == PHASE_ROLLBACK && concerns_target(back, fact) && !back->now.is_promoted &&
        !back->now.is_unknown)
        back_tell(back, "HB031", fact,
                  "Promote the recovered server first: pg_wal_replay_resume() at the target, or "
                  "recovery_target_action: promote.",
                  "starts Patroni on a node that was recovered and is not promoted");
    if (back->cleared != NULL && back->now.in_maintenance && back->is_remembered) {
        back_tell(back, "HB034", back->cleared,
                  "Take \"pause\" out of patroni.dynamic.json in the data directory before Patroni "
                  "starts.",
                  "clears the DCS, and Patroni brings maintenance mode back");
        back->is_remembered = false;
    }
    back->cleared = NULL;
    for (size_t at = 0; at < back->stop_count; at++) {
        // Only Patroni itself was restarted: its server may run on.
        if (!back->stops[at].is_needed && back->stops[at].in_maintenance &&
            hosts_overlap(back->checker, fact->step->hosts, back->stops[at].fact->step->hosts))
            back->stops[at].in_maintenance = false;
    }
    if (fact->effect == EFFECT_SERVICE_STARTED)
        back->started = fact;
    back->has_started_service = true;
}

/* From here on the recovered server may write, or soon will. */
static void lone_check(struct back *back, const struct fact *fact)
{
    if (back->is_lone_told || back->now.is_unknown ||
        standing_covers_leader(&back->now.services, back->checker))
        return;
    back->is_lone_told = true;
    back_tell(back, "HB019", fact, "Stop and fence the leader before it.",
              "recovers a server while the leader may still write");
}

static void server_started(struct back *back, const struct fact *fact)
{
    const struct fact *target = back->now.target;

    if (!concerns_target(back, fact) || back->now.is_promoted)
        return;
    lone_check(back, fact);
    if (back->has_signal && !back->has_no_standby_signal)
        back_tell(back, "HB029", fact, "Remove standby.signal where recovery.signal is made.",
                  "starts a recovery with recovery.signal beside standby.signal");
    else if (!back->has_signal && back->has_no_standby_signal)
        back_tell(back, "HB028", fact, "Make an empty recovery.signal in the data directory.",
                  "starts a recovery without recovery.signal");
    if (target_promotes(back->checker, target))
        back->now.is_promoted = true;
}

static void cluster_cleared(struct back *back, const struct fact *fact)
{
    const char *what;

    servers_must_stand(back);
    back->cleared = fact;
    if (back->now.is_unknown || standing_covers_all(&back->now.services, back->checker, &what))
        return;
    hazard_add(back->checker, "HB033", fact_place(back->checker, fact),
               "Stop Patroni on every host before it.",
               "step \"%s\" clears the DCS while Patroni may run on %s", fact->step->id, what);
    back->cleared = NULL;
}

static const struct node *lasting_setting(const struct fact *target)
{
    static const char *const passing[] = {"recovery_", "restore_", "primary_", "archive_cleanup_",
                                          "promote_"};

    NODE_EACH(setting, target->settings)
    {
        bool is_passing = setting->key == NULL;

        for (size_t at = 0; at < ARRAY_COUNT(passing) && !is_passing; at++)
            is_passing = starts_with(setting->key, passing[at]);
        if (!is_passing)
            return setting;
    }
    return NULL;
}

static void target_set(struct back *back, const struct fact *fact)
{
    if (!standing_covers(&back->now.services, back->checker, fact->step->hosts) &&
        !back->now.is_unknown)
        back_tell(back, "HB021", fact, "Stop Patroni's service on that host before it.",
                  "writes recovery settings under a Patroni that runs");
    servers_must_stand(back);
    if (back->target_step == fact->step)
        return;
    back->target_step = fact->step;
    target_check(back->checker, fact,
                 back->delay != NULL && !steps_exclude(back->delay->step, fact->step));
    if (lasting_setting(fact) != NULL)
        back->left_behind = fact;
}

static void data_removed(struct back *back, const struct fact *fact)
{
    const struct node *hosts = fact->step->hosts;
    bool is_held = back->now.pause != NULL &&
                   hosts_overlap(back->checker, hosts, back->now.pause->step->hosts);

    servers_must_stand(back);
    if (is_held || concerns_target(back, fact))
        back_tell(back, "HB035", fact, "The held state is there and nowhere else.",
                  "removes the data directory of the held standby");
    else if (!back->is_led && (back->has_target || hosts_have_leader(back->checker, hosts)))
        back_tell(
            back, "HB035", fact,
            "Wait until another node leads, with the right data; better move the directory aside.",
            "removes a data directory before another node is proven to lead");
}

static void note(struct back *back, const struct fact *fact)
{
    switch (fact->effect) {
    case EFFECT_FENCED:
        standing_add(&back->fenced, fact->step->hosts);
        break;
    case EFFECT_POSTGRES_STOPPED:
        standing_add(&back->stopped_servers, fact->step->hosts);
        break;
    case EFFECT_REPLAY_PAUSED:
        standing_add(&back->held, fact->step->hosts);
        break;
    case EFFECT_AUTO_CONF_BACK:
        back->left_behind = NULL;
        break;
    case EFFECT_RECOVERY_SIGNAL:
        back->has_signal = true;
        break;
    case EFFECT_NO_STANDBY_SIGNAL:
        back->has_no_standby_signal = true;
        break;
    case EFFECT_CACHED_CONFIG:
        back->is_remembered = false;
        break;
    case EFFECT_LEADER_LOOKED_FOR:
        back->is_led |= back->has_started_service || back->phase == PHASE_DEPLOY;
        back->started = NULL;
        break;
    case EFFECT_LOOKED:
        back->started = NULL;
        break;
    default:
        break;
    }
}

static void promoted(struct back *back, const struct fact *fact)
{
    if (!back->now.in_maintenance && !back->now.is_unknown &&
        !standing_covers(&back->now.services, back->checker, fact->step->hosts))
        back_tell(back, "HB032", fact, "Stop Patroni there first, or let Patroni promote it.",
                  "promotes a server under a Patroni that runs");
    if (back->phase == PHASE_ROLLBACK)
        lone_check(back, fact);
}

static void follow(struct back *back, const struct fact *fact)
{
    switch (fact->effect) {
    case EFFECT_SERVICE_STOPPED:
        service_stopped(back, fact);
        break;
    case EFFECT_SERVICE_STARTED:
    case EFFECT_SERVICE_ANSWERS:
        service_started(back, fact);
        break;
    case EFFECT_POSTGRES_STARTED:
    case EFFECT_POSTGRES_RESTARTED:
        if (back->phase == PHASE_ROLLBACK)
            server_started(back, fact);
        break;
    case EFFECT_PROMOTED:
        promoted(back, fact);
        break;
    case EFFECT_CLUSTER_CLEARED:
        cluster_cleared(back, fact);
        break;
    case EFFECT_TARGET:
        target_set(back, fact);
        break;
    case EFFECT_DATA_REMOVED:
        data_removed(back, fact);
        break;
    default:
        note(back, fact);
        break;
    }
    situation_follow(&back->now, fact);
}

/* The branch where nothing was deployed has nothing to bring back. */
static bool is_followed(const struct fact *fact, enum phase phase)
{
    const struct step *step = fact->step;

    if (step->phase != phase || guard_of(step) != NULL)
        return false;
    for (const struct step *at = step; at != NULL; at = at->group) {
        for (size_t when = 0; when < at->when_count; when++) {
            if (at->when[when].kind == WHEN_DID_NOT_HAPPEN)
                return false;
        }
    }
    return true;
}

static void phase_check(struct back *back, enum phase phase)
{
    const struct facts *facts = back->checker->facts;

    back->phase = phase;
    for (size_t at = 0; at < facts->count; at++) {
        const struct fact *fact = &facts->items[at];

        if (fact->effect == EFFECT_TARGET && is_followed(fact, phase) && !back->has_target) {
            back->has_target = true;
            back->first_target = fact;
        }
    }
    for (size_t at = 0; at < facts->count; at++) {
        if (is_followed(&facts->items[at], phase))
            follow(back, &facts->items[at]);
    }
    back_end_check(back);
}

/* What deploy leaves behind is where the other two phases begin. */
static void after_deploy(const struct back *deployed, enum phase phase)
{
    struct back back = {
        .checker = deployed->checker,
        .now = deployed->now,
        .first_target = deployed->first_target,
        .is_remembered = deployed->is_remembered,
        .delay = deployed->delay,
        .has_looked_in_wal = deployed->has_looked_in_wal,
    };

    // The deployment itself may be a script; what it does is not the way back.
    back.now.is_unknown = false;

    phase_check(&back, phase);
}

void back_check(struct checker *checker)
{
    const struct facts *facts = checker->facts;
    struct back back = {
        .checker = checker,
        .now = {.checker = checker},
        .is_remembered = true,
    };

    for (size_t at = 0; at < facts->count; at++) {
        const struct fact *fact = &facts->items[at];

        if (guard_of(fact->step) == NULL)
            back.has_looked_in_wal |=
                fact->effect == EFFECT_MARK_LOOKED_FOR && fact->step->phase != PHASE_PREFLIGHT;
        if (fact->effect == EFFECT_DELAYED && fact->step->phase == PHASE_DEPLOY)
            back.delay = fact;
    }
    phase_check(&back, PHASE_DEPLOY);
    after_deploy(&back, PHASE_COMMIT);
    after_deploy(&back, PHASE_ROLLBACK);
}
