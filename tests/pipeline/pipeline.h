/* pipeline.h - a lake, a provider and a dataset for tests of whole updates.
 * The provider runs in a process of its own, so that faults armed in a test do not reach it. A
 * failure in here ends the test. Times: the suite's clock is the system's unless a test fakes it;
 * dates in the data are far in the past, so that answers are final.
 */
#ifndef TEST_PIPELINE_PIPELINE_H
#define TEST_PIPELINE_PIPELINE_H

#include "support/cmocka_all.h"
#include "support/tmpdir.h"
#include <lochan/lochan.h>
#include <sys/types.h>

typedef struct provider {
    pid_t pid;
    int ask, answer; /* a byte down one pipe brings the feed's counts up the other */
    char url[40];
} provider;

/* Serves a CSV file. options NULL = defaults. */
provider provider_start(const char *csv, const lochan_feed_options *options);
lochan_feed_stats provider_stats(const provider *p);
void provider_stop(provider *p);

typedef struct pipe_lake {
    char *dir; /* holds the lake in dir/lake and the data in dir/market.csv */
    char path[300];
    char csv[300];
    lochan_lake *lake;
    provider provider;
} pipe_lake;

/* Rows of the market data: every day from 2020-01-01 on, `assets` assets a day; price = day number
 * + asset / 100. `bump` is added to the prices of the last `bump_days` days (a provider that
 * revises). */
typedef struct market {
    int days, assets, bump_days;
    double bump;
} market;

void market_write(const char *path, market m);

/* A lake with source "market" and dataset "daily" (key asset_id, time; year_month; windows of one
 * month), and its provider. extra: more lines for the dataset's spec, "" = none. */
pipe_lake pipe_start(market m, const lochan_feed_options *options, const char *extra);
void pipe_stop(pipe_lake *p);
/* The provider starts anew with other data or faults; the lake's source follows. */
void pipe_provider(pipe_lake *p, market m, const lochan_feed_options *options);

/* An update up to `end` ("2020-03-31"); request NULL = defaults. */
lochan_status pipe_update(pipe_lake *p, const char *end, const lochan_update_request *request,
                          lochan_update_report *report, lochan_error *err);

/* What the table holds, compared with the market data up to `days` days; ends the test at the first
 * difference. */
void pipe_expect(lochan_lake *lake, market m, int days);
int64_t pipe_rows(lochan_lake *lake, const char *where); /* -1: there is no table */
/* verify --deep finds nothing. */
void pipe_verify(lochan_lake *lake);
/* Newest snapshot by `status`, -1 = none. */
int64_t pipe_snapshot(lochan_lake *lake);
/* n-th value of an integer column / text column of a list's first row with that name; ends the test
 * if missing. */
int64_t stream_int(struct ArrowArrayStream *stream,
                   const char *column); /* releases the stream; -1 = null or no row */
char *stream_text(struct ArrowArrayStream *stream,
                  const char *column); /* free() it; NULL = null or no row */

#endif
