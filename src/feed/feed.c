/* feed.c - the HTTP side of the feed: routing, windows, limits, start and stop.
 * Invariants: listens on 127.0.0.1 only; tables never change while it runs. May call: base/,
 * feed_own.h, libmicrohttpd.
 */
#include "feed/feed_own.h"

#include "base/clock.h"
#include "base/fs.h"

#include <arpa/inet.h>

enum { MAX_CONNECTIONS = 1024 };
#define MAX_UPLOAD ((size_t)16 << 20)
#define MAX_ANSWER ((size_t)4 << 30)
#define SECOND_NS  ((int64_t)1000000000)
#define MAX_PEM    ((size_t)1 << 20)

/* A request while it comes in. */
struct incoming {
    lochan_buf body;
    bool too_large;
};

/* ---- requests ---- */

static enum MHD_Result read_parameter(void *ctx, enum MHD_ValueKind kind, const char *key,
                                      const char *value) {
    lochan_feed_request *q = ctx;
    (void)kind;
    size_t n = value ? strlen(value) : 0;
    if (strcmp(key, "start") == 0 || strcmp(key, "end") == 0) {
        q->dates_given = true;
        if (!lochan_feed__parse_date(value ? value : "", n, key[0] == 's' ? &q->start : &q->end))
            q->problem = "start and end are dates: YYYY-MM-DD or YYYYMMDD\n";
    } else if (strcmp(key, "limit") == 0 || strcmp(key, "offset") == 0) {
        int64_t v;
        if (!value || !lochan_parse__int64(value, n, &v) || v < 0)
            q->problem = "limit and offset are whole numbers of at least 0\n";
        else if (key[0] == 'l')
            q->limit = v;
        else
            q->offset = v;
    } else if (strcmp(key, "cursor") == 0) {
        q->cursor = value ? value : "";
    } else {
        q->problem = "the parameters are start, end, limit and offset\n";
    }
    return q->problem ? MHD_NO : MHD_YES;
}

/* Index of the table of "/NAME<suffix>", SIZE_MAX if there is none. */
static size_t find_table(const lochan_feed *feed, const char *path, const char *suffix) {
    size_t n = strlen(path), tail = strlen(suffix);
    if (path[0] != '/' || n < tail + 2 || strcmp(path + n - tail, suffix) != 0)
        return SIZE_MAX;
    for (size_t i = 0; i < feed->n_tables; i++)
        if (strlen(feed->tables[i].name) == n - tail - 1 &&
            strncmp(feed->tables[i].name, path + 1, n - tail - 1) == 0)
            return i;
    return SIZE_MAX;
}

static bool over_rate(lochan_feed *feed) {
    if (feed->options.rate_per_second <= 0)
        return false;
    int64_t now = lochan_clock__mono_ns();
    pthread_mutex_lock(&feed->lock);
    if (now - feed->second_began_ns >= SECOND_NS) {
        feed->second_began_ns = now;
        feed->asked_in_second = 0;
    }
    bool over = feed->asked_in_second >= feed->options.rate_per_second;
    feed->asked_in_second += !over;
    pthread_mutex_unlock(&feed->lock);
    atomic_fetch_add(&feed->limited, over);
    return over;
}

/* Nanoseconds until the next minute if this one's requests are used up, else 0. */
static int64_t over_minute(lochan_feed *feed) {
    if (feed->config.per_minute <= 0)
        return 0;
    int64_t now = lochan_clock__mono_ns();
    pthread_mutex_lock(&feed->lock);
    if (now - feed->minute_began_ns >= feed->config.minute_ns) {
        feed->minute_began_ns = now;
        feed->asked_in_minute = 0;
    }
    bool over = feed->asked_in_minute >= feed->config.per_minute;
    feed->asked_in_minute += !over;
    int64_t left = feed->minute_began_ns + feed->config.minute_ns - now;
    pthread_mutex_unlock(&feed->lock);
    atomic_fetch_add(&feed->limited, over);
    return over ? left : 0;
}

static enum MHD_Result refuse_for_a_minute(struct MHD_Connection *connection, int64_t left_ns) {
    char seconds[24];
    lochan_format(seconds, sizeof(seconds), "%lld",
                  (long long)((left_ns + SECOND_NS - 1) / SECOND_NS));
    return lochan_feed__send_text(connection, 429, "text/plain", seconds,
                                  "too many requests a minute\n");
}

/* The request as the faults know it: path and parameters in one form. */
static lochan_fault_kind choose_fault(lochan_feed *feed, const char *path,
                                      const lochan_feed_request *q, uint64_t *draw) {
    char text[512];
    lochan_format(text, sizeof(text), "%s %d %d %lld %lld", path, (int)q->start, (int)q->end,
                  (long long)q->limit, (long long)q->offset);
    return lochan_faults__choose(&feed->faults, text, strlen(text), draw);
}

static int64_t json_cap(const lochan_feed *feed) {
    int64_t a = feed->options.page_cap, b = feed->config.page_cap;
    return a > 0 && (b <= 0 || a < b) ? a : b;
}

static enum MHD_Result answer_tushare(lochan_feed *feed, struct MHD_Connection *connection,
                                      lochan_str body) {
    lochan_feed_tables tables = {feed->json, feed->n_tables, &feed->config, json_cap(feed)};
    uint64_t draw;
    lochan_fault_kind fault = lochan_faults__choose(&feed->faults, body.p, body.n, &draw);
    bool sent = false;
    if (fault != LOCHAN_FAULT_NONE) {
        enum MHD_Result result = lochan_feed__send_fault(feed, connection, fault, &sent);
        if (sent)
            return result;
    }
    lochan_buf out;
    lochan_buf__init(&out, MAX_ANSWER);
    enum MHD_Result result = MHD_NO;
    if (lochan_feed_tushare__answer(&tables, body, over_minute(feed) > 0, &out, NULL) == LOCHAN_OK)
        result = lochan_feed__send_json(feed, connection, &out, fault, draw);
    lochan_buf__deinit(&out);
    return result;
}

static enum MHD_Result answer_records(lochan_feed *feed, struct MHD_Connection *connection,
                                      const lochan_feed_json *table, const lochan_feed_request *q,
                                      lochan_fault_kind fault, uint64_t draw) {
    lochan_feed_query query = {.start = q->start, .end = q->end, .limit = q->limit};
    int64_t cap = json_cap(feed);
    query.offset = q->offset;
    if (cap > 0 && (query.limit < 0 || query.limit > cap))
        query.limit = cap;
    const char *problem = NULL;
    lochan_buf out;
    lochan_buf__init(&out, MAX_ANSWER);
    enum MHD_Result result = MHD_NO;
    if (lochan_feed_records__answer(table, &query, q->cursor, &out, &problem, NULL) == LOCHAN_OK)
        result = problem ? lochan_feed__send_text(connection, 400, "text/plain", NULL, problem)
                         : lochan_feed__send_json(feed, connection, &out, fault, draw);
    lochan_buf__deinit(&out);
    return result;
}

/* A bearer token, if the folder's feed.yaml names one. */
static bool is_allowed(const lochan_feed *feed, struct MHD_Connection *connection) {
    const char *given = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    return !feed->config.token || (given && strncmp(given, "Bearer ", 7) == 0 &&
                                   strcmp(given + 7, feed->config.token) == 0);
}

static enum MHD_Result answer_get(lochan_feed *feed, struct MHD_Connection *connection,
                                  const char *path) {
    size_t csv = find_table(feed, path, ".csv"), json = find_table(feed, path, ".json");
    if (strcmp(path, "/") == 0)
        return lochan_feed__send_names(feed, connection, 200, "");
    if (csv == SIZE_MAX && json == SIZE_MAX)
        return lochan_feed__send_names(feed, connection, 404, "not found; there is:\n");
    const lochan_feed_table *table = &feed->tables[csv != SIZE_MAX ? csv : json];
    lochan_feed_request q = {.start = INT32_MIN, .end = INT32_MAX, .limit = -1, .feed = feed};
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, read_parameter, &q);
    if (!q.problem && q.cursor && json == SIZE_MAX)
        q.problem = "the parameters are start, end, limit and offset\n";
    if (!q.problem && q.dates_given && !table->dates && table->n_rows > 0)
        q.problem = "this table has no dates\n";
    if (!q.problem && q.start > q.end)
        q.problem = "start lies after end\n";
    if (q.problem)
        return lochan_feed__send_text(connection, 400, "text/plain", NULL, q.problem);
    if (json != SIZE_MAX && !is_allowed(feed, connection))
        return lochan_feed__send_text(connection, 401, "application/json", NULL,
                                      "{\"error\":\"no token\"}");
    int64_t left = over_minute(feed);
    if (left > 0)
        return refuse_for_a_minute(connection, left);
    uint64_t draw;
    bool sent = false;
    lochan_fault_kind fault = choose_fault(feed, path, &q, &draw);
    if (fault != LOCHAN_FAULT_NONE) {
        enum MHD_Result result = lochan_feed__send_fault(feed, connection, fault, &sent);
        if (sent)
            return result;
    }
    if (json != SIZE_MAX)
        return answer_records(feed, connection, &feed->json[json], &q, fault, draw);
    return lochan_feed__send_window(feed, connection, table, &q, fault, draw);
}

static enum MHD_Result add_parameter(void *ctx, enum MHD_ValueKind kind, const char *key,
                                     const char *value) {
    (void)kind;
    return lochan_feed_replay__add_parameter(ctx, key, value) ? MHD_YES : MHD_NO;
}

static enum MHD_Result answer_replay(lochan_feed *feed, struct MHD_Connection *connection,
                                     const char *method, const char *path, lochan_str body) {
    lochan_feed_replay_key key;
    lochan_feed_replay__begin(&key, method, path);
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_parameter, &key);
    const lochan_feed_recorded *found =
        lochan_feed_replay__find(feed->replay, &key, body, &feed->lock);
    if (!found)
        return lochan_feed__send_text(connection, 404, "text/plain", NULL,
                                      "this request was not recorded\n");
    struct MHD_Response *response = MHD_create_response_from_buffer(
        found->body.n, (void *)(uintptr_t)found->body.p, MHD_RESPMEM_PERSISTENT);
    if (response && found->content_type[0])
        MHD_add_response_header(response, "Content-Type", found->content_type);
    if (response && found->retry_after[0])
        MHD_add_response_header(response, "Retry-After", found->retry_after);
    if (response && found->has_more[0])
        MHD_add_response_header(response, "X-Has-More", found->has_more);
    atomic_fetch_add(&feed->answered, 1);
    atomic_fetch_add(&feed->bytes, (int64_t)found->body.n);
    return lochan_feed__send(connection, (unsigned)found->status, response);
}

static enum MHD_Result answer_whole(lochan_feed *feed, struct MHD_Connection *connection,
                                    const char *path, const char *method,
                                    const struct incoming *incoming) {
    lochan_str body = {incoming->body.data ? (const char *)incoming->body.data : "",
                       incoming->body.len};
    bool post = strcmp(method, "POST") == 0;
    atomic_fetch_add(&feed->requests, 1);
    bool replay = feed->replay != NULL, get = strcmp(method, "GET") == 0;
    if (!get && !(post && (replay || strcmp(path, "/") == 0)))
        return lochan_feed__send_text(connection, 405, "text/plain", NULL,
                                      "only GET, and POST of /\n");
    if (incoming->too_large)
        return lochan_feed__send_text(connection, 413, "text/plain", NULL,
                                      "the request is too large\n");
    lochan_feed__wait_ms(feed, feed->options.latency_ms);
    if (over_rate(feed))
        return lochan_feed__send_text(connection, 429, "text/plain", "1",
                                      "too many requests a second\n");
    if (feed->replay)
        return answer_replay(feed, connection, method, path, body);
    return post ? answer_tushare(feed, connection, body) : answer_get(feed, connection, path);
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state) {
    struct incoming *incoming = *state;
    (void)version;
    if (!incoming) { /* only headers so far; called again with the body, then once it is whole */
        *state = incoming = lochan_mem__zalloc(sizeof(*incoming));
        if (!incoming)
            return MHD_NO;
        lochan_buf__init(&incoming->body, MAX_UPLOAD);
        return MHD_YES;
    }
    if (*upload_size > 0) {
        incoming->too_large |=
            lochan_buf__append(&incoming->body, upload, *upload_size, NULL) != LOCHAN_OK;
        *upload_size = 0;
        return MHD_YES;
    }
    return answer_whole(ctx, connection, path, method, incoming);
}

static void forget_request(void *ctx, struct MHD_Connection *connection, void **state,
                           enum MHD_RequestTerminationCode code) {
    struct incoming *incoming = *state;
    (void)ctx, (void)connection, (void)code;
    if (incoming)
        lochan_buf__deinit(&incoming->body);
    lochan_mem__free(incoming);
    *state = NULL;
}

/* ---- start and stop ---- */

static lochan_status add_table(lochan_feed *feed, const char *path, lochan_error *err) {
    if (feed->n_tables == feed->room) {
        size_t room = feed->room ? feed->room * 2 : 8;
        lochan_feed_table *tables = lochan_mem__realloc(feed->tables, room * sizeof(*tables));
        if (!tables)
            return lochan_error__nomem(err);
        feed->tables = tables;
        feed->room = room;
    }
    lochan_feed_table *table = &feed->tables[feed->n_tables];
    LOCHAN_TRY(lochan_feed_table__load(path, feed->date_column, table, err));
    for (size_t i = 0; i < feed->n_tables; i++) {
        if (strcmp(feed->tables[i].name, table->name) == 0) {
            lochan_status rc = lochan_error__set(
                err, LOCHAN_ERR_EXISTS, "two files would be served as %s.csv", table->name);
            lochan_feed_table__deinit(table);
            return rc;
        }
    }
    feed->n_tables++;
    return LOCHAN_OK;
}

struct folder {
    lochan_feed *feed;
    const char *path;
};

static bool is_served(const char *name) {
    size_t n = strlen(name);
    return (n > 4 && strcmp(name + n - 4, ".csv") == 0) ||
           (n > 7 && strcmp(name + n - 7, ".csv.gz") == 0);
}

static lochan_status add_entry(void *ctx, const char *name, const lochan_stat *st,
                               lochan_error *err) {
    const struct folder *folder = ctx;
    if (st->is_dir || !is_served(name))
        return LOCHAN_OK;
    char *path = lochan_path__join(folder->path, name);
    if (!path)
        return lochan_error__nomem(err);
    lochan_status rc = add_table(folder->feed, path, err);
    lochan_mem__free(path);
    return rc;
}

static lochan_status load(lochan_feed *feed, const char *path, lochan_error *err) {
    lochan_stat st;
    LOCHAN_TRY(lochan_fs__stat(path, &st, err));
    if (!st.is_dir) {
        if (!is_served(path))
            return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                     "%s: only .csv and .csv.gz files can be served", path);
        return add_table(feed, path, err);
    }
    struct folder folder = {feed, path};
    if (feed->options.replay)
        return lochan_feed_replay__load(path, &feed->replay, err);
    char *config = lochan_path__join(path, "feed.yaml");
    if (!config)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_feed_config__load(config, &feed->config, err);
    lochan_mem__free(config);
    LOCHAN_TRY(rc);
    LOCHAN_TRY(lochan_fs__list(path, add_entry, &folder, err));
    if (feed->n_tables == 0)
        return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "%s holds no .csv or .csv.gz file",
                                 path);
    return LOCHAN_OK;
}

/* Every table in JSON, too: made at once, so that answering costs nothing. */
static lochan_status make_json(lochan_feed *feed, lochan_error *err) {
    feed->json = lochan_mem__array(feed->n_tables + 1, sizeof(*feed->json));
    if (!feed->json)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < feed->n_tables; i++)
        LOCHAN_TRY(lochan_feed_json__make(&feed->tables[i], &feed->json[i], err));
    return LOCHAN_OK;
}

static lochan_status check_options(const lochan_feed_options *o, lochan_error *err) {
    LOCHAN_CHECK_ARG(o->struct_size >= sizeof(lochan_feed_options), err);
    LOCHAN_CHECK_ARG(o->latency_ms >= 0 && o->page_cap >= 0 && o->rate_per_second >= 0, err);
    LOCHAN_CHECK_ARG(!o->tls_certificate == !o->tls_key, err);
    for (size_t i = 0; i < sizeof(o->reserved); i++)
        LOCHAN_CHECK_ARG(o->reserved[i] == 0, err);
    return LOCHAN_OK;
}

/* The server takes both as text. */
static lochan_status load_pem(const char *path, lochan_buf *out, lochan_error *err) {
    LOCHAN_TRY(lochan_fs__read_all(path, MAX_PEM, out, err));
    return lochan_buf__putc(out, '\0', err);
}

static lochan_status load_certificate(lochan_feed *feed, lochan_error *err) {
    lochan_buf__init(&feed->certificate, MAX_PEM + 1);
    lochan_buf__init(&feed->key, MAX_PEM + 1);
    if (!feed->options.tls_certificate)
        return LOCHAN_OK;
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "this libmicrohttpd was built without TLS");
    LOCHAN_TRY(load_pem(feed->options.tls_certificate, &feed->certificate, err));
    return load_pem(feed->options.tls_key, &feed->key, err);
}

static lochan_status listen_on_loopback(lochan_feed *feed, lochan_error *err) {
    bool tls = feed->certificate.len > 0;
    const struct MHD_OptionItem pem[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, feed->certificate.data},
                                         {MHD_OPTION_HTTPS_MEM_KEY, 0, feed->key.data},
                                         {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(feed->options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    feed->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
            (tls ? (unsigned)MHD_USE_TLS : 0),
        feed->options.port, NULL, NULL, answer, feed, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)128 * 1024, MHD_OPTION_NOTIFY_COMPLETED,
        forget_request, NULL, MHD_OPTION_ARRAY, tls ? pem : none, MHD_OPTION_END);
    if (feed->daemon)
        return LOCHAN_OK;
    lochan_status rc = lochan_error__set(
        err, LOCHAN_ERR_IO, "cannot listen on 127.0.0.1:%u; is the port in use?%s",
        (unsigned)feed->options.port,
        tls ? " Or are certificate and key no pair of PEM files?" : "");
    lochan_error__hint(err, "choose another port, or 0 for any free one");
    return rc;
}

lochan_status lochan_feed_start(const char *path, const lochan_feed_options *options,
                                lochan_feed **out, lochan_error *err) {
    static const lochan_feed_options defaults = LOCHAN_FEED_OPTIONS_INIT;
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(path, err);
    LOCHAN_TRY(check_options(options ? options : &defaults, err));
    lochan_feed *feed = lochan_mem__zalloc(sizeof(*feed));
    if (!feed)
        return lochan_error__nomem(err);
    feed->options = options ? *options : defaults;
    pthread_mutex_init(&feed->lock, NULL);
    feed->second_began_ns = lochan_clock__mono_ns();
    lochan_status rc =
        lochan_faults__init(&feed->faults, feed->options.faults, feed->options.fault_seed, err);
    feed->options.faults = NULL; /* not ours to keep */
    if (rc == LOCHAN_OK && feed->options.date_column &&
        !(feed->date_column = lochan_mem__strdup(feed->options.date_column)))
        rc = lochan_error__nomem(err);
    if (rc == LOCHAN_OK)
        rc = load(feed, path, err);
    if (rc == LOCHAN_OK)
        rc = load_certificate(feed, err);
    feed->options.tls_certificate = feed->options.tls_key = NULL; /* nor these */
    if (rc == LOCHAN_OK)
        rc = make_json(feed, err);
    if (rc == LOCHAN_OK)
        rc = listen_on_loopback(feed, err);
    if (rc != LOCHAN_OK) {
        lochan_feed_stop(feed);
        return rc;
    }
    *out = feed;
    return LOCHAN_OK;
}

uint16_t lochan_feed_port(const lochan_feed *feed) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(feed->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

void lochan_feed_get_stats(const lochan_feed *feed, lochan_feed_stats *out) {
    out->requests = atomic_load(&feed->requests);
    out->answered = atomic_load(&feed->answered);
    out->faults = atomic_load(&feed->faulted);
    out->limited = atomic_load(&feed->limited);
    out->bytes = atomic_load(&feed->bytes);
}

void lochan_feed_stop(lochan_feed *feed) {
    if (!feed)
        return;
    pthread_mutex_lock(&feed->lock);
    feed->stopping = true;
    pthread_mutex_unlock(&feed->lock);
    if (feed->daemon)
        MHD_stop_daemon(feed->daemon);
    for (size_t i = 0; feed->json && i < feed->n_tables; i++)
        if (feed->json[i].table)
            lochan_feed_json__deinit(&feed->json[i]);
    lochan_mem__free(feed->json);
    lochan_feed_config__deinit(&feed->config);
    lochan_feed_replay__free(feed->replay);
    for (size_t i = 0; i < feed->n_tables; i++)
        lochan_feed_table__deinit(&feed->tables[i]);
    lochan_mem__free(feed->tables);
    lochan_mem__free(feed->date_column);
    lochan_faults__deinit(&feed->faults);
    lochan_buf__deinit(&feed->certificate);
    lochan_buf__deinit(&feed->key);
    pthread_mutex_destroy(&feed->lock);
    lochan_mem__free(feed);
}
