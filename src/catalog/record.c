/* record.c - building and reading one record of the journal.
 * Layout: magic "LJR1", u32 body bytes, u64 sequence number, 16 bytes hash of the record before |
 * body | 16 bytes hash of all before, u32 total bytes, magic "LJE1". Body: sections of varint kind,
 * varint bytes, payload. Rows: varint table number, varint operation, varint values a row, then the
 * values of row after row. Numbers are little-endian. Invariant: bytes are data, not to be trusted:
 * nothing is read past its end. May call: base/, journal.h.
 */
#include "catalog/journal.h"

#include <string.h>

static const uint8_t head_magic[4] = {'L', 'J', 'R', '1'};
static const uint8_t tail_magic[4] = {'L', 'J', 'E', '1'};

void lochan_record__init(lochan_record *record) {
    memset(record, 0, sizeof *record);
    lochan_buf__init(&record->bytes, LOCHAN_JOURNAL_RECORD_MAX);
    lochan_buf__init(&record->section, LOCHAN_JOURNAL_RECORD_MAX);
}

void lochan_record__deinit(lochan_record *record) {
    lochan_buf__deinit(&record->bytes);
    lochan_buf__deinit(&record->section);
}

/* Moves the section under way into the record. */
static lochan_status end_section(lochan_record *record, lochan_error *err) {
    if (record->op == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_buf__varint(&record->bytes, LOCHAN_SECTION_ROWS, err));
    LOCHAN_TRY(lochan_buf__varint(&record->bytes, record->section.len, err));
    LOCHAN_TRY(lochan_buf__append(&record->bytes, record->section.data, record->section.len, err));
    lochan_buf__clear(&record->section);
    record->op = 0;
    return LOCHAN_OK;
}

static lochan_status begin_section(lochan_record *record, lochan_row_kind kind, lochan_row_op op,
                                   size_t n, lochan_error *err) {
    LOCHAN_TRY(end_section(record, err));
    LOCHAN_TRY(lochan_buf__varint(&record->section, lochan_row__table(kind)->number, err));
    LOCHAN_TRY(lochan_buf__varint(&record->section, op, err));
    LOCHAN_TRY(lochan_buf__varint(&record->section, n, err));
    record->kind = kind;
    record->op = op;
    return LOCHAN_OK;
}

lochan_status lochan_record__add(lochan_record *record, lochan_row_kind kind, lochan_row_op op,
                                 const lochan_value *values, size_t n, lochan_error *err) {
    static const uint8_t empty_head[LOCHAN_RECORD_HEAD_BYTES];
    if (record->bytes.len == 0)
        LOCHAN_TRY(lochan_buf__append(&record->bytes, empty_head, sizeof empty_head, err));
    if (record->op != op || record->kind != kind)
        LOCHAN_TRY(begin_section(record, kind, op, n, err));
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRY(lochan_value__encode(&values[i], &record->section, err));
    record->rows++;
    return LOCHAN_OK;
}

static void put_u32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void put_u64(uint8_t *p, uint64_t v) {
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

lochan_status lochan_record__seal(lochan_record *record, uint64_t seq, lochan_hash128 previous,
                                  lochan_hash128 *hash, lochan_error *err) {
    LOCHAN_TRY(end_section(record, err));
    lochan_buf *b = &record->bytes;
    if (b->len < LOCHAN_RECORD_HEAD_BYTES ||
        b->len + LOCHAN_RECORD_TAIL_BYTES > LOCHAN_JOURNAL_RECORD_MAX)
        return lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT,
                                 "a commit of %zu bytes does not fit in one record", b->len);
    memcpy(b->data, head_magic, 4);
    put_u32(b->data + 4, (uint32_t)(b->len - LOCHAN_RECORD_HEAD_BYTES));
    put_u64(b->data + 8, seq);
    put_u64(b->data + 16, previous.lo);
    put_u64(b->data + 24, previous.hi);
    *hash = lochan_hash__128(b->data, b->len);
    LOCHAN_TRY(lochan_buf__u64le(b, hash->lo, err));
    LOCHAN_TRY(lochan_buf__u64le(b, hash->hi, err));
    LOCHAN_TRY(lochan_buf__u32le(b, (uint32_t)b->len + 8, err));
    return lochan_buf__append(b, tail_magic, 4, err);
}

bool lochan_record__parse(const uint8_t *p, size_t n, lochan_record_view *out) {
    lochan_cursor c = {p, p + n};
    const uint8_t *magic;
    uint32_t body, total;
    lochan_hash128 hash;
    if (!lochan_cursor__bytes(&c, 4, &magic) || memcmp(magic, head_magic, 4) != 0 ||
        !lochan_cursor__u32le(&c, &body) || !lochan_cursor__u64le(&c, &out->seq) ||
        !lochan_cursor__u64le(&c, &out->previous.lo) ||
        !lochan_cursor__u64le(&c, &out->previous.hi) || !lochan_cursor__bytes(&c, body, &out->body))
        return false;
    hash = lochan_hash__128(p, (size_t)(c.pos - p));
    if (!lochan_cursor__u64le(&c, &out->hash.lo) || !lochan_cursor__u64le(&c, &out->hash.hi) ||
        !lochan_cursor__u32le(&c, &total) || !lochan_cursor__bytes(&c, 4, &magic))
        return false;
    out->body_bytes = body;
    out->total_bytes = (size_t)(c.pos - p);
    return hash.lo == out->hash.lo && hash.hi == out->hash.hi && total == out->total_bytes &&
           memcmp(magic, tail_magic, 4) == 0;
}

/* ---- rows of a record ---- */

static lochan_status damaged(const lochan_record_view *record, lochan_error *err) {
    return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "journal record %llu has a malformed section",
                             (unsigned long long)record->seq);
}

/* Rows written by a newer version may have more columns, those of an older one fewer. */
static lochan_status each_in_section(const lochan_record_view *record, lochan_cursor c,
                                     lochan_row_fn fn, void *ctx, lochan_error *err) {
    uint64_t number, op, n;
    lochan_row_kind kind;
    lochan_value values[LOCHAN_ROW_MAX_COLUMNS];
    if (!lochan_cursor__varint(&c, &number) || !lochan_cursor__varint(&c, &op) ||
        !lochan_cursor__varint(&c, &n) || n == 0 || n > 10000)
        return damaged(record, err);
    if (!lochan_row__kind(number, &kind) || op < LOCHAN_OP_INSERT || op > LOCHAN_OP_END)
        return LOCHAN_OK;
    size_t want = lochan_row__n_values(lochan_row__table(kind), (lochan_row_op)op);
    bool fixed = op == LOCHAN_OP_DELETE || op == LOCHAN_OP_END; /* keys never change */
    if (fixed && n != want)
        return damaged(record, err);
    while (lochan_cursor__left(&c) > 0) {
        for (size_t i = 0; i < want; i++)
            values[i] = lochan_value__null();
        for (uint64_t i = 0; i < n; i++) {
            lochan_value v;
            if (!lochan_value__decode(&c, &v))
                return damaged(record, err);
            if (i < want)
                values[i] = v;
        }
        LOCHAN_TRY(fn(ctx, kind, (lochan_row_op)op, values, want, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_record__each_row(const lochan_record_view *record, lochan_row_fn fn, void *ctx,
                                      lochan_error *err) {
    lochan_cursor c = {record->body, record->body + record->body_bytes};
    while (lochan_cursor__left(&c) > 0) {
        uint64_t kind, n;
        const uint8_t *p;
        if (!lochan_cursor__varint(&c, &kind) || !lochan_cursor__varint(&c, &n) ||
            n > lochan_cursor__left(&c) || !lochan_cursor__bytes(&c, (size_t)n, &p))
            return damaged(record, err);
        if (kind == LOCHAN_SECTION_ROWS)
            LOCHAN_TRY(each_in_section(record, (lochan_cursor){p, p + n}, fn, ctx, err));
    }
    return LOCHAN_OK;
}
