/* reader_own.h - the reader's insides, shared by reader.c, row_group.c and stream.c. May call: the
 * rest of parquet/. */
#ifndef LOCHAN_PARQUET_READER_OWN_H
#define LOCHAN_PARQUET_READER_OWN_H

#include "parquet/column.h"
#include "parquet/file.h"
#include "parquet/projection.h"
#include "parquet/statistics.h"

struct lochan_pq_reader {
    _Atomic int refs;
    lochan_pq_file file;
    lochan_pq_read_options options;
    uint8_t *footer; /* what the metadata's strings point to */
    uint32_t footer_length;
    lochan_arena arena;
    lochan_pq_file_meta meta;
    lochan_pq_schema schema;
    int64_t *first_rows; /* per row group */
    const char *created_by;
};

static inline const lochan_pq_row_group_meta *lochan_pq_reader__group(const lochan_pq_reader *r,
                                                                      int row_group) {
    return (const lochan_pq_row_group_meta *)r->meta.row_groups.items + row_group;
}
static inline const lochan_pq_column_chunk *lochan_pq_reader__chunk(const lochan_pq_reader *r,
                                                                    int row_group, int leaf) {
    return (const lochan_pq_column_chunk *)lochan_pq_reader__group(r, row_group)->columns.items +
           leaf;
}

/* Statistics of a leaf in one row group. */
bool lochan_pq_reader__leaf_stats(const lochan_pq_reader *r, int row_group, int leaf,
                                  lochan_expr_stats *out);

/* How much of their pages columns may keep between two batches; those beyond it are suspended. */
typedef struct lochan_pq_hold {
    size_t limit;
    _Atomic size_t used;
} lochan_pq_hold;

/* The columns of one row group under way: one lochan_pq_column per leaf that the projection has. */
typedef struct lochan_pq_group_read {
    lochan_pq_reader *reader;
    int row_group;
    const lochan_pq_projection *projection; /* borrowed */
    lochan_pq_column *leaves; /* by slot of the projection; those not selected stay zeroed */
    int *selected;            /* slots */
    size_t n_selected;
    int64_t rows_left;
    lochan_pq_hold *hold;       /* NULL: everything is kept */
    _Atomic size_t batch_bytes; /* of the last batch, if there is a hold */
    bool keyed; /* some columns of text come as keys, though their schema does not say so */
} lochan_pq_group_read;

/* projection: borrowed. window: bytes read ahead per column. text_keys: flat columns of text that
 * have a dictionary come as int32 keys into it (lochan_pq_group_read__is_keyed). */
lochan_status lochan_pq_group_read__begin(lochan_pq_group_read *g, lochan_pq_reader *reader,
                                          int row_group, const lochan_pq_projection *projection,
                                          size_t window, bool text_keys, lochan_error *err);
/* Whether the i-th of the columns comes as keys only because text_keys was set. */
bool lochan_pq_group_read__is_keyed(const lochan_pq_group_read *g, size_t i);
void lochan_pq_group_read__end(lochan_pq_group_read *g);
/* The next `rows` rows (at most rows_left) of all columns, in parallel, as a struct array. */
lochan_status lochan_pq_group_read__next(lochan_pq_group_read *g, int64_t rows,
                                         struct ArrowArray *out, lochan_error *err);
/* As next, but only the rows whose bit is set, `kept` of them: what lies between is passed over. */
lochan_status lochan_pq_group_read__next_selected(lochan_pq_group_read *g, int64_t rows,
                                                  const uint8_t *bits, int64_t kept,
                                                  struct ArrowArray *out, lochan_error *err);
lochan_status lochan_pq_group_read__skip(lochan_pq_group_read *g, int64_t rows, lochan_error *err);

#endif
