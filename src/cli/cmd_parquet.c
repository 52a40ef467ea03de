/* cmd_parquet.c - lochan parquet info, schema, verify: Parquet files without a lake. Invariant:
 * several files are taken one after the other; the first that cannot be read ends the call, but
 * verify looks at all of them. May call: cli.h, print.h, terminal.h.
 */
#include "cli/cmd_parquet.h"
#include "cli/terminal.h"

#include <string.h>

#define SHOWN_LISTS 20 /* row groups or chunks that info shows to people */

lochan_status lochan_cli__open_parquet(lochan_cli *cli, const char *path,
                                       const lochan_parquet_read_options *wanted,
                                       lochan_parquet_reader **out) {
    lochan_parquet_read_options options = LOCHAN_PARQUET_READ_OPTIONS_INIT;
    int64_t threads = 0;
    if (wanted)
        options = *wanted;
    lochan_status rc = lochan_cli__int_value(cli, "threads", 1, 1024, &threads);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__bytes_value(cli, "memory-limit", &options.memory_limit);
    options.threads = (int32_t)threads;
    return rc == LOCHAN_OK ? lochan_parquet_reader_open(path, &options, out, &cli->err) : rc;
}

lochan_status lochan_cli__end_output(lochan_cli *cli, lochan_cli_out *out, lochan_status rc) {
    lochan_error later;
    lochan_status written = lochan_cli__finish(out, rc == LOCHAN_OK ? &cli->err : &later);
    return rc == LOCHAN_OK ? written : rc;
}

void lochan_cli__add_heading(const lochan_cli *cli, lochan_cli_text *t, int i) {
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
        rc = lochan_cli__open_parquet(cli, cli->args[i], NULL, &reader);
        if (rc == LOCHAN_OK)
            rc = lochan_parquet_reader_info(reader, &info, &cli->err);
        if (rc == LOCHAN_OK && cli->json) {
            rc = info_json(cli, cli->args[i], reader, &info);
        } else if (rc == LOCHAN_OK) {
            lochan_cli__add_heading(cli, &out.text, i);
            rc = lochan_cli__end_output(cli, &out, info_text(cli, reader, &info, &out));
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
            lochan_cli__add_heading(cli, &heading, i);
        rc = lochan_cli__open_parquet(cli, cli->args[i], NULL, &reader);
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
        rc = lochan_cli__bytes_value(cli, "max-page-bytes", &options.max_page_bytes);
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
    .max_args = LOCHAN_CLI_MAX_FILES,
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
    .max_args = LOCHAN_CLI_MAX_FILES,
    .summary = "the columns of Parquet files and their types",
    .details = "One line a leaf column: the type in Arrow, and the physical and logical type in "
               "Parquet.",
    .example = "lochan parquet schema prices.parquet",
    .run = run_schema,
};

static const lochan_cli_option verify_options[] = {
    {"max-page-bytes", "SIZE", "believe pages of brotli up to this size; default 16MiB"},
    {0},
};

const lochan_cli_command lochan_cli__parquet_verify = {
    .name = "parquet verify",
    .arguments = "FILE...",
    .min_args = 1,
    .max_args = LOCHAN_CLI_MAX_FILES,
    .summary = "read every page of Parquet files and tell what is damaged",
    .details = "Checks page checksums, decodes all values, compares them with the statistics, the "
               "page index and Bloom filters.\n"
               "Each problem is listed with row group, column and byte. Exits with 6 if there is "
               "any. Changes nothing.",
    .example = "lochan parquet verify prices.parquet",
    .options = verify_options,
    .run = run_verify,
};
