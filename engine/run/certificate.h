/*
 * The certificate of a run that was committed or rolled back: what the cluster is now, asked of
 * every member by looking only, beside what the journal tells of the run.
 * schemas/certificate.schema.json describes it; whoever shows it shows what stands in that JSON and
 * nothing else.
 *
 * What could not be asked stands there as such. Nothing is written but the two files.
 */
#ifndef RUN_CERTIFICATE_H
#define RUN_CERTIFICATE_H

#include "run/run.h"

/* In the run's folder; the Markdown says the same. */
#define CERTIFICATE_JSON "certificate.json"
#define CERTIFICATE_MARKDOWN "certificate.md"

/*
 * Asks the hosts, and puts the certificate of a run that is closed by commit or rollback together.
 * *OUT is its node, *JSON its text. ERROR_INPUT: the run is none of these. A host that cannot be
 * reached is no error, a journal that is damaged or a plan that was altered is one.
 */
struct error *run_certify(struct arena *arena, const struct run_options *options,
                          struct run_summary *summary, const char **json, const struct node **out);

/* The one that was written when the run ended; *out NULL: there is none. */
struct error *certificate_read(struct arena *arena, const char *folder, const struct node **out);

/* Something that is another thing than when the certificate was written. */
struct certificate_change {
    const char *where; /* a host, or "" for the cluster */
    const char *what, *was, *is;
    bool is_failure; /* not what ordinary life does to a cluster */
    const struct certificate_change *next;
};

/* RECORDS: the first of the journal as it is now. */
const struct certificate_change *certificate_compare(struct arena *arena,
                                                     const struct record *records,
                                                     const struct node *was, const struct node *is);

#endif
