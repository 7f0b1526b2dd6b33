/* Asking one member, in its host's thread. Nothing of it changes anything. */
#include "run/certificate_inside.h"

#include "host/postgres.h"

#include <string.h>

enum {
    ASK_MS = 10000,
};

const struct fact *fact_find(const struct member *member, const char *name)
{
    const struct fact *fact = member->facts;

    while (fact != NULL && !equal(fact->name, name))
        fact = fact->next;
    return fact;
}

const char *fact_value(const struct member *member, const char *name)
{
    const struct fact *fact = fact_find(member, name);

    return fact == NULL ? NULL : fact->value;
}

static void fact_put(struct arena *arena, struct member *member, const char *name,
                     const char *value, const char *why)
{
    struct fact **at = &member->facts;

    while (*at != NULL && !equal((*at)->name, name))
        at = &(*at)->next;
    if (*at == NULL) {
        *at = arena_alloc(arena, sizeof **at);
        (*at)->name = arena_strdup(arena, name);
    }
    if ((*at)->value != NULL && value != NULL && !equal((*at)->value, value))
        (*at)->has_changed = true;
    (*at)->value = value == NULL ? NULL : arena_strdup(arena, value);
    (*at)->why = why == NULL ? NULL : arena_strdup(arena, why);
}

void fact_set(struct arena *arena, struct member *member, const char *name, const char *value)
{
    fact_put(arena, member, name, value == NULL || *value == '\0' ? "none" : value, NULL);
}

void fact_miss(struct arena *arena, struct member *member, const char *name, const char *why)
{
    fact_put(arena, member, name, NULL, why);
}

void facts_miss(struct worker *worker, const char *const *names, size_t count,
                const struct error *error)
{
    struct member *member = worker->context;

    for (size_t at = 0; at < count; at++) {
        if (fact_find(member, names[at]) == NULL)
            fact_miss(&worker->arena, member, names[at], error_text(&worker->arena, error));
    }
}

/* ---- Patroni ---- */

static void ask_patroni(struct worker *worker)
{
    static const char *const names[] = {"patroni_role", "patroni_state", "patroni_version",
                                        "maintenance", "dcs_config"};
    struct arena *arena = &worker->arena;
    struct member *member = worker->context;
    struct patroni_status status = {0};
    struct patroni_answer answer = {0};
    enum patroni_reach reach;
    struct error *error = patroni_read_status(worker->host, arena, worker->target,
                                              clock_ms() + ASK_MS, NULL, &status);

    if (error == NULL) {
        fact_set(arena, member, "patroni_role", status.role);
        fact_set(arena, member, "patroni_state", status.state);
        fact_set(arena, member, "patroni_version", status.version);
        fact_set(arena, member, "maintenance", status.is_maintenance ? "on" : "off");
        error = patroni_request(worker->host, arena, worker->target, "GET", "/config", NULL,
                                clock_ms() + ASK_MS, &reach, &answer);
    }
    if (error == NULL && answer.body == NULL)
        error = error_new(arena, ERROR_FAILED, "Patroni did not tell its configuration%s%s",
                          answer.why == NULL ? "" : ": ", answer.why == NULL ? "" : answer.why);
    if (error == NULL) {
        member->config = answer.body;
        fact_set(arena, member, "dcs_config", config_digest(arena, answer.body));
    }
    facts_miss(worker, names, ARRAY_COUNT(names), error);
}

/* ---- files ---- */

/* Digests come from the host: what stands in these files may be secret. */
static const char files_script[] =
    "digest() {\n"
    "  [ -n \"$2\" ] || { echo \"$1 none\"; return 0; }\n"
    "  [ -e \"$2\" ] || { echo \"$1 absent\"; return 0; }\n"
    "  sum=$(sha256sum <\"$2\") || { echo \"$1 unreadable\"; return 0; }\n"
    "  echo \"$1 ${sum%% *}\"\n"
    "}\n"
    "digest auto_conf \"${1:+$1/postgresql.auto.conf}\"\n"
    "digest patroni_config \"$2\"\n"
    "for name in recovery.signal recovery.conf backup_label; do\n"
    "  [ -z \"$1\" ] || [ ! -e \"$1/$name\" ] || echo \"found $name\"\n"
    "done\n";

static void take_line(struct worker *worker, struct text *found, char *line)
{
    struct member *member = worker->context;
    char *space = strchr(line, ' ');

    if (space == NULL)
        return;
    *space = '\0';
    if (equal(line, "found"))
        text_append_format(found, "%s%s", found->length == 0 ? "" : ", ", space + 1);
    else if (equal(space + 1, "unreadable"))
        fact_miss(&worker->arena, member, line, "the file cannot be read");
    else
        fact_set(&worker->arena, member, line, space + 1);
}

static void ask_files(struct worker *worker)
{
    static const char *const names[] = {"auto_conf", "patroni_config", "recovery_files"};
    CLEANUP(shell_result_release) struct shell_result result = {0};
    CLEANUP(text_release) struct text found = {0};
    const struct host_settings *settings = worker->target;
    const char *data = settings->postgres.data_directory, *config = settings->patroni.config;
    const char *arguments[] = {data == NULL ? "" : data, config == NULL ? "" : config, NULL};
    const struct shell_request request = {.user = settings->postgres.os_user,
                                          .script = files_script,
                                          .arguments = arguments,
                                          .deadline_ms = clock_ms() + ASK_MS};
    struct error *error = host_shell(worker->host, &worker->arena, &request, &result);

    if (error == NULL && result.status != 0)
        error =
            error_new(&worker->arena, ERROR_FAILED, "the shell said: %s", text_string(&result.err));
    if (error == NULL) {
        char *rest = NULL, *text = text_copy(&result.out, &worker->arena);

        for (char *line = strtok_r(text, "\n", &rest); line != NULL;
             line = strtok_r(NULL, "\n", &rest))
            take_line(worker, &found, line);
        fact_set(&worker->arena, worker->context, "recovery_files", text_string(&found));
    }
    facts_miss(worker, names, ARRAY_COUNT(names), error);
}

/* Whether the run's folders are gone, of every user that it may have acted as. */
static void ask_folders(struct worker *worker)
{
    CLEANUP(text_release) struct text left = {0};
    struct arena *arena = &worker->arena;
    struct member *member = worker->context;
    struct users users = users_of(arena, worker->run, worker->target->name);
    const char *arguments[] = {member->run, NULL};
    struct error *error = NULL;

    for (size_t at = 0; error == NULL && at < users.count; at++) {
        CLEANUP(shell_result_release) struct shell_result result = {0};
        const struct shell_request request = {.user = users.names[at],
                                              .script = "[ ! -e \"$HOME/.holdback/$1\" ]",
                                              .arguments = arguments,
                                              .deadline_ms = clock_ms() + ASK_MS};

        error = host_shell(worker->host, arena, &request, &result);
        if (error == NULL && result.status != 0)
            text_append_format(&left, "%sleft for %s", left.length == 0 ? "" : ", ",
                               users.names[at] == NULL ? "the ssh user" : users.names[at]);
    }
    if (error != NULL)
        fact_miss(arena, member, "run_folder", error_text(arena, error));
    else
        fact_set(arena, member, "run_folder", left.length == 0 ? "gone" : text_string(&left));
}

/* ---- the server ---- */

struct error *member_connect(struct worker *worker, const char *database, int64_t timeout_ms,
                             struct postgres **out)
{
    static const struct shell_environment settings[] = {{"search_path", "pg_catalog"}};
    const struct member *member = worker->context;
    const struct postgres_request request = {
        .application = arena_printf(&worker->arena, "holdback %s certificate", member->run),
        .database = database,
        .read_only = true,
        .settings = settings,
        .setting_count = ARRAY_COUNT(settings),
        .deadline_ms = clock_ms() + timeout_ms};

    return postgres_open(worker->host, &worker->arena, &request, out);
}

static struct error *ask(struct worker *worker, struct postgres *server, const char *sql,
                         int64_t timeout_ms, struct postgres_result *out)
{
    return postgres_execute(server, &worker->arena, sql, clock_ms() + timeout_ms, out, NULL);
}

/* One row, a fact for each column. */
static void ask_row(struct worker *worker, struct postgres *server, const char *sql,
                    const char *const *names, size_t count)
{
    struct postgres_result result = {0};
    struct error *error = ask(worker, server, sql, ASK_MS, &result);

    for (size_t at = 0; error == NULL && result.rows == 1 && at < result.columns; at++)
        fact_set(&worker->arena, worker->context, result.names[at], result.values[at]);
    if (error == NULL && result.rows != 1)
        error = error_new(&worker->arena, ERROR_FAILED, "the server told no row");
    facts_miss(worker, names, count, error);
}

static void ask_history(struct worker *worker, struct postgres *server)
{
    static const char *const names[] = {"history"};
    struct member *member = worker->context;
    const char *timeline = fact_value(member, "timeline");
    struct postgres_result result = {0};
    char digest[DIGEST_SIZE];
    struct error *error = NULL;

    if (timeline == NULL)
        error = error_new(&worker->arena, ERROR_FAILED, "the timeline is not known");
    else if (equal(timeline, "1"))
        member->history = "";
    else
        error = ask(worker, server,
                    arena_printf(&worker->arena,
                                 "SELECT pg_read_file('pg_wal/' || lpad(upper(to_hex(%s)), 8, '0') "
                                 "|| '.history', 0, 1048576, true)",
                                 timeline),
                    ASK_MS, &result);
    if (error == NULL && member->history == NULL && (result.rows != 1 || result.values[0] == NULL))
        error = error_new(&worker->arena, ERROR_FAILED, "the history file of timeline %s is absent",
                          timeline);
    if (error == NULL && member->history == NULL)
        member->history = result.values[0];
    if (error == NULL) {
        sha256_hex(member->history, strlen(member->history), digest);
        fact_set(&worker->arena, member, "history", *member->history == '\0' ? NULL : digest);
    }
    facts_miss(worker, names, ARRAY_COUNT(names), error);
}

static struct error *ask_databases(struct worker *worker, struct postgres *server)
{
    struct member *member = worker->context;
    struct postgres_result result = {0};
    struct error *error =
        ask(worker, server, "SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1", ASK_MS,
            &result);

    if (error == NULL) {
        member->databases = result.values;
        member->database_count = result.rows;
    }
    return error;
}

static const char *const server_facts[] = {
    "server_role",  "system_identifier", "server_version",     "timeline",       "received_tli",
    "receive_lsn",  "replay_lsn",        "write_lsn",          "replay_paused",  "streams_to",
    "archive_mode", "last_archived_wal", "last_archived_time", "archiver_fails", "history"};
enum { OF_SERVER = 10, OF_ARCHIVE = 4 };

static void ask_server(struct worker *worker)
{
    struct postgres *server = NULL;
    struct error *error = member_connect(worker, NULL, ASK_MS, &server);

    if (error == NULL) {
        ask_row(worker, server, certificate_server_sql, server_facts, OF_SERVER);
        ask_row(worker, server, certificate_archive_sql, server_facts + OF_SERVER, OF_ARCHIVE);
        ask_history(worker, server);
        error = ask_databases(worker, server);
    }
    postgres_close(server);
    facts_miss(worker, server_facts, ARRAY_COUNT(server_facts), error);
}

void member_ask(struct worker *worker)
{
    static const char *const others[] = {"patroni_role",   "patroni_state",  "patroni_version",
                                         "maintenance",    "dcs_config",     "auto_conf",
                                         "patroni_config", "recovery_files", "run_folder",
                                         "has_replayed",   "globals",        "markers"};
    struct member *member = worker->context;
    struct error *error = host_open(worker->host, &worker->arena, clock_ms() + ASK_MS);

    // Each question to a host that is gone would wait for it anew.
    if (error != NULL) {
        member->is_lost = true;
        facts_miss(worker, server_facts, ARRAY_COUNT(server_facts), error);
        facts_miss(worker, others, ARRAY_COUNT(others), error);
        return;
    }
    ask_server(worker);
    ask_patroni(worker);
    ask_files(worker);
    ask_folders(worker);
}
