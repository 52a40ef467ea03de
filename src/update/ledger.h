/* ledger.h - coverage: which days of a dataset were asked for, when, and with what result.
 *
 * One series of intervals per (dataset, asset or all, parameter variant). A day is final if the
 * last answer for it was success or empty and it was asked late enough: providers revise recent
 * days and deliver late, so the settle delay of the spec must have passed between the day and the
 * asking. Days that are not final are asked again. Invariant: the intervals of a series are sorted,
 * disjoint, and final neighbours are joined, so a series stays small however often it is asked
 * (success next to empty is success: whether a single day had rows is the table's to tell). May
 * call: base/.
 */
#ifndef LOCHAN_UPDATE_LEDGER_H
#define LOCHAN_UPDATE_LEDGER_H

#include "base/mem.h"

typedef enum lochan_cover_state {
    LOCHAN_COVER_SUCCESS = 0, /* rows came */
    LOCHAN_COVER_EMPTY = 1,   /* a proper answer without rows */
    LOCHAN_COVER_FAILED = 2,  /* no usable answer */
    LOCHAN_COVER_INVALID = 3  /* an answer that broke the dataset's contract */
} lochan_cover_state;

/* "success", "empty", "failed", "invalid". */
const char *lochan_cover_state__name(lochan_cover_state state);

enum { LOCHAN_COVER_HASH = 56 };

typedef struct lochan_cover {
    int32_t from, to; /* days since 1970-01-01, inclusive */
    lochan_cover_state state;
    int64_t asked_at; /* ns since 1970; the latest asking in the interval */
    int32_t attempts; /* askings without a usable answer since the last good one */
    int64_t rows;     /* of the answers, -1 = unknown (the interval was cut) */
    /* Content of the answer if the interval is one scope (same.h; of files: files.c), else "". */
    char hash[LOCHAN_COVER_HASH];
    char update_id[37];
    const char *message; /* why it failed, NULL or "" = nothing to say; borrowed */
} lochan_cover;

typedef struct lochan_ledger {
    lochan_cover *rows;
    size_t count;
    size_t capacity;
} lochan_ledger;

typedef struct lochan_window {
    int32_t from, to; /* inclusive */
} lochan_window;

typedef struct lochan_windows {
    lochan_window *items;
    size_t count;
    size_t capacity;
} lochan_windows;

void lochan_ledger__deinit(lochan_ledger *ledger);
void lochan_windows__deinit(lochan_windows *windows);
lochan_status lochan_windows__add(lochan_windows *windows, int32_t from, int32_t to,
                                  lochan_error *err);

/* An independent copy (texts are still borrowed) into an empty ledger. */
lochan_status lochan_ledger__dup(const lochan_ledger *from, lochan_ledger *to, lochan_error *err);

/* Appends an interval as read from the catalog; CORRUPT if it overlaps or precedes the last one. */
lochan_status lochan_ledger__load(lochan_ledger *ledger, const lochan_cover *cover,
                                  lochan_error *err);

/* Last final day an asking at `asked_at` can make: days after it may still change. */
int32_t lochan_ledger__final_day(int64_t asked_at, int32_t settle_days);

typedef enum lochan_gap_kind {
    LOCHAN_GAP_OPEN,   /* never asked, failed, or not final */
    LOCHAN_GAP_FAILED, /* only what is recorded as failed or invalid */
    LOCHAN_GAP_ALL     /* everything, final or not */
} lochan_gap_kind;

/* When a day needs no more asking. */
typedef struct lochan_finality {
    int32_t settle_days;
    int32_t refresh_days; /* what was asked so long before `now` is asked again; 0 = nothing is.
                             Joined intervals know one asking only, so it may take up to twice as
                             long. */
    int64_t now;          /* ns, for refresh_days */
} lochan_finality;

/* The windows of [from, to] to ask for, in order, disjoint; appended to *out. */
lochan_status lochan_ledger__gaps(const lochan_ledger *ledger, int32_t from, int32_t to,
                                  lochan_finality f, lochan_gap_kind kind, lochan_windows *out,
                                  lochan_error *err);

/* Records the result for the days of `cover`: replaces what was known of them, splits off the part
 * that is not final yet, joins equal neighbours. */
lochan_status lochan_ledger__record(lochan_ledger *ledger, const lochan_cover *cover,
                                    lochan_finality f, lochan_error *err);

/* Of a series without days, which has one interval: whether its answer is good and young enough. */
bool lochan_ledger__is_fresh(const lochan_ledger *ledger, lochan_finality f);
bool lochan_ledger__has_failed(const lochan_ledger *ledger);

/* When a day of the window was last asked for, 0 = never. */
int64_t lochan_ledger__asked_at(const lochan_ledger *ledger, lochan_window window);

/* Last day up to which everything from the first interval on is final; INT32_MIN if nothing is. */
int32_t lochan_ledger__final_to(const lochan_ledger *ledger, int32_t settle_days);

#endif
