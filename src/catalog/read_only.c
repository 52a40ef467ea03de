/* read_only.c - reading a lake whose folder cannot be written.
 * WAL mode needs a writable folder, so such a lake is read either in place as an immutable file, if
 * no WAL was left, or from a private copy of lake.db and its WAL in a temporary folder. While
 * copying, shared locks on the -shm file keep writers of other users from checkpointing and from
 * starting the WAL anew. If the files change, they are read again. Invariant: nothing in the lake's
 * folder is touched. May call: base/, internal.h.
 */
#include "catalog/internal.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Lock bytes of SQLite's WAL index: checkpointer, then the five read marks. */
#define SHM_CHECKPOINT 121ull
#define SHM_READERS    123ull
#define SHM_N_READERS  5ull

static char *with_suffix(const char *path, const char *suffix) {
    size_t n = strlen(path), m = strlen(suffix);
    char *p = lochan_mem__alloc(n + m + 1);
    if (p) {
        memcpy(p, path, n);
        memcpy(p + n, suffix, m + 1);
    }
    return p;
}

static lochan_status look(const lochan_catalog *catalog, lochan_seen *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_fs__stat(catalog->db_path, &out->db, err));
    char *wal = with_suffix(catalog->db_path, "-wal");
    if (!wal)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_fs__stat(wal, &out->wal, err);
    lochan_mem__free(wal);
    return rc == LOCHAN_ERR_NOT_FOUND ? LOCHAN_OK : rc;
}

static bool same(const lochan_stat *a, const lochan_stat *b) {
    return a->size == b->size && a->inode == b->inode && a->device == b->device &&
           a->mtime_ns == b->mtime_ns;
}

bool lochan_catalog__unwritable_changed(lochan_catalog *catalog) {
    lochan_seen now;
    return look(catalog, &now, NULL) != LOCHAN_OK || !same(&now.db, &catalog->seen.db) ||
           !same(&now.wal, &catalog->seen.wal);
}

/* ---- the private copy ---- */

static lochan_status copy_file(const char *from, const char *to, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *in = NULL, *out = NULL;
    size_t block = 1 << 20, got = 0;
    uint64_t at = 0;
    uint8_t *bytes = lochan_mem__alloc(block);
    if (!bytes)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_file__open(from, LOCHAN_FS_READ, &in, err));
    LOCHAN_TRYG(
        lochan_file__open(to, LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_EXCLUSIVE, &out, err));
    do {
        LOCHAN_TRYG(lochan_file__read_some(in, bytes, block, at, &got, err));
        LOCHAN_TRYG(lochan_file__write(out, bytes, got, at, err));
        at += got;
    } while (got == block);
done:
    LOCHAN_KEEP(lochan_file__close(in, LOCHAN_KEEP_ERR(rc, err)));
    LOCHAN_KEEP(lochan_file__close(out, LOCHAN_KEEP_ERR(rc, err)));
    lochan_mem__free(bytes);
    return rc;
}

/* Without a -shm file nobody has the lake open. */
static lochan_status hold_writers(const char *db_path, lochan_file **shm, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool got_checkpoint = false, got_readers = false;
    *shm = NULL;
    char *path = with_suffix(db_path, "-shm");
    if (!path)
        return lochan_error__nomem(err);
    rc = lochan_file__open(path, LOCHAN_FS_READ, shm, err);
    lochan_mem__free(path);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    LOCHAN_TRY(rc);
    for (int attempt = 0; attempt < 200 && !(got_checkpoint && got_readers); attempt++) {
        if (attempt > 0)
            lochan_clock__sleep_ns(5000000);
        LOCHAN_TRY(
            lochan_file__lock(*shm, LOCHAN_LOCK_SHARED, SHM_CHECKPOINT, 1, &got_checkpoint, err));
        LOCHAN_TRY(lochan_file__lock(*shm, LOCHAN_LOCK_SHARED, SHM_READERS, SHM_N_READERS,
                                     &got_readers, err));
    }
    if (!got_checkpoint || !got_readers)
        return lochan_error__set(err, LOCHAN_ERR_LOCKED, "another program keeps lake.db busy");
    return LOCHAN_OK;
}

void lochan_catalog__remove_copy(lochan_catalog *catalog) {
    if (catalog->copy_dir)
        (void)!lochan_fs__remove_tree(catalog->copy_dir, NULL);
    lochan_mem__free(catalog->copy_dir);
    catalog->copy_dir = NULL;
}

static lochan_status make_copy_dir(lochan_catalog *catalog, lochan_error *err) {
    char uuid[37], name[64];
    const char *tmp = getenv("TMPDIR");
    lochan_uuid__make(uuid);
    lochan_format(name, sizeof name, "lochan-%s", uuid);
    catalog->copy_dir = lochan_path__join(tmp && *tmp ? tmp : "/tmp", name);
    if (!catalog->copy_dir)
        return lochan_error__nomem(err);
    return lochan_fs__mkdirs(catalog->copy_dir, NULL, err);
}

static lochan_status open_copy(lochan_catalog *catalog, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *shm = NULL;
    char *db = NULL, *wal = NULL, *from_wal = with_suffix(catalog->db_path, "-wal");
    LOCHAN_TRYG(make_copy_dir(catalog, err));
    db = lochan_path__join(catalog->copy_dir, LOCHAN_DB_NAME);
    wal = db ? with_suffix(db, "-wal") : NULL;
    if (!db || !wal || !from_wal) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(hold_writers(catalog->db_path, &shm, err));
    LOCHAN_TRYG(look(catalog, &catalog->seen, err));
    LOCHAN_TRYG(copy_file(catalog->db_path, db, err));
    LOCHAN_TRYG(copy_file(from_wal, wal, err));
    LOCHAN_TRYG(lochan_db__open(db, LOCHAN_DB_READ, catalog->lock_timeout_ms, catalog->cancel,
                                &catalog->reader, err));
done:
    (void)!lochan_file__close(shm, NULL);
    lochan_mem__free(db);
    lochan_mem__free(wal);
    lochan_mem__free(from_wal);
    if (rc != LOCHAN_OK)
        lochan_catalog__remove_copy(catalog);
    return rc;
}

lochan_status lochan_catalog__open_unwritable(lochan_catalog *catalog, lochan_error *err) {
    lochan_db__close(catalog->reader);
    catalog->reader = NULL;
    lochan_catalog__remove_copy(catalog);
    LOCHAN_TRY(look(catalog, &catalog->seen, err));
    if (catalog->seen.wal.size > 0)
        return open_copy(catalog, err);
    return lochan_db__open(catalog->db_path, LOCHAN_DB_IMMUTABLE, catalog->lock_timeout_ms,
                           catalog->cancel, &catalog->reader, err);
}
