/* What is still missing when a phase has ended. */
#include "plan/back.h"

void back_tell(struct back *back, const char *id, const struct fact *fact, const char *hint,
               const char *does)
{
    hazard_add(back->checker, id, fact_place(back->checker, fact), hint, "step \"%s\" %s",
               fact->step->id, does);
}

static void stops_check(struct back *back)
{
    for (size_t at = 0; at < back->stop_count; at++) {
        const struct stop *stop = &back->stops[at];
        const struct node *hosts = stop->fact->step->hosts;
        // A detached hold: the held server runs on without its Patroni.
        bool is_held = back->held.count > 0 && standing_covers(&back->held, back->checker, hosts);

        if (stop->in_maintenance && !is_held &&
            !standing_covers(&back->stopped_servers, back->checker, hosts))
            back_tell(back, "HB017", stop->fact, "Stop PostgreSQL there, too: postgres: stopped.",
                      "stops Patroni in maintenance mode, and its PostgreSQL runs on");
        if (back->has_target && back->phase == PHASE_ROLLBACK &&
            !hosts_overlap(back->checker, hosts, back->first_target->step->hosts) &&
            !standing_covers(&back->fenced, back->checker, hosts))
            back_tell(back, "HB020", stop->fact, "Fence it: service: fenced.",
                      "stops Patroni, which comes back when the host boots");
    }
}

void back_end_check(struct back *back)
{
    const struct fact *target = back->has_target ? back->first_target : NULL;

    if (back->now.is_unknown)
        return;
    stops_check(back);
    if (back->started != NULL)
        back_tell(back, "HB038", back->started, "Wait until the node leads or follows.",
                  "starts Patroni, and no later step looks what became of it");
    if (target == NULL || back->phase != PHASE_ROLLBACK)
        return;
    if (!back->has_looked_in_wal)
        back_tell(back, "HB011", target,
                  "Look for it with pg_waldump before the deployment begins.",
                  "recovers to a mark, and nothing proves that the held standby has it");

    const char *shutdown = target_shuts_down(back->checker, target);

    if (shutdown != NULL || !back->now.is_promoted)
        back_tell(back, "HB030", target,
                  "Write recovery_target_action: promote, or promote it in a later step.",
                  shutdown != NULL ? shutdown
                                   : "recovers to a target, and nothing promotes the server");
    if (back->left_behind != NULL)
        back_tell(back, "HB036", back->left_behind,
                  "Put the file back: edit-conf: {restore: STEP}.",
                  "edits postgresql.auto.conf, and no later step puts it back");
}
