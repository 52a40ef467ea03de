/* feed_send.c - answers of the feed: texts, pages, and what faults make of them.
 * Invariant: a thread of the server looks at `stopping` at least every 50 ms while it waits, so
 * that stop ends all waits. May call: base/, feed_own.h, libmicrohttpd.
 */
#include "feed/feed_own.h"

#include "base/clock.h"

#include <poll.h>
#include <sys/socket.h>

enum { MAX_PARTS = 512, SLOW_PIECES = 20 };

/* ---- answers ---- */

enum MHD_Result lochan_feed__send(struct MHD_Connection *connection, unsigned status,
                                  struct MHD_Response *response) {
    if (!response)
        return MHD_NO;
    enum MHD_Result rc = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return rc;
}

enum MHD_Result lochan_feed__send_text(struct MHD_Connection *connection, unsigned status,
                                       const char *type, const char *retry_after,
                                       const char *text) {
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response) {
        MHD_add_response_header(response, "Content-Type", type);
        if (retry_after)
            MHD_add_response_header(response, "Retry-After", retry_after);
    }
    return lochan_feed__send(connection, status, response);
}

enum MHD_Result lochan_feed__send_names(lochan_feed *feed, struct MHD_Connection *connection,
                                        unsigned status, const char *first_line) {
    lochan_buf text;
    lochan_buf__init(&text, (size_t)1 << 20);
    lochan_status rc = lochan_buf__puts(&text, first_line, NULL);
    for (size_t i = 0; i < feed->n_tables && rc == LOCHAN_OK; i++)
        rc = lochan_buf__printf(&text, NULL, "%s.csv\n", feed->tables[i].name);
    enum MHD_Result sent =
        rc == LOCHAN_OK ? lochan_feed__send_text(connection, status, "text/plain; charset=utf-8",
                                                 NULL, text.data ? (const char *)text.data : "")
                        : MHD_NO;
    lochan_buf__deinit(&text);
    return sent;
}

/* ---- waiting ---- */

static bool is_stopping(lochan_feed *feed) {
    pthread_mutex_lock(&feed->lock);
    bool stopping = feed->stopping;
    pthread_mutex_unlock(&feed->lock);
    return stopping;
}

void lochan_feed__wait_ms(lochan_feed *feed, int64_t ms) {
    for (; ms > 0 && !is_stopping(feed); ms -= 50)
        lochan_clock__sleep_ns((ms < 50 ? ms : 50) * 1000000);
}

static int socket_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

/* Answers nothing until the client goes away or the feed stops. */
static void hang(lochan_feed *feed, struct MHD_Connection *connection) {
    struct pollfd client = {.fd = socket_of(connection), .events = POLLRDHUP};
    while (client.fd >= 0 && !is_stopping(feed) && poll(&client, 1, 20) == 0)
        ;
}

/* ---- pages ---- */

static lochan_status flatten(const lochan_feed_window *window, lochan_buf *out, lochan_error *err) {
    lochan_buf__init(out, window->bytes + 64);
    LOCHAN_TRY(lochan_buf__reserve(out, window->bytes + 1, err));
    for (size_t i = 0; i < window->n_parts; i++)
        LOCHAN_TRY(
            lochan_buf__append(out, window->parts[i].iov_base, window->parts[i].iov_len, err));
    return LOCHAN_OK;
}

static void free_block(void *block) {
    lochan_mem__free(block);
}

/* Takes the bytes of buf. */
static struct MHD_Response *response_of_buf(lochan_buf *buf) {
    size_t n;
    uint8_t *data = lochan_buf__take(buf, &n);
    if (!data)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(n, data, free_block);
    if (!response)
        lochan_mem__free(data);
    return response;
}

static struct MHD_Response *response_of_window(const lochan_feed_window *window) {
    if (window->n_parts <= MAX_PARTS) {
        struct MHD_IoVec parts[MAX_PARTS];
        for (size_t i = 0; i < window->n_parts; i++)
            parts[i] = (struct MHD_IoVec){window->parts[i].iov_base, window->parts[i].iov_len};
        return MHD_create_response_from_iovec(parts, (unsigned)window->n_parts, NULL, NULL);
    }
    lochan_buf buf;
    struct MHD_Response *response = NULL;
    if (flatten(window, &buf, NULL) == LOCHAN_OK)
        response = response_of_buf(&buf);
    lochan_buf__deinit(&buf);
    return response;
}

/* A body handed out piece by piece: slowly, or with an end that never comes. */
struct trickle {
    lochan_feed *feed;
    lochan_buf body;
    size_t piece;
    size_t stop_at; /* the connection is closed here */
    bool slow;
};

static ssize_t read_trickle(void *ctx, uint64_t pos, char *dst, size_t max) {
    struct trickle *t = ctx;
    if (pos >= t->stop_at || is_stopping(t->feed))
        return pos >= t->body.len && !is_stopping(t->feed) ? MHD_CONTENT_READER_END_OF_STREAM
                                                           : MHD_CONTENT_READER_END_WITH_ERROR;
    if (t->slow && pos > 0)
        lochan_feed__wait_ms(t->feed, 50);
    size_t n = t->stop_at - (size_t)pos;
    n = n < t->piece ? n : t->piece;
    n = n < max ? n : max;
    memcpy(dst, t->body.data + pos, n);
    return (ssize_t)n;
}

static void free_trickle(void *ctx) {
    struct trickle *t = ctx;
    lochan_buf__deinit(&t->body);
    lochan_mem__free(t);
}

/* Takes the bytes of body. */
static struct MHD_Response *response_of_trickle(lochan_feed *feed, lochan_fault_kind kind,
                                                lochan_buf *body) {
    struct trickle *t = lochan_mem__zalloc(sizeof(*t));
    if (!t)
        return NULL;
    t->feed = feed;
    t->slow = kind == LOCHAN_FAULT_SLOW;
    t->body = *body;
    *body = (lochan_buf){0};
    size_t n = t->body.len;
    t->stop_at = kind == LOCHAN_FAULT_CUT ? n / 2 : n;
    t->piece = t->slow ? n / SLOW_PIECES + 1 : (size_t)1 << 16;
    struct MHD_Response *response =
        MHD_create_response_from_callback(n, (size_t)1 << 16, read_trickle, t, free_trickle);
    if (!response)
        free_trickle(t);
    return response;
}

/* A whole body, or what a fault makes of it. */
static struct MHD_Response *response_of_body(lochan_feed *feed, lochan_fault_kind fault,
                                             uint64_t draw, char delimiter, lochan_buf *body) {
    if (fault == LOCHAN_FAULT_CUT || fault == LOCHAN_FAULT_SLOW)
        return response_of_trickle(feed, fault, body);
    if (fault != LOCHAN_FAULT_NONE &&
        lochan_faults__damage(fault, draw, delimiter, body, NULL) != LOCHAN_OK)
        return NULL;
    return response_of_buf(body);
}

static struct MHD_Response *response_of_fault(lochan_feed *feed, lochan_fault_kind fault,
                                              uint64_t draw, char delimiter,
                                              const lochan_feed_window *window) {
    lochan_buf buf;
    struct MHD_Response *response = NULL;
    if (flatten(window, &buf, NULL) == LOCHAN_OK)
        response = response_of_body(feed, fault, draw, delimiter, &buf);
    lochan_buf__deinit(&buf);
    return response;
}

/* An answer in JSON; a value is damaged by cutting the text short, which is then no JSON. */
enum MHD_Result lochan_feed__send_json(lochan_feed *feed, struct MHD_Connection *connection,
                                       lochan_buf *body, lochan_fault_kind fault, uint64_t draw) {
    size_t bytes = body->len;
    if (fault == LOCHAN_FAULT_COLUMNS || fault == LOCHAN_FAULT_TYPE) {
        body->len = body->len * (size_t)(draw % 7 + 1) / 8;
        fault = LOCHAN_FAULT_NONE;
    } else if (fault == LOCHAN_FAULT_NONE) {
        atomic_fetch_add(&feed->answered, 1);
    }
    struct MHD_Response *response = response_of_body(feed, fault, draw, ',', body);
    if (response)
        MHD_add_response_header(response, "Content-Type", "application/json");
    atomic_fetch_add(&feed->bytes, (int64_t)bytes);
    return lochan_feed__send(connection, MHD_HTTP_OK, response);
}

enum MHD_Result lochan_feed__send_window(lochan_feed *feed, struct MHD_Connection *connection,
                                         const lochan_feed_table *table,
                                         const lochan_feed_request *q, lochan_fault_kind fault,
                                         uint64_t draw) {
    lochan_feed_window window;
    int64_t limit = q->limit, cap = feed->options.page_cap;
    if (cap > 0 && (limit < 0 || limit > cap))
        limit = cap;
    if (lochan_feed_table__window(table, q->start, q->end, q->offset, limit, &window, NULL) !=
        LOCHAN_OK)
        return MHD_NO;
    struct MHD_Response *response =
        fault == LOCHAN_FAULT_NONE
            ? response_of_window(&window)
            : response_of_fault(feed, fault, draw, table->delimiter, &window);
    if (response) {
        MHD_add_response_header(response, "Content-Type", "text/csv; charset=utf-8");
        if (limit >= 0)
            MHD_add_response_header(response, "X-Has-More", window.has_more ? "true" : "false");
        if (fault == LOCHAN_FAULT_NONE)
            atomic_fetch_add(&feed->answered, 1);
        atomic_fetch_add(&feed->bytes, (int64_t)window.bytes);
    }
    lochan_feed_window__deinit(&window);
    return lochan_feed__send(connection, MHD_HTTP_OK, response);
}

enum MHD_Result lochan_feed__send_fault(lochan_feed *feed, struct MHD_Connection *connection,
                                        lochan_fault_kind fault, bool *sent) {
    const struct linger no_linger = {1, 0};
    atomic_fetch_add(&feed->faulted, 1);
    *sent = true;
    switch (fault) {
    case LOCHAN_FAULT_HTTP500:
        return lochan_feed__send_text(connection, 500, "text/plain", NULL,
                                      "internal error (fault of the feed)\n");
    case LOCHAN_FAULT_HTTP503:
        return lochan_feed__send_text(connection, 503, "text/plain", NULL,
                                      "service unavailable (fault of the feed)\n");
    case LOCHAN_FAULT_HTTP429:
        return lochan_feed__send_text(connection, 429, "text/plain", "1",
                                      "too many requests (fault of the feed)\n");
    case LOCHAN_FAULT_HTTP404:
        return lochan_feed__send_text(connection, 404, "text/plain", NULL,
                                      "not found (fault of the feed)\n");
    case LOCHAN_FAULT_EMPTY:
        return lochan_feed__send_text(connection, 200, "text/csv; charset=utf-8", NULL, "");
    case LOCHAN_FAULT_HTML:
        return lochan_feed__send_text(
            connection, 200, "text/html", NULL,
            "<!DOCTYPE html>\n<html><body><h1>Service error</h1></body></html>\n");
    case LOCHAN_FAULT_HANG:
        hang(feed, connection);
        return MHD_NO;
    case LOCHAN_FAULT_RESET: /* closing without lingering sends a reset */
        (void)setsockopt(socket_of(connection), SOL_SOCKET, SO_LINGER, &no_linger,
                         sizeof(no_linger));
        return MHD_NO;
    default:
        *sent = false;
        return MHD_YES;
    }
}
