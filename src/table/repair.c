/* repair.c - damaged files taken out of their tables, and the days behind them asked for again.
 * Invariants: nothing is decided that the plan does not show; one commit a table, in which files
 * leave and days open together; no file is removed. A table most of whose files seem damaged is
 * taken for a disk that is not there. May call: base/, store/, catalog/, verify.h.
 */
#include "arrow/listing.h"
#include "base/civil.h"
#include "base/str.h"
#include "table/verify.h"

typedef struct damaged {
    const lochan_data_file *file;
    const char *kind, *detail;
} damaged;

/* One table with damage. */
typedef struct repair {
    lochan_lake *lake;
    const lochan_repair_options *options;
    lochan_repair_report *report;
    lochan_listing *plan;
    lochan_table *table;
    lochan_file_list list;   /* with statistics of the columns of days and assets */
    const char *days_column; /* NULL: as the dataset's row has it */
    int days, assets;        /* their places in the statistics, -1 = none */
    bool every_kind;         /* whatever verify says of a live file counts as damage */
    int64_t missing;
    lochan_dataset_rows datasets;
    const lochan_dataset_row *dataset; /* NULL: nobody fills the table but by hand */
    damaged *files;
    size_t n;
} repair;

static void deinit(repair *r) {
    lochan_mem__free(r->files);
    lochan_file_list__deinit(&r->list);
    lochan_dataset_rows__deinit(&r->datasets);
    lochan_table__close(r->table);
}

static bool is_damage(const char *kind) {
    static const char *const kinds[] = {"missing", "size", "footer", "page"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(kinds); i++)
        if (strcmp(kind, kinds[i]) == 0)
            return true;
    return false;
}

static lochan_status put_line(lochan_listing *plan, const char *source, const char *dataset,
                              const char *path, const char *problem, const char *action,
                              const char *detail, lochan_error *err) {
    const char *const texts[] = {source, dataset, path, problem, action, detail};
    for (size_t i = 0; i < LOCHAN_COUNTOF(texts); i++)
        LOCHAN_TRY(lochan_listing__string(plan, (int)i, texts[i], err));
    return lochan_listing__end_row(plan, err);
}

/* ---- days ---- */

static const lochan_expr_stats *stats_of(const lochan_data_file *f, int column) {
    if (column < 0 || !f->stats_known[column])
        return NULL;
    const lochan_expr_stats *s = &f->stats[column];
    return s->has_min && s->has_max && s->null_count == 0 ? s : NULL;
}

/* The days whose rows a file holds; false: it may be any. */
static bool days_of(const repair *r, const lochan_data_file *f, int32_t *from, int32_t *to) {
    static const int64_t a_day[] = {86400, 86400000, 86400000000, 86400000000000};
    const lochan_expr_stats *s = stats_of(f, r->days);
    *from = INT32_MIN;
    *to = INT32_MAX;
    if (!s)
        return false;
    int64_t low = s->min_i, high = s->max_i;
    if (s->type.id == LOCHAN_TYPE_TIMESTAMP) {
        int64_t n = a_day[s->type.unit];
        low = low / n - (low % n < 0);
        high = high / n - (high % n < 0);
    } else if (s->type.id != LOCHAN_TYPE_DATE32) {
        return false;
    }
    if (low < INT32_MIN || high > INT32_MAX || low > high)
        return false;
    *from = (int32_t)low;
    *to = (int32_t)high;
    return true;
}

/* Whether a file may hold rows of an asset; bounds may be cut. "" = every asset. */
static bool may_hold(const repair *r, const lochan_data_file *f, const char *asset) {
    const lochan_expr_stats *s = stats_of(f, r->assets);
    lochan_str name = lochan_str__of(asset);
    if (!s || name.n == 0 || s->type.id != LOCHAN_TYPE_STRING)
        return true;
    size_t low = name.n < s->min_s.n ? name.n : s->min_s.n;
    size_t high = name.n < s->max_s.n ? name.n : s->max_s.n;
    return memcmp(name.p, s->min_s.p, low) >= 0 && memcmp(name.p, s->max_s.p, high) <= 0;
}

static lochan_status put_part(lochan_txn *txn, const repair *r, const lochan_coverage *row,
                              int32_t from, int32_t to, bool owed, lochan_error *err) {
    lochan_coverage part = *row;
    part.day_from = from;
    part.day_to = to;
    part.content_hash = ""; /* of the whole interval */
    if (owed) {
        part.state = LOCHAN_COVERAGE_FAILED;
        part.rows = -1;
        part.message = "a file that held these days was damaged";
    }
    return from <= to ? lochan_txn__put_coverage(txn, r->dataset->dataset_id, &part, err)
                      : LOCHAN_OK;
}

/* The days [from, to] of an interval of the ledger are owed from now on. */
static lochan_status open_days(lochan_txn *txn, const repair *r, const lochan_coverage *row,
                               int32_t from, int32_t to, lochan_error *err) {
    from = from > row->day_from ? from : row->day_from;
    to = to < row->day_to ? to : row->day_to;
    LOCHAN_TRY(lochan_txn__delete_coverage(txn, r->dataset->dataset_id, row->asset, row->variant,
                                           row->day_from, err));
    if (row->day_from < from)
        LOCHAN_TRY(put_part(txn, r, row, row->day_from, from - 1, false, err));
    LOCHAN_TRY(put_part(txn, r, row, from, to, true, err));
    return row->day_to > to ? put_part(txn, r, row, to + 1, row->day_to, false, err) : LOCHAN_OK;
}

/* The days of an interval that damaged files may have held: the ledger knows days, not files. */
static bool is_owed(const repair *r, const lochan_coverage *row, int32_t *from, int32_t *to) {
    bool any = false;
    for (size_t i = 0; i < r->n; i++) {
        int32_t low, high;
        (void)days_of(r, r->files[i].file, &low, &high);
        if (low > row->day_to || high < row->day_from || !may_hold(r, r->files[i].file, row->asset))
            continue;
        *from = any && *from < low ? *from : low;
        *to = any && *to > high ? *to : high;
        any = true;
    }
    return any;
}

static lochan_status reopen_ledger(repair *r, lochan_txn *txn, lochan_error *err) {
    int32_t from = 0, to = 0;
    lochan_coverage_rows rows = {0};
    lochan_status rc =
        lochan_catalog__coverage(r->lake->catalog, r->dataset->dataset_id, &rows, err);
    for (size_t i = 0; i < rows.n && rc == LOCHAN_OK; i++) {
        if (!is_owed(r, &rows.rows[i], &from, &to))
            continue;
        rc = open_days(txn, r, &rows.rows[i], from, to, err);
        r->report->intervals_reopened++;
    }
    lochan_coverage_rows__deinit(&rows);
    return rc;
}

/* ---- one table ---- */

/* Adds a column to those whose statistics are asked; its place among them, -1 = there is none. */
static int ask_for(const repair *r, const char *column, int64_t *ids, size_t *n) {
    const struct ArrowSchema *schema = &r->table->def.schema;
    int at = column && column[0] ? lochan_schema__find(schema, column) : -1;
    if (at < 0)
        return -1;
    ids[*n] = lochan_schema__field_id(schema->children[at]);
    return (int)(*n)++;
}

static lochan_status load(repair *r, const char *source, const char *dataset, lochan_error *err) {
    int64_t ids[2];
    size_t n = 0;
    LOCHAN_TRY(lochan_table__open(r->lake, source, dataset, -1, &r->table, err));
    LOCHAN_TRY(lochan_catalog__datasets(r->lake->catalog, source, dataset, &r->datasets, err));
    r->dataset = r->datasets.n > 0 ? &r->datasets.rows[0] : NULL;
    if (r->dataset && !r->days_column)
        r->days_column = r->dataset->time_column;
    r->days = ask_for(r, r->days_column, ids, &n);
    r->assets = ask_for(r, "asset_id", ids, &n);
    return lochan_catalog__files(r->lake->catalog, &r->table->def, ids, n, &r->list, err);
}

static const lochan_data_file *find_file(const repair *r, const char *path) {
    for (size_t i = 0; i < r->list.n; i++)
        if (strcmp(r->list.files[i].path, path) == 0)
            return &r->list.files[i];
    return NULL;
}

/* Findings come sorted by path: several may speak of one file. */
static lochan_status choose(repair *r, const lochan_finding *findings, size_t n,
                            lochan_error *err) {
    r->files = lochan_mem__array(n + 1, sizeof *r->files);
    if (!r->files)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++) {
        bool counts = r->every_kind || is_damage(findings[i].kind);
        const lochan_data_file *f = counts ? find_file(r, findings[i].path) : NULL;
        if (!f || (r->n > 0 && r->files[r->n - 1].file == f))
            continue;
        r->files[r->n++] = (damaged){f, findings[i].kind, findings[i].detail};
        r->missing += strcmp(findings[i].kind, "missing") == 0;
    }
    return LOCHAN_OK;
}

static lochan_status show(const repair *r, lochan_error *err) {
    for (size_t i = 0; i < r->n; i++) {
        const damaged *d = &r->files[i];
        char text[400], first[16] = "?", last[16] = "?";
        int32_t from, to;
        bool days = days_of(r, d->file, &from, &to);
        if (days) {
            lochan_civil__format_date(from, first);
            lochan_civil__format_date(to, last);
        }
        if (!r->dataset)
            lochan_format(text, sizeof text, "%lld rows are lost: %.300s", (long long)d->file->rows,
                          d->detail);
        else
            lochan_format(text, sizeof text, "%s%s%s%s: %.300s", days ? "days " : "all days",
                          days ? first : "", days ? " to " : "", days ? last : "", d->detail);
        LOCHAN_TRY(put_line(r->plan, r->table->def.source, r->table->def.dataset, d->file->path,
                            d->kind, r->dataset ? "fetch again" : "take out", text, err));
    }
    return LOCHAN_OK;
}

/* A disk that is not there is no damage. */
static lochan_status check_extent(const repair *r, lochan_error *err) {
    int64_t n = r->every_kind ? r->missing : (int64_t)r->n;
    if (r->options->force || r->list.n < 2 || n * 2 <= (int64_t)r->list.n)
        return LOCHAN_OK;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_IO, "%lld of %zu files of %s are missing or damaged",
                          (long long)n, r->list.n, r->table->full_name);
    lochan_error__hint(err, "is the disk there? if so, repair with --force, or restore a backup");
    return rc;
}

static lochan_status commit(repair *r, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    lochan_txn_options options = {.kind = "repair", .message = r->table->full_name};
    LOCHAN_TRYG(lochan_txn__begin(r->lake->catalog, &options, NULL, NULL, &txn, err));
    for (size_t i = 0; i < r->n; i++)
        LOCHAN_TRYG(
            lochan_txn__retire_file(txn, r->table->def.table_id, r->files[i].file->id, err));
    if (r->dataset)
        LOCHAN_TRYG(reopen_ledger(r, txn, err));
    LOCHAN_FAILPOINTG("table.repair.listed", err);
    LOCHAN_TRYG(lochan_txn__commit(&txn, &r->report->snapshot_id, err));
    for (size_t i = 0; i < r->n; i++)
        r->report->rows_taken_out += r->files[i].file->rows;
    r->report->files_taken_out += (int64_t)r->n;
done:
    lochan_txn__abort(txn);
    return rc;
}

static lochan_status repair_table(lochan_lake *lake, const lochan_repair_options *options,
                                  const lochan_finding *findings, size_t n, lochan_listing *plan,
                                  lochan_repair_report *report, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    repair r = {.lake = lake, .options = options, .report = report, .plan = plan};
    LOCHAN_TRYG(load(&r, findings[0].source, findings[0].dataset, err));
    LOCHAN_TRYG(choose(&r, findings, n, err));
    report->files_damaged += (int64_t)r.n;
    LOCHAN_TRYG(show(&r, err));
    if (options->dry_run || r.n == 0)
        goto done;
    LOCHAN_TRYG(check_extent(&r, err));
    LOCHAN_TRYG(commit(&r, err));
done:
    deinit(&r);
    return rc;
}

lochan_status lochan_table__repair(lochan_lake *lake, const char *source, const char *dataset,
                                   const char *days_column, int64_t *files, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_repair_options none = LOCHAN_REPAIR_OPTIONS_INIT;
    lochan_verify_options look = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report verified;
    lochan_repair_report report = {.snapshot_id = -1};
    lochan_verification v;
    repair r = {.lake = lake,
                .options = &none,
                .report = &report,
                .days_column = days_column,
                .every_kind = true};
    *files = 0;
    look.deep = true;
    look.source = source;
    look.dataset = dataset;
    lochan_verification__init(&v, lake, &look, &verified);
    v.io_fails = true; /* what the system cannot read now may be whole */
    LOCHAN_TRYG(lochan_verification__collect(&v, err));
    LOCHAN_TRYG(lochan_verification__finish(&v, NULL, err));
    if (v.n == 0)
        goto done;
    LOCHAN_TRYG(load(&r, source, dataset, err));
    LOCHAN_TRYG(choose(&r, v.findings, v.n, err));
    if (r.n == 0)
        goto done;
    LOCHAN_TRYG(check_extent(&r, err));
    LOCHAN_TRYG(commit(&r, err));
    *files = (int64_t)r.n;
done:
    deinit(&r);
    lochan_verification__deinit(&v);
    return rc;
}

/* ---- all of it ---- */

/* What no file that can be taken out explains. */
static const char *advice(const char *kind) {
    if (strcmp(kind, "catalog") == 0 || strcmp(kind, "journal") == 0)
        return "rebuild";
    if (strcmp(kind, "table") == 0) /* of another program: nothing is damaged */
        return "see detail";
    return "restore a backup";
}

static lochan_status repair_all(lochan_lake *lake, const lochan_repair_options *o,
                                const lochan_verification *v, lochan_listing *plan,
                                lochan_repair_report *report, lochan_error *err) {
    for (size_t from = 0, to; from < v->n; from = to) {
        const lochan_finding *f = &v->findings[from];
        bool damage = false;
        for (to = from; to < v->n && strcmp(v->findings[to].source, f->source) == 0 &&
                        strcmp(v->findings[to].dataset, f->dataset) == 0;
             to++) {
            const lochan_finding *g = &v->findings[to];
            bool harmless = strcmp(g->kind, "unknown") == 0;
            damage = damage || is_damage(g->kind);
            if (is_damage(g->kind) || harmless)
                continue;
            report->not_repaired++;
            LOCHAN_TRY(put_line(plan, g->source, g->dataset, g->path, g->kind, advice(g->kind),
                                g->detail, err));
        }
        if (damage)
            LOCHAN_TRY(repair_table(lake, o, f, to - from, plan, report, err));
    }
    return LOCHAN_OK;
}

static lochan_status read_options(const lochan_repair_options *options, lochan_repair_options *out,
                                  lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_repair_options)LOCHAN_REPAIR_OPTIONS_INIT;
    if (!options)
        return LOCHAN_OK;
    LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_repair_options, reserved), err);
    memcpy(out, options, options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
    LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    return LOCHAN_OK;
}

lochan_status lochan_lake_repair(lochan_lake *lake, const char *source, const char *dataset,
                                 const lochan_repair_options *options, lochan_repair_report *report,
                                 struct ArrowArrayStream *plan, lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"source", "string"}, {"dataset", "string"}, {"path", "string"}, {"problem", "string"},
        {"action", "string"}, {"detail", "string"},  {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_repair_options o;
    lochan_verify_options look = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report verified;
    lochan_verification v;
    lochan_listing list = {0};
    if (plan)
        memset(plan, 0, sizeof *plan);
    LOCHAN_CHECK_ARG(report, err);
    memset(report, 0, sizeof *report);
    report->snapshot_id = -1;
    LOCHAN_CHECK_ARG(lake && (source || !dataset), err);
    LOCHAN_TRY(read_options(options, &o, err));
    if (!o.dry_run)
        LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    look.deep = o.deep;
    look.source = source;
    look.dataset = dataset;
    lochan_verification__init(&v, lake, &look, &verified);
    v.io_fails = !o.force; /* what the system cannot read now may be whole */
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    LOCHAN_TRYG(lochan_verification__collect(&v, err));
    LOCHAN_TRYG(lochan_verification__finish(&v, NULL, err));
    LOCHAN_TRYG(repair_all(lake, &o, &v, &list, report, err));
    if (plan)
        LOCHAN_TRYG(lochan_listing__finish(&list, plan, err));
done:
    lochan_listing__deinit(&list);
    lochan_verification__deinit(&v);
    return rc;
}
