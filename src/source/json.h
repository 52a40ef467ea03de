/* json.h - JSON as the decoder of pages needs it: values found by path, rows cut into cells.
 * The only window to simdjson (on-demand); behind it is the only C++ of the tree. Invariants: the
 * text is valid UTF-8 or refused; nothing is kept of a text but pointers into it and into the
 * reader; depth, size of strings and number of keys cost no stack. All errors are LOCHAN_ERR_PAGE
 * with the byte. May call: base/.
 */
#ifndef LOCHAN_SOURCE_JSON_H
#define LOCHAN_SOURCE_JSON_H

#include "base/str.h"
#include "source/cell.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LOCHAN_JSON_PADDING = 64 }; /* readable bytes that must follow a text */

typedef enum lochan_json_kind {
    LOCHAN_JSON_MISSING,
    LOCHAN_JSON_NULL,
    LOCHAN_JSON_BOOL,
    LOCHAN_JSON_NUMBER,
    LOCHAN_JSON_STRING,
    LOCHAN_JSON_LIST,
    LOCHAN_JSON_OBJECT
} lochan_json_kind;

typedef struct lochan_json_span {
    lochan_json_kind kind;
    lochan_str raw; /* as it stands in the text, strings with their quotes */
} lochan_json_span;

typedef struct lochan_json lochan_json;

/* A reader; one text at a time. NULL: out of memory. */
lochan_json *lochan_json__create(void);
void lochan_json__free(lochan_json *json); /* NULL is a no-op */
/* Bytes that reading a text of n bytes takes, for the memory budget. */
size_t lochan_json__bytes_for(size_t n);

/* Finds values by dotted paths of names ("" = the whole text) in one pass. A name that stands twice
 * in an object on the way is an error. */
lochan_status lochan_json__find(lochan_json *json, lochan_str text, const char *const *paths,
                                size_t n, lochan_json_span *out, lochan_error *err);
/* The text of a string span, unescaped; valid until the reader is used again. */
lochan_status lochan_json__string(lochan_json *json, lochan_json_span span, lochan_str *out,
                                  lochan_error *err);
/* The strings of a list, at most `max`: out[i] valid until the reader is used again. */
lochan_status lochan_json__strings(lochan_json *json, lochan_json_span span, size_t max,
                                   lochan_str *out, size_t *n, lochan_error *err);

/* What is called with a block of rows: cells row by row, n_cells each. */
typedef lochan_status (*lochan_json_block_fn)(void *ctx, const lochan_csv_cell *cells, size_t rows,
                                              lochan_error *err);

typedef struct lochan_json_rows {
    size_t n_cells;         /* of a row */
    lochan_csv_cell *cells; /* room for block_rows * n_cells */
    size_t block_rows;
    bool nan_is_null; /* NaN and Infinity, which JSON does not have */
    lochan_json_block_fn fn;
    void *ctx;
} lochan_json_rows;

/* Number of values in a list. */
lochan_status lochan_json__count(lochan_json *json, lochan_str list, int64_t *out,
                                 lochan_error *err);
/* A list of lists of n_cells values each. */
lochan_status lochan_json__lists(lochan_json *json, lochan_str list, const lochan_json_rows *rows,
                                 lochan_error *err);

/* The names of all objects of a list, each once, in the order of their first appearance. */
typedef struct lochan_json_names lochan_json_names;
lochan_json_names *lochan_json_names__create(size_t max); /* NULL: out of memory */
void lochan_json_names__free(lochan_json_names *names);   /* NULL is a no-op */
size_t lochan_json_names__count(const lochan_json_names *names);
const char *lochan_json_names__get(const lochan_json_names *names, size_t i); /* NUL-terminated */
lochan_status lochan_json__names(lochan_json *json, lochan_str list, lochan_json_names *names,
                                 int64_t *n_rows, lochan_error *err);
/* A list of objects; n_cells = number of names. A name that is missing in an object is a null; one
 * that stands twice is an error. */
lochan_status lochan_json__objects(lochan_json *json, lochan_str list,
                                   const lochan_json_names *names, const lochan_json_rows *rows,
                                   lochan_error *err);

#ifdef __cplusplus
}
#endif

#endif
