/*
 * Further ways to find a value in a scope (value.h), for what expands and checks texts.
 */
#ifndef PLAN_SCOPE_H
#define PLAN_SCOPE_H

#include "base/table.h"
#include "plan/value.h"

const struct value *scope_find_bytes(const struct scope *scope, const char *host, const char *name,
                                     size_t length);

/* By the name's spelling in a shell. */
const struct value *scope_find_shell(const struct scope *scope, const char *host,
                                     const char *shell_name, size_t length);

/* Dots and hyphens become underscores. */
const char *shell_spelling(struct arena *arena, const char *name);

#endif
