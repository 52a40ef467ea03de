/* planner.c - the built-in planners; see planner.h. Each is a few lines over the chunks of plan.c.
 * May call: base/, planner.h, job.h.
 */
#include "update/planner.h"

#include "update/job.h"

static lochan_status cut_chunks(const lochan_job *job, lochan_window gap, lochan_windows *out,
                                lochan_error *err) {
    return lochan_plan__cut_chunks(job->spec->chunk_unit, job->spec->chunk_count, gap, out, err);
}

static lochan_status cut_whole(const lochan_job *job, lochan_window gap, lochan_windows *out,
                               lochan_error *err) {
    (void)job;
    return lochan_windows__add(out, gap.from, gap.to, err);
}

/* Windows of days, all assets at once. */
const lochan_planner lochan_planner__snapshot = {
    .name = "snapshot", .window_column = "time", .cut = cut_chunks};

/* The same for each of a list of parameter sets. */
const lochan_planner lochan_planner__params = {
    .name = "params", .needs_param_sets = true, .window_column = "time", .cut = cut_chunks};

/* One request a day, {date}. Days that are not in the calendar count for the day after them. */
static lochan_status cut_days(const lochan_job *job, lochan_window gap, lochan_windows *out,
                              lochan_error *err) {
    int64_t from = gap.from;
    for (int64_t day = gap.from; day <= gap.to; day++) {
        if (lochan_job__is_holiday(job, (int32_t)day))
            continue;
        LOCHAN_TRY(lochan_windows__add(out, (int32_t)from, (int32_t)day, err));
        from = day + 1;
    }
    return LOCHAN_OK;
}

const lochan_planner lochan_planner__by_date = {
    .name = "by_date", .window_column = "time", .cut = cut_days};

/* One request a reporting period, {period} = its last day. A period is asked for as a whole. */
static lochan_status cut_periods(const lochan_job *job, lochan_window gap, lochan_windows *out,
                                 lochan_error *err) {
    lochan_chunk_unit unit = job->spec->period_unit;
    int32_t count = job->spec->period_count;
    lochan_window whole = {lochan_plan__chunk_start(unit, count, gap.from),
                           lochan_plan__chunk_end(unit, count, gap.to)};
    return lochan_plan__cut_chunks(unit, count, whole, out, err);
}

const lochan_planner lochan_planner__by_period = {
    .name = "by_period", .window_column = "period", .cut = cut_periods};

/* Each asset (or batch of assets) over all days that are missing. */
const lochan_planner lochan_planner__by_asset = {
    .name = "by_asset", .by_asset = true, .window_column = "time", .cut = cut_whole};

/* The same, in windows of date_chunk_*. */
const lochan_planner lochan_planner__by_asset_date_range = {.name = "by_asset_date_range",
                                                            .by_asset = true,
                                                            .needs_chunk = true,
                                                            .window_column = "time",
                                                            .cut = cut_chunks};
