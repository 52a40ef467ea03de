/* type.h - Arrow data types as a small value, parsed from and printed to Arrow format strings.
 * Invariant: a lochan_type is plain data; its zone is copied. May call: base/.
 */
#ifndef LOCHAN_ARROW_TYPE_H
#define LOCHAN_ARROW_TYPE_H

#include "base/status.h"
#include <lochan/arrow.h>

typedef enum lochan_type_id {
    LOCHAN_TYPE_NULL,
    LOCHAN_TYPE_BOOL,
    LOCHAN_TYPE_INT8,
    LOCHAN_TYPE_UINT8,
    LOCHAN_TYPE_INT16,
    LOCHAN_TYPE_UINT16,
    LOCHAN_TYPE_INT32,
    LOCHAN_TYPE_UINT32,
    LOCHAN_TYPE_INT64,
    LOCHAN_TYPE_UINT64,
    LOCHAN_TYPE_FLOAT16,
    LOCHAN_TYPE_FLOAT32,
    LOCHAN_TYPE_FLOAT64,
    LOCHAN_TYPE_DECIMAL128,
    LOCHAN_TYPE_DECIMAL256,
    LOCHAN_TYPE_STRING,
    LOCHAN_TYPE_LARGE_STRING,
    LOCHAN_TYPE_STRING_VIEW,
    LOCHAN_TYPE_BINARY,
    LOCHAN_TYPE_LARGE_BINARY,
    LOCHAN_TYPE_BINARY_VIEW,
    LOCHAN_TYPE_FIXED_BINARY,
    LOCHAN_TYPE_DATE32, /* days */
    LOCHAN_TYPE_DATE64, /* milliseconds */
    LOCHAN_TYPE_TIME32, /* s, ms */
    LOCHAN_TYPE_TIME64, /* us, ns */
    LOCHAN_TYPE_TIMESTAMP,
    LOCHAN_TYPE_DURATION,
    LOCHAN_TYPE_LIST,
    LOCHAN_TYPE_LARGE_LIST,
    LOCHAN_TYPE_FIXED_LIST,
    LOCHAN_TYPE_STRUCT,
    LOCHAN_TYPE_MAP
} lochan_type_id;

typedef enum lochan_time_unit {
    LOCHAN_UNIT_SECOND,
    LOCHAN_UNIT_MILLI,
    LOCHAN_UNIT_MICRO,
    LOCHAN_UNIT_NANO
} lochan_time_unit;

typedef struct lochan_type {
    lochan_type_id id;
    lochan_time_unit unit; /* time, timestamp, duration */
    int32_t precision;     /* decimals */
    int32_t scale;
    int32_t byte_width; /* fixed-size binary; number of items of a fixed-size list */
    char zone[40];      /* timestamp; "" = no zone */
} lochan_type;

/* Parses an Arrow format string. UNSUPPORTED for unions, run-end encoded, intervals, list views;
 * DATA for nonsense. */
lochan_status lochan_type__parse(const char *format, lochan_type *out, lochan_error *err);
/* Writes the format string (at most 64 bytes). */
void lochan_type__format(const lochan_type *type, char dst[64]);
bool lochan_type__equal(const lochan_type *a, const lochan_type *b);

/* The names that specs, messages and the command use: bool, int8..uint64, float32, float64,
 * decimal(p,s), string, binary, date, time[s|ms|us|ns], timestamp[us], timestamp[us, UTC], ... Both
 * ways. */
void lochan_type__name(const lochan_type *type, char dst[80]);
lochan_status lochan_type__from_name(const char *name, lochan_type *out, lochan_error *err);

/* Bits of one value of a fixed-width type (1 for bool), 0 for others. */
int lochan_type__bit_width(const lochan_type *type);
static inline bool lochan_type__is_integer(lochan_type_id id) {
    return id >= LOCHAN_TYPE_INT8 && id <= LOCHAN_TYPE_UINT64;
}
static inline bool lochan_type__is_float(lochan_type_id id) {
    return id >= LOCHAN_TYPE_FLOAT16 && id <= LOCHAN_TYPE_FLOAT64;
}
/* Any of the six string and binary layouts. */
static inline bool lochan_type__is_bytes(lochan_type_id id) {
    return id >= LOCHAN_TYPE_STRING && id <= LOCHAN_TYPE_BINARY_VIEW;
}
static inline bool lochan_type__is_nested(lochan_type_id id) {
    return id >= LOCHAN_TYPE_LIST;
}

#endif
