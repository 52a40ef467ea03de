/* take.c - rows by index, from one array or from many.
 * Invariant: indices are checked once at the door; inner loops are typed by width and by the kind
 * of the selection. May call: base/, array.h, spans.h, kernels.h.
 */
#include "arrow/kernels.h"
#include "arrow/spans.h"
#include "arrow/view.h"

#include <inttypes.h>

/* Either rows (one source, -1 = null) or batch_of and row_of. */
typedef struct pick {
    size_t n;
    const int64_t *rows;
    const uint32_t *batch_of;
    const uint32_t *row_of;
    bool may_null;
} pick;

/* One source as the inner loops want it; `at` leads from a row to the physical slot. */
typedef struct source {
    const struct ArrowArray *array;
    const uint8_t *validity;
    const void *data;
    const uint8_t *bytes;
    int64_t at;
} source;

/* Runs a statement with b = number of the source and r = its row (-1: null) for each picked row i.
 */
#define EACH_PICK(p, statement)                                                                    \
    do {                                                                                           \
        if ((p)->rows) {                                                                           \
            for (size_t i = 0; i < (p)->n; i++) {                                                  \
                const size_t b = 0;                                                                \
                const int64_t r = (p)->rows[i];                                                    \
                (void)b;                                                                           \
                statement;                                                                         \
            }                                                                                      \
        } else {                                                                                   \
            for (size_t i = 0; i < (p)->n; i++) {                                                  \
                const size_t b = (p)->batch_of[i];                                                 \
                const int64_t r = (p)->row_of[i];                                                  \
                statement;                                                                         \
            }                                                                                      \
        }                                                                                          \
    } while (0)

typedef struct wide16 {
    uint64_t a, b;
} wide16;

#define TAKE_FIXED(T)                                                                              \
    static void take_##T(const source *s, const pick *p, void *to) {                               \
        T *out = to;                                                                               \
        const T zero = {0};                                                                        \
        EACH_PICK(p, out[i] = r < 0 ? zero : ((const T *)s[b].data)[s[b].at + r]);                 \
    }
TAKE_FIXED(uint8_t)
TAKE_FIXED(uint16_t)
TAKE_FIXED(uint32_t)
TAKE_FIXED(uint64_t)
TAKE_FIXED(wide16)

static void take_wide(const source *s, const pick *p, void *to, size_t width) {
    uint8_t *out = to;
    EACH_PICK(p, if (r < 0) memset(out + i * width, 0, width);
              else memcpy(out + i * width,
                          (const uint8_t *)s[b].data + (size_t)(s[b].at + r) * width, width));
}

static lochan_status take_fixed(const source *s, const pick *p, size_t width,
                                struct ArrowArray *out, lochan_error *err) {
    LOCHAN_TRY(lochan_array__make_values(out, 1, (int64_t)p->n, width, err));
    void *to = (void *)(uintptr_t)out->buffers[1];
    switch (width) {
    case 0:
        break;
    case 1:
        take_uint8_t(s, p, to);
        break;
    case 2:
        take_uint16_t(s, p, to);
        break;
    case 4:
        take_uint32_t(s, p, to);
        break;
    case 8:
        take_uint64_t(s, p, to);
        break;
    default:
        /* 16 bytes from outside need not be aligned to 8 */
        if (width == 16 && ((uintptr_t)s[0].data & 7) == 0 && p->rows)
            take_wide16(s, p, to);
        else
            take_wide(s, p, to, width);
    }
    return LOCHAN_OK;
}

static lochan_status take_bools(const source *s, const pick *p, struct ArrowArray *out,
                                lochan_error *err) {
    LOCHAN_TRY(lochan_array__make_bits(out, 1, (int64_t)p->n, err));
    uint8_t *to = (uint8_t *)(uintptr_t)out->buffers[1];
    EACH_PICK(p, to[i >> 3] |=
                 (uint8_t)((r >= 0 && lochan_bit__get(s[b].data, s[b].at + r)) << (i & 7)));
    return LOCHAN_OK;
}

static lochan_status take_validity(const source *s, size_t n_sources, const pick *p,
                                   struct ArrowArray *out, lochan_error *err) {
    bool may_null = p->may_null;
    for (size_t i = 0; i < n_sources && !may_null; i++)
        may_null = s[i].validity != NULL;
    if (!may_null || p->n == 0) {
        out->null_count = 0;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(lochan_array__make_bits(out, 0, (int64_t)p->n, err));
    uint8_t *to = (uint8_t *)(uintptr_t)out->buffers[0];
    EACH_PICK(p,
              to[i >> 3] |=
              (uint8_t)((r >= 0 && (!s[b].validity || lochan_bit__get(s[b].validity, s[b].at + r)))
                        << (i & 7)));
    lochan_array__settle_nulls(out);
    return LOCHAN_OK;
}

static lochan_status too_long(const char *what, size_t rows, lochan_error *err) {
    return lochan_error__set(
        err, LOCHAN_ERR_UNSUPPORTED,
        "more than 2 GiB of %s in one array of %zu rows: use smaller batches or the large type",
        what, rows);
}

/* Offsets, then bytes, in two passes; the second one knows that there is room. */
#define TAKE_BYTES(T, LIMIT)                                                                       \
    static lochan_status take_bytes_##T(const source *s, const pick *p, struct ArrowArray *out,    \
                                        lochan_error *err) {                                       \
        LOCHAN_TRY(lochan_array__make_values(out, 1, (int64_t)p->n + 1, sizeof(T), err));          \
        T *to = (T *)(uintptr_t)out->buffers[1];                                                   \
        int64_t end = 0;                                                                           \
        bool over = false;                                                                         \
        EACH_PICK(                                                                                 \
            p, to[i] = (T)end; if (r >= 0) {                                                       \
                const T *o = (const T *)s[b].data + s[b].at + r;                                   \
                over |=                                                                            \
                    __builtin_add_overflow(end, (int64_t)(o[1] - o[0]), &end) || end > (LIMIT);    \
            } if (over) break);                                                                    \
        if (over)                                                                                  \
            return too_long("text", p->n, err);                                                    \
        to[p->n] = (T)end;                                                                         \
        LOCHAN_TRY(lochan_array__make_buffer(out, 2, (size_t)end, err));                           \
        uint8_t *bytes = (uint8_t *)(uintptr_t)out->buffers[2];                                    \
        EACH_PICK(p, if (r >= 0 && to[i + 1] > to[i])                                              \
                         memcpy(bytes + to[i], s[b].bytes + ((const T *)s[b].data)[s[b].at + r],   \
                                (size_t)(to[i + 1] - to[i])));                                     \
        return LOCHAN_OK;                                                                          \
    }
TAKE_BYTES(int32_t, INT32_MAX)
TAKE_BYTES(int64_t, INT64_MAX)

static lochan_status take_views(const source *s, size_t n_sources, const pick *p,
                                struct ArrowArray *out, lochan_error *err) {
    LOCHAN_TRY(take_fixed(s, p, 16, out, err));
    uint8_t *views = (uint8_t *)(uintptr_t)out->buffers[1];
    const uint8_t *bits = out->buffers[0];
    for (size_t i = 0; bits && i < p->n; i++) {
        if (!lochan_bit__get(bits, (int64_t)i))
            memset(views + 16 * i, 0, 16);
    }
    lochan_view_writer w = {0};
    lochan_status rc = LOCHAN_OK;
    for (size_t i = 0; i < n_sources; i++)
        LOCHAN_TRYG(lochan_view_writer__declare(&w, s[i].array, err));
    LOCHAN_TRYG(lochan_view_writer__start(&w, views, (int64_t)p->n, err));
    if (p->rows) {
        LOCHAN_TRYG(lochan_view_writer__fix(&w, 0, views, (int64_t)p->n, err));
    } else {
        for (size_t i = 0; i < p->n; i++)
            LOCHAN_TRYG(lochan_view_writer__fix(&w, p->batch_of[i], views + 16 * i, 1, err));
    }
    LOCHAN_TRYG(lochan_view_writer__finish(&w, out, err));
done:
    lochan_view_writer__deinit(&w);
    return rc;
}

/* Lists: the items of each picked row are a span of the child. */
static lochan_status take_lists(const struct ArrowSchema *schema, const source *s, const pick *p,
                                bool large, struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_span *spans = lochan_mem__array(p->n ? p->n : 1, sizeof(*spans));
    if (!spans)
        return lochan_error__nomem(err);
    int64_t end = 0;
    LOCHAN_TRYG(lochan_array__make_values(out, 1, (int64_t)p->n + 1, large ? 8 : 4, err));
    int32_t *to32 = (int32_t *)(uintptr_t)out->buffers[1];
    int64_t *to64 = (int64_t *)(uintptr_t)out->buffers[1];
    for (size_t i = 0; i <= p->n; i++) {
        if (large)
            to64[i] = end;
        else
            to32[i] = (int32_t)end;
        if (i == p->n)
            break;
        const source *from = &s[p->rows ? 0 : p->batch_of[i]];
        int64_t r = p->rows ? p->rows[i] : (int64_t)p->row_of[i];
        spans[i].array = from->array->children[0];
        if (r < 0)
            continue;
        int64_t row = from->at + r - from->array->offset;
        spans[i].start = lochan_array__offset_at(from->array, large, row);
        spans[i].n = lochan_array__offset_at(from->array, large, row + 1) - spans[i].start;
        if (__builtin_add_overflow(end, spans[i].n, &end) || (!large && end > INT32_MAX)) {
            rc = too_long("list items", p->n, err);
            goto done;
        }
    }
    LOCHAN_TRYG(lochan_spans__copy(schema->children[0], spans, p->n, out->children[0], err));
done:
    lochan_mem__free(spans);
    return rc;
}

static lochan_status take_fixed_lists(const struct ArrowSchema *schema, const source *s,
                                      const pick *p, int64_t items, struct ArrowArray *out,
                                      lochan_error *err) {
    lochan_span *spans = lochan_mem__array(p->n ? p->n : 1, sizeof(*spans));
    if (!spans)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < p->n; i++) {
        const source *from = &s[p->rows ? 0 : p->batch_of[i]];
        int64_t r = p->rows ? p->rows[i] : (int64_t)p->row_of[i];
        spans[i] = (lochan_span){r < 0 ? NULL : from->array->children[0],
                                 r < 0 ? 0 : (from->at + r) * items, items};
    }
    lochan_status rc = lochan_spans__copy(schema->children[0], spans, p->n, out->children[0], err);
    lochan_mem__free(spans);
    return rc;
}

static lochan_status take_column(const struct ArrowSchema *schema,
                                 const struct ArrowArray *const *arrays, const int64_t *shifts,
                                 size_t n_sources, const pick *p, struct ArrowArray *out,
                                 lochan_error *err);

static lochan_status take_struct(const struct ArrowSchema *schema, const source *s,
                                 size_t n_sources, const pick *p, struct ArrowArray *out,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const struct ArrowArray **arrays = lochan_mem__array(n_sources, sizeof(*arrays));
    int64_t *shifts = lochan_mem__array(n_sources, sizeof(*shifts));
    if (!arrays || !shifts) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int64_t c = 0; c < schema->n_children; c++) {
        for (size_t i = 0; i < n_sources; i++) {
            arrays[i] = s[i].array->children[c];
            shifts[i] = s[i].at;
        }
        rc = take_column(schema->children[c], arrays, shifts, n_sources, p, out->children[c], err);
        if (rc != LOCHAN_OK) {
            lochan_error__in_table(err, rc, NULL, schema->children[c]->name, -1);
            goto done;
        }
    }
done:
    lochan_mem__free(arrays);
    lochan_mem__free(shifts);
    return rc;
}

/* Keys are taken as they are, then turned into keys of the joined dictionary, in runs of one
 * source. */
static lochan_status take_dictionary(const struct ArrowSchema *schema, const lochan_type *key,
                                     const source *s, size_t n_sources, const pick *p,
                                     struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_dict_join join = {0};
    size_t width = (size_t)lochan_type__byte_width(key);
    const struct ArrowArray **arrays = lochan_mem__array(n_sources, sizeof(*arrays));
    struct ArrowArray *dictionary = lochan_array__add_dictionary(out);
    if (!arrays || !dictionary) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < n_sources; i++)
        arrays[i] = s[i].array;
    LOCHAN_TRYG(take_fixed(s, p, width, out, err));
    LOCHAN_TRYG(lochan_dict_join__make(&join, schema, arrays, n_sources, dictionary, err));
    uint8_t *keys = (uint8_t *)(uintptr_t)out->buffers[1];
    for (size_t i = 0, end; i < p->n; i = end) {
        size_t b = p->rows ? 0 : p->batch_of[i];
        end = p->rows ? p->n : i + 1;
        while (end < p->n && p->batch_of[end] == b)
            end++;
        LOCHAN_TRYG(lochan_dict_join__apply(&join, b, key->id, keys + i * width, (int64_t)(end - i),
                                            out->buffers[0], (int64_t)i, err));
    }
done:
    lochan_dict_join__deinit(&join);
    lochan_mem__free(arrays);
    return rc;
}

static lochan_status take_typed(const struct ArrowSchema *schema, const lochan_type *type,
                                const source *s, size_t n_sources, const pick *p,
                                struct ArrowArray *out, lochan_error *err) {
    if (schema->dictionary)
        return take_dictionary(schema, type, s, n_sources, p, out, err);
    switch (type->id) {
    case LOCHAN_TYPE_BOOL:
        return take_bools(s, p, out, err);
    case LOCHAN_TYPE_STRING:
    case LOCHAN_TYPE_BINARY:
        return take_bytes_int32_t(s, p, out, err);
    case LOCHAN_TYPE_LARGE_STRING:
    case LOCHAN_TYPE_LARGE_BINARY:
        return take_bytes_int64_t(s, p, out, err);
    case LOCHAN_TYPE_STRING_VIEW:
    case LOCHAN_TYPE_BINARY_VIEW:
        return take_views(s, n_sources, p, out, err);
    case LOCHAN_TYPE_LIST:
    case LOCHAN_TYPE_MAP:
        return take_lists(schema, s, p, false, out, err);
    case LOCHAN_TYPE_LARGE_LIST:
        return take_lists(schema, s, p, true, out, err);
    case LOCHAN_TYPE_FIXED_LIST:
        return take_fixed_lists(schema, s, p, type->byte_width, out, err);
    case LOCHAN_TYPE_STRUCT:
        return take_struct(schema, s, n_sources, p, out, err);
    default:
        return take_fixed(s, p, (size_t)lochan_type__byte_width(type), out, err);
    }
}

static lochan_status take_column(const struct ArrowSchema *schema,
                                 const struct ArrowArray *const *arrays, const int64_t *shifts,
                                 size_t n_sources, const pick *p, struct ArrowArray *out,
                                 lochan_error *err) {
    lochan_type type;
    LOCHAN_TRY(lochan_type__parse(schema->format, &type, err));
    LOCHAN_TRY(lochan_array__init(out, lochan_type__buffers(&type, schema->dictionary != NULL),
                                  schema->n_children, err));
    out->length = (int64_t)p->n;
    if (type.id == LOCHAN_TYPE_NULL && !schema->dictionary) {
        out->null_count = out->length;
        return LOCHAN_OK;
    }
    lochan_status rc = LOCHAN_OK;
    source *s = lochan_mem__array(n_sources, sizeof(*s));
    if (!s) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < n_sources; i++) {
        const struct ArrowArray *a = arrays[i];
        s[i] = (source){a, lochan_array__validity(a), a->n_buffers > 1 ? a->buffers[1] : NULL,
                        a->n_buffers > 2 ? a->buffers[2] : NULL, a->offset + shifts[i]};
    }
    LOCHAN_TRYG(take_validity(s, n_sources, p, out, err));
    LOCHAN_TRYG(take_typed(schema, &type, s, n_sources, p, out, err));
done:
    lochan_mem__free(s);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

/* Picks that follow each other are copied as spans when their runs are this long on average. */
enum { LONG_RUN = 16 };

/* Span of pick i as a run of one row. */
static lochan_span span_at(const pick *p, const struct ArrowArray *const *batches, size_t i) {
    if (!p->rows)
        return (lochan_span){batches[p->batch_of[i]], p->row_of[i], 1};
    return p->rows[i] < 0 ? (lochan_span){NULL, 0, 1} : (lochan_span){batches[0], p->rows[i], 1};
}

/* Whether span `next` goes on where the run ends. */
static bool follows(const lochan_span *run, const lochan_span *next) {
    return run->array == next->array && (!run->array || run->start + run->n == next->start);
}

static size_t count_runs(const pick *p, const struct ArrowArray *const *batches) {
    size_t runs = p->n > 0;
    for (size_t i = 1; i < p->n; i++) {
        lochan_span before = span_at(p, batches, i - 1), here = span_at(p, batches, i);
        runs += !follows(&before, &here);
    }
    return runs;
}

static lochan_status take_runs(const struct ArrowSchema *schema, const pick *p,
                               const struct ArrowArray *const *batches, size_t runs,
                               struct ArrowArray *out, lochan_error *err) {
    lochan_span *spans = lochan_mem__array(runs + 1, sizeof(*spans));
    if (!spans)
        return lochan_error__nomem(err);
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        lochan_span here = span_at(p, batches, i);
        if (n > 0 && follows(&spans[n - 1], &here))
            spans[n - 1].n++;
        else
            spans[n++] = here;
    }
    lochan_status rc = lochan_spans__copy(schema, spans, n, out, err);
    lochan_mem__free(spans);
    return rc;
}

/* The picks are checked: by runs if they are long, else by index. */
static lochan_status take_picks(const struct ArrowSchema *schema, const pick *p,
                                const struct ArrowArray *const *batches, size_t n_batches,
                                struct ArrowArray *out, lochan_error *err) {
    size_t runs = count_runs(p, batches);
    if (runs * LONG_RUN <= p->n)
        return take_runs(schema, p, batches, runs, out, err);
    int64_t *shifts = lochan_mem__array(n_batches, sizeof(*shifts));
    if (!shifts)
        return lochan_error__nomem(err);
    lochan_status rc = take_column(schema, batches, shifts, n_batches, p, out, err);
    lochan_mem__free(shifts);
    return rc;
}

lochan_status lochan_take(const struct ArrowSchema *schema, const struct ArrowArray *in,
                          const int64_t *rows, size_t n, struct ArrowArray *out,
                          lochan_error *err) {
    memset(out, 0, sizeof(*out));
    LOCHAN_CHECK_ARG(rows || n == 0, err);
    static const int64_t none;
    pick p = {.n = n, .rows = rows ? rows : &none};
    for (size_t i = 0; i < n; i++) {
        if (rows[i] >= in->length || rows[i] < -1)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "take: row %" PRId64 " of an array of %" PRId64 " rows",
                                     rows[i], in->length);
        p.may_null |= rows[i] < 0;
    }
    return take_picks(schema, &p, &in, 1, out, err);
}

lochan_status lochan_take_many(const struct ArrowSchema *schema,
                               const struct ArrowArray *const *batches, size_t n_batches,
                               const uint32_t *batch_of, const uint32_t *row_of, size_t n,
                               struct ArrowArray *out, lochan_error *err) {
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < n; i++) {
        if (batch_of[i] >= n_batches || row_of[i] >= batches[batch_of[i]]->length)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "take: row %" PRIu32 " of batch %" PRIu32 ", of %zu batches",
                                     row_of[i], batch_of[i], n_batches);
    }
    pick p = {.n = n, .batch_of = batch_of, .row_of = row_of};
    return take_picks(schema, &p, batches, n_batches, out, err);
}
