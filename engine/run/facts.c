/* What a live preview rests on, as it is saved. */
#include "base/json.h"
#include "base/node.h"
#include "run/work.h"

#include <string.h>

const char *live_change_digest(const struct preview_item *item, char out[DIGEST_SIZE])
{
    if (item->change == NULL)
        return NULL;
    sha256_hex(item->change, strlen(item->change), out);
    return out;
}

int64_t live_timeline(const struct patroni_cluster *members)
{
    return members->leader == NULL ? 0 : members->leader->timeline;
}

const char *live_leader(const struct patroni_cluster *members)
{
    return members->leader == NULL ? NULL : members->leader->name;
}

static void append_map(struct text *out, const char *key, const struct node *map)
{
    json_key(out, key);
    if (map == NULL)
        text_append(out, "{}");
    else
        node_append_json(out, map);
}

static void append_look(struct text *out, const struct preview_item *item)
{
    char digest[DIGEST_SIZE];

    json_open(out, NULL, "{");
    json_text_field(out, "step", item->step->id);
    json_text_field(out, "host", item->host);
    json_text_field(out, "look", item->host == NULL ? NULL : look_names[item->look]);
    json_text_field(out, "change_sha256", live_change_digest(item, digest));
    json_text_field(out, "file", item->file);
    json_text_field(out, "file_sha256", item->digest);
    text_append(out, "}");
}

void live_append_json(struct text *out, const struct live *live)
{
    const struct patroni_cluster *members = live == NULL ? NULL : live->members;

    if (members == NULL) {
        text_append(out, "null");
        return;
    }
    json_open(out, NULL, "{");
    json_text_field(out, "system_identifier", live->system_identifier);
    json_text_field(out, "leader", live_leader(members));
    json_number_field(out, "timeline", live_timeline(members));
    json_bool_field(out, "maintenance", members->is_maintenance);
    json_open(out, "members", "[");
    for (size_t at = 0; at < members->count; at++) {
        const struct patroni_member *member = &members->members[at];

        json_open(out, NULL, "{");
        json_text_field(out, "name", member->name);
        json_text_field(out, "role", member->role);
        json_text_field(out, "state", member->state);
        json_bool_field(out, "pending_restart", member->has_pending_restart);
        text_append(out, "}");
    }
    text_append(out, "]");
    append_map(out, "roles", live->roles);
    append_map(out, "versions", live->versions);
    json_open(out, "looks", "[");
    for (const struct preview_item *item = live->items; item != NULL; item = item->next)
        append_look(out, item);
    text_append(out, "]}");
}
