/* cmd_run.c - lochan table add, list, show; lochan run append, scan, manifest, rebuild, list,
 * describe, export, delete; lochan runs-of.
 * May call: cli.h, print.h, spec_file.h.
 */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/spec_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

static lochan_status table_add(lochan_cli *cli) {
    const char *path = cli->args[0];
    lochan_cli_text yaml = {0};
    lochan_status rc = lochan_cli__read_spec(path, &yaml, &cli->err);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = lochan_run_table_add(cli->lake, yaml.data ? yaml.data : "", yaml.len,
                                  strcmp(path, "-") == 0 ? "standard input" : path,
                                  lochan_cli__has(cli, "replace"), &cli->err);
    lochan_cli__free(&yaml);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "file", path);
        lochan_cli__put_bool(&o, "added", true);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__addf(&o.text, "added the run table of %s\n", path);
    return lochan_cli__print_text(&o.text, &cli->err);
}

static lochan_status table_list(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"table", "table", 0},
                                                {"columns", "columns", LOCHAN_CLI_AS_COUNT},
                                                {"bundled", "bundled", 0},
                                                {"rows", "rows", LOCHAN_CLI_AS_COUNT},
                                                {"parts", "parts", LOCHAN_CLI_AS_COUNT},
                                                {"bytes", "size", LOCHAN_CLI_AS_BYTES},
                                                {"description", "description", 0},
                                                {0}};
    struct ArrowArrayStream stream = {0};
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_READS);
    if (rc == LOCHAN_OK)
        rc = lochan_run_table_list(cli->lake, &stream, &cli->err);
    return rc == LOCHAN_OK ? lochan_cli__print_list(cli, &stream, columns, "no run table") : rc;
}

static lochan_status table_show(lochan_cli *cli) {
    char *yaml = NULL;
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_READS);
    if (rc == LOCHAN_OK)
        rc = lochan_run_table_show(cli->lake, cli->args[0], &yaml, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    lochan_cli__put_text(&o, "table", cli->args[0]);
    return lochan_cli__print_spec(cli, &o, yaml);
}

static const lochan_cli_option table_add_options[] = {
    {"replace", NULL, "put it in the place of the descriptor of that name"},
    {0},
};

const lochan_cli_command lochan_cli__table_add = {
    .name = "table add",
    .arguments = "FILE.yaml|-",
    .min_args = 1,
    .max_args = 1,
    .summary = "add a run table",
    .details = "The descriptor names columns, types and what may be null; docs/run-tables.md "
               "describes it. Bundled tables need not\nbe added.",
    .example = "lochan table add trades.yaml",
    .options = table_add_options,
    .run = table_add,
};
const lochan_cli_command lochan_cli__table_list = {
    .name = "table list",
    .arguments = "",
    .summary = "list the run tables, bundled ones too",
    .example = "lochan table list",
    .run = table_list,
};
const lochan_cli_command lochan_cli__table_show = {
    .name = "table show",
    .arguments = "TABLE",
    .min_args = 1,
    .max_args = 1,
    .summary = "print the descriptor of a run table",
    .example = "lochan table show exchange",
    .run = table_show,
};

/* ---- runs ---- */

/* Runs can be read where lake.db is gone, too; where it is damaged, the hint says what helps. */
static lochan_status open_to_read(lochan_cli *cli) {
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_READS);
    if (rc == LOCHAN_ERR_NOT_FOUND || rc == LOCHAN_ERR_CORRUPT)
        rc = lochan_run_lake_open(cli->lake_path, NULL, NULL, &cli->lake, &cli->err);
    return rc;
}

static lochan_status open_run(lochan_cli *cli, lochan_cli_use use, lochan_run **out) {
    lochan_run_options options = LOCHAN_RUN_OPTIONS_INIT;
    lochan_status rc = lochan_run_check_id(cli->args[0], &cli->err);
    options.compression = lochan_cli__value(cli, "compression");
    if (rc == LOCHAN_OK)
        rc =
            lochan_cli__int_value(cli, "tick-bucket-size", 1, INT64_MAX, &options.tick_bucket_size);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "row-group-size", 1, INT64_MAX, &options.row_group_size);
    if (rc == LOCHAN_OK)
        rc = use == LOCHAN_CLI_READS ? open_to_read(cli) : lochan_cli__open_lake(cli, use);
    if (rc == LOCHAN_OK)
        rc = lochan_run_open(cli->lake, cli->args[0], &options, out, &cli->err);
    return rc;
}

static lochan_status print_summary(lochan_cli *cli, const lochan_append_summary *s) {
    lochan_cli_object o = {0};
    int64_t bytes = 0;
    for (size_t i = 0; i < s->n_parts; i++)
        bytes += s->parts[i].bytes;
    if (cli->json) {
        lochan_cli__put_text(&o, "table", cli->args[1]);
        lochan_cli__put_text(&o, "run_id", cli->args[0]);
        lochan_cli__put_int(&o, "rows", s->rows);
        lochan_cli__put_int(&o, "buckets", (int64_t)s->n_buckets);
        lochan_cli__put_int(&o, "parts", (int64_t)s->n_parts);
        lochan_cli__put_int(&o, "bytes", bytes);
        lochan_cli__put_int(&o, "snapshot_id", s->snapshot_id);
        lochan_cli__put_bool(&o, "repeated", s->repeated);
        return lochan_cli__print_object(&o, &cli->err);
    }
    if (s->repeated)
        lochan_cli__addf(&o.text, "this append was made before, in snapshot %lld\n",
                         (long long)s->snapshot_id);
    else
        lochan_cli__addf(&o.text, "%lld rows in %zu buckets, %zu parts, %lld bytes\n",
                         (long long)s->rows, s->n_buckets, s->n_parts, (long long)bytes);
    return lochan_cli__print_text(&o.text, &cli->err);
}

static lochan_status append_file(lochan_cli *cli, lochan_run *run, const char *path) {
    lochan_parquet_reader *reader = NULL;
    struct ArrowArrayStream rows = {0};
    lochan_append_options options = LOCHAN_APPEND_OPTIONS_INIT;
    lochan_append_summary summary = LOCHAN_APPEND_SUMMARY_INIT;
    options.skip_schema = lochan_cli__has(cli, "no-validate-schema");
    options.validate_rows = lochan_cli__has(cli, "validate-rows");
    options.not_strict = lochan_cli__has(cli, "not-strict");
    options.token = lochan_cli__value(cli, "token");
    if (strcmp(lochan_cli__has(cli, "durability") ? lochan_cli__value(cli, "durability") : "full",
               "normal") == 0)
        options.durability = LOCHAN_DURABILITY_NORMAL;
    lochan_status rc = lochan_parquet_reader_open(path, NULL, &reader, &cli->err);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_reader_stream(reader, NULL, &rows, &cli->err);
    if (rc == LOCHAN_OK)
        rc = lochan_run_append(run, cli->args[1], &rows, &options, &summary, &cli->err);
    if (rc == LOCHAN_OK)
        rc = print_summary(cli, &summary);
    lochan_append_summary_deinit(&summary);
    lochan_parquet_reader_close(reader);
    return rc;
}

static lochan_status run_append(lochan_cli *cli) {
    lochan_run *run = NULL;
    const char *durability = lochan_cli__value(cli, "durability");
    lochan_status rc = open_run(cli, LOCHAN_CLI_WRITES, &run);
    if (rc == LOCHAN_OK && durability && strcmp(durability, "full") != 0 &&
        strcmp(durability, "normal") != 0)
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                              "--durability is full or normal, not '%s'", durability);
    if (rc == LOCHAN_OK && lochan_cli__value(cli, "token") && cli->n_args > 3)
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                              "--token goes with one file only");
    for (int i = 2; rc == LOCHAN_OK && i < cli->n_args; i++)
        rc = append_file(cli, run, cli->args[i]);
    lochan_run_close(run);
    return rc;
}

/* "all", "a,b", or one. */
static lochan_status scan_runs(lochan_cli *cli, const lochan_run_scan_options *options,
                               struct ArrowArrayStream *out) {
    const char *what = cli->args[0];
    if (strcmp(what, "all") == 0)
        return lochan_runs_scan(cli->lake, cli->args[1], NULL, 0, options, out, &cli->err);
    if (!strchr(what, ',')) {
        lochan_run *run = NULL;
        lochan_status rc = lochan_run_open(cli->lake, what, NULL, &run, &cli->err);
        if (rc == LOCHAN_OK)
            rc = lochan_run_scan(run, cli->args[1], options, out, &cli->err);
        lochan_run_close(run);
        return rc;
    }
    size_t n = 1, at = 0;
    for (const char *p = what; *p; p++)
        n += *p == ',';
    char *text = strdup(what), *save = NULL;
    const char **ids = calloc(n, sizeof *ids);
    lochan_status rc = LOCHAN_OK;
    if (!text || !ids)
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_NO_MEMORY, "out of memory");
    for (char *id = text && ids ? strtok_r(text, ",", &save) : NULL; id;
         id = strtok_r(NULL, ",", &save))
        ids[at++] = id;
    if (rc == LOCHAN_OK)
        rc = lochan_runs_scan(cli->lake, cli->args[1], ids, at, options, out, &cli->err);
    free(text);
    free(ids);
    return rc;
}

static lochan_status run_scan(lochan_cli *cli) {
    lochan_run_scan_options options = LOCHAN_RUN_SCAN_OPTIONS_INIT;
    struct ArrowArrayStream stream = {0};
    lochan_cli_rows how;
    int64_t min = 0, max = 0;
    char **columns = lochan_cli__list_value(cli, "columns", &options.n_columns);
    options.columns = (const char *const *)columns;
    options.where = lochan_cli__value(cli, "where");
    options.as_of = lochan_cli__value(cli, "as-of");
    lochan_status rc = lochan_cli__int_value(cli, "tick-min", INT64_MIN, INT64_MAX, &min);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "tick-max", INT64_MIN, INT64_MAX, &max);
    options.tick_min = lochan_cli__has(cli, "tick-min") ? &min : NULL;
    options.tick_max = lochan_cli__has(cli, "tick-max") ? &max : NULL;
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "limit", 0, INT64_MAX, &options.limit);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__choose_rows(cli, &options.limit, &how);
    if (rc == LOCHAN_OK)
        rc = open_to_read(cli);
    if (rc == LOCHAN_OK)
        rc = scan_runs(cli, &options, &stream);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__give_rows(cli, &stream, &how);
    if (columns)
        free(columns[0]);
    free(columns);
    return rc;
}

static lochan_status run_manifest(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {
        {"bucket_id", "bucket", 0},
        {"state", "state", 0},
        {"part_tick_min", "tick min", 0},
        {"part_tick_max", "tick max", 0},
        {"rows", "rows", LOCHAN_CLI_AS_COUNT},
        {"bytes", "size", LOCHAN_CLI_AS_BYTES},
        {"created_at", "created (UTC)", LOCHAN_CLI_AS_SECONDS},
        {"path", "path", 0},
        {0}};
    struct ArrowArrayStream stream = {0};
    lochan_run *run = NULL;
    lochan_status rc = open_run(cli, LOCHAN_CLI_READS, &run);
    if (rc == LOCHAN_OK)
        rc = lochan_run_manifest(run, cli->args[1], &stream, &cli->err);
    if (rc == LOCHAN_OK)
        rc =
            lochan_cli__print_list(cli, &stream, columns, "the run appended nothing to this table");
    lochan_run_close(run);
    return rc;
}

static lochan_status run_list(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {
        {"run_id", "run", 0},
        {"created_at", "created (UTC)", LOCHAN_CLI_AS_SECONDS},
        {"tables", "tables", 0},
        {"parts", "parts", LOCHAN_CLI_AS_COUNT},
        {"rows", "rows", LOCHAN_CLI_AS_COUNT},
        {"bytes", "size", LOCHAN_CLI_AS_BYTES},
        {"tick_bucket_size", "bucket size", 0},
        {"seed", "seed", 0},
        {"code_version", "code", 0},
        {0}};
    struct ArrowArrayStream stream = {0};
    lochan_status rc = open_to_read(cli);
    if (rc == LOCHAN_OK)
        rc = lochan_run_list(cli->lake, &stream, &cli->err);
    return rc == LOCHAN_OK
               ? lochan_cli__print_list(cli, &stream, columns, "the lake has no run yet")
               : rc;
}

static lochan_status runs_of(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {
        {"run_id", "run", 0},
        {"created_at", "created (UTC)", LOCHAN_CLI_AS_SECONDS},
        {"parts", "parts", LOCHAN_CLI_AS_COUNT},
        {"rows", "rows", LOCHAN_CLI_AS_COUNT},
        {"seed", "seed", 0},
        {"code_version", "code", 0},
        {"parameters", "parameters", 0},
        {0}};
    struct ArrowArrayStream stream = {0};
    const char *table = cli->n_args > 0 ? cli->args[0] : NULL;
    lochan_status rc = open_to_read(cli);
    if (rc == LOCHAN_OK)
        rc = lochan_runs_of(cli->lake, table, &stream, &cli->err);
    return rc == LOCHAN_OK ? lochan_cli__print_list(cli, &stream, columns, "no run") : rc;
}

static lochan_status run_describe(lochan_cli *cli) {
    lochan_run *run = NULL;
    const char *parameters = lochan_cli__value(cli, "parameters"),
               *seed = lochan_cli__value(cli, "seed"),
               *code = lochan_cli__value(cli, "code-version");
    if (!parameters && !seed && !code)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "say at least one of --parameters, --seed, --code-version");
    lochan_status rc = open_run(cli, LOCHAN_CLI_WRITES, &run);
    if (rc == LOCHAN_OK)
        rc = lochan_run_describe(run, parameters, seed, code, &cli->err);
    lochan_run_close(run);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "run_id", cli->args[0]);
        lochan_cli__put_bool(&o, "described", true);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__addf(&o.text, "noted what run %s is about\n", cli->args[0]);
    return lochan_cli__print_text(&o.text, &cli->err);
}

static lochan_status write_bundle(lochan_cli *cli, const char *path, const char *json) {
    FILE *file = fopen(path, lochan_cli__has(cli, "overwrite") ? "w" : "wx");
    if (!file)
        return lochan_cli__fail(&cli->err, errno == EEXIST ? LOCHAN_ERR_EXISTS : LOCHAN_ERR_IO,
                                "cannot write %s: %s", path,
                                errno == EEXIST ? "it is there already (--overwrite replaces it)"
                                                : "the system refuses it");
    bool good = fprintf(file, "%s\n", json) > 0;
    good = fclose(file) == 0 && good;
    return good ? LOCHAN_OK
                : lochan_cli__fail(&cli->err, LOCHAN_ERR_IO, "cannot write all of %s", path);
}

static lochan_status run_export(lochan_cli *cli) {
    char *json = NULL;
    const char *path = lochan_cli__value(cli, "bundle");
    lochan_cli_object o = {0};
    lochan_status rc = open_to_read(cli);
    if (rc == LOCHAN_OK)
        rc = lochan_run_export(cli->lake, cli->args[0], &json, &cli->err);
    if (rc == LOCHAN_OK && path)
        rc = write_bundle(cli, path, json);
    if (rc == LOCHAN_OK && !path) {
        lochan_cli__addf(&o.text, "%s\n", json);
        rc = lochan_cli__print_text(&o.text, &cli->err);
    } else if (rc == LOCHAN_OK && cli->json) {
        lochan_cli__put_text(&o, "run_id", cli->args[0]);
        lochan_cli__put_text(&o, "bundle", path);
        rc = lochan_cli__print_object(&o, &cli->err);
    }
    lochan_free(json);
    return rc;
}

static lochan_status run_delete(lochan_cli *cli) {
    int64_t parts = 0;
    lochan_status rc = lochan_run_check_id(cli->args[0], &cli->err);
    if (rc == LOCHAN_OK && !lochan_cli__has(cli, "yes")) {
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                              "run %s would be removed from every table", cli->args[0]);
        lochan_cli__hint(&cli->err, "say --yes if that is meant");
        return rc;
    }
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = lochan_run_delete(cli->lake, cli->args[0], &parts, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "run_id", cli->args[0]);
        lochan_cli__put_int(&o, "parts", parts);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__addf(&o.text, "removed run %s, %lld parts\n", cli->args[0], (long long)parts);
    return lochan_cli__print_text(&o.text, &cli->err);
}

static lochan_status print_report(lochan_cli *cli, const lochan_rebuild_report *r,
                                  struct ArrowArrayStream *problems) {
    static const lochan_cli_column columns[] = {
        {"kind", "problem", 0}, {"path", "path", 0}, {"detail", "detail", 0}, {0}};
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_bool(&o, "lake_rebuilt", r->lake_rebuilt);
        lochan_cli__put_int(&o, "records", r->records);
        lochan_cli__put_int(&o, "parts_whole", r->parts_whole);
        lochan_cli__put_int(&o, "parts_damaged", r->parts_damaged);
        lochan_cli__put_int(&o, "parts_adopted", r->parts_adopted);
        lochan_cli__put_int(&o, "parts_ignored", r->parts_ignored);
        lochan_cli__put_int(&o, "rows", r->rows);
        problems->release(problems);
        return lochan_cli__print_object(&o, &cli->err);
    }
    if (r->lake_rebuilt)
        lochan_cli__addf(&o.text, "made lake.db again from %lld records of the journal\n",
                         (long long)r->records);
    lochan_cli__addf(&o.text,
                     "%lld parts are whole, %lld damaged, %lld taken over, %lld left alone: "
                     "%lld rows\n",
                     (long long)r->parts_whole, (long long)r->parts_damaged,
                     (long long)r->parts_adopted, (long long)r->parts_ignored, (long long)r->rows);
    lochan_status rc = lochan_cli__print_text(&o.text, &cli->err);
    if (rc == LOCHAN_OK && r->parts_damaged + r->parts_ignored > 0)
        return lochan_cli__print_list(cli, problems, columns, "");
    problems->release(problems);
    return rc;
}

static lochan_status run_rebuild(lochan_cli *cli) {
    lochan_rebuild_report report = LOCHAN_REBUILD_REPORT_INIT;
    lochan_run_options options = LOCHAN_RUN_OPTIONS_INIT;
    struct ArrowArrayStream problems = {0};
    lochan_status rc =
        lochan_cli__int_value(cli, "tick-bucket-size", 1, INT64_MAX, &options.tick_bucket_size);
    if (rc == LOCHAN_OK)
        rc = lochan_run_rebuild(cli->lake_path, NULL, cli->args[0], cli->args[1], &options, &report,
                                &problems, &cli->err);
    return rc == LOCHAN_OK ? print_report(cli, &report, &problems) : rc;
}

static const lochan_cli_option append_options[] = {
    {"tick-bucket-size", "N", "ticks in a bucket, for a new run; default 100"},
    {"row-group-size", "N", "rows in a row group; default 131072"},
    {"compression", "CODEC", "zstd (default), lz4, snappy, none"},
    {"durability", "NAME", "full (default), or normal: faster, but a power cut may lose the last"},
    {"validate-rows", NULL, "also check the values and rules of the descriptor"},
    {"not-strict", NULL, "store columns that the descriptor does not have"},
    {"no-validate-schema", NULL, "the same, and required columns (but tick) may be missing"},
    {"token", "TEXT", "repeating an append with this token does nothing"},
    {0},
};
static const lochan_cli_option scan_options[] = {
    {"tick-min", "N", "from this tick on"},
    {"tick-max", "N", "up to this tick"},
    {"columns", "A,B", "only these, in this order"},
    {"where", "EXPR", "only rows for which it is true, see docs/scan.md"},
    {"limit", "N", "at most N rows"},
    {"as-of", "ID|TIME|TAG", "as it was in that snapshot or at that time (UTC)"},
    {"format", "NAME", "table, csv, ndjson or parquet"},
    {"output", "FILE", "write to a file; .csv, .ndjson, .parquet tell the format"},
    {"overwrite", NULL, "replace the file if there is one"},
    {0},
};
static const lochan_cli_option rebuild_options[] = {
    {"tick-bucket-size", "N", "of a tree that comes without a catalog; default 100"},
    {0},
};
static const lochan_cli_option describe_options[] = {
    {"parameters", "JSON", "what the run was started with, as a JSON object"},
    {"seed", "TEXT", "seed of its random numbers"},
    {"code-version", "TEXT", "version of the code that ran"},
    {0},
};
static const lochan_cli_option export_options[] = {
    {"bundle", "OUT.json", "write to this file instead of standard output"},
    {"overwrite", NULL, "replace the file if there is one"},
    {0},
};
static const lochan_cli_option delete_options[] = {
    {"yes", NULL, "really"},
    {0},
};

const lochan_cli_command lochan_cli__run_append = {
    .name = "run append",
    .arguments = "RUN TABLE FILE.parquet...",
    .min_args = 3,
    .max_args = 1000,
    .summary = "append the rows of Parquet files to a run table",
    .details = "Each file is one commit. The run comes into being with its first append.",
    .example = "lochan run append run-1 holdings holdings.parquet --validate-rows",
    .options = append_options,
    .run = run_append,
};
const lochan_cli_command lochan_cli__run_scan = {
    .name = "run scan",
    .arguments = "RUN|RUN,RUN|all TABLE",
    .min_args = 2,
    .max_args = 2,
    .summary = "print rows of a run table",
    .details = "Several runs come with the column run_id. Formats are those of 'lochan scan'.",
    .example = "lochan run scan run-1 holdings --tick-min 100 --tick-max 199\n"
               "lochan run scan all holdings --where \"token_id = 'A'\" --output a.parquet",
    .options = scan_options,
    .run = run_scan,
};
const lochan_cli_command lochan_cli__run_manifest = {
    .name = "run manifest",
    .arguments = "RUN TABLE",
    .min_args = 2,
    .max_args = 2,
    .summary = "list the parts of a run in a table",
    .example = "lochan run manifest run-1 holdings --json",
    .run = run_manifest,
};
const lochan_cli_command lochan_cli__run_list = {
    .name = "run list",
    .arguments = "",
    .summary = "list the runs",
    .example = "lochan run list",
    .run = run_list,
};
const lochan_cli_command lochan_cli__run_delete = {
    .name = "run delete",
    .arguments = "RUN",
    .min_args = 1,
    .max_args = 1,
    .summary = "remove a run from every table",
    .details = "One commit. Snapshots before it still show the run until they expire.",
    .example = "lochan run delete run-1 --yes",
    .options = delete_options,
    .run = run_delete,
};
const lochan_cli_command lochan_cli__run_rebuild = {
    .name = "run rebuild",
    .arguments = "RUN TABLE",
    .min_args = 2,
    .max_args = 2,
    .summary = "make catalog and parts of a run agree again",
    .details = "Where lake.db is gone or damaged, the whole lake is made again from its journal "
               "first. Damaged parts leave the\n"
               "catalog; a tree of parts without a catalog is taken over. No file is removed.",
    .example = "lochan run rebuild run-1 holdings",
    .options = rebuild_options,
    .run = run_rebuild,
};
const lochan_cli_command lochan_cli__runs_of = {
    .name = "runs-of",
    .arguments = "[TABLE]",
    .max_args = 1,
    .summary = "list runs with their parameters: those that have rows in a table, or all",
    .example = "lochan runs-of holdings --json",
    .run = runs_of,
};
const lochan_cli_command lochan_cli__run_describe = {
    .name = "run describe",
    .arguments = "RUN",
    .min_args = 1,
    .max_args = 1,
    .summary = "note the parameters, seed and code version of a run",
    .details = "What is not given stays as it is. A run that has no rows yet becomes known.",
    .example = "lochan run describe run-1 --parameters '{\"agents\": 100}' --seed 42",
    .options = describe_options,
    .run = run_describe,
};
const lochan_cli_command lochan_cli__run_export = {
    .name = "run export",
    .arguments = "RUN",
    .min_args = 1,
    .max_args = 1,
    .summary = "print what is known of a run, its tables and parts, as JSON",
    .example = "lochan run export run-1 --bundle run-1.json",
    .options = export_options,
    .run = run_export,
};
