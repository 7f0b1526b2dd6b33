/* Requests to Patroni's REST interface. */
#include "host/patroni.h"
#include "host/claim.h"
#include "host/http.h"
#include "host/relay.h"
#include "host/tls.h"

#include <string.h>

static bool is_safe(const char *method)
{
    return equal(method, "GET") || equal(method, "HEAD") || equal(method, "OPTIONS");
}

/* Opens the tunnel through HOST. *REACH is PATRONI_ANSWERED as long as nothing speaks against it.
 */
static struct error *tunnel_open(struct host *host, struct arena *arena,
                                 const struct host_settings *member, bool is_change,
                                 int64_t deadline_ms, enum patroni_reach *reach, const char **why,
                                 int *fd)
{
    const char *user = host_settings(host)->postgres.os_user;
    struct error *error =
        is_change && host_has_claim(host)
            ? relay_open(host, arena, user, member->address, member->patroni.port, true,
                         deadline_ms, fd)
            : host_tunnel_tcp(host, arena, member->address, member->patroni.port, deadline_ms, fd);

    *reach = PATRONI_ANSWERED;
    if (error == NULL || (error->kind != ERROR_FAILED && error->kind != ERROR_TIMEOUT))
        return error;
    *why = error_text(arena, error);
    *reach = strstr(*why, "refused") != NULL ? PATRONI_REFUSED : PATRONI_SILENT;
    if (*reach == PATRONI_REFUSED)
        *why = "Connection refused";
    return NULL;
}

static struct error *credentials_add(struct arena *arena, const struct host_settings *member,
                                     struct secret *password, struct http_request *request)
{
    if (member->patroni.user == NULL || is_safe(request->method))
        return NULL;

    struct error *error = secret_fetch(arena, &member->patroni.password, password);

    request->user = member->patroni.user;
    request->password = password->bytes != NULL ? password->bytes : "";
    return error;
}

static struct error *answer_take(struct arena *arena, const struct host_settings *member,
                                 const struct http_answer *answer, struct patroni_answer *out)
{
    if (answer->status == 401 || answer->status == 403)
        return error_hint(arena,
                          error_new(arena, ERROR_UNREACHABLE,
                                    "Patroni on host \"%s\" refused us: HTTP status %d: %s",
                                    member->name, answer->status, answer->body),
                          "Check \"user\" and \"password\" in the cluster file's \"patroni\" "
                          "section, and \"restapi\" in Patroni's own.");
    *out = (struct patroni_answer){.status = answer->status, .text = answer->body};
    // An answer that is no JSON is an answer too: the body stays NULL.
    (void)json_parse(arena, "answer of Patroni", answer->body, strlen(answer->body), &out->body);
    return NULL;
}

struct error *patroni_request(struct host *host, struct arena *arena,
                              const struct host_settings *member, const char *method,
                              const char *path, const char *json, int64_t deadline_ms,
                              enum patroni_reach *reach, struct patroni_answer *out)
{
    static const enum patroni_reach reaches[] = {[HTTP_ANSWERED] = PATRONI_ANSWERED,
                                                 [HTTP_REFUSED] = PATRONI_REFUSED,
                                                 [HTTP_SILENT] = PATRONI_SILENT};
    struct secret password CLEANUP(secret_release) = {0};

    if (member == NULL)
        member = host_settings(host);

    struct http_request request = {.method = method,
                                   .scheme = member->patroni.scheme,
                                   .address = member->address,
                                   .port = member->patroni.port,
                                   .path = path,
                                   .body = json,
                                   .tunnel = -1,
                                   .deadline_ms = deadline_ms};
    struct http_answer answer = {0};
    enum http_end end = HTTP_ANSWERED;
    const char *why = NULL;
    struct error *error = tls_prepare(arena, &member->patroni.tls, &request.tls);

    if (error == NULL)
        error = credentials_add(arena, member, &password, &request);
    if (error == NULL && equal(member->patroni.reach, "direct") && !is_safe(method))
        error = claim_check(host, arena, host_settings(host)->postgres.os_user, deadline_ms);
    if (error == NULL && !equal(member->patroni.reach, "direct")) {
        error = tunnel_open(host, arena, member, !is_safe(method), deadline_ms, reach, &why,
                            &request.tunnel);
        if (error == NULL && why != NULL) {
            *out = (struct patroni_answer){.why = why};
            return NULL;
        }
    }
    if (error == NULL)
        error = http_request(host, arena, &request, &end, &answer);
    if (error != NULL)
        return error_because(arena, error, "could not ask Patroni on host \"%s\"", member->name);
    *reach = reaches[end];
    if (end == HTTP_ANSWERED)
        return answer_take(arena, member, &answer, out);
    *out = (struct patroni_answer){.why = answer.why};
    return NULL;
}
