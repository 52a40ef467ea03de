/* raw_rebuild.h - what the files of a rebuild from kept answers share (raw_rebuild.c,
 * raw_publish.c). May call: raw.h.
 */
#ifndef LOCHAN_UPDATE_RAW_REBUILD_H
#define LOCHAN_UPDATE_RAW_REBUILD_H

#include "update/raw.h"

/* Days that the ledger calls good and that nothing was kept of. */
struct lochan_rebuild_lack {
    lochan_series *series;
    int32_t from, to;
};

struct lochan_rebuild {
    lochan_lake *lake;
    const lochan_raw_options *options;
    lochan_raw_report *report;
    int64_t since_ns, started_ns;
    lochan_dataset_rows rows;
    const lochan_dataset_row *dataset;
    lochan_dataset_spec *spec;
    lochan_lease *lease; /* on the whole dataset */
    lochan_raw_updates updates;
    lochan_reject_rows rejects; /* of the lake */
    lochan_lake *scratch;       /* into which updates are replayed */
    char *scratch_path;
    lochan_book book, replayed;
    struct lochan_rebuild_lack *lacks;
    size_t n_lacks, cap_lacks;

    /* raw_publish.c */
    struct ArrowSchema schema;
    int *columns; /* of the table in scratch */
    size_t n_columns;
    uint64_t place;              /* of the next batch */
    lochan_table *built, *table; /* in scratch, in the lake */
    lochan_write *write;
    lochan_reject_rows new_rejects; /* of scratch */
    bool *take_rejects;             /* those that the lake does not have */
};

/* The rows into a write of the lake's table, merged; *lost = rows of the table that do not come
 * again. */
lochan_status lochan_rebuild__write(struct lochan_rebuild *r, int64_t *lost, lochan_error *err);
/* Its steps: table and writer; rows of scratch, where NULL: all; the merge. */
lochan_status lochan_rebuild__open(struct lochan_rebuild *r, lochan_write_mode mode,
                                   lochan_error *err);
lochan_status lochan_rebuild__copy(struct lochan_rebuild *r, const char *where, lochan_error *err);
lochan_status lochan_rebuild__merge(struct lochan_rebuild *r, lochan_error *err);
/* raw_restore.c: only the days that are owed; what is not in the answers becomes lacks. */
lochan_status lochan_rebuild__restore(struct lochan_rebuild *r, lochan_error *err);
/* raw_rebuild.c: notes the days of an interval that were not replayed with success. */
lochan_status lochan_rebuild__find_lacks(struct lochan_rebuild *r, lochan_series *series,
                                         const lochan_cover *cover, lochan_error *err);
lochan_status lochan_rebuild__publish(struct lochan_rebuild *r, lochan_error *err);
void lochan_rebuild__drop(struct lochan_rebuild *r);
lochan_status lochan_rebuild__list_lacks(const struct lochan_rebuild *r,
                                         struct ArrowArrayStream *out, lochan_error *err);

#endif
