/* cmd_parquet_rows.c - lochan parquet head, cat: rows of Parquet files, printed or rewritten.
 * Invariant: a file to write appears only when it is whole. May call: cmd_parquet.h, terminal.h.
 */
#include "cli/cmd_parquet.h"
#include "cli/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef enum format { TABLE, CSV, NDJSON, PARQUET, FORMATS } format;
static const char *const format_names[] = {"table", "csv", "ndjson", "parquet"};

typedef struct scan_arguments {
    lochan_parquet_scan scan;
    lochan_parquet_read_options open;
    char **columns;
    lochan_parquet_rows *rows;
    format as;
} scan_arguments;

static void free_list(char **list) {
    if (list)
        free(list[0]);
    free(list);
}

static void free_arguments(scan_arguments *a) {
    free_list(a->columns);
    free(a->rows);
}

/* A row number at *at, `absent` if there is none. False: it is too large. */
static bool read_row(const char **at, int64_t absent, int64_t *out) {
    char *end;
    *out = absent;
    if (**at < '0' || **at > '9')
        return true;
    errno = 0;
    *out = strtoll(*at, &end, 10);
    *at = end;
    return errno == 0;
}

/* FROM:TO, again and again: rows FROM to TO - 1, as slices are written in Python. */
static lochan_status read_rows(lochan_cli *cli, scan_arguments *a) {
    size_t n = 0;
    char **list = lochan_cli__list_value(cli, "rows", &n);
    bool ok = n > 0;
    if (!list)
        return LOCHAN_OK;
    a->rows = calloc(n + 1, sizeof *a->rows);
    for (size_t i = 0; a->rows && ok && i < n; i++) {
        const char *at = list[i];
        ok = read_row(&at, 0, &a->rows[i].from) && *at++ == ':' &&
             read_row(&at, INT64_MAX, &a->rows[i].to) && *at == '\0';
    }
    free_list(list);
    a->scan.rows = a->rows;
    a->scan.n_rows = n;
    if (!a->rows)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_NO_MEMORY, "out of memory");
    return ok ? LOCHAN_OK
              : lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "--rows: expected FROM:TO,... such as 0:100,5000:5100, got '%s'",
                                 lochan_cli__value(cli, "rows"));
}

/* How the files are opened. */
static lochan_status read_open(lochan_cli *cli, lochan_parquet_read_options *o) {
    static const char *const layouts[] = {"string", "large_string", "string_view", "dictionary"};
    const char *name = lochan_cli__value(cli, "strings");
    *o = (lochan_parquet_read_options)LOCHAN_PARQUET_READ_OPTIONS_INIT;
    o->map = lochan_cli__has(cli, "map");
    while (name && o->strings < 4 && strcmp(name, layouts[o->strings]) != 0)
        o->strings++;
    if (o->strings == 4)
        return lochan_cli__fail(
            &cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
            "--strings: expected string, large_string, string_view or dictionary, got '%s'", name);
    return lochan_cli__bytes_value(cli, "max-page-bytes", &o->max_page_bytes);
}

static lochan_status read_arguments(lochan_cli *cli, format as, scan_arguments *a) {
    const char *name = lochan_cli__value(cli, "format");
    *a = (scan_arguments){.scan = LOCHAN_PARQUET_SCAN_INIT};
    a->columns = lochan_cli__list_value(cli, "columns", &a->scan.n_columns);
    a->scan.columns = (const char *const *)a->columns;
    a->scan.where = lochan_cli__value(cli, "where");
    a->as = cli->json ? NDJSON : as;
    if (a->columns && a->scan.n_columns == 0)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "--columns: names no column");
    if (name && !cli->json) {
        for (a->as = TABLE; a->as < FORMATS && strcmp(name, format_names[a->as]) != 0;)
            a->as++;
        if (a->as == FORMATS)
            return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                    "--format: expected table, csv, ndjson or parquet, got '%s'",
                                    name);
    }
    lochan_status rc = read_rows(cli, a);
    if (rc == LOCHAN_OK)
        rc = read_open(cli, &a->open);
    return rc == LOCHAN_OK ? lochan_cli__int_value(cli, "limit", 0, INT64_MAX, &a->scan.limit) : rc;
}

static lochan_status print_stream(lochan_cli *cli, struct ArrowArrayStream *stream, format as,
                                  lochan_cli_out *out, int64_t *rows) {
    switch (as) {
    case CSV:
        return lochan_cli__print_csv(stream, out, rows, &cli->err);
    case NDJSON:
        return lochan_cli__print_ndjson(stream, out, rows, &cli->err);
    default:
        return lochan_cli__print_table(stream, NULL, -1, out, rows, NULL, &cli->err);
    }
}

static lochan_status print_file(lochan_cli *cli, int i, const scan_arguments *a, int64_t *rows) {
    lochan_parquet_reader *reader = NULL;
    struct ArrowArrayStream stream = {0};
    lochan_cli_out out = {.file = stdout, .name = "standard output"};
    lochan_status rc = lochan_cli__open_parquet(cli, cli->args[i], &a->open, &reader);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_reader_stream(reader, &a->scan, &stream, &cli->err);
    if (rc == LOCHAN_OK) {
        if (a->as == TABLE)
            lochan_cli__add_heading(cli, &out.text, i);
        rc = lochan_cli__end_output(cli, &out, print_stream(cli, &stream, a->as, &out, rows));
    }
    if (stream.release)
        stream.release(&stream);
    lochan_parquet_reader_close(reader);
    return rc;
}

static lochan_status run_head(lochan_cli *cli) {
    scan_arguments a;
    int64_t rows;
    lochan_status rc = read_arguments(cli, TABLE, &a);
    if (a.scan.limit < 0)
        a.scan.limit = 10;
    for (int i = 0; i < cli->n_args && rc == LOCHAN_OK; i++)
        rc = print_file(cli, i, &a, &rows);
    free_arguments(&a);
    return rc;
}

/* Batch by batch, so that Ctrl-C leaves no half file behind. */
static lochan_status copy_rows(lochan_cli *cli, struct ArrowArrayStream *stream,
                               lochan_parquet_writer *writer) {
    lochan_status rc = LOCHAN_OK;
    lochan_cli__catch_signals();
    while (rc == LOCHAN_OK) {
        struct ArrowArray batch = {0};
        if (lochan_cli__is_interrupted())
            return lochan_cli__fail(&cli->err, LOCHAN_ERR_CANCELLED, "cancelled");
        rc = lochan_stream_get_next(stream, &batch, &cli->err);
        if (rc != LOCHAN_OK || !batch.release)
            break;
        rc = lochan_parquet_writer_write_batch(writer, &batch, &cli->err);
        batch.release(&batch);
    }
    return rc == LOCHAN_OK ? lochan_parquet_writer_close(writer, &cli->err) : rc;
}

/* Lists that the writer's options point to. */
typedef struct write_lists {
    char **bloom, **encodings;
    lochan_parquet_column_encoding *of_columns;
} write_lists;

static void free_lists(write_lists *lists) {
    free_list(lists->bloom);
    free_list(lists->encodings);
    free(lists->of_columns);
}

/* COLUMN=ENCODING, again and again. */
static lochan_status read_encodings(lochan_cli *cli, write_lists *lists,
                                    lochan_parquet_write_options *o) {
    size_t n = 0;
    lists->encodings = lochan_cli__list_value(cli, "encodings", &n);
    lists->of_columns = calloc(n + 1, sizeof *lists->of_columns);
    if (!lists->of_columns)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        char *sign = strrchr(lists->encodings[i], '=');
        if (!sign)
            return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                    "--encodings: expected COLUMN=ENCODING, got '%s'",
                                    lists->encodings[i]);
        *sign = '\0';
        lists->of_columns[i].column = lists->encodings[i];
        lochan_status rc =
            lochan_parquet_encoding_from_name(sign + 1, &lists->of_columns[i].encoding, &cli->err);
        if (rc != LOCHAN_OK)
            return rc;
    }
    o->encodings = lists->of_columns;
    o->n_encodings = n;
    return LOCHAN_OK;
}

static lochan_status write_options(lochan_cli *cli, write_lists *lists,
                                   lochan_parquet_write_options *o) {
    const char *codec = lochan_cli__value(cli, "compression");
    int64_t level = 0, version = 1, page_rows = 0;
    lochan_status rc =
        codec ? lochan_parquet_codec_from_name(codec, &o->codec, &cli->err) : LOCHAN_OK;
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "level", 0, 22, &level);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "row-group-rows", 1, INT32_MAX, &o->row_group_rows);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "page-rows", 1, INT32_MAX, &page_rows);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "page-version", 1, 2, &version);
    if (rc == LOCHAN_OK)
        rc = read_encodings(cli, lists, o);
    lists->bloom = lochan_cli__list_value(cli, "bloom", &o->n_bloom_filters);
    o->bloom_filters = (const char *const *)lists->bloom;
    o->level = (int32_t)level;
    o->page_rows = (int32_t)page_rows;
    o->page_v2 = version == 2;
    o->no_statistics = lochan_cli__has(cli, "no-statistics");
    o->no_dictionary = lochan_cli__has(cli, "no-dictionary");
    o->no_page_index = lochan_cli__has(cli, "no-page-index");
    o->no_arrow_schema = lochan_cli__has(cli, "no-arrow-schema");
    o->overwrite = lochan_cli__has(cli, "overwrite");
    return rc;
}

static lochan_status to_parquet(lochan_cli *cli, const scan_arguments *a, const char *path) {
    lochan_parquet_reader *reader = NULL;
    lochan_parquet_writer *writer = NULL;
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    lochan_parquet_write_options options = LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    write_lists lists = {0};
    lochan_status rc = write_options(cli, &lists, &options);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_parquet(cli, cli->args[0], &a->open, &reader);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_reader_stream(reader, &a->scan, &stream, &cli->err);
    if (rc == LOCHAN_OK)
        rc = lochan_stream_get_schema(&stream, &schema, &cli->err);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_writer_open(path, &schema, &options, &writer, &cli->err);
    if (rc == LOCHAN_ERR_EXISTS)
        lochan_cli__hint(&cli->err, "--overwrite replaces it");
    if (rc == LOCHAN_OK)
        rc = copy_rows(cli, &stream, writer);
    if (rc == LOCHAN_OK)
        lochan_cli__note(cli, "wrote %lld rows to %s",
                         (long long)lochan_parquet_writer_rows(writer), path);
    lochan_parquet_writer_free(writer);
    free_lists(&lists);
    if (schema.release)
        schema.release(&schema);
    if (stream.release)
        stream.release(&stream);
    lochan_parquet_reader_close(reader);
    return rc;
}

static lochan_status cat(lochan_cli *cli, scan_arguments *a) {
    const char *output = lochan_cli__value(cli, "output");
    if (output && !lochan_cli__has(cli, "format") && !cli->json)
        a->as = PARQUET;
    if ((a->as == PARQUET || a->as == CSV) && cli->n_args > 1)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "%s takes one file: several may have different columns",
                                format_names[a->as]);
    if (a->as == PARQUET && !output) {
        lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                         "a Parquet file cannot be written to a pipe");
        lochan_cli__hint(&cli->err, "name it with --output FILE");
        return cli->err.code;
    }
    if (a->as == PARQUET)
        return to_parquet(cli, a, output);
    if (output) {
        lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                         "--output is for Parquet files: %s goes to standard output",
                         format_names[a->as]);
        return cli->err.code;
    }
    lochan_status rc = LOCHAN_OK;
    int64_t left = a->scan.limit, rows = 0;
    for (int i = 0; i < cli->n_args && rc == LOCHAN_OK && left != 0; i++) {
        a->scan.limit = left;
        rc = print_file(cli, i, a, &rows);
        left -= left > 0 ? rows : 0;
    }
    return rc;
}

static lochan_status run_cat(lochan_cli *cli) {
    scan_arguments a;
    lochan_status rc = read_arguments(cli, NDJSON, &a);
    if (rc == LOCHAN_OK)
        rc = cat(cli, &a);
    free_arguments(&a);
    return rc;
}

/* ---- the commands ---- */

static const lochan_cli_option head_options[] = {
    {"limit", "N", "how many rows; default 10"},
    {"columns", "A,B", "only these, in this order; also fields of nested ones, a.b"},
    {"where", "EXPR", "only rows for which it is true, see docs/scan.md"},
    {"rows", "FROM:TO,...", "only rows FROM to TO - 1 of the file, again and again"},
    {"map", NULL, "map the file instead of reading it; nobody may cut it off meanwhile"},
    {"max-page-bytes", "SIZE", "believe pages of brotli up to this size; default 16MiB"},
    {0},
};

const lochan_cli_command lochan_cli__parquet_head = {
    .name = "parquet head",
    .arguments = "FILE...",
    .min_args = 1,
    .max_args = LOCHAN_CLI_MAX_FILES,
    .summary = "the first rows of Parquet files",
    .example = "lochan parquet head prices.parquet --limit 5 --columns day,close",
    .options = head_options,
    .run = run_head,
};

static const lochan_cli_option cat_options[] = {
    {"columns", "A,B", "only these, in this order; also fields of nested ones, a.b"},
    {"where", "EXPR", "only rows for which it is true, see docs/scan.md"},
    {"limit", "N", "at most N rows"},
    {"rows", "FROM:TO,...", "only rows FROM to TO - 1 of the file, again and again"},
    {"strings", "NAME", "layout of text: string (default), large_string, string_view, dictionary"},
    {"map", NULL, "map the file instead of reading it; nobody may cut it off meanwhile"},
    {"max-page-bytes", "SIZE", "believe pages of brotli up to this size; default 16MiB"},
    {"format", "NAME", "ndjson (default), csv, table or parquet"},
    {"output", "FILE", "the Parquet file to write"},
    {"overwrite", NULL, "replace the file if there is one"},
    {"compression", "CODEC", "of the file: zstd (default), snappy, none, ..."},
    {"level", "N", "of the codec"},
    {"row-group-rows", "N", "default 131072"},
    {"page-rows", "N", "default 20000"},
    {"page-version", "N", "of data pages: 1 (default) or 2"},
    {"encodings", "A=NAME,...", "of leaf columns: plain, dictionary, delta_binary_packed, ..."},
    {"bloom", "A,B", "leaf columns that get a Bloom filter"},
    {"no-statistics", NULL, "no smallest and largest values"},
    {"no-dictionary", NULL, "no dictionaries"},
    {"no-page-index", NULL, "nothing by which readers skip pages"},
    {"no-arrow-schema", NULL, "no key ARROW:schema"},
    {0},
};

const lochan_cli_command lochan_cli__parquet_cat = {
    .name = "parquet cat",
    .arguments = "FILE...",
    .min_args = 1,
    .max_args = LOCHAN_CLI_MAX_FILES,
    .summary = "print or rewrite the rows of Parquet files",
    .details = "NDJSON of several files is one after the other; CSV and Parquet take one file.",
    .example = "lochan parquet cat prices.parquet --where \"close > 100\" --format csv\n"
               "lochan parquet cat prices.parquet --columns day,close --output small.parquet",
    .options = cat_options,
    .run = run_cat,
};
