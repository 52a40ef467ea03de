/* compact_publish.c - the commit of a compaction.
 * Invariants: it retires exactly the files whose rows it writes anew; a group one of whose files is
 * gone is dropped, not repeated, and so is one that another file came between (of a clustered
 * partition: into it); a row keeps the time at which it was first published. May call: base/,
 * store/, catalog/.
 */
#include "table/compact.h"

#include "base/cancel.h"

static bool is_member(const lochan_joined *j, int64_t id) {
    for (size_t i = 0; i < j->group->n; i++)
        if (j->group->files[i]->id == id)
            return true;
    return false;
}

/* Whether `f`, which is live now, lies among the keys of the group without being of it. A clustered
 * partition is one file: no other may have come. */
static bool is_in_between(const lochan_joined *j, const lochan_data_file *f, size_t n_values) {
    const lochan_data_file *first = j->group->files[0], *last = j->group->files[j->group->n - 1];
    if (is_member(j, f->id) || !lochan_files__same_partition(first, f, n_values))
        return false;
    if (j->group->cluster)
        return true;
    if (first->key_min.n == 0)
        return false;
    return f->key_min.n == 0 || f->key_max.n == 0 ||
           (lochan_keycode__compare(f->key_min, last->key_max) <= 0 &&
            lochan_keycode__compare(f->key_max, first->key_min) >= 0);
}

/* Groups whose files others changed since the plan are dropped. */
static lochan_status drop_changed(lochan_compaction *c, size_t *left, lochan_error *err) {
    lochan_file_list now = {0};
    lochan_table_def def = {0};
    lochan_status rc = LOCHAN_OK;
    *left = 0;
    LOCHAN_TRYG(lochan_catalog__table(c->lake->catalog, c->table->def.source, c->table->def.dataset,
                                      -1, &def, err));
    LOCHAN_TRYG(lochan_catalog__files(c->lake->catalog, &def, NULL, 0, &now, err));
    bool same = def.table_id == c->table->def.table_id &&
                def.partition_id == c->table->def.partition_id &&
                def.schema_begin == c->table->def.schema_begin;
    for (size_t k = 0; k < c->n_files; k++) {
        lochan_joined *j = &c->files[k];
        size_t alive = 0;
        j->dropped = !same;
        for (size_t i = 0; i < now.n && same; i++) {
            alive += is_member(j, now.files[i].id);
            j->dropped = j->dropped || is_in_between(j, &now.files[i], def.n_partition);
        }
        j->dropped = j->dropped || alive < j->group->n;
        *left += !j->dropped;
        c->report->conflicts += j->dropped;
    }
done:
    lochan_file_list__deinit(&now);
    lochan_table_def__deinit(&def);
    return rc;
}

static lochan_status list_file(lochan_compaction *c, lochan_txn *txn, const lochan_joined *j,
                               int64_t ordinal, lochan_error *err) {
    const lochan_data_file *first = j->group->files[0], *last = j->group->files[j->group->n - 1];
    lochan_file_add add = {.path = j->path,
                           .file_id = j->file_id,
                           .ordinal = ordinal,
                           .sorted = j->sorted,
                           .clustered = j->group->cluster,
                           .n_partition_values = c->table->def.n_partition};
    if (c->table->def.n_partition > 0)
        add.partition_values = (const char *const *)first->partition_values;
    if (j->sorted) {
        add.key_min = first->key_min;
        add.key_max = last->key_max;
    }
    for (size_t i = 0; i < j->group->n; i++) {
        const lochan_data_file *f = j->group->files[i];
        LOCHAN_TRY(lochan_txn__retire_file(txn, c->table->def.table_id, f->id, err));
        if (f->published_ns > add.published_ns)
            add.published_ns = f->published_ns;
    }
    return lochan_data_file__add(txn, c->table->def.table_id, &j->summary, c->stats_columns, &add,
                                 err);
}

static void count(lochan_compaction *c, const lochan_joined *j) {
    lochan_compact_report *r = c->report;
    r->groups++;
    r->groups_clustered += j->group->cluster;
    r->files_joined += (int64_t)j->group->n;
    r->rows += j->summary.rows;
    r->bytes_read += j->group->bytes;
    r->bytes_written += (int64_t)j->summary.file_size;
}

lochan_status lochan_compaction__publish(lochan_compaction *c, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    size_t left;
    lochan_txn_options options = {.kind = "compact", .commit_id = c->commit_id};
    LOCHAN_FAILPOINTG("table.compact.written", err);
    LOCHAN_TRYG(lochan_store_batch__finish(c->batch, err));
    LOCHAN_FAILPOINTG("table.compact.durable", err);
    LOCHAN_TRYG(lochan_txn__begin(c->lake->catalog, &options, NULL, NULL, &txn, err));
    LOCHAN_TRYG(drop_changed(c, &left, err)); /* under the queue lock: it stays as it is now */
    if (left == 0)
        goto done;
    for (size_t i = 0; i < c->n_files; i++)
        if (!c->files[i].dropped)
            LOCHAN_TRYG(list_file(c, txn, &c->files[i], (int64_t)i, err));
    LOCHAN_FAILPOINTG("table.compact.listed", err);
    rc = lochan_txn__commit(&txn, &c->report->snapshot_id, err);
    c->published = rc == LOCHAN_OK || lochan_catalog__fate_is_open(c->lake->catalog, c->commit_id);
    for (size_t i = 0; i < c->n_files && rc == LOCHAN_OK; i++)
        if (!c->files[i].dropped)
            count(c, &c->files[i]);
done:
    lochan_txn__abort(txn);
    return rc;
}
