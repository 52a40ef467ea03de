/* unsynced.c - after a power cut: files that were published without being synced are looked at.
 * Invariants: of each table the commits that stay are all those before the first broken one, so
 * nothing is lost in the middle; what stays is durable before lake.db says that it is; nothing is
 * removed from the disk. May call: base/, store/, catalog/, verify.h.
 */
#include "catalog/unsynced.h"

#include "base/log.h"
#include "table/verify.h"

enum { MAX_TRIES = 5 };

/* One table. */
typedef struct settling {
    lochan_lake *lake;
    lochan_table *table;
    lochan_unsynced_files files;
    lochan_file_list list; /* what the catalog says of them */
    lochan_verification v;
    int64_t broken; /* snapshot of the first broken commit, INT64_MAX = none */
} settling;

static const lochan_data_file *find_file(const settling *s, int64_t id) {
    size_t low = 0, high = s->list.n; /* by id */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->list.files[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < s->list.n && s->list.files[low].id == id ? &s->list.files[low] : NULL;
}

static lochan_status look_at_file(void *ctx, size_t index, lochan_error *err) {
    settling *s = ctx;
    const lochan_data_file *f = find_file(s, s->files.files[index].id);
    return f ? lochan_verification__file(&s->v, s->table, f, err) : LOCHAN_OK;
}

static bool is_named(const settling *s, const char *path) {
    for (size_t i = 0; i < s->v.n; i++)
        if (strcmp(s->v.findings[i].path, path) == 0)
            return true;
    return false;
}

static lochan_status look_at_files(settling *s, lochan_error *err) {
    LOCHAN_TRY(lochan_table__files(s->table, &s->list, err));
    LOCHAN_TRY(
        lochan_pool__for(s->lake->ctx.pool, s->files.n, look_at_file, s, s->lake->ctx.cancel, err));
    s->broken = INT64_MAX;
    for (size_t i = 0; s->v.n > 0 && i < s->files.n; i++)
        if (s->files.files[i].begin_snapshot < s->broken && is_named(s, s->files.files[i].path))
            s->broken = s->files.files[i].begin_snapshot;
    return LOCHAN_OK;
}

static lochan_status sync_whole(const settling *s, lochan_error *err) {
    size_t n = 0;
    const char **paths = lochan_mem__array(s->files.n + 1, sizeof *paths);
    if (!paths)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < s->files.n; i++)
        if (s->files.files[i].begin_snapshot < s->broken)
            paths[n++] = s->files.files[i].path;
    lochan_status rc = lochan_store__sync(s->lake->store, paths, n, err);
    lochan_mem__free((void *)paths);
    return rc;
}

/* *retired = files that left the catalog. *still = false: somebody else was faster. */
static lochan_status commit(const settling *s, const lochan_unsynced_table *t, bool *still,
                            int64_t *retired, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    bool already;
    lochan_txn_options options = {.kind = "power cut",
                                  .message = "commits that were not synced were looked at"};
    *retired = 0;
    *still = false;
    LOCHAN_TRYG(lochan_txn__begin(s->lake->catalog, &options, &already, NULL, &txn, err));
    LOCHAN_TRYG(lochan_txn__settle_unsynced(txn, t, still, err));
    if (!*still)
        goto done;
    for (size_t i = 0; i < s->files.n; i++) {
        if (s->files.files[i].begin_snapshot < s->broken)
            continue;
        LOCHAN_TRYG(lochan_txn__retire_file(txn, t->table_id, s->files.files[i].id, err));
        (*retired)++;
    }
    LOCHAN_FAILPOINTG("table.unsynced.listed", err);
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
done:
    lochan_txn__abort(txn);
    return rc;
}

static lochan_status open_table(settling *s, int64_t table_id, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_names names = {0};
    LOCHAN_TRY(lochan_catalog__tables(s->lake->catalog, -1, &names, err));
    for (size_t i = 0; i < names.n && !s->table && rc == LOCHAN_OK; i++)
        if (names.names[i].table_id == table_id)
            rc = lochan_table__open(s->lake, names.names[i].source, names.names[i].dataset, -1,
                                    &s->table, err);
    lochan_table_names__deinit(&names);
    return rc;
}

static lochan_status settle_table(lochan_lake *lake, const lochan_unsynced_table *t, bool *still,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_verify_options deep = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report = {0};
    int64_t retired = 0;
    deep.deep = true;
    settling s = {.lake = lake, .broken = INT64_MAX};
    s.v =
        (lochan_verification){.lake = lake, .options = &deep, .report = &report, .io_fails = true};
    lochan_arena__init(&s.v.arena, 0);
    pthread_mutex_init(&s.v.mutex, NULL);
    LOCHAN_TRYG(lochan_catalog__unsynced_files(lake->catalog, t, &s.files, err));
    LOCHAN_TRYG(open_table(&s, t->table_id, err));
    if (s.table)
        LOCHAN_TRYG(look_at_files(&s, err));
    LOCHAN_TRYG(sync_whole(&s, err));
    LOCHAN_FAILPOINTG("table.unsynced.synced", err);
    LOCHAN_TRYG(commit(&s, t, still, &retired, err));
    if (retired > 0)
        LOCHAN_WARN("%s: the machine stopped before its last files were on the disk: %lld of %zu "
                    "unsynced files were taken out, the first broken one is %s: %s",
                    s.table ? s.table->full_name : "a table", (long long)retired, s.files.n,
                    s.v.findings[0].path, s.v.findings[0].detail);
done:
    lochan_table__close(s.table);
    lochan_file_list__deinit(&s.list);
    lochan_unsynced_files__deinit(&s.files);
    pthread_mutex_destroy(&s.v.mutex);
    lochan_mem__free(s.v.findings);
    lochan_arena__deinit(&s.v.arena);
    return rc;
}

lochan_status lochan_lake__settle_unsynced(lochan_lake *lake, lochan_error *err) {
    char boot[LOCHAN_BOOT_MAX + 1];
    lochan_boot__id(boot);
    for (int tries = 0; tries < MAX_TRIES; tries++) {
        lochan_status rc = LOCHAN_OK;
        bool again = false, still = false;
        lochan_unsynced_tables tables;
        LOCHAN_TRY(lochan_catalog__unsynced(lake->catalog, &tables, err));
        for (size_t i = 0; i < tables.n && rc == LOCHAN_OK; i++) {
            if (strcmp(tables.tables[i].boot, boot) == 0)
                continue;
            rc = settle_table(lake, &tables.tables[i], &still, err);
            again = again || !still;
        }
        lochan_unsynced_tables__deinit(&tables);
        if (rc != LOCHAN_OK || !again)
            return rc;
    }
    return lochan_error__set(err, LOCHAN_ERR_CONFLICT,
                             "files that were not synced were settled by others again and again");
}
