/* cmd_parquet.c - lochan parquet info, schema, head, verify, cat: Parquet files without a lake.
 * Invariant: several files are taken one after the other; the first that cannot be read ends the
 * call, but verify looks at all of them. May call: cli.h, print.h, terminal.h.
 */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FILES   100000
#define SHOWN_LISTS 20 /* row groups or chunks that info shows to people */

static lochan_status open_file(lochan_cli *cli, const char *path, lochan_parquet_reader **out) {
    lochan_parquet_read_options options = LOCHAN_PARQUET_READ_OPTIONS_INIT;
    int64_t threads = 0;
    lochan_status rc = lochan_cli__int_value(cli, "threads", 1, 1024, &threads);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__bytes_value(cli, "memory-limit", &options.memory_limit);
    options.threads = (int32_t)threads;
    return rc == LOCHAN_OK ? lochan_parquet_reader_open(path, &options, out, &cli->err) : rc;
}

static lochan_status end_output(lochan_cli *cli, lochan_cli_out *out, lochan_status rc) {
    lochan_error later;
    lochan_status written = lochan_cli__finish(out, rc == LOCHAN_OK ? &cli->err : &later);
    return rc == LOCHAN_OK ? written : rc;
}

/* A heading where there are several files. */
static void add_heading(const lochan_cli *cli, lochan_cli_text *t, int i) {
    if (cli->n_args < 2)
        return;
    lochan_cli__addf(t, "%s==> ", i ? "\n" : "");
    lochan_cli__add_visible(t, cli->args[i], strlen(cli->args[i]));
    lochan_cli__adds(t, " <==\n");
}

/* ---- info ---- */

typedef lochan_status (*list_fn)(const lochan_parquet_reader *, struct ArrowArrayStream *,
                                 lochan_error *);

/* The rows of a list as a JSON array: ,"key":[{...},...] */
static lochan_status add_json_list(lochan_cli_text *t, const char *key, list_fn list,
                                   const lochan_parquet_reader *reader, lochan_error *err) {
    struct ArrowArrayStream stream = {0};
    lochan_cli_reader rows = {0};
    bool more = true;
    lochan_status rc = list(reader, &stream, err);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_reader(&stream, &rows, err);
    lochan_cli__addf(t, ",\"%s\":[", key);
    for (int64_t n = 0; rc == LOCHAN_OK; n++) {
        rc = lochan_cli__next_row(&rows, &more, err);
        if (rc != LOCHAN_OK || !more)
            break;
        lochan_cli__adds(t, n ? ",{" : "{");
        for (size_t i = 0; i < rows.type->n_children; i++) {
            lochan_cli__addf(t, "%s\"%s\":", i ? "," : "", rows.type->children[i]->name);
            lochan_cli__add_cell(t, &rows, i, LOCHAN_CLI_JSON);
        }
        lochan_cli__addc(t, '}');
    }
    lochan_cli__addc(t, ']');
    lochan_cli__close_reader(&rows);
    if (stream.release)
        stream.release(&stream);
    return rc;
}

static void add_json_metadata(lochan_cli_text *t, const lochan_parquet_reader *reader) {
    const char *key, *value;
    lochan_cli__adds(t, ",\"metadata\":{");
    for (size_t i = 0; lochan_parquet_reader_metadata_at(reader, i, &key, &value); i++) {
        lochan_cli__adds(t, i ? "," : "");
        lochan_cli__add_json(t, key, strlen(key));
        lochan_cli__addc(t, ':');
        lochan_cli__add_json(t, value, strlen(value));
    }
    lochan_cli__addc(t, '}');
}

static lochan_status info_json(lochan_cli *cli, const char *path,
                               const lochan_parquet_reader *reader,
                               const lochan_parquet_info *info) {
    lochan_cli_object o = {0};
    lochan_cli__put_text(&o, "file", path);
    lochan_cli__put_int(&o, "rows", info->rows);
    lochan_cli__put_int(&o, "columns", info->columns);
    lochan_cli__put_int(&o, "leaf_columns", info->leaf_columns);
    lochan_cli__put_int(&o, "file_bytes", (int64_t)info->file_bytes);
    lochan_cli__put_int(&o, "footer_bytes", (int64_t)info->footer_bytes);
    lochan_cli__put_int(&o, "version", info->version);
    lochan_cli__put_text(&o, "created_by", info->created_by);
    add_json_metadata(&o.text, reader);
    lochan_status rc =
        add_json_list(&o.text, "row_groups", lochan_parquet_reader_row_groups, reader, &cli->err);
    if (rc == LOCHAN_OK)
        rc =
            add_json_list(&o.text, "column_list", lochan_parquet_reader_columns, reader, &cli->err);
    if (rc == LOCHAN_OK && lochan_cli__has(cli, "chunks"))
        rc = add_json_list(&o.text, "chunks", lochan_parquet_reader_chunks, reader, &cli->err);
    if (rc == LOCHAN_OK)
        return lochan_cli__print_object(&o, &cli->err);
    lochan_cli__free(&o.text);
    return rc;
}

static void add_summary(lochan_cli_text *t, const lochan_parquet_reader *reader,
                        const lochan_parquet_info *info) {
    const char *key, *value;
    lochan_cli__add_count(t, info->rows);
    lochan_cli__addf(t, " rows, %d %s", info->columns, info->columns == 1 ? "column" : "columns");
    if (info->leaf_columns != info->columns)
        lochan_cli__addf(t, " (%d leaves)", info->leaf_columns);
    lochan_cli__addf(t, ", %d row %s, ", info->row_groups,
                     info->row_groups == 1 ? "group" : "groups");
    lochan_cli__add_bytes(t, (int64_t)info->file_bytes);
    lochan_cli__adds(t, " (footer ");
    lochan_cli__add_bytes(t, (int64_t)info->footer_bytes);
    lochan_cli__addf(t, "), format version %d\ncreated by: ", info->version);
    lochan_cli__add_visible(t, info->created_by, strlen(info->created_by));
    lochan_cli__addc(t, '\n');
    for (size_t i = 0; lochan_parquet_reader_metadata_at(reader, i, &key, &value); i++) {
        size_t n = strlen(value);
        if (strcmp(key, "ARROW:schema") == 0)
            continue; /* in base64: the types below tell it better */
        lochan_cli__add_visible(t, key, strlen(key));
        lochan_cli__adds(t, ": ");
        lochan_cli__add_visible(t, value, n > 200 ? 200 : n);
        lochan_cli__adds(t, n > 200 ? " ... (--json shows all)\n" : "\n");
    }
}

static lochan_status add_table(lochan_cli_out *out, list_fn list,
                               const lochan_parquet_reader *reader,
                               const lochan_cli_column *columns, int64_t limit, lochan_error *err) {
    struct ArrowArrayStream stream = {0};
    int64_t rows;
    bool more = false;
    lochan_cli__addc(&out->text, '\n');
    lochan_status rc = list(reader, &stream, err);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__print_table(&stream, columns, limit, out, &rows, &more, err);
    if (rc == LOCHAN_OK && more)
        lochan_cli__adds(&out->text, "... (--all shows the rest)\n");
    if (stream.release)
        stream.release(&stream);
    return rc;
}

static lochan_status info_text(lochan_cli *cli, const lochan_parquet_reader *reader,
                               const lochan_parquet_info *info, lochan_cli_out *out) {
    static const lochan_cli_column of_columns[] = {
        {"column", "column", 0},
        {"type", "type", 0},
        {"codecs", "codec", 0},
        {"compressed_bytes", "size", LOCHAN_CLI_AS_BYTES},
        {"uncompressed_bytes", "plain", LOCHAN_CLI_AS_BYTES},
        {"nulls", "nulls", LOCHAN_CLI_AS_COUNT},
        {"min", "min", 0},
        {"max", "max", 0},
        {"encodings", "encodings", 0},
        {0}};
    static const lochan_cli_column of_groups[] = {
        {"row_group", "row group", 0},
        {"first_row", "first row", LOCHAN_CLI_AS_COUNT},
        {"rows", "rows", LOCHAN_CLI_AS_COUNT},
        {"compressed_bytes", "size", LOCHAN_CLI_AS_BYTES},
        {"uncompressed_bytes", "plain", LOCHAN_CLI_AS_BYTES},
        {"offset", "offset", LOCHAN_CLI_AS_COUNT},
        {"sorting", "sorted by", 0},
        {0}};
    static const lochan_cli_column of_chunks[] = {{"row_group", "row group", 0},
                                                  {"column", "column", 0},
                                                  {"codec", "codec", 0},
                                                  {"compressed_bytes", "size", LOCHAN_CLI_AS_BYTES},
                                                  {"values", "values", LOCHAN_CLI_AS_COUNT},
                                                  {"nulls", "nulls", LOCHAN_CLI_AS_COUNT},
                                                  {"min", "min", 0},
                                                  {"max", "max", 0},
                                                  {"offset_index", "index", 0},
                                                  {"bloom_filter", "bloom", 0},
                                                  {"encodings", "encodings", 0},
                                                  {0}};
    int64_t limit = lochan_cli__has(cli, "all") ? -1 : SHOWN_LISTS;
    add_summary(&out->text, reader, info);
    lochan_status rc =
        add_table(out, lochan_parquet_reader_columns, reader, of_columns, -1, &cli->err);
    if (rc == LOCHAN_OK)
        rc = add_table(out, lochan_parquet_reader_row_groups, reader, of_groups, limit, &cli->err);
    if (rc == LOCHAN_OK && lochan_cli__has(cli, "chunks"))
        rc = add_table(out, lochan_parquet_reader_chunks, reader, of_chunks, limit, &cli->err);
    return rc;
}

static lochan_status run_info(lochan_cli *cli) {
    lochan_status rc = LOCHAN_OK;
    for (int i = 0; i < cli->n_args && rc == LOCHAN_OK; i++) {
        lochan_parquet_reader *reader = NULL;
        lochan_parquet_info info = LOCHAN_PARQUET_INFO_INIT;
        lochan_cli_out out = {.file = stdout, .name = "standard output"};
        rc = open_file(cli, cli->args[i], &reader);
        if (rc == LOCHAN_OK)
            rc = lochan_parquet_reader_info(reader, &info, &cli->err);
        if (rc == LOCHAN_OK && cli->json) {
            rc = info_json(cli, cli->args[i], reader, &info);
        } else if (rc == LOCHAN_OK) {
            add_heading(cli, &out.text, i);
            rc = end_output(cli, &out, info_text(cli, reader, &info, &out));
        }
        lochan_parquet_reader_close(reader);
    }
    return rc;
}

/* ---- schema ---- */

static lochan_status run_schema(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"column", "column", 0},
                                                {"type", "type", 0},
                                                {"repetition", "repetition", 0},
                                                {"physical", "physical", 0},
                                                {"logical", "logical", 0},
                                                {"field_id", "field id", 0},
                                                {0}};
    lochan_status rc = LOCHAN_OK;
    for (int i = 0; i < cli->n_args && rc == LOCHAN_OK; i++) {
        lochan_parquet_reader *reader = NULL;
        struct ArrowArrayStream stream = {0};
        lochan_cli_text heading = {0};
        if (!cli->json)
            add_heading(cli, &heading, i);
        rc = open_file(cli, cli->args[i], &reader);
        if (rc == LOCHAN_OK)
            rc = lochan_parquet_reader_columns(reader, &stream, &cli->err);
        if (rc == LOCHAN_OK)
            rc = lochan_cli__print_text(&heading, &cli->err);
        if (rc == LOCHAN_OK)
            rc = lochan_cli__print_list(cli, &stream, columns, "the file has no columns");
        lochan_cli__free(&heading);
        lochan_parquet_reader_close(reader);
    }
    return rc;
}

/* ---- head and cat ---- */

typedef enum format { TABLE, CSV, NDJSON, PARQUET, FORMATS } format;
static const char *const format_names[] = {"table", "csv", "ndjson", "parquet"};

typedef struct scan_arguments {
    lochan_parquet_scan scan;
    char **columns;
    format as;
} scan_arguments;

static void free_list(char **list) {
    if (list)
        free(list[0]);
    free(list);
}

static void free_arguments(scan_arguments *a) {
    free_list(a->columns);
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
    return lochan_cli__int_value(cli, "limit", 0, INT64_MAX, &a->scan.limit);
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
    lochan_status rc = open_file(cli, cli->args[i], &reader);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_reader_stream(reader, &a->scan, &stream, &cli->err);
    if (rc == LOCHAN_OK) {
        if (a->as == TABLE)
            add_heading(cli, &out.text, i);
        rc = end_output(cli, &out, print_stream(cli, &stream, a->as, &out, rows));
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
        rc = open_file(cli, cli->args[0], &reader);
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

/* ---- verify ---- */

static lochan_status print_verdict(lochan_cli *cli, const char *path,
                                   const lochan_parquet_verify_report *r, double seconds) {
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "file", path);
        lochan_cli__put_int(&o, "rows", r->rows);
        lochan_cli__put_int(&o, "chunks", r->chunks);
        lochan_cli__put_int(&o, "pages", r->pages);
        lochan_cli__put_int(&o, "pages_without_crc", r->pages_without_crc);
        lochan_cli__put_int(&o, "bytes_read", r->bytes_read);
        lochan_cli__put_int(&o, "problems", r->problems);
        lochan_cli__put_double(&o, "seconds", seconds);
        return lochan_cli__print_object(&o, &cli->err);
    }
    if (cli->quiet)
        return LOCHAN_OK;
    lochan_cli__add_visible(&o.text, path, strlen(path));
    lochan_cli__adds(&o.text, ": ");
    if (r->problems > 0)
        lochan_cli__addf(&o.text, "%lld %s, ", (long long)r->problems,
                         r->problems == 1 ? "problem" : "problems");
    else
        lochan_cli__adds(&o.text, "sound, ");
    lochan_cli__add_count(&o.text, r->rows);
    lochan_cli__adds(&o.text, " rows, ");
    lochan_cli__add_count(&o.text, r->pages);
    lochan_cli__adds(&o.text, " pages read");
    if (r->pages_without_crc > 0) {
        lochan_cli__adds(&o.text, ", ");
        lochan_cli__add_count(&o.text, r->pages_without_crc);
        lochan_cli__adds(&o.text, " of them without a checksum");
    }
    lochan_cli__adds(&o.text, " (");
    lochan_cli__add_seconds(&o.text, seconds);
    lochan_cli__adds(&o.text, ")\n");
    return lochan_cli__print_text(&o.text, &cli->err);
}

static lochan_status verify_file(lochan_cli *cli, const char *path, int64_t *total) {
    static const lochan_cli_column columns[] = {
        {"kind", "problem", 0}, {"row_group", "row group", 0}, {"column", "column", 0},
        {"offset", "byte", 0},  {"detail", "detail", 0},       {0}};
    lochan_parquet_verify_report report = LOCHAN_PARQUET_VERIFY_REPORT_INIT;
    lochan_parquet_read_options options = LOCHAN_PARQUET_READ_OPTIONS_INIT;
    struct ArrowArrayStream problems = {0};
    double started = lochan_cli__now();
    lochan_status rc = lochan_cli__bytes_value(cli, "memory-limit", &options.memory_limit);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_verify(path, &options, &report, &problems, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    *total += report.problems;
    rc = print_verdict(cli, path, &report, lochan_cli__now() - started);
    if (rc == LOCHAN_OK && report.problems > 0)
        return lochan_cli__print_list(cli, &problems, columns, "");
    problems.release(&problems);
    return rc;
}

static lochan_status run_verify(lochan_cli *cli) {
    lochan_status rc = LOCHAN_OK;
    int64_t problems = 0;
    for (int i = 0; i < cli->n_args && rc == LOCHAN_OK; i++)
        rc = verify_file(cli, cli->args[i], &problems);
    if (rc == LOCHAN_OK && problems > 0) {
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_CORRUPT, "verify found %lld %s",
                              (long long)problems, problems == 1 ? "problem" : "problems");
        lochan_cli__hint(&cli->err, "nothing was changed; what is damaged is listed above");
    }
    return rc;
}

/* ---- the commands ---- */

static const lochan_cli_option info_options[] = {
    {"chunks", NULL, "also each column of each row group"},
    {"all", NULL, "all row groups and chunks, not only the first 20"},
    {0},
};

const lochan_cli_command lochan_cli__parquet_info = {
    .name = "parquet info",
    .arguments = "FILE...",
    .min_args = 1,
    .max_args = MAX_FILES,
    .summary = "rows, columns, codecs, encodings, statistics of Parquet files",
    .details = "Reads the footer only. Needs no lake. --json is one object a file with the lists "
               "row_groups and column_list\n"
               "(and chunks, if asked for).",
    .example = "lochan parquet info prices.parquet\n"
               "lochan parquet info --json --chunks prices.parquet",
    .options = info_options,
    .run = run_info,
};

const lochan_cli_command lochan_cli__parquet_schema = {
    .name = "parquet schema",
    .arguments = "FILE...",
    .min_args = 1,
    .max_args = MAX_FILES,
    .summary = "the columns of Parquet files and their types",
    .details = "One line a leaf column: the type in Arrow, and the physical and logical type in "
               "Parquet.",
    .example = "lochan parquet schema prices.parquet",
    .run = run_schema,
};

static const lochan_cli_option head_options[] = {
    {"limit", "N", "how many rows; default 10"},
    {"columns", "A,B", "only these, in this order"},
    {"where", "EXPR", "only rows for which it is true, see docs/scan.md"},
    {0},
};

const lochan_cli_command lochan_cli__parquet_head = {
    .name = "parquet head",
    .arguments = "FILE...",
    .min_args = 1,
    .max_args = MAX_FILES,
    .summary = "the first rows of Parquet files",
    .example = "lochan parquet head prices.parquet --limit 5 --columns day,close",
    .options = head_options,
    .run = run_head,
};

const lochan_cli_command lochan_cli__parquet_verify = {
    .name = "parquet verify",
    .arguments = "FILE...",
    .min_args = 1,
    .max_args = MAX_FILES,
    .summary = "read every page of Parquet files and tell what is damaged",
    .details = "Checks page checksums, decodes all values, compares them with the statistics, the "
               "page index and Bloom filters.\n"
               "Each problem is listed with row group, column and byte. Exits with 6 if there is "
               "any. Changes nothing.",
    .example = "lochan parquet verify prices.parquet",
    .run = run_verify,
};

static const lochan_cli_option cat_options[] = {
    {"columns", "A,B", "only these, in this order"},
    {"where", "EXPR", "only rows for which it is true, see docs/scan.md"},
    {"limit", "N", "at most N rows"},
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
    .max_args = MAX_FILES,
    .summary = "print or rewrite the rows of Parquet files",
    .details = "NDJSON of several files is one after the other; CSV and Parquet take one file.",
    .example = "lochan parquet cat prices.parquet --where \"close > 100\" --format csv\n"
               "lochan parquet cat prices.parquet --columns day,close --output small.parquet",
    .options = cat_options,
    .run = run_cat,
};
