/* raw_publish.c - the end of a rebuild from kept answers: the rows that were replayed replace those
 * of the table, with the ledger, the rejects and a record of the run, in one commit.
 * Invariant: rows that are as they were keep their files. May call: base/, arrow/, catalog/,
 * table/, raw_rebuild.h.
 */
#include "update/raw_rebuild.h"

#include "arrow/listing.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "update/manage.h"
#include "update/mapping.h"

#define MAX_REJECTS ((size_t)1 << 30)

/* ---- rows ---- */

/* Columns that were replayed, without those that a table fills itself. */
static lochan_status choose_columns(struct lochan_rebuild *r, lochan_error *err) {
    const struct ArrowSchema *all = &r->built->def.schema;
    r->columns = lochan_mem__array((size_t)all->n_children + 1, sizeof *r->columns);
    if (!r->columns)
        return lochan_error__nomem(err);
    for (int i = 0; i < (int)all->n_children; i++) {
        if (i != r->built->known_at && i != r->built->derived)
            r->columns[r->n_columns++] = i;
    }
    return lochan_schema__select(all, r->columns, r->n_columns, &r->schema, err);
}

lochan_status lochan_rebuild__copy(struct lochan_rebuild *r, const char *where, lochan_error *err) {
    lochan_table_scan scan = {
        .columns = r->columns, .n_columns = r->n_columns, .where = where, .limit = -1};
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_table__scan(r->built, &scan, &stream, err));
    for (;;) {
        LOCHAN_TRYG(lochan_cancel__check(r->lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_stream__next(&stream, &batch, err));
        if (!batch.release)
            break;
        r->report->rows += batch.length;
        if (r->write)
            LOCHAN_TRYG(lochan_write__add(r->write, r->place++, &batch, err));
        lochan_array__release(&batch);
    }
done:
    lochan_array__release(&batch);
    lochan_stream__release(&stream);
    return rc;
}

/* A plan makes no table and adds no column: then there is nothing to compare with. */
static lochan_status open_table(struct lochan_rebuild *r, bool *compares, lochan_error *err) {
    lochan_table_spec wish;
    bool missing = true;
    *compares = true;
    lochan_dataset_spec__table(r->spec, &r->schema, &wish);
    if (!r->options->plan)
        return lochan_table__ensure(r->lake, &wish, &r->table, err);
    if (r->dataset->table_id >= 0) {
        lochan_table *now = NULL;
        LOCHAN_TRY(
            lochan_table__open(r->lake, r->dataset->source, r->dataset->name, -1, &now, err));
        missing = false;
        for (int64_t i = 0; i < r->schema.n_children; i++)
            missing =
                missing || lochan_schema__find(&now->def.schema, r->schema.children[i]->name) < 0;
        lochan_table__close(now);
    }
    *compares = !missing;
    return missing ? LOCHAN_OK : lochan_table__ensure(r->lake, &wish, &r->table, err);
}

static lochan_status begin_write(struct lochan_rebuild *r, lochan_write_mode mode,
                                 lochan_error *err) {
    const lochan_write_options options = {.mode = mode,
                                          .kind = "rebuild-from-raw",
                                          .message = r->report->update_id,
                                          .dedup = LOCHAN_DEDUP_NONE,
                                          .conflict_retries = -1};
    bool compares;
    LOCHAN_TRY(open_table(r, &compares, err));
    if (!compares)
        return LOCHAN_OK;
    return lochan_write__begin(r->lake, r->table, &r->schema, &options, &r->write, err);
}

lochan_status lochan_rebuild__open(struct lochan_rebuild *r, lochan_write_mode mode,
                                   lochan_error *err) {
    lochan_error why;
    lochan_error_init(&why);
    lochan_status rc =
        lochan_table__open(r->scratch, r->dataset->source, r->dataset->name, -1, &r->built, &why);
    if (rc != LOCHAN_OK && rc != LOCHAN_ERR_NOT_FOUND) {
        if (err)
            *err = why;
        return rc;
    }
    if (r->built)
        LOCHAN_TRY(choose_columns(r, err));
    else if (r->dataset->table_id < 0)
        return LOCHAN_OK; /* every answer was empty */
    else
        LOCHAN_TRY(lochan_manage__declared_schema(r->spec, &r->schema, err));
    return begin_write(r, mode, err);
}

/* Rows of a table without a key are told apart by nothing; only their number tells. */
static int64_t count_lost(const struct lochan_rebuild *r) {
    const lochan_raw_report *report = r->report;
    if (!r->write)
        return 0;
    if (r->table->n_key > 0)
        return report->rows_removed;
    return report->rows_removed > report->rows_new ? report->rows_removed - report->rows_new : 0;
}

lochan_status lochan_rebuild__merge(struct lochan_rebuild *r, lochan_error *err) {
    lochan_raw_report *report = r->report;
    lochan_write_counts totals;
    if (!r->write)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_write__merge_added(r->write, err));
    lochan_write__totals(r->write, &totals);
    report->rows_new = totals.rows_new;
    report->rows_replaced = totals.rows_replaced;
    report->rows_unchanged = totals.rows_unchanged;
    report->rows_removed = totals.rows_removed;
    report->files_written = totals.files_written;
    report->bytes_written = totals.bytes_written;
    return LOCHAN_OK;
}

lochan_status lochan_rebuild__write(struct lochan_rebuild *r, int64_t *lost, lochan_error *err) {
    *lost = 0;
    LOCHAN_TRY(lochan_rebuild__open(r, LOCHAN_WRITE_REPLACE_ALL, err));
    if (r->built)
        LOCHAN_TRY(lochan_rebuild__copy(r, NULL, err));
    LOCHAN_TRY(lochan_rebuild__merge(r, err));
    *lost = count_lost(r);
    return LOCHAN_OK;
}

/* ---- rejects ---- */

/* Where the rules are other ones now, other rows are put aside. */
static const lochan_reject_row *known_reject(const struct lochan_rebuild *r,
                                             const char *update_id) {
    for (size_t i = 0; i < r->rejects.n; i++) {
        if (strcmp(r->rejects.rows[i].update_id, update_id) == 0)
            return &r->rejects.rows[i];
    }
    return NULL;
}

static lochan_status copy_file(const char *from, const char *to, lochan_error *err) {
    lochan_buf bytes;
    lochan_buf__init(&bytes, MAX_REJECTS + 1);
    lochan_status rc = lochan_fs__read_all(from, MAX_REJECTS, &bytes, err);
    if (rc == LOCHAN_OK)
        rc = lochan_fs__write_all(to, bytes.data, bytes.len, err);
    lochan_buf__deinit(&bytes);
    return rc;
}

/* Into a file of its own: the old one stays valid until the commit. */
static lochan_status take_reject(struct lochan_rebuild *r, lochan_reject_row *row,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char *from = lochan_path__join(r->scratch_path, row->path), *folder = NULL, *to = NULL;
    const char *path = lochan_arena__printf(&r->new_rejects.arena, "rejects/%s/%s/%s-%s.parquet",
                                            r->dataset->source, r->dataset->name, row->update_id,
                                            r->report->update_id);
    char name[420];
    (void)lochan_format(name, sizeof name, "rejects/%s/%s", r->dataset->source, r->dataset->name);
    folder = lochan_path__join(lochan_lake_path(r->lake), name);
    to = path ? lochan_path__join(lochan_lake_path(r->lake), path) : NULL;
    if (!from || !folder || !to) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__mkdirs(folder, NULL, err));
    LOCHAN_TRYG(copy_file(from, to, err));
    row->path = path;
    row->dataset_id = r->dataset->dataset_id;
done:
    lochan_mem__free(from);
    lochan_mem__free(folder);
    lochan_mem__free(to);
    return rc;
}

static lochan_status take_rejects(struct lochan_rebuild *r, lochan_error *err) {
    lochan_reject_rows *mine = &r->new_rejects;
    LOCHAN_TRY(lochan_catalog__rejects(r->scratch->catalog, NULL, NULL, NULL, mine, err));
    r->take_rejects = lochan_mem__array(mine->n + 1, sizeof *r->take_rejects);
    if (!r->take_rejects)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < mine->n; i++) {
        const lochan_reject_row *known = known_reject(r, mine->rows[i].update_id);
        r->take_rejects[i] =
            !known || (strcmp(known->state, "kept") == 0 && known->rows != mine->rows[i].rows);
        if (r->take_rejects[i])
            LOCHAN_TRY(take_reject(r, &mine->rows[i], err));
    }
    return LOCHAN_OK;
}

/* ---- the commit ---- */

static lochan_status put_run(const struct lochan_rebuild *r, lochan_txn *txn, lochan_error *err) {
    lochan_update_report report = {.struct_size = sizeof report,
                                   .snapshot_id = -1,
                                   .scopes = r->report->scopes,
                                   .scopes_failed = r->report->scopes_failed,
                                   .rows_new = r->report->rows_new,
                                   .rows_replaced = r->report->rows_replaced,
                                   .rows_unchanged = r->report->rows_unchanged,
                                   .rows_removed = r->report->rows_removed,
                                   .rows_rejected = r->report->rows_rejected,
                                   .files_written = r->report->files_written,
                                   .bytes_written = r->report->bytes_written};
    lochan_update_row row = {.update_id = r->report->update_id,
                             .dataset_id = r->dataset->dataset_id,
                             .kind = r->options->owed ? "repair" : "rebuild",
                             .state = "success",
                             .started_ns = r->started_ns,
                             .finished_ns = lochan_clock__wall_ns(),
                             .request = "{}",
                             .error = "",
                             .report = &report};
    report.seconds = (double)(row.finished_ns - row.started_ns) / 1e9;
    return lochan_txn__put_update(txn, &row, err);
}

static lochan_status put_all(void *ctx, lochan_txn *txn, lochan_error *err) {
    struct lochan_rebuild *r = ctx;
    int64_t dataset_id = r->dataset->dataset_id;
    LOCHAN_TRY(lochan_lease__end(r->lease, txn, err));
    if (r->table && r->dataset->table_id != r->table->def.table_id)
        LOCHAN_TRY(lochan_txn__bind_dataset(txn, dataset_id, r->table->def.table_id, err));
    LOCHAN_TRY(lochan_book__put(&r->book, txn, dataset_id, err));
    for (size_t i = 0; i < r->new_rejects.n; i++) {
        if (r->take_rejects[i])
            LOCHAN_TRY(lochan_txn__put_reject(txn, &r->new_rejects.rows[i], err));
    }
    return put_run(r, txn, err);
}

static lochan_status commit_ledger(struct lochan_rebuild *r, lochan_error *err) {
    lochan_txn *txn = NULL;
    bool done = false;
    lochan_txn_options options = {.kind = "rebuild-from-raw", .message = r->report->update_id};
    LOCHAN_TRY(lochan_txn__begin(r->lake->catalog, &options, &done, NULL, &txn, err));
    lochan_status rc = put_all(r, txn, err);
    if (rc == LOCHAN_OK)
        return lochan_txn__commit(&txn, &r->report->snapshot_id, err);
    lochan_txn__abort(txn);
    return rc;
}

/* Files of rejects that others have taken the place of. */
static void remove_old_rejects(const struct lochan_rebuild *r) {
    for (size_t i = 0; i < r->new_rejects.n; i++) {
        const lochan_reject_row *known = known_reject(r, r->new_rejects.rows[i].update_id);
        lochan_error why;
        if (!r->take_rejects[i] || !known)
            continue;
        lochan_error_init(&why);
        char *path = lochan_path__join(lochan_lake_path(r->lake), known->path);
        if (path && lochan_fs__unlink(path, true, &why) != LOCHAN_OK)
            LOCHAN_WARN("%s was not removed: %s", known->path, why.message);
        lochan_mem__free(path);
    }
}

lochan_status lochan_rebuild__publish(struct lochan_rebuild *r, lochan_error *err) {
    if (!r->options->owed)
        LOCHAN_TRY(take_rejects(r, err));
    LOCHAN_FAILPOINT("update.rebuild.written", err);
    if (r->write)
        LOCHAN_TRY(lochan_write__publish(r->write, put_all, r, &r->report->snapshot_id, err));
    else
        LOCHAN_TRY(commit_ledger(r, err));
    (void)lochan_failpoint__hit("update.rebuild.committed", NULL);
    if (!r->options->owed && r->n_lacks == 0)
        lochan_mapping__forget(r->lake, r->dataset);
    remove_old_rejects(r);
    return LOCHAN_OK;
}

void lochan_rebuild__drop(struct lochan_rebuild *r) {
    lochan_write__free(r->write);
    lochan_table__close(r->table);
    lochan_table__close(r->built);
    lochan_schema__release(&r->schema);
    lochan_reject_rows__deinit(&r->new_rejects);
    lochan_mem__free(r->take_rejects);
    lochan_mem__free(r->columns);
}

/* ---- lists ---- */

lochan_status lochan_rebuild__list_lacks(const struct lochan_rebuild *r,
                                         struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"source", "string"},   {"dataset", "string"}, {"asset", "string"}, {"variant", "string"},
        {"day_from", "string"}, {"day_to", "string"},  {NULL, NULL}};
    lochan_listing list = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < r->n_lacks; i++) {
        const struct lochan_rebuild_lack *lack = &r->lacks[i];
        const char *asset = lack->series->asset, *variant = lack->series->variant;
        char from[16], to[16];
        lochan_civil__format_date(lack->from, from);
        lochan_civil__format_date(lack->to, to);
        LOCHAN_TRYG(lochan_listing__string(&list, 0, r->dataset->source, err));
        LOCHAN_TRYG(lochan_listing__string(&list, 1, r->dataset->name, err));
        LOCHAN_TRYG(lochan_listing__string(&list, 2, asset[0] ? asset : NULL, err));
        LOCHAN_TRYG(lochan_listing__string(&list, 3, variant[0] ? variant : NULL, err));
        LOCHAN_TRYG(lochan_listing__string(&list, 4, from, err));
        LOCHAN_TRYG(lochan_listing__string(&list, 5, to, err));
        LOCHAN_TRYG(lochan_listing__end_row(&list, err));
    }
    rc = lochan_listing__finish(&list, out, err);
done:
    lochan_listing__deinit(&list);
    return rc;
}
