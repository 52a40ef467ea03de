/* update_dataset.c - makes a lake, describes a provider and a dataset, and brings the dataset up to
 * date, twice.
 *
 * Usage: update_dataset FOLDER        FOLDER gets prices.csv and the lake
 *
 * The provider is lochan's own feed, started in this process. Build it against the installed
 * library: cc update_dataset.c $(pkg-config --cflags --libs lochan)
 */
#include <lochan/lochan.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char prices[] = "symbol,day,close\n"
                             "AAA,2024-01-02,10.5\n"
                             "BBB,2024-01-02,20\n"
                             "AAA,2024-01-03,10.75\n"
                             "BBB,2024-01-03,19.5\n"
                             "AAA,2024-01-04,11\n";

static const char dataset[] = "name: prices\n"
                              "source: shop\n"
                              "default_start: 2024-01-01\n"
                              "asset_column: symbol\n"
                              "time_column: day\n"
                              "columns:\n"
                              "  asset_id: string\n"
                              "  time: {type: date, format: \"%Y-%m-%d\"}\n"
                              "  close: float64\n"
                              "primary_key: [asset_id, time]\n"
                              "sort_columns: [time, asset_id]\n";

static void print_error(const char *what, const lochan_error *err) {
    fprintf(stderr, "%s: %s (%s)\n", what, err->message, lochan_status_name(err->code));
    if (err->hint[0])
        fprintf(stderr, "hint: %s\n", err->hint);
}

static int write_prices(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file)
        return 0;
    int ok = fputs(prices, file) >= 0;
    return fclose(file) == 0 && ok;
}

/* A source says where rows come from; a dataset says which rows, how they are typed, keyed and
 * stored. */
static lochan_status describe(lochan_lake *lake, const lochan_feed *feed, lochan_error *err) {
    char source[256];
    snprintf(source, sizeof source,
             "name: shop\n"
             "kind: http\n"
             "url: http://127.0.0.1:%u\n"
             "path: /{source_dataset}.csv\n"
             "query: {start: \"{start}\", end: \"{end}\"}\n",
             (unsigned)lochan_feed_port(feed));
    lochan_status rc = lochan_source_add(lake, source, strlen(source), "shop.yaml", false, err);
    if (rc == LOCHAN_OK)
        rc = lochan_dataset_add(lake, dataset, strlen(dataset), "prices.yaml", false, err);
    return rc;
}

static lochan_status update(lochan_lake *lake, lochan_error *err) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    request.source = "shop";
    request.dataset = "prices";
    request.end = "2024-01-31";
    lochan_status rc = lochan_update_run(lake, &request, &report, err);
    if (rc != LOCHAN_OK)
        return rc;
    if (report.nothing_to_do)
        printf("nothing to do\n");
    else
        printf("%" PRId64 " new rows from %" PRId64 " pages, snapshot %" PRId64 "\n",
               report.rows_new, report.pages, report.snapshot_id);
    return LOCHAN_OK;
}

int main(int argc, char **argv) {
    char csv[1024], path[1024];
    lochan_feed *feed = NULL;
    lochan_lake *lake = NULL;
    lochan_error err;
    if (argc != 2) {
        fprintf(stderr, "usage: update_dataset FOLDER\n");
        return 2;
    }
    snprintf(csv, sizeof csv, "%s/prices.csv", argv[1]);
    snprintf(path, sizeof path, "%s/lake", argv[1]);
    if (!write_prices(csv)) {
        fprintf(stderr, "cannot write %s\n", csv);
        return 1;
    }
    lochan_status rc = lochan_feed_start(csv, NULL, &feed, &err);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_init(path, NULL, &err);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_open(path, NULL, &lake, &err);
    if (rc == LOCHAN_OK)
        rc = describe(lake, feed, &err);
    if (rc == LOCHAN_OK)
        rc = update(lake, &err);
    if (rc == LOCHAN_OK)
        rc = update(lake, &err); /* all days are final now: asks nothing */
    if (rc != LOCHAN_OK)
        print_error("update_dataset", &err);
    lochan_lake_close(lake);
    lochan_feed_stop(feed);
    return lochan_status_exit_code(rc);
}
