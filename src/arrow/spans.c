/* spans.c - copies runs of rows of any type into one new array.
 * Invariant: each type class has one function with one inner loop; nested types recurse with spans
 * of their children. May call: base/, array.h, type.h, spans.h.
 */
#include "arrow/spans.h"
#include "arrow/view.h"

#include <inttypes.h>

int32_t lochan_type__byte_width(const lochan_type *type) {
    if (type->id == LOCHAN_TYPE_FIXED_BINARY)
        return type->byte_width;
    if (type->id == LOCHAN_TYPE_BOOL || type->id == LOCHAN_TYPE_NULL ||
        type->id >= LOCHAN_TYPE_LIST)
        return 0;
    return lochan_type__bit_width(type) / 8;
}

lochan_status lochan_array__make_buffer(struct ArrowArray *array, int i, size_t size,
                                        lochan_error *err) {
    lochan_buffer *buffer = lochan_buffer__create(size);
    if (!buffer)
        return lochan_error__nomem(err);
    lochan_array__give_buffer(array, i, buffer);
    return LOCHAN_OK;
}

lochan_status lochan_array__make_values(struct ArrowArray *array, int i, int64_t count,
                                        size_t width, lochan_error *err) {
    size_t size;
    if (count < 0 || !lochan_size__mul((size_t)count, width, &size))
        return lochan_error__nomem(err);
    return lochan_array__make_buffer(array, i, size, err);
}

lochan_status lochan_array__make_bits(struct ArrowArray *array, int i, int64_t length,
                                      lochan_error *err) {
    size_t size = ((size_t)length + 7) / 8;
    LOCHAN_TRY(lochan_array__make_buffer(array, i, size, err));
    if (size)
        memset((void *)(uintptr_t)array->buffers[i], 0, size);
    return LOCHAN_OK;
}

void lochan_array__settle_nulls(struct ArrowArray *array) {
    const uint8_t *bits = array->buffers[0];
    array->null_count = bits ? array->length - lochan_bit__count(bits, 0, array->length) : 0;
    if (array->null_count == 0)
        lochan_array__give_buffer(array, 0, NULL);
}

void lochan_bitmap__fill(uint8_t *dst, int64_t at, int64_t n, bool value) {
    while (n > 0 && (at & 7)) {
        value ? lochan_bit__set(dst, at) : lochan_bit__clear(dst, at);
        at++;
        n--;
    }
    if (n >= 8)
        memset(dst + (at >> 3), value ? 0xff : 0, (size_t)(n >> 3));
    for (int64_t i = at + (n & ~(int64_t)7); i < at + n; i++)
        value ? lochan_bit__set(dst, i) : lochan_bit__clear(dst, i);
}

static void copy_bit(uint8_t *dst, int64_t dst_at, const uint8_t *src, int64_t src_at) {
    if (lochan_bit__get(src, src_at))
        lochan_bit__set(dst, dst_at);
    else
        lochan_bit__clear(dst, dst_at);
}

void lochan_bitmap__copy(uint8_t *dst, int64_t dst_at, const uint8_t *src, int64_t src_at,
                         int64_t n) {
    while (n > 0 && (dst_at & 7)) {
        copy_bit(dst, dst_at++, src, src_at++);
        n--;
    }
    int shift = (int)(src_at & 7);
    const uint8_t *from = src + (src_at >> 3);
    uint8_t *to = dst + (dst_at >> 3);
    int64_t bytes = n >> 3;
    if (shift == 0) {
        if (bytes)
            memcpy(to, from, (size_t)bytes);
    } else {
        for (int64_t i = 0; i < bytes; i++)
            to[i] = (uint8_t)((from[i] >> shift) | (from[i + 1] << (8 - shift)));
    }
    for (int64_t i = n & ~(int64_t)7; i < n; i++)
        copy_bit(dst, dst_at + i, src, src_at + i);
}

static lochan_status span_copy(const struct ArrowSchema *schema, const lochan_span *spans, size_t n,
                               int64_t total, struct ArrowArray *out, lochan_error *err);

/* Sum of the spans' lengths, or an error if it cannot be a length. */
static lochan_status total_length(const lochan_span *spans, size_t n, int64_t *total,
                                  lochan_error *err) {
    *total = 0;
    for (size_t i = 0; i < n; i++) {
        if (__builtin_add_overflow(*total, spans[i].n, total))
            return lochan_error__nomem(err);
    }
    return LOCHAN_OK;
}

static lochan_status copy_validity(const lochan_span *spans, size_t n, int64_t total,
                                   struct ArrowArray *out, lochan_error *err) {
    bool may_null = false;
    for (size_t i = 0; i < n && !may_null; i++)
        may_null = spans[i].n > 0 && (!spans[i].array || lochan_array__validity(spans[i].array));
    if (!may_null || total == 0) {
        out->null_count = 0;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(lochan_array__make_bits(out, 0, total, err));
    uint8_t *bits = (uint8_t *)(uintptr_t)out->buffers[0];
    int64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const struct ArrowArray *a = spans[i].array;
        const uint8_t *from = a ? lochan_array__validity(a) : NULL;
        if (from)
            lochan_bitmap__copy(bits, at, from, a->offset + spans[i].start, spans[i].n);
        else if (a)
            lochan_bitmap__fill(bits, at, spans[i].n, true);
        at += spans[i].n;
    }
    lochan_array__settle_nulls(out);
    return LOCHAN_OK;
}

static lochan_status copy_bools(const lochan_span *spans, size_t n, int64_t total,
                                struct ArrowArray *out, lochan_error *err) {
    LOCHAN_TRY(lochan_array__make_bits(out, 1, total, err));
    uint8_t *bits = (uint8_t *)(uintptr_t)out->buffers[1];
    int64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const struct ArrowArray *a = spans[i].array;
        if (a && spans[i].n)
            lochan_bitmap__copy(bits, at, a->buffers[1], a->offset + spans[i].start, spans[i].n);
        at += spans[i].n;
    }
    return LOCHAN_OK;
}

static lochan_status copy_fixed(const lochan_span *spans, size_t n, int64_t total, size_t width,
                                struct ArrowArray *out, lochan_error *err) {
    LOCHAN_TRY(lochan_array__make_values(out, 1, total, width, err));
    uint8_t *to = (uint8_t *)(uintptr_t)out->buffers[1];
    for (size_t i = 0; i < n; i++) {
        const struct ArrowArray *a = spans[i].array;
        size_t bytes = (size_t)spans[i].n * width;
        if (bytes == 0)
            continue;
        if (a)
            memcpy(to,
                   (const uint8_t *)a->buffers[1] + (size_t)(a->offset + spans[i].start) * width,
                   bytes);
        else
            memset(to, 0, bytes);
        to += bytes;
    }
    return LOCHAN_OK;
}

/* Writes the offsets of the joined rows and, if `inner` is given, the spans of bytes or items they
 * cover. */
static lochan_status copy_offsets(const lochan_span *spans, size_t n, int64_t total, bool large,
                                  const char *what, struct ArrowArray *out, int64_t *end,
                                  lochan_error *err) {
    LOCHAN_TRY(lochan_array__make_values(out, 1, total + 1, large ? 8 : 4, err));
    int32_t *to32 = (int32_t *)(uintptr_t)out->buffers[1];
    int64_t *to64 = (int64_t *)(uintptr_t)out->buffers[1];
    int64_t at = 0, pos = 0;
    for (size_t i = 0; i < n; i++) {
        const struct ArrowArray *a = spans[i].array;
        int64_t rows = spans[i].n;
        if (rows == 0)
            continue;
        int64_t first = a ? lochan_array__offset_at(a, large, spans[i].start) : 0;
        int64_t last = a ? lochan_array__offset_at(a, large, spans[i].start + rows) : 0;
        if (__builtin_add_overflow(pos, last - first, end) || (!large && *end > INT32_MAX))
            return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                     "more than 2 GiB of %s in one array of %" PRId64
                                     " rows: use smaller batches or "
                                     "the large type",
                                     what, total);
        const int32_t *from32 =
            a && !large ? (const int32_t *)a->buffers[1] + a->offset + spans[i].start : NULL;
        const int64_t *from64 =
            a && large ? (const int64_t *)a->buffers[1] + a->offset + spans[i].start : NULL;
        int64_t delta = pos - first;
        if (large) {
            for (int64_t k = 0; k < rows; k++)
                to64[at + k] = from64 ? from64[k] + delta : pos;
        } else {
            for (int64_t k = 0; k < rows; k++)
                to32[at + k] = (int32_t)(from32 ? from32[k] + delta : pos);
        }
        at += rows;
        pos = *end;
    }
    *end = pos;
    if (large)
        to64[total] = pos;
    else
        to32[total] = (int32_t)pos;
    return LOCHAN_OK;
}

static lochan_status copy_bytes(const lochan_span *spans, size_t n, int64_t total, bool large,
                                struct ArrowArray *out, lochan_error *err) {
    int64_t size = 0;
    LOCHAN_TRY(copy_offsets(spans, n, total, large, "text", out, &size, err));
    LOCHAN_TRY(lochan_array__make_buffer(out, 2, (size_t)size, err));
    uint8_t *to = (uint8_t *)(uintptr_t)out->buffers[2];
    for (size_t i = 0; i < n; i++) {
        const struct ArrowArray *a = spans[i].array;
        if (!a || spans[i].n == 0)
            continue;
        int64_t first = lochan_array__offset_at(a, large, spans[i].start);
        int64_t last = lochan_array__offset_at(a, large, spans[i].start + spans[i].n);
        if (last > first) {
            memcpy(to, (const uint8_t *)a->buffers[2] + first, (size_t)(last - first));
            to += last - first;
        }
    }
    return LOCHAN_OK;
}

/* Slots of null rows may hold anything; a view there must not be followed. */
static void clear_null_views(const struct ArrowArray *out, uint8_t *views) {
    const uint8_t *bits = out->buffers[0];
    for (int64_t i = 0; bits && i < out->length; i++) {
        if (!lochan_bit__get(bits, i))
            memset(views + 16 * i, 0, 16);
    }
}

static lochan_status copy_views(const lochan_span *spans, size_t n, int64_t total,
                                struct ArrowArray *out, lochan_error *err) {
    LOCHAN_TRY(copy_fixed(spans, n, total, 16, out, err));
    uint8_t *views = (uint8_t *)(uintptr_t)out->buffers[1];
    clear_null_views(out, views);
    lochan_view_writer w = {0};
    lochan_status rc = LOCHAN_OK;
    const struct ArrowArray *last = NULL;
    for (size_t i = 0; i < n; i++) {
        if (spans[i].array && spans[i].array != last)
            LOCHAN_TRYG(lochan_view_writer__declare(&w, spans[i].array, err));
        last = spans[i].array ? spans[i].array : last;
    }
    LOCHAN_TRYG(lochan_view_writer__start(&w, views, total, err));
    last = NULL;
    size_t source = 0;
    for (size_t i = 0; i < n; views += 16 * spans[i++].n) {
        if (!spans[i].array)
            continue;
        if (last && spans[i].array != last)
            source++;
        last = spans[i].array;
        LOCHAN_TRYG(lochan_view_writer__fix(&w, source, views, spans[i].n, err));
    }
    LOCHAN_TRYG(lochan_view_writer__finish(&w, out, err));
done:
    lochan_view_writer__deinit(&w);
    return rc;
}

static lochan_status copy_children_of_lists(const struct ArrowSchema *schema,
                                            const lochan_span *spans, size_t n, int64_t total,
                                            bool large, struct ArrowArray *out, lochan_error *err) {
    int64_t items = 0;
    LOCHAN_TRY(copy_offsets(spans, n, total, large, "list items", out, &items, err));
    lochan_span *inner = lochan_mem__array(n ? n : 1, sizeof(*inner));
    if (!inner)
        return lochan_error__nomem(err);
    size_t n_inner = 0;
    for (size_t i = 0; i < n; i++) {
        const struct ArrowArray *a = spans[i].array;
        if (!a || spans[i].n == 0)
            continue;
        int64_t first = lochan_array__offset_at(a, large, spans[i].start);
        int64_t last = lochan_array__offset_at(a, large, spans[i].start + spans[i].n);
        if (last > first)
            inner[n_inner++] = (lochan_span){a->children[0], first, last - first};
    }
    lochan_status rc = span_copy(schema->children[0], inner, n_inner, items, out->children[0], err);
    lochan_mem__free(inner);
    return rc;
}

/* Children of structs (factor 1) and of fixed-size lists (factor = items a row). */
static lochan_status copy_children(const struct ArrowSchema *schema, const lochan_span *spans,
                                   size_t n, int64_t total, int64_t factor, struct ArrowArray *out,
                                   lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_span *inner = lochan_mem__array(n ? n : 1, sizeof(*inner));
    if (!inner)
        return lochan_error__nomem(err);
    if (__builtin_mul_overflow(total, factor, &total)) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int64_t c = 0; c < schema->n_children; c++) {
        for (size_t i = 0; i < n; i++) {
            const struct ArrowArray *a = spans[i].array;
            inner[i] =
                (lochan_span){a ? a->children[c] : NULL,
                              a ? (a->offset + spans[i].start) * factor : 0, spans[i].n * factor};
        }
        rc = span_copy(schema->children[c], inner, n, total, out->children[c], err);
        if (rc != LOCHAN_OK) {
            lochan_error__in_table(err, rc, NULL, schema->children[c]->name, -1);
            goto done;
        }
    }
done:
    lochan_mem__free(inner);
    return rc;
}

static lochan_status copy_dictionary(const struct ArrowSchema *schema, const lochan_type *key,
                                     const lochan_span *spans, size_t n, int64_t total,
                                     struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_dict_join join = {0};
    size_t width = (size_t)lochan_type__byte_width(key);
    const struct ArrowArray **arrays = lochan_mem__array(n ? n : 1, sizeof(*arrays));
    struct ArrowArray *dictionary = lochan_array__add_dictionary(out);
    if (!arrays || !dictionary) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (spans[i].array)
            arrays[used++] = spans[i].array;
    }
    LOCHAN_TRYG(copy_fixed(spans, n, total, width, out, err));
    LOCHAN_TRYG(lochan_dict_join__make(&join, schema, arrays, used, dictionary, err));
    uint8_t *keys = (uint8_t *)(uintptr_t)out->buffers[1];
    int64_t at = 0;
    used = 0;
    for (size_t i = 0; i < n; at += spans[i++].n) {
        if (spans[i].array)
            LOCHAN_TRYG(lochan_dict_join__apply(&join, used++, key->id, keys + (size_t)at * width,
                                                spans[i].n, out->buffers[0], at, err));
    }
done:
    lochan_dict_join__deinit(&join);
    lochan_mem__free(arrays);
    return rc;
}

static lochan_status copy_typed(const struct ArrowSchema *schema, const lochan_type *type,
                                const lochan_span *spans, size_t n, int64_t total,
                                struct ArrowArray *out, lochan_error *err) {
    if (schema->dictionary)
        return copy_dictionary(schema, type, spans, n, total, out, err);
    switch (type->id) {
    case LOCHAN_TYPE_BOOL:
        return copy_bools(spans, n, total, out, err);
    case LOCHAN_TYPE_STRING:
    case LOCHAN_TYPE_BINARY:
        return copy_bytes(spans, n, total, false, out, err);
    case LOCHAN_TYPE_LARGE_STRING:
    case LOCHAN_TYPE_LARGE_BINARY:
        return copy_bytes(spans, n, total, true, out, err);
    case LOCHAN_TYPE_STRING_VIEW:
    case LOCHAN_TYPE_BINARY_VIEW:
        return copy_views(spans, n, total, out, err);
    case LOCHAN_TYPE_LIST:
    case LOCHAN_TYPE_MAP:
        return copy_children_of_lists(schema, spans, n, total, false, out, err);
    case LOCHAN_TYPE_LARGE_LIST:
        return copy_children_of_lists(schema, spans, n, total, true, out, err);
    case LOCHAN_TYPE_FIXED_LIST:
        return copy_children(schema, spans, n, total, type->byte_width, out, err);
    case LOCHAN_TYPE_STRUCT:
        return copy_children(schema, spans, n, total, 1, out, err);
    default:
        return copy_fixed(spans, n, total, (size_t)lochan_type__byte_width(type), out, err);
    }
}

/* How many buffers an array of this type has before variadic ones. */
int lochan_type__buffers(const lochan_type *type, bool dictionary) {
    if (dictionary)
        return 2;
    switch (type->id) {
    case LOCHAN_TYPE_NULL:
        return 0;
    case LOCHAN_TYPE_STRUCT:
    case LOCHAN_TYPE_FIXED_LIST:
        return 1;
    case LOCHAN_TYPE_STRING:
    case LOCHAN_TYPE_BINARY:
    case LOCHAN_TYPE_LARGE_STRING:
    case LOCHAN_TYPE_LARGE_BINARY:
        return 3;
    default:
        return 2;
    }
}

static lochan_status span_copy(const struct ArrowSchema *schema, const lochan_span *spans, size_t n,
                               int64_t total, struct ArrowArray *out, lochan_error *err) {
    lochan_type type;
    LOCHAN_TRY(lochan_type__parse(schema->format, &type, err));
    LOCHAN_TRY(lochan_array__init(out, lochan_type__buffers(&type, schema->dictionary != NULL),
                                  schema->n_children, err));
    out->length = total;
    lochan_status rc = LOCHAN_OK;
    if (type.id == LOCHAN_TYPE_NULL && !schema->dictionary) {
        out->null_count = total;
        return LOCHAN_OK;
    }
    LOCHAN_TRYG(copy_validity(spans, n, total, out, err));
    LOCHAN_TRYG(copy_typed(schema, &type, spans, n, total, out, err));
done:
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

lochan_status lochan_spans__copy(const struct ArrowSchema *schema, const lochan_span *spans,
                                 size_t n, struct ArrowArray *out, lochan_error *err) {
    int64_t total;
    memset(out, 0, sizeof(*out));
    LOCHAN_TRY(total_length(spans, n, &total, err));
    return span_copy(schema, spans, n, total, out, err);
}
