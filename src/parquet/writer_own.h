/* writer_own.h - the writer's insides, shared by writer.c,
 * group_writer.c and copy.c. May call: the rest of
 * parquet/. */
#ifndef LOCHAN_PARQUET_WRITER_OWN_H
#define LOCHAN_PARQUET_WRITER_OWN_H

#include "parquet/column_writer.h"
#include <pthread.h>

struct lochan_pq_writer {
    lochan_ctx ctx;
    lochan_pq_sink sink;
    bool any_thread; /* the sink may be called from the pool */
    char *name;
    lochan_pq_write_options options;
    lochan_pq_schema schema;
    lochan_pq_codec_cache codecs;
    lochan_pq_column_writer *columns; /* one per leaf */
    int n_columns;
    int *order;         /* leaves in the order in which threads take them */
    int64_t step_rows;  /* columns are written so many rows at a time */
    lochan_arena arena; /* metadata until close */
    lochan_pq_row_group_meta *groups;
    size_t n_groups, cap_groups;
    lochan_pq_key_value *metadata;
    size_t n_metadata, cap_metadata;
    uint64_t offset;                           /* bytes written */
    int64_t group_rows;                        /* of the row group under way */
    int64_t rows;                              /* of finished row groups */
    lochan_buf column_indexes, offset_indexes; /* of all chunks, written before the footer */
    pthread_mutex_t lock;                      /* of the two below and of the columns' `done` */
    bool putting;                              /* a thread writes finished leaves */
    int next_leaf;                             /* to be written */
    bool finished, closed;
    lochan_status failed; /* the first failure: the file is unusable */
};

/* Remembers the first failure and names the file. */
lochan_status lochan_pq_writer__fail(lochan_pq_writer *w, lochan_status rc, lochan_error *err);
/* Whether the writer may still be written to. */
lochan_status lochan_pq_writer__check(lochan_pq_writer *w, lochan_error *err);
lochan_status lochan_pq_writer__put(lochan_pq_writer *w, const void *p, size_t n,
                                    lochan_error *err);
/* group_writer.c: adds the rows of a batch / ends the row group under way. */
lochan_status lochan_pq_writer__put_rows(lochan_pq_writer *w, const struct ArrowArray *batch,
                                         lochan_error *err);
lochan_status lochan_pq_writer__finish_group(lochan_pq_writer *w, lochan_error *err);
/* A new row group of group_rows rows at the end of the list; n_groups is raised by the caller when
 * it is whole. */
lochan_status lochan_pq_writer__add_group(lochan_pq_writer *w, lochan_pq_row_group_meta **out,
                                          lochan_error *err);
lochan_status lochan_pq_writer__put_sorting(lochan_pq_writer *w, lochan_pq_row_group_meta *g,
                                            lochan_error *err);
/* Writes the Bloom filter of a finished chunk, if it has one. */
lochan_status lochan_pq_writer__put_bloom(lochan_pq_writer *w, lochan_pq_column_writer *c,
                                          lochan_pq_column_chunk *chunk, lochan_error *err);
/* Serialises the page indexes of a finished chunk. Their places are counted from the first one
 * until the footer. */
lochan_status lochan_pq_writer__put_indexes(lochan_pq_writer *w, const lochan_pq_column_writer *c,
                                            lochan_pq_column_chunk *chunk, lochan_error *err);

#endif
