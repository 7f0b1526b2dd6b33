#include "plan/situation.h"

void situation_follow(struct situation *situation, const struct fact *fact)
{
    const struct checker *checker = situation->checker;
    const struct node *hosts = fact->step->hosts;

    switch (fact->effect) {
    case EFFECT_SERVICE_STOPPED:
        standing_add(&situation->services, hosts);
        break;
    case EFFECT_SERVICE_STARTED:
    case EFFECT_SERVICE_ANSWERS:
        standing_remove(&situation->services, checker, hosts);
        break;
    case EFFECT_POSTGRES_STOPPED:
        standing_add(&situation->servers, hosts);
        break;
    case EFFECT_POSTGRES_STARTED:
    case EFFECT_POSTGRES_RESTARTED:
        standing_remove(&situation->servers, checker, hosts);
        break;
    case EFFECT_MAINTENANCE_ON:
    case EFFECT_MAINTENANCE_OFF:
        situation->in_maintenance = fact->effect == EFFECT_MAINTENANCE_ON;
        break;
    case EFFECT_REPLAY_PAUSED:
        situation->pause = fact;
        situation->pause_is_proven = false;
        break;
    case EFFECT_REPLAY_RESUMED:
        situation->pause = NULL;
        situation->is_promoted |= situation->target != NULL;
        break;
    case EFFECT_REPLAY_ASKED:
        situation->pause_is_proven |= situation->pause != NULL;
        break;
    case EFFECT_TARGET:
        situation->target = fact;
        situation->is_promoted = false;
        break;
    case EFFECT_PROMOTED:
        situation->is_promoted = true;
        break;
    case EFFECT_UNKNOWN:
        situation->is_unknown = true;
        break;
    default:
        break;
    }
}
