/* summary.h - what a finished Parquet file holds, column by column: the figures a catalog keeps of
 * it. Invariant: the same for a file just written and for one opened again, except contains_nan,
 * which only the writer knows for sure. May call: base/, arrow/.
 */
#ifndef LOCHAN_PARQUET_SUMMARY_H
#define LOCHAN_PARQUET_SUMMARY_H

#include "arrow/expr.h"
#include "base/arena.h"

/* One leaf column (a flat column, or a leaf of a nested one) over all row groups of the file. */
typedef struct lochan_pq_leaf_summary {
    const char *path;         /* dotted path in the file: "price", "tags.list.element" */
    int column;               /* top-level column it belongs to */
    bool is_flat;             /* that column has no other leaf and is no list */
    int32_t field_id;         /* of the leaf, -1 = none */
    int64_t compressed_bytes; /* pages with their headers, dictionary included */
    int64_t value_count;      /* rows for flat columns; entries, nulls included, for nested ones */
    int64_t null_count;       /* -1 = unknown */
    int contains_nan;         /* 1, 0, -1 = unknown; 0 for types without NaN */
    /* Typed bounds. Truncated text bounds have min_exact / max_exact = false. Decimals have only
     * the text form. */
    lochan_expr_stats stats;
    /* The form DuckLake's catalog keeps: 2024-01-31, 2024-01-31 10:00:00.5, true, 12.50, plain
     * text. NULL = unknown. A truncated maximum is still an upper bound. */
    const char *min_text;
    const char *max_text;
} lochan_pq_leaf_summary;

typedef struct lochan_pq_summary {
    uint64_t file_size;
    uint32_t footer_length; /* the int32 before the closing PAR1 */
    int64_t rows;
    int row_groups;
    int n_leaves;
    lochan_pq_leaf_summary *leaves; /* in file order */
    lochan_arena arena;             /* owns all of it */
} lochan_pq_summary;

void lochan_pq_summary__deinit(lochan_pq_summary *summary); /* a zeroed one is fine */
/* The summary of the leaf of flat column `column`, NULL if that column is nested. */
const lochan_pq_leaf_summary *lochan_pq_summary__column(const lochan_pq_summary *summary,
                                                        int column);

#endif
