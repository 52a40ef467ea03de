/* intrusion.c - see intrusion.h. Files that begin or end with a snapshot tell what it changed; they
 * are there as long as the snapshot before it. May call: base/, internal.h.
 */
#include "catalog/intrusion.h"

#include "base/civil.h"
#include "catalog/internal.h"

void lochan_intrusion_rows__deinit(lochan_intrusion_rows *rows) {
    lochan_arena__deinit(&rows->arena);
    memset(rows, 0, sizeof *rows);
}

/* One number that a statement gives, -1 = none. */
static lochan_status read_number(lochan_db *db, lochan_sql sql, int64_t argument,
                                 lochan_arena *arena, int64_t *out, lochan_error *err) {
    *out = -1;
    lochan_reader r = lochan_reader__start(db, sql, "lochan_update", arena, err);
    lochan_reader__bind_int(&r, 1, argument);
    if (lochan_reader__next(&r))
        *out = lochan_reader__int_or(&r, 0, -1);
    return lochan_reader__end(&r);
}

static lochan_status push(lochan_arena *arena, lochan_intrusion **rows, size_t *n, size_t *cap,
                          const lochan_intrusion *row, lochan_error *err) {
    lochan_intrusion *more = lochan_arena__grow(arena, *rows, *n, cap, sizeof *more);
    if (!more)
        return lochan_error__nomem(err);
    *rows = more;
    more[(*n)++] = *row;
    return LOCHAN_OK;
}

/* Dates and times begin with the day. */
static bool read_day(const char *text, int32_t *day) {
    return text && strlen(text) >= 10 && lochan_civil__parse_date(text, 10, day);
}

static lochan_intrusion take_file(lochan_reader *r, const lochan_intrusion *commit) {
    lochan_intrusion file = *commit;
    bool known = lochan_reader__int_or(r, 2, 1) == 0 &&
                 read_day(lochan_reader__text_or(r, 0, NULL), &file.day_from) &&
                 read_day(lochan_reader__text_or(r, 1, NULL), &file.day_to) &&
                 file.day_from <= file.day_to;
    if (!known) {
        file.day_from = INT32_MIN;
        file.day_to = INT32_MAX;
    }
    return file;
}

static lochan_status read_files(lochan_db *db, int64_t table_id, const char *column,
                                const lochan_intrusion *commit, lochan_intrusion_rows *out,
                                size_t *cap, lochan_error *err) {
    lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_INTRUSION_FILES, "ducklake_data_file",
                                           &out->arena, err);
    lochan_reader__bind_int(&r, 1, table_id);
    lochan_reader__bind_int(&r, 2, commit->snapshot_id);
    lochan_reader__bind_text(&r, 3, column ? column : "");
    while (lochan_reader__next(&r)) {
        lochan_intrusion file = take_file(&r, commit);
        if (r.rc == LOCHAN_OK)
            r.rc = push(&out->arena, &out->rows, &out->n, cap, &file, err);
    }
    return lochan_reader__end(&r);
}

/* The commits in question, of any table; day_from = 0 for those whose files are all there. */
static lochan_status read_commits(lochan_db *db, int64_t since, lochan_arena *arena,
                                  lochan_intrusion **rows, size_t *n, lochan_error *err) {
    size_t cap = 0;
    lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_INTRUSIONS, "lochan_commit", arena, err);
    lochan_reader__bind_int(&r, 1, since);
    while (lochan_reader__next(&r)) {
        const char *kind = lochan_reader__text_or(&r, 1, "");
        lochan_intrusion row = {.snapshot_id = lochan_reader__int(&r, 0), .by = "another program"};
        bool whole = lochan_reader__int_or(&r, 2, 0) != 0;
        if (strcmp(kind, "rollback") == 0)
            row.by = "a rollback";
        else if (strcmp(kind, "power cut") == 0)
            row.by = "a power cut";
        row.day_from = whole ? 0 : INT32_MIN;
        row.day_to = INT32_MAX;
        if (r.rc == LOCHAN_OK)
            r.rc = push(arena, rows, n, &cap, &row, err);
    }
    return lochan_reader__end(&r);
}

static lochan_status read_all(lochan_db *db, const lochan_dataset_row *dataset, int64_t since,
                              const char *column, lochan_intrusion_rows *out, lochan_error *err) {
    lochan_intrusion *commits = NULL;
    size_t n = 0, cap = 0;
    int64_t updated, changed_in;
    LOCHAN_TRY(read_number(db, LOCHAN_SQL_UPDATE_NEWEST_SNAPSHOT, dataset->dataset_id, &out->arena,
                           &updated, err));
    LOCHAN_TRY(read_commits(db, updated > since ? updated : since, &out->arena, &commits, &n, err));
    if (n == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(read_number(db, LOCHAN_SQL_TABLE_CHANGED_IN, dataset->table_id, &out->arena,
                           &changed_in, err));
    for (size_t i = 0; i < n; i++) {
        bool whole = commits[i].day_from == 0;
        if (whole)
            LOCHAN_TRY(read_files(db, dataset->table_id, column, &commits[i], out, &cap, err));
        else if (changed_in >= commits[i].snapshot_id)
            LOCHAN_TRY(push(&out->arena, &out->rows, &out->n, &cap, &commits[i], err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_catalog__intrusions(lochan_catalog *catalog, const lochan_dataset_row *dataset,
                                         int64_t since, const char *column,
                                         lochan_intrusion_rows *out, lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_arena__init(&out->arena, 0);
    lochan_status rc = read_all(db, dataset, since, column, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_intrusion_rows__deinit(out);
    return rc;
}
