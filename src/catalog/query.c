/* query.c - status, runs and files as Arrow streams.
 * Invariants: see query.h. May call: base/, arrow/, internal.h.
 */
#include "catalog/query.h"

#include "arrow/array.h"
#include "arrow/builder.h"
#include "base/civil.h"
#include "base/mem.h"
#include "catalog/internal.h"

#include <string.h>

/* ---- building a table row by row ---- */

typedef struct column_def {
    const char *name;
    const char *format;
} column_def;

typedef struct table_builder {
    struct ArrowSchema schema;
    lochan_builder *root;
    int64_t column;   /* of the row under way */
    lochan_status rc; /* first failure */
    lochan_error *err;
} table_builder;

static lochan_status table_open(table_builder *t, const column_def *columns, size_t n,
                                lochan_error *err) {
    memset(t, 0, sizeof *t);
    t->err = err;
    LOCHAN_TRY(lochan_schema__init_struct(&t->schema, (int64_t)n, err));
    for (size_t i = 0; i < n; i++) {
        lochan_type type;
        LOCHAN_TRY(lochan_type__parse(columns[i].format, &type, err));
        LOCHAN_TRY(
            lochan_schema__set_field(t->schema.children[i], columns[i].name, &type, true, err));
    }
    return lochan_builder__create(&t->schema, &t->root, err);
}

static void table_close(table_builder *t) {
    lochan_builder__free(t->root);
    lochan_schema__release(&t->schema);
}

static lochan_builder *next_column(table_builder *t) {
    return lochan_builder__child(t->root, t->column++);
}

static void put_int(table_builder *t, int64_t v) {
    if (t->rc == LOCHAN_OK)
        t->rc = lochan_builder__int64(next_column(t), v, t->err);
}

static void put_double(table_builder *t, double v) {
    if (t->rc == LOCHAN_OK)
        t->rc = lochan_builder__double(next_column(t), v, t->err);
}

static void put_null(table_builder *t) {
    if (t->rc == LOCHAN_OK)
        t->rc = lochan_builder__null(next_column(t), t->err);
}

static void put_int_if(table_builder *t, bool known, int64_t v) {
    if (known)
        put_int(t, v);
    else
        put_null(t);
}

static void put_text(table_builder *t, const char *s) {
    if (!s)
        put_null(t);
    else if (t->rc == LOCHAN_OK)
        t->rc = lochan_builder__str(next_column(t), lochan_str__of(s), t->err);
}

static void end_row(table_builder *t) {
    t->column = 0;
    if (t->rc == LOCHAN_OK)
        t->rc = lochan_builder__end_row(t->root, t->err);
}

/* Moves what was built into *out; close is still due. */
static lochan_status table_finish(table_builder *t, struct ArrowArrayStream *out,
                                  lochan_error *err) {
    struct ArrowArray *batch;
    LOCHAN_TRY(t->rc);
    batch = lochan_mem__zalloc(sizeof *batch);
    if (!batch)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_builder__finish(t->root, batch, err);
    if (rc == LOCHAN_OK)
        rc = lochan_stream__of_batches(&t->schema, batch, 1, out, err);
    lochan_mem__free(batch);
    return rc;
}

/* ---- runs ---- */

static const column_def run_columns[] = {
    {"update_id", "u"},      {"source", "u"},
    {"dataset", "u"},        {"kind", "u"},
    {"state", "u"},          {"started_at", "tsu:UTC"},
    {"seconds", "g"},        {"requests", "l"},
    {"retries", "l"},        {"rows_fetched", "l"},
    {"rows_new", "l"},       {"rows_replaced", "l"},
    {"rows_unchanged", "l"}, {"rows_duplicate", "l"},
    {"rows_rejected", "l"},  {"partitions_written", "l"},
    {"snapshot_id", "l"},    {"error", "u"},
};

static lochan_status read_runs(lochan_db *db, const char *source, const char *dataset,
                               int64_t limit, table_builder *t, lochan_error *err) {
    lochan_arena arena;
    lochan_arena__init(&arena, 0);
    lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_RUNS, "lochan_update", &arena, err);
    lochan_reader__bind_text(&r, 1, source);
    lochan_reader__bind_text(&r, 2, dataset);
    lochan_reader__bind_int(&r, 3, limit < 0 ? -1 : limit);
    while (lochan_reader__next(&r)) {
        for (int i = 0; i < 5; i++)
            put_text(t, lochan_reader__text(&r, i));
        put_int(t, lochan_reader__time(&r, 5) / 1000);
        put_double(t, lochan_reader__real(&r, 6));
        for (int i = 7; i < 16; i++)
            put_int(t, lochan_reader__int(&r, i));
        int64_t snapshot = lochan_reader__int_or(&r, 16, -1);
        put_int_if(t, snapshot >= 0, snapshot);
        const char *error = lochan_reader__text_or(&r, 17, "");
        put_text(t, *error ? error : NULL);
        end_row(t);
        if (r.rc == LOCHAN_OK)
            r.rc = t->rc;
        lochan_arena__reset(&arena);
    }
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    return rc;
}

lochan_status lochan_catalog__query_runs(lochan_catalog *catalog, const char *source,
                                         const char *dataset, int64_t limit,
                                         struct ArrowArrayStream *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    table_builder t;
    memset(out, 0, sizeof *out);
    LOCHAN_TRYG(table_open(&t, run_columns, LOCHAN_COUNTOF(run_columns), err));
    LOCHAN_TRYG(lochan_catalog__read_begin(catalog, &db, err));
    rc = read_runs(db, source, dataset, limit, &t, err);
    lochan_catalog__read_end(catalog);
    if (rc == LOCHAN_OK)
        rc = table_finish(&t, out, err);
done:
    table_close(&t);
    return rc;
}

/* ---- status ---- */

static const column_def status_columns[] = {
    {"source", "u"},       {"dataset", "u"},           {"rows", "l"},       {"bytes", "l"},
    {"files", "l"},        {"partitions", "l"},        {"time_min", "u"},   {"time_max", "u"},
    {"covered_to", "tdD"}, {"last_update", "tsu:UTC"}, {"last_state", "u"}, {"failed_scopes", "l"},
    {"staged_bytes", "l"}, {"snapshot_id", "l"},       {"asked_to", "tdD"}, {"asked_at", "tsu:UTC"},
    {"raw_files", "l"},    {"raw_bytes", "l"},
};

typedef struct status_rows {
    lochan_dataset_status *rows;
    int64_t *settle_ns;
    const char **time_columns;
    size_t n, cap;
    lochan_arena arena;
} status_rows;

static lochan_status status_grow(status_rows *s, lochan_error *err) {
    if (s->n < s->cap)
        return LOCHAN_OK;
    size_t cap = s->cap ? s->cap * 2 : 16;
    lochan_dataset_status *rows = lochan_arena__array(&s->arena, cap, sizeof *rows);
    int64_t *settle = lochan_arena__array(&s->arena, cap, sizeof *settle);
    const char **columns = lochan_arena__array(&s->arena, cap, sizeof *columns);
    if (!rows || !settle || !columns)
        return lochan_error__nomem(err);
    if (s->n) {
        memcpy(rows, s->rows, s->n * sizeof *rows);
        memcpy(settle, s->settle_ns, s->n * sizeof *settle);
        memcpy(columns, s->time_columns, s->n * sizeof *columns);
    }
    s->rows = rows;
    s->settle_ns = settle;
    s->time_columns = columns;
    s->cap = cap;
    return LOCHAN_OK;
}

static lochan_status read_datasets(lochan_db *db, const char *source, const char *dataset,
                                   status_rows *s, lochan_error *err) {
    lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_STATUS, "lochan_dataset", &s->arena, err);
    lochan_reader__bind_text(&r, 1, source);
    lochan_reader__bind_text(&r, 2, dataset);
    while (lochan_reader__next(&r)) {
        r.rc = status_grow(s, err);
        if (r.rc != LOCHAN_OK)
            break;
        lochan_dataset_status *row = &s->rows[s->n];
        memset(row, 0, sizeof *row);
        row->dataset_id = lochan_reader__int(&r, 0);
        row->table_id = lochan_reader__int_or(&r, 1, -1);
        row->source = lochan_reader__text(&r, 2);
        row->dataset = lochan_reader__text(&r, 3);
        s->time_columns[s->n] = lochan_reader__text(&r, 4);
        s->settle_ns[s->n] = lochan_reader__int(&r, 5);
        row->rows = lochan_reader__int_or(&r, 6, 0);
        row->bytes = lochan_reader__int_or(&r, 7, 0);
        row->files = lochan_reader__int_or(&r, 8, 0);
        row->partitions = lochan_reader__int_or(&r, 9, 0);
        row->snapshot_id = lochan_reader__int_or(&r, 10, -1);
        s->n++;
    }
    return lochan_reader__end(&r);
}

static lochan_status read_last_update(lochan_db *db, status_rows *s, lochan_dataset_status *row,
                                      lochan_error *err) {
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_STATUS_LAST_UPDATE, "lochan_update", &s->arena, err);
    lochan_reader__bind_int(&r, 1, row->dataset_id);
    if (lochan_reader__next(&r)) {
        row->last_update_ns = lochan_reader__time(&r, 0);
        row->last_state = lochan_reader__text(&r, 1);
    }
    return lochan_reader__end(&r);
}

static lochan_status read_time_range(lochan_db *db, status_rows *s, lochan_dataset_status *row,
                                     const char *column, lochan_error *err) {
    if (row->table_id < 0 || !*column)
        return LOCHAN_OK;
    lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_STATUS_TIME_RANGE,
                                           "ducklake_table_column_stats", &s->arena, err);
    lochan_reader__bind_int(&r, 1, row->table_id);
    lochan_reader__bind_text(&r, 2, column);
    if (lochan_reader__next(&r)) {
        row->time_min = lochan_reader__text_or(&r, 0, NULL);
        row->time_max = lochan_reader__text_or(&r, 1, NULL);
    }
    return lochan_reader__end(&r);
}

/* Days of an answer are final up to its asking time less the settle delay. */
static int32_t final_to(const lochan_coverage *c, int64_t settle_ns) {
    int64_t day = (c->asked_ns - settle_ns) / 86400000000000ll - 1;
    return day < c->day_to ? (int32_t)(day < INT32_MIN ? INT32_MIN : day) : c->day_to;
}

/* Each (asset, variant) is a series of intervals in order of days; the dataset is covered as far as
 * its worst series. */
static lochan_status read_covered(lochan_db *db, lochan_dataset_status *row, int64_t settle_ns,
                                  lochan_error *err) {
    lochan_coverage_rows rows;
    memset(&rows, 0, sizeof rows);
    lochan_status rc = lochan_db__coverage(db, row->dataset_id, &rows, err);
    bool open = false; /* the series under way goes on without a gap */
    int64_t end = 0;   /* last final day of it */
    for (size_t i = 0; rc == LOCHAN_OK && i < rows.n; i++) {
        const lochan_coverage *c = &rows.rows[i];
        const lochan_coverage *before = i > 0 ? &rows.rows[i - 1] : NULL;
        bool first = !before || strcmp(before->asset, c->asset) != 0 ||
                     strcmp(before->variant, c->variant) != 0;
        bool good = c->state == LOCHAN_COVERAGE_SUCCESS || c->state == LOCHAN_COVERAGE_EMPTY;
        row->failed_scopes += !good;
        if (c->asked_ns > row->asked_ns)
            row->asked_ns = c->asked_ns;
        if (good && (!row->has_asked_to || c->day_to > row->asked_to)) {
            row->has_asked_to = true;
            row->asked_to = c->day_to;
        }
        if (first) {
            open = true;
            end = (int64_t)c->day_from - 1;
        }
        if (open && good && c->day_from <= end + 1) {
            int32_t to = final_to(c, settle_ns);
            if (to > end)
                end = to;
            open = to == c->day_to;
        } else {
            open = false;
        }
        bool last = i + 1 == rows.n || strcmp(rows.rows[i + 1].asset, c->asset) != 0 ||
                    strcmp(rows.rows[i + 1].variant, c->variant) != 0;
        if (last && (!row->has_covered_to || end < row->covered_to)) {
            row->has_covered_to = true;
            row->covered_to = (int32_t)end;
        }
    }
    lochan_coverage_rows__deinit(&rows);
    return rc;
}

static lochan_status read_status(lochan_db *db, const char *source, const char *dataset,
                                 status_rows *s, lochan_error *err) {
    LOCHAN_TRY(read_datasets(db, source, dataset, s, err));
    for (size_t i = 0; i < s->n; i++) {
        LOCHAN_TRY(read_last_update(db, s, &s->rows[i], err));
        LOCHAN_TRY(read_time_range(db, s, &s->rows[i], s->time_columns[i], err));
        LOCHAN_TRY(read_covered(db, &s->rows[i], s->settle_ns[i], err));
    }
    return LOCHAN_OK;
}

static void put_status(table_builder *t, const lochan_dataset_status *row) {
    put_text(t, row->source);
    put_text(t, row->dataset);
    put_int(t, row->rows);
    put_int(t, row->bytes);
    put_int(t, row->files);
    put_int(t, row->partitions);
    put_text(t, row->time_min);
    put_text(t, row->time_max);
    put_int_if(t, row->has_covered_to, row->covered_to);
    put_int_if(t, row->last_update_ns != 0, row->last_update_ns / 1000);
    put_text(t, row->last_state);
    put_int(t, row->failed_scopes);
    put_int(t, row->staged_bytes);
    put_int_if(t, row->snapshot_id >= 0, row->snapshot_id);
    put_int_if(t, row->has_asked_to, row->asked_to);
    put_int_if(t, row->asked_ns != 0, row->asked_ns / 1000);
    put_int(t, row->raw_files);
    put_int(t, row->raw_bytes);
    end_row(t);
}

lochan_status lochan_catalog__query_status(lochan_catalog *catalog, const char *source,
                                           const char *dataset, lochan_dataset_status_fn hook,
                                           void *ctx, struct ArrowArrayStream *out,
                                           lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    table_builder t;
    status_rows s;
    memset(out, 0, sizeof *out);
    memset(&s, 0, sizeof s);
    LOCHAN_TRYG(table_open(&t, status_columns, LOCHAN_COUNTOF(status_columns), err));
    LOCHAN_TRYG(lochan_catalog__read_begin(catalog, &db, err));
    rc = read_status(db, source, dataset, &s, err);
    lochan_catalog__read_end(catalog);
    for (size_t i = 0; rc == LOCHAN_OK && i < s.n; i++) {
        if (hook)
            rc = hook(ctx, &s.rows[i], err);
        if (rc == LOCHAN_OK)
            put_status(&t, &s.rows[i]);
    }
    if (rc == LOCHAN_OK)
        rc = table_finish(&t, out, err);
done:
    lochan_arena__deinit(&s.arena);
    table_close(&t);
    return rc;
}

/* ---- files ---- */

static const column_def file_columns[] = {
    {"source", "u"}, {"dataset", "u"},  {"path", "u"},     {"partition", "u"},   {"rows", "l"},
    {"bytes", "l"},  {"time_min", "u"}, {"time_max", "u"}, {"snapshot_id", "l"}, {"file_id", "u"},
};

/* The dataset's time column in this table, -1 if none. */
static lochan_status time_column_of(lochan_catalog *catalog, int64_t table_id, int64_t *column_id,
                                    lochan_error *err) {
    lochan_db *db;
    lochan_arena arena;
    *column_id = -1;
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_arena__init(&arena, 4096);
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_TIME_COLUMN, "lochan_dataset", &arena, err);
    lochan_reader__bind_int(&r, 1, table_id);
    if (lochan_reader__next(&r))
        *column_id = lochan_reader__int(&r, 0);
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    lochan_catalog__read_end(catalog);
    return rc;
}

/* A bound as text again, in the form the catalog has it. */
static void put_bound(table_builder *t, const lochan_expr_stats *s, bool known, bool max) {
    char text[64] = "";
    int64_t v = max ? s->max_i : s->min_i;
    if (!known || !(max ? s->has_max : s->has_min)) {
        put_null(t);
        return;
    }
    static const int64_t unit[] = {1000000000, 1000000, 1000, 1};
    switch (s->type.id) {
    case LOCHAN_TYPE_DATE32:
        lochan_civil__format_date((int32_t)v, text);
        break;
    case LOCHAN_TYPE_TIMESTAMP:
        if (v > INT64_MAX / unit[s->type.unit] || v < INT64_MIN / unit[s->type.unit]) {
            put_null(t);
            return;
        }
        lochan_civil__format_utc(v * unit[s->type.unit], text);
        break;
    case LOCHAN_TYPE_STRING: {
        lochan_str bound = max ? s->max_s : s->min_s;
        if (t->rc == LOCHAN_OK)
            t->rc = lochan_builder__str(next_column(t), bound, t->err);
        return;
    }
    default:
        if (lochan_type__is_float(s->type.id))
            lochan_format__double(max ? s->max_f : s->min_f, text);
        else
            lochan_format(text, sizeof text, "%lld", (long long)v);
        break;
    }
    put_text(t, text);
}

static lochan_status put_files(table_builder *t, const lochan_table_def *def,
                               const lochan_file_list *list, lochan_error *err) {
    lochan_arena arena;
    lochan_arena__init(&arena, 0);
    for (size_t i = 0; i < list->n && t->rc == LOCHAN_OK; i++) {
        const lochan_data_file *f = &list->files[i];
        const char *partition = lochan_partition__text(&arena, f->partition_values,
                                                       f->partition_values ? def->n_partition : 0);
        if (!partition) {
            lochan_arena__deinit(&arena);
            return lochan_error__nomem(err);
        }
        put_text(t, def->source);
        put_text(t, def->dataset);
        put_text(t, f->path);
        put_text(t, partition);
        put_int(t, f->rows);
        put_int(t, f->bytes);
        bool known = f->stats && f->stats_known[0];
        lochan_expr_stats none = {0};
        put_bound(t, known ? &f->stats[0] : &none, known, false);
        put_bound(t, known ? &f->stats[0] : &none, known, true);
        put_int(t, f->begin_snapshot);
        put_text(t, f->foreign ? NULL : f->file_id);
        end_row(t);
        lochan_arena__reset(&arena);
    }
    lochan_arena__deinit(&arena);
    return t->rc;
}

static lochan_status add_table_files(lochan_catalog *catalog, const lochan_table_name *name,
                                     int64_t snapshot_id, table_builder *t, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_def def;
    lochan_file_list files;
    int64_t time_column;
    memset(&files, 0, sizeof files);
    LOCHAN_TRY(lochan_catalog__table(catalog, name->source, name->dataset, snapshot_id, &def, err));
    LOCHAN_TRYG(time_column_of(catalog, def.table_id, &time_column, err));
    LOCHAN_TRYG(
        lochan_catalog__files(catalog, &def, &time_column, time_column >= 0 ? 1 : 0, &files, err));
    LOCHAN_TRYG(put_files(t, &def, &files, err));
done:
    lochan_file_list__deinit(&files);
    lochan_table_def__deinit(&def);
    return rc;
}

lochan_status lochan_catalog__query_files(lochan_catalog *catalog, const char *source,
                                          const char *dataset, struct ArrowArrayStream *out,
                                          lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    table_builder t;
    lochan_snapshot snapshot;
    lochan_table_names names;
    size_t found = 0;
    memset(out, 0, sizeof *out);
    memset(&names, 0, sizeof names);
    LOCHAN_TRYG(table_open(&t, file_columns, LOCHAN_COUNTOF(file_columns), err));
    LOCHAN_TRYG(lochan_catalog__snapshot_at(catalog, NULL, &snapshot, err));
    LOCHAN_TRYG(lochan_catalog__tables(catalog, snapshot.id, &names, err));
    for (size_t i = 0; i < names.n; i++) {
        if ((source && strcmp(source, names.names[i].source) != 0) ||
            (dataset && strcmp(dataset, names.names[i].dataset) != 0))
            continue;
        found++;
        LOCHAN_TRYG(add_table_files(catalog, &names.names[i], snapshot.id, &t, err));
    }
    if (source && dataset && found == 0) { /* asks for the error that names what there is */
        lochan_table_def def;
        LOCHAN_TRYG(lochan_catalog__table(catalog, source, dataset, snapshot.id, &def, err));
        lochan_table_def__deinit(&def);
    }
    LOCHAN_TRYG(table_finish(&t, out, err));
done:
    lochan_table_names__deinit(&names);
    table_close(&t);
    return rc;
}
