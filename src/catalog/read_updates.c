/* read_updates.c - which updates of a dataset were published, in the order of their commits.
 * Invariants: see read.h. May call: base/, internal.h.
 */
#include "catalog/internal.h"

#include <string.h>

void lochan_published_rows__deinit(lochan_published_rows *rows) {
    lochan_arena__deinit(&rows->arena);
    memset(rows, 0, sizeof *rows);
}

static lochan_status read_updates(lochan_db *db, int64_t dataset_id, lochan_published_rows *out,
                                  lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_UPDATES_PUBLISHED, "lochan_update", &out->arena, err);
    lochan_reader__bind_int(&r, 1, dataset_id);
    while (lochan_reader__next(&r)) {
        lochan_published_row *rows =
            lochan_arena__grow(&out->arena, out->rows, out->n, &cap, sizeof *rows);
        if (!rows) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->rows = rows;
        rows[out->n++] = (lochan_published_row){.update_id = lochan_reader__text(&r, 0),
                                                .finished_ns = lochan_reader__time(&r, 1)};
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__published(lochan_catalog *catalog, int64_t dataset_id,
                                        lochan_published_rows *out, lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_status rc = read_updates(db, dataset_id, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_published_rows__deinit(out);
    return rc;
}
