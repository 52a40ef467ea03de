/* feed_protocol.h - the feed's answers in JSON: the protocol of Tushare Pro, and records with a
 * cursor.
 * Invariant: every request gets one whole answer, errors in the body as the protocol has them. May
 * call: base/, feed_json.h, source/json.h, source/yaml.h.
 */
#ifndef LOCHAN_FEED_FEED_PROTOCOL_H
#define LOCHAN_FEED_FEED_PROTOCOL_H

#include "feed/feed_json.h"

/* feed.yaml of the folder that is served. */
typedef struct lochan_feed_config {
    char *token;        /* NULL = any */
    int64_t per_minute; /* requests in JSON, 0 = no limit */
    int64_t minute_ns;  /* how long a minute is, for tests */
    int64_t page_cap;   /* rows an answer in JSON, 0 = no cap */
} lochan_feed_config;

/* A missing file gives the defaults. */
lochan_status lochan_feed_config__load(const char *path, lochan_feed_config *out,
                                       lochan_error *err);
void lochan_feed_config__deinit(lochan_feed_config *config);

typedef struct lochan_feed_tables {
    const lochan_feed_json *items;
    size_t n;
    const lochan_feed_config *config;
    int64_t page_cap; /* rows, 0 = none */
} lochan_feed_tables;

/* POST of {"api_name", "token", "params", "fields"}: {"code", "msg", "data": {"fields", "items",
 * "has_more"}}. `limited`: the minute's requests are used up. */
lochan_status lochan_feed_tushare__answer(const lochan_feed_tables *tables, lochan_str body,
                                          bool limited, lochan_buf *out, lochan_error *err);
/* GET of /NAME.json: {"data": [{..}], "next": CURSOR | null}. The cursor hides the offset. problem:
 * NULL, or why the request is bad. */
lochan_status lochan_feed_records__answer(const lochan_feed_json *table, lochan_feed_query *query,
                                          const char *cursor, lochan_buf *out, const char **problem,
                                          lochan_error *err);

#endif
