/* view.c - typed reading of one column.
 * Invariant: nothing is checked here beyond what keeps a checked array safe; hostile arrays go
 * through check.c first. May call: base/, type.h, array.h.
 */
#include "arrow/view.h"
#include "arrow/decimal.h"
#include "arrow/half.h"
#include "base/mem.h"

static void set_buffers(lochan_view *view, const struct ArrowArray *array) {
    const void *const *buffers = array->buffers;
    if (array->n_buffers < 1 || view->type.id == LOCHAN_TYPE_NULL)
        return;
    view->validity = array->null_count == 0 ? NULL : buffers[0];
    switch (view->type.id) {
    case LOCHAN_TYPE_STRING:
    case LOCHAN_TYPE_BINARY:
    case LOCHAN_TYPE_LARGE_STRING:
    case LOCHAN_TYPE_LARGE_BINARY:
        view->offsets = buffers[1];
        view->bytes = buffers[2];
        break;
    case LOCHAN_TYPE_STRING_VIEW:
    case LOCHAN_TYPE_BINARY_VIEW:
        view->data = buffers[1];
        view->view_data = buffers + 2;
        break;
    case LOCHAN_TYPE_LIST:
    case LOCHAN_TYPE_LARGE_LIST:
    case LOCHAN_TYPE_MAP:
        view->offsets = buffers[1];
        break;
    case LOCHAN_TYPE_STRUCT:
    case LOCHAN_TYPE_FIXED_LIST:
        break;
    default:
        view->data = buffers[1];
    }
}

/* Buffers that the type has, views excepted. A cheap guard against a schema of another array. */
static int buffers_of(lochan_type_id id) {
    if (id == LOCHAN_TYPE_NULL)
        return 0;
    if (id == LOCHAN_TYPE_STRUCT || id == LOCHAN_TYPE_FIXED_LIST)
        return 1;
    return lochan_type__is_bytes(id) ? 3 : 2;
}

lochan_status lochan_view__init(lochan_view *view, const struct ArrowSchema *schema,
                                const struct ArrowArray *array, lochan_error *err) {
    memset(view, 0, sizeof *view);
    LOCHAN_TRY(lochan_type__parse(schema->format, &view->type, err));
    if (!array->release || array->n_buffers < buffers_of(view->type.id) ||
        array->n_children != schema->n_children || !array->dictionary != !schema->dictionary)
        return lochan_error__set(err, LOCHAN_ERR_DATA, "column '%.100s': array and schema differ",
                                 schema->name ? schema->name : "");
    view->length = array->length;
    view->offset = array->offset;
    view->null_count = array->null_count;
    view->array = array;
    view->schema = schema;
    set_buffers(view, array);
    if (!schema->dictionary)
        return LOCHAN_OK;

    lochan_view *values = lochan_mem__zalloc(sizeof *values);
    if (!values)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_view__init(values, schema->dictionary, array->dictionary, err);
    if (rc != LOCHAN_OK) {
        lochan_mem__free(values);
        return rc;
    }
    view->indices = view->data;
    view->index_id = view->type.id;
    view->data = NULL;
    view->type = values->type;
    view->dictionary = values;
    return LOCHAN_OK;
}

void lochan_view__deinit(lochan_view *view) {
    if (view->dictionary) {
        lochan_view__deinit(view->dictionary);
        lochan_mem__free(view->dictionary);
    }
    memset(view, 0, sizeof *view);
}

int64_t lochan_bit__count(const uint8_t *bits, int64_t offset, int64_t n) {
    int64_t ones = 0;
    int64_t i = offset;
    int64_t end = offset + n;
    for (; i < end && (i & 7); i++)
        ones += lochan_bit__get(bits, i);
    for (; end - i >= 64; i += 64) {
        uint64_t word;
        memcpy(&word, bits + (i >> 3), sizeof word);
        ones += __builtin_popcountll(word);
    }
    for (; i < end; i++)
        ones += lochan_bit__get(bits, i);
    return ones;
}

/* Integers of a width; `at` is the physical index. */
static int64_t int_at(lochan_type_id id, const void *data, int64_t at) {
    switch (id) {
    case LOCHAN_TYPE_BOOL:
        return lochan_bit__get(data, at);
    case LOCHAN_TYPE_INT8:
        return ((const int8_t *)data)[at];
    case LOCHAN_TYPE_UINT8:
        return ((const uint8_t *)data)[at];
    case LOCHAN_TYPE_INT16:
        return ((const int16_t *)data)[at];
    case LOCHAN_TYPE_UINT16:
    case LOCHAN_TYPE_FLOAT16:
        return ((const uint16_t *)data)[at];
    case LOCHAN_TYPE_INT32:
    case LOCHAN_TYPE_DATE32:
    case LOCHAN_TYPE_TIME32:
        return ((const int32_t *)data)[at];
    case LOCHAN_TYPE_UINT32:
        return ((const uint32_t *)data)[at];
    case LOCHAN_TYPE_INT64:
    case LOCHAN_TYPE_UINT64:
    case LOCHAN_TYPE_DATE64:
    case LOCHAN_TYPE_TIME64:
    case LOCHAN_TYPE_TIMESTAMP:
    case LOCHAN_TYPE_DURATION:
        return ((const int64_t *)data)[at];
    default:
        return 0;
    }
}

int64_t lochan_view__key(const lochan_view *v, int64_t i) {
    return int_at(v->index_id, v->indices, v->offset + i);
}

bool lochan_view__is_null(const lochan_view *v, int64_t i) {
    if (!lochan_view__is_valid(v, i))
        return true;
    return v->dictionary && lochan_view__is_null(v->dictionary, lochan_view__key(v, i));
}

int64_t lochan_view__int64(const lochan_view *v, int64_t i) {
    if (v->dictionary)
        return lochan_view__int64(v->dictionary, lochan_view__key(v, i));
    return int_at(v->type.id, v->data, v->offset + i);
}

double lochan_view__double(const lochan_view *v, int64_t i) {
    if (v->dictionary)
        return lochan_view__double(v->dictionary, lochan_view__key(v, i));
    int64_t at = v->offset + i;
    switch (v->type.id) {
    case LOCHAN_TYPE_FLOAT64:
        return ((const double *)v->data)[at];
    case LOCHAN_TYPE_FLOAT32:
        return (double)((const float *)v->data)[at];
    case LOCHAN_TYPE_FLOAT16:
        return lochan_half__to_double(((const uint16_t *)v->data)[at]);
    case LOCHAN_TYPE_UINT64:
        return (double)((const uint64_t *)v->data)[at];
    case LOCHAN_TYPE_DECIMAL128:
        return lochan_decimal__to_double((const uint8_t *)v->data + 16 * at, 16, v->type.scale);
    case LOCHAN_TYPE_DECIMAL256:
        return lochan_decimal__to_double((const uint8_t *)v->data + 32 * at, 32, v->type.scale);
    default:
        return (double)int_at(v->type.id, v->data, at);
    }
}

lochan_str lochan_view__bytes(const lochan_view *v, int64_t i) {
    if (v->dictionary)
        return lochan_view__bytes(v->dictionary, lochan_view__key(v, i));
    int64_t at = v->offset + i;
    const char *bytes = (const char *)v->bytes;
    switch (v->type.id) {
    case LOCHAN_TYPE_STRING:
    case LOCHAN_TYPE_BINARY: {
        const int32_t *o = (const int32_t *)v->offsets + at;
        return (lochan_str){bytes ? bytes + o[0] : "", (size_t)(o[1] - o[0])};
    }
    case LOCHAN_TYPE_LARGE_STRING:
    case LOCHAN_TYPE_LARGE_BINARY: {
        const int64_t *o = (const int64_t *)v->offsets + at;
        return (lochan_str){bytes ? bytes + o[0] : "", (size_t)(o[1] - o[0])};
    }
    case LOCHAN_TYPE_STRING_VIEW:
    case LOCHAN_TYPE_BINARY_VIEW: {
        const uint8_t *ref = (const uint8_t *)v->data + 16 * at;
        int32_t head[4]; /* length, first four bytes, data buffer, offset */
        memcpy(head, ref, sizeof head);
        if (head[0] <= 12)
            return (lochan_str){(const char *)ref + 4, (size_t)head[0]};
        return (lochan_str){(const char *)v->view_data[head[2]] + head[3], (size_t)head[0]};
    }
    case LOCHAN_TYPE_FIXED_BINARY:
        return (lochan_str){(const char *)v->data + at * v->type.byte_width,
                            (size_t)v->type.byte_width};
    default:
        return (lochan_str){"", 0};
    }
}

void lochan_view__list_range(const lochan_view *v, int64_t i, int64_t *begin, int64_t *end) {
    int64_t at = v->offset + i;
    if (v->type.id == LOCHAN_TYPE_FIXED_LIST) {
        *begin = at * v->type.byte_width;
        *end = *begin + v->type.byte_width;
    } else if (v->type.id == LOCHAN_TYPE_LARGE_LIST) {
        *begin = ((const int64_t *)v->offsets)[at];
        *end = ((const int64_t *)v->offsets)[at + 1];
    } else {
        *begin = ((const int32_t *)v->offsets)[at];
        *end = ((const int32_t *)v->offsets)[at + 1];
    }
}
