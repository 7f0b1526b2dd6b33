/* What a live preview rests on, as it is saved. */
#include "base/node.h"
#include "run/work.h"

#include <inttypes.h>
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

static void append_text(struct text *out, const char *before, const char *text)
{
    text_append(out, before);
    if (text == NULL)
        text_append(out, "null");
    else
        text_append_json(out, text, strlen(text));
}

static void append_map(struct text *out, const char *before, const struct node *map)
{
    text_append(out, before);
    if (map == NULL)
        text_append(out, "{}");
    else
        node_append_json(out, map);
}

static void append_look(struct text *out, const struct preview_item *item)
{
    char digest[DIGEST_SIZE];

    append_text(out, "{\"step\":", item->step->id);
    append_text(out, ",\"host\":", item->host);
    append_text(out, ",\"look\":", item->host == NULL ? NULL : look_names[item->look]);
    append_text(out, ",\"change_sha256\":", live_change_digest(item, digest));
    append_text(out, ",\"file\":", item->file);
    append_text(out, ",\"file_sha256\":", item->digest);
    text_append(out, "}");
}

void live_append_json(struct text *out, const struct live *live)
{
    const struct patroni_cluster *members = live == NULL ? NULL : live->members;

    if (members == NULL) {
        text_append(out, "null");
        return;
    }
    append_text(out, "{\"system_identifier\":", live->system_identifier);
    append_text(out, ",\"leader\":", live_leader(members));
    text_append_format(out, ",\"timeline\":%" PRId64 ",\"maintenance\":%s,\"members\":[",
                       live_timeline(members), members->is_maintenance ? "true" : "false");
    for (size_t at = 0; at < members->count; at++) {
        const struct patroni_member *member = &members->members[at];

        append_text(out, at == 0 ? "{\"name\":" : ",{\"name\":", member->name);
        append_text(out, ",\"role\":", member->role);
        append_text(out, ",\"state\":", member->state);
        text_append_format(out, ",\"pending_restart\":%s}",
                           member->has_pending_restart ? "true" : "false");
    }
    append_map(out, "],\"roles\":", live->roles);
    append_map(out, ",\"versions\":", live->versions);
    text_append(out, ",\"looks\":[");
    for (const struct preview_item *item = live->items; item != NULL; item = item->next) {
        text_append(out, item == live->items ? "" : ",");
        append_look(out, item);
    }
    text_append(out, "]}");
}
