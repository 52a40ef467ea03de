/* txn_ledger.c - sources, datasets, coverage, updates and failures inside a transaction.
 * Invariant: these rows make no snapshot of their own; with a table's change they are in the same
 * commit. May call: base/, internal.h.
 */
#include "catalog/internal.h"

#include "base/civil.h"

#include <string.h>

/* ---- sources and datasets ---- */

static lochan_status created_at(lochan_txn *txn, lochan_sql sql, const char *table,
                                const lochan_value *key, int column, char dst[40],
                                lochan_error *err) {
    memcpy(dst, txn->time, 40);
    lochan_reader r = lochan_reader__start(txn->db, sql, table, &txn->arena, err);
    if (key->type == LOCHAN_VALUE_INT)
        lochan_reader__bind_int(&r, 1, key->i);
    else
        lochan_reader__bind_text(&r, 1, key->s.p);
    if (lochan_reader__next(&r))
        lochan_civil__format_utc(lochan_reader__time(&r, column), dst);
    return lochan_reader__end(&r);
}

lochan_status lochan_txn__put_source(lochan_txn *txn, const lochan_source_row *row,
                                     lochan_error *err) {
    char created[40];
    LOCHAN_TRY(lochan_txn__check(txn, err));
    LOCHAN_CHECK_ARG(row->name && row->spec, err);
    LOCHAN_TRY(lochan_name__check("source", row->name, err));
    lochan_value key = lochan_value__text(row->name);
    LOCHAN_TRY(lochan_txn__note(
        txn, created_at(txn, LOCHAN_SQL_SOURCES, "lochan_source", &key, 4, created, err)));
    return lochan_txn__replace(txn, LOCHAN_ROW_SOURCE,
                               LOCHAN_ROW(key, lochan_value__text(row->spec),
                                          lochan_value__text(row->overrides ? row->overrides : ""),
                                          lochan_value__int(row->bundled),
                                          lochan_value__text(created),
                                          lochan_value__text(txn->time)),
                               err);
}

static lochan_status new_dataset_id(lochan_txn *txn, int64_t *id, lochan_error *err) {
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_DATASET_NEWEST_ID, "lochan_dataset",
                                           &txn->arena, err);
    if (lochan_reader__next(&r))
        *id = lochan_reader__int_or(&r, 0, 0) + 1;
    return lochan_reader__end(&r);
}

static lochan_status check_unique(lochan_txn *txn, const lochan_dataset_row *row,
                                  lochan_error *err) {
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_DATASETS, "lochan_dataset", &txn->arena, err);
    lochan_reader__bind_text(&r, 1, row->source);
    lochan_reader__bind_text(&r, 2, row->name);
    if (lochan_reader__next(&r) && lochan_reader__int(&r, 0) != row->dataset_id)
        r.rc = lochan_error__set(err, LOCHAN_ERR_EXISTS, "dataset %s/%s exists already",
                                 row->source, row->name);
    return lochan_reader__end(&r);
}

static lochan_status put_dataset(lochan_txn *txn, const lochan_dataset_row *row,
                                 int64_t *dataset_id, lochan_error *err) {
    char created[40];
    LOCHAN_TRY(lochan_name__check("source", row->source, err));
    LOCHAN_TRY(lochan_name__check("dataset", row->name, err));
    LOCHAN_TRY(check_unique(txn, row, err));
    int64_t id = row->dataset_id;
    if (id <= 0)
        LOCHAN_TRY(new_dataset_id(txn, &id, err));
    lochan_value key = lochan_value__int(id);
    LOCHAN_TRY(created_at(txn, LOCHAN_SQL_DATASET_BY_ID, "lochan_dataset", &key, 11, created, err));
    *dataset_id = id;
    return lochan_txn__replace(
        txn, LOCHAN_ROW_DATASET,
        LOCHAN_ROW(key, lochan_value__text(row->source), lochan_value__text(row->name),
                   lochan_value__text(row->spec),
                   lochan_value__text(row->spec_hash ? row->spec_hash : ""),
                   lochan_value__text(row->mapping_hash ? row->mapping_hash : ""),
                   lochan_value__text(row->time_column ? row->time_column : ""),
                   lochan_value__int(row->settle_ns), lochan_value__int(row->enabled),
                   lochan_value__int(row->bundled),
                   row->table_id > 0 ? lochan_value__int(row->table_id) : lochan_value__null(),
                   lochan_value__text(created), lochan_value__text(txn->time)),
        err);
}

lochan_status lochan_txn__put_dataset(lochan_txn *txn, const lochan_dataset_row *row,
                                      int64_t *dataset_id, lochan_error *err) {
    int64_t id = -1;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    LOCHAN_CHECK_ARG(row->source && row->name && row->spec, err);
    lochan_status rc = lochan_txn__note(txn, put_dataset(txn, row, &id, err));
    if (dataset_id)
        *dataset_id = id;
    return rc;
}

lochan_status lochan_txn__bind_dataset(lochan_txn *txn, int64_t dataset_id, int64_t table_id,
                                       lochan_error *err) {
    lochan_value v[16];
    const size_t n = lochan_row__table(LOCHAN_ROW_DATASET)->n_columns;
    bool found = false;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_DATASET_BY_ID, "lochan_dataset", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, dataset_id);
    if (lochan_reader__next(&r)) {
        found = true;
        for (size_t i = 0; i < n; i++)
            v[i] = lochan_reader__value(&r, (int)i);
    }
    LOCHAN_TRY(lochan_txn__note(txn, lochan_reader__end(&r)));
    if (!found)
        return lochan_txn__note(txn, lochan_error__set(err, LOCHAN_ERR_NOT_FOUND,
                                                       "there is no dataset with id %lld",
                                                       (long long)dataset_id));
    v[lochan_row__column(lochan_row__table(LOCHAN_ROW_DATASET), "table_id")] =
        lochan_value__int(table_id);
    return lochan_txn__replace(txn, LOCHAN_ROW_DATASET, v, n, err);
}

/* ---- coverage ---- */

lochan_status lochan_txn__put_coverage(lochan_txn *txn, int64_t dataset_id,
                                       const lochan_coverage *row, lochan_error *err) {
    static const char *const states[] = {NULL, "success", "empty", "failed", "invalid"};
    char from[16], to[16], asked[40];
    LOCHAN_CHECK_ARG(row->day_from <= row->day_to, err);
    LOCHAN_CHECK_ARG(row->state >= LOCHAN_COVERAGE_SUCCESS && row->state <= LOCHAN_COVERAGE_INVALID,
                     err);
    lochan_civil__format_date(row->day_from, from);
    lochan_civil__format_date(row->day_to, to);
    lochan_civil__format_utc(row->asked_ns, asked);
    return lochan_txn__replace(
        txn, LOCHAN_ROW_COVERAGE,
        LOCHAN_ROW(lochan_value__int(dataset_id), lochan_value__text(row->asset ? row->asset : ""),
                   lochan_value__text(row->variant ? row->variant : ""), lochan_value__text(from),
                   lochan_value__text(to), lochan_value__text(states[row->state]),
                   lochan_value__text(asked), lochan_value__int(row->attempts),
                   lochan_value__int(row->rows), lochan_value__text(row->content_hash),
                   lochan_value__text(row->update_id ? row->update_id : ""),
                   lochan_value__text(row->message)),
        err);
}

lochan_status lochan_txn__delete_coverage(lochan_txn *txn, int64_t dataset_id, const char *asset,
                                          const char *variant, int32_t day_from,
                                          lochan_error *err) {
    char from[16];
    lochan_civil__format_date(day_from, from);
    return lochan_txn__delete(
        txn, LOCHAN_ROW_COVERAGE,
        LOCHAN_ROW(lochan_value__int(dataset_id), lochan_value__text(asset ? asset : ""),
                   lochan_value__text(variant ? variant : ""), lochan_value__text(from)),
        err);
}

/* ---- updates and failures ---- */

lochan_status lochan_txn__put_update(lochan_txn *txn, const lochan_update_row *row,
                                     lochan_error *err) {
    char started[40], finished[40];
    LOCHAN_CHECK_ARG(row->update_id && row->kind && row->state && row->report, err);
    const lochan_update_report *p = row->report;
    lochan_civil__format_utc(row->started_ns, started);
    lochan_civil__format_utc(row->finished_ns, finished);
    int64_t snapshot = txn->tables_changed ? lochan_txn__sid(txn) : p->snapshot_id;
    const double *s = p->stage_seconds;
    return lochan_txn__replace(
        txn, LOCHAN_ROW_UPDATE,
        LOCHAN_ROW(
            lochan_value__text(row->update_id), lochan_value__int(row->dataset_id),
            lochan_value__text(row->kind), lochan_value__text(row->state),
            lochan_value__text(started), lochan_value__text(finished),
            lochan_value__text(row->request ? row->request : ""), lochan_value__text(row->error),
            snapshot < 0 ? lochan_value__null() : lochan_value__int(snapshot),
            lochan_value__int(p->scopes), lochan_value__int(p->scopes_failed),
            lochan_value__int(p->requests), lochan_value__int(p->pages),
            lochan_value__int(p->pages_resumed), lochan_value__int(p->retries),
            lochan_value__int(p->failures), lochan_value__int(p->rows_fetched),
            lochan_value__int(p->rows_new), lochan_value__int(p->rows_replaced),
            lochan_value__int(p->rows_unchanged), lochan_value__int(p->rows_duplicate),
            lochan_value__int(p->rows_rejected), lochan_value__int(p->rows_filtered),
            lochan_value__int(p->partitions_written), lochan_value__int(p->partitions_skipped),
            lochan_value__int(p->files_written), lochan_value__int(p->bytes_fetched),
            lochan_value__int(p->bytes_written), lochan_value__real(p->seconds),
            lochan_value__real(s[LOCHAN_STAGE_PLAN]), lochan_value__real(s[LOCHAN_STAGE_FETCH]),
            lochan_value__real(s[LOCHAN_STAGE_NORMALISE]),
            lochan_value__real(s[LOCHAN_STAGE_WRITE]), lochan_value__real(s[LOCHAN_STAGE_PUBLISH])),
        err);
}

lochan_status lochan_txn__put_failure(lochan_txn *txn, const lochan_failure_row *row,
                                      lochan_error *err) {
    char at[40];
    LOCHAN_CHECK_ARG(row->update_id, err);
    lochan_civil__format_utc(row->at_ns, at);
    return lochan_txn__replace(txn, LOCHAN_ROW_FAILURE,
                               LOCHAN_ROW(lochan_value__text(row->update_id),
                                          lochan_value__text(row->scope ? row->scope : ""),
                                          lochan_value__text(row->page ? row->page : ""),
                                          lochan_value__text(row->code ? row->code : ""),
                                          lochan_value__int(row->http_status),
                                          lochan_value__text(row->message ? row->message : ""),
                                          lochan_value__int(row->attempts), lochan_value__text(at)),
                               err);
}

lochan_status lochan_txn__put_reject(lochan_txn *txn, const lochan_reject_row *row,
                                     lochan_error *err) {
    LOCHAN_CHECK_ARG(row->update_id && row->path && row->state, err);
    return lochan_txn__replace(
        txn, LOCHAN_ROW_REJECT,
        LOCHAN_ROW(lochan_value__text(row->update_id), lochan_value__int(row->dataset_id),
                   lochan_value__text(row->path), lochan_value__int(row->rows),
                   lochan_value__text(row->state), lochan_value__text(txn->time)),
        err);
}

/* ---- removing ---- */

lochan_status lochan_txn__delete_source(lochan_txn *txn, const char *name, lochan_error *err) {
    return lochan_txn__delete(txn, LOCHAN_ROW_SOURCE, LOCHAN_ROW(lochan_value__text(name)), err);
}

lochan_status lochan_txn__delete_dataset(lochan_txn *txn, int64_t dataset_id, lochan_error *err) {
    lochan_coverage_rows rows = {0};
    lochan_status rc = lochan_txn__check(txn, err);
    if (rc == LOCHAN_OK)
        rc = lochan_txn__note(txn, lochan_db__coverage(txn->db, dataset_id, &rows, err));
    for (size_t i = 0; i < rows.n && rc == LOCHAN_OK; i++)
        rc = lochan_txn__delete_coverage(txn, dataset_id, rows.rows[i].asset, rows.rows[i].variant,
                                         rows.rows[i].day_from, err);
    lochan_coverage_rows__deinit(&rows);
    if (rc != LOCHAN_OK)
        return rc;
    return lochan_txn__delete(txn, LOCHAN_ROW_DATASET, LOCHAN_ROW(lochan_value__int(dataset_id)),
                              err);
}
