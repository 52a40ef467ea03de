/* partition.h - the strategies that cut a table into folders: one list, used by everything that
 * partitions. Invariant: equal values give equal folders, on every machine; they are part of the
 * on-disk format. May call: base/, arrow/.
 */
#ifndef LOCHAN_TABLE_PARTITION_H
#define LOCHAN_TABLE_PARTITION_H

#include "arrow/view.h"
#include "base/buf.h"
#include "table/table.h"

enum { LOCHAN_PARTITION_MAX = 4 }; /* columns, and fields, of one strategy */

/* One value of a partition: a number, or text where the field says so (borrowed from the batch or
 * from the write). */
typedef struct lochan_partition_value {
    int64_t i;
    lochan_str s;
} lochan_partition_value;

/* The values of one partition, in the order of the strategy's fields. */
typedef struct lochan_partition_values {
    lochan_partition_value v[LOCHAN_PARTITION_MAX];
} lochan_partition_values;

/* One value as DuckLake and the folder know it. */
typedef struct lochan_partition_field {
    const char *folder_key; /* "year" */
    const char *transform;  /* DuckLake's transform: "year" */
    size_t column;          /* which of the strategy's columns it comes from */
    int digits;             /* zero-padded in the folder */
    bool is_text;
} lochan_partition_field;

typedef struct lochan_partition_strategy {
    const char *name;
    size_t n_columns; /* columns a table definition must name */
    size_t n_fields;
    lochan_partition_field fields[LOCHAN_PARTITION_MAX];
    /* Whether the n-th column can be of this type. NULL if no column is needed. */
    bool (*accepts)(size_t column, const lochan_type *type);
    /* The values of row i of the columns' views. False if it has none (null, out of range). */
    bool (*values_of)(const lochan_view *views, int64_t i, lochan_partition_values *out);
    /* Whether its columns are stored as they are (transform identity): then a column may bear the
     * name of a folder key. */
    bool stored;
    /* The folder of a partition below the table's, where it is not key=value for each field; and
     * what file names begin with. */
    lochan_status (*folder)(const char *table, const lochan_partition_values *v, lochan_buf *out,
                            lochan_error *err);
    const char *file_prefix;
} lochan_partition_strategy;

/* NULL if there is none of that name; name NULL = single_file. */
const lochan_partition_strategy *lochan_partition__find(const char *name);
/* The strategy whose DuckLake transforms are these, NULL if none. */
const lochan_partition_strategy *lochan_partition__find_transforms(const char *const *transforms,
                                                                   size_t n);

/* "year=2024/month=01"; "" without fields. `table` is the table's name. */
lochan_status lochan_partition__folder(const lochan_partition_strategy *s, const char *table,
                                       const lochan_partition_values *v, lochan_buf *out,
                                       lochan_error *err);
/* A value as DuckLake's catalog keeps it: "2024", "1". */
lochan_status lochan_partition__value_text(const lochan_partition_strategy *s,
                                           const lochan_partition_values *v, size_t field,
                                           lochan_buf *out, lochan_error *err);
bool lochan_partition__equal(const lochan_partition_strategy *s, const lochan_partition_values *a,
                             const lochan_partition_values *b);
/* {"year":2024,"month":1} */
lochan_status lochan_partition__json(const lochan_partition_strategy *s,
                                     const lochan_partition_values *v, lochan_buf *out,
                                     lochan_error *err);

#endif
