#include "plan/scope.h"

#include <pthread.h>
#include <string.h>

struct scope_entry {
    const char *host; /* NULL: everywhere */
    struct value value;
    struct scope_entry *next;
};

struct scope_name {
    const char *name;
    struct scope_entry *entries;
};

struct scope {
    struct arena *arena;
    struct table names;  /* name -> struct scope_name */
    struct table shells; /* the name as a shell spells it -> the same */
    pthread_rwlock_t *lock;
    const struct scope *below; /* or NULL */
};

struct scope *scope_new(struct arena *arena)
{
    struct scope *scope = arena_alloc(arena, sizeof *scope);

    scope->arena = arena;
    scope->lock = arena_alloc(arena, sizeof *scope->lock);
    (void)pthread_rwlock_init(scope->lock, NULL);
    table_init(&scope->names, arena);
    table_init(&scope->shells, arena);
    return scope;
}

struct scope *scope_above(struct arena *arena, const struct scope *below)
{
    struct scope *scope = scope_new(arena);

    scope->below = below;
    return scope;
}

const char *shell_spelling(struct arena *arena, const char *name)
{
    char *shell = arena_strdup(arena, name);

    for (char *at = shell; *at != '\0'; at++) {
        if (*at == '.' || *at == '-')
            *at = '_';
    }
    return shell;
}

static struct scope_name *name_add(struct scope *scope, const char *name)
{
    struct scope_name *known = table_find(&scope->names, name);

    if (known != NULL)
        return known;
    known = arena_alloc(scope->arena, sizeof *known);
    known->name = arena_strdup(scope->arena, name);
    *table_place(&scope->names, known->name) = known;

    void **shell = table_place(&scope->shells, shell_spelling(scope->arena, name));

    if (*shell == NULL)
        *shell = known;
    return known;
}

void scope_set(struct scope *scope, const char *host, const char *name, struct value value)
{
    (void)pthread_rwlock_wrlock(scope->lock);

    struct scope_name *known = name_add(scope, name);
    struct scope_entry *entry = arena_alloc(scope->arena, sizeof *entry);

    // In front of the one it replaces, which somebody may still be reading.
    entry->host = host == NULL ? NULL : arena_strdup(scope->arena, host);
    entry->value = value;
    entry->value.text = arena_strdup(scope->arena, value.text);
    entry->next = known->entries;
    known->entries = entry;
    (void)pthread_rwlock_unlock(scope->lock);
}

void scope_set_text(struct scope *scope, const char *host, const char *name, const char *text)
{
    scope_set(scope, host, name, (struct value){.type = VALUE_TEXT, .text = text});
}

static const struct value *name_value(const struct scope_name *name, const char *host)
{
    const struct value *everywhere = NULL;

    if (name == NULL)
        return NULL;
    for (const struct scope_entry *entry = name->entries; entry != NULL; entry = entry->next) {
        if (entry->host == NULL)
            everywhere = everywhere == NULL ? &entry->value : everywhere;
        else if (equal(entry->host, host))
            return &entry->value;
    }
    return everywhere;
}

static const struct value *find(const struct scope *scope, bool in_shell, const char *host,
                                const char *name, size_t length)
{
    const struct table *table = in_shell ? &scope->shells : &scope->names;

    (void)pthread_rwlock_rdlock(scope->lock);

    const struct value *value = name_value(table_find_bytes(table, name, length), host);

    (void)pthread_rwlock_unlock(scope->lock);
    return value != NULL || scope->below == NULL ? value
                                                 : find(scope->below, in_shell, host, name, length);
}

const struct value *scope_find(const struct scope *scope, const char *host, const char *name)
{
    return find(scope, false, host, name, strlen(name));
}

const struct value *scope_find_bytes(const struct scope *scope, const char *host, const char *name,
                                     size_t length)
{
    return find(scope, false, host, name, length);
}

const struct value *scope_find_shell(const struct scope *scope, const char *host,
                                     const char *shell_name, size_t length)
{
    return find(scope, true, host, shell_name, length);
}
