/* The action sql on a real PostgreSQL, reached directly, as the engine would call it. */
#ifndef TESTS_SQL_TEST_H
#define TESTS_SQL_TEST_H

#include "action.h"
#include "host/postgres.h"
#include "plan/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../host/database.h"

static struct arena arena;
static struct host_settings settings;
static struct host *host;
static struct scope *scope;
static char operation[DIGEST_SIZE];

static inline struct error *ask_directly(const char *text, struct postgres_result *result)
{
    // Not through whatever the tests put between the action and the server.
    struct host_settings own = settings;
    own.postgres.port = database.port;
    own.postgres.user = "postgres";
    struct host *direct = host_new(&own, -1);
    const struct postgres_request request = {.application = "test",
                                             .deadline_ms = clock_ms() + 10000};
    struct error *error = postgres_ask(direct, &arena, &request, text, result);
    host_free(direct);
    return error;
}

/* The only value of TEXT's result; "" without a row. */
static inline const char *asked(const char *text)
{
    struct postgres_result result;
    struct error *error = ask_directly(text, &result);
    if (error != NULL)
        fail_msg("%s", error_text(&arena, error));
    if (result.rows == 0 || result.columns == 0)
        return "";
    return result.values[0];
}

static inline int tests_begin(void **state)
{
    if (database_make(state) != 0)
        return -1;
    settings = (struct host_settings){
        .name = "pg1",
        .address = "127.0.0.1",
        .member = "pg1",
        .postgres = {.reach = "direct",
                     .os_user = "postgres",
                     .socket_directory = database.folder,
                     .port = database.port,
                     .user = "postgres",
                     .database = "postgres",
                     .sslmode = "disable"},
    };
    return 0;
}

static inline int tests_end(void **state)
{
    arena_release(&arena);
    return database_drop(state);
}

static inline int host_make(void **state)
{
    (void)state;
    settings.postgres.port = database.port;
    settings.postgres.user = "postgres";
    host = host_new(&settings, -1);
    scope = scope_new(&arena);
    (void)asked("DROP SCHEMA IF EXISTS holdback CASCADE; DROP TABLE IF EXISTS done;"
                "CREATE TABLE done (a text); GRANT ALL ON done TO PUBLIC");
    return 0;
}

static inline int host_drop(void **state)
{
    (void)state;
    host_free(host);
    host = NULL;
    return 0;
}

static inline void watch(struct work *work, const char *words)
{
    (void)work;
    (void)words;
}

/* A try of a step "migrate" of run "r1" whose keys are PARAMS. */
static inline struct work work_of(const char *params)
{
    struct plan *plan = arena_alloc(&arena, sizeof *plan);
    struct step *step = arena_alloc(&arena, sizeof *step);
    struct findings findings = {.arena = &arena};

    plan->file = "plan.yml";
    plan->inputs = inputs_live(&arena);
    step->id = "migrate";
    step->place.file = "plan.yml";
    step->action_name = "sql";
    step->params = yaml_parse(&arena, "plan.yml", params, strlen(params), &findings);
    assert_non_null(step->params);
    sha256_hex(params, strlen(params), operation);
    return (struct work){.arena = &arena,
                         .plan = plan,
                         .step = step,
                         .scope = scope,
                         .target = &settings,
                         .host = host,
                         .run = "r1",
                         .operation = operation,
                         .try = 1,
                         .deadline_ms = clock_ms() + 10000,
                         .stop_fd = -1,
                         .watch = watch};
}

static inline void work_end(struct work *work)
{
    text_release(&work->change);
    text_release(&work->shown);
}

static inline const struct action *sql(void)
{
    for (size_t at = 0; all_actions[at] != NULL; at++)
        if (equal(all_actions[at]->name, "sql"))
            return all_actions[at];
    return NULL;
}

static inline enum look look(struct work *work, struct error **error)
{
    *error = NULL;
    return sql()->look(work, error);
}

static inline enum apply apply(struct work *work, struct error **error)
{
    *error = NULL;
    return sql()->apply(work, error);
}

static inline enum settle settle(struct work *work, struct error **error)
{
    *error = NULL;
    return sql()->settle(work, error);
}

static inline const char *saved(const struct work *work, const char *name)
{
    for (const struct saved *one = work->saved; one != NULL; one = one->next)
        if (equal(one->name, name))
            return one->text;
    return NULL;
}

#endif
