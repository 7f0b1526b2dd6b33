/*
 * An action under test: the first step of a plan that is written here, on a real host (sshd on
 * 127.0.0.1), as the engine would call it.
 */
#ifndef TESTS_ACTION_TEST_H
#define TESTS_ACTION_TEST_H

#include "../host/server.h"
#include "action.h"
#include "host/job.h"

enum { WATCHED_BYTES = 128 };

static struct arena arena;
static struct scope *scope;
static struct server *server;
static struct host *host;
static char watched[WATCHED_BYTES]; /* the last words for the progress display */
static const char run_name[] = "action-test";
static char operation[DIGEST_SIZE];

static inline const char *a_file(const char *name)
{
    return arena_printf(&arena, "%s/%s", server->folder, name);
}

/* What `check` says about a plan whose deploy phase is STEPS: messages, one on each line. */
static inline const char *check(const char *steps, const struct plan **plan)
{
    CLEANUP(text_release) struct text said = {0};
    struct findings findings = {.arena = &arena};
    const char *path = a_file("plan.yml");
    const char *text =
        arena_printf(&arena,
                     "holdback: 1\nplan: t\nroles: {one: {patroni: leader}}\n"
                     "variables: {number: {type: integer, default: '5'}, word: {default: w}}\n"
                     "defaults: {timeout: 5s}\ndeploy:\n%s",
                     steps);

    assert_null(file_write(&arena, path, text, strlen(text), 0600));
    scope = scope_new(&arena);
    *plan =
        plan_read(&arena, inputs_live(&arena), path, &(struct plan_options){0}, scope, &findings);
    if (*plan != NULL) {
        actions_bind(*plan);
        actions_validate(&arena, *plan, NULL, scope, &findings);
    }
    for (size_t at = 0; at < findings.count; at++) {
        if (findings.items[at].hazard == NULL)
            text_append_format(&said, "%s\n", findings.items[at].error->message);
    }
    return text_copy(&said, &arena);
}

static inline const struct plan *a_plan(const char *steps)
{
    const struct plan *plan;

    assert_string_equal(check(steps, &plan), "");
    assert_non_null(plan);
    return plan;
}

static inline void watch(struct work *work, const char *words)
{
    (void)work;
    (void)snprintf(watched, sizeof watched, "%s", words);
}

/* A try of the step ID; every try has another operation id. */
static inline struct work a_work(const struct plan *plan, const char *id)
{
    static unsigned tries;
    char name[32];

    (void)snprintf(name, sizeof name, "%u %d", tries++, (int)getpid());
    sha256_hex(name, strlen(name), operation);
    return (struct work){.arena = &arena,
                         .plan = plan,
                         .step = plan_find_step(plan, id),
                         .scope = scope,
                         .target = &server->settings,
                         .host = host,
                         .run = run_name,
                         .operation = operation,
                         .try = 1,
                         .deadline_ms = within(5),
                         .stop_fd = -1,
                         .watch = watch};
}

static inline void work_end(struct work *work)
{
    text_release(&work->change);
    text_release(&work->shown);
}

static inline const char *saved(const struct work *work, const char *name)
{
    for (const struct saved *one = work->saved; one != NULL; one = one->next) {
        if (equal(one->name, name))
            return one->text;
    }
    return NULL;
}

static inline int open_server(void **state)
{
    (void)state;
    server = server_start("");
    host = host_new(&server->settings, -1);
    return 0;
}

static inline int close_server(void **state)
{
    (void)state;
    (void)run_folder_remove(host, &arena, run_name, NULL, within(5));
    host_free(host);
    server_free(server);
    arena_release(&arena);
    return 0;
}

#endif
