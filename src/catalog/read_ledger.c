/* read_ledger.c - sources, datasets, coverage, commit tokens.
 * Invariants: see read.h. May call: base/, internal.h.
 */
#include "catalog/internal.h"

#include "base/civil.h"

#include <string.h>

/* ---- sources ---- */

void lochan_source_rows__deinit(lochan_source_rows *rows) {
    lochan_arena__deinit(&rows->arena);
    memset(rows, 0, sizeof *rows);
}

static lochan_status read_sources(lochan_db *db, const char *name, lochan_source_rows *out,
                                  lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_SOURCES, "lochan_source", &out->arena, err);
    lochan_reader__bind_text(&r, 1, name);
    while (lochan_reader__next(&r)) {
        lochan_source_row *rows =
            lochan_arena__grow(&out->arena, out->rows, out->n, &cap, sizeof *rows);
        if (!rows) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->rows = rows;
        lochan_source_row *row = &rows[out->n++];
        row->name = lochan_reader__text(&r, 0);
        row->spec = lochan_reader__text(&r, 1);
        row->overrides = lochan_reader__text(&r, 2);
        row->bundled = lochan_reader__bool(&r, 3, false);
        row->created_ns = lochan_reader__time(&r, 4);
        row->updated_ns = lochan_reader__time(&r, 5);
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__sources(lochan_catalog *catalog, const char *name,
                                      lochan_source_rows *out, lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_status rc = read_sources(db, name, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_source_rows__deinit(out);
    return rc;
}

/* ---- datasets ---- */

void lochan_dataset_rows__deinit(lochan_dataset_rows *rows) {
    lochan_arena__deinit(&rows->arena);
    memset(rows, 0, sizeof *rows);
}

static lochan_status read_datasets(lochan_db *db, const char *source, const char *name,
                                   lochan_dataset_rows *out, lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_DATASETS, "lochan_dataset", &out->arena, err);
    lochan_reader__bind_text(&r, 1, source);
    lochan_reader__bind_text(&r, 2, name);
    while (lochan_reader__next(&r)) {
        lochan_dataset_row *rows =
            lochan_arena__grow(&out->arena, out->rows, out->n, &cap, sizeof *rows);
        if (!rows) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->rows = rows;
        lochan_dataset_row *row = &rows[out->n++];
        row->dataset_id = lochan_reader__int(&r, 0);
        row->source = lochan_reader__text(&r, 1);
        row->name = lochan_reader__text(&r, 2);
        row->spec = lochan_reader__text(&r, 3);
        row->spec_hash = lochan_reader__text(&r, 4);
        row->mapping_hash = lochan_reader__text(&r, 5);
        row->time_column = lochan_reader__text(&r, 6);
        row->settle_ns = lochan_reader__int(&r, 7);
        row->enabled = lochan_reader__bool(&r, 8, true);
        row->bundled = lochan_reader__bool(&r, 9, false);
        row->table_id = lochan_reader__int_or(&r, 10, -1);
        row->created_ns = lochan_reader__time(&r, 11);
        row->updated_ns = lochan_reader__time(&r, 12);
        /* these two become parts of paths */
        if (r.rc == LOCHAN_OK && (lochan_name__check("source", row->source, NULL) != LOCHAN_OK ||
                                  lochan_name__check("dataset", row->name, NULL) != LOCHAN_OK))
            lochan_reader__corrupt(&r, 2, "a name");
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__datasets(lochan_catalog *catalog, const char *source,
                                       const char *name, lochan_dataset_rows *out,
                                       lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_status rc = read_datasets(db, source, name, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_dataset_rows__deinit(out);
    return rc;
}

/* ---- coverage ---- */

void lochan_coverage_rows__deinit(lochan_coverage_rows *rows) {
    lochan_arena__deinit(&rows->arena);
    memset(rows, 0, sizeof *rows);
}

static int32_t take_day(lochan_reader *r, int column) {
    int32_t day = 0;
    const char *text = lochan_reader__text(r, column);
    if (r->rc == LOCHAN_OK && !lochan_civil__parse_date(text, strlen(text), &day))
        lochan_reader__corrupt(r, column, "a date");
    return day;
}

static lochan_coverage_state take_state(lochan_reader *r, int column) {
    static const char *const names[] = {NULL, "success", "empty", "failed", "invalid"};
    const char *text = lochan_reader__text(r, column);
    for (int i = 1; i < (int)LOCHAN_COUNTOF(names); i++)
        if (strcmp(text, names[i]) == 0)
            return (lochan_coverage_state)i;
    lochan_reader__corrupt(r, column, "success, empty, failed or invalid");
    return LOCHAN_COVERAGE_FAILED;
}

lochan_status lochan_db__coverage(lochan_db *db, int64_t dataset_id, lochan_coverage_rows *out,
                                  lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_COVERAGE, "lochan_coverage", &out->arena, err);
    lochan_reader__bind_int(&r, 1, dataset_id);
    while (lochan_reader__next(&r)) {
        lochan_coverage *rows =
            lochan_arena__grow(&out->arena, out->rows, out->n, &cap, sizeof *rows);
        if (!rows) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->rows = rows;
        lochan_coverage *row = &rows[out->n++];
        row->asset = lochan_reader__text(&r, 0);
        row->variant = lochan_reader__text(&r, 1);
        row->day_from = take_day(&r, 2);
        row->day_to = take_day(&r, 3);
        row->state = take_state(&r, 4);
        row->asked_ns = lochan_reader__time(&r, 5);
        row->attempts = lochan_reader__count(&r, 6);
        row->rows = lochan_reader__int(&r, 7); /* -1: not known, the interval was cut */
        if (row->rows < -1)
            lochan_reader__corrupt(&r, 7, "-1 or more");
        row->content_hash = lochan_reader__text_or(&r, 8, "");
        row->update_id = lochan_reader__text(&r, 9);
        row->message = lochan_reader__text_or(&r, 10, "");
        if (row->day_to < row->day_from)
            lochan_reader__corrupt(&r, 3, "not before day_from");
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__coverage(lochan_catalog *catalog, int64_t dataset_id,
                                       lochan_coverage_rows *out, lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_status rc = lochan_db__coverage(db, dataset_id, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_coverage_rows__deinit(out);
    return rc;
}

/* ---- tokens ---- */

lochan_status lochan_catalog__commit_by_token(lochan_catalog *catalog, const char *token,
                                              bool *done, int64_t *snapshot_id, lochan_error *err) {
    lochan_db *db;
    lochan_arena arena;
    *done = false;
    *snapshot_id = -1;
    LOCHAN_CHECK_ARG(token && *token, err);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_arena__init(&arena, 4096);
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_COMMIT_BY_TOKEN, "lochan_commit", &arena, err);
    lochan_reader__bind_text(&r, 1, token);
    if (lochan_reader__next(&r)) {
        *done = true;
        *snapshot_id = lochan_reader__int_or(&r, 0, -1);
    }
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    lochan_catalog__read_end(catalog);
    return rc;
}
