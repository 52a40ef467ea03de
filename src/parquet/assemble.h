/* assemble.h - the columns of a batch put together into Arrow arrays: lists, structs and maps from
 * levels. Invariant: children's lengths agree, or the file is refused as damaged. May call: base/,
 * arrow/, column.h.
 */
#ifndef LOCHAN_PARQUET_ASSEMBLE_H
#define LOCHAN_PARQUET_ASSEMBLE_H

#include "parquet/column.h"

/* columns: one per leaf of the schema, indexed by leaf; those below `field` have been read for the
 * same rows. Moves their buffers into *out. */
lochan_status lochan_pq_assemble(const lochan_pq_field *field, lochan_pq_column *columns,
                                 struct ArrowArray *out, lochan_error *err);
/* Gives an array of keys its dictionary. Batches of one chunk show the same one, unless some of
 * their texts are not in it. */
lochan_status lochan_pq_assemble__dictionary(lochan_pq_column *c, struct ArrowArray *array,
                                             lochan_error *err);

#endif
