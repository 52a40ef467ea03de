/* out.c - see out.h. May call: base/, arrow/. */
#include "parquet/out.h"
#include "parquet/bits.h"

static void free_data(uint8_t *data) {
    if (data)
        lochan_mem__free_aligned(data - LOCHAN_PQ_LEAD);
}

/* Bytes that the vec must have for `extra` more; its own if it has them. */
static lochan_status wanted_cap(const lochan_pq_vec *v, size_t extra, size_t *cap,
                                lochan_error *err) {
    size_t need, more = v->cap + v->cap / 2;
    *cap = v->cap;
    if (!lochan_size__add(v->len, extra, &need) || need > SIZE_MAX / 4)
        return lochan_error__nomem(err);
    if (need > v->cap)
        *cap = more > need ? more : need;
    return LOCHAN_OK;
}

lochan_status lochan_pq_vec__reserve(lochan_pq_vec *v, size_t extra, lochan_error *err) {
    size_t cap;
    LOCHAN_TRY(wanted_cap(v, extra, &cap, err));
    if (v->data && cap == v->cap)
        return LOCHAN_OK;
    uint8_t *data = lochan_mem__alloc_aligned(LOCHAN_PQ_LEAD + cap + LOCHAN_PQ_PAD);
    if (!data)
        return lochan_error__nomem(err);
    data += LOCHAN_PQ_LEAD;
    if (v->len > 0)
        memcpy(data, v->data, v->len);
    free_data(v->data);
    v->data = data;
    v->cap = cap;
    return LOCHAN_OK;
}

void lochan_pq_vec__free(lochan_pq_vec *v) {
    free_data(v->data);
    *v = (lochan_pq_vec){0};
}

static size_t beyond(size_t used, size_t free) {
    return used > free ? used - free : 0;
}

lochan_status lochan_pq_claim__take(lochan_pq_claim *claim, size_t bytes, lochan_error *err) {
    size_t before = atomic_fetch_add(&claim->used, bytes);
    size_t more = beyond(before + bytes, claim->free) - beyond(before, claim->free);
    if (more == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_budget__take(
        claim->budget, more, "rows of a Parquet file that are larger than its footer tells", err));
    atomic_fetch_add(&claim->taken, more);
    return LOCHAN_OK;
}

void lochan_pq_claim__end(lochan_pq_claim *claim) {
    lochan_budget__give(claim->budget, claim->taken);
    claim->taken = 0;
}

lochan_status lochan_pq_out__grow(const lochan_pq_out *out, lochan_pq_vec *v, size_t extra,
                                  lochan_error *err) {
    size_t cap;
    LOCHAN_TRY(wanted_cap(v, extra, &cap, err));
    if (out->claim && cap > v->cap)
        LOCHAN_TRY(lochan_pq_claim__take(out->claim, cap - v->cap, err));
    return lochan_pq_vec__reserve(v, extra, err);
}

void lochan_pq_out__init(lochan_pq_out *out, const lochan_pq_leaf *leaf, bool dictionary) {
    *out = (lochan_pq_out){
        .kind = LOCHAN_PQ_OUT_FIXED, .width = leaf->out_width, .nullable = leaf->max_def > 0};
    out->bytes_at = -1;
    switch (leaf->type.id) {
    case LOCHAN_TYPE_NULL:
        out->kind = LOCHAN_PQ_OUT_NULL;
        out->width = 0;
        break;
    case LOCHAN_TYPE_BOOL:
        out->kind = LOCHAN_PQ_OUT_BITS;
        out->width = 0;
        break;
    case LOCHAN_TYPE_STRING:
    case LOCHAN_TYPE_BINARY:
        out->kind = dictionary ? LOCHAN_PQ_OUT_KEYS : LOCHAN_PQ_OUT_STRING;
        out->width = 4;
        break;
    case LOCHAN_TYPE_LARGE_STRING:
    case LOCHAN_TYPE_LARGE_BINARY:
        out->kind = dictionary ? LOCHAN_PQ_OUT_KEYS : LOCHAN_PQ_OUT_LARGE;
        out->width = dictionary ? 4 : 8;
        break;
    case LOCHAN_TYPE_STRING_VIEW:
    case LOCHAN_TYPE_BINARY_VIEW:
        out->kind = dictionary ? LOCHAN_PQ_OUT_KEYS : LOCHAN_PQ_OUT_VIEW;
        out->width = dictionary ? 4 : 16;
        break;
    default:
        break;
    }
}

void lochan_pq_out__free(lochan_pq_out *out) {
    lochan_pq_vec__free(&out->validity);
    lochan_pq_vec__free(&out->values);
    lochan_pq_vec__free(&out->bytes);
    for (int i = 0; i < out->n_shown; i++)
        lochan_buffer__unref(out->shown[i]);
    lochan_mem__free(out->shown);
    out->shown = NULL;
    out->n_shown = 0;
    out->bytes_at = -1;
    out->length = out->nulls = 0;
}

lochan_status lochan_pq_out__reserve(lochan_pq_out *out, int64_t n, lochan_error *err) {
    size_t slots = (size_t)(out->length + n), bytes;
    if (out->nullable) {
        out->validity.len = (size_t)(out->length + 7) / 8;
        LOCHAN_TRY(lochan_pq_out__grow(out, &out->validity, slots / 8 + 1, err));
    }
    if (out->kind == LOCHAN_PQ_OUT_NULL)
        return LOCHAN_OK;
    if (out->kind == LOCHAN_PQ_OUT_BITS) {
        out->values.len = (size_t)(out->length + 7) / 8;
        return lochan_pq_out__grow(out, &out->values, slots / 8 + 1, err);
    }
    /* offsets have one more than there are slots */
    if (!lochan_size__mul(slots + 1, (size_t)out->width, &bytes))
        return lochan_error__nomem(err);
    bool offsets = out->kind == LOCHAN_PQ_OUT_STRING || out->kind == LOCHAN_PQ_OUT_LARGE;
    out->values.len = (size_t)(out->length + (offsets && out->values.data)) * (size_t)out->width;
    bool first = out->values.data == NULL;
    LOCHAN_TRY(lochan_pq_out__grow(out, &out->values, bytes - out->values.len, err));
    if (first && offsets)
        memset(out->values.data, 0, (size_t)out->width);
    return LOCHAN_OK;
}

/* Copies a text; short ones by one load of 16 bytes, which source and destination have room for. */
static inline void copy_text(uint8_t *dst, const lochan_pq_slice *s) {
    if (s->n <= 16)
        memcpy(dst, s->p, 16);
    else
        memcpy(dst, s->p, s->n);
}

enum { VIEW_INLINE = 12 };

void lochan_pq_view__write(uint8_t *view, const lochan_pq_slice *s, uint32_t number,
                           uint32_t offset) {
    memset(view, 0, 16);
    memcpy(view, &s->n, 4);
    if (s->n <= VIEW_INLINE) {
        memcpy(view + 4, s->p, s->n);
        return;
    }
    memcpy(view + 4, s->p, 4);
    memcpy(view + 8, &number, 4);
    memcpy(view + 12, &offset, 4);
}

lochan_status lochan_pq_out__show(lochan_pq_out *out, lochan_buffer *buffer, uint32_t *number,
                                  lochan_error *err) {
    *number = 0;
    for (int i = out->n_shown; i-- > 0;) {
        if (out->shown[i] != buffer)
            continue;
        *number = (uint32_t)i;
        return LOCHAN_OK;
    }
    lochan_buffer **shown =
        lochan_mem__realloc(out->shown, ((size_t)out->n_shown + 1) * sizeof(lochan_buffer *));
    if (!shown)
        return lochan_error__nomem(err);
    out->shown = shown;
    *number = (uint32_t)out->n_shown;
    out->shown[out->n_shown++] = lochan_buffer__ref(buffer);
    return LOCHAN_OK;
}

lochan_status lochan_pq_out__show_slices(lochan_pq_out *out, int64_t at,
                                         const lochan_pq_slice *slices, size_t n,
                                         lochan_buffer *buffer, lochan_error *err) {
    uint8_t *view = lochan_pq_out__slot(out, out->length + at);
    uint32_t number;
    LOCHAN_TRY(lochan_pq_out__show(out, buffer, &number, err));
    for (size_t i = 0; i < n; i++)
        lochan_pq_view__write(view + 16 * i, &slices[i], number,
                              (uint32_t)(slices[i].p - buffer->data));
    return LOCHAN_OK;
}

/* Views of texts that are copied to `bytes`, which has room for them. */
static lochan_status add_views(lochan_pq_out *out, int64_t at, const lochan_pq_slice *slices,
                               size_t n, lochan_error *err) {
    uint8_t *view = lochan_pq_out__slot(out, out->length + at);
    for (size_t i = 0; i < n; i++, view += 16) {
        const lochan_pq_slice *s = &slices[i];
        if (s->n > VIEW_INLINE && out->bytes_at < 0) {
            uint32_t number;
            LOCHAN_TRY(lochan_pq_out__show(out, NULL, &number, err));
            out->bytes_at = (int)number;
        }
        lochan_pq_view__write(view, s, (uint32_t)out->bytes_at, (uint32_t)out->bytes.len);
        if (s->n <= VIEW_INLINE)
            continue;
        memcpy(out->bytes.data + out->bytes.len, s->p, s->n);
        out->bytes.len += s->n;
    }
    return LOCHAN_OK;
}

lochan_status lochan_pq_out__add_slices(lochan_pq_out *out, int64_t at,
                                        const lochan_pq_slice *slices, size_t n,
                                        lochan_error *err) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += slices[i].n;
    if (out->kind != LOCHAN_PQ_OUT_LARGE && total > (size_t)INT32_MAX - out->bytes.len)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "more than 2 GiB of text in one batch: read fewer rows at a time");
    LOCHAN_TRY(lochan_pq_out__grow(out, &out->bytes, total, err));
    uint8_t *dst = out->bytes.data + out->bytes.len;
    if (out->kind == LOCHAN_PQ_OUT_VIEW) {
        return add_views(out, at, slices, n, err);
    } else if (out->kind == LOCHAN_PQ_OUT_STRING) {
        int32_t *offset = (int32_t *)(void *)out->values.data + out->length + at + 1;
        int32_t end = (int32_t)out->bytes.len;
        for (size_t i = 0; i < n; i++) {
            copy_text(dst, &slices[i]);
            dst += slices[i].n;
            end += (int32_t)slices[i].n;
            offset[i] = end;
        }
        out->bytes.len += total;
    } else {
        int64_t *offset = (int64_t *)(void *)out->values.data + out->length + at + 1;
        int64_t end = (int64_t)out->bytes.len;
        for (size_t i = 0; i < n; i++) {
            copy_text(dst, &slices[i]);
            dst += slices[i].n;
            end += slices[i].n;
            offset[i] = end;
        }
        out->bytes.len += total;
    }
    return LOCHAN_OK;
}

/* Moves `valid` dense values of width W apart, from the last to the first; values that do not move
 * are left alone. Without branches, since nulls come as they like: when no value is left, what lies
 * before the first is loaded and masked. */
#define SPREAD(name, type, masked)                                                                 \
    static void spread_##name(type *v, const uint8_t *bits, int64_t first, int64_t slots,          \
                              int64_t valid) {                                                     \
        for (int64_t i = slots - 1, from = valid - 1; i > from; i--) {                             \
            int64_t b = first + i;                                                                 \
            unsigned on = (bits[b >> 3] >> (b & 7)) & 1u;                                          \
            type value = v[from];                                                                  \
            v[i] = masked(value, 0 - (uint64_t)on);                                                \
            from -= on;                                                                            \
        }                                                                                          \
    }
typedef struct bytes16 {
    uint64_t a, b;
} bytes16;
#define MASKED_1(v, mask)  (uint8_t)((v) & (mask))
#define MASKED_2(v, mask)  (uint16_t)((v) & (mask))
#define MASKED_4(v, mask)  (uint32_t)((v) & (mask))
#define MASKED_8(v, mask)  ((v) & (mask))
#define MASKED_16(v, mask) ((bytes16){(v).a & (mask), (v).b & (mask)})
SPREAD(1, uint8_t, MASKED_1)
SPREAD(2, uint16_t, MASKED_2)
SPREAD(4, uint32_t, MASKED_4)
SPREAD(8, uint64_t, MASKED_8)
SPREAD(16, bytes16, MASKED_16)
_Static_assert((int)LOCHAN_PQ_LEAD >= 16, "a value before the first may be loaded");

static bool bit_at(const uint8_t *bits, int64_t i) {
    return (bits[i >> 3] >> (i & 7)) & 1;
}

static void spread_any(uint8_t *v, size_t width, const uint8_t *bits, int64_t first, int64_t slots,
                       int64_t valid) {
    for (int64_t i = slots - 1, from = valid - 1; i > from; i--) {
        if (bit_at(bits, first + i))
            memmove(v + (size_t)i * width, v + (size_t)from-- * width, width);
        else
            memset(v + (size_t)i * width, 0, width);
    }
}

static void spread_fixed(lochan_pq_out *out, int64_t slots, int64_t valid) {
    uint8_t *v = lochan_pq_out__slot(out, out->length);
    const uint8_t *bits = out->validity.data;
    switch (out->width) {
    case 1:
        spread_1(v, bits, out->length, slots, valid);
        break;
    case 2:
        spread_2((void *)v, bits, out->length, slots, valid);
        break;
    case 4:
        spread_4((void *)v, bits, out->length, slots, valid);
        break;
    case 8:
        spread_8((void *)v, bits, out->length, slots, valid);
        break;
    case 16:
        spread_16((void *)v, bits, out->length, slots, valid);
        break;
    default:
        spread_any(v, (size_t)out->width, bits, out->length, slots, valid);
    }
}

/* End offsets: a null slot ends where the slot before it ends. */
static void spread_offsets32(int32_t *end, const uint8_t *bits, int64_t first, int64_t slots,
                             int64_t valid) {
    for (int64_t i = slots - 1, from = valid - 1; i > from; i--) {
        end[i] = end[from]; /* end[-1] is the offset before the batch */
        from -= bit_at(bits, first + i);
    }
}

static void spread_offsets64(int64_t *end, const uint8_t *bits, int64_t first, int64_t slots,
                             int64_t valid) {
    for (int64_t i = slots - 1, from = valid - 1; i > from; i--) {
        end[i] = end[from];
        from -= bit_at(bits, first + i);
    }
}

static void spread_bits(lochan_pq_out *out, int64_t slots, int64_t valid) {
    uint8_t *v = out->values.data;
    for (int64_t i = slots - 1, from = valid - 1; i > from; i--) {
        bool on = false;
        if (bit_at(out->validity.data, out->length + i))
            on = bit_at(v, out->length + from--);
        lochan_bits__fill(v, out->length + i, 1, on);
    }
}

void lochan_pq_out__spread(lochan_pq_out *out, int64_t slots, int64_t valid) {
    if (valid < slots) {
        switch (out->kind) {
        case LOCHAN_PQ_OUT_BITS:
            spread_bits(out, slots, valid);
            break;
        case LOCHAN_PQ_OUT_STRING:
            spread_offsets32((int32_t *)(void *)out->values.data + out->length + 1,
                             out->validity.data, out->length, slots, valid);
            break;
        case LOCHAN_PQ_OUT_LARGE:
            spread_offsets64((int64_t *)(void *)out->values.data + out->length + 1,
                             out->validity.data, out->length, slots, valid);
            break;
        case LOCHAN_PQ_OUT_NULL:
            break;
        default:
            spread_fixed(out, slots, valid);
        }
    }
    out->length += slots;
    out->nulls += slots - valid;
}

static void release_vec(lochan_buffer *buffer) {
    free_data(buffer->data);
}

lochan_status lochan_pq_vec__give(lochan_pq_vec *v, struct ArrowArray *array, int slot,
                                  lochan_error *err) {
    lochan_buffer *buffer = lochan_buffer__wrap(v->data, v->len, release_vec, NULL);
    if (!buffer)
        return lochan_error__nomem(err);
    *v = (lochan_pq_vec){0};
    lochan_array__give_buffer(array, slot, buffer);
    return LOCHAN_OK;
}

static lochan_status give_view_data(lochan_pq_out *out, struct ArrowArray *array,
                                    lochan_error *err) {
    if (out->bytes_at >= 0) {
        lochan_buffer *data =
            lochan_buffer__wrap(out->bytes.data, out->bytes.len, release_vec, NULL);
        if (!data)
            return lochan_error__nomem(err);
        out->bytes = (lochan_pq_vec){0};
        out->shown[out->bytes_at] = data;
    }
    int n = out->n_shown;
    out->n_shown = 0; /* their references go with them */
    out->bytes_at = -1;
    return lochan_array__give_view_data(array, out->shown, n, err);
}

lochan_status lochan_pq_out__finish(lochan_pq_out *out, struct ArrowArray *array,
                                    lochan_error *err) {
    bool offsets = out->kind == LOCHAN_PQ_OUT_STRING || out->kind == LOCHAN_PQ_OUT_LARGE;
    int n_buffers = out->kind == LOCHAN_PQ_OUT_NULL ? 0 : offsets ? 3 : 2;
    lochan_status rc = lochan_array__init(array, n_buffers, 0, err);
    if (rc != LOCHAN_OK)
        return rc;
    array->length = out->length;
    array->null_count = out->kind == LOCHAN_PQ_OUT_NULL ? out->length : out->nulls;
    if (n_buffers > 0) {
        LOCHAN_TRYG(lochan_pq_out__reserve(out, 0, err)); /* an empty array has its buffers too */
        if (out->nulls > 0) {
            out->validity.len = (size_t)(out->length + 7) / 8;
            LOCHAN_TRYG(lochan_pq_vec__give(&out->validity, array, 0, err));
        }
        out->values.len = out->kind == LOCHAN_PQ_OUT_BITS
                              ? (size_t)(out->length + 7) / 8
                              : (size_t)(out->length + offsets) * (size_t)out->width;
        LOCHAN_TRYG(lochan_pq_vec__give(&out->values, array, 1, err));
    }
    if (offsets) {
        LOCHAN_TRYG(lochan_pq_vec__reserve(&out->bytes, 0, err));
        LOCHAN_TRYG(lochan_pq_vec__give(&out->bytes, array, 2, err));
    }
    if (out->kind == LOCHAN_PQ_OUT_VIEW)
        LOCHAN_TRYG(give_view_data(out, array, err));
done:
    if (rc != LOCHAN_OK)
        lochan_array__release(array);
    lochan_pq_out__free(out);
    return rc;
}
