#include "base/json.h"

#include <inttypes.h>
#include <string.h>

void json_key(struct text *out, const char *key)
{
    char last = out->length == 0 ? '{' : out->bytes[out->length - 1];

    // A blank is what json_line wrote, after the comma.
    if (strchr("{[: \n", last) == NULL)
        text_append(out, ",");
    if (key != NULL) {
        text_append_json(out, key, strlen(key));
        text_append(out, ":");
    }
}

void json_text_field(struct text *out, const char *key, const char *text)
{
    json_key(out, key);
    if (text == NULL)
        text_append(out, "null");
    else
        text_append_json(out, text, strlen(text));
}

void json_number_field(struct text *out, const char *key, int64_t number)
{
    json_key(out, key);
    text_append_format(out, "%" PRId64, number);
}

void json_bool_field(struct text *out, const char *key, bool value)
{
    json_key(out, key);
    text_append(out, value ? "true" : "false");
}

void json_open(struct text *out, const char *key, const char *bracket)
{
    json_key(out, key);
    text_append(out, bracket);
}

void json_line(struct text *out, int indent)
{
    json_key(out, NULL);
    text_append_format(out, "\n%*s", indent, "");
}

void json_open_line(struct text *out, int indent, const char *key, const char *bracket)
{
    json_line(out, indent);
    json_open(out, key, bracket);
}
