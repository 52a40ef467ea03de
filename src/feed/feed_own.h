/* feed_own.h - what the files of the feed's HTTP side share: its state, and how answers are sent.
 * Invariant: tables never change while the feed runs. May call: base/, feed_table.h, feed_fault.h,
 * libmicrohttpd.
 */
#ifndef LOCHAN_FEED_FEED_OWN_H
#define LOCHAN_FEED_FEED_OWN_H

#include <lochan/feed.h>

#include "base/str.h"
#include "feed/feed_fault.h"
#include "feed/feed_protocol.h"
#include "feed/feed_replay.h"
#include "feed/feed_table.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

struct lochan_feed {
    struct MHD_Daemon *daemon;
    lochan_feed_table *tables;
    size_t n_tables, room;
    lochan_feed_json *json; /* of each table */
    lochan_feed_config config;
    lochan_feed_replay *replay; /* NULL = tables are served */
    int64_t minute_began_ns;    /* of config.per_minute */
    int64_t asked_in_minute;
    lochan_feed_options options;
    char *date_column;
    lochan_faults faults;
    pthread_mutex_t lock;
    bool stopping;
    int64_t second_began_ns; /* of the rate limit */
    int32_t asked_in_second;
    _Atomic int64_t requests, answered, faulted, limited, bytes;
    lochan_buf certificate, key; /* text, empty = http */
};

/* What a client asks for by GET. */
typedef struct lochan_feed_request {
    int32_t start, end;
    int64_t limit, offset;
    bool dates_given;
    const char *cursor;  /* of records, NULL = none */
    const char *problem; /* NULL = fine */
    lochan_feed *feed;
} lochan_feed_request;

/* ---- feed_send.c ---- */

/* In slices, so that stop does not have to wait for it. */
void lochan_feed__wait_ms(lochan_feed *feed, int64_t ms);
enum MHD_Result lochan_feed__send(struct MHD_Connection *connection, unsigned status,
                                  struct MHD_Response *response); /* takes the response */
enum MHD_Result lochan_feed__send_text(struct MHD_Connection *connection, unsigned status,
                                       const char *type, const char *retry_after, const char *text);
/* The first line, then the names of the tables. */
enum MHD_Result lochan_feed__send_names(lochan_feed *feed, struct MHD_Connection *connection,
                                        unsigned status, const char *first_line);
/* An answer in JSON, whole or as a fault leaves it. */
enum MHD_Result lochan_feed__send_json(lochan_feed *feed, struct MHD_Connection *connection,
                                       lochan_buf *body, lochan_fault_kind fault, uint64_t draw);
/* Rows of a table as CSV, whole or as a fault leaves them. */
enum MHD_Result lochan_feed__send_window(lochan_feed *feed, struct MHD_Connection *connection,
                                         const lochan_feed_table *table,
                                         const lochan_feed_request *q, lochan_fault_kind fault,
                                         uint64_t draw);
/* *sent = false if the fault needs a page to spoil. */
enum MHD_Result lochan_feed__send_fault(lochan_feed *feed, struct MHD_Connection *connection,
                                        lochan_fault_kind fault, bool *sent);

#endif
