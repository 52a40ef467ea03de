/* intrusion.h - what others than its updates changed in the table of a dataset: other programs,
 * rollbacks, power cuts.
 * May call: base/, read.h.
 */
#ifndef LOCHAN_CATALOG_INTRUSION_H
#define LOCHAN_CATALOG_INTRUSION_H

#include "catalog/read.h"

typedef struct lochan_intrusion {
    int64_t snapshot_id;
    const char *by; /* "another program", "a rollback", "a power cut" */
    /* Days of the rows of one file that came, went or lost rows; INT32_MIN and INT32_MAX if they
     * are not known. */
    int32_t day_from, day_to;
} lochan_intrusion;

typedef struct lochan_intrusion_rows {
    size_t n;
    lochan_intrusion *rows; /* in the order of snapshots; one a file */
    lochan_arena arena;
} lochan_intrusion_rows;

/* Those after the snapshot `since`, and after the last update of the dataset that was published,
 * also if the journal does not have them yet. Days are those of `column`, NULL = rows have none.
 * What an expired snapshot hides counts as all days. */
lochan_status lochan_catalog__intrusions(lochan_catalog *catalog, const lochan_dataset_row *dataset,
                                         int64_t since, const char *column,
                                         lochan_intrusion_rows *out, lochan_error *err);
void lochan_intrusion_rows__deinit(lochan_intrusion_rows *rows);

#endif
