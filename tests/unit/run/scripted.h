/*
 * A run whose hosts are never contacted: a plan written in the test, a journal in a folder of its
 * own, and actions that do as the test scripted them. Everything that an action is asked for is
 * logged ("look a@pg1"), and so is what the observer is told.
 *
 * Without a script an action is honest: its look says "would change" until its apply has run.
 */
#ifndef UNIT_RUN_SCRIPTED_H
#define UNIT_RUN_SCRIPTED_H

#include "scene.h"

/* Steps that change something need no words about it here: the scripted action is asked. */
#define STEP(id, hosts, more)                                                                      \
    "  - {id: " id ", hosts: " hosts more ", remote-shell: {run: x, creates: /x}}\n"

/* ---- scripted actions ---- */

static inline bool is_where(const char *where, const struct work *work)
{
    CLEANUP(arena_release) struct arena scratch = {0};

    return equal(where, work->step->id) ||
           equal(where, arena_printf(&scratch, "%s@%s", work->step->id, work->target->name));
}

/* The next word for CALL, or NULL: there is no script. */
static inline const char *next_word(const char *call, const struct work *work)
{
    for (size_t at = 0; at < scene.script_count; at++) {
        struct script *script = &scene.scripts[at];

        if (!equal(script->call, call) || !is_where(script->where, work))
            continue;

        size_t length = strcspn(script->words, " ");
        const char *word = arena_copy(&scene.theirs, script->words, length);

        if (script->words[length] == ' ')
            script->words += length + 1;
        return word;
    }
    return NULL;
}

static inline bool was_applied(const struct work *work)
{
    for (size_t at = 0; at < scene.applied_count; at++) {
        if (is_where(scene.applied[at], work))
            return true;
    }
    return false;
}

/* Logs the call; the word is the script's, else what an honest action would say. */
static inline const char *play(const char *call, const struct work *work)
{
    if (work->try > 1 && equal(call, "apply"))
        log_line("%s %s@%s #%d", call, work->step->id, work->target->name, work->try);
    else
        log_line("%s %s@%s", call, work->step->id, work->target->name);
    (void)pthread_mutex_lock(&scene.lock);

    const char *word = next_word(call, work);

    if (word == NULL && equal(call, "apply"))
        word = "look";
    if (word == NULL && equal(call, "settle"))
        word = was_applied(work) ? "done" : "not-done";
    if (word == NULL)
        word = was_applied(work) ? "already" : "would";
    if (equal(call, "apply"))
        scene.applied[scene.applied_count++ % SCRIPTS_MOST] =
            arena_printf(&scene.theirs, "%s@%s", work->step->id, work->target->name);
    (void)pthread_mutex_unlock(&scene.lock);
    return word;
}

/* "maybe/unreachable": what stands behind the slash is the error's kind. */
static inline struct error *scripted_error(const struct work *work, const char *call,
                                           const char *word)
{
    static const struct {
        const char *name;
        enum error_kind kind;
    } kinds[] = {{"unreachable", ERROR_UNREACHABLE},
                 {"timeout", ERROR_TIMEOUT},
                 {"stopped", ERROR_STOPPED},
                 {"input", ERROR_INPUT}};
    const char *slash = strchr(word, '/');
    enum error_kind kind = ERROR_FAILED;

    for (size_t at = 0; at < ARRAY_COUNT(kinds); at++) {
        if (ends_with(word, kinds[at].name))
            kind = kinds[at].kind;
    }
    return error_new(work->arena, kind, "%s said %s", call, slash == NULL ? word : slash + 1);
}

static inline void save_scripted(struct work *work)
{
    for (size_t at = 0; at < scene.save_count; at++) {
        if (is_where(scene.saves[at].where, work))
            work_save(work, scene.saves[at].call, scene.saves[at].words);
    }
}

static inline bool is_word(const char *word, const char *begin)
{
    return starts_with(word, begin) && (word[strlen(begin)] == '\0' || word[strlen(begin)] == '/');
}

static inline enum look scripted_look(struct work *work, struct error **error)
{
    if (scene.on_look != NULL)
        scene.on_look(&scene, work);

    const char *word = play("look", work);

    if (equal(word, "already")) {
        if (work->step->action_name != NULL && !step_has_effect(work->step))
            save_scripted(work);
        return LOOK_ALREADY;
    }
    if (equal(word, "would"))
        return LOOK_WOULD_CHANGE;
    if (equal(word, "unknown"))
        return LOOK_UNKNOWN;
    *error = scripted_error(work, "look", word);
    return LOOK_FAILED;
}

/* Until the stop descriptor says so; false: it never did. */
static inline bool blocks_until_stopped(const struct work *work)
{
    struct pollfd stop = {.fd = work->stop_fd, .events = POLLIN};

    return poll(&stop, 1, 5000) == 1;
}

static inline enum apply scripted_apply(struct work *work, struct error **error)
{
    if (scene.on_apply != NULL)
        scene.on_apply(&scene, work);

    const char *word = play("apply", work);

    save_scripted(work);
    if (equal(word, "done"))
        return APPLY_DONE;
    if (equal(word, "look"))
        return APPLY_LOOK;
    if (equal(word, "blocks")) {
        *error = blocks_until_stopped(work)
                     ? error_new(work->arena, ERROR_STOPPED, "stopped")
                     : error_new(work->arena, ERROR_FAILED, "nobody stopped it");
        return APPLY_NOTHING;
    }
    *error = scripted_error(work, "apply", word);
    return is_word(word, "nothing") ? APPLY_NOTHING
           : is_word(word, "maybe") ? APPLY_MAYBE
                                    : APPLY_RUNNING;
}

static inline enum settle scripted_settle(struct work *work, struct error **error)
{
    const char *word = play("settle", work);

    if (equal(word, "done")) {
        save_scripted(work);
        return SETTLE_DONE;
    }
    if (equal(word, "not-done"))
        return SETTLE_NOT_DONE;
    *error = scripted_error(work, "settle", word);
    return equal(word, "running")       ? SETTLE_RUNNING
           : equal(word, "in-doubt")    ? SETTLE_IN_DOUBT
           : equal(word, "unreachable") ? SETTLE_UNREACHABLE
                                        : SETTLE_FAILED;
}

static const struct action scripted_effect = {
    .name = "scripted",
    .has_effect = true,
    .look = scripted_look,
    .apply = scripted_apply,
    .settle = scripted_settle,
};

/* An action without a settle of its own: its look decides. */
static const struct action scripted_looker = {
    .name = "scripted", .has_effect = true, .look = scripted_look, .apply = scripted_apply};

static const struct action scripted_wait = {.name = "scripted", .look = scripted_look};

/* ---- the scene ---- */

static inline void script(const char *call, const char *where, const char *words)
{
    scene.scripts[scene.script_count++] = (struct script){call, where, words};
}

static inline void saves(const char *where, const char *name, const char *text)
{
    scene.saves[scene.save_count++] = (struct script){name, where, text};
}

static inline bool observe_gate(void *context, const struct step *step, const char *question)
{
    (void)context;
    text_append_format(&scene.events, "asked %s: %s\n", step->id, question);
    for (const char *const *answer = scene.answers; answer != NULL && *answer != NULL; answer++) {
        if (equal(*answer, step->id))
            return true;
    }
    return false;
}

static inline void observe_event(void *context, const struct step *step, const char *host,
                                 const char *event, const char *words)
{
    (void)context;
    text_append_format(&scene.events, "%s%s%s %s%s%s\n", step == NULL ? "run" : step->id,
                       host == NULL ? "" : "@", host == NULL ? "" : host, event,
                       words == NULL ? "" : ": ", words == NULL ? "" : words);
}

static inline void bind_scripted(const struct step *step)
{
    // As actions_bind does: a plan is immutable but for this.
    struct step *bound = (struct step *)(uintptr_t)step;

    if (equal(step->action_name, "wait-until"))
        bound->action = &scripted_wait;
    else if (equal(step->action_name, "edit-conf"))
        bound->action = &scripted_looker;
    else if (step->action_name != NULL)
        bound->action = &scripted_effect;
}

static inline void read_plan(struct run *run)
{
    const char *plan_path = path_join(&scene.arena, scene.folder, "plan.yml");
    const char *cluster_path = path_join(&scene.arena, scene.folder, "cluster.yml");
    struct inputs *inputs = inputs_live(&scene.arena);
    struct plan_options options = {.settings_folder = "/"};

    scene.findings = (struct findings){.arena = &scene.arena};
    run->scope = scope_new(&scene.arena);
    run->cluster = cluster_read(&scene.arena, inputs, cluster_path, &scene.findings);
    options.cluster = run->cluster;
    run->plan = plan_read(&scene.arena, inputs, plan_path, &options, run->scope, &scene.findings);
    for (size_t at = 0; at < scene.findings.count; at++) {
        if (scene.findings.items[at].hazard == NULL)
            print_error("%s\n", scene.findings.items[at].error->message);
    }
    assert_non_null(run->plan);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(run->plan, (enum phase)phase, step)) != NULL;)
            bind_scripted(step);
    }
    for (const struct guard *guard = run->plan->guards; guard != NULL; guard = guard->next)
        bind_scripted(&guard->step);
    cluster_fill_scope(run->cluster, run->scope);
}

static inline void begin_run(void)
{
    struct run *run = &scene.run;

    scene.observer = (struct run_observer){.confirm = observe_gate, .event = observe_event};
    scene.options = (struct run_options){.observer = &scene.observer,
                                         .stop_fd = scene.second_stop,
                                         .interrupted = &scene.interrupted};
    run_begin(run, &scene.arena, &scene.options, &scene.findings);
    run->id = "r1";
    run->folder = scene.folder;
    read_plan(run);
}

/* A run of PLAN, which needs no head, that is about to do its first step of deploy. */
static inline void begin(const char *plan)
{
    static const char head[] = "holdback: 1\nplan: p\n"
                               "roles: {leader: {patroni: leader}, held: {patroni: replica, one: "
                               "true}, replicas: {patroni: replica}, nobody: {patroni: "
                               "sync-standby, may-be-empty: true}}\n"
                               "variables:\n"
                               "  rebuild: {default: rewind}\n"
                               "  hold: {type: [auto, paused, delayed], default: auto}\n"
                               "defaults: {timeout: 300ms}\n";
    static const char cluster[] = "cluster: c\nhosts: {pg1: {address: 10.77.1.1}, pg2: {address: "
                                  "10.77.1.2}, pg3: {address: 10.77.1.3}}\n";
    struct run *run = &scene.run;
    const char *text = arena_printf(&scene.arena, "%s%s", head, plan);

    assert_null(file_write(&scene.arena, path_join(&scene.arena, scene.folder, "plan.yml"), text,
                           strlen(text), 0600));
    assert_null(file_write(&scene.arena, path_join(&scene.arena, scene.folder, "cluster.yml"),
                           cluster, sizeof cluster - 1, 0600));
    begin_run();
    assert_null(journal_create(&scene.arena, scene.journal_path, &run->journal));
    run_record(run, "run", "\"holdback\":1,\"run\":\"r1\"");
    run_record(run, "identity",
               "\"system_identifier\":\"1\",\"versions\":{\"pg1\":150018,\"pg2\":150018}");
    run_record(run, "resolved",
               "\"roles\":{\"leader\":[\"pg1\"],\"held\":[\"pg3\"],\"replicas\":[\"pg2\","
               "\"pg3\"],\"nobody\":[]},\"variables\":{}");
    assert_null(run_sync(run));
    assert_null(prepare_hosts(run));
    prepare_scope(run);
    run->ledger.summary.state = RUN_DEPLOYING;
}

/* The process is gone, with all that it had not synced; another one reads what is on disk. */
static inline void die_and_begin_again(void)
{
    enum run_state state = scene.run.ledger.summary.state;
    const struct record *record;

    run_release(&scene.run);
    text_clear(&scene.log);
    text_clear(&scene.events);
    scene.script_count = 0;
    begin_run();
    assert_null(journal_open(&scene.arena, scene.journal_path, &scene.run.journal, &record));
    for (const struct record *next; record != NULL; record = next) {
        next = record->next;
        ledger_apply(&scene.run.ledger, record);
    }
    scene.run.ledger.summary.state = state;
    assert_null(prepare_hosts(&scene.run));
    prepare_scope(&scene.run);
}

/* Runs a phase as commands do, and returns what it says: "" or the error with its causes. */
static inline const char *go(enum phase phase)
{
    struct error *error = phase_run(&scene.run, phase);
    struct error *failed = run_sync(&scene.run);

    error = error == NULL ? failed : error;
    return error == NULL ? "" : error_text(&scene.arena, error);
}

/* A try of STEP that was begun on HOST, and of which nothing more is known. */
static inline void interrupted_try(const char *step, const char *hosts)
{
    run_record(&scene.run, "intent", "\"step\":\"%s\",\"try\":1,\"hosts\":[%s]", step, hosts);
    assert_null(run_sync(&scene.run));
    die_and_begin_again();
}

/* A try of STEP that ended with RESULT; without a host, STEP was left out. */
static inline void happened(const char *step, const char *host, const char *result)
{
    if (host != NULL)
        run_record(&scene.run, "intent", "\"step\":\"%s\",\"try\":1,\"hosts\":[\"%s\"]", step,
                   host);
    run_record(&scene.run, "outcome", "\"step\":\"%s\",\"host\":%s,\"result\":\"%s\"", step,
               json_text(&scene.arena, host), result);
}

static int set_up(void **state)
{
    (void)state;
    memset(&scene, 0, sizeof scene);
    (void)strcpy(scene.folder, "/tmp/holdback-scripted.XXXXXX");
    if (mkdtemp(scene.folder) == NULL)
        return -1;
    scene.journal_path = path_join(&scene.arena, scene.folder, "journal.jsonl");
    scene.second_stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return pthread_mutex_init(&scene.lock, NULL);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"plan.yml", "cluster.yml", "journal.jsonl"};

    (void)state;
    guards_stop(scene.run.guards);
    run_release(&scene.run);
    for (size_t at = 0; at < ARRAY_COUNT(names); at++)
        (void)unlink(path_join(&scene.arena, scene.folder, names[at]));
    (void)rmdir(scene.folder);
    (void)close(scene.second_stop);
    text_release(&scene.log);
    text_release(&scene.events);
    (void)pthread_mutex_destroy(&scene.lock);
    arena_release(&scene.theirs);
    arena_release(&scene.arena);
    return 0;
}

#define SCENE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
