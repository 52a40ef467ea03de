/* rows.h - rows of the catalog as typed values, and the tables they belong to (rows.def).
 * Invariant: a row has exactly the columns of its table, in that order. May call: base/.
 */
#ifndef LOCHAN_CATALOG_ROWS_H
#define LOCHAN_CATALOG_ROWS_H

#include "base/buf.h"
#include "base/str.h"

/* Dense numbers for arrays; the journal's numbers are in lochan_row_table. */
typedef enum lochan_row_kind {
#define TABLE(name, number, table) LOCHAN_ROW_##name,
#define COLUMN(name, type, flags)
#define END
#include "catalog/rows.def"
#undef TABLE
#undef COLUMN
#undef END
    LOCHAN_ROW_COUNT
} lochan_row_kind;

typedef enum lochan_value_type {
    LOCHAN_VALUE_NULL = 0, /* the numbers are part of the journal's format */
    LOCHAN_VALUE_INT = 1,
    LOCHAN_VALUE_REAL = 2,
    LOCHAN_VALUE_TEXT = 3,
    LOCHAN_VALUE_BLOB = 4
} lochan_value_type;

typedef struct lochan_value {
    lochan_value_type type;
    int64_t i;
    double f;
    lochan_str s; /* borrowed */
} lochan_value;

static inline lochan_value lochan_value__null(void) {
    return (lochan_value){LOCHAN_VALUE_NULL, 0, 0, {NULL, 0}};
}
static inline lochan_value lochan_value__int(int64_t i) {
    return (lochan_value){LOCHAN_VALUE_INT, i, 0, {NULL, 0}};
}
static inline lochan_value lochan_value__real(double f) {
    return (lochan_value){LOCHAN_VALUE_REAL, 0, f, {NULL, 0}};
}
/* NULL gives null. */
static inline lochan_value lochan_value__text(const char *s) {
    return (lochan_value){s ? LOCHAN_VALUE_TEXT : LOCHAN_VALUE_NULL, 0, 0, lochan_str__of(s)};
}
/* n = 0 gives null. */
static inline lochan_value lochan_value__blob(lochan_str s) {
    return (lochan_value){s.n ? LOCHAN_VALUE_BLOB : LOCHAN_VALUE_NULL, 0, 0, s};
}

typedef struct lochan_row_column {
    const char *name;
    lochan_value_type type;
    bool key, primary, required;
} lochan_row_column;

typedef struct lochan_row_table {
    uint32_t number;
    const char *name;
    const lochan_row_column *columns;
    size_t n_columns;
} lochan_row_table;

#define LOCHAN_ROW_MAX_COLUMNS 40

const lochan_row_table *lochan_row__table(lochan_row_kind kind);
/* False if the number is unknown. */
bool lochan_row__kind(uint64_t number, lochan_row_kind *out);
size_t lochan_row__n_keys(const lochan_row_table *table);
/* Index of a column by name, -1 if none. */
int lochan_row__column(const lochan_row_table *table, const char *name);

/* What is done to a row. The numbers are part of the journal's format. */
typedef enum lochan_row_op {
    LOCHAN_OP_INSERT = 1,  /* all columns */
    LOCHAN_OP_REPLACE = 2, /* all columns; a row with this key goes first */
    LOCHAN_OP_DELETE = 3,  /* the key columns */
    LOCHAN_OP_END = 4      /* the key columns and the snapshot that ends the live row */
} lochan_row_op;
#define LOCHAN_OP_COUNT 5

/* Number of values that op takes. */
size_t lochan_row__n_values(const lochan_row_table *table, lochan_row_op op);
/* Its statement. REPLACE is DELETE by key followed by INSERT; asking for it is an error. */
lochan_status lochan_row__sql(const lochan_row_table *table, lochan_row_op op, lochan_buf *out,
                              lochan_error *err);
/* CREATE TABLE. */
lochan_status lochan_row__ddl(const lochan_row_table *table, lochan_buf *out, lochan_error *err);

/* The bytes of one value, and back (text and blobs borrow from the cursor; false if they are not
 * whole). */
lochan_status lochan_value__encode(const lochan_value *value, lochan_buf *out, lochan_error *err);
bool lochan_value__decode(lochan_cursor *in, lochan_value *out);

#endif
