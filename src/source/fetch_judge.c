/* fetch_judge.c - what an answer, or the lack of one, means for its page.
 * Invariants: an error never holds a secret; only a complete answer is a good one; a secret is not
 * sent to another host. May call: base/, secret.h, libcurl.
 */
#include "source/fetch_own.h"

#include "base/clock.h"
#include "base/gzip.h"

#include <strings.h>

enum { MAX_REDIRECTS = 5, SHOWN_URL = 200, SHOWN_BODY = 120 };

/* An error about this request: "GET http://...: text". Secrets that the provider echoed are
 * overwritten. */
static lochan_status request_error(const lochan_fetch_transfer *t, lochan_status code,
                                   lochan_error *err, const char *fmt, ...) LOCHAN_PRINTF(4, 5);
static lochan_status request_error(const lochan_fetch_transfer *t, lochan_status code,
                                   lochan_error *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    lochan_error__vset(err, code, fmt, args);
    va_end(args);
    if (!err)
        return code;
    const lochan_source_request *request = &t->page->request;
    lochan_error__prefix(err, code, "%s %.*s%s",
                         request->method == LOCHAN_METHOD_POST ? "POST" : "GET", SHOWN_URL,
                         request->url, strlen(request->url) > SHOWN_URL ? "..." : "");
    lochan_secret__redact(t->secret, err->message, strlen(err->message), false);
    return code;
}

static void verdict_reason(lochan_fetch_verdict *verdict, bool retry, const char *reason) {
    verdict->retry = retry;
    lochan_format(verdict->reason, sizeof(verdict->reason), "%s", reason);
}

static lochan_status judge_own_limits(lochan_fetch_transfer *t, lochan_fetch_verdict *verdict,
                                      lochan_error *err) {
    if (t->no_memory)
        return request_error(t, LOCHAN_ERR_NO_MEMORY, err, "out of memory");
    if (t->too_many_headers)
        return request_error(t, LOCHAN_ERR_PAGE, err,
                             "the headers of the answer are larger than %d bytes",
                             LOCHAN_FETCH_MAX_HEADERS);
    if (t->no_budget) {
        verdict->no_budget = true;
        return request_error(t, LOCHAN_ERR_MEMORY_LIMIT, err,
                             "no room in memory for the answer (%zu bytes so far)", t->body.len);
    }
    lochan_status rc = request_error(t, LOCHAN_ERR_MEMORY_LIMIT, err,
                                     "the answer is larger than max_body (%llu bytes)",
                                     (unsigned long long)t->spec->max_body);
    lochan_error__hint(err, "ask for smaller windows, or raise max_body of source '%s'",
                       t->spec->name);
    return rc;
}

/* Not asked again: a certificate does not get better by waiting. */
static lochan_status certificate_error(const lochan_fetch_transfer *t, CURLcode result,
                                       const char *text, lochan_error *err) {
    if (result == CURLE_SSL_CACERT_BADFILE)
        request_error(t, LOCHAN_ERR_NETWORK, err, "the certificates of %s cannot be read (%s)",
                      t->spec->ca_file ? t->spec->ca_file : "this system", text);
    else
        request_error(t, LOCHAN_ERR_NETWORK, err, "the server's certificate is not trusted: %s",
                      text);
    if (err) {
        err->retryable = false;
        lochan_error__hint(err, "'ca_file' of source '%s' names the certificates to trust, as PEM",
                           t->spec->name);
    }
    return LOCHAN_ERR_NETWORK;
}

/* The request was not completed. */
static lochan_status judge_failure(lochan_fetch_transfer *t, CURLcode result,
                                   lochan_fetch_verdict *verdict, lochan_error *err) {
    const char *text = t->message[0] ? t->message : curl_easy_strerror(result);
    if (t->too_large || t->no_budget || t->too_many_headers || t->no_memory ||
        result == CURLE_FILESIZE_EXCEEDED)
        return judge_own_limits(t, verdict, err);
    switch (result) {
    case CURLE_OUT_OF_MEMORY: /* also what libcurl says of a header line without end */
        verdict_reason(verdict, true, "an unreadable answer");
        return request_error(t, LOCHAN_ERR_NETWORK, err, "no memory for the headers of the answer");
    case CURLE_OPERATION_TIMEDOUT:
        verdict_reason(verdict, true, "a time-out");
        return request_error(t, LOCHAN_ERR_TIMEOUT, err, "%s", text);
    case CURLE_PARTIAL_FILE:
        verdict_reason(verdict, true, "an incomplete answer");
        return request_error(t, LOCHAN_ERR_PAGE, err, "the answer is incomplete: %s", text);
    case CURLE_URL_MALFORMAT:
        return request_error(t, LOCHAN_ERR_SPEC, err, "%s", text);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
        return certificate_error(t, result, text, err);
    default:
        verdict_reason(verdict, true, "a network error");
        return request_error(t, LOCHAN_ERR_NETWORK, err, "%s", text);
    }
}

/* The first bytes of an error's body as one line of text. */
static void body_excerpt(const lochan_fetch_transfer *t, char *dst, size_t cap) {
    size_t n = t->body.len < SHOWN_BODY ? t->body.len : SHOWN_BODY, used = 0;
    for (size_t i = 0; i < n && used + 1 < cap; i++) {
        unsigned char c = t->body.data[i];
        if (c <= ' ' && (used == 0 || dst[used - 1] == ' '))
            continue;
        dst[used++] = c <= ' ' ? ' ' : c < 0x7f ? (char)c : '?';
    }
    dst[used] = '\0';
}

/* An answer whose status says that it is no page. */
static lochan_status judge_status(lochan_fetch_transfer *t, int32_t status,
                                  lochan_error_meaning meaning, lochan_fetch_verdict *verdict,
                                  lochan_error *err) {
    char excerpt[SHOWN_BODY + 1], reason[32];
    /* Before the text is shortened: half a secret would not be found. */
    lochan_secret__redact(t->secret, t->body.data, t->body.len, false);
    body_excerpt(t, excerpt, sizeof(excerpt));
    verdict->retry_after_ns =
        lochan_fetch__parse_retry_after(t->retry_after, lochan_clock__wall_ns());
    verdict->hold_all = meaning == LOCHAN_MEANING_RATE_LIMIT || verdict->retry_after_ns > 0;
    lochan_format(reason, sizeof(reason), "HTTP %d", (int)status);
    verdict_reason(verdict, meaning == LOCHAN_MEANING_RETRY || meaning == LOCHAN_MEANING_RATE_LIMIT,
                   reason);
    lochan_status code =
        meaning == LOCHAN_MEANING_RATE_LIMIT ? LOCHAN_ERR_RATE_LIMIT : LOCHAN_ERR_HTTP;
    request_error(t, code, err, "HTTP %d%s%s", (int)status, excerpt[0] ? ": " : "", excerpt);
    if (err) {
        err->http_status = status;
        err->retryable = verdict->retry;
        err->retry_after_ms = verdict->retry_after_ns > 0 ? verdict->retry_after_ns / 1000000 : -1;
        if (status == 401 || status == 403)
            lochan_error__hint(err, "check the secret of source '%s'", t->spec->name);
    }
    return code;
}

static bool bears_secret(const lochan_source_request *request) {
    bool found =
        strstr(request->url, "{secret") || (request->body && strstr(request->body, "{secret"));
    for (size_t i = 0; i < request->n_headers; i++)
        found |= strstr(request->headers[i].value, "{secret") != NULL;
    return found;
}

/* Same host and port, and not from https down to http. */
static bool same_place(const char *from, const char *to) {
    lochan_str a = lochan_fetch__host_of(from), b = lochan_fetch__host_of(to);
    bool downgrade = strncasecmp(from, "https:", 6) == 0 && strncasecmp(to, "https:", 6) != 0;
    return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0 && !downgrade;
}

static lochan_status judge_redirect(lochan_fetch_transfer *t, int32_t status, char **redirect,
                                    lochan_error *err) {
    const char *target = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &target);
    lochan_status rc = LOCHAN_ERR_HTTP;
    if (!target ||
        (strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0)) {
        request_error(t, rc, err, "HTTP %d: a redirect to nowhere", (int)status);
    } else if (t->redirects >= MAX_REDIRECTS) {
        request_error(t, rc, err, "HTTP %d: more than %d redirects", (int)status, MAX_REDIRECTS);
    } else if (t->page->request.method == LOCHAN_METHOD_POST && status != 307 && status != 308) {
        request_error(t, rc, err, "HTTP %d: a redirect that would drop the request's body",
                      (int)status);
    } else if (bears_secret(&t->page->request) && !same_place(t->page->request.url, target)) {
        lochan_str host = lochan_fetch__host_of(target);
        request_error(t, rc, err,
                      "HTTP %d: a redirect to %.*s is not followed, the secret is not for it",
                      (int)status, (int)(host.n < 100 ? host.n : 100), host.p);
    } else {
        *redirect = lochan_mem__strdup(target);
        if (*redirect) {
            t->redirects++;
            return LOCHAN_OK;
        }
        return lochan_error__nomem(err);
    }
    if (err)
        err->http_status = status;
    return rc;
}

/* The size that gzip claims in its last bytes, within what it can be. */
static size_t claimed_size(const lochan_buf *packed, size_t max) {
    if (packed->len < 18)
        return 0;
    const uint8_t *p = packed->data + packed->len - 4;
    size_t size = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    if (size / 1040 > packed->len)
        size = packed->len * 1040;
    return size < max ? size : max;
}

/* Replaces the body by what it unpacks to. libdeflate checks length and sum, so a cut stream is
 * never taken for whole. */
static lochan_status unpack_body(lochan_fetch_transfer *t, lochan_fetch_verdict *verdict,
                                 lochan_error *err) {
    size_t max = t->body.max, room = claimed_size(&t->body, max);
    lochan_status rc = LOCHAN_ERR_MEMORY_LIMIT;
    lochan_buf plain;
    lochan_buf__init(&plain, room);
    while (rc == LOCHAN_ERR_MEMORY_LIMIT) { /* twice if there are several members and the last is
                                               not the largest */
        if (!lochan_budget__try_take(t->budget, room)) {
            t->no_budget = true;
            break;
        }
        plain.max = room;
        rc = lochan_gzip__unpack(t->body.data, t->body.len, &plain, NULL);
        if (rc == LOCHAN_OK)
            break;
        lochan_buf__deinit(&plain);
        lochan_budget__give(t->budget, room);
        if (rc == LOCHAN_ERR_MEMORY_LIMIT && room == max) {
            t->too_large = true;
            break;
        }
        room = max;
    }
    if (t->no_budget || t->too_large)
        return judge_own_limits(t, verdict, err);
    if (rc != LOCHAN_OK) {
        verdict_reason(verdict, true, "an incomplete answer");
        return request_error(t, rc == LOCHAN_ERR_NO_MEMORY ? rc : LOCHAN_ERR_PAGE, err,
                             "the answer is incomplete: no valid gzip data");
    }
    lochan_buf__deinit(&t->body);
    lochan_budget__give(t->budget, t->budget_taken);
    plain.max = max;
    t->body = plain;
    t->budget_taken = room;
    return LOCHAN_OK;
}

static void fill_meta(const lochan_fetch_transfer *t, int32_t status, lochan_fetch_meta *meta) {
    const char *type = NULL;
    long version = 0;
    curl_off_t length = -1, wire = 0;
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &wire);
    meta->http_status = status;
    meta->http_version = version == CURL_HTTP_VERSION_1_0   ? 10
                         : version == CURL_HTTP_VERSION_1_1 ? 11
                         : version == CURL_HTTP_VERSION_2_0 ? 20
                         : version == CURL_HTTP_VERSION_3   ? 30
                                                            : 0;
    lochan_format(meta->content_type, sizeof(meta->content_type), "%s", type ? type : "");
    meta->attempts = t->page->attempts;
    meta->bytes = (int64_t)t->body.len;
    meta->wire_bytes = (int64_t)wire;
    meta->elapsed_ns = lochan_clock__mono_ns() - t->started_ns;
    meta->wall_ns = lochan_clock__wall_ns();
    meta->end_is_marked = length >= 0 || t->chunked || version >= CURL_HTTP_VERSION_2_0;
    meta->has_more = t->has_more;
    meta->has_more_known = t->has_more_known;
}

lochan_status lochan_fetch_transfer__finish(lochan_fetch_transfer *t, CURLcode result,
                                            lochan_fetch_meta *meta, lochan_fetch_verdict *verdict,
                                            char **redirect, lochan_error *err) {
    memset(meta, 0, sizeof(*meta));
    memset(verdict, 0, sizeof(*verdict));
    verdict->retry_after_ns = -1;
    *redirect = NULL;
    if (result != CURLE_OK)
        return judge_failure(t, result, verdict, err);
    long code = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &code);
    int32_t status = (int32_t)code;
    if (!t->headers_ended) { /* libcurl takes a connection that ends among them for an empty answer
                              */
        verdict_reason(verdict, true, "an incomplete answer");
        return request_error(t, LOCHAN_ERR_PAGE, err,
                             "the answer is incomplete: its headers do not end");
    }
    if (t->is_encoded) {
        verdict_reason(verdict, true, "an unreadable answer");
        return request_error(t, LOCHAN_ERR_PAGE, err,
                             "the answer has a Content-Encoding that was not asked for");
    }
    if (t->is_gzip && t->body.len > 0)
        LOCHAN_TRY(unpack_body(t, verdict, err));
    fill_meta(t, status, meta);
    lochan_error_meaning meaning;
    bool listed = lochan_source_spec__listed_meaning(t->spec, status, &meaning);
    if (!listed && status >= 300 && status < 400 && status != 304)
        return judge_redirect(t, status, redirect, err);
    if (listed && meaning == LOCHAN_MEANING_EMPTY) {
        meta->empty = true;
        return LOCHAN_OK;
    }
    if (listed || status != 200)
        return judge_status(t, status, meaning, verdict, err);
    if (t->spec->format == LOCHAN_FORMAT_CSV &&
        strncasecmp(meta->content_type, "text/html", 9) == 0) {
        verdict_reason(verdict, true, "a page of HTML");
        return request_error(t, LOCHAN_ERR_PAGE, err,
                             "the provider sent a page of HTML instead of data");
    }
    lochan_secret__redact(t->secret, t->body.data, t->body.len, true);
    return LOCHAN_OK;
}
