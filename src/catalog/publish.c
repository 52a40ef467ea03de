/* publish.c - the journal and its outbox in lake.db kept in step.
 * Invariants: a record is in the outbox before it is in the journal, and leaves the outbox only
 * after the journal was synced; the journal may lag behind lake.db, never lead it. All of it under
 * the queue lock. May call: internal.h.
 */
#include "catalog/internal.h"

#include "base/cancel.h"
#include "base/log.h"

#include <string.h>

/* Rows kept in the outbox before the journal is synced and they go. */
#define OUTBOX_ROWS          32
#define OUTBOX_ROWS_UNSYNCED 256 /* of commits that wait for no disk */

static bool get_hash(lochan_str blob, lochan_hash128 *out) {
    const uint8_t *p = (const uint8_t *)blob.p;
    *out = (lochan_hash128){0, 0};
    if (blob.n != 16)
        return false;
    for (int i = 7; i >= 0; i--) {
        out->lo = out->lo << 8 | p[i];
        out->hi = out->hi << 8 | p[8 + i];
    }
    return true;
}

lochan_status lochan_journal__newest(lochan_db *db, uint64_t *seq, lochan_hash128 *hash,
                                     uint64_t *oldest, lochan_error *err) {
    lochan_arena arena;
    *seq = *oldest = 0;
    lochan_arena__init(&arena, 4096);
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_OUTBOX_NEWEST, "lochan_journal_outbox", &arena, err);
    if (lochan_reader__next(&r)) {
        *seq = (uint64_t)lochan_reader__count(&r, 0);
        if (!get_hash(lochan_reader__blob(&r, 1), hash))
            lochan_reader__corrupt(&r, 1, "a hash");
        *oldest = (uint64_t)lochan_reader__count(&r, 2);
    } else if (r.rc == LOCHAN_OK) {
        r.rc =
            lochan_error__set(err, LOCHAN_ERR_CORRUPT, "lake.db: lochan_journal_outbox is empty");
    }
    if (r.rc == LOCHAN_OK && *oldest == 0)
        lochan_reader__corrupt(&r, 2, "above zero");
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    return rc;
}

lochan_status lochan_db__put_outbox(lochan_db *db, uint64_t seq, lochan_hash128 hash,
                                    lochan_str record, lochan_error *err) {
    uint8_t bytes[16];
    sqlite3_stmt *stmt;
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(hash.lo >> (8 * i));
        bytes[8 + i] = (uint8_t)(hash.hi >> (8 * i));
    }
    lochan_value values[] = {lochan_value__int((int64_t)seq),
                             lochan_value__blob((lochan_str){(const char *)bytes, 16}),
                             lochan_value__blob(record)};
    LOCHAN_TRY(lochan_db__get(db, LOCHAN_SQL_OUTBOX_INSERT, &stmt, err));
    for (int i = 0; i < 3; i++)
        LOCHAN_TRY(lochan_db__bind(db, stmt, i + 1, &values[i], err));
    return lochan_db__run(db, stmt, NULL, err);
}

lochan_status lochan_journal__catch_up(lochan_db *db, lochan_journal *journal, lochan_error *err) {
    lochan_arena arena;
    lochan_arena__init(&arena, 0);
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_OUTBOX_FROM, "lochan_journal_outbox", &arena, err);
    lochan_reader__bind_int(&r, 1, (int64_t)journal->seq + 1);
    while (lochan_reader__next(&r)) {
        lochan_str record = lochan_reader__blob(&r, 1);
        if (r.rc == LOCHAN_OK)
            r.rc = lochan_journal__append(journal, record.p, record.n, err);
        if (r.rc == LOCHAN_OK)
            r.rc = lochan_failpoint__hit("catalog.journal.appended", err);
        lochan_arena__reset(&arena);
    }
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    return rc;
}

static lochan_status ahead(const lochan_journal *journal, uint64_t catalog_seq, lochan_error *err) {
    return lochan_error__set(
        err, LOCHAN_ERR_JOURNAL_AHEAD,
        "the journal ends with record %llu, but lake.db knows records up to %llu only",
        (unsigned long long)journal->seq, (unsigned long long)catalog_seq);
}

static lochan_status compare_ends(const lochan_journal *journal, uint64_t seq, lochan_hash128 hash,
                                  uint64_t oldest, lochan_error *err) {
    if (journal->seq > seq)
        return ahead(journal, seq, err);
    if (journal->seq == seq && (journal->hash.lo != hash.lo || journal->hash.hi != hash.hi))
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "journal and lake.db disagree about record %llu",
                                 (unsigned long long)seq);
    if (journal->seq + 1 < oldest)
        return lochan_error__set(
            err, LOCHAN_ERR_CORRUPT,
            "journal records %llu to %llu are missing or damaged and lake.db no longer holds them",
            (unsigned long long)journal->seq + 1, (unsigned long long)oldest - 1);
    return LOCHAN_OK;
}

lochan_status lochan_journal__attach(lochan_txn *txn, lochan_error *err) {
    lochan_journal *j = &txn->catalog->journal;
    lochan_hash128 hash;
    uint64_t oldest;
    LOCHAN_TRY(lochan_journal__newest(txn->db, &txn->seq, &hash, &oldest, err));
    txn->previous = hash;
    bool first = !j->known;
    if (!first && j->seq == txn->seq && j->hash.lo == hash.lo && j->hash.hi == hash.hi &&
        !lochan_journal__changed(j))
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_journal__read_end(j, false, err));
    /* a power cut may have taken bytes out of the middle of what was not synced: look once, and if
     * so, find the place */
    if (first && !lochan_journal__check_back(j, oldest))
        LOCHAN_TRY(lochan_journal__read_end(j, true, err));
    if (j->seq > txn->seq)
        LOCHAN_TRY(lochan_journal__take_over(txn, &txn->took_over, err));
    if (txn->took_over)
        LOCHAN_TRY(lochan_journal__newest(txn->db, &txn->seq, &hash, &oldest, err));
    txn->previous = hash;
    LOCHAN_TRY(compare_ends(j, txn->seq, hash, oldest, err));
    if (j->suspect)
        LOCHAN_TRY(lochan_journal__rewind(j, oldest, err));
    LOCHAN_TRY(lochan_journal__catch_up(txn->db, j, err));
    LOCHAN_TRY(lochan_journal__cut(j, err)); /* of a commit that lake.db lost too */
    j->suspect = false;
    return LOCHAN_OK;
}

lochan_status lochan_journal__prune(lochan_txn *txn, lochan_error *err) {
    sqlite3_stmt *stmt;
    lochan_hash128 hash;
    uint64_t newest, oldest;
    lochan_error sync_error;
    lochan_journal *j = &txn->catalog->journal;
    uint64_t most = txn->unsynced ? OUTBOX_ROWS_UNSYNCED : OUTBOX_ROWS;
    LOCHAN_TRY(lochan_journal__newest(txn->db, &newest, &hash, &oldest, err));
    if (newest - oldest < most || !j->known || j->seq < oldest)
        return LOCHAN_OK;
    if (lochan_journal__sync(j, &sync_error) != LOCHAN_OK) {
        /* the system may have dropped what it could not write: cut it off and write it again from
         * the outbox */
        j->suspect = true;
        j->known = false;
        LOCHAN_WARN("the journal could not be synced: %s", sync_error.message);
        return LOCHAN_OK;
    }
    LOCHAN_TRY(lochan_db__get(txn->db, LOCHAN_SQL_OUTBOX_PRUNE, &stmt, err));
    lochan_value keep = lochan_value__int((int64_t)j->seq + 1);
    LOCHAN_TRY(lochan_db__bind(txn->db, stmt, 1, &keep, err));
    return lochan_db__run(txn->db, stmt, NULL, err);
}
