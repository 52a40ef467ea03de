/* old_file.h - reading a file that a merge may replace. May call: base/, arrow/, parquet/, write.h.
 */
#ifndef LOCHAN_TABLE_OLD_FILE_H
#define LOCHAN_TABLE_OLD_FILE_H

#include "table/write.h"

typedef struct lochan_old_file {
    lochan_pq_reader *reader;
    lochan_projection projection;
    struct ArrowArrayStream stream;
    const lochan_data_file *file;
} lochan_old_file;

/* Deinit also after a failure, or a zeroed one. */
lochan_status lochan_old_file__open(lochan_old_file *f, lochan_write *w,
                                    const lochan_data_file *file, lochan_error *err);
void lochan_old_file__deinit(lochan_old_file *f);
/* Starts reading at the first row: all row groups (NULL) or some. */
lochan_status lochan_old_file__rewind(lochan_old_file *f, const int *groups, size_t n,
                                      lochan_error *err);
/* The next batch in the table's schema; release NULL at the end. */
lochan_status lochan_old_file__next(lochan_old_file *f, struct ArrowArray *out, lochan_error *err);

#endif
