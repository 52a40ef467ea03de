/* run.c - run tables and runs in the catalog, and columns that grow while runs write them.
 * Invariants: see read.h and txn.h; a lake that no lochan with run tables ever wrote has none of
 * both. May call: base/, internal.h.
 */
#include "catalog/internal.h"

#include "base/civil.h"
#include "base/mem.h"

#include <string.h>

/* Whether the lake has the tables of this file at all. */
static lochan_status has_runs(lochan_db *db, bool *out, lochan_error *err) {
    int64_t number;
    LOCHAN_TRY(lochan_db__migration(db, &number, err));
    *out = number >= 2;
    return LOCHAN_OK;
}

/* ---- run tables ---- */

void lochan_run_table_rows__deinit(lochan_run_table_rows *rows) {
    lochan_arena__deinit(&rows->arena);
    memset(rows, 0, sizeof *rows);
}

static lochan_status read_run_tables(lochan_db *db, const char *name, lochan_run_table_rows *out,
                                     lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_RUN_TABLES, "lochan_run_table", &out->arena, err);
    lochan_reader__bind_text(&r, 1, name);
    while (lochan_reader__next(&r)) {
        lochan_run_table_row *rows =
            lochan_arena__grow(&out->arena, out->rows, out->n, &cap, sizeof *rows);
        if (!rows) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->rows = rows;
        lochan_run_table_row *row = &rows[out->n++];
        row->name = lochan_reader__text(&r, 0);
        row->spec = lochan_reader__text(&r, 1);
        row->bundled = lochan_reader__bool(&r, 2, false);
        row->created_ns = lochan_reader__time(&r, 3);
        row->updated_ns = lochan_reader__time(&r, 4);
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__run_tables(lochan_catalog *catalog, const char *name,
                                         lochan_run_table_rows *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    bool any;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__look_begin(catalog, &db, err));
    LOCHAN_TRYG(has_runs(db, &any, err));
    if (any)
        LOCHAN_TRYG(read_run_tables(db, name, out, err));
done:
    lochan_catalog__look_end(catalog, db);
    if (rc != LOCHAN_OK)
        lochan_run_table_rows__deinit(out);
    return rc;
}

lochan_status lochan_txn__put_run_table(lochan_txn *txn, const lochan_run_table_row *row,
                                        lochan_error *err) {
    lochan_run_table_rows old;
    char created[40];
    LOCHAN_TRY(lochan_txn__check(txn, err));
    LOCHAN_CHECK_ARG(row->name && row->spec, err);
    LOCHAN_TRY(lochan_name__check("table", row->name, err));
    memset(&old, 0, sizeof old);
    lochan_status rc = lochan_txn__note(txn, read_run_tables(txn->db, row->name, &old, err));
    memcpy(created, txn->time, sizeof created);
    if (rc == LOCHAN_OK && old.n > 0)
        lochan_civil__format_utc(old.rows[0].created_ns, created);
    lochan_run_table_rows__deinit(&old);
    LOCHAN_TRY(rc);
    return lochan_txn__replace(
        txn, LOCHAN_ROW_RUN_TABLE,
        LOCHAN_ROW(lochan_value__text(row->name), lochan_value__text(row->spec),
                   lochan_value__int(row->bundled), lochan_value__text(created),
                   lochan_value__text(txn->time)),
        err);
}

lochan_status lochan_txn__delete_run_table(lochan_txn *txn, const char *name, lochan_error *err) {
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__delete(txn, LOCHAN_ROW_RUN_TABLE, LOCHAN_ROW(lochan_value__text(name)), err);
}

/* ---- runs ---- */

void lochan_run_rows__deinit(lochan_run_rows *rows) {
    lochan_arena__deinit(&rows->arena);
    memset(rows, 0, sizeof *rows);
}

static lochan_status read_runs(lochan_db *db, const char *run_id, lochan_run_rows *out,
                               lochan_error *err) {
    size_t cap = 0;
    lochan_reader r = lochan_reader__start(db, run_id ? LOCHAN_SQL_RUN_ONE : LOCHAN_SQL_RUN_ALL,
                                           "lochan_run", &out->arena, err);
    if (run_id)
        lochan_reader__bind_text(&r, 1, run_id);
    while (lochan_reader__next(&r)) {
        lochan_run_row *rows =
            lochan_arena__grow(&out->arena, out->rows, out->n, &cap, sizeof *rows);
        if (!rows) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->rows = rows;
        lochan_run_row *row = &rows[out->n++];
        row->run_id = lochan_reader__text(&r, 0);
        row->tick_bucket_size = lochan_reader__int(&r, 1);
        if (row->tick_bucket_size <= 0)
            lochan_reader__corrupt(&r, 1, "above 0");
        row->created_ns = lochan_reader__time(&r, 2);
        row->parameters = lochan_reader__text_or(&r, 3, NULL);
        row->seed = lochan_reader__text_or(&r, 4, NULL);
        row->code_version = lochan_reader__text_or(&r, 5, NULL);
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__runs(lochan_catalog *catalog, const char *run_id,
                                   lochan_run_rows *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    bool any;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__look_begin(catalog, &db, err));
    LOCHAN_TRYG(has_runs(db, &any, err));
    if (any)
        LOCHAN_TRYG(read_runs(db, run_id, out, err));
done:
    lochan_catalog__look_end(catalog, db);
    if (rc != LOCHAN_OK)
        lochan_run_rows__deinit(out);
    return rc;
}

lochan_status lochan_txn__run(lochan_txn *txn, const char *run_id, lochan_run_rows *out,
                              lochan_error *err) {
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_txn__check(txn, err));
    lochan_status rc = lochan_txn__note(txn, read_runs(txn->db, run_id, out, err));
    if (rc != LOCHAN_OK)
        lochan_run_rows__deinit(out);
    return rc;
}

lochan_status lochan_txn__put_run(lochan_txn *txn, const lochan_run_row *row, lochan_error *err) {
    char created[40];
    LOCHAN_TRY(lochan_txn__check(txn, err));
    LOCHAN_CHECK_ARG(row->run_id && row->tick_bucket_size > 0, err);
    memcpy(created, txn->time, sizeof created);
    if (row->created_ns)
        lochan_civil__format_utc(row->created_ns, created);
    return lochan_txn__replace(
        txn, LOCHAN_ROW_RUN,
        LOCHAN_ROW(lochan_value__text(row->run_id), lochan_value__int(row->tick_bucket_size),
                   lochan_value__text(created), lochan_value__text(row->parameters),
                   lochan_value__text(row->seed), lochan_value__text(row->code_version)),
        err);
}

lochan_status lochan_txn__delete_run(lochan_txn *txn, const char *run_id, lochan_error *err) {
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__delete(txn, LOCHAN_ROW_RUN, LOCHAN_ROW(lochan_value__text(run_id)), err);
}

void lochan_run_figures_rows__deinit(lochan_run_figures_rows *rows) {
    lochan_arena__deinit(&rows->arena);
    memset(rows, 0, sizeof *rows);
}

static lochan_status read_figures(lochan_db *db, lochan_run_figures_rows *out, lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_RUN_FIGURES, "lochan_file", &out->arena, err);
    while (lochan_reader__next(&r)) {
        lochan_run_figures *rows =
            lochan_arena__grow(&out->arena, out->rows, out->n, &cap, sizeof *rows);
        if (!rows) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->rows = rows;
        lochan_run_figures *f = &rows[out->n++];
        f->run_id = lochan_reader__text(&r, 0);
        f->table_id = lochan_reader__int(&r, 1);
        f->files = lochan_reader__count(&r, 2);
        f->rows = lochan_reader__count(&r, 3);
        f->bytes = lochan_reader__count(&r, 4);
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__run_figures(lochan_catalog *catalog, lochan_run_figures_rows *out,
                                          lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_status rc = read_figures(db, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_run_figures_rows__deinit(out);
    return rc;
}

static lochan_status retire_range(lochan_txn *txn, int64_t table_id, const lochan_file_range *range,
                                  int64_t *n, lochan_error *err) {
    int64_t *ids = NULL;
    size_t count = 0, cap = 0;
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_FILE_IDS_IN, "lochan_file", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, table_id);
    lochan_reader__bind_text(&r, 2, range->low);
    lochan_reader__bind_text(&r, 3, range->high);
    while (lochan_reader__next(&r)) {
        int64_t *more = lochan_arena__grow(&txn->arena, ids, count, &cap, sizeof *more);
        if (!more) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        ids = more;
        ids[count++] = lochan_reader__int(&r, 0);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    for (size_t i = 0; i < count; i++)
        LOCHAN_TRY(lochan_txn__retire_file(txn, table_id, ids[i], err));
    *n = (int64_t)count;
    return LOCHAN_OK;
}

lochan_status lochan_txn__retire_range(lochan_txn *txn, int64_t table_id,
                                       const lochan_file_range *range, int64_t *n,
                                       lochan_error *err) {
    *n = 0;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__note(txn, retire_range(txn, table_id, range, n, err));
}

/* ---- columns that grow ---- */

lochan_status lochan_txn__put_origin(lochan_txn *txn, int64_t table_id, int64_t column_id,
                                     const char *by, lochan_error *err) {
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__insert(txn, LOCHAN_ROW_COLUMN_ORIGIN,
                              LOCHAN_ROW(lochan_value__int(table_id), lochan_value__int(column_id),
                                         lochan_value__text(by)),
                              err);
}

lochan_status lochan_txn__origin(lochan_txn *txn, int64_t table_id, int64_t column_id,
                                 const char **by, lochan_error *err) {
    *by = NULL;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_COLUMN_ORIGIN, "lochan_column", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, table_id);
    lochan_reader__bind_int(&r, 2, column_id);
    if (lochan_reader__next(&r))
        *by = lochan_reader__text_or(&r, 0, NULL);
    return lochan_txn__note(txn, lochan_reader__end(&r));
}

/* Integers up to 2^53 in size are exact in a double. */
static bool fits_double(const char *text) {
    int64_t v;
    const int64_t most = (int64_t)1 << 53;
    return lochan_parse__int64(text, strlen(text), &v) && v >= -most && v <= most;
}

static lochan_status replace_type(lochan_txn *txn, int64_t table_id, int64_t column_id,
                                  lochan_error *err) {
    int64_t order = 0, parent = 0, nullable = 1, ended = 0;
    const char *name = NULL;
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_COLUMNS_AT, "ducklake_column", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, lochan_txn__sid(txn));
    lochan_reader__bind_int(&r, 2, table_id);
    while (lochan_reader__next(&r)) {
        if (lochan_reader__int(&r, 0) != column_id)
            continue;
        parent = lochan_reader__int_or(&r, 1, 0);
        order = lochan_reader__int(&r, 2);
        name = lochan_reader__text(&r, 3);
        nullable = lochan_reader__bool(&r, 5, true);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    LOCHAN_TRY(lochan_txn__end(txn, LOCHAN_ROW_COLUMN,
                               LOCHAN_ROW(lochan_value__int(column_id), lochan_value__int(table_id),
                                          lochan_value__int(lochan_txn__sid(txn))),
                               &ended, err));
    if (!name || ended == 0)
        return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "there is no column with id %lld",
                                 (long long)column_id);
    LOCHAN_TRY(lochan_txn__insert(
        txn, LOCHAN_ROW_COLUMN,
        LOCHAN_ROW(lochan_value__int(column_id), lochan_value__int(lochan_txn__sid(txn)),
                   lochan_value__null(), lochan_value__int(table_id), lochan_value__int(order),
                   lochan_value__text(name), lochan_value__text("float64"), lochan_value__null(),
                   lochan_value__text("NULL"), lochan_value__int(nullable),
                   parent ? lochan_value__int(parent) : lochan_value__null(),
                   lochan_value__text("literal"), lochan_value__text("duckdb")),
        err));
    txn->schema_changed = txn->tables_changed = true;
    return lochan_txn__replace(txn, LOCHAN_ROW_SCHEMA_VERSIONS,
                               LOCHAN_ROW(lochan_value__int(lochan_txn__sid(txn)),
                                          lochan_value__int(txn->schema_version + 1),
                                          lochan_value__int(table_id)),
                               err);
}

static lochan_status widen(lochan_txn *txn, int64_t table_id, int64_t column_id, bool *exact,
                           lochan_error *err) {
    lochan_txn_table *t;
    lochan_txn_column *c = NULL;
    LOCHAN_TRY(lochan_txn__load(txn, table_id, &t, err));
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].id == column_id)
            c = &t->columns[i];
    if (!c || !c->typed || !lochan_type__is_integer(c->type.id))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "table %s.%s has no integer column with id %lld", t->source,
                                 t->dataset, (long long)column_id);
    bool empty = c->stored && c->contains_null >= 0 && !c->min && !c->max;
    *exact = t->rows == 0 || empty ||
             (c->stored && c->min && c->max && fits_double(c->min) && fits_double(c->max));
    if (!*exact)
        return LOCHAN_OK;
    LOCHAN_TRY(replace_type(txn, table_id, column_id, err));
    c->type.id = LOCHAN_TYPE_FLOAT64;
    c->contains_nan = 0;
    c->changed = true;
    t->altered = true;
    return LOCHAN_OK;
}

lochan_status lochan_txn__widen_column(lochan_txn *txn, int64_t table_id, int64_t column_id,
                                       bool *exact, lochan_error *err) {
    *exact = false;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__note(txn, widen(txn, table_id, column_id, exact, err));
}
