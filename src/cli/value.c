/* value.c - one value of an Arrow array as text, JSON or number.
 * Invariants: see value.h. JSON has no infinities: nan and inf are null there. May call: libc.
 */
#include "cli/value.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool bit(const void *bits, int64_t i) {
    return ((const uint8_t *)bits)[i >> 3] >> (i & 7) & 1;
}

bool lochan_cli__is_null(const lochan_cli_type *type, const struct ArrowArray *array, int64_t row) {
    if (type->kind == LOCHAN_CLI_NULL)
        return true;
    if (array->null_count != 0 && array->buffers[0] && !bit(array->buffers[0], row + array->offset))
        return true;
    if (type->kind == LOCHAN_CLI_DICTIONARY)
        return lochan_cli__is_null(type->children[0], array->dictionary,
                                   lochan_cli__integer(type, array, row));
    return false;
}

int64_t lochan_cli__integer(const lochan_cli_type *type, const struct ArrowArray *array,
                            int64_t row) {
    const void *values = array->buffers[1];
    int64_t i = row + array->offset;
    bool u = type->is_unsigned;
    switch (type->width) {
    case 8:
        return u ? (int64_t)((const uint8_t *)values)[i] : (int64_t)((const int8_t *)values)[i];
    case 16:
        return u ? (int64_t)((const uint16_t *)values)[i] : (int64_t)((const int16_t *)values)[i];
    case 32:
        return u ? (int64_t)((const uint32_t *)values)[i] : (int64_t)((const int32_t *)values)[i];
    default:
        return ((const int64_t *)values)[i];
    }
}

static double float_at(const lochan_cli_type *type, const struct ArrowArray *array, int64_t row) {
    const void *values = array->buffers[1];
    int64_t i = row + array->offset;
    if (type->width == 16)
        return lochan_cli__half(((const uint16_t *)values)[i]);
    return type->width == 32 ? (double)((const float *)values)[i] : ((const double *)values)[i];
}

/* The bytes of a string or binary value. */
static const char *bytes_at(const lochan_cli_type *type, const struct ArrowArray *array,
                            int64_t row, size_t *n) {
    int64_t i = row + array->offset;
    const char *data = array->n_buffers > 2 ? array->buffers[2] : NULL;
    if (type->layout == LOCHAN_CLI_FIXED) {
        *n = (size_t)type->fixed;
        return (const char *)array->buffers[1] + i * type->fixed;
    }
    if (type->layout ==
        LOCHAN_CLI_VIEWS) { /* 16 bytes: length, then the text or its start, buffer, offset */
        const char *view = (const char *)array->buffers[1] + i * 16;
        int32_t parts[4];
        memcpy(parts, view, sizeof parts);
        *n = (size_t)parts[0];
        return parts[0] <= 12 ? view + 4 : (const char *)array->buffers[2 + parts[2]] + parts[3];
    }
    if (type->layout == LOCHAN_CLI_OFFSETS_64) {
        const int64_t *offsets = array->buffers[1];
        *n = (size_t)(offsets[i + 1] - offsets[i]);
        return *n ? data + offsets[i] : "";
    }
    const int32_t *offsets = array->buffers[1];
    *n = (size_t)(offsets[i + 1] - offsets[i]);
    return *n ? data + offsets[i] : "";
}

static void add_json(lochan_cli_text *t, const lochan_cli_type *type,
                     const struct ArrowArray *array, int64_t row) {
    lochan_cli__add_value(t, type, array, row, LOCHAN_CLI_JSON);
}

static void add_list(lochan_cli_text *t, const lochan_cli_type *type,
                     const struct ArrowArray *array, int64_t row) {
    int64_t i = row + array->offset, from, to;
    if (type->layout == LOCHAN_CLI_FIXED) {
        from = i * type->fixed;
        to = from + type->fixed;
    } else if (type->layout == LOCHAN_CLI_OFFSETS_64) {
        from = ((const int64_t *)array->buffers[1])[i];
        to = ((const int64_t *)array->buffers[1])[i + 1];
    } else {
        from = ((const int32_t *)array->buffers[1])[i];
        to = ((const int32_t *)array->buffers[1])[i + 1];
    }
    lochan_cli__addc(t, '[');
    for (int64_t k = from; k < to; k++) {
        if (k > from)
            lochan_cli__addc(t, ',');
        add_json(t, type->children[0], array->children[0], k);
    }
    lochan_cli__addc(t, ']');
}

static void add_struct(lochan_cli_text *t, const lochan_cli_type *type,
                       const struct ArrowArray *array, int64_t row) {
    lochan_cli__addc(t, '{');
    for (size_t k = 0; k < type->n_children; k++) {
        if (k > 0)
            lochan_cli__addc(t, ',');
        lochan_cli__add_json(t, type->children[k]->name, strlen(type->children[k]->name));
        lochan_cli__addc(t, ':');
        add_json(t, type->children[k], array->children[k], row + array->offset);
    }
    lochan_cli__addc(t, '}');
}

static void add_float(lochan_cli_text *t, const lochan_cli_type *type,
                      const struct ArrowArray *array, int64_t row, lochan_cli_style style) {
    double v = float_at(type, array, row);
    if (style == LOCHAN_CLI_JSON && !isfinite(v))
        lochan_cli__adds(t, "null");
    else if (type->width == 64)
        lochan_cli__add_double(t, v);
    else
        lochan_cli__add_float(t, (float)v);
}

static void add_bytes(lochan_cli_text *t, const lochan_cli_type *type,
                      const struct ArrowArray *array, int64_t row, lochan_cli_style style) {
    size_t n;
    const char *s = bytes_at(type, array, row, &n);
    if (type->kind == LOCHAN_CLI_STRING) {
        if (style == LOCHAN_CLI_JSON)
            lochan_cli__add_json(t, s, n);
        else
            lochan_cli__add(t, s, n);
        return;
    }
    if (style == LOCHAN_CLI_JSON)
        lochan_cli__addc(t, '"');
    for (size_t i = 0; i < n; i++)
        lochan_cli__addf(t, "%02x", (unsigned char)s[i]);
    if (style == LOCHAN_CLI_JSON)
        lochan_cli__addc(t, '"');
}

static void add_moment(lochan_cli_text *t, const lochan_cli_type *type,
                       const struct ArrowArray *array, int64_t row, lochan_cli_style style) {
    int64_t v = lochan_cli__integer(type, array, row);
    if (style == LOCHAN_CLI_JSON)
        lochan_cli__addc(t, '"');
    if (type->kind == LOCHAN_CLI_DATE) {
        lochan_cli__add_date(t, type->width == 32 ? v : v / 86400000 - (v % 86400000 < 0));
    } else if (type->kind == LOCHAN_CLI_TIME) {
        lochan_cli__add_time(t, v, type->per_second, type->digits);
    } else {
        char between = style == LOCHAN_CLI_JSON ? 'T' : ' ';
        lochan_cli__add_timestamp(t, v, type->per_second, type->digits, between);
        if (type->has_zone)
            lochan_cli__addc(t, 'Z');
    }
    if (style == LOCHAN_CLI_JSON)
        lochan_cli__addc(t, '"');
}

void lochan_cli__add_value(lochan_cli_text *t, const lochan_cli_type *type,
                           const struct ArrowArray *array, int64_t row, lochan_cli_style style) {
    if (lochan_cli__is_null(type, array, row)) {
        if (style == LOCHAN_CLI_JSON)
            lochan_cli__adds(t, "null");
        return;
    }
    switch (type->kind) {
    case LOCHAN_CLI_NULL:
        return;
    case LOCHAN_CLI_BOOL:
        lochan_cli__adds(t, bit(array->buffers[1], row + array->offset) ? "true" : "false");
        return;
    case LOCHAN_CLI_INT:
    case LOCHAN_CLI_DURATION:
        if (type->is_unsigned)
            lochan_cli__addf(t, "%llu", (unsigned long long)lochan_cli__integer(type, array, row));
        else
            lochan_cli__addf(t, "%lld", (long long)lochan_cli__integer(type, array, row));
        return;
    case LOCHAN_CLI_FLOAT:
        add_float(t, type, array, row, style);
        return;
    case LOCHAN_CLI_DECIMAL:
        lochan_cli__add_decimal(
            t, (const char *)array->buffers[1] + (row + array->offset) * (type->width / 8),
            type->width / 8, type->scale);
        return;
    case LOCHAN_CLI_STRING:
    case LOCHAN_CLI_BINARY:
        add_bytes(t, type, array, row, style);
        return;
    case LOCHAN_CLI_DATE:
    case LOCHAN_CLI_TIME:
    case LOCHAN_CLI_TIMESTAMP:
        add_moment(t, type, array, row, style);
        return;
    case LOCHAN_CLI_LIST:
    case LOCHAN_CLI_MAP:
        add_list(t, type, array, row);
        return;
    case LOCHAN_CLI_STRUCT:
        add_struct(t, type, array, row);
        return;
    case LOCHAN_CLI_DICTIONARY:
        lochan_cli__add_value(t, type->children[0], array->dictionary,
                              lochan_cli__integer(type, array, row), style);
        return;
    }
}

bool lochan_cli__is_number(const lochan_cli_type *type) {
    return type->kind == LOCHAN_CLI_INT || type->kind == LOCHAN_CLI_FLOAT ||
           type->kind == LOCHAN_CLI_DECIMAL || type->kind == LOCHAN_CLI_DURATION ||
           (type->kind == LOCHAN_CLI_DICTIONARY && lochan_cli__is_number(type->children[0]));
}

bool lochan_cli__number(const lochan_cli_type *type, const struct ArrowArray *array, int64_t row,
                        double *out) {
    if (lochan_cli__is_null(type, array, row))
        return false;
    switch (type->kind) {
    case LOCHAN_CLI_FLOAT:
        *out = float_at(type, array, row);
        return isfinite(*out);
    case LOCHAN_CLI_INT:
        *out = type->is_unsigned ? (double)(uint64_t)lochan_cli__integer(type, array, row)
                                 : (double)lochan_cli__integer(type, array, row);
        return true;
    case LOCHAN_CLI_DATE:
        *out = (double)lochan_cli__integer(type, array, row) / (type->width == 32 ? 1 : 86400000);
        return true;
    case LOCHAN_CLI_TIME:
    case LOCHAN_CLI_TIMESTAMP:
    case LOCHAN_CLI_DURATION:
        *out = (double)lochan_cli__integer(type, array, row) / (double)type->per_second;
        return true;
    case LOCHAN_CLI_DECIMAL: {
        lochan_cli_text t = {0};
        lochan_cli__add_value(&t, type, array, row, LOCHAN_CLI_PLAIN);
        *out = strtod(t.data, NULL);
        lochan_cli__free(&t);
        return true;
    }
    default:
        return false;
    }
}
