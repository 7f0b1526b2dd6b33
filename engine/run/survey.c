#include "run/survey.h"

#include "base/node.h"
#include "host/patroni.h"
#include "host/postgres.h"

#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_TIMEOUT_MS = 10000,
    ASK_TIMEOUT_MS = 60000,
    LOOK_TIMEOUT_MS = 10000,
    ANSWER_LARGEST = 4 * 1024 * 1024,
    TEXT_LONGEST = 4096,
};

/* A text of MAP that may stand in a file of ours and on a screen, or NULL. */
static const char *told_text(const struct node *map, const char *key)
{
    const struct node *node = node_find(map, key);
    uint32_t character;
    size_t size;

    if (node == NULL || node->kind == NODE_NULL || node->text == NULL || node->length == 0 ||
        node->length > TEXT_LONGEST)
        return NULL;
    for (size_t at = 0; at < node->length; at += size) {
        size = utf8_length(node->text + at, node->length - at, &character);
        if (size == 0 || character == '\n' || character == '\t' ||
            character_is_forbidden(character))
            return NULL;
    }
    return node->text;
}

static int told_port(const struct node *map, const char *key)
{
    const char *text = told_text(map, key);
    long port = text == NULL ? 0 : strtol(text, NULL, 10);

    return port >= 1 && port <= 65535 ? (int)port : 0;
}

/* "http://10.0.0.11:8008/patroni", "https://[fd00::1]:8008/patroni" */
static void take_url(struct arena *arena, const char *url, struct survey_member *member)
{
    const char *begin = url == NULL ? NULL : strstr(url, "://");
    size_t length;

    if (begin == NULL)
        return;
    begin += 3;
    if (*begin == '[') {
        length = strcspn(++begin, "]");
        url = begin + length + (begin[length] == ']');
    } else {
        length = strcspn(begin, ":/");
        url = begin + length;
    }
    if (length > 0)
        member->address = arena_copy(arena, begin, length);
    if (*url == ':')
        member->rest_port = (int)strtol(url + 1, NULL, 10);
}

static void take_members(struct arena *arena, const struct node *list, struct survey_host *out)
{
    struct survey_member *members;

    if (list == NULL || list->kind != NODE_LIST)
        return;
    members = arena_alloc(arena, (list->count + 1) * sizeof *members);
    NODE_EACH(node, list)
    {
        struct survey_member *member = &members[out->member_count];
        const char *role = told_text(node, "role");

        member->name = told_text(node, "name");
        member->role = role == NULL ? "" : patroni_role(role);
        member->postgres_port = told_port(node, "port");
        take_url(arena, told_text(node, "api_url"), member);
        if (member->name != NULL)
            out->member_count++;
    }
    out->members = members;
}

static void take_service(struct arena *arena, const struct node *node, struct survey_host *out)
{
    const struct node *status = node_find(node, "status");
    const char *scheme = told_text(node, "scheme");

    *out = (struct survey_host){
        .service = told_text(node, "service"),
        .os_user = told_text(node, "user"),
        .config = told_text(node, "config"),
        .scope = told_text(node, "scope"),
        .member = told_text(node, "name"),
        .scheme = scheme == NULL ? "http" : scheme,
        .ca = told_text(node, "ca"),
        .certificate = told_text(node, "certificate"),
        .rest_user = told_text(node, "rest_user"),
        .data_directory = told_text(node, "data"),
        .bin_directory = told_text(node, "bin"),
        .socket_directory = told_text(node, "sockets"),
        .superuser = told_text(node, "superuser"),
        .system_identifier = told_text(status, "database_system_identifier"),
        .patroni_version = told_text(node_find(status, "patroni"), "version"),
        .server_version = node_integer(status, "server_version", 0),
        .postgres_port = told_port(node, "port"),
        .needs_certificate = node_bool(node, "needs_certificate", false),
        .has_restore_command = node_bool(node, "restores", false),
    };
    take_members(arena, node_find(node_find(node, "cluster"), "members"), out);
}

/* One whose configuration cannot be read may be any: then that is the error to tell. */
static bool is_meant(const struct survey_question *question, const struct node *service)
{
    const char *scope = told_text(service, "scope");

    if (question->service != NULL)
        return equal(question->service, told_text(service, "service"));
    return question->scope == NULL || scope == NULL || equal(question->scope, scope);
}

/* "a" (scope "x"), "b" (scope "y") */
static const char *list_services(struct arena *arena, const struct node *services)
{
    CLEANUP(text_release) struct text text = {0};

    NODE_EACH(service, services)
    {
        const char *name = told_text(service, "service"), *scope = told_text(service, "scope");

        text_append_format(&text, "%s\"%s\"", text.length == 0 ? "" : ", ",
                           name == NULL ? "?" : name);
        if (scope != NULL)
            text_append_format(&text, " (scope \"%s\")", scope);
    }
    return text_copy(&text, arena);
}

static struct error *not_one(struct arena *arena, const struct survey_question *question,
                             const struct node *services, size_t meant)
{
    if (services->count == 0)
        return error_hint(
            arena, error_new(arena, ERROR_INPUT, "no Patroni runs on host \"%s\"", question->host),
            "Name a host of the cluster whose Patroni is up. It must be a service of systemd.");
    if (meant > 1)
        return error_hint(arena,
                          error_new(arena, ERROR_INPUT,
                                    "%zu Patroni services run on host \"%s\": %s", meant,
                                    question->host, list_services(arena, services)),
                          "Say which one with --service NAME.");
    return error_new(arena, ERROR_INPUT, "host \"%s\" has no Patroni %s \"%s\", only %s",
                     question->host, question->service != NULL ? "service" : "of scope",
                     question->service != NULL ? question->service : question->scope,
                     list_services(arena, services));
}

static struct error *check_answer(struct arena *arena, const struct survey_question *question,
                                  const struct node *service, const struct survey_host *host)
{
    const char *problem = told_text(service, "problem");

    if (problem != NULL)
        return error_new(arena, ERROR_FAILED,
                         "could not read the configuration of service \"%s\" on host \"%s\": %s",
                         host->service, question->host, problem);
    if (host->scope == NULL)
        return error_new(arena, ERROR_FAILED,
                         "the configuration of service \"%s\" on host \"%s\" names no scope",
                         host->service, question->host);
    if (host->member_count > 0 || question->scope != NULL)
        return NULL;
    problem = told_text(service, "cluster_problem");
    return error_hint(
        arena,
        error_new(arena, ERROR_FAILED,
                  "Patroni on host \"%s\" does not tell the members of cluster \"%s\": %s",
                  question->host, host->scope, problem == NULL ? "it names none" : problem),
        "Its DCS may be down. Try again when this answers there: patronictl -c %s list",
        host->config == NULL ? "FILE" : host->config);
}

struct error *survey_read(struct arena *arena, const struct survey_question *question,
                          const char *json, size_t length, struct survey_host *out)
{
    const struct node *services = NULL, *found = NULL;
    struct survey_host host;
    size_t meant = 0;
    struct error *error = json_parse(arena, "answer of survey.py", json, length, &services);

    if (error == NULL && services->kind != NODE_LIST)
        error = error_new(arena, ERROR_FAILED, "answer of survey.py is no list");
    if (error != NULL)
        return error;
    NODE_EACH(service, services)
    {
        if (is_meant(question, service) && meant++ == 0)
            found = service;
    }
    if (meant != 1)
        return not_one(arena, question, services, meant);
    take_service(arena, found, &host);
    error = check_answer(arena, question, found, &host);
    if (error == NULL)
        *out = host;
    return error;
}

struct error *survey_ask(struct host *host, struct arena *arena,
                         const struct survey_question *question, struct survey_host *out)
{
    CLEANUP(shell_result_release) struct shell_result result = {0};
    const struct shell_request request = {
        .user = "root",
        .script = "exec python3 -I -c 'import sys; text = sys.stdin.read(); exec(text)'",
        .input = survey_files[0].bytes,
        .input_length = strlen(survey_files[0].bytes),
        .output_limit = ANSWER_LARGEST,
        .deadline_ms = clock_ms() + ASK_TIMEOUT_MS,
    };
    struct error *error = host_open(host, arena, clock_ms() + CONNECT_TIMEOUT_MS);

    if (error == NULL)
        error = host_shell(host, arena, &request, &result);
    if (error != NULL)
        return error;
    if (result.status != 0) {
        CLEANUP(text_release) struct text said = {.limit = 300};

        text_append_visible(&said, text_string(&result.err), result.err.length);
        return error_new(arena, ERROR_FAILED, "could not look at host \"%s\": %s", question->host,
                         said.length == 0 ? "python3 ended without a word" : text_string(&said));
    }
    return survey_read(arena, question, text_string(&result.out), result.out.length, out);
}

/* Whether USER can log in, where SETTINGS say. */
static struct error *try_postgres(struct arena *arena, const struct host_settings *settings,
                                  const char *user)
{
    struct host_settings other = *settings;
    const struct postgres_request request = {.application = "holdback init",
                                             .read_only = true,
                                             .deadline_ms = clock_ms() + LOOK_TIMEOUT_MS};
    struct postgres_result result;
    struct host *host;
    struct error *error;

    other.postgres.user = user;
    host = host_new(&other, -1);
    error = postgres_ask(host, arena, &request, "SELECT 1", &result);
    host_free(host);
    return error;
}

/* The superuser, else whoever the operating system's user is taken for. */
static void probe_postgres(struct arena *arena, const struct host_settings *settings,
                           struct survey_probe *out)
{
    const char *users[] = {settings->postgres.user, settings->postgres.os_user};

    for (size_t at = 0; at < ARRAY_COUNT(users); at++) {
        struct error *error;

        if (at > 0 && equal(users[at], users[0]))
            continue;
        error = try_postgres(arena, settings, users[at]);
        if (error == NULL) {
            out->postgres_user = users[at];
            out->postgres_lost = NULL;
            return;
        }
        if (out->postgres_lost == NULL)
            out->postgres_lost = error;
    }
}

void survey_probe(struct arena *arena, const struct host_settings *settings, const char *scope,
                  struct survey_probe *out)
{
    struct survey_probe probe = {0};
    const struct survey_question question = {.host = settings->name, .scope = scope};
    struct host *host = host_new(settings, -1);
    struct patroni_status status;

    probe.lost = survey_ask(host, arena, &question, &probe.found);
    if (probe.lost == NULL) {
        probe_postgres(arena, settings, &probe);
        probe.patroni_lost =
            patroni_read_status(host, arena, settings, clock_ms() + LOOK_TIMEOUT_MS, NULL, &status);
    }
    host_free(host);
    *out = probe;
}
