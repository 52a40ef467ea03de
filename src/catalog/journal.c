/* journal.c - the segments of the journal on disk.
 * A segment opens with 96 bytes: magic "LOCHANJ1", u32 version 1, u32 segment number, u64 first
 * sequence number, 16 bytes hash before it, 36 bytes lake id, 4 zero bytes, 16 bytes hash of the 80
 * before. Invariants: see journal.h; a segment appears whole (temporary name, sync, rename). May
 * call: base/, journal.h.
 */
#include "catalog/journal.h"

#include "base/mem.h"

#include <string.h>

#define SEGMENT_VERSION  1
#define SEGMENT_READ_MAX (LOCHAN_JOURNAL_SEGMENT_MAX + LOCHAN_JOURNAL_RECORD_MAX)

static const char segment_magic[8] = {'L', 'O', 'C', 'H', 'A', 'N', 'J', '1'};

lochan_status lochan_journal__init(lochan_journal *journal, const char *lake_path,
                                   const char *lake_id, lochan_error *err) {
    memset(journal, 0, sizeof *journal);
    journal->dir = lochan_path__join(lake_path, LOCHAN_JOURNAL_DIR);
    journal->segment_max = LOCHAN_JOURNAL_SEGMENT_MAX;
    lochan_format(journal->lake_id, sizeof journal->lake_id, "%s", lake_id);
    return journal->dir ? LOCHAN_OK : lochan_error__nomem(err);
}

static void forget(lochan_journal *journal) {
    (void)!lochan_file__close(journal->file, NULL);
    journal->file = NULL;
    journal->known = journal->writable = false;
    journal->segment = 0;
    journal->end = journal->size = journal->seq = journal->first_seq = 0;
    journal->hash = (lochan_hash128){0, 0};
}

void lochan_journal__deinit(lochan_journal *journal) {
    forget(journal);
    lochan_mem__free(journal->dir);
    journal->dir = NULL;
}

/* ---- names and heads of segments ---- */

static char *segment_path(const char *dir, uint32_t number) {
    char name[32];
    lochan_format(name, sizeof name, "%06u.ljl", number);
    return lochan_path__join(dir, name);
}

/* 0 if it is no segment's name. */
static uint32_t segment_number(const char *name) {
    uint64_t number;
    size_t n = strlen(name);
    if (n < 10 || n > 13 || strcmp(name + n - 4, ".ljl") != 0 ||
        !lochan_parse__uint64(name, n - 4, &number) || number > UINT32_MAX)
        return 0;
    return (uint32_t)number;
}

typedef struct segment_head {
    uint32_t number;
    uint64_t first_seq;
    lochan_hash128 previous;
    char lake_id[37];
} segment_head;

static lochan_status encode_head(const segment_head *head, lochan_buf *out, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__append(out, segment_magic, sizeof segment_magic, err));
    LOCHAN_TRY(lochan_buf__u32le(out, SEGMENT_VERSION, err));
    LOCHAN_TRY(lochan_buf__u32le(out, head->number, err));
    LOCHAN_TRY(lochan_buf__u64le(out, head->first_seq, err));
    LOCHAN_TRY(lochan_buf__u64le(out, head->previous.lo, err));
    LOCHAN_TRY(lochan_buf__u64le(out, head->previous.hi, err));
    LOCHAN_TRY(lochan_buf__append(out, head->lake_id, 36, err));
    LOCHAN_TRY(lochan_buf__u32le(out, 0, err));
    lochan_hash128 hash = lochan_hash__128(out->data, out->len);
    LOCHAN_TRY(lochan_buf__u64le(out, hash.lo, err));
    return lochan_buf__u64le(out, hash.hi, err);
}

/* NULL: fine; else what is wrong. */
static const char *decode_head(const uint8_t *p, size_t n, segment_head *out) {
    lochan_cursor c = {p, p + n};
    const uint8_t *magic, *id;
    uint32_t version, zero;
    lochan_hash128 stored, hash;
    if (n < LOCHAN_JOURNAL_HEAD_BYTES)
        return "the head is cut off";
    if (!lochan_cursor__bytes(&c, 8, &magic) || memcmp(magic, segment_magic, 8) != 0)
        return "this is no journal segment";
    if (!lochan_cursor__u32le(&c, &version) || !lochan_cursor__u32le(&c, &out->number) ||
        !lochan_cursor__u64le(&c, &out->first_seq) ||
        !lochan_cursor__u64le(&c, &out->previous.lo) ||
        !lochan_cursor__u64le(&c, &out->previous.hi) || !lochan_cursor__bytes(&c, 36, &id) ||
        !lochan_cursor__u32le(&c, &zero))
        return "the head is cut off";
    hash = lochan_hash__128(p, (size_t)(c.pos - p));
    if (!lochan_cursor__u64le(&c, &stored.lo) || !lochan_cursor__u64le(&c, &stored.hi) ||
        stored.lo != hash.lo || stored.hi != hash.hi)
        return "the head's checksum is wrong";
    if (version != SEGMENT_VERSION)
        return "it was written by a newer version";
    memcpy(out->lake_id, id, 36);
    out->lake_id[36] = '\0';
    return NULL;
}

static lochan_status bad_segment(uint32_t number, const char *why, lochan_error *err) {
    char file[64];
    lochan_format(file, sizeof file, LOCHAN_JOURNAL_DIR "/%06u.ljl", number);
    lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s: %s", file, why);
    return lochan_error__in_file(err, LOCHAN_ERR_CORRUPT, file, -1);
}

/* ---- finding the end ---- */

typedef struct newest {
    uint32_t number;
} newest;

static lochan_status note_newest(void *ctx, const char *name, const lochan_stat *st,
                                 lochan_error *err) {
    (void)err;
    uint32_t number = segment_number(name);
    newest *n = ctx;
    if (!st->is_dir && number > n->number)
        n->number = number;
    return LOCHAN_OK;
}

static lochan_status find_newest(const char *dir, uint32_t *number, lochan_error *err) {
    newest n = {0};
    lochan_stat st;
    *number = 0;
    lochan_status rc = lochan_fs__stat(dir, &st, err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    LOCHAN_TRY(rc);
    LOCHAN_TRY(lochan_fs__list(dir, note_newest, &n, err));
    *number = n.number;
    return LOCHAN_OK;
}

/* Reads the record that ends at `end`, if there is a whole one; *start is where it begins. */
static bool record_before(lochan_journal *journal, uint64_t end, uint64_t *start,
                          lochan_record_view *out) {
    uint8_t tail[8];
    uint8_t *p = NULL;
    bool good = false;
    if (end < LOCHAN_JOURNAL_HEAD_BYTES + LOCHAN_RECORD_HEAD_BYTES + LOCHAN_RECORD_TAIL_BYTES ||
        lochan_file__read(journal->file, tail, 8, end - 8, NULL) != LOCHAN_OK)
        return false;
    uint32_t total = (uint32_t)tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 |
                     (uint32_t)tail[3] << 24;
    if (memcmp(tail + 4, "LJE1", 4) != 0 || total > end - LOCHAN_JOURNAL_HEAD_BYTES)
        return false;
    p = lochan_mem__alloc(total ? total : 1);
    if (p && lochan_file__read(journal->file, p, total, end - total, NULL) == LOCHAN_OK)
        good = lochan_record__parse(p, total, out) && out->total_bytes == total;
    lochan_mem__free(p);
    out->body = NULL; /* its bytes are gone */
    *start = end - total;
    return good;
}

/* From the head on, record by record. */
static lochan_status scan_segment(lochan_journal *journal, const segment_head *head,
                                  lochan_error *err) {
    lochan_record_view r;
    lochan_buf bytes; /* not a mapping: a writer may cut the file meanwhile */
    lochan_buf__init(&bytes, SEGMENT_READ_MAX);
    lochan_status rc =
        lochan_fs__read_all(lochan_file__path(journal->file), SEGMENT_READ_MAX, &bytes, err);
    journal->end = LOCHAN_JOURNAL_HEAD_BYTES;
    journal->seq = head->first_seq - 1;
    journal->hash = head->previous;
    while (rc == LOCHAN_OK && journal->end < bytes.len &&
           lochan_record__parse(bytes.data + journal->end, bytes.len - journal->end, &r) &&
           r.seq == journal->seq + 1 && r.previous.lo == journal->hash.lo &&
           r.previous.hi == journal->hash.hi) {
        journal->end += r.total_bytes;
        journal->seq = r.seq;
        journal->hash = r.hash;
    }
    lochan_buf__deinit(&bytes);
    return rc;
}

static lochan_status open_segment(lochan_journal *journal, uint32_t number, segment_head *head,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    uint8_t bytes[LOCHAN_JOURNAL_HEAD_BYTES];
    size_t got = 0;
    lochan_stat st;
    char *path = segment_path(journal->dir, number);
    if (!path)
        return lochan_error__nomem(err);
    /* reading does not need the right to write; appending opens the file again */
    LOCHAN_TRYG(lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_NOFOLLOW, &journal->file, err));
    LOCHAN_TRYG(lochan_file__stat(journal->file, &st, err));
    LOCHAN_TRYG(lochan_file__read_some(journal->file, bytes, sizeof bytes, 0, &got, err));
    const char *why = decode_head(bytes, got, head);
    if (!why && head->number != number)
        why = "it bears another segment's number";
    if (!why && head->first_seq == 0)
        why = "its first sequence number is 0";
    if (!why && strcmp(head->lake_id, journal->lake_id) != 0)
        why = "it belongs to another lake";
    if (why)
        rc = bad_segment(number, why, err);
    journal->size = st.size;
done:
    lochan_mem__free(path);
    return rc;
}

lochan_status lochan_journal__read_end(lochan_journal *journal, bool scan, lochan_error *err) {
    uint32_t number;
    segment_head head;
    lochan_record_view r;
    uint64_t start;
    forget(journal);
    LOCHAN_TRY(find_newest(journal->dir, &number, err));
    if (number == 0) {
        journal->known = true;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(open_segment(journal, number, &head, err));
    journal->segment = number;
    journal->first_seq = head.first_seq;
    if (!scan && record_before(journal, journal->size, &start, &r) && r.seq >= head.first_seq) {
        journal->end = journal->size;
        journal->seq = r.seq;
        journal->hash = r.hash;
    } else {
        LOCHAN_TRY(scan_segment(journal, &head, err));
    }
    journal->known = true;
    return LOCHAN_OK;
}

bool lochan_journal__changed(lochan_journal *journal) {
    lochan_stat st;
    if (!journal->known || !journal->file || journal->end != journal->size)
        return true;
    char *path = segment_path(journal->dir, journal->segment);
    lochan_stat opened;
    bool same = path && lochan_fs__stat(path, &st, NULL) == LOCHAN_OK &&
                lochan_file__stat(journal->file, &opened, NULL) == LOCHAN_OK &&
                st.inode == opened.inode && st.device == opened.device && st.size == journal->end;
    lochan_mem__free(path);
    return !same;
}

bool lochan_journal__check_back(lochan_journal *journal, uint64_t first) {
    uint64_t end = journal->end, seq = journal->seq, start;
    lochan_hash128 hash = journal->hash;
    while (journal->file && seq >= first && seq >= journal->first_seq && seq > 0) {
        lochan_record_view r;
        if (!record_before(journal, end, &start, &r) || r.seq != seq || r.hash.lo != hash.lo ||
            r.hash.hi != hash.hi)
            return false;
        end = start;
        hash = r.previous;
        seq--;
    }
    return true;
}

lochan_status lochan_journal__rewind(lochan_journal *journal, uint64_t first, lochan_error *err) {
    while (journal->file && journal->seq >= first && journal->end > LOCHAN_JOURNAL_HEAD_BYTES) {
        lochan_record_view r;
        uint64_t start;
        if (!record_before(journal, journal->end, &start, &r))
            return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "journal record %llu cannot be read",
                                     (unsigned long long)journal->seq);
        journal->end = start;
        journal->seq = r.seq - 1;
        journal->hash = r.previous;
    }
    return LOCHAN_OK;
}

/* ---- appending ---- */

static lochan_status new_segment(lochan_journal *journal, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf bytes;
    segment_head head = {journal->segment + 1, journal->seq + 1, journal->hash, {0}};
    memcpy(head.lake_id, journal->lake_id, sizeof head.lake_id);
    lochan_buf__init(&bytes, 256);
    char *path = segment_path(journal->dir, head.number);
    if (!path) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(encode_head(&head, &bytes, err));
    LOCHAN_TRYG(lochan_fs__write_all(path, bytes.data, bytes.len, err));
    (void)!lochan_file__close(journal->file, NULL); /* synced before */
    journal->file = NULL;
    journal->writable = false;
    LOCHAN_TRYG(lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_WRITE | LOCHAN_FS_NOFOLLOW,
                                  &journal->file, err));
    journal->writable = true;
    journal->segment = head.number;
    journal->first_seq = head.first_seq;
    journal->end = journal->size = LOCHAN_JOURNAL_HEAD_BYTES;
done:
    if (rc != LOCHAN_OK)
        journal->known = false;
    lochan_buf__deinit(&bytes);
    lochan_mem__free(path);
    return rc;
}

/* The segment under way, open for writing, without torn bytes. */
static lochan_status writable_segment(lochan_journal *journal, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    if (journal->writable && journal->size == journal->end)
        return LOCHAN_OK;
    char *path = segment_path(journal->dir, journal->segment);
    if (!path)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(
        lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_WRITE | LOCHAN_FS_NOFOLLOW, &file, err));
    (void)!lochan_file__close(journal->file, NULL); /* nothing was written through it */
    journal->file = file;
    journal->writable = true;
    if (journal->size > journal->end)
        LOCHAN_TRYG(lochan_file__truncate(file, journal->end, err));
    journal->size = journal->end;
done:
    lochan_mem__free(path);
    return rc;
}

lochan_status lochan_journal__cut(lochan_journal *journal, lochan_error *err) {
    return journal->size > journal->end ? writable_segment(journal, err) : LOCHAN_OK;
}

static lochan_status sync_full(lochan_journal *journal, lochan_error *err) {
    lochan_status rc = lochan_file__sync(journal->file, false, err);
    if (rc != LOCHAN_OK) {
        journal->suspect = true;
        journal->known = false;
    }
    return rc;
}

lochan_status lochan_journal__append(lochan_journal *journal, const void *record, size_t n,
                                     lochan_error *err) {
    lochan_record_view r;
    if (!lochan_record__parse(record, n, &r) || r.seq != journal->seq + 1 ||
        r.previous.lo != journal->hash.lo || r.previous.hi != journal->hash.hi)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "the next journal record in lake.db does not follow record %llu",
                                 (unsigned long long)journal->seq);
    if (journal->segment > 0)
        LOCHAN_TRY(writable_segment(journal, err));
    bool full = journal->end > LOCHAN_JOURNAL_HEAD_BYTES && journal->end + n > journal->segment_max;
    if (full)
        LOCHAN_TRY(sync_full(journal, err));
    if (full || journal->segment == 0)
        LOCHAN_TRY(new_segment(journal, err));
    lochan_status rc = lochan_file__write(journal->file, record, n, journal->end, err);
    if (rc != LOCHAN_OK) { /* some bytes may be there: the next writer cuts them away */
        journal->known = false;
        return rc;
    }
    journal->end += n;
    journal->size = journal->end;
    journal->seq = r.seq;
    journal->hash = r.hash;
    return LOCHAN_OK;
}

lochan_status lochan_journal__sync(lochan_journal *journal, lochan_error *err) {
    return journal->file ? lochan_file__sync(journal->file, false, err) : LOCHAN_OK;
}

/* ---- reading all of it ---- */

typedef struct reading {
    const char *lake_path;
    lochan_journal_fn fn;
    lochan_journal_problem_fn problem;
    void *ctx;
    uint64_t seq;
    lochan_hash128 hash;
    uint32_t number;
    char lake_id[37];
} reading;

static lochan_status report(const reading *r, const char *path, uint64_t offset, const char *detail,
                            lochan_error *err) {
    if (r->problem)
        return r->problem(r->ctx, path, offset, detail, err);
    lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s: %s", path, detail);
    return lochan_error__in_file(err, LOCHAN_ERR_CORRUPT, path, (int64_t)offset);
}

static lochan_status read_records(reading *r, const char *path, const uint8_t *p, size_t n,
                                  lochan_error *err) {
    segment_head head;
    const char *why = decode_head(p, n, &head);
    if (!why && r->number > 0 &&
        (head.number != r->number + 1 || strcmp(head.lake_id, r->lake_id) != 0))
        why = "it does not follow the segment before";
    if (!why && r->number > 0 &&
        (head.first_seq != r->seq + 1 || head.previous.lo != r->hash.lo ||
         head.previous.hi != r->hash.hi))
        why = "records between it and the segment before are missing";
    if (!why && r->number == 0 && (head.number != 1 || head.first_seq != 1))
        why = "the segments before it are missing";
    if (why)
        LOCHAN_TRY(report(r, path, 0, why, err));
    if (n < LOCHAN_JOURNAL_HEAD_BYTES || (why && !r->problem))
        return LOCHAN_OK;
    r->number = head.number;
    r->seq = head.first_seq - 1;
    r->hash = head.previous;
    memcpy(r->lake_id, head.lake_id, sizeof r->lake_id);
    for (size_t at = LOCHAN_JOURNAL_HEAD_BYTES; at < n;) {
        lochan_record_view record;
        if (!lochan_record__parse(p + at, n - at, &record))
            return report(r, path, at, "a record is torn or damaged", err);
        if (record.seq != r->seq + 1 || record.previous.lo != r->hash.lo ||
            record.previous.hi != r->hash.hi)
            return report(r, path, at, "a record does not follow the one before", err);
        LOCHAN_TRY(r->fn(r->ctx, path, &record, err));
        r->seq = record.seq;
        r->hash = record.hash;
        at += record.total_bytes;
    }
    return LOCHAN_OK;
}

static lochan_status read_one(void *ctx, const char *name, const lochan_stat *st,
                              lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    reading *r = ctx;
    lochan_buf bytes;
    lochan_buf__init(&bytes, SEGMENT_READ_MAX);
    if (st->is_dir || segment_number(name) == 0)
        return LOCHAN_OK;
    char *path = lochan_path__join(LOCHAN_JOURNAL_DIR, name);
    char *full = path ? lochan_path__join(r->lake_path, path) : NULL;
    if (!full) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__read_all(full, SEGMENT_READ_MAX, &bytes, err));
    LOCHAN_TRYG(read_records(r, path, bytes.data, bytes.len, err));
done:
    lochan_buf__deinit(&bytes);
    lochan_mem__free(full);
    lochan_mem__free(path);
    return rc;
}

lochan_status lochan_journal__each(const char *lake_path, lochan_journal_fn fn,
                                   lochan_journal_problem_fn problem, void *ctx,
                                   lochan_error *err) {
    reading r = {lake_path, fn, problem, ctx, 0, {0, 0}, 0, {0}};
    lochan_stat st;
    char *dir = lochan_path__join(lake_path, LOCHAN_JOURNAL_DIR);
    if (!dir)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_fs__stat(dir, &st, err);
    if (rc == LOCHAN_OK)
        rc = lochan_fs__list(dir, read_one, &r, err);
    lochan_mem__free(dir);
    return rc;
}
