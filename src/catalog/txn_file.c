/* txn_file.c - adding and retiring data files inside a transaction, and the check for conflicts.
 * Invariants: a path is listed once in the life of a lake; table statistics follow every file. May
 * call: base/, internal.h.
 */
#include "base/civil.h"
#include "catalog/internal.h"

#include "base/fs.h"

#include <string.h>

/* ---- statistics of the table ---- */

/* Files looked at to tell a column without values from one whose bounds nobody knows. */
#define EMPTY_CHECK_FILES 256

/* A column of the table is "unknown" (contains_null is null) once a file came without bounds for
 * its values, or "empty" (contains_null known, no bounds), or has bounds, which only widen. */
static void forget_bounds(lochan_txn_column *c) {
    c->changed = c->changed || !c->stored || c->contains_null >= 0;
    c->stored = true;
    c->contains_null = c->contains_nan = -1;
    c->min = c->max = NULL;
}

/* first: the table never held a row, whatever its statistics say. Once it did, bounds only widen,
 * even when all its files are retired: clients read older snapshots by the same statistics. */
static void widen(lochan_txn_column *c, const lochan_column_stats *s, bool first) {
    bool known_min = true, known_max = true;
    bool has_values = s->null_count < 0 || s->value_count > s->null_count;
    if (first) {
        c->contains_null = c->contains_nan = 0;
        c->min = c->max = NULL;
    }
    bool unknown = !first && (!c->stored || c->contains_null < 0);
    if (unknown || !c->typed || s->null_count < 0 || (has_values && (!s->min || !s->max))) {
        forget_bounds(c);
        return;
    }
    c->changed = c->changed || first || !c->stored;
    c->stored = true;
    if (has_values &&
        (!c->min || lochan_ducktype__compare(&c->type, s->min, c->min, &known_min) < 0)) {
        c->min = s->min;
        c->changed = true;
    }
    if (has_values &&
        (!c->max || lochan_ducktype__compare(&c->type, s->max, c->max, &known_max) > 0)) {
        c->max = s->max;
        c->changed = true;
    }
    if (!known_min || !known_max) {
        forget_bounds(c);
        return;
    }
    int64_t null = c->contains_null | (s->null_count > 0);
    int64_t nan =
        c->contains_nan < 0 || s->contains_nan < 0 ? -1 : c->contains_nan | s->contains_nan;
    c->changed = c->changed || null != c->contains_null || nan != c->contains_nan;
    c->contains_null = null;
    c->contains_nan = nan;
}

/* Other programs leave bounds out both when there is no value and when they know none. The column
 * is empty only if each file as young as the column, but for the new one, says that all its values
 * are null. */
static lochan_status settle_empty(lochan_txn *txn, const lochan_txn_table *t, lochan_txn_column *c,
                                  int64_t file_id, lochan_error *err) {
    bool values = true;
    if (!c->maybe_empty)
        return LOCHAN_OK;
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_COLUMN_MAY_HAVE_VALUES,
                                           "ducklake_file_column_stats", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, t->table_id);
    lochan_reader__bind_int(&r, 2, c->id);
    lochan_reader__bind_int(&r, 3, c->begin_snapshot);
    lochan_reader__bind_int(&r, 4, EMPTY_CHECK_FILES);
    lochan_reader__bind_int(&r, 5, file_id);
    if (lochan_reader__next(&r))
        values = lochan_reader__int(&r, 0) > 0 || lochan_reader__int(&r, 1) >= EMPTY_CHECK_FILES;
    LOCHAN_TRY(lochan_reader__end(&r));
    c->maybe_empty = false;
    if (values)
        forget_bounds(c);
    return LOCHAN_OK;
}

static lochan_status copy_stats(lochan_txn *txn, const lochan_column_stats *in,
                                lochan_column_stats *out, lochan_error *err) {
    *out = *in;
    out->min = in->min ? lochan_arena__strdup(&txn->arena, in->min) : NULL;
    out->max = in->max ? lochan_arena__strdup(&txn->arena, in->max) : NULL;
    return (in->min && !out->min) || (in->max && !out->max) ? lochan_error__nomem(err) : LOCHAN_OK;
}

static lochan_status add_stats(lochan_txn *txn, lochan_txn_table *t, int64_t file_id,
                               const lochan_column_stats *s, lochan_error *err) {
    lochan_txn_column *c = NULL;
    for (size_t i = 0; i < t->n_columns && !c; i++)
        if (t->columns[i].id == s->column_id)
            c = &t->columns[i];
    if (!c)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "table %s.%s has no column with id %lld", t->source, t->dataset,
                                 (long long)s->column_id);
    bool is_float = c->typed && lochan_type__is_float(c->type.id);
    lochan_value nan = is_float && s->contains_nan >= 0 ? lochan_value__int(s->contains_nan)
                                                        : lochan_value__null();
    if (!s->table_only)
        LOCHAN_TRY(lochan_txn__insert(
            txn, LOCHAN_ROW_FILE_COLUMN_STATS,
            LOCHAN_ROW(lochan_value__int(file_id), lochan_value__int(t->table_id),
                       lochan_value__int(s->column_id), lochan_value__int(s->compressed_bytes),
                       lochan_value__int(s->value_count),
                       s->null_count < 0 ? lochan_value__null() : lochan_value__int(s->null_count),
                       lochan_value__text(s->min), lochan_value__text(s->max), nan,
                       lochan_value__null()),
            err));
    lochan_column_stats own;
    LOCHAN_TRY(copy_stats(txn, s, &own, err));
    if (!is_float)
        own.contains_nan = 0;
    /* Every program knows the bounds of integers: without bounds there is no value. */
    bool certain = s->table_only && c->typed && lochan_type__is_integer(c->type.id);
    bool first = t->next_row_id == 0;
    if (!first && !certain)
        LOCHAN_TRY(settle_empty(txn, t, c, file_id, err));
    c->maybe_empty = false;
    widen(c, &own, first);
    c->seen_in = file_id;
    return LOCHAN_OK;
}

/* ---- partitions ---- */

static lochan_status partition_is_live(lochan_txn *txn, int64_t table_id, const char *partition,
                                       bool *live, lochan_error *err) {
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_PARTITION_IS_LIVE, "lochan_file",
                                           &txn->arena, err);
    lochan_reader__bind_int(&r, 1, table_id);
    lochan_reader__bind_text(&r, 2, partition);
    *live = lochan_reader__next(&r);
    return lochan_reader__end(&r);
}

/* ---- adding ---- */

/* The path as the catalog keeps it: relative to the table's folder. */
static lochan_status relative_path(const lochan_txn_table *t, const char *path, const char **out,
                                   lochan_error *err) {
    LOCHAN_TRY(lochan_path__check_relative(path, err));
    size_t n = strlen(t->folder);
    if (strncmp(path, t->folder, n) != 0)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "file %s lies outside of %s, the folder of %s.%s", path, t->folder,
                                 t->source, t->dataset);
    *out = path + n;
    return LOCHAN_OK;
}

static lochan_status check_new_path(lochan_txn *txn, const lochan_txn_table *t, const char *path,
                                    lochan_error *err) {
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_PATH_KNOWN, "ducklake_data_file",
                                           &txn->arena, err);
    lochan_reader__bind_text(&r, 1, path);
    lochan_reader__bind_int(&r, 2, t->table_id);
    if (lochan_reader__next(&r))
        r.rc = lochan_error__set(err, LOCHAN_ERR_EXISTS,
                                 "file %s%s is or was in the catalog already", t->folder, path);
    return lochan_reader__end(&r);
}

static lochan_status insert_file(lochan_txn *txn, lochan_txn_table *t, const lochan_file_add *f,
                                 int64_t id, const char *path, const char *partition,
                                 lochan_error *err) {
    lochan_value partition_id =
        t->partition_id >= 0 ? lochan_value__int(t->partition_id) : lochan_value__null();
    char published[40];
    if (f->published_ns > 0)
        lochan_civil__format_utc(f->published_ns, published);
    LOCHAN_TRY(lochan_txn__insert(
        txn, LOCHAN_ROW_DATA_FILE,
        LOCHAN_ROW(lochan_value__int(id), lochan_value__int(t->table_id),
                   lochan_value__int(lochan_txn__sid(txn)), lochan_value__null(),
                   lochan_value__null(), lochan_value__text(path), lochan_value__int(1),
                   lochan_value__text("parquet"), lochan_value__int(f->rows),
                   lochan_value__int(f->bytes), lochan_value__int(f->footer_bytes),
                   lochan_value__int(t->next_row_id), partition_id, lochan_value__null(),
                   f->mapping_id > 0 ? lochan_value__int(f->mapping_id) : lochan_value__null(),
                   lochan_value__null()),
        err));
    for (size_t i = 0; i < t->n_partition; i++)
        LOCHAN_TRY(lochan_txn__insert(
            txn, LOCHAN_ROW_FILE_PARTITION_VALUE,
            LOCHAN_ROW(lochan_value__int(id), lochan_value__int(t->table_id),
                       lochan_value__int((int64_t)i), lochan_value__text(f->partition_values[i])),
            err));
    return lochan_txn__insert(
        txn, LOCHAN_ROW_FILE,
        LOCHAN_ROW(lochan_value__int(id), lochan_value__text(f->file_id[0] ? f->file_id : NULL),
                   lochan_value__int(t->table_id), lochan_value__text(txn->commit_id),
                   lochan_value__int(f->ordinal),
                   lochan_value__text(f->published_ns > 0 ? published : txn->time),
                   lochan_value__text(partition),
                   lochan_value__int(f->clustered ? LOCHAN_FILE_CLUSTERED : f->sorted),
                   lochan_value__blob(f->key_min), lochan_value__blob(f->key_max),
                   lochan_value__text(f->unsynced_boot)),
        err);
}

static lochan_status add_file(lochan_txn *txn, int64_t table_id, const lochan_file_add *f,
                              int64_t *data_file_id, lochan_error *err) {
    lochan_txn_table *t;
    const char *path = NULL;
    bool live;
    LOCHAN_TRY(lochan_txn__load(txn, table_id, &t, err));
    LOCHAN_CHECK_ARG(f->n_partition_values == t->n_partition, err);
    LOCHAN_TRY(relative_path(t, f->path, &path, err));
    LOCHAN_TRY(check_new_path(txn, t, path, err));
    const char *partition =
        lochan_partition__text(&txn->arena, f->partition_values, t->n_partition);
    if (!partition)
        return lochan_error__nomem(err);
    LOCHAN_TRY(partition_is_live(txn, table_id, partition, &live, err));
    int64_t id = txn->next_file_id++;
    if (f->unsynced_boot && t->first_unsynced == 0)
        t->first_unsynced = id;
    LOCHAN_TRY(insert_file(txn, t, f, id, path, partition, err));
    for (size_t i = 0; i < f->n_stats; i++)
        LOCHAN_TRY(add_stats(txn, t, id, &f->stats[i], err));
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].typed && t->columns[i].seen_in != id && f->rows > 0)
            forget_bounds(&t->columns[i]);
    t->rows += f->rows;
    t->next_row_id += f->rows;
    t->bytes += f->bytes;
    t->files++;
    t->partitions += !live;
    t->inserted = true;
    txn->tables_changed = true;
    *data_file_id = id;
    return LOCHAN_OK;
}

lochan_status lochan_txn__add_file(lochan_txn *txn, int64_t table_id, const lochan_file_add *file,
                                   int64_t *data_file_id, lochan_error *err) {
    int64_t id = -1;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    LOCHAN_CHECK_ARG(file->path && file->file_id && file->rows >= 0 && file->bytes >= 0 &&
                         file->footer_bytes >= 0,
                     err);
    lochan_status rc = lochan_txn__note(txn, add_file(txn, table_id, file, &id, err));
    if (data_file_id)
        *data_file_id = id;
    return rc;
}

/* ---- retiring ---- */

static lochan_status retire_file(lochan_txn *txn, int64_t table_id, int64_t data_file_id,
                                 lochan_error *err) {
    lochan_txn_table *t;
    int64_t rows = 0, bytes = 0, ended = 0;
    bool found = false, live;
    const char *partition = "";
    LOCHAN_TRY(lochan_txn__load(txn, table_id, &t, err));
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_FILE_BY_ID, "ducklake_data_file",
                                           &txn->arena, err);
    lochan_reader__bind_int(&r, 1, data_file_id);
    if (lochan_reader__next(&r)) {
        rows = lochan_reader__count(&r, 0);
        bytes = lochan_reader__count(&r, 1);
        found = lochan_reader__int(&r, 3) == table_id;
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    if (found)
        LOCHAN_TRY(lochan_txn__end(
            txn, LOCHAN_ROW_DATA_FILE,
            LOCHAN_ROW(lochan_value__int(data_file_id), lochan_value__int(lochan_txn__sid(txn))),
            &ended, err));
    if (ended == 0)
        return lochan_error__set(err, LOCHAN_ERR_CONFLICT,
                                 "file %lld of %s.%s is not live any more", (long long)data_file_id,
                                 t->source, t->dataset);
    r = lochan_reader__start(txn->db, LOCHAN_SQL_PARTITION_OF_FILE, "lochan_file", &txn->arena,
                             err);
    lochan_reader__bind_int(&r, 1, data_file_id);
    if (lochan_reader__next(&r))
        partition = lochan_reader__text(&r, 0);
    LOCHAN_TRY(lochan_reader__end(&r));
    LOCHAN_TRY(partition_is_live(txn, table_id, partition, &live, err));
    t->rows -= rows < t->rows ? rows : t->rows;
    t->bytes -= bytes < t->bytes ? bytes : t->bytes;
    t->files -= t->files > 0;
    t->partitions -= !live && t->partitions > 0;
    t->retired = true;
    txn->tables_changed = true;
    return LOCHAN_OK;
}

lochan_status lochan_txn__retire_file(lochan_txn *txn, int64_t table_id, int64_t data_file_id,
                                      lochan_error *err) {
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__note(txn, retire_file(txn, table_id, data_file_id, err));
}

/* ---- conflicts ---- */

static lochan_status conflict(const lochan_txn *txn, const lochan_txn_table *t,
                              const char *partition, int64_t base, lochan_error *err) {
    lochan_error__set(
        err, LOCHAN_ERR_CONFLICT,
        "partition '%s' of %s.%s was changed by another commit after snapshot %lld (newest: %lld)",
        partition, t->source, t->dataset, (long long)base, (long long)txn->base);
    return LOCHAN_ERR_CONFLICT;
}

lochan_status lochan_txn__check_partitions(lochan_txn *txn, int64_t table_id, int64_t base_snapshot,
                                           const lochan_partition_ref *touched, size_t n,
                                           lochan_error *err) {
    lochan_txn_table *t;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    if (base_snapshot >= txn->base)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_txn__load(txn, table_id, &t, err));
    const char **texts = lochan_arena__array(&txn->arena, n + 1, sizeof *texts);
    if (!texts)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++) {
        texts[i] = lochan_partition__text(&txn->arena, touched[i].values, t->n_partition);
        if (!texts[i])
            return lochan_error__nomem(err);
    }
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_CHANGED_PARTITIONS, "lochan_file",
                                           &txn->arena, err);
    lochan_reader__bind_int(&r, 1, table_id);
    lochan_reader__bind_int(&r, 2, base_snapshot);
    while (lochan_reader__next(&r)) {
        const char *changed = lochan_reader__text_or(&r, 0, NULL);
        /* what another program put into no partition may hold any key */
        bool hit = n == 0 || !changed || (t->n_partition > 0 && !*changed);
        for (size_t i = 0; i < n && !hit; i++)
            hit = strcmp(changed, texts[i]) == 0;
        if (r.rc == LOCHAN_OK && hit)
            r.rc = conflict(txn, t, changed ? changed : "?", base_snapshot, err);
    }
    return lochan_reader__end(&r);
}
