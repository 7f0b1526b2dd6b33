/* What the files of the certificate share: what was asked of whom, and what it adds up to. */
#ifndef RUN_CERTIFICATE_INSIDE_H
#define RUN_CERTIFICATE_INSIDE_H

#include "run/certificate.h"
#include "run/command.h"

#include "host/postgres.h"

/* Exactly one of value and why is set. */
struct fact {
    const char *name;
    const char *value; /* "none": there is no such thing on this member */
    const char *why;   /* why it could not be asked */
    bool has_changed;  /* it was asked more than once, and said something else */
    struct fact *next;
};

struct member {
    const struct host_settings *host;
    bool is_lost;        /* the host did not answer: nothing more is asked of it */
    struct fact *facts;  /* in the order that they were asked */
    const char *history; /* the history file of its timeline; "" on timeline 1; NULL: not known */
    const struct node *config; /* Patroni's configuration in the DCS, or NULL */
    const char *const *databases;
    size_t database_count;
    const char *wanted_lsn; /* what it must have replayed before it is compared */
    const char *run;
};

enum proof_result { PROOF_PROVEN, PROOF_FAILED, PROOF_OPEN, PROOF_NOT_MEANT };

struct proof {
    const char *id, *about, *words;
    enum proof_result result;
};

enum { PROOFS_MOST = 24 };

struct certificate {
    struct run *run;
    struct member *members;
    size_t count;
    struct member *leader; /* the only one that is not in recovery, or NULL */
    const char *lsn;       /* of the leader: what the others must have replayed; or NULL */
    struct proof proofs[PROOFS_MOST];
    size_t proof_count;
};

/* ---- certificate_facts.c: for worker->function; worker->context is a struct member ---- */

void member_ask(struct worker *worker);

/* Read only, with a search_path of pg_catalog alone. */
struct error *member_connect(struct worker *worker, const char *database, int64_t timeout_ms,
                             struct postgres **out);

/* What is not known yet of NAMES could not be asked because of ERROR. */
void facts_miss(struct worker *worker, const char *const *names, size_t count,
                const struct error *error);

void fact_set(struct arena *arena, struct member *member, const char *name, const char *value);
void fact_miss(struct arena *arena, struct member *member, const char *name, const char *why);
const struct fact *fact_find(const struct member *member, const char *name);
const char *fact_value(const struct member *member, const char *name); /* NULL: not known */

/* ---- certificate_catalogs.c: what is compared once all have replayed the same ---- */

void member_ask_lsn(struct worker *worker); /* of the leader: sets wanted_lsn */
void member_ask_catalogs(struct worker *worker);

/* ---- certificate_sql.c ---- */

extern const char certificate_server_sql[], certificate_archive_sql[], certificate_catalog_sql[];
extern const char certificate_globals_sql[], certificate_sample_sql[];

/* ---- certificate_proofs.c ---- */

void certificate_prove(struct certificate *certificate);
void prove(struct certificate *certificate, const char *id, const char *about,
           enum proof_result result, const char *words);

/*
 * Do all members say the same? PROOF_OPEN: those who could be asked do. *WORDS: who says what.
 */
enum proof_result facts_agree(const struct certificate *certificate, const char *name,
                              const char **words);

/* Do all say WANTED? PROOF_FAILED where one says something else. */
enum proof_result all_say(const struct certificate *certificate, const char *name,
                          const char *wanted);

/* "pg1: 2, pg2: could not be asked (why)" */
const char *who_says_what(const struct certificate *certificate, const char *name);

/* The value that a step of the run saved under NAME, or NULL. */
const char *certificate_saved(const struct certificate *certificate, const char *name);

bool lsn_read(const char *text, uint64_t *out);

/* ---- certificate_service.c ---- */

/* That it works: writes, archive, configuration, and that nothing was left. */
void prove_service(struct certificate *certificate);

/* NODE as JSON with the keys of its maps in order: its SHA-256, in ARENA. */
const char *config_digest(struct arena *arena, const struct node *node);

/* ---- certificate_journal.c: what the journal tells, as members of the JSON ---- */

void certificate_append_journal(const struct certificate *certificate, struct text *out);
struct error *certificate_append_inputs(const struct certificate *certificate, struct text *out);

#endif
