/* Requests to Patroni's REST interface. */
#include "rest.h"

static void an_answer_is_parsed_and_kept_as_it_came(void **state)
{
    struct fixture *fixture = *state;
    struct patroni_answer answer =
        answered(fixture, HEAD "{\"ttl\": 30, \"pause\": true}", "GET", NULL);

    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.text, "{\"ttl\": 30, \"pause\": true}");
    assert_int_equal(node_integer(answer.body, "ttl", 0), 30);
    assert_true(starts_with(fixture->asked, "GET /config HTTP/1.1\r\nHost: 127.0.0.1:"));
}

static void an_answer_that_is_no_json_has_no_body(void **state)
{
    struct patroni_answer answer =
        answered(*state, "HTTP/1.0 503 Service Unavailable\r\n\r\nno leader", "POST", NULL);

    assert_int_equal(answer.status, 503);
    assert_null(answer.body);
    assert_string_equal(answer.text, "no leader");
}

static void credentials_go_with_unsafe_requests_only(void **state)
{
    struct fixture *fixture = *state;

    (void)answered(fixture, HEAD "{}", "GET", NULL);
    assert_null(strstr(fixture->asked, "Authorization"));

    memset(fixture->asked, 0, sizeof fixture->asked);
    (void)answered(fixture, HEAD "{}", "PATCH", "{\"pause\": true}");
    assert_true(starts_with(fixture->asked, "PATCH /config HTTP/1.1\r\n"));
    assert_non_null(strstr(fixture->asked, "Authorization: Basic b3BlcmF0b3I6d29yZA==\r\n"));
    assert_non_null(strstr(fixture->asked, "Content-Type: application/json\r\n"));
    assert_true(ends_with(fixture->asked, "\r\n\r\n{\"pause\": true}"));
}

static void refused_credentials_are_an_error(void **state)
{
    struct fixture *fixture = *state;
    enum patroni_reach reach;
    struct patroni_answer answer;
    struct error *error = ask(fixture, "HTTP/1.0 401 Unauthorized\r\n\r\nno auth header received",
                              "PATCH", "{}", &reach, &answer);

    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_string_equal(error->message, "Patroni on host \"pg1\" refused us: HTTP status 401: no "
                                        "auth header received");
    assert_string_equal(error->hint,
                        "Check \"user\" and \"password\" in the cluster file's \"patroni\" "
                        "section, and \"restapi\" in Patroni's own.");
}

static void a_redirect_is_not_followed(void **state)
{
    struct patroni_answer answer = answered(
        *state, "HTTP/1.0 302 Found\r\nLocation: http://192.0.2.1/config\r\n\r\n", "GET", NULL);

    assert_int_equal(answer.status, 302);
}

static void a_closed_port_is_told_from_silence(void **state)
{
    struct fixture *fixture = *state;
    enum patroni_reach reach = PATRONI_ANSWERED;
    struct patroni_answer answer;

    assert_null(ask(fixture, NULL, "GET", NULL, &reach, &answer));
    assert_int_equal(reach, PATRONI_SILENT);
    assert_string_equal(answer.why, "Empty reply from server");

    reach = PATRONI_ANSWERED;
    (void)close(fixture->listener);
    fixture->listener = -1;
    assert_null(patroni_request(fixture->host, &fixture->arena, NULL, "GET", "/config", NULL,
                                clock_ms() + 5000, &reach, &answer));
    assert_int_equal(reach, PATRONI_REFUSED);
    assert_string_equal(answer.why, "Connection refused");
}

static void a_server_that_says_nothing_is_silent_at_the_deadline(void **state)
{
    struct fixture *fixture = *state;
    enum patroni_reach reach = PATRONI_ANSWERED;
    struct patroni_answer answer;
    int64_t start_ms = clock_ms();

    assert_null(ask(fixture, "", "PATCH", "{}", &reach, &answer));
    assert_int_equal(reach, PATRONI_SILENT);
    assert_string_equal(answer.why, "timed out");
    assert_in_range(clock_ms() - start_ms, 250, 2000);
}

static void an_answer_that_is_cut_off_is_silence(void **state)
{
    enum patroni_reach reach = PATRONI_ANSWERED;
    struct patroni_answer answer;

    assert_null(ask(*state, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ttl\":", "GET", NULL,
                    &reach, &answer));
    assert_int_equal(reach, PATRONI_SILENT);
}

static void an_answer_that_is_too_large_is_refused(void **state)
{
    struct fixture *fixture = *state;
    size_t length = (size_t)5 * 1024 * 1024;
    char *large = arena_alloc(&fixture->arena, length + 1);
    enum patroni_reach reach;
    struct patroni_answer answer;

    memset(large, ' ', length);
    memcpy(large, HEAD, strlen(HEAD));

    struct error *error = ask(fixture, large, "GET", NULL, &reach, &answer);

    assert_string_equal(error_text(&fixture->arena, error),
                        "could not ask Patroni on host \"pg1\": the answer is larger than 4 MiB");
}

static void a_missing_secret_is_an_error_before_anything_is_sent(void **state)
{
    struct fixture *fixture = *state;
    enum patroni_reach reach;
    struct patroni_answer answer;

    fixture->settings.patroni.password.argument = "NO_SUCH_VARIABLE";

    struct error *error = patroni_request(fixture->host, &fixture->arena, NULL, "PATCH", "/config",
                                          "{}", clock_ms() + 5000, &reach, &answer);

    assert_string_equal(error_text(&fixture->arena, error),
                        "could not ask Patroni on host \"pg1\": environment variable "
                        "\"NO_SUCH_VARIABLE\" is not set");
}

/* openssl's own server, which answers each GET with a page that is no JSON. */
static pid_t tls_start(struct fixture *fixture, char *folder)
{
    const char *text = arena_printf(
        &fixture->arena,
        "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        " -subj /CN=t -addext subjectAltName=IP:127.0.0.1 -keyout key -out crt 2>/dev/null &&"
        " exec openssl s_server -accept 127.0.0.1:%d -cert crt -key key -www -quiet >log 2>&1",
        folder, fixture->settings.patroni.port);

    (void)close(fixture->listener);
    fixture->listener = -1;

    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", text, (char *)NULL);
        _exit(99);
    }
    return pid;
}

static void https_proves_the_server(void **state)
{
    struct fixture *fixture = *state;
    char folder[] = "/tmp/holdback-tls-XXXXXX";
    enum patroni_reach reach = PATRONI_REFUSED;
    struct patroni_answer answer = {0};
    int64_t deadline_ms = clock_ms() + 10000;

    assert_non_null(mkdtemp(folder));

    pid_t pid = tls_start(fixture, folder);

    fixture->settings.patroni.scheme = "https";
    while (reach == PATRONI_REFUSED && clock_ms() < deadline_ms) {
        const char *ca = arena_printf(&fixture->arena, "%s/crt", folder);

        fixture->settings.patroni.tls.ca = access(ca, R_OK) == 0 ? ca : NULL;
        (void)poll(NULL, 0, 5);
        assert_null(patroni_request(fixture->host, &fixture->arena, NULL, "GET", "/", NULL,
                                    deadline_ms, &reach, &answer));
    }
    assert_int_equal(reach, PATRONI_ANSWERED);
    assert_int_equal(answer.status, 200);

    fixture->settings.address = "localhost";
    struct error *error = patroni_request(fixture->host, &fixture->arena, NULL, "PATCH", "/", "{}",
                                          deadline_ms, &reach, &answer);
    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_string_equal(error_text(&fixture->arena, error),
                        "could not ask Patroni on host \"pg1\": SSL: no alternative certificate "
                        "subject name matches target host name 'localhost'");

    fixture->settings.address = "127.0.0.1";
    fixture->settings.patroni.tls.ca = NULL;
    error = patroni_request(fixture->host, &fixture->arena, NULL, "PATCH", "/", "{}", deadline_ms,
                            &reach, &answer);
    assert_int_equal(error->kind, ERROR_UNREACHABLE);
    assert_string_equal(error_text(&fixture->arena, error),
                        "could not ask Patroni on host \"pg1\": SSL certificate problem: "
                        "self-signed certificate");

    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    (void)!system(arena_printf(&fixture->arena, "rm -rf %s", folder));
}

static void through_ssh_any_member_is_asked(void **state)
{
    struct fixture *fixture = *state;
    struct server *sshd = server_start("");
    struct host_settings member = fixture->settings;
    enum patroni_reach reach = PATRONI_SILENT;
    struct patroni_answer answer;

    fixture->settings.ssh = sshd->settings.ssh;
    fixture->settings.patroni.reach = "ssh";
    assert_string_equal(answered(fixture, HEAD "{\"ttl\": 30}", "PATCH", "{}").text,
                        "{\"ttl\": 30}");
    assert_true(ends_with(fixture->asked, "\r\n\r\n{}"));

    member.name = "pg2";
    member.patroni.reach = "ssh";
    member.patroni.port = free_port();
    assert_null(patroni_request(fixture->host, &fixture->arena, &member, "GET", "/config", NULL,
                                clock_ms() + 5000, &reach, &answer));
    assert_int_equal(reach, PATRONI_REFUSED);
    assert_string_equal(answer.why, "Connection refused");

    host_free(fixture->host);
    fixture->host = NULL;
    server_free(sshd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_is_parsed_and_kept_as_it_came),
        TEST(an_answer_that_is_no_json_has_no_body),
        TEST(credentials_go_with_unsafe_requests_only),
        TEST(refused_credentials_are_an_error),
        TEST(a_redirect_is_not_followed),
        TEST(a_closed_port_is_told_from_silence),
        TEST(a_server_that_says_nothing_is_silent_at_the_deadline),
        TEST(an_answer_that_is_cut_off_is_silence),
        TEST(an_answer_that_is_too_large_is_refused),
        TEST(a_missing_secret_is_an_error_before_anything_is_sent),
        TEST(https_proves_the_server),
        TEST(through_ssh_any_member_is_asked),
    };

    environment_make();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
