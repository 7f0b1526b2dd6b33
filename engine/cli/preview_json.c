/* A preview for programs; its shape is in schemas/preview.schema.json. */
#include "base/json.h"
#include "cli/preview.h"

/* A list of a node's texts; one scalar is a list of one. */
static void json_list_field(struct text *out, const char *key, const struct node *list)
{
    json_open(out, key, "[");
    if (list != NULL && list->kind != NODE_LIST && list->kind != NODE_MAP)
        json_text_field(out, NULL, list->text);
    else
        NODE_EACH(item, list)
        {
            json_text_field(out, NULL, item->text);
        }
    text_append(out, "]");
}

static void json_plan(const struct preview *preview, struct text *out)
{
    json_open(out, "plan", "{");
    json_text_field(out, "name", preview->plan->name);
    json_text_field(out, "about", preview->plan->about);
    json_open(out, "files", "[");
    for (const struct input *input = inputs_first(preview->plan->inputs); input != NULL;
         input = input->next) {
        if (equal(input->role, "preview"))
            continue;
        json_open(out, NULL, "{");
        json_text_field(out, "role", input->role);
        json_text_field(out, "path", short_path(preview->arena, input->path));
        json_text_field(out, "sha256", input->digest);
        text_append(out, "}");
    }
    text_append(out, "]}");
}

static void json_cluster(const struct preview *preview, struct text *out)
{
    const struct cluster *cluster = preview->cluster;

    json_open(out, "cluster", "{");
    json_text_field(out, "name", cluster->name);
    json_text_field(out, "system_identifier", cluster->system_identifier);
    json_open(out, "hosts", "[");
    for (size_t at = 0; at < cluster->host_count; at++) {
        json_open(out, NULL, "{");
        json_text_field(out, "name", cluster->hosts[at].name);
        json_text_field(out, "address", cluster->hosts[at].address);
        json_text_field(out, "member", cluster->hosts[at].member);
        text_append(out, "}");
    }
    text_append(out, "]}");
    json_open(out, "roles", "[");
    for (size_t at = 0; at < preview->plan->role_count; at++) {
        const struct role *role = &preview->plan->roles[at];

        json_open(out, NULL, "{");
        json_text_field(out, "name", role->name);
        json_text_field(out, "is", role_words(preview, role));
        json_list_field(out, "prefers", node_find(cluster->roles, role->name));
        text_append(out, "}");
    }
    text_append(out, "]");
}

static void json_values(const struct preview *preview, struct text *out)
{
    json_open(out, "variables", "[");
    for (size_t at = 0; at < preview->plan->variable_count; at++) {
        const struct variable *variable = &preview->plan->variables[at];

        json_open(out, NULL, "{");
        json_text_field(out, "name", variable->name);
        json_text_field(out, "type", value_type_name(variable->type));
        json_text_field(out, "value", variable_words(preview, variable));
        json_text_field(out, "about", variable->about);
        text_append(out, "}");
    }
    text_append(out, "]");
    json_open(out, "hazards", "[");
    for (size_t at = 0; at < preview->findings->count; at++) {
        const struct finding *finding = &preview->findings->items[at];

        if (finding->hazard == NULL)
            continue;
        json_open(out, NULL, "{");
        json_text_field(out, "id", finding->hazard);
        json_text_field(out, "file", short_path(preview->arena, finding->error->place.file));
        json_number_field(out, "line", finding->error->place.line);
        json_number_field(out, "column", finding->error->place.column);
        json_text_field(out, "message", error_text(preview->arena, finding->error));
        text_append(out, "}");
    }
    text_append(out, "]");
}

static void json_when(const struct preview *preview, struct text *out, const struct step *step)
{
    json_open(out, "when", "[");
    for (size_t at = 0; at < step->when_count; at++)
        json_text_field(out, NULL, when_words(preview, &step->when[at]));
    text_append(out, "]");
}

static void json_parts(struct preview *preview, struct text *out, const struct step *step,
                       const struct description *description)
{
    json_open(out, "parts", "[");
    for (const struct description_part *part = description->parts; part != NULL;
         part = part->next) {
        json_open(out, NULL, "{");
        json_text_field(out, "title", known_text(preview, part->title));
        json_text_field(out, "language", part->language);
        json_text_field(out, "text", part->text);
        text_append(out, "}");
    }
    text_append(out, "]");
    json_open(out, "values", "[");
    for (const struct later *later = preview_later(preview, step, description); later != NULL;
         later = later->next) {
        json_open(out, NULL, "{");
        json_text_field(out, "name", later->name);
        json_text_field(out, "known", later->known);
        text_append(out, "}");
    }
    text_append(out, "]");
}

static void json_took(const struct preview *preview, struct text *out, const struct step *step)
{
    const struct step_time *time = table_find(&preview->times, step->id);

    json_open(out, "took", time == NULL ? "null" : "{");
    if (time == NULL)
        return;
    json_text_field(out, "run", time->run);
    json_number_field(out, "last_ms", time->last_ms);
    json_number_field(out, "median_ms", time->median_ms);
    json_number_field(out, "runs", (int64_t)time->count);
    text_append(out, "}");
}

static void json_doors(const struct preview *preview, struct text *out)
{
    json_open(out, "doors", "[");
    for (const struct door *door = preview_doors(preview); door != NULL; door = door->next) {
        json_open(out, NULL, "{");
        json_text_field(out, "phase", door->step == NULL ? NULL : phase_names[door->step->phase]);
        json_text_field(out, "step", door->step == NULL ? NULL : door->step->id);
        json_text_field(out, "words", door->words);
        text_append(out, "}");
    }
    text_append(out, "]");
}

static void json_guards(struct preview *preview, struct text *out)
{
    json_open(out, "guards", "[");
    for (const struct guard *guard = preview->plan->guards; guard != NULL; guard = guard->next) {
        const struct description description = preview_describe(preview, &guard->step);

        json_open(out, NULL, "{");
        json_text_field(out, "id", guard->step.id);
        json_text_field(out, "about", guard->step.about);
        json_list_field(out, "hosts", guard->step.hosts);
        json_number_field(out, "every_ms", guard->every_ms);
        json_text_field(out, "from", guard->from);
        json_text_field(out, "until", guard->until);
        json_bool_field(out, "show_only", guard->show_only);
        json_when(preview, out, &guard->step);
        json_text_field(out, "skipped", skip_words(preview, &guard->step));
        json_text_field(out, "must", limit_words(preview, guard));
        json_parts(preview, out, &guard->step, &description);
        text_append(out, "}");
    }
    text_append(out, "]");
}

static void json_live(const struct preview *preview, struct text *out, const struct step *step)
{
    json_open(out, "live", "[");
    for (const struct preview_item *item = NULL;
         (item = preview_live_next(preview, step, item)) != NULL;) {
        json_open(out, NULL, "{");
        json_text_field(out, "host", item->host);
        json_text_field(out, "look", item->host == NULL ? NULL : look_names[item->look]);
        json_text_field(out, "words", item->words);
        json_text_field(out, "change", item->change);
        json_text_field(out, "rows", item->shown);
        text_append(out, "}");
    }
    text_append(out, "]");
}

static void json_step(struct preview *preview, struct text *out, const char *number,
                      const struct step *step)
{
    const struct description description = preview_describe(preview, step);

    json_open(out, NULL, "{");
    json_text_field(out, "number", number);
    json_text_field(out, "id", step->id);
    json_text_field(out, "about", step->about);
    json_text_field(out, "group", step->group == NULL ? NULL : step->group->id);
    json_list_field(out, "hosts", step->hosts);
    json_text_field(out, "as", known_text(preview, step->as));
    json_text_field(out, "action", step->action_name);
    json_text_field(out, "summary", known_text(preview, description.summary));
    json_when(preview, out, step);
    json_text_field(out, "skipped", skip_words(preview, step));
    json_text_field(out, "confirm", known_text(preview, step->confirm));
    json_text_field(out, "irreversible", known_text(preview, step->irreversible));
    json_number_field(out, "timeout_ms", step->timeout_ms);
    json_bool_field(out, "timeout_is_default", !step->timeout_is_written);
    json_number_field(out, "serial", step->serial);
    json_number_field(out, "retry_times", step->retry_times);
    json_number_field(out, "retry_delay_ms", step->retry_delay_ms);
    json_text_field(out, "if_interrupted", step->repeat_if_interrupted ? "repeat" : "ask");
    json_text_field(out, "if_unreachable", step->ask_if_unreachable ? "ask" : "fail");
    json_list_field(out, "saves", node_find(step->params, "save"));
    json_took(preview, out, step);
    json_parts(preview, out, step, &description);
    json_live(preview, out, step);
    text_append(out, "}");
}

void preview_json(struct preview *preview, struct text *out)
{
    text_append(out, "{\"preview\":1,\"version\":\"" HOLDBACK_VERSION "\"");
    json_text_field(out, "made", preview->made);
    json_bool_field(out, "live", preview->is_live);
    json_plan(preview, out);
    json_cluster(preview, out);
    json_values(preview, out);
    json_doors(preview, out);
    json_guards(preview, out);
    json_open(out, "facts", "");
    live_append_json(out, &preview->live);
    json_open(out, "phases", "[");
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        struct preview_cursor cursor = {0};

        if ((preview->phase_mask >> phase & 1) == 0 || !preview->plan->has_phase[phase])
            continue;
        json_open(out, NULL, "{");
        json_text_field(out, "phase", phase_names[phase]);
        json_open(out, "steps", "[");
        while (preview_next(preview, (enum phase)phase, &cursor) != NULL)
            json_step(preview, out, cursor.number, cursor.step);
        text_append(out, "]}");
    }
    text_append(out, "]}\n");
}
