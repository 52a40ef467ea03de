/* keycode.c - order-preserving bytes of a key.
 * Invariants: see keycode.h; the format never changes. May call: base/, arrow/.
 */
#include "table/keycode.h"

static bool is_int_like(lochan_type_id id) {
    return lochan_type__is_integer(id) || (id >= LOCHAN_TYPE_DATE32 && id <= LOCHAN_TYPE_DURATION);
}

bool lochan_keycode__supports(const lochan_type *type) {
    return type->id == LOCHAN_TYPE_BOOL || is_int_like(type->id) ||
           lochan_type__is_bytes(type->id) || type->id == LOCHAN_TYPE_FLOAT32 ||
           type->id == LOCHAN_TYPE_FLOAT64 || type->id == LOCHAN_TYPE_DECIMAL128;
}

lochan_status lochan_keycode__init(lochan_keycode *k, const struct ArrowSchema *schema,
                                   const struct ArrowArray *batch, const lochan_sort_key *columns,
                                   size_t n, lochan_error *err) {
    memset(k, 0, sizeof *k);
    k->views = lochan_mem__array(n ? n : 1, sizeof *k->views);
    if (!k->views)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++) {
        int c = columns[i].column;
        LOCHAN_TRY(lochan_view__init(&k->views[i], schema->children[c], batch->children[c], err));
        k->n = i + 1;
        /* A struct's own offset is not in its children. */
        k->views[i].offset += batch->offset;
    }
    return LOCHAN_OK;
}

void lochan_keycode__deinit(lochan_keycode *k) {
    for (size_t i = 0; i < k->n; i++)
        lochan_view__deinit(&k->views[i]);
    lochan_mem__free(k->views);
    memset(k, 0, sizeof *k);
}

static lochan_status put_u64be(lochan_buf *out, uint64_t v, lochan_error *err) {
    uint8_t b[8];
    for (int i = 7; i >= 0; i--, v >>= 8)
        b[i] = (uint8_t)v;
    return lochan_buf__append(out, b, sizeof b, err);
}

static lochan_status put_double(lochan_buf *out, double v, lochan_error *err) {
    uint64_t bits;
    if (v != v)
        return put_u64be(out, UINT64_MAX, err);
    if (v == 0)
        v = 0; /* -0.0 */
    memcpy(&bits, &v, sizeof bits);
    bits = bits >> 63 ? ~bits : bits | (UINT64_C(1) << 63);
    return put_u64be(out, bits, err);
}

static lochan_status put_bytes(lochan_buf *out, lochan_str s, lochan_error *err) {
    static const uint8_t zero[2] = {0x00, 0xFF}, end[2] = {0x00, 0x00};
    while (s.n > 0) {
        const char *z = memchr(s.p, 0, s.n);
        size_t run = z ? (size_t)(z - s.p) : s.n;
        LOCHAN_TRY(lochan_buf__append(out, s.p, run, err));
        if (z) {
            LOCHAN_TRY(lochan_buf__append(out, zero, sizeof zero, err));
            run++;
        }
        s.p += run;
        s.n -= run;
    }
    return lochan_buf__append(out, end, sizeof end, err);
}

lochan_status lochan_keycode__put_bytes(lochan_buf *out, lochan_str s, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__putc(out, 1, err));
    return put_bytes(out, s, err);
}

lochan_status lochan_keycode__put_int(lochan_buf *out, const lochan_type *type, int64_t v,
                                      lochan_error *err) {
    LOCHAN_TRY(lochan_buf__putc(out, 1, err));
    if (type->id == LOCHAN_TYPE_BOOL)
        return lochan_buf__putc(out, v ? 1 : 0, err);
    bool is_unsigned = type->id == LOCHAN_TYPE_UINT64;
    return put_u64be(out, is_unsigned ? (uint64_t)v : (uint64_t)v ^ (UINT64_C(1) << 63), err);
}

static lochan_status put_value(lochan_buf *out, const lochan_view *v, int64_t row,
                               lochan_error *err) {
    if (v->type.id == LOCHAN_TYPE_BOOL)
        return lochan_buf__putc(out, lochan_view__int64(v, row) ? 1 : 0, err);
    if (lochan_type__is_bytes(v->type.id))
        return put_bytes(out, lochan_view__bytes(v, row), err);
    if (lochan_type__is_float(v->type.id))
        return put_double(out, lochan_view__double(v, row), err);
    if (v->type.id == LOCHAN_TYPE_DECIMAL128) {
        uint64_t half[2]; /* little-endian: low, high */
        memcpy(half, (const uint8_t *)v->data + (size_t)(v->offset + row) * 16, sizeof half);
        LOCHAN_TRY(put_u64be(out, half[1] ^ (UINT64_C(1) << 63), err));
        return put_u64be(out, half[0], err);
    }
    uint64_t u = (uint64_t)lochan_view__int64(v, row);
    bool is_unsigned = v->type.id == LOCHAN_TYPE_UINT64;
    return put_u64be(out, is_unsigned ? u : u ^ (UINT64_C(1) << 63), err);
}

lochan_status lochan_keycode__encode(const lochan_keycode *k, int64_t row, lochan_buf *out,
                                     lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf__clear(out);
    for (size_t i = 0; i < k->n && rc == LOCHAN_OK; i++) {
        const lochan_view *v = &k->views[i];
        bool null = lochan_view__is_null(v, row);
        rc = lochan_buf__putc(out, null ? 0 : 1, err);
        if (rc == LOCHAN_OK && !null)
            rc = put_value(out, v, row, err);
    }
    if (rc == LOCHAN_ERR_MEMORY_LIMIT || (rc == LOCHAN_OK && out->len > LOCHAN_KEYCODE_MAX)) {
        rc = lochan_error__set(err, LOCHAN_ERR_VALUE, "the key of row %lld is longer than %d bytes",
                               (long long)row, LOCHAN_KEYCODE_MAX);
        return lochan_error__in_table(err, rc, NULL, NULL, row);
    }
    return rc;
}

int lochan_keycode__compare(lochan_str a, lochan_str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n > 0 ? memcmp(a.p, b.p, n) : 0;
    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}
