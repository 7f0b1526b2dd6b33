/* patroni: the PostgreSQL server without Patroni, by pg_ctl as the database's own user. */
#include "patroni.h"

#include <string.h>

struct server {
    bool is_running;
    const char *state; /* "ready", "standby", "starting", "stopping", "stopped" */
};

/* Runs SCRIPT with $1 the data directory, $2 the programs' folder, then MORE. */
static struct error *run_script(struct work *work, bool is_change, const char *script,
                                const char *what, const char *const *more, const char **out)
{
    const struct host_settings *target = work->target;
    const char *arguments[8] = {target->postgres.data_directory, target->postgres.bin_directory};
    for (size_t i = 0; more != NULL && more[i] != NULL && i < 5; i++)
        arguments[2 + i] = more[i];
    if (arguments[0] == NULL || arguments[1] == NULL)
        return error_new(work->arena, ERROR_INPUT,
                         "the cluster file does not say \"postgres.%s\" of host \"%s\"",
                         arguments[0] == NULL ? "data-directory" : "bin-directory", target->name);
    struct shell_result result = {0};
    struct error *error =
        is_change ? work_change_script(work, target->postgres.os_user, script, arguments, &result)
                  : work_script(work, target->postgres.os_user, script, arguments, &result);
    if (error != NULL)
        return error;
    if (result.status != 0)
        error = error_new(work->arena, ERROR_FAILED, "could not %s PostgreSQL: %s", what,
                          work_status_text(work, &result));
    else if (out != NULL)
        *out = text_copy(&result.out, work->arena);
    shell_result_release(&result);
    return error;
}

/*
 * pg_ctl believes postmaster.pid alone; a server whose file was removed is found by its working
 * directory. Line 8 of the file is the postmaster's own state (from PostgreSQL 10).
 */
static const char look_script[] =
    "status=0\n"
    "said=$(LC_ALL=C \"$2/pg_ctl\" status -D \"$1\" 2>&1) || status=$?\n"
    "case $status in\n"
    "0)\n"
    "    state=$(sed -n '8s/ *$//p' \"$1/postmaster.pid\" 2>/dev/null || true)\n"
    "    echo \"${state:-ready}\" ;;\n"
    "3)\n"
    "    real=$(cd \"$1\" && pwd -P)\n"
    "    find /proc/[0-9]*/cwd -maxdepth 0 -lname \"$real\" 2>/dev/null |\n"
    "    while read -r path; do\n"
    "        case $(readlink \"${path%/cwd}/exe\" || true) in\n"
    "        */postgres | */postgres' (deleted)') echo stopping; break ;;\n"
    "        esac\n"
    "    done\n"
    "    ;;\n"
    "*) echo \"$said\" >&2; exit \"$status\" ;;\n"
    "esac\n";

static struct error *server_look(struct work *work, struct server *out)
{
    const char *said = "";
    struct error *error = run_script(work, false, look_script, "look at", NULL, &said);
    if (error != NULL)
        return error;
    const char *state = arena_copy(work->arena, said, strcspn(said, "\n"));
    out->is_running = state[0] != '\0';
    out->state = out->is_running ? state : "stopped";
    return NULL;
}

static struct error *look_postgres(struct work *work, const struct node *value, bool *is_so,
                                   const char **words)
{
    struct server server = {0};
    struct error *error = server_look(work, &server);
    if (error != NULL)
        return error;
    *is_so = equal(value->text, "started")
                 ? equal(server.state, "ready") || equal(server.state, "standby")
                 : !server.is_running;
    *words = !server.is_running ? "PostgreSQL is stopped"
             : equal(server.state, "ready")
                 ? "PostgreSQL is running"
                 : arena_printf(work->arena, "PostgreSQL is %s", server.state);
    if (!*is_so && !work->is_repeat)
        work_change(work, "PostgreSQL in \"%s\": %s -> %s", work->target->postgres.data_directory,
                    server.state, value->text);
    return NULL;
}

/*
 * The server must outlive this shell: a session of its own, and none of our descriptors. Its log
 * lies outside the data directory, or a copy of that would carry an old run's words along. The
 * command line that Patroni uses is not repeated: it would undo what the plan wrote into
 * postgresql.auto.conf (listen_addresses).
 */
static const char start_script[] =
    "options=\"-p $3\"\n"
    "if [ ! -e \"$1/postgresql.conf\" ]; then\n"
    "    config=$(sed -n 's/.*\"--config_file=\\([^\"]*\\)\".*/\\1/p' \"$1/postmaster.opts\")\n"
    "    options=\"$options -c config_file='$config'\"\n"
    "fi\n"
    "umask 077\n"
    "cd /\n"
    "if ! (\n"
    "    exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-\n"
    "    LC_ALL=C exec setsid -w \"$2/pg_ctl\" start -w -t \"$5\" -D \"$1\" -l \"$4\" \\\n"
    "        -o \"$options\" </dev/null >>\"$4\" 2>&1\n"
    "); then\n"
    "    tail -n 5 \"$4\" >&2\n"
    "    exit 1\n"
    "fi\n";

static const char stop_script[] =
    "LC_ALL=C exec \"$2/pg_ctl\" stop -D \"$1\" -m fast -w -t \"$3\" </dev/null\n";

/*
 * In maintenance mode Patroni gives the leader's key back when it sees its server stopped, which
 * may be a loop away: it is woken. It is asked before, because without its server it is slow to
 * answer.
 */
static struct error *stop(struct work *work, const char *seconds)
{
    enum patroni_reach reach;
    struct patroni_status status;
    struct error *error = patroni_status(work, work->target, &reach, &status);
    if (error == NULL)
        error = run_script(work, true, stop_script, "stop", (const char *[]){seconds, NULL}, NULL);
    if (error != NULL || status.body == NULL || !status.is_maintenance)
        return error;
    return patroni_poke(work, work->target);
}

static struct error *apply_postgres(struct work *work, const struct node *value,
                                    enum apply *outcome)
{
    int64_t left_s = (work->deadline_ms - clock_ms()) / 1000;
    const char *seconds = arena_printf(work->arena, "%lld", (long long)(left_s < 1 ? 1 : left_s));
    *outcome = APPLY_MAYBE;
    if (!equal(value->text, "started"))
        return stop(work, seconds);
    const char *log;
    struct error *error =
        before_path(work, arena_printf(work->arena, "%s.log", work->step->id), true, &log);
    if (error != NULL)
        return error;
    const char *port = arena_printf(work->arena, "%d", work->target->postgres.port);
    return run_script(work, true, start_script, "start", (const char *[]){port, log, seconds, NULL},
                      NULL);
}

const struct patroni_key patroni_postgres_key = {
    .name = "postgres",
    .look = look_postgres,
    .apply = apply_postgres,
};
