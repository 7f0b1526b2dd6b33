/*
 * What --version prints: ours, and those of the libraries that are really loaded.
 */
#ifndef CLI_VERSIONS_H
#define CLI_VERSIONS_H

#include "base/text.h"

void versions_append(struct text *text);

#endif
