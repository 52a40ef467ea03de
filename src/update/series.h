/* series.h - the ledger of a dataset: a series of intervals for each (asset, variant) pair.
 * A series is what it was when the update began, and what it will be when it is published; only
 * what differs is written. Asset "" = all assets at once, variant "" = no parameter set. Invariant:
 * pointers to series stay valid as long as the book. Not thread-safe. May call: base/, catalog/,
 * ledger.h.
 */
#ifndef LOCHAN_UPDATE_SERIES_H
#define LOCHAN_UPDATE_SERIES_H

#include "catalog/txn.h"
#include "update/ledger.h"

typedef struct lochan_series {
    const char *asset;
    const char *variant;
    lochan_ledger before;
    lochan_ledger after; /* only if changed */
    bool changed;
} lochan_series;

typedef struct lochan_book {
    lochan_series **items; /* in the order of the catalog, then as they were added */
    size_t n, cap;
    uint32_t *slots; /* hash table: number of a series + 1 */
    size_t n_slots;
    lochan_coverage_rows rows; /* holds the texts */
    lochan_arena arena;
} lochan_book;

/* Reads the coverage of a dataset into an empty book; deinit it also after a failure. */
lochan_status lochan_book__load(lochan_book *book, lochan_catalog *catalog, int64_t dataset_id,
                                lochan_error *err);
void lochan_book__deinit(lochan_book *book);

/* NULL if nothing is known of it. */
lochan_series *lochan_book__find(const lochan_book *book, const char *asset, const char *variant);
/* Makes an empty one if there is none. */
lochan_status lochan_book__get(lochan_book *book, const char *asset, const char *variant,
                               lochan_series **out, lochan_error *err);

/* Records a result; cover->message must live as long as the book. */
lochan_status lochan_series__record(lochan_series *series, const lochan_cover *cover,
                                    lochan_finality f, lochan_error *err);
/* What will be in force after the update. */
const lochan_ledger *lochan_series__now(const lochan_series *series);
/* Forgets all intervals, for what has no days: only the last asking counts. */
void lochan_series__clear(lochan_series *series);

/* Writes what changed, so that a commit costs what changed. */
lochan_status lochan_book__put(const lochan_book *book, lochan_txn *txn, int64_t dataset_id,
                               lochan_error *err);

#endif
