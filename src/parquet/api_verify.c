/* api_verify.c - is every page of a file sound, and does the file say the truth about itself?
 * Each leaf of each row group is read by itself (verify_leaf.c), so that one damaged page hides no
 * other; nested columns are then put together. Row groups come one after the other, their leaves in
 * parallel; findings are listed in the order of the file. Invariant: what the file does wrong is a
 * finding; only what keeps us from looking is an error. May call: base/, arrow/, reader_own.h,
 * pages.h.
 */
#include "arrow/listing.h"
#include "parquet/api.h"
#include "parquet/verify_own.h"

enum { BATCH_ROWS = 65536 };

typedef struct verification {
    lochan_parquet_reader *reader;
    lochan_listing problems;
    lochan_parquet_verify_report report;
    int row_group;
    lochan_pq_leaf_check *leaves;
    lochan_error *assembly; /* of nested columns: their leaves do not go together */
} verification;

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

/* ---- one row group ---- */

static lochan_status leaf_task(void *ctx, size_t index, lochan_error *err) {
    verification *v = ctx;
    return lochan_pq_verify__leaf(v->reader->inner, v->row_group, (int)index, &v->leaves[index],
                                  err);
}

/* Puts a nested column together. */
static lochan_status assemble(verification *v, int column, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_pq_scan scan = {.columns = &column,
                           .n_columns = 1,
                           .row_groups = &v->row_group,
                           .n_row_groups = 1,
                           .batch_rows = BATCH_ROWS};
    LOCHAN_TRYG(lochan_pq_reader__stream(v->reader->inner, &scan, &stream, err));
    LOCHAN_TRYG(lochan_stream__schema(&stream, &schema, err));
    for (;;) {
        LOCHAN_TRYG(lochan_stream__next(&stream, &batch, err));
        if (!batch.release)
            break;
        LOCHAN_TRYG(lochan_array__check(&schema, &batch, err));
        lochan_array__release(&batch);
    }
done:
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_stream__release(&stream);
    return rc;
}

static lochan_status column_task(void *ctx, size_t index, lochan_error *err) {
    verification *v = ctx;
    const lochan_pq_field *field = &v->reader->inner->schema.root.children[index];
    lochan_error seen;
    if (field->leaf >= 0)
        return LOCHAN_OK;
    for (int l = 0; l < field->n_leaves; l++) {
        if (v->leaves[field->first_leaf + l].damage.code != LOCHAN_OK)
            return LOCHAN_OK; /* told already */
    }
    lochan_error_init(&seen);
    lochan_status rc = assemble(v, (int)index, &seen);
    if (lochan_pq_verify__is_ours(rc)) {
        if (err)
            *err = seen;
        return rc;
    }
    v->assembly[index] = seen;
    v->assembly[index].code = rc;
    return LOCHAN_OK;
}

static lochan_status add_if(verification *v, const char *kind, const char *column,
                            const lochan_error *what, lochan_error *err) {
    if (what->code == LOCHAN_OK)
        return LOCHAN_OK;
    return add_problem(v, kind, v->row_group, column, what, err);
}

static lochan_status list_leaf(verification *v, int leaf, lochan_error *err) {
    const lochan_pq_leaf_check *c = &v->leaves[leaf];
    const char *path = v->reader->inner->schema.leaves[leaf].path;
    v->report.pages += c->pages;
    v->report.pages_without_crc += c->without_crc;
    v->report.chunks += c->damage.code == LOCHAN_OK;
    LOCHAN_TRY(add_if(v, kind_of(c->damage.code), path, &c->damage, err));
    LOCHAN_TRY(add_if(v, "statistics", path, &c->statistics, err));
    LOCHAN_TRY(add_if(v, "index", path, &c->index, err));
    return add_if(v, "bloom", path, &c->bloom, err);
}

static lochan_status check_group(verification *v, lochan_error *err) {
    const lochan_pq_schema *schema = &v->reader->inner->schema;
    const lochan_ctx *ctx = &v->reader->ctx;
    size_t n = (size_t)schema->root.n_children, n_leaves = (size_t)schema->n_leaves;
    for (size_t i = 0; i < n_leaves; i++) {
        lochan_pq_leaf_check *c = &v->leaves[i];
        *c = (lochan_pq_leaf_check){0};
        lochan_error_init(&c->damage);
        lochan_error_init(&c->statistics);
        lochan_error_init(&c->index);
        lochan_error_init(&c->bloom);
    }
    for (size_t i = 0; i < n; i++)
        lochan_error_init(&v->assembly[i]);
    LOCHAN_TRY(lochan_pool__for(ctx->pool, n_leaves, leaf_task, v, ctx->cancel, err));
    LOCHAN_TRY(lochan_pool__for(ctx->pool, n, column_task, v, ctx->cancel, err));
    for (size_t i = 0; i < n; i++) {
        const lochan_pq_field *field = &schema->root.children[i];
        for (int l = 0; l < field->n_leaves; l++)
            LOCHAN_TRY(list_leaf(v, field->first_leaf + l, err));
        LOCHAN_TRY(add_if(v, kind_of(v->assembly[i].code), schema->arrow.children[i]->name,
                          &v->assembly[i], err));
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
    v->leaves = lochan_mem__array((size_t)r->schema.n_leaves + 1, sizeof *v->leaves);
    v->assembly = lochan_mem__array((size_t)r->schema.root.n_children + 1, sizeof *v->assembly);
    if (!v->leaves || !v->assembly)
        return lochan_error__nomem(err);
    for (v->row_group = 0; v->row_group < lochan_pq_reader__row_groups(r); v->row_group++)
        LOCHAN_TRY(check_group(v, err));
    lochan_pq_reader__counters(r, &after);
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
    lochan_mem__free(v.leaves);
    lochan_mem__free(v.assembly);
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
