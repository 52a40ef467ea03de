/* cells.c - setting up a column and reading single values of it.
 * Invariant: nothing is allocated. May call: base/, type.h, cells.h.
 */
#include "arrow/cells.h"
#include "arrow/half.h"
#include "arrow/spans.h"

static void set_values(lochan_cells *c, const struct ArrowSchema *schema,
                       const struct ArrowArray *array) {
    c->schema = schema;
    c->array = array;
    c->validity = lochan_array__validity(array);
    c->data = array->n_buffers > 1 ? array->buffers[1] : NULL;
    c->bytes = array->n_buffers > 2 && array->buffers[2] ? array->buffers[2] : (const uint8_t *)"";
    c->at = array->offset;
}

lochan_status lochan_cells__init(lochan_cells *c, const struct ArrowSchema *schema,
                                 const struct ArrowArray *array, int64_t shift, lochan_error *err) {
    memset(c, 0, sizeof(*c));
    c->length = array->length;
    if (!schema->dictionary) {
        LOCHAN_TRY(lochan_type__parse(schema->format, &c->type, err));
        set_values(c, schema, array);
        c->at += shift;
        return LOCHAN_OK;
    }
    lochan_type key;
    LOCHAN_TRY(lochan_type__parse(schema->format, &key, err));
    LOCHAN_TRY(lochan_type__parse(schema->dictionary->format, &c->type, err));
    if (schema->dictionary->dictionary)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "column %s: a dictionary of dictionaries",
                                 schema->name ? schema->name : "");
    if (!array->dictionary)
        return lochan_error__set(err, LOCHAN_ERR_DATA, "column %s: the dictionary is missing",
                                 schema->name ? schema->name : "");
    set_values(c, schema->dictionary, array->dictionary);
    static const int64_t no_keys;
    c->keys = array->n_buffers > 1 && array->buffers[1] ? array->buffers[1] : &no_keys;
    c->key_id = key.id;
    c->keys_validity = lochan_array__validity(array);
    c->keys_at = array->offset + shift;
    return LOCHAN_OK;
}

lochan_cells lochan_cells__dictionary(const lochan_cells *c) {
    lochan_cells values = *c;
    values.keys = NULL;
    values.keys_validity = NULL;
    values.length = c->array->length;
    return values;
}

int64_t lochan_cells__int(const lochan_cells *c, int64_t slot) {
    switch (c->type.id) {
    case LOCHAN_TYPE_BOOL:
        return lochan_bit__get(c->data, slot);
    case LOCHAN_TYPE_INT8:
        return ((const int8_t *)c->data)[slot];
    case LOCHAN_TYPE_UINT8:
        return ((const uint8_t *)c->data)[slot];
    case LOCHAN_TYPE_INT16:
        return ((const int16_t *)c->data)[slot];
    case LOCHAN_TYPE_UINT16:
        return ((const uint16_t *)c->data)[slot];
    case LOCHAN_TYPE_INT32:
    case LOCHAN_TYPE_DATE32:
    case LOCHAN_TYPE_TIME32:
        return ((const int32_t *)c->data)[slot];
    case LOCHAN_TYPE_UINT32:
        return ((const uint32_t *)c->data)[slot];
    default:
        return ((const int64_t *)c->data)[slot];
    }
}

double lochan_cells__float(const lochan_cells *c, int64_t slot) {
    switch (c->type.id) {
    case LOCHAN_TYPE_FLOAT16:
        return lochan_half__to_double(((const uint16_t *)c->data)[slot]);
    case LOCHAN_TYPE_FLOAT32:
        return ((const float *)c->data)[slot];
    default:
        return ((const double *)c->data)[slot];
    }
}
