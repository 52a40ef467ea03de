/* intake.h - rows of a write that come in any order: kept in memory, spilled as sorted runs beyond
 * it, handed out sorted for each partition, as often as wanted.
 * Invariants: rows are handed out in the table's order, duplicates settled; nothing of an intake is
 * left when its write is freed or its process ends. May call: base/, arrow/, run_file.h, write.h.
 */
#ifndef LOCHAN_TABLE_INTAKE_H
#define LOCHAN_TABLE_INTAKE_H

#include "table/write.h"

/* Ends adding: what is left in memory becomes the last run. To be repeated when partitions were
 * added; then streams may be asked for. */
lochan_status lochan_intake__close(lochan_write *w, lochan_error *err);
void lochan_intake__free(lochan_intake *intake); /* NULL is a no-op */

/* The rows of one partition, in the table's schema; a stream of none if none came. It may be asked
 * for again. The write must outlive the stream. */
lochan_status lochan_intake__stream(lochan_write *w, uint32_t partition,
                                    struct ArrowArrayStream *out, lochan_error *err);
/* Duplicates of one partition that adding and the last stream left out. */
int64_t lochan_intake__duplicates(lochan_write *w, uint32_t partition);

/* Whether a partition's rows are more than memory should hold at a time. */
bool lochan_intake__is_large(lochan_write *w, uint32_t partition);

typedef struct lochan_intake_figures {
    int64_t rows;
    uint64_t spilled_bytes;
    size_t memory_bytes;
} lochan_intake_figures;
void lochan_intake__figures(lochan_write *w, lochan_intake_figures *out);

#endif
