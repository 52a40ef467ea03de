/* writer_own.h - the writer's insides, shared by writer.c and copy.c. May call: the rest of
 * parquet/. */
#ifndef LOCHAN_PARQUET_WRITER_OWN_H
#define LOCHAN_PARQUET_WRITER_OWN_H

#include "parquet/column_writer.h"

struct lochan_pq_writer {
    lochan_ctx ctx;
    lochan_pq_sink sink;
    char *name;
    lochan_pq_write_options options;
    lochan_pq_schema schema;
    lochan_pq_codec_cache codecs;
    lochan_pq_column_writer *columns; /* one per leaf */
    int n_columns;
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
    bool finished, closed;
    lochan_status failed; /* the first failure: the file is unusable */
};

/* Remembers the first failure and names the file. */
lochan_status lochan_pq_writer__fail(lochan_pq_writer *w, lochan_status rc, lochan_error *err);
/* Whether the writer may still be written to. */
lochan_status lochan_pq_writer__check(lochan_pq_writer *w, lochan_error *err);
lochan_status lochan_pq_writer__put(lochan_pq_writer *w, const void *p, size_t n,
                                    lochan_error *err);
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
