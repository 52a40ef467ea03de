/* bloom.c - see bloom.h. A filter is a row of blocks of 256 bits; the upper half of a hash picks
 * the block, the lower half one bit in each of its eight words. Only the blocks asked for are read.
 * May call: base/, file.h, metadata.h, schema.h, encodings.h, arrow/expr.h.
 */
#include "parquet/bloom.h"
#include "base/hash.h"

#include <math.h>

enum { BLOCK = 32, MAX_BYTES = 128 << 20, MAX_HEADER = 64 };

static const uint32_t salts[8] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                  0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};

static uint32_t block_of(uint64_t hash, uint32_t size) {
    return (uint32_t)(((hash >> 32) * (size / BLOCK)) >> 32);
}

static uint32_t bit_of(uint64_t hash, int word) {
    return 1u << (((uint32_t)hash * salts[word]) >> 27);
}

static uint32_t load_word(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

bool lochan_pq_bloom__fits(const lochan_pq_leaf *leaf) {
    return leaf->physical != LOCHAN_PQ_BOOLEAN && leaf->physical != LOCHAN_PQ_INT96 &&
           leaf->convert != LOCHAN_PQ_CONVERT_NULL;
}

/* ---- writing ---- */

static lochan_status add_hash(const void *p, size_t n, lochan_pq_vec *hashes, lochan_error *err) {
    uint64_t hash = lochan_hash__xxh64(p, n, 0);
    LOCHAN_TRY(lochan_pq_vec__reserve(hashes, sizeof hash, err));
    memcpy(hashes->data + hashes->len, &hash, sizeof hash);
    hashes->len += sizeof hash;
    return LOCHAN_OK;
}

lochan_status lochan_pq_bloom__hash_slice(lochan_pq_slice value, lochan_pq_vec *hashes,
                                          lochan_error *err) {
    return add_hash(value.p, value.n, hashes, err);
}

lochan_status lochan_pq_bloom__hash_plain(const lochan_pq_leaf *leaf, const uint8_t *values,
                                          size_t n, lochan_pq_vec *hashes, lochan_error *err) {
    for (size_t i = 0; i < n; i++) {
        uint32_t size = (uint32_t)leaf->width;
        if (leaf->physical == LOCHAN_PQ_BYTE_ARRAY) {
            memcpy(&size, values, 4);
            values += 4;
        }
        LOCHAN_TRY(add_hash(values, size, hashes, err));
        values += size;
    }
    return LOCHAN_OK;
}

static int order_hashes(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* Bytes in which n values are mistaken for others once in a hundred times: a power of two. */
static uint32_t filter_size(size_t n) {
    double bits = -8.0 * (double)n / log(1.0 - pow(0.01, 1.0 / 8.0));
    uint32_t size = BLOCK;
    while (size < MAX_BYTES && (double)size * 8 < bits)
        size *= 2;
    return size;
}

lochan_status lochan_pq_bloom__write(lochan_pq_vec *hashes, lochan_buf *out, lochan_error *err) {
    uint64_t *all = (void *)hashes->data;
    size_t n = hashes->len / sizeof *all, distinct = 0;
    if (n > 0)
        qsort(all, n, sizeof *all, order_hashes);
    for (size_t i = 0; i < n; i++)
        distinct += i == 0 || all[i] != all[i - 1];
    uint32_t size = filter_size(distinct);
    lochan_pq_bloom_header header = {.num_bytes = (int32_t)size};
    header.set =
        LOCHAN_THRIFT_BIT(1) | LOCHAN_THRIFT_BIT(2) | LOCHAN_THRIFT_BIT(3) | LOCHAN_THRIFT_BIT(4);
    header.algorithm.set = header.hash.set = header.compression.set = LOCHAN_THRIFT_BIT(1);
    LOCHAN_TRY(lochan_thrift__write(out, &lochan_pq_bloom_header__type, &header, err));
    LOCHAN_TRY(lochan_buf__reserve(out, size, err));
    uint8_t *bits = out->data + out->len;
    memset(bits, 0, size);
    for (size_t i = 0; i < n; i++) {
        uint8_t *block = bits + (size_t)block_of(all[i], size) * BLOCK;
        for (int w = 0; w < 8; w++) {
            uint32_t bit = bit_of(all[i], w);
            for (int b = 0; b < 4; b++)
                block[4 * w + b] |= (uint8_t)(bit >> 8 * b);
        }
    }
    out->len += size;
    return LOCHAN_OK;
}

/* ---- reading ---- */

lochan_status lochan_pq_bloom__find(lochan_pq_file *file, const lochan_pq_column_meta *meta,
                                    lochan_pq_bloom *out, bool *found, lochan_error *err) {
    uint8_t bytes[MAX_HEADER];
    lochan_pq_bloom_header h;
    lochan_arena none;
    lochan_error inner;
    uint64_t size = file->source.size;
    *found = false;
    if (!LOCHAN_PQ_HAS(meta, 14) || meta->bloom_filter_offset < 4 ||
        (uint64_t)meta->bloom_filter_offset >= size)
        return LOCHAN_OK;
    uint64_t at = (uint64_t)meta->bloom_filter_offset;
    size_t n = size - at < sizeof bytes ? (size_t)(size - at) : sizeof bytes;
    LOCHAN_TRY(lochan_pq_file__read(file, at, n, bytes, err));
    lochan_cursor cursor = {bytes, bytes + n};
    lochan_arena__init(&none, 1 << 12);
    lochan_error_init(&inner);
    lochan_status rc =
        lochan_thrift__read(&cursor, bytes, &lochan_pq_bloom_header__type, &none, &h, &inner);
    lochan_arena__deinit(&none);
    if (rc != LOCHAN_OK)
        return LOCHAN_OK;
    *out = (lochan_pq_bloom){at, at + (uint64_t)(cursor.pos - bytes), (uint32_t)h.num_bytes};
    *found = h.num_bytes >= BLOCK && h.num_bytes <= MAX_BYTES && h.num_bytes % BLOCK == 0 &&
             LOCHAN_PQ_HAS(&h.algorithm, 1) && LOCHAN_PQ_HAS(&h.hash, 1) &&
             LOCHAN_PQ_HAS(&h.compression, 1) && out->bits + out->size <= size;
    return LOCHAN_OK;
}

/* The value as the leaf's physical bytes. False: it is not certain which. */
static bool physical_value(const lochan_pq_leaf *leaf, const lochan_expr_value *v, uint8_t mem[8],
                           lochan_str *out) {
    bool plain =
        leaf->convert == LOCHAN_PQ_CONVERT_SAME || leaf->convert == LOCHAN_PQ_CONVERT_BYTES;
    int32_t i32 = (int32_t)v->i;
    float f32 = (float)v->f;
    *out = (lochan_str){(const char *)mem, (size_t)leaf->width};
    if (!plain && leaf->convert != LOCHAN_PQ_CONVERT_NARROW)
        return false;
    switch (leaf->physical) {
    case LOCHAN_PQ_INT32:
        memcpy(mem, &i32, 4);
        return v->kind == LOCHAN_EXPR_VALUE_INT &&
               (i32 == v->i || (leaf->type.id == LOCHAN_TYPE_UINT32 && (uint32_t)i32 == v->i));
    case LOCHAN_PQ_INT64:
        memcpy(mem, &v->i, 8);
        return v->kind == LOCHAN_EXPR_VALUE_INT;
    case LOCHAN_PQ_FLOAT: /* zero has two forms that are equal */
        memcpy(mem, &f32, 4);
        return v->kind == LOCHAN_EXPR_VALUE_FLOAT && (double)f32 == v->f && v->f != 0;
    case LOCHAN_PQ_DOUBLE:
        memcpy(mem, &v->f, 8);
        return v->kind == LOCHAN_EXPR_VALUE_FLOAT && v->f == v->f && v->f != 0;
    case LOCHAN_PQ_BYTE_ARRAY:
        *out = v->s;
        return v->kind == LOCHAN_EXPR_VALUE_TEXT;
    case LOCHAN_PQ_FIXED_BYTES:
        *out = v->s;
        return v->kind == LOCHAN_EXPR_VALUE_TEXT && v->s.n == (size_t)leaf->width;
    default:
        return false;
    }
}

static bool block_has(const uint8_t *block, uint64_t hash) {
    for (int w = 0; w < 8; w++) {
        if (!(load_word(block + 4 * w) & bit_of(hash, w)))
            return false;
    }
    return true;
}

bool lochan_pq_bloom__says(const uint8_t *bits, uint32_t size, uint64_t hash) {
    return block_has(bits + (size_t)block_of(hash, size) * BLOCK, hash);
}

bool lochan_pq_bloom__may_hold(lochan_pq_file *file, const lochan_pq_bloom *bloom,
                               const lochan_pq_leaf *leaf, const lochan_expr_value *value) {
    uint8_t mem[8], block[BLOCK];
    lochan_str bytes;
    lochan_error err;
    lochan_error_init(&err);
    if (!physical_value(leaf, value, mem, &bytes))
        return true;
    uint64_t hash = lochan_hash__xxh64(bytes.p, bytes.n, 0);
    uint64_t at = bloom->bits + (uint64_t)block_of(hash, bloom->size) * BLOCK;
    if (lochan_pq_file__read(file, at, BLOCK, block, &err) != LOCHAN_OK)
        return true;
    return block_has(block, hash);
}
