/* builder_row.c - nulls, ends of nested rows, copies of rows and runs of values.
 * Invariant: lengths of children follow from the rows ended; finish checks them. May call: base/,
 * builder_own.h.
 */
#include "arrow/builder_own.h"
#include "base/mem.h"
#include <string.h>

/* Sets n bits from `from` on. */
static void set_bits(uint8_t *bits, int64_t from, int64_t n) {
    int64_t end = from + n;
    for (; from < end && (from & 7); from++)
        lochan_bit__set(bits, from);
    if (end - from >= 8)
        memset(bits + from / 8, 0xff, (size_t)(end - from) / 8);
    for (from += (end - from) / 8 * 8; from < end; from++)
        lochan_bit__set(bits, from);
}

/* The stored value of a null row: zeros, an empty text, an empty list. */
static void put_blank(lochan_builder *b) {
    if (b->width)
        memset(b->data->data + b->width * (size_t)b->length, 0, b->width);
    else if (is_offset32(b->type.id))
        offsets32(b)[b->length + 1] = offsets32(b)[b->length];
    else if (is_offset64(b->type.id))
        offsets64(b)[b->length + 1] = offsets64(b)[b->length];
}

lochan_status lochan_builder__null(lochan_builder *b, lochan_error *err) {
    LOCHAN_TRY(room(b, err));
    if (b->type.id != LOCHAN_TYPE_NULL)
        LOCHAN_TRY(lochan_builder__need_validity(b, err));
    if (b->type.id == LOCHAN_TYPE_STRUCT)
        for (int64_t i = 0; i < b->n_children; i++)
            LOCHAN_TRY(lochan_builder__null(&b->children[i], err));
    if (b->type.id == LOCHAN_TYPE_FIXED_LIST)
        LOCHAN_TRY(lochan_builder__nulls(&b->children[0], b->type.byte_width, err));
    put_blank(b);
    b->length++;
    b->null_count++;
    return LOCHAN_OK;
}

lochan_status lochan_builder__nulls(lochan_builder *b, int64_t n, lochan_error *err) {
    LOCHAN_TRY(lochan_builder__reserve(b, n, err));
    for (int64_t i = 0; i < n; i++)
        LOCHAN_TRY(lochan_builder__null(b, err));
    return LOCHAN_OK;
}

static lochan_status end_struct(lochan_builder *b, lochan_error *err) {
    for (int64_t i = 0; i < b->n_children; i++)
        if (b->children[i].length != b->length + 1)
            return lochan_builder__fail(&b->children[i], LOCHAN_ERR_INVALID_ARGUMENT, err,
                                        "%lld values at the end of row %lld",
                                        (long long)b->children[i].length, (long long)b->length);
    end_valid(b);
    return LOCHAN_OK;
}

lochan_status lochan_builder__end_row(lochan_builder *b, lochan_error *err) {
    LOCHAN_TRY(room(b, err));
    if (b->type.id == LOCHAN_TYPE_STRUCT)
        return end_struct(b, err);
    if (b->n_children != 1)
        return lochan_builder__fail(b, LOCHAN_ERR_INVALID_ARGUMENT, err, "has no rows to end");
    int64_t items = b->children[0].length;
    if (b->type.id == LOCHAN_TYPE_FIXED_LIST) {
        if (items != (b->length + 1) * b->type.byte_width)
            return lochan_builder__fail(b, LOCHAN_ERR_INVALID_ARGUMENT, err,
                                        "expected %d items in each row", b->type.byte_width);
    } else if (b->type.id == LOCHAN_TYPE_LARGE_LIST) {
        offsets64(b)[b->length + 1] = items;
    } else {
        if (items > INT32_MAX)
            return lochan_builder__fail(b, LOCHAN_ERR_VALUE, err,
                                        "more than 2^31 items; use a large_list or fewer rows");
        offsets32(b)[b->length + 1] = (int32_t)items;
    }
    end_valid(b);
    return LOCHAN_OK;
}

/* ---- runs of values ---- */

static lochan_status check_run(const lochan_builder *b, size_t width, lochan_error *err) {
    if (b->dictionary || b->width == 0 || is_view_type(b->type.id) || (width && width != b->width))
        return lochan_builder__fail(b, LOCHAN_ERR_INVALID_ARGUMENT, err,
                                    "values of another width given");
    return LOCHAN_OK;
}

lochan_status lochan_builder__extend(lochan_builder *b, int64_t n, void **values,
                                     lochan_error *err) {
    *values = NULL;
    LOCHAN_TRY(check_run(b, 0, err));
    LOCHAN_TRY(lochan_builder__reserve(b, n, err));
    if (b->cap == 0)
        LOCHAN_TRY(lochan_builder__grow(b, 1, err));
    *values = b->data->data + b->width * (size_t)b->length;
    if (b->validity)
        set_bits(b->validity->data, b->length, n);
    b->length += n;
    return LOCHAN_OK;
}

lochan_status lochan_builder__append_values(lochan_builder *b, const void *values, size_t width,
                                            const uint8_t *valid_bits, int64_t n,
                                            lochan_error *err) {
    void *to;
    int64_t first = b->length;
    LOCHAN_TRY(check_run(b, width, err));
    int64_t nulls = valid_bits ? n - lochan_bit__count(valid_bits, 0, n) : 0;
    LOCHAN_TRY(lochan_builder__reserve(b, n, err));
    if (nulls > 0)
        LOCHAN_TRY(lochan_builder__need_validity(b, err));
    LOCHAN_TRY(lochan_builder__extend(b, n, &to, err));
    if (n > 0)
        memcpy(to, values, b->width * (size_t)n);
    for (int64_t i = 0; nulls > 0 && i < n; i++)
        if (!lochan_bit__get(valid_bits, i))
            lochan_bit__clear(b->validity->data, first + i);
    b->null_count += nulls;
    return LOCHAN_OK;
}

/* ---- copies ---- */

static lochan_status copy_child(lochan_builder *to, const lochan_view *v, int64_t child,
                                int64_t begin, int64_t end, lochan_error *err) {
    lochan_view from;
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRY(
        lochan_view__init(&from, v->schema->children[child], v->array->children[child], err));
    for (int64_t i = begin; rc == LOCHAN_OK && i < end; i++)
        rc = lochan_builder__copy(to, &from, i, err);
    lochan_view__deinit(&from);
    return rc;
}

static lochan_status copy_nested(lochan_builder *b, const lochan_view *v, int64_t i,
                                 lochan_error *err) {
    if (v->schema->n_children != b->n_children)
        return lochan_builder__fail(b, LOCHAN_ERR_INVALID_ARGUMENT, err,
                                    "copied from a column of another type");
    if (b->type.id == LOCHAN_TYPE_STRUCT) {
        int64_t row = v->offset + i;
        for (int64_t c = 0; c < b->n_children; c++)
            LOCHAN_TRY(copy_child(&b->children[c], v, c, row, row + 1, err));
    } else {
        int64_t begin;
        int64_t end;
        lochan_view__list_range(v, i, &begin, &end);
        LOCHAN_TRY(copy_child(&b->children[0], v, 0, begin, end, err));
    }
    return lochan_builder__end_row(b, err);
}

lochan_status lochan_builder__copy(lochan_builder *b, const lochan_view *v, int64_t i,
                                   lochan_error *err) {
    const lochan_type *type = value_type(b);
    if (!lochan_view__is_valid(v, i))
        return lochan_builder__null(b, err);
    if (v->dictionary)
        return lochan_builder__copy(b, v->dictionary, lochan_view__key(v, i), err);
    if (lochan_type__is_bytes(type->id) && lochan_type__is_bytes(v->type.id)) {
        lochan_str s = lochan_view__bytes(v, i);
        return lochan_builder__put(b, s.p, s.n, err);
    }
    if (type->id != v->type.id || type->byte_width != v->type.byte_width)
        return lochan_builder__fail(b, LOCHAN_ERR_INVALID_ARGUMENT, err,
                                    "copied from a column of another type");
    if (lochan_type__is_nested(type->id))
        return copy_nested(b, v, i, err);
    if (type->id == LOCHAN_TYPE_BOOL)
        return lochan_builder__int64(b, lochan_view__int64(v, i), err);
    size_t width = (size_t)lochan_type__bit_width(type) / 8;
    return lochan_builder__put(b, (const uint8_t *)v->data + width * (size_t)(v->offset + i), width,
                               err);
}
