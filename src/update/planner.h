/* planner.h - how a planner cuts what is missing into scopes.
 *
 * A planner is one entry (those that come with lochan are in planner.c): whether the ledger keeps a
 * series an asset, and a function that cuts one gap into windows. plan.c does the rest for all of
 * them: which assets and parameter sets, the gaps of each series, batches of assets that miss the
 * same days, the requests. May call: base/, spec.h, ledger.h.
 */
#ifndef LOCHAN_UPDATE_PLANNER_H
#define LOCHAN_UPDATE_PLANNER_H

#include "update/ledger.h"
#include "update/spec.h"

struct lochan_job;

typedef struct lochan_planner {
    const char *name;
    bool by_asset;             /* asks asset by asset, with a series of the ledger for each */
    bool needs_chunk;          /* request_options must have date_chunk_* */
    bool needs_param_sets;     /* request_options must have param_sets */
    const char *window_column; /* the column whose days the windows are made of */
    /* Cuts a gap into the windows to ask for, in order; a window may be larger than the gap where
     * the provider only answers for whole periods. */
    lochan_status (*cut)(const struct lochan_job *job, lochan_window gap, lochan_windows *out,
                         lochan_error *err);
} lochan_planner;

/* plan.c: windows end at calendar boundaries of the unit (years and months count from year 0, days
 * from 1970-01-01), so that the same gap always gives the same requests. */
int32_t lochan_plan__chunk_start(lochan_chunk_unit unit, int32_t count, int32_t day);
int32_t lochan_plan__chunk_end(lochan_chunk_unit unit, int32_t count, int32_t day);
lochan_status lochan_plan__cut_chunks(lochan_chunk_unit unit, int32_t count, lochan_window gap,
                                      lochan_windows *out, lochan_error *err);

extern const lochan_planner lochan_planner__snapshot;
extern const lochan_planner lochan_planner__params;
extern const lochan_planner lochan_planner__by_date;
extern const lochan_planner lochan_planner__by_period;
extern const lochan_planner lochan_planner__by_asset;
extern const lochan_planner lochan_planner__by_asset_date_range;

#endif
