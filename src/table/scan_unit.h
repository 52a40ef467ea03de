/* scan_unit.h - the pieces a scan is decoded in: a small file, or one row group of a large one.
 * Invariants: a unit is either decoded whole by a task of the pool, or pulled batch by batch by the
 * consumer (when it is too large to be held, or there is no other thread); its batches are the
 * same. May call: base/, arrow/, parquet/, scan_plan.h.
 */
#ifndef LOCHAN_TABLE_SCAN_UNIT_H
#define LOCHAN_TABLE_SCAN_UNIT_H

#include "table/scan_plan.h"

/* What the units of a scan share. */
typedef struct lochan_scan_shared {
    lochan_scan_plan plan;
    struct ArrowSchema output; /* the first n_output columns of plan.work */
    struct ArrowSchema needed; /* the first n_needed */
    int64_t batch_rows;
    _Atomic bool stopped;  /* tasks end soon */
    pthread_mutex_t mutex; /* guards stats and references to files */
    lochan_scan_stats stats;
} lochan_scan_shared;

/* An open file, shared by its units. */
typedef struct lochan_scan_file {
    lochan_pq_reader *reader;
    int *columns; /* of the file: what its units decode */
    size_t n_columns;
    lochan_projection
        projection; /* from those columns to plan.work, or to `needed` if the reader filters */
    bool push;      /* the reader applies the predicate */
    int refs;
    const lochan_data_file *file;
} lochan_scan_file;

lochan_status lochan_scan_file__open(lochan_scan_shared *s, const lochan_data_file *file,
                                     lochan_scan_file **out, lochan_error *err);
lochan_scan_file *lochan_scan_file__ref(lochan_scan_shared *s, lochan_scan_file *file);
void lochan_scan_file__unref(lochan_scan_shared *s, lochan_scan_file *file); /* NULL is a no-op */

typedef struct lochan_scan_unit {
    struct lochan_scan_unit *next;
    lochan_scan_shared *shared;
    lochan_group
        *group; /* one task: waiting for it runs it if nobody did. NULL: pulled by the consumer */
    lochan_scan_file *file;
    const lochan_data_file *small; /* a file that the unit opens itself */
    int row_group;                 /* -1: all of them */
    struct ArrowArrayStream stream;
    struct ArrowArray *batches; /* decoded by the task */
    size_t n, at, cap;
    size_t budget;
    int64_t rows; /* before any predicate */
} lochan_scan_unit;

/* Of `file` (a reference is taken) one row group, or the whole of `small`. */
lochan_scan_unit *lochan_scan_unit__create(lochan_scan_shared *s, lochan_scan_file *file,
                                           int row_group, const lochan_data_file *small);
/* Has it decoded by the pool. */
lochan_status lochan_scan_unit__submit(lochan_scan_unit *u, lochan_error *err);
/* The next batch that has rows; release NULL at the end. */
lochan_status lochan_scan_unit__next(lochan_scan_unit *u, struct ArrowArray *out,
                                     lochan_error *err);
void lochan_scan_unit__free(lochan_scan_unit *u); /* NULL is a no-op; waits for its task */

/* What so many rows will hold when they are decoded, as far as one can tell before. */
size_t lochan_scan__bytes(const lochan_scan_shared *s, int64_t rows);

#endif
