/* raw.h - answers that are kept as evidence (keep_raw of a dataset's spec), from which the dataset
 * can be built again without its provider.
 *
 * A published update's folder of staging moves to data/staging/raw/<source>/<dataset>/<update id>/;
 * file `evidence` in it says which answers were taken for which scope, in the order of the plan.
 * The answers and that file are durable before the update is published; the folder moves after.
 * Invariant: an update counts as evidence only if the catalog says that it was published, wherever
 * its folder lies; answers of scopes that failed are in no `evidence`. docs/format.md has the
 * layout. May call: base/, catalog/, table/, job.h.
 */
#ifndef LOCHAN_UPDATE_RAW_H
#define LOCHAN_UPDATE_RAW_H

#include "update/job.h"

#define LOCHAN_RAW_FILE "evidence"

/* ---- raw_record.c: one update ---- */

typedef struct lochan_raw_scope {
    lochan_window window;
    const char *variant; /* "" = none */
    const char **assets; /* none: all of them at once */
    size_t n_assets;
    int64_t asked_ns;
    bool open_ended;
    lochan_hash128 *answers; /* requests, in the order of the pages */
    size_t n_answers;
} lochan_raw_scope;

typedef struct lochan_raw_record {
    lochan_arena arena;
    char update_id[37];
    char mapping[33]; /* hash of the mapping that the rows were made with */
    int64_t started_ns;
    lochan_validate_level level;
    lochan_raw_scope *scopes; /* those that succeeded, in the order of the plan */
    size_t n_scopes;
    int64_t answers;
} lochan_raw_record;

/* What the job fetched, as bytes. */
lochan_status lochan_raw_record__encode(const lochan_job *job, lochan_buf *out, lochan_error *err);
/* CORRUPT names the file; deinit *out also after a failure. */
lochan_status lochan_raw_record__read(const char *folder, lochan_raw_record *out,
                                      lochan_error *err);
void lochan_raw_record__deinit(lochan_raw_record *record);

/* ---- raw.c: folders ---- */

/* Notes that the page just taken is an answer of the scope. */
lochan_status lochan_raw__note(const lochan_job *job, lochan_scope *scope, lochan_error *err);
/* Before the publish: answers and record become durable. *kept = false: there is nothing to keep.
 */
lochan_status lochan_raw__prepare(lochan_job *job, bool *kept, lochan_error *err);
/* After it: the folder moves; what is beyond the spec's bound goes. */
lochan_status lochan_raw__keep(lochan_job *job, lochan_error *err);
/* Of a folder in staging without a living owner: moves it if it is evidence, and leaves it if it
 * might be. For lochan_staging__open. */
lochan_status lochan_raw__claim(void *job, const char *folder, const char *name, bool *claimed,
                                lochan_error *err);

/* One update that is evidence. */
typedef struct lochan_raw_update {
    char update_id[37];
    char *folder;        /* owned */
    int64_t finished_ns; /* of the update */
    int64_t files, bytes;
} lochan_raw_update;
typedef struct lochan_raw_updates {
    lochan_raw_update *items; /* in the order of their commits */
    size_t n, cap;
} lochan_raw_updates;
/* settle: leftovers in staging are moved first (the lake can be written). */
lochan_status lochan_raw__list(lochan_lake *lake, const lochan_dataset_row *dataset, bool settle,
                               lochan_raw_updates *out, lochan_error *err);
void lochan_raw_updates__deinit(lochan_raw_updates *updates);
/* Files and bytes below data/staging/raw of a dataset. */
lochan_status lochan_raw__disk_use(const char *lake_path, const char *source, const char *dataset,
                                   int64_t *files, int64_t *bytes, lochan_error *err);
/* Removes the oldest updates' until the rest is not above max_bytes; what they took. */
lochan_status lochan_raw__trim(lochan_lake *lake, const lochan_dataset_row *dataset,
                               uint64_t max_bytes, int64_t *files, int64_t *bytes,
                               lochan_error *err);
/* Removes all of a dataset. */
lochan_status lochan_raw__remove(const char *lake_path, const char *source, const char *dataset,
                                 lochan_error *err);

/* ---- raw_replay.c: an update once more, from its answers ---- */

typedef struct lochan_replay {
    const lochan_raw_record *record;
    const char *folder;
    lochan_lake *lake; /* whose other datasets the spec refers to */
} lochan_replay;

/* Instead of plan.c and collect.c. */
lochan_status lochan_replay__plan(lochan_job *job, lochan_error *err);
lochan_status lochan_replay__collect(lochan_job *job, lochan_error *err);
/* run.c: replays into a lake of its own, which has the source and the dataset. */
lochan_status lochan_replay__run(lochan_lake *lake, const lochan_update_request *request,
                                 const lochan_replay *replay, lochan_update_report *report,
                                 lochan_error *err);

#endif
