#include "plan/checker.h"

#include <string.h>

static void role_build(struct role *role, const char *file, const struct node *node)
{
    const struct node *except = node_find(node, "except");

    *role = (struct role){
        .name = node->key,
        .patroni = node_text(node, "patroni"),
        .except = except != NULL && except->kind == NODE_LIST ? except : NULL,
        .one = node_bool(node, "one", false),
        .may_be_empty = node_bool(node, "may-be-empty", false),
        .place = node_key_place(file, node),
    };
}

bool role_is_one_host(const struct role *role)
{
    return role->one || equal(role->patroni, "leader");
}

bool roles_are_apart(const struct role *a, const struct role *b)
{
    bool a_leads = equal(a->patroni, "leader"), b_leads = equal(b->patroni, "leader");
    bool a_may_lead = a_leads || equal(a->patroni, "member");
    bool b_may_lead = b_leads || equal(b->patroni, "member");

    return node_has(a->except, b->name) || node_has(b->except, a->name) ||
           (a_leads && !b_may_lead) || (b_leads && !a_may_lead);
}

/* A depth-first walk over `except`: a role is put behind all that it leaves out. */
struct walk {
    struct checker *checker;
    const struct role *written; /* as in the file */
    struct role *sorted;
    size_t sorted_count;
    struct table indexes; /* name -> &written[index] */
    char *states;         /* by index */
    struct visit {
        size_t index;
        const struct node *next; /* of `except`, not looked at yet */
    } * stack;
    size_t depth;
};

enum { ROLE_NEW, ROLE_OPEN, ROLE_SORTED };

static void push(struct walk *walk, size_t index)
{
    const struct node *except = walk->written[index].except;

    walk->states[index] = ROLE_OPEN;
    walk->stack[walk->depth++] = (struct visit){index, except == NULL ? NULL : except->child};
}

static void follow(struct walk *walk, const struct role *role, const struct node *name)
{
    const struct role *other = name->text == NULL ? NULL : table_find(&walk->indexes, name->text);

    // That there is no such role is told with all other names.
    if (other == NULL)
        return;

    size_t index = (size_t)(other - walk->written);

    if (walk->states[index] == ROLE_OPEN)
        findings_add(walk->checker->findings, node_place(walk->checker->plan->file, name), NULL,
                     "role \"%s\" leaves out \"%s\", which leaves out \"%s\"", role->name,
                     other->name, role->name);
    else if (walk->states[index] == ROLE_NEW)
        push(walk, index);
}

static void sort_from(struct walk *walk, size_t index)
{
    if (walk->states[index] != ROLE_NEW)
        return;
    push(walk, index);
    while (walk->depth > 0) {
        struct visit *visit = &walk->stack[walk->depth - 1];
        const struct node *name = visit->next;

        if (name != NULL) {
            visit->next = name->next;
            follow(walk, &walk->written[visit->index], name);
            continue;
        }
        walk->states[visit->index] = ROLE_SORTED;
        walk->sorted[walk->sorted_count++] = walk->written[visit->index];
        walk->depth--;
    }
}

void roles_build(struct checker *checker)
{
    const struct node *roles = node_find(checker->root, "roles");
    size_t count = roles == NULL || roles->kind != NODE_MAP ? 0 : roles->count;
    struct role *written = arena_alloc(checker->arena, (count + 1) * sizeof *written);
    struct walk walk = {.checker = checker, .written = written};
    size_t index = 0;

    walk.sorted = arena_alloc(checker->arena, (count + 1) * sizeof *walk.sorted);
    walk.states = arena_alloc(checker->arena, count + 1);
    walk.stack = arena_alloc(checker->arena, (count + 1) * sizeof *walk.stack);
    table_init(&walk.indexes, checker->arena);
    for (const struct node *node = count == 0 ? NULL : roles->child; node != NULL;
         node = node->next) {
        words_add(checker->arena, &checker->roles, node->key);
        role_build(&written[index], checker->plan->file, node);
        *table_place(&walk.indexes, node->key) = &written[index++];
    }
    for (index = 0; index < count; index++)
        sort_from(&walk, index);
    checker->plan->roles = walk.sorted;
    checker->plan->role_count = count;
}
