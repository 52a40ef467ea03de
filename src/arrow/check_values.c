/* check_values.c - the values of one foreign column.
 * Invariant: counts and validity of the column have been checked before. May call: base/,
 * decimal.h, view.h.
 */
#include "arrow/check_values.h"
#include "arrow/decimal.h"

/* A buffer of elements of `width` bytes that covers the rows: present, and aligned for direct
 * access. */
static lochan_status check_buffer(const lochan_column *c, int i, int64_t width, int align) {
    int64_t bytes;
    const void *buffer = c->array->buffers[i];
    if (__builtin_mul_overflow(c->array->offset + c->array->length + 1, width, &bytes))
        return lochan_column__fail(c, -1, "impossible length %lld", (long long)c->array->length);
    if (!buffer)
        return lochan_column__fail(c, -1, "buffer %d is missing", i);
    if ((uintptr_t)buffer % (uintptr_t)align != 0)
        return lochan_column__fail(c, -1, "buffer %d is not aligned to %d bytes", i, align);
    return LOCHAN_OK;
}

static lochan_status falling(const lochan_column *c, int64_t row) {
    return lochan_column__fail(c, row, "offsets fall or are negative");
}

lochan_status lochan_column__check_offsets(const lochan_column *c, int64_t *first, int64_t *last) {
    bool narrow = c->type.id == LOCHAN_TYPE_STRING || c->type.id == LOCHAN_TYPE_BINARY ||
                  c->type.id == LOCHAN_TYPE_LIST || c->type.id == LOCHAN_TYPE_MAP;
    LOCHAN_TRY(check_buffer(c, 1, narrow ? 4 : 8, narrow ? 4 : 8));
    int64_t at = c->array->offset + c->begin;
    int64_t n = c->end - c->begin;
    int bad = 0; /* without a branch in the loop, so that it can be vectorised */
    if (narrow) {
        const int32_t *o = (const int32_t *)c->array->buffers[1] + at;
        for (int64_t i = 0; i < n; i++)
            bad |= o[i + 1] < o[i];
        for (int64_t i = 0; bad && i < n; i++)
            if (o[i + 1] < o[i])
                return falling(c, c->begin + i);
        *first = o[0];
        *last = o[n];
    } else {
        const int64_t *o = (const int64_t *)c->array->buffers[1] + at;
        for (int64_t i = 0; i < n; i++)
            bad |= o[i + 1] < o[i];
        for (int64_t i = 0; bad && i < n; i++)
            if (o[i + 1] < o[i])
                return falling(c, c->begin + i);
        *first = o[0];
        *last = o[n];
    }
    return *first < 0 ? falling(c, c->begin) : LOCHAN_OK;
}

/* A view that reads the texts of the column. */
static lochan_view text_view(const lochan_column *c) {
    const void *const *buffers = c->array->buffers;
    lochan_view v = {.type = c->type, .offset = c->array->offset};
    if (c->type.id == LOCHAN_TYPE_STRING_VIEW || c->type.id == LOCHAN_TYPE_BINARY_VIEW) {
        v.data = buffers[1];
        v.view_data = buffers + 2;
    } else {
        v.offsets = buffers[1];
        v.bytes = buffers[2];
    }
    return v;
}

static lochan_status check_utf8_rows(const lochan_column *c) {
    lochan_view v = text_view(c);
    for (int64_t i = c->begin; i < c->end; i++) {
        if (!lochan_column__is_valid(c, i))
            continue;
        lochan_str s = lochan_view__bytes(&v, i);
        if (!lochan_utf8__valid(s.p, s.n))
            return lochan_column__fail(c, i, "text is not UTF-8");
    }
    return LOCHAN_OK;
}

/* The texts one after the other are valid, and each begins with a character, not inside one: then
 * each is valid. Null rows may hold anything, so a failure here decides nothing yet. */
static bool utf8_as_a_whole(const lochan_column *c, int64_t first, int64_t last) {
    lochan_view v = text_view(c);
    if (!lochan_utf8__valid(v.bytes + first, (size_t)(last - first)))
        return false;
    for (int64_t i = c->begin; i < c->end; i++) {
        lochan_str s = lochan_view__bytes(&v, i);
        if (s.n > 0 && ((uint8_t)s.p[0] & 0xc0) == 0x80)
            return false;
    }
    return true;
}

static lochan_status check_view_row(const lochan_column *c, const int64_t *lengths, int64_t i) {
    int64_t n_data = c->array->n_buffers - 3;
    const uint8_t *ref = (const uint8_t *)c->array->buffers[1] + 16 * (c->array->offset + i);
    int32_t head[4]; /* length, first four bytes, data buffer, offset */
    memcpy(head, ref, sizeof head);
    if (head[0] < 0)
        return lochan_column__fail(c, i, "text of %d bytes", head[0]);
    if (head[0] <= 12)
        return LOCHAN_OK;
    if (head[2] < 0 || head[2] >= n_data)
        return lochan_column__fail(c, i, "refers to data buffer %d of %lld", head[2],
                                   (long long)n_data);
    if (head[3] < 0 || (int64_t)head[3] + head[0] > lengths[head[2]])
        return lochan_column__fail(c, i, "%d bytes at %d lie outside a data buffer of %lld",
                                   head[0], head[3], (long long)lengths[head[2]]);
    if (memcmp(ref + 4, (const uint8_t *)c->array->buffers[2 + head[2]] + head[3], 4) != 0)
        return lochan_column__fail(c, i, "the copy of the first bytes differs from the text");
    return LOCHAN_OK;
}

static lochan_status check_views(const lochan_column *c) {
    int64_t n_data = c->array->n_buffers - 3;
    const int64_t *lengths = c->array->buffers[c->array->n_buffers - 1];
    LOCHAN_TRY(check_buffer(c, 1, 16, 8));
    if (n_data > 0 && (!lengths || (uintptr_t)lengths % 8 != 0))
        return lochan_column__fail(c, -1, "the lengths of the data buffers are missing");
    for (int64_t b = 0; b < n_data; b++)
        if (lengths[b] < 0 || (lengths[b] > 0 && !c->array->buffers[2 + b]))
            return lochan_column__fail(c, -1, "data buffer %lld is missing or of negative length",
                                       (long long)b);
    for (int64_t i = c->begin; i < c->end; i++)
        if (lochan_column__is_valid(c, i))
            LOCHAN_TRY(check_view_row(c, lengths, i));
    return c->type.id == LOCHAN_TYPE_STRING_VIEW ? check_utf8_rows(c) : LOCHAN_OK;
}

lochan_status lochan_column__check_text(const lochan_column *c) {
    int64_t first;
    int64_t last;
    if (c->begin >= c->end)
        return LOCHAN_OK;
    if (c->type.id == LOCHAN_TYPE_STRING_VIEW || c->type.id == LOCHAN_TYPE_BINARY_VIEW)
        return check_views(c);
    LOCHAN_TRY(lochan_column__check_offsets(c, &first, &last));
    if (last == first)
        return LOCHAN_OK;
    if (!c->array->buffers[2])
        return lochan_column__fail(c, -1, "buffer 2 is missing");
    bool is_text = c->type.id == LOCHAN_TYPE_STRING || c->type.id == LOCHAN_TYPE_LARGE_STRING;
    return !is_text || utf8_as_a_whole(c, first, last) ? LOCHAN_OK : check_utf8_rows(c);
}

lochan_status lochan_column__check_fixed(const lochan_column *c) {
    int width = lochan_type__bit_width(&c->type) / 8;
    bool is_decimal = c->type.id == LOCHAN_TYPE_DECIMAL128 || c->type.id == LOCHAN_TYPE_DECIMAL256;
    if (c->begin >= c->end || (width == 0 && c->type.id != LOCHAN_TYPE_BOOL))
        return LOCHAN_OK;
    int align = c->type.id == LOCHAN_TYPE_FIXED_BINARY || width == 0 ? 1 : width > 8 ? 8 : width;
    LOCHAN_TRY(check_buffer(c, 1, width ? width : 1, align));
    const uint8_t *data = (const uint8_t *)c->array->buffers[1] + width * c->array->offset;
    for (int64_t i = c->begin; is_decimal && i < c->end; i++)
        if (lochan_column__is_valid(c, i) &&
            !lochan_decimal__fits(data + width * i, width, c->type.precision))
            return lochan_column__fail(c, i, "decimal of more than %d digits", c->type.precision);
    return LOCHAN_OK;
}

lochan_status lochan_column__check_keys(const lochan_column *c, int64_t n) {
    if (c->begin >= c->end)
        return LOCHAN_OK;
    lochan_view v = {
        .offset = c->array->offset, .indices = c->array->buffers[1], .index_id = c->type.id};
    for (int64_t i = c->begin; i < c->end; i++) {
        int64_t key = lochan_view__key(&v, i);
        if ((key < 0 || key >= n) && lochan_column__is_valid(c, i))
            return lochan_column__fail(c, i, "key %lld in a dictionary of %lld values",
                                       (long long)key, (long long)n);
    }
    return LOCHAN_OK;
}
