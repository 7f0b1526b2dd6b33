/*
 * Exactly once: the connection is cut at every message of a step, before the server sees it and
 * after it has answered, and the step is taken up again as resume would do it.
 */
#include "sql_test.h"

#include <pthread.h>

/* Between the action and the server: cuts the first connection at its query number CUT_AT. */
struct wire {
    int listener, port;
    pthread_t thread;
    int cut_at;       /* from 1 */
    bool is_answered; /* the server gets the message, and its answer is lost */
    bool was_cut;
};

static int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)database.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        abort();
    return fd;
}

/* Queries are short and each is sent alone, so one read is one message. */
static void relay(struct wire *wire, int client)
{
    int server = dial(), queries = 0;
    char bytes[65536];

    for (;;) {
        struct pollfd polls[] = {{.fd = client, .events = POLLIN},
                                 {.fd = server, .events = POLLIN}};
        (void)poll(polls, 2, -1);
        if (polls[0].revents != 0) {
            ssize_t got = read(client, bytes, sizeof bytes);
            bool is_cut =
                got > 0 && bytes[0] == 'Q' && wire->cut_at > 0 && ++queries == wire->cut_at;
            if (got <= 0 || (is_cut && !wire->is_answered))
                wire->was_cut = wire->was_cut || got > 0;
            if (got <= 0 || (is_cut && !wire->is_answered) || write(server, bytes, (size_t)got) < 0)
                break;
            if (is_cut) {
                wire->was_cut = true;
                (void)!read(server, bytes, sizeof bytes);
                break;
            }
        }
        if (polls[1].revents != 0) {
            ssize_t got = read(server, bytes, sizeof bytes);
            if (got <= 0 || write(client, bytes, (size_t)got) < 0)
                break;
        }
    }
    (void)close(server);
    (void)close(client);
}

static void *serve(void *context)
{
    struct wire *wire = context;

    for (int client; (client = accept(wire->listener, NULL, NULL)) >= 0;) {
        relay(wire, client);
        // What comes after the cut is the resumed run.
        wire->cut_at = wire->was_cut ? 0 : wire->cut_at;
    }
    return NULL;
}

static void wire_open(struct wire *wire)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    wire->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(wire->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(wire->listener, 8), 0);
    assert_int_equal(getsockname(wire->listener, (struct sockaddr *)&address, &length), 0);
    wire->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&wire->thread, NULL, serve, wire), 0);
}

static void wire_close(struct wire *wire)
{
    (void)shutdown(wire->listener, SHUT_RDWR);
    (void)close(wire->listener);
    (void)pthread_join(wire->thread, NULL);
}

/* Tries, and settles what is not known, until it is done; each answer must be true. */
static void until_done(struct work *work)
{
    struct error *error;

    for (int tries = 0; tries < 5; tries++) {
        switch (apply(work, &error)) {
        case APPLY_DONE:
            return;
        case APPLY_NOTHING:
            assert_string_equal(asked("SELECT count(*) FROM done"), "0");
            break;
        case APPLY_MAYBE:
            if (settle(work, &error) == SETTLE_DONE)
                return;
            assert_string_equal(asked("SELECT count(*) FROM done"), "0");
            break;
        default:
            fail();
        }
        work->try++;
    }
    fail_msg("%s", error_text(&arena, error));
}

static int cut_everywhere(bool is_answered)
{
    int at = 1;

    for (;; at++) {
        struct wire wire = {.cut_at = at, .is_answered = is_answered};
        (void)host_make(NULL);
        wire_open(&wire);
        settings.postgres.port = wire.port;

        struct work work =
            work_of("run: INSERT INTO done VALUES ('x'); SELECT a AS row FROM done\nsave: [row]\n");
        until_done(&work);
        assert_string_equal(saved(&work, "row"), "x");
        assert_string_equal(asked("SELECT count(*) FROM done"), "1");
        assert_string_equal(asked("SELECT count(*) FROM holdback.marker"), "1");

        work_end(&work);
        (void)host_drop(NULL);
        wire_close(&wire);
        if (!wire.was_cut)
            return at - 1;
    }
}

static void a_lost_message_never_makes_it_happen_twice_or_not_at_all(void **state)
{
    (void)state;
    assert_in_range(cut_everywhere(false), 10, 40);
}

static void a_lost_answer_never_makes_it_happen_twice_or_not_at_all(void **state)
{
    (void)state;
    assert_in_range(cut_everywhere(true), 10, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_message_never_makes_it_happen_twice_or_not_at_all),
        cmocka_unit_test(a_lost_answer_never_makes_it_happen_twice_or_not_at_all),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, tests_begin, tests_end);
}
