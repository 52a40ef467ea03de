/* cmd_scan.c - lochan scan: the rows of a dataset to a terminal, a pipe or a file.
 * Invariant: a file appears under its name only when it is whole. May call: cli.h, print.h,
 * chart.h, terminal.h.
 */
#include "cli/chart.h"
#include "cli/commands.h"
#include "cli/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_ON_TERMINAL 40

typedef enum format { TABLE, CSV, NDJSON, PARQUET, CHART, FORMATS } format;

static const char *const format_names[] = {"table", "csv", "ndjson", "parquet"};

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n > m && strcmp(s + n - m, end) == 0;
}

static format format_of_file(const char *path) {
    if (ends_with(path, ".parquet"))
        return PARQUET;
    if (ends_with(path, ".ndjson") || ends_with(path, ".jsonl"))
        return NDJSON;
    return CSV;
}

static lochan_status choose_format(lochan_cli *cli, const char *output, format *out) {
    const char *name = lochan_cli__value(cli, "format");
    *out = TABLE;
    if (lochan_cli__has(cli, "chart"))
        *out = CHART;
    else if (cli->json)
        *out = NDJSON;
    else if (!name)
        *out = output ? format_of_file(output) : lochan_cli__is_terminal(1) ? TABLE : CSV;
    while (name && !cli->json && *out < CHART && strcmp(name, format_names[*out]) != 0)
        (*out)++;
    if (name && *out == CHART && !lochan_cli__has(cli, "chart")) {
        const char *nearest = lochan_cli__nearest(name, format_names, CHART);
        lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                         "--format: expected table, csv, ndjson or parquet, got '%s'", name);
        if (nearest)
            lochan_cli__hint(&cli->err, "did you mean %s?", nearest);
        return cli->err.code;
    }
    if (*out == PARQUET && !output)
        return lochan_cli__fail(
            &cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
            "a Parquet file cannot be written to a pipe: name it with --output FILE");
    return LOCHAN_OK;
}

static lochan_status print_chart(lochan_cli *cli, struct ArrowArrayStream *stream,
                                 lochan_cli_out *out) {
    lochan_cli_chart chart = {.y = lochan_cli__value(cli, "chart"),
                              .x = lochan_cli__value(cli, "x"),
                              .by = lochan_cli__value(cli, "by"),
                              .width = lochan_cli__columns(1),
                              .height = 12};
    if (chart.width > 120)
        chart.width = 120;
    return lochan_cli__print_chart(stream, &chart, out, &cli->err);
}

static lochan_status print_rows(lochan_cli *cli, struct ArrowArrayStream *stream, format as,
                                int64_t limit, lochan_cli_out *out) {
    int64_t rows = 0;
    bool more = false;
    lochan_status rc;
    switch (as) {
    case CHART:
        return print_chart(cli, stream, out);
    case CSV:
        return lochan_cli__print_csv(stream, out, &rows, &cli->err);
    case NDJSON:
        return lochan_cli__print_ndjson(stream, out, &rows, &cli->err);
    default:
        rc = lochan_cli__print_table(stream, NULL, limit, out, &rows, &more, &cli->err);
    }
    if (rc == LOCHAN_OK && rows == 0)
        lochan_cli__note(cli, "no rows");
    return rc;
}

static lochan_status to_stdout(lochan_cli *cli, struct ArrowArrayStream *stream, format as,
                               int64_t shown) {
    lochan_cli_out out = {.file = stdout, .name = "standard output"};
    lochan_status rc = print_rows(cli, stream, as, shown, &out);
    lochan_error later;
    lochan_status written = lochan_cli__finish(&out, rc == LOCHAN_OK ? &cli->err : &later);
    return rc == LOCHAN_OK ? written : rc;
}

static lochan_status output_error(lochan_cli *cli, const char *path, int failed) {
    char why[128];
    lochan_status code = failed == EEXIST   ? LOCHAN_ERR_EXISTS
                         : failed == ENOSPC ? LOCHAN_ERR_NO_SPACE
                                            : LOCHAN_ERR_IO;
    lochan_cli__fail(&cli->err, code, "cannot write '%s': %s", path,
                     strerror_r(failed, why, sizeof why));
    cli->err.sys_errno = failed;
    if (failed == EEXIST)
        lochan_cli__hint(&cli->err, "--overwrite replaces it");
    return code;
}

/* Text formats: a temporary file beside the wanted one, synced, then renamed. */
static lochan_status to_text_file(lochan_cli *cli, struct ArrowArrayStream *stream, format as,
                                  const char *path) {
    lochan_cli_text temporary = {0};
    lochan_cli__addf(&temporary, "%s.%ld.tmp", path, (long)getpid());
    FILE *file = fopen(temporary.data, "wbx");
    lochan_status rc = file ? LOCHAN_OK : output_error(cli, temporary.data, errno);
    if (file) {
        lochan_cli_out out = {.file = file, .name = path};
        rc = print_rows(cli, stream, as, -1, &out);
        lochan_error later;
        lochan_status written = lochan_cli__finish(&out, rc == LOCHAN_OK ? &cli->err : &later);
        rc = rc == LOCHAN_OK ? written : rc;
        bool synced = fflush(file) == 0 && (fsync(fileno(file)) == 0 || errno == EINVAL);
        int failed = errno;
        if (fclose(file) != 0 && synced) {
            synced = false;
            failed = errno;
        }
        if (rc == LOCHAN_OK && (!synced || rename(temporary.data, path) != 0))
            rc = output_error(cli, path, synced ? errno : failed);
        if (rc != LOCHAN_OK)
            unlink(temporary.data);
    }
    lochan_cli__free(&temporary);
    return rc;
}

static lochan_status to_file(lochan_cli *cli, struct ArrowArrayStream *stream, format as,
                             const char *path) {
    lochan_parquet_write_options options = LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    lochan_status rc;
    options.overwrite = lochan_cli__has(cli, "overwrite");
    if (!options.overwrite && access(path, F_OK) == 0)
        return output_error(cli, path, EEXIST);
    if (as == PARQUET)
        rc = lochan_parquet_write(stream, path, &options, NULL, &cli->err);
    else
        rc = to_text_file(cli, stream, as, path);
    if (rc == LOCHAN_OK)
        lochan_cli__note(cli, "wrote %s", path);
    return rc;
}

/* Says so if there were more rows than a look shows. */
static void hint_limit(const lochan_cli *cli, const struct ArrowArrayStream *stream,
                       int64_t shown) {
    lochan_scan_stats stats = {0};
    lochan_error ignored;
    bool known = lochan_scan_get_stats(stream, &stats, &ignored) == LOCHAN_OK ||
                 lochan_run_scan_stats(stream, &stats, &ignored) == LOCHAN_OK;
    if (known && stats.rows_returned > shown)
        lochan_cli__note(cli, "the first %lld rows; --limit N shows more, --format csv all",
                         (long long)shown);
}

lochan_status lochan_cli__choose_rows(lochan_cli *cli, int64_t *limit, lochan_cli_rows *out) {
    format as;
    *out = (lochan_cli_rows){.output = lochan_cli__value(cli, "output")};
    lochan_status rc = choose_format(cli, out->output, &as);
    if (rc != LOCHAN_OK)
        return rc;
    /* A terminal gets a look, not the whole table, unless more was asked for. */
    out->look = as == TABLE && !out->output && *limit < 0 && lochan_cli__is_terminal(1);
    if (out->look)
        *limit = ROWS_ON_TERMINAL + 1;
    out->format = as;
    out->limit = *limit;
    return LOCHAN_OK;
}

lochan_status lochan_cli__give_rows(lochan_cli *cli, struct ArrowArrayStream *stream,
                                    const lochan_cli_rows *how) {
    format as = (format)how->format;
    lochan_status rc = how->output
                           ? to_file(cli, stream, as, how->output)
                           : to_stdout(cli, stream, as, how->look ? ROWS_ON_TERMINAL : how->limit);
    if (rc == LOCHAN_OK && how->look)
        hint_limit(cli, stream, ROWS_ON_TERMINAL);
    if (stream->release)
        stream->release(stream);
    return rc;
}

static lochan_status scan(lochan_cli *cli, const lochan_cli_name *name,
                          lochan_scan_options *options) {
    struct ArrowArrayStream stream = {0};
    lochan_cli_rows how;
    lochan_status rc = lochan_cli__choose_rows(cli, &options->limit, &how);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, LOCHAN_CLI_READS);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_scan(cli->lake, name->source, name->dataset, options, &stream, &cli->err);
    if (rc == LOCHAN_ERR_NOT_FOUND && cli->lake)
        lochan_cli__hint_dataset(cli, name);
    return rc == LOCHAN_OK ? lochan_cli__give_rows(cli, &stream, &how) : rc;
}

static lochan_status run(lochan_cli *cli) {
    lochan_scan_options options = LOCHAN_SCAN_OPTIONS_INIT;
    lochan_cli_name name;
    char **columns = lochan_cli__list_value(cli, "columns", &options.n_columns);
    options.columns = (const char *const *)columns;
    options.where = lochan_cli__value(cli, "where");
    options.as_of = lochan_cli__value(cli, "as-of");
    options.known_as_of = lochan_cli__value(cli, "known-as-of");
    lochan_status rc = lochan_cli__parse_name(cli, cli->args[0], false, &name);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "limit", 0, INT64_MAX, &options.limit);
    if (rc == LOCHAN_OK && columns && options.n_columns == 0)
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT, "--columns: names no column");
    if (rc == LOCHAN_OK)
        rc = scan(cli, &name, &options);
    if (columns)
        free(columns[0]);
    free(columns);
    return rc;
}

static const lochan_cli_option options[] = {
    {"source", "NAME", "the source, if the argument is the dataset alone"},
    {"columns", "A,B", "only these, in this order"},
    {"where", "EXPR", "only rows for which it is true, see docs/scan.md"},
    {"limit", "N", "at most N rows"},
    {"as-of", "ID|TIME|TAG", "as it was in that snapshot or at that time (UTC)"},
    {"known-as-of", "TIME", "of a point_in_time dataset: rows published by then (UTC)"},
    {"format", "NAME", "table, csv, ndjson or parquet"},
    {"output", "FILE", "write to a file; .csv, .ndjson, .parquet tell the format"},
    {"overwrite", NULL, "replace the file if there is one"},
    {"chart", "COLUMN", "draw the column instead"},
    {"x", "COLUMN", "of the chart; default: the first date or timestamp"},
    {"by", "COLUMN", "of the chart: one line for each of its values"},
    {0},
};

const lochan_cli_command lochan_cli__scan = {
    .name = "scan",
    .arguments = "SOURCE/DATASET",
    .min_args = 1,
    .max_args = 1,
    .summary = "print the rows of a dataset",
    .details = "To a terminal: the first 40 rows as a table. To a pipe: all rows as CSV. --json is "
               "short for --format ndjson.\n"
               "In CSV null is nothing and an empty text is \"\".",
    .example =
        "lochan scan ecb/fx_daily --where \"asset_id = 'USD' and time >= '2026-01-01'\"\n"
        "lochan scan ecb/fx_daily --columns time,rate --where \"asset_id = 'USD'\" --chart rate\n"
        "lochan scan ecb/fx_daily --output fx.parquet",
    .options = options,
    .run = run,
};
