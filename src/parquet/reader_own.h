/* reader_own.h - the reader's insides, shared by reader.c, row_group.c and the stream. May call:
 * the rest of parquet/. */
#ifndef LOCHAN_PARQUET_READER_OWN_H
#define LOCHAN_PARQUET_READER_OWN_H

#include "parquet/assemble.h"
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
    lochan_pq_column *leaves;               /* as the slots of the projection */
    int64_t rows;
    lochan_pq_hold *hold; /* NULL: everything is kept */
    bool keyed; /* some columns of text come as keys, though their schema does not say so */
} lochan_pq_group_read;

/* The column of leaf number `slot` of the projection. */
static inline lochan_pq_column *lochan_pq_group_read__column(const lochan_pq_group_read *g,
                                                             int slot) {
    return &g->leaves[g->projection->place[slot]];
}

/* projection: borrowed. window: bytes read ahead per column. text_keys: flat columns of text that
 * have a dictionary come as int32 keys into it (lochan_pq_group_read__is_keyed). */
lochan_status lochan_pq_group_read__begin(lochan_pq_group_read *g, lochan_pq_reader *reader,
                                          int row_group, const lochan_pq_projection *projection,
                                          size_t window, bool text_keys, lochan_error *err);
/* Whether the i-th of the columns comes as keys only because text_keys was set. */
bool lochan_pq_group_read__is_keyed(const lochan_pq_group_read *g, size_t i);
void lochan_pq_group_read__end(lochan_pq_group_read *g);
/* Rows [row, row + rows) of the i-th leaf, or of them those whose bit is set, `kept` of them; what
 * lies before them is passed over. Leaves may be read by several threads, one leaf by one at a time
 * and in the order of its rows. *bytes: what the rows take. Release *out. */
lochan_status lochan_pq_group_read__leaf(lochan_pq_group_read *g, size_t i, int64_t row,
                                         int64_t rows, const uint8_t *bits, int64_t kept,
                                         lochan_pq_leaf_rows *out, size_t *bytes,
                                         lochan_error *err);
/* A struct array of `length` rows of all leaves, which are taken. */
lochan_status lochan_pq_group_read__assemble(const lochan_pq_group_read *g,
                                             lochan_pq_leaf_rows *leaves, int64_t length,
                                             struct ArrowArray *out, lochan_error *err);

#endif
