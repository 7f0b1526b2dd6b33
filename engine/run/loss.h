/*
 * What a rollback to the mark would undo: the loss report. It is read from the WAL since the mark,
 * which pg_waldump prints on a host and a program there adds up (loss_program.c), and from the
 * catalogs of the leader and of the held standby, which still has those of the mark.
 *
 * The mark is what a step of the plan saved: point_lsn (without it there is no report) and
 * timeline; point, xid and insert_lsn are used where they are there. The standby that is held has
 * the role "held".
 *
 * Rows are counted as WAL has them: of committed transactions, without those that a savepoint took
 * back, in partitions as rows of the whole table, and without what a rewrite of a table copies.
 */
#ifndef RUN_LOSS_H
#define RUN_LOSS_H

#include "run/run.h"

/* A relation or another object, as one of the two sides has it. Rows of loss_catalog_query. */
struct loss_object {
    const char *database, *database_name; /* oid; "shop" */
    const char *type, *name;              /* "table", "public.t" */
    const char *oid;
    const char *file;   /* filenode; "" where there is none */
    const char *parent; /* oid of what it belongs to: its table, a partition's root; "0": nothing */
    const char *version; /* differs after every change of its definition */
    const char *rows;    /* about so many, as the planner believes; "-1": not known */
    const struct loss_object *next;
};

struct loss_table {
    const char *database, *name;
    const char *oid;
    int64_t inserted, updated, deleted;
    bool is_listed;
    struct loss_table *next;
};

struct loss_change {
    const char *database, *what, *type, *name, *note; /* what: "dropped"; note NULL: nothing */
    struct loss_change *next;
};

struct loss_transaction {
    const char *xid, *at; /* at: "2026-11-23 02:01:03.235688", UTC */
    int64_t rows, wal_bytes;
    struct loss_transaction *next;
};

struct loss_slot {
    const char *name, *database, *plugin, *confirmed, *subscriber; /* subscriber "": nobody now */
    bool is_ahead;
    struct loss_slot *next;
};

struct loss {
    struct arena *arena;
    const char *database; /* that steps use: names in others are told with their database */
    const char *run, *mark, *marked_at, *timeline;
    const char *source;     /* "leader (pg1)": whose WAL was read */
    const char *until;      /* the position that it was read to; NULL: it was not */
    bool is_at_least;       /* there is more than was read */
    int64_t commits, empty; /* empty: changed no row and no object */
    int64_t open_at_mark;   /* of commits: had begun before the mark */
    const char *first, *last;
    struct loss_table *tables;
    int64_t unnamed_rows, unnamed_tables; /* came and went since the mark: no catalog knows them */
    struct loss_change *changes;
    size_t more_changes; /* that are not listed */
    bool are_changes_known;
    size_t sequences;
    struct loss_transaction *largest, *open; /* by bytes of WAL; by time of commit */
    struct loss_slot *slots;
    bool are_slots_known;
    struct loss_note {
        const char *words; /* a sentence */
        struct loss_note *next;
    } * notes; /* what could not be found out, and what else is to be known */

    /* While it is put together. */
    const struct loss_object *now, *then; /* of the leader and of the held standby */
    bool is_now_known, is_then_known;
    struct loss_file *files;
};

/* ---- loss.c ---- */

/* Of an open run. OUT lives in ARENA. ERROR_INPUT: the run is closed or has no mark. */
struct error *run_loss(struct arena *arena, const struct run_options *options, struct loss *out,
                       struct run_summary *summary);

/* ---- loss_program.c ---- */

/* Runs on a host, with /bin/sh; see its head for arguments, and for what it prints. */
extern const char loss_script[];
/* The program for awk that adds pg_waldump's lines up; the script's variable "program". */
extern const char loss_program[];

/*
 * ---- loss_catalog.c ----
 * What follows "WITH RECURSIVE wanted(is_first) AS (SELECT true), ": one row for each object of a
 * database, and, if is_first, for what belongs to the whole server.
 */
extern const char loss_catalog_query[];

/* ---- loss_read.c ---- */

void loss_note(struct loss *loss, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the program printed. now and then may be set later. */
void loss_read(struct loss *loss, const char *printed);

/* The databases that it told of ("5"), each once; NULL ends the list. */
const char *const *loss_databases(const struct loss *loss);

/* ---- loss_names.c ---- */

/* Gives names to what was read, and compares the two catalogs. */
void loss_add_up(struct loss *loss);

/* What the program tells of a filenode; loss_read.c to loss_names.c. */
struct loss_file {
    enum { LOSS_TABLE, LOSS_TRANSACTION, LOSS_OPEN, LOSS_STORAGE, LOSS_SEQUENCE, LOSS_BASE } kind;
    const char *words[10]; /* the line's fields */
    struct loss_file *next;
};

/* ---- loss_text.c ---- */

/* "18 commits since the mark, 3 tables, 5 objects; ...": for a journal and a log. */
const char *loss_summary(const struct loss *loss);

/* Lines without indentation; IS_SHORT: at most about twenty. */
void loss_append_text(struct text *text, const struct loss *loss, bool is_short);
void loss_append_json(struct text *text, const struct loss *loss);

#endif
