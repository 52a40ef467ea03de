/* change.c - datasets switched off and on, removed, sources too; what a changed spec would mean.
 * Invariant: who changes a dataset has claimed all of it, so no update of it runs. May call: base/,
 * catalog/, table/, claim.h, manage.h.
 */
#include "update/claim.h"
#include "base/log.h"
#include "update/manage.h"
#include "update/raw.h"
#include <lochan/update.h>

struct change {
    const lochan_dataset_row *row;
    const lochan_lease *lease; /* on the whole dataset */
    bool enabled;
    const lochan_table *table; /* whose files are retired; NULL = none */
    const lochan_file_list *files;
};

typedef lochan_status (*change_fn)(const struct change *change, lochan_txn *txn, lochan_error *err);

static lochan_status commit_change(lochan_lake *lake, const char *kind, change_fn fn,
                                   const struct change *change, lochan_error *err) {
    lochan_txn *txn = NULL;
    bool done = false;
    lochan_txn_options options = {.kind = kind};
    LOCHAN_TRY(lochan_txn__begin(lake->catalog, &options, &done, NULL, &txn, err));
    lochan_status rc = lochan_lease__end(change->lease, txn, err);
    if (rc == LOCHAN_OK)
        rc = fn(change, txn, err);
    if (rc != LOCHAN_OK) {
        lochan_txn__abort(txn);
        return rc;
    }
    return lochan_txn__commit(&txn, NULL, err);
}

/* ---- enable, disable ---- */

static lochan_status put_enabled(const struct change *change, lochan_txn *txn, lochan_error *err) {
    lochan_dataset_row row = *change->row;
    int64_t ignored;
    row.enabled = change->enabled;
    return lochan_txn__put_dataset(txn, &row, &ignored, err);
}

lochan_status lochan_dataset_enable(lochan_lake *lake, const char *source, const char *dataset,
                                    bool enabled, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && source && dataset, err);
    lochan_dataset_rows rows = {0};
    lochan_dataset_spec *spec = NULL;
    lochan_lease *lease = NULL;
    lochan_status rc;
    LOCHAN_TRYG(lochan_lake__check_writable(lake, err));
    LOCHAN_TRYG(lochan_manage__load_dataset(lake, source, dataset, &rows, &spec, err));
    if (rows.rows[0].enabled == enabled)
        goto done;
    LOCHAN_TRYG(lochan_claim__dataset(lake, source, dataset, &lease, err));
    struct change change = {.row = &rows.rows[0], .lease = lease, .enabled = enabled};
    rc = commit_change(lake, "dataset", put_enabled, &change, err);
done:
    lochan_lease__release(lease);
    lochan_dataset_spec__free(spec);
    lochan_dataset_rows__deinit(&rows);
    return rc;
}

/* ---- remove ---- */

static lochan_status put_removed(const struct change *change, lochan_txn *txn, lochan_error *err) {
    for (size_t i = 0; change->files && i < change->files->n; i++)
        LOCHAN_TRY(lochan_txn__retire_file(txn, change->table->def.table_id,
                                           change->files->files[i].id, err));
    return lochan_txn__delete_dataset(txn, change->row->dataset_id, err);
}

lochan_status lochan_dataset_remove(lochan_lake *lake, const char *source, const char *dataset,
                                    bool delete_data, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && source && dataset, err);
    lochan_dataset_rows rows = {0};
    lochan_dataset_spec *spec = NULL;
    lochan_lease *lease = NULL;
    lochan_table *table = NULL;
    lochan_file_list files = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_lake__check_writable(lake, err));
    LOCHAN_TRYG(lochan_manage__load_dataset(lake, source, dataset, &rows, &spec, err));
    LOCHAN_TRYG(lochan_claim__dataset(lake, source, dataset, &lease, err));
    struct change change = {.row = &rows.rows[0], .lease = lease};
    if (delete_data && rows.rows[0].table_id >= 0) {
        LOCHAN_TRYG(lochan_table__open(lake, source, dataset, -1, &table, err));
        LOCHAN_TRYG(lochan_catalog__files(lake->catalog, &table->def, NULL, 0, &files, err));
        change.table = table;
        change.files = &files;
    }
    LOCHAN_TRYG(commit_change(lake, "remove", put_removed, &change, err));
    lochan_error why;
    lochan_error_init(&why);
    if (delete_data &&
        lochan_raw__remove(lochan_lake_path(lake), source, dataset, &why) != LOCHAN_OK)
        LOCHAN_WARN("%s/%s: kept answers were not removed: %s", source, dataset, why.message);
done:
    lochan_file_list__deinit(&files);
    lochan_table__close(table);
    lochan_lease__release(lease);
    lochan_dataset_spec__free(spec);
    lochan_dataset_rows__deinit(&rows);
    return rc;
}

/* ---- sources ---- */

lochan_status lochan_source_remove(lochan_lake *lake, const char *name, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && name, err);
    lochan_source_spec *source = NULL;
    lochan_dataset_rows rows = {0};
    lochan_txn *txn = NULL;
    bool done = false;
    lochan_txn_options options = {.kind = "source"};
    lochan_status rc;
    LOCHAN_TRYG(lochan_lake__check_writable(lake, err));
    LOCHAN_TRYG(lochan_manage__load_source(lake, name, NULL, 0, &source, err));
    LOCHAN_TRYG(lochan_txn__begin(lake->catalog, &options, &done, NULL, &txn, err));
    /* under the lock, so that no dataset of it can be added meanwhile */
    rc = lochan_catalog__datasets(lake->catalog, name, NULL, &rows, err);
    if (rc == LOCHAN_OK && rows.n > 0)
        rc = lochan_error__set(err, LOCHAN_ERR_EXISTS,
                               "source %.100s has %zu datasets; remove them first", name, rows.n);
    if (rc == LOCHAN_OK)
        rc = lochan_txn__delete_source(txn, name, err);
    if (rc != LOCHAN_OK) {
        lochan_txn__abort(txn);
        goto done;
    }
    rc = lochan_txn__commit(&txn, NULL, err);
done:
    lochan_dataset_rows__deinit(&rows);
    lochan_source_spec__free(source);
    return rc;
}

/* ---- compare ---- */

lochan_status lochan_dataset_compare(lochan_lake *lake, const char *yaml, size_t size,
                                     const char *file, bool *mapping_changed, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && yaml && file && mapping_changed, err);
    lochan_dataset_spec *spec = NULL;
    lochan_dataset_rows rows = {0};
    char hash[33];
    lochan_status rc;
    *mapping_changed = false;
    LOCHAN_TRYG(lochan_dataset_spec__parse(yaml, size, file, &spec, err));
    LOCHAN_TRYG(lochan_catalog__datasets(lake->catalog, spec->source, spec->name, &rows, err));
    LOCHAN_TRYG(lochan_manage__hash_mapping(spec, hash, err));
    *mapping_changed =
        rows.n > 0 && rows.rows[0].table_id >= 0 && strcmp(rows.rows[0].mapping_hash, hash) != 0;
done:
    lochan_dataset_rows__deinit(&rows);
    lochan_dataset_spec__free(spec);
    return rc;
}
