/* cmd_feed.c - lochan feed: a provider on loopback until Ctrl-C. Needs no lake. May call: cli.h,
 * print.h. */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/terminal.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static lochan_status read_options(lochan_cli *cli, lochan_feed_options *options, double *seconds) {
    int64_t port = 0, latency = 0, rate = 0, seed = 0;
    lochan_status rc = lochan_cli__int_value(cli, "port", 0, 65535, &port);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "latency-ms", 0, 600000, &latency);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "page-cap", 0, INT64_MAX, &options->page_cap);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "rate", 0, 1000000, &rate);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "seed", 0, INT64_MAX, &seed);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__double_value(cli, "for", 0, 1e9, seconds);
    options->port = (uint16_t)port;
    options->latency_ms = (int32_t)latency;
    options->rate_per_second = (int32_t)rate;
    options->fault_seed = (uint64_t)seed;
    options->date_column = lochan_cli__value(cli, "date-column");
    options->faults = lochan_cli__value(cli, "faults");
    options->replay = lochan_cli__has(cli, "replay");
    options->tls_certificate = lochan_cli__value(cli, "tls-cert");
    options->tls_key = lochan_cli__value(cli, "tls-key");
    if (rc == LOCHAN_OK && !options->tls_certificate != !options->tls_key)
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                              "--tls-cert and --tls-key belong together");
    return rc;
}

/* Writes the port under a temporary name, then renames: a reader sees the file only when it is
 * whole. */
static lochan_status write_ready_file(const char *path, unsigned port, lochan_error *err) {
    char why[128];
    lochan_cli_text temporary = {0};
    lochan_cli__addf(&temporary, "%s.%ld.tmp", path, (long)getpid());
    FILE *file = fopen(temporary.data, "w");
    bool written = file && fprintf(file, "%u\n", port) > 0;
    if (file)
        written = fclose(file) == 0 && written;
    if (!written || rename(temporary.data, path) != 0) {
        int failed = errno;
        unlink(temporary.data);
        lochan_cli__free(&temporary);
        return lochan_cli__fail(err, LOCHAN_ERR_IO, "cannot write '%s': %s", path,
                                strerror_r(failed, why, sizeof why));
    }
    lochan_cli__free(&temporary);
    return LOCHAN_OK;
}

static lochan_status announce(lochan_cli *cli, unsigned port) {
    lochan_cli_object o = {0};
    char url[64];
    snprintf(url, sizeof url, "http%s://127.0.0.1:%u", lochan_cli__has(cli, "tls-cert") ? "s" : "",
             port);
    if (cli->json) {
        lochan_cli__put_text(&o, "url", url);
        lochan_cli__put_int(&o, "port", port);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__addf(&o.text, "serving %s at %s; Ctrl-C stops it\n", cli->args[0], url);
    return lochan_cli__print_text(&o.text, &cli->err);
}

/* Until Ctrl-C, or for so many seconds (0 = for ever). */
static void wait_for_end(double seconds) {
    double end = lochan_cli__now() + seconds;
    while (!lochan_cli__is_interrupted() && (seconds <= 0 || lochan_cli__now() < end)) {
        struct timespec pause = {0, 50000000};
        nanosleep(&pause, NULL);
    }
}

static lochan_status run(lochan_cli *cli) {
    lochan_feed_options options = LOCHAN_FEED_OPTIONS_INIT;
    lochan_feed *feed = NULL;
    double seconds = 0;
    lochan_status rc = read_options(cli, &options, &seconds);
    if (rc == LOCHAN_OK)
        rc = lochan_feed_start(cli->args[0], &options, &feed, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli__catch_signals();
    unsigned port = lochan_feed_port(feed);
    const char *ready = lochan_cli__value(cli, "ready-file");
    rc = announce(cli, port);
    if (rc == LOCHAN_OK && ready)
        rc = write_ready_file(ready, port, &cli->err);
    if (rc == LOCHAN_OK)
        wait_for_end(seconds);
    lochan_feed_stats stats = {0};
    lochan_feed_get_stats(feed, &stats);
    lochan_feed_stop(feed);
    if (ready)
        unlink(ready);
    lochan_cli__note(cli,
                     "%lld requests, %lld answered, %lld faults, %lld over a limit, %lld bytes",
                     (long long)stats.requests, (long long)stats.answered, (long long)stats.faults,
                     (long long)stats.limited, (long long)stats.bytes);
    return rc;
}

static const lochan_cli_option options[] = {
    {"port", "N", "default: any free one"},
    {"for", "SECONDS", "stop by itself"},
    {"date-column", "NAME", "default: the first column that holds dates"},
    {"latency-ms", "N", "before each answer"},
    {"page-cap", "N", "rows a page at most"},
    {"rate", "N", "requests a second; above it 429 with Retry-After"},
    {"faults", "KIND[:RATE],...", "wrong answers, see docs/feed.md"},
    {"seed", "N", "of the faults"},
    {"replay", NULL, "DIR holds answers that 'lochan update --record' kept; serve them"},
    {"tls-cert", "FILE", "serve https with this certificate (PEM)"},
    {"tls-key", "FILE", "its key (PEM)"},
    {"ready-file", "FILE", "gets the port once it answers; removed at the end"},
    {0},
};

const lochan_cli_command lochan_cli__feed = {
    .name = "feed",
    .arguments = "FILE|DIR",
    .min_args = 1,
    .max_args = 1,
    .summary = "serve CSV files as a provider on loopback",
    .details = "FILE is a .csv or .csv.gz, DIR a folder of them. GET /NAME.csv?start=DATE&end=DATE "
               "gives the rows of these\n"
               "days, GET /NAME.json the same as JSON records, POST / what Tushare Pro would "
               "answer. With --replay, DIR is\n"
               "a folder of recorded answers. Runs until Ctrl-C.",
    .example = "lochan feed examples/ecb/eurofxref-hist.csv.gz --port 8000",
    .options = options,
    .run = run,
};
