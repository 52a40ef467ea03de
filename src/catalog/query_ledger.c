/* query_ledger.c - what updates left behind, as lists: failures, partitions, rejects.
 * Invariants: see query.h and read.h. May call: base/, arrow/, internal.h.
 */
#include "catalog/query.h"

#include "arrow/listing.h"
#include "catalog/internal.h"

typedef lochan_status (*row_fn)(lochan_listing *list, lochan_reader *r, lochan_error *err);

/* Rows of a statement whose parameters are source, dataset and a limit. */
static lochan_status read_list(lochan_db *db, lochan_sql sql, const char *table,
                               const char *const *names, int64_t limit, row_fn row,
                               lochan_listing *list, lochan_error *err) {
    lochan_arena arena;
    lochan_arena__init(&arena, 0);
    lochan_reader r = lochan_reader__start(db, sql, table, &arena, err);
    lochan_reader__bind_text(&r, 1, names[0]);
    lochan_reader__bind_text(&r, 2, names[1]);
    if (limit != INT64_MIN)
        lochan_reader__bind_int(&r, 3, limit);
    while (lochan_reader__next(&r)) {
        lochan_status rc = row(list, &r, err);
        if (r.rc == LOCHAN_OK)
            r.rc = rc;
        lochan_arena__reset(&arena);
    }
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    return rc;
}

static lochan_status make_list(lochan_catalog *catalog, lochan_sql sql, const char *table,
                               const char *const *names, int64_t limit,
                               const lochan_listing_column *columns, row_fn row,
                               struct ArrowArrayStream *out, lochan_error *err) {
    lochan_listing list = {0};
    lochan_db *db;
    lochan_status rc;
    memset(out, 0, sizeof *out);
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    LOCHAN_TRYG(lochan_catalog__read_begin(catalog, &db, err));
    rc = read_list(db, sql, table, names, limit, row, &list, err);
    lochan_catalog__read_end(catalog);
    if (rc == LOCHAN_OK)
        rc = lochan_listing__finish(&list, out, err);
done:
    lochan_listing__deinit(&list);
    return rc;
}

/* ---- failures ---- */

static lochan_status failure_row(lochan_listing *list, lochan_reader *r, lochan_error *err) {
    for (int i = 0; i < 6; i++)
        LOCHAN_TRY(lochan_listing__string(list, i, lochan_reader__text(r, i), err));
    int64_t status = lochan_reader__int(r, 6);
    if (status > 0)
        LOCHAN_TRY(lochan_listing__int64(list, 6, status, err));
    LOCHAN_TRY(lochan_listing__string(list, 7, lochan_reader__text(r, 7), err));
    LOCHAN_TRY(lochan_listing__int64(list, 8, lochan_reader__int(r, 8), err));
    LOCHAN_TRY(lochan_listing__time(list, 9, lochan_reader__time(r, 9), err));
    return lochan_listing__end_row(list, err);
}

lochan_status lochan_catalog__query_failures(lochan_catalog *catalog, const char *source,
                                             const char *dataset, int64_t limit,
                                             struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"update_id", "string"},      {"source", "string"},  {"dataset", "string"},
        {"scope", "string"},          {"page", "string"},    {"code", "string"},
        {"http_status", "int64"},     {"message", "string"}, {"attempts", "int64"},
        {"at", "timestamp[us, UTC]"}, {NULL, NULL}};
    const char *const names[] = {source, dataset};
    return make_list(catalog, LOCHAN_SQL_FAILURES, "lochan_failure", names, limit < 0 ? -1 : limit,
                     columns, failure_row, out, err);
}

/* ---- partitions ---- */

static lochan_status partition_row(lochan_listing *list, lochan_reader *r, lochan_error *err) {
    for (int i = 0; i < 3; i++)
        LOCHAN_TRY(lochan_listing__string(list, i, lochan_reader__text(r, i), err));
    for (int i = 3; i < 6; i++)
        LOCHAN_TRY(lochan_listing__int64(list, i, lochan_reader__int_or(r, i, 0), err));
    int64_t at = lochan_reader__time(r, 6);
    if (at != 0)
        LOCHAN_TRY(lochan_listing__time(list, 6, at, err));
    return lochan_listing__end_row(list, err);
}

lochan_status lochan_catalog__query_partitions(lochan_catalog *catalog, const char *source,
                                               const char *dataset, struct ArrowArrayStream *out,
                                               lochan_error *err) {
    static const lochan_listing_column columns[] = {{"source", "string"},
                                                    {"dataset", "string"},
                                                    {"partition", "string"},
                                                    {"files", "int64"},
                                                    {"rows", "int64"},
                                                    {"bytes", "int64"},
                                                    {"published_at", "timestamp[us, UTC]"},
                                                    {NULL, NULL}};
    const char *const names[] = {source, dataset};
    return make_list(catalog, LOCHAN_SQL_PARTITIONS, "lochan_file", names, INT64_MIN, columns,
                     partition_row, out, err);
}

/* ---- rejects ---- */

void lochan_reject_rows__deinit(lochan_reject_rows *rows) {
    lochan_arena__deinit(&rows->arena);
    memset(rows, 0, sizeof *rows);
}

static lochan_status read_rejects(lochan_db *db, const char *source, const char *dataset,
                                  const char *update_id, lochan_reject_rows *out,
                                  lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_REJECTS, "lochan_reject", &out->arena, err);
    lochan_reader__bind_text(&r, 1, source);
    lochan_reader__bind_text(&r, 2, dataset);
    lochan_reader__bind_text(&r, 3, update_id);
    while (lochan_reader__next(&r)) {
        lochan_reject_row *rows =
            lochan_arena__grow(&out->arena, out->rows, out->n, &cap, sizeof *rows);
        if (!rows) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->rows = rows;
        lochan_reject_row *row = &rows[out->n++];
        *row = (lochan_reject_row){.update_id = lochan_reader__text(&r, 0),
                                   .dataset_id = lochan_reader__int(&r, 1),
                                   .source = lochan_reader__text(&r, 2),
                                   .dataset = lochan_reader__text(&r, 3),
                                   .path = lochan_reader__text(&r, 4),
                                   .rows = lochan_reader__count(&r, 5),
                                   .state = lochan_reader__text(&r, 6),
                                   .changed_ns = lochan_reader__time(&r, 7)};
        if (r.rc == LOCHAN_OK && (row->path[0] == '/' || strstr(row->path, "..")))
            lochan_reader__corrupt(&r, 4, "a path below the lake");
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__rejects(lochan_catalog *catalog, const char *source,
                                      const char *dataset, const char *update_id,
                                      lochan_reject_rows *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    int64_t number;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    LOCHAN_TRYG(lochan_db__migration(db, &number, err));
    if (number >= 4) /* older lakes have no such table yet */
        LOCHAN_TRYG(read_rejects(db, source, dataset, update_id, out, err));
done:
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_reject_rows__deinit(out);
    return rc;
}
