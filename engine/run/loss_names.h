/* What the two halves of naming share. Inside of this folder. */
#ifndef RUN_LOSS_NAMES_H
#define RUN_LOSS_NAMES_H

#include "base/table.h"
#include "run/loss.h"

struct names { /* while they are found */
    struct loss *loss;
    struct arena *arena;
    struct table now_files, then_files;     /* "database/filenode" -> object */
    struct table now_objects, then_objects; /* "database/type/oid" -> object */
    struct table now_oids, then_oids;       /* "database/oid" of relations -> object */
    struct table followers;                 /* file -> the file that took its place (a text) */
    struct table aliases;                   /* file -> the object that had it in between */
    struct table again;                     /* files that TRUNCATE and the like made */
    size_t change_count;
    struct table tables; /* "database/oid" -> struct loss_table */
};

/* "DATABASE/WHAT". */
const char *loss_key(const struct names *names, const struct loss_object *object, const char *what);

/* In the schema "holdback", or the schema itself. */
bool loss_is_ours(const struct names *names, const struct loss_object *object);

/* The words of TEXT, which blanks divide; returns how many. */
size_t loss_words(struct arena *arena, const char *text, const char ***out);

/* ---- loss_changes.c ---- */

/* Compares the catalogs. */
void loss_compare(struct names *names);

#endif
