/* csv.h - decodes a page of CSV straight into typed Arrow columns.
 * RFC 4180 plus: byte order mark, LF or CRLF, a last column without name that is empty in every row
 * (trailing commas). One deterministic rule: declared columns have their declared type, all others
 * the rest type; nothing is inferred. Invariant: a page is decoded whole or not at all; every error
 * is LOCHAN_ERR_PAGE with 0-based data row, 1-based line, column name and the shortened value. May
 * call: base/, arrow/.
 */
#ifndef LOCHAN_SOURCE_CSV_H
#define LOCHAN_SOURCE_CSV_H

#include "arrow/builder.h"
#include "base/civil.h"
#include "base/ctx.h"

typedef struct lochan_csv_column {
    const char *name; /* as in the header line, byte for byte */
    lochan_type type; /* bool, integers, floats, decimal128, string, date32, timestamp */
    const lochan_date_format *date_format; /* of date32 and timestamp; NULL = ISO 8601 */
    bool nullable;                         /* false: a null text is an error */
    bool optional;                         /* true: may be missing in the header */
    const char *const *null_texts;         /* NULL = the page's */
    size_t n_null_texts;
} lochan_csv_column;

typedef enum lochan_csv_rest {
    LOCHAN_CSV_REST_TYPE = 0, /* decode with rest_type */
    LOCHAN_CSV_REST_SKIP = 1  /* leave out of the batch */
} lochan_csv_rest;

typedef struct lochan_csv_options {
    char delimiter; /* 0 = ',' */
    const lochan_csv_column *columns;
    size_t n_columns;
    const char *const
        *null_texts; /* NULL = {""}; a quoted field of a string column is never null */
    size_t n_null_texts;
    lochan_csv_rest rest;
    lochan_type rest_type; /* id LOCHAN_TYPE_NULL (zeroed) = string; always nullable */
    bool strict_end; /* the last line must end with a newline: for bodies whose end is not marked
                        (see fetch.h) */
} lochan_csv_options;

/* *schema and *batch (a struct array) get one field for each kept column, in header order. A header
 * without rows gives a batch of length 0. Columns declared but missing, repeated names and an empty
 * header name (but the last) are errors. Memory: within ctx's budget during the call, given back
 * before it returns. ctx may be NULL. */
lochan_status lochan_csv__decode(const lochan_ctx *ctx, const lochan_csv_options *options,
                                 const void *body, size_t size, struct ArrowSchema *schema,
                                 struct ArrowArray *batch, lochan_error *err);

#endif
