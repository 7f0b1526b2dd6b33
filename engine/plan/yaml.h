/*
 * Reads one YAML document into nodes (libyaml's event interface). Everything that could make a
 * reviewer and a program see different things is refused with its place: anchors, aliases, tags,
 * directives, a second document, duplicate and non-text keys, merge keys, NUL, control and
 * bidirectional characters, anything but UTF-8, more than YAML_LARGEST bytes, YAML_DEEPEST levels
 * or YAML_MOST_VALUES values.
 *
 * A value that is not written ("key:" and nothing behind it) is NODE_NULL; everything else that is
 * no list or map is NODE_TEXT, and `is_plain` tells true from "true".
 */
#ifndef PLAN_YAML_H
#define PLAN_YAML_H

#include "plan/findings.h"

enum {
    YAML_LARGEST = 4 * 1024 * 1024,
    YAML_DEEPEST = 32,
    YAML_MOST_VALUES = 1000000,
};

/* NULL if the document cannot be read at all; findings say why. FILE names it in places. */
const struct node *yaml_parse(struct arena *arena, const char *file, const char *bytes,
                              size_t length, struct findings *findings);

/* The version of libyaml that is loaded. */
const char *yaml_library(void);

#endif
