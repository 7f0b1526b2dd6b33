/*
 * A real PostgreSQL for a test program: in a folder of its own, on a free port of 127.0.0.1, with
 * TLS, as user postgres if we are root. Users: postgres (trusted), tester (password "se'cret").
 */
#ifndef TEST_DATABASE_H
#define TEST_DATABASE_H

#include "host/postgres.h"

#include "server.h"

#include <grp.h>

struct database {
    char folder[64];
    int port;
    pid_t pid;
};

/* Starts TEXT with /bin/sh in the folder, as user postgres or as we are if we are not root. */
static inline pid_t database_spawn(const struct database *database, const char *text)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;

    const struct passwd *user = getpwnam("postgres");
    int log;

    if (geteuid() == 0 && (user == NULL || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 ||
                           setuid(user->pw_uid) != 0))
        _exit(99);
    if (chdir(database->folder) != 0 ||
        (log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600)) < 0)
        _exit(98);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    execl("/bin/sh", "sh", "-euc", text, (char *)NULL);
    _exit(97);
}

#define DATABASE_PATH "PATH=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1):$PATH\n"

static const char database_setup[] = DATABASE_PATH
    "initdb -D data -U postgres -A trust -E UTF8 --no-locale --no-sync >/dev/null\n"
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=t"
    " -addext subjectAltName=IP:127.0.0.1 -keyout data/server.key -out data/server.crt\n"
    "chmod 600 data/server.key; cp data/server.crt ca.crt\n"
    "cat >data/pg_hba.conf <<END\n"
    "local all all peer\n"
    "host all postgres 127.0.0.1/32 trust\n"
    "host all tester 127.0.0.1/32 scram-sha-256\n"
    "END\n"
    "printf '%s\\n' \"CREATE ROLE tester LOGIN PASSWORD 'se''cret'\" 'CREATE ROLE reader' |\n"
    "    postgres --single -D data -c log_min_messages=fatal postgres >/dev/null\n";

static const char database_command[] = DATABASE_PATH
    "exec postgres -D data -p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=\"$PWD\""
    " -c fsync=off -c ssl=on -c max_connections=20 -c shared_buffers=4MB -c autovacuum=off\n";

/* Does not wait until it answers. False if it cannot be made; why is in the folder's log. */
static inline bool database_start(struct database *database)
{
    const struct passwd *user = getpwnam("postgres");
    char command[512];
    int status = -1;

    strcpy(database->folder, "/tmp/holdback-database-XXXXXX");
    database->port = free_port();
    if (mkdtemp(database->folder) == NULL)
        return false;
    if (geteuid() == 0 &&
        (user == NULL || chown(database->folder, user->pw_uid, user->pw_gid) != 0))
        return false;
    if (waitpid(database_spawn(database, database_setup), &status, 0) < 0 || status != 0)
        return false;
    (void)snprintf(command, sizeof command, database_command, database->port);
    database->pid = database_spawn(database, command);
    return database->pid > 0;
}

static inline void database_stop(struct database *database)
{
    char command[128];

    if (database->pid > 0) {
        (void)kill(database->pid, SIGQUIT);
        (void)waitpid(database->pid, NULL, 0);
    }
    (void)snprintf(command, sizeof command, "rm -rf %s", database->folder);
    (void)!system(command);
}

/* One for each test program. */
static struct database database;

struct fixture {
    struct arena arena;
    struct host_settings settings;
    struct host *host;
    struct postgres *postgres;
    int stop[2];
};

static inline struct postgres_request request_of(int64_t timeout_ms)
{
    return (struct postgres_request){.application = "holdback test",
                                     .deadline_ms = clock_ms() + timeout_ms};
}

static inline int fixture_make(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    assert_int_equal(pipe(fixture->stop), 0);
    fixture->settings = (struct host_settings){
        .name = "pg1",
        .address = "127.0.0.1",
        .member = "pg1",
        .postgres = {.reach = "direct",
                     .os_user = "postgres",
                     .socket_directory = database.folder,
                     .port = database.port,
                     .user = "postgres",
                     .database = "postgres",
                     .sslmode = "disable"},
    };
    fixture->host = host_new(&fixture->settings, fixture->stop[0]);
    *state = fixture;
    return 0;
}

static inline int fixture_drop(void **state)
{
    struct fixture *fixture = *state;

    postgres_close(fixture->postgres);
    host_free(fixture->host);
    (void)close(fixture->stop[0]);
    (void)close(fixture->stop[1]);
    arena_release(&fixture->arena);
    free(fixture);
    return 0;
}

static inline void open_with(struct fixture *fixture, const struct postgres_request *request)
{
    struct error *error =
        postgres_open(fixture->host, &fixture->arena, request, &fixture->postgres);

    if (error != NULL)
        fail_msg("%s", error_text(&fixture->arena, error));
}

static inline void open_plainly(struct fixture *fixture)
{
    struct postgres_request request = request_of(10000);

    open_with(fixture, &request);
}

static inline struct error *execute(struct fixture *fixture, const char *text, int64_t timeout_ms,
                                    struct postgres_result *result,
                                    struct postgres_failure *failure)
{
    return postgres_execute(fixture->postgres, &fixture->arena, text, clock_ms() + timeout_ms,
                            result, failure);
}

/* The only value of TEXT's result. */
static inline const char *value(struct fixture *fixture, const char *text)
{
    struct postgres_result result;
    struct error *error = execute(fixture, text, 10000, &result, NULL);

    if (error != NULL)
        fail_msg("%s", error_text(&fixture->arena, error));
    assert_int_equal(result.rows, 1);
    assert_int_equal(result.columns, 1);
    return result.values[0];
}

static inline struct error *refusal(struct fixture *fixture)
{
    struct postgres_request request = request_of(10000);
    struct error *error =
        postgres_open(fixture->host, &fixture->arena, &request, &fixture->postgres);

    assert_non_null(error);
    return error;
}

static inline int database_make(void **state)
{
    const struct host_settings settings = {.name = "pg1",
                                           .address = "127.0.0.1",
                                           .postgres = {.reach = "direct",
                                                        .port = 0,
                                                        .user = "postgres",
                                                        .database = "postgres",
                                                        .sslmode = "disable"}};
    struct host_settings own = settings;
    struct arena arena = {0};
    struct postgres_result result;
    int64_t deadline_ms = clock_ms() + 20000;
    struct error *error;

    (void)state;
    if (!database_start(&database))
        return -1;
    own.postgres.port = database.port;

    struct host *host = host_new(&own, -1);
    struct postgres_request request = {.deadline_ms = deadline_ms};

    do {
        (void)poll(NULL, 0, 10);
        error = postgres_ask(host, &arena, &request, "SELECT 1", &result);
    } while (error != NULL && clock_ms() < deadline_ms);
    host_free(host);
    arena_release(&arena);
    return error == NULL ? 0 : -1;
}

static inline int database_drop(void **state)
{
    (void)state;
    database_stop(&database);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_make, fixture_drop)

#endif
