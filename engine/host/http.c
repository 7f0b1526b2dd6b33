/*
 * HTTP: the only file that knows libcurl. A tunnel is reached over a bridge, because libcurl 7.88
 * connects a socket also when it is told that it is connected (CURL_SOCKOPT_ALREADY_CONNECTED).
 */
#include "host/http.h"
#include "host/bridge.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

enum {
    ANSWER_LARGEST = 4 * 1024 * 1024,
    POLLS_LARGEST = 8, /* one connection; two while IPv6 and IPv4 race, and the resolver */
};

struct transfer {
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers, *connect_to;
    struct bridge *bridge; /* NULL: direct */
    int socket;            /* libcurl's own, beside a bridge; -1 before it has one */
    struct pollfd polls[POLLS_LARGEST];
    size_t poll_count;
    int64_t timer_ms; /* clock_ms when libcurl wants to be called; -1: not */
    struct text body;
    char problem[CURL_ERROR_SIZE];
};

static void library_start(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void transfer_release(struct transfer *transfer)
{
    if (transfer->multi != NULL && transfer->easy != NULL)
        (void)curl_multi_remove_handle(transfer->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    (void)curl_multi_cleanup(transfer->multi);
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->connect_to);
    bridge_close(transfer->bridge);
    text_release(&transfer->body);
}

/* The bridge lets in this socket and no other. */
static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = context;

    (void)purpose;
    transfer->socket = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return transfer->socket < 0 ? CURL_SOCKET_BAD : transfer->socket;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;

    text_append_bytes(&transfer->body, bytes, size * count);
    return transfer->body.truncated ? 0 : size * count;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    struct transfer *transfer = context;
    size_t at = 0;

    (void)easy;
    (void)unused;
    while (at < transfer->poll_count && transfer->polls[at].fd != fd)
        at++;
    if (what == CURL_POLL_REMOVE) {
        if (at < transfer->poll_count)
            transfer->polls[at] = transfer->polls[--transfer->poll_count];
        return 0;
    }
    if (at == POLLS_LARGEST)
        return -1;
    if (at == transfer->poll_count)
        transfer->poll_count++;
    transfer->polls[at] = (struct pollfd){
        .fd = fd,
        .events = (short)(((what & CURL_POLL_IN) != 0 ? POLLIN : 0) |
                          ((what & CURL_POLL_OUT) != 0 ? POLLOUT : 0)),
    };
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct transfer *transfer = context;

    (void)multi;
    transfer->timer_ms = timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;
    return 0;
}

static const char *url_text(struct arena *arena, const struct http_request *request)
{
    bool is_ipv6 = strchr(request->address, ':') != NULL;

    return arena_printf(arena, "%s://%s%s%s:%d%s", request->scheme, is_ipv6 ? "[" : "",
                        request->address, is_ipv6 ? "]" : "", request->port, request->path);
}

/* The URL keeps the real address, which the certificate must prove, and no name is looked up. */
static void bridge_use(struct transfer *transfer, struct arena *arena)
{
    CURL *easy = transfer->easy;

    transfer->connect_to = curl_slist_append(
        NULL, arena_printf(arena, "::127.0.0.1:%d", bridge_port(transfer->bridge)));
    (void)curl_easy_setopt(easy, CURLOPT_CONNECT_TO, transfer->connect_to);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
}

static void tls_use(CURL *easy, const struct tls_settings *tls)
{
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (tls->ca != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca);
    (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->certificate);
    (void)curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key);
}

static void body_use(struct transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;

    transfer->headers = curl_slist_append(NULL, "Expect:");
    if (request->body != NULL) {
        transfer->headers = curl_slist_append(transfer->headers, "Content-Type: application/json");
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
    }
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void transfer_prepare(struct transfer *transfer, struct arena *arena,
                             const struct http_request *request)
{
    CURL *easy = transfer->easy;

    (void)curl_easy_setopt(easy, CURLOPT_URL, url_text(arena, request));
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, request->scheme);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "holdback");
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->problem);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    if (request->user != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        (void)curl_easy_setopt(easy, CURLOPT_USERNAME, request->user);
        (void)curl_easy_setopt(easy, CURLOPT_PASSWORD, request->password);
    }
    tls_use(easy, &request->tls);
    body_use(transfer, request);
    if (transfer->bridge != NULL)
        bridge_use(transfer, arena);
}

/* libcurl changes the set while it is told of it: POLLS is a copy. */
static void events_tell(struct transfer *transfer, const struct pollfd *polls, size_t count)
{
    int running;

    for (size_t at = 0; at < count; at++) {
        int mask = ((polls[at].revents & (POLLIN | POLLHUP)) != 0 ? CURL_CSELECT_IN : 0) |
                   ((polls[at].revents & POLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                   ((polls[at].revents & (POLLERR | POLLNVAL)) != 0 ? CURL_CSELECT_ERR : 0);

        if (mask != 0)
            (void)curl_multi_socket_action(transfer->multi, polls[at].fd, mask, &running);
    }
}

/* One wait, and what came of it. ERROR_TIMEOUT only at the deadline. */
static struct error *transfer_step(struct transfer *transfer, struct host *host,
                                   struct arena *arena, int64_t deadline_ms)
{
    bool has_timer = transfer->timer_ms >= 0 && transfer->timer_ms < deadline_ms;
    struct pollfd polls[POLLS_LARGEST + BRIDGE_POLLS];
    size_t own = transfer->poll_count, count = own;
    struct error *error = NULL;
    int running;

    memcpy(polls, transfer->polls, sizeof transfer->polls);
    if (transfer->bridge != NULL) {
        bridge_prepare(transfer->bridge, polls + own);
        count += BRIDGE_POLLS;
    }
    if (!has_timer || transfer->timer_ms > clock_ms())
        error = host_wait(host, arena, polls, count, has_timer ? transfer->timer_ms : deadline_ms);
    else
        own = 0;
    if (error == NULL && transfer->bridge != NULL)
        bridge_move(transfer->bridge, transfer->socket);
    if (error == NULL)
        events_tell(transfer, polls, own);
    else if (error->kind != ERROR_TIMEOUT || !has_timer)
        return error;
    if (has_timer && transfer->timer_ms >= 0 && transfer->timer_ms <= clock_ms()) {
        transfer->timer_ms = -1;
        (void)curl_multi_socket_action(transfer->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    return NULL;
}

static struct error *transfer_run(struct transfer *transfer, struct host *host, struct arena *arena,
                                  int64_t deadline_ms, CURLcode *code)
{
    for (;;) {
        int left;
        const CURLMsg *message = curl_multi_info_read(transfer->multi, &left);

        if (message != NULL && message->msg == CURLMSG_DONE) {
            *code = message->data.result;
            return NULL;
        }

        struct error *error = transfer_step(transfer, host, arena, deadline_ms);

        if (error != NULL)
            return error;
    }
}

/* What a transfer that failed means. */
static struct error *failure_judge(struct transfer *transfer, struct arena *arena, CURLcode code,
                                   enum http_end *end, struct http_answer *out)
{
    const char *why = transfer->problem[0] != '\0' ? transfer->problem : curl_easy_strerror(code);
    long number = 0;

    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
        return error_new(arena, ERROR_UNREACHABLE, "%s", why);
    case CURLE_WRITE_ERROR:
        return error_new(arena, ERROR_FAILED, "the answer is larger than %d MiB",
                         ANSWER_LARGEST >> 20);
    default:
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
        *end = code == CURLE_COULDNT_CONNECT && number == ECONNREFUSED ? HTTP_REFUSED : HTTP_SILENT;
        out->why =
            *end == HTTP_REFUSED ? errno_text(arena, ECONNREFUSED) : arena_strdup(arena, why);
        return NULL;
    }
}

struct error *http_request(struct host *host, struct arena *arena,
                           const struct http_request *request, enum http_end *end,
                           struct http_answer *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct transfer transfer CLEANUP(transfer_release) = {
        .socket = -1, .timer_ms = -1, .body.limit = ANSWER_LARGEST};
    struct error *error = NULL;
    CURLcode code = CURLE_OK;
    long status = 0;

    if (request->tunnel >= 0)
        error = bridge_open(arena, request->tunnel, &transfer.bridge);
    if (error != NULL)
        return error;
    (void)pthread_once(&once, library_start);
    transfer.easy = curl_easy_init();
    transfer.multi = curl_multi_init();
    if (transfer.easy == NULL || transfer.multi == NULL)
        out_of_memory();
    transfer_prepare(&transfer, arena, request);
    (void)curl_multi_setopt(transfer.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(transfer.multi, CURLMOPT_SOCKETDATA, &transfer);
    (void)curl_multi_setopt(transfer.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(transfer.multi, CURLMOPT_TIMERDATA, &transfer);
    (void)curl_multi_add_handle(transfer.multi, transfer.easy);

    error = transfer_run(&transfer, host, arena, request->deadline_ms, &code);

    if (error != NULL && error->kind == ERROR_TIMEOUT) {
        *end = HTTP_SILENT;
        out->why = "timed out";
        return NULL;
    }
    if (error != NULL)
        return error;
    if (code != CURLE_OK)
        return failure_judge(&transfer, arena, code, end, out);
    (void)curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    *end = HTTP_ANSWERED;
    *out = (struct http_answer){.status = (int)status, .body = text_copy(&transfer.body, arena)};
    return NULL;
}

const char *http_library(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
