/* What the programs that we start need not know. */
#include "base/secret.h"
#include "base/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    VARIABLES_MOST = 64, /* more are not left out */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *variables[VARIABLES_MOST] = {"PGPASSWORD"};
static size_t variable_count = 1;

static bool is_secret(const char *entry, size_t length)
{
    for (size_t at = 0; at < variable_count; at++) {
        if (strlen(variables[at]) == length && memcmp(variables[at], entry, length) == 0)
            return true;
    }
    return false;
}

void secret_variable_add(const char *name)
{
    (void)pthread_mutex_lock(&lock);
    if (variable_count < VARIABLES_MOST && !is_secret(name, strlen(name))) {
        variables[variable_count] = strdup(name);
        if (variables[variable_count] == NULL)
            out_of_memory();
        variable_count++;
    }
    (void)pthread_mutex_unlock(&lock);
}

char *const *secret_environment(struct arena *arena)
{
    size_t count = 0, kept = 0;

    while (environ[count] != NULL)
        count++;

    char **out = arena_alloc(arena, (count + 1) * sizeof *out);

    (void)pthread_mutex_lock(&lock);
    for (size_t at = 0; at < count; at++) {
        if (!is_secret(environ[at], strcspn(environ[at], "=")))
            out[kept++] = environ[at];
    }
    (void)pthread_mutex_unlock(&lock);
    out[kept] = NULL;
    return out;
}
