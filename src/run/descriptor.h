/* descriptor.h - what a run table is: read from YAML, checked, immutable.
 * Invariants: column 0 is `bucket`, there is a column `tick`, both int64 without nulls; types are
 * those the table stores (text as string); a struct whose fields are open carries the metadata key
 * LOCHAN_RUN_OPEN and shows only the declared ones. May call: base/, arrow/, source/yaml.h.
 */
#ifndef LOCHAN_RUN_DESCRIPTOR_H
#define LOCHAN_RUN_DESCRIPTOR_H

#include "arrow/schema.h"
#include "base/arena.h"
#include "base/str.h"

#define LOCHAN_RUN_ID     "run_id"
#define LOCHAN_RUN_BUCKET "bucket"
#define LOCHAN_RUN_TICK   "tick"
#define LOCHAN_RUN_OPEN   "lochan.open"

typedef struct lochan_run_column {
    const char *name;
    const struct ArrowSchema *field; /* as stored; borrowed from the descriptor's schema */
    bool required;                   /* must be there */
    bool nullable;                   /* may be null */
    bool json;                       /* nested values are kept as JSON text */
    size_t n_values;
    const char *const *values; /* the values it may take, as text; n 0 = any */
} lochan_run_column;

/* Where `when` is one of `is`, the columns of `require` must not be null. */
typedef struct lochan_run_rule {
    int when;
    size_t n_is;
    const char *const *is;
    size_t n_require;
    const int *require;
} lochan_run_rule;

typedef struct lochan_run_descriptor {
    const char *name, *version, *description; /* "" = not told */
    struct ArrowSchema schema;
    size_t n;
    lochan_run_column *columns;
    size_t n_rules;
    lochan_run_rule *rules;
    lochan_arena arena;
} lochan_run_descriptor;

/* SPEC with file, line and column. */
lochan_status lochan_run_descriptor__parse(const char *yaml, size_t size, const char *file,
                                           lochan_run_descriptor **out, lochan_error *err);
void lochan_run_descriptor__free(lochan_run_descriptor *d); /* NULL is a no-op */
/* Index of a column, -1 if none. */
int lochan_run_descriptor__find(const lochan_run_descriptor *d, const char *name);
/* Adds the nearest column to an error about `name`, if one is near. */
void lochan_run_descriptor__hint_column(const lochan_run_descriptor *d, const char *name,
                                        lochan_error *err);
/* Whether fields may still come to this struct. */
bool lochan_run_field__is_open(const struct ArrowSchema *field);
/* "i64", "list[struct]", "struct{a: f64}": the name of a field's type as descriptors write it. */
lochan_status lochan_run_field__type_name(const struct ArrowSchema *field, lochan_buf *out,
                                          lochan_error *err);

#endif
