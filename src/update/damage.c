/* damage.c - what `repair` does about damaged files: the table forgets them, and the ledger says in
 * the same commit that the days behind them are owed.
 *
 * So the ledger never says more than the table holds, whatever becomes of the fetching that
 * follows; older snapshots still list the files. Which days and assets a file holds is known from
 * its statistics; where they are not, it is every day, or every asset. May call: base/, arrow/,
 * catalog/, table/, job.h.
 */
#include "update/job.h"

#include "arrow/view.h"
#include "base/log.h"

#define SECONDS_PER_DAY INT64_C(86400)

struct damage {
    lochan_job *job;
    lochan_table *table;
    lochan_file_list list;
    const char **paths; /* of files of this table that verify complains of; in the arena */
    size_t n_paths, cap_paths;
    lochan_arena arena;
    lochan_book book;
    lochan_txn *txn;
    int64_t files;
    int64_t missing;  /* of them are not there at all */
    int days, assets; /* columns of the statistics, -1 = none */
};

/* ---- finding ---- */

static lochan_status add_path(struct damage *d, lochan_str path, lochan_error *err) {
    const char **paths =
        lochan_arena__grow(&d->arena, d->paths, d->n_paths, &d->cap_paths, sizeof *paths);
    if (!paths)
        return lochan_error__nomem(err);
    d->paths = paths;
    paths[d->n_paths] = lochan_arena__strndup(&d->arena, path.p, path.n);
    return paths[d->n_paths++] ? LOCHAN_OK : lochan_error__nomem(err);
}

static lochan_status take_findings(struct damage *d, const struct ArrowSchema *schema,
                                   const struct ArrowArray *batch, lochan_error *err) {
    int kind = lochan_schema__find(schema, "kind");
    int dataset = lochan_schema__find(schema, "dataset"),
        path = lochan_schema__find(schema, "path");
    lochan_view names = {0}, paths = {0}, kinds = {0};
    lochan_status rc;
    LOCHAN_TRYG(
        lochan_view__init(&names, schema->children[dataset], batch->children[dataset], err));
    LOCHAN_TRYG(lochan_view__init(&paths, schema->children[path], batch->children[path], err));
    LOCHAN_TRYG(lochan_view__init(&kinds, schema->children[kind], batch->children[kind], err));
    for (int64_t i = 0; i < batch->length; i++) {
        d->missing += lochan_str__eq(lochan_view__bytes(&kinds, i), LOCHAN_STR("missing"));
        lochan_str p = lochan_view__bytes(&paths, i);
        if (lochan_view__bytes(&names, i).n > 0) /* else it is no live file */
            LOCHAN_TRYG(add_path(d, p, err));
    }
done:
    lochan_view__deinit(&names);
    lochan_view__deinit(&paths);
    lochan_view__deinit(&kinds);
    return rc;
}

static lochan_status verify_table(struct damage *d, lochan_error *err) {
    lochan_verify_options options = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_status rc;
    options.deep = true;
    options.source = d->job->spec->source;
    options.dataset = d->job->spec->name;
    LOCHAN_TRYG(lochan_lake_verify(d->job->lake, &options, &report, &stream, err));
    LOCHAN_TRYG(lochan_stream__schema(&stream, &schema, err));
    for (;;) {
        LOCHAN_TRYG(lochan_stream__next(&stream, &batch, err));
        if (!batch.release)
            break;
        LOCHAN_TRYG(take_findings(d, &schema, &batch, err));
        lochan_array__release(&batch);
    }
done:
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_stream__release(&stream);
    return rc;
}

static lochan_status list_files(struct damage *d, lochan_error *err) {
    const struct ArrowSchema *schema = &d->table->def.schema;
    const char *window = lochan_job__window_column(d->job);
    int64_t ids[2];
    int n = 0, at = window ? lochan_schema__find(schema, window) : -1;
    d->days = d->assets = -1;
    if (at >= 0) {
        d->days = n;
        ids[n++] = lochan_schema__field_id(schema->children[at]);
    }
    at = lochan_schema__find(schema, "asset_id");
    if (at >= 0) {
        d->assets = n;
        ids[n++] = lochan_schema__field_id(schema->children[at]);
    }
    return lochan_catalog__files(d->job->lake->catalog, &d->table->def, ids, (size_t)n, &d->list,
                                 err);
}

static bool is_damaged(const struct damage *d, const lochan_data_file *file) {
    for (size_t i = 0; i < d->n_paths; i++) {
        if (strcmp(d->paths[i], file->path) == 0)
            return true;
    }
    return false;
}

/* ---- what is owed ---- */

static const lochan_expr_stats *stats_of(const lochan_data_file *file, int column) {
    if (column < 0 || !file->stats || !file->stats_known[column])
        return NULL;
    const lochan_expr_stats *s = &file->stats[column];
    return s->has_min && s->has_max && s->null_count == 0 ? s : NULL;
}

static int32_t day_of(const lochan_type *type, int64_t v) {
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    int64_t per_day =
        type->id == LOCHAN_TYPE_TIMESTAMP ? per_second[type->unit] * SECONDS_PER_DAY : 1;
    return (int32_t)(v / per_day - (v % per_day < 0));
}

static bool may_hold(const lochan_expr_stats *assets, const char *asset) {
    lochan_str name = lochan_str__of(asset);
    if (!assets || name.n == 0 || assets->type.id != LOCHAN_TYPE_STRING)
        return true;
    size_t low = name.n < assets->min_s.n ? name.n : assets->min_s.n;
    size_t high = name.n < assets->max_s.n ? name.n : assets->max_s.n;
    return memcmp(name.p, assets->min_s.p, low) >= 0 && memcmp(name.p, assets->max_s.p, high) <= 0;
}

static lochan_status owe(struct damage *d, const lochan_data_file *file, lochan_error *err) {
    const lochan_expr_stats *days = stats_of(file, d->days), *assets = stats_of(file, d->assets);
    int32_t from = days ? day_of(&days->type, days->min_i) : INT32_MIN;
    int32_t to = days ? day_of(&days->type, days->max_i) : INT32_MAX;
    lochan_finality f = {.settle_days = d->job->spec->settle_days, .now = d->job->started_ns};
    for (size_t s = 0; s < d->book.n; s++) {
        lochan_series *series = d->book.items[s];
        for (size_t i = 0; i < series->before.count && may_hold(assets, series->asset); i++) {
            lochan_cover cover = series->before.rows[i];
            if (cover.to < from || cover.from > to)
                continue;
            cover.from = cover.from < from ? from : cover.from;
            cover.to = cover.to > to ? to : cover.to;
            cover.state = LOCHAN_COVER_FAILED;
            cover.rows = -1;
            cover.hash[0] = '\0';
            cover.message = "a file that held these days was damaged";
            LOCHAN_TRY(lochan_series__record(series, &cover, f, err));
        }
    }
    return LOCHAN_OK;
}

/* ---- the commit ---- */

static lochan_status forget_files(struct damage *d, lochan_error *err) {
    lochan_job *job = d->job;
    bool done = false;
    lochan_txn_options options = {.kind = "repair", .message = "damaged files were taken out"};
    lochan_status rc;
    LOCHAN_TRYG(lochan_book__load(&d->book, job->lake->catalog, job->dataset->dataset_id, err));
    LOCHAN_TRYG(lochan_txn__begin(job->lake->catalog, &options, &done, NULL, &d->txn, err));
    for (size_t i = 0; i < d->list.n; i++) {
        const lochan_data_file *file = &d->list.files[i];
        if (!is_damaged(d, file))
            continue;
        LOCHAN_TRYG(owe(d, file, err));
        LOCHAN_TRYG(lochan_txn__retire_file(d->txn, d->table->def.table_id, file->id, err));
    }
    LOCHAN_TRYG(lochan_book__put(&d->book, d->txn, job->dataset->dataset_id, err));
    LOCHAN_FAILPOINTG("update.repair.listed", err);
    LOCHAN_TRYG(lochan_txn__commit(&d->txn, NULL, err));
    LOCHAN_WARN("%s: %lld damaged files were taken out; their days are asked again", job->full_name,
                (long long)d->files);
done:
    lochan_txn__abort(d->txn);
    lochan_book__deinit(&d->book);
    return rc;
}

lochan_status lochan_job__forget_damaged(lochan_job *job, lochan_error *err) {
    struct damage d = {.job = job};
    lochan_status rc =
        lochan_table__open(job->lake, job->spec->source, job->spec->name, -1, &d.table, err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    if (rc != LOCHAN_OK)
        return rc;
    lochan_arena__init(&d.arena, 0);
    LOCHAN_TRYG(verify_table(&d, err));
    if (d.n_paths == 0)
        goto done;
    LOCHAN_TRYG(list_files(&d, err));
    for (size_t i = 0; i < d.list.n; i++)
        d.files += is_damaged(&d, &d.list.files[i]);
    if (d.missing > 1 && d.missing > (int64_t)d.list.n / 2)
        rc = lochan_error__set(err, LOCHAN_ERR_IO,
                               "%s: %lld of %zu files are missing; is the disk there?",
                               job->full_name, (long long)d.missing, d.list.n);
    else if (d.files > 0)
        rc = forget_files(&d, err);
done:
    lochan_file_list__deinit(&d.list);
    lochan_arena__deinit(&d.arena);
    lochan_table__close(d.table);
    return rc;
}
