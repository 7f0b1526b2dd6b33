/*
 * What a recovery target says, and does not say:
 * https://www.postgresql.org/docs/current/runtime-config-wal.html#RUNTIME-CONFIG-WAL-RECOVERY-TARGET
 */
#include "plan/situation.h"

#include <string.h>
#include <strings.h>

static const char *said(struct checker *checker, const struct fact *target, const char *name)
{
    return fact_setting(checker->arena, target, name);
}

static bool is(const char *value, const char *word)
{
    return value != NULL && strcasecmp(value, word) == 0;
}

static bool is_off(const char *value)
{
    return is(value, "off") || is(value, "false") || is(value, "no") || is(value, "0");
}

/* A target in recovery.conf: before version 12, where other defaults hold. */
static bool is_old(const struct fact *target)
{
    const char *file = node_text(target->step->params, "file");

    return file != NULL ? ends_with(file, "/recovery.conf")
                        : target->settings->text != NULL &&
                              strstr(target->settings->text, "recovery.conf") != NULL;
}

bool target_promotes(struct checker *checker, const struct fact *target)
{
    const char *action = said(checker, target, "recovery_target_action");

    // A value that only the run knows may be the right one.
    return is(action, "promote") || (action != NULL && strchr(action, '$') != NULL) ||
           (is_old(target) && !step_is_for(target->step, NULL, 12));
}

static void tell(struct checker *checker, const char *id, const struct fact *target,
                 const char *hint, const char *does)
{
    hazard_add(checker, id, fact_place(checker, target), hint, "step \"%s\" %s", target->step->id,
               does);
}

static void kinds_check(struct checker *checker, const struct fact *target)
{
    static const char *const kinds[] = {"recovery_target_name", "recovery_target_xid",
                                        "recovery_target_lsn", "recovery_target_time"};
    const char *inclusive = said(checker, target, "recovery_target_inclusive");
    const char *lsn = said(checker, target, "recovery_target_lsn");
    int count = 0;

    for (size_t at = 0; at < ARRAY_COUNT(kinds); at++) {
        const char *value = said(checker, target, kinds[at]);

        count += value != NULL && *value != '\0';
    }
    if (count > 1)
        tell(checker, "HB025", target, "Keep one; set the others to ''.",
             "sets several recovery targets");
    if (lsn != NULL && *lsn != '\0' && !is_off(inclusive) &&
        (inclusive == NULL || strchr(inclusive, '$') == NULL))
        tell(checker, "HB026", target, "Set recovery_target_inclusive to off.",
             "recovers to a position, and the record that begins there is replayed, "
             "too");
}

const char *target_shuts_down(struct checker *checker, const struct fact *target)
{
    if (is(said(checker, target, "recovery_target_action"), "shutdown"))
        return "lets the server shut down at the target";
    if (is_off(said(checker, target, "hot_standby")) && !target_promotes(checker, target))
        return "lets the server shut down at the target: hot_standby is off";
    return NULL;
}

void target_check(struct checker *checker, const struct fact *target, bool has_delay)
{
    const char *timeline = said(checker, target, "recovery_target_timeline");
    const char *command = said(checker, target, "restore_command");
    const char *delay = said(checker, target, "recovery_min_apply_delay");

    kinds_check(checker, target);
    if (!is_old(target) && (timeline == NULL || is(timeline, "latest")))
        tell(checker, "HB027", target,
             "Save the timeline with the mark, and set recovery_target_timeline to it.",
             "leaves the timeline of the recovery open");
    if (target->settings->kind == NODE_MAP && command != NULL && *command == '\0')
        tell(checker, "HB044", target, "Give it the command that reads the archive, or \"false\".",
             "takes restore_command away, and the recovery will not start");
    if (has_delay && (delay == NULL || *delay != '0'))
        tell(checker, "HB043", target, "Set recovery_min_apply_delay to 0.",
             "recovers with the delay of the hold still in force");
}
