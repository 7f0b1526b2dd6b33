/* deploy --expect: the file of a saved preview, and how old it is. */
#include "base/file.h"
#include "base/node.h"
#include "cli/expect.h"
#include "plan/schema.h"

#include <time.h>

enum {
    PREVIEW_MOST = 64 * 1024 * 1024, /* as much as a run copies */
};

static int number_at(const char *digits, int count)
{
    int number = 0;

    while (count-- > 0)
        number = number * 10 + (*digits++ - '0');
    return number;
}

/* Seconds since 1970 of "2026-11-22T17:22:47.874Z", which the schema has checked. */
static int64_t seconds_of(const char *timestamp)
{
    struct tm parts = {.tm_year = number_at(timestamp, 4) - 1900,
                       .tm_mon = number_at(timestamp + 5, 2) - 1,
                       .tm_mday = number_at(timestamp + 8, 2),
                       .tm_hour = number_at(timestamp + 11, 2),
                       .tm_min = number_at(timestamp + 14, 2),
                       .tm_sec = number_at(timestamp + 17, 2)};

    return timegm(&parts);
}

static struct error *check_age(struct arena *arena, const struct input *input,
                               const struct node *saved, const char *most)
{
    const char *made = node_text(saved, "made");
    const struct place place = {.file = input->path};
    char words[DURATION_SIZE];
    struct value value;

    if (!value_read(arena, VALUE_DURATION, most, &value))
        return error_hint(
            arena, error_new(arena, ERROR_INPUT, "option \"--max-age\" cannot be \"%s\"", most),
            "%s", value_type_hint(VALUE_DURATION));

    int64_t age_ms = (time(NULL) - seconds_of(made)) * 1000;

    if (age_ms < -60000)
        return error_at(arena, place, "the preview was made at %s, which is yet to come", made);
    if (age_ms <= value.number)
        return NULL;
    return error_hint(arena,
                      error_at(arena, place, "the preview is %s old, and at most %s are allowed",
                               duration_words(age_ms, words), most),
                      "Nothing was touched. Preview again, have it approved, then deploy.");
}

static struct error *read_saved(struct arena *arena, const struct input *input,
                                struct findings *findings, const struct node **out)
{
    const struct schema *schema;
    struct error *error;

    if (input->bytes[0] != '{')
        return error_hint(arena,
                          error_at(arena, (struct place){.file = input->path, .line = 1},
                                   "this is no preview that was saved"),
                          "Make one with: holdback preview PLAN -c CLUSTER --save FILE");
    error = json_parse(arena, "the preview", input->bytes, input->length, out);
    if (error != NULL) {
        error->place = (struct place){.file = input->path};
        error->kind = ERROR_INPUT;
        return error;
    }
    error = schema_load(arena, "preview.schema.json", &schema);
    if (error == NULL)
        schema_check(schema, input->path, *out, findings, NULL);
    return error;
}

struct error *expect_inputs(struct cli *cli, struct findings *findings, struct inputs **out)
{
    const struct options *options = cli->options;
    const struct input *input;
    const struct node *saved = NULL;
    struct findings wrong = {.arena = cli->arena};
    struct preview preview;

    if (!preview_read(cli, findings, &preview))
        return NULL;

    struct inputs *inputs = preview.plan->inputs;
    struct error *error =
        inputs_read(inputs, "preview", path_join(cli->arena, cli_folder(cli), options->expect),
                    PREVIEW_MOST, &input);

    if (error == NULL)
        error = read_saved(cli->arena, input, &wrong, &saved);
    // The first says enough of a file that no person has written.
    if (error == NULL && wrong.count > 0)
        error =
            error_because(cli->arena, wrong.items[0].error, "this is no preview that was saved");
    if (error == NULL && options->max_age != NULL)
        error = check_age(cli->arena, input, saved, options->max_age);
    if (error == NULL)
        error = expect_compare_inputs(&preview, input, saved);
    *out = inputs;
    return error;
}
