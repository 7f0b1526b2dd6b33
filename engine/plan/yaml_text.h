/*
 * The bytes of a YAML file, before and beside libyaml.
 */
#ifndef PLAN_YAML_TEXT_H
#define PLAN_YAML_TEXT_H

#include "plan/findings.h"

/*
 * Refuses what is not UTF-8, forbidden characters and directives; false if there are any. libyaml
 * needs seconds for a megabyte of %TAG lines and gives no event meanwhile, so it must not see them.
 * A text that goes on with "%" in the first column of a line is refused with them: it can be
 * indented.
 */
bool yaml_text_check(const char *file, const char *bytes, size_t length, struct findings *findings);

/*
 * What a person can do about libyaml's PROBLEM at *PLACE, or NULL. The place is moved to where the
 * mistake begins, if that is known.
 */
const char *yaml_text_hint(const char *bytes, size_t length, const char *problem,
                           struct place *place);

#endif
