/* A small HTTP server in a thread, which answers one request as told, in place of Patroni. */
#ifndef TEST_REST_H
#define TEST_REST_H

#include "host/patroni.h"

#include "server.h"

#include <pthread.h>

/* Answers one request with ANSWER and keeps what it was asked. */
struct fixture {
    struct arena arena;
    struct host_settings settings;
    struct host *host;
    int listener;
    pthread_t thread;
    const char *answer; /* NULL: hangs up without a word; "": never answers */
    char asked[4096];
};

static inline int fixture_make(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    assert_non_null(fixture);
    fixture->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fixture->listener, 1), 0);
    assert_int_equal(getsockname(fixture->listener, (struct sockaddr *)&address, &length), 0);
    fixture->settings = (struct host_settings){
        .name = "pg1",
        .address = "127.0.0.1",
        .member = "pg1",
        .patroni = {.reach = "direct",
                    .scheme = "http",
                    .port = ntohs(address.sin_port),
                    .user = "operator",
                    .password = {.source = SECRET_ENV, .argument = "TEST_PASSWORD"}},
    };
    fixture->host = host_new(&fixture->settings, -1);
    *state = fixture;
    return 0;
}

static inline int fixture_drop(void **state)
{
    struct fixture *fixture = *state;

    host_free(fixture->host);
    if (fixture->listener >= 0)
        (void)close(fixture->listener);
    arena_release(&fixture->arena);
    free(fixture);
    return 0;
}

/* Until the head and as much body as it announces is there, or the other side hangs up. */
static inline void request_read(struct fixture *fixture, int fd)
{
    size_t have = 0;

    while (have + 1 < sizeof fixture->asked) {
        const char *end = strstr(fixture->asked, "\r\n\r\n");
        const char *announced = strstr(fixture->asked, "Content-Length: ");
        size_t body = announced == NULL ? 0 : strtoul(announced + 16, NULL, 10);

        if (end != NULL && strlen(end + 4) >= body)
            return;

        ssize_t got = read(fd, fixture->asked + have, sizeof fixture->asked - 1 - have);

        if (got <= 0)
            return;
        have += (size_t)got;
        fixture->asked[have] = '\0';
    }
}

static inline void *serve(void *context)
{
    struct fixture *fixture = context;
    char byte;
    int fd = accept(fixture->listener, NULL, NULL);

    request_read(fixture, fd);
    if (fixture->answer != NULL && fixture->answer[0] == '\0')
        (void)!read(fd, &byte, 1);
    else if (fixture->answer != NULL)
        (void)!send(fd, fixture->answer, strlen(fixture->answer), MSG_NOSIGNAL);
    (void)close(fd);
    return NULL;
}

/* Asks while the server gives ANSWER. */
static inline struct error *ask(struct fixture *fixture, const char *answer, const char *method,
                                const char *json, enum patroni_reach *reach,
                                struct patroni_answer *out)
{
    fixture->answer = answer;
    assert_int_equal(pthread_create(&fixture->thread, NULL, serve, fixture), 0);

    struct error *error = patroni_request(fixture->host, &fixture->arena, NULL, method, "/config",
                                          json, clock_ms() + 300, reach, out);

    assert_int_equal(pthread_join(fixture->thread, NULL), 0);
    return error;
}

static inline struct patroni_answer answered(struct fixture *fixture, const char *answer,
                                             const char *method, const char *json)
{
    enum patroni_reach reach = PATRONI_SILENT;
    struct patroni_answer out;
    struct error *error = ask(fixture, answer, method, json, &reach, &out);

    if (error != NULL)
        fail_msg("%s", error_text(&fixture->arena, error));
    assert_int_equal(reach, PATRONI_ANSWERED);
    return out;
}

#define HEAD "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"

/* Runs READ while the server gives ANSWER. */
#define WHILE_SERVED(fixture, text, statement)                                                     \
    do {                                                                                           \
        (fixture)->answer = (text);                                                                \
        assert_int_equal(pthread_create(&(fixture)->thread, NULL, serve, (fixture)), 0);           \
        statement;                                                                                 \
        assert_int_equal(pthread_join((fixture)->thread, NULL), 0);                                \
    } while (0)

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_make, fixture_drop)

/* No request may go to a proxy. */
static inline void environment_make(void)
{
    (void)setenv("http_proxy", "http://192.0.2.1:3128", 1);
    (void)setenv("ALL_PROXY", "http://192.0.2.1:3128", 1);
    (void)setenv("TEST_PASSWORD", "word", 1);
}

#endif
