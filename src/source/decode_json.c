/* decode_json.c - an answer in JSON to a batch: what went wrong by its own account, what follows,
 * then the rows.
 * Invariants: error codes are looked at before the rows; the rows' memory depends on their number
 * and the text's size. May call: base/, arrow/, json.h, page_columns.h.
 */
#include "source/decode.h"
#include "source/json.h"
#include "source/page_columns.h"

enum { MAX_COLUMNS = 16384, BLOCK_CELLS = 8192, SHOWN_MESSAGE = 200 };

enum { AT_FIELDS, AT_ITEMS, AT_CODE, AT_MESSAGE, AT_NEXT, AT_MORE, AT_TOTAL, N_PATHS };

struct decoder {
    const lochan_ctx *ctx;
    const lochan_source_spec *spec;
    const lochan_csv_options *options;
    lochan_json *json;
    lochan_str text; /* the whole answer */
    lochan_json_span at[N_PATHS];
    lochan_arena arena;
    lochan_page_columns columns;
    lochan_json_names *names; /* of records */
    int64_t n_rows;
};

/* ---- what the answer says of itself ---- */

static lochan_status find_parts(struct decoder *d, const lochan_paging *paging, lochan_error *err) {
    const lochan_source_response *r = &d->spec->response;
    const char *all[N_PATHS] = {NULL};
    bool table = d->spec->format == LOCHAN_FORMAT_TABLE;
    all[AT_FIELDS] = table ? r->fields : NULL;
    all[AT_ITEMS] = r->items;
    all[AT_CODE] = r->error_code;
    all[AT_MESSAGE] = r->message;
    all[AT_NEXT] = paging ? paging->next : NULL;
    all[AT_MORE] = paging ? paging->has_more : NULL;
    all[AT_TOTAL] = paging ? paging->total : NULL;
    const char *paths[N_PATHS];
    int which[N_PATHS];
    lochan_json_span spans[N_PATHS];
    size_t n = 0;
    for (int i = 0; i < N_PATHS; i++) {
        if (all[i]) {
            which[n] = i;
            paths[n++] = all[i];
        }
    }
    LOCHAN_TRY(lochan_json__find(d->json, d->text, paths, n, spans, err));
    for (size_t i = 0; i < n; i++)
        d->at[which[i]] = spans[i];
    return LOCHAN_OK;
}

static bool is_none(lochan_json_span span) {
    return span.kind == LOCHAN_JSON_MISSING || span.kind == LOCHAN_JSON_NULL;
}

/* The text of a scalar, at most cap - 1 bytes, without control characters. */
static lochan_status print_scalar(struct decoder *d, lochan_json_span span, char *dst, size_t cap,
                                  lochan_error *err) {
    lochan_str s = {"", 0};
    dst[0] = '\0';
    if (!is_none(span))
        LOCHAN_TRY(lochan_json__string(d->json, span, &s, err));
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    for (size_t i = 0; i < n; i++)
        dst[i] = (unsigned char)s.p[i] < ' ' ? ' ' : s.p[i];
    while (n > 0 && n < s.n && ((unsigned char)dst[n - 1] & 0xC0) == 0x80)
        n--; /* not in the middle of a character */
    dst[n] = '\0';
    return LOCHAN_OK;
}

static bool is_success(const lochan_source_response *r, lochan_json_span span, const char *code) {
    if (r->n_ok == 0)
        return is_none(span);
    for (size_t i = 0; i < r->n_ok; i++)
        if (strcmp(r->ok[i], code) == 0)
            return true;
    return false;
}

/* Errors that the provider reports in the body. *empty: its way to say that there are no rows. */
static lochan_status check_code(struct decoder *d, bool *empty, lochan_error *err) {
    const lochan_source_response *r = &d->spec->response;
    char code[64], message[SHOWN_MESSAGE];
    *empty = false;
    if (!r->error_code)
        return LOCHAN_OK;
    LOCHAN_TRY(print_scalar(d, d->at[AT_CODE], code, sizeof(code), err));
    if (is_success(r, d->at[AT_CODE], code))
        return LOCHAN_OK;
    if (is_none(d->at[AT_CODE]))
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "the answer has no %s", r->error_code);
    LOCHAN_TRY(print_scalar(d, d->at[AT_MESSAGE], message, sizeof(message), err));
    const lochan_source_error_rule *rule;
    lochan_error_meaning meaning = lochan_source_spec__code_meaning(d->spec, code, &rule);
    *empty = meaning == LOCHAN_MEANING_EMPTY;
    if (*empty)
        return LOCHAN_OK;
    lochan_status rc = meaning == LOCHAN_MEANING_RATE_LIMIT ? LOCHAN_ERR_RATE_LIMIT
                       : meaning == LOCHAN_MEANING_RETRY    ? LOCHAN_ERR_NETWORK
                                                            : LOCHAN_ERR_HTTP;
    lochan_error__set(err, rc, "the provider answers %s %s%s%s", r->error_code, code,
                      message[0] ? ": " : "", message);
    if (err && rule && rule->wait_ns > 0)
        err->retry_after_ms = rule->wait_ns / 1000000;
    return rc;
}

static lochan_status read_facts(struct decoder *d, lochan_page_facts *facts, lochan_error *err) {
    lochan_json_span next = d->at[AT_NEXT], more = d->at[AT_MORE], total = d->at[AT_TOTAL];
    if (!is_none(more)) {
        if (more.kind != LOCHAN_JSON_BOOL)
            return lochan_error__set(err, LOCHAN_ERR_PAGE,
                                     "the answer's word whether more rows follow is neither true "
                                     "nor false");
        facts->has_more_known = true;
        facts->has_more = more.raw.p[0] == 't';
    }
    if (!is_none(total)) {
        lochan_str text;
        LOCHAN_TRY(lochan_json__string(d->json, total, &text, err));
        if (!lochan_parse__int64(text.p, text.n, &facts->total) || facts->total < 0)
            return lochan_error__set(err, LOCHAN_ERR_PAGE, "the answer's number of rows is none");
        facts->total_known = true;
    }
    if (!is_none(next)) {
        lochan_str text;
        if (next.kind != LOCHAN_JSON_STRING && next.kind != LOCHAN_JSON_NUMBER)
            return lochan_error__set(err, LOCHAN_ERR_PAGE,
                                     "the answer's name for the next page is no text");
        LOCHAN_TRY(lochan_json__string(d->json, next, &text, err));
        if (memchr(text.p, '\0', text.n) || text.n > 8192)
            return lochan_error__set(err, LOCHAN_ERR_PAGE,
                                     "the answer's name for the next page is unusable");
        facts->next = lochan_mem__strndup(text.p, text.n);
        if (!facts->next)
            return lochan_error__nomem(err);
    }
    return LOCHAN_OK;
}

/* ---- columns ---- */

static lochan_status name_columns(struct decoder *d, size_t n, lochan_error *err) {
    lochan_page_columns *c = &d->columns;
    c->names = lochan_arena__array(&d->arena, n + d->options->n_columns + 1, sizeof(*c->names));
    return c->names ? LOCHAN_OK : lochan_error__nomem(err);
}

static lochan_status read_fields(struct decoder *d, lochan_error *err) {
    lochan_page_columns *c = &d->columns;
    if (d->at[AT_FIELDS].kind != LOCHAN_JSON_LIST)
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "the answer has no list of fields at %s",
                                 d->spec->response.fields);
    lochan_str *fields = lochan_arena__array(&d->arena, MAX_COLUMNS, sizeof(*fields));
    if (!fields)
        return lochan_error__nomem(err);
    LOCHAN_TRY(lochan_json__strings(d->json, d->at[AT_FIELDS], MAX_COLUMNS, fields, &c->n, err));
    LOCHAN_TRY(name_columns(d, c->n, err));
    for (size_t i = 0; i < c->n; i++) {
        if (fields[i].n > 1024 || memchr(fields[i].p, '\0', fields[i].n))
            return lochan_error__set(err, LOCHAN_ERR_PAGE, "field %zu has no usable name", i + 1);
        c->names[i] = lochan_arena__strndup(&d->arena, fields[i].p, fields[i].n);
        if (!c->names[i])
            return lochan_error__nomem(err);
    }
    c->n_named = c->n;
    return lochan_page_columns__check_names(c, err);
}

/* The names of all records; optional columns that none of them has become nulls. */
static lochan_status read_names(struct decoder *d, lochan_error *err) {
    lochan_page_columns *c = &d->columns;
    d->names = lochan_json_names__create(MAX_COLUMNS);
    if (!d->names)
        return lochan_error__nomem(err);
    LOCHAN_TRY(lochan_json__names(d->json, d->at[AT_ITEMS].raw, d->names, &d->n_rows, err));
    if (d->n_rows == 0)
        return LOCHAN_OK; /* nothing has a name */
    size_t n = lochan_json_names__count(d->names);
    LOCHAN_TRY(name_columns(d, n, err));
    for (size_t i = 0; i < n; i++)
        c->names[i] = lochan_json_names__get(d->names, i);
    c->n = n;
    for (size_t i = 0; i < d->options->n_columns; i++) {
        const lochan_csv_column *declared = &d->options->columns[i];
        bool found = !declared->optional;
        for (size_t k = 0; k < n && !found; k++)
            found = strcmp(c->names[k], declared->name) == 0;
        if (!found)
            c->names[c->n++] = declared->name;
    }
    c->n_named = c->n;
    return lochan_page_columns__check_names(c, err);
}

/* ---- rows ---- */

static lochan_status take_block(void *ctx, const lochan_csv_cell *cells, size_t rows,
                                lochan_error *err) {
    struct decoder *d = ctx;
    const lochan_csv_cell *bad;
    LOCHAN_TRY(lochan_cancel__check(d->ctx ? d->ctx->cancel : NULL, err));
    lochan_status rc = lochan_page_columns__append(&d->columns, cells, rows, &bad, err);
    if (bad && bad->p >= d->text.p && bad->p <= d->text.p + d->text.n)
        lochan_error__prefix(err, rc, "byte %lld", (long long)(bad->p - d->text.p));
    return rc;
}

/* Columns behind the records' own are nulls: cells are made for the names that there are, and the
 * added ones are filled here. */
static lochan_status read_rows(struct decoder *d, lochan_error *err) {
    lochan_page_columns *c = &d->columns;
    size_t block = BLOCK_CELLS / c->n + 1;
    lochan_json_rows rows = {.n_cells = c->n, .block_rows = block, .fn = take_block, .ctx = d};
    rows.nan_is_null = d->spec->response.nan_is_null;
    rows.cells = lochan_mem__array(block * c->n, sizeof(*rows.cells));
    if (!rows.cells)
        return lochan_error__nomem(err);
    lochan_str items = d->at[AT_ITEMS].raw;
    lochan_status rc = d->names ? lochan_json__objects(d->json, items, d->names, &rows, err)
                                : lochan_json__lists(d->json, items, &rows, err);
    lochan_mem__free(rows.cells);
    return rc;
}

static lochan_status decode_rows(struct decoder *d, struct ArrowSchema *schema,
                                 struct ArrowArray *batch, lochan_error *err) {
    lochan_page_columns *c = &d->columns;
    LOCHAN_TRY(lochan_page_columns__map(c, &d->arena, err));
    lochan_budget *budget = d->ctx ? d->ctx->budget : NULL;
    size_t bytes = lochan_page_columns__bytes_for(c, d->n_rows, d->at[AT_ITEMS].raw.n);
    LOCHAN_TRY(lochan_budget__take(budget, bytes, "decoding a page", err));
    lochan_status rc = lochan_page_columns__reserve(c, d->n_rows, d->at[AT_ITEMS].raw.n, err);
    if (rc == LOCHAN_OK)
        rc = read_rows(d, err);
    if (rc == LOCHAN_OK)
        rc = lochan_page_columns__finish(c, schema, batch, err);
    lochan_budget__give(budget, bytes);
    return rc;
}

static lochan_status decode_items(struct decoder *d, lochan_page_facts *facts,
                                  struct ArrowSchema *schema, struct ArrowArray *batch,
                                  lochan_error *err) {
    lochan_json_span items = d->at[AT_ITEMS];
    bool table = d->spec->format == LOCHAN_FORMAT_TABLE;
    if (items.kind != LOCHAN_JSON_LIST)
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "the answer has no list of rows%s%s",
                                 d->spec->response.items[0] ? " at " : "", d->spec->response.items);
    if (table)
        LOCHAN_TRY(lochan_json__count(d->json, items.raw, &d->n_rows, err));
    else
        LOCHAN_TRY(read_names(d, err));
    facts->rows = d->n_rows;
    facts->hash = lochan_hash__128(items.raw.p, items.raw.n);
    if (d->n_rows == 0)
        return lochan_source__no_rows(d->options, schema, batch, err);
    if (table)
        LOCHAN_TRY(read_fields(d, err));
    return decode_rows(d, schema, batch, err);
}

/* ---- all of it ---- */

/* Lines of objects become a list of them: the text stays in its place, commas take the place of the
 * line ends, brackets that of the ends. */
static lochan_status lines_to_list(lochan_buf *body, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__reserve(body, 2, err));
    memmove(body->data + 1, body->data, body->len);
    body->data[0] = '[';
    size_t end = body->len + 1;
    while (end > 1 && strchr(" \t\r\n", body->data[end - 1]))
        end--;
    bool in_string = false;
    for (size_t i = 1; i < end; i++) {
        uint8_t c = body->data[i];
        if (c == '"')
            in_string = !in_string;
        else if (c == '\\' && in_string)
            i++;
        else if (c == '\n' && !in_string)
            body->data[i] = ',';
    }
    body->data[end] = ']';
    body->len = end + 1;
    return LOCHAN_OK;
}

static lochan_status decode(struct decoder *d, const lochan_paging *paging,
                            struct ArrowSchema *schema, struct ArrowArray *batch,
                            lochan_page_facts *facts, lochan_error *err) {
    bool empty;
    LOCHAN_TRY(find_parts(d, paging, err));
    LOCHAN_TRY(check_code(d, &empty, err));
    if (empty)
        return lochan_source__no_rows(d->options, schema, batch, err);
    LOCHAN_TRY(read_facts(d, facts, err));
    return decode_items(d, facts, schema, batch, err);
}

lochan_status lochan_json__decode(const lochan_ctx *ctx, const lochan_source_spec *spec,
                                  const lochan_paging *paging, const lochan_csv_options *options,
                                  lochan_buf *body, struct ArrowSchema *schema,
                                  struct ArrowArray *batch, lochan_page_facts *facts,
                                  lochan_error *err) {
    lochan_csv_options own = *options;
    if (!own.null_texts) {
        own.null_texts = spec->json_null_texts;
        own.n_null_texts = spec->n_json_null_texts;
    }
    struct decoder d = {.ctx = ctx, .spec = spec, .options = &own};
    d.columns = (lochan_page_columns){.options = &own, .is_json = true};
    lochan_budget *budget = ctx ? ctx->budget : NULL;
    size_t bytes = lochan_json__bytes_for(body->len + LOCHAN_JSON_PADDING);
    LOCHAN_TRY(lochan_budget__take(budget, bytes, "reading an answer in JSON", err));
    lochan_arena__init(&d.arena, 0);
    lochan_status rc;
    body->max = body->max < SIZE_MAX - 256 ? body->max + LOCHAN_JSON_PADDING + 2 : SIZE_MAX;
    if (spec->format == LOCHAN_FORMAT_NDJSON)
        LOCHAN_TRYG(lines_to_list(body, err));
    LOCHAN_TRYG(lochan_buf__reserve(body, LOCHAN_JSON_PADDING, err));
    d.text = (lochan_str){(const char *)body->data, body->len};
    d.json = lochan_json__create();
    rc = d.json ? decode(&d, paging, schema, batch, facts, err) : lochan_error__nomem(err);
done:
    lochan_page_columns__deinit(&d.columns);
    lochan_json_names__free(d.names);
    lochan_json__free(d.json);
    lochan_arena__deinit(&d.arena);
    lochan_budget__give(budget, bytes);
    if (rc != LOCHAN_OK) {
        lochan_schema__release(schema);
        lochan_array__release(batch);
        lochan_page_facts__deinit(facts);
    }
    return rc;
}
