/* rejects.c - see rejects.h; and the list of rejected rows. May call: base/, arrow/, parquet/,
 * catalog/, table/, job.h.
 */
#include "update/rejects.h"

#include "arrow/listing.h"
#include "arrow/view.h"
#include "base/fs.h"
#include "base/log.h"
#include "update/job.h"
#include <lochan/parquet.h>

enum { FILE_COLUMNS = 7 }; /* scope, page, row, column, rule, reason, record */

void lochan_rejects__deinit(lochan_rejects *rejects) {
    for (size_t i = 0; i < rejects->n; i++)
        lochan_mem__free(rejects->records[i]);
    lochan_mem__free(rejects->items);
    lochan_mem__free((void *)rejects->records);
    *rejects = (lochan_rejects){0};
}

lochan_status lochan_rejects__add(lochan_rejects *rejects, const lochan_reject *reject,
                                  lochan_buf *record, lochan_error *err) {
    void *items =
        lochan_mem__grow(rejects->items, rejects->n, &rejects->cap, sizeof *rejects->items);
    if (!items)
        return lochan_error__nomem(err);
    rejects->items = items;
    void *records = lochan_mem__grow((void *)rejects->records, rejects->n, &rejects->cap_records,
                                     sizeof *rejects->records);
    if (!records)
        return lochan_error__nomem(err);
    rejects->records = records;
    LOCHAN_TRY(lochan_buf__putc(record, 0, err));
    rejects->items[rejects->n] = *reject;
    rejects->records[rejects->n++] = (char *)lochan_buf__take(record, NULL);
    return LOCHAN_OK;
}

/* ---- the file ---- */

static lochan_status list_scope(const lochan_scope *scope, lochan_listing *list,
                                lochan_error *err) {
    char name[400];
    lochan_job__scope_name(scope, name, sizeof name);
    for (size_t i = 0; i < scope->rejects.n; i++) {
        const lochan_reject *reject = &scope->rejects.items[i];
        LOCHAN_TRY(lochan_listing__string(list, 0, name, err));
        LOCHAN_TRY(lochan_listing__int64(list, 1, reject->page, err));
        LOCHAN_TRY(lochan_listing__int64(list, 2, reject->row, err));
        LOCHAN_TRY(lochan_listing__string(list, 3, reject->rule->columns[0], err));
        LOCHAN_TRY(lochan_listing__string(list, 4, lochan_rule__name(reject->rule), err));
        LOCHAN_TRY(lochan_listing__string(list, 5, reject->reason, err));
        LOCHAN_TRY(lochan_listing__string(list, 6, scope->rejects.records[i], err));
        LOCHAN_TRY(lochan_listing__end_row(list, err));
    }
    return LOCHAN_OK;
}

/* The folder, durable with its parents. */
static lochan_status make_folder(const char *lake, const char *source, const char *dataset,
                                 lochan_error *err) {
    const char *const parts[] = {"rejects", source, dataset};
    lochan_status rc = LOCHAN_OK;
    char *at = lochan_mem__strdup(lake);
    if (!at)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < LOCHAN_COUNTOF(parts) && rc == LOCHAN_OK; i++) {
        char *below = lochan_path__join(at, parts[i]);
        rc = below ? lochan_fs__mkdirs(below, NULL, err) : lochan_error__nomem(err);
        if (rc == LOCHAN_OK)
            rc = lochan_fs__sync_dir(at, err);
        lochan_mem__free(at);
        at = below;
    }
    lochan_mem__free(at);
    return rc;
}

lochan_status lochan_job__write_rejects(lochan_job *job, lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"scope", "string"}, {"page", "int64"},    {"row", "int64"},     {"column", "string"},
        {"rule", "string"},  {"reason", "string"}, {"record", "string"}, {NULL, NULL}};
    lochan_listing list = {0};
    struct ArrowArrayStream stream = {0};
    char *full = NULL;
    lochan_status rc;
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < job->n_scopes; i++) {
        if (job->scopes[i].state == LOCHAN_SCOPE_DONE)
            LOCHAN_TRYG(list_scope(&job->scopes[i], &list, err));
    }
    job->n_rejects = list.rows;
    if (list.rows == 0)
        goto done;
    LOCHAN_TRYG(lochan_listing__finish(&list, &stream, err));
    (void)lochan_format(job->reject_path, sizeof job->reject_path, "rejects/%s/%s/%s.parquet",
                        job->spec->source, job->spec->name, job->update_id);
    LOCHAN_TRYG(make_folder(lochan_lake_path(job->lake), job->spec->source, job->spec->name, err));
    full = lochan_path__join(lochan_lake_path(job->lake), job->reject_path);
    if (!full) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    rc = lochan_parquet_write(&stream, full, NULL, NULL, err);
done:
    lochan_mem__free(full);
    lochan_stream__release(&stream);
    lochan_listing__deinit(&list);
    return rc;
}

lochan_status lochan_job__put_rejects(lochan_job *job, lochan_txn *txn, lochan_error *err) {
    lochan_reject_row row = {.update_id = job->update_id,
                             .dataset_id = job->dataset->dataset_id,
                             .path = job->reject_path,
                             .rows = job->n_rejects,
                             .state = "kept"};
    return job->n_rejects > 0 ? lochan_txn__put_reject(txn, &row, err) : LOCHAN_OK;
}

/* ---- the list ---- */

static lochan_status copy_cell(lochan_listing *list, int to, const lochan_view *view, int64_t row,
                               lochan_buf *text, lochan_error *err) {
    if (lochan_view__is_null(view, row))
        return LOCHAN_OK;
    if (view->type.id != LOCHAN_TYPE_STRING)
        return lochan_listing__int64(list, to, lochan_view__int64(view, row), err);
    lochan_buf__clear(text);
    LOCHAN_TRY(lochan_view__print(view, row, text, err));
    LOCHAN_TRY(lochan_buf__putc(text, 0, err));
    return lochan_listing__string(list, to, (const char *)text->data, err);
}

static lochan_status copy_batch(lochan_listing *list, const lochan_reject_row *file,
                                const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                lochan_error *err) {
    const char *const head[] = {file->update_id, file->source, file->dataset, file->state};
    lochan_view views[FILE_COLUMNS];
    lochan_buf text;
    lochan_status rc = LOCHAN_OK;
    memset(views, 0, sizeof views);
    lochan_buf__init(&text, 64u << 20);
    for (int c = 0; c < FILE_COLUMNS; c++)
        LOCHAN_TRYG(lochan_view__init(&views[c], schema->children[c], batch->children[c], err));
    for (int64_t i = 0; i < batch->length; i++) {
        for (int c = 0; c < (int)LOCHAN_COUNTOF(head); c++)
            LOCHAN_TRYG(lochan_listing__string(list, c, head[c], err));
        for (int c = 0; c < FILE_COLUMNS; c++)
            LOCHAN_TRYG(copy_cell(list, c + (int)LOCHAN_COUNTOF(head), &views[c], i, &text, err));
        LOCHAN_TRYG(lochan_listing__end_row(list, err));
    }
done:
    for (int c = 0; c < FILE_COLUMNS; c++)
        lochan_view__deinit(&views[c]);
    lochan_buf__deinit(&text);
    return rc;
}

lochan_status lochan_rejects__read(const char *lake_path, const lochan_reject_row *file,
                                   lochan_reject_batch_fn take, void *ctx, lochan_error *err) {
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    lochan_parquet_reader *reader = NULL;
    char *path = lochan_path__join(lake_path, file->path);
    lochan_status rc;
    if (!path)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_parquet_reader_open(path, NULL, &reader, err));
    LOCHAN_TRYG(lochan_parquet_reader_stream(reader, NULL, &stream, err));
    LOCHAN_TRYG(lochan_stream__schema(&stream, &schema, err));
    if (schema.n_children != FILE_COLUMNS) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s is no file of rejects", file->path);
        goto done;
    }
    for (bool more = true; more;) {
        struct ArrowArray batch = {0};
        LOCHAN_TRYG(lochan_stream__next(&stream, &batch, err));
        more = batch.release != NULL;
        rc = more ? take(ctx, file, &schema, &batch, err) : LOCHAN_OK;
        lochan_array__release(&batch);
        LOCHAN_TRYG(rc);
    }
done:
    lochan_stream__release(&stream);
    lochan_schema__release(&schema);
    lochan_parquet_reader_close(reader);
    lochan_mem__free(path);
    return rc;
}

static lochan_status list_batch(void *ctx, const lochan_reject_row *file,
                                const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                lochan_error *err) {
    return copy_batch(ctx, file, schema, batch, err);
}

lochan_status lochan_status_rejects(lochan_lake *lake, const char *source, const char *dataset,
                                    const char *update_id, struct ArrowArrayStream *out,
                                    lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"update_id", "string"}, {"source", "string"}, {"dataset", "string"}, {"state", "string"},
        {"scope", "string"},     {"page", "int64"},    {"row", "int64"},      {"column", "string"},
        {"rule", "string"},      {"reason", "string"}, {"record", "string"},  {NULL, NULL}};
    LOCHAN_CHECK_ARG(lake && out, err);
    lochan_reject_rows files = {0};
    lochan_listing list = {0};
    lochan_status rc;
    out->release = NULL;
    LOCHAN_TRYG(lochan_catalog__rejects(lake->catalog, source, dataset, update_id, &files, err));
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < files.n; i++) {
        if (strcmp(files.rows[i].state, "dropped") != 0)
            LOCHAN_TRYG(lochan_rejects__read(lochan_lake_path(lake), &files.rows[i], list_batch,
                                             &list, err));
    }
    LOCHAN_TRYG(lochan_listing__finish(&list, out, err));
done:
    lochan_listing__deinit(&list);
    lochan_reject_rows__deinit(&files);
    return rc;
}
