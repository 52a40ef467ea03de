/* builder_value.c - appending single values.
 * Invariant: a value is stored exactly or refused with VALUE; only float targets round.
 * May call: base/, builder_own.h.
 */
#include "arrow/builder_own.h"
#include "arrow/decimal.h"
#include "arrow/half.h"
#include "base/hash.h"
#include "base/mem.h"
#include <math.h>
#include <string.h>

/* Data buffers of view types are closed at this size, so that growing one copies little. */
#define BLOCK_BYTES (16u << 20)

/* ---- text ---- */

lochan_status lochan_builder__need_block(lochan_builder *b, lochan_error *err) {
    if (b->n_blocks < b->cap_blocks)
        return LOCHAN_OK;
    size_t cap = b->cap_blocks ? b->cap_blocks * 2 : 4;
    lochan_buffer **blocks = lochan_mem__realloc(b->blocks, cap * sizeof(lochan_buffer *));
    if (!blocks)
        return lochan_error__nomem(err);
    b->blocks = blocks;
    b->cap_blocks = cap;
    return LOCHAN_OK;
}

static lochan_status put_view(lochan_builder *b, const char *p, size_t n, lochan_error *err) {
    if (n > INT32_MAX)
        return lochan_builder__fail(b, LOCHAN_ERR_VALUE, err, "a value of %zu bytes is too long",
                                    n);
    LOCHAN_TRY(room(b, err));
    int32_t head[4] = {(int32_t)n, 0, 0, 0}; /* length, first bytes, data buffer, offset */
    if (n <= 12) {
        if (n)
            memcpy(&head[1], p, n);
    } else {
        if (b->bytes && b->bytes_len + n > BLOCK_BYTES) {
            LOCHAN_TRY(lochan_builder__need_block(b, err));
            b->bytes->size = b->bytes_len;
            b->blocks[b->n_blocks++] = b->bytes;
            b->bytes = NULL;
            b->bytes_len = 0;
        }
        LOCHAN_TRY(lochan_builder__grow_bytes(b, n, err));
        memcpy(&head[1], p, 4);
        head[2] = (int32_t)b->n_blocks;
        head[3] = (int32_t)b->bytes_len;
        memcpy(b->bytes->data + b->bytes_len, p, n);
        b->bytes_len += n;
    }
    memcpy(b->data->data + 16 * b->length, head, 16);
    end_valid(b);
    return LOCHAN_OK;
}

static lochan_status put_text(lochan_builder *b, const char *p, size_t n, lochan_error *err) {
    if (is_view_type(b->type.id))
        return put_view(b, p, n, err);
    bool narrow = is_offset32(b->type.id);
    if (narrow && n > INT32_MAX - b->bytes_len)
        return lochan_builder__fail(b, LOCHAN_ERR_VALUE, err,
                                    "more than 2 GiB of text; use a large_ type or fewer rows");
    LOCHAN_TRY(room(b, err));
    if (!b->bytes || n > b->bytes->size - b->bytes_len)
        LOCHAN_TRY(lochan_builder__grow_bytes(b, n, err));
    if (n)
        memcpy(b->bytes->data + b->bytes_len, p, n);
    b->bytes_len += n;
    if (narrow)
        offsets32(b)[b->length + 1] = (int32_t)b->bytes_len;
    else
        offsets64(b)[b->length + 1] = (int64_t)b->bytes_len;
    end_valid(b);
    return LOCHAN_OK;
}

/* ---- dictionaries ---- */

/* The stored bytes of a row of the dictionary. */
static lochan_str stored(const lochan_builder *d, int64_t row) {
    if (d->type.id == LOCHAN_TYPE_BOOL)
        return (lochan_str){lochan_bit__get(d->data->data, row) ? "\1" : "\0", 1};
    const char *data = d->data ? (const char *)d->data->data : NULL;
    const char *bytes = d->bytes ? (const char *)d->bytes->data : "";
    if (is_view_type(d->type.id)) {
        int32_t head[4];
        memcpy(head, data + 16 * row, sizeof head);
        if (head[0] <= 12)
            return (lochan_str){data + 16 * row + 4, (size_t)head[0]};
        if ((size_t)head[2] < d->n_blocks)
            bytes = (const char *)d->blocks[head[2]]->data;
        return (lochan_str){bytes + head[3], (size_t)head[0]};
    }
    if (!d->offsets)
        return (lochan_str){data + (size_t)row * d->width, d->width};
    if (is_offset32(d->type.id)) {
        const int32_t *o = (const int32_t *)(const void *)d->offsets->data + row;
        return (lochan_str){bytes + o[0], (size_t)(o[1] - o[0])};
    }
    const int64_t *o = (const int64_t *)(const void *)d->offsets->data + row;
    return (lochan_str){bytes + o[0], (size_t)(o[1] - o[0])};
}

/* The slot that holds the value, or the free slot where it belongs. */
static uint32_t *find_slot(const lochan_builder *b, lochan_str value) {
    size_t mask = b->table_size - 1;
    size_t i = (size_t)lochan_hash__64(value.p, value.n, 0) & mask;
    while (b->table[i] && !lochan_str__eq(stored(b->dictionary, b->table[i] - 1), value))
        i = (i + 1) & mask;
    return &b->table[i];
}

/* Keeps the table at most half full. */
static lochan_status grow_table(lochan_builder *b, lochan_error *err) {
    size_t had = b->table_size;
    if ((size_t)b->dictionary->length * 2 < had)
        return LOCHAN_OK;
    uint32_t *fresh = lochan_mem__array(had ? had * 2 : 64, sizeof *fresh);
    if (!fresh)
        return lochan_error__nomem(err);
    lochan_mem__free(b->table);
    b->table = fresh;
    b->table_size = had ? had * 2 : 64;
    for (int64_t row = 0; row < b->dictionary->length; row++)
        *find_slot(b, stored(b->dictionary, row)) = (uint32_t)row + 1;
    return LOCHAN_OK;
}

static int64_t last_key(lochan_type_id id) {
    switch (id) {
    case LOCHAN_TYPE_INT8:
        return INT8_MAX;
    case LOCHAN_TYPE_UINT8:
        return UINT8_MAX;
    case LOCHAN_TYPE_INT16:
        return INT16_MAX;
    case LOCHAN_TYPE_UINT16:
        return UINT16_MAX;
    default:
        return INT32_MAX - 1;
    }
}

static lochan_status put_key(lochan_builder *b, const void *p, size_t n, lochan_error *err) {
    lochan_str value = {p ? p : "", n};
    LOCHAN_TRY(room(b, err));
    LOCHAN_TRY(grow_table(b, err));
    uint32_t *slot = find_slot(b, value);
    if (*slot == 0) {
        if (b->dictionary->length > last_key(b->type.id))
            return lochan_builder__fail(
                b, LOCHAN_ERR_VALUE, err,
                "more distinct values than the dictionary's keys can count");
        LOCHAN_TRY(lochan_builder__put(b->dictionary, value.p, n, err));
        *slot = (uint32_t)b->dictionary->length;
    }
    int64_t key = (int64_t)*slot - 1;
    memcpy(b->data->data + b->width * (size_t)b->length, &key, b->width); /* little-endian */
    end_valid(b);
    return LOCHAN_OK;
}

/* ---- the one way in for stored values ---- */

static bool is_fixed(const lochan_type *type) {
    return lochan_type__bit_width(type) > 0 || type->id == LOCHAN_TYPE_FIXED_BINARY;
}

lochan_status lochan_builder__put(lochan_builder *b, const void *p, size_t n, lochan_error *err) {
    if (b->dictionary)
        return put_key(b, p, n, err);
    if (lochan_type__is_bytes(b->type.id))
        return put_text(b, p, n, err);
    LOCHAN_TRY(room(b, err));
    if (b->type.id == LOCHAN_TYPE_BOOL) {
        if (*(const uint8_t *)p)
            lochan_bit__set(b->data->data, b->length);
    } else if (b->width) {
        memcpy(b->data->data + b->width * (size_t)b->length, p, b->width);
    }
    end_valid(b);
    return LOCHAN_OK;
}

static lochan_status wrong_kind(const lochan_builder *b, const char *what, lochan_error *err) {
    char name[80];
    lochan_type__name(value_type(b), name);
    return lochan_builder__fail(b, LOCHAN_ERR_INVALID_ARGUMENT, err, "%s given to a column of %s",
                                what, name);
}

lochan_status lochan_builder__bytes_value(lochan_builder *b, const void *p, size_t n,
                                          lochan_error *err) {
    const lochan_type *type = value_type(b);
    if (type->id == LOCHAN_TYPE_FIXED_BINARY) {
        if (n != (size_t)type->byte_width)
            return lochan_builder__fail(b, LOCHAN_ERR_VALUE, err, "%zu bytes, expected %d", n,
                                        type->byte_width);
    } else if (!lochan_type__is_bytes(type->id)) {
        return wrong_kind(b, "text", err);
    }
    return lochan_builder__put(b, p, n, err);
}

lochan_status lochan_builder__fixed(lochan_builder *b, const void *p, lochan_error *err) {
    const lochan_type *type = value_type(b);
    int bits = lochan_type__bit_width(type);
    if (!is_fixed(type))
        return wrong_kind(b, "a fixed-width value", err);
    uint8_t bit = bits == 1 && *(const uint8_t *)p;
    return lochan_builder__put(b, bits == 1 ? &bit : p, bits == 1 ? 1 : (size_t)bits / 8, err);
}

/* ---- numbers ---- */

static lochan_status no_fit(const lochan_builder *b, const char *text, lochan_error *err) {
    char name[80];
    lochan_type__name(value_type(b), name);
    return lochan_builder__fail(b, LOCHAN_ERR_VALUE, err, "%s does not fit %s", text, name);
}

/* Stores the low bytes of v if it lies in the range. raw is little-endian. */
static bool store_int(int64_t v, int64_t lo, int64_t hi, size_t width, uint8_t raw[32]) {
    memcpy(raw, &v, width);
    return v >= lo && v <= hi;
}

/* Floats take an integer only if they hold it exactly. */
static bool int_to_float(lochan_type_id id, long double wide, uint8_t raw[32]) {
    double d = (double)wide;
    float f = (float)wide;
    uint16_t h = lochan_half__from_double(d);
    if (id == LOCHAN_TYPE_FLOAT64) {
        memcpy(raw, &d, sizeof d);
        return (long double)d == wide;
    }
    if (id == LOCHAN_TYPE_FLOAT32) {
        memcpy(raw, &f, sizeof f);
        return (long double)f == wide;
    }
    memcpy(raw, &h, sizeof h);
    return (long double)lochan_half__to_double(h) == wide;
}

static bool text_to_decimal(const lochan_type *type, const char *text, uint8_t raw[32]) {
    int width = type->id == LOCHAN_TYPE_DECIMAL128 ? 16 : 32;
    return lochan_decimal__parse(text, strlen(text), width, type->precision, type->scale, raw);
}

static bool encode_int64(const lochan_type *type, int64_t v, uint8_t raw[32]) {
    char text[24];
    switch (type->id) {
    case LOCHAN_TYPE_BOOL:
        return store_int(v, 0, 1, 1, raw);
    case LOCHAN_TYPE_INT8:
        return store_int(v, INT8_MIN, INT8_MAX, 1, raw);
    case LOCHAN_TYPE_UINT8:
        return store_int(v, 0, UINT8_MAX, 1, raw);
    case LOCHAN_TYPE_INT16:
        return store_int(v, INT16_MIN, INT16_MAX, 2, raw);
    case LOCHAN_TYPE_UINT16:
        return store_int(v, 0, UINT16_MAX, 2, raw);
    case LOCHAN_TYPE_INT32:
    case LOCHAN_TYPE_DATE32:
    case LOCHAN_TYPE_TIME32:
        return store_int(v, INT32_MIN, INT32_MAX, 4, raw);
    case LOCHAN_TYPE_UINT32:
        return store_int(v, 0, UINT32_MAX, 4, raw);
    case LOCHAN_TYPE_UINT64:
        return store_int(v, 0, INT64_MAX, 8, raw);
    case LOCHAN_TYPE_FLOAT16:
    case LOCHAN_TYPE_FLOAT32:
    case LOCHAN_TYPE_FLOAT64:
        return int_to_float(type->id, (long double)v, raw);
    case LOCHAN_TYPE_DECIMAL128:
    case LOCHAN_TYPE_DECIMAL256:
        lochan_format(text, sizeof text, "%lld", (long long)v);
        return text_to_decimal(type, text, raw);
    default:
        return store_int(v, INT64_MIN, INT64_MAX, 8, raw);
    }
}

static bool takes_numbers(const lochan_type *type) {
    return is_fixed(type) && type->id != LOCHAN_TYPE_FIXED_BINARY;
}

static lochan_status put_encoded(lochan_builder *b, const uint8_t raw[32], lochan_error *err) {
    int bits = lochan_type__bit_width(value_type(b));
    return lochan_builder__put(b, raw, bits == 1 ? 1 : (size_t)bits / 8, err);
}

/* Columns that store every int64 as it is. */
static bool is_plain_int64(const lochan_builder *b) {
    lochan_type_id id = b->type.id;
    return !b->dictionary &&
           (id == LOCHAN_TYPE_INT64 || id == LOCHAN_TYPE_TIMESTAMP || id == LOCHAN_TYPE_DATE64 ||
            id == LOCHAN_TYPE_TIME64 || id == LOCHAN_TYPE_DURATION);
}

lochan_status lochan_builder__int64(lochan_builder *b, int64_t v, lochan_error *err) {
    uint8_t raw[32];
    char text[24];
    if (is_plain_int64(b)) { /* the common case */
        LOCHAN_TRY(room(b, err));
        ((int64_t *)(void *)b->data->data)[b->length] = v;
        end_valid(b);
        return LOCHAN_OK;
    }
    const lochan_type *type = value_type(b);
    if (!takes_numbers(type))
        return wrong_kind(b, "a number", err);
    if (encode_int64(type, v, raw))
        return put_encoded(b, raw, err);
    lochan_format(text, sizeof text, "%lld", (long long)v);
    return no_fit(b, text, err);
}

lochan_status lochan_builder__uint64(lochan_builder *b, uint64_t v, lochan_error *err) {
    uint8_t raw[32];
    char text[24];
    const lochan_type *type = value_type(b);
    bool ok = false;
    if (v <= INT64_MAX)
        return lochan_builder__int64(b, (int64_t)v, err);
    if (!takes_numbers(type))
        return wrong_kind(b, "a number", err);
    lochan_format(text, sizeof text, "%llu", (unsigned long long)v);
    memcpy(raw, &v, sizeof v);
    if (type->id == LOCHAN_TYPE_UINT64)
        ok = true;
    else if (lochan_type__is_float(type->id))
        ok = int_to_float(type->id, (long double)v, raw);
    else if (type->id == LOCHAN_TYPE_DECIMAL128 || type->id == LOCHAN_TYPE_DECIMAL256)
        ok = text_to_decimal(type, text, raw);
    return ok ? put_encoded(b, raw, err) : no_fit(b, text, err);
}

static bool encode_double(const lochan_type *type, double v, uint8_t raw[32]) {
    char text[40];
    float f = (float)v;
    uint16_t h;
    switch (type->id) {
    case LOCHAN_TYPE_FLOAT64:
        memcpy(raw, &v, sizeof v);
        return true;
    case LOCHAN_TYPE_FLOAT32:
        memcpy(raw, &f, sizeof f);
        return isfinite(f) || !isfinite(v);
    case LOCHAN_TYPE_FLOAT16:
        h = lochan_half__from_double(v);
        memcpy(raw, &h, sizeof h);
        return isfinite(lochan_half__to_double(h)) || !isfinite(v);
    case LOCHAN_TYPE_DECIMAL128:
    case LOCHAN_TYPE_DECIMAL256:
        text[lochan_format__double(v, text)] = '\0';
        return isfinite(v) && text_to_decimal(type, text, raw);
    default:
        break;
    }
    if (!isfinite(v) || v != trunc(v))
        return false;
    if (v >= -0x1p63 && v < 0x1p63)
        return encode_int64(type, (int64_t)v, raw);
    if (type->id != LOCHAN_TYPE_UINT64 || v < 0 || v >= 0x1p64)
        return false;
    uint64_t u = (uint64_t)v;
    memcpy(raw, &u, sizeof u);
    return true;
}

lochan_status lochan_builder__double(lochan_builder *b, double v, lochan_error *err) {
    uint8_t raw[32];
    char text[40];
    if (b->type.id == LOCHAN_TYPE_FLOAT64) { /* the common case */
        LOCHAN_TRY(room(b, err));
        ((double *)(void *)b->data->data)[b->length] = v;
        end_valid(b);
        return LOCHAN_OK;
    }
    const lochan_type *type = value_type(b);
    if (!takes_numbers(type))
        return wrong_kind(b, "a number", err);
    if (encode_double(type, v, raw))
        return put_encoded(b, raw, err);
    text[lochan_format__double(v, text)] = '\0';
    return no_fit(b, text, err);
}
