/* restore.c - see restore.h. May call: base/, arrow/, out.h.
 */
#include "parquet/restore.h"
#include "arrow/kernels.h"
#include "arrow/view.h"

/* Bytes that null lists of one batch may be filled up with. */
enum { MOST_FILLING = 256 << 20 };

lochan_status lochan_pq_restore__large(lochan_pq_vec *offsets, int64_t length, lochan_error *err) {
    lochan_pq_vec wide = {0};
    size_t n = (size_t)length + 1;
    LOCHAN_TRY(lochan_pq_vec__reserve(&wide, n * sizeof(int64_t), err));
    const int32_t *from = (const void *)offsets->data;
    int64_t *to = (void *)wide.data;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
    wide.len = n * sizeof(int64_t);
    lochan_pq_vec__free(offsets);
    *offsets = wide;
    return LOCHAN_OK;
}

/* Bytes of a slot of the field that is null, lists of fixed size in it counted in full. */
static double null_bytes(const lochan_pq_field *field) {
    double sum = 1;
    for (int i = 0; i < field->n_children; i++)
        sum += null_bytes(&field->children[i]);
    if (field->type.id == LOCHAN_TYPE_FIXED_LIST)
        return sum * field->type.byte_width;
    if (field->leaf >= 0) {
        int bits = lochan_type__bit_width(&field->type);
        sum += field->type.id == LOCHAN_TYPE_FIXED_BINARY ? field->type.byte_width
               : bits > 0                                 ? bits / 8.0
                                                          : 16;
    }
    return sum;
}

lochan_status lochan_pq_restore__fixed(const lochan_pq_field *field, const uint8_t *valid,
                                       const int32_t *offsets, int64_t length,
                                       struct ArrowArray *items, bool *fits, lochan_error *err) {
    int64_t size = field->type.byte_width, nulls = 0;
    *fits = true;
    for (int64_t i = 0; i < length; i++) {
        int64_t n = offsets[i + 1] - offsets[i];
        bool null = !lochan_bit__get(valid, i);
        nulls += null;
        *fits = *fits && n == (null ? 0 : size);
    }
    if (!*fits || nulls == 0)
        return LOCHAN_OK;
    if (null_bytes(field) * (double)nulls > MOST_FILLING)
        return lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT,
                                 "%lld null lists of %lld items each in one batch: read fewer rows "
                                 "at a time, or without the file's ARROW:schema",
                                 (long long)nulls, (long long)size);
    int64_t *rows = lochan_mem__array((size_t)(length * size) + 1, sizeof *rows);
    if (!rows)
        return lochan_error__nomem(err);
    for (int64_t i = 0; i < length; i++) {
        for (int64_t k = 0; k < size; k++)
            rows[i * size + k] = lochan_bit__get(valid, i) ? offsets[i] + k : -1;
    }
    struct ArrowArray filled;
    lochan_status rc =
        lochan_take(field->children[0].schema, items, rows, (size_t)(length * size), &filled, err);
    lochan_mem__free(rows);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_array__release(items);
    lochan_array__move(&filled, items);
    return LOCHAN_OK;
}
