/* api_verify.c - is every page of a file sound, and does the file say the truth about itself?
 * Each column of each row group is read by itself, so that one damaged page hides no other. Row
 * groups come one after the other, their columns in parallel; findings are listed in the order of
 * the file. Invariant: what the file does wrong is a finding; only what keeps us from looking is an
 * error. May call: base/, arrow/, reader_own.h, pages.h.
 */
#include "arrow/listing.h"
#include "arrow/view.h"
#include "parquet/api.h"
#include "parquet/pages.h"
#include "parquet/reader_own.h"

enum { BATCH_ROWS = 65536, HEADER_WINDOW = 1 << 16 };

/* One column of one row group: its findings, at most one of each kind. */
typedef struct column_check {
    lochan_error damage; /* code OK: none */
    lochan_error mismatch;
    int64_t rows, nulls;
    int64_t without_crc;
} column_check;

typedef struct verification {
    lochan_parquet_reader *reader;
    lochan_listing problems;
    lochan_parquet_verify_report report;
    int row_group;
    column_check *columns;
} verification;

/* Failures that say nothing about the file. */
static bool is_ours(lochan_status rc) {
    return rc == LOCHAN_ERR_NO_MEMORY || rc == LOCHAN_ERR_MEMORY_LIMIT ||
           rc == LOCHAN_ERR_CANCELLED || rc == LOCHAN_ERR_INTERNAL;
}

static const char *kind_of(lochan_status rc) {
    switch (rc) {
    case LOCHAN_ERR_UNSUPPORTED:
        return "unsupported";
    case LOCHAN_ERR_DATA:
    case LOCHAN_ERR_VALUE:
        return "value";
    case LOCHAN_ERR_IO:
        return "read";
    default:
        return "page";
    }
}

static lochan_status add_problem(verification *v, const char *kind, int row_group,
                                 const char *column, const lochan_error *what, lochan_error *err) {
    lochan_listing *l = &v->problems;
    LOCHAN_TRY(lochan_listing__string(l, 0, kind, err));
    if (row_group >= 0)
        LOCHAN_TRY(lochan_listing__int64(l, 1, row_group, err));
    if (column && lochan_utf8__valid(column, strlen(column)))
        LOCHAN_TRY(lochan_listing__string(l, 2, column, err));
    if (what->offset >= 0)
        LOCHAN_TRY(lochan_listing__int64(l, 3, what->offset, err));
    bool text = lochan_utf8__valid(what->message, strlen(what->message));
    LOCHAN_TRY(lochan_listing__string(
        l, 4, text ? what->message : "the file holds text that is no UTF-8", err));
    LOCHAN_TRY(lochan_listing__end_row(l, err));
    v->report.problems++;
    return LOCHAN_OK;
}

/* ---- values against statistics ---- */

static int compare_text(lochan_str a, lochan_str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static bool has_typed_bounds(const lochan_type *type, const lochan_expr_stats *s) {
    bool known = type->id == LOCHAN_TYPE_BOOL || lochan_type__is_integer(type->id) ||
                 lochan_type__is_bytes(type->id) || type->id == LOCHAN_TYPE_FLOAT32 ||
                 type->id == LOCHAN_TYPE_FLOAT64 ||
                 (type->id >= LOCHAN_TYPE_DATE32 && type->id <= LOCHAN_TYPE_TIMESTAMP);
    return known && s->type.id == type->id && s->type.unit == type->unit;
}

/* Whether value i lies outside the bounds. A cut upper bound may be a prefix of the true one, or
 * lie above it. */
static bool outside(const lochan_view *v, int64_t i, const lochan_expr_stats *s) {
    if (lochan_type__is_bytes(v->type.id)) {
        lochan_str x = lochan_view__bytes(v, i);
        bool prefix = s->has_max && !s->max_exact && x.n >= s->max_s.n &&
                      memcmp(x.p, s->max_s.p, s->max_s.n) == 0;
        return (s->has_min && compare_text(x, s->min_s) < 0) ||
               (s->has_max && !prefix && compare_text(x, s->max_s) > 0);
    }
    if (lochan_type__is_float(v->type.id)) {
        double x = lochan_view__double(v, i);
        if (x != x)
            return !s->may_have_nan;
        return (s->has_min && x < s->min_f) || (s->has_max && x > s->max_f);
    }
    int64_t x = lochan_view__int64(v, i);
    if (v->type.id == LOCHAN_TYPE_UINT64)
        return (s->has_min && (uint64_t)x < (uint64_t)s->min_i) ||
               (s->has_max && (uint64_t)x > (uint64_t)s->max_i);
    return (s->has_min && x < s->min_i) || (s->has_max && x > s->max_i);
}

static lochan_status check_values(column_check *c, const struct ArrowSchema *field,
                                  const struct ArrowArray *values, const lochan_expr_stats *stats,
                                  lochan_error *err) {
    lochan_view view = {0};
    LOCHAN_TRY(lochan_view__init(&view, field, values, err));
    bool bounds = has_typed_bounds(&view.type, stats) && c->mismatch.code == LOCHAN_OK;
    for (int64_t i = 0; i < values->length; i++) {
        if (lochan_view__is_null(&view, i)) {
            c->nulls++;
        } else if (bounds && outside(&view, i, stats)) {
            (void)lochan_error__set(
                &c->mismatch, LOCHAN_ERR_CORRUPT,
                "row %lld of the row group lies outside the bounds in its statistics",
                (long long)(c->rows + i));
            bounds = false;
        }
    }
    lochan_view__deinit(&view);
    return LOCHAN_OK;
}

/* ---- pages ---- */

/* Counts the pages that carry no checksum. Damaged headers are reported by decoding. */
static void count_unchecked(const lochan_pq_reader *inner, int leaf, int row_group,
                            column_check *c) {
    lochan_pq_reader *r = (lochan_pq_reader *)(uintptr_t)inner;
    lochan_pq_pages pages;
    lochan_pq_page page;
    bool more = true;
    lochan_status rc = lochan_pq_pages__init(&pages, &r->file, &r->schema.leaves[leaf],
                                             lochan_pq_reader__chunk(r, row_group, leaf), row_group,
                                             HEADER_WINDOW, NULL);
    while (rc == LOCHAN_OK && more) {
        rc = lochan_pq_pages__next(&pages, &page, &more, NULL);
        if (rc == LOCHAN_OK && more)
            c->without_crc += !LOCHAN_PQ_HAS(&page.header, 4);
    }
    lochan_pq_pages__deinit(&pages);
}

static lochan_status read_column(verification *v, int column, column_check *c, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_pq_reader *r = v->reader->inner;
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_expr_stats stats;
    lochan_pq_scan scan = {.columns = &column,
                           .n_columns = 1,
                           .row_groups = &v->row_group,
                           .n_row_groups = 1,
                           .batch_rows = BATCH_ROWS};
    bool known = lochan_pq_reader__column_stats(r, v->row_group, column, &stats);
    LOCHAN_TRYG(lochan_pq_reader__stream(r, &scan, &stream, err));
    LOCHAN_TRYG(lochan_stream__schema(&stream, &schema, err));
    for (;;) {
        LOCHAN_TRYG(lochan_stream__next(&stream, &batch, err));
        if (!batch.release)
            break;
        LOCHAN_TRYG(lochan_array__check(&schema, &batch, err));
        if (known)
            LOCHAN_TRYG(check_values(c, schema.children[0], batch.children[0], &stats, err));
        c->rows += batch.length;
        lochan_array__release(&batch);
    }
    if (known && stats.null_count >= 0 && stats.null_count != c->nulls &&
        c->mismatch.code == LOCHAN_OK)
        (void)lochan_error__set(&c->mismatch, LOCHAN_ERR_CORRUPT,
                                "the column has %lld nulls, its statistics say %lld",
                                (long long)c->nulls, (long long)stats.null_count);
done:
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_stream__release(&stream);
    return rc;
}

static lochan_status column_task(void *ctx, size_t index, lochan_error *err) {
    verification *v = ctx;
    column_check *c = &v->columns[index];
    const lochan_pq_field *field = &v->reader->inner->schema.root.children[index];
    for (int l = 0; l < field->n_leaves; l++)
        count_unchecked(v->reader->inner, field->first_leaf + l, v->row_group, c);
    lochan_error seen;
    lochan_error_init(&seen);
    lochan_status rc = read_column(v, (int)index, c, &seen);
    if (rc == LOCHAN_OK)
        return LOCHAN_OK;
    if (is_ours(rc)) {
        if (err)
            *err = seen;
        return rc;
    }
    c->damage = seen;
    c->damage.code = rc;
    return LOCHAN_OK;
}

static lochan_status check_group(verification *v, lochan_error *err) {
    const lochan_pq_schema *schema = &v->reader->inner->schema;
    size_t n = (size_t)schema->root.n_children;
    for (size_t i = 0; i < n; i++) {
        v->columns[i] = (column_check){0};
        lochan_error_init(&v->columns[i].damage);
        lochan_error_init(&v->columns[i].mismatch);
    }
    LOCHAN_TRY(
        lochan_pool__for(v->reader->ctx.pool, n, column_task, v, v->reader->ctx.cancel, err));
    for (size_t i = 0; i < n; i++) {
        column_check *c = &v->columns[i];
        const char *name = schema->arrow.children[i]->name;
        v->report.pages_without_crc += c->without_crc;
        v->report.chunks += c->damage.code == LOCHAN_OK ? schema->root.children[i].n_leaves : 0;
        if (c->damage.code != LOCHAN_OK)
            LOCHAN_TRY(add_problem(v, kind_of(c->damage.code), v->row_group,
                                   c->damage.column[0] ? c->damage.column : name, &c->damage, err));
        if (c->mismatch.code != LOCHAN_OK)
            LOCHAN_TRY(add_problem(v, "statistics", v->row_group, name, &c->mismatch, err));
    }
    return LOCHAN_OK;
}

/* ---- the public calls ---- */

static lochan_status begin(verification *v, lochan_error *err) {
    static const lochan_listing_column columns[] = {{"kind", "string"},   {"row_group", "int32"},
                                                    {"column", "string"}, {"offset", "int64"},
                                                    {"detail", "string"}, {NULL, NULL}};
    return lochan_listing__init(&v->problems, columns, err);
}

static lochan_status finish(verification *v, lochan_parquet_verify_report *report,
                            struct ArrowArrayStream *problems, lochan_error *err) {
    if (problems)
        LOCHAN_TRY(lochan_listing__finish(&v->problems, problems, err));
    return report ? lochan_parquet__give(&v->report, sizeof v->report, report, err) : LOCHAN_OK;
}

static lochan_status check_all(verification *v, lochan_error *err) {
    lochan_pq_reader *r = v->reader->inner;
    lochan_pq_counters before, after;
    lochan_pq_reader__counters(r, &before);
    v->report.rows = lochan_pq_reader__rows(r);
    v->columns = lochan_mem__array((size_t)r->schema.root.n_children + 1, sizeof *v->columns);
    if (!v->columns)
        return lochan_error__nomem(err);
    for (v->row_group = 0; v->row_group < lochan_pq_reader__row_groups(r); v->row_group++)
        LOCHAN_TRY(check_group(v, err));
    lochan_pq_reader__counters(r, &after);
    v->report.pages = (int64_t)(after.pages_decoded - before.pages_decoded);
    v->report.bytes_read = (int64_t)(after.bytes_read - before.bytes_read);
    return LOCHAN_OK;
}

lochan_status lochan_parquet_reader_verify(lochan_parquet_reader *reader,
                                           lochan_parquet_verify_report *report,
                                           struct ArrowArrayStream *problems, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    verification v = {.reader = reader};
    if (problems)
        memset(problems, 0, sizeof *problems);
    LOCHAN_CHECK_ARG(reader, err);
    LOCHAN_TRYG(begin(&v, err));
    LOCHAN_TRYG(check_all(&v, err));
    LOCHAN_TRYG(finish(&v, report, problems, err));
done:
    lochan_mem__free(v.columns);
    lochan_listing__deinit(&v.problems);
    return rc;
}

lochan_status lochan_parquet_verify(const char *path, const lochan_parquet_read_options *options,
                                    lochan_parquet_verify_report *report,
                                    struct ArrowArrayStream *problems, lochan_error *err) {
    lochan_parquet_reader *reader = NULL;
    verification v = {0};
    lochan_error seen;
    lochan_error_init(&seen);
    if (problems)
        memset(problems, 0, sizeof *problems);
    lochan_status rc = lochan_parquet_reader_open(path, options, &reader, &seen);
    if (rc == LOCHAN_OK) {
        rc = lochan_parquet_reader_verify(reader, report, problems, err);
        lochan_parquet_reader_close(reader);
        return rc;
    }
    if (rc != LOCHAN_ERR_CORRUPT) {
        if (err)
            *err = seen;
        return rc;
    }
    LOCHAN_TRYG(begin(&v, err));
    LOCHAN_TRYG(add_problem(&v, "footer", -1, NULL, &seen, err));
    LOCHAN_TRYG(finish(&v, report, problems, err));
done:
    lochan_listing__deinit(&v.problems);
    return rc;
}
