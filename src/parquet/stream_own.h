/* stream_own.h - the insides of a stream: row groups become units (the rows of a batch), units
 * become batches, many at a time. Shared by the files stream*.c.
 * Invariants: `lock` guards what says so; row groups and units are planned by one thread at a time,
 * in the order of the file; a leaf of a row group is read by one thread at a time, in the order of
 * the units. May call: the rest of parquet/.
 */
#ifndef LOCHAN_PARQUET_STREAM_OWN_H
#define LOCHAN_PARQUET_STREAM_OWN_H

#include "base/pool.h"
#include "parquet/plan.h"
#include "parquet/reader_own.h"

#include <pthread.h>

/* A row group under way. */
typedef struct lochan_pq_open_group {
    lochan_pq_group_read first, rest; /* columns of the predicate; the others */
    struct ArrowSchema keyed_schema;  /* of `first` where some of its columns come as keys */
    bool all_match;                   /* its statistics say that the predicate holds everywhere */
    lochan_pq_range *ranges;          /* rows that may match; NULL: all */
    size_t n_ranges, next_range;
    int64_t row;      /* next to be planned */
    double row_bytes; /* what a row is expected to take */
    int users;        /* units and the planner (lock) */
} lochan_pq_open_group;

typedef enum lochan_pq_leaf_state {
    LOCHAN_PQ_LEAF_WAITS,
    LOCHAN_PQ_LEAF_RUNS,
    LOCHAN_PQ_LEAF_DONE
} lochan_pq_leaf_state;

typedef enum lochan_pq_stage {
    LOCHAN_PQ_STAGE_FIRST, /* leaves of the predicate are read */
    LOCHAN_PQ_STAGE_TEST,  /* the predicate is applied */
    LOCHAN_PQ_STAGE_REST,  /* the other leaves are read */
    LOCHAN_PQ_STAGE_JOIN,  /* the batch is put together */
    LOCHAN_PQ_STAGE_READY  /* `out`, unless no row is left; or `rc` */
} lochan_pq_stage;

/* The rows of a batch on their way. All but what a task works on is guarded by the lock. */
typedef struct lochan_pq_unit {
    struct lochan_pq_unit *next;     /* in the stream */
    struct lochan_pq_unit *previous; /* of the same row group, if it is still in the stream */
    lochan_pq_open_group *group;     /* NULL: planning failed */
    int64_t row, rows, kept;
    lochan_pq_stage stage;
    bool busy;         /* TEST or JOIN is under way */
    size_t from, left; /* of the leaves of this stage: none before waits; not done */
    size_t running;    /* tasks */
    uint8_t *states;   /* lochan_pq_leaf_state: leaves of the predicate, then the others */
    lochan_pq_leaf_rows *leaves; /* the same */
    struct ArrowArray first;     /* the predicate's columns */
    uint8_t *bits;               /* rows wanted; NULL: all */
    bool sparse;                 /* of the other leaves only those are read */
    struct ArrowArray out;
    size_t taken;           /* from the budget */
    lochan_pq_claim claim;  /* what its arrays take beyond that */
    size_t bytes, expected; /* of its arrays: so far; at the end */
    lochan_status rc;
    size_t failed; /* the lowest leaf that failed */
    lochan_error error;
} lochan_pq_unit;

typedef struct lochan_pq_stream {
    lochan_pq_reader *reader; /* one reference */
    const lochan_expr *predicate;
    int *groups;
    size_t n_groups;
    int64_t batch_rows;
    lochan_pq_read_plan plan;
    lochan_pq_range *rows; /* of the file; NULL: all */
    size_t n_rows;
    /* planning */
    size_t next_group;
    lochan_pq_open_group *open; /* the one that units are cut from */
    /* under a budget: */
    bool bounded, probing;
    lochan_pq_hold hold;
    double batch_bytes, row_bytes; /* of the largest batch; what a row is expected to take */
    /* tasks */
    lochan_group *helpers; /* NULL: one thread does everything */
    size_t most_helpers;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* for a consumer that waits */
    /* guarded by the lock: */
    lochan_pq_unit *head, *tail;
    size_t n_units, n_helpers;
    lochan_pq_unit unplanned; /* what stands for the unit that could not be planned */
    bool planning, planned, failed, closing, waiting;
} lochan_pq_stream;

enum { LOCHAN_PQ_MIN_BATCH_ROWS = 16 }; /* a budget asks for no fewer */

/* stream_group.c: the next unit, its lists empty; *out = NULL: there is none. */
lochan_status lochan_pq_stream__plan(lochan_pq_stream *s, lochan_pq_unit **out, lochan_error *err);
void lochan_pq_open_group__close(lochan_pq_open_group *group); /* NULL is a no-op */
/* Goes back to the row of the row group at hand where `rows` rows did not fit into the budget, of
 * which no unit is left: what comes next is planned with fewer. */
lochan_status lochan_pq_stream__back(lochan_pq_stream *s, int64_t row, int64_t rows,
                                     lochan_error *err);
/* Learns from a unit what the next ones may take. */
void lochan_pq_stream__learn(lochan_pq_stream *s, const lochan_pq_unit *unit);

/* stream_tasks.c: the row group has no units left. */
void lochan_pq_stream__leave_group(lochan_pq_stream *s);

/* stream_unit.c: what tasks do to a unit, without the lock. */
lochan_status lochan_pq_unit__read(const lochan_pq_stream *s, lochan_pq_unit *u, size_t leaf,
                                   size_t *bytes, lochan_error *err);
lochan_status lochan_pq_unit__test(const lochan_pq_stream *s, lochan_pq_unit *u, lochan_error *err);
lochan_status lochan_pq_unit__join(lochan_pq_stream *s, lochan_pq_unit *u, lochan_error *err);
void lochan_pq_unit__free(const lochan_pq_stream *s, lochan_pq_unit *u);

/* stream_tasks.c: the next batch; *out stays released at the end. */
lochan_status lochan_pq_stream__next(lochan_pq_stream *s, struct ArrowArray *out,
                                     lochan_error *err);
/* Ends all tasks and frees units and row groups. */
void lochan_pq_stream__stop(lochan_pq_stream *s);

#endif
