/*
 * Warnings: what is allowed, and has cost somebody a cluster. A new one is a row in the table below
 * and a function. What the checks of texts and names find anyway has a row without a function.
 */
#include "plan/checker.h"
#include "plan/sqllex.h"

#include <string.h>
#include <strings.h>

static void missing_timeout(struct checker *checker);
static void lasting_maintenance(struct checker *checker);
static void lasting_replay_pause(struct checker *checker);
static void lasting_fence(struct checker *checker);

static const struct hazard {
    const char *id;
    void (*find)(struct checker *checker);
} hazards[] = {
    {"HB001", missing_timeout},
    {"HB002", NULL}, /* an unknown name in a shell text */
    {"HB003", NULL}, /* a recursive rm of what may be empty */
    {"HB004", lasting_maintenance},
    {"HB005", lasting_replay_pause},
    {"HB006", lasting_fence},
    {"HB007", NULL}, /* a host that looks like a role, and no cluster file to ask */
};

static const struct node *allowed(const struct checker *checker)
{
    return node_find(checker->root, "allow");
}

void hazard_add(struct checker *checker, const char *id, struct place place, const char *hint,
                const char *format, ...)
{
    va_list arguments;

    if (node_find(allowed(checker), id) != NULL)
        return;
    if (checker->findings->hazard_count >= FINDINGS_MOST) {
        findings_add_hazard(checker->findings, id, place, NULL, "one of too many");
        return;
    }
    va_start(arguments, format);

    const char *message = arena_vprintf(checker->arena, format, arguments);

    va_end(arguments);
    findings_add_hazard(checker->findings, id, place, hint, "%s", message);
}

static struct place action_place(const struct checker *checker, const struct step *step)
{
    return node_key_place(checker->plan->file, step->params);
}

static void missing_timeout(struct checker *checker)
{
    for (enum phase phase = PHASE_DEPLOY; phase < PHASE_COUNT; phase++) {
        for (const struct step *step = NULL;
             (step = plan_next_step(checker->plan, phase, step)) != NULL;) {
            bool is_file = equal(step->action_name, "sql") &&
                           (node_find(step->params, "file") != NULL ||
                            node_find(node_find(step->params, "run"), "file") != NULL);

            if (!step->timeout_is_written && (is_file || equal(step->action_name, "remote-shell")))
                hazard_add(checker, "HB001", action_place(checker, step),
                           "Say in the step, or in its group, how long it may take.",
                           "%s of step \"%s\" has only the general timeout",
                           is_file ? "the SQL file" : "the job", step->id);
        }
    }
}

/* What a step's patroni action says under KEY, or NULL. */
static const char *patroni_value(const struct step *step, const char *key)
{
    return equal(step->action_name, "patroni") ? node_text(step->params, key) : NULL;
}

typedef bool step_predicate(const struct checker *checker, const struct step *step);

static const struct step *find_in(const struct checker *checker, enum phase phase,
                                  step_predicate *is_it)
{
    for (const struct step *step = NULL;
         (step = plan_next_step(checker->plan, phase, step)) != NULL;) {
        if (is_it(checker, step))
            return step;
    }
    return NULL;
}

static bool ends_maintenance(const struct checker *checker, const struct step *step)
{
    (void)checker;
    return equal(patroni_value(step, "maintenance"), "false");
}

/* Clearing the DCS takes maintenance mode away too, and so may putting a configuration back. */
static bool undoes_maintenance(const struct checker *checker, const struct step *step)
{
    return ends_maintenance(checker, step) || patroni_value(step, "cluster") != NULL ||
           patroni_value(step, "restore") != NULL;
}

/* The phases after deploy that are there and have nothing that IS_IT. */
static void lasting(struct checker *checker, const char *id, const struct step *cause,
                    const char *what, step_predicate *ends, step_predicate *undoes)
{
    const struct plan *plan = checker->plan;

    if (!plan->has_phase[PHASE_COMMIT] || find_in(checker, PHASE_COMMIT, ends) == NULL)
        hazard_add(checker, id, action_place(checker, cause),
                   plan->has_phase[PHASE_COMMIT] ? "Let a step of commit end it."
                                                 : "Let a later step of deploy end it.",
                   "step \"%s\" %s, and nothing ends it when the deployment has succeeded",
                   cause->id, what);
    if (plan->has_phase[PHASE_ROLLBACK] && find_in(checker, PHASE_ROLLBACK, undoes) == NULL)
        hazard_add(checker, id, action_place(checker, cause), "Let a step of rollback end it.",
                   "step \"%s\" %s, and nothing in rollback ends it", cause->id, what);
}

static void lasting_maintenance(struct checker *checker)
{
    const struct step *cause = NULL;

    for (const struct step *step = NULL;
         (step = plan_next_step(checker->plan, PHASE_DEPLOY, step)) != NULL;) {
        const char *maintenance = patroni_value(step, "maintenance");

        if (maintenance != NULL)
            cause = equal(maintenance, "true") ? step : NULL;
    }
    if (cause != NULL)
        lasting(checker, "HB004", cause, "turns maintenance mode on", ends_maintenance,
                undoes_maintenance);
}

/* Does an SQL text, or a map or list of them, call one of the two functions? */
static bool calls(const struct node *node, const char *name, const char *old_name)
{
    if (node == NULL)
        return false;
    NODE_EACH(child, node)
    {
        if (calls(child, name, old_name))
            return true;
    }
    if (node->text == NULL || strcasestr(node->text, "_replay_") == NULL)
        return false;

    struct sql_lexer lexer = {.at = node->text};
    struct sql_token token;

    while ((token = sql_token_next(&lexer)).kind != SQL_END) {
        if (token.kind == SQL_WORD &&
            ((token.length == strlen(name) && strncasecmp(token.text, name, token.length) == 0) ||
             (token.length == strlen(old_name) &&
              strncasecmp(token.text, old_name, token.length) == 0)))
            return true;
    }
    return false;
}

static bool pauses_replay(const struct checker *checker, const struct step *step)
{
    (void)checker;
    return equal(step->action_name, "sql") &&
           calls(node_find(step->params, "run"), "pg_wal_replay_pause", "pg_xlog_replay_pause");
}

static bool resumes_replay(const struct checker *checker, const struct step *step)
{
    (void)checker;
    return equal(step->action_name, "sql") &&
           calls(node_find(step->params, "run"), "pg_wal_replay_resume", "pg_xlog_replay_resume");
}

/* The pause does not outlive its server. */
static bool undoes_pause(const struct checker *checker, const struct step *step)
{
    return resumes_replay(checker, step) || patroni_value(step, "postgres") != NULL ||
           patroni_value(step, "restart") != NULL;
}

static void lasting_replay_pause(struct checker *checker)
{
    const struct step *cause = NULL;

    for (const struct step *step = NULL;
         (step = plan_next_step(checker->plan, PHASE_DEPLOY, step)) != NULL;) {
        if (pauses_replay(checker, step))
            cause = step;
        else if (resumes_replay(checker, step))
            cause = NULL;
    }
    if (cause != NULL)
        lasting(checker, "HB005", cause, "pauses replay", resumes_replay, undoes_pause);
}

static bool names_are_apart(const struct checker *checker, const struct node *a,
                            const struct node *b)
{
    const struct role *left = plan_find_role(checker->plan, a->text);
    const struct role *right = plan_find_role(checker->plan, b->text);

    if (left == NULL && right == NULL)
        return !equal(a->text, b->text);
    return left != NULL && right != NULL && left != right && roles_are_apart(left, right);
}

/* Surely no host is in both. */
static bool hosts_are_apart(const struct checker *checker, const struct node *a,
                            const struct node *b)
{
    if (a == NULL || b == NULL)
        return false;
    if (a->kind == NODE_LIST) {
        NODE_EACH(item, a)
        {
            if (!hosts_are_apart(checker, item, b))
                return false;
        }
        return true;
    }
    if (b->kind == NODE_LIST)
        return hosts_are_apart(checker, b, a);
    return names_are_apart(checker, a, b);
}

static bool is_started_after(const struct checker *checker, const struct step *fenced)
{
    for (const struct step *step = fenced; step != NULL;
         step = plan_next_step(checker->plan, fenced->phase, step)) {
        if (equal(patroni_value(step, "service"), "started") &&
            !hosts_are_apart(checker, fenced->hosts, step->hosts))
            return true;
    }
    return false;
}

static void lasting_fence(struct checker *checker)
{
    for (const struct step *step = NULL;
         (step = plan_next_step(checker->plan, PHASE_ROLLBACK, step)) != NULL;) {
        if (equal(patroni_value(step, "service"), "fenced") && !is_started_after(checker, step))
            hazard_add(checker, "HB006", action_place(checker, step),
                       "A fenced node stays out of the cluster, also when it boots: start its "
                       "service in a later step.",
                       "step \"%s\" fences Patroni, and no later step of rollback starts it there",
                       step->id);
    }
}

static void allowed_check(struct checker *checker)
{
    struct words ids = {0};
    const struct node *map = allowed(checker);

    for (size_t at = 0; at < ARRAY_COUNT(hazards); at++)
        words_add(checker->arena, &ids, hazards[at].id);
    NODE_EACH(node, map)
    {
        bool is_known = false;

        for (size_t at = 0; at < ids.count && !is_known; at++)
            is_known = node->key != NULL && equal(ids.items[at], node->key);
        if (!is_known && node->key != NULL)
            findings_add(checker->findings, node_key_place(checker->plan->file, node),
                         words_suggest(checker->findings, &ids, node->key), "there is no hazard %s",
                         findings_quote(checker->findings, node->key));
    }
}

void hazards_check(struct checker *checker)
{
    allowed_check(checker);
    for (size_t at = 0; at < ARRAY_COUNT(hazards); at++) {
        if (hazards[at].find != NULL)
            hazards[at].find(checker);
    }
}
