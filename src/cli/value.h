/* value.h - reads Arrow arrays through the C data interface and writes single values as text or
 * JSON. Invariants: the type tree mirrors the schema; arrays come from the library, which has
 * checked them. May call: libc.
 */
#ifndef LOCHAN_CLI_VALUE_H
#define LOCHAN_CLI_VALUE_H

#include "cli/text.h"

#include <lochan/arrow.h>

typedef enum lochan_cli_kind {
    LOCHAN_CLI_NULL,
    LOCHAN_CLI_BOOL,
    LOCHAN_CLI_INT,     /* width, is_unsigned */
    LOCHAN_CLI_FLOAT,   /* width 16, 32, 64 */
    LOCHAN_CLI_DECIMAL, /* width 32 to 256, scale */
    LOCHAN_CLI_STRING,
    LOCHAN_CLI_BINARY,
    LOCHAN_CLI_DATE,      /* width 32: days, 64: milliseconds */
    LOCHAN_CLI_TIME,      /* of the day */
    LOCHAN_CLI_TIMESTAMP, /* has_zone: a moment, shown in UTC */
    LOCHAN_CLI_DURATION,
    LOCHAN_CLI_LIST,
    LOCHAN_CLI_STRUCT,
    LOCHAN_CLI_MAP,
    LOCHAN_CLI_DICTIONARY /* width and is_unsigned of the index; children[0]: the values */
} lochan_cli_kind;

/* How strings and binaries lie in memory. */
typedef enum lochan_cli_layout {
    LOCHAN_CLI_OFFSETS_32,
    LOCHAN_CLI_OFFSETS_64,
    LOCHAN_CLI_VIEWS,
    LOCHAN_CLI_FIXED /* fixed bytes or list items each */
} lochan_cli_layout;

typedef struct lochan_cli_type lochan_cli_type;
struct lochan_cli_type {
    lochan_cli_kind kind;
    lochan_cli_layout layout;
    int width; /* bits */
    bool is_unsigned;
    bool has_zone;
    int scale;
    int64_t per_second; /* 1, 1000, ... */
    int digits;         /* 0, 3, 6, 9 */
    int64_t fixed;
    char *name;
    size_t n_children;
    lochan_cli_type **children;
};

lochan_status lochan_cli__read_type(const struct ArrowSchema *schema, lochan_cli_type **out,
                                    lochan_error *err);
void lochan_cli__free_type(lochan_cli_type *type); /* NULL is a no-op */

typedef enum lochan_cli_style { LOCHAN_CLI_PLAIN, LOCHAN_CLI_JSON } lochan_cli_style;

/* Numbers stand right in a table. */
bool lochan_cli__is_number(const lochan_cli_type *type);
bool lochan_cli__is_null(const lochan_cli_type *type, const struct ArrowArray *array, int64_t row);
/* A null adds nothing (PLAIN) or null (JSON). Lists and structs are JSON in both. */
void lochan_cli__add_value(lochan_cli_text *t, const lochan_cli_type *type,
                           const struct ArrowArray *array, int64_t row, lochan_cli_style style);
/* The value as a number, for sums and charts: dates in days, times in seconds. False if it is null
 * or none. */
bool lochan_cli__number(const lochan_cli_type *type, const struct ArrowArray *array, int64_t row,
                        double *out);
/* The whole number of an INT, DATE, TIME, TIMESTAMP or DURATION. */
int64_t lochan_cli__integer(const lochan_cli_type *type, const struct ArrowArray *array,
                            int64_t row);

/* time.c: "2026-10-30", "12:00:00.250", "2026-10-30 12:00:00". Fractions only if there is one. */
void lochan_cli__add_date(lochan_cli_text *t, int64_t days);
void lochan_cli__add_time(lochan_cli_text *t, int64_t value, int64_t per_second, int digits);
void lochan_cli__add_timestamp(lochan_cli_text *t, int64_t value, int64_t per_second, int digits,
                               char between);

/* number.c: the shortest text that reads back as the same number; "nan", "inf", "-inf". */
void lochan_cli__add_double(lochan_cli_text *t, double v);
void lochan_cli__add_float(lochan_cli_text *t, float v);
double lochan_cli__half(uint16_t bits);
/* A little-endian two's complement number of `bytes` (a multiple of 4, at most 32) with the point
 * set. */
void lochan_cli__add_decimal(lochan_cli_text *t, const void *value, int bytes, int scale);

#endif
