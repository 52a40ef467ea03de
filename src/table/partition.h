/* partition.h - the strategies that cut a table into folders: one list, used by everything that
 * partitions. Invariant: equal values give equal folders, on every machine; they are part of the
 * on-disk format. May call: base/, arrow/.
 */
#ifndef LOCHAN_TABLE_PARTITION_H
#define LOCHAN_TABLE_PARTITION_H

#include "arrow/view.h"
#include "base/buf.h"
#include "table/table.h"

/* Days since 1970 of a date or timestamp; false for null. Timestamps count as written: those with a
 * zone are UTC. */
bool lochan_view__day(const lochan_view *view, int64_t i, int64_t *days);

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
    const char *derived; /* the stored column that holds it, an int32, where DuckLake has no
                            transform: the table gets it, and every write fills it */
} lochan_partition_field;

typedef struct lochan_partition_strategy {
    const char *name;
    size_t n_columns; /* columns a table definition must name */
    size_t n_fields;
    lochan_partition_field fields[LOCHAN_PARTITION_MAX];
    /* Whether the n-th column can be of this type. NULL if no column is needed. */
    bool (*accepts)(size_t column, const lochan_type *type);
    /* The values of row i of the columns' views. False if it has none (null, out of range). */
    bool (*values_of)(const lochan_view *views, int64_t i, int64_t number,
                      lochan_partition_values *out);
    int64_t number;     /* its number (of buckets) where a table names none; 0: it takes none */
    int64_t max_number; /* the largest it takes */
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
/* The entry of that name which takes columns of these types, else the first of that name: a name
 * may have an entry for each kind of column. */
const lochan_partition_strategy *lochan_partition__find_for(const char *name,
                                                            const lochan_type *types, size_t n);
/* The strategy of a stored table, NULL if another program chose one we do not know. columns[i] =
 * index of its i-th column in the schema (-1: not told by the catalog, a derived field hides it).
 */
const lochan_partition_strategy *lochan_partition__of_table(const lochan_table_def *def,
                                                            int columns[LOCHAN_PARTITION_MAX],
                                                            int64_t *number);
enum { LOCHAN_TRANSFORM_TEXT = 40 };
/* DuckLake's transform of a field: "year", "bucket(16)". */
void lochan_partition__transform(const lochan_partition_strategy *s, size_t field, int64_t number,
                                 char out[LOCHAN_TRANSFORM_TEXT]);
/* Index of the strategy's derived column in the schema, -1 if it has none. */
int lochan_partition__derived(const lochan_partition_strategy *s, const struct ArrowSchema *schema);

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
