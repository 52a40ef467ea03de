/* flat.c - see flat.h. Every offset is added in 64 bits and compared with the size before it is
 * followed. May call: base/.
 */
#include "parquet/flat.h"

/* ---- reading ---- */

static bool inside(const lochan_flat *f, uint64_t at, uint64_t n) {
    return at <= f->size && n <= f->size - at;
}

static uint64_t load(const lochan_flat *f, size_t at, unsigned bytes) {
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)f->data[at + i] << (8 * i);
    return v;
}

static bool table_at(const lochan_flat *f, uint64_t at, lochan_flat_table *out) {
    if (!inside(f, at, 4))
        return false;
    int64_t vtable = (int64_t)at - (int32_t)(uint32_t)load(f, (size_t)at, 4);
    if (vtable < 0 || !inside(f, (uint64_t)vtable, 4))
        return false;
    uint64_t size = load(f, (size_t)vtable, 2);
    if (size < 4 || !inside(f, (uint64_t)vtable, size))
        return false;
    *out = (lochan_flat_table){f, (size_t)at, (size_t)vtable, (unsigned)(size - 4) / 2};
    return true;
}

/* Where a field of `bytes` lies. */
static bool field_at(const lochan_flat_table *t, unsigned field, unsigned bytes, size_t *at) {
    if (field >= t->fields)
        return false;
    uint64_t offset = load(t->flat, t->vtable + 4 + 2 * (size_t)field, 2);
    if (offset == 0 || !inside(t->flat, t->at + offset, bytes))
        return false;
    *at = t->at + (size_t)offset;
    return true;
}

/* Follows the reference of a field. */
static bool target(const lochan_flat_table *t, unsigned field, uint64_t *out) {
    size_t at;
    if (!field_at(t, field, 4, &at))
        return false;
    *out = at + load(t->flat, at, 4);
    return *out < t->flat->size;
}

bool lochan_flat__root(const lochan_flat *flat, lochan_flat_table *out) {
    return inside(flat, 0, 4) && table_at(flat, load(flat, 0, 4), out);
}

bool lochan_flat__table(const lochan_flat_table *t, unsigned field, lochan_flat_table *out) {
    uint64_t at;
    return target(t, field, &at) && table_at(t->flat, at, out);
}

bool lochan_flat__text(const lochan_flat_table *t, unsigned field, lochan_str *out) {
    uint64_t at;
    if (!target(t, field, &at) || !inside(t->flat, at, 4))
        return false;
    uint64_t n = load(t->flat, (size_t)at, 4);
    if (!inside(t->flat, at + 4, n))
        return false;
    *out = (lochan_str){(const char *)t->flat->data + at + 4, (size_t)n};
    return true;
}

bool lochan_flat__vector(const lochan_flat_table *t, unsigned field, lochan_flat_vector *out) {
    uint64_t at;
    if (!target(t, field, &at) || !inside(t->flat, at, 4))
        return false;
    uint64_t n = load(t->flat, (size_t)at, 4);
    if (!inside(t->flat, at + 4, n * 4))
        return false;
    *out = (lochan_flat_vector){t->flat, (size_t)at + 4, (uint32_t)n};
    return true;
}

bool lochan_flat__element(const lochan_flat_vector *v, uint32_t i, lochan_flat_table *out) {
    size_t at = v->at + 4 * (size_t)i;
    return i < v->n && table_at(v->flat, at + load(v->flat, at, 4), out);
}

int64_t lochan_flat__integer(const lochan_flat_table *t, unsigned field, unsigned bytes,
                             int64_t absent) {
    size_t at;
    if (!field_at(t, field, bytes, &at))
        return absent;
    uint64_t v = load(t->flat, at, bytes);
    switch (bytes) {
    case 1:
        return (int8_t)(uint8_t)v;
    case 2:
        return (int16_t)(uint16_t)v;
    case 4:
        return (int32_t)(uint32_t)v;
    default:
        return (int64_t)v;
    }
}

/* ---- writing ---- */

static lochan_status put(lochan_buf *buf, uint64_t value, unsigned bytes, lochan_error *err) {
    uint8_t raw[8];
    for (unsigned i = 0; i < bytes; i++)
        raw[i] = (uint8_t)(value >> (8 * i));
    return lochan_buf__append(buf, raw, bytes, err);
}

static lochan_status align(lochan_buf *buf, size_t to, lochan_error *err) {
    while (buf->len % to != 0)
        LOCHAN_TRY(lochan_buf__putc(buf, 0, err));
    return LOCHAN_OK;
}

/* Lets the reference at `ref` show what comes next. */
static void show_here(lochan_buf *buf, uint64_t ref) {
    uint64_t distance = buf->len - ref;
    for (unsigned i = 0; i < 4; i++)
        buf->data[ref + i] = (uint8_t)(distance >> (8 * i));
}

lochan_status lochan_flat__begin(lochan_buf *buf, uint64_t *root, lochan_error *err) {
    *root = buf->len;
    return put(buf, 0, 4, err);
}

lochan_status lochan_flat__put_table(lochan_buf *buf, uint64_t ref, lochan_flat_slot *slots,
                                     unsigned n, lochan_error *err) {
    static const unsigned widths[] = {8, 4, 2, 1}; /* so that all are aligned */
    uint16_t offsets[LOCHAN_FLAT_FIELDS] = {0}, at = 4;
    unsigned fields = 0;
    for (unsigned i = 0; i < n; i++)
        fields = slots[i].field >= fields ? slots[i].field + 1u : fields;
    for (unsigned w = 0; w < LOCHAN_COUNTOF(widths); w++) {
        for (unsigned i = 0; i < n; i++) {
            if ((slots[i].bytes ? slots[i].bytes : 4) != widths[w])
                continue;
            at = (uint16_t)((at + widths[w] - 1) / widths[w] * widths[w]);
            offsets[slots[i].field] = at;
            at = (uint16_t)(at + widths[w]);
        }
    }
    uint64_t vtable_size = 4 + 2 * (uint64_t)fields;
    while ((buf->len + vtable_size) % 8 != 0)
        LOCHAN_TRY(lochan_buf__putc(buf, 0, err));
    LOCHAN_TRY(put(buf, vtable_size, 2, err));
    LOCHAN_TRY(put(buf, at, 2, err));
    for (unsigned i = 0; i < fields; i++)
        LOCHAN_TRY(put(buf, offsets[i], 2, err));
    size_t table = buf->len;
    show_here(buf, ref);
    LOCHAN_TRY(put(buf, vtable_size, 4, err));
    LOCHAN_TRY(lochan_buf__reserve(buf, at, err));
    memset(buf->data + buf->len, 0, at - 4u);
    buf->len += at - 4u;
    for (unsigned i = 0; i < n; i++) {
        size_t place = table + offsets[slots[i].field];
        for (unsigned b = 0; b < slots[i].bytes; b++)
            buf->data[place + b] = (uint8_t)(slots[i].value >> (8 * b));
        if (slots[i].bytes == 0)
            slots[i].value = place;
    }
    return LOCHAN_OK;
}

lochan_status lochan_flat__put_text(lochan_buf *buf, uint64_t ref, lochan_str text,
                                    lochan_error *err) {
    LOCHAN_TRY(align(buf, 4, err));
    show_here(buf, ref);
    LOCHAN_TRY(put(buf, text.n, 4, err));
    if (text.n > 0)
        LOCHAN_TRY(lochan_buf__append(buf, text.p, text.n, err));
    return lochan_buf__putc(buf, 0, err);
}

lochan_status lochan_flat__put_vector(lochan_buf *buf, uint64_t ref, uint32_t n, uint64_t *first,
                                      lochan_error *err) {
    LOCHAN_TRY(align(buf, 4, err));
    show_here(buf, ref);
    LOCHAN_TRY(put(buf, n, 4, err));
    *first = buf->len;
    for (uint32_t i = 0; i < n; i++)
        LOCHAN_TRY(put(buf, 0, 4, err));
    return LOCHAN_OK;
}

/* ---- base64 ---- */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

lochan_status lochan_base64__encode(const uint8_t *p, size_t n, lochan_buf *out,
                                    lochan_error *err) {
    LOCHAN_TRY(lochan_buf__reserve(out, (n + 2) / 3 * 4, err));
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);
        char four[4] = {letters[v >> 18], letters[v >> 12 & 63],
                        left > 1 ? letters[v >> 6 & 63] : '=', left > 2 ? letters[v & 63] : '='};
        LOCHAN_TRY(lochan_buf__append(out, four, sizeof four, err));
    }
    return LOCHAN_OK;
}

static int letter_value(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool lochan_base64__decode(const char *text, size_t n, uint8_t *out, size_t *out_n) {
    *out_n = 0;
    if (n % 4 != 0)
        return false;
    for (size_t i = 0; i < n; i += 4) {
        unsigned pad =
            i + 4 < n ? 0 : (text[i + 3] == '=') + (text[i + 3] == '=' && text[i + 2] == '=');
        uint32_t v = 0;
        for (unsigned j = 0; j < 4; j++) {
            int x = j < 4 - pad ? letter_value(text[i + j]) : 0;
            if (x < 0)
                return false;
            v = v << 6 | (uint32_t)x;
        }
        for (unsigned j = 0; j < 3 - pad; j++)
            out[(*out_n)++] = (uint8_t)(v >> (16 - 8 * j));
    }
    return true;
}
