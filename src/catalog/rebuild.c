/* rebuild.c - lake.db made anew from the journal.
 * Invariants: the journal alone decides; replaying it gives the rows that lake.db had, whichever
 * version wrote them; a record that was torn off at the very end never was acknowledged, damage
 * anywhere else is an error. The new file gets an incarnation of its own, so that whoever had the
 * old one open cannot publish into it. May call: base/, internal.h.
 */
#include "catalog/internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

typedef struct replay {
    lochan_db *db;
    int64_t records;
    uint64_t seq;
    lochan_hash128 hash;
    lochan_buf newest; /* bytes of the last record: it goes into the outbox */
    const char *lake_path;
    bool torn; /* the last segment read so far ends in bytes that are no record */
} replay;

static lochan_status replay_row(void *ctx, lochan_row_kind kind, lochan_row_op op,
                                const lochan_value *values, size_t n, lochan_error *err) {
    replay *r = ctx;
    return lochan_db__change(r->db, kind, op, values, n, NULL, err);
}

static lochan_status replay_record(void *ctx, const char *path, const lochan_record_view *record,
                                   lochan_error *err) {
    replay *r = ctx;
    if (r->torn) {
        lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s: records before it are damaged", path);
        return lochan_error__in_file(err, LOCHAN_ERR_CORRUPT, path, -1);
    }
    lochan_status rc = lochan_record__each_row(record, replay_row, r, err);
    if (rc != LOCHAN_OK) {
        lochan_error__prefix(err, rc, "record %llu", (unsigned long long)record->seq);
        return lochan_error__in_file(err, rc, path, -1);
    }
    r->records++;
    r->seq = record->seq;
    r->hash = record->hash;
    lochan_buf__clear(&r->newest);
    return lochan_buf__append(&r->newest, record->body - LOCHAN_RECORD_HEAD_BYTES,
                              record->total_bytes, err);
}

/* Whether a whole record follows somewhere in the segment. What looks like the beginning of one is
 * checked as often as bytes made by chance would need; past that the answer is yes. */
static lochan_status has_record_after(const char *lake_path, const char *path, uint64_t offset,
                                      bool *has, lochan_error *err) {
    lochan_buf bytes;
    lochan_record_view record;
    lochan_buf__init(&bytes, LOCHAN_JOURNAL_SEGMENT_MAX + LOCHAN_JOURNAL_RECORD_MAX);
    char *full = lochan_path__join(lake_path, path);
    if (!full)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_fs__read_all(full, bytes.max, &bytes, err);
    *has = false;
    const uint8_t *magic = bytes.data + LOCHAN_JOURNAL_HEAD_BYTES;
    int tries = 0;
    for (size_t at = offset + 1; rc == LOCHAN_OK && !*has && at + 4 <= bytes.len; at++)
        if (memcmp(bytes.data + at, magic, 4) == 0)
            *has = ++tries > 64 || lochan_record__parse(bytes.data + at, bytes.len - at, &record);
    lochan_buf__deinit(&bytes);
    lochan_mem__free(full);
    return rc;
}

static lochan_status on_damage(void *ctx, const char *path, uint64_t offset, const char *detail,
                               lochan_error *err) {
    replay *r = ctx;
    bool followed = true;
    if (offset >= LOCHAN_JOURNAL_HEAD_BYTES && r->records > 0)
        LOCHAN_TRY(has_record_after(r->lake_path, path, offset, &followed, err));
    if (!followed) {
        r->torn = true;
        return LOCHAN_OK;
    }
    lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s: %s", path, detail);
    return lochan_error__in_file(err, LOCHAN_ERR_CORRUPT, path, (int64_t)offset);
}

static lochan_status new_incarnation(lochan_db *db, lochan_error *err) {
    char uuid[37];
    lochan_uuid__make(uuid);
    lochan_value row[] = {lochan_value__text("incarnation"), lochan_value__text(uuid)};
    return lochan_db__change(db, LOCHAN_ROW_META, LOCHAN_OP_REPLACE, row, 2, NULL, err);
}

static lochan_status replay_all(const char *path, replay *r, lochan_error *err) {
    LOCHAN_TRY(lochan_db__exec(r->db, "BEGIN", err));
    LOCHAN_TRY(lochan_catalog__create_tables(r->db, err));
    LOCHAN_TRY(lochan_journal__each(path, replay_record, on_damage, r, err));
    if (r->records == 0)
        return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "the journal of %s is empty", path);
    LOCHAN_TRY(lochan_db__put_outbox(
        r->db, r->seq, r->hash, (lochan_str){(const char *)r->newest.data, r->newest.len}, err));
    LOCHAN_TRY(new_incarnation(r->db, err));
    LOCHAN_TRY(lochan_db__exec(r->db, "COMMIT", err));
    return lochan_db__exec(r->db, "PRAGMA journal_mode=WAL", err);
}

lochan_status lochan_catalog__rebuild_from_journal(const char *path, const char *db_path,
                                                   int64_t *records, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    replay r;
    memset(&r, 0, sizeof r);
    r.lake_path = path;
    lochan_buf__init(&r.newest, LOCHAN_JOURNAL_RECORD_MAX);
    *records = 0;
    if (lochan_fs__exists(db_path))
        return lochan_error__set(err, LOCHAN_ERR_EXISTS, "%s exists already", db_path);
    LOCHAN_TRYG(lochan_db__open(db_path, LOCHAN_DB_CREATE, 0, NULL, &r.db, err));
    LOCHAN_TRYG(replay_all(path, &r, err));
    lochan_db__close(r.db);
    r.db = NULL;
    LOCHAN_TRYG(lochan_file__open(db_path, LOCHAN_FS_READ | LOCHAN_FS_WRITE, &file, err));
    LOCHAN_TRYG(lochan_file__sync(file, false, err));
    *records = r.records;
done:
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    lochan_db__close(r.db);
    lochan_buf__deinit(&r.newest);
    if (rc != LOCHAN_OK)
        (void)!lochan_fs__unlink(db_path, true, NULL);
    return rc;
}
