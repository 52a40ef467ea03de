/* fetch_transfer.c - one HTTP request: what is sent, and the bytes of its answer.
 * Invariants: the body never grows past max_body or the budget; a certificate is always verified.
 * May call: base/, secret.h, libcurl.
 */
#include "source/fetch_own.h"

#include "base/clock.h"

#include <stdio.h>
#include <strings.h>

enum { STALL_BYTES_PER_SECOND = 32 };
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
    if (t->header_bytes > LOCHAN_FETCH_MAX_HEADERS) {
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

lochan_str lochan_fetch__host_of(const char *url) {
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    return (lochan_str){host, strcspn(host, "/?#")};
}

static bool is_loopback(const char *url) {
    lochan_str host = lochan_fetch__host_of(url);
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
    /* Over TLS HTTP/2 is offered; pages then wait for the connection that is being made and share
     * it. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (t->spec->ca_file)
        rc |= curl_easy_setopt(easy, CURLOPT_CAINFO, t->spec->ca_file);
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
