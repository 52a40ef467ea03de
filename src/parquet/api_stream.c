/* api_stream.c - the public stream: text becomes a predicate, a limit is kept. Invariant: a stream
 * owns its predicate and holds its reader. May call: base/, arrow/, reader.h.
 */
#include "arrow/array.h"
#include "parquet/api.h"

typedef struct api_stream {
    lochan_parquet_reader *reader;
    lochan_expr *where;
    struct ArrowArrayStream rows;
    int64_t left; /* of the limit, -1 = none */
} api_stream;

static void free_stream(void *state) {
    api_stream *s = state;
    lochan_stream__release(&s->rows);
    lochan_expr__free(s->where);
    lochan_parquet_reader_close(s->reader);
    lochan_mem__free(s);
}

/* The first n rows of *batch, which is taken. */
static lochan_status cut(struct ArrowArray *batch, int64_t n, struct ArrowArray *out,
                         lochan_error *err) {
    lochan_shared *shared = lochan_shared__give(batch);
    if (!shared)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_shared__slice(shared, 0, n, out, err);
    lochan_shared__unref(shared);
    return rc;
}

static lochan_status next_rows(void *state, struct ArrowArray *out, lochan_error *err) {
    api_stream *s = state;
    memset(out, 0, sizeof *out);
    if (s->left == 0)
        return LOCHAN_OK;
    struct ArrowArray batch = {0};
    LOCHAN_TRY(lochan_stream__next(&s->rows, &batch, err));
    if (!batch.release)
        return LOCHAN_OK;
    if (s->left >= 0 && batch.length > s->left) {
        int64_t n = s->left;
        s->left = 0;
        return cut(&batch, n, out, err);
    }
    if (s->left >= 0)
        s->left -= batch.length;
    lochan_array__move(&batch, out);
    return LOCHAN_OK;
}

static lochan_status check_scan(const lochan_parquet_reader *reader,
                                const lochan_parquet_scan *scan, lochan_error *err) {
    int32_t n = lochan_pq_reader__row_groups(reader->inner);
    LOCHAN_CHECK_ARG(scan->batch_rows >= 0, err);
    LOCHAN_CHECK_ARG(scan->limit >= -1, err);
    LOCHAN_CHECK_ARG(scan->n_row_groups == 0 || scan->row_groups, err);
    LOCHAN_CHECK_ARG(!scan->columns || (scan->n_columns > 0 && !scan->no_columns), err);
    LOCHAN_CHECK_ARG(scan->n_rows == 0 || scan->rows, err);
    for (size_t i = 0; scan->columns && i < scan->n_columns; i++)
        LOCHAN_CHECK_ARG(scan->columns[i], err);
    for (size_t i = 0; scan->row_groups && i < scan->n_row_groups; i++) {
        int32_t g = scan->row_groups[i];
        if (g < 0 || g >= n)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "there is no row group %d: the file has %d", g, n);
        if (i > 0 && g <= scan->row_groups[i - 1])
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "row groups must be named in ascending order");
    }
    return LOCHAN_OK;
}

static lochan_status open_rows(api_stream *s, const lochan_parquet_scan *scan, lochan_error *err) {
    static const char *const none[1] = {NULL};
    lochan_status rc = LOCHAN_OK;
    lochan_pq_range *ranges = NULL;
    LOCHAN_TRYG(lochan_expr__parse(scan->where, &s->where, err));
    if (s->where)
        LOCHAN_TRYG(lochan_pq_reader__bind(s->reader->inner, s->where, err));
    lochan_pq_scan inner = {.paths = scan->no_columns ? none : scan->columns,
                            .n_columns = scan->no_columns ? 0 : scan->n_columns,
                            .predicate = s->where,
                            .row_groups = scan->row_groups,
                            .n_row_groups = scan->n_row_groups,
                            .n_rows = scan->n_rows,
                            .batch_rows = scan->batch_rows};
    if (scan->rows) {
        inner.rows = ranges = lochan_mem__array(scan->n_rows + 1, sizeof *ranges);
        if (!ranges) {
            rc = lochan_error__nomem(err);
            goto done;
        }
        for (size_t i = 0; i < scan->n_rows; i++)
            ranges[i] = (lochan_pq_range){scan->rows[i].from, scan->rows[i].to};
    }
    rc = lochan_pq_reader__stream(s->reader->inner, &inner, &s->rows, err);
done:
    lochan_mem__free(ranges);
    return rc;
}

lochan_status lochan_parquet_reader_stream(lochan_parquet_reader *reader,
                                           const lochan_parquet_scan *scan,
                                           struct ArrowArrayStream *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_parquet_scan o = LOCHAN_PARQUET_SCAN_INIT;
    struct ArrowSchema schema = {0};
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(reader, err);
    LOCHAN_TRY(LOCHAN_PARQUET_TAKE(scan, &o, lochan_parquet_scan, err));
    LOCHAN_TRY(check_scan(reader, &o, err));
    api_stream *s = lochan_mem__zalloc(sizeof *s);
    if (!s)
        return lochan_error__nomem(err);
    s->reader = lochan_parquet_reader__ref(reader);
    s->left = o.limit;
    LOCHAN_TRYG(open_rows(s, &o, err));
    LOCHAN_TRYG(lochan_stream__schema(&s->rows, &schema, err));
    return lochan_stream__make(&schema, next_rows, free_stream, s, out, err);
done:
    free_stream(s);
    return rc;
}
