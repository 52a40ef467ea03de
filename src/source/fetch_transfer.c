/* fetch_transfer.c - one HTTP request and the judgement of its answer.
 * Invariants: the body never grows past max_body or the budget; an error never holds a secret; only
 * a complete answer is a good one. May call: base/, secret.h, libcurl.
 */
#include "source/fetch_own.h"

#include "base/clock.h"
#include "base/gzip.h"

#include <stdio.h>
#include <strings.h>

enum {
    MAX_HEADER_BYTES = 256 * 1024,
    MAX_REDIRECTS = 5,
    STALL_BYTES_PER_SECOND = 32,
    SHOWN_URL = 200,
    SHOWN_BODY = 120
};
#define FIRST_BODY       ((size_t)16 << 10)
#define FIRST_BODY_KNOWN ((size_t)8 << 20) /* of a claimed length, believe this much at once */

lochan_status lochan_fetch_transfer__init(lochan_fetch_transfer *t, const lochan_source_spec *spec,
                                          const lochan_secret *secret, lochan_budget *budget,
                                          lochan_error *err) {
    memset(t, 0, sizeof(*t));
    t->spec = spec;
    t->secret = secret;
    t->budget = budget;
    lochan_buf__init(&t->body, (size_t)spec->max_body);
    lochan_buf__init(&t->sent_body, (size_t)64 << 20);
    t->easy = curl_easy_init();
    return t->easy ? LOCHAN_OK : lochan_error__nomem(err);
}

void lochan_fetch_transfer__reset(lochan_fetch_transfer *t) {
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    lochan_secret__wipe(&t->sent_body);
    lochan_buf__deinit(&t->body);
    lochan_budget__give(t->budget, t->budget_taken);
    t->budget_taken = 0;
    t->page = NULL;
}

void lochan_fetch_transfer__deinit(lochan_fetch_transfer *t) {
    if (!t->easy)
        return;
    lochan_fetch_transfer__reset(t);
    curl_easy_cleanup(t->easy);
    t->easy = NULL;
}

/* ---- receiving ---- */

/* Makes room for n more bytes of body, within the budget. */
static bool make_room(lochan_fetch_transfer *t, size_t n) {
    size_t need = t->body.len + n;
    if (need <= t->budget_taken)
        return true;
    size_t want = t->budget_taken * 2;
    if (want < FIRST_BODY)
        want = FIRST_BODY;
    curl_off_t length = -1;
    if (t->budget_taken == 0 &&
        curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK &&
        length > 0)
        want = (uint64_t)length < FIRST_BODY_KNOWN ? (size_t)length : FIRST_BODY_KNOWN;
    if (want > t->body.max)
        want = t->body.max;
    if (want < need)
        want = need;
    if (!lochan_budget__try_take(t->budget, want - t->budget_taken)) {
        t->no_budget = true;
        return false;
    }
    t->budget_taken = want;
    if (lochan_buf__reserve(&t->body, want - t->body.len, NULL) == LOCHAN_OK)
        return true;
    t->no_memory = true;
    return false;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx) {
    lochan_fetch_transfer *t = ctx;
    size_t n = size * count;
    if (n > t->body.max - t->body.len) {
        t->too_large = true;
        return 0;
    }
    if (n == 0)
        return 0;
    if (!make_room(t, n) || lochan_buf__append(&t->body, data, n, NULL) != LOCHAN_OK)
        return 0; /* fewer than n: curl stops with a write error */
    return n;
}

/* The value of a header line if its name is `name`. */
static bool header_value(const char *line, size_t n, const char *name, char *dst, size_t cap) {
    size_t length = strlen(name);
    if (n <= length || line[length] != ':' || strncasecmp(line, name, length) != 0)
        return false;
    lochan_str value = lochan_str__trim((lochan_str){line + length + 1, n - length - 1});
    lochan_format(dst, cap, "%.*s", (int)(value.n < cap ? value.n : cap - 1), value.p);
    return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx) {
    lochan_fetch_transfer *t = ctx;
    size_t n = size * count;
    char value[64];
    t->header_bytes += n;
    if (t->header_bytes > MAX_HEADER_BYTES) {
        t->too_many_headers = true;
        return 0;
    }
    if (n >= 5 &&
        strncasecmp(line, "HTTP/", 5) == 0) { /* a new answer begins, e.g. after 100 Continue */
        t->chunked = t->has_more_known = t->has_more = t->is_gzip = t->is_encoded = false;
        t->headers_ended = false;
        t->retry_after[0] = '\0';
    } else if (n > 0 && (line[0] == '\r' || line[0] == '\n')) {
        t->headers_ended = true;
    } else if (header_value(line, n, "transfer-encoding", value, sizeof(value))) {
        t->chunked = strcasestr(value, "chunked") != NULL;
    } else if (header_value(line, n, "content-encoding", value, sizeof(value))) {
        t->is_gzip = strcasecmp(value, "gzip") == 0 || strcasecmp(value, "x-gzip") == 0;
        t->is_encoded = !t->is_gzip && value[0] != '\0' && strcasecmp(value, "identity") != 0;
    } else if (header_value(line, n, "x-has-more", value, sizeof(value))) {
        t->has_more_known = true;
        t->has_more = strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
    } else {
        header_value(line, n, "retry-after", t->retry_after, sizeof(t->retry_after));
    }
    return n;
}

/* ---- sending ---- */

static lochan_status add_header(lochan_fetch_transfer *t, const char *line, lochan_error *err) {
    struct curl_slist *list = curl_slist_append(t->headers, line);
    if (!list)
        return lochan_error__nomem(err);
    t->headers = list;
    return LOCHAN_OK;
}

static lochan_status fill_headers(lochan_fetch_transfer *t, const lochan_source_request *request,
                                  lochan_error *err) {
    bool has_type = false;
    lochan_status rc = LOCHAN_OK;
    lochan_buf line;
    lochan_buf__init(&line, (size_t)64 << 10);
    LOCHAN_TRYG(add_header(t, "Accept-Encoding: gzip",
                           err)); /* libcurl would not notice a stream that was cut */
    for (size_t i = 0; i < request->n_headers; i++) {
        lochan_buf__clear(&line);
        LOCHAN_TRYG(lochan_buf__printf(&line, err, "%s: ", request->headers[i].name));
        LOCHAN_TRYG(lochan_secret__fill(t->secret, LOCHAN_SECRET_PLAIN, request->headers[i].value,
                                        &line, err));
        LOCHAN_TRYG(add_header(t, (const char *)line.data, err));
        has_type |= strcasecmp(request->headers[i].name, "content-type") == 0;
    }
    if (request->method == LOCHAN_METHOD_POST) {
        LOCHAN_TRYG(add_header(t, "Expect:", err)); /* no waiting for 100 Continue */
        if (!has_type)
            LOCHAN_TRYG(add_header(t, "Content-Type: application/json", err));
    }
done:
    lochan_secret__wipe(&line);
    return rc;
}

/* The host part "[::1]:8700" of a url. */
static lochan_str host_of(const char *url) {
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    return (lochan_str){host, strcspn(host, "/?#")};
}

static bool is_loopback(const char *url) {
    lochan_str host = host_of(url);
    return (host.n >= 4 && strncmp(host.p, "127.", 4) == 0) ||
           (host.n >= 5 && strncmp(host.p, "[::1]", 5) == 0) ||
           (host.n >= 9 && strncasecmp(host.p, "localhost", 9) == 0 &&
            (host.n == 9 || host.p[9] == ':'));
}

static long milliseconds(int64_t ns) {
    int64_t ms = ns / 1000000;
    return ms < 1 ? 1 : ms > INT32_MAX ? INT32_MAX : (long)ms;
}

static bool set_limits(CURL *easy, const lochan_source_spec *spec) {
    long stall_seconds = (long)((spec->stall_timeout_ns + 999999999) / 1000000000);
    CURLcode rc = CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075500
    rc |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    rc |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    rc |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION,
                           0L); /* redirects are judged here, see finish */
    rc |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(spec->timeout_ns));
    rc |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(spec->connect_timeout_ns));
    rc |= curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_SECOND);
    rc |= curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, stall_seconds);
    rc |= curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)spec->max_body);
    return rc == CURLE_OK;
}

static bool set_transport(lochan_fetch_transfer *t, const char *url) {
    CURL *easy = t->easy;
    CURLcode rc = CURLE_OK;
    rc |= curl_easy_setopt(easy, CURLOPT_USERAGENT, t->spec->user_agent);
    rc |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    rc |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->message);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    rc |= curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L * 1024);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    if (is_loopback(url)) /* a proxy for the world does not know this machine's servers */
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    return rc == CURLE_OK;
}

lochan_status lochan_fetch_transfer__prepare(lochan_fetch_transfer *t, lochan_fetch_page *page,
                                             const char *url, lochan_error *err) {
    const lochan_source_request *request = &page->request;
    int redirects = url ? t->redirects : 0;
    lochan_fetch_transfer__reset(t);
    t->redirects = redirects;
    t->header_bytes = 0;
    t->too_large = t->no_budget = t->too_many_headers = t->no_memory = false;
    t->chunked = t->has_more = t->has_more_known = t->is_gzip = t->is_encoded = t->headers_ended =
        false;
    t->retry_after[0] = t->message[0] = '\0';
    curl_easy_reset(t->easy);
    lochan_status rc = LOCHAN_OK;
    lochan_buf filled;
    lochan_buf__init(&filled, (size_t)128 << 10);
    if (!url) {
        LOCHAN_TRYG(
            lochan_secret__fill(t->secret, LOCHAN_SECRET_PERCENT, request->url, &filled, err));
        url = (const char *)filled.data;
    }
    LOCHAN_TRYG(fill_headers(t, request, err));
    bool ok = curl_easy_setopt(t->easy, CURLOPT_URL, url) == CURLE_OK;
    if (request->method == LOCHAN_METHOD_POST) {
        lochan_secret_form form = lochan_source_request__body_form(request);
        LOCHAN_TRYG(lochan_buf__reserve(&t->sent_body, 1, err));
        LOCHAN_TRYG(lochan_secret__fill(t->secret, form, request->body ? request->body : "",
                                        &t->sent_body, err));
        ok = ok && curl_easy_setopt(t->easy, CURLOPT_POST, 1L) == CURLE_OK &&
             curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->sent_body.len) ==
                 CURLE_OK &&
             curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, (const char *)t->sent_body.data) ==
                 CURLE_OK;
    }
    if (!ok || !set_limits(t->easy, t->spec) || !set_transport(t, url)) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    t->page = page;
    t->started_ns = lochan_clock__mono_ns();
done:
    lochan_secret__wipe(&filled);
    return rc;
}

/* ---- judging ---- */

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
                             MAX_HEADER_BYTES);
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
        request_error(t, LOCHAN_ERR_NETWORK, err, "%s", text);
        if (err)
            err->retryable = false; /* a certificate does not get better by waiting */
        return LOCHAN_ERR_NETWORK;
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
        strstr(request->url, "{secret}") || (request->body && strstr(request->body, "{secret}"));
    for (size_t i = 0; i < request->n_headers; i++)
        found |= strstr(request->headers[i].value, "{secret}") != NULL;
    return found;
}

/* Same host and port, and not from https down to http. */
static bool same_place(const char *from, const char *to) {
    lochan_str a = host_of(from), b = host_of(to);
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
        lochan_str host = host_of(target);
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
