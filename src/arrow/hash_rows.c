/* hash_rows.c - one 128-bit hash a row, part of the on-disk format.
 * Definition: XXH3-128 of the columns' encodings one after the other. A null is the byte 0. A value
 * is the byte 1 and bool, integers, dates, times, timestamps, durations: 8 bytes, two's complement
 * (uint64 as it is); floats of any width: 8 bytes of the float64, -0.0 as 0.0, NaN as
 * 0x7ff8000000000000; decimals: 16 or 32 bytes as stored; text and binary of any layout: length in
 * 8 bytes, then the bytes; lists and maps: number of items in 8 bytes, then each item; structs:
 * each field. All numbers are little-endian. Invariant: equal values have equal encodings and no
 * encoding is the beginning of another. Rows are encoded column by column in blocks, so that the
 * inner loops are typed. May call: base/, cells.h, kernels.h.
 */
#include "arrow/cells.h"
#include "arrow/kernels.h"
#include "arrow/spans.h"
#include "base/mem.h"

enum { BLOCK_ROWS = 512, BLOCK_BYTES = 1 << 20 };

/* Where an encoding goes: counted, into memory, or (one huge row) straight into a hasher. */
typedef struct sink {
    uint8_t *p;       /* NULL: only count */
    lochan_hasher *h; /* set: update it */
    size_t n;
} sink;

static void put(sink *s, const void *p, size_t n) {
    if (s->h)
        lochan_hasher__update(s->h, p, n);
    else if (s->p && n)
        memcpy(s->p + s->n, p, n);
    s->n += n;
}

static uint64_t le64(uint64_t v) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(v);
#else
    return v;
#endif
}

static uint64_t float_bits(double d) {
    uint64_t bits = 0x7ff8000000000000ull;
    if (!isnan(d)) {
        d = d == 0 ? 0 : d;
        memcpy(&bits, &d, 8);
    }
    return bits;
}

/* Any value of a flat column. */
static void encode_flat(const lochan_cells *c, int64_t row, sink *s) {
    int64_t slot = lochan_cells__slot(c, row);
    uint8_t tag = slot >= 0;
    uint64_t number;
    put(s, &tag, 1);
    if (!tag)
        return;
    if (lochan_type__is_bytes(c->type.id) || c->type.id == LOCHAN_TYPE_FIXED_BINARY) {
        lochan_str text = lochan_cells__bytes(c, slot);
        number = le64(text.n);
        put(s, &number, 8);
        put(s, text.p, text.n);
    } else if (c->type.id == LOCHAN_TYPE_DECIMAL128 || c->type.id == LOCHAN_TYPE_DECIMAL256) {
        size_t width = c->type.id == LOCHAN_TYPE_DECIMAL128 ? 16 : 32;
        put(s, (const uint8_t *)c->data + (size_t)slot * width, width);
    } else {
        number = lochan_type__is_float(c->type.id) ? float_bits(lochan_cells__float(c, slot))
                                                   : (uint64_t)lochan_cells__int(c, slot);
        number = le64(number);
        put(s, &number, 8);
    }
}

static lochan_status encode_nested(const struct ArrowSchema *schema, const struct ArrowArray *array,
                                   int64_t row, sink *s, lochan_error *err);

static lochan_status encode_any(const struct ArrowSchema *schema, const struct ArrowArray *array,
                                int64_t row, sink *s, lochan_error *err) {
    lochan_cells c;
    LOCHAN_TRY(lochan_cells__init(&c, schema, array, 0, err));
    if (lochan_type__is_nested(c.type.id)) {
        if (schema->dictionary)
            return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                     "column %s: a dictionary of nested values",
                                     schema->name ? schema->name : "");
        return encode_nested(schema, array, row, s, err);
    }
    encode_flat(&c, row, s);
    return LOCHAN_OK;
}

/* `row` counts from the array's own offset. */
static lochan_status encode_nested(const struct ArrowSchema *schema, const struct ArrowArray *array,
                                   int64_t row, sink *s, lochan_error *err) {
    lochan_type type;
    LOCHAN_TRY(lochan_type__parse(schema->format, &type, err));
    const uint8_t *validity = lochan_array__validity(array);
    uint8_t tag = !validity || lochan_bit__get(validity, array->offset + row);
    put(s, &tag, 1);
    if (!tag)
        return LOCHAN_OK;
    if (type.id == LOCHAN_TYPE_STRUCT) {
        for (int64_t i = 0; i < schema->n_children; i++)
            LOCHAN_TRY(
                encode_any(schema->children[i], array->children[i], array->offset + row, s, err));
        return LOCHAN_OK;
    }
    int64_t begin = (array->offset + row) * type.byte_width, end = begin + type.byte_width;
    if (type.id != LOCHAN_TYPE_FIXED_LIST) {
        bool large = type.id == LOCHAN_TYPE_LARGE_LIST;
        begin = lochan_array__offset_at(array, large, row);
        end = lochan_array__offset_at(array, large, row + 1);
    }
    uint64_t count = le64((uint64_t)(end - begin));
    put(s, &count, 8);
    for (int64_t i = begin; i < end; i++)
        LOCHAN_TRY(encode_any(schema->children[0], array->children[0], i, s, err));
    return LOCHAN_OK;
}

typedef struct hash_column {
    lochan_cells c;
    const struct ArrowSchema *schema;
    const struct ArrowArray *array;
    int64_t shift;
} hash_column;

/* Appends one row of one column. */
static lochan_status encode(const hash_column *hc, int64_t row, sink *s, lochan_error *err) {
    if (lochan_type__is_nested(hc->c.type.id))
        return encode_any(hc->schema, hc->array, hc->shift + row, s, err);
    encode_flat(&hc->c, row, s);
    return LOCHAN_OK;
}

/* Typed loops over a block: rows [begin, begin + n), at[i] is where row i goes on. */
#define BLOCK_INTS(T)                                                                              \
    for (int64_t i = 0; i < n; i++) {                                                              \
        int64_t slot = hc->c.at + begin + i;                                                       \
        bool valid = !hc->c.validity || lochan_bit__get(hc->c.validity, slot);                     \
        uint64_t number = le64((uint64_t)(int64_t)((const T *)hc->c.data)[slot]);                  \
        to[at[i]] = valid;                                                                         \
        if (valid)                                                                                 \
            memcpy(to + at[i] + 1, &number, 8);                                                    \
        at[i] += valid ? 9 : 1;                                                                    \
    }

static lochan_status encode_block(const hash_column *hc, int64_t begin, int64_t n, uint8_t *to,
                                  size_t *at, lochan_error *err) {
    int width = lochan_type__byte_width(&hc->c.type);
    bool integer = lochan_type__is_integer(hc->c.type.id) ||
                   (hc->c.type.id >= LOCHAN_TYPE_DATE32 && hc->c.type.id <= LOCHAN_TYPE_DURATION);
    if (integer && width == 4 && !hc->c.keys && hc->c.type.id != LOCHAN_TYPE_UINT32) {
        BLOCK_INTS(int32_t)
        return LOCHAN_OK;
    }
    if (integer && width == 8 && !hc->c.keys) {
        BLOCK_INTS(int64_t)
        return LOCHAN_OK;
    }
    for (int64_t i = 0; i < n; i++) {
        sink s = {.p = to, .n = at[i]};
        LOCHAN_TRY(encode(hc, begin + i, &s, err));
        at[i] = s.n;
    }
    return LOCHAN_OK;
}

/* Bytes of each row of a block; *total their sum. */
static lochan_status measure_block(const hash_column *columns, size_t n_columns, int64_t begin,
                                   int64_t n, size_t *sizes, size_t *total, lochan_error *err) {
    memset(sizes, 0, (size_t)n * sizeof(*sizes));
    for (size_t k = 0; k < n_columns; k++) {
        const lochan_cells *c = &columns[k].c;
        bool wide = c->type.id == LOCHAN_TYPE_DECIMAL128 || c->type.id == LOCHAN_TYPE_DECIMAL256 ||
                    lochan_type__is_bytes(c->type.id) || c->type.id == LOCHAN_TYPE_FIXED_BINARY ||
                    lochan_type__is_nested(c->type.id);
        for (int64_t i = 0; i < n; i++) {
            sink s = {.n = sizes[i]};
            if (wide)
                LOCHAN_TRY(encode(&columns[k], begin + i, &s, err));
            sizes[i] = wide ? s.n : sizes[i] + 9;
        }
    }
    *total = 0;
    for (int64_t i = 0; i < n; i++)
        *total += sizes[i];
    return LOCHAN_OK;
}

static lochan_status hash_block(const hash_column *columns, size_t n_columns, int64_t begin,
                                int64_t n, uint8_t *bytes, size_t *at, lochan_hash128 *out,
                                lochan_error *err) {
    size_t starts[BLOCK_ROWS];
    size_t pos = 0;
    for (int64_t i = 0; i < n; i++) {
        size_t size = at[i];
        starts[i] = at[i] = pos;
        pos += size;
    }
    for (size_t k = 0; k < n_columns; k++)
        LOCHAN_TRY(encode_block(&columns[k], begin, n, bytes, at, err));
    for (int64_t i = 0; i < n; i++)
        out[begin + i] = lochan_hash__128(bytes + starts[i], at[i] - starts[i]);
    return LOCHAN_OK;
}

/* Rows too large for the block's memory, one at a time. */
static lochan_status hash_huge(const hash_column *columns, size_t n_columns, int64_t begin,
                               int64_t n, lochan_hash128 *out, lochan_error *err) {
    for (int64_t i = begin; i < begin + n; i++) {
        lochan_status rc = LOCHAN_OK;
        sink s = {.h = lochan_hasher__create()};
        if (!s.h)
            return lochan_error__nomem(err);
        for (size_t k = 0; k < n_columns && rc == LOCHAN_OK; k++)
            rc = encode(&columns[k], i, &s, err);
        out[i] = lochan_hasher__digest(s.h);
        lochan_hasher__free(s.h);
        LOCHAN_TRY(rc);
    }
    return LOCHAN_OK;
}

static lochan_status init_columns(hash_column *hcs, const struct ArrowSchema *schema,
                                  const struct ArrowArray *in, const int *columns, size_t n_columns,
                                  lochan_error *err) {
    for (size_t k = 0; k < n_columns; k++) {
        if (columns[k] < 0 || columns[k] >= schema->n_children)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "hash: column %d of %lld",
                                     columns[k], (long long)schema->n_children);
        hash_column *hc = &hcs[k];
        hc->schema = schema->children[columns[k]];
        hc->array = in->children[columns[k]];
        hc->shift = in->offset;
        LOCHAN_TRY(lochan_cells__init(&hc->c, hc->schema, hc->array, in->offset, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_hash_rows(const struct ArrowSchema *schema, const struct ArrowArray *in,
                               const int *columns, size_t n_columns, lochan_hash128 *out,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t sizes[BLOCK_ROWS];
    hash_column *hcs = lochan_mem__array(n_columns ? n_columns : 1, sizeof(*hcs));
    uint8_t *bytes = lochan_mem__alloc(BLOCK_BYTES);
    if (!hcs || !bytes) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(init_columns(hcs, schema, in, columns, n_columns, err));
    for (int64_t begin = 0; begin < in->length; begin += BLOCK_ROWS) {
        int64_t n = in->length - begin < BLOCK_ROWS ? in->length - begin : BLOCK_ROWS;
        size_t total;
        LOCHAN_TRYG(measure_block(hcs, n_columns, begin, n, sizes, &total, err));
        if (total <= BLOCK_BYTES)
            LOCHAN_TRYG(hash_block(hcs, n_columns, begin, n, bytes, sizes, out, err));
        else
            LOCHAN_TRYG(hash_huge(hcs, n_columns, begin, n, out, err));
    }
done:
    lochan_mem__free(hcs);
    lochan_mem__free(bytes);
    return rc;
}
