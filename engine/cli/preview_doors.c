/* What a reviewer must have decided: one-way doors, gates; and the count of it all. */
#include "cli/preview.h"

struct doors {
    const struct preview *preview;
    const struct door *first;
    struct door *last;
};

static void door_add(struct doors *doors, const struct step *step, const char *words)
{
    struct door *door = arena_alloc(doors->preview->arena, sizeof *door);

    *door = (struct door){step, words, NULL};
    if (doors->last == NULL)
        doors->first = door;
    else
        doors->last->next = door;
    doors->last = door;
}

static void add_irreversible(struct doors *doors, enum phase phase, const struct step *step)
{
    static const char *const ends[PHASE_COUNT] = {
        [PHASE_DEPLOY] = "a rollback does not undo it",
        [PHASE_COMMIT] = "once it has begun there is no rollback any more",
        [PHASE_ROLLBACK] = "once it has begun the deployment cannot be kept any more",
    };

    if (ends[phase] != NULL)
        door_add(doors, step,
                 arena_printf(doors->preview->arena, "%s: %s", ends[phase],
                              known_text(doors->preview, step->irreversible)));
}

const struct door *preview_doors(const struct preview *preview)
{
    struct doors doors = {.preview = preview};
    const struct plan *plan = preview->plan;

    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        struct preview_cursor cursor = {0};

        while (preview_next(preview, (enum phase)phase, &cursor) != NULL) {
            if (cursor.step->irreversible != NULL && skip_words(preview, cursor.step) == NULL)
                add_irreversible(&doors, (enum phase)phase, cursor.step);
        }
    }
    if (!plan->has_phase[PHASE_DEPLOY])
        return doors.first;
    if (!plan->has_phase[PHASE_ROLLBACK])
        door_add(&doors, NULL, "the plan has no rollback: nothing is undone by this program");
    else if (!plan->has_phase[PHASE_COMMIT])
        door_add(&doors, NULL,
                 "the plan has no commit: when deploy has ended, the run is closed and can no "
                 "longer be rolled back");
    if (plan->has_phase[PHASE_COMMIT] && plan->has_phase[PHASE_ROLLBACK])
        door_add(&doors, NULL,
                 "once a rollback has begun, the run can only be rolled back to its end, not "
                 "committed");
    return doors.first;
}

static void append_live_summary(struct text *text, const struct preview *preview)
{
    size_t counts[LOOK_FAILED + 1] = {0};

    for (const struct preview_item *item = preview->live.items; item != NULL; item = item->next) {
        if (item->host != NULL)
            counts[item->look]++;
    }
    text_append_format(text,
                       "\nlooked: %zu as wanted already, %zu not, %zu cannot be known yet, "
                       "%zu could not be looked at",
                       counts[LOOK_ALREADY], counts[LOOK_WOULD_CHANGE], counts[LOOK_UNKNOWN],
                       counts[LOOK_FAILED]);
}

static bool is_changing(const struct preview *preview, const struct step *step)
{
    return step->action != NULL && !step_only_looks(step) && skip_words(preview, step) == NULL;
}

void preview_append_summary(struct text *text, const struct preview *preview)
{
    CLEANUP(text_release) struct text phases = {0};
    size_t all = 0, gates = 0, irreversible = 0;

    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        struct preview_cursor cursor = {0};
        size_t changing = 0;

        if ((preview->phase_mask >> phase & 1) == 0)
            continue;
        while (preview_next(preview, (enum phase)phase, &cursor) != NULL) {
            changing += is_changing(preview, cursor.step);
            gates += cursor.step->confirm != NULL;
            irreversible += cursor.step->irreversible != NULL;
        }
        if (changing > 0)
            text_append_format(&phases, "%s%s %zu", phases.length == 0 ? " (" : ", ",
                               phase_names[phase], changing);
        all += changing;
    }
    text_append_format(
        text, "%zu step%s may change something%s%s, %zu gate%s, %zu irreversible step%s", all,
        all == 1 ? "" : "s", text_string(&phases), phases.length == 0 ? "" : ")", gates,
        gates == 1 ? "" : "s", irreversible, irreversible == 1 ? "" : "s");
    if (preview->is_live)
        append_live_summary(text, preview);
}
