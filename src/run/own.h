/* own.h - what the files of run/ share.
 * Invariants: a run id has passed lochan_run_check_id before it becomes a path or a predicate;
 * descriptors are immutable and counted. Lock: lochan_run.mutex guards its list of descriptors; no
 * file is touched under it. May call: base/, arrow/, catalog/, table/, descriptor.h.
 */
#ifndef LOCHAN_RUN_OWN_H
#define LOCHAN_RUN_OWN_H

#include "run/descriptor.h"
#include "table/table.h"

#include <lochan/run.h>
#include <pthread.h>

#define LOCHAN_RUN_SCHEMA "runs" /* schema of all run tables in the catalog */

/* ---- tables.c: descriptors by name ---- */

/* A descriptor in use, with the text it was read from. */
typedef struct lochan_run_known {
    lochan_run_descriptor *d;
    char *text; /* NULL: bundled */
    _Atomic int refs;
} lochan_run_known;

typedef struct lochan_run_known_list {
    lochan_run_known **items;
    size_t n, cap;
} lochan_run_known_list;

/* SCHEMA names the tables there are. `cache` may be NULL. */
lochan_status lochan_run_known__find(lochan_lake *lake, lochan_run_known_list *cache,
                                     pthread_mutex_t *mutex, const char *table,
                                     lochan_run_known **out, lochan_error *err);
void lochan_run_known__unref(lochan_run_known *known); /* NULL is a no-op */

/* ---- run.c ---- */

struct lochan_run {
    lochan_lake *lake;
    char *run_id;
    char *codec;
    lochan_run_options options;
    pthread_mutex_t mutex;
    lochan_run_known_list cache;
};

/* Every refusal of rows or names is one code. Turns what lower layers say about values and columns
 * into SCHEMA, with the table's name. */
lochan_status lochan_run__refuse(lochan_error *err, lochan_status rc, const char *table,
                                 const char *column, int64_t row);
/* Partitions of one run: all of them, or one bucket. The arena keeps the text. */
lochan_status lochan_run__range(lochan_arena *arena, const char *run_id, int64_t bucket,
                                lochan_file_range *out, lochan_error *err);

/* ---- json_check.c ---- */

bool lochan_run__is_json_object(const char *text);

/* ---- salvage.c ---- */

/* A damaged lake.db: the hint names what makes it again. */
void lochan_run__hint_rebuild(lochan_error *err, lochan_status rc);

/* ---- footers.c ---- */

/* Opens, read-only, a lake of which neither lake.db nor journal is left: *parts are listed, and
 * *left_out files are not (damaged, of no run, of an append that is not whole). */
lochan_status lochan_run__from_footers(const char *path, const lochan_lake_options *options,
                                       int64_t *parts, int64_t *left_out, lochan_lake **out,
                                       lochan_error *err);

/* ---- evolve.c: the table of the lake follows the rows that come ---- */

/* The table as `runs.<name>` can take rows of `incoming` (NULL: as it is): made, or with columns,
 * struct fields and wider numbers added in a short commit of its own. SCHEMA names table, field,
 * both types and the run that fixed the first. `run_id` says who asks. */
lochan_status lochan_run__evolve(lochan_lake *lake, const char *run_id,
                                 const lochan_run_descriptor *d, const struct ArrowSchema *incoming,
                                 lochan_table **out, lochan_error *err);
/* What evolve would make of the table, without making it: *changes tells whether it would do
 * anything. Then *out is filled, else *table is the table as it is, for the caller to close. */
lochan_status lochan_run__predict(lochan_lake *lake, const lochan_run_descriptor *d,
                                  const struct ArrowSchema *incoming, bool *changes,
                                  struct ArrowSchema *out, lochan_table **table, lochan_error *err);
/* The table that these rows alone would make. */
lochan_status lochan_run__wanted(const lochan_run_descriptor *d, const struct ArrowSchema *incoming,
                                 struct ArrowSchema *out, lochan_error *err);
/* The columns and struct fields of both, those of `a` first; integers give way to floats. Types
 * that do not go together stay as in `a`. */
lochan_status lochan_run__unite(const struct ArrowSchema *a, const struct ArrowSchema *b,
                                struct ArrowSchema *out, lochan_error *err);
/* The table if there is one, else *out = NULL. */
lochan_status lochan_run__open_table(lochan_lake *lake, const char *name, int64_t snapshot_id,
                                     lochan_table **out, lochan_error *err);
/* Whether a type has nothing to store: no struct field, no type of items. */
bool lochan_run_field__is_void(const struct ArrowSchema *field);

/* ---- buckets.c ---- */

/* Rows of one bucket, waiting to be written. */
typedef struct lochan_run_bucket {
    struct ArrowArray *batches;
    size_t n, cap;
} lochan_run_bucket;

typedef struct lochan_run_buckets {
    lochan_write *write;              /* borrowed */
    const struct ArrowSchema *schema; /* of the table, borrowed */
    lochan_run_bucket *items;         /* by number of the write's partition */
    size_t n;
    int64_t held; /* rows given since somebody set it to 0 */
} lochan_run_buckets;

/* Takes rows of the table (also on failure) and gives each bucket its own. */
lochan_status lochan_run_buckets__add(lochan_run_buckets *b, struct ArrowArray *rows,
                                      lochan_error *err);
void lochan_run_buckets__deinit(lochan_run_buckets *b);
/* Appends a batch to a list; takes it, also on failure. */
lochan_status lochan_run__push(struct ArrowArray **list, size_t *n, size_t *cap,
                               struct ArrowArray *batch, lochan_error *err);

/* ---- append.c ---- */

/* The options a caller of any version gave; NULL = defaults. */
lochan_status lochan_append_options__read(const lochan_append_options *options,
                                          lochan_append_options *out, lochan_error *err);

/* ---- shape.c: rows from outside as rows of the table ---- */

typedef struct lochan_run_shape {
    const lochan_run_descriptor *d;
    const struct ArrowSchema *from, *to; /* of the rows, of the table */
    const char *run_id;
    int64_t tick_bucket_size;
    bool check_required; /* nulls in required columns are refused */
    bool check_rows;     /* values and rules too */
    int *source;         /* for each column of the table its column in `from`, -1 = none */
    int64_t rows;        /* shaped so far: where the next batch begins, for messages */
} lochan_run_shape;

/* Checks the columns (not yet their rows) against the descriptor. */
lochan_status lochan_run__check_columns(const lochan_run_descriptor *d,
                                        const struct ArrowSchema *from, bool required, bool strict,
                                        lochan_error *err);
/* All pointers are borrowed. */
lochan_status lochan_run_shape__init(lochan_run_shape *s, lochan_error *err);
void lochan_run_shape__deinit(lochan_run_shape *s);
/* Takes a batch that passed lochan_array__check (also on failure); *out are the same rows as rows
 * of the table, and may share its memory. */
lochan_status lochan_run_shape__apply(lochan_run_shape *s, struct ArrowArray *batch,
                                      struct ArrowArray *out, lochan_error *err);
/* Values and rules of the descriptor over shaped rows. */
lochan_status lochan_run__check_rows(const lochan_run_descriptor *d,
                                     const struct ArrowSchema *schema,
                                     const struct ArrowArray *rows, int64_t first_row,
                                     lochan_error *err);

#endif
