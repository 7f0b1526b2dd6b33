/* Conditions: the sources sql, shell, file and port, and the comparisons. */
#include "condition.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a source found. */
struct found {
    bool is_true;        /* as a condition without a comparison */
    const char *value;   /* NULL: none */
    const char *nothing; /* why there is no value */
};

bool condition_number(struct arena *arena, const char *text, double *out)
{
    if (text[0] == '\0' || strspn(text, "+-.0123456789eE") == strlen(text)) {
        char *end;
        errno = 0;
        double number = strtod(text, &end);
        if (end == text || *end != '\0' || errno != 0 || !isfinite(number))
            return false;
        *out = number;
        return true;
    }
    struct value value;
    if (value_read(arena, VALUE_SIZE, text, &value)) {
        *out = (double)value.number;
        return true;
    }
    if (value_read(arena, VALUE_DURATION, text, &value)) {
        *out = (double)value.number / 1000;
        return true;
    }
    return false;
}

static const char *size_words(struct arena *arena, double bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    // As pg_size_pretty does: two digits at least before the unit grows.
    while (fabs(bytes) >= 10240 && unit + 1 < ARRAY_COUNT(units)) {
        bytes /= 1024;
        unit++;
    }
    return arena_printf(arena, "%.0f %s", bytes, units[unit]);
}

static const char *duration_words(struct arena *arena, double seconds)
{
    if (fabs(seconds) < 120)
        return arena_printf(arena, "%.0f s", seconds);
    long whole = (long)seconds;
    if (labs(whole) < 7200)
        return arena_printf(arena, "%ld min %ld s", whole / 60, labs(whole % 60));
    return arena_printf(arena, "%ld h %ld min", whole / 3600, labs(whole % 3600 / 60));
}

const char *condition_words(struct arena *arena, const char *value, const char *unit)
{
    enum { LONGEST = 200 };
    double number;
    bool is_number = condition_number(arena, value, &number);
    if (is_number && equal(unit, "bytes"))
        return size_words(arena, number);
    if (is_number && equal(unit, "seconds") && fabs(number) < 1e12)
        return duration_words(arena, number);
    size_t length = strlen(value);
    if (length > LONGEST)
        return arena_printf(arena, "%.*s…", LONGEST, value);
    return unit == NULL ? value : arena_printf(arena, "%s %s", value, unit);
}

/* The value of the comparison KEY in MAP, expanded, or NULL. */
static struct error *bound(struct work *work, const struct node *map, const char *key,
                           const char **out)
{
    const struct node *node = node_find(map, key);
    *out = NULL;
    return node == NULL ? NULL : work_text(work, node, out);
}

static struct error *compare_numbers(struct work *work, const char *value, const char *limit,
                                     bool is_above, bool *out)
{
    double have, want;
    if (!condition_number(work->arena, value, &have))
        return error_new(work->arena, ERROR_FAILED, "value \"%s\" is not a number", value);
    if (!condition_number(work->arena, limit, &want))
        return error_new(work->arena, ERROR_FAILED, "limit \"%s\" is not a number", limit);
    *out = is_above ? have > want : have < want;
    work->bound = (struct bound){is_above ? BOUND_ABOVE : BOUND_BELOW, have, want};
    return NULL;
}

static struct error *compare(struct work *work, const struct node *map, const struct found *found,
                             struct condition_result *out)
{
    const char *is, *above, *below, *unit;
    struct error *error = bound(work, map, "is", &is);
    if (error == NULL)
        error = bound(work, map, "above", &above);
    if (error == NULL)
        error = bound(work, map, "below", &below);
    if (error == NULL)
        error = bound(work, map, "unit", &unit);
    if (error != NULL)
        return error;

    struct arena *arena = work->arena;
    bool has_bound = is != NULL || above != NULL || below != NULL;
    if (!has_bound)
        out->is_true = found->is_true;
    if (found->value == NULL) {
        out->words = found->nothing == NULL && has_bound ? "no value" : found->nothing;
        return NULL;
    }
    work->value = found->value;
    out->value = condition_words(arena, found->value, unit);
    out->words = out->value;
    if (!has_bound)
        return NULL;
    bool is_true = is == NULL || equal(is, found->value);
    const char *wanted = is != NULL ? arena_printf(arena, "not %s", is) : "";
    if (above != NULL || below != NULL) {
        const char *limit = above != NULL ? above : below;
        error = compare_numbers(work, found->value, limit, above != NULL, &is_true);
        if (error != NULL)
            return error;
        wanted = arena_printf(arena, "not %s %s", above != NULL ? "above" : "below",
                              condition_words(arena, limit, unit));
    }
    out->is_true = is_true;
    if (!is_true)
        out->words = arena_printf(arena, "%s, %s", out->value, wanted);
    return NULL;
}

static struct error *no_answer(struct work *work, struct error *cause, struct found *out)
{
    out->nothing = arena_printf(work->arena, "no answer: %s",
                                work_server_is_down(cause) ? "the server is not running"
                                                           : error_text(work->arena, cause));
    return NULL;
}

static struct error *source_sql(struct work *work, const struct node *map, struct found *out)
{
    struct postgres_request request;
    struct error *error = work_request(work, map, true, &request);
    const struct node *node = node_find(map, "sql");
    int version = 0;
    if (error == NULL && node->kind == NODE_MAP)
        error = work_version(work, &request, &version);
    if (error != NULL)
        return work_server_is_down(error) ? no_answer(work, error, out) : error;
    const char *text;
    error = plan_sql_text(work->arena, work->plan, work->scope, work->target->name, node, version,
                          &text);
    if (error != NULL)
        return error;

    struct postgres_result result;
    struct postgres_failure failure = {0};
    error = work_ask(work, &request, text, &result, &failure);
    if (error != NULL)
        return failure.connection_lost || work_server_is_down(error) ? no_answer(work, error, out)
                                                                     : error;
    if (result.rows > 1 || result.columns == 0)
        return error_at(work->arena, work_place(work, node),
                        "a condition needs at most one row with one value, and this has %zu row%s",
                        result.rows, result.rows == 1 ? "" : "s");
    out->is_true = postgres_is_true(&result);
    out->nothing = result.rows == 0 ? "no row" : "no value";
    if (result.rows == 1)
        out->value = result.values[0];
    return NULL;
}

struct error *condition_shell(struct work *work, const struct node *text, const char *interpreter,
                              bool *is_true, const char **output)
{
    struct shell_request request = {
        .user = work->as,
        .interpreter = interpreter,
        .script = text->text,
        .deadline_ms = work->deadline_ms,
    };
    const struct shell_variable *variables;
    struct error *error = shell_variables(work->arena, work->scope, work->target->name, text->text,
                                          &variables, &request.environment_count);
    if (error != NULL)
        return error;
    struct shell_environment *environment =
        arena_alloc(work->arena, (request.environment_count + 1) * sizeof(*environment));
    for (size_t i = 0; i < request.environment_count; i++) {
        environment[i].name = variables[i].name;
        environment[i].value = variables[i].value;
    }
    request.environment = environment;

    struct shell_result result = {0};
    error = host_shell(work->host, work->arena, &request, &result);
    if (error != NULL)
        return error;
    if (result.status > 1)
        error = error_at(work->arena, work_place(work, text), "could not look: %s",
                         work_status_text(work, &result));
    *is_true = result.status == 0;
    if (output != NULL) {
        size_t length = result.out.length;
        while (length > 0 && result.out.bytes[length - 1] == '\n')
            length--;
        *output = arena_copy(work->arena, text_string(&result.out), length);
    }
    shell_result_release(&result);
    return error;
}

static struct error *source_shell(struct work *work, const struct node *map, struct found *out)
{
    bool is_true;
    const char *output;
    struct error *error = condition_shell(work, node_find(map, "shell"), NULL, &is_true, &output);
    if (error != NULL)
        return error;
    out->is_true = is_true;
    out->nothing = is_true ? NULL : "exit status 1";
    if (is_true && output[0] != '\0')
        out->value = output;
    return NULL;
}

static struct error *source_file(struct work *work, const struct node *map, struct found *out)
{
    // A log may be far larger than what is read whole, so the host searches it.
    static const char script[] = "if [ ! -e \"$1\" ]; then exit 3; fi\n"
                                 "if [ -z \"$2\" ]; then exit 0; fi\n"
                                 "exec grep -F -q -e \"$2\" -- \"$1\"\n";
    const char *path, *wanted;
    struct error *error = work_text(work, node_find(map, "file"), &path);
    if (error == NULL)
        error = bound(work, map, "contains", &wanted);
    if (error != NULL)
        return error;
    const char *arguments[] = {path, wanted == NULL ? "" : wanted, NULL};
    struct shell_result result = {0};
    error = work_script(work, work->as, script, arguments, &result);
    if (error != NULL)
        return error;
    out->is_true = result.status == 0;
    out->nothing = result.status == 0
                       ? arena_printf(work->arena, "%s \"%s\"",
                                      wanted == NULL ? "there is a file" : "found in", path)
                   : result.status == 3 ? arena_printf(work->arena, "no file \"%s\"", path)
                                        : arena_printf(work->arena, "not found in \"%s\"", path);
    if (result.status != 0 && result.status != 1 && result.status != 3)
        error = error_new(work->arena, ERROR_FAILED, "could not read file \"%s\": %s", path,
                          work_status_text(work, &result));
    shell_result_release(&result);
    return error;
}

static struct error *source_port(struct work *work, const struct node *map, struct found *out)
{
    const char *text;
    struct error *error = work_text(work, node_find(map, "port"), &text);
    if (error != NULL)
        return error;
    double number;
    if (!condition_number(work->arena, text, &number) || number < 1 || number > 65535)
        return error_new(work->arena, ERROR_FAILED, "\"%s\" is not a port", text);
    int fd = -1;
    enum { PATIENCE_MS = 5000 };
    int64_t deadline_ms = clock_ms() + PATIENCE_MS;
    error = host_tunnel_tcp(work->host, work->arena, work->target->address, (int)number,
                            deadline_ms < work->deadline_ms ? deadline_ms : work->deadline_ms, &fd);
    if (error != NULL && (error->kind == ERROR_UNREACHABLE || error->kind == ERROR_STOPPED))
        return error;
    out->is_true = error == NULL;
    out->nothing = error == NULL ? "accepts connections" : "accepts no connections";
    if (fd >= 0)
        close(fd);
    return NULL;
}

struct error *condition_evaluate(struct work *work, const struct node *map,
                                 struct condition_result *out)
{
    static const struct {
        const char *key;
        struct error *(*find)(struct work *work, const struct node *map, struct found *out);
    } sources[] = {
        {"sql", source_sql},
        {"shell", source_shell},
        {"file", source_file},
        {"port", source_port},
    };
    struct condition_result result = {0};
    const struct node *patroni = node_find(map, "patroni");
    if (patroni != NULL) {
        struct error *error = condition_patroni(work, patroni, &result);
        if (error == NULL)
            *out = result;
        return error;
    }
    for (size_t i = 0; i < ARRAY_COUNT(sources); i++) {
        if (node_find(map, sources[i].key) == NULL)
            continue;
        struct found found = {0};
        struct error *error = sources[i].find(work, map, &found);
        if (error == NULL)
            error = compare(work, map, &found, &result);
        if (error == NULL)
            *out = result;
        return error;
    }
    return error_at(work->arena, work->step->place, "the condition has no source");
}
