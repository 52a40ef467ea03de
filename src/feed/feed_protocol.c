/* feed_protocol.c - requests in JSON to queries, rows to answers.
 * Invariants: parameters that no column answers to are refused, so that a test notices a wrong one;
 * a wrong token is echoed in the message, as the real provider does. May call: base/, feed_json.h,
 * source/json.h, source/yaml.h.
 */
#include "feed/feed_protocol.h"

#include "base/fs.h"
#include "source/json.h"
#include "source/yaml.h"

enum {
    MAX_PARAMS = 32,
    MAX_FIELDS = 4096,
    BAD_TOKEN = 40001,
    RATE_LIMIT = 40203,
    BAD_REQUEST = 40101
};
#define MINUTE_NS INT64_C(60000000000)

/* ---- feed.yaml ---- */

lochan_status lochan_feed_config__load(const char *path, lochan_feed_config *out,
                                       lochan_error *err) {
    static const char *const keys[] = {"token", "per_minute", "minute", "page_cap"};
    *out = (lochan_feed_config){.minute_ns = MINUTE_NS};
    if (!lochan_fs__exists(path))
        return LOCHAN_OK;
    lochan_yaml *doc;
    const char *token = NULL;
    LOCHAN_TRY(lochan_yaml__load(path, &doc, err));
    const lochan_yaml_node *root = lochan_yaml__root(doc);
    lochan_status rc;
    LOCHAN_TRYG(lochan_yaml__check_keys(root, keys, LOCHAN_COUNTOF(keys), err));
    LOCHAN_TRYG(lochan_yaml__get_string(root, "token", &token, err));
    LOCHAN_TRYG(lochan_yaml__get_int64(root, "per_minute", 1, INT32_MAX, &out->per_minute, err));
    LOCHAN_TRYG(lochan_yaml__get_int64(root, "page_cap", 1, INT32_MAX, &out->page_cap, err));
    LOCHAN_TRYG(lochan_yaml__get_duration_ns(root, "minute", &out->minute_ns, err));
    if (token && !(out->token = lochan_mem__strdup(token)))
        rc = lochan_error__nomem(err);
done:
    lochan_yaml__free(doc);
    return rc;
}

void lochan_feed_config__deinit(lochan_feed_config *config) {
    lochan_mem__free(config->token);
    config->token = NULL;
}

/* ---- Tushare ---- */

struct request {
    const lochan_feed_tables *tables;
    const lochan_feed_json *table;
    lochan_feed_query query;
    lochan_buf text;   /* of the request, with room behind it */
    lochan_buf params; /* the parameters as a list of one object */
    lochan_json *json;
    size_t columns[MAX_FIELDS];
    size_t n_columns;
    int code;
    char message[200];
};

static void refuse(struct request *r, int code, const char *fmt, lochan_str what) {
    r->code = code;
    lochan_format(r->message, sizeof(r->message), fmt, (int)(what.n < 100 ? what.n : 100), what.p);
}

/* One parameter of `params`. An empty value is none. */
static void take_param(struct request *r, lochan_str name, lochan_str value) {
    lochan_feed_query *q = &r->query;
    bool limit = lochan_str__eq(name, LOCHAN_STR("limit")),
         offset = lochan_str__eq(name, LOCHAN_STR("offset"));
    if (value.n == 0)
        return;
    if (limit || offset) {
        int64_t *to = limit ? &q->limit : &q->offset;
        if (!lochan_parse__int64(value.p, value.n, to) || *to < 0)
            refuse(r, BAD_REQUEST, "limit and offset are whole numbers, not %.*s", value);
    } else if (lochan_str__eq(name, LOCHAN_STR("start_date")) ||
               lochan_str__eq(name, LOCHAN_STR("end_date"))) {
        bool parsed =
            lochan_feed__parse_date(value.p, value.n, name.p[0] == 's' ? &q->start : &q->end);
        if (!parsed || !r->table->table->dates)
            refuse(r, BAD_REQUEST, "no date can be %.*s here", value);
    } else {
        size_t column = lochan_feed_json__column(r->table, name);
        if (column == SIZE_MAX || q->n_filters == LOCHAN_COUNTOF(q->filters))
            refuse(r, BAD_REQUEST, "there is no parameter %.*s", name);
        else
            q->filters[q->n_filters++] = (lochan_feed_filter){column, value};
    }
}

struct param_sink {
    struct request *request;
    const lochan_json_names *names;
};

static lochan_status take_params(void *ctx, const lochan_csv_cell *cells, size_t rows,
                                 lochan_error *err) {
    const struct param_sink *sink = ctx;
    (void)rows, (void)err;
    for (size_t i = 0; i < lochan_json_names__count(sink->names); i++)
        take_param(sink->request, lochan_str__of(lochan_json_names__get(sink->names, i)),
                   (lochan_str){cells[i].p, cells[i].n});
    return LOCHAN_OK;
}

static lochan_status read_params(struct request *r, lochan_json_span params, lochan_error *err) {
    lochan_csv_cell cells[MAX_PARAMS];
    int64_t n_rows;
    if (params.kind != LOCHAN_JSON_OBJECT)
        return LOCHAN_OK;
    lochan_buf__init(&r->params, params.raw.n + 2 + LOCHAN_JSON_PADDING);
    LOCHAN_TRY(lochan_buf__reserve(&r->params, params.raw.n + 2 + LOCHAN_JSON_PADDING, err));
    LOCHAN_TRY(lochan_buf__putc(&r->params, '[', err));
    LOCHAN_TRY(lochan_buf__append(&r->params, params.raw.p, params.raw.n, err));
    LOCHAN_TRY(lochan_buf__putc(&r->params, ']', err));
    lochan_json_names *names = lochan_json_names__create(MAX_PARAMS);
    if (!names)
        return lochan_error__nomem(err);
    lochan_str text = {(const char *)r->params.data, r->params.len};
    lochan_status rc = lochan_json__names(r->json, text, names, &n_rows, err);
    if (rc == LOCHAN_OK && lochan_json_names__count(names) > 0) {
        struct param_sink sink = {r, names};
        lochan_json_rows rows = {.n_cells = lochan_json_names__count(names), .cells = cells};
        rows.block_rows = 1;
        rows.fn = take_params;
        rows.ctx = &sink;
        rc = lochan_json__objects(r->json, text, names, &rows, err);
    }
    lochan_json_names__free(names);
    return rc;
}

static void read_fields(struct request *r, lochan_str fields) {
    for (size_t i = 0; i < fields.n && r->code == 0;) {
        size_t n = 0;
        while (i + n < fields.n && fields.p[i + n] != ',')
            n++;
        lochan_str name = lochan_str__trim((lochan_str){fields.p + i, n});
        size_t column = lochan_feed_json__column(r->table, name);
        if (column == SIZE_MAX || r->n_columns == MAX_FIELDS)
            refuse(r, BAD_REQUEST, "there is no field %.*s", name);
        else
            r->columns[r->n_columns++] = column;
        i += n + 1;
    }
}

static const lochan_feed_json *find_table(const lochan_feed_tables *tables, lochan_str name) {
    for (size_t i = 0; i < tables->n; i++)
        if (lochan_str__eq(lochan_str__of(tables->items[i].table->name), name))
            return &tables->items[i];
    return NULL;
}

/* A request that is no JSON is refused like any other: the caller gets an answer. */
static lochan_status read_request(struct request *r, lochan_str body, bool limited,
                                  lochan_error *err) {
    static const char *const paths[] = {"api_name", "token", "params", "fields"};
    lochan_json_span at[4];
    lochan_str text;
    lochan_buf__init(&r->text, body.n + LOCHAN_JSON_PADDING + 1);
    LOCHAN_TRY(lochan_buf__reserve(&r->text, body.n + LOCHAN_JSON_PADDING, err));
    LOCHAN_TRY(lochan_buf__append(&r->text, body.p, body.n, err));
    LOCHAN_TRY(lochan_json__find(r->json, (lochan_str){(const char *)r->text.data, r->text.len},
                                 paths, 4, at, err));
    const char *token = r->tables->config->token;
    LOCHAN_TRY(lochan_json__string(r->json, at[1], &text, err));
    if (token && !lochan_str__eq(text, lochan_str__of(token))) {
        refuse(r, BAD_TOKEN, "the token %.*s is not valid", text);
        return LOCHAN_OK;
    }
    if (limited) {
        refuse(r, RATE_LIMIT, "too many requests in this minute%.*s", (lochan_str){"", 0});
        return LOCHAN_OK;
    }
    LOCHAN_TRY(lochan_json__string(r->json, at[0], &text, err));
    r->table = find_table(r->tables, text);
    if (!r->table) {
        refuse(r, BAD_REQUEST, "there is no api_name %.*s", text);
        return LOCHAN_OK;
    }
    LOCHAN_TRY(read_params(r, at[2], err));
    LOCHAN_TRY(lochan_json__string(r->json, at[3], &text, err));
    if (at[3].kind == LOCHAN_JSON_STRING)
        read_fields(r, text);
    return LOCHAN_OK;
}

static lochan_status print_answer(struct request *r, lochan_buf *out, lochan_error *err) {
    const lochan_feed_json *t = r->table;
    int64_t rows, cap = r->tables->page_cap;
    bool more;
    if (cap > 0 && (r->query.limit < 0 || r->query.limit > cap))
        r->query.limit = cap;
    size_t n = r->n_columns ? r->n_columns : t->table->n_columns;
    LOCHAN_TRY(lochan_buf__puts(
        out, "{\"request_id\":\"feed\",\"code\":0,\"msg\":\"\",\"data\":{\"fields\":[", err));
    for (size_t i = 0; i < n; i++) {
        const char *name = t->names[r->n_columns ? r->columns[i] : i];
        if (i > 0)
            LOCHAN_TRY(lochan_buf__putc(out, ',', err));
        LOCHAN_TRY(lochan_buf__json_string(out, name, strlen(name), err));
    }
    LOCHAN_TRY(lochan_buf__puts(out, "],\"items\":[", err));
    LOCHAN_TRY(lochan_feed_json__print(t, &r->query, false, r->n_columns ? r->columns : NULL,
                                       r->n_columns, out, &rows, &more, err));
    return lochan_buf__printf(out, err, "],\"has_more\":%s}}", more ? "true" : "false");
}

lochan_status lochan_feed_tushare__answer(const lochan_feed_tables *tables, lochan_str body,
                                          bool limited, lochan_buf *out, lochan_error *err) {
    struct request *r = lochan_mem__zalloc(sizeof(*r));
    if (!r)
        return lochan_error__nomem(err);
    r->tables = tables;
    r->query = (lochan_feed_query){.start = INT32_MIN, .end = INT32_MAX, .limit = -1};
    r->json = lochan_json__create();
    lochan_error why;
    lochan_error_init(&why);
    lochan_status rc = r->json ? read_request(r, body, limited, &why) : lochan_error__nomem(&why);
    if (rc == LOCHAN_ERR_PAGE) {
        refuse(r, BAD_REQUEST, "%.*s", lochan_str__of(why.message));
        rc = LOCHAN_OK;
    }
    if (rc != LOCHAN_OK && err)
        *err = why;
    if (rc == LOCHAN_OK && r->code == 0) {
        rc = print_answer(r, out, err);
    } else if (rc == LOCHAN_OK) {
        rc = lochan_buf__printf(out, err, "{\"request_id\":\"feed\",\"code\":%d,\"msg\":", r->code);
        if (rc == LOCHAN_OK)
            rc = lochan_buf__json_string(out, r->message, strlen(r->message), err);
        if (rc == LOCHAN_OK)
            rc = lochan_buf__puts(out, ",\"data\":null}", err);
    }
    lochan_buf__deinit(&r->text);
    lochan_buf__deinit(&r->params);
    lochan_json__free(r->json);
    lochan_mem__free(r);
    return rc;
}

/* ---- records ---- */

lochan_status lochan_feed_records__answer(const lochan_feed_json *table, lochan_feed_query *query,
                                          const char *cursor, lochan_buf *out, const char **problem,
                                          lochan_error *err) {
    int64_t rows;
    bool more;
    *problem = NULL;
    if (cursor && cursor[0]) {
        size_t n = strlen(cursor);
        if (strncmp(cursor, "after-", 6) != 0 ||
            !lochan_parse__int64(cursor + 6, n - 6, &query->offset) || query->offset < 0) {
            *problem = "the cursor is none of mine\n";
            return LOCHAN_OK;
        }
    }
    LOCHAN_TRY(lochan_buf__puts(out, "{\"data\":[", err));
    LOCHAN_TRY(lochan_feed_json__print(table, query, true, NULL, 0, out, &rows, &more, err));
    if (!more)
        return lochan_buf__puts(out, "],\"next\":null}", err);
    return lochan_buf__printf(out, err, "],\"next\":\"after-%lld\"}",
                              (long long)(query->offset + rows));
}
