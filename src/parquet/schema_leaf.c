/* schema_leaf.c - leaf types: Parquet's physical and logical types <-> Arrow types, one case each.
 * Invariant: an annotation that does not fit its physical type is passed over (the physical type is
 * shown); one that would change numbers silently (a decimal without a valid scale) is refused. May
 * call: base/, arrow/, schema.h.
 */
#include "parquet/schema.h"

#define BIT LOCHAN_THRIFT_BIT

static lochan_type simple(lochan_type_id id) {
    return (lochan_type){.id = id};
}

static lochan_type timed(lochan_type_id id, lochan_time_unit unit, bool utc) {
    lochan_type t = {.id = id, .unit = unit};
    if (utc)
        memcpy(t.zone, "UTC", 4);
    return t;
}

static lochan_status decimal_type(const lochan_pq_element *e, lochan_type *type,
                                  lochan_error *err) {
    bool logical = lochan_pq_logical__id(&e->logical) == LOCHAN_PQ_LOGICAL_DECIMAL;
    int32_t precision = logical ? e->logical.decimal.precision : e->precision;
    int32_t scale = logical ? e->logical.decimal.scale : LOCHAN_PQ_HAS(e, 7) ? e->scale : 0;
    if (precision < 1 || scale < 0 || scale > precision)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "column '%.*s' has an invalid decimal type (%d, %d)",
                                 (int)e->name.n, e->name.p, (int)precision, (int)scale);
    if (precision > 76)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "column '%.*s' is a decimal of %d digits, more than 76",
                                 (int)e->name.n, e->name.p, (int)precision);
    *type = (lochan_type){.id = precision <= 38 ? LOCHAN_TYPE_DECIMAL128 : LOCHAN_TYPE_DECIMAL256,
                          .precision = precision,
                          .scale = scale};
    return LOCHAN_OK;
}

static lochan_time_unit unit_of(const lochan_pq_time_unit *u) {
    return LOCHAN_PQ_HAS(u, 1)   ? LOCHAN_UNIT_MILLI
           : LOCHAN_PQ_HAS(u, 2) ? LOCHAN_UNIT_MICRO
                                 : LOCHAN_UNIT_NANO;
}

static bool integer_type(const lochan_pq_element *e, int32_t bits, bool is_signed,
                         lochan_type *type, lochan_pq_convert *convert) {
    static const lochan_type_id ids[2][4] = {
        {LOCHAN_TYPE_UINT8, LOCHAN_TYPE_UINT16, LOCHAN_TYPE_UINT32, LOCHAN_TYPE_UINT64},
        {LOCHAN_TYPE_INT8, LOCHAN_TYPE_INT16, LOCHAN_TYPE_INT32, LOCHAN_TYPE_INT64}};
    int size = bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : bits == 64 ? 3 : -1;
    if (size < 0 || e->type != (size == 3 ? LOCHAN_PQ_INT64 : LOCHAN_PQ_INT32))
        return false;
    *type = simple(ids[is_signed][size]);
    if (size < 2)
        *convert = LOCHAN_PQ_CONVERT_NARROW;
    return true;
}

/* Types given by the annotation; *done = false leaves the physical type. */
static lochan_status annotated(const lochan_pq_element *e, lochan_type *type,
                               lochan_pq_convert *convert, bool *done, lochan_error *err) {
    const lochan_pq_logical *l = &e->logical;
    int32_t phys = e->type;
    *done = true;
    switch (lochan_pq_logical__id(l)) {
    case LOCHAN_PQ_LOGICAL_STRING:
    case LOCHAN_PQ_LOGICAL_ENUM:
    case LOCHAN_PQ_LOGICAL_JSON:
        if (phys == LOCHAN_PQ_BYTE_ARRAY) {
            *type = simple(LOCHAN_TYPE_STRING);
            return LOCHAN_OK;
        }
        break;
    case LOCHAN_PQ_LOGICAL_DECIMAL:
        if (phys == LOCHAN_PQ_INT32 || phys == LOCHAN_PQ_INT64 || phys >= LOCHAN_PQ_BYTE_ARRAY) {
            *convert = LOCHAN_PQ_CONVERT_DECIMAL;
            return decimal_type(e, type, err);
        }
        break;
    case LOCHAN_PQ_LOGICAL_DATE:
        if (phys == LOCHAN_PQ_INT32) {
            *type = simple(LOCHAN_TYPE_DATE32);
            return LOCHAN_OK;
        }
        break;
    case LOCHAN_PQ_LOGICAL_TIME:
    case LOCHAN_PQ_LOGICAL_TIMESTAMP: {
        lochan_time_unit unit = unit_of(&l->time.unit);
        bool stamp = LOCHAN_PQ_HAS(l, LOCHAN_PQ_LOGICAL_TIMESTAMP);
        if (!stamp && phys == LOCHAN_PQ_INT32 && unit == LOCHAN_UNIT_MILLI) {
            *type = timed(LOCHAN_TYPE_TIME32, unit, false);
            return LOCHAN_OK;
        }
        if (phys == LOCHAN_PQ_INT64 && (stamp || unit != LOCHAN_UNIT_MILLI)) {
            *type = timed(stamp ? LOCHAN_TYPE_TIMESTAMP : LOCHAN_TYPE_TIME64, unit,
                          stamp && l->time.is_utc);
            return LOCHAN_OK;
        }
        break;
    }
    case LOCHAN_PQ_LOGICAL_INTEGER:
        if (integer_type(e, l->integer.bit_width, l->integer.is_signed, type, convert))
            return LOCHAN_OK;
        break;
    case LOCHAN_PQ_LOGICAL_UNKNOWN:
        *type = simple(LOCHAN_TYPE_NULL);
        *convert = LOCHAN_PQ_CONVERT_NULL;
        return LOCHAN_OK;
    case LOCHAN_PQ_LOGICAL_FLOAT16:
        if (phys == LOCHAN_PQ_FIXED_BYTES && e->type_length == 2) {
            *type = simple(LOCHAN_TYPE_FLOAT16);
            return LOCHAN_OK;
        }
        break;
    default:
        break;
    }
    *done = false;
    return LOCHAN_OK;
}

/* The older annotation, looked at when there is no logical type. */
static lochan_status converted(const lochan_pq_element *e, lochan_type *type,
                               lochan_pq_convert *convert, bool *done, lochan_error *err) {
    int32_t c = e->converted, phys = e->type;
    *done = true;
    if (c >= LOCHAN_PQ_CONVERTED_UINT_8 && c <= LOCHAN_PQ_CONVERTED_INT_64) {
        bool is_signed = c >= LOCHAN_PQ_CONVERTED_INT_8;
        int size = (c - LOCHAN_PQ_CONVERTED_UINT_8) & 3;
        *done = integer_type(e, 8 << size, is_signed, type, convert);
        return LOCHAN_OK;
    }
    if (phys == LOCHAN_PQ_BYTE_ARRAY &&
        (c == LOCHAN_PQ_CONVERTED_UTF8 || c == LOCHAN_PQ_CONVERTED_ENUM ||
         c == LOCHAN_PQ_CONVERTED_JSON)) {
        *type = simple(LOCHAN_TYPE_STRING);
        return LOCHAN_OK;
    }
    if (c == LOCHAN_PQ_CONVERTED_DECIMAL &&
        (phys == LOCHAN_PQ_INT32 || phys == LOCHAN_PQ_INT64 || phys >= LOCHAN_PQ_BYTE_ARRAY)) {
        *convert = LOCHAN_PQ_CONVERT_DECIMAL;
        return decimal_type(e, type, err);
    }
    if (phys == LOCHAN_PQ_INT32 && c == LOCHAN_PQ_CONVERTED_DATE)
        *type = simple(LOCHAN_TYPE_DATE32);
    else if (phys == LOCHAN_PQ_INT32 && c == LOCHAN_PQ_CONVERTED_TIME_MILLIS)
        *type = timed(LOCHAN_TYPE_TIME32, LOCHAN_UNIT_MILLI, false);
    else if (phys == LOCHAN_PQ_INT64 && c == LOCHAN_PQ_CONVERTED_TIME_MICROS)
        *type = timed(LOCHAN_TYPE_TIME64, LOCHAN_UNIT_MICRO, false);
    else if (phys == LOCHAN_PQ_INT64 && c == LOCHAN_PQ_CONVERTED_TIMESTAMP_MILLIS)
        *type = timed(LOCHAN_TYPE_TIMESTAMP, LOCHAN_UNIT_MILLI, true);
    else if (phys == LOCHAN_PQ_INT64 && c == LOCHAN_PQ_CONVERTED_TIMESTAMP_MICROS)
        *type = timed(LOCHAN_TYPE_TIMESTAMP, LOCHAN_UNIT_MICRO, true);
    else
        *done = false;
    return LOCHAN_OK;
}

static void physical_type(const lochan_pq_element *e, lochan_type *type,
                          lochan_pq_convert *convert) {
    static const lochan_type_id ids[] = {
        LOCHAN_TYPE_BOOL,    LOCHAN_TYPE_INT32,   LOCHAN_TYPE_INT64,  LOCHAN_TYPE_TIMESTAMP,
        LOCHAN_TYPE_FLOAT32, LOCHAN_TYPE_FLOAT64, LOCHAN_TYPE_BINARY, LOCHAN_TYPE_FIXED_BINARY};
    *type = simple(ids[e->type]);
    if (e->type == LOCHAN_PQ_BOOLEAN)
        *convert = LOCHAN_PQ_CONVERT_BOOL;
    if (e->type == LOCHAN_PQ_INT96) {
        type->unit = LOCHAN_UNIT_NANO;
        *convert = LOCHAN_PQ_CONVERT_INT96;
    }
    if (e->type == LOCHAN_PQ_FIXED_BYTES)
        type->byte_width = e->type_length;
}

lochan_status lochan_pq_element__to_type(const lochan_pq_element *e, lochan_pq_strings strings,
                                         lochan_type *type, lochan_pq_convert *convert,
                                         lochan_error *err) {
    bool done = false;
    *convert = LOCHAN_PQ_CONVERT_SAME;
    if (e->type < LOCHAN_PQ_BOOLEAN || e->type > LOCHAN_PQ_FIXED_BYTES)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "column '%.*s' has unknown physical type %d", (int)e->name.n,
                                 e->name.p, (int)e->type);
    if (e->type == LOCHAN_PQ_FIXED_BYTES && (e->type_length < 1 || e->type_length > 1 << 24))
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "column '%.*s' has an invalid fixed length of %d", (int)e->name.n,
                                 e->name.p, (int)e->type_length);
    if (LOCHAN_PQ_HAS(e, 10))
        LOCHAN_TRY(annotated(e, type, convert, &done, err));
    if (!done && LOCHAN_PQ_HAS(e, 6) && !e->logical.set)
        LOCHAN_TRY(converted(e, type, convert, &done, err));
    if (!done) {
        *convert = LOCHAN_PQ_CONVERT_SAME;
        physical_type(e, type, convert);
    }
    if (type->id == LOCHAN_TYPE_STRING || type->id == LOCHAN_TYPE_BINARY) {
        *convert = LOCHAN_PQ_CONVERT_BYTES;
        if (strings == LOCHAN_PQ_STRINGS_LARGE)
            type->id += LOCHAN_TYPE_LARGE_STRING - LOCHAN_TYPE_STRING;
        if (strings == LOCHAN_PQ_STRINGS_VIEW)
            type->id += LOCHAN_TYPE_STRING_VIEW - LOCHAN_TYPE_STRING;
    }
    return LOCHAN_OK;
}

/* Bytes of the smallest two's complement number that holds `precision` digits. */
static int32_t decimal_bytes(int32_t precision) {
    /* digits that n bytes always hold: floor((8n - 1) * log10(2)) */
    int32_t n = 1;
    while ((int64_t)(8 * n - 1) * 30103 / 100000 < precision)
        n++;
    return n;
}

static void set_physical(lochan_pq_element *e, lochan_pq_physical physical, int32_t length) {
    e->set |= BIT(1);
    e->type = physical;
    if (physical == LOCHAN_PQ_FIXED_BYTES) {
        e->set |= BIT(2);
        e->type_length = length;
    }
}

static void set_logical(lochan_pq_element *e, lochan_pq_logical_id id, int32_t converted_type) {
    e->set |= BIT(10);
    e->logical.set = BIT(id);
    if (converted_type >= 0) {
        e->set |= BIT(6);
        e->converted = converted_type;
    }
}

static void write_integer(lochan_pq_element *e, lochan_type_id id, lochan_pq_convert *convert) {
    int size = (id - LOCHAN_TYPE_INT8) / 2; /* 0..3: 8 to 64 bits */
    bool is_signed = (id - LOCHAN_TYPE_INT8) % 2 == 0;
    set_physical(e, size == 3 ? LOCHAN_PQ_INT64 : LOCHAN_PQ_INT32, 0);
    if (size < 2)
        *convert = LOCHAN_PQ_CONVERT_NARROW;
    if (is_signed && size >= 2)
        return; /* the physical type says it all */
    set_logical(e, LOCHAN_PQ_LOGICAL_INTEGER,
                (is_signed ? LOCHAN_PQ_CONVERTED_INT_8 : LOCHAN_PQ_CONVERTED_UINT_8) + size);
    e->logical.integer = (lochan_pq_int){BIT(1) | BIT(2), 8 << size, is_signed};
}

static void write_decimal(lochan_pq_element *e, const lochan_type *type) {
    if (type->precision <= 9)
        set_physical(e, LOCHAN_PQ_INT32, 0);
    else if (type->precision <= 18)
        set_physical(e, LOCHAN_PQ_INT64, 0);
    else
        set_physical(e, LOCHAN_PQ_FIXED_BYTES, decimal_bytes(type->precision));
    set_logical(e, LOCHAN_PQ_LOGICAL_DECIMAL, LOCHAN_PQ_CONVERTED_DECIMAL);
    e->logical.decimal = (lochan_pq_decimal){BIT(1) | BIT(2), type->scale, type->precision};
    e->set |= BIT(7) | BIT(8);
    e->scale = type->scale;
    e->precision = type->precision;
}

static void write_time(lochan_pq_element *e, const lochan_type *type, lochan_pq_convert *convert) {
    bool stamp = type->id == LOCHAN_TYPE_TIMESTAMP, utc = stamp && type->zone[0] != '\0';
    unsigned unit = type->unit == LOCHAN_UNIT_SECOND ? LOCHAN_UNIT_MILLI
                                                     : type->unit; /* seconds do not exist */
    if (type->unit == LOCHAN_UNIT_SECOND)
        *convert = LOCHAN_PQ_CONVERT_SECONDS;
    set_physical(e, stamp || unit != LOCHAN_UNIT_MILLI ? LOCHAN_PQ_INT64 : LOCHAN_PQ_INT32, 0);
    /* readers of the older annotation take it for UTC, so only UTC times carry it */
    int32_t older = utc && unit == LOCHAN_UNIT_MILLI   ? LOCHAN_PQ_CONVERTED_TIMESTAMP_MILLIS
                    : utc && unit == LOCHAN_UNIT_MICRO ? LOCHAN_PQ_CONVERTED_TIMESTAMP_MICROS
                                                       : -1;
    set_logical(e, stamp ? LOCHAN_PQ_LOGICAL_TIMESTAMP : LOCHAN_PQ_LOGICAL_TIME, older);
    e->logical.time = (lochan_pq_time){BIT(1) | BIT(2), utc, {BIT(unit), {0}}};
}

lochan_status lochan_pq_element__of_type(const lochan_type *type, const char *column,
                                         lochan_pq_element *e, lochan_pq_convert *convert,
                                         lochan_error *err) {
    char name[80];
    *convert = LOCHAN_PQ_CONVERT_SAME;
    if (lochan_type__is_integer(type->id)) {
        write_integer(e, type->id, convert);
        return LOCHAN_OK;
    }
    if (lochan_type__is_bytes(type->id)) {
        set_physical(e, LOCHAN_PQ_BYTE_ARRAY, 0);
        *convert = LOCHAN_PQ_CONVERT_BYTES;
        if (type->id <= LOCHAN_TYPE_STRING_VIEW)
            set_logical(e, LOCHAN_PQ_LOGICAL_STRING, LOCHAN_PQ_CONVERTED_UTF8);
        return LOCHAN_OK;
    }
    switch (type->id) {
    case LOCHAN_TYPE_NULL:
        set_physical(e, LOCHAN_PQ_INT32, 0);
        set_logical(e, LOCHAN_PQ_LOGICAL_UNKNOWN, -1);
        *convert = LOCHAN_PQ_CONVERT_NULL;
        return LOCHAN_OK;
    case LOCHAN_TYPE_BOOL:
        set_physical(e, LOCHAN_PQ_BOOLEAN, 0);
        *convert = LOCHAN_PQ_CONVERT_BOOL;
        return LOCHAN_OK;
    case LOCHAN_TYPE_FLOAT16:
        set_physical(e, LOCHAN_PQ_FIXED_BYTES, 2);
        set_logical(e, LOCHAN_PQ_LOGICAL_FLOAT16, -1);
        return LOCHAN_OK;
    case LOCHAN_TYPE_FLOAT32:
        set_physical(e, LOCHAN_PQ_FLOAT, 0);
        return LOCHAN_OK;
    case LOCHAN_TYPE_FLOAT64:
        set_physical(e, LOCHAN_PQ_DOUBLE, 0);
        return LOCHAN_OK;
    case LOCHAN_TYPE_DECIMAL128:
    case LOCHAN_TYPE_DECIMAL256:
        if (type->scale < 0 || type->scale > type->precision)
            break;
        write_decimal(e, type);
        *convert = LOCHAN_PQ_CONVERT_DECIMAL;
        return LOCHAN_OK;
    case LOCHAN_TYPE_FIXED_BINARY:
        if (type->byte_width < 1 || type->byte_width > 1 << 24)
            break;
        set_physical(e, LOCHAN_PQ_FIXED_BYTES, type->byte_width);
        return LOCHAN_OK;
    case LOCHAN_TYPE_DATE32:
    case LOCHAN_TYPE_DATE64:
        set_physical(e, LOCHAN_PQ_INT32, 0);
        set_logical(e, LOCHAN_PQ_LOGICAL_DATE, LOCHAN_PQ_CONVERTED_DATE);
        if (type->id == LOCHAN_TYPE_DATE64)
            *convert = LOCHAN_PQ_CONVERT_DATE64;
        return LOCHAN_OK;
    case LOCHAN_TYPE_TIME32:
    case LOCHAN_TYPE_TIME64:
    case LOCHAN_TYPE_TIMESTAMP:
        write_time(e, type, convert);
        return LOCHAN_OK;
    case LOCHAN_TYPE_DURATION: /* a number; what it counts is told by ARROW:schema alone */
        set_physical(e, LOCHAN_PQ_INT64, 0);
        return LOCHAN_OK;
    default:
        break;
    }
    lochan_type__name(type, name);
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                             "column '%.100s' of type %s cannot be written to Parquet", column,
                             name);
}

lochan_pq_order lochan_pq_element__order(const lochan_pq_element *e, const lochan_type *type) {
    if (e->type == LOCHAN_PQ_INT96 || type->id == LOCHAN_TYPE_NULL ||
        (LOCHAN_PQ_HAS(e, 6) && e->converted == LOCHAN_PQ_CONVERTED_INTERVAL))
        return LOCHAN_PQ_ORDER_NONE;
    if (lochan_type__is_float(type->id))
        return LOCHAN_PQ_ORDER_FLOAT;
    if (type->id == LOCHAN_TYPE_DECIMAL128 || type->id == LOCHAN_TYPE_DECIMAL256)
        return e->type >= LOCHAN_PQ_BYTE_ARRAY ? LOCHAN_PQ_ORDER_DECIMAL : LOCHAN_PQ_ORDER_SIGNED;
    if (e->type >= LOCHAN_PQ_BYTE_ARRAY)
        return LOCHAN_PQ_ORDER_BYTES;
    if (type->id == LOCHAN_TYPE_UINT8 || type->id == LOCHAN_TYPE_UINT16 ||
        type->id == LOCHAN_TYPE_UINT32 || type->id == LOCHAN_TYPE_UINT64 ||
        type->id == LOCHAN_TYPE_BOOL)
        return LOCHAN_PQ_ORDER_UNSIGNED;
    return LOCHAN_PQ_ORDER_SIGNED;
}
