/* feed.h - a provider on loopback, to try and test sources without one.
 *
 * Serves CSV files (plain or .gz) as date windows and pages, in three shapes (docs/feed.md):
 *   GET /<name>.csv?start=YYYY-MM-DD&end=YYYY-MM-DD[&limit=N&offset=N]
 *   GET /<name>.json?start=YYYY-MM-DD&end=YYYY-MM-DD[&limit=N&cursor=C]   JSON records
 *   POST / {"api_name", "token", "params", "fields"}                      JSON as Tushare has it
 * Pages come from memory. Listens on 127.0.0.1 only, by http or https. Thread rule: one owner.
 * Since 0.1.
 */
#ifndef LOCHAN_FEED_H
#define LOCHAN_FEED_H

#include <lochan/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lochan_feed lochan_feed;

typedef struct lochan_feed_options {
    uint32_t struct_size;
    uint16_t port;           /* 0 = any free one, see lochan_feed_port */
    const char *date_column; /* NULL = first column whose first value is a date */
    int32_t latency_ms;      /* before each answer */
    int64_t page_cap;        /* rows a page at most, 0 = no cap */
    int32_t rate_per_second; /* above it: 429 with Retry-After, 0 = no limit */
    const char *faults;      /* "KIND[:RATE][,...]", see docs/feed.md; NULL = none */
    uint64_t fault_seed;
    bool replay; /* path is a folder of recorded answers ('lochan update --record') */
    const char *tls_certificate; /* file (PEM): https instead of http; NULL = http */
    const char *tls_key;         /* file (PEM), with tls_certificate */
    uint8_t reserved[8];
} lochan_feed_options;
#define LOCHAN_FEED_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(lochan_feed_options), 0, NULL, 0, 0, 0, NULL, 0, false, NULL, NULL, {               \
            0                                                                                      \
        }                                                                                          \
    }

typedef struct lochan_feed_stats {
    int64_t requests, answered, faults, bytes;
    int64_t limited; /* refused because they were too many */
} lochan_feed_stats;

/* Loads a file or every *.csv / *.csv.gz of a folder and starts serving in threads of its own.
 * UNSUPPORTED: a certificate is given, and this libmicrohttpd has no TLS. */
LOCHAN_API lochan_status lochan_feed_start(const char *path, const lochan_feed_options *options,
                                           lochan_feed **out, lochan_error *err) LOCHAN_MUST_CHECK;
LOCHAN_API uint16_t lochan_feed_port(const lochan_feed *feed);
LOCHAN_API void lochan_feed_get_stats(const lochan_feed *feed, lochan_feed_stats *out);
LOCHAN_API void lochan_feed_stop(lochan_feed *feed); /* NULL is a no-op */

#ifdef __cplusplus
}
#endif
#endif
