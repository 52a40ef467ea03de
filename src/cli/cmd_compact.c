/* cmd_compact.c - lochan compact: small files joined, partitions that rest sorted anew. May call:
 * cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

static lochan_status print_report(lochan_cli *cli, const lochan_compact_report *r) {
    if (cli->json) {
        lochan_cli_object o = {0};
        lochan_cli__put_int(&o, "groups", r->groups);
        lochan_cli__put_int(&o, "files_joined", r->files_joined);
        lochan_cli__put_int(&o, "rows", r->rows);
        lochan_cli__put_int(&o, "bytes_read", r->bytes_read);
        lochan_cli__put_int(&o, "bytes_written", r->bytes_written);
        lochan_cli__put_int(&o, "row_groups_copied", r->groups_copied);
        lochan_cli__put_int(&o, "row_groups_decoded", r->groups_decoded);
        lochan_cli__put_int(&o, "groups_left", r->groups_left);
        lochan_cli__put_int(&o, "conflicts", r->conflicts);
        lochan_cli__put_int(&o, "tables_skipped", r->tables_skipped);
        lochan_cli__put_int(&o, "groups_clustered", r->groups_clustered);
        lochan_cli__put_int(&o, "snapshot_id", r->snapshot_id);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__note(cli, "%lld files became %lld: %lld rows, %lld bytes",
                     (long long)r->files_joined, (long long)r->groups, (long long)r->rows,
                     (long long)r->bytes_written);
    if (r->groups_clustered > 0)
        lochan_cli__note(cli, "%lld of them are partitions in the order of cluster_columns",
                         (long long)r->groups_clustered);
    if (r->conflicts > 0)
        lochan_cli__note(cli, "%lld groups stay as they are: others changed them meanwhile",
                         (long long)r->conflicts);
    if (r->groups_left > 0)
        lochan_cli__note(cli, "%lld groups are left for the next call", (long long)r->groups_left);
    return LOCHAN_OK;
}

static lochan_status read_options(lochan_cli *cli, lochan_compact_options *o) {
    o->dry_run = lochan_cli__has(cli, "plan") || lochan_cli__has(cli, "dry-run");
    o->full = lochan_cli__has(cli, "full");
    o->cluster = lochan_cli__has(cli, "cluster");
    lochan_status rc = lochan_cli__int_value(cli, "files", 2, 1000000, &o->min_files);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__bytes_value(cli, "bytes", &o->target_bytes);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__bytes_value(cli, "max-input", &o->max_input_bytes);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__bytes_value(cli, "min-bytes", &o->min_file_bytes);
    return rc;
}

static lochan_status run(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"source", "source", 0},
                                                {"dataset", "dataset", 0},
                                                {"folder", "folder", 0},
                                                {"files", "files", LOCHAN_CLI_AS_COUNT},
                                                {"rows", "rows", LOCHAN_CLI_AS_COUNT},
                                                {"bytes", "size", LOCHAN_CLI_AS_BYTES},
                                                {"action", "action", 0},
                                                {0}};
    lochan_compact_options options = LOCHAN_COMPACT_OPTIONS_INIT;
    lochan_compact_report report;
    struct ArrowArrayStream plan = {0};
    lochan_cli_filter f;
    lochan_status rc = read_options(cli, &options);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_filtered(cli, options.dry_run ? LOCHAN_CLI_READS : LOCHAN_CLI_WRITES,
                                       &f);
    if (rc != LOCHAN_OK)
        return rc;
    rc = lochan_lake_compact(cli->lake, f.source, f.dataset, &options, &report,
                             options.dry_run ? &plan : NULL, &cli->err);
    if (rc == LOCHAN_ERR_NOT_FOUND && f.dataset)
        lochan_cli__hint_dataset(cli, &f.name);
    if (rc != LOCHAN_OK)
        return rc;
    return options.dry_run ? lochan_cli__print_list(cli, &plan, columns, "nothing to join")
                           : print_report(cli, &report);
}

static const lochan_cli_option options[] = {
    {"plan", NULL, "show what would be joined, change nothing (also --dry-run)"},
    {"dry-run", NULL, "the same as --plan"},
    {"files", "N", "so many small neighbours are worth joining; default 8"},
    {"bytes", "SIZE", "files grow up to this; default 128MiB"},
    {"min-bytes", "SIZE", "smaller files are small; default half of --bytes"},
    {"max-input", "SIZE", "read at most so much; the next call goes on"},
    {"full", NULL, "join whatever fits into one file"},
    {"cluster", NULL, "sort every partition by the spec's cluster_columns"},
    {"source", "NAME", "only of this source"},
    {0},
};

const lochan_cli_command lochan_cli__compact = {
    .name = "compact",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "join small files",
    .details = "No row changes. Readers and writers go on meanwhile; the old files stay until "
               "'lochan expire' and 'lochan gc'. The defaults are those of 'compaction' in the "
               "dataset's spec; with 'cluster_columns' partitions that were not written for a "
               "while are sorted by them.",
    .example = "lochan compact --plan\nlochan compact ecb/fx_daily --full --cluster",
    .options = options,
    .run = run,
};
