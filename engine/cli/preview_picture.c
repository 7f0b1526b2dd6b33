/*
 * What becomes of the cluster, as a Mermaid diagram (mermaid.js.org): who leads, who follows whom,
 * where replay is paused, and where the deployment is in the data, before and after each phase.
 * It is followed through the steps as far as they say it: the keys of patroni steps and conditions,
 * and the functions of PostgreSQL that pause and resume replay or promote. What a shell text does
 * is not known to it.
 */
#include "cli/markup.h"
#include "cli/preview.h"

#include <string.h>
#include <strings.h>

enum {
    NODES_MOST = 12,
};

struct node_state {
    const struct role *role;
    int follows; /* index of a node; -1: none */
    bool leads, is_down, is_paused, has_deployment;
};

struct stage {
    struct node_state nodes[NODES_MOST];
    int count;
    bool is_maintenance;
};

static int node_of(const struct stage *stage, const char *role)
{
    for (int at = 0; at < stage->count; at++) {
        if (equal(stage->nodes[at].role->name, role))
            return at;
    }
    return -1;
}

static int leader_of(const struct stage *stage)
{
    for (int at = 0; at < stage->count; at++) {
        if (stage->nodes[at].leads)
            return at;
    }
    return -1;
}

/* A role that takes any member overlaps the others, and would be drawn twice. */
static void stage_begin(const struct plan *plan, struct stage *stage)
{
    *stage = (struct stage){0};
    for (size_t at = 0; at < plan->role_count && stage->count < NODES_MOST; at++) {
        const struct role *role = &plan->roles[at];

        if (role->patroni == NULL || equal(role->patroni, "member"))
            continue;
        stage->nodes[stage->count++] = (struct node_state){
            .role = role, .follows = -1, .leads = equal(role->patroni, "leader")};
    }
    for (int at = 0; at < stage->count; at++)
        stage->nodes[at].follows = stage->nodes[at].leads ? -1 : leader_of(stage);
}

/* A standby has what its leader has, unless one of them does not run or its replay is paused. */
static void stage_replicate(struct stage *stage)
{
    for (int at = 0; at < stage->count; at++) {
        struct node_state *node = &stage->nodes[at];

        if (node->follows >= 0 && !node->is_down && !node->is_paused &&
            !stage->nodes[node->follows].is_down)
            node->has_deployment = stage->nodes[node->follows].has_deployment;
    }
}

static void stage_lead(struct stage *stage, int leader)
{
    for (int at = 0; leader >= 0 && at < stage->count; at++) {
        struct node_state *node = &stage->nodes[at];

        node->leads = at == leader;
        if (at == leader)
            node->is_down = node->is_paused = false;
        // Who is down comes back, if a later step says so.
        node->follows = at == leader || node->is_down ? -1 : leader;
    }
}

static void apply_patroni(struct stage *stage, struct node_state *node, const struct node *params)
{
    const char *service = node_text(params, "service"), *postgres = node_text(params, "postgres");
    const char *leader = node_text(params, "leader");

    // With the cluster's keys its configuration goes, and maintenance mode is part of that.
    if (node_find(params, "maintenance") != NULL || node_find(params, "cluster") != NULL)
        stage->is_maintenance = node_bool(params, "maintenance", false);
    if (equal(postgres, "started") || equal(service, "started"))
        node->is_down = false;
    // In maintenance mode Patroni leaves the server running.
    if (equal(postgres, "stopped") ||
        (service != NULL && !equal(service, "started") && !stage->is_maintenance))
        node->is_down = true;
    if (leader != NULL)
        stage_lead(stage, node_of(stage, leader));
}

static void apply_condition(struct stage *stage, struct node_state *node, const struct node *params)
{
    const struct node *patroni = node_find(params, "patroni");
    const char *leader = node_text(patroni, "leader"), *follows = node_text(patroni, "follows");

    if (node_find(patroni, "maintenance") != NULL)
        stage->is_maintenance = node_bool(patroni, "maintenance", false);
    if (leader != NULL && node_of(stage, leader) != leader_of(stage))
        stage_lead(stage, node_of(stage, leader));
    if (follows != NULL && node_of(stage, follows) >= 0 &&
        &stage->nodes[node_of(stage, follows)] != node) {
        node->follows = node_of(stage, follows);
        node->leads = node->is_down = false;
    }
}

static bool is_look(const char *text)
{
    static const char *const words[] = {"SELECT", "CHECKPOINT", "SHOW", "VALUES", "TABLE"};

    text += strspn(text, " \t\n");
    for (size_t at = 0; at < ARRAY_COUNT(words); at++) {
        if (strncasecmp(text, words[at], strlen(words[at])) == 0)
            return true;
    }
    return false;
}

/* Any text of a list or version map: they are one thing in different words. */
static void apply_sql_text(struct node_state *node, const struct node *text, bool is_deploy)
{
    if (text == NULL)
        return;
    if (text->kind == NODE_LIST || text->kind == NODE_MAP) {
        NODE_EACH(child, text)
        {
            apply_sql_text(node, child, is_deploy);
        }
        return;
    }
    if (strstr(text->text, "_replay_pause()") != NULL)
        node->is_paused = true;
    else if (strstr(text->text, "_replay_resume()") != NULL)
        node->is_paused = false;
    else if (is_deploy && node->leads && (equal(text->key, "file") || !is_look(text->text)))
        node->has_deployment = true;
}

static void apply_step(struct stage *stage, const struct step *step, struct node_state *node)
{
    bool is_deploy = step->phase == PHASE_DEPLOY;

    if (equal(step->action_name, "patroni")) {
        apply_patroni(stage, node, step->params);
    } else if (equal(step->action_name, "wait-until")) {
        apply_condition(stage, node, step->params);
    } else if (equal(step->action_name, "sql")) {
        apply_sql_text(node, node_find(step->params, "run"), is_deploy);
        apply_sql_text(node, node_find(step->params, "file"), is_deploy);
    } else if (equal(step->action_name, "remote-shell") && is_deploy && node->leads) {
        node->has_deployment = true;
    }
}

/* Of a way back that depends on how far it came, the one after a whole deployment. */
static bool is_left_out(const struct preview *preview, const struct step *step)
{
    for (const struct step *at = step; at != NULL; at = at->group) {
        for (size_t when = 0; when < at->when_count; when++) {
            if (at->when[when].kind == WHEN_DID_NOT_HAPPEN)
                return true;
        }
    }
    return skip_words(preview, step) != NULL;
}

static void stage_run(const struct preview *preview, enum phase phase, struct stage *stage)
{
    for (const struct step *step = NULL;
         (step = plan_next_step(preview->plan, phase, step)) != NULL;) {
        if (step->steps != NULL || is_left_out(preview, step))
            continue;
        for (int at = 0; at < stage->count; at++) {
            if (node_has(step->hosts, stage->nodes[at].role->name))
                apply_step(stage, step, &stage->nodes[at]);
        }
        stage_replicate(stage);
    }
}

static bool stage_is(const struct stage *a, const struct stage *b)
{
    for (int at = 0; at < a->count; at++) {
        const struct node_state *left = &a->nodes[at], *right = &b->nodes[at];

        if (left->leads != right->leads || left->follows != right->follows ||
            left->is_down != right->is_down || left->is_paused != right->is_paused ||
            left->has_deployment != right->has_deployment)
            return false;
    }
    return a->is_maintenance == b->is_maintenance;
}

static void append_stage(const struct stage *stage, int number, const char *title, struct text *out)
{
    const char *lines[] = {title, "maintenance mode"};

    text_append_format(out, "  subgraph s%d [", number);
    markup_mermaid(out, lines, stage->is_maintenance ? 2 : 1);
    text_append(out, "]\n    direction TB\n");
    for (int at = 0; at < stage->count; at++) {
        const struct node_state *node = &stage->nodes[at];
        const char *words[] = {
            node->role->name,
            node->is_down     ? "stopped"
            : node->leads     ? "leads"
            : node->is_paused ? "replay is paused"
                              : "follows",
            node->has_deployment ? "with the deployment" : "as before the deployment",
        };

        text_append_format(out, "    s%dn%d[", number, at);
        markup_mermaid(out, words, ARRAY_COUNT(words));
        text_append_format(out, "]:::%s\n", node->has_deployment ? "deployed" : "before");
    }
    for (int at = 0; at < stage->count; at++) {
        const struct node_state *node = &stage->nodes[at];

        if (node->follows >= 0 && !node->is_down)
            text_append_format(out, "    s%dn%d %s s%dn%d\n", number, node->follows,
                               node->is_paused ? "-. not replayed .->" : "-->", number, at);
    }
    text_append(out, "  end\n");
}

static bool has_paused(const struct stage *stage)
{
    for (int at = 0; at < stage->count; at++) {
        if (stage->nodes[at].is_paused)
            return true;
    }
    return false;
}

void preview_picture(const struct preview *preview, struct text *out)
{
    const struct plan *plan = preview->plan;
    struct stage before, deployed, committed, rolled_back;

    stage_begin(plan, &before);
    deployed = before;
    stage_run(preview, PHASE_DEPLOY, &deployed);
    committed = rolled_back = deployed;
    stage_run(preview, PHASE_COMMIT, &committed);
    stage_run(preview, PHASE_ROLLBACK, &rolled_back);
    if (before.count == 0 || (stage_is(&before, &deployed) && stage_is(&before, &committed) &&
                              stage_is(&before, &rolled_back)))
        return;
    text_append(out, "```mermaid\nflowchart LR\n");
    append_stage(&before, 0, "before", out);
    append_stage(&deployed, 1, has_paused(&deployed) ? "deployed, and held" : "deployed", out);
    text_append(out, "  s0 ==>|deploy| s1\n");
    if (plan->has_phase[PHASE_COMMIT]) {
        append_stage(&committed, 2, "committed", out);
        text_append(out, "  s1 ==>|commit| s2\n");
    }
    if (plan->has_phase[PHASE_ROLLBACK]) {
        append_stage(&rolled_back, 3, "rolled back", out);
        text_append(out, "  s1 ==>|rollback| s3\n");
    }
    text_append(out,
                "  classDef before fill:#d6e9ff,stroke:#36c,color:#000\n"
                "  classDef deployed fill:#ffe1b3,stroke:#c60,color:#000\n"
                "```\n\n"
                "Drawn from the plan's roles and steps; what a shell text does is not in it.\n\n");
}
