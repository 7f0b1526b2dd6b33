/* What an SQL text does to replay, marks and recovery, told from the names that it uses. */
#include "plan/facts.h"
#include "plan/sqllex.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    enum effect effect;
} words[] = {
    {"pg_create_restore_point", EFFECT_MARKED_POINT},
    {"pg_current_wal_flush_lsn", EFFECT_MARKED_LSN},
    {"pg_current_wal_insert_lsn", EFFECT_MARKED_LSN},
    {"pg_current_wal_lsn", EFFECT_MARKED_LSN},
    {"pg_current_xact_id", EFFECT_MARKED_XID},
    {"pg_current_xlog_insert_location", EFFECT_MARKED_LSN},
    {"pg_current_xlog_location", EFFECT_MARKED_LSN},
    {"pg_get_wal_replay_pause_state", EFFECT_REPLAY_ASKED},
    {"pg_is_in_recovery", EFFECT_LEADER_LOOKED_FOR},
    {"pg_is_wal_replay_paused", EFFECT_REPLAY_ASKED},
    {"pg_is_xlog_replay_paused", EFFECT_REPLAY_ASKED},
    {"pg_last_wal_receive_lsn", EFFECT_MARK_LOOKED_FOR},
    {"pg_last_wal_replay_lsn", EFFECT_REPLAY_AWAITED},
    {"pg_last_xlog_receive_location", EFFECT_MARK_LOOKED_FOR},
    {"pg_last_xlog_replay_location", EFFECT_REPLAY_AWAITED},
    {"pg_promote", EFFECT_PROMOTED},
    {"pg_sleep", EFFECT_WAITED},
    {"pg_wal_replay_pause", EFFECT_REPLAY_PAUSED},
    {"pg_wal_replay_resume", EFFECT_REPLAY_RESUMED},
    {"pg_xlog_replay_pause", EFFECT_REPLAY_PAUSED},
    {"pg_xlog_replay_resume", EFFECT_REPLAY_RESUMED},
    {"txid_current", EFFECT_MARKED_XID},
};

/* Renamed in version 10: https://www.postgresql.org/docs/10/release-10.html */
static bool is_old_name(const char *word, size_t length)
{
    static const char *const starts[] = {"pg_xlog_",    "pg_current_xlog_", "pg_last_xlog_",
                                         "pg_is_xlog_", "pg_switch_xlog",   "pg_xlogfile_name"};
    static const char *const columns[] = {"sent_location", "write_location", "flush_location",
                                          "replay_location"};

    for (size_t at = 0; at < ARRAY_COUNT(starts); at++) {
        size_t size = strlen(starts[at]);

        if (length >= size && strncasecmp(word, starts[at], size) == 0)
            return true;
    }
    for (size_t at = 0; at < ARRAY_COUNT(columns); at++) {
        if (length == strlen(columns[at]) && strncasecmp(word, columns[at], length) == 0)
            return true;
    }
    return false;
}

/* What only looks does none of the rest, even where it names it. */
static bool is_a_look(enum effect effect)
{
    return effect == EFFECT_REPLAY_ASKED || effect == EFFECT_REPLAY_AWAITED ||
           effect == EFFECT_MARK_LOOKED_FOR || effect == EFFECT_LEADER_LOOKED_FOR ||
           effect == EFFECT_OLD_NAME || effect == EFFECT_WAITED;
}

/* Only sleeping in a text that looks is a fact: a job may wait. */
static struct fact *add(struct facts *facts, const struct fact_text *text, enum effect effect,
                        size_t offset, size_t length)
{
    size_t before = facts->count;

    if (text->only_looks ? !is_a_look(effect) : effect == EFFECT_WAITED)
        return NULL;

    struct fact *fact = facts_add(facts, effect, text->step);

    if (facts->count > before) {
        fact->node = text->node;
        fact->offset = offset;
        fact->length = length;
    }
    return fact;
}

void facts_add_word(struct facts *facts, const struct fact_text *text, const char *word,
                    size_t length, size_t offset)
{
    for (size_t at = 0; at < ARRAY_COUNT(words); at++) {
        if (length != strlen(words[at].name) || strncasecmp(word, words[at].name, length) != 0)
            continue;

        struct fact *fact = add(facts, text, words[at].effect, offset, length);

        if (fact != NULL && step_is_for(text->step, text->range, 14))
            fact->is_for_14 = true;
    }
    if (is_old_name(word, length) && step_is_for(text->step, text->range, 10))
        (void)add(facts, text, EFFECT_OLD_NAME, offset, length);
}

/* ALTER SYSTEM writes to postgresql.auto.conf. */
static void alter_system(struct facts *facts, const struct fact_text *text,
                         const struct sql_token *token, size_t offset)
{
    static const char start[] = "recovery_target_";

    if (token->length <= strlen(start) || strncasecmp(token->text, start, strlen(start)) != 0)
        return;

    struct fact *fact = add(facts, text, EFFECT_TARGET, offset, token->length);

    if (fact != NULL)
        fact->settings = text->node;
}

void facts_add_sql(struct facts *facts, const struct fact_text *text)
{
    const char *sql = text->node->text;
    struct sql_lexer lexer = {.at = sql};
    struct sql_token token;

    // Every name that is looked for has one.
    if (strchr(sql, '_') == NULL)
        return;

    bool is_system = strcasestr(sql, "alter system") != NULL;

    while ((token = sql_token_next(&lexer)).kind != SQL_END) {
        if (token.kind != SQL_WORD)
            continue;
        facts_add_word(facts, text, token.text, token.length, (size_t)(token.text - sql));
        if (is_system)
            alter_system(facts, text, &token, (size_t)(token.text - sql));
    }
}
